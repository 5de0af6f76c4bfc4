"""Begins and changes a draft: which facts it names, which figures need none. Pure."""

from collections.abc import Iterable

from schemas.fields import Fact, Typed, instant
from schemas.publish import StatementDrafted, StatementKind, StatementNoticeDrafted, StatementRevised, usual_form
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.publish.commands import Draft, Prepare, Revise, Waiver
from services.publish.rights import Case
from services.publish.state import MARKS, State
from services.publish.writing import binding

CLARIFICATION = ("关于有关情况的说明", "（待填写：请写明查明的事实和依据。）")
"""Title and text of a draft that the rules begin. Somebody must write it before it is submitted."""
TO_WRITE = "（待填写"
"""How a place begins that somebody must still write: in a clarification that is prepared, and in templates."""


def draft(command: Draft, case: Case, ctx: Ctx) -> Fact:
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
    must_be_ahead(command.next_at, ctx.now, "next_at")
    return StatementDrafted(
        incident=incident.id,
        unit=unit,
        kind=command.kind,
        form=command.form or usual_form(command.kind),
        title=Typed(text=command.title),
        draft=Typed(text=command.text),
        facts=established(command.kind, (*command.facts, *_bound(command.title, command.text, case)), case),
        secret=command.secret,
        major_information=command.major_information,
        waived=waived(command.waive) if command.waive else None,
        next_at=command.next_at,
        by=case.by,
    )


def notice(command: Draft, case: Case) -> Fact:
    """Begins a notice, which is about no matter. Raises `Malformed` for anything that needs one."""
    if command.form != "notice":
        raise Malformed(
            "incident_id: name the matter that this is about; only a notice (form) is about none",
            code="incident-needed",
            field="incident_id",
        )
    if command.kind != "status" or command.facts or command.waive or command.next_at:
        raise Malformed(
            "kind: a notice about no matter is a status, has no facts and nothing to waive, and promises no next one; "
            "name its matter (incident_id) if it tells facts",
            code="notice-without-facts",
            field="kind",
        )
    return StatementNoticeDrafted(
        unit=case.incident.unit,
        title=Typed(text=command.title),
        draft=Typed(text=command.text),
        secret=command.secret,
        major_information=command.major_information,
        by=case.by,
    )


def revise(state: State, command: Revise, case: Case, ctx: Ctx) -> Fact:
    """Changes what the command names. All approvals are void."""
    is_more = command.facts or command.waive or command.next_at
    if case.is_notice and (command.form not in (None, "notice") or is_more):
        raise Malformed(
            "form: a notice about no matter stays one, and has no facts and nothing to waive; draft a statement on the "
            "matter instead",
            code="notice-stays",
            field="form",
        )
    named = state.facts if command.facts is None else command.facts
    facts = established(state.kind, (*named, *_bound(command.title, command.text, case)), case)
    _must_change(state, command, facts, ctx)
    must_be_ahead(command.next_at, ctx.now, "next_at")
    title = None if command.title is None else Typed(text=command.title)
    return StatementRevised(
        form=None if command.form == state.form else command.form,
        title=title,
        draft=Typed(text=command.text),
        facts=None if facts == state.facts and command.facts is None else facts,
        secret=command.secret,
        major_information=command.major_information,
        waived=None if command.waive is None else waived(command.waive),
        next_at=command.next_at,
        by=case.by,
    )


def prepare(state: State, command: Prepare, ctx: Ctx) -> Decided:
    """Begins the draft of a clarification, in the name of the accountable unit."""
    if state.phase != "new":
        return []
    title, text = (Typed(text=text) for text in CLARIFICATION)
    drafted = StatementDrafted(
        incident=command.incident,
        unit=command.unit,
        kind="facts",
        form="clarification",
        title=title,
        draft=text,
        prepared=True,
        by=ctx.by(command.incident),
    )
    return [Occurred(drafted, basis=(command.basis,), unit=command.unit)]


def established(kind: StatementKind, facts: Iterable[str], case: Case) -> tuple[str, ...]:
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


def waived(waivers: Iterable[Waiver]) -> Typed:
    return Typed(text=_lines(waivers))


def _must_change(state: State, command: Revise, facts: tuple[str, ...] | None, ctx: Ctx) -> None:
    """A revision voids all approvals, so one that changes nothing is refused."""
    marks = {mark: getattr(command, mark) for mark in MARKS}
    is_same = (
        command.text == ctx.seen.get("text")
        and command.title in (None, ctx.seen.get("title"))
        and command.form in (None, state.form)
        and (command.next_at is None or instant(command.next_at) == state.next_at)
        and (facts is None or set(facts) == set(state.facts))
        and all(value is None or value == (mark in state.marks) for mark, value in marks.items())
        and (command.waive is None or _lines(command.waive) == (ctx.seen.get("waived") or ""))
    )
    if is_same:
        raise Rejected(
            "this is the text as it stands, so nothing was changed and no approval is void; change it, or go back",
            code="nothing-changed",
        )


def _bound(title: str | None, text: str, case: Case) -> tuple[str, ...]:
    """The facts that a draft binds, as far as they are established already."""
    return tuple(key for key in binding.bound(title, text) if key in case.incident.facts)


def _lines(waivers: Iterable[Waiver]) -> str:
    return binding.written(binding.Waived(one.figures, one.reason) for one in waivers)
