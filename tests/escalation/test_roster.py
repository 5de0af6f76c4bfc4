"""A unit's desk: its roster, who is on duty, and the gaps."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from icalendar import Calendar

from schemas import escalation as e
from schemas import triage
from schemas.pack import PolicyPack
from schemas.pack.office import Roster
from services.escalation.commands import (
    CancelDuty,
    Duty,
    HandOver,
    HoldReport,
    NameSubstitute,
    PlanDuties,
    ReviewRoster,
    SignOn,
    TestReachability,
)
from services.escalation.duty import calendar, coverage
from services.escalation.duty import roster as rules
from services.escalation.duty.coverage import Span
from services.kernel.core.decider import SYSTEM
from services.kernel.core.problems import Forbidden, Malformed, Problem, Rejected
from services.kernel.core.units import SpecialPeriod
from services.kernel.rules.packs import load_pack
from tests.escalation.conftest import Desk as Service
from tests.escalation.incident import OFFICES, PACK, at
from tests.kit import spec
from tests.kit.spec import POLICIES, staff

UNIT, OFFICER, HANDLER = "town-east", "duty_officer@town-east", "handler@town-east"
MATTER, REPORT = f"incident-{spec.UUID}", f"report-{spec.UUID}"
SOURCE = {"kind": "derived", "reason": "of these tests"}


def duty(since: float, until: float, post: str = OFFICER, substitute: str | None = None) -> Duty:
    return Duty(post=post, since=at(since), until=at(until), substitute=substitute)


class Desk:
    """A roster stream and the time at it."""

    def __init__(self, **offices: Any) -> None:
        self.offices = replace(OFFICES, **offices)
        self.past: list[Any] = []
        self.seen: dict[str, Any] = {}

    def do(self, command: Any, hour: float, actor: Any = None) -> list[Any]:
        events = spec.events("roster", [fact for _, fact in self.past])
        state = rules.initial_state()
        for (recorded, _), event in zip(self.past, events, strict=True):
            state = rules.evolve(state, _at(event, recorded))
        ctx = replace(
            spec.ctx(actor=actor) if actor else spec.ctx(), now=at(hour), offices=self.offices, seen=self.seen
        )
        made = [getattr(one, "data", one) for one in rules.decide(state, command, ctx)]
        self.past += [(at(hour), one) for one in made]
        return made

    def watch(self, hour: float) -> list[Any]:
        return self.do(ReviewRoster(unit=UNIT), hour, SYSTEM)


def _at(event: Any, recorded: datetime) -> Any:
    return SimpleNamespace(data=event.data, recorded=recorded)


def pack(hours: str | None = "PT12H", windows: Iterable[tuple[str, str]] = (), special: str = "PT24H") -> PolicyPack:
    roster = {
        "coverage": {"value": hours, "source": SOURCE} if hours else {"source": {**SOURCE, "kind": "unset"}},
        "windows": [{"from": begin, "to": end} for begin, end in windows],
        "special": [{"period": "special", "hours": special, "source": SOURCE}],
        "outside_hours": {"value": "arrival", "source": SOURCE},
    }
    return PACK.model.model_copy(update={"roster": Roster.model_validate(roster)})


def gaps(
    model: PolicyPack, *planned: tuple[float, float], periods: Any = (), hours: float = 16
) -> list[tuple[float, float]]:
    """Hours since 08:00 of the zone. The day ends at 16."""
    during = Span(at(-8), at(hours))
    found = coverage.gaps(model, periods, [Span(at(begin), at(end)) for begin, end in planned], during)
    return [tuple((one - at(0)) / timedelta(hours=1) for one in span) for span in found]  # type: ignore[misc]


@pytest.mark.requirement("ING-05")
class TestCoverage:
    def test_twelve_hours_of_a_day_at_any_time(self) -> None:
        assert gaps(pack(), (0, 12)) == []
        assert gaps(pack(), (0, 8)) == [(12, 16)], "the last hours that could still be planned"
        assert gaps(pack(), (0, 4), (12, 16)) == [(8, 12)]
        assert gaps(pack()) == [(4, 16)]

    def test_a_window_is_covered_from_its_begin_to_its_end(self) -> None:
        model = pack(windows=[("08:00", "20:00")])
        assert gaps(model, (0, 12)) == []
        assert gaps(model, (1, 6), (6, 11)) == [(0, 1), (11, 12)]

    def test_round_the_clock_in_a_special_period_until_its_end(self) -> None:
        mass_event = SpecialPeriod("special", at(10), None, "county")
        assert gaps(pack(), (0, 12), periods=[mass_event]) == [(12, 16)]
        ended = replace(mass_event, until=at(14))
        assert gaps(pack(), (0, 12), periods=[ended]) == [(12, 14)]
        assert gaps(pack(), (0, 12), periods=[replace(mass_event, code="other")]) == []

    def test_a_pack_that_leaves_the_hours_open_asks_only_in_special_periods(self) -> None:
        assert gaps(pack(None)) == []
        assert gaps(pack(None), (0, 6), periods=[SpecialPeriod("special", at(0), at(10))]) == [(6, 10)]
        assert gaps(PACK.model.model_copy(update={"roster": None})) == []


class TestPlan:
    def test_it_is_corrected_before_it_begins_and_not_after(self) -> None:
        desk, chief = Desk(), staff("chief", unit=UNIT)
        (planned,) = desk.do(PlanDuties(unit=UNIT, duties=(duty(4, 8),)), 0, chief)
        assert (planned.post, planned.until) == (OFFICER, at(8))
        assert desk.do(PlanDuties(unit=UNIT, duties=(duty(4, 8),)), 1, chief) == []
        (longer,) = desk.do(PlanDuties(unit=UNIT, duties=(duty(4, 10),)), 3, chief)
        assert longer.until == at(10)
        for command in (
            PlanDuties(unit=UNIT, duties=(duty(4, 12),)),
            CancelDuty(unit=UNIT, post=OFFICER, since=at(4), reason="r"),
        ):
            with pytest.raises(Rejected, match="has begun"):
                desk.do(command, 5, chief)
        (cancelled,) = desk.do(CancelDuty(unit=UNIT, post=OFFICER, since=at(4), reason="r"), 3.5, chief)
        assert cancelled.until == at(10)
        with pytest.raises(Problem, match="no duty of"):
            desk.do(CancelDuty(unit=UNIT, post=OFFICER, since=at(4), reason="r"), 3.6, chief)

    def test_a_duty_that_was_taken_up_early_is_not_planned_anew(self) -> None:
        desk, chief = Desk(), staff("chief", unit=UNIT)
        desk.do(PlanDuties(unit=UNIT, duties=(duty(4, 8),)), 0, chief)
        desk.do(SignOn(unit=UNIT), 3.5, staff("duty_officer", unit=UNIT))
        for command in (
            PlanDuties(unit=UNIT, duties=(duty(4, 12),)),
            CancelDuty(unit=UNIT, post=OFFICER, since=at(4), reason="r"),
        ):
            with pytest.raises(Rejected, match="was taken up"):
                desk.do(command, 3.6, chief)

    @pytest.mark.parametrize("post", ["handler@town-west", "leading_group@county"])
    def test_a_post_that_could_not_sign_on_is_not_planned(self, post: str) -> None:
        desk, chief = Desk(), staff("chief", unit=UNIT)
        desk.do(PlanDuties(unit=UNIT, duties=(duty(4, 8, "duty_officer@county"),)), 0, chief)
        for command in (
            PlanDuties(unit=UNIT, duties=(duty(4, 8, post),)),
            PlanDuties(unit=UNIT, duties=(duty(4, 8, OFFICER, post),)),
            NameSubstitute(unit=UNIT, post="duty_officer@county", since=at(4), substitute=post, reason="r"),
        ):
            with pytest.raises(Malformed, match="could not sign on"):
                desk.do(command, 1, chief)
        (signed,) = desk.do(SignOn(unit=UNIT), 4, staff("duty_officer", unit="county"))
        assert signed.by == "duty_officer@county"

    def test_a_plan_with_a_wrong_year_is_refused(self) -> None:
        desk, chief = Desk(), staff("chief", unit=UNIT)
        last = datetime(9999, 12, 31, 23, 50, tzinfo=UTC)
        for wrong in (
            Duty(post=OFFICER, since=last, until=last + timedelta(minutes=9)),
            Duty(post=OFFICER, since=at(4), until=at(4) + timedelta(days=365)),
        ):
            with pytest.raises(Malformed, match="days"):
                desk.do(PlanDuties(unit=UNIT, duties=(wrong,)), 0, chief)

    def test_one_post_has_no_two_duties_at_a_time_and_several_posts_may(self) -> None:
        desk, chief = Desk(), staff("chief", unit=UNIT)

        def plans(hour: float, *duties: Duty) -> int:
            return len(desk.do(PlanDuties(unit=UNIT, duties=duties), hour, chief))

        assert plans(0, duty(4, 12), duty(12, 20), duty(4, 12, HANDLER, substitute=OFFICER)) == 3
        for again in (duty(3, 5), duty(5, 6), duty(11, 13), duty(1, 24)):
            with pytest.raises(Rejected, match=f"{OFFICER} has a duty from"):
                plans(1, again)
        with pytest.raises(Rejected, match="has a duty"):
            plans(1, duty(21, 23), duty(22, 24))
        assert plans(1, duty(4, 8), duty(8, 12)) == 2, "one is cut, another one fills the rest"
        desk.do(SignOn(unit=UNIT), 4, staff("duty_officer", unit=UNIT))
        desk.do(HandOver(unit=UNIT, note="n"), 5, staff("duty_officer", unit=UNIT))
        assert plans(5.5, duty(6, 8)) == 1, "it was handed over"

    def test_only_planners_of_the_unit_or_above_plan(self) -> None:
        for actor in (staff("handler", unit=UNIT), staff("chief", unit="town-west")):
            with pytest.raises(Forbidden):
                Desk().do(PlanDuties(unit=UNIT, duties=(duty(4, 8),)), 0, actor)


class TestOnDuty:
    def desk(self) -> Desk:
        made = Desk()
        made.do(PlanDuties(unit=UNIT, duties=(duty(0, 12), duty(12, 24, HANDLER))), -1, staff("chief", unit=UNIT))
        return made

    def test_the_planned_post_signs_on_and_hands_over_with_a_note_and_what_is_open(self) -> None:
        desk, officer = self.desk(), staff("duty_officer", unit=UNIT)
        with pytest.raises(Rejected, match="no duty at"):
            desk.do(SignOn(unit=UNIT), -1.5, officer)
        with pytest.raises(Rejected, match="is not on duty"):
            desk.do(HandOver(unit=UNIT, note="n"), 0, officer)
        (signed,) = desk.do(SignOn(unit=UNIT), -0.5, officer)
        assert (signed.by, signed.since) == (OFFICER, at(0))
        with pytest.raises(Rejected, match="no duty at"):
            desk.do(SignOn(unit=UNIT), 0, officer)
        desk.seen = {"open": 2, "incidents": (MATTER,)}
        (handed,) = desk.do(HandOver(unit=UNIT, note="n"), 11, officer)
        assert (handed.to, handed.open, handed.incidents, handed.note.text) == (HANDLER, 2, (MATTER,), "n")

    def test_a_substitute_signs_on_and_nobody_else(self) -> None:
        desk, handler = self.desk(), staff("handler", unit=UNIT)
        with pytest.raises(Rejected):
            desk.do(SignOn(unit=UNIT), 1, handler)
        named = NameSubstitute(unit=UNIT, post=OFFICER, since=at(0), substitute=HANDLER, reason="r")
        desk.do(named, 1, staff("chief", unit=UNIT))
        (signed,) = desk.do(SignOn(unit=UNIT), 1, handler)
        assert (signed.post, signed.by) == (OFFICER, HANDLER)
        with pytest.raises(Rejected, match="needs no substitute"):
            desk.do(named, 1, staff("chief", unit=UNIT))

    def test_what_comes_while_nobody_is_on_duty_is_held_for_the_next_and_the_head_is_told(self) -> None:
        desk, officer = self.desk(), staff("duty_officer", unit=UNIT)

        def comes(hour: float, matter: str = MATTER) -> list[Any]:
            return desk.do(HoldReport(unit=UNIT, incident=matter, report=REPORT, at=at(hour)), hour)

        (held,) = comes(0.2)
        assert (held.incident, held.told) == (MATTER, desk.offices.head(UNIT))
        assert comes(0.3) == [], "it waits already"
        (signed,) = desk.do(SignOn(unit=UNIT), 0.5, officer)
        assert signed.held == (MATTER,)
        assert comes(1) == []
        desk.do(HandOver(unit=UNIT, note="n"), 11, officer)
        assert len(comes(11.5)) == 1
        assert Desk().do(HoldReport(unit=UNIT, incident=MATTER, report=REPORT, at=at(0)), 0) == [], "no desk"

    def test_a_report_of_which_the_desk_hears_late_is_not_held_from_the_post_that_is_there(self) -> None:
        desk = self.desk()
        desk.do(SignOn(unit=UNIT), 0.5, staff("duty_officer", unit=UNIT))
        assert desk.do(HoldReport(unit=UNIT, incident=MATTER, report=REPORT, at=at(0.2)), 0.6) == []

    def test_what_was_more_than_one_post_could_take_waits_for_the_next(self) -> None:
        shift = rules.Shift(OFFICER, at(0), at(12))
        matters = tuple(f"incident-{spec.UUID[:-4]}{number:04}" for number in range(501))
        state = rules.State(began=at(-9), shifts={(OFFICER, at(0)): shift}, held=matters)
        ctx = replace(spec.ctx(actor=staff("duty_officer", unit=UNIT)), now=at(1), offices=OFFICES)
        (signed,) = rules.decide(state, SignOn(unit=UNIT), ctx)
        assert isinstance(signed, e.RosterSignedOn)
        (event,) = spec.events("roster", [signed])
        assert (len(signed.held), rules.evolve(state, event).held) == (500, matters[500:])

    def test_a_duty_can_be_handed_over_shortly_after_its_end(self) -> None:
        desk, officer = self.desk(), staff("duty_officer", unit=UNIT)
        desk.do(SignOn(unit=UNIT), 0, officer)
        desk.do(SignOn(unit=UNIT), 12, staff("handler", unit=UNIT))
        assert not [one for one in desk.watch(12.1) if isinstance(one, e.RosterDutyEnded)]
        desk.do(HandOver(unit=UNIT, note="n"), 12.2, officer)
        (ended,) = [one for one in desk.watch(12.3) if isinstance(one, e.RosterDutyEnded)]
        assert (ended.post, ended.until, ended.note_missing) == (OFFICER, at(12), False)
        with pytest.raises(Rejected, match="is not on duty"):
            desk.do(HandOver(unit=UNIT, note="n"), 24.5, staff("handler", unit=UNIT))

    def test_a_duty_is_missed_at_the_very_end_of_its_time_of_grace(self) -> None:
        causes = [getattr(one, "cause", "") for one in self.desk().watch(0.25)]
        assert "not_signed_on" in causes

    def test_a_duty_that_nobody_takes_up_is_a_gap_and_the_end_without_a_note_is_recorded(self) -> None:
        desk = self.desk()
        assert not [one for one in desk.watch(0.2) if getattr(one, "cause", "") == "not_signed_on"]
        (late,) = [one for one in desk.watch(0.3) if getattr(one, "cause", "") == "not_signed_on"]
        assert (late.post, late.since, late.until, late.ahead) == (OFFICER, at(0), at(12), False)
        assert not [one for one in desk.watch(0.4) if getattr(one, "cause", "") == "not_signed_on"], "once"
        desk.do(SignOn(unit=UNIT), 12, staff("handler", unit=UNIT))
        ends = [one for one in desk.watch(24.5) if isinstance(one, e.RosterDutyEnded)]
        assert [(one.post, one.signed_on, one.note_missing) for one in ends] == [
            (OFFICER, False, False),
            (HANDLER, True, True),
        ]
        assert not [one for one in desk.watch(24.6) if isinstance(one, e.RosterDutyEnded)]

    @pytest.mark.requirement("ESC-17")
    def test_a_duty_post_is_tested_for_being_reachable(self) -> None:
        test = TestReachability(unit=UNIT, post=OFFICER, way="call", reached=False)
        (tested,) = self.desk().do(test, 1, staff("chief", unit="county"))
        assert (tested.post, tested.way, tested.reached) == (OFFICER, "call", False)


def found(events: Iterable[Any]) -> list[tuple[float, float, bool]]:
    def hour(instant: datetime) -> float:
        return (instant - at(0)) / timedelta(hours=1)

    gaps = (one for one in events if isinstance(one, e.RosterDutyGapFound) and one.cause == "not_planned")
    return [(hour(one.since), hour(one.until), one.ahead) for one in gaps]


@pytest.mark.requirement("ING-05")
class TestGaps:
    def test_a_gap_is_found_a_day_ahead_and_again_when_it_begins(self) -> None:
        desk = Desk(officers={UNIT: HANDLER})
        desk.do(PlanDuties(unit=UNIT, duties=(duty(1, 13), duty(25, 33))), 0, staff("chief", unit=UNIT))
        assert found(desk.watch(0)) == []
        assert found(desk.watch(11.9)) == []
        (gap,) = desk.watch(12)
        assert found([gap]) == [(36, 40, True)]
        assert gap.told == (desk.offices.head(UNIT), HANDLER)
        assert found(desk.watch(20)) == []
        began = desk.watch(36)
        assert (36, 40, False) in found(began)
        assert (36, 40, False) not in found(desk.watch(37))

    def test_a_plan_closes_a_gap_before_it_begins(self) -> None:
        desk, chief = Desk(), staff("chief", unit=UNIT)
        desk.do(PlanDuties(unit=UNIT, duties=(duty(1, 13), duty(25, 33))), 0, chief)
        desk.watch(12)
        desk.do(PlanDuties(unit=UNIT, duties=(duty(33, 38),)), 14, chief)
        (closed,) = [one for one in desk.watch(15) if isinstance(one, e.RosterDutyGapClosed)]
        assert (closed.since, closed.until) == (at(36), at(40))
        assert (36, 40, False) not in found(desk.watch(36))

    def test_a_duty_of_a_post_that_is_in_no_directory_any_more_is_a_gap_until_somebody_replaces_it(self) -> None:
        desk, chief = Desk(), staff("chief", unit=UNIT)
        desk.do(PlanDuties(unit=UNIT, duties=(duty(1, 13), duty(13, 14, HANDLER), duty(25, 37, HANDLER))), 0, chief)
        for verb, hour in ((SignOn(unit=UNIT), 1), (HandOver(unit=UNIT, note="n"), 13)):
            desk.do(verb, hour, staff("duty_officer", unit=UNIT))
        assert found(desk.watch(14)) == []
        here = {code: post for code, post in desk.offices.posts[UNIT].items() if code != "handler"}
        desk.offices = replace(desk.offices, posts={**desk.offices.posts, UNIT: here})
        assert found(desk.watch(15)) == [(28, 40, True)], "what is over stays as it was"
        named = NameSubstitute(unit=UNIT, post=HANDLER, since=at(25), substitute=OFFICER, reason="r")
        desk.do(named, 16, chief)
        assert [one for one in desk.watch(17) if isinstance(one, e.RosterDutyGapClosed)]

    def test_a_gap_that_a_plan_fills_in_part_is_found_anew(self) -> None:
        desk, chief = Desk(), staff("chief", unit=UNIT)
        desk.do(PlanDuties(unit=UNIT, duties=(duty(1, 13), duty(25, 33))), 0, chief)
        desk.watch(12)
        desk.do(PlanDuties(unit=UNIT, duties=(duty(38, 40),)), 14, chief)
        (gap, closed) = [one for one in desk.watch(15) if not isinstance(one, e.RosterDutyEnded) and one.since > at(24)]
        assert (found([gap]), closed.since, closed.until) == ([(36, 38, True)], at(36), at(40))
        assert found(desk.watch(16)) == []

    def test_a_mass_event_asks_for_duty_round_the_clock_until_it_is_over(self) -> None:
        desk, chief = Desk(), staff("chief", unit=UNIT)
        desk.do(PlanDuties(unit=UNIT, duties=(duty(0, 12), duty(24, 36))), -1, chief)
        assert found(desk.watch(0)) == []
        mass_event = SpecialPeriod("special", at(2), None, "county")
        desk.offices = replace(desk.offices, periods=(mass_event,))
        assert (12, 16, True) in found(desk.watch(2))
        desk.offices = replace(desk.offices, periods=(replace(mass_event, until=at(11)),))
        assert (12, 16, False) not in found(desk.watch(12))

    def test_a_declared_mass_event_opens_duty_until_its_end_where_the_document_says_so(
        self,
    ) -> None:
        bureau = load_pack(POLICIES / "bureau-004.yaml")
        desk, chief = Desk(assigned={"city": bureau.ref}, packs={bureau.ref: bureau}), staff("chief", unit=UNIT)
        desk.do(PlanDuties(unit=UNIT, duties=(duty(4, 8),)), 0, chief)
        assert found(desk.watch(1)) == [], "the document leaves the usual hours open"
        desk.offices = replace(desk.offices, periods=(SpecialPeriod("mass_event", at(2), at(12), "county"),))
        assert found(desk.watch(2)) == [(2, 4, False), (8, 12, True)]
        assert found(desk.watch(8)) == [(8, 12, False)]
        assert found(desk.watch(13)) == []

    def test_after_a_downtime_a_gap_is_recorded_with_its_own_time(self) -> None:
        desk = Desk()
        desk.do(PlanDuties(unit=UNIT, duties=(duty(1, 13), duty(25, 33))), 0, staff("chief", unit=UNIT))
        assert (36, 40, False) in found(desk.watch(45))

    def test_a_unit_without_a_desk_owes_none(self) -> None:
        assert Desk().watch(0) == []

    @pytest.mark.requirement("ING-04")
    def test_a_desk_begins_with_its_information_officer(self) -> None:
        assert found(Desk(officers={UNIT: HANDLER}).watch(0)) == [(4, 16, True)]

    def test_it_says_when_to_look_again(self) -> None:
        desk = Desk()
        desk.do(PlanDuties(unit=UNIT, duties=(duty(1, 13), duty(25, 33))), 0, staff("chief", unit=UNIT))
        state = rules.initial_state()
        for (recorded, fact), event in zip(
            desk.past, spec.events("roster", [one for _, one in desk.past]), strict=True
        ):
            assert fact is not None
            state = rules.evolve(state, _at(event, recorded))
        ctx = replace(spec.ctx(), now=at(1.5), offices=desk.offices)
        assert rules.wakes(state, UNIT, ctx) == at(12), "when a gap comes into sight"


async def test_a_desk_that_cannot_be_looked_at_holds_up_no_other(
    desk: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.clock.at, known = at(-1), rules.missing
    for unit in ("town-east", "town-west"):
        shift = {"post": f"duty_officer@{unit}", "since": at(0).isoformat(), "until": at(1).isoformat()}
        planned = await desk.ask("PUT", "/roster", "chief", unit, json={"unit": unit, "duties": [shift]})
        assert planned.status_code == 200, planned.text

    def fails(state: rules.State, unit: str, ctx: Any) -> list[Span]:
        if unit == "town-east":
            raise OverflowError("date value out of range")
        return known(state, unit, ctx)

    monkeypatch.setattr(rules, "missing", fails)
    await desk.turn(at(2))
    assert [(row["unit"], row["cause"]) for row in await desk.rows("duty_gaps", cause="not_signed_on")] == [
        ("town-west", "not_signed_on")
    ]


async def test_a_split_at_night_holds_no_report(desk: Service) -> None:
    desk.clock.at = at(-1)
    shift = {"post": OFFICER, "since": at(0).isoformat(), "until": at(1).isoformat()}
    assert (await desk.ask("PUT", "/roster", "chief", UNIT, json={"unit": UNIT, "duties": [shift]})).status_code == 200
    for name, split_from in (("0", None), ("1", f"incident-{spec.UUID[:-1]}0")):
        opened = triage.IncidentOpened(unit=UNIT, report=REPORT, discovered_at=at(2), split_from=split_from)
        desk.tell(f"incident-{spec.UUID[:-1]}{name}", opened, at(3))
    await desk.consume()
    assert [row["incident_id"][-1] for row in await desk.rows("held_reports")] == ["0"]


async def test_a_hand_over_lists_what_the_unit_answers_for_and_what_it_handles(desk: Service) -> None:
    desk.clock.at = at(-1)
    shifts = [{"post": OFFICER, "since": at(since).isoformat(), "until": at(since + 2).isoformat()} for since in (0, 2)]
    assert (await desk.ask("PUT", "/roster", "chief", UNIT, json={"unit": UNIT, "duties": shifts})).status_code == 200
    for name, unit in (("0", UNIT), ("1", "county"), ("2", "county")):
        opened = triage.IncidentOpened(unit=unit, report=REPORT, discovered_at=at(-1))
        desk.tell(f"incident-{spec.UUID[:-1]}{name}", opened, at(-1), unit=unit)
    desk.tell(f"incident-{spec.UUID[:-1]}1", triage.IncidentAssigned(unit=UNIT), at(-1), unit="county")
    await desk.consume()
    desk.clock.at = at(0.5)
    for verb, more in (("sign-on", {}), ("hand-over", {"note": "n"})):
        answer = await desk.ask("POST", f"/roster/{verb}", "duty_officer", UNIT, json={"unit": UNIT, **more})
        assert answer.status_code == 200, answer.text
    [first] = [row for row in await desk.rows("roster") if row["handed_over"]]
    assert (first["open"], [one[-1] for one in first["incidents"].split()]) == (2, ["0", "1"])


def test_a_calendar_shows_who_is_there_and_until_when() -> None:
    planned = rules.Shift(OFFICER, at(0), at(12), substitute=HANDLER)
    shifts = (
        planned,
        planned._replace(since=at(12), until=at(24), by=HANDLER, signed_on=at(12), handed_over=at(20)),
        planned._replace(since=at(24), until=at(36), by=OFFICER, signed_on=at(24), handed_over=at(36.2)),
        planned._replace(since=at(36), until=at(48), by=OFFICER, signed_on=at(35.5), handed_over=at(35.8)),
    )
    entries = Calendar.from_ical(calendar.of_roster(UNIT, shifts, OFFICES, at(40))).walk("VEVENT")
    shown = [(entry.decoded("dtend"), str(entry["summary"]), str(entry.get("description", ""))) for entry in entries]
    officer, handler = (calendar._title(post, OFFICES) for post in (OFFICER, HANDLER))
    assert shown == [
        (at(12), f"值班：{officer}", f"替班：{handler}"),
        (at(20), f"值班：{handler}", f"原定：{officer}"),
        (at(36), f"值班：{officer}", ""),
    ]


def test_a_duty_that_was_handed_over_after_its_end_took_no_time_from_the_next_one() -> None:
    desk, chief = Desk(), staff("chief", unit=UNIT)
    plan = PlanDuties(unit=UNIT, duties=(duty(0, 12), duty(12, 24)))
    desk.do(plan, -1, chief)
    desk.do(SignOn(unit=UNIT), 0, staff("duty_officer", unit=UNIT))
    desk.do(HandOver(unit=UNIT, note="n"), 12.2, staff("duty_officer", unit=UNIT))
    assert desk.do(plan, 12.3, chief) == [], "the same plan again"


def test_a_duty_is_handed_over_to_the_next_one_and_not_to_a_post_that_was_there_all_the_time() -> None:
    desk, leader = Desk(), "chief@town-east"
    planned = (duty(0, 12), duty(0, 24, leader), duty(12, 24, HANDLER))
    desk.do(PlanDuties(unit=UNIT, duties=planned), -1, staff("chief", unit=UNIT))
    desk.do(SignOn(unit=UNIT), 0, staff("duty_officer", unit=UNIT))
    desk.do(SignOn(unit=UNIT), 0, staff("chief", unit=UNIT))
    (handed,) = desk.do(HandOver(unit=UNIT, note="n"), 11.9, staff("duty_officer", unit=UNIT))
    assert handed.to == HANDLER
