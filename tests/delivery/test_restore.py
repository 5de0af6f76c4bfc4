"""A store is restored from an older backup, while its topics and the other services have gone on (C22)."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from services.apps import embedded
from services.kernel.delivery import recovery
from services.kernel.delivery.runtime import Runtime
from tests.delivery import sites
from tests.kit.stack import EmbeddedWorld, World, report, until
from tests.kit.stores import rows

pytestmark = pytest.mark.timeout(360)


def parts(world: World, service: str) -> list[str]:
    """The processes that must be down during a restore of a service's store."""
    return ["up"] if isinstance(world, EmbeddedWorld) else [f"{service}.api", f"{service}.consumer"]


def query(world: World, service: str, statement: str) -> list[tuple[Any, ...]]:
    """Rows of a service's database."""
    if isinstance(world, EmbeddedWorld):
        with contextlib.closing(sqlite3.connect(world.folder / "data" / f"{service}.sqlite", timeout=30)) as found:
            return list(found.execute(statement))
    with sites.database(world, service) as connection:
        return list(connection.execute(statement))


def positions(world: World) -> dict[str, int]:
    """Where each event stands in audit."""
    return dict(query(world, "audit", "select event_id, position from timeline"))


def refuse(world: World, service: str) -> None:
    """An act without its right. It becomes an event on the service's operation stream of the day."""
    path, body = {
        "ingest": ("/ingest/v1/keys", {"unit": "county", "scope": "ingest"}),
        "triage": ("/triage/v1/incidents/{}/classify", {"answer_kind": "answer"}),
    }[service]
    with world.client(service, "verifier") as client:
        if "{}" in path:
            id_ = client.get("/triage/v1/incidents").json()["items"][0]
            found = client.post(path.format(id_["id"]), json=body, headers={"If-Match": str(id_["version"])})
        else:
            found = client.post(path, json=body)
    assert found.status_code == 403, found.text


def audited(world: World) -> None:
    """Waits until audit has all events of the owners, and has recorded their order."""
    stores = ("ingest", "triage", "escalation", "publish")
    until(
        lambda: (
            sum(query(world, name, "select count(*) from events")[0][0] for name in stores)
            == query(world, "audit", "select count(*) from timeline where topic not like 'audit.%'")[0][0]
            and query(world, "audit", "select count(*) from outbox")[0][0] == 0
        ),
        "audit has every event",
    )


@pytest.mark.parametrize("services", [("audit",), ("ingest", "triage")], ids="+".join)
def test_c22_an_older_backup_takes_back_what_came_since_and_goes_on(
    world: World, services: tuple[str, ...], tmp_path: Path
) -> None:
    """Audit gets identical positions again. An owner takes its events from its topic before it writes another one."""
    before = [world.post(f"{services} before {n}").json()["report_id"] for n in range(3)]
    incident, *_ = [world.incident(id_)["id"] for id_ in before]
    audited(world)
    assert world.run("backup", "--to", str(tmp_path / "copy")).returncode == 0
    after = [world.post(f"{services} after {n}").json()["report_id"] for n in range(3)]
    assert world.verb(incident, "grade", {"level": "general", "reason": "small"}, "duty_officer").status_code == 200
    refuse(world, "ingest")
    refuse(world, "triage")
    for id_ in after:
        world.incident(id_)
    audited(world)
    known = positions(world)
    down = list(dict.fromkeys(part for service in services for part in parts(world, service)))
    for part in down:
        world.kill(part)
    chosen = [argument for service in services for argument in ("--service", service)]
    done = world.run("restore", "--from", str(tmp_path / "copy"), *chosen)
    assert done.returncode == 0, done.stderr
    if "audit" in services:
        assert len(positions(world)) < len(known)
    for part in down:
        world.start(part)
    for part in down:
        world.ready(part)
    until(lambda: positions(world).items() >= known.items(), f"audit holds every event where it stood\n{world.logs()}")
    # The owners go on writing on the same streams that were rolled back.
    regraded = world.verb(incident, "grade", {"level": "major", "reason": "grew"}, "duty_officer")
    assert regraded.status_code == 200, regraded.text
    refuse(world, "ingest")
    refuse(world, "triage")
    world.incident(world.post(f"{services} later").json()["report_id"])
    world.check()
    assert positions(world).items() >= known.items()
    noted = {event["source"].rpartition("/")[2] for event in world.events(type="huiying.operation.recovered.v1")}
    assert noted >= set(services)


async def no_recovery(runtime: Runtime) -> int:
    """With the guard off, the owner serves from its older store at once."""
    return 0


@pytest.mark.parametrize(("how", "answer"), [("restored", 412), ("by hand", 503), ("unguarded", 200)])
async def test_c22_without_recovery_the_owner_forks_and_everybody_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, answer: int
) -> None:
    """A copy that was put back by hand has no note of a restore. The events on the topic may as well be forged."""
    settings = embedded.Settings(data=tmp_path / "data")
    copy = tmp_path / "triage.sqlite"

    async def grade(here: embedded.Embedded, incident: str, level: str, version: int) -> int:
        async with here.client(here.token("county", "duty_officer")) as client:
            answer = await client.post(
                f"/triage/v1/incidents/{incident}/grade",
                json={"level": level, "reason": "as it stands"},
                headers={"If-Match": str(version)},
            )
        await here.settle()
        return answer.status_code

    async with embedded.running(settings) as here:
        async with here.client(here.token("county", "duty_officer")) as client:
            id_ = (await client.post("/ingest/v1/reports", json=report("a matter"))).json()["report_id"]
            await here.settle()
            found = await client.get("/triage/v1/incidents", params={"report_id": id_})
            incident = found.json()["items"][0]["id"]
        store = sqlite3.connect(tmp_path / "data" / "triage.sqlite")
        with contextlib.closing(store) as reading, contextlib.closing(sqlite3.connect(copy)) as writing:
            reading.backup(writing)
        assert await grade(here, incident, "general", 0) == 200
    for end in ("-wal", "-shm"):
        (tmp_path / "data" / f"triage.sqlite{end}").unlink(missing_ok=True)
    copy.replace(tmp_path / "data" / "triage.sqlite")
    if how == "restored":
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "triage.sqlite")) as note, note:
            note.execute("insert into deployment (name, value) values ('restored', '2026-03-02T09:00:00.000000Z')")
    if how == "unguarded":
        monkeypatch.setattr(recovery, "recover", no_recovery)
    async with embedded.running(settings) as here:
        assert await grade(here, incident, "major", 0) == answer
        for service in ("escalation", "publish", "audit"):
            aside = await rows(here.runtimes[service], "dead_letters", "stream_id", "version", "reason")
            assert aside == ([(incident, 2, "fork")] if how == "unguarded" else [])
