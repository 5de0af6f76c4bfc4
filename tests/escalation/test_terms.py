"""What moves, starts and charges a clock besides its milestones."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from schemas import escalation as e
from schemas.pack import PolicyPack
from schemas.pack.clocks import Limit, Rung, Workday
from schemas.pack.office import Coverage, Roster
from schemas.pack.source import Duration
from schemas.triage import IncidentCategorized
from services.escalation.clock.clocks import Clock, derive
from services.escalation.clock.milestones import is_carried
from services.escalation.clock.terms import Deferral, Moved, Nature, Pause, SpecialPeriod, Terms, applies
from services.escalation.commands import AnnulBreach, RecordMilestones
from services.escalation.reactions import milestones_of
from services.kernel.core.days import OwnDays, Span
from services.kernel.core.ids import derived
from tests.escalation.incident import PACK, Incident, at, graded, opened, reached
from tests.escalation.test_calendars import counting, working_days
from tests.escalation.test_clocks import GENERAL, MAJOR, with_clocks
from tests.escalation.test_limits import matter
from tests.kit import spec
from tests.kit.spec import staff

SOURCE = {"kind": "derived", "reason": "of these tests"}
OPEN = Limit.model_validate({"source": {"kind": "unset", "document": "000", "clause": "L1"}})
ROADS = reached("assigned", at(1), unit="county-roads")


def clocks(*commands: RecordMilestones, pack: PolicyPack = PACK.model, **terms: Any) -> dict[str, Clock]:
    return {one.name: one for one in derive([m for c in commands for m in c.milestones], pack, Terms(**terms))}


def elapsed(hours: float) -> Limit:
    return Limit(mode="elapsed", duration=timedelta(hours=hours))


def with_ladder(*rungs: Any) -> Incident:
    incident = Incident(offices=counting(elapsed(24)))
    pack = next(iter(incident.offices.packs.values()))
    ladder = tuple(
        Rung.model_validate({"rung": name, "after": after, "tells": ["unit"], "source": SOURCE})
        for name, after in rungs
    )
    object.__setattr__(pack, "model", pack.model.model_copy(update={"ladder": ladder}))
    return incident


class TestWhoIsCharged:
    PACK_ = with_clocks(explanation={"charged": "assigned"})

    def charged(self, *commands: RecordMilestones) -> str:
        return clocks(opened(at(0)), GENERAL, *commands, pack=self.PACK_)["explanation"].unit

    def test_the_unit_that_handled_it_when_it_fell_due(self) -> None:
        assert self.charged(ROADS) == "county-roads"
        assert self.charged(ROADS, reached("assigned", at(30), unit="county-water")) == "county-roads"
        assert self.charged(ROADS, reached("assigned", at(20), unit="county-water")) == "county-water"

    def test_the_accountable_unit_where_nobody_handled_it(self) -> None:
        assert self.charged() == "town-east"
        assert self.charged(reached("assigned", at(30), unit="county-roads")) == "town-east"
        assert self.charged(ROADS, reached("returned", at(3), unit="county-roads")) == "town-east"


class TestAnAnswerKindThatNobodyChose:
    PACK_ = with_clocks(
        interim_reply={"answer_kinds": ("answer",), "limit": elapsed(9)},
        public_statement={"answer_kinds": ("status",), "limit": elapsed(5)},
    )

    def test_the_strictest_of_the_level_is_owed(self) -> None:
        found = clocks(opened(at(0)), MAJOR, pack=self.PACK_)
        assert "interim_reply" not in found
        assert found["public_statement"].due == at(5)

    def test_a_choice_that_comes_late_takes_no_breach_back(self) -> None:
        late = reached("classified", at(9.5), answer_kind="answer")
        found = clocks(opened(at(0)), MAJOR, late, pack=self.PACK_)
        assert found["public_statement"].cancelled == ("classified", at(9.5))
        assert found["public_statement"].overdue(at(10))
        assert (found["interim_reply"].due, found["interim_reply"].overdue(at(10))) == (at(9), True)

    def test_a_choice_in_time_ends_what_it_does_not_owe(self) -> None:
        found = clocks(opened(at(0)), MAJOR, reached("classified", at(2), answer_kind="answer"), pack=self.PACK_)
        assert not found["public_statement"].overdue(at(10))


class TestDutyWindows:
    def pack(self, outside: str) -> PolicyPack:
        roster = {
            "coverage": {"value": "PT9H", "source": SOURCE},
            "windows": [{"from": "08:00", "to": "17:00"}],
            "outside_hours": {"value": outside, "source": SOURCE},
        }
        return PACK.model.model_copy(update={"roster": Roster.model_validate(roster)})

    @pytest.mark.parametrize(
        ("outside", "hour", "since"),
        [("window_start", 10, 24), ("window_start", 8.5, 8.5), ("window_start", 9, 24), ("arrival", 10, 10)],
    )
    def test_it_is_known_at_arrival_or_when_the_window_opens(self, outside: str, hour: float, since: float) -> None:
        assert clocks(opened(at(hour)), pack=self.pack(outside))["transfer"].since == at(since)

    @pytest.mark.parametrize(
        ("period", "hours", "since"),
        [
            (SpecialPeriod("flood", at(5)), "PT24H", 10),
            (SpecialPeriod("flood", at(5), at(9)), "PT24H", 24),
            (SpecialPeriod("flood", at(5)), "PT16H", 24),
            (SpecialPeriod("other", at(5)), "PT24H", 24),
        ],
    )
    def test_in_a_special_period_with_duty_round_the_clock_it_is_known_at_arrival(
        self, period: SpecialPeriod, hours: str, since: float
    ) -> None:
        pack = self.pack("window_start")
        assert pack.roster is not None
        special = Coverage.model_validate({"period": "flood", "hours": hours, "source": SOURCE})
        pack = pack.model_copy(update={"roster": pack.roster.model_copy(update={"special": (special,)})})
        assert clocks(opened(at(10)), pack=pack, periods=(period,))["transfer"].since == at(since)

    def test_what_is_done_before_the_window_opens_is_done(self) -> None:
        night = (opened(at(10)), reached("accepted", at(12), unit="county-roads"))
        assert clocks(*night, pack=self.pack("window_start"))["transfer"].met_at == at(12)


class TestDecisionsOfPeople:
    def test_an_open_limit_runs_once_a_person_sets_it(self) -> None:
        pack = with_clocks(explanation={"limit": OPEN, "per_case": True})
        assert "explanation" not in clocks(opened(at(0)), GENERAL, pack=pack)
        found = clocks(opened(at(0)), GENERAL, pack=pack, due={"explanation": Moved(at(0, day=5), at(2))})
        assert (found["explanation"].due, found["explanation"].due_is_late) == (at(0, day=5), False)
        assert not clocks(opened(at(0)), pack=with_clocks(explanation={"limit": OPEN}), due={}).keys() & {"explanation"}

    def test_a_pause_moves_the_end_by_as_long_as_it_lasted(self) -> None:
        known = (opened(at(0)), GENERAL)
        standing = clocks(*known, pauses={"explanation": (Pause(at(20)),)})["explanation"]
        assert (standing.due, standing.paused_at, standing.overdue(at(0, day=9))) == (at(24), at(20), False)
        over = clocks(*known, pauses={"explanation": (Pause(at(20), at(30)),)})["explanation"]
        assert (over.due, over.overdue(at(33)), over.overdue(at(35))) == (at(34), False, True)

    def test_a_pause_after_the_end_saves_nothing(self) -> None:
        found = clocks(opened(at(0)), GENERAL, pauses={"explanation": (Pause(at(25)),)})
        assert found["explanation"].overdue(at(26))

    @pytest.mark.parametrize(
        ("since", "until", "day"),
        [(at(20), at(22), 1), (at(20), at(22, day=1), 2), (at(2, day=4), at(2, day=7), 2), (at(20), at(22, day=4), 7)],
    )
    def test_a_limit_in_working_days_moves_by_the_working_days_of_a_pause(
        self, since: datetime, until: datetime, day: int
    ) -> None:
        pack = with_clocks(explanation={"limit": working_days(1)})
        found = clocks(opened(at(0)), pack=pack, pauses={"explanation": (Pause(since, until),)})
        assert found["explanation"].due == at(16, day=day)

    @pytest.mark.parametrize(
        ("since", "until", "due"),
        [
            (at(8), at(23), at(2, day=1)),
            (at(9), at(24), at(1, day=1)),
            (at(9), at(26), at(3, day=1)),
            (at(8), at(8, day=1), at(1, day=2)),
        ],
    )
    def test_a_limit_in_working_time_moves_by_the_working_time_of_a_pause(
        self, since: datetime, until: datetime, due: datetime
    ) -> None:
        """From 08:00 for nine hours, of which eight are on the first day: 08:00 to 12:00 and 13:00 to 17:00."""
        hours = {"windows": [{"from": "08:00", "to": "12:00"}, {"from": "13:00", "to": "17:00"}], "source": SOURCE}
        pack = with_clocks(explanation={"limit": Limit.model_validate({"mode": "working_time", "duration": "PT9H"})})
        pack = pack.model_copy(update={"workday": Workday.model_validate(hours)})
        found = clocks(opened(at(0)), pack=pack, pauses={"explanation": (Pause(since, until),)})
        assert found["explanation"].due == due

    def test_a_limit_that_ends_with_a_day_still_does_after_a_pause(self) -> None:
        pack = with_clocks(explanation={"limit": Limit(mode="end_of_day")})
        found = clocks(opened(at(0)), pack=pack, pauses={"explanation": (Pause(at(3), at(5)),)})
        assert found["explanation"].due == at(16, day=1)

    def test_a_limit_in_days_that_is_moved_to_midnight_still_ends_with_a_day(self) -> None:
        pack = with_clocks(explanation={"limit": working_days(1)})
        for due, late in ((at(16, day=5), True), (at(15, day=5), False)):
            found = clocks(opened(at(0)), pack=pack, due={"explanation": Moved(due, at(2))})
            assert found["explanation"].due_is_late is late

    def test_a_pause_before_an_extension_is_in_the_new_end_already(self) -> None:
        terms: dict[str, Any] = {"pauses": {"explanation": (Pause(at(3), at(5)), Pause(at(12), at(13)))}}
        found = clocks(opened(at(0)), due={"explanation": Moved(at(50), at(10))}, **terms)
        assert found["explanation"].due == at(51)

    def test_a_deferral_ends_the_clock_and_starts_one_until_its_review(self) -> None:
        deferred = {"explanation": (Deferral(at(5), at(0, day=30)),)}
        found = clocks(opened(at(0)), GENERAL, deferred=deferred)
        assert found["explanation"].cancelled == ("deferred", at(5))
        review = found["explanation.review"]
        assert (review.since, review.due, review.unit) == (at(5), at(0, day=30), "town-east")
        assert review.overdue(at(1, day=30))
        solved = clocks(opened(at(0)), GENERAL, reached("solved", at(0, day=9)), deferred=deferred)
        assert solved["explanation.review"].met_at == at(0, day=9)

    def test_the_review_of_a_first_answer_stays_owed_after_the_closing(self) -> None:
        term = {"explanation": (Deferral(at(5), at(0, day=30)),)}
        review = clocks(opened(at(0)), reached("closed", at(9)), deferred=term)["explanation.review"]
        assert (review.first_answer, review.cancelled) == (True, None)
        assert review.overdue(at(1, day=30))
        merged = clocks(opened(at(0)), reached("merged", at(9)), deferred=term)["explanation.review"]
        assert merged.cancelled is not None

    def test_a_further_deferral_is_the_review_of_the_one_before(self) -> None:
        deferred = {"explanation": (Deferral(at(5), at(0, day=30)), Deferral(at(0, day=29), at(0, day=60)))}
        found = clocks(opened(at(0)), GENERAL, deferred=deferred)
        assert found["explanation.review"].met_at == at(0, day=29)
        assert found["explanation.review#2"].due == at(0, day=60)

    def test_a_deferral_takes_no_breach_back_and_one_after_the_act_changes_nothing(self) -> None:
        late = clocks(opened(at(0)), GENERAL, deferred={"explanation": (Deferral(at(30), at(0, day=30)),)})
        assert late["explanation"].overdue(at(31))
        done = (opened(at(0)), GENERAL, reached("solved", at(3)))
        found = clocks(*done, deferred={"explanation": (Deferral(at(5), at(0, day=30)),)})
        assert (found["explanation"].met_at, found["explanation"].cancelled) == (at(3), None)


class TestConditionsOfClocks:
    def test_a_clock_runs_if_its_condition_holds(self) -> None:
        pack = with_clocks(public_statement={"when": 'unit.kind == "town"'})
        county = clocks(opened(at(0)), MAJOR, pack=pack)
        assert "public_statement" not in county
        incident = Incident(offices=counting(elapsed(24)))
        for loaded in incident.offices.packs.values():
            object.__setattr__(loaded, "model", pack)
        assert "public_statement" in incident.hear(opened(at(0)), MAJOR).state.clocks


class TestWarnings:
    def test_the_unit_is_warned_before_the_end_and_once_for_each_time(self) -> None:
        incident = Incident(offices=counting(elapsed(24)))
        (pack,) = incident.offices.packs.values()
        warn = (timedelta(hours=8), timedelta(hours=2))
        clocks_ = tuple(
            clock.model_copy(update={"warn": warn}) if clock.name == "explanation" else clock
            for clock in pack.model.clocks
        )
        object.__setattr__(pack, "model", pack.model.model_copy(update={"clocks": clocks_}))
        incident.hear(opened(at(0)))
        for hour in (15.9, 16.1, 16.2, 22.1, 23, 25):
            incident.detect(at(hour))
        warned = [event.recorded for event in incident.events if isinstance(event.data, e.ClockWarned)]
        assert warned == [at(16.1), at(22.1)]
        assert "explanation" in incident.breaches()

    @pytest.mark.parametrize(
        ("before", "warned"),
        [("PT1H", at(0, day=1)), ("PT2H", at(8)), ("P1D", at(1)), ("P1DT1H", at(0))],
    )
    def test_before_the_end_of_a_limit_in_working_time_only_working_time_counts(
        self, before: str, warned: datetime
    ) -> None:
        """The limit ends on Tuesday at 9:00, and work begins at 8:00 and ends on Monday at 17:00."""
        hours = {"windows": [{"from": "08:00", "to": "12:00"}, {"from": "13:00", "to": "17:00"}], "source": SOURCE}
        limit = Limit.model_validate({"mode": "working_time", "duration": "P1DT1H"})
        (warn,) = TypeAdapter(tuple[Duration, ...]).validate_python((before,))
        pack = with_clocks(explanation={"limit": limit, "warn": (warn,)})
        pack = pack.model_copy(update={"workday": Workday.model_validate(hours)})
        clock = clocks(opened(at(0)), pack=pack)["explanation"]
        assert (clock.due, clock.warns) == (at(1, day=1), (warned,))

    def test_a_limit_that_starts_anew_by_a_merger_warns_before_its_new_end(self) -> None:
        clocks_ = tuple(
            clock.model_copy(update={"warn": (timedelta(hours=1),)}) if clock.name == "public_statement" else clock
            for clock in PACK.model.clocks
        )
        absorbed = reached("absorbed", at(10), incident=f"incident-{derived('other')}")
        known = reached("graded", at(10), level="major", rank=2, known_at=at(0))
        found = clocks(opened(at(0)), absorbed, known, pack=PACK.model.model_copy(update={"clocks": clocks_}))
        statement = found["public_statement"]
        assert (statement.since, statement.due, statement.warns) == (at(10), at(13), (at(12),))


class TestTheLadder:
    def rungs(self, incident: Incident, *times: datetime) -> list[tuple[str, datetime]]:
        incident.hear(opened(at(0)))
        for now in times:
            incident.detect(now)
        sent = [
            (event.data, event.recorded) for event in incident.events if isinstance(event.data, e.ClockReminderSent)
        ]
        return [(fact.rung, when) for fact, when in sent if fact.clock == "explanation"]

    def test_a_rung_without_interval_stands_at_the_due_instant(self) -> None:
        found = self.rungs(with_ladder(("reminder", None)), at(24.01), at(24.02))
        assert found == [("reminder", at(24.02))]

    def test_rungs_count_working_days(self) -> None:
        friday = {"mode": "working_days", "days": 2}
        # The due instant is Tuesday, 8:00; two working days end with Thursday.
        found = self.rungs(with_ladder(("reminder", friday)), at(24.1), at(15, day=3), at(16.1, day=3))
        assert found == [("reminder", at(16.1, day=3))]


class TestBackEntry:
    def test_a_clock_shows_by_how_much_it_was_late_by_what_happened_and_by_its_recording(self) -> None:
        paper = reached("solved", at(30), happened=at(26))
        clock = clocks(opened(at(0)), GENERAL, paper)["explanation"]
        assert (clock.met_at, clock.happened_at) == (at(30), at(26))
        assert (clock.late_by, clock.late_by_happened) == (timedelta(hours=6), timedelta(hours=2))
        in_time = clocks(opened(at(0)), GENERAL, reached("solved", at(30), happened=at(5)))["explanation"]
        assert (in_time.late, in_time.late_by_happened) == (True, None)

    def test_paper_that_is_found_after_another_act_shows_when_it_was_done(self) -> None:
        incident = Incident().hear(opened(at(0)), GENERAL, reached("replied", at(30)))
        incident.hear(reached("solved", at(40), happened=at(20)))
        met = incident.of(e.ClockMet)[-1]
        assert (met.clock, met.met_at, met.happened_at, met.late) == ("explanation", at(30), at(20), True)


def test_nothing_else_needs_terms() -> None:
    past = (opened(at(0)), graded(at(1), "major"), ROADS)
    assert clocks(*past) == {one.name: one for one in derive([m for c in past for m in c.milestones], PACK.model)}


def test_a_condition_sees_the_category_and_the_channel_of_the_matter() -> None:
    pack = with_clocks(explanation={"when": 'channel == "letter" && category == "roads"'})
    whole = opened(at(0)).milestones
    told = {"category": "roads", "channel": "letter"}
    letter = RecordMilestones(milestones=(whole[0], whole[1].model_copy(update=told)))
    assert "explanation" in clocks(letter, pack=pack)
    assert "explanation" not in clocks(opened(at(0)), pack=pack)


class TestACategoryThatIsCorrected:
    ROADS = reached("categorized", at(2), category="roads")

    def test_each_change_of_it_is_a_milestone(self) -> None:
        [event] = spec.events("incident", [IncidentCategorized(category="water", previous="roads")])
        [told] = milestones_of(event)
        assert (told.milestone, told.category, told.event) == ("categorized", "water", event.id)

    def test_a_limit_that_it_asks_for_is_owed_from_its_start(self) -> None:
        found = matter(when='category == "roads"').hear(self.ROADS)
        assert found.state.clocks["explanation"].started.due == at(24)
        late = matter(when='category == "roads"').hear(reached("categorized", at(30), category="roads")).detect(at(30))
        assert "explanation" in late.breaches(), "nobody gains time by setting it late"

    def test_what_it_no_longer_asks_for_ends_unless_it_is_a_first_answer(self) -> None:
        water = reached("categorized", at(5), category="water")
        running = matter(when='category == "roads"', first_answer=False).hear(self.ROADS, water)
        assert e.ClockCancelled(clock="explanation", cause="categorized") in running.did
        late = matter(when='category == "roads"').hear(self.ROADS, water).detect(at(25))
        assert "explanation" in late.breaches()

    def test_it_stays_with_its_matter_when_that_is_merged(self) -> None:
        assert not is_carried(self.ROADS.milestones[0], None)
        pack, other = with_clocks(explanation={"when": 'category == "roads"'}), f"incident-{derived('other')}"
        there = reached("categorized", at(2), category="roads", incident=other)
        absorbed = reached("absorbed", at(3), incident=other)
        assert "explanation" not in clocks(opened(at(0)), there, absorbed, pack=pack)

    def test_one_that_a_merger_brings_misses_no_limit_by_itself(self) -> None:
        pack = with_clocks(explanation={"when": 'category == "roads"'})
        absorbed = reached("absorbed", at(30), incident=f"incident-{derived('other')}")
        found = clocks(opened(at(0)), absorbed, reached("categorized", at(30), category="roads"), pack=pack)
        assert (found["explanation"].since, found["explanation"].due) == (at(30), at(54))


def test_late_by_nothing_is_late_all_the_same() -> None:
    pack = with_clocks(explanation={"limit": Limit(mode="end_of_day")})
    clock = clocks(opened(at(0)), GENERAL, reached("solved", at(16)), pack=pack)["explanation"]
    assert (clock.late, clock.late_by) == (True, timedelta())


def test_a_reviewer_finds_that_what_happened_counts() -> None:
    incident = Incident().hear(opened(at(0)), GENERAL).detect(at(25))
    incident.hear(reached("solved", at(30), happened=at(5)))
    assert "explanation" in incident.breaches(), "the recording counts at first"
    incident.do(AnnulBreach(clock="explanation", reason="paper of that day"), at(31), staff("auditor", unit="county"))
    assert "explanation" not in incident.breaches()
    assert "explanation" not in incident.detect(at(40)).breaches()


class TestHandOvers:
    def test_what_one_kind_of_unit_owed_is_not_lost_when_another_takes_the_matter(self) -> None:
        late = matter(when='unit.kind == "town"').detect(at(25))
        late.hear(reached("transferred", at(26), unit="county"))
        assert ("explanation" in late.breaches(), late.of(e.ClockBreachAnnulled)) == (True, [])
        running = matter(when='unit.kind == "town"', first_answer=False)
        running.hear(reached("transferred", at(5), unit="county"))
        assert e.ClockCancelled(clock="explanation", cause="reassigned") in running.did

    def test_the_days_of_the_next_unit_move_no_limit_that_runs(self) -> None:
        free = Span(date(2026, 3, 2), date(2026, 3, 20), "free")
        made = matter(limit=Limit(mode="working_days", days=1))
        made.offices = replace(made.offices, days={"town-west": OwnDays((free,))})
        made.hear(reached("transferred", at(5), unit="town-west"))
        assert made.state.clocks["explanation"].started.due == at(40)


def test_of_the_kinds_of_answer_only_those_whose_condition_holds_are_compared() -> None:
    own = PACK.model.clocks[0].model_copy(update={"levels": None, "from_": "discovered"})
    fast = own.model_copy(
        update={"name": "a", "answer_kinds": ("answer",), "when": 'channel == "letter"', "limit": hours(1)}
    )
    slow = own.model_copy(update={"name": "b", "answer_kinds": ("status",), "when": None, "limit": hours(9)})
    pack = PACK.model.model_copy(update={"clocks": (fast, slow)})
    owed = [spec.name for spec in (fast, slow) if applies(spec, Nature("general", None), at(0), pack, Terms())]
    assert owed == ["b"]


def test_a_kind_of_answer_of_another_pack_leaves_the_strictest_owed() -> None:
    answers = tuple(answer for answer in PACK.model.answers if answer.kind == "answer")
    own = PACK.model.clocks[0].model_copy(
        update={"name": "a", "levels": None, "from_": "discovered", "answer_kinds": ("answer",), "when": None}
    )
    pack = PACK.model.model_copy(update={"clocks": (own,), "answers": answers, "reports": ()})
    found = derive(
        [*opened(at(0)).milestones, *reached("classified", at(1), answer_kind="adoption").milestones], pack, Terms()
    )
    assert [clock.name for clock in found if clock.cancelled is None] == ["a"]


def hours(number: int) -> Limit:
    return Limit.model_validate({"mode": "elapsed", "duration": f"PT{number}H"})
