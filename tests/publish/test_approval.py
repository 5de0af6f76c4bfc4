"""Chains by conditions, posts and bodies, side by side and in order, what cannot be judged, and delegations."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from schemas.fields import Fact
from schemas.offices import UnitDelegationEnded, UnitDelegationGiven
from schemas.publish import StatementApproved, StatementPublished, StatementReferred, StatementRejected
from schemas.triage import IncidentRegraded
from services.kernel.core.decider import Actor, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.core.units import Delegation, LoadedPack, Offices
from services.kernel.rules.approval import Course, chain_of
from services.kernel.rules.conditions import Context
from services.kernel.rules.packs import parse_pack
from services.kernel.serving.approvals import shown
from services.publish.commands import Approve, CannotJudge, Publish, Reject, Revise, Submit
from services.publish.decider import DECIDER
from services.publish.rights import Incident
from services.publish.state import State
from tests.kit import spec
from tests.publish.conftest import SINCE, Office
from tests.publish.test_decider import MATTER, STREAM, TEXT, TITLE, by, draft

PACK = """
id: trial
version: 1
title: 试用规则
effective_from: 2026-01-01
timezone: Asia/Shanghai
documents: {d: 文件}
flags: [{code: sudden, title_zh: 突发, source: {kind: stated, document: d, clause: L1}}]
approval:
  source: &s {kind: stated, document: d, clause: L1}
  chains:
    - code: doubtful
      title_zh: 把握不准
      when: doubtful
      steps: [{code: judged, title_zh: 审定, who: [principal_leader], source: *s}]
      source: *s
    - code: secret
      title_zh: 涉密或重大信息
      when: secret || major_information
      steps:
        - {code: checked, title_zh: 审核, who: [office, leader_in_charge, party_office], needs: 2, source: *s}
        - {code: judged, title_zh: 审定, who: [leading_group], quorum: 3, source: *s}
      source: *s
    - code: facts
      title_zh: 事实
      when: statement_kind == 'facts' && category != 'x' && unit.kind == 'town' && !('sudden' in flags)
      steps:
        - {code: reviewed, title_zh: 审核, who: [leader_in_charge], source: *s}
        - {code: judged, title_zh: 审定, who: [leading_group], source: *s}
      source: *s
    - code: plain
      title_zh: 一般
      steps:
        - {code: reviewed, title_zh: 审核, who: [leader_in_charge], source: *s}
        - {code: judged, title_zh: 审定, who: [principal_leader], source: *s}
      source: *s
  separation: {value: by_person, source: *s}
  cannot_judge: {to: principal_leader, source: *s}
