"""The rules of a statement: its facts, its approvals, and the texts that stay visible.

`rights` says who may ask for what, and in which phase. `ctx.seen` holds `stream`, the statement's id, and `matter`, the
`Matter` of the statement; None if publish has not seen that incident. It also holds `title` and `text`, the words of
the draft, `agreed_title` and `agreed_text`, those of the submission, and `waived`; None if there are none or they were
erased. `earlier` are the statements of the matter that are in public, the newest last.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from schemas.approval import Step
from schemas.envelope import Event
from schemas.fields import Fact, Typed, WordsRef
from schemas.publish import (
    StatementApproved,
    StatementCorrected,
    StatementDrafted,
    StatementKind,
    StatementPublished,
    StatementReferred,
    StatementRejected,
    StatementRevised,
    StatementSubmitted,
    StatementWithdrawn,
    UsedFact,
)
from services.kernel.access.approving import must_be_answered, taking_part
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.rules.approval import Agreement, Course, Referral, asked_anew, chain_of, chains, fixed, place
from services.publish.commands import (
    Approve,
    CannotJudge,
    Correct,
    Draft,
    Prepare,
    Publish,
    Reject,
    Revise,
    Submit,
    Waiver,
    Withdraw,
)
from services.publish.rights import RIGHTS, UNSUBMITTED, Case, Incident, Statement
from services.publish.writing import binding, one_text, wording
from services.publish.writing.binding import Established, Sheet

CLARIFICATION = ("关于有关情况的说明", "（待填写：请写明查明的事实和依据。）")
"""Title and text of a draft that the rules begin. Somebody must write it before it is submitted."""
LONGEST = {"title": 120, "text": 100_000}
"""How many characters of a title and a text go public."""
MARKS = ("secret", "major_information")
"""What a drafter or an approver may say of a text."""


@dataclass(frozen=True, slots=True)
class State(Statement):
    """A statement as its rules need it."""

    incident: str = ""
    title: WordsRef | None = None
    draft: WordsRef | None = None
    facts: tuple[str, ...] = ()
    waived: WordsRef | None = None
    agreed_title: WordsRef | None = None
    agreed_text: WordsRef | None = None
    """The words of the submission, if the draft has markers."""


def initial_state() -> State:
    """Nothing is written yet."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The statement after the event. Delivery to further channels changes nothing here."""
    match event.data:
        case StatementDrafted() as data:
            return State(
                "drafted",
                data.unit,
                data.kind,
                frozenset({data.by}),
                frozenset({event.actor}),
                marks=_marked(frozenset(), data, frozenset()),
                incident=data.incident,
                title=data.title,
                draft=data.draft,
                facts=data.facts,
                prepared=data.prepared,
                waived=data.waived,
            )
        case StatementRevised() as data:
            facts = state.facts if data.facts is None else data.facts
            written = replace(
                _back(state),
                writers=state.writers | {data.by},
                desks=state.desks | {event.actor},
                prepared=False,
                marks=_marked(state.marks, data, state.raised),
            )
            waived = data.waived or state.waived
            return replace(written, title=data.title or state.title, draft=data.draft, facts=facts, waived=waived)
        case StatementSubmitted() as data:
            course = Course(chain=data.chain, steps=data.steps)
            phase = "submitted" if data.steps else "approved"
            facts = tuple(dict.fromkeys((*state.facts, *(one.key for one in data.used))))
            agreed = replace(_back(state), agreed_title=data.title, agreed_text=data.text, used=data.used, facts=facts)
            return replace(agreed, phase=phase, level=data.level, course=course)
        case StatementApproved() as data:
            phase = "approved" if data.last else state.phase
            given = Agreement(
                step=data.step,
                who=data.who,
                by=data.by,
                post=data.post,
                acted=event.actor,
                took_part=data.took_part,
                at=event.time_text,
            )
            return _raised(
                replace(
                    state, phase=phase, course=state.course.with_agreement(given), approvers=state.approvers | {data.by}
                ),
                data,
            )
        case StatementReferred() as data:
            course = state.course.with_referral(
                Referral(step=data.step, who=data.who, to=data.to, by=data.by, at=event.time_text)
            )
            return replace(state, course=course, approvers=state.approvers | {data.by})
        case StatementRejected() as data:
            return _raised(_back(state), data)
        case StatementPublished():
            return replace(state, phase="published")
        case StatementCorrected() as data:
            return replace(state, approvers=state.approvers | {data.by})
        case StatementWithdrawn():
            return replace(state, phase="withdrawn")
        case _:
            return state


def _back(state: State) -> State:
    """The statement as a draft. Its approvals are void."""
    back = replace(state, phase="drafted", level=None, course=UNSUBMITTED, approvers=frozenset())
    return replace(back, agreed_title=None, agreed_text=None, used=())


