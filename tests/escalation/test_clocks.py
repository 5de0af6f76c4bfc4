"""Clocks as a fold: what starts and meets them. The order of arrival changes nothing."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import LevelKnown
from schemas.pack import PolicyPack
from schemas.pack.clocks import ClockRule
from services.escalation.clock.clocks import Clock, derive
from services.escalation.clock.milestones import is_carried
from services.escalation.commands import DetectBreaches, RecordMilestones
from services.escalation.upward import obligations
from services.kernel.core.ids import derived
from tests.escalation.incident import DAY, OFFICES, PACK, Incident, at, brings, graded, milestone, opened, reached
from tests.kit import spec

OTHER = f"incident-{derived('other')}"
GENERAL, MAJOR = graded(at(1), "general"), graded(at(1), "major")


def clocks(*commands: RecordMilestones, pack: PolicyPack = PACK.model) -> dict[str, Clock]:
    return {clock.name: clock for clock in derive([m for c in commands for m in c.milestones], pack)}


def with_clocks(**changes: dict[str, object]) -> PolicyPack:
    """The county's pack with some fields of clocks changed."""
    changed = tuple(clock.model_copy(update=changes.get(clock.name, {})) for clock in PACK.model.clocks)
    return PACK.model.model_copy(update={"clocks": changed})


def test_nothing_is_owed_before_the_matter_is_known() -> None:
    assert clocks(GENERAL) == {}


def test_until_it_is_graded_a_matter_owes_what_the_lowest_level_owes() -> None:
    found = clocks(opened(at(0)))
    assert {name: clock.due for name, clock in found.items()} == {"transfer": at(2), "explanation": at(0, day=1)}
    assert found == clocks(opened(at(0)), GENERAL)


def test_the_first_grading_cancels_what_it_does_not_keep_also_a_first_answer() -> None:
    found = clocks(opened(at(0)), MAJOR)
    assert {name: found[name].cancelled for name in ("transfer", "explanation")} == {
        "transfer": ("regraded", at(1)),
        "explanation": ("regraded", at(1)),
    }
    assert found["public_statement"].cancelled is None
    back = clocks(opened(at(0)), MAJOR, graded(at(2), "general", "regraded"))
    assert (back["explanation"].cancelled, back["explanation"].due) == (None, at(0, day=1))


def test_grading_it_afterwards_takes_no_breach_back() -> None:
    found = clocks(opened(at(0)), graded(at(30), "major"))
    assert found["explanation"].cancelled == ("regraded", at(30))
    assert {name for name, clock in found.items() if clock.overdue(at(40))} == set(found)


def test_a_level_that_the_pack_does_not_know_is_no_grading_by_it() -> None:
    assert clocks(opened(at(0)), reached("graded", at(1), level="grave", rank=9)) == clocks(opened(at(0)))


def test_the_lowest_level_is_known_from_the_start_whatever_came_between() -> None:
    pack = with_clocks(explanation={"anchor": "level_known"})
    again = graded(at(9), "general", "regraded")
    for ungraded in (pack.ungraded, None):
        of = pack.model_copy(update={"ungraded": ungraded})
        assert clocks(opened(at(0)), MAJOR, again, pack=of)["explanation"].since == at(0)


@pytest.mark.requirement("TRI-11")
def test_a_general_matter_is_passed_on_within_two_hours_of_discovery() -> None:
    clock = clocks(opened(at(0.5), discovered=at(0)), GENERAL)["transfer"]
    assert (clock.since, clock.due, clock.met_at) == (at(0), at(2), None)
    assert clocks(opened(at(0)), GENERAL, reached("accepted", at(2), unit="county-roads"))["transfer"].late is False
    assert clocks(opened(at(0)), GENERAL, reached("accepted", at(2.01), unit="county-roads"))["transfer"].late


@pytest.mark.requirement("PUB-05")
def test_a_general_matter_is_explained_within_a_day_of_discovery() -> None:
    clock = clocks(opened(at(0.5), discovered=at(0)), GENERAL)["explanation"]
    assert (clock.due, clock.first_answer) == (at(0, day=1), True)
    assert clocks(opened(at(0)), GENERAL, reached("solved", at(20)))["explanation"].met_at == at(20)


