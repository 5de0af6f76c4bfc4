"""Who may bring a statement forward, its facts, its approvers, and the texts that stay visible."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas.approval import Step
from schemas.fields import Fact
from schemas.publish import (
    StatementApproved,
    StatementCorrected,
    StatementDelivered,
    StatementDrafted,
    StatementPublished,
    StatementRejected,
    StatementRevised,
    StatementScheduled,
    StatementSubmitted,
    StatementUnscheduled,
    StatementWithdrawn,
    usual_form,
)
from schemas.verification import Verification
from services.kernel.core.decider import Actor, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected, Unavailable
from services.kernel.rules.packs import parse_pack
from services.publish.commands import Approve, Correct, Draft, Publish, Reject, Revise, Submit, Unschedule, Withdraw
from services.publish.decider import DECIDER
from services.publish.rights import Incident
from tests.kit import spec
from tests.kit.spec import Given, given, staff

INCIDENT = f"incident-{spec.UUID}"
STREAM = f"statement-{spec.UUID}"
GENERAL = ("leader_in_charge",)
WHO = {
    ("general", "leader_in_charge"): ("leader_in_charge", "principal_leader"),
    ("major", "leader_in_charge"): ("leader_in_charge",),
    ("major", "principal_leader"): ("principal_leader", "leading_group"),
    ("extraordinary", "leader_in_charge"): ("leader_in_charge",),
    ("extraordinary", "principal_leader"): ("principal_leader", "leading_group"),
    ("general", "desk"): ("office",),
}
GATES = tuple(Step(code=code, who=("leader_in_charge", "principal_leader")) for code in ("secrecy_check", "text_check"))
MAJOR = ("leader_in_charge", "principal_leader")
MATTER = Incident(
    INCIDENT,
    7,
    "town-east",
    assigned="county-roads",
    level="general",
    rank=1,
    facts=frozenset({"cause", "place"}),
    verification=Verification(facts=("county",)),
)
RAISED = replace(MATTER, level="major", rank=2)
TITLE = "路面塌陷的处置"
TEXT = "路面塌陷处已围挡。"

HANDLER = staff("handler", unit="town-east", person="wang")
APPROVER = staff("approver", unit="town-east", person="li")
CHIEF = staff("chief", unit="town-east", person="zhao")
SPOKESPERSON = staff("spokesperson", unit="town-east", person="sun")


def by(person: str) -> str:
    return derived("by", STREAM, person).replace("-", "") * 2


def drafted(kind: str = "status", facts: tuple[str, ...] = (), person: str = "wang", unit: str = "town-east") -> Fact:
    return StatementDrafted.model_validate(
        {
            "incident": INCIDENT,
            "unit": unit,
            "kind": kind,
            "form": usual_form("facts" if kind == "facts" else "status"),
            "title": TITLE,
            "draft": TEXT,
            "facts": facts,
            "by": by(person),
        }
    )


def revised(person: str = "wang", facts: tuple[str, ...] | None = None) -> Fact:
    return StatementRevised.model_validate({"draft": "路已修好。", "facts": facts, "by": by(person)})


def submitted(level: str = "general", steps: tuple[str, ...] = GENERAL) -> Fact:
    """Submitted to the chain of the county's pack."""
    chain = "usual" if level == "general" else "upper"
    fixed = tuple(Step(code=step, who=WHO[level, step]) for step in steps)
    return StatementSubmitted(unit="town-east", level=level, chain=chain, steps=fixed, gates=GATES, by=by("wang"))


def approved(
    step: str = "leader_in_charge", last: bool = True, person: str = "li", post: str = "", **more: Any
) -> Fact:
    role = "approver" if step == "leader_in_charge" else "chief"
    following = () if last else WHO["major", "principal_leader"]
    said = {"step": step, "who": step, "post": post or f"{role}@town-east", "last": last, "by": by(person)}
    said |= {"next": following}
    return StatementApproved.model_validate({"reason": None, **said, **more})


