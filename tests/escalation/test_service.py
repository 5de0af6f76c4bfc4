"""The service on a real SQLite file: intake, the judgements and waits of the timers, and the API."""

import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar
from sqlalchemy import insert

from schemas import publish, triage
from schemas.envelope import Event
from schemas.escalation import ClockBreached
from schemas.fields import instant
from schemas.offices import LimitSet, PolicyPackAssigned, PolicyValueSet
from services.escalation import views
from services.escalation.clock import timers
from services.kernel.core.ids import derived, stream_of
from services.kernel.delivery.log import LogGone, OffsetOutOfRange
from services.kernel.delivery.offsets import Progress
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.rules.packs import parse_pack
from services.kernel.store.session import Conflict, Session
from tests.escalation.conftest import LONG_AGO, Desk
from tests.escalation.incident import PACK, REPORTS, at
from tests.kit import spec
from tests.kit.plans import asked, plans
from tests.kit.spec import UUID

REPORT = f"report-{UUID}"
OTHER = f"report-{derived('another')}"
NO_INSTANTS = ("1772442000", "2026-03-03T00:00:00", "2026-03-03", "9999-12-31T23:00:00-09:00", "2026-02-30T00:00:00Z")


def incident(name: str = "a") -> str:
    return f"incident-{derived('incident', name)}"


def statement(name: str = "a") -> str:
    return f"statement-{derived('statement', name)}"


def opened(desk: Desk, name: str = "a", hour: float = 0, unit: str = "town-east") -> str:
    fact = triage.IncidentOpened(unit=unit, report=REPORT, discovered_at=at(hour))
    desk.tell(incident(name), fact, at(hour), unit=unit)
    return incident(name)


def grade(desk: Desk, name: str = "a", level: str = "major", hour: float = 1) -> None:
    fact = triage.IncidentGraded(level=level, rank=2, reason="harm")  # type: ignore[arg-type]
    desk.tell(incident(name), fact, at(hour))


def publish_status(desk: Desk, name: str = "a", hour: float = 2) -> None:
    fact = publish.StatementPublished(
        incident=incident(name), unit="town-east", kind="status", title="正在处置", text="正在处置", by="0" * 64
    )
    desk.tell(statement(name), fact, at(hour), incident=incident(name))


async def test_events_become_clocks_with_pack_and_basis(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk)
    await desk.consume()
    clocks = await desk.clocks(id_)
    assert {name: (row["state"], row["cancelled"]) for name, row in clocks.items()} == {
        "transfer": ("cancelled", "regraded"),
        "explanation": ("cancelled", "regraded"),
        "public_statement": ("running", None),
        "interim_reply": ("running", None),
        **dict.fromkeys(REPORTS, ("running", None)),
    }
    assert clocks["public_statement"]["due"] == instant(at(3))
    started = next(e for e in await desk.events(stream_of("clock", id_)) if e.type.endswith("clock.started.v1"))
    assert started.partitionkey == id_
    assert started.policy
    assert started.basis
    assert await desk.rows("dead_letters") == []


@pytest.mark.parametrize("order", [("triage.incident", "publish.statement"), ("publish.statement", "triage.incident")])
@pytest.mark.requirement("PUB-01")
async def test_an_answer_in_time_is_no_breach_whichever_topic_is_ahead(desk: Desk, order: tuple[str, str]) -> None:
    id_ = opened(desk)
    grade(desk)
    publish_status(desk)
    for topic in order:
        await desk.consume(topic)
    await desk.turn(at(3.5))
    row = (await desk.clocks(id_))["public_statement"]
    assert (row["state"], row["met_at"], row["late"], row["breached_at"]) == ("met", instant(at(2)), False, None)


async def test_nobody_is_accused_while_a_statement_is_on_its_way(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk)
    publish_status(desk)
    await desk.consume("triage.incident")
    await desk.turn(at(3.5))
    assert (await desk.clocks(id_))["public_statement"]["state"] == "running"
    await desk.consume()
    await desk.turn(at(3.6))
    assert (await desk.clocks(id_))["public_statement"]["state"] == "met"


async def test_a_consumer_that_is_always_a_little_behind_delays_a_breach_and_does_not_prevent_it(desk: Desk) -> None:
    id_ = opened(desk, hour=0)
    grade(desk)
    await desk.consume()
    desk.clock.at, horizons = at(3.5), timers.Horizons()
    busy = [name for name in map(str, range(200)) if _partition(desk, name) == _partition(desk, "a")][:4]
    opened(desk, busy[0], hour=3.4)
    await timers.turn(desk.runtime, horizons, timers.Pace())
    assert (await desk.clocks(id_))["public_statement"]["state"] == "running"
    await desk.consume()
    opened(desk, busy[1], hour=3.5)
    await timers.turn(desk.runtime, horizons, timers.Pace())
    assert (await desk.clocks(id_))["public_statement"]["state"] == "breached"


def _partition(desk: Desk, name: str) -> int:
    return timers.partition_of(incident(name), desk.runtime.settings.partitions)


