"""The figures of `/metrics` for a service's store and its topics."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from schemas.fields import instant
from services.kernel.delivery import operations
from services.kernel.delivery.log import LogGone, Partition
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.serving.gauges import Gauges, age
from services.kernel.settings import ROOT
from tests.kernel.test_work import report
from tests.kit.stores import as_records


def value(name: str, **labels: Any) -> float:
    """A gauge of the small triage."""
    found = REGISTRY.get_sample_value(
        f"huiying_{name}", {"service": "triage", **{k: str(v) for k, v in labels.items()}}
    )
    assert found is not None, name
    return found


async def older(triage: Runtime, table: str, seconds: int) -> None:
    """Makes the rows of a table older."""
    found = triage.tables[table]
    async with triage.database.transaction() as connection:
        since = instant(triage.time_source.now() - timedelta(seconds=seconds))
        await connection.execute(found.update().values(since=since))


def test_an_instant_that_is_long_to_come_has_no_age_that_keeps_an_alarm_quiet() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert [age(now, instant(now - timedelta(seconds=passed))) for passed in (90, 0, -30, -90)] == [90, 0, 0, math.inf]


async def test_lag_and_what_waits_are_told_by_their_age(triage: Runtime) -> None:
    gauges, events = Gauges(triage), report(1)
    for number, batch in {0: [events[0], events[2]], 2: [*report(2), *report(3)]}.items():
        await triage.log.append({Partition("ingest.report", number): [(b"k", event.bytes) for event in batch]})
    await gauges.read()
    assert [value("lag_records", topic="ingest.report", partition=n) for n in range(4)] == [2, 0, 8, 0]
    assert math.isnan(value("committed_seconds", kind="events"))
    assert value("outbox_oldest_seconds") == value("parked_oldest_seconds") == 0

    await UnitOfWork(triage).handle(as_records([events[0], events[2]]))
    await older(triage, "outbox", 70)
    await older(triage, "parked", 7000)
    await gauges.read()
    assert [value("lag_records", topic="ingest.report", partition=n) for n in range(4)] == [0, 0, 8, 0]
    assert 70 <= value("outbox_oldest_seconds") < 130
    assert 7000 <= value("parked_oldest_seconds") < 7060
    assert 0 <= value("committed_seconds", kind="events") < 60 > value("committed_seconds", kind="offsets") >= 0

    await triage.log.create_topics(["triage.incident"], ["triage.content"])
    await Relay(triage).drain()
    await UnitOfWork(triage).handle(as_records([events[1]], start=2))
    await gauges.read()
    assert value("parked_oldest_seconds") == 0
    await operations.resend(triage)
    await gauges.read()
    assert 0 < value("outbox_oldest_seconds") < 60, "what is sent again waits since then"


async def test_the_age_of_a_dead_letter_is_that_of_its_stream(triage: Runtime) -> None:
    events = report(1)
    await UnitOfWork(triage).handle(as_records([events[0], b"{}", events[1]]))
    await older(triage, "dead_letters", 500)
    await Gauges(triage).read()
    assert value("parked_oldest_seconds") == 0, "no stream waits for bytes that are no event"
    async with triage.database.transaction() as connection:
        await connection.execute(triage.tables["dead_letters"].update().values(stream_id=events[0].stream))
    await Gauges(triage).read()
    assert 500 <= value("parked_oldest_seconds") < 560


async def test_what_does_not_answer_is_unknown_and_holds_nothing_else_up(
    triage: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Gauges(triage).read()

    async def gone(*_: Any) -> Any:
        raise LogGone("nobody answers")

    monkeypatch.setattr(triage.log, "ends", gone)
    await Gauges(triage).read()
    assert math.isnan(value("lag_records", topic="ingest.report", partition=0))
    assert math.isnan(value("committed_seconds", kind="offsets"))
    assert value("outbox_oldest_seconds") == value("attention", kind="parked") == 0

    async def broken(*_: Any) -> Any:
        raise OperationalError("select", None, Exception("gone"))

    monkeypatch.setattr(operations, "attention", broken)
    await Gauges(triage).read()
    assert math.isnan(value("outbox_oldest_seconds")) and math.isnan(value("parked_oldest_seconds"))
    kinds = ("dead_letters", "parked")
    assert all(math.isnan(value("attention", kind=kind)) for kind in kinds), "none waits, as far as was told before"


async def test_the_lag_on_a_topic_that_was_lost_is_unknown(triage: Runtime) -> None:
    events = report(1)
    place = Partition("ingest.report", 0)
    await triage.log.append({place: [(b"k", event.bytes) for event in events]})
    await UnitOfWork(triage).handle(as_records(events))
    table = triage.tables["consumer_offset"]
    async with triage.database.transaction() as connection:
        await connection.execute(table.update().values(next=99))
    await Gauges(triage).read()
    assert math.isnan(value("lag_records", topic="ingest.report", partition=0))
    async with triage.database.transaction() as connection:
        await connection.execute(delete(table))
    await Gauges(triage).read()
    assert value("lag_records", topic="ingest.report", partition=0) == len(events)


def test_the_architecture_names_each_metric_as_it_is_called() -> None:
    told = re.findall(r"`(huiying_\w+)`", (ROOT / "docs" / "architecture.md").read_text())
    there = {f"{one.name}{'_total' * (one.type == 'counter')}" for one in REGISTRY.collect()}
    assert sorted(told) == sorted(name for name in there if name.startswith("huiying_"))