def rejected(step: str = "leader_in_charge", person: str = "li") -> Fact:
    return StatementRejected.model_validate({"step": step, "reason": "数字不准", "by": by(person)})


def published(kind: str = "status", facts: tuple[str, ...] = (), person: str = "sun", unit: str = "town-east") -> Fact:
    return StatementPublished.model_validate(
        {
            "incident": INCIDENT,
            "unit": unit,
            "kind": kind,
            "form": usual_form("facts" if kind == "facts" else "status"),
            "title": TITLE,
            "text": TEXT,
            "facts": facts,
            "by": by(person),
        }
    )


CORRECTED = StatementCorrected(text="明日恢复。", reason="时间写错", by=by("sun"))
WITHDRAWN = StatementWithdrawn(reason="事项不属本镇", by=by("sun"))
SCHEDULED = StatementScheduled(at=spec.NOW + timedelta(hours=2), by=by("sun"))
PHASES: dict[str, tuple[Fact, ...]] = {
    "drafted": (drafted(),),
    "submitted": (drafted(), submitted()),
    "approved": (drafted(), submitted(), approved()),
    "scheduled": (drafted(), submitted(), approved(), SCHEDULED),
    "rejected": (drafted(), submitted(), rejected()),
    "published": (drafted(), submitted(), approved(), published()),
    "corrected": (drafted(), submitted(), approved(), published(), CORRECTED.model_copy(update={"by": by("qian")})),
    "withdrawn": (drafted(), submitted(), approved(), published(), WITHDRAWN),
}


def a_statement(
    *past: Fact, actor: Actor = HANDLER, incident: Incident | None = MATTER, text: str | None = TEXT
) -> Given:
    return given(
        DECIDER, *past, actor=actor, seen={"stream": STREAM, "incident": incident, "title": TITLE, "text": text}
    )


def draft(kind: Any = "status", *facts: str, unit: str | None = None) -> Draft:
    return Draft(incident_id=INCIDENT, kind=kind, title=TITLE, text=TEXT, facts=facts, unit=unit)


REVISE = Revise(text="路已修好。")
REJECT = Reject(reason="数字不准")
CORRECT = Correct(text="明日恢复。", reason="时间写错")
WITHDRAW = Withdraw(reason="事项不属本镇")
BEFORE = ("drafted", "rejected", "submitted")
OUTCOMES: dict[str, tuple[Actor, Any, dict[str, Fact]]] = {
    "revise": (HANDLER, REVISE, dict.fromkeys((*BEFORE, "approved", "scheduled"), revised())),
    "submit": (HANDLER, Submit(), dict.fromkeys(("drafted", "rejected"), submitted())),
    "approve": (APPROVER, Approve(reason="同意"), {"submitted": approved(reason="同意")}),
    "reject": (APPROVER, REJECT, {"submitted": rejected()}),
    "publish": (SPOKESPERSON, Publish(), dict.fromkeys(("approved", "scheduled"), published())),
    "unschedule": (SPOKESPERSON, Unschedule(), {"scheduled": StatementUnscheduled(by=by("sun"))}),
    "correct": (SPOKESPERSON, CORRECT, dict.fromkeys(("published", "corrected"), CORRECTED)),
    "withdraw": (SPOKESPERSON, WITHDRAW, dict.fromkeys(("published", "corrected"), WITHDRAWN)),
}


@pytest.mark.requirement("PUB-18")
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("verb", OUTCOMES)
def test_each_verb_in_each_phase(verb: str, phase: str) -> None:
    actor, command, outcomes = OUTCOMES[verb]
    case = a_statement(*PHASES[phase], actor=actor).when(command)
    if phase in outcomes:
        case.then(outcomes[phase])
    else:
        case.then_raises(Rejected, "statement")


