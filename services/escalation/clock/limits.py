"""What people decide on a matter's limits: set for one case, extended, paused, deferred. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from schemas import escalation as e
from schemas.fields import Fact, Typed, instant
from schemas.pack.clocks import ClockRule, Limit
from services.escalation.clock.terms import Deferral, Moved, Terms
from services.escalation.clock.terms import Pause as Paused
from services.escalation.commands import (
    DecideDeferral,
    DecideExtension,
    OnLimit,
    Pause,
    RequestDeferral,
    RequestExtension,
    Resume,
    SetLimit,
    TellAsker,
)
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.units import LoadedPack

Request = e.ClockExtensionRequested | e.ClockDeferralRequested
"""What a unit asked for on a limit, until somebody decides on it."""


def after(terms: Terms, fact: Fact, at: datetime) -> Terms:
    """The terms after a decision that was recorded at an instant; the same terms for any other fact."""
    match fact:
        case e.ClockLimitSet() | e.ClockExtended():
            return replace(terms, due={**terms.due, fact.clock: Moved(fact.due, at)})
        case e.ClockPaused():
            pauses = (*terms.pauses.get(fact.clock, ()), Paused(at))
            return replace(terms, pauses={**terms.pauses, fact.clock: pauses})
        case e.ClockResumed():
            *before, last = terms.pauses.get(fact.clock, (Paused(at),))
            return replace(terms, pauses={**terms.pauses, fact.clock: (*before, Paused(last.since, at))})
        case e.ClockDeferred():
            deferrals = (*terms.deferred.get(fact.clock, ()), Deferral(at, fact.review))
            return replace(terms, deferred={**terms.deferred, fact.clock: deferrals})
    return terms


def decided(
    command: OnLimit,
    spec: ClockRule | None,
    due: datetime | None,
    original: datetime | None,
    request: Request | None,
    pack: LoadedPack,
    terms: Terms,
    post: str,
    ctx: Ctx,
) -> Sequence[Fact]:
    """The facts of a command that the rights allow.

    `due` and `original` are the clock's due instants now and at first; None if it does not run yet. `post` is the post
    as which the actor decides.
    """
    match command:
        case SetLimit():
            must_be_ahead(command.due, ctx.now, "due")
            # Nobody makes a limit longer alone: that takes an extension.
            if (moved := terms.due.get(command.clock)) and command.due > moved.due:
                raise Rejected(
                    f"{command.clock} was set to {instant(moved.due)} for this matter; "
                    "only an extension that somebody else grants makes it later",
                    code="limit-set-already",
                    clock=command.clock,
                    due=moved.due,
                )
            reason = Typed(text=command.reason)
            return [e.ClockLimitSet(clock=command.clock, due=command.due, previous=due, reason=reason)]
        case RequestExtension() if due and original and spec and spec.extension:
            if command.due <= due:
                raise Malformed("a limit can be moved only to a later time", code="earlier-due", field="due")
            place = f"clocks.{spec.name}.extension"
            _must_be_within(command.due, original, spec.extension.at_most, place, pack, terms, "due")
            return [
                e.ClockExtensionRequested(
                    clock=command.clock,
                    due=command.due,
                    reason=Typed(text=command.reason),
                    by=ctx.by(ctx.seen["stream"]),
                )
            ]
        case DecideExtension() if due and original and isinstance(request, e.ClockExtensionRequested):
            reason = Typed(text=command.reason)
            if not command.granted:
                return [e.ClockExtensionRefused(clock=command.clock, post=post, reason=reason)]
            if request.due <= due:
                raise Rejected(
                    f"{command.clock} is due at {instant(due)}, and that is later already than what was asked for; "
                    "refuse this request, and let the unit ask anew",
                    code="extension-overtaken",
                    clock=command.clock,
                    due=due,
                )
            if command.notice is None:
                raise Malformed("the asker is told of an extension; add `notice`", code="notice-needed", field="notice")
            return [
                e.ClockExtended(
                    clock=command.clock,
                    post=post,
                    due=request.due,
                    previous=due,
                    original=original,
                    reason=reason,
                    notice=Typed(text=command.notice),
                )
            ]
        case Pause() if due and spec and spec.pause:
            known = [reason.code for reason in spec.pause.reasons]
            if command.reason not in known:
                raise Malformed(
                    f"reason: {spec.name} may stand still for {', '.join(known)}",
                    code="pause-reason-unknown",
                    rule=f"clocks.{spec.name}.pause",
                    pack=pack.name,
                    field="reason",
                    clock=spec.name,
                    known=known,
                )
            text = None if command.text is None else Typed(text=command.text)
            return [e.ClockPaused(clock=command.clock, reason=command.reason, text=text, due=due)]
        case Resume():
            return [e.ClockResumed(clock=command.clock)]
        case TellAsker():
            return [e.ClockAskerTold(clock=command.clock, way=command.way)]
        case RequestDeferral() if spec and spec.deferral:
            must_be_ahead(command.review, ctx.now, "review")
            if not spec.deferral.review.is_open:
                place = f"clocks.{spec.name}.deferral"
                _must_be_within(command.review, ctx.now, spec.deferral.review, place, pack, terms, "review")
            return [
                e.ClockDeferralRequested(
                    clock=command.clock,
                    plan=Typed(text=command.plan),
                    review=command.review,
                    by=ctx.by(ctx.seen["stream"]),
                )
            ]
        case DecideDeferral() if isinstance(request, e.ClockDeferralRequested):
            reason = Typed(text=command.reason)
            if not command.granted:
                return [e.ClockDeferralRefused(clock=command.clock, post=post, reason=reason)]
            must_be_ahead(request.review, ctx.now, "review")
            return [e.ClockDeferred(clock=command.clock, post=post, review=request.review, reason=reason)]
    raise TypeError(f"no rule for {type(command).__name__}")


def _must_be_within(
    at: datetime, since: datetime, limit: Limit, place: str, pack: LoadedPack, terms: Terms, field: str
) -> None:
    latest = terms.ends(since, limit, pack.model).at
    if at > latest:
        raise Malformed(
            f"{field}: {pack.name} allows at most {instant(latest)}",
            code="time-too-late",
            field=field,
            rule=place,
            pack=pack.name,
            latest=latest,
        )
