"""Publishes exactly what was approved, corrects it, and withdraws it. Pure."""

from collections.abc import Iterable

from schemas.fields import Fact
from schemas.publish import StatementCorrected, StatementNoticePublished, StatementPublished, StatementWithdrawn
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.publish.commands import Correct, Withdraw
from services.publish.rights import Case
from services.publish.state import State
from services.publish.writing import binding, filled
from services.publish.writing.binding import Established, Sheet
from services.publish.writing.drafting import waived


def publish(state: State, by: str, case: Case, ctx: Ctx) -> Fact:
    """Publishes exactly the approved words. A merge in the meantime does not stop an answer.

    `by` is the digest of the person who decided it.
    """
    title, text = agreed(state, case, ctx)
    if case.is_notice:
        return StatementNoticePublished(unit=state.unit, title=title, text=text, by=by)
    return StatementPublished(
        incident=state.incident,
        unit=state.unit,
        kind=state.kind,
        form=state.form,
        title=title,
        text=text,
        facts=state.facts,
        used=state.used,
        by=by,
    )


def agreed(state: State, case: Case, ctx: Ctx) -> tuple[str, str]:
    """The approved title and text. Raises `Rejected` if they cannot be published as they are."""
    title = ctx.seen.get("agreed_title" if state.agreed_title else "title")
    text = ctx.seen.get("agreed_text" if state.agreed_text else "text")
    if changed := revised(state, case.sheet(ctx), ctx.seen.get("past", ())):
        raise changed
    if title is None or text is None:
        raise Rejected("the words of the draft were erased; revise it and submit it again", code="words-erased")
    return title, text


def correct(state: State, command: Correct, case: Case, ctx: Ctx) -> Fact:
    """The corrected text rests on all facts of the statement as they are now."""
    filled.check_wording(ctx, title=command.title, text=command.text, reason=command.reason)
    texts = {"text": command.text} if command.title is None else {"title": command.title, "text": command.text}
    waivers = [binding.Waived(one.figures, one.reason) for one in command.waive]
    said = filled.fill(texts, state.facts, waivers, case, ctx)
    return StatementCorrected(
        title=said.get("title"),
        text=said["text"],
        reason=command.reason,
        used=filled.used((*state.facts, *binding.bound(command.title, command.text)), case, ctx),
        waived=waived(command.waive) if command.waive else None,
        by=case.by,
    )


def withdraw(command: Withdraw, case: Case, ctx: Ctx) -> Fact:
    """Takes the statement back. Its text stays visible."""
    filled.check_wording(ctx, reason=command.reason)
    return StatementWithdrawn(reason=command.reason, by=case.by)


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