@pytest.mark.requirement("PUB-18")
@pytest.mark.parametrize("verb", OUTCOMES)
def test_only_the_post_that_is_meant_may(verb: str) -> None:
    meant, command, outcomes = OUTCOMES[verb]
    past = PHASES[next(iter(outcomes))]
    roles = {"duty_officer", "verifier", "handler", "approver", "chief", "spokesperson", "auditor", "admin"}
    also = {"approver", "chief"} if verb in ("approve", "reject") else meant.roles
    for role in roles - also:
        a_statement(*past, actor=staff(role, unit="town-east", person="qian")).when(command).then_raises(
            Forbidden, f"takes the role .* over .*town-east; you act as {role}@town-east"
        )
    role = meant.post.partition("@")[0]
    elsewhere = replace(meant, unit="town-west", post=f"{role}@town-west")
    a_statement(*past, actor=elsewhere).when(command).then_raises(Forbidden, "takes the role")
    above = replace(meant, unit="city", post=f"{role}@city")
    assert len(a_statement(*past, actor=above).when(command).decided()) == 1


# drafting


def test_a_status_needs_no_facts() -> None:
    a_statement(incident=replace(MATTER, facts=frozenset())).when(draft()).then(drafted())


@pytest.mark.requirement("PUB-14")
def test_facts_are_published_only_when_they_are_established() -> None:
    a_statement().when(draft("facts", "cause", "place", "cause")).then(drafted("facts", ("cause", "place")))
    a_statement().when(draft("facts")).then_raises(Rejected, "at least one established fact")
    case = a_statement().when(draft("facts", "cause", "damage", "number"))
    case.then_raises(Rejected, "not established yet: damage, number")


def test_a_status_does_not_name_facts_that_nobody_established() -> None:
    a_statement().when(draft("status", "damage")).then_raises(Rejected, "damage")
    a_statement().when(draft("status", "cause")).then(drafted("status", ("cause",)))


def test_a_revision_is_held_to_the_same_facts() -> None:
    facts = a_statement(drafted("facts", ("cause",)))
    facts.when(Revise(text="路已修好。", facts=("damage",))).then_raises(Rejected, "damage")
    facts.when(Revise(text="路已修好。", facts=())).then_raises(Rejected, "at least one")
    facts.when(Revise(text="路已修好。", facts=("place",))).then(revised(facts=("place",)))
    revision = revised()
    again = a_statement(drafted("facts", ("cause",)), revision, incident=replace(MATTER, facts=frozenset()))
    again.when(Submit()).then_raises(Rejected, "not established yet: cause")


def test_an_incident_that_publish_has_not_seen() -> None:
    a_statement(incident=None).when(draft()).then_raises(Malformed, "has not seen this incident")


def test_a_merged_matter_takes_no_new_draft_but_lets_an_approved_one_go_out() -> None:
    merged = replace(MATTER, merged_into="incident-b")
    a_statement(incident=merged).when(draft()).then_raises(Rejected, "goes on as incident-b")
    a_statement(*PHASES["approved"], actor=SPOKESPERSON, incident=merged).when(Publish()).then(published())


@pytest.mark.requirement("PUB-02")
def test_a_statement_speaks_for_the_accountable_unit_unless_its_drafter_names_the_other_that_works_on_it() -> None:
    roads, county = staff("handler", unit="county-roads", person="wang"), staff("handler", unit="county", person="wang")
    for drafter in (HANDLER, roads, county):
        a_statement(actor=drafter).when(draft()).then(drafted())
        a_statement(actor=drafter).when(draft(unit="county-roads")).then(drafted(unit="county-roads"))
    a_statement(actor=county).when(draft(unit="county")).then_raises(Rejected, "county does not work on incident")
    alone = replace(MATTER, assigned=None)
    a_statement(incident=alone).when(draft(unit="county-roads")).then_raises(Rejected, "speaks for town-east")


SPEAKING = {
    "approve": ("submitted", "approver", Approve()),
    "reject": ("submitted", "chief", REJECT),
    "publish": ("approved", "spokesperson", Publish()),
    "correct": ("published", "spokesperson", CORRECT),
    "withdraw": ("published", "spokesperson", WITHDRAW),
    "revise": ("approved", "handler", REVISE),
    "submit": ("drafted", "handler", Submit()),
}
"""Acts in the name of the unit that speaks."""