@pytest.mark.requirement("PUB-01")
def test_a_major_matter_is_answered_in_public_within_three_hours_however_late_it_is_graded() -> None:
    for level in ("major", "extraordinary"):
        assert clocks(opened(at(0)), graded(at(30), level))["public_statement"].due == at(3)
    status = reached("status_published", at(2))
    assert clocks(opened(at(0)), MAJOR, status)["public_statement"].met_at == at(2)


def test_a_matter_that_becomes_major_is_owed_from_then_and_not_from_before_it_could_be_known() -> None:
    later = graded(at(9), "major", "regraded")
    assert clocks(opened(at(0)), GENERAL, later)["public_statement"].due == at(12)
    back = graded(at(10), "general", "regraded")
    again = graded(at(11), "extraordinary", "regraded")
    assert clocks(opened(at(0)), GENERAL, later, back, again)["public_statement"].due == at(12)


@pytest.mark.requirement("PUB-01")
@pytest.mark.parametrize("name", ["graded", "regraded"])
def test_it_is_owed_from_the_first_figures_that_made_it_major_however_late_a_person_grades(name: str) -> None:
    late = reached(name, at(30), level="major", rank=2, known_at=at(5))
    before = (opened(at(0)), GENERAL) if name == "regraded" else (opened(at(0)),)
    assert clocks(*before, late)["public_statement"].due == at(8)
    early = reached(name, at(30), level="major", rank=2, known_at=at(-9))
    assert clocks(*before, early)["public_statement"].due == at(3), "never before the office knew of the matter"


def known(hour: float, **levels: float) -> RecordMilestones:
    """The levels that facts are known to have reached, and since when."""
    told = [LevelKnown(level=code, known_at=at(since)) for code, since in levels.items()]
    return reached("levels_known", at(hour), levels=tuple(told))


@pytest.mark.requirement("PUB-01")
def test_it_is_owed_from_the_first_fact_by_which_any_of_its_levels_was_known() -> None:
    told = [known(1.5, major=1), known(3.5, major=1, extraordinary=3.5)]
    assert "public_statement" not in clocks(opened(at(0)), *told), "a person still decides"
    for level in ("major", "extraordinary"):
        assert clocks(opened(at(0)), *told, graded(at(5), level))["public_statement"].due == at(4)


def test_what_a_grading_knew_stays_known_whatever_facts_say_later() -> None:
    judged = (opened(at(0)), MAJOR, known(3, major=2))
    assert clocks(*judged)["public_statement"].due == at(3)
    assert clocks(*judged, graded(at(5), "extraordinary", "regraded"))["public_statement"].due == at(3)


def test_the_newest_list_of_known_levels_counts_so_that_a_split_takes_back_what_was_another_matters() -> None:
    told = (known(1, major=1), known(2), known(3, major=3))
    assert clocks(opened(at(0)), *told, graded(at(4), "major"))["public_statement"].due == at(6)


LISTS = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from(["general", "major", "extraordinary"]), st.integers(0, 9))
)


@settings(deadline=None)
@given(LISTS)
def test_no_grading_and_no_late_fact_moves_the_time_later(told: list[tuple[int, str, int]]) -> None:
    past, facts, level = [opened(at(0))], dict[str, float](), None
    due: datetime | None = None
    for number, (kind, code, since) in enumerate(told):
        now = 10 + number / 10
        if kind % 2 and code != "general":
            for one in ("major", "extraordinary")[: ["", "major", "extraordinary"].index(code)]:
                facts[one] = min(facts.get(one, since), since)
            past.append(known(now, **facts))
        elif code != level:
            past.append(graded(at(now), code, "regraded" if level else "graded"))
            level = code
        if clock := clocks(*past).get("public_statement"):
            assert due is None or clock.due <= due
            due = clock.due


