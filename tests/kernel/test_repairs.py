"""Repairs on SQLite and PostgreSQL: a dead letter is taken in later, or passed over for good."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.envelope import Event
from schemas.ingest import ReportReachMeasured
from services.apps import operate
from services.kernel.core.problems import Rejected
from services.kernel.delivery import repairs
from services.kernel.delivery.intake import Intake
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.store.session import Conflict, Session
from tests.kernel.test_work import altered, report, state
from tests.kit import small, spec
from tests.kit.stores import as_records, rows, stored

NEWER = "huiying.report.reach_measured.v2"


async def test_an_unknown_type_waits_for_a_version_that_knows_it(
    triage: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from schemas import catalogue

    work, events = UnitOfWork(triage), report(1, 3)
    later = altered(events[1], type=NEWER)
    behind = altered(events[2], previousdigest=later.digest)
    await work.handle(as_records([events[0], later, behind, *report(2)]))
    after = await state(triage)
    assert after["dead_letters"] == [(later.stream, 2, "unknown_type", "open")]
    assert after["parked"] == [(later.stream, 3)] and after["counts"] == [("county", 5)]
    assert await repairs.unpark(work) == 0
    with pytest.raises(Rejected, match="does not know"):
        await _repair(work, repairs.redrive)
    assert await state(triage) == after, "what cannot be read yet goes on waiting"
    monkeypatch.setitem(catalogue._models, NEWER, ReportReachMeasured)
    assert await repairs.unpark(work) == 1
    after = await state(triage)
    assert after["parked"] == [] and after["counts"] == [("county", 7)]
    assert after["dead_letters"] == [(later.stream, 2, "unknown_type", "redriven")]
    assert {cursor[4] for cursor in after["cursors"]} == {None}


async def test_what_fails_again_after_an_upgrade_does_not_stop_the_start(
    triage: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from schemas import catalogue

    streams = [report(number, 2) for number in (1, 2)]
    newer = [altered(events[1], type=NEWER) for events in streams]
    await UnitOfWork(triage).handle(as_records([streams[0][0], newer[0], streams[1][0], newer[1]]))
    monkeypatch.setitem(catalogue._models, NEWER, ReportReachMeasured)

    def react(event: Event, known: Any) -> Any:
        if event.id == newer[0].id:
            raise ZeroDivisionError("a planted defect")
        return small.react(event, known)

    triage.service = replace(triage.service, react=react)
    assert await repairs.unpark(UnitOfWork(triage)) == 1
    assert (await state(triage))["dead_letters"] == [
        (newer[0].stream, 2, "unknown_type", "open"),
        (newer[1].stream, 2, "unknown_type", "redriven"),
    ]


async def test_what_a_defect_set_aside_is_taken_at_the_start_of_a_version_without_it(triage: Runtime) -> None:
    sound, events = triage.service, report(1, 3)

    def react(event: Event, known: Any) -> Any:
        if event.id == events[1].id:
            raise ZeroDivisionError("a planted defect")
        return small.react(event, known)

    triage.service = replace(sound, react=react)
    await UnitOfWork(triage).handle(as_records(events))
    assert (await state(triage))["dead_letters"] == [(events[1].stream, 2, "poison", "open")]
    assert await repairs.unpark(UnitOfWork(triage)) == 0
    triage.service = sound
    assert await repairs.unpark(UnitOfWork(triage)) == 1
    after = await state(triage)
    assert after["dead_letters"] == [(events[1].stream, 2, "poison", "redriven")]
    assert after["parked"] == [] and after["counts"] == [("county", 3)]


async def test_bytes_that_no_service_writes_are_set_aside_and_stop_no_stream(triage: Runtime) -> None:
    work, events = UnitOfWork(triage), report(1, 4)
    spoilt = replace(events[1], bytes=b" " + events[1].bytes)
    await work.handle(as_records([events[0], spoilt]))
    after = await state(triage)
    assert after["dead_letters"] == [(events[0].stream, 2, "unwritten", "open")]
    assert (after["parked"], after["counts"]) == ([], [("county", 1)])
    with pytest.raises(Rejected):
        await _repair(work, repairs.redrive)
    await work.handle(as_records([events[2]], start=2))
    assert (await state(triage))["parked"] == [(events[0].stream, 3)]
    await _repair(work, repairs.discard)
    assert (await state(triage))["parked"] == [(events[0].stream, 3)], "the right bytes of version 2 may still come"
    await work.handle(as_records(events[1:], start=3))
    after = await state(triage)
    assert (after["parked"], after["counts"]) == ([], [("county", 4)])


class BlindlyPassing(UnitOfWork):
    """Passes over a discarded record as if it were always the owner's."""

    async def standing(self, connection: Any, cursors: Any) -> Intake:
        intake = await super().standing(connection, cursors)
        for waiting in intake.waiting.values():
            waiting.pop(2, None)
        return intake

    async def _replaces_discarded(self, *_: Any) -> bool:
        return False


