"""Records that no service of ours would write, on a real topic (C15): the stream waits, the partition goes on."""

import re
import uuid
from typing import Any

import orjson
import pytest

from schemas.envelope import Event
from services.kernel.store.session import partition_of
from tests.delivery import sites
from tests.kit import stack
from tests.kit.stack import DeployedWorld, until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(360)]
TOPIC = "ingest.report"
READERS = ("triage", "publish", "audit")
RECEIVED = "huiying.report.received.v1"


@pytest.fixture
def world(deployed_world: DeployedWorld) -> DeployedWorld:
    """The running services. A test itself repairs the dead letters that it causes."""
    return deployed_world


def posted(world: DeployedWorld, text: str) -> str:
    answer = world.post(text)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["report_id"])


def every_partition_goes_on(world: DeployedWorld) -> None:
    """Posts reports, at least one for each partition. They become incidents and reach audit."""
    reports: dict[int, str] = {}
    while len(reports) < sites.PARTITIONS:
        id_ = posted(world, f"good {uuid.uuid4()}")
        reports[sites.place(id_)] = id_
    for id_ in reports.values():
        world.incident(id_)
        until(lambda id_=id_: _has(world, id_, 1), "audit goes on")  # type: ignore[misc]


def dead_letters(world: DeployedWorld, service: str) -> list[tuple[Any, ...]]:
    with sites.database(world, service) as connection:
        return connection.execute(
            'select id, reason, topic, partition, "offset", stream_id from dead_letters '
            "where state = 'open' order by since, id"
        ).fetchall()


def told(world: DeployedWorld, service: str) -> dict[str, int]:
    """The values of `/readyz` and `/metrics` of a service, once they agree."""
    return dict(until(lambda: _told(world, service), f"/metrics of {service} say what /readyz says"))


def _told(world: DeployedWorld, service: str) -> dict[str, int] | None:
    state: dict[str, int] = stack.get(f"{world.url(service)}/readyz", timeout=10).json()["services"][service]
    metrics = stack.get(f"{world.url(service)}/metrics", timeout=10).text
    found = re.findall(rf'^huiying_attention\{{kind="(\w+)",service="{service}"\}} (\S+)$', metrics, re.MULTILINE)
    return state if {name: float(value) for name, value in found} == state else None


def faults(world: DeployedWorld) -> str:
    """Each fault as a line."""
    done = world.run("check", "--wait", "10", "--verbose")
    assert done.returncode == 1, done.stdout
    return "".join(line for line in done.stdout.splitlines(keepends=True) if line.startswith("  "))


def settle(world: DeployedWorld, service: str, id_: str, *, discard: bool) -> Any:
    options = ["--discard"] if discard else []
    return world.run("redrive", id_, "--service", service, "--reason", "looked at", *options)


def discard_all(world: DeployedWorld) -> None:
    for service in ("ingest", *READERS):
        for id_, *_ in dead_letters(world, service):
            done = settle(world, service, id_, discard=True)
            assert done.returncode == 0, done.stderr