"""


@cache
def pack(text: str = PACK) -> LoadedPack:
    return parse_pack(text)


@cache
def offices(text: str = PACK) -> Offices:
    return replace(spec.offices(), assigned={"city": pack(text).ref}, packs={pack(text).ref: pack(text)})


def at(post: str, person: str = "") -> Actor:
    """Somebody at a post of town-east, or of another unit."""
    code, _, unit = post.partition("@")
    unit = unit or "town-east"
    roles = offices().posts[unit][code].roles
    return Actor(f"{code}@{unit}", unit, roles, person or f"{code} of {unit}")


@dataclass
class Text:
    """A statement that is brought forward step by step."""

    incident: Incident = MATTER
    offices: Offices = field(default_factory=offices)
    state: State = field(default_factory=DECIDER.initial_state)

    def does(self, actor: Actor, command: Any, after: timedelta = timedelta()) -> Any:
        """The decided fact. The statement then has it."""
        context = replace(
            spec.ctx(
                actor,
                spec.NOW + after,
                seen={"stream": STREAM, "incident": self.incident, "title": TITLE, "text": TEXT},
            ),
            offices=self.offices,
        )
        [item] = DECIDER.decide(self.state, command, context)
        assert isinstance(item, Occurred)
        [event] = spec.events("statement", [spec.At(item.data, actor=actor.post)])
        self.state = DECIDER.evolve(self.state, event)
        return item.data

    def submitted(self, kind: Any = "status", facts: tuple[str, ...] = (), **marks: bool) -> "Text":
        """Drafted and submitted by the handler."""
        command = draft(kind, *facts).model_copy(update=marks)
        self.does(at("handler"), command)
        self.does(at("handler"), Submit())
        return self

    @property
    def due(self) -> Any:
        return self.state.course.due


AGREE = Approve()
DOUBTFUL = replace(MATTER, doubtful=True)
UNSURE = CannotJudge(reason="把握不准")
RAISING = {"level": "major", "rank": 2, "previous": "general", "previous_rank": 1, "reason": "点击过千"}


def without(*codes: str, members: int | None = None) -> Offices:
    """The offices, in which no directory has these posts and bodies, and bodies have so many members at most."""
    known = offices()
    posts = {
        unit: {
            code: replace(post, serves=tuple(set(post.serves) - set(codes)), members=post.members[:members])
            for code, post in entries.items()
            if code not in codes
        }
        for unit, entries in known.posts.items()
    }
    return replace(known, posts=posts)


def test_nothing_is_submitted_to_nobody() -> None:
    with pytest.raises(Rejected, match="reviewed is agreed by leader_in_charge, and no directory of town-east, county"):
        Text(offices=without("leader_in_charge")).submitted()
    with pytest.raises(Rejected, match="judged is agreed by leading_group"):
        Text(offices=without(members=2)).submitted(secret=True)
    assert Text(offices=without("party_office")).submitted(secret=True).due.step == "checked", "two of three are left"


def test_what_cannot_be_judged_does_not_go_to_nobody() -> None:
    text = Text().submitted()
    text.offices = without("principal_leader")
    with pytest.raises(Rejected, match="reviewed is agreed by principal_leader"):
        text.does(at("approver"), UNSURE)


def test_a_pack_chooses_the_chain_by_what_is_known_of_the_matter_and_the_text() -> None:
    assert Text().submitted().state.course.chain == "plain"
    assert Text(DOUBTFUL).submitted().state.course.chain == "doubtful"
    assert Text().submitted(secret=True).state.course.chain == "secret"
    assert Text().submitted(major_information=True).state.course.chain == "secret"
    assert Text().submitted("facts", ("cause",)).state.course.chain == "facts"
    sudden = replace(MATTER, flags=frozenset({"sudden"}))
    assert Text(sudden).submitted("facts", ("cause",)).state.course.chain == "plain"
    other = replace(MATTER, unit="county-roads", assigned="town-east", category="x")
    said = Text(other)
    said.does(at("handler@county"), draft("facts", "cause", unit="town-east"))
    said.does(at("handler"), Submit())
    assert said.state.course.chain == "plain"


def test_the_pure_function_gives_the_first_chain_that_holds() -> None:
    for context, code in ((Context(doubtful=True, secret=True), "doubtful"), (Context(secret=True), "secret")):
        chain = chain_of(pack(), context)
        assert chain is not None
        assert chain.code == code
    assert chain_of(pack(), Context(), "measure") is None


def test_a_pack_without_chains_asks_for_no_approval_and_one_whose_chains_do_not_hold_refuses() -> None:
    bare = PACK[: PACK.index("approval:")]
    text = Text(offices=offices(bare)).submitted()
    assert text.state.phase == "approved"
    assert isinstance(text.does(at("spokesperson"), Publish()), StatementPublished)
    picky = PACK[: PACK.index("    - code: plain")] + PACK[PACK.index("  separation") :]
    with pytest.raises(Rejected, match="no chain"):
        Text(offices=offices(picky)).submitted()


# side by side, n of m


def test_two_of_three_agree_side_by_side_in_any_order_and_no_person_counts_twice() -> None:
    text = Text().submitted(secret=True)
    assert text.does(at("party_office"), AGREE) == StatementApproved(
        step="checked",
        who="party_office",
        post="party_office@town-east",
        last=False,
        by=by("party_office of town-east"),
    )
    with pytest.raises(Rejected, match="you approved this text"):
        text.does(at("approver", "party_office of town-east"), AGREE)
    with pytest.raises(Forbidden):
        text.does(at("party_office", "another"), AGREE)
    with pytest.raises(Forbidden):
        text.does(at("chief"), AGREE)
    assert text.due.who == ("office", "leader_in_charge")
    text.does(at("duty_officer"), AGREE)
    assert (text.due.step, text.due.who) == ("judged", ("leading_group",))
    with pytest.raises(Forbidden):
        text.does(at("approver@county-roads"), AGREE)


# bodies


def test_a_body_decides_by_its_head() -> None:
    text = Text().submitted("facts", ("cause",))
    text.does(at("approver"), AGREE)
    for member in ("spokesperson", "approver"):
        with pytest.raises(Forbidden, match="leading_group"):
            text.does(at(member, "another"), AGREE)
    said = text.does(at("chief"), AGREE)
    assert (said.who, said.post, said.took_part, said.last) == (
        "leading_group",
        "chief@town-east",
        ("chief@town-east",),
        True,
    )


def test_the_body_of_a_unit_above_decides_too() -> None:
    text = Text().submitted("facts", ("cause",))
    text.does(at("approver"), AGREE)
    assert text.does(at("chief@county"), AGREE).last


def a_quorum() -> Text:
    text = Text().submitted(secret=True)
    text.does(at("party_office"), AGREE)
    text.does(at("duty_officer"), AGREE)
    return text


def test_a_quorum_needs_its_members_each_named() -> None:
    text = a_quorum()
    few = Approve(took_part=("approver@town-east", "approver@town-east", "chief@town-east"))
    for command in (AGREE, few):
        with pytest.raises(Rejected, match="decides with 3 members"):
            text.does(at("chief"), command)
    with pytest.raises(Rejected, match="did not decide for judged"):
        text.does(at("chief"), Approve(took_part=("approver@town-east", "handler@town-east")))
    with pytest.raises(Malformed, match="no directory has the post"):
        text.does(at("chief"), Approve(took_part=("nobody@town-east",)))
    done = text.does(at("spokesperson"), Approve(took_part=("approver@town-east", "chief@town-east")))
    assert (done.took_part, done.last) == (("spokesperson@town-east", "approver@town-east", "chief@town-east"), True)


def test_posts_that_wrote_or_approved_before_make_no_quorum() -> None:
    text = Text()
    text.does(replace(at("spokesperson"), roles=frozenset({"handler"})), draft().model_copy(update={"secret": True}))
    text.does(at("handler"), Submit())
    text.does(at("party_office"), AGREE)
    text.does(at("approver"), AGREE)
    everybody = Approve(took_part=("approver@town-east", "spokesperson@town-east"))
    with pytest.raises(Rejected, match="you name 1"):
        text.does(at("chief"), everybody)
    of_county = Approve(took_part=tuple(f"chief@county-{of}" for of in ("roads", "water")))
    assert text.does(at("chief@county"), of_county).last


# what cannot be judged


def test_what_an_approver_cannot_judge_goes_to_the_post_that_the_pack_names() -> None:
    text = Text().submitted()
    said = text.does(at("approver"), UNSURE)
    assert isinstance(said, StatementReferred)
    assert (said.step, said.who, said.post, said.to) == (
        "reviewed",
        "leader_in_charge",
        "approver@town-east",
        "principal_leader",
    )
    assert text.due.who == ("principal_leader",)
    with pytest.raises(Forbidden):
        text.does(at("approver", "another"), AGREE)
    with pytest.raises(Rejected, match="could not judge"):
        text.does(at("chief", "approver of town-east"), AGREE)
    with pytest.raises(Rejected, match="goes to principal_leader, as whom you decide"):
        text.does(at("chief"), UNSURE)
    said = text.does(at("chief"), AGREE)
    assert (said.step, said.who, said.last) == ("reviewed", "principal_leader", True)
    text.does(at("spokesperson"), Publish())


def test_only_an_approver_of_the_step_that_is_due_cannot_judge() -> None:
    text = Text().submitted()
    for post in ("chief", "handler", "spokesperson", "approver@town-west"):
        with pytest.raises(Forbidden):
            text.does(at(post), UNSURE)
    with pytest.raises(Rejected, match="you wrote"):
        text.does(at("approver", "handler of town-east"), UNSURE)
    nobody = PACK.replace("  cannot_judge: {to: principal_leader, source: *s}\n", "")
    with pytest.raises(Rejected, match="names nobody"):
        Text(offices=offices(nobody)).submitted().does(at("approver"), UNSURE)
    fresh = Text()
    fresh.does(at("handler"), draft())
    with pytest.raises(Rejected, match="submit it before"):
        fresh.does(at("approver"), UNSURE)


def test_of_two_who_must_agree_the_one_that_cannot_judge_is_replaced_and_the_other_still_needed() -> None:
    text = Text().submitted(secret=True)
    text.does(at("approver"), UNSURE)
    text.does(at("chief"), AGREE)
    assert (text.due.step, text.due.who) == ("checked", ("office", "party_office"))
    text.does(at("party_office"), AGREE)
    assert text.due.step == "judged"


def test_a_revision_voids_a_referral() -> None:
    text = Text().submitted()
    text.does(at("approver"), UNSURE)
    text.does(at("handler"), Revise(text="另一份。"))
    assert text.state.course == Course()
    text.does(at("handler"), Submit())
    assert text.due.who == ("leader_in_charge",)


# secrets and major information


def test_an_approver_raises_a_mark_and_nobody_lowers_it() -> None:
    text = Text().submitted()
    text.does(at("approver"), Approve(secret=True))
    with pytest.raises(Rejected, match="Submit it again"):
        text.does(at("chief"), AGREE)
    text.does(at("handler"), Submit())
    assert text.state.course.chain == "secret"
    text.does(at("handler"), Revise(text="不涉密。", secret=False, major_information=True))
    assert text.state.marks == {"secret", "major_information"}
    text.does(at("handler"), Revise(text="不涉密。", major_information=False))
    assert text.state.marks == {"secret"}


def test_a_rejection_may_raise_a_mark_too() -> None:
    text = Text().submitted()
    said = text.does(at("approver"), Reject(reason="属重大信息", major_information=True))
    assert isinstance(said, StatementRejected)
    assert (text.state.phase, text.state.marks) == ("drafted", {"major_information"})


def test_a_matter_that_became_doubtful_needs_the_chain_for_doubt() -> None:
    text = Text().submitted()
    text.does(at("approver"), AGREE)
    text.incident = DOUBTFUL
    with pytest.raises(Rejected, match="Submit it again"):
        text.does(at("chief"), AGREE)
    text.does(at("handler"), Submit())
    assert text.state.course.chain == "doubtful"
    assert text.does(at("chief"), AGREE).last


def test_a_post_with_a_further_role_acts_for_the_post_of_that_role_too() -> None:
    text = Text().submitted()
    both = replace(at("handler", "a colleague"), roles=frozenset({"handler", "approver"}))
    assert text.does(both, AGREE).post == "approver@town-east"
    other = Text().submitted(secret=True)
    office = other.does(replace(at("party_office"), roles=frozenset({"duty_officer"})), AGREE)
    assert office.who == "party_office"


# delegations

HOUR = timedelta(hours=1)


def delegated(post: str, to: str) -> Offices:
    given_ = Delegation(post, to, spec.NOW, spec.NOW + HOUR)
    return replace(offices(), delegations=(given_,))


def test_a_delegation_approves_from_its_beginning_until_its_end() -> None:
    loan = delegated("approver@town-east", "verifier@town-east")
    for after in (-timedelta(microseconds=1), HOUR):
        with pytest.raises(Forbidden):
            Text(offices=loan).submitted().does(at("verifier"), AGREE, after)
    for after in (timedelta(), HOUR - timedelta(microseconds=1)):
        said = Text(offices=loan).submitted().does(at("verifier"), AGREE, after)
        assert (said.post, said.by) == ("approver@town-east", by("verifier of town-east"))


def test_the_answer_shows_who_acted_for_a_post() -> None:
    text = Text(offices=delegated("approver@town-east", "verifier@town-east")).submitted()
    text.does(at("verifier"), AGREE)
    [agreed] = shown(text.state.course)["approval"][0]["agreed"]
    assert (agreed["post"], agreed["acted"]) == ("approver@town-east", "verifier@town-east")


def test_the_drafter_who_approves_by_delegation_is_still_the_drafter() -> None:
    text = Text(offices=delegated("approver@town-east", "handler@town-east")).submitted()
    with pytest.raises(Rejected, match="you wrote on this text"):
        text.does(at("handler"), AGREE)
    assert text.does(at("handler", "a colleague"), AGREE).post == "approver@town-east"


def test_whoever_decides_for_two_members_is_one_in_a_quorum() -> None:
    text = a_quorum()
    text.offices = delegated("spokesperson@town-east", "chief@town-east")
    three = Approve(took_part=("approver@town-east", "spokesperson@town-east"))
    with pytest.raises(Rejected, match="you name 2"):
        text.does(at("chief"), three)
    assert text.does(at("chief"), three, HOUR).last, "after the delegation's end"


def test_whoever_decides_for_two_other_members_is_one_in_a_quorum() -> None:
    text = a_quorum()
    loans = [
        Delegation(f"{post}@town-east", "verifier@town-east", spec.NOW, spec.NOW + HOUR)
        for post in ("chief", "approver")
    ]
    text.offices = replace(offices(), delegations=tuple(loans))
    others = Approve(took_part=("approver@town-east", "spokesperson@town-east", "chief@town-east"))
    with pytest.raises(Rejected, match="you name 2"):
        text.does(at("verifier"), others)
    assert text.does(at("chief"), others, HOUR).last, "after the delegations' end"


def test_a_delegation_gives_no_other_right_and_is_not_passed_on() -> None:
    chain = (
        Delegation("chief@town-east", "verifier@town-east", spec.NOW, spec.NOW + HOUR),
        Delegation("verifier@town-east", "auditor@town-east", spec.NOW, spec.NOW + HOUR),
    )
    text = Text(offices=replace(offices(), delegations=chain)).submitted()
    text.does(at("approver"), AGREE)
    with pytest.raises(Forbidden):
        text.does(at("auditor"), AGREE)
    text.does(at("verifier"), AGREE)
    with pytest.raises(Forbidden):
        text.does(at("verifier", "another"), Publish())


# no order of approvals by fewer than the chain asks publishes

ACTORS = ("approver", "chief", "party_office", "duty_officer", "spokesperson", "handler", "chief@county")
people = st.sampled_from(("a", "b", "c"))
acts = st.tuples(
    st.sampled_from(ACTORS),
    people,
    st.sampled_from(
        (
            AGREE,
            UNSURE,
            Approve(secret=True),
            Approve(took_part=("approver@town-east", "chief@town-east")),
            Approve(took_part=("spokesperson@town-east", "approver@town-east")),
            Submit(),
            Publish(),
        )
    ),
)
LOANS = tuple(
    Delegation(post, "handler@town-east", spec.NOW, spec.NOW + HOUR)
    for post in ("approver@town-east", "chief@town-east")
)


def asked(state: State) -> int:
    """How many persons the chain asks for: one for each agreement that its steps need."""
    return sum(step.needs for step in state.course.steps)


@settings(max_examples=300, deadline=None)
@examples(people, st.booleans(), st.booleans(), st.booleans(), st.lists(acts, max_size=14))
def test_nothing_is_published_with_fewer_persons_than_its_chain_asks(
    writer: str, secret: bool, doubtful: bool, loans: bool, more: list[tuple[str, str, Any]]
) -> None:
    text = Text(replace(MATTER, doubtful=doubtful), replace(offices(), delegations=LOANS if loans else ()))
    text.does(at("handler", writer), draft().model_copy(update={"secret": secret}))
    text.does(at("handler", writer), Submit())
    for post, person, command in more:
        before = text.state
        try:
            said = text.does(at(post, person), command)
        except (Forbidden, Rejected):
            continue
        if isinstance(said, StatementPublished):
            course = before.course
            assert len(course.persons) >= asked(before)
            assert by(writer) not in course.persons
            assert course.due is None
            for step in course.steps:
                if step.quorum and course.referred_to(step.code) is None:
                    [decided] = [one for one in course.agreed if one.step == step.code]
                    others = {one.post for one in course.agreed if one.step != step.code}
                    assert len(set(decided.took_part) - others - before.desks) >= step.quorum


# over HTTP


async def delegation(office: Office, *facts: Fact) -> None:
    """Triage's events of delegations."""
    await office.hear(spec.events("unit", facts, uuid=derived("delegations"), start=office.runtime.time_source.now()))