@pytest.mark.requirement("PUB-03")
def test_class_one_gets_an_interim_reply_by_the_end_of_the_day_of_discovery() -> None:
    kind = reached("classified", at(1.5), answer_kind="answer")
    clock = clocks(opened(at(0)), MAJOR, kind)["interim_reply"]
    assert clock.due == at(16), "midnight in Shanghai"
    other = clocks(opened(at(0)), MAJOR, reached("classified", at(1.5), answer_kind="status"))["interim_reply"]
    assert other.cancelled == ("classified", at(1.5))


@pytest.mark.requirement("PUB-04")
def test_class_one_gets_the_result_on_the_day_of_completion() -> None:
    kind, interim = reached("classified", at(1.5), answer_kind="answer"), reached("replied", at(3))
    done = reached("solved", at(5, day=3))
    clock = clocks(opened(at(0)), MAJOR, kind, interim, done)["result_reply"]
    assert (clock.since, clock.due, clock.met_at) == (at(5, day=3), at(16, day=3), None)


def test_back_dating_does_not_meet_a_clock() -> None:
    paper = reached("solved", at(30), happened=at(5))
    clock = clocks(opened(at(0)), GENERAL, paper)["explanation"]
    assert (clock.met_at, clock.late) == (at(30), True)


def test_the_earliest_knowledge_counts() -> None:
    earlier = reached("discovered", at(2), happened=at(-1))
    assert clocks(opened(at(0)), GENERAL, earlier)["transfer"].due == at(1)


def test_regrading_cancels_what_no_longer_applies_but_no_first_answer() -> None:
    found = clocks(opened(at(0)), GENERAL, graded(at(1.5), "major", "regraded"))
    assert found["transfer"].cancelled == ("regraded", at(1.5))
    assert found["explanation"].cancelled is None
    back = clocks(opened(at(0)), GENERAL, graded(at(1.5), "major", "regraded"), graded(at(1.7), "general", "regraded"))
    assert back["transfer"].cancelled is None
    assert back["public_statement"].cancelled is None


def test_reopening_gives_a_round_of_its_own() -> None:
    first = (opened(at(0)), GENERAL, reached("solved", at(5)), reached("closed", at(6)))
    found = clocks(*first, reached("reopened", at(0, day=3)))
    assert found["explanation"].met_at == at(5)
    assert (found["explanation#2"].since, found["explanation#2"].due) == (at(0, day=3), at(0, day=4))
    assert found["explanation#2"].met_at is None
    assert "transfer#2" not in found


RECURRED = (
    opened(at(0)),
    GENERAL,
    reached("solved", at(5)),
    reached("resolved", at(6)),
    reached("reopened", at(9, day=3), happened=at(2, day=3), unit="town-east"),
)
"""A matter that was known to have come back seven hours before it was opened again."""


@pytest.mark.requirement("AUD-03")
def test_a_round_counts_from_the_discovery_of_what_came_back() -> None:
    found = clocks(*RECURRED)
    assert (found["explanation#2"].since, found["explanation#2"].due) == (at(2, day=3), at(2, day=4))
    before = reached("explained", at(5, day=3))
    assert clocks(*RECURRED, before)["explanation#2"].met_at is None, "it was not of this round"
    assert clocks(*RECURRED, reached("explained", at(10, day=3)))["explanation#2"].met_at == at(10, day=3)


@pytest.mark.requirement("AUD-03")
@pytest.mark.parametrize("known", [at(-5), at(3), at(1, day=3), at(8, day=3)])
@pytest.mark.parametrize("merged", [at(10, day=3), at(5, day=4)])
def test_what_is_merged_in_later_moves_no_round_back(known: datetime, merged: datetime) -> None:
    event = derived("merger")
    absorbed = brings(
        milestone("discovered", merged, known, event), milestone("absorbed", merged, event=event, incident=OTHER)
    )
    there = reached("discovered", at(9, day=3), happened=known, incident=OTHER)
    alone, found = clocks(*RECURRED)["explanation#2"], clocks(*RECURRED, absorbed, there)["explanation#2"]
    assert (found.since, found.due) == (alone.since, alone.due)