async def test_without_the_log_nobody_is_accused(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk)
    await desk.consume()
    desk.topics.gone = True
    with pytest.raises(LogGone):
        await desk.turn(at(9))
    assert (await desk.clocks(id_))["public_statement"]["state"] == "running"
    desk.topics.gone = False
    await desk.turn(at(9))
    assert (await desk.clocks(id_))["public_statement"]["state"] == "breached"


@pytest.mark.parametrize(("grown", "guarded"), [(0, True), (0, False), (1, True), (1, False), (9, True)])
async def test_on_a_topic_that_was_made_anew_nobody_is_accused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, grown: int, guarded: bool
) -> None:
    """The lost records may show that the limit was kept. Without the guard, the offset says that all were taken in."""
    id_ = opened(desk)
    grade(desk)
    await desk.consume()
    for part, (first, *_) in desk.topics.records.items():
        desk.topics.records[part] = [first._replace(value=b"another record")] * grown
    if not guarded:
        monkeypatch.setattr(Progress, "must_be_known", lambda _: None)
        await desk.turn(at(9))
        assert (await desk.clocks(id_))["public_statement"]["state"] == "breached"
        return
    with pytest.raises(OffsetOutOfRange, match="huiying resend --lost"):
        await desk.turn(at(9))
    assert (await desk.clocks(id_))["public_statement"]["state"] == "running"


async def test_after_a_lost_topic_was_written_again_limits_are_judged_without_a_restart(desk: Desk) -> None:
    """It may hold less than before, when some records had been sent twice."""
    id_ = opened(desk, hour=0)
    grade(desk)
    await desk.consume()
    once = {part: list(records) for part, records in desk.topics.records.items()}
    for part, records in once.items():
        again = [record._replace(offset=record.offset + len(records)) for record in records]
        desk.topics.records[part] = records + again
    desk.clock.at, horizons = at(3.5), timers.Horizons()
    await timers.turn(desk.runtime, horizons, timers.Pace())
    assert (await desk.clocks(id_))["public_statement"]["state"] == "running"

    desk.topics.records = once
    offsets = desk.runtime.tables["consumer_offset"]
    async with desk.runtime.database.transaction() as connection:
        await connection.execute(offsets.update().values(next=0, last=None))
    desk.work, desk.taken = UnitOfWork(desk.runtime), {}
    await desk.consume()
    await timers.turn(desk.runtime, horizons, timers.Pace())
    assert (await desk.clocks(id_))["public_statement"]["state"] == "breached"


@pytest.mark.requirement("ESC-13")
async def test_a_limit_that_passed_in_downtime_fires_once(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk)
    await desk.consume()
    for hour in (100, 101, 102):
        await desk.turn(at(hour))
    fired = [e for e in await desk.events(stream_of("clock", id_)) if isinstance(e.data, ClockBreached)]
    assert sorted((e.data.clock, e.time, e.data.detected_at) for e in fired) == [
        ("interim_reply", at(16), at(100)),
        ("public_statement", at(3), at(100)),
        *((hop, at(1), at(100)) for hop in REPORTS),
    ]
    told = []
    for hour in range(100, 200, 3):
        await desk.turn(at(hour))
        told.append({row["clock"]: row["rung"] for row in await desk.rows("clocks", state="breached")})
    rungs = [rung for before, rung in pairwise(one["public_statement"] for one in told) if rung != before]
    assert rungs == ["reminder", "supervision", "circular"], "one after the other, never at once"
    assert told[9] == dict.fromkeys(("public_statement", "interim_reply", *REPORTS), "reminder")


async def test_a_matter_that_nobody_grades_is_breached_all_the_same(desk: Desk) -> None:
    id_ = opened(desk)
    await desk.consume()
    await desk.turn(at(25))
    assert {name: row["state"] for name, row in (await desk.clocks(id_)).items()} == {
        "transfer": "breached",
        "explanation": "breached",
    }
    grade(desk, hour=26)
    await desk.consume()
    await desk.turn(at(30))
    clocks = await desk.clocks(id_)
    assert {(row["state"], row["cancelled"]) for row in map(clocks.get, ("transfer", "explanation")) if row} == {
        ("breached", "regraded")
    }


async def test_an_ungraded_matter_whose_pack_comes_late_is_judged_when_it_has_come(desk: Desk) -> None:
    later = parse_pack(PACK.canonical.replace('"version":"2"', '"version":"3"'))
    desk.tell(f"policy-{spec.UUID}", PolicyPackAssigned(unit="city", policy=later.ref, since=LONG_AGO), at(0))
    id_ = opened(desk)
    await desk.consume()
    assert await desk.clocks(id_) == {}
    desk.tell(f"policy-{spec.UUID}", spec.loaded(later), at(0))
    await desk.consume()
    await desk.turn(at(3))
    assert (await desk.clocks(id_))["transfer"]["state"] == "breached"


