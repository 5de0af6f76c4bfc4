"""Counts, flags, harm and doubt: each is a fact with a time, and together they say since when a level was known."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from schemas import triage
from schemas.fields import Fact, LevelKnown, Typed
from schemas.pack.levels import Condition
from schemas.pack.source import Source
from services.kernel.core.decider import Moved, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.units import LoadedPack
from services.kernel.rules import grading
from services.kernel.rules.conditions import Figures
from services.kernel.rules.grading import Counted, Flagged, Harmed
from services.triage import commands as c
from services.triage.decider import DECIDER
from services.triage.state import State
from tests.kit.spec import NOW, At, Given, ctx, given, staff

A, B, C = (f"report-{derived(name)}" for name in "abc")
OTHER = f"incident-{derived('other')}"
DISCOVERED = NOW - timedelta(hours=9)
OPENED = triage.IncidentOpened(unit="town-east", report=A, discovered_at=DISCOVERED)
ATTACHED = triage.IncidentReportAttached(report=B, unit="town-east", discovered_at=DISCOVERED)
PACK = ctx().offices.pack("town-east")


def hour(number: float) -> datetime:
    return DISCOVERED + timedelta(hours=number)


def past(*facts: Fact | At, **seen: Any) -> Given:
    return given(DECIDER, OPENED, ATTACHED, *facts, actor=staff("duty_officer", unit="town-east")).seeing(**seen)


def counted(at: float, report: str = A, **figures: int) -> triage.IncidentReachCounted:
    return triage.IncidentReachCounted(report=report, counted_at=hour(at), **figures)


def count(at: float, report: str = A, **figures: int) -> c.CountReach:
    return c.CountReach(report=report, counted_at=hour(at), basis=f"{report}@2", **figures)


def known(**levels: datetime) -> triage.IncidentLevelsKnown:
    return triage.IncidentLevelsKnown(levels=tuple(LevelKnown(level=code, known_at=at) for code, at in levels.items()))


def under(pack: LoadedPack, case: Given) -> Given:
    """The case, with this content of its pack."""
    offices = replace(case.context.offices, packs={pack.ref: pack})
    return replace(case, context=replace(case.context, offices=offices))


def with_levels(pack: LoadedPack, conditions: Mapping[str, str]) -> LoadedPack:
    """The pack with these conditions of levels alone."""
    source = Source(kind="derived", reason="test")
    levels = tuple(
        level.model_copy(
            update={
                "conditions": (Condition(code="one", when=conditions[level.code], source=source),)
                if level.code in conditions
                else ()
            }
        )
        for level in pack.model.levels
    )
    return LoadedPack(pack.ref, pack.digest, pack.canonical, pack.model.model_copy(update={"levels": levels}))


class TestCounts:
    def test_a_count_that_reaches_a_level_says_so(self) -> None:
        past().when(count(1, clicks=2999)).then(counted(1, clicks=2999), known(major=hour(1)))

    def test_its_event_has_the_time_and_the_report(self) -> None:
        [fact, *_] = past().when(count(1, clicks=2999)).decided()
        assert isinstance(fact, Occurred)
        assert (fact.time, fact.basis) == (hour(1), (f"{A}@2",))

    @pytest.mark.requirement("TRI-05")
    def test_counts_of_several_reports_stand_side_by_side_and_the_highest_counts(self) -> None:
        case = past(counted(1, clicks=900), counted(2, B, clicks=950, comments=20))
        case.when(count(3, clicks=940)).then(counted(3, clicks=940))
        state = past(counted(1, clicks=900), counted(2, B, clicks=950, comments=20), counted(3, clicks=940)).state
        now = grading.gravity(state.gravity, 2)
        assert now
        assert now.figures == Figures(clicks=950, comments=20, reports=2)

    @pytest.mark.parametrize("figures", [{"clicks": 900}, {"clicks": 1}, {}])
    def test_a_count_that_is_no_higher_adds_nothing(self, figures: dict[str, int]) -> None:
        past(counted(1, clicks=900)).when(count(2, **figures)).then()

    @pytest.mark.requirement("TRI-05")
    def test_a_smaller_later_count_lowers_nothing(self) -> None:
        state = past(counted(1, clicks=5000), counted(2, clicks=3, comments=1)).state
        proposal = grading.proposed(PACK, state.gravity, 2)
        assert proposal
        assert proposal.rule == "extraordinary/clicks"

    def test_an_earlier_count_that_comes_late_shows_that_it_was_known_earlier(self) -> None:
        case = past(counted(3, clicks=5000), known(major=hour(3), extraordinary=hour(3)))
        case.when(count(1, clicks=1500)).then(counted(1, clicks=1500), known(major=hour(1), extraordinary=hour(3)))

    def test_a_level_that_is_known_is_told_once(self) -> None:
        past(counted(1, clicks=1500), known(major=hour(1))).when(count(2, clicks=1600)).then(counted(2, clicks=1600))

    def test_it_goes_where_its_report_went(self) -> None:
        split = triage.IncidentSplit(into=OTHER, reports=(B,))
        for gone in (split, triage.IncidentMerged(into=OTHER)):
            with pytest.raises(Moved) as moved:
                past(gone).when(count(1, B, clicks=5)).decided()
            assert moved.value.to == OTHER

    def test_an_ended_matter_still_counts(self) -> None:
        closed = (triage.IncidentResolved(reason="r"), triage.IncidentClosed(reason="r"))
        past(*closed).when(count(1, clicks=5)).then(counted(1, clicks=5))


class TestFlagsAndHarm:
    @pytest.mark.requirement("TRI-09")
    def test_a_flag_is_set_with_a_reason_and_counts_from_then_on(self) -> None:
        case = past(counted(1, clicks=1500), known(major=hour(1)))
        case.when(c.SetFlag(flag="food", reason="a canteen")).then(
            triage.IncidentFlagSet(flag="food", reason="a canteen"), known(major=hour(1), extraordinary=NOW)
        )

    def test_what_was_known_by_a_flag_stays_known_after_it_is_cleared(self) -> None:
        flagged = (At(triage.IncidentFlagSet(flag="food", reason="r"), hour(2)), known(major=hour(2)))
        case = past(*flagged)
        case.when(c.ClearFlag(flag="food", reason="no canteen")).then(
            triage.IncidentFlagCleared(flag="food", reason="no canteen")
        )
        cleared = past(*flagged, At(triage.IncidentFlagCleared(flag="food", reason="r"), hour(3)))
        assert cleared.state.flags == frozenset()
        proposal = grading.proposed(PACK, cleared.state.gravity, 2)
        assert proposal
        assert proposal.level == "general"
        [graded] = cleared.when(c.Grade(level="major", reason="r")).decided()
        assert isinstance(graded, Occurred)
        assert (graded.data.proposed, graded.data.known_at) == ("general", hour(2))

    def test_harm_is_judged_on_the_scale_of_the_pack(self) -> None:
        case = past(At(triage.IncidentHarmJudged(harm=1, reason="r"), hour(1)))
        case.when(c.JudgeHarm(harm=3, reason="one died")).then(
            triage.IncidentHarmJudged(harm=3, reason="one died"), known(major=NOW, extraordinary=NOW)
        )
        case.when(c.JudgeHarm(harm=0, reason="nobody was hurt")).then(
            triage.IncidentHarmJudged(harm=0, reason="nobody was hurt")
        )

    def test_a_judgement_can_be_entered_later_and_counts_from_when_it_was_made(self) -> None:
        late = {"happened_at": hour(2), "late_reason": "the network was down"}
        for command, fact in (
            (c.SetFlag(flag="food", reason="r", **late), triage.IncidentFlagSet(flag="food", reason="r")),
            (c.JudgeHarm(harm=2, reason="r", **late), triage.IncidentHarmJudged(harm=2, reason="r")),
        ):
            told = fact.model_copy(update={"late_reason": Typed(text="the network was down")})
            case = past().when(command)
            case.then(told, known(major=hour(2)))
            [first, *_] = case.decided()
            assert isinstance(first, Occurred)
            assert first.time == hour(2)

    def test_no_judgement_is_entered_before_the_last_one(self) -> None:
        late = {"happened_at": hour(2), "late_reason": "r"}
        judged = At(triage.IncidentHarmJudged(harm=1, reason="r"), hour(3))
        past(judged).when(c.JudgeHarm(harm=2, reason="r", **late)).then_raises(Malformed, "after it")
        cleared = (
            At(triage.IncidentFlagSet(flag="food", reason="r"), hour(1)),
            At(triage.IncidentFlagCleared(flag="food", reason="r"), hour(3)),
        )
        past(*cleared).when(c.SetFlag(flag="food", reason="r", **late)).then_raises(Malformed, "after it")
        past().when(c.SetFlag(flag="food", reason="r", happened_at=hour(-1), late_reason="r")).then_raises(
            Malformed, "before it was known"
        )

    def test_doubt_is_judged(self) -> None:
        doubtful = triage.IncidentDoubtJudged(doubtful=True, reason="r")
        past().when(c.JudgeDoubt(doubtful=True, reason="r")).then(doubtful)
        assert past(doubtful).state.doubtful
        with pytest.raises(ValueError, match="doubtful"):
            c.JudgeDoubt.model_validate({"doubtful": "no", "reason": "r"})
        sure = triage.IncidentDoubtJudged(doubtful=False, reason="found out")
        past(doubtful).when(c.JudgeDoubt(doubtful=False, reason="found out")).then(sure)

    @pytest.mark.parametrize(
        ("command", "error", "told"),
        [
            (c.SetFlag(flag="fod", reason="r"), Malformed, "its flags are sudden, public, food"),
            (c.SetFlag(flag="food", reason="r"), Rejected, "has the flag food already"),
            (c.ClearFlag(flag="health", reason="r"), Rejected, "does not have the flag health; it has food"),
            (c.JudgeHarm(harm=9, reason="r"), Malformed, "its steps are 0, 1, 2, 3"),
            (c.JudgeHarm(harm=2, reason="r"), Rejected, "is judged 2 already"),
            (c.JudgeDoubt(doubtful=False, reason="r"), Rejected, "not judged doubtful already"),
        ],
    )
    def test_what_is_refused(self, command: Any, error: type[Exception], told: str) -> None:
        facts = (triage.IncidentFlagSet(flag="food", reason="r"), triage.IncidentHarmJudged(harm=2, reason="r"))
        past(*facts).when(command).then_raises(error, told)


class TestKnown:
    @pytest.mark.requirement("PUB-01")
    @pytest.mark.parametrize(("level", "at"), [("general", None), ("major", 1), ("extraordinary", 2)], ids=str)
    def test_a_grading_names_the_first_facts_that_propose_its_level_or_a_higher_one(
        self, level: str, at: int | None
    ) -> None:
        facts = [counted(number, clicks=clicks) for number, clicks in enumerate((20, 1500, 9000, 9500))]
        case = past(*facts, known(major=hour(1), extraordinary=hour(2)))
        [graded] = case.when(c.Grade(level=level, reason="r")).decided()
        assert isinstance(graded, Occurred)
        assert graded.data.known_at == (None if at is None else hour(at))

    def test_an_earlier_grading_in_a_higher_level_knew_the_lower_one(self) -> None:
        judged = triage.IncidentGraded(level="extraordinary", rank=3, reason="r")
        [graded] = past(judged).when(c.Grade(level="major", reason="r")).decided()
        assert isinstance(graded, Occurred)
        assert graded.data.known_at == DISCOVERED

    FACTS = st.lists(
        st.one_of(
            st.builds(
                Counted,
                st.integers(0, 9).map(hour),
                st.sampled_from([A, B]),
                st.builds(Figures, clicks=st.none() | st.integers(0, 4000), comments=st.none() | st.integers(0, 600)),
            ),
            st.builds(Flagged, st.integers(0, 9).map(hour), st.sampled_from(["food", "health"]), st.booleans()),
            st.builds(Harmed, st.integers(0, 9).map(hour), st.integers(0, 3)),
        ),
        max_size=8,
    )

    @examples(FACTS)
    def test_facts_one_by_one_know_what_they_know_together_and_nothing_gets_later(self, facts: list[Any]) -> None:
        step: dict[str, datetime] = {}
        for length, fact in enumerate(facts, start=1):
            before, step = step, grading.known(PACK, facts[:length], before=step, since=fact.at)
            assert all(step[level] <= at for level, at in before.items())
        together = grading.known(PACK, facts)
        assert all(step[level] <= at for level, at in together.items())
        if not any(isinstance(fact, Flagged | Harmed) for fact in facts):
            assert step == together

    @examples(FACTS, st.randoms())
    def test_counts_come_in_any_order(self, facts: list[Any], random: Any) -> None:
        counts = [fact for fact in facts if isinstance(fact, Counted)]
        shuffled = random.sample(counts, len(counts))
        assert grading.known(PACK, shuffled) == grading.known(PACK, counts)

    @examples(FACTS)
    def test_the_gravity_at_a_time_is_that_of_the_highest_counts_until_then(self, facts: list[Any]) -> None:
        counts = [fact for fact in facts if isinstance(fact, Counted)]
        for now in grading.gravities(counts):
            so_far = [fact.figures for fact in counts if fact.at <= now.at]
            for name in grading.REACH:
                values = [value for figures in so_far if (value := getattr(figures, name)) is not None]
                # Of several counts at one time, each counts by itself.
                if sum(fact.at == now.at for fact in counts) == 1:
                    assert getattr(now.figures, name) == max(values, default=None)

    def test_the_number_of_reports_can_be_a_figure(self) -> None:
        pack = with_levels(PACK, {"major": "figures.reports >= 3"})
        case = under(pack, past())
        taken = c.TakeReport(unit="town-east", report=C, discovered_at=DISCOVERED, opens=OTHER, basis=f"{C}@1")
        attached = triage.IncidentReportAttached(report=C, unit="town-east", discovered_at=DISCOVERED)
        case.when(taken).then(attached, known(major=NOW))


class TestPacksThatProposeNothing:
    def test_a_person_judges_without_a_proposal(self) -> None:
        pack = with_levels(PACK, {})
        facts = [Counted(hour(1), A, Figures(clicks=99999)), Harmed(hour(2), 3)]
        assert grading.proposed(pack, facts, 2) is None
        assert grading.known(pack, facts) == {}
        assert not grading.proposes(pack)
        case = under(pack, past(counted(1, clicks=99999)))
        [graded] = case.when(c.Grade(level="major", reason="r")).decided()
        assert isinstance(graded, Occurred)
        assert (graded.data.proposed, graded.data.rule, graded.data.known_at) == (None, None, None)

    def test_a_pack_without_levels_grades_nothing(self) -> None:
        model = PACK.model.model_copy(update={"levels": (), "answers": ()})
        pack = LoadedPack(PACK.ref, PACK.digest, PACK.canonical, model)
        for command, told in (
            (c.Grade(level="major", reason="r"), "has no levels"),
            (c.Classify(answer_kind="status"), "has no kinds of answer"),
        ):
            under(pack, past()).when(command).then_raises(Rejected, told)


class TestMergersAndSplits:
    def absorbed(self, *facts: Fact | At, leaving: Iterable[Fact | At]) -> list[Fact]:
        other = replace(given(DECIDER, OPENED, *leaving), uuid=derived("other")).state
        case = past(*facts, leaving=other, reports=[C]).when(c.Absorb(incident=OTHER))
        return [one.data if isinstance(one, Occurred) else one for one in case.decided()][1:]

    def test_a_merger_brings_counts_flags_harm_and_doubt(self) -> None:
        leaving = (
            counted(1, C, clicks=5000),
            At(triage.IncidentFlagSet(flag="food", reason="r"), hour(2)),
            At(triage.IncidentHarmJudged(harm=2, reason="r"), hour(3)),
            triage.IncidentDoubtJudged(doubtful=True, reason="r"),
            known(major=hour(1), extraordinary=hour(1)),
        )
        assert self.absorbed(leaving=leaving) == [
            counted(1, C, clicks=5000).model_copy(update={"taken_from": OTHER}),
            triage.IncidentFlagSet(flag="food", taken_from=OTHER),
            triage.IncidentHarmJudged(harm=2, taken_from=OTHER),
            triage.IncidentDoubtJudged(doubtful=True, taken_from=OTHER),
            known(major=hour(1), extraordinary=hour(1)),
        ]

    def test_a_merger_lowers_nothing(self) -> None:
        here = (
            At(triage.IncidentFlagSet(flag="food", reason="r"), hour(1)),
            At(triage.IncidentHarmJudged(harm=3, reason="r"), hour(1)),
            known(major=hour(1), extraordinary=hour(1)),
        )
        leaving = (At(triage.IncidentFlagSet(flag="food", reason="r"), hour(2)), known(major=hour(2)))
        assert self.absorbed(*here, leaving=leaving) == []

    def test_a_split_takes_the_counts_of_its_reports_along(self) -> None:
        facts = (counted(1, clicks=20), counted(2, B, clicks=5000), known(major=hour(2), extraordinary=hour(2)))
        case = past(*facts, into=OTHER, belonging=[A, B], match_keys=()).by(staff("chief"))
        split = triage.IncidentSplit(into=OTHER, reports=(B,))
        case.when(c.Split(reports=(B,))).then(split, known())
        assert past(*facts, split, known()).state.known == {}
        opening = c.OpenSplit(
            split_from=case.stream,
            unit="town-east",
            reports=(c.Received(report=B, unit="town-east", discovered_at=DISCOVERED),),
            counts=(count(2, B, clicks=5000),),
        )
        opened = triage.IncidentOpened(unit="town-east", report=B, discovered_at=DISCOVERED, split_from=case.stream)
        taken = counted(2, B, clicks=5000).model_copy(update={"taken_from": case.stream})
        given(DECIDER).when(opening).then(opened, taken, known(major=hour(2), extraordinary=hour(2)))


def test_the_state_holds_no_other_matters_counts() -> None:
    state: State = past(counted(1, B, clicks=5), triage.IncidentSplit(into=OTHER, reports=(B,))).state
    assert state.gravity == ()
