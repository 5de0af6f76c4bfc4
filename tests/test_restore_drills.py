"""Drills: each loss from which an embedded system comes back, by the commands that docs/backup.md names."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest

from schemas.catalogue import SERVICES
from services.apps import cli, embedded
from services.apps.backups import BackupError, keeping, sealing
from services.apps.backups.held import Held, Manifest
from services.kernel.settings import Settings
from tests.kit import integrate
from tests.kit.stack import until
from tests.test_backup import erase, report, rows

Run = Callable[..., tuple[int, str, str]]
LATER = {"ingest": 3, "triage": 1, "escalation": 1, "audit": 1}
"""The least numbers of events that came after the backup."""


async def attach(system: embedded.Embedded, report_id: str, text: str) -> None:
    async with system.client(system.token("town-east", "duty_officer")) as client:
        url, headers = f"/ingest/v1/reports/{report_id}/evidence", {"Content-Type": "text/plain"}
        answer = await client.post(url, content=text.encode(), headers=headers)
        assert answer.status_code == 201, answer.text
    await system.settle()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with `data`, `backups` of one encrypted backup, and `key`.

    Two reports and a file came before the backup, one of each after it, and then the first report was erased.
    """
    place = tmp_path_factory.mktemp("life")
    settings = Settings(data=place / "data")

    async def live() -> None:
        async with embedded.running(settings) as system:
            first, second = await report(system, "路灯不亮"), await report(system, "道路积水")
            await attach(system, second, "早上的情况")
            public = sealing.keep_identity(place / "key")
            arguments = ["backup", "--into", str(place / "backups"), "--to-key", public, "--data", str(settings.data)]
            assert await asyncio.to_thread(cli.execute, arguments) == 0
            await attach(system, await report(system, "水管爆裂"), "晚上的情况")
            await erase(system, first)

    asyncio.run(live())
    yield place
    shutil.rmtree(place)


@pytest.fixture
def data(life: Path, tmp_path: Path) -> Path:
    """A copy of the data folder, to lose things in."""
    return Path(shutil.copytree(life / "data", tmp_path / "data"))


