"""Measures, explanations and replies that the pack lets approve: proposed, approved, rejected, referred."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from schemas import triage
from schemas.envelope import Event
from services.kernel.access.rights import may
from services.kernel.core.decider import Actor, Ctx, Occurred
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.core.units import Offices
from services.kernel.rules.packs import parse_pack
from services.kernel.store.standings import standing_in
from services.kernel.store.views import folded
from services.triage import commands as c
from services.triage.decider import DECIDER
from services.triage.owed.answering_commands import ReviewScreening
from services.triage.queries import asked_of
from services.triage.rights import RIGHTS, Incident
from services.triage.state import State
from services.triage.views import OF_ONE, VIEWS
from tests.kit import access, spec
from tests.kit.spec import refused_by
from tests.triage.conftest import Triage
from tests.triage.test_decider import ESTABLISHED, OPENED

PACK = """
id: trial
version: 1
title: 试用规则
effective_from: 2026-01-01
timezone: Asia/Shanghai
documents: {d: 文件}
approval:
  source: &s {kind: stated, document: d, clause: L1}
  chains:
    - code: doubtful
      title_zh: 把握不准的措施
      of: measure
      when: doubtful
      steps: [{code: judged, title_zh: 审定, who: [principal_leader], source: *s}]
      source: *s
    - code: measures
      title_zh: 措施
      of: measure
      steps:
        - {code: reviewed, title_zh: 审核, who: [leader_in_charge, party_office], needs: 2, source: *s}
        - {code: judged, title_zh: 批准, who: [leading_group], source: *s}
      source: *s
    - code: explanations
      title_zh: 解释
      of: explanation
      steps: [{code: reviewed, title_zh: 审核, who: [leader_in_charge], source: *s}]
      source: *s
    - code: secrets
      title_zh: 涉密的回复
      of: reply
      when: secret
      steps: [{code: reviewed, title_zh: 审核, who: [party_office], source: *s}]
      source: *s
    - code: replies
      title_zh: 回复
      of: reply
      steps: [{code: judged, title_zh: 审定, who: [principal_leader], source: *s}]
      source: *s
  separation: {value: by_person, source: *s}
  cannot_judge: {to: principal_leader, source: *s}
