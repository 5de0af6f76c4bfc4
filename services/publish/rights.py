"""The rights over a statement in each of its phases.

Officers of a unit that works on the matter, or helps, draft. A statement speaks for one of the units that work on it,
from its draft on. Only an officer of this unit submits, approves, publishes, corrects or withdraws it. So nobody speaks
for somebody else's office.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.approval import Step
from schemas.fields import instant
from schemas.lists import FactKey
from schemas.pack.approval import Chain
from schemas.publish import StatementForm, StatementKind, UsedFact
from schemas.verification import Verification
from services.kernel.access.approving import Answering, answering, own_posts
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.standings import Reading, Standing
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.rules.approval import Course, Due, Kind, chain_of, chains, everybody, fixed, place
from services.kernel.rules.conditions import Context, Figures
from services.kernel.rules.verification import missing
from services.publish.attaching.commands import AttachFile, Covered, DetachFile
from services.publish.checking.checks import Checks
from services.publish.commands import (
    Approve,
    CannotJudge,
    Check,
    Correct,
    Draft,
    Publish,
    Reject,
    Revise,
    Submit,
    Unschedule,
    Withdraw,
)
from services.publish.press.speakers import NOBODY, OfSpeaker, Speaking
from services.publish.writing.binding import Established, Sheet
from services.publish.writing.one_text import Offices as OfficeNames

Refusal = Rejected | None
UNSUBMITTED, UNKNOWN, UNVERIFIED, UNCHECKED, NO_OFFICES = Course(), Figures(), Verification(), Checks(), Offices()


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as publish has seen it."""

    id: str
    version: int
    unit: str
    """The accountable unit."""
    policy: str | None = None
    """Its pack."""
    assigned: str | None = None
    level: str | None = None
    rank: int | None = None
    """For a merged incident: level and rank of the incident where it goes on, if these are higher."""
    category: str | None = None
    channel: str | None = None
    answer_kind: str | None = None
    doubtful: bool = False
    """Whether somebody judged that the matter is doubtful. This, flags, harm and figures include those of the incident
    where a merged one goes on.
    """
    flags: frozenset[str] = frozenset()
    harm: int | None = None
    figures: Figures = UNKNOWN
    """The highest counts so far, and the number of reports."""
    verification: Verification = UNVERIFIED
    """Its verification; for a merged incident, that of the incident where it goes on."""
    merged_into: str | None = None
    drill: bool = False
    facts: frozenset[str] = frozenset()
    """Keys of the established facts."""
    established: tuple[Established, ...] = ()
    """Their values; of several merged matters with the same key, the one that counts comes last."""
    has_material: bool = False
    """Whether the responsible department sent its material, signed and sealed as the pack asks."""
    helping: frozenset[str] = frozenset()
    """Units that help in the handling. No statement speaks for them."""
    state: str = "open"
    """open, resolved, closed, dismissed or merged."""
    speaking: Speaking = NOBODY
    """The posts that were fixed for it; for a merged incident, those of the incident where it goes on, if there are."""

    @classmethod
    def none(cls, unit: str, *, drill: bool = False) -> "Incident":
        """What a notice of the unit is about: no matter, so nothing is known, established or graded."""
        return cls("", 0, unit, drill=drill)

    @property
    def units(self) -> tuple[str, ...]:
        """The units that work on it."""
        return (self.unit,) if self.assigned in (None, self.unit) else (self.unit, self.assigned)


