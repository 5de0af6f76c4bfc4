"""The unit of work on SQLite and PostgreSQL: repeated, missing, forged and broken records, and the reason of each
guard.
"""

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from schemas.envelope import Event
from schemas.ingest import ReportErased, ReportReachMeasured, ReportReceived
from services.kernel.core.ids import derived
from services.kernel.core.problems import Unavailable
from services.kernel.core.reactions import Reaction
from services.kernel.delivery import operations
from services.kernel.delivery import runtime as delivery
from services.kernel.delivery.intake import Intake
from services.kernel.delivery.log import Partition, Record
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import LostPartition, SkippedOffset, UnitOfWork
from services.kernel.store.session import Session
from tests.kit import small, spec
from tests.kit.stores import as_records, rows, stored

DIGEST = "ab" * 32


def report(number: int = 0, length: int = 4) -> list[Event]:
    """A stream of `length` events."""
    uuid = f"01890a5d-ac96-774b-bcce-{number:012d}"
    first = ReportReceived(
        unit="county", channel="board", discovered_at=spec.NOW, subject="s", text="t", match_key=DIGEST, receipt=DIGEST
    )
    more = [ReportReachMeasured(clicks=n, measured_at=spec.NOW) for n in range(length - 1)]
    return spec.events("report", [first, *more], uuid)


def altered(event: Event, **changes: Any) -> Event:
    """The same event with other attributes, as a forger or a broken disk would leave it."""
    return Event.parse(orjson.dumps({**event.attributes, **changes}))


async def state(made: Runtime) -> dict[str, Any]:
    """The result of a history that was taken in."""
    return {
        "cursors": await rows(made, "stream_cursor"),
        "counts": await rows(made, "report_counts"),
        "incidents": [(event.stream, event.version, event.id, event.type) for event in await stored(made)],
        "parked": await rows(made, "parked", "stream_id", "version"),
        "dead_letters": await rows(made, "dead_letters", "stream_id", "version", "reason", "state"),
    }


async def test_a_batch_is_taken_once_and_in_order(triage: Runtime) -> None:
    work, events = UnitOfWork(triage), [*report(1), *report(2)]
    await work.handle(as_records(events))
    once = await state(triage)
    assert once["counts"] == [("county", 8)]
    assert len(once["incidents"]) == 2
    await work.handle(as_records(events))
    assert await state(triage) == once
    assert await rows(triage, "consumer_offset", "next") == [(8,)]