def _marked(marks: frozenset[str], said: StatementDrafted | StatementRevised, raised: frozenset[str]) -> frozenset[str]:
    """The marks after their drafter said something of them. Those that an approver set stay."""
    told = {mark: getattr(said, mark) for mark in MARKS}
    return raised | {mark for mark, value in told.items() if value or (value is None and mark in marks)}


def _raised(state: State, said: StatementApproved | StatementRejected) -> State:
    """The statement with the marks that an approver set."""
    set_ = frozenset(mark for mark in MARKS if getattr(said, mark))
    return replace(state, marks=state.marks | set_, raised=state.raised | set_)


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command."""
    RIGHTS[type(command)].require(_case(state, ctx), ctx)


def _case(state: State, ctx: Ctx) -> Case:
    incident: Incident | None = ctx.seen.get("incident")
    if incident is None:
        raise Malformed(
            "publish has not seen this incident; if it is new, send Huiying-After with its version",
            code="incident-not-seen",
            field="incident_id",
        )
    return Case.of(state, incident, ctx.seen["stream"], ctx)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """One event. Raises `Rejected` (409), `Forbidden` (403), or `Malformed` (422) for an unknown incident.

    Each event names the versions of the incident and of the unit tree on which it rests, and the pack in force for the
    accountable unit.
    """
    if isinstance(command, Prepare):
        return _prepare(state, command, ctx)
    case, right = _case(state, ctx), RIGHTS[type(command)]
    right.require(case, ctx)
    right.refuse(case, ctx)
    fact = _decide(state, command, case, ctx)
    basis = (f"{case.incident.id}@{case.incident.version}", *ctx.offices.basis)
    return [Occurred(fact, policy=case.pack.ref, basis=basis)]


def _decide(state: State, command: Command, case: Case, ctx: Ctx) -> Fact:
    by = case.by
    match command:
        case Draft():
            return _draft(command, case)
        case Revise():
            named = state.facts if command.facts is None else command.facts
            facts = _established(state.kind, (*named, *_bound(command.title, command.text, case)), case)
            _must_change(state, command, facts, ctx)
            title = None if command.title is None else Typed(text=command.title)
            return StatementRevised(
                title=title,
                draft=Typed(text=command.text),
                facts=None if facts == state.facts and command.facts is None else facts,
                secret=command.secret,
                major_information=command.major_information,
                waived=None if command.waive is None else _waived(command.waive),
                by=by,
            )
        case Submit():
            if CLARIFICATION[1] in (ctx.seen.get("text") or ""):
                raise Rejected(
                    "the text still holds what the rules prepared; write what was found instead", code="only-prepared"
                )
            texts = {name: ctx.seen[name] for name in ("title", "text") if ctx.seen.get(name) is not None}
            _check_wording(ctx, **texts)
            return _submit(
                state, case, ctx, _one_text(texts, state.facts, binding.read(ctx.seen.get("waived")), case, ctx)
            )
        case Approve():
            return _approve(state, command, case, ctx)
        case CannotJudge():
            assert case.due is not None and case.judge is not None, "the table of rights asks for both"
            judged = [Step(code=case.due.step, who=(case.judge,))]
            must_be_answered(judged, state.unit, ctx.offices, rule="approval.cannot_judge", pack=case.pack.name)
            one = next(one for one in case.answers(ctx) if one.who != case.judge)
            reason = Typed(text=command.reason)
            return StatementReferred(
                step=case.due.step, who=one.who, post=one.post, to=case.judge, reason=reason, by=by
            )
        case Reject():
            due = state.course.due
            assert due is not None, "a submitted statement has a step that is due"
            return StatementRejected(
                step=due.step,
                secret=command.secret,
                major_information=command.major_information,
                reason=Typed(text=command.reason),
                by=by,
            )
        case Publish():
            return _publish(state, case, ctx)
        case Correct():
            return _correct(state, command, case, ctx)
        case Withdraw():
            _check_wording(ctx, reason=command.reason)
            return StatementWithdrawn(reason=command.reason, by=by)
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a statement")


def _must_change(state: State, command: Revise, facts: tuple[str, ...] | None, ctx: Ctx) -> None:
    """A revision voids all approvals, so one that changes nothing is refused."""
    marks = {mark: getattr(command, mark) for mark in MARKS}
    is_same = (
        command.text == ctx.seen.get("text")
        and command.title in (None, ctx.seen.get("title"))
        and (facts is None or set(facts) == set(state.facts))
        and all(value is None or value == (mark in state.marks) for mark, value in marks.items())
        and (command.waive is None or _lines(command.waive) == (ctx.seen.get("waived") or ""))
    )
    if is_same:
        raise Rejected(
            "this is the text as it stands, so nothing was changed and no approval is void; change it, or go back",
            code="nothing-changed",
        )


def _check_wording(ctx: Ctx, **texts: str | None) -> None:
    for field, text in texts.items():
        if text is not None:
            wording.check(field, text, ctx.offices.lists.telephones)


def _draft(command: Draft, case: Case) -> Fact:
    """Fixes the unit that speaks: the accountable one, unless the drafter names another."""
    incident = case.incident
    unit = command.unit or incident.unit
    if unit not in incident.units:
        raise Rejected(
            f"{unit} does not work on {incident.id}; a statement on it speaks for {' or '.join(incident.units)}",
            code="not-its-incident",
            field="unit",
            unit=unit,
            incident=incident.id,
            known=list(incident.units),
        )
    return StatementDrafted(
        incident=incident.id,
        unit=unit,
        kind=command.kind,
        title=Typed(text=command.title),
        draft=Typed(text=command.text),
        facts=_established(command.kind, (*command.facts, *_bound(command.title, command.text, case)), case),
        secret=command.secret,
        major_information=command.major_information,
        waived=_waived(command.waive) if command.waive else None,
        by=case.by,
    )


def _bound(title: str | None, text: str, case: Case) -> tuple[str, ...]:
    """The facts that a draft binds, as far as they are established already."""
    return tuple(key for key in binding.bound(title, text) if key in case.incident.facts)


def _lines(waivers: Iterable[Waiver]) -> str:
    return binding.written(binding.Waived(one.figures, one.reason) for one in waivers)


def _waived(waivers: Iterable[Waiver]) -> Typed:
    return Typed(text=_lines(waivers))


def _one_text(
    texts: dict[str, str], facts: Collection[str], waivers: Iterable[binding.Waived], case: Case, ctx: Ctx
) -> dict[str, str]:
    """The texts with the facts in place of their markers. Raises `Rejected` for what stands against them."""
    sheet = case.sheet(ctx)
    found = one_text.findings(
        texts,
        sheet,
        earlier=[said for said in ctx.seen.get("earlier", ()) if said.id != ctx.seen["stream"]],
        named=facts,
        waived={figure for one in waivers for figure in one.figures},
        telephones=ctx.offices.lists.telephones,
    )
    if refusal := one_text.refusal(found, sheet):
        raise refusal
    resolved = {field: sheet.resolved(text) for field, text in texts.items()}
    for field, text in resolved.items():
        if len(text) > LONGEST[field]:
            raise Rejected(
                f"{field} has {len(text)} characters with the facts in it; at most {LONGEST[field]} go public",
                code="text-too-long-resolved",
                field=field,
                size=len(text),
                limit=LONGEST[field],
            )
    _check_wording(ctx, **resolved)
    return resolved


def _used(keys: Iterable[str], case: Case, ctx: Ctx) -> tuple[UsedFact, ...]:
    """The facts of these keys, in the versions that hold now."""
    sheet = case.sheet(ctx)
    found = (sheet.of(key) for key in dict.fromkeys(keys))
    return tuple(UsedFact(key=one.key, incident=one.incident, version=one.version) for one in found if one)


def _prepare(state: State, command: Prepare, ctx: Ctx) -> Decided:
    """Begins the draft of a clarification, in the name of the accountable unit."""
    if state.phase != "new":
        return []
    title, text = (Typed(text=text) for text in CLARIFICATION)
    drafted = StatementDrafted(
        incident=command.incident,
        unit=command.unit,
        kind="facts",
        title=title,
        draft=text,
        prepared=True,
        by=ctx.by(command.incident),
    )
    return [Occurred(drafted, basis=(command.basis,), unit=command.unit)]


def _submit(state: State, case: Case, ctx: Ctx, resolved: dict[str, str]) -> Fact:
    """Fixes the chain of approvals. If another chain counts later, another submission is needed.

    A statement of facts waits for the grading. A statement of status does not: it is often due within hours, and a late
    grading must not hold it up. It takes the chain of the lowest level. If the matter is then graded higher, the
    statement needs the higher level's chain before it is published.
    """
    _established(state.kind, state.facts, case)
    levels, asked = {level.code for level in case.pack.model.levels}, chains(case.pack, "statement")
    if levels and asked and case.incident.level is None and state.kind == "facts":
        raise Rejected(
            "the matter is not graded yet, so nobody knows who must approve; grade it first",
            code="not-graded",
            rule=place(case.pack),
            pack=case.pack.name,
        )
    level = case.level
    if level is not None and level not in levels:
        raise Rejected(
            f"the pack in force has no level {level}; grade the matter by it first",
            code="level-not-in-pack",
            level=level,
        )
    chain = chain_of(case.pack, case.context(level))
    if asked and chain is None:
        raise Rejected(
            "no chain of approvals of the matter's pack holds for this text; ask for a pack that says who approves it",
            code="no-chain",
            rule=place(case.pack),
            pack=case.pack.name,
        )
    steps, chosen = fixed(chain), chain.code if chain else None
    must_be_answered(steps, state.unit, ctx.offices, rule=place(case.pack, chosen), pack=case.pack.name)
    title, text = (
        Typed(text=resolved[name]) if name in resolved and resolved[name] != ctx.seen.get(name) else None
        for name in ("title", "text")
    )
    keys = (*state.facts, *binding.bound(ctx.seen.get("title"), ctx.seen.get("text")))
    return StatementSubmitted(
        unit=state.unit,
        level=level,
        chain=chosen,
        steps=steps,
        title=title,
        text=text,
        used=_used(keys, case, ctx),
        by=case.by,
    )


def _approve(state: State, command: Approve, case: Case, ctx: Ctx) -> Fact:
    due, chosen = case.due, next(case.answers(ctx))
    assert due is not None, "the table of rights allows an approval only when a step is due"
    barred = state.desks | state.course.posts if case.separates else ()
    rule = place(case.pack, state.course.chain, due.step)
    took_part = taking_part(due, chosen, command.took_part, barred, ctx, rule=rule, pack=case.pack.name)
    given = Agreement(step=due.step, who=chosen.who, by=case.by)
    following = state.course.with_agreement(given).due
    return StatementApproved(
        step=due.step,
        who=chosen.who,
        post=chosen.post,
        took_part=took_part,
        last=following is None,
        next=asked_anew(due, following),
        secret=command.secret,
        major_information=command.major_information,
        reason=None if command.reason is None else Typed(text=command.reason),
        by=case.by,
    )


def _publish(state: State, case: Case, ctx: Ctx) -> Fact:
    """Publishes exactly the approved words. A merge in the meantime does not stop an answer."""
    title = ctx.seen.get("agreed_title" if state.agreed_title else "title")
    text = ctx.seen.get("agreed_text" if state.agreed_text else "text")
    if changed := revised(state, case.sheet(ctx), ctx.seen.get("past", ())):
        raise changed
    if title is None or text is None:
        raise Rejected("the words of the draft were erased; revise it and submit it again", code="words-erased")
    return StatementPublished(
        incident=state.incident,
        unit=state.unit,
        kind=state.kind,
        title=title,
        text=text,
        facts=state.facts,
        used=state.used,
        by=case.by,
    )


def revised(state: State, sheet: Sheet, past: Iterable[Established]) -> Rejected | None:
    """Why approved words say no more what is established: a fact on which they rest was revised since the submission.

    `past` are the earlier values of facts.
    """
    for one in state.used:
        now = sheet.of(one.key)
        if now is None or (now.incident, now.version) == (one.incident, one.version):
            continue
        then = next((old for old in past if (old.incident, old.version) == (one.incident, one.version)), None)
        before, after = (value and sheet.said(value) for value in (then, now))
        if before == after:
            continue
        return Rejected(
            f"{one.key} ({sheet.title(one.key)}) was {before or 'another value'} when this was submitted, and is "
            f"{after} now; submit it again",
            code="fact-revised",
            fact=one.key,
            title=sheet.title(one.key),
            before=before or "—",
            now=after or "—",
        )
    return None


def _correct(state: State, command: Correct, case: Case, ctx: Ctx) -> Fact:
    """The corrected text rests on all facts of the statement as they are now."""
    _check_wording(ctx, title=command.title, text=command.text, reason=command.reason)
    texts = {"text": command.text} if command.title is None else {"title": command.title, "text": command.text}
    waivers = [binding.Waived(one.figures, one.reason) for one in command.waive]
    said = _one_text(texts, state.facts, waivers, case, ctx)
    return StatementCorrected(
        title=said.get("title"),
        text=said["text"],
        reason=command.reason,
        used=_used((*state.facts, *binding.bound(command.title, command.text)), case, ctx),
        waived=_waived(command.waive) if command.waive else None,
        by=case.by,
    )


def _established(kind: StatementKind, facts: Iterable[str], case: Case) -> tuple[str, ...]:
    """The facts, each once. Raises `Rejected` with the facts that are not established."""
    named = tuple(dict.fromkeys(facts))
    if missing := [key for key in named if key not in case.incident.facts]:
        raise Rejected(
            f"not established yet: {', '.join(missing)}; a verifier must establish facts first",
            code="facts-not-established",
            missing=missing,
        )
    said = case.pack.model.publication
    rule = said and (said.facts if kind == "facts" else said.status)
    if rule and rule.needs_established_facts and not named:
        raise Rejected(
            "a statement of facts must name at least one established fact; without any, publish a statement of status",
            code="facts-needed",
            rule=f"publication.{kind}",
            pack=case.pack.name,
        )
    return named


DECIDER = Decider("statement", initial_state, evolve, decide, authorize)