@dataclass(frozen=True, slots=True)
class Statement:
    """The facts on which the rights over a statement depend.

    `phase` is new, drafted, submitted, approved, published or withdrawn.
    """

    phase: str = "new"
    unit: str = ""
    """The unit that speaks."""
    kind: StatementKind = "status"
    form: StatementForm = "interim_reply"
    writers: frozenset[str] = frozenset()
    """Digests of all persons who wrote on the text."""
    desks: frozenset[str] = frozenset()
    """The posts at which they wrote."""
    level: str | None = None
    """The level at the submission."""
    course: Course = UNSUBMITTED
    """The chain of the submission; empty before it."""
    approvers: frozenset[str] = frozenset()
    """Digests of the persons who agreed to the submitted text or could not judge it, and of those who corrected the
    published text.
    """
    prepared: bool = False
    """Whether the rules opened the draft, and nobody has written it yet."""
    marks: frozenset[str] = frozenset()
    """`secret`, `major_information`, or both."""
    raised: frozenset[str] = frozenset()
    """Those of the marks that an approver set."""
    checks: Checks = UNCHECKED
    """The gates of the submission."""
    used: tuple[UsedFact, ...] = ()
    """The facts on which the submission rests."""
    scheduled_at: str | None = None
    """When the approved text is to be published."""
    scheduled_by: str = ""
    """The digest of the person who said so."""


def unseen() -> Malformed:
    """The refusal of an incident that publish does not know, or not yet."""
    return Malformed(
        "publish has not seen this incident; if it is new, send Huiying-After with its version",
        code="incident-not-seen",
        field="incident_id",
    )


class Case(NamedTuple):
    """A statement, its matter, the matter's pack, the kind of the accountable unit, and the digest of who acts."""

    statement: Statement
    incident: Incident
    pack: LoadedPack
    unit_kind: str | None
    by: str
    periods: frozenset[str] = frozenset()
    """The special periods of the accountable unit now."""
    tree: Offices = NO_OFFICES

    @classmethod
    def of(cls, statement: Statement, incident: Incident, stream: str, ctx: Ctx) -> "Case":
        """The case for the actor. Raises `Unavailable` if no pack is at hand."""
        unit = ctx.offices.ever.get(incident.unit)
        pack = ctx.offices.pack_of(incident.policy, incident.unit)
        return cls(
            statement,
            incident,
            pack,
            unit.kind if unit else None,
            ctx.by(stream),
            ctx.offices.periods_at(incident.unit, ctx.now),
            ctx.offices,
        )

    @property
    def is_notice(self) -> bool:
        """Whether it is a notice, which is about no matter."""
        return not self.incident.id

    @property
    def chained(self) -> Kind:
        """Which chains of the pack approve it."""
        return "notice" if self.is_notice else "statement"

    @property
    def level(self) -> str | None:
        """The level of the matter; before its grading, the lowest one, if the pack says that its duties run until then.

        None in a pack without levels, and for a notice.
        """
        if self.is_notice:
            return None
        return (self.incident.level or self.pack.model.lowest) if self.pack.model.levels else None

    def context(self, level: str | None) -> Context:
        """What conditions of chains may look at, at a level."""
        incident, marks = self.incident, self.statement.marks
        return Context(
            figures=incident.figures,
            category=incident.category,
            channel=incident.channel,
            unit=self.unit_kind,
            answer_kind=incident.answer_kind,
            level=level,
            statement_kind=self.statement.kind,
            statement_form=self.statement.form,
            doubtful=incident.doubtful,
            flags=incident.flags,
            periods=self.periods,
            harm=incident.harm,
            secret="secret" in marks,
            major_information="major_information" in marks,
        )

    def sheet(self, ctx: Ctx) -> Sheet:
        """What is established of the matter, as texts say it in the zone of the unit that speaks."""
        listed: dict[str, FactKey] = {**ctx.offices.lists.facts, **{one.key: one for one in self.pack.model.facts}}
        zone = ctx.offices.zone_of(self.statement.unit or self.incident.unit)
        return Sheet(zone, ctx.now, listed, self.incident.established)

    def offices(self, ctx: Ctx) -> OfficeNames:
        """The names of all offices, and which of them this statement may name without a fact."""
        speaks = self.statement.unit or self.incident.unit
        near = {*self.incident.units, *self.incident.helping, speaks, *ctx.offices.above(speaks)}
        named = {code: unit.name for code, unit in ctx.offices.ever.items() if unit.name}
        those = frozenset(name for code, name in named.items() if code in near)
        return OfficeNames(those, frozenset(named.values()) - those)

    @property
    def chain(self) -> Chain | None:
        """The chain that a submitted statement needs now. A level that sank since then changes nothing."""
        said, incident = self.statement, self.incident
        ranks = {level.code: level.rank for level in self.pack.model.levels}
        level = said.level
        if said.level not in ranks or (incident.rank is not None and incident.rank > ranks[said.level]):
            level = self.level
        return chain_of(self.pack, self.context(level), self.chained)

    def steps_of(self, chain: Chain | None) -> tuple[Step, ...]:
        """The steps of a chain, with the approvers that were fixed for the matter."""
        return self.incident.speaking.steps(fixed(chain), self.statement.unit, self.tree)

    @property
    def outgrown(self) -> bool:
        """Whether the matter now needs other approvals than those that were fixed at the submission."""
        return self.steps_of(self.chain) != self.statement.course.steps

    @property
    def overtaken(self) -> bool:
        """Whether a fact on which the submission rests was revised since."""
        holds = {one.key: (one.incident, one.version) for one in self.incident.established}
        return any(
            holds.get(one.key, (one.incident, one.version)) != (one.incident, one.version)
            for one in self.statement.used
        )

    @property
    def due(self) -> Due | None:
        """The step of the chain that must be agreed next."""
        if self.statement.phase != "submitted" or self.outgrown:
            return None
        return self.statement.course.due

    @property
    def separates(self) -> bool:
        """Whether the pack requires different persons for different duties."""
        approval = self.pack.model.approval
        return approval is not None and approval.separation.value == "by_person"

    @property
    def uploaded_by(self) -> tuple[str, ...]:
        """The posts that publish a notice, where the pack names them; elsewhere a spokesperson publishes."""
        said = self.pack.model.publication
        return said.notices.uploaded_by if self.is_notice and said and said.notices else ()

    @property
    def lacks_material(self) -> bool:
        """Whether the material of the responsible department must still come. An office that handles it has it."""
        incident = self.incident
        is_elsewhere = incident.assigned not in (None, incident.unit)
        return self.statement.checks.needs_material and is_elsewhere and not incident.has_material

    @property
    def judge(self) -> str | None:
        """The post or body that decides what an approver cannot judge."""
        approval = self.pack.model.approval
        return approval.cannot_judge.to if approval and approval.cannot_judge else None

    @property
    def approving(self) -> tuple[str, ...]:
        """The posts and bodies of the submitted chain; before a submission, those of every chain."""
        return self.statement.course.everybody or (
            *everybody(chains(self.pack, self.chained)),
            *self.incident.speaking.approves,
        )

    def answers(self, ctx: Ctx) -> Iterator[Answering]:
        """The ways in which the actor may answer at the step that is due."""
        due = self.due
        return answering(due.who, self.statement.unit, ctx, due.quorum) if due else iter(())