@pytest.mark.parametrize("forged", [{"type": "huiying.report.sung.v1"}, {"data": {"clicks": -5}}], ids=str)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", [UnitOfWork, BlindlyPassing])
async def test_what_belongs_in_the_place_of_a_discarded_forgery_is_taken(
    triage: Runtime, kind: type[UnitOfWork], when: str, forged: Any
) -> None:
    """Whether the owner's own version came before the forgery was discarded, or comes after it."""
    work, events = kind(triage), report(1, 3)
    await work.handle(as_records([events[0], altered(events[1], **forged)]))
    if when == "before":
        await work.handle(as_records(events[1:], start=2))
    await _repair(work, repairs.discard)
    if when == "after":
        await work.handle(as_records(events[1:], start=2))
    after = await state(triage)
    goes_on = after["counts"] == [("county", 3)] and after["parked"] == [] and len(after["dead_letters"]) == 1
    assert goes_on == (kind is UnitOfWork)
    if goes_on:
        assert [cursor[2:] for cursor in after["cursors"]] == [(3, events[2].digest, None)]
        await work.handle(as_records(events, start=4))
        assert await state(triage) == after


async def test_a_parked_event_that_fails_in_its_turn_lets_the_one_before_it_be_taken(triage: Runtime) -> None:
    events = report(1)

    def react(event: Event, known: Any) -> Any:
        if event.version == 3:
            raise ZeroDivisionError("a planted defect")
        return small.react(event, known)

    triage.service = replace(triage.service, react=react)
    work = UnitOfWork(triage)
    await work.handle(as_records([events[0], events[2], events[3], events[1]]))
    after = await state(triage)
    assert after["counts"] == [("county", 2)]
    assert after["dead_letters"] == [(events[0].stream, 3, "poison", "open")]
    assert after["parked"] == [(events[0].stream, 4)]
    triage.service = replace(triage.service, react=small.react)
    await _repair(UnitOfWork(triage), repairs.redrive)
    after = await state(triage)
    assert after["counts"] == [("county", 4)] and after["parked"] == []