@pytest.mark.requirement("PUB-02")
@pytest.mark.parametrize("speaks", ["town-east", "county-roads"])
@pytest.mark.parametrize("verb", SPEAKING)
def test_only_the_unit_that_speaks_and_those_above_it_let_it_speak(verb: str, speaks: str) -> None:
    phase, role, command = SPEAKING[verb]
    past = (drafted(unit=speaks), *PHASES[phase][1:])
    other = "county-roads" if speaks == "town-east" else "town-east"
    for unit in (speaks, "county", "city"):
        [decided] = a_statement(*past, actor=staff(role, unit=unit, person="qian")).when(command).decided()
        if isinstance(decided.data, StatementPublished):
            assert decided.data.unit == speaks
    for unit in (other, "town-west"):
        case = a_statement(*past, actor=staff(role, unit=unit, person="qian")).when(command)
        case.then_raises(Forbidden, f"over {speaks}")


@pytest.mark.parametrize("unit", ["town-east", "county-roads", "county-water"])
def test_who_works_on_the_matter_or_helps_writes_whoever_speaks(unit: str) -> None:
    writer, incident = staff("handler", unit=unit, person="wang"), replace(MATTER, helping=frozenset({"county-water"}))
    for speaks in ("town-east", "county-roads"):
        a_statement(drafted(unit=speaks), actor=writer, incident=incident).when(REVISE).then(revised())


@pytest.mark.parametrize("phase", ["published", "withdrawn"])
def test_what_was_published_is_not_published_again_and_the_refusal_does_not_ask_for_approval(phase: str) -> None:
    told = "already; correct what is published, or draft a new statement"
    a_statement(*PHASES[phase], actor=SPOKESPERSON).when(Publish()).then_raises(Rejected, told)


@pytest.mark.parametrize(
    ("phase", "command"), [("drafted", Submit()), ("submitted", Approve()), ("approved", Publish())]
)
def test_a_unit_that_works_on_the_matter_no_longer_does_not_speak_on_it(phase: str, command: Any) -> None:
    passed_on = replace(MATTER, unit="town-west")
    everyone = staff("approver", "handler", "spokesperson", unit="county", person="qian")
    case = a_statement(*PHASES[phase], actor=everyone, incident=passed_on).when(command)
    case.then_raises(Rejected, "draft one for town-west or county-roads")
    a_statement(*PHASES["published"], actor=SPOKESPERSON, incident=passed_on).when(CORRECT).then(CORRECTED)


def test_a_statement_is_drafted_once() -> None:
    a_statement(drafted()).when(draft()).then_raises(Rejected, "drafted already")


# the chain


@pytest.mark.requirement("PUB-06")
@pytest.mark.parametrize(
    ("level", "rank", "steps"), [("general", 1, GENERAL), ("major", 2, MAJOR), ("extraordinary", 3, MAJOR)]
)
def test_the_level_decides_who_approves(level: str, rank: int, steps: tuple[str, ...]) -> None:
    incident = replace(MATTER, level=level, rank=rank)
    a_statement(drafted(), incident=incident).when(Submit()).then(submitted(level, steps))


def test_a_status_before_grading_takes_the_lowest_chain_and_facts_wait() -> None:
    ungraded = replace(MATTER, level=None, rank=None)
    a_statement(drafted(), incident=ungraded).when(Submit()).then(submitted("general"))
    a_statement(drafted("facts", ("cause",)), incident=ungraded).when(Submit()).then_raises(
        Rejected, "grade it first", rule="approval"
    )
    a_statement(*PHASES["approved"], actor=SPOKESPERSON, incident=ungraded).when(Publish()).then(published())


def test_a_level_that_the_pack_in_force_does_not_have() -> None:
    strange = replace(MATTER, level="level-ii", rank=2)
    a_statement(drafted(), incident=strange).when(Submit()).then_raises(Rejected, "no level level-ii")