async def test_the_api_shows_the_steps_who_is_due_and_what_was_agreed(office: Office) -> None:
    await office.incident(IncidentRegraded.model_validate(RAISING))
    id_ = await office.draft()
    assert (await office.act(id_, "submit", "handler")).status_code == 200
    shown = await office.read(id_)
    assert (shown["chain"], shown["steps"], shown["steps_done"]) == (
        "upper",
        ["leader_in_charge", "principal_leader"],
        0,
    )
    assert shown["due"] == ["approver@town-east"]
    assert (await office.act(id_, "approve", "handler")).status_code == 403
    assert (await office.act(id_, "cannot-judge", "approver", UNSURE.model_dump())).status_code == 200
    shown = await office.read(id_)
    assert (shown["due"], shown["approval"][0]["referred_to"]) == (["chief@town-east"], "principal_leader")
    until = office.runtime.time_source.now() + HOUR
    loan = {"unit": "county", "post": "chief@county", "to": "verifier@county", "until": until}
    given_ = UnitDelegationGiven.model_validate({"delegation": derived("loan"), "since": SINCE, **loan})
    await delegation(office, given_)
    assert "approve" in (await office.read(id_, "verifier"))["may"]
    assert (await office.act(id_, "approve", "verifier", {"reason": "代主要领导"})).status_code == 200
    shown = await office.read(id_)
    assert (shown["state"], shown["steps_done"], shown["due"]) == ("approved", 2, [])
    [agreed] = shown["approval"][0]["agreed"]
    assert (agreed["who"], agreed["post"], agreed["took_part"]) == ("principal_leader", "chief@county", [])
    assert agreed["acted"] == "verifier@county"
    assert [(step["title"], step["done"]) for step in shown["approval"]] == [
        ("分管领导审核", True),
        ("主要领导或领导小组审定", True),
    ]