async def test_a_newer_pack_and_an_edited_file_change_nothing_of_an_earlier_matter(desk: Desk, tmp_path: Path) -> None:
    """The version and every limit in the file are raised, the services start again, and the new version is assigned."""
    id_ = opened(desk)
    await desk.consume()
    await desk.turn(at(25))
    before = await desk.clocks(id_)
    assert before["explanation"]["state"] == "breached"

    text = (spec.POLICIES / "county-default.yaml").read_text("utf-8").replace("\nversion: 2\n", "\nversion: 3\n")
    edited = parse_pack(re.sub(r"mode: elapsed, duration: P\w+", "mode: elapsed, duration: P7D", text))
    shutil.copytree(spec.POLICIES, folder := tmp_path / "policies")
    (folder / "county-default.yaml").write_text(edited.canonical, "utf-8")
    desk.restart(folder)
    desk.tell(f"policy-{spec.UUID}", spec.loaded(edited), at(26))
    desk.tell(f"policy-{spec.UUID}", PolicyPackAssigned(unit="city", policy=edited.ref, since=at(26)), at(26))
    desk.tell(id_, triage.IncidentAccepted(unit="county-roads"), at(27))
    desk.clock.at = at(28)
    await desk.consume("triage.policy")
    opened(desk, "b", 28)
    await desk.consume()
    await desk.turn(at(50))
    after = await desk.clocks(id_)
    assert {name: row["due"] for name, row in after.items()} == {name: row["due"] for name, row in before.items()}
    assert {name: row["state"] for name, row in after.items()} == {"transfer": "met", "explanation": "breached"}
    assert after["explanation"]["rung"] == "reminder", "the ladder goes on by its own version"
    assert not [e for e in await desk.events(stream_of("clock", id_)) if "annulled" in e.type]
    assert (await desk.clocks(incident("b")))["transfer"]["due"] == instant(at(28 + 7 * 24))


async def test_a_value_that_is_set_wakes_the_matters_of_its_pack(desk: Desk) -> None:
    text = PACK.canonical.replace('"id":"county-default"', '"id":"open"')
    limit = '"limit":{"duration":"PT2H","mode":"elapsed"},"name":"transfer"'
    assert limit in text
    pack = parse_pack(text.replace(limit, '"limit":{"source":{"kind":"unset"}},"name":"transfer"'))
    policies = f"policy-{spec.UUID}"
    desk.tell(policies, spec.loaded(pack), at(0))
    desk.tell(policies, PolicyPackAssigned(unit="city", policy=pack.ref, since=LONG_AGO), at(0))
    await desk.consume()
    fact = triage.IncidentOpened(unit="town-east", report=REPORT, discovered_at=at(1), policy=pack.ref)
    desk.tell(incident(), fact, at(1))
    await desk.consume()
    pace = timers.Pace()
    await desk.turn(at(4), pace)
    assert "transfer" not in await desk.clocks(incident())
    value = PolicyValueSet(
        unit="county",
        pack="open",
        place="clocks.transfer.limit",
        limit=LimitSet(mode="elapsed", duration="PT2H"),
        since=at(6),
        reason="r",  # type: ignore[arg-type]
    )
    desk.tell(policies, value, at(5))
    await desk.consume()
    await desk.turn(at(5.5), pace)
    assert "transfer" not in await desk.clocks(incident()), "it has not begun"
    desk.runtime.offices_changed()
    await desk.turn(at(7), pace)
    assert (await desk.clocks(incident()))["transfer"]["due"] == instant(at(8))


async def test_a_matter_that_was_only_looked_at_is_judged_as_soon_as_it_is_due(desk: Desk) -> None:
    opened(desk)
    await desk.consume()
    value = PolicyValueSet(
        unit="county",
        pack=PACK.model.id,
        place="review.written_report.limit",
        limit=LimitSet(mode="elapsed", duration="PT2H"),
        since=at(1),
        reason="r",  # type: ignore[arg-type]
    )
    desk.tell(f"policy-{spec.UUID}", value, at(1))
    await desk.consume()
    pace = timers.Pace()
    await desk.turn(at(1.5), pace)
    await desk.turn(at(3.5), pace)
    assert (await desk.clocks(incident()))["transfer"]["state"] == "breached"


async def test_an_idle_round_writes_nothing_and_does_not_ask_the_log(desk: Desk) -> None:
    opened(desk)
    grade(desk)
    await desk.consume()
    for hour in (200, 225, 250, 275):
        await desk.turn(at(hour))
    assert {row["rung"] for row in await desk.rows("clocks", state="breached")} == {"circular"}
    before = len(await desk.rows("events"))
    desk.topics.gone = True
    await desk.turn(at(300))
    assert len(await desk.rows("events")) == before


async def test_an_explained_breach_is_not_looked_at_again_for_its_circular(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk, level="general")
    returned = triage.IncidentReturned(unit="town-east", reason="another unit's road")  # type: ignore[arg-type]
    desk.tell(id_, returned, at(30))
    await desk.consume()
    for hour in (200, 225, 250, 275):
        await desk.turn(at(hour))
    assert {row["clock"]: row["rung"] for row in await desk.rows("clocks")} == {
        "transfer": "supervision",
        "explanation": "supervision",
    }
    desk.topics.gone = True
    await desk.turn(at(300))