def _drafting(case: Case, ctx: Ctx) -> Sequence[str]:
    return (*case.incident.units, *sorted(case.incident.helping))


def _writing(case: Case, ctx: Ctx) -> Sequence[str]:
    """After the submission, only the statement's own unit changes it: a revision cancels all approvals.

    The same holds after a merger, which ends the parts of the units.
    """
    shared = case.statement.phase == "drafted" and case.incident.merged_into is None
    return _drafting(case, ctx) if shared else _speaking(case, ctx)


def _uploading(case: Case, ctx: Ctx) -> tuple[str, ...]:
    return () if case.uploaded_by else ("spokesperson",)


def _uploads(case: Case, ctx: Ctx) -> bool:
    return any(answering(case.uploaded_by, case.statement.unit, ctx, posts=own_posts(ctx)))


def _named_to_upload(case: Case, ctx: Ctx) -> tuple[str, ...]:
    return case.uploaded_by


def _speaking(case: Case, ctx: Ctx) -> Sequence[str]:
    return (case.statement.unit,)


def _agreeing(case: Case, ctx: Ctx) -> tuple[str, ...]:
    return case.due.who if case.due else case.approving


def _answers(case: Case, ctx: Ctx) -> bool:
    return _approves(case, ctx) if case.due is None else any(case.answers(ctx))


def _of_chain(case: Case, ctx: Ctx) -> tuple[str, ...]:
    return case.approving


