"""Backups of an embedded system and of PostgreSQL are whole or refused, and never bring back erased words."""

import asyncio
import hashlib
import shutil
import sqlite3
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import orjson
import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from schemas.catalogue import SERVICES
from schemas.envelope import Event
from schemas.ingest import ReportErased
from services.apps import access, cli, embedded, operate
from services.apps.backups import BackupError, commands, databases, fitting, folder
from services.apps.backups.held import Held, Manifest
from services.apps.embedded import Embedded
from services.kernel.access import signing
from services.kernel.delivery import operations
from services.kernel.delivery.log import Partition, Record
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.delivery.log.kafka import KafkaLog
from services.kernel.serving.commands import Caller
from services.kernel.settings import Settings
from services.kernel.store import lease, tables
from services.kernel.store.database import Database
from services.publish.verifying import keys as statement_keys
from tests.kit import spec, substrate
from tests.kit.stack import until

REF = "00000000-0000-4000-8000-000000000001"


async def report(system: Embedded, subject: str) -> str:
    """Sends a report and waits until every service has it."""
    body = {
        "unit": "town-east",
        "channel": "visit",
        "subject": subject,
        "text": f"{subject}，请尽快处理。",
        "discovered_at": datetime.now(UTC).isoformat(),
    }
    async with system.client(system.token("town-east", "duty_officer")) as client:
        answer = await client.post("/ingest/v1/reports", json=body)
        assert answer.status_code == 201, answer.text
        await system.settle()
        return str(answer.json()["report_id"])


async def erase(system: Embedded, report_id: str) -> None:
    async with system.client(system.token("county", "admin")) as client:
        body = {"cause": "law", "reason": "by law"}
        answer = await client.post(f"/ingest/v1/reports/{report_id}/erase", json=body)
        assert answer.status_code == 200, answer.text
        await system.settle()


async def subjects(system: Embedded) -> set[str | None]:
    async with system.client(system.token("city", "auditor")) as client:
        answer = await client.get("/triage/v1/incidents")
        return {item["subject"] for item in answer.json()["items"]}


async def is_clean(system: Embedded) -> bool:
    found = await operate.check_stores(operate.Stores(system.runtimes, system.log, system), 5)
    assert found.faults == []
    return found.ok