async def test_while_the_clock_is_wrong_nothing_is_taken_in(triage: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it causes would be recorded at a wrong time, and its limits would begin then."""
    off = -7200.0

    async def skew() -> float:
        return off

    monkeypatch.setattr(triage, "skew", skew)
    with capture_logs() as told:
        taking = asyncio.create_task(UnitOfWork(triage).handle(as_records(report(1))))
        assert not (await asyncio.wait([taking], timeout=0.5))[0]
        assert await rows(triage, "report_counts") == []
        off = 0.0
        await taking
    assert await rows(triage, "report_counts") == [("county", 4)]
    assert any("-7200 s off the database's" in str(one.get("error")) for one in told)


async def test_a_clock_that_was_set_is_looked_at_before_the_next_act(
    triage: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look counts for a second. The limits of an hour would be breached within it."""
    off = 0.0

    async def skew() -> float:
        return off

    monkeypatch.setattr(triage, "skew", skew)
    await triage.ready_to_decide()
    off, before = 3600.0, delivery._offset()
    monkeypatch.setattr(delivery, "_offset", lambda: before - 3600)
    for _ in range(2):
        with pytest.raises(Unavailable, match="3600 s off the database's"):
            await triage.clock_must_be_right()
        with pytest.raises(Unavailable, match="3600 s off the database's"):
            await triage.ready_to_decide()


async def test_a_duplicate_behind_the_offset_changes_nothing(triage: Runtime) -> None:
    work, events = UnitOfWork(triage), report(1)
    await work.handle(as_records([*events, *events, events[0], events[2]]))
    assert await rows(triage, "report_counts") == [("county", 4)]
    assert await rows(triage, "dead_letters") == []


async def test_a_skipped_offset_ends_the_consumer(triage: Runtime) -> None:
    work = UnitOfWork(triage)
    with pytest.raises(SkippedOffset, match="got 3, expected 0"):
        await work.handle(as_records(report(1), start=3))
    assert await rows(triage, "report_counts") == []


async def test_a_hole_within_a_batch_ends_the_consumer(triage: Runtime) -> None:
    first, _, third, *_ = as_records(report(1))
    with pytest.raises(SkippedOffset, match="got 2, expected 1"):
        await UnitOfWork(triage).handle([first, third])
    assert await rows(triage, "report_counts") == []


@pytest.mark.parametrize("topic", ["ingest.report", "ingest.content"])
async def test_a_rewind_ends_a_running_consumer(triage: Runtime, topic: str) -> None:
    """The topic of words may have holes. Only the offset shows that words are to be read again."""
    ref = "01890a5d-ac96-774b-bcce-000000000001"
    words = [Record("ingest.content", 0, n, ref.encode(), content(ref)) for n in range(2)]
    records = words if topic == "ingest.content" else as_records(report(1))
    work = UnitOfWork(triage)
    await work.handle(records[:1])
    async with triage.database.transaction() as connection:
        await connection.execute(triage.tables["consumer_offset"].update().values(next=0))
    with pytest.raises(SkippedOffset, match="set back to 0"):
        await work.handle(records[1:])
    await UnitOfWork(triage).handle(records)
    assert await rows(triage, "consumer_offset", "next") == [(len(records),)]


async def test_records_of_several_partitions_are_one_transaction(triage: Runtime) -> None:
    work = UnitOfWork(triage)
    one, two = as_records(report(1), partition=0), as_records(report(2), partition=1)
    words = Record("ingest.content", 0, 5, b"r", orjson.dumps({"ref": "r", "salt": "00", "words": "w"}))
    await work.handle([one[0], two[0], words, one[1], two[1]])
    assert await rows(triage, "consumer_offset", "topic", "partition", "next") == [
        ("ingest.content", 0, 6),
        ("ingest.report", 0, 2),
        ("ingest.report", 1, 2),
    ]
    assert await rows(triage, "contents", "ref") == [("r",)]
    assert await rows(triage, "report_counts") == [("county", 4)]
    await work.handle([*one, *two])
    assert await rows(triage, "report_counts") == [("county", 8)]


async def test_one_partition_that_another_consumer_moved_undoes_the_whole_batch(triage: Runtime) -> None:
    one, two = as_records(report(1), partition=0), as_records(report(2), partition=1)

    class Overtaken(UnitOfWork):
        async def conclude(self, session: Session, intake: Intake) -> None:
            await super().conclude(session, intake)
            starts = {Partition("ingest.report", 1): 0}
            await super()._advance(session.connection, starts, {Partition("ingest.report", 1): two[2]})

    with pytest.raises(LostPartition):
        await Overtaken(triage).handle([*one, *two])
    assert await rows(triage, "report_counts") == []
    await UnitOfWork(triage).handle([*one, *two])
    assert await rows(triage, "report_counts") == [("county", 8)]


async def test_a_broken_record_of_one_partition_harms_no_other(triage: Runtime) -> None:
    one, two = as_records(report(1), partition=0), as_records(report(2), partition=1)
    broken = one[1]._replace(value=b"no event")
    await UnitOfWork(triage).handle([one[0], broken, *one[2:], *two])
    assert await rows(triage, "dead_letters", "partition", "reason") == [(0, "undecodable")]
    assert await rows(triage, "report_counts") == [("county", 5)]
    assert await rows(triage, "consumer_offset", "partition", "next") == [(0, 4), (1, 4)]


async def test_a_lost_swap_rolls_everything_back(triage: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    work, events = UnitOfWork(triage), report(1)
    await work.handle(as_records(events[:1]))

    async def stale(connection: Any, starts: Any, lasts: Any) -> None:
        await UnitOfWork._advance(work, connection, dict.fromkeys(starts, 0), lasts)

    monkeypatch.setattr(work, "_advance", stale)
    with pytest.raises(LostPartition):
        await work.handle(as_records([*events[:2]]))
    assert await rows(triage, "report_counts") == [("county", 1)]


async def test_two_consumers_of_one_partition_have_one_effect(triage: Runtime) -> None:
    events = [event for number in range(20) for event in report(number)]

    async def consume() -> None:
        work = UnitOfWork(triage)
        for at in range(0, len(events), 7):
            await work.handle(as_records(events[at : at + 7], start=at))

    results = await asyncio.gather(consume(), consume(), return_exceptions=True)
    assert all(result is None or isinstance(result, LostPartition) for result in results), results
    await consume()
    assert await rows(triage, "report_counts") == [("county", len(events))]
    assert len(await stored(triage)) == 20


async def test_a_gap_waits_and_drains_in_order(triage: Runtime) -> None:
    work, events = UnitOfWork(triage), report(1)
    await work.handle(as_records([events[0], events[2], events[3]]))
    assert (await state(triage))["parked"] == [(events[0].stream, 3), (events[0].stream, 4)]
    assert await rows(triage, "report_counts") == [("county", 1)]
    assert (await operations.attention(triage))["parked"] == 1
    await work.handle(as_records([events[1]], start=3))
    after = await state(triage)
    assert after["parked"] == [] and after["counts"] == [("county", 4)]
    assert (await operations.attention(triage))["parked"] == 0


async def test_a_stream_is_told_as_parked_when_it_still_waits_after_the_transaction(triage: Runtime) -> None:
    work, one, two = UnitOfWork(triage), report(1), report(2)

    async def told(records: list[Record]) -> list[tuple[str, int]]:
        with capture_logs() as lines:
            await work.handle(records)
        return [(line["stream"], line["version"]) for line in lines if line["event"] == "stream.parked"]

    assert await told(as_records([one[0], one[2], one[1], one[3]])) == []
    assert await told(as_records([two[0], two[2], two[3]], start=4)) == [(two[0].stream, 3)]
    assert await told(as_records([two[2], two[3]], start=7)) == [], "it was told"
    assert await told(as_records([two[1]], start=9)) == []
    assert await rows(triage, "report_counts") == [("county", 8)]


async def test_a_record_is_told_as_set_aside_once(triage: Runtime) -> None:
    work, records = UnitOfWork(triage), as_records([b"no event"])
    with capture_logs() as lines:
        await work.handle(records)
        await work.handle(records)
        async with triage.database.transaction() as connection:
            await connection.execute(update(triage.tables["consumer_offset"]).values(next=0))
        await UnitOfWork(triage).handle(records)
    assert [line["reason"] for line in lines if line["event"] == "record.dead_lettered"] == ["undecodable"]


async def test_a_gap_parks_its_own_stream_alone(triage: Runtime) -> None:
    work, one, two = UnitOfWork(triage), report(1), report(2)
    await work.handle(as_records([one[1], *two]))
    assert await rows(triage, "report_counts") == [("county", 4)]


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_with_any_repetition_comes_to_the_same(triage: Runtime, seed: int) -> None:
    chance = random.Random(seed)
    events = [event for number in range(4) for event in report(number)]
    shuffled = events + chance.choices(events, k=10)
    chance.shuffle(shuffled)
    work = UnitOfWork(triage)
    at = 0
    while at < len(shuffled):
        size = chance.randint(1, 6)
        await work.handle(as_records(shuffled[at : at + size], start=at))
        at += size
    after = await state(triage)
    assert after["counts"] == [("county", 16)]
    assert after["parked"] == [] and after["dead_letters"] == []
    assert [(cursor[1], cursor[2], cursor[4]) for cursor in after["cursors"]] == [
        (report(number)[0].stream, 4, None) for number in range(4)
    ]
    assert len(after["incidents"]) == 4


async def test_other_bytes_under_the_last_version_are_a_fork(triage: Runtime) -> None:
    work, events = UnitOfWork(triage), report(1)
    forged = altered(events[1], data={"clicks": 9, "measured_at": events[1].recorded_text})
    await work.handle(as_records([events[0], events[1], forged, events[2]]))
    after = await state(triage)
    assert after["dead_letters"] == [(events[0].stream, 2, "fork", "open")]
    assert after["parked"] == [(events[0].stream, 3)]
    assert after["counts"] == [("county", 2)]


async def test_a_version_that_does_not_follow_is_a_fork(triage: Runtime) -> None:
    work, events = UnitOfWork(triage), report(1)
    forged = altered(events[1], previousdigest=DIGEST)
    await work.handle(as_records([events[0], forged, events[1]]))
    after = await state(triage)
    assert after["dead_letters"] == [(events[0].stream, 2, "fork", "open")]
    assert after["counts"] == [("county", 1)]


POISON = [
    pytest.param(b"not json", "undecodable", id="not-json"),
    pytest.param(b"\xff\xfe\x00", "undecodable", id="not-utf8"),
    pytest.param(b"[]", "undecodable", id="no-object"),
    pytest.param(b"{}", "undecodable", id="no-attributes"),
    pytest.param(b'{"specversion":"1.0","data":' + b"[" * 5000 + b"]" * 5000 + b"}", "undecodable", id="deep"),
    pytest.param(b'{"x":"' + b"a" * 5_000_000 + b'"}', "undecodable", id="five-megabytes"),
    pytest.param(None, "undecodable", id="tombstone"),
]


@pytest.mark.parametrize(("value", "reason"), POISON)
async def test_bytes_that_are_no_event_are_set_aside_and_the_partition_goes_on(
    triage: Runtime, value: bytes | None, reason: str
) -> None:
    work, events = UnitOfWork(triage), report(1)
    records = as_records(events)
    bad = Record("ingest.report", 0, 4, b"key", value)
    await work.handle([*records, bad, *as_records(report(2), start=5)])
    assert await rows(triage, "report_counts") == [("county", 8)]
    assert await rows(triage, "dead_letters", "reason", "state") == [(reason, "open")]
    assert await rows(triage, "dead_letters", "bytes") == [(value,)]


async def test_data_that_breaks_its_schema_parks_its_stream(triage: Runtime) -> None:
    work, events = UnitOfWork(triage), report(1)
    broken = altered(events[1], data={"clicks": -5, "measured_at": "yesterday"})
    await work.handle(as_records([events[0], broken, events[2], *report(2)]))
    after = await state(triage)
    assert after["dead_letters"] == [(events[0].stream, 2, "poison", "open")]
    assert after["parked"] == [(events[0].stream, 3)]
    assert after["counts"] == [("county", 5)]


async def test_a_restored_consumer_decides_nothing_twice(triage: Runtime) -> None:
    work, events = UnitOfWork(triage), report(1)
    await work.handle(as_records(events))
    before = [event.bytes for event in await stored(triage)]
    await lose_the_place(triage)
    await UnitOfWork(triage).handle(as_records(events))
    assert [event.bytes for event in await stored(triage)] == before


async def lose_the_place(triage: Runtime) -> None:
    """The consumer's tables in a restored store."""
    async with triage.database.transaction() as connection:
        for name in ("stream_cursor", "consumer_offset", "report_counts"):
            await connection.execute(triage.tables[name].delete())


def elsewhere(event: Event, known: Any) -> Iterable[Reaction]:
    """The event causes another result with later knowledge: the same on another stream."""
    for reaction in small.react(event, known):
        yield reaction._replace(stream=f"incident-{derived('elsewhere', event.id)}")


async def test_a_restored_consumer_that_would_decide_elsewhere_now_decides_nothing_twice(triage: Runtime) -> None:
    events = report(1)
    await UnitOfWork(triage).handle(as_records(events))
    before = await state(triage)
    await lose_the_place(triage)
    triage.service = replace(triage.service, react=elsewhere)
    await UnitOfWork(triage).handle(as_records(events))
    assert await state(triage) == before


class Forgetful(UnitOfWork):
    """Does not check whether the reaction to an event has run."""

    async def _not_reacted_to(self, session: Session, events: Sequence[Event]) -> list[Event]:
        return list(events)


async def test_an_event_id_that_is_there_already_is_a_defect_and_never_tried_for_ever(triage: Runtime) -> None:
    one, two = report(1), report(2)
    await UnitOfWork(triage).handle(as_records(one))
    await lose_the_place(triage)
    triage.service = replace(triage.service, react=elsewhere)
    async with asyncio.timeout(20):
        await Forgetful(triage).handle(as_records([*one, *two]))
    after = await state(triage)
    assert after["dead_letters"] == [(one[0].stream, 1, "poison", "open")]
    assert after["counts"] == [("county", 4)]
    assert {stream for stream, *_ in after["incidents"]} == {
        f"incident-{derived('small', one[0].id)}",
        f"incident-{derived('elsewhere', two[0].id)}",
    }
    assert (await operations.attention(triage))["dead_letters"] == 1


def content(ref: str, words: str = "words") -> bytes:
    return orjson.dumps({"ref": ref, "salt": "00" * 16, "words": words})


async def test_an_erasure_that_overtakes_its_words_wins(triage: Runtime) -> None:
    work = UnitOfWork(triage)
    refs = tuple(report(1)[0].words.values())
    events = spec.events("report", [report(1)[0].data, ReportErased(refs=refs)])
    late = [Record("ingest.content", 0, n, ref.encode(), content(ref)) for n, ref in enumerate(refs)]
    await work.handle(late[:1])
    assert await rows(triage, "contents", "words") == [("words",)]
    await work.handle(as_records(events))
    assert await rows(triage, "contents") == []
    await work.handle(late[1:])
    assert await rows(triage, "contents") == []
    assert await rows(triage, "erased") == sorted((ref,) for ref in refs)


async def test_words_with_holes_in_their_topic_are_taken(triage: Runtime) -> None:
    work, refs = UnitOfWork(triage), [f"01890a5d-ac96-774b-bcce-{n:012d}" for n in range(3)]
    records = [Record("ingest.content", 0, n * 10, ref.encode(), content(ref)) for n, ref in enumerate(refs)]
    await work.handle([*records, Record("ingest.content", 0, 21, refs[0].encode(), None)])
    assert len(await rows(triage, "contents")) == 3


async def test_broken_words_are_set_aside(triage: Runtime) -> None:
    work = UnitOfWork(triage)
    await work.handle([Record("ingest.content", 0, 0, b"k", b"{}")])
    assert await rows(triage, "dead_letters", "reason") == [("undecodable",)]


@pytest.mark.parametrize("row", [{"unit": "county"}, None])
async def test_a_view_that_makes_rows_which_no_table_takes_sets_one_record_aside(triage: Runtime, row: Any) -> None:
    """A defect of a view must not stop the partition, whatever way it fails."""
    view, *_ = triage.service.views
    bad = report(2)

    def apply(key: Any, before: Any, event: Event) -> Any:
        if event.stream != bad[0].stream:
            return view.apply(key, before, event)
        return row["missing"] if row is None else {**row, "reports": row.get("reports", object())}

    triage.service = replace(triage.service, views=(replace(view, apply=apply),))
    await UnitOfWork(triage).handle(as_records([*report(1), *bad, *report(3)]))
    after = await state(triage)
    assert after["dead_letters"] == [(bad[0].stream, 1, "poison", "open")]
    assert after["counts"] == [("county", 8)]