def _approves(case: Case, ctx: Ctx) -> bool:
    return any(answering(case.approving, case.statement.unit, ctx, quorum=1))


def _is_new(case: Case, ctx: Ctx, verb: str) -> Refusal:
    incident = case.incident
    if case.statement.phase != "new":
        return Rejected("this statement is drafted already; revise it", code="already-drafted")
    if incident.merged_into:
        return Rejected(
            f"{incident.id} goes on as {incident.merged_into}; draft the statement there",
            code="merged",
            incident=incident.id,
            into=incident.merged_into,
            act=verb,
        )
    return None


def _is_not_public(case: Case, ctx: Ctx, verb: str) -> Refusal:
    if case.statement.phase in ("drafted", "submitted", "approved"):
        return None
    return Rejected(
        "the statement is published; correct it, so that the earlier text stays visible", code="published-already"
    )


def _may_hold_files(case: Case, ctx: Ctx, verb: str) -> Refusal:
    """A published statement takes files for a correction that is to come."""
    if case.statement.phase == "withdrawn":
        return Rejected("the statement was withdrawn; say more in a new one", code="withdrawn")
    return None


def _still_works(case: Case) -> Refusal:
    unit, incident = case.statement.unit, case.incident
    if case.is_notice and unit in case.tree.former:
        return Rejected(
            f"{unit} has ended, so it says nothing more; draft the notice for the unit that does its work now",
            code="speaker-ended",
            unit=unit,
        )
    if unit in incident.units:
        return None
    return Rejected(
        f"{unit} speaks in this statement and no longer works on {incident.id}; "
        f"draft one for {' or '.join(incident.units)}",
        code="no-longer-its-incident",
        unit=unit,
        incident=incident.id,
        known=list(incident.units),
    )


def _can_be_submitted(case: Case, ctx: Ctx, verb: str) -> Refusal:
    phase = case.statement.phase
    if phase != "drafted" and not (
        phase in ("submitted", "approved")
        and (case.outgrown or case.overtaken or _signed(case, ctx) or _is_void(case, ctx))
    ):
        return Rejected(f"the statement is {phase}; only a draft can be submitted", code="only-drafts", phase=phase)
    if case.statement.prepared:
        return Rejected(
            "this draft was prepared by the rules and nobody has written it yet; revise it first", code="only-prepared"
        )
    return _still_works(case) or unverified(case, ctx) or _ungraded(case)


def _ungraded(case: Case) -> Refusal:
    """Why a statement of facts must wait for the grading.

    A statement of status does not: it is often due within hours, and a late grading must not hold it up.
    """
    if case.statement.kind == "status" or case.incident.level is not None:
        return None
    if not case.pack.model.levels or not chains(case.pack, case.chained):
        return None
    return Rejected(
        "the matter is not graded yet, so nobody knows who must approve; grade it first",
        code="not-graded",
        rule=place(case.pack),
        pack=case.pack.name,
    )


def unverified(case: Case, ctx: Ctx) -> Refusal:
    """Why a statement of facts must wait for verification. A statement of status never waits."""
    if case.statement.kind == "status":
        return None
    incident = case.incident
    return missing(case.pack.model, "facts", incident.verification, case.level, incident.unit, ctx.offices)


def _is_submitted(case: Case, ctx: Ctx, verb: str) -> Refusal:
    phase = case.statement.phase
    if phase == "submitted":
        return None
    return Rejected(
        f"the statement is {phase}; submit it before anybody can {verb} it",
        code="not-submitted",
        phase=phase,
        act=verb,
    )


def _not_outgrown(case: Case) -> Refusal:
    if not case.outgrown:
        return None
    level = case.incident.level or "not graded"
    return Rejected(
        f"this was submitted for the level {case.statement.level}; the matter is {level} now, or something else on "
        "which the pack chooses the approvals has changed. Submit it again for the approvals that it needs now",
        code="chain-outdated",
        rule=place(case.pack, case.chain.code if case.chain else None),
        pack=case.pack.name,
        submitted=case.statement.level,
        level=level,
    )