def test_an_assignment_that_nobody_takes_is_a_breach_and_a_return_stops_no_other_limit() -> None:
    given_on = reached("assigned", at(1.5), unit="county-roads")
    found = clocks(opened(at(0)), MAJOR, given_on)
    assert found["hand_over"].due == at(3.5)
    assert found["hand_over"].overdue(at(4))
    taken = clocks(opened(at(0)), MAJOR, given_on, reached("accepted", at(2), unit="county-roads"))
    assert taken["hand_over"].met_at == at(2)
    back = clocks(opened(at(0)), MAJOR, given_on, reached("returned", at(2), unit="county-roads"))
    assert back["public_statement"] == found["public_statement"]


def test_a_round_is_met_by_what_was_recorded_in_it_whenever_it_happened() -> None:
    again = (opened(at(0)), GENERAL, reached("solved", at(5)), reached("reopened", at(0, day=3)))
    paper = reached("replied", at(1, day=3), happened=at(20, day=2))
    assert clocks(*again, paper)["explanation#2"].met_at == at(1, day=3)


def test_closing_ends_what_runs_but_not_an_answer_that_is_owed() -> None:
    found = clocks(opened(at(0)), GENERAL, reached("closed", at(1.5)))
    assert found["transfer"].cancelled == ("closed", at(1.5))
    assert found["explanation"].cancelled is None


def test_merging_ends_every_clock_that_runs() -> None:
    merged = reached("merged", at(1.5))
    found = clocks(opened(at(0)), GENERAL, merged, reached("solved", at(2)))
    assert {clock.cancelled for clock in found.values()} == {("merged", at(1.5))}


def test_a_decision_that_nothing_is_answered_ends_every_clock_that_runs_and_takes_no_breach_back() -> None:
    found = clocks(opened(at(0)), reached("dismissed", at(3)))
    assert {name: clock.cancelled for name, clock in found.items()} == dict.fromkeys(found, ("dismissed", at(3)))
    assert {name for name, clock in found.items() if clock.overdue(at(40))} == {"transfer"}
    again = clocks(opened(at(0)), reached("dismissed", at(3)), reached("reopened", at(9)))
    assert again["explanation"].cancelled == ("dismissed", at(3))
    assert (again["explanation#2"].due, again["explanation#2"].runs) == (at(33), True)


def test_a_first_answer_that_a_dismissal_ended_is_owed_anew_after_a_reopening() -> None:
    kind, ended = reached("classified", at(1.5), answer_kind="answer"), reached("dismissed", at(3))
    again = (ended, reached("reopened", at(9, day=1)))
    found = clocks(opened(at(0)), MAJOR, kind, *again)
    assert (found["interim_reply"].cancelled, found["interim_reply#2"].due) == (("dismissed", at(3)), at(16, day=1))
    answered = clocks(opened(at(0)), MAJOR, kind, reached("replied", at(2)), *again)
    assert "interim_reply#2" not in answered
    closed = clocks(opened(at(0)), MAJOR, kind, reached("closed", at(3)), reached("reopened", at(9, day=1)))
    assert ("interim_reply#2" in closed, closed["interim_reply"].runs) == (False, True)


def test_a_hand_over_names_the_unit_that_was_accountable_when_it_fell_due() -> None:
    over = reached("transferred", at(1.5), unit="town-west")
    assert clocks(opened(at(0)), GENERAL, over)["explanation"].unit == "town-west"
    late = reached("transferred", at(30), unit="town-west")
    assert clocks(opened(at(0)), GENERAL, late)["explanation"].unit == "town-east"


def test_a_clock_from_a_hand_over_begins_anew_with_each() -> None:
    pack = with_clocks(transfer={"from_": "assigned", "to": ("accepted",)})
    first, second = (reached("assigned", at(hour), unit=unit) for hour, unit in ((2, "town-east"), (3, "town-west")))
    found = clocks(opened(at(0)), GENERAL, first, second, reached("accepted", at(4)), pack=pack)
    assert found["transfer"].cancelled == ("reassigned", at(3))
    assert (found["transfer#2"].due, found["transfer#2"].met_at) == (at(5), at(4))


