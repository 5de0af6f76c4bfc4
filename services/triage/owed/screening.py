"""Which matters need a reply: the decision, its review by another post, and what they end. Pure."""

from collections.abc import Sequence

from schemas.answering import IncidentScreened, IncidentScreeningReviewed
from schemas.fields import Typed
from schemas.pack.answering import Screening
from schemas.triage import IncidentDismissed, IncidentReportRefused
from services.kernel.access.approving import answering, own_posts
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.triage.handling.assigning import pack_name, pack_of
from services.triage.incident import Incident
from services.triage.owed.answering_commands import ReviewScreening, Screen


def rule_of(incident: Incident, ctx: Ctx) -> Screening | None:
    """What the matter's pack says of screening; None if it says nothing."""
    pack = pack_of(incident, ctx.offices)
    return pack.model.answering.screening if pack else None


def _place(incident: Incident, ctx: Ctx) -> str | None:
    """Where the pack has that rule."""
    return "answering.screening" if rule_of(incident, ctx) else None


def why_not_screened(incident: Incident, ctx: Ctx) -> Rejected | None:
    """Why nobody decides whether the matter needs a reply; None if somebody may."""
    last = incident.answering.screening
    if last and last.refuses and last.waits and last.report_count == incident.report_count:
        return Rejected(
            f"every report of {incident.id} was refused an answer, and another post reviews that first",
            code="review-first",
            rule=_place(incident, ctx),
            pack=pack_name(incident, ctx.offices),
            incident=incident.id,
        )
    if rule_of(incident, ctx) is not None:
        return None
    return Rejected(
        f"the pack of {incident.id} names no reasons for giving no reply, so it needs one",
        code="no-screening",
        incident=incident.id,
    )


def screened(state: Incident, command: Screen, ctx: Ctx) -> Decided:
    """The decision. A reason is needed for no reply, and for no reply only."""
    rule = rule_of(state, ctx)
    assert rule is not None, "the right needs a pack that screens"
    known = [one.code for one in rule.reasons]
    if command.needs_reply and command.ground is not None:
        raise Malformed(
            "ground: a matter that needs a reply has no reason for none; leave it out",
            code="ground-not-needed",
            rule="answering.screening",
            pack=pack_name(state, ctx.offices),
            field="ground",
        )
    if not command.needs_reply and command.ground not in known:
        raise Malformed(
            f"ground: name one of the pack's reasons for no reply: {', '.join(known)}",
            code="no-reply-ground-unknown",
            rule="answering.screening",
            pack=pack_name(state, ctx.offices),
            field="ground",
            given=command.ground,
            known=known,
        )
    last = state.answering.screening
    told = (last.needs_reply or last.upheld is False, last.ground) if last else (True, None)
    if last and told == (command.needs_reply, command.ground) and last.report_count == state.report_count:
        raise Rejected(
            f"this was decided on {state.id} already; decide otherwise, or let another post review it",
            code="already-screened",
            incident=state.id,
        )
    fact = IncidentScreened(
        needs_reply=command.needs_reply,
        ground=command.ground,
        reason=None if command.reason is None else Typed(text=command.reason),
        report_count=state.report_count,
        by=ctx.by(state.id),
    )
    return _by_pack(state, fact, ctx)


def who_reviews(incident: Incident, ctx: Ctx) -> tuple[str, ...]:
    """The posts and bodies that review by the matter's pack."""
    rule = rule_of(incident, ctx)
    return rule.reviewed_by if rule else ()


def reviews(incident: Incident, ctx: Ctx) -> bool:
    """Whether the actor is one of them."""
    return any(answering(who_reviews(incident, ctx), incident.unit, ctx, posts=own_posts(ctx)))


def why_not_reviewed(incident: Incident, ctx: Ctx) -> Rejected | None:
    """Why this person reviews nothing now; None if there is something. An upheld decision can be overturned."""
    last = incident.answering.screening
    if last is None or last.needs_reply or last.upheld is False:
        return Rejected(
            f"nobody has decided that {incident.id} needs no reply, so there is nothing to review",
            code="nothing-screened",
            incident=incident.id,
        )
    if last.report_count != incident.report_count and last.waits:
        return Rejected(
            f"{incident.id} has other reports than when somebody decided that it needs no reply; screen it again",
            code="screening-outdated",
            incident=incident.id,
        )
    persons = (last.by == ctx.by(last.report or incident.id), last.reviewer == ctx.by(incident.id))
    if any(persons) or ctx.actor.post in (last.post, last.reviewed_by):
        return Rejected(
            "you or your post decided or reviewed this already; another person at another post must review it",
            code="screened-by-you",
            rule=_place(incident, ctx),
            pack=pack_name(incident, ctx.offices),
        )
    return None


def reviewed(state: Incident, command: ReviewScreening, ctx: Ctx) -> Decided:
    """The review. A matter of which all reports were refused ends, if that is upheld."""
    last = state.answering.screening
    assert last is not None, "the right needs a decision"
    if command.upheld and last.upheld:
        raise Rejected(
            f"the decision on {state.id} was upheld already; it can only be overturned now",
            code="already-upheld",
            incident=state.id,
        )
    fact = IncidentScreeningReviewed(upheld=command.upheld, reason=Typed(text=command.reason), by=ctx.by(state.id))
    ends = command.upheld and last.refuses and state.phase == "open"
    ended = [IncidentDismissed(report_count=state.report_count)] if ends else []
    return [*_by_pack(state, fact, ctx), *ended]


def why_not_merged(into: Incident, leaving: Incident) -> Rejected | None:
    """Why a matter that is owed a reply does not go on in one that is not, or may not be; None if it may."""
    screening, other = into.answering.screening, leaving.answering.screening
    if screening is None or not (screening.waits or screening.ends_reply) or (other and other.ends_reply):
        return None
    return Rejected(
        f"{into.id} was screened as one that needs no reply; decide first that it needs one, or merge the other way",
        code="merge-into-screened",
        incident=into.id,
    )


def refused(reports: int, refusals: Sequence[IncidentReportRefused]) -> list[IncidentScreened]:
    """The decision that a matter needs no reply, if all of so many reports were refused an answer. It is reviewed.

    Whoever refused the last of them does not review it.
    """
    if not reports or len(refusals) != reports:
        return []
    last = refusals[-1]
    return [IncidentScreened(needs_reply=False, report_count=reports, report=last.report, post=last.post, by=last.by)]


def _by_pack(state: Incident, fact: IncidentScreened | IncidentScreeningReviewed, ctx: Ctx) -> Decided:
    pack = pack_of(state, ctx.offices)
    return [Occurred(fact, policy=pack.ref, basis=ctx.offices.basis) if pack else fact]
