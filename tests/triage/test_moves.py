"""A matter keeps the pack under which it was opened, until a transfer or a unit above moves it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from schemas import triage
from schemas.fields import Fact
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.core.units import LoadedPack
from services.kernel.rules.packs import parse_pack
from services.triage import commands as c
from services.triage.decider import DECIDER
from services.triage.levels import moves
from tests.kit import spec
from tests.kit.spec import Given, staff
from tests.triage.test_decider import DISCOVERED, OTHER, REPORTS, other

USUAL = spec.offices().packs[spec.offices().assigned["city"]]
HEAD = """
version: 1
title: a pack of two levels
effective_from: 2020-01-01
timezone: Asia/Shanghai
documents: {}
"""
TWO = """
levels:
  - {code: usual, rank: 1, title_zh: 一般, source: &ours {kind: derived, reason: a test}}
  - {code: grave, rank: 2, title_zh: 重大, source: *ours}
answers: [{kind: answer, title_zh: 答复, office_does_zh: 答复, source: *ours}]
"""
MAPPED = """
level_maps:
  - {pack: county-default, levels: {general: usual, extraordinary: grave}, source: *ours}
"""
MAPPING, STRANGE, BARE = (
    parse_pack(f"id: {name}{HEAD}{levels}")
    for name, levels in (("mapping", TWO + MAPPED), ("strange", TWO), ("bare", ""))
)
SCALED = parse_pack(
    f"id: scaled{HEAD}"
    """
harm_scale: [{value: 2, title_zh: 多人遇险, source: &ours {kind: derived, reason: a test}}]
levels:
  - {code: usual, rank: 1, title_zh: 一般, source: *ours}
  - code: grave
    rank: 2
    title_zh: 重大
    conditions: [{code: harm, when: harm >= 2, source: *ours}]
    source: *ours