async def test_a_defect_of_a_reaction_sets_one_record_aside(triage: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = report(2)

    def react(event: Event, known: Any) -> Any:
        if event.stream == bad[0].stream:
            raise ZeroDivisionError("a planted defect")
        return small.react(event, known)

    triage.service = replace(triage.service, react=react)
    work = UnitOfWork(triage)
    await work.handle(as_records([*report(1), *bad, *report(3)]))
    after = await state(triage)
    assert after["dead_letters"] == [(bad[0].stream, 1, "poison", "open")]
    assert after["counts"] == [("county", 8)]
    assert [row[1] for row in after["parked"]] == [2, 3, 4]

    triage.service = replace(triage.service, react=small.react)
    mended = UnitOfWork(triage)
    await _repair(mended, repairs.redrive)
    after = await state(triage)
    assert after["counts"] == [("county", 12)] and after["parked"] == []
    assert after["dead_letters"] == [(bad[0].stream, 1, "poison", "redriven")]
    assert "operation.redriven" in " ".join(event.type for event in await stored(triage))


async def _repair(work: UnitOfWork, repair: Any) -> None:
    (found,) = await rows(work.runtime, "dead_letters", "id", "state")
    async with work.runtime.database.transaction() as connection:
        session = Session(work.service, work.runtime.settings, connection, work.runtime.time_source.now())
        ctx = await work.runtime.context(connection, spec.staff("admin"))
        await repair(work, session, ctx, found[0], "looked at it")
        await session.flush()


async def test_a_record_set_aside_for_good_lets_its_stream_go_on(triage: Runtime) -> None:
    work, events = UnitOfWork(triage), report(1)
    broken = altered(events[1], data={"clicks": -5, "measured_at": events[1].recorded_text})
    after_broken = altered(events[2], previousdigest=broken.digest)
    await work.handle(as_records([events[0], broken, after_broken]))
    await _repair(work, repairs.discard)
    after = await state(triage)
    assert after["parked"] == [] and after["counts"] == [("county", 2)]
    assert {cursor[2] for cursor in after["cursors"]} == {3}
    assert "operation.discarded" in " ".join(event.type for event in await stored(triage))


async def test_a_parked_record_that_cannot_be_taken_goes_to_the_dead_letters_as_it_is(triage: Runtime) -> None:
    """A person sees, redrives or discards the event's own bytes, not those of the record that let it through."""
    work, events = UnitOfWork(triage), report(1)
    forged = altered(events[2], type="huiying.report.sung.v1")
    await work.handle(as_records([events[0], forged, events[3], events[1]]))
    after = await state(triage)
    assert after["dead_letters"] == [(events[0].stream, 3, "unknown_type", "open")]
    assert after["parked"] == [(events[0].stream, 4)]
    assert await rows(triage, "dead_letters", "bytes") == [(forged.bytes,)]
    await work.handle(as_records([events[2]], start=4))
    await _repair(work, repairs.discard)
    after = await state(triage)
    assert after["parked"] == [] and after["counts"] == [("county", 4)]
    assert {cursor[4] for cursor in after["cursors"]} == {None}


async def test_what_was_sent_again_while_its_stream_waited_holds_nothing_up(triage: Runtime) -> None:
    work, events = UnitOfWork(triage), report(1)
    broken = altered(events[1], data={"clicks": -5, "measured_at": events[1].recorded_text})
    behind = altered(events[2], previousdigest=broken.digest)
    await work.handle(as_records([events[0], broken, behind, events[0], broken, behind]))
    await _repair(work, repairs.discard)
    after = await state(triage)
    assert after["parked"] == [] and {cursor[4] for cursor in after["cursors"]} == {None}


async def test_a_redrive_whose_stream_grew_meanwhile_is_tried_again(
    triage: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from schemas import catalogue

    first, second = report(1, 2)
    await UnitOfWork(triage).handle(as_records([first, altered(second, type=NEWER)]))
    monkeypatch.setitem(catalogue._models, NEWER, ReportReachMeasured)
    flush, overtaken = Session.flush, [True]

    async def grown(session: Session, tell: str | None = None) -> None:
        if overtaken and overtaken.pop():
            raise Conflict("a stream has grown in between")
        await flush(session, tell)

    monkeypatch.setattr(Session, "flush", grown)
    assert await repairs.unpark(UnitOfWork(triage)) == 1
    assert await rows(triage, "report_counts") == [("county", 2)]


async def test_many_records_are_settled_together_and_each_stream_goes_on(triage: Runtime) -> None:
    streams = [report(number, 2) for number in range(60)]
    lasting = {events[0].stream for events in streams[:2]}

    def react(event: Event, known: Any) -> Any:
        if defect or event.stream in lasting:
            raise ZeroDivisionError("a planted defect")
        return small.react(event, known)

    defect = True
    triage.service = replace(triage.service, react=react)
    await UnitOfWork(triage).handle(as_records([event for events in streams for event in events]))
    defect = False
    found = operate.Stores({"triage": triage}, triage.log)
    waiting = await operate.dead_letters(found, operate.Chosen(cause="poison", type="report.received"))
    assert len(waiting) == 60
    told: list[tuple[int, int]] = []
    done = await operate.settle_records(
        found, waiting, "mended", discard=False, tell=lambda *counts: told.append(counts)
    )
    assert (len(done.settled), len(done.failed)) == (58, 2)
    assert all("fails as before: ZeroDivisionError" in row["error"] for row in done.failed)
    assert told[0] == (0, 60) and told[-1] == (59, 60)
    after = await state(triage)
    assert after["counts"] == [("county", 116)]
    assert sorted({row[0] for row in after["parked"]}) == sorted(lasting)
    waiting = await operate.dead_letters(found, operate.Chosen(stream=min(lasting)))
    done = await operate.settle_records(found, waiting, "forged", discard=True, tell=lambda *_: None)
    assert len(done.settled) == 1 and not done.failed
    after = await state(triage)
    assert [row[:3] for row in after["dead_letters"] if row[3] == "open"] == [
        (min(lasting), 2, "poison"),
        (max(lasting), 1, "poison"),
    ]
    assert {row[0] for row in after["parked"]} == {max(lasting)}