@pytest.mark.parametrize("together", [False, True])
def test_a_limit_that_ended_with_a_hand_over_stays_with_the_unit_that_had_it(together: bool) -> None:
    pack = with_clocks(transfer={"from_": "assigned", "to": ("accepted",), "charged": "assigned"})
    then = at(3 if together else 2)
    first, second = reached("assigned", then, unit="county-roads"), reached("assigned", at(3), unit="county-water")
    found = clocks(opened(at(0)), GENERAL, first, second, reached("accepted", at(4)), pack=pack)
    assert (found["transfer"].unit, found["transfer"].cancelled) == ("county-roads", ("reassigned", at(3)))
    assert (found["transfer#2"].unit, found["transfer#2"].met_at) == ("county-water", at(4))


def test_a_limit_in_working_time_does_not_wait_for_its_year_to_be_announced() -> None:
    start = DAY.replace(year=2040)
    limit = PACK.model.clocks[0].limit.model_copy(update={"mode": "working_time", "duration": timedelta(hours=2)})
    workday = {"windows": [{"from": "08:00", "to": "18:00"}], "source": {"kind": "derived", "reason": "of these tests"}}
    base = with_clocks(transfer={"limit": limit})
    pack = base.model_copy(update={"workday": type(base).model_fields["workday"].annotation.__args__[0](**workday)})
    found = clocks(opened(start), graded(start + timedelta(hours=1), "general"), pack=pack)
    assert (found["transfer"].provisional, found["transfer"].counts_work) == (True, True)
    assert "explanation" in found


NAMES = ("accepted", "returned", "solved", "replied", "resolved", "closed", "reopened",
         "reported", "status_published", "facts_published", "fact_established")  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[RecordMilestones]:
    """Events of two services about one matter within three days, in the order of recording."""
    minutes = st.integers(0, 72 * 60)
    history = [opened(DAY, DAY - timedelta(minutes=draw(st.integers(0, 120))))]
    grading = "graded"
    for minute in sorted(draw(st.lists(minutes, max_size=9))):
        when = DAY + timedelta(minutes=minute)
        # The event's id decides between equal times, in every order.
        id_ = str(draw(st.uuids()))
        match draw(st.integers(0, 9)):
            case 0 | 1 | 2:
                level = draw(st.sampled_from(("general", "major", "extraordinary")))
                rank = {"general": 1, "major": 2, "extraordinary": 3}[level]
                known = draw(st.sampled_from((None, when - timedelta(hours=9))))
                judged = milestone(grading, when, event=id_, level=level, rank=rank, known_at=known)
                history.append(brings(judged))
                grading = "regraded"
            case 3:
                unit = draw(st.sampled_from(("town-west", "county")))
                history.append(brings(milestone("transferred", when, event=id_, unit=unit)))
            case 4:
                kind = draw(st.sampled_from(("answer", "status")))
                history.append(brings(milestone("classified", when, event=id_, answer_kind=kind)))
            case 5:
                category = draw(st.sampled_from(("roads", "water")))
                history.append(brings(milestone("categorized", when, event=id_, category=category)))
            case 6:
                # As a list of reports brings them that begins with the newest one.
                for number in range(draw(st.integers(1, 4))):
                    found = when - timedelta(minutes=draw(st.integers(0, 5000)))
                    later = when + timedelta(minutes=7 * number)
                    history.append(brings(milestone("discovered", later, found, derived("event", id_, str(number)))))
            case _:
                name = draw(st.sampled_from(NAMES))
                happened = when - timedelta(minutes=draw(st.sampled_from((0, 0, 600))))
                history.append(brings(milestone(name, when, happened, id_, unit="town-east")))
    return sorted(history, key=lambda command: command.milestones[0].recorded_at)


OTHERS = tuple(f"incident-{derived(name)}" for name in "xy")


@st.composite
def linked(draw: st.DrawFn) -> list[RecordMilestones]:
    """A matter that may have been split off from another one, and into which others may have been merged."""
    history = draw(histories())
    if draw(st.booleans()):
        history[0] = brings(*history[0].milestones, milestone("split_off", DAY, incident=OTHERS[0]))
        history += foreign(draw, OTHERS[0])
    for other in draw(st.lists(st.sampled_from(OTHERS), max_size=2, unique=True)):
        merged = DAY + timedelta(minutes=draw(st.integers(1, 80 * 60)))
        history += absorbs(draw, other, merged)
        if other != OTHERS[0] or len(history[0].milestones) == 2:
            history += foreign(draw, other)
    return history


