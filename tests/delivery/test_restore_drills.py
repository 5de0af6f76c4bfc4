"""Drills over PostgreSQL and Kafka: databases and brokers lost together, and databases that went to a point in time."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy import native
from services.apps.backups import databases
from services.kernel.delivery.recovery import RESTORED
from services.kernel.settings import Settings
from services.kernel.store import tables
from services.kernel.store.database import Database
from tests.delivery import sites
from tests.delivery.test_lost_topic import unready
from tests.kit import substrate
from tests.kit.stack import until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(360)]


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[sites.SupervisedWorld, native.Kafka]]:
    """A world with its own broker, whose command line reaches the files of the services."""
    database, folder = substrate.new_databases("drill"), tmp_path_factory.mktemp("drill")
    reached = {"HUIYING_SERVICE_DATA": str(folder / "data")}
    try:
        with (
            substrate.private_kafka() as broker,
            sites.supervised(folder, database, broker.address, **reached) as world,
        ):
            yield world, broker
    finally:
        substrate.drop_databases(database)


def test_databases_and_brokers_that_are_lost_together_come_back_from_a_backup(
    site: tuple[sites.SupervisedWorld, native.Kafka], tmp_path: Path
) -> None:
    world, broker = site
    first, second = (world.post(text).json()["report_id"] for text in ("路灯不亮", "道路积水"))
    incident = world.incident(second)["id"]
    with world.client("ingest", "duty_officer", unit="town-east") as client:
        headers = {"Content-Type": "text/plain"}
        sent = client.post(f"/ingest/v1/reports/{second}/evidence", content="情况".encode(), headers=headers)
        assert sent.status_code == 201, sent.text
    world.check()
    public = world.run("backup", "key", str(tmp_path / "key")).stdout.strip()
    with ThreadPoolExecutor() as pool:
        work = pool.submit(world.run, "backup", "--into", str(tmp_path / "backups"), "--to-key", public)
        while not work.done():
            world.post("井盖松动")
        made = work.result()
    assert made.returncode == 0, made.stderr
    assert "evidence" not in made.stderr, "the folder is in reach"
    world.incident(world.post("水管爆裂").json()["report_id"])
    with world.client("ingest", "admin") as client:
        erased = client.post(f"/ingest/v1/reports/{first}/erase", json={"cause": "law", "reason": "by law"})
        assert erased.status_code == 200, erased.text
    world.check()

    refused = world.run("restore", "--from", str(tmp_path / "backups"), "--key-file", str(tmp_path / "key"))
    assert refused.returncode == 2 and "is running" in refused.stderr
    world.stop()
    broker.kill()
    for path in (broker.data / "log").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    broker.start()
    shutil.rmtree(world.folder / "data" / "evidence")
    with sites.database(world, "triage") as connection:
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
    done = world.run("restore", "--from", str(tmp_path / "backups"), "--key-file", str(tmp_path / "key"))
    assert done.returncode == 0, done.stderr
    said = {line.partition(":")[0]: line for line in done.stdout.splitlines() if "that the store held before" in line}
    assert said.keys() >= {"ingest", "audit"} and "triage" not in said, done.stdout
    assert "triage: its store could not be read before" in done.stdout
    assert "resend --lost" in done.stdout and "they stay erased" in done.stdout
    assert "no folder" not in done.stdout, "the files are back"
    for part in world.parts:
        world.start(part)
    for service in ("ingest", "triage"):
        unready(world, service)
    resent = world.run("resend", "--lost")
    assert resent.returncode == 0, resent.stderr
    for part in world.parts:
        world.ready(part)
    assert world.incident(second)["id"] == incident
    world.incident(world.post("又一件").json()["report_id"])
    world.check()
    with sites.database(world, "ingest") as connection:
        assert not connection.execute("select 1 from contents where words like '%路灯%'").fetchall()


async def test_databases_that_went_to_a_point_in_time_become_restored_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """By pgBackRest, with the configuration of the deployment."""
    native.pgbackrest()
    user = "postgres" if os.geteuid() == 0 else None
    with substrate.private_postgres(archive_mode="on") as server:
        server.sql("alter system set archive_command = 'pgbackrest archive-push %p'")
        server.stop()
        copies = server.data / "copies"
        copies.mkdir()
        if user:
            shutil.chown(copies, user, user)
        for name, value in {
            "PGHOST": native.LOOPBACK,
            "PGPASSWORD": (server.data / "password").read_text().strip(),
            "PGBACKREST_CONFIG": str(native.HERE / "pitr" / "pgbackrest.conf"),
            "PGBACKREST_STANZA": "huiying",
            "PGBACKREST_REPO1_PATH": str(copies),
            "PGBACKREST_REPO1_CIPHER_PASS": "a passphrase for the tests",
            "PGBACKREST_LOCK_PATH": str(copies / "lock"),
            "PGBACKREST_PG1_PATH": str(server.data / "cluster"),
            "PGBACKREST_PG1_PORT": str(server.port),
        }.items():
            monkeypatch.setenv(name, value)
        server.start()

        def pgbackrest(*arguments: str) -> None:
            done = subprocess.run(
                ["pgbackrest", *arguments], check=False, user=user, group=user, capture_output=True, text=True, cwd="/"
            )
            assert done.returncode == 0, done.stdout + done.stderr

        template = substrate.new_databases(server=server.url, services=("triage",))
        database = Database(template.format(service="triage"))
        async with database.transaction() as connection:
            await connection.run_sync(tables.metadata().create_all)
        await database.close()
        gone, kept, later = (f"00000000-0000-4000-8000-{n:012d}" for n in range(3))
        at = databases.place(template, "triage")

        def write(ref: str) -> None:
            databases.asked(f"insert into contents (ref, salt, words) values ('{ref}', '\\x00', 'words')", at)

        write(gone)
        pgbackrest("stanza-create")
        pgbackrest("--type=full", "backup")
        # pgBackRest knows in whole seconds when a backup ended, and goes only to moments after it.
        server.sql("select pg_sleep(1.1)")
        write(kept)
        moment = server.sql("select clock_timestamp()")
        write(later)
        databases.asked(f"insert into erased (ref) values ('{gone}')", at)
        server.stop()
        pgbackrest("--delta", "--type=time", f"--target={moment}", "--target-action=promote", "restore")
        server.start()
        until(lambda: server.sql("select pg_is_in_recovery()") == "f", "the moment is reached")
        assert databases.asked("select ref from contents order by ref", at) == [gone, kept]
        settings = Settings(database=template, kafka="nowhere:9092", secret="s" * 32)  # type: ignore[arg-type]
        assert databases.mark_restored(settings, ["triage"], {gone}) == (["triage"], 1)
        assert databases.asked("select ref from contents", at) == [kept]
        assert databases.asked(f"select count(*) from deployment where name = '{RESTORED}'", at) == ["1"]