async def test_a_delegation_that_ended_a_minute_ago_approves_nothing(office: Office) -> None:
    id_ = await office.draft()
    assert (await office.act(id_, "submit", "handler")).status_code == 200
    now = office.runtime.time_source.now()
    loan = {"unit": "county", "post": "approver@county", "to": "verifier@county"}
    over = {"delegation": derived("over"), "since": SINCE, "until": now - timedelta(minutes=1), **loan}
    early = {"delegation": derived("early"), "since": SINCE, "until": now + HOUR, **loan}
    await delegation(
        office,
        UnitDelegationGiven.model_validate(over),
        UnitDelegationGiven.model_validate(early),
        UnitDelegationEnded.model_validate({"delegation": derived("early"), **loan}),
    )
    assert (await office.act(id_, "approve", "verifier")).status_code == 403


async def test_a_mark_of_an_approver_is_shown_and_stays(office: Office) -> None:
    id_ = await office.draft(major_information=True)
    await office.act(id_, "submit", "handler")
    assert (await office.act(id_, "reject", "approver", {"reason": "涉密", "secret": True})).status_code == 200
    shown = await office.read(id_)
    assert (shown["secret"], shown["major_information"], shown["chain"]) == (True, True, None)
    await office.act(id_, "revise", "handler", {"text": "另一份。", "secret": False, "major_information": False})
    shown = await office.read(id_)
    assert (shown["secret"], shown["major_information"]) == (True, False)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "flow",
    [
        test_the_api_shows_the_steps_who_is_due_and_what_was_agreed,
        test_a_delegation_that_ended_a_minute_ago_approves_nothing,
        test_a_mark_of_an_approver_is_shown_and_stays,
    ],
    ids=lambda flow: flow.__name__,
)
async def test_publish_approves_alike_on_postgres(
    office_on_postgres: Office, flow: Callable[[Office], Awaitable[None]]
) -> None:
    await flow(office_on_postgres)