def foreign(draw: st.DrawFn, other: str) -> list[RecordMilestones]:
    """Records of another matter, as this one takes them over."""
    later = timedelta(minutes=draw(st.integers(-2000, 2000)))
    return [
        brings(
            *(
                one.model_copy(
                    update={
                        "incident": other,
                        "event": derived("event", other, one.event),
                        "happened_at": one.happened_at + later,
                        "recorded_at": one.recorded_at + later,
                    }
                )
                for one in command.milestones
                if is_carried(one, None)
            )
        )
        for command in draw(histories())
        if any(is_carried(one, None) for one in command.milestones)
    ]


def absorbs(draw: st.DrawFn, other: str, merged: datetime) -> list[RecordMilestones]:
    """The milestones of `incident.absorbed`, and the level that comes along."""
    id_, earlier = str(draw(st.uuids())), merged - timedelta(minutes=draw(st.integers(0, 8000)))
    absorbed = [milestone("discovered", merged, earlier, id_), milestone("absorbed", merged, event=id_, incident=other)]
    known = draw(st.sampled_from((merged, earlier)))
    raised = milestone("regraded", merged, event=str(draw(st.uuids())), level="major", rank=2, known_at=known)
    return [brings(*absorbed), *([brings(raised)] if draw(st.booleans()) else [])]


END = at(0, day=10)
BY_CATEGORY = spec.under(
    with_clocks(explanation={"when": 'category == "roads"'}, transfer={"when": 'category == "water"'}), OFFICES
)
"""The offices, under a pack whose limits depend on the category."""


def test_discoveries_recorded_at_one_instant_count_alike_whichever_arrives_first() -> None:
    opening = opened(at(0))
    general, major, further = (
        RecordMilestones(
            milestones=(milestone(name, at(0), event=letter * 8 + opening.milestones[0].event[8:], **level),)
        )
        for letter, name, level in (
            ("d", "graded", {"level": "general", "rank": 1}),
            ("e", "regraded", {"level": "major", "rank": 2}),
            ("f", "discovered", {}),
        )
    )
    assert opening.milestones[0].event[0] < "d"
    straight = Incident().hear(opening, general, major, further).detect(END)
    turned = Incident().hear(further, general, major, opening).detect(END)
    assert turned.standing() == straight.standing()


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_order_of_arrival_comes_to_the_same(data: st.DataObject) -> None:
    history = data.draw(st.one_of(histories(), linked()))
    offices = data.draw(st.sampled_from((OFFICES, BY_CATEGORY)))
    straight = Incident(offices=offices).hear(*history).detect(END)
    arrivals: list[RecordMilestones | DetectBreaches] = list(data.draw(st.permutations(history)))
    for _ in range(data.draw(st.integers(0, 3))):
        # This judges on half of the facts. The loop would wait, but even this must come right.
        until = DAY + timedelta(hours=data.draw(st.integers(0, 90)))
        arrivals.insert(data.draw(st.integers(0, len(arrivals))), DetectBreaches(until=until))
    shuffled = Incident(offices=offices)
    for number, arrival in enumerate(arrivals):
        shuffled.do(arrival, at(0, day=5) + timedelta(seconds=number))
    shuffled.detect(END)
    assert shuffled.standing() == straight.standing()
    # The record equals the result of the milestones. Sending them again changes nothing.
    assert shuffled.detect(END).did == []
    for arrival in arrivals:
        assert shuffled.do(arrival, END).did == []


@given(linked())
@settings(max_examples=300, deadline=None)
def test_a_merger_misses_no_limit_by_itself_and_takes_no_breach_back(history: list[RecordMilestones]) -> None:
    past = [one for command in history for one in command.milestones]
    for merger in (one.recorded_at for one in past if one.milestone == "absorbed"):
        by_then = [one for one in past if one.recorded_at <= merger]
        before = {one.name: one for one in derive([one for one in by_then if one.recorded_at < merger], PACK.model)}
        after = {one.name: one for one in derive(by_then, PACK.model)}
        missed = {name: one.due for name, one in before.items() if one.overdue(merger)}
        assert {name: one.due for name, one in after.items() if one.overdue(merger)} == missed
        for name, clock in before.items():
            if clock.runs and after[name].runs and name not in missed:
                assert after[name].due <= clock.due, "a merger gives nobody more time"