@pytest.fixture
def run(life: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command of the command line: its exit code and what it said."""

    def of(*arguments: str) -> tuple[int, str, str]:
        more = ("--from", str(life / "backups"), "--key-file", str(life / "key")) if arguments[0] == "restore" else ()
        code = cli.execute([*arguments, *more, "--data", str(data)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return of


def lose(data: Path, *names: str) -> None:
    for name in names:
        for path in data.glob(f"{name}.sqlite*"):
            path.unlink()


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_alone_comes_back_whole(run: Run, data: Path, service: str) -> None:
    lose(data, service)
    code, said, _ = run("restore", "--service", service)
    assert code == 0, said
    assert said.startswith(f"restored {service}.sqlite")
    assert ("they stay erased" in said) == (service in ("ingest", "triage", "audit")), said
    if least := LATER.get(service):
        (line,) = (line for line in said.splitlines() if "stand on its topics" in line)
        assert line.startswith(f"{service}: ") and int(line.split()[1]) >= least
    assert "lost" not in said
    code, said, _ = run("check")
    assert code == 0, said


def test_all_stores_and_files_come_back_from_an_older_backup_and_the_log(run: Run, data: Path) -> None:
    before = rows(data / "audit.sqlite", "select event_id, position from timeline order by position")
    lose(data, *SERVICES, "console")
    shutil.rmtree(data / "evidence")
    code, said, _ = run("restore")
    assert code == 0, said
    assert "evidence: 1 file is in no folder" not in said.replace("later events", ""), said
    assert "later events: 1 file is in no folder" in said, "the file that came after the backup"
    code, said, _ = run("check")
    assert code == 1
    (fault,) = (line for line in said.splitlines() if line.startswith("fault: "))
    assert "is not in its folder evidence" in fault
    after = rows(data / "audit.sqlite", "select event_id, position from timeline order by position")
    assert after[: len(before)] == before


def test_without_the_log_everything_after_the_backup_is_lost_and_counted(run: Run, data: Path) -> None:
    had = {name: rows(data / f"{name}.sqlite", "select count(*) from events")[0][0] for name in SERVICES}
    lose(data, "log")
    code, said, _ = run("restore")
    assert code == 0, said
    now = {name: rows(data / f"{name}.sqlite", "select count(*) from events")[0][0] for name in SERVICES}
    for name in (name for name in SERVICES if had[name] > now[name]):
        assert f"{name}: {had[name] - now[name]} event" in said
    assert "tell the witnesses" in said
    code, said, _ = run("check")
    assert code == 0, said
    assert not rows(data / "ingest.sqlite", "select 1 from contents where words like '%路灯%'")


def test_lost_evidence_is_named_and_put_back_beside_what_runs(run: Run, data: Path) -> None:
    names = {path.name for path in (data / "evidence").iterdir()}
    shutil.rmtree(data / "evidence")
    code, said, _ = run("check", "--verbose")
    assert code == 1
    assert all(f"the file {name} is not in its folder evidence" in said for name in names)
    code, said, _ = run("restore", "--files")
    assert (code, said) == (0, "1 of 2 missing files were put back\n")
    code, said, _ = run("check")
    assert code == 1 and said.count("is not in its folder") == 1


def hurt(path: Path, content: bytes, manifest: Path) -> None:
    """Alters a file of a backup together with its digest in the manifest."""
    import hashlib

    path.write_bytes(content)
    told = json.loads(manifest.read_text())
    told["files"][path.name] = hashlib.sha256(content).hexdigest()
    manifest.write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("key", "was encrypted for another key"),
        ("none", "name the file of its private key"),
        ("cut", "was cut or altered"),
        ("bit", "was cut or altered"),
        ("disk", "is missing or differs"),
    ],
)
def test_a_backup_that_cannot_be_opened_changes_nothing(
    life: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, said: str
) -> None:
    (made,) = (path for path in (life / "backups").iterdir() if path.is_dir())
    copy, key = Path(shutil.copytree(made, tmp_path / "copy")), tmp_path / "key"
    shutil.copyfile(life / "key", key)
    last = copy / "publish.sqlite.age"
    content = last.read_bytes()
    if how == "key":
        key.unlink()
        sealing.keep_identity(key)
    elif how == "cut":
        hurt(last, content[:-100], copy / "manifest.json")
    elif how == "bit":
        hurt(last, content[:-200] + bytes([content[-200] ^ 1]) + content[-199:], copy / "manifest.json")
    elif how == "disk":
        last.write_bytes(content + b"!")

    def standing() -> dict[str, bytes]:
        """All but the lock and what SQLite makes for readers."""
        paths = (path for path in data.rglob("*") if path.is_file() and path.name != "lock")
        return {str(path): path.read_bytes() for path in paths if not path.name.endswith(("-shm", "-wal"))}

    before = standing()
    arguments = ["restore", "--from", str(copy), "--data", str(data)]
    assert cli.execute([*arguments, *(() if how == "none" else ("--key-file", str(key)))]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert standing() == before


def test_a_backup_is_verified_and_opens_with_stock_age(
    life: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (made,) = (path for path in (life / "backups").iterdir() if path.is_dir())
    assert not [path for path in made.rglob("*") if path.is_file() and path.suffix not in (".age", ".json")]
    assert all("路灯".encode() not in path.read_bytes() for path in made.rglob("*") if path.is_file())
    identity = pyrage.x25519.Identity.from_str((life / "key").read_text().split()[-1])
    secret = pyrage.decrypt((made / "secret.age").read_bytes(), [identity])
    assert secret == (life / "data" / "secret").read_bytes()
    assert cli.execute(["backup", "secret", str(life / "backups"), "--key-file", str(life / "key")]) == 0
    assert capsys.readouterr().out == secret.decode() + "\n"
    assert cli.execute(["backup", "verify", str(life / "backups")]) == 0
    assert "not opened without --key-file" in capsys.readouterr().out
    assert cli.execute(["backup", "verify", str(made), "--key-file", str(life / "key")]) == 0
    assert "each opens" in capsys.readouterr().out
    (last,) = json.loads((life / "backups" / "last.json").read_text()).values()
    assert (last["folder"], last["encrypted"], last["lacks"]) == (made.name, True, [])


def test_a_new_backup_links_files_and_lets_earlier_ones_go(
    life: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Path(shutil.copytree(life / "backups", tmp_path / "backups"))
    (first,) = keeping.backups(place)
    (place / "20200101T000000Z.partial").mkdir()
    (data / "backup-left").mkdir()
    public = first.manifest.keys[0]
    arguments = ["backup", "--into", str(place), "--daily", "2", "--to-key", public, "--data", str(data)]
    # The first backup becomes one of long ago, and two more of the day before follow.
    moved: list[Held] = []
    for days in (9, 1, 1):
        made = datetime.now(UTC) - timedelta(days=days, minutes=len(moved))
        to = place / made.strftime(keeping.NAMED)
        shutil.copytree(first.folder, to, copy_function=lambda a, b: Path(b).hardlink_to(a))
        told: dict[str, Any] = json.loads((to / "manifest.json").read_text())
        (to / "manifest.json").unlink()
        told["made_at"] = made.isoformat().replace("+00:00", "Z")
        told["mac"] = Manifest.model_validate(told).mac_under((data / "secret").read_bytes())
        (to / "manifest.json").write_text(json.dumps(told))
        moved.append(Held.at(to))
    shutil.rmtree(first.folder)
    assert cli.execute(arguments) == 0
    assert capsys.readouterr().out.count(" went\n") == 2
    assert {held.folder.name for held in keeping.backups(place)} == {
        moved[1].folder.name,
        json.loads((place / "last.json").read_text())[str(first.told["deployment"])]["folder"],
    }
    old, new = keeping.backups(place)
    (shared,) = old.names("evidence")
    assert (old.folder / f"{shared}.age").samefile(new.folder / f"{shared}.age")
    assert len(new.names("evidence")) == 2
    assert not list(place.glob("*.partial")) + list(data.glob("backup-*")), "what killed ones left"
    shutil.rmtree(data / "evidence")
    (data / "triage.sqlite").write_bytes(b"no database" * 1000)
    assert cli.execute(arguments) == 2
    assert keeping.newest(place).folder == new.folder, "what failed let no earlier one go"


def test_a_clock_that_was_wrong_lets_no_backup_go(life: Path, data: Path, run: Run, tmp_path: Path) -> None:
    place = Path(shutil.copytree(life / "backups", tmp_path / "backups"))
    (first,) = keeping.backups(place)

    def copy(name: str, **told: Any) -> Path:
        to = Path(shutil.copytree(first.folder, place / name))
        manifest = json.loads((to / "manifest.json").read_text())
        (to / "manifest.json").write_text(json.dumps(manifest | told))
        return to

    ahead = copy("ahead", made_at="2130-01-01T00:00:00.000000Z")
    other = copy("other", made_at="2020-01-01T00:00:00.000000Z", told={"deployment": "another"})
    until(lambda: not (place / datetime.now(UTC).strftime(keeping.NAMED)).exists(), "a backup is named by its second")
    told = json.loads((place / "last.json").read_text())
    (place / "last.json").write_text(json.dumps(told | {"another": {"folder": "other"}}))
    command = ["backup", "--into", str(place), "--daily", "1"]
    code, _, err = run(*command)
    assert code == 0 and "ahead says it was made later" in err
    assert json.loads((place / "last.json").read_text())["another"] == {"folder": "other"}
    last = json.loads((place / "last.json").read_text())[str(first.told["deployment"])]
    assert (place / last["folder"]).is_dir() and first.folder.is_dir()
    own = str(first.told["deployment"])
    assert keeping.newest(place, own).folder.name == last["folder"], "what was made last, whatever the other one says"
    assert keeping.newest(place, "another").folder == other
    with pytest.raises(BackupError, match=f"holds backups of another, {own}, and this deployment is nobody"):
        keeping.newest(place, "nobody")
    shutil.rmtree(ahead)
    until(lambda: not (place / datetime.now(UTC).strftime(keeping.NAMED)).exists(), "a backup is named by its second")
    code, said, err = run(*command)
    assert code == 0 and "went" in said and "later" not in err
    assert not first.folder.exists() and other.is_dir()


def test_a_backup_that_cannot_be_read_again_is_none(
    life: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(shutil.copytree(life / "backups", tmp_path / "backups"))
    before = (place / "last.json").read_bytes()
    monkeypatch.setattr(Held, "is_whole", lambda _, name: name != "ingest.sqlite")
    code, _, err = run("backup", "--into", str(place))
    assert code == 2 and "There is no new backup" in err
    assert len(keeping.backups(place)) == 1 and (place / "last.json").read_bytes() == before


async def test_the_commands_of_the_page_make_and_verify_a_backup(life: Path, data: Path, tmp_path: Path) -> None:
    commands = integrate.commands("backup.md")["First backup"]
    said = await integrate.execute(commands, tmp_path, HUIYING_DATA=str(data))
    assert "each opens" in said and said.endswith("clean\n"), said


def test_days_weeks_and_months_keep_their_newest() -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    made = [noon - timedelta(hours=12 * n) for n in range(200)]
    assert keeping.kept(made, keeping.Keep()) == set(made)
    stay = keeping.kept(made, keeping.Keep(daily=3, weekly=2, monthly=2))
    assert sorted(stay, reverse=True) == [
        noon,
        noon - timedelta(days=1),
        noon - timedelta(days=2),
        datetime(2026, 11, 22, 12, tzinfo=UTC),
        datetime(2026, 10, 31, 12, tzinfo=UTC),
    ]
    assert keeping.kept(made[:1], keeping.Keep(monthly=1)) == {noon}
