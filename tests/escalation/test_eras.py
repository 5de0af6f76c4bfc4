"""A matter under one pack after the other: what was owed stays owed, what runs goes on by the new pack."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas import escalation as e
from services.escalation.commands import DecideDeferral, Pause, RecordMilestones, RequestDeferral, Resume
from services.escalation.queries import OF_MATTER, _shown
from services.escalation.views import OF_ONE
from services.kernel.core.units import LoadedPack, SetValue, with_values
from services.kernel.rules.packs import parse_pack
from services.kernel.store.views import folded
from tests.escalation.incident import OFFICES, Incident, at, brings, graded, opened, reached
from tests.kit.spec import staff

HEAD = """
version: 1
title: a pack
effective_from: 2020-01-01
timezone: Asia/Shanghai
documents: {}
levels:
  - {code: usual, rank: 1, title_zh: 一般, source: &ours {kind: derived, reason: a test}}
  - {code: grave, rank: 2, title_zh: 重大, source: *ours}
ladder:
"""
RUNG = "  - {{rung: reminder, after: {{mode: elapsed, duration: {}}}, tells: [unit], source: *ours}}\nclocks:\n"
CLOCK = (
    "  - {{name: {}, title_zh: 时限, from: {}, to: [{}], limit: {{mode: elapsed, duration: {}}}, "
    "first_answer: {}, source: *ours}}\n"
)


def text(name: str, rung: str, *clocks: tuple[str, str, str, str, str]) -> str:
    return f"id: {name}{HEAD}{RUNG.format(rung)}{''.join(CLOCK.format(*one) for one in clocks)}"


def pack(name: str, rung: str, *clocks: tuple[str, str, str, str, str]) -> LoadedPack:
    return parse_pack(text(name, rung, *clocks))


OLD_TEXT = text(
    "old",
    "PT1H",
    ("answer", "discovered", "facts_published", "PT4H", "true"),
    ("hand_out", "discovered", "assigned", "PT6H", "false"),
    ("brief", "discovered", "fact_established", "PT1H", "false"),
    ("only_old", "discovered", "accepted", "PT9H", "false"),
)
OLD = parse_pack(OLD_TEXT)
NEW = pack(
    "new",
    "PT5H",
    ("answer", "discovered", "facts_published", "P3D", "true"),
    ("hand_out", "discovered", "assigned", "PT8H", "false"),
    ("brief", "discovered", "fact_established", "P3D", "false"),
    ("short", "discovered", "plan_started", "PT30M", "false"),
)
CHIEF = staff("chief", unit="town-east", person="li")


def matter(*further: RecordMilestones) -> Incident:
    """A matter that was opened at 0:00 under the old pack."""
    offices = replace(OFFICES, packs={**OFFICES.packs, OLD.ref: OLD, NEW.ref: NEW})
    return Incident(offices=offices).hear(under(OLD), *further)


def under(first: LoadedPack) -> RecordMilestones:
    (discovered, begun) = opened(at(0)).milestones
    return brings(discovered, begun.model_copy(update={"policy": first.ref}))


def moves(hour: float, to: LoadedPack = NEW, **more: Any) -> RecordMilestones:
    return reached("policy_moved", at(hour), policy=to.ref, **more)


def clock(made: Incident, name: str) -> tuple[datetime, str]:
    known = made.state.clocks[name]
    state = "cancelled" if known.cancelled else "met" if known.met_at else "breached" if known.breach else "running"
    return known.started.due, state


def test_what_runs_goes_on_by_the_new_pack_and_the_difference_is_recorded() -> None:
    made = matter(moves(3))
    assert clock(made, "hand_out") == (at(8), "running")
    assert clock(made, "only_old") == (at(9), "cancelled")
    assert [fact.cause for fact in made.did if isinstance(fact, e.ClockCancelled)] == ["policy_moved"]
    assert clock(made, "short") == (at(3.5), "running"), "no limit passes before it is in force"


def test_a_first_answer_stays_owed_with_its_limit() -> None:
    made = matter(moves(3)).detect(at(3.9))
    assert clock(made, "answer") == (at(4), "running")
    made.detect(at(4.1))
    assert clock(made, "answer") == (at(4), "breached")
    made.hear(reached("facts_published", at(6)))
    assert clock(made, "answer") == (at(4), "met")


@pytest.mark.parametrize("judged", [True, False])
def test_a_limit_that_was_missed_before_stays_missed(judged: bool) -> None:
    made = matter()
    if judged:
        made.detect(at(2))
    made.hear(moves(3)).detect(at(3))
    assert clock(made, "brief") == (at(1), "breached")
    assert made.of(e.ClockBreachAnnulled) == []
    made.hear(reached("fact_established", at(5)))
    assert clock(made, "brief") == (at(1), "met")


def test_what_was_done_before_is_not_owed_again() -> None:
    made = matter(reached("plan_started", at(1)), moves(3))
    assert "short" not in made.state.clocks
    made = matter(reached("assigned", at(1), unit="county-roads"), moves(3))
    assert clock(made, "hand_out") == (at(6), "met")


def test_each_clock_climbs_the_ladder_of_its_own_pack() -> None:
    made = matter().detect(at(2)).hear(moves(2.5)).detect(at(3.1))
    assert [fact.clock for fact in made.of(e.ClockReminderSent)] == ["brief"], "an hour after its detection"
    made.detect(at(5)).detect(at(8))
    assert [fact.clock for fact in made.of(e.ClockReminderSent)] == ["brief", "answer"]
    made.detect(at(11))
    assert [fact.clock for fact in made.of(e.ClockReminderSent)] == ["brief", "answer", "short"], "after five hours"


def test_the_level_by_the_old_pack_is_none_by_the_new_one() -> None:
    made = matter(graded(at(1), "general"), moves(3))
    made.hear(moves(4, OLD, level="grave", rank=2))
    assert [clock(made, name)[1] for name in ("answer", "hand_out")] == ["running", "running"]


def test_a_move_back_and_forth_loses_nothing() -> None:
    made = matter(moves(3), moves(3.2, OLD), moves(3.4)).detect(at(5))
    assert clock(made, "answer") == (at(4), "breached")
    assert clock(made, "brief") == (at(1), "breached")
    assert clock(made, "hand_out") == (at(8), "running")


class TestDecisionsOnALimitAcrossPacks:
    """A limit that goes on by the earlier pack is decided on by that pack."""

    PAUSING = "pause: {reasons: [{code: lab, title_zh: 鉴定}], source: *ours}, source: *ours}"
    BEFORE = parse_pack(OLD_TEXT.replace("first_answer: true, source: *ours}", f"first_answer: true, {PAUSING}"))
    AFTER = pack("after", "PT5H", ("reply", "discovered", "replied", "P3D", "true"))

    def paused(self) -> Incident:
        offices = replace(OFFICES, packs={**OFFICES.packs, self.BEFORE.ref: self.BEFORE, self.AFTER.ref: self.AFTER})
        made = Incident(offices=offices).hear(under(self.BEFORE))
        return made.do(Pause(clock="answer", reason="lab"), at(1), CHIEF).hear(moves(3, self.AFTER))

    def test_what_stands_still_at_the_move_can_go_on(self) -> None:
        made = self.paused().do(Resume(clock="answer"), at(5), CHIEF)
        assert clock(made, "answer") == (at(8), "running"), "four hours, and four of the pause"
        made.do(Pause(clock="answer", reason="lab"), at(6), CHIEF).do(Resume(clock="answer"), at(7), CHIEF)
        assert clock(made.detect(at(10)), "answer") == (at(9), "breached")

    def test_the_api_offers_what_that_pack_allows(self) -> None:
        made = self.paused().do(Resume(clock="answer"), at(5), CHIEF)
        assert made.state.clocks["answer"].started.policy == self.BEFORE.ref
        assert made.state.clocks["reply"].started.policy is None
        row = next(one for one in folded(OF_ONE[0], made.events) if one["clock"] == "answer")
        of = {**dict.fromkeys(OF_MATTER), "unit": "town-east", "policy": self.AFTER.ref}
        told = _shown({**row, **{f"of_{name}": value for name, value in of.items()}}, None, made.context(at(6), CHIEF))
        assert "pause" in told["may"]


def test_the_review_of_a_first_answer_that_was_deferred_stays_owed() -> None:
    deferring = "deferral: {review: {mode: elapsed, duration: P90D}, source: *ours}, source: *ours}"
    before = parse_pack(OLD_TEXT.replace("first_answer: true, source: *ours}", f"first_answer: true, {deferring}"))
    after = pack("after", "PT5H", ("reply", "discovered", "replied", "P3D", "true"))
    offices = replace(OFFICES, packs={**OFFICES.packs, before.ref: before, after.ref: after})
    made = Incident(offices=offices).hear(under(before))
    handler = staff("handler", unit="town-east", person="wang")
    made.do(RequestDeferral(clock="answer", plan="明年工程", review=at(0, day=60)), at(1), handler)
    made.do(DecideDeferral(clock="answer", granted=True, reason="属实"), at(2), CHIEF).hear(moves(3, after))
    assert clock(made, "answer.review") == (at(0, day=60), "running")
    assert "answer.review" in made.detect(at(1, day=60)).breaches()


def test_a_hand_over_alone_moves_nothing() -> None:
    offices = replace(
        OFFICES,
        packs={**OFFICES.packs, OLD.ref: OLD, NEW.ref: NEW},
        assigned={**OFFICES.assigned, "town-west": NEW.ref},
    )
    made = Incident(offices=offices).hear(under(OLD), reached("transferred", at(2), unit="town-west"))
    assert clock(made, "answer") == (at(4), "running")
    assert made.state.policy == OLD.ref


OPEN = parse_pack(
    NEW.canonical.replace('"id":"new"', '"id":"open"').replace(
        '{"duration":"PT8H","mode":"elapsed"}', '{"source":{"kind":"unset"}}'
    )
)


def set_value(hour: float, duration: str, unit: str = "county") -> SetValue:
    value = json.dumps({"mode": "elapsed", "duration": duration})
    return SetValue(unit, "open", "clocks.hand_out.limit", value, at(hour))


def under_open(*values: SetValue) -> Incident:
    return Incident(offices=replace(OFFICES, packs={**OFFICES.packs, OPEN.ref: OPEN}, values=values))


class TestValuesThatAnOfficeSets:
    def test_nothing_runs_by_an_open_limit(self) -> None:
        made = under_open().hear(under(OPEN)).detect(at(90))
        assert "hand_out" not in made.state.clocks

    def test_a_value_counts_for_the_unit_and_those_below_it(self) -> None:
        assert clock(under_open(set_value(-1, "PT2H")).hear(under(OPEN)), "hand_out") == (at(2), "running")
        assert clock(under_open(set_value(-1, "PT2H", "town-east")).hear(under(OPEN)), "hand_out") == (at(2), "running")
        elsewhere = under_open(set_value(-1, "PT2H", "town-west")).hear(under(OPEN))
        assert "hand_out" not in elsewhere.state.clocks

    def test_the_value_of_the_unit_above_counts_whichever_came_first(self) -> None:
        own, above = set_value(-1, "PT2H", "town-east"), set_value(-2, "PT3H")
        for values in ((own, above), (above, own)):
            assert clock(under_open(*values).hear(under(OPEN)), "hand_out") == (at(3), "running")

    def test_a_value_that_comes_later_lets_the_clock_run_and_breaches_nothing_in_the_past(self) -> None:
        made = under_open().hear(under(OPEN)).detect(at(5))
        made.offices = replace(made.offices, values=(set_value(6, "PT2H"),))
        made.detect(at(6) + timedelta(minutes=1))
        assert clock(made, "hand_out") == (at(8), "running"), "from when it was set on"
        made.detect(at(8) + timedelta(minutes=1))
        assert clock(made, "hand_out") == (at(8), "breached")

    def test_another_value_changes_nothing_of_a_matter_that_has_one(self) -> None:
        made = under_open(set_value(-1, "PT2H")).hear(under(OPEN)).detect(at(3))
        made.offices = replace(made.offices, values=(*made.offices.values, set_value(4, "P7D")))
        made.detect(at(5)).hear(reached("accepted", at(6), unit="town-east"))
        assert clock(made, "hand_out") == (at(2), "breached")
        assert made.of(e.ClockBreachAnnulled) == []


def test_a_pack_that_has_not_come_is_waited_for() -> None:
    offices = replace(OFFICES, packs={OLD.ref: OLD})
    made = Incident(offices=offices).hear(under(OLD), moves(3))
    assert clock(made, "hand_out") == (at(6), "running")
    made.offices = replace(offices, packs={OLD.ref: OLD, NEW.ref: NEW})
    made.detect(at(3) + timedelta(minutes=1))
    assert clock(made, "hand_out") == (at(8), "running")


LOWEST = parse_pack(
    OPEN.canonical.replace(
        '"id":"open"', '"id":"open","ungraded":{"owes":"lowest","source":{"kind":"derived","reason":"a test"}}'
    ).replace('"name":"answer"', '"levels":["usual"],"name":"answer"')
)


def test_a_value_that_is_set_hides_no_grading_from_the_clocks_that_ran_before() -> None:
    made = Incident(offices=replace(OFFICES, packs={**OFFICES.packs, LOWEST.ref: LOWEST})).hear(under(LOWEST))
    assert clock(made, "answer")[1] == "running"
    made.offices = replace(made.offices, values=(set_value(2, "PT2H"),))
    made.detect(at(2.1)).hear(reached("graded", at(3), level="grave", rank=2))
    assert clock(made, "answer")[1] == "cancelled", "only the lowest level owes it"


def test_a_value_that_does_not_fit_leaves_the_others_in_force() -> None:
    two = parse_pack(OPEN.canonical.replace('{"duration":"PT30M","mode":"elapsed"}', '{"source":{"kind":"unset"}}'))
    good = SetValue("county", "open", "clocks.short.limit", '{"mode":"elapsed","duration":"PT2H"}', at(0))
    bad = SetValue("county", "open", "clocks.hand_out.limit", '{"mode":"elapsed"}', at(0))
    found = with_values(two, {one.place: one for one in (bad, good)}).model
    limits = {spec.name: spec.limit.duration for spec in found.clocks}
    assert (limits["hand_out"], limits["short"]) == (None, timedelta(hours=2))