@given(linked())
@settings(max_examples=200, deadline=None)
def test_discoveries_that_are_left_out_change_no_clock(history: list[RecordMilestones]) -> None:
    past = [one for command in history for one in command.milestones]
    with pytest.MonkeyPatch.context() as whole:
        whole.setattr("services.escalation.clock.stages.telling", lambda own, mergers: list(own))
        expected = derive(past, PACK.model)
    assert derive(past, PACK.model) == expected


def test_what_many_mergers_cost_grows_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    meets = ClockRule.is_met_by

    def counting(*given: Any) -> bool:
        nonlocal asked
        asked += 1
        return meets(*given)

    monkeypatch.setattr(ClockRule, "is_met_by", counting)
    costs = []
    for mergers in (20, 80):
        asked, history = 0, [opened(at(0)), GENERAL]
        for number in range(mergers):
            other, when = f"incident-{derived(str(number))}", at(2) + timedelta(minutes=number)
            absorbed = milestone("absorbed", when, event=derived("absorbed", other), incident=other)
            known = milestone("discovered", when, at(0), derived("absorbed", other))
            done = milestone("accepted", at(1.5), event=derived("done", other), unit="county-roads", incident=other)
            history += [brings(known, absorbed), brings(done)]
        assert clocks(*history)["transfer"].met_at == at(1.5)
        costs.append(asked)
    assert costs[1] < 5 * costs[0]


@given(histories())
@settings(max_examples=100, deadline=None)
def test_leaving_a_matter_ungraded_owes_the_same_as_grading_it_lowest_at_once(history: list[RecordMilestones]) -> None:
    ungraded = [command for command in history if command.milestones[0].level is None]
    assert clocks(*ungraded) == clocks(graded(DAY, "general"), *ungraded)


@given(linked())
@settings(max_examples=100, deadline=None)
def test_a_breach_stands_exactly_where_the_limit_passed_unmet(history: list[RecordMilestones]) -> None:
    incident = Incident().hear(*history).detect(END)
    found = obligations.derive(incident.state.milestones, PACK.model, OFFICES)
    assert set(incident.breaches()) == {clock.name for clock in found if clock.overdue(END)}
    for clock in found:
        assert replace(clock, met_at=None).due == incident.state.clocks[clock.name].started.due


@pytest.mark.parametrize("note", ["note_problem", "note_answer", "delay_explained"])
def test_a_note_and_an_explained_delay_meet_nothing(note: str) -> None:
    kind = reached("classified", at(1.5), answer_kind="answer")
    for level in (GENERAL, MAJOR):
        found = clocks(opened(at(0)), level, kind, reached("solved", at(2)), reached(note, at(3)))
        unmet = [clock.name for clock in found.values() if clock.met_at is None]
        assert set(unmet) >= {"transfer"} | ({"interim_reply", "result_reply"} if level is MAJOR else set())


def test_one_published_status_is_the_interim_reply_and_the_public_statement_at_once() -> None:
    kind = reached("classified", at(1.5), answer_kind="answer")
    found = clocks(opened(at(0)), MAJOR, kind, reached("status_published", at(2)))
    assert {found[name].met_at for name in ("interim_reply", "public_statement")} == {at(2)}


def test_the_result_is_owed_from_the_day_on_which_the_problem_was_solved() -> None:
    kind = reached("classified", at(1.5), answer_kind="answer")
    solved = reached("solved", at(5, day=3), happened=at(2, day=3))
    clock = clocks(opened(at(0)), MAJOR, kind, solved)["result_reply"]
    assert (clock.since, clock.due) == (at(2, day=3), at(16, day=3))
    assert "result_reply" not in clocks(opened(at(0)), MAJOR, kind, reached("resolved", at(5, day=3)))