"""
)
COMING = parse_pack(f"id: coming{HEAD}{TWO}".replace("2020-01-01", "2999-01-01"))
NEXT = next(pack for pack in spec.offices().packs.values() if pack.name == "county-default@99")
OPENED = triage.IncidentOpened(unit="town-east", report=REPORTS[0], discovered_at=DISCOVERED, policy=USUAL.ref)


def graded(level: str, rank: int, **more: Any) -> triage.IncidentGraded:
    return triage.IncidentGraded(level=level, rank=rank, **more)


def moved(pack: LoadedPack, level: str | None = None, rank: int | None = None, reason: str | None = None) -> Fact:
    return triage.IncidentPolicyMoved(
        policy=pack.ref,
        previous=USUAL.ref,
        level=level,
        rank=rank,
        reason=reason,  # type: ignore[arg-type]
    )


def past(
    *facts: Fact, assigned: Mapping[str, LoadedPack] | None = None, role: str = "chief", unit: str = "city"
) -> Given:
    """A matter of town-east, where units may have packs of their own."""
    known, own = spec.offices(), assigned or {}
    packs = {**known.packs, **{pack.ref: pack for pack in (MAPPING, STRANGE, BARE, COMING, SCALED)}}
    offices = replace(known, packs=packs, assigned={**known.assigned, **{u: pack.ref for u, pack in own.items()}})
    case = spec.given(DECIDER, *facts, actor=staff(role, unit=unit))
    return replace(case, context=replace(case.context, offices=offices))


TRANSFER = c.Transfer(unit="town-west", reason="r")
HANDED = triage.IncidentTransferred(unit="town-west", previous="town-east", reason="r")  # type: ignore[arg-type]


def test_a_newer_pack_of_the_unit_is_not_the_matters() -> None:
    case = past(OPENED, assigned={"town-east": STRANGE}, role="duty_officer")
    (event,) = case.when(c.Grade(level="major", reason="r")).decided()
    assert event.policy == USUAL.ref  # type: ignore[union-attr]
    case.when(c.Grade(level="grave", reason="r")).then_raises(Malformed, "county-default@2 has no level 'grave'")


def test_a_matter_without_a_pack_keeps_the_first_by_which_it_was_judged() -> None:
    without = OPENED.model_copy(update={"policy": None})
    (event,) = past(without, role="duty_officer").when(c.Grade(level="major", reason="r")).decided()
    assert event.policy == USUAL.ref  # type: ignore[union-attr]


class TestTransfer:
    def test_to_a_unit_with_the_same_pack_nothing_moves(self) -> None:
        past(OPENED, graded("major", 2)).when(TRANSFER).then(HANDED)

    def test_a_newer_version_is_no_other_pack(self) -> None:
        past(OPENED, graded("major", 2), assigned={"town-west": NEXT}).when(TRANSFER).then(HANDED)

    def test_an_ungraded_matter_moves(self) -> None:
        past(OPENED, assigned={"town-west": STRANGE}).when(TRANSFER).then(HANDED, moved(STRANGE))

    def test_a_mapped_level_goes_along(self) -> None:
        case = past(OPENED, graded("extraordinary", 3), assigned={"town-west": MAPPING})
        case.when(TRANSFER).then(HANDED, moved(MAPPING, "grave", 2))

    @pytest.mark.parametrize(("pack", "level"), [(MAPPING, "major"), (STRANGE, "general")])
    def test_a_level_that_is_not_mapped_takes_a_new_grading(self, pack: LoadedPack, level: str) -> None:
        rank = {"general": 1, "major": 2}[level]
        case = past(OPENED, graded(level, rank), assigned={"town-west": pack})
        case.when(TRANSFER).then_raises(Rejected, f"does not say what {level} of county-default@2 is")
        named = TRANSFER.model_copy(update={"level": "grave"})
        case.when(named).then(HANDED, moved(pack, "grave", 2))
        unknown = TRANSFER.model_copy(update={"level": "major"})
        case.when(unknown).then_raises(Malformed, "has no level 'major'; its levels are usual, grave")

    def test_to_a_pack_without_levels_the_level_ends(self) -> None:
        case = past(OPENED, graded("major", 2), assigned={"town-west": BARE})
        case.when(TRANSFER).then(HANDED, moved(BARE))
        assert past(OPENED, graded("major", 2), HANDED, moved(BARE)).state.level is None

    def test_a_level_where_the_pack_stays_is_refused(self) -> None:
        named = TRANSFER.model_copy(update={"level": "major"})
        past(OPENED).when(named).then_raises(Malformed, "leave `level` out")


class TestMovePolicy:
    def test_a_chief_of_a_unit_above_moves_it_with_a_reason(self) -> None:
        command = c.MovePolicy(pack="mapping@1", reason="r")
        case = past(OPENED, graded("general", 1), unit="county")
        case.when(command).then(moved(MAPPING, "usual", 1, "r"))
        past(OPENED, unit="town-east").when(command).then_raises(Forbidden, "role chief over county")
        past(OPENED, unit="county", role="duty_officer").when(command).then_raises(Forbidden)

    def test_another_version_keeps_the_level(self) -> None:
        command = c.MovePolicy(pack="county-default@99", reason="r")
        past(OPENED, graded("major", 2)).when(command).then(moved(NEXT, "major", 2, "r"))
        again = past(OPENED, moved(NEXT, reason="r")).when(command)
        again.then_raises(Rejected, "is under county-default@99 already")

    def test_harm_means_nothing_on_the_scale_of_another_pack(self) -> None:
        command = c.MovePolicy(pack="scaled@1", reason="r")
        judged = triage.IncidentHarmJudged(harm=2, reason="r")  # type: ignore[arg-type]
        case = past(OPENED, judged)
        case.when(command).then(moved(SCALED, reason="r"))
        assert past(OPENED, judged, moved(SCALED, reason="r")).state.harm is None
        there = past(OPENED, judged, moved(SCALED, reason="r"), role="duty_officer")
        told = [item.data for item in there.when(c.JudgeHarm(harm=2, reason="r")).decided()]  # type: ignore[union-attr]
        assert [type(fact).__name__ for fact in told] == ["IncidentHarmJudged", "IncidentLevelsKnown"]

    def test_a_merger_brings_no_harm_from_the_scale_of_another_pack(self) -> None:
        case = past(OPENED, triage.IncidentHarmJudged(harm=2, reason="r"))  # type: ignore[arg-type]
        assert case.state.harm == 2
        brought = moves.in_terms_of(SCALED, case.state, case.context)
        assert (brought.harm, brought.gravity) == (None, ())

    def test_an_unknown_pack(self) -> None:
        past(OPENED).when(c.MovePolicy(pack="other@1", reason="r")).then_raises(Malformed, "other@1 is not loaded")
        early = c.MovePolicy(pack="coming@1", reason="r")
        past(OPENED).when(early).then_raises(Rejected, "coming@1 is in effect from 2998")

    def test_later_decisions_follow_the_new_pack(self) -> None:
        case = past(OPENED, moved(STRANGE, reason="r"), role="duty_officer")
        case.when(c.Grade(level="grave", reason="r")).then(graded("grave", 2, reason="r"))


class TestMerge:
    """The other matter is one of town-west, under a pack of its own."""

    def test_a_level_is_taken_over_by_the_map(self) -> None:
        leaving = replace(past(OPENED, graded("extraordinary", 3)).state, id=f"incident-{spec.UUID}")
        there = triage.IncidentOpened(unit="town-west", report=REPORTS[1], discovered_at=DISCOVERED, policy=MAPPING.ref)
        seeing = past(there).seeing(leaving=leaving, reports=[REPORTS[0]])
        facts = [item.data for item in seeing.when(c.Absorb(incident=OTHER)).decided() if hasattr(item, "data")]
        assert [(fact.level, fact.rank) for fact in facts if isinstance(fact, triage.IncidentGraded)] == [("grave", 2)]

    @pytest.mark.parametrize(("level", "taken"), [("extraordinary", True), ("major", False)])
    def test_a_level_without_a_map_takes_a_grading_there(self, level: str, taken: bool) -> None:
        into = other(policy=MAPPING.ref)
        command = c.Merge(into=OTHER)
        case = past(OPENED, graded(level, 3 if taken else 2))
        if taken:
            assert len(case.seeing(into=into).when(command).decided()) == 1
        else:
            case.seeing(into=into).when(command).then_raises(Rejected, "which mapping@1 does not know")
            assert len(case.seeing(into=replace(into, level="usual", rank=1)).when(command).decided()) == 1