@pytest.mark.requirement("PUB-06")
def test_a_major_matter_is_approved_by_both_in_order() -> None:
    first = (drafted(), submitted("major", MAJOR))
    a_statement(*first, actor=CHIEF, incident=RAISED).when(Approve()).then_raises(
        Forbidden, "the role leader_in_charge over"
    )
    a_statement(*first, actor=APPROVER, incident=RAISED).when(Approve()).then(approved(last=False))
    second = (*first, approved(last=False))
    a_statement(*second, actor=SPOKESPERSON, incident=RAISED).when(Publish()).then_raises(
        Rejected, "at every step", rule="approval.chains.upper"
    )
    other = staff("approver", unit="town-east", person="zhou")
    a_statement(*second, actor=other, incident=RAISED).when(Approve()).then_raises(
        Forbidden, "the role principal_leader"
    )
    a_statement(*second, actor=CHIEF, incident=RAISED).when(Approve()).then(approved("principal_leader", person="zhao"))
    done = (*second, approved("principal_leader", person="zhao"))
    a_statement(*done, actor=SPOKESPERSON, incident=RAISED).when(Publish()).then(published())


@pytest.mark.requirement("PUB-18")
def test_who_wrote_does_not_approve() -> None:
    both = replace(APPROVER, person="wang")
    a_statement(*PHASES["submitted"], actor=both).when(Approve()).then_raises(
        Rejected, "you wrote on this text", rule="approval.separation"
    )
    helper = replace(both, person="he")
    past = (drafted(), revised("he"), revised("wang"), submitted())
    a_statement(*past, actor=helper).when(Approve()).then_raises(Rejected, "you wrote on this text")
    a_statement(*PHASES["submitted"], actor=replace(both, person="li")).when(Approve()).then(approved())


@pytest.mark.requirement("PUB-18")
def test_nobody_approves_twice() -> None:
    past = (drafted(), submitted("major", MAJOR), approved(last=False))
    a_statement(*past, actor=replace(CHIEF, person="li"), incident=RAISED).when(Approve()).then_raises(
        Rejected, "you approved this text"
    )


def test_who_approved_an_earlier_text_may_approve_the_new_one() -> None:
    past = (*PHASES["approved"], revised(), submitted())
    a_statement(*past, actor=APPROVER).when(Approve()).then(approved())
    again = (drafted(), submitted("major", MAJOR), approved(last=False), rejected("principal_leader", "zhao"))
    a_statement(*again, submitted("major", MAJOR), actor=APPROVER, incident=RAISED).when(Approve()).then(
        approved(last=False)
    )


def test_a_pack_may_leave_persons_unseparated() -> None:
    known = spec.offices()
    usual = known.packs[known.assigned["city"]]
    loose = parse_pack(usual.canonical.replace('"by_person"', '"none"'))
    context = replace(known, assigned={"city": loose.ref}, packs={loose.ref: loose})

    def unseparated(case: Given) -> Given:
        return replace(case, context=replace(case.context, offices=context))

    submitted_one = unseparated(a_statement(*PHASES["submitted"], actor=replace(APPROVER, person="wang")))
    submitted_one.when(Approve()).then(approved(person="wang"))
    one = replace(SPOKESPERSON, person="wang")
    (event,) = unseparated(a_statement(*PHASES["published"], actor=one)).when(WITHDRAW).decided()
    assert isinstance(event, Occurred)
    assert event.policy == loose.ref


def test_a_superior_who_says_no_names_the_step_that_was_due() -> None:
    past = (drafted(), submitted("major", MAJOR), approved(last=False))
    a_statement(*past, actor=CHIEF, incident=RAISED).when(REJECT).then(rejected("principal_leader", "zhao"))
    a_statement(*past, actor=APPROVER, incident=RAISED).when(REJECT).then(rejected("principal_leader"))


