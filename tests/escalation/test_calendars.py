"""Limits in working days when the calendar changes: nothing vanishes, and nothing is breached in the past."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest

from schemas import escalation as e
from schemas import triage
from schemas.fields import Typed
from schemas.offices import UnitDaysSet
from schemas.pack.clocks import Limit
from services.kernel.core.days import OwnDays, Span
from services.kernel.core.units import Offices
from services.kernel.rules import calendars
from tests.escalation.conftest import Desk
from tests.escalation.incident import DAY, OFFICES, PACK, Incident, at, opened, reached

SHANGHAI = ZoneInfo("Asia/Shanghai")
DECEMBER = datetime(2026, 12, 10, 10, tzinfo=SHANGHAI)


def counting(limit: Limit, offices: Offices = OFFICES) -> Offices:
    """The offices, under a pack whose explanation has this limit."""
    clocks = tuple(
        clock.model_copy(update={"limit": limit}) if clock.name == "explanation" else clock
        for clock in PACK.model.clocks
    )
    pack = replace(PACK, model=PACK.model.model_copy(update={"clocks": clocks}))
    return replace(offices, packs={PACK.ref: pack})


def working_days(days: int, **more: str) -> Limit:
    return Limit.model_validate({"mode": "working_days", "days": days, **more})


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A calendar whose next announcement a test makes up."""
    calendars._national.cache_clear()
    yield monkeypatch
    calendars._national.cache_clear()


def announce(announced: pytest.MonkeyPatch, *free: date) -> None:
    """All later years are announced: weekends and these days are free."""
    announced.setattr(chinese_calendar, "is_workday", lambda day: day.weekday() < 5 and day not in free)
    calendars._national.cache_clear()


def unknown(announced: pytest.MonkeyPatch) -> None:
    """Nobody has announced the days after 2026."""
    known = chinese_calendar.is_workday

    def is_workday(day: date) -> bool:
        if day.year > 2026:
            raise NotImplementedError
        return bool(known(day))

    announced.setattr(chinese_calendar, "is_workday", is_workday)
    calendars._national.cache_clear()


def in_december(announced: pytest.MonkeyPatch) -> Incident:
    unknown(announced)
    return Incident(offices=counting(working_days(20))).hear(opened(DECEMBER.astimezone(UTC)))


def due(incident: Incident) -> e.ClockStarted:
    return incident.state.clocks["explanation"].started


def january(day: int, hour: int = 0) -> datetime:
    return datetime(2027, 1, day, hour, tzinfo=SHANGHAI)


def test_a_limit_that_reaches_a_year_that_nobody_announced_is_provisional(announced: pytest.MonkeyPatch) -> None:
    found = due(in_december(announced))
    assert (found.due, found.provisional, found.counts_work) == (january(9), True, True)


def test_it_is_derived_anew_when_the_year_is_announced(announced: pytest.MonkeyPatch) -> None:
    incident = in_december(announced)
    announce(announced, date(2027, 1, 1), date(2027, 1, 4))
    incident.detect(DECEMBER.astimezone(UTC) + timedelta(days=3))
    assert (due(incident).due, due(incident).provisional) == (january(12), False)
    assert [fact.clock for fact in incident.did] == ["explanation", "transfer"][: len(incident.did)]
    assert not incident.of(e.ClockCancelled)


def test_a_due_that_becomes_earlier_counts_if_it_has_not_passed(announced: pytest.MonkeyPatch) -> None:
    incident = in_december(announced)
    announce(announced)
    incident.detect(january(4).astimezone(UTC))
    assert due(incident).due == january(8)


def test_a_due_that_becomes_earlier_breaches_nothing_in_the_past(announced: pytest.MonkeyPatch) -> None:
    incident = in_december(announced)
    announce(announced)
    incident.detect(january(8, 12).astimezone(UTC))
    assert (due(incident).due, due(incident).provisional) == (january(9), False)
    assert "explanation" not in incident.breaches()
    incident.hear(reached("solved", january(8, 13).astimezone(UTC)))
    assert incident.state.clocks["explanation"].met_at == january(8, 13)
    assert [met.late for met in incident.of(e.ClockMet) if met.clock == "explanation"] == [False]
    assert "explanation" not in incident.detect(january(9, 12).astimezone(UTC)).breaches()


def test_a_due_that_becomes_later_takes_its_breach_back(announced: pytest.MonkeyPatch) -> None:
    incident = in_december(announced).detect(january(9, 1).astimezone(UTC))
    assert "explanation" in incident.breaches()
    announce(announced, date(2027, 1, 1), date(2027, 1, 4))
    incident.detect(january(9, 2).astimezone(UTC))
    assert "explanation" not in incident.breaches()
    assert due(incident).due == january(12)


def test_a_units_own_days_move_its_limits() -> None:
    incident = Incident(offices=counting(working_days(2))).hear(opened(at(0)))
    assert due(incident).due == at(16, day=2)
    holiday = OwnDays((Span(date(2026, 3, 3), date(2026, 3, 3), "free"),))
    incident.offices = replace(incident.offices, days={"county": holiday})
    assert due(incident.detect(at(3))).due == at(16, day=3)
    back = OwnDays((Span(date(2026, 3, 3), date(2026, 3, 3), "working"), *holiday.spans))
    incident.offices = replace(incident.offices, days={"county": back})
    assert due(incident.detect(at(4))).due == at(16, day=2)


@pytest.mark.parametrize(
    ("limit", "late"), [(Limit(mode="end_of_day"), True), (Limit(mode="elapsed", duration=timedelta(hours=16)), False)]
)
def test_at_midnight_the_day_is_over_and_sixteen_hours_are_not(limit: Limit, late: bool) -> None:
    incident = Incident(offices=counting(limit)).hear(opened(at(0)), reached("solved", at(16)))
    assert due(incident).due == at(16)
    (met,) = incident.of(e.ClockMet)
    assert met.late is late
    assert ("explanation" in incident.detect(at(17)).breaches()) is late


async def test_the_loop_applies_new_days_to_clocks_that_run(desk: Desk) -> None:
    desk.runtime.packs.update(counting(working_days(2)).packs)
    incident = "incident-" + "0" * 8 + "-0000-5000-8000-" + "0" * 12
    report = incident.replace("incident", "report")
    desk.tell(incident, triage.IncidentOpened(unit="town-east", report=report, discovered_at=DAY), at(0))
    await desk.consume()
    assert (await desk.clocks(incident))["explanation"]["due"] == "2026-03-04T16:00:00.000000Z"
    said = UnitDaysSet(unit="county", since="2026-03-03", until="2026-03-03", days="free", reason=Typed(text="r"))
    desk.tell("unit-" + incident.partition("-")[2], said, at(1), unit="county")
    await desk.consume()
    await desk.turn(at(2))
    assert (await desk.clocks(incident))["explanation"]["due"] == "2026-03-05T16:00:00.000000Z"