def rows(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(statement).fetchall()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")


@pytest.fixture
async def lived(settings: Settings, tmp_path: Path) -> Path:
    """A folder with a backup. Two reports came before it; after it one more came and one was erased."""
    async with embedded.running(settings) as system:
        first = await report(system, "路灯不亮")
        await report(system, "道路积水")
        folder.back_up(settings.data, tmp_path / "backup")
        await report(system, "水管爆裂")
        await erase(system, first)
    return tmp_path / "backup"


async def test_a_restored_folder_has_what_came_after_the_backup_and_nothing_that_was_erased(
    lived: Path, settings: Settings
) -> None:
    folder.restore(settings.data, lived)
    async with embedded.running(settings) as system:
        assert {"道路积水", "水管爆裂"} <= await subjects(system)
        assert "路灯不亮" not in await subjects(system)
        assert await is_clean(system)
    for service in ("ingest", "triage"):
        assert not rows(settings.data / f"{service}.sqlite", "select 1 from contents where words like '%路灯%'")


async def test_a_restored_store_never_holds_erased_words_not_even_before_it_starts(
    lived: Path, settings: Settings
) -> None:
    assert rows(lived / "ingest.sqlite", "select 1 from contents where words like '%路灯%'")
    folder.restore(settings.data, lived)
    assert not rows(settings.data / "ingest.sqlite", "select 1 from contents where words like '%路灯%'")


@pytest.mark.parametrize("services", [SERVICES, ("triage",)], ids=["all", "triage"])
async def test_stores_that_were_lost_come_back_without_what_was_erased(
    lived: Path, settings: Settings, services: tuple[str, ...]
) -> None:
    """Only other stores, or only the event log, know then what was erased."""
    for service in services:
        for path in settings.data.glob(f"{service}.sqlite*"):
            path.unlink()
    known = await operate.erased(settings)
    assert known
    folder.restore(settings.data, lived, services, erased=known)
    assert not rows(settings.data / "triage.sqlite", "select 1 from contents where words like '%路灯%'")
    async with embedded.running(settings) as system:
        assert "路灯不亮" not in await subjects(system)
        assert await is_clean(system)


async def test_a_damaged_log_goes_back_if_that_is_asked_for(
    lived: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (settings.data / "log.sqlite").write_bytes(b"what a broken disk left" * 100)
    command = ["restore", "--from", str(lived), "--data", str(settings.data)]
    assert await asyncio.to_thread(cli.execute, command) == 2
    assert f"the event log in {settings.data} cannot be read; put it back too, with --log" in capsys.readouterr().err
    assert await asyncio.to_thread(cli.execute, [*command, "--log"]) == 0
    async with embedded.running(settings) as system:
        assert await subjects(system) == {"[erased]", "道路积水"}
        assert await is_clean(system)


async def test_an_erasure_that_somebody_forged_erases_nothing_when_a_store_is_put_back(
    lived: Path, settings: Settings
) -> None:
    before = await operate.erased(settings)
    ((bytes_,),) = rows(
        settings.data / "ingest.sqlite", "select bytes from events where type like '%report.erased%' limit 1"
    )
    erasure = Event.parse(bytes_)
    forged = Event.parse(orjson.dumps({**erasure.attributes, "data": {**erasure.attributes["data"], "refs": [REF]}}))
    log = EmbeddedLog(settings.data / "log.sqlite", settings.partitions)
    await log.start()
    await log.append({Partition("ingest.report", 0): [(b"k", forged.bytes)]})
    await log.stop()
    assert await operate.erased(settings) == before


async def test_an_erasure_that_a_reader_discarded_still_counts_when_a_store_is_put_back(
    lived: Path, settings: Settings
) -> None:
    before = await operate.erased(settings)
    ((bytes_,),) = rows(
        settings.data / "ingest.sqlite", "select bytes from events where type like '%report.erased%' limit 1"
    )
    erasure = Event.parse(bytes_)
    place = Record("ingest.report", 0, 1, b"key", erasure.bytes)
    row = operations.dead_letter("triage", place, erasure, "poison", "it failed", datetime.now(UTC))
    database = Database(settings.data / "triage.sqlite")
    letters = tables.metadata().tables["dead_letters"]
    async with database.transaction() as connection:
        await connection.execute(letters.insert().values(**row | {"state": "discarded"}))
    await database.close()
    assert before and await operate.erased(settings) == before


def copies(place: Path, words: str) -> list[str]:
    """The files that hold these words anywhere."""
    return [str(path) for path in sorted(place.rglob("*")) if path.is_file() and words.encode() in path.read_bytes()]


async def test_no_file_of_a_running_system_holds_what_was_erased(settings: Settings) -> None:
    """Erased words are neither in a freed page nor in a write-ahead file, even while somebody reads the stores."""
    async with embedded.running(settings) as system:
        first, other = await report(system, "路灯不亮" * 30), await report(system, "道路积水")
        assert len(copies(settings.data, "路灯不亮")) >= 3
        async with system.runtimes["triage"].database.read() as reading:
            await reading.execute(text("select count(*) from contents"))
            await erase(system, first)
        async with asyncio.timeout(20):
            while copies(settings.data, "路灯不亮"):
                await asyncio.sleep(0.1)
        assert copies(settings.data, "道路积水")
        assert other and await is_clean(system)


async def test_a_restore_leaves_no_copy_of_what_was_erased(lived: Path, settings: Settings) -> None:
    assert copies(settings.data, "路灯不亮") == []
    folder.restore(settings.data, lived, log=True)
    assert copies(settings.data, "路灯不亮") == []


def rights(place: Path) -> set[tuple[bool, str]]:
    """Everything in a folder, except the public keys, which anybody may have."""
    found = (path for path in (place, *place.rglob("*")) if path.name != "token-keys.json")
    return {(path.is_dir(), oct(path.stat().st_mode & 0o777)) for path in found}


async def test_folders_and_files_are_their_owners_alone(lived: Path, settings: Settings, tmp_path: Path) -> None:
    closed = {(True, "0o700"), (False, "0o600")}
    assert rights(settings.data) == rights(lived) == closed
    opened = tmp_path / "opened"
    shutil.copytree(lived, opened)
    for path in (opened, *opened.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    elsewhere = Settings(data=tmp_path / "elsewhere")
    elsewhere.data.mkdir(mode=0o755)
    folder.restore(elsewhere.data, opened)
    async with embedded.running(elsewhere):
        assert rights(elsewhere.data) == closed


async def test_one_service_alone_catches_up(lived: Path, settings: Settings) -> None:
    assert folder.restore(settings.data, lived, ["triage"]).names == ["triage.sqlite"]
    async with embedded.running(settings) as system:
        assert {"道路积水", "水管爆裂"} <= await subjects(system)
        assert await is_clean(system)


async def test_with_the_log_the_folder_is_as_it_was_but_for_what_was_erased(lived: Path, settings: Settings) -> None:
    folder.restore(settings.data, lived, log=True)
    assert not rows(settings.data / "log.sqlite", "select 1 from records where cast(value as text) like '%路灯不亮%'")
    async with embedded.running(settings) as system:
        found = await subjects(system)
        assert "道路积水" in found
        assert found.isdisjoint({"水管爆裂", "路灯不亮"})


async def test_an_empty_place_gets_everything_with_its_secret(lived: Path, settings: Settings, tmp_path: Path) -> None:
    elsewhere = Settings(data=tmp_path / "elsewhere")
    elsewhere.data.mkdir()
    folder.restore(elsewhere.data, lived)
    assert (elsewhere.data / "secret").read_bytes() == (settings.data / "secret").read_bytes()
    assert (elsewhere.data / "secret").stat().st_mode & 0o077 == 0
    async with embedded.running(elsewhere) as system:
        assert await subjects(system) == {"路灯不亮", "道路积水"}
        assert await is_clean(system)


async def close(system: Embedded, report_id: str) -> None:
    """The report's incident is handled and closed."""
    token = system.token("town-east", "duty_officer", "verifier", "handler", "chief")
    approver = {"Authorization": f"Bearer {system.token('town-east', 'approver')}"}
    async with system.client(token) as client:
        found = await client.get("/triage/v1/incidents", params={"report_id": report_id})
        incident, before = (found.json()["items"][0][name] for name in ("id", "version"))
        steps: tuple[tuple[int, str, Any, dict[str, str]], ...] = (
            (0, "solve", {"text": "换了灯泡"}, {}),
            (1, "conclude-verification", {"outcome": "confirmed", "text": "属实"}, {}),
            (2, "reply", {"text": "已答复"}, {}),
            (3, "approve", {"proposal": 1}, approver),
            (5, "resolve", {"reason": "办结"}, {}),
            (6, "close", {"reason": "结案"}, {}),
        )
        for version, verb, body, by in steps:
            path = f"/triage/v1/incidents/{incident}/{verb}"
            answer = await client.post(path, json=body, headers={"If-Match": str(before + version), **by})
            assert answer.status_code == 200, answer.text
        await system.settle()


async def incidents(system: Embedded) -> dict[str, tuple[str, int]]:
    async with system.client(system.token("city", "auditor")) as client:
        items = (await client.get("/triage/v1/incidents")).json()["items"]
    return {item["id"]: (item["state"], item["report_count"]) for item in items}


async def test_a_store_put_back_from_before_a_close_takes_each_report_in_where_it_was(
    settings: Settings, tmp_path: Path
) -> None:
    async with embedded.running(settings) as system:
        folder.back_up(settings.data, tmp_path / "backup")
        await close(system, await report(system, "路灯不亮"))
        await report(system, "路灯不亮")
        before = await incidents(system)
    assert sorted(before.values()) == [("closed", 1), ("open", 1)]
    folder.restore(settings.data, tmp_path / "backup", ["triage"])
    async with embedded.running(settings) as system:
        await report(system, "道路积水")
        assert (await incidents(system)).items() >= before.items()
        assert await is_clean(system)


async def test_a_store_that_cannot_be_read_is_replaced(lived: Path, settings: Settings) -> None:
    (settings.data / "triage.sqlite").write_bytes(b"not a database at all, whatever its name says" * 100)
    folder.restore(settings.data, lived, ["triage"])
    async with embedded.running(settings) as system:
        assert {"道路积水", "水管爆裂"} <= await subjects(system)


async def test_an_altered_backup_is_refused_before_anything_changes(lived: Path, settings: Settings) -> None:
    before = {path.name: path.read_bytes() for path in settings.data.iterdir() if path.is_file()}
    with (lived / "publish.sqlite").open("ab") as file:
        file.write(b"!")
    with pytest.raises(BackupError, match=r"publish\.sqlite is missing or differs"):
        folder.restore(settings.data, lived)
    assert {path.name: path.read_bytes() for path in settings.data.iterdir() if path.is_file()} == before


async def test_the_log_alone_is_never_rolled_back(lived: Path, settings: Settings) -> None:
    with pytest.raises(BackupError, match="only with all services"):
        folder.restore(settings.data, lived, ["triage"], log=True)


async def test_a_backup_takes_a_folder_of_its_own(lived: Path, settings: Settings) -> None:
    with pytest.raises(BackupError, match="is not empty"):
        folder.back_up(settings.data, lived)


def test_a_folder_without_data_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no data of an embedded system"):
        folder.back_up(tmp_path, tmp_path / "to")
    with pytest.raises(BackupError, match=r"manifest\.json cannot be read"):
        folder.restore(tmp_path, tmp_path)


@pytest.mark.postgres
@pytest.mark.kafka
async def test_databases_go_back_without_what_was_erased_anywhere(postgres_databases: str, tmp_path: Path) -> None:
    """Erasures known to the database at hand, to another one, to another one's backup, and to a topic."""
    metadata = tables.metadata()
    contents, erased = metadata.tables["contents"], metadata.tables["erased"]
    stores = {name: Database(postgres_databases.format(service=name)) for name in SERVICES}
    here, elsewhere, backed_up, said, kept, later = (f"00000000-0000-4000-8000-{n:012d}" for n in range(6))
    for database in stores.values():
        async with database.transaction() as connection:
            await connection.run_sync(metadata.create_all)
            for ref in (here, elsewhere, backed_up, said, kept):
                await connection.execute(contents.insert().values(ref=ref, salt=b"salt", words="路灯"))
    async with stores["publish"].transaction() as connection:
        await connection.execute(erased.insert().values(ref=backed_up))
    settings = Settings(
        database=postgres_databases,
        kafka=substrate.kafka(),
        prefix=f"t{uuid.uuid4().hex[:8]}",
        secret=SecretStr("s" * 32),
        data=tmp_path / "data",
    )
    made = databases.back_up(settings, tmp_path / "backup", said=fitting.told(settings))
    assert {*made.files} == {*(f"{name}.dump" for name in SERVICES), "secret"}
    async with stores["publish"].transaction() as connection:
        await connection.execute(erased.delete())
    async with stores["ingest"].transaction() as connection:
        await connection.execute(contents.delete().where(contents.c.ref == here))
        await connection.execute(erased.insert().values(ref=here))
        await connection.execute(contents.insert().values(ref=later, salt=b"salt", words="后来"))
    async with stores["audit"].transaction() as connection:
        await connection.execute(erased.insert().values(ref=elsewhere))
    async with stores["triage"].transaction() as connection:
        await connection.run_sync(metadata.drop_all)

    assert await operate.erased(settings) == set(), "there are no topics"
    log = KafkaLog(settings)
    await log.create_topics(["ingest.report"], [])
    (erasure,) = spec.events("report", [ReportErased(refs=(said,))])
    owned = orjson.dumps({**erasure.attributes, "source": settings.source("ingest")})
    await log.append({Partition("ingest.report", 1): [(b"k", owned)]})
    await log.stop()
    known = await operate.erased(settings)
    assert known == {said}
    cut = Path(shutil.copytree(tmp_path / "backup", tmp_path / "cut"))
    dump = (cut / "publish.dump").read_bytes()[:-4000]
    (cut / "publish.dump").write_bytes(dump)
    told = orjson.loads((cut / "manifest.json").read_bytes())
    told["files"]["publish.dump"] = hashlib.sha256(dump).hexdigest()
    (cut / "manifest.json").write_bytes(orjson.dumps(told))
    with pytest.raises(BackupError, match="was not made by this deployment, or somebody altered it"):
        databases.restore(settings, cut, ["ingest", "publish"], known)
    told["mac"] = Held.at(cut).manifest.mac_under(b"s" * 32)
    (cut / "manifest.json").write_bytes(orjson.dumps(told))
    with pytest.raises(BackupError, match="pg_restore failed"):
        databases.restore(settings, cut, ["ingest", "publish"], known)
    async with stores["ingest"].read() as connection:
        assert later in (await connection.execute(select(contents.c.ref))).scalars().all(), "none without the other"
    elsewhere_too = settings.model_copy(update={"deployment": "elsewhere"})
    with pytest.raises(BackupError, match="another deployment: it has deployment 'local' instead of 'elsewhere'"):
        databases.restore(elsewhere_too, tmp_path / "backup", ["ingest", "triage", "publish"], known)
    async with stores["publish"].transaction() as connection:
        await connection.execute(text("create table of_a_newer_version (id bigint generated always as identity)"))
    databases.restore(settings, tmp_path / "backup", ["ingest", "triage", "publish"], known)
    async with stores["publish"].read() as connection:
        assert (await connection.execute(text("select to_regclass('of_a_newer_version')"))).scalar() is None
    await starting_meanwhile(settings, stores["triage"], tmp_path / "backup")
    await token_keys(settings, tmp_path)
    for name in ("ingest", "triage", "publish"):
        async with stores[name].read() as connection:
            assert (await connection.execute(select(contents.c.ref))).scalars().all() == [kept], name
            found = set((await connection.execute(select(erased.c.ref))).scalars())
            assert found == {here, elsewhere, backed_up, said}, name
            assert (await connection.execute(text("select count(*) from events"))).scalar_one() == 0
    for database in stores.values():
        await database.close()


def test_every_parameter_of_a_connection_reaches_postgresqls_programs() -> None:
    template = (
        "postgresql+psycopg://huiying:p%40ss@db:5433/{service}?sslmode=verify-full&sslrootcert=/tls/authority.pem"
    )
    assert databases.place(f"{template}&hostaddr=10.0.0.7&connect_timeout=3", "triage") == {
        "PGUSER": "huiying",
        "PGPASSWORD": "p@ss",
        "PGHOST": "db",
        "PGPORT": "5433",
        "PGDATABASE": "triage",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/tls/authority.pem",
        "PGHOSTADDR": "10.0.0.7",
        "PGCONNECT_TIMEOUT": "3",
    }
    with pytest.raises(BackupError, match="HUIYING_DATABASE has sslpassword"):
        databases.place(f"{template}&sslpassword=x", "triage")


@pytest.mark.postgres
def test_all_dumps_are_of_one_moment(postgres_databases: str, tmp_path: Path) -> None:
    """An owner appends, and a reader takes in at once, also while the dumps are made."""
    owner, reader = (databases.place(postgres_databases, name) for name in ("triage", "audit"))
    for at in (owner, reader):
        databases.asked("drop table events cascade; create table events (number serial)", at)
    ended = threading.Event()

    def write() -> None:
        with ExitStack() as stack:
            writing, reading = (
                stack.enter_context(psycopg.connect(substrate.plain_url(postgres_databases, name), autocommit=True))
                for name in ("triage", "audit")
            )
            while not ended.is_set():
                for connection in (writing, reading):
                    connection.execute("insert into events default values")

    settings = Settings(database=postgres_databases, kafka="nowhere:9092", secret=SecretStr("s" * 32))
    with ThreadPoolExecutor() as pool:
        work = pool.submit(write)
        try:
            until(lambda: int(databases.asked("select count(*) from events", reader)[0]) > 10, "it writes")
            databases.back_up(settings, tmp_path / "backup")
        finally:
            ended.set()
        work.result()

    def rows_in(name: str) -> int:
        with databases._started("pg_restore", "--data-only", "--file=-", str(tmp_path / "backup" / name), at={}) as got:
            return sum(line.strip().isdigit() for line in got[0].stdout)

    assert 0 <= rows_in("triage.dump") - rows_in("audit.dump") <= 1


@pytest.mark.postgres
def test_accounts_go_back_only_when_nobody_is_connected_to_them(postgres_databases: str) -> None:
    """The console keeps no lease."""
    at = databases.place(postgres_databases, "triage")
    with (
        psycopg.connect(substrate.plain_url(postgres_databases, "triage")),
        databases._Transaction(at) as transaction,
        pytest.raises(BackupError, match="console is running"),
    ):
        transaction.hold(folder.CONSOLE)
    with databases._Transaction(at) as transaction:
        transaction.hold(folder.CONSOLE)


@pytest.mark.postgres
def test_accounts_that_nobody_could_look_for_are_not_taken_for_none(postgres_databases: str) -> None:
    """Else a backup would leave them out, and a restore would roll live ones back."""
    settings = Settings(database=postgres_databases, kafka="nowhere:9092", secret=SecretStr("s" * 32))
    assert not databases.has_accounts(settings), "the server has no such database"
    wrong = postgres_databases.replace("@", "wrong@", 1)
    with pytest.raises(BackupError, match="psql failed"):
        databases.has_accounts(settings.model_copy(update={"database": wrong}))


async def starting_meanwhile(settings: Settings, triage: Database, backup: Path) -> None:
    """A process that leads when the dumps are about to be loaded, whatever was found before."""
    async with triage.session() as session:
        assert await lease.take(triage, session, 60)
        with pytest.raises(BackupError, match="triage is running"):
            await asyncio.to_thread(databases.restore, settings, backup, ["ingest", "triage"])
        with pytest.raises(BackupError, match="triage is running"):
            await asyncio.to_thread(databases.mark_restored, settings, ["triage"], ())
        await session.invalidate()
    async with asyncio.timeout(20):
        while True:
            try:
                await asyncio.to_thread(databases.mark_restored, settings, ["triage"], ())
                break
            except BackupError:
                await asyncio.sleep(0.1)


async def token_keys(settings: Settings, place: Path) -> None:
    """The public set alone is lost. The one of the backup would believe a key that was dropped since."""
    signing.rotate(settings)
    made = databases.back_up(settings, place / "with-keys")
    assert made.files.keys() >= {"token-keys.json", "signing-key.pem"}
    signing.key_set_file(settings).unlink()
    databases.restore(settings, place / "with-keys", ["publish"])
    assert not signing.key_set_file(settings).exists()
    signing.signing_key_file(settings).unlink()
    databases.restore(settings, place / "with-keys", ["publish"])
    assert signing.key_set_file(settings).exists() and signing.signing_key_file(settings).exists()


def test_what_was_revoked_since_stays_revoked_where_the_log_goes_back_too(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def before() -> tuple[str, str]:
        async with embedded.running(settings) as system, system.client(access.operator(settings)) as client:
            made = await client.post("/ingest/v1/keys", json={"unit": "town-east", "scope": "ingest"})
            token = system.token("town-east", "duty_officer")
            folder.back_up(settings.data, tmp_path / "backup")
            later = await client.post("/ingest/v1/keys", json={"unit": "town-east", "scope": "ingest"})
            jti = jwt.decode(token, options={"verify_signature": False})["jti"]
            ended = [f"/ingest/v1/keys/{of.json()['id']}" for of in (made, later)]
            for path in (*ended, f"/triage/v1/tokens/{jti}"):
                assert (await client.post(f"{path}/revoke")).status_code == 200
            (signing,) = (await client.get("/.well-known/huiying.json")).json()["keys"]
            await statement_keys.revoke(system.runtimes["publish"], Caller(), signing["kid"], "the test says so")
            await system.settle()
            return made.json()["key"], token

    async def after(*credentials: str) -> list[int]:
        async with embedded.running(settings) as system:
            path = f"/ingest/v1/reports/report-{spec.UUID}"
            answers = []
            for credential in credentials:
                async with system.client(credential) as client:
                    answers.append((await client.get(path)).status_code)
            async with system.client() as client:
                told = (await client.get("/.well-known/huiying.json")).json()
            # A key that was made after the backup has lost its private half; it counts on, and another one signs.
            assert len(told["revoked"]) == 1
            assert told["revoked"][0]["kid"] not in {one["kid"] for one in told["keys"]}
            assert await is_clean(system)
            return answers

    ended = asyncio.run(before())
    arguments = ["restore", "--from", str(tmp_path / "backup"), "--data", str(settings.data)]
    assert cli.execute([*arguments, "--log"]) == 0
    assert capsys.readouterr().out.count("was revoked again") == 3
    assert asyncio.run(after(*ended)) == [401, 401]
    assert cli.execute(arguments) == 0
    assert "was revoked again" not in capsys.readouterr().out
    assert asyncio.run(after(*ended)) == [401, 401]


@pytest.mark.parametrize("name", ["evidence/../x", "../x", "evidence/.x", "evidence/a/b", "x.sqlite", "/etc/x"])
async def test_a_backup_names_no_file_outside_of_it(lived: Path, settings: Settings, name: str) -> None:
    told = orjson.loads((lived / "manifest.json").read_bytes())
    told["files"][name] = told["files"]["secret"]
    (lived / "manifest.json").write_bytes(orjson.dumps(told))
    with pytest.raises(BackupError, match="which no backup has; somebody altered it"):
        folder.restore(settings.data, lived)


async def test_nobody_without_the_secret_makes_a_backup_of_a_deployment(
    lived: Path, settings: Settings, tmp_path: Path
) -> None:
    """Files are encrypted for a public key, so anybody can write ones that open."""
    told = orjson.loads((lived / "manifest.json").read_bytes())
    for change in ({"made_at": "2030-01-01T00:00:00.000000Z"}, {"mac": ""}, {"told": {"lacks": ["nothing"]}}):
        (lived / "manifest.json").write_bytes(orjson.dumps(told | change))
        for at in (settings.data, tmp_path / "new"):
            with pytest.raises(BackupError, match="was not made by this deployment, or somebody altered it"):
                folder.restore(at, lived)
    (lived / "manifest.json").write_bytes(orjson.dumps(told))
    with pytest.raises(BackupError, match="was not made by this deployment"):
        folder.restore(tmp_path / "new", lived, secret=b"another secret of another deployment")
    folder.restore(settings.data, lived)


def test_a_machine_that_has_a_name_takes_no_backup_of_another_deployment(
    lived: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = orjson.loads((lived / "manifest.json").read_bytes())
    told["told"]["deployment"] = "county"
    told["mac"] = Manifest.model_validate(told).mac_under(Held.at(lived).content("secret"))
    (lived / "manifest.json").write_bytes(orjson.dumps(told))
    command = ["restore", "--from", str(lived), "--data", str(tmp_path / "new")]
    monkeypatch.setenv("HUIYING_DEPLOYMENT", "city")
    assert cli.execute(command) == 2
    assert "is of the deployment 'county', and HUIYING_DEPLOYMENT says 'city'" in capsys.readouterr().err
    assert not list((tmp_path / "new").glob("*.sqlite"))
    assert cli.execute([*command[:-1], str(tmp_path / "other"), "--over", "city"]) == 0
    monkeypatch.setenv("HUIYING_DEPLOYMENT", "county")
    assert cli.execute(command) == 0


async def test_data_of_another_deployment_is_replaced_only_by_name_and_its_secret_stays(
    lived: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Settings(data=tmp_path / "other")
    async with embedded.running(other) as system:
        await report(system, "井盖松动")
    before = (other.data / "secret").read_bytes()
    command = ["restore", "--from", str(lived), "--data", str(other.data)]
    for more in ([], ["--log"], ["--over", "elsewhere"], ["--over", "local", "--service", "triage"]):
        assert await asyncio.to_thread(cli.execute, [*command, *more]) == 2
        assert "another secret" in capsys.readouterr().err
    assert (other.data / "secret").read_bytes() == before
    async with embedded.running(other) as system:
        assert await subjects(system) == {"井盖松动"}
    assert await asyncio.to_thread(cli.execute, [*command, "--over", "local"]) == 0
    (kept,) = other.data.glob("secret.*")
    assert kept.read_bytes() == before
    async with embedded.running(other) as system:
        assert await subjects(system) == {"路灯不亮", "道路积水"}
        assert await is_clean(system)


@pytest.mark.parametrize(("name", "value"), [("deployment", "elsewhere"), ("prefix", "other"), ("partitions", 9)])
async def test_a_backup_says_of_which_deployment_it_is(
    settings: Settings, tmp_path: Path, name: str, value: object
) -> None:
    async with embedded.running(settings):
        folder.back_up(settings.data, tmp_path / "backup", told=fitting.told(settings))
    ours = {**fitting.told(settings), name: value}
    with pytest.raises(BackupError, match=f"another deployment: it has {name} .* instead of {value!r}"):
        folder.restore(settings.data, tmp_path / "backup", ours=ours)
    folder.restore(settings.data, tmp_path / "backup", ours=fitting.told(settings))
    folder.restore(tmp_path / "empty", tmp_path / "backup", ours=ours)


def test_a_restore_that_was_broken_off_loses_no_revocation(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def before() -> str:
        async with embedded.running(settings) as system, system.client(access.operator(settings)) as client:
            made = (await client.post("/ingest/v1/keys", json={"unit": "town-east", "scope": "ingest"})).json()
            await system.settle()
            folder.back_up(settings.data, tmp_path / "backup")
            assert (await client.post(f"/ingest/v1/keys/{made['id']}/revoke")).status_code == 200
            await system.settle()
        return str(made["key"])

    async def after(key: str) -> int:
        async with embedded.running(settings) as system:
            path = f"/ingest/v1/reports/report-{spec.UUID}"
            async with system.client(key) as client:
                return (await client.get(path)).status_code

    async def breaks_off(*_: object) -> list[str]:
        raise KeyboardInterrupt

    key = asyncio.run(before())
    arguments = ["restore", "--from", str(tmp_path / "backup"), "--data", str(settings.data), "--log"]
    with monkeypatch.context() as broken:
        broken.setattr(commands, "_losses", breaks_off)
        assert cli.execute(arguments) == 130
    copy = Settings(data=Path(shutil.copytree(settings.data, tmp_path / "copy")))
    assert cli.execute(arguments) == 0
    assert capsys.readouterr().out.count("was revoked again") == 1
    assert not (settings.data / folder.REVOKED).exists()
    assert asyncio.run(after(key)) == 401
    settings = copy
    assert asyncio.run(after(key)) == 401, "a server that starts in the folder does it before it serves"


async def test_accounts_go_back_if_missing_or_asked_for_and_ended_ones_stay_ended(
    settings: Settings, tmp_path: Path
) -> None:
    async with embedded.running(settings) as system:
        accounts = system.console.site.accounts  # type: ignore[union-attr]
        kept, gone = [
            await accounts.make(login, "王敏", "a phrase for these tests", ["chief@county"], must_change=False)
            for login in ("kept", "gone")
        ]
        await system.console.site.sessions.begin(kept, 0, passed=True)  # type: ignore[union-attr]
        folder.back_up(settings.data, tmp_path / "backup")
        await accounts.end(gone.id)
        later = await accounts.make("later", "李明", "a phrase for these tests", ["chief@city"], must_change=False)
    store = settings.data / "console.sqlite"
    folder.restore(settings.data, tmp_path / "backup")
    assert len(rows(store, "select id from account")) == 3, "they are there and nobody asked for them"
    folder.restore(settings.data, tmp_path / "backup", [*SERVICES, "console"])
    assert {row[0]: row[1] for row in rows(store, "select login, ended from account")} == {"kept": 0, "gone": 1}
    assert not rows(store, "select 1 from session") and later
    store.unlink()
    assert store.name in folder.restore(settings.data, tmp_path / "backup").names
