"""The content of the county's pack: levels by figures, limits by level, and approvers."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.pack.clocks import ClockRule
from schemas.triage import AnswerKind
from services.kernel.rules.approval import chain_of, fixed
from services.kernel.rules.calendars import due
from services.kernel.rules.conditions import Context, Figures, Proposal, propose_level
from services.kernel.rules.packs import load_pack

PACK = load_pack(Path(__file__).parents[2] / "policies" / "county-default.yaml")
COUNTY = PACK.model
LEVELS = ["general", "major", "extraordinary"]
FLAGS = [flag.code for flag in COUNTY.flags]
MEASURED = ["clicks", "comments", "mainstream_sites"]
FIGURES = st.builds(
    Figures,
    clicks=st.none() | st.integers(0, 10**11),
    comments=st.none() | st.integers(0, 10**6),
    mainstream_sites=st.none() | st.integers(0, 100),
)
HARM = st.none() | st.integers(0, 3)


def rank(proposal: Proposal) -> int:
    return LEVELS.index(proposal.level)


def clocks(level: str, answer_kind: AnswerKind | None = None) -> dict[str, ClockRule]:
    return {clock.name: clock for clock in COUNTY.clocks_for(level, answer_kind)}


class TestLevels:
    def test_there_are_three_that_rise(self) -> None:
        assert [level.code for level in COUNTY.levels] == LEVELS

    @pytest.mark.requirement("TRI-06")
    @pytest.mark.requirement("TRI-07")
    @pytest.mark.parametrize(
        ("figure", "value", "level"),
        [
            ("clicks", 0, "general"),
            ("clicks", 999, "general"),
            ("clicks", 1000, "major"),
            ("clicks", 2999, "major"),
            ("clicks", 3000, "extraordinary"),
            ("comments", 99, "general"),
            ("comments", 100, "major"),
            ("comments", 499, "major"),
            ("comments", 500, "extraordinary"),
            ("mainstream_sites", 0, "general"),
            ("mainstream_sites", 1, "major"),
            ("mainstream_sites", 4, "major"),
            ("mainstream_sites", 5, "extraordinary"),
        ],
    )
    def test_one_figure_alone_decides_at_its_threshold(self, figure: str, value: int, level: str) -> None:
        proposal = propose_level(PACK, Figures.model_validate({figure: value}))
        assert proposal.level == level
        assert proposal.rule == f"{level}/{'otherwise' if level == 'general' else figure}"
        assert proposal.inputs["figures"][figure] == value

    @pytest.mark.requirement("TRI-06")
    @pytest.mark.requirement("TRI-07")
    def test_the_highest_level_that_any_figure_reaches_wins(self) -> None:
        assert propose_level(PACK, Figures(clicks=1500, comments=500)).rule == "extraordinary/comments"

    @pytest.mark.requirement("TRI-08")
    def test_general_has_no_figures_and_is_what_nothing_lifts(self) -> None:
        assert COUNTY.level("general").conditions == ()
        assert propose_level(PACK, Figures()) == Proposal(
            "general",
            "general/otherwise",
            {"figures": dict.fromkeys(Figures.model_fields), "flags": [], "harm": None},
        )

    @pytest.mark.parametrize("flag", FLAGS)
    @pytest.mark.parametrize(("clicks", "level"), [(999, "major"), (1000, "extraordinary"), (3000, "extraordinary")])
    def test_a_subject_weighs_one_level(self, flag: str, clicks: int, level: str) -> None:
        assert propose_level(PACK, Figures(clicks=clicks), [flag]).level == level

    @pytest.mark.parametrize(("harm", "level"), [(1, "general"), (2, "major"), (3, "extraordinary")])
    def test_harm_to_the_public_lifts_without_any_reach(self, harm: int, level: str) -> None:
        assert propose_level(PACK, Figures(), harm=harm).level == level

    def test_a_flag_that_the_pack_does_not_have_weighs_nothing(self) -> None:
        proposal = propose_level(PACK, Figures(), ["criticism"])
        assert (proposal.level, proposal.inputs["flags"]) == ("general", [])

    @given(FIGURES, st.sets(st.sampled_from(FLAGS)), HARM, st.sampled_from(MEASURED), st.integers(1, 5000))
    def test_more_of_anything_never_lowers_the_level(
        self, low: Figures, flags: set[str], harm: int | None, name: str, more: int
    ) -> None:
        high = low.model_copy(update={name: (getattr(low, name) or 0) + more})
        before = rank(propose_level(PACK, low, flags, harm))
        assert rank(propose_level(PACK, high, flags, harm)) >= before
        assert rank(propose_level(PACK, low, FLAGS, harm)) >= before
        assert rank(propose_level(PACK, low, flags, (harm or 0) + 1)) >= before

    @given(FIGURES, st.lists(st.sampled_from(FLAGS)))
    def test_the_same_facts_give_the_same_proposal(self, figures: Figures, flags: list[str]) -> None:
        assert propose_level(PACK, figures, flags) == propose_level(PACK, figures, set(flags))


class TestClocks:
    def test_each_level_owes_its_own(self) -> None:
        assert set(clocks("general")) == {"transfer", "explanation"}
        graver = {"public_statement", "hand_over", "complaint_transfer"}
        assert set(clocks("major")) == set(clocks("extraordinary")) == graver
        assert set(clocks("major", "answer")) - set(clocks("major")) == {"interim_reply", "result_reply"}
        assert set(clocks("general", "answer")) == set(clocks("general"))

    @pytest.mark.parametrize(
        ("level", "name", "start", "hours"),
        [
            ("general", "transfer", "discovered", 2),
            ("general", "explanation", "discovered", 24),
            ("major", "public_statement", "discovered", 3),
            ("extraordinary", "public_statement", "discovered", 3),
        ],
    )
    def test_hours_run_by_the_clock_through_a_holiday(self, level: str, name: str, start: str, hours: int) -> None:
        clock = clocks(level)[name]
        spring_festival = datetime(2026, 2, 17, 15, 30, tzinfo=UTC)
        assert clock.from_ == start
        assert due(spring_festival, clock.limit, COUNTY.timezone, COUNTY.workday).at == spring_festival + timedelta(
            hours=hours
        )

    def test_a_status_is_enough_for_the_first_public_statement(self) -> None:
        statement = clocks("major")["public_statement"]
        assert statement.first_answer
        assert statement.is_met_by("status_published")
        assert statement.is_met_by("facts_published")
        assert not statement.is_met_by("replied")

    def test_a_status_is_no_result(self) -> None:
        result = clocks("major", "answer")["result_reply"]
        assert result.starts_at("solved")
        assert not result.is_met_by("status_published")

    def test_the_interim_reply_is_due_when_the_day_ends_in_the_county(self) -> None:
        limit = clocks("major", "answer")["interim_reply"].limit
        evening = datetime(2026, 3, 2, 15, 59, tzinfo=UTC)
        assert due(evening, limit, COUNTY.timezone, None).at == datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
        assert due(evening + timedelta(minutes=1), limit, COUNTY.timezone, None).at == datetime(
            2026, 3, 3, 16, 0, tzinfo=UTC
        )

    def test_what_major_owes_counts_from_when_it_could_be_known(self) -> None:
        known = {name: clock.anchor for name, clock in clocks("major").items() if clock.from_ == "discovered"}
        assert known == dict.fromkeys(("public_statement", "complaint_transfer"), "level_known")

    def test_the_intervals_of_the_ladder_are_marked_as_ours(self) -> None:
        assert {rung.after.source.kind for rung in COUNTY.ladder if rung.after and rung.after.source} == {"derived"}

    def test_that_an_ungraded_matter_owes_the_lowest_level_is_marked_as_our_reading(self) -> None:
        assert COUNTY.ungraded is not None
        assert (COUNTY.ungraded.owes, COUNTY.ungraded.source.kind) == ("lowest", "reading")


class TestApproval:
    def test_the_chain_grows_with_the_level(self) -> None:
        chains = {level: [step.who for step in fixed(chain_of(PACK, Context(level=level)))] for level in LEVELS}
        upper = [("leader_in_charge",), ("principal_leader", "leading_group")]
        assert chains == {
            "general": [("leader_in_charge", "principal_leader")],
            "major": upper,
            "extraordinary": upper,
        }

    @pytest.mark.parametrize(
        ("context", "code"),
        [
            (Context(level="general", doubtful=True), "doubtful"),
            (Context(level="major", doubtful=True, answer_kind="answer"), "doubtful"),
            (Context(level="major", answer_kind="answer"), "class_1"),
            (Context(level="general", answer_kind="answer"), "usual"),
            (Context(level="major", answer_kind="status"), "upper"),
            (Context(level="extraordinary"), "upper"),
            (Context(level="general"), "usual"),
            (Context(), "usual"),
        ],
    )
    def test_doubt_and_the_first_class_have_chains_of_their_own(self, context: Context, code: str) -> None:
        chain = chain_of(PACK, context)
        assert chain is not None
        assert chain.code == code
        clauses = {"doubtful": "L32", "class_1": "L21", "upper": "L36", "usual": "L33"}
        assert clauses[code] in (chain.source.clause or "")

    def test_what_an_approver_cannot_judge_goes_to_the_principal_leader(self) -> None:
        assert COUNTY.approval is not None
        assert COUNTY.approval.cannot_judge is not None
        assert COUNTY.approval.cannot_judge.to == "principal_leader"

    def test_separation_by_person_is_marked_as_ours(self) -> None:
        assert COUNTY.approval.separation.value == "by_person"
        assert COUNTY.approval.separation.source.kind == "derived"


def test_the_ladder_ends_with_a_circular_that_spares_who_explained() -> None:
    assert [
        (rung.rung, rung.after and rung.after.duration and rung.after.duration.days, rung.spares_explained)
        for rung in COUNTY.ladder
    ] == [
        ("reminder", 1, False),
        ("supervision", 2, False),
        ("circular", 3, True),
    ]


def test_the_pack_takes_effect_when_the_day_begins_in_the_county() -> None:
    assert COUNTY.effective_from == date(2026, 1, 1)
    assert COUNTY.effective_at == datetime(2025, 12, 31, 16, 0, tzinfo=UTC)