def test_bytes_that_are_no_event_are_set_aside_and_the_partition_goes_on(world: DeployedWorld) -> None:
    """The record names no stream, so nothing waits. A person looks at the bytes and discards them."""
    large = b'{"id": "' + b"x" * 920_000 + b'"}'
    bad: list[bytes | None] = [b"\xff\xfe{not json", None, large, b"[]", b'{"specversion": "1.0"}']
    sites.write(world, TOPIC, {index % sites.PARTITIONS: [value] for index, value in enumerate(bad[:4])})
    sites.write(world, TOPIC, {0: bad[4:]})
    every_partition_goes_on(world)
    for service in READERS:
        rows = until(
            lambda service=service: len(r := dead_letters(world, service)) == len(bad) and r, f"{service} set all aside"
        )
        assert {row[1] for row in rows} == {"undecodable"}
        assert all(row[5] is None for row in rows)
        assert told(world, service) == {"dead_letters": len(bad), "parked": 0}
        with sites.database(world, service) as connection:
            kept = {bytes_ and bytes(bytes_) for (bytes_,) in connection.execute("select bytes from dead_letters")}
        assert kept == set(bad), "the raw bytes are kept"
    found = faults(world)
    for row in dead_letters(world, "triage"):
        assert f"triage: {TOPIC}/{row[3]}@{row[4]} is a dead letter as {row[0]}" in found
    again = settle(world, "triage", dead_letters(world, "triage")[0][0], discard=False)
    assert again.returncode == 2
    assert "fails as before" in again.stderr
    until(lambda: len(dead_letters(world, "ingest")) == len(bad), "the owner, which looks now and then, has seen them")
    discard_all(world)
    assert all(told(world, service) == {"dead_letters": 0, "parked": 0} for service in READERS)
    world.check()


def test_an_altered_duplicate_parks_its_stream_until_it_is_discarded(world: DeployedWorld) -> None:
    """Somebody writes another version 1. The stream waits, in audit too, and goes on when that is discarded.

    Its owner starts, and reports the record.
    """
    id_ = posted(world, f"genuine {uuid.uuid4()}")
    world.incident(id_)
    until(lambda: world.events(type=RECEIVED) and _has(world, id_, 1), "audit has the report")
    with sites.database(world, "ingest") as connection:
        (bytes_,) = connection.execute("select bytes from events where stream_id = %s", [id_]).fetchone() or (b"",)
    forged = orjson.dumps({**orjson.loads(bytes_), "unit": "town-west"})
    sites.write(world, TOPIC, {sites.place(id_): [forged]})
    for service in READERS:
        until(lambda service=service: dead_letters(world, service), f"{service} sees the fork")
        assert [(row[1], row[5]) for row in dead_letters(world, service)] == [("fork", id_)]
        assert told(world, service) == {"dead_letters": 1, "parked": 1}
    world.restart("ingest.api")
    assert [(row[1], row[5]) for row in dead_letters(world, "ingest")] == [("fork", id_)]
    with world.client("ingest", "duty_officer", unit="town-east") as client:
        reach = {"measured_at": "2026-01-05T10:00:00+08:00", "clicks": 5}
        answer = client.post(f"/ingest/v1/reports/{id_}/reach", json=reach)
        assert answer.is_success, answer.text
    every_partition_goes_on(world)
    assert not _has(world, id_, 2), "the stream waits behind the fork"
    found = faults(world)
    assert f"triage: {id_} is parked behind version 1: fork" in found
    assert "with other bytes than the store" in found
    discard_all(world)
    until(lambda: _has(world, id_, 2), "the stream goes on in audit")
    assert all(told(world, service) == {"dead_letters": 0, "parked": 0} for service in READERS)
    world.check()


def _has(world: DeployedWorld, stream: str, version: int) -> bool:
    with sites.database(world, "audit") as connection:
        chosen = "select 1 from timeline where stream_id = %s and version = %s"
        return connection.execute(chosen, [stream, version]).fetchone() is not None


def owned(world: DeployedWorld, stream: str, versions: list[dict[str, Any]]) -> list[Event]:
    """A newer or a faulty ingest would commit this: it is stored and in the outbox, so that the relay sends it."""
    posted(world, f"a pattern {uuid.uuid4()}")
    with sites.database(world, "ingest") as connection:
        chosen = "select bytes from events where type = %s limit 1"
        (bytes_,) = connection.execute(chosen, [RECEIVED]).fetchone() or (b"",)
        base, made = orjson.loads(bytes_), list[Event]()
        with connection.transaction():
            for number, changes in enumerate(versions, 1):
                own = {"id": str(uuid.uuid4()), "subject": stream, "partitionkey": stream, "streamversion": number}
                attributes = {**base, **own, **changes}
                if made:
                    attributes["previousdigest"] = made[-1].digest
                event = Event.parse(orjson.dumps(attributes))
                made.append(event)
                connection.execute(
                    "insert into events (stream_id, version, event_id, type, recordedtime, bytes) "
                    "values (%s, %s, %s, %s, %s, %s)",
                    [stream, number, event.id, event.type, event.recorded_text, event.bytes],
                )
                connection.execute(
                    "insert into outbox (event_id, topic, partition, key, since) values (%s, %s, %s, %s, %s)",
                    [event.id, TOPIC, partition_of(stream, sites.PARTITIONS), stream, event.recorded_text],
                )
    return made


