"""Publishes exactly what was approved, corrects it, and withdraws it. Pure."""

from collections.abc import Iterable, Mapping

from schemas.fields import Fact, parse_instant
from schemas.publish import StatementCorrected, StatementNoticePublished, StatementPublished, StatementWithdrawn
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.publish.attaching import attaching
from services.publish.commands import Correct, Withdraw
from services.publish.delivering.rights import Channel
from services.publish.rights import Case
from services.publish.state import State
from services.publish.writing import binding, closing, filled, promising
from services.publish.writing.binding import Established, Sheet
from services.publish.writing.drafting import waived


def publish(state: State, by: str, case: Case, ctx: Ctx) -> Fact:
    """Publishes exactly the approved words. A merge in the meantime does not stop an answer.

    `by` is the digest of the person who decided it.
    """
    title, text = agreed(state, case, ctx)
    channels = _open(ctx.seen.get("channels", {}), case, ctx)
    signer = ctx.seen.get("signer")
    attachments = attaching.public(state.files.all, ctx, signer.salts if signer else {})
    if case.is_notice:
        return StatementNoticePublished(
            unit=state.unit, title=title, text=text, attachments=attachments, channels=channels, by=by
        )
    closing.must_be_at_the_end(state, case)
    promising.must_lie_ahead(state, ctx)
    return StatementPublished(
        incident=state.incident,
        unit=state.unit,
        kind=state.kind,
        form=state.form,
        title=title,
        text=text,
        facts=state.facts,
        used=state.used,
        attachments=attachments,
        channels=channels,
        next_at=parse_instant(state.next_at) if state.next_at else None,
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
    used = filled.used((*state.facts, *binding.bound(command.title, command.text)), case, ctx)
    title, text = said.get("title", state.public.title), said["text"]
    attachments = attaching.corrected(state.files, command.attachments, ctx)
    before = (state.public.title, state.public.text, ctx.seen.get("rests_on"), None)
    if (title, text, set(used), attachments) == before:
        raise Rejected(
            "this is what stands in public, so it corrects nothing; change the text, or withdraw the statement",
            code="nothing-corrected",
        )
    return StatementCorrected(
        title=said.get("title"),
        text=said["text"],
        reason=command.reason,
        used=used,
        waived=waived(command.waive) if command.waive else None,
        attachments=attachments,
        channels=_open(state.public.channels, case, ctx),
        by=case.by,
    )


def withdraw(state: State, command: Withdraw, case: Case, ctx: Ctx) -> Fact:
    """Takes the statement back. Its text stays visible."""
    filled.check_wording(ctx, reason=command.reason)
    said, known = state.public, ctx.seen.get("channels", {})
    # What never stood at a place is not taken back there. A receiver may have what it did not acknowledge.
    wanted = (one for one in said.channels if one in said.reached or (one in known and known[one].kind == "webhook"))
    channels = _open(wanted, case, ctx)
    return StatementWithdrawn(reason=command.reason, channels=channels, by=case.by)


def _open(wanted: Iterable[str], case: Case, ctx: Ctx) -> tuple[str, ...]:
    """Those of the channels to which something goes now. An exercise goes nowhere."""
    known: Mapping[str, Channel] = ctx.seen.get("channels", {})
    if case.incident.drill:
        return ()
    return tuple(sorted(one for one in wanted if one in known and known[one].phase == "open"))


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