"""
MEASURE, EXPLAIN = c.ProposeMeasure(text="封闭路段"), c.Explain(text="正在更换", to="public")
REPLY, DAY = c.Reply(text="已安排处理"), timedelta(days=1)
AGREE, UNSURE = c.ApproveProposal(proposal=1), c.CannotJudgeProposal(proposal=1, reason="r")
REJECT = c.RejectProposal(proposal=1, reason="r")
STANDINGS = next(view for view in VIEWS if view.table.name == "standings")


@cache
def offices() -> Offices:
    pack = parse_pack(PACK)
    return replace(spec.offices(), assigned={"city": pack.ref}, packs={pack.ref: pack})


def at(post: str, person: str = "") -> Actor:
    """Somebody at a post of town-east, or of another unit."""
    code, _, unit = post.partition("@")
    unit = unit or "town-east"
    return Actor(f"{code}@{unit}", unit, offices().posts[unit][code].roles, person or f"{code} of {unit}")


@dataclass
class Matter:
    """An incident of town-east that is worked on step by step."""

    past: list[spec.At] = field(default_factory=lambda: [spec.At(OPENED)])
    words: dict[str, str] = field(default_factory=dict)

    @property
    def events(self) -> list[Event]:
        return spec.events("incident", self.past)

    @property
    def state(self) -> State:
        state = DECIDER.initial_state()
        for event in self.events:
            state = DECIDER.evolve(state, event)
        return state

    def ctx(self, actor: Actor) -> Ctx:
        return replace(spec.ctx(actor), offices=offices())

    def does(self, post: str, command: Any, person: str = "") -> list[Any]:
        """The decided facts. The incident then has them."""
        actor = at(post, person)
        decided = DECIDER.decide(self.state, command, self.ctx(actor))
        items = [item if isinstance(item, Occurred) else Occurred(item) for item in decided]
        self.past += [spec.At(one.data, one.time, actor=actor.post, unit=one.unit or actor.unit) for one in items]
        return [one.data for one in items]

    def asked(self) -> Incident:
        """What the views know of it."""
        (row,), *_ = (folded(view, self.events) for view in OF_ONE)
        (standing,) = folded(STANDINGS, self.events)
        return asked_of(row, standing_in(standing), None)

    def may(self, actor: Actor) -> list[str]:
        """The verbs that the API offers."""
        asked = self.asked()
        assert all(getattr(asked, name) == getattr(self.state, name) for name in type(asked).__dataclass_fields__)
        return may(RIGHTS.values(), asked, self.ctx(actor))


def proposed(command: Any = MEASURE) -> Matter:
    matter = Matter()
    matter.does("handler", command)
    return matter


def test_nothing_is_proposed_to_nobody() -> None:
    known = offices()
    posts = {
        unit: {code: post for code, post in entries.items() if code != "leading_group"}
        for unit, entries in known.posts.items()
    }
    ctx = replace(spec.ctx(at("handler")), offices=replace(known, posts=posts))
    with refused_by(
        "approval.chains.measures",
        Rejected,
        "judged is agreed by leading_group, and no directory of town-east",
        ctx.offices,
    ):
        DECIDER.decide(Matter().state, MEASURE, ctx)


@pytest.mark.requirement("TRI-19")
def test_a_measure_is_approved_by_the_chain_of_measures() -> None:
    matter = proposed()
    [said] = matter.does("party_office", AGREE)
    assert (said.step, said.who, said.last) == ("reviewed", "party_office", False)
    matter.does("approver", AGREE)
    approved, measure = matter.does("chief", AGREE)
    assert (approved.who, approved.took_part, approved.last) == ("leading_group", ("chief@town-east",), True)
    assert isinstance(measure, triage.IncidentMeasureApproved)
    assert (measure.proposal, measure.measure) == (1, matter.state.proposals[0].text)
    with pytest.raises(Rejected, match="is approved already"):
        matter.does("chief", c.RejectProposal(proposal=1, reason="r"))


@pytest.mark.parametrize("end", ["resolve", "close", "merge", "dismiss"])
def test_the_end_of_a_matter_withdraws_what_still_waits_for_approval(end: str) -> None:
    matter = proposed(REPLY)
    if end == "merge":
        matter.does("chief", c.RejectProposal(proposal=1, reason="r"))
    waiting = len(matter.state.proposals) + 1
    matter.does("handler", EXPLAIN)
    cause, done = END[end](matter)
    facts = [one for one in done if isinstance(one, triage.IncidentProposalWithdrawn)]
    assert [one.proposal for one in facts] == ([waiting] if end == "merge" else [1, 2])
    assert {one.cause for one in facts} == {cause}
    assert matter.state.proposals[-1].state == "withdrawn"
    if end == "resolve":
        with pytest.raises(Rejected, match="proposal 2 is withdrawn already; propose anew"):
            matter.does("approver", c.ApproveProposal(proposal=2))
        assert all(one.state == "withdrawn" for one in matter.asked().proposals)


def _resolves(matter: Matter) -> tuple[str, list[Any]]:
    matter.past += [spec.At(triage.IncidentSolved(text="t")), spec.At(triage.IncidentReplied(text="t"))]
    return "resolved", matter.does("handler", c.Resolve(reason="r"))


def _closes(matter: Matter) -> tuple[str, list[Any]]:
    matter.past.append(spec.At(triage.IncidentResolved(reason="r")))
    return "closed", matter.does("chief", c.Close(reason="r"))


def _merges(matter: Matter) -> tuple[str, list[Any]]:
    into = replace(Matter().state, id=f"incident-{spec.UUID[:-1]}0")
    ctx = matter.ctx(at("chief"))
    ctx = replace(ctx, seen={**ctx.seen, "into": into})
    done = DECIDER.decide(matter.state, c.Merge(into=into.id, reason="r"), ctx)
    facts = [item.data if isinstance(item, Occurred) else item for item in done]
    matter.past += [spec.At(fact) for fact in facts]
    return "merged", facts


def _dismisses(matter: Matter) -> tuple[str, list[Any]]:
    matter.does("handler", c.RecordRefusal(report=OPENED.report, basis=f"{OPENED.report}@2"))
    return "dismissed", matter.does("chief", ReviewScreening(upheld=True, reason="r"))


END: dict[str, Callable[[Matter], tuple[str, list[Any]]]] = {
    "resolve": _resolves,
    "close": _closes,
    "merge": _merges,
    "dismiss": _dismisses,
}


def test_an_explanation_is_given_only_when_it_is_approved() -> None:
    matter = proposed(EXPLAIN)
    assert "answer" not in matter.state.handled
    _, given = matter.does("approver", AGREE)
    assert isinstance(given, triage.IncidentExplained)
    assert (given.text, given.to) == (matter.state.proposals[0].text, "public")
    assert "answer" in matter.state.handled


def test_a_reply_is_given_only_when_it_is_approved() -> None:
    matter = proposed(REPLY)
    assert matter.state.proposals[0].course.chain == "replies"
    assert "answer" not in matter.state.handled
    with pytest.raises(Forbidden):
        matter.does("handler", AGREE)
    with pytest.raises(Rejected, match="you proposed this") as refused:
        matter.does("chief", AGREE, "handler of town-east")
    assert refused.value.members["rule"] == "approval.separation"
    _, given = matter.does("chief", AGREE)
    assert isinstance(given, triage.IncidentReplied)
    assert given.text == matter.state.proposals[0].text
    assert "answer" in matter.state.handled


@pytest.mark.parametrize("command", [REPLY, EXPLAIN])
def test_what_was_said_before_its_approvals_were_entered_keeps_its_time_and_reason(command: Any) -> None:
    given = spec.NOW - timedelta(minutes=30)
    matter = proposed(command.model_copy(update={"happened_at": given, "late_reason": "停电"}))
    _, said = matter.does("chief" if command is REPLY else "approver", AGREE)
    assert (matter.events[-1].time, said.late_reason) == (given, matter.state.proposals[0].late_reason)
    with pytest.raises(Malformed, match="later than now"):
        Matter().does("handler", command.model_copy(update={"happened_at": spec.NOW + DAY, "late_reason": "r"}))


def test_a_measure_that_was_approved_on_paper_keeps_its_time_and_reason() -> None:
    approved = spec.NOW - timedelta(minutes=30)
    matter = proposed(MEASURE.model_copy(update={"happened_at": approved, "late_reason": "停电"}))
    for post in ("approver", "party_office", "chief"):
        *_, last = matter.does(post, AGREE)
    assert isinstance(last, triage.IncidentMeasureApproved)
    assert (matter.events[-1].time, last.late_reason) == (approved, matter.state.proposals[0].late_reason)


def test_a_secret_or_major_information_chooses_the_approvers_of_a_reply() -> None:
    assert proposed(c.Reply(text="t", secret=True)).state.proposals[0].course.chain == "secrets"
    with pytest.raises(Forbidden):
        proposed(c.Reply(text="t", secret=True)).does("chief", AGREE)
    assert proposed(c.Reply(text="t", major_information=True)).state.proposals[0].course.chain == "replies"


@pytest.mark.parametrize("command", [REPLY, EXPLAIN])
def test_the_chains_for_statements_approve_what_is_said_where_the_pack_has_no_others(command: Any) -> None:
    said = spec.given(DECIDER, OPENED, ESTABLISHED, actor=at("handler"))
    said.when(MEASURE).then_raises(Rejected, "no approval of measures")
    [proposal] = said.when(command).decided()
    assert (proposal.data.chain, proposal.data.steps[0].who) == ("usual", ("leader_in_charge", "principal_leader"))


def test_where_the_pack_says_nothing_of_approval_everything_is_said_at_once() -> None:
    model = offices().packs[offices().assigned["city"]].model.model_copy(update={"approval": None})
    silent = replace(spec.ctx(at("handler")), offices=spec.under(model, offices()))
    opened = Matter().state
    assert DECIDER.decide(opened, REPLY, silent) == [triage.IncidentReplied(text="已安排处理")]
    assert DECIDER.decide(opened, EXPLAIN, silent) == [triage.IncidentExplained(text="正在更换", to="public")]


@pytest.mark.parametrize("post", ["handler", "spokesperson", "approver@town-west", "verifier", "chief"])
@pytest.mark.parametrize("command", [AGREE, UNSURE])
def test_only_who_is_due_decides(post: str, command: Any) -> None:
    with pytest.raises(Forbidden):
        proposed().does(post, command, "somebody else")


def test_who_proposed_does_not_approve_and_nobody_approves_twice() -> None:
    matter = proposed()
    with pytest.raises(Rejected, match="you proposed this"):
        matter.does("approver", AGREE, "handler of town-east")
    matter.does("approver", AGREE)
    with pytest.raises(Rejected, match="you approved this"):
        matter.does("party_office", AGREE, "approver of town-east")


def test_what_cannot_be_judged_goes_to_the_principal_leader_and_the_other_is_still_needed() -> None:
    matter = proposed()
    [said] = matter.does("approver", UNSURE)
    assert (said.who, said.to) == ("leader_in_charge", "principal_leader")
    with pytest.raises(Rejected, match="could not judge"):
        matter.does("chief", AGREE, "approver of town-east")
    matter.does("party_office", AGREE)
    matter.does("chief", AGREE)
    assert matter.state.proposals[0].due().step == "judged"  # type: ignore[union-attr]


def test_a_rejected_measure_is_proposed_anew() -> None:
    matter = proposed()
    matter.does("chief", REJECT)
    with pytest.raises(Rejected, match="is rejected already"):
        matter.does("approver", AGREE)
    matter.does("handler", MEASURE)
    matter.does("approver", c.ApproveProposal(proposal=2))
    with pytest.raises(Malformed, match="no proposal 7"):
        matter.does("approver", c.ApproveProposal(proposal=7))


def test_a_matter_that_became_doubtful_needs_the_chain_for_doubt() -> None:
    matter = proposed()
    matter.does("duty_officer", c.JudgeDoubt(doubtful=True, reason="r"))
    with refused_by("approval.chains.doubtful", Rejected, "needs other approvals now", offices()):
        matter.does("approver", AGREE)
    matter.does("approver", REJECT)
    matter.does("handler", MEASURE)
    assert matter.state.proposals[1].course.chain == "doubtful"


POSTS = ("handler", "approver", "chief", "party_office", "duty_officer", "approver@county", "chief@town-west")
steps = st.tuples(
    st.sampled_from(POSTS),
    st.sampled_from(("a", "b", "c", "d")),
    st.sampled_from((MEASURE, EXPLAIN, REPLY, AGREE, UNSURE, REJECT, c.ApproveProposal(proposal=2))),
)


@settings(max_examples=150, deadline=None)
@examples(st.lists(steps, max_size=10), st.sampled_from(POSTS), st.sampled_from(("a", "b", "c")))
def test_a_verb_is_offered_where_it_is_taken_and_no_fewer_persons_approve_than_the_chain_asks(
    past: list[tuple[str, str, Any]], post: str, person: str
) -> None:
    matter = Matter()
    for who, whose, command in past:
        try:
            matter.does(who, command, whose)
        except (Forbidden, Rejected, Malformed):
            continue
    for proposal in matter.state.proposals:
        if proposal.state == "approved":
            assert len(proposal.course.persons) >= sum(step.needs for step in proposal.course.steps)
            assert proposal.by not in proposal.course.persons
    actor = at(post, person)
    shown, taken = matter.may(actor), set[str]()
    for proposal in matter.state.proposals:
        for verb, command in (
            ("approve", c.ApproveProposal(proposal=proposal.number)),
            ("reject", c.RejectProposal(proposal=proposal.number, reason="r")),
            ("cannot-judge", c.CannotJudgeProposal(proposal=proposal.number, reason="r")),
        ):
            try:
                DECIDER.decide(matter.state, command, matter.ctx(actor))
            except (Forbidden, Rejected):
                continue
            taken.add(verb)
    assert {"approve", "reject", "cannot-judge"}.intersection(shown) == taken


# over HTTP


async def on_trial(triage: Triage) -> str:
    """An incident of town-east under the pack of these tests."""
    text = PACK.replace("2026-01-01", "2020-01-01")
    chief = triage.token("chief", "city")
    loaded = await triage.client.post("/triage/v1/packs", headers=chief, json={"text": text})
    assert loaded.status_code in (200, 201), loaded.text
    body = {"unit": "town-east", "pack": "trial@1"}
    assigned = await triage.client.post("/triage/v1/packs/assign", headers=chief, json=body)
    assert assigned.status_code in (200, 201), assigned.text
    return await triage.open()


async def test_a_measure_from_proposal_to_approval(triage: Triage) -> None:
    id_ = await on_trial(triage)

    def whoever(post: str) -> dict[str, str]:
        role = "duty_officer" if post == "party_office" else post
        return {"Authorization": f"Bearer {access.token('town-east', role, post=post)}"}

    async def read(post: str = "approver") -> Any:
        return (await triage.client.get(f"/triage/v1/incidents/{id_}", headers=whoever(post))).json()

    async def act(verb: str, post: str, body: Any, status: int = 200) -> Any:
        headers = whoever(post) | {"If-Match": str((await read())["version"])}
        answer = await triage.client.post(f"/triage/v1/incidents/{id_}/{verb}", headers=headers, json=body)
        assert answer.status_code == status, answer.text
        (one, *_) = (await read())["proposals"] or [None]
        return one

    await act("approve", "approver", {"proposal": 1}, 409)
    one = await act("propose-measure", "handler", {"text": "封闭路段，安排绕行"})
    assert (one["of"], one["state"], one["chain"]) == ("measure", "proposed", "measures")
    assert one["text"] == "封闭路段，安排绕行"
    assert (one["steps"], one["steps_done"]) == (["reviewed", "judged"], 0)
    assert one["due"] == ["approver@town-east", "party_office@town-east"]
    assert one["may"] == ["approve", "reject", "cannot-judge"]
    assert (await read("chief"))["proposals"][0]["may"] == ["reject"]
    for role, status, number in (("handler", 403, 1), ("chief", 403, 1), ("approver", 422, 9)):
        await act("approve", role, {"proposal": number}, status)
    await act("approve", "approver", {"proposal": 1, "reason": "同意"})
    assert (await act("approve", "party_office", {"proposal": 1}))["due"] == ["leading_group@town-east"]
    one = await act("approve", "chief", {"proposal": 1, "took_part": ["spokesperson@town-east"]})
    assert (one["state"], one["steps_done"], one["due"], one["may"]) == ("approved", 2, [], [])
    [agreed] = one["approval"][1]["agreed"]
    assert agreed["took_part"] == ["chief@town-east", "spokesperson@town-east"]
    assert (one["approval"][0]["title"], (await triage.kinds(id_))[-1]) == ("审核", "measure_approved")
    assert "封闭路段，安排绕行" in [note["text"] for note in (await read())["notes"]]


@pytest.mark.postgres
@pytest.mark.parametrize("flow", [test_a_measure_from_proposal_to_approval], ids=lambda flow: flow.__name__)
async def test_triage_answers_alike_on_postgres(
    triage_on_postgres: Triage, flow: Callable[[Triage], Awaitable[None]]
) -> None:
    await flow(triage_on_postgres)