async def test_a_matter_that_was_dismissed_in_time_is_not_breached(desk: Desk) -> None:
    id_ = opened(desk)
    desk.tell(id_, triage.IncidentReportRefused(report=REPORT), at(1))
    desk.tell(id_, triage.IncidentDismissed(report_count=1), at(1))
    await desk.consume()
    await desk.turn(at(100))
    rows = (await desk.clocks(id_)).values()
    assert {(row["state"], row["cancelled"]) for row in rows} == {("cancelled", "dismissed")}


async def test_between_two_rungs_a_round_is_idle(desk: Desk) -> None:
    """This also holds if a breach was annulled and found again after a rung was sent."""
    id_ = opened(desk)
    grade(desk, level="general")
    await desk.consume()
    for hour in (3, 28):
        await desk.turn(at(hour))
    desk.tell(id_, triage.IncidentReportAttached(report=OTHER, unit="town-east", discovered_at=at(-1)), at(29))
    await desk.consume()
    await desk.turn(at(30))
    row = (await desk.clocks(id_))["transfer"]
    assert (row["due"], row["rung"], row["detected_at"]) == (instant(at(1)), "reminder", instant(at(30)))
    desk.topics.gone = True
    await desk.turn(at(53))
    desk.topics.gone = False
    await desk.turn(at(79))
    assert (await desk.clocks(id_))["transfer"]["rung"] == "supervision"


async def test_a_parked_stream_is_waited_for_an_hour_then_judged_as_incomplete(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk)
    desk.tell(statement(), _drafted(id_), at(1.2), incident=id_, skip=True)
    publish_status(desk)
    desk.clock.at = at(2)
    await desk.consume()
    assert [row["correlation"] for row in await desk.rows("parked")] == [id_]
    await desk.turn(at(2.9))
    assert (await desk.clocks(id_))["report_to_county"]["state"] == "running"
    await desk.turn(at(3.5))
    assert (await desk.clocks(id_))["public_statement"]["state"] == "breached"
    fired = [e.data for e in await desk.events(stream_of("clock", id_)) if isinstance(e.data, ClockBreached)]
    assert all(breach.incomplete for breach in fired)


def _drafted(id_: str) -> Any:
    return publish.StatementDrafted(
        incident=id_, unit="town-east", kind="status", title="words", draft="words", by="0" * 64
    )  # type: ignore[arg-type]


async def test_an_open_dead_letter_is_waited_for_too(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk)
    await desk.consume()
    row = {
        "id": UUID, "consumer": "escalation", "topic": "publish.statement", "partition": 0, "offset": 0,
        "stream_id": statement(), "version": 1, "correlation": id_, "reason": "poison", "error": "defect",
        "since": instant(at(3)), "state": "open", "key": None, "bytes": b"",
    }  # fmt: skip
    async with desk.runtime.database.transaction() as connection:
        await connection.execute(insert(desk.runtime.tables["dead_letters"]), [row])
    await desk.turn(at(3.5))
    assert (await desk.clocks(id_))["public_statement"]["state"] == "running"
    await desk.turn(at(4.1))
    assert (await desk.clocks(id_))["public_statement"]["state"] == "breached"


def merge(desk: Desk, a: str, b: str, hour: float, discovered: float) -> None:
    desk.tell(incident(a), triage.IncidentMerged(into=incident(b)), at(hour))
    absorbed = triage.IncidentAbsorbed(incident=incident(a), reports=(REPORT,), discovered_at=at(discovered))
    desk.tell(incident(b), absorbed, at(hour))


async def test_a_merged_matter_keeps_its_breaches_and_what_was_done_counts_where_it_goes_on(desk: Desk) -> None:
    a, b = opened(desk, "a", 0), opened(desk, "b", 2)
    grade(desk, "a", "major", 0.5)
    grade(desk, "b", "major", 2.5)
    publish_status(desk, "a", 2.8)
    await desk.consume()
    await desk.turn(at(1.5))
    merge(desk, "a", "b", 2.9, 0)
    await desk.consume()
    await desk.turn(at(3.5))
    of_a, of_b = await desk.clocks(a), await desk.clocks(b)
    assert (of_a["public_statement"]["state"], of_a["report_to_county"]["state"]) == ("met", "breached")
    assert of_a["report_to_county"]["cancelled"] == "merged"
    assert of_b["public_statement"]["due"] == instant(at(3))
    assert (of_b["public_statement"]["state"], of_b["public_statement"]["met_at"]) == ("met", instant(at(2.8)))


async def test_a_statement_after_the_merger_still_answers_the_matter(desk: Desk) -> None:
    b = opened(desk, "b", 0)
    opened(desk, "a", 0.1)
    grade(desk, "b", "major", 0.5)
    merge(desk, "a", "b", 1, 0)
    publish_status(desk, "a", 2)
    await desk.consume("triage.incident")
    await desk.turn(at(3.5))
    assert (await desk.clocks(b))["public_statement"]["state"] == "running", "the other matter's facts are awaited too"
    await desk.consume()
    await desk.turn(at(3.6))
    assert (await desk.clocks(b))["public_statement"]["met_at"] == instant(at(2))