def _can_be_approved(case: Case, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _is_submitted(case, ctx, verb) or _not_outgrown(case) or _still_works(case):
        return refusal
    if case.separates and case.by in case.statement.writers:
        return Rejected(
            "you wrote on this text; somebody else must approve it",
            code="drafted-by-you",
            rule="approval.separation",
            pack=case.pack.name,
        )
    if case.separates and case.by in case.statement.approvers:
        return Rejected(
            "you approved this text or could not judge it; somebody else must agree now",
            code="already-approved",
            rule="approval.separation",
            pack=case.pack.name,
        )
    return None


def _checking(case: Case, ctx: Ctx) -> tuple[str, ...]:
    return tuple(dict.fromkeys(who for gate in case.statement.checks.open for who in gate.who))


def _nobody_by_role(case: Case, ctx: Ctx) -> tuple[str, ...]:
    return ()


def _checks(case: Case, ctx: Ctx) -> bool:
    return any(answering(_checking(case, ctx), case.statement.unit, ctx))


def _can_be_checked(case: Case, ctx: Ctx, verb: str) -> Refusal:
    if case.statement.phase != "approved" and (refusal := _is_submitted(case, ctx, verb) or _not_outgrown(case)):
        return refusal
    if not case.statement.checks.open:
        return Rejected("nothing is to be checked on this text now; go on without", code="nothing-to-check")
    if case.separates and case.by in case.statement.writers:
        return Rejected(
            "you wrote on this text; somebody else must check it",
            code="written-by-you",
            rule="approval.separation",
            pack=case.pack.name,
        )
    return None


def unpassed(case: Case, gates: Sequence[Step]) -> Refusal:
    """Why a text must wait at these gates, or for the material of the responsible department."""
    if case.lacks_material:
        return Rejected(
            f"the material of {case.incident.assigned} is not in, signed and sealed; record it when it came, and no "
            "answer leaves before. A statement of status need not wait",
            code="material-missing",
            rule="gates.material",
            pack=case.pack.name,
            unit=case.incident.assigned,
        )
    if not gates:
        return None
    one = gates[0]
    return Rejected(
        f"{one.code} is not passed yet; {' or '.join(one.who)} checks it before this",
        code="gate-not-passed",
        rule=f"gates.{one.code}",
        pack=case.pack.name,
        gate=one.code,
        who=list(one.who),
    )


def _can_be_referred(case: Case, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _can_be_approved(case, ctx, verb):
        return refusal
    if case.judge is None:
        return Rejected(
            "the matter's pack names nobody for what an approver cannot judge; approve it or reject it",
            code="nobody-judges",
        )
    if all(one.who == case.judge for one in case.answers(ctx)):
        return Rejected(
            f"what cannot be judged goes to {case.judge}, as whom you decide here; approve it or reject it",
            code="judged-here",
            rule="approval.cannot_judge",
            pack=case.pack.name,
            to=case.judge,
        )
    return None


def _can_be_published(case: Case, ctx: Ctx, verb: str) -> Refusal:
    phase = case.statement.phase
    if phase in ("published", "withdrawn"):
        return Rejected(
            f"the statement is {phase} already; correct what is published, or draft a new statement",
            code="already-published",
            phase=phase,
        )
    if phase != "approved":
        return Rejected(
            f"the statement is {phase}; it is published only after approval at every step",
            code="not-approved",
            rule=place(case.pack, case.statement.course.chain),
            pack=case.pack.name,
            phase=phase,
        )
    return (
        _not_outgrown(case)
        or _signed(case, ctx)
        or _still_works(case)
        or unverified(case, ctx)
        or unpassed(case, case.statement.checks.open)
    )


def _signed(case: Case, ctx: Ctx) -> Refusal:
    """Once posts sign, approvals from before say nothing that a reader of the publication could check."""
    if not case.statement.course.unsigned or not _signs(ctx):
        return None
    return Rejected(
        "this was approved before posts had keys, so nobody could check its approvals; submit it again",
        code="approvals-unsigned",
    )


def _is_void(case: Case, ctx: Ctx) -> bool:
    """Whether an answer proves nothing any more: its key had ended, or the pack keeps persons apart by now."""
    course, keys = case.statement.course, ctx.offices.post_keys
    given = [(one.by, one.at, one.key) for one in course.agreed]
    given += [(one.by, one.at, one.key) for one in course.referred]
    for _, at, kid in given:
        ended = keys[kid].revoked_at if kid in keys else None
        if ended is not None and at >= instant(ended):
            return True
    persons = [by for by, *_ in given]
    twice = len(set(persons)) < len(persons) or not case.statement.writers.isdisjoint(persons)
    return case.separates and twice


def _signs(ctx: Ctx) -> bool:
    return ctx.offices.signed_since is not None or "signer" in ctx.seen


def _is_scheduled(case: Case, ctx: Ctx, verb: str) -> Refusal:
    if case.statement.scheduled_at is None:
        return Rejected("no instant is named at which the statement is published by itself", code="not-scheduled")
    return None


def _is_public(case: Case, ctx: Ctx, verb: str) -> Refusal:
    """If the pack separates persons: a writer neither corrects nor withdraws.

    A person who approved or corrected it does not correct it.
    """
    said = case.statement
    if said.phase == "withdrawn":
        return Rejected("the statement was withdrawn; say more in a new one", code="withdrawn")
    if said.phase != "published":
        return Rejected(
            f"the statement is {said.phase}; there is nothing in public to {verb}",
            code="not-published",
            phase=said.phase,
            act=verb,
        )
    concerned = said.writers | said.approvers if verb == "correct" else said.writers
    if case.separates and case.by in concerned:
        return Rejected(
            f"you wrote on this statement, approved or corrected it; somebody else must {verb} it",
            code="take-another-person",
            rule="approval.separation",
            pack=case.pack.name,
            act=verb,
        )
    return None


def _can_be_corrected(case: Case, ctx: Ctx, verb: str) -> Refusal:
    """A correction says facts anew, so it waits for verification as its statement did. A withdrawal never waits."""
    return _is_public(case, ctx, verb) or unverified(case, ctx)


def _fixed_speakers(case: Case) -> Sequence[str]:
    return case.incident.speaking.speaks


RIGHTS: Mapping[type[Command], Right[Case]] = {
    Draft: Right("draft", ("handler",), _drafting, _is_new),
    Revise: Right("revise", ("handler",), _writing, _is_not_public),
    AttachFile: Right("attach-file", ("handler",), _writing, _may_hold_files),
    Covered: Right("cover-persons", ("handler",), _writing, _may_hold_files),
    DetachFile: Right("detach-file", ("handler",), _writing, _may_hold_files),
    Submit: Right("submit", ("handler",), _speaking, _can_be_submitted),
    Check: Right("check", _nobody_by_role, _speaking, _can_be_checked, _checks, _checking),
    Approve: Right("approve", _agreeing, _speaking, _can_be_approved, _answers),
    Reject: Right("reject", _of_chain, _speaking, _is_submitted, _approves),
    CannotJudge: Right("cannot-judge", _agreeing, _speaking, _can_be_referred, _answers),
    Publish: OfSpeaker(
        "publish", _uploading, _speaking, _can_be_published, _uploads, _named_to_upload, posts=_fixed_speakers
    ),
    Unschedule: OfSpeaker(
        "unschedule", _uploading, _speaking, _is_scheduled, _uploads, _named_to_upload, posts=_fixed_speakers
    ),
    Correct: OfSpeaker("correct", ("spokesperson",), _speaking, _can_be_corrected, posts=_fixed_speakers),
    Withdraw: OfSpeaker("withdraw", ("spokesperson",), _speaking, _is_public, posts=_fixed_speakers),
}


READ_STATEMENT = Read("read-statement")


def reading(statement: Statement, known: Mapping[str, Standing], incident: str | None, ctx: Ctx) -> Reading | None:
    """How much of a statement on an incident the actor reads; None for nothing.

    The unit that speaks always reads its own statements. Other units read as much of them as of the matter.
    """
    if READ_STATEMENT.covers(statement.unit, ctx):
        return Reading()
    return READ_STATEMENT.of_matter(known, incident, ctx) if incident else None