# a matter whose level rises


@pytest.mark.requirement("PUB-06")
@pytest.mark.parametrize(
    ("phase", "actor", "command"), [("submitted", APPROVER, Approve()), ("approved", SPOKESPERSON, Publish())]
)
def test_a_matter_that_was_raised_needs_the_chain_of_its_new_level(phase: str, actor: Actor, command: Any) -> None:
    past = PHASES[phase]
    a_statement(*past, actor=actor, incident=RAISED).when(command).then_raises(
        Rejected, "major now.*Submit it again", rule="approval.chains.upper"
    )
    a_statement(*past, incident=RAISED).when(Submit()).then(submitted("major", MAJOR))
    lowered = (drafted(), submitted("major", MAJOR), approved(last=False), approved("principal_leader", person="zhao"))
    a_statement(*lowered, actor=SPOKESPERSON, incident=MATTER).when(Publish()).then(published())


def test_a_chain_that_the_pack_no_longer_has_is_submitted_again() -> None:
    past = (drafted(), submitted("general", ("desk", "leader_in_charge")))
    a_statement(*past, actor=APPROVER).when(Approve()).then_raises(Rejected, "Submit it again")
    a_statement(*past).when(Submit()).then(submitted())


# publication, and afterwards


@pytest.mark.requirement("PUB-14")
def test_what_is_published_are_the_approved_words_and_their_facts() -> None:
    past = (drafted("facts", ("cause",)), submitted(), approved())
    a_statement(*past, actor=SPOKESPERSON).when(Publish()).then(published("facts", ("cause",)))
    a_statement(*past, actor=SPOKESPERSON, text=None).when(Publish()).then_raises(Rejected, "were erased")


def test_who_wrote_neither_corrects_nor_withdraws() -> None:
    both = staff("handler", "spokesperson", unit="town-east", person="wang")
    a_statement(*PHASES["published"], actor=both).when(CORRECT).then_raises(Rejected, "somebody else must correct")
    a_statement(*PHASES["published"], actor=both).when(WITHDRAW).then_raises(Rejected, "somebody else must withdraw")


def test_who_approved_does_not_correct_but_may_withdraw() -> None:
    both = staff("approver", "spokesperson", unit="town-east", person="li")
    a_statement(*PHASES["published"], actor=both).when(CORRECT).then_raises(Rejected, "somebody else must correct")
    a_statement(*PHASES["corrected"], actor=both).when(CORRECT).then_raises(Rejected, "somebody else must correct")
    a_statement(*PHASES["published"], actor=both).when(WITHDRAW).then(
        StatementWithdrawn(reason=WITHDRAWN.reason, by=by("li"))
    )


def test_every_decision_says_what_it_rests_on() -> None:
    for verb, (actor, command, outcomes) in OUTCOMES.items():
        (event,) = a_statement(*PHASES[next(iter(outcomes))], actor=actor).when(command).decided()
        assert isinstance(event, Occurred), verb
        assert event.basis == (f"{INCIDENT}@7", *spec.offices().basis)
        assert event.policy == spec.offices().assigned["city"]


def test_without_a_pack_nothing_is_decided() -> None:
    case = a_statement(drafted())
    bare = replace(case, context=replace(case.context, offices=replace(spec.offices(), assigned={})))
    bare.when(Submit()).then_raises(Unavailable, "no policy pack")


def test_delivery_to_a_channel_changes_nothing_here() -> None:
    delivered = StatementDelivered(release=4, channel=f"channel-{spec.UUID}")
    a_statement(*PHASES["published"], delivered, actor=SPOKESPERSON).when(WITHDRAW).then(WITHDRAWN)


def test_who_corrected_does_not_correct_the_own_correction_but_may_withdraw() -> None:
    case = a_statement(*PHASES["published"], CORRECTED, actor=SPOKESPERSON)
    case.when(CORRECT).then_raises(Rejected, "somebody else must correct")
    case.when(WITHDRAW).then(WITHDRAWN)