async def test_settle_judges_all_that_is_due(desk: Desk) -> None:
    names = [str(number) for number in range(230)]
    for name in names:
        opened(desk, name)
        grade(desk, name)
    await desk.consume()
    desk.clock.at = at(4)
    await timers.settle(desk.runtime)
    assert len(await desk.rows("clocks", state="breached")) == 4 * len(names)
    opened(desk, "late", 3)
    with pytest.raises(TimeoutError):
        await timers.settle(desk.runtime, limit=0.1)


@pytest.mark.parametrize("fault", [Conflict("a stream has grown"), ValueError("a planted defect")], ids=repr)
async def test_an_incident_that_cannot_be_judged_holds_up_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    names = ("a", "b", "c")
    for name in names:
        opened(desk, name)
    await desk.consume()
    judge, asked = timers._judge_one, []

    def judged(session: Session, ctx: Any, case: timers.Case) -> bool:
        asked.append(case.incident)
        if case.incident == incident("b"):
            raise fault
        return judge(session, ctx, case)

    monkeypatch.setattr(timers, "_judge_one", judged)
    desk.clock.at, horizons, pace = at(4), timers.Horizons(), timers.Pace()
    await timers.turn(desk.runtime, horizons, pace)
    breached = {row["incident_id"] for row in await desk.rows("clocks", state="breached")}
    assert breached == {incident("a"), incident("c")}
    asked.clear()
    await timers.turn(desk.runtime, horizons, pace)
    assert asked == [], "it rests, so that nobody is kept busy with it"
    monkeypatch.setattr(timers, "LEFT_ALONE", 0.0)
    monkeypatch.setattr(timers, "_judge_one", judge)
    pace.resting.clear()
    await timers.turn(desk.runtime, horizons, pace)
    assert {row["incident_id"] for row in await desk.rows("clocks", state="breached")} == set(map(incident, names))


async def test_what_the_loop_asks_is_answered_by_an_index_of_what_is_due(desk: Desk) -> None:
    """So a look costs the same for any number of matters, open or old."""
    opened(desk)
    await desk.consume()
    with asked() as questions:
        await desk.turn(at(0))
    about = [one for one in questions if "FROM clocks" in one or "FROM incidents" in one]
    assert len(about) == 3
    for plan in await plans(desk.runtime.database, about):
        assert "SEARCH" in plan and "SCAN" not in plan, plan
        indices = ("ix_clocks_wakes_at", "ix_matters_without_pack", "ix_clocks_counting_work")
        assert any(index in plan for index in indices), plan


async def test_the_list_of_all_clocks_is_read_in_the_order_of_an_index(desk: Desk) -> None:
    opened(desk)
    await desk.consume()
    with asked() as questions:
        assert (await desk.ask("GET", "/clocks", "duty_officer", "city")).status_code == 200
    (plan,) = await plans(desk.runtime.database, [one for one in questions if "FROM clocks" in one])
    assert "ix_clocks_due" in plan, plan


async def test_a_breach_at_the_end_of_its_ladder_is_not_looked_at_any_more(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk, level="general")
    await desk.consume()
    for hour in (3, 28, 53, 78):
        await desk.turn(at(hour))
    row = (await desk.clocks(id_))["transfer"]
    assert (row["state"], row["rung"], row["wakes_at"]) == ("breached", "circular", None)


async def test_views_are_the_same_after_the_same_events(desk: Desk) -> None:
    """Rows are folds. If the events are read again in another order between topics, the rows are equal."""
    opened(desk)
    grade(desk)
    publish_status(desk)
    await desk.consume()
    await desk.turn(at(50))
    foreign = [Event.parse(record.value) for records in desk.topics.records.values() for record in records]
    own = [e for stream in {row["stream_id"] for row in await desk.rows("events")} for e in await desk.events(stream)]
    for view in views.VIEWS:
        for events in ([*own, *foreign], [*foreign, *own]):
            rows: dict[Any, Any] = {}
            for event in events:
                for key in view.touched(event):
                    rows[key] = view.apply(key, rows.get(key), event)
            stored = await desk.rows(view.table.name)
            keys = [column.name for column in view.table.primary_key.columns]
            assert {tuple(row[name] for name in keys): row for row in stored} == rows


async def test_the_list_of_clocks_shows_the_own_units_and_pages(desk: Desk) -> None:
    for name, unit in (("a", "town-east"), ("b", "town-west"), ("c", "town-east")):
        opened(desk, name, unit=unit)
        grade(desk, name)
    await desk.consume()
    await desk.turn(at(2))
    seen = (await desk.ask("GET", "/clocks", "handler", "town-east")).json()
    assert {item["unit"] for item in seen["items"]} == {"town-east"}
    assert seen["next"] is None
    items, cursor = [], ""
    while cursor is not None:
        page = (await desk.ask("GET", f"/clocks?limit=5{cursor}", "handler", "county")).json()
        items += page["items"]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert len({(item["incident_id"], item["clock"]) for item in items}) == len(items) == 21
    assert [item["due"] for item in items] == sorted(item["due"] for item in items)
    narrow = f"/clocks?state=breached&incident={incident('b')}&unit=town-west&due_before=2026-03-03T00:00:00Z"
    assert [i["clock"] for i in (await desk.ask("GET", narrow, "handler")).json()["items"]] == list(REPORTS)
    assert (await desk.ask("GET", "/clocks?unit=county", "handler", "town-east")).json()["items"]
    for wrong in (
        "limit=501",
        "cursor=x",
        "state=asleep",
        "incident=%00",
        *(f"due_before={wrong}" for wrong in NO_INSTANTS),
    ):
        answer = await desk.ask("GET", f"/clocks?{wrong}", "handler")
        assert (answer.status_code, answer.json()["field"]) == (422, wrong.partition("=")[0]), wrong