def erased() -> dict[str, Any]:
    return {"type": "huiying.report.erased.v1", "data": {"refs": []}}


def test_data_that_breaks_its_schema_parks_its_stream_until_it_is_discarded(world: DeployedWorld) -> None:
    """A faulty owner: triage sets the event aside, audit keeps it.

    When it is discarded, the later events are taken in.
    """
    stream = f"report-{uuid.uuid4()}"
    owned(world, stream, [{"data": {"unit": "county", "subject": 7}}, erased()])
    (row,) = until(lambda: dead_letters(world, "triage"), "triage sets the event aside")
    until(lambda: dead_letters(world, "publish"), "publish sets it aside")
    assert (row[1], row[5]) == ("poison", stream)
    until(lambda: _has(world, stream, 2), "audit keeps every well-formed envelope")
    every_partition_goes_on(world)
    assert told(world, "triage") == {"dead_letters": 1, "parked": 1}
    assert told(world, "audit") == {"dead_letters": 0, "parked": 0}
    found = faults(world)
    assert f"({stream} version 1) is a dead letter as {row[0]}: poison" in found
    assert f"triage: {stream} is parked behind version 0: poison" in found
    again = settle(world, "triage", row[0], discard=False)
    assert again.returncode == 2
    assert "fails as before" in again.stderr
    discard_all(world)
    assert told(world, "triage") == {"dead_letters": 0, "parked": 0}
    with sites.database(world, "triage") as connection:
        chosen = "select version, blocked from stream_cursor where stream_id = %s"
        cursor = connection.execute(chosen, [stream]).fetchone()
    assert cursor == (2, None)
    world.check()


def test_types_of_a_newer_owner_wait_for_their_version_or_are_discarded(world: DeployedWorld) -> None:
    """An unknown type and a higher major version: audit keeps them, others set them aside, and the check names them."""
    unknown, higher = f"report-{uuid.uuid4()}", f"report-{uuid.uuid4()}"
    owned(world, unknown, [{"type": "huiying.report.sung.v1"}, erased()])
    owned(world, higher, [{"type": "huiying.report.received.v9"}, erased()])
    for service in ("triage", "publish"):
        until(
            lambda service=service: told(world, service) == {"dead_letters": 2, "parked": 2},  # type: ignore[misc]
            f"{service} sets both aside",
        )
    until(lambda: _has(world, unknown, 2) and _has(world, higher, 2), "audit keeps them")
    every_partition_goes_on(world)
    assert told(world, "audit") == {"dead_letters": 0, "parked": 0}
    aside = {row[5]: row for row in dead_letters(world, "triage")}
    assert {stream: row[1] for stream, row in aside.items()} == dict.fromkeys((unknown, higher), "unknown_type")
    found = faults(world).splitlines()
    wanted = {f"  triage: {stream} is parked behind version 0: unknown_type" for stream in (unknown, higher)}
    assert wanted <= set(found)
    assert all("unknown_type" in line for line in found), found
    again = settle(world, "triage", aside[unknown][0], discard=False)
    assert again.returncode == 2
    assert "does not know huiying.report.sung.v1" in again.stderr
    discard_all(world)
    assert told(world, "triage") == {"dead_letters": 0, "parked": 0}
    world.check()