@pytest.mark.requirement("ESC-02")
async def test_a_report_upward_and_its_receipt_over_http(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk, hour=0.5)
    await desk.consume()
    desk.clock.at = at(0.7)
    path = f"/incidents/{id_}"
    sent = await desk.ask("POST", f"{path}/report-upward", "duty_officer", "town-east", {"text": "塌方"})
    assert (sent.status_code, sent.headers["ETag"]) == (200, '"2"')
    assert [event["type"] for event in sent.json()["events"]] == [
        "huiying.clock.reported_upward.v1",
        "huiying.clock.milestone_reached.v1",
    ]
    stale = await desk.ask("POST", f"{path}/receipt", "chief", "county", {}, If_Match="1")
    assert stale.status_code == 412
    given = await desk.ask("POST", f"{path}/receipt", "chief", "county", {}, If_Match="2")
    assert given.status_code == 200
    read = (await desk.ask("GET", path, "handler", "county")).json()
    assert read["version"] == given.json()["version"]
    (report,) = read["reports"]
    assert (report["to"], report["state"], report["text"], report["unverified"]) == ("county", "received", "塌方", True)
    assert (await desk.ask("GET", path, "handler", "town-west")).status_code == 403


async def test_what_is_refused_over_http(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk, level="general")
    await desk.consume()
    desk.clock.at = at(1.5)
    path = f"/incidents/{id_}"
    later = {"clock": "transfer", "due": "2026-03-02T09:00:00Z", "reason": "storm"}
    cases: list[tuple[str, str, Any, int]] = [
        (f"{path}/report-upward", "handler", {}, 403),
        (f"{path}/report-upward", "duty_officer", {"reporter": "someone"}, 422),
        (f"{path}/receipt", "chief", {}, 409),
        (f"{path}/receipt", "chief", {"accepted": False}, 422),
        (f"{path}/request-extension", "chief", later, 409),
        *(
            (f"{path}/request-extension", "chief", {**later, "due": wrong}, 422)
            for wrong in ("tomorrow", 1772442000, *NO_INSTANTS)
        ),
        (f"{path}/annul", "auditor", {"clock": "transfer", "reason": "paper"}, 409),
        (f"/incidents/{incident('nowhere')}/report-upward", "duty_officer", {}, 404),
        ("/incidents/nonsense/report-upward", "duty_officer", {}, 404),
    ]
    for where, role, body, status in cases:
        answer = await desk.ask("POST", where, role, "county", body)
        assert answer.status_code == status, (where, body, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_each_403_is_an_event_and_tells_no_version(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk)
    await desk.consume()
    path, stale = f"/incidents/{id_}", {"If_Match": "99"}
    duty = {"post": "duty_officer@town-east", "since": "2026-03-02T00:00:00Z", "until": "2026-03-02T12:00:00Z"}
    clock = {"clock": "transfer", "reason": "r"}
    cases: list[tuple[str, str, Any, dict[str, str]]] = [
        ("GET", path, None, {}),
        ("GET", "/roster?unit=town-east", None, {}),
        ("PUT", "/roster", {"unit": "town-east", "duties": [duty]}, stale),
        ("POST", f"{path}/report-upward", {}, stale),
        ("POST", f"{path}/receipt", {}, stale),
        ("POST", f"{path}/request-extension", {**clock, "due": "2026-03-02T09:00:00Z"}, stale),
        ("POST", f"{path}/annul", clock, stale),
    ]
    for number, (method, where, body, headers) in enumerate(cases, 1):
        answer = await desk.ask(method, where, "handler", "town-west", body, **headers)
        assert (answer.status_code, "version" in answer.json()) == (403, False), (where, answer.text)
        kinds = [Event.parse(row["bytes"]).type for row in await desk.rows("events")]
        assert kinds.count("huiying.operation.access_refused.v1") == number, where


async def test_a_reviewer_annuls_over_http_and_the_timer_leaves_it_so(desk: Desk) -> None:
    id_ = opened(desk)
    grade(desk)
    await desk.consume()
    await desk.turn(at(4))
    body = {"clock": "public_statement", "reason": "the paper of 10:30 was entered today"}
    assert (await desk.ask("POST", f"/incidents/{id_}/annul", "auditor", "county", body)).status_code == 200
    await desk.turn(at(90))
    row = (await desk.clocks(id_))["public_statement"]
    assert (row["state"], row["breached_at"], row["rung"]) == ("annulled", None, "")


async def test_what_is_entered_late_shows_both_figures_and_a_finding_says_which_counts(desk: Desk) -> None:
    found, recorded = opened(desk, "a"), opened(desk, "b")
    for name in "ab":
        desk.tell(incident(name), triage.IncidentReplied(text="t"), at(30), happened=at(20))  # type: ignore[arg-type]
    late = triage.IncidentReplied(text="t")  # type: ignore[arg-type]
    other = opened(desk, "c")
    desk.tell(incident("c"), late, at(30), happened=at(26))
    await desk.consume()
    await desk.turn(at(31))

    async def shown(id_: str) -> dict[str, Any]:
        answer = (await desk.ask("GET", f"/incidents/{id_}", "auditor")).json()
        return next(one for one in answer["clocks"] if one["clock"] == "explanation")

    hours = 3600.0
    for id_, by_happened in ((found, None), (recorded, None), (other, 2 * hours)):
        one = await shown(id_)
        assert (one["late"], one["breached_at"] is not None) == (True, True), "the recording counts until a finding"
        assert (one["late_by"], one["late_by_happened"]) == (6 * hours, by_happened)
    body = {"clock": "explanation", "reason": "the letter was sent on the evening before"}
    assert (await desk.ask("POST", f"/incidents/{found}/annul", "handler", "town-east", body)).status_code == 403
    assert (await desk.ask("POST", f"/incidents/{found}/annul", "auditor", "county", body)).status_code == 200
    await desk.turn(at(90))
    assert [(await shown(id_))["breached_at"] is None for id_ in (found, recorded, other)] == [True, False, False]
    assert [(await shown(id_))["annulled"] for id_ in (found, recorded, other)] == ["reviewed", None, None]


async def test_the_roster_is_planned_and_read(desk: Desk) -> None:
    duty = {"post": "duty_officer@town-east", "since": "2026-03-02T00:00:00Z", "until": "2026-03-02T12:00:00Z"}
    plan = {"unit": "town-east", "duties": [duty]}
    first = await desk.ask("PUT", "/roster", "duty_officer", "town-east", plan)
    assert (first.status_code, len(first.json()["events"])) == (200, 1)
    again = await desk.ask("PUT", "/roster", "chief", "county", plan)
    assert again.json()["events"] == []
    longer = {**plan, "duties": [{**duty, "until": "2026-03-02T18:00:00Z"}]}
    assert (await desk.ask("PUT", "/roster", "chief", "county", longer, If_Match='"1"')).status_code == 200
    assert (await desk.ask("PUT", "/roster", "chief", "county", longer, If_Match='"1"')).status_code == 412
    read = await desk.ask("GET", "/roster?unit=town-east", "handler", "town-east")
    (planned,) = read.json()["duties"]
    assert (planned["post"], planned["since"], planned["until"]) == (duty["post"], instant(at(0)), instant(at(18)))
    assert (planned["by"], planned["note"], read.json()["may"]) == (None, None, [])
    assert read.headers["ETag"] == '"2"'
    assert (await desk.ask("PUT", "/roster", "handler", "county", plan)).status_code == 403
    assert (await desk.ask("PUT", "/roster", "chief", "county", {**plan, "unit": "nowhere"})).status_code == 422
    for post, says in {
        "duty_officer@nowhere": "no unit has the code 'nowhere'",
        "zhang_san@town-east": "no directory has the post 'zhang_san@town-east'; known in town-east are admin,",
        "duty_officer": "duties.0.post",
        "张三": "duties.0.post",
    }.items():
        answer = await desk.ask("PUT", "/roster", "chief", "county", {**plan, "duties": [{**duty, "post": post}]})
        assert (answer.status_code, answer.json()["field"]) == (422, "duties.0.post")
        assert says in answer.json()["detail"]
    back = {**duty, "until": duty["since"]}
    for wrong in (back, *({**duty, "until": wrong} for wrong in (1772442000, *NO_INSTANTS))):
        answer = await desk.ask("PUT", "/roster", "chief", "county", {**plan, "duties": [wrong]})
        assert (answer.status_code, answer.json()["field"].split(".")[0]) == (422, "duties")


@pytest.mark.requirement("ING-05", "ESC-17")
async def test_a_day_at_the_desk(desk: Desk) -> None:
    """Gaps, sign-on, what was held, hand-over, calendar; each is read again."""
    officer, handler = "duty_officer@town-east", "handler@town-east"
    first = {"post": officer, "since": instant(at(1)), "until": instant(at(13)), "substitute": handler}
    second = {"post": handler, "since": instant(at(24)), "until": instant(at(32))}
    plan = {"unit": "town-east", "duties": [first, second]}
    assert (await desk.ask("PUT", "/roster", "chief", "town-east", plan)).status_code == 200
    await desk.turn(at(12))
    calls: list[tuple[str, str, dict[str, Any], int]] = [
        ("sign-on", "verifier", {}, 409),
        ("hand-over", "duty_officer", {"note": "n"}, 409),
        ("test-reachability", "chief", {"post": officer, "way": "call", "reached": True}, 200),
        ("cancel-duty", "chief", {"post": officer, "since": first["since"], "reason": "r"}, 409),
        ("cancel-duty", "chief", {"post": officer, "since": instant(at(2)), "reason": "r"}, 422),
        ("name-substitute", "handler", {"post": officer, "since": first["since"], "substitute": handler}, 422),
    ]
    for verb, role, body, status in calls:
        answer = await desk.ask("POST", f"/roster/{verb}", role, "town-east", {"unit": "town-east", **body})
        assert answer.status_code == status, (verb, answer.text)
    incident = opened(desk, hour=12)
    await desk.consume()
    body = (await desk.ask("GET", "/roster?unit=town-east", "duty_officer", "town-east")).json()
    assert [(one["cause"], one["since"], one["found_ahead"]) for one in body["gaps"]] == [
        ("not_signed_on", first["since"], None),
        ("not_planned", instant(at(36)), instant(at(12))),
    ]
    assert ([one["incident_id"] for one in body["held"]], body["on_duty"]) == ([incident], [])
    assert "sign-on" in body["may"] and "hand-over" not in body["may"]
    desk.clock.at = at(12.5)
    for verb, more in (("sign-on", {}), ("hand-over", {"note": "两件待核实"})):
        answer = await desk.ask("POST", f"/roster/{verb}", "duty_officer", "town-east", {"unit": "town-east", **more})
        assert answer.status_code == 200, answer.text
    body = (await desk.ask("GET", "/roster?unit=town-east", "duty_officer", "town-east")).json()
    (shift, _) = body["duties"]
    assert (shift["by"], shift["handed_to"], shift["note"], shift["open"]) == (officer, handler, "两件待核实", 1)
    assert (shift["incidents"], body["held"]) == ([incident], [])
    assert [one["reached"] for one in body["reachability"]] == [True]
    await desk.turn(at(40))
    body = (await desk.ask("GET", "/roster?unit=town-east", "duty_officer", "town-east")).json()
    assert [(one["ended"], one["note_missing"]) for one in body["duties"]] == [(True, False), (True, False)]
    assert next(one["found"] for one in body["gaps"] if one["since"] == instant(at(36))) == instant(at(40))
    assert (await desk.ask("GET", "/roster.ics?unit=town-east", "duty_officer", "town-west")).status_code == 403
    file = await desk.ask("GET", "/roster.ics?unit=town-east", "duty_officer", "town-east")
    assert file.headers["content-type"].startswith("text/calendar")
    entries = Calendar.from_ical(file.content).walk("VEVENT")
    assert [entry.decoded("dtstart") for entry in entries] == [at(1), at(24)]
    again = await desk.ask("GET", "/roster.ics?unit=town-east", "duty_officer", "town-east")
    assert [one["uid"] for one in Calendar.from_ical(again.content).walk("VEVENT")] == [one["uid"] for one in entries]


async def test_a_roster_is_read_from_a_time_on(desk: Desk) -> None:
    """So an answer does not grow for years. Who is on duty is said whatever is asked."""
    officer = "duty_officer@town-east"
    for day in (0, 40):
        desk.clock.at = at(0, day)
        shift = {"post": officer, "since": instant(at(1, day)), "until": instant(at(13, day))}
        plan = {"unit": "town-east", "duties": [shift]}
        assert (await desk.ask("PUT", "/roster", "chief", "town-east", plan)).status_code == 200
        desk.clock.at = at(1, day)
        signed = await desk.ask("POST", "/roster/sign-on", "duty_officer", "town-east", {"unit": "town-east"})
        assert signed.status_code == 200, signed.text
    for since, days in {"": [40], f"&since={instant(at(0))}": [0, 40], f"&since={instant(at(0, 41))}": []}.items():
        body = (await desk.ask("GET", f"/roster?unit=town-east{since}", "duty_officer", "town-east")).json()
        assert [one["since"] for one in body["duties"]] == [instant(at(1, day)) for day in days]
        assert (body["on_duty"], "hand-over" in body["may"]) == ([officer], True)
        file = await desk.ask("GET", f"/roster.ics?unit=town-east{since}", "duty_officer", "town-east")
        assert len(Calendar.from_ical(file.content).walk("VEVENT")) == len(days)
    assert (await desk.ask("GET", "/roster?unit=town-east&since=yesterday", "handler", "town-east")).status_code == 422


@pytest.mark.requirement("PUB-11")
async def test_only_material_that_is_signed_and_sealed_is_accepted_and_meets_a_limit(desk: Desk) -> None:
    id_ = opened(desk)
    for hour, signed, sealed in ((1, True, False), (2, False, True), (3, True, True)):
        fact = triage.IncidentMaterialReceived(unit="county-water", signed=signed, sealed=sealed)
        desk.tell(id_, fact, at(hour))
    await desk.consume()
    told = [event.data for event in await desk.events(id_.replace("incident", "clock"))]
    accepted = [data.happened_at for data in told if getattr(data, "milestone", None) == "material_received"]
    assert accepted == [at(3)]
