"""The rules by which a matter is given to units: instruction, lead, helpers, return and designation. Pure."""

from contextlib import suppress
from datetime import datetime

from schemas import triage
from schemas.fields import Fact, Typed
from schemas.pack.assigning import Assigning, Instruction
from schemas.pack.clocks import Limit
from services.kernel.access.approving import answering, own_posts
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Forbidden, Malformed, Rejected, Unavailable
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.rules import calendars
from services.triage import commands as c
from services.triage.handling.acts import must_follow
from services.triage.handling.dispatch import Share
from services.triage.incident import Incident

VERBS = {c.AcceptHelp: "accept-help", c.ReturnHelp: "return-help", c.CompleteHelp: "complete-help"}
DISPATCHES = 3
"""After so many dispatches that came back, the unit above designates, if the pack gives no other number."""


def pack_of(incident: Incident, offices: Offices) -> LoadedPack | None:
    """The pack of the matter; None if it is not at hand, or none is in force."""
    with suppress(Unavailable):
        return offices.pack_of(incident.policy, incident.unit)
    return None


def pack_name(incident: Incident, offices: Offices) -> str | None:
    """The pack of the matter as `id@version`, for a refusal; None if it is not at hand."""
    pack = pack_of(incident, offices)
    return pack.name if pack else None


def rule_of(incident: Incident, offices: Offices) -> Assigning | None:
    """What the matter's pack says of assigning; None if it says nothing."""
    pack = pack_of(incident, offices)
    return pack.model.assigning if pack else None


def _returning_place(incident: Incident, offices: Offices) -> str | None:
    """Where the matter's pack says that the unit above designates; None if it says nothing of it."""
    rule = rule_of(incident, offices)
    return "assigning.returning" if rule and rule.returning else None


def instruction_of(incident: Incident, offices: Offices) -> Instruction | None:
    """The instruction that the matter needs before an assignment, by its level; None if it needs none."""
    pack = pack_of(incident, offices)
    rule = pack.model.assigning.instruction if pack and pack.model.assigning else None
    if pack is None or rule is None:
        return None
    level = incident.level or pack.model.lowest
    return rule if rule.levels is None or level in rule.levels else None


def instructs(incident: Incident, ctx: Ctx) -> bool:
    """Whether the actor is a post whose instruction the pack asks for."""
    return _instructing(incident, ctx) is not None


def who_instructs(incident: Incident, ctx: Ctx) -> tuple[str, ...]:
    """The posts and bodies whose instruction the pack asks for."""
    rule = rule_of(incident, ctx.offices)
    return rule.instruction.who if rule and rule.instruction else ()


def _instructing(incident: Incident, ctx: Ctx) -> str | None:
    found = next(answering(who_instructs(incident, ctx), incident.unit, ctx, posts=own_posts(ctx)), None)
    return found.post if found else None


def instructed(state: Incident, command: c.Instruct, ctx: Ctx) -> Decided:
    """The leader's instruction."""
    return [triage.IncidentInstructionGiven(text=Typed(text=command.text), post=_instructing(state, ctx))]


def why_not_assigned(incident: Incident, ctx: Ctx) -> Rejected | None:
    """Why the desk gives the matter to nobody now; None if it may."""
    dispatch = incident.dispatch
    if dispatch.designates:
        return Rejected(
            f"{incident.id} came back {dispatch.returns} times, or too late; {dispatch.designates} designates who "
            "handles it",
            code="to-be-designated",
            rule=_returning_place(incident, ctx.offices),
            pack=pack_name(incident, ctx.offices),
            incident=incident.id,
            by=dispatch.designates,
            returns=dispatch.returns,
        )
    if dispatch.designated_by and incident.assigned:
        return Rejected(
            f"{dispatch.designated_by} designated {incident.assigned} for {incident.id}, and that binds; "
            f"only {dispatch.designated_by} can designate another unit",
            code="designated",
            rule=_returning_place(incident, ctx.offices),
            pack=pack_name(incident, ctx.offices),
            incident=incident.id,
            by=dispatch.designated_by,
            unit=incident.assigned,
        )
    rule = instruction_of(incident, ctx.offices)
    if rule and not dispatch.instructed:
        return Rejected(
            f"{incident.id} needs an instruction of {' or '.join(rule.who)} before it is assigned; ask for it first",
            code="instruction-needed",
            rule="assigning.instruction",
            pack=pack_name(incident, ctx.offices),
            incident=incident.id,
            who=list(rule.who),
        )
    return None


def why_not_designated(incident: Incident, ctx: Ctx) -> Rejected | None:
    """Why the unit above does not say who handles the matter; None if it does."""
    dispatch = incident.dispatch
    if dispatch.designates is None and dispatch.designated_by is None and not is_untaken(incident, ctx):
        return Rejected(
            f"the desk of {incident.unit} still gives {incident.id} to a unit; the unit above designates after "
            "several returns, a late one, or an assignment that nobody takes",
            code="not-to-be-designated",
            rule=_returning_place(incident, ctx.offices),
            pack=pack_name(incident, ctx.offices),
            incident=incident.id,
            unit=incident.unit,
        )
    by = dispatch.designates or ctx.offices.parent(incident.unit) or incident.unit
    heads = [f"{post.code}@{by}" for post in ctx.offices.posts.get(by, {}).values() if post.head]
    if ctx.offices.parent(by) is None and heads and not set(heads).intersection(own_posts(ctx)):
        return Rejected(
            f"no unit is above {by}, so its head designates; ask {' or '.join(heads)}",
            code="head-designates",
            unit=by,
            posts=heads,
        )
    return None


def why_not_returned(incident: Incident, ctx: Ctx) -> Rejected | None:
    """Why the assigned unit cannot give the matter back; None if it can."""
    if by := incident.dispatch.designated_by:
        return Rejected(
            f"{by} designated {incident.assigned} for {incident.id}, and that binds; handle it, or ask {by} to "
            "designate another unit",
            code="designated",
            rule=_returning_place(incident, ctx.offices),
            pack=pack_name(incident, ctx.offices),
            incident=incident.id,
            by=by,
            unit=incident.assigned,
        )
    return None


def is_untaken(incident: Incident, ctx: Ctx) -> bool:
    """Whether the assigned unit let the pack's limit for accepting pass. That limit is a clock from the assignment."""
    lead, pack = incident.dispatch.lead, pack_of(incident, ctx.offices)
    if lead is None or incident.accepted or pack is None:
        return False
    level = incident.level or pack.model.lowest
    limits = (
        clock.limit
        for clock in pack.model.clocks_for(level, incident.answer_kind)
        if clock.from_ == "assigned" and "accepted" in clock.to and not clock.limit.is_open
    )
    return any(_has_passed(limit, lead.asked_at, lead.unit, pack, ctx) for limit in limits)


def _has_passed(limit: Limit, since: datetime, unit: str, pack: LoadedPack, ctx: Ctx) -> bool:
    due = calendars.due(since, limit, pack.model.timezone, pack.model.workday, ctx.offices.own_days(unit)).at
    return ctx.now > due or (ctx.now == due and calendars.ends_with_a_day(limit))


def assigned(state: Incident, command: c.Assign, ctx: Ctx) -> Decided:
    """One unit is told to handle the matter and leads: the named one, or the one that leads by the pack."""
    unit = command.unit or _leads_by_default(state, ctx)
    if unit == state.assigned:
        raise _already(state, unit)
    return _given(command, unit, None, ctx)


def designated(state: Incident, command: c.Designate, ctx: Ctx) -> Decided:
    """The unit above says who handles the matter."""
    if command.unit == state.assigned and state.dispatch.designated_by:
        raise _already(state, command.unit)
    by = state.dispatch.designates or ctx.offices.parent(state.unit) or state.unit
    return _given(command, command.unit, by, ctx)


def brought(state: Incident, leaving: Incident) -> list[Fact]:
    """What a merger brings: the lead of the other matter, if there is none here, or if a unit above designated it.

    A designation binds, so it outranks the choice of the desk.
    """
    unit, bound = leaving.assigned, leaving.dispatch.designated_by
    if unit is None or (state.assigned and (bound is None or state.dispatch.designated_by)):
        return []
    accepted = leaving.accepted or (state.accepted and state.assigned == unit)
    return taken_over(unit, accepted, leaving.id, bound, leaving.dispatch.lead)


def taken_over(
    unit: str, accepted: bool, taken_from: str, designated_by: str | None, share: Share | None = None
) -> list[Fact]:
    """The assignment of another incident, as this one's, with the share that the unit has."""
    assigned = triage.IncidentAssigned(
        unit=unit,
        share=share.text if share else None,
        due=share.due if share else None,
        designated_by=designated_by,
        taken_from=taken_from,
    )
    return [assigned, *([triage.IncidentAccepted(unit=unit, taken_from=taken_from)] if accepted else [])]


def _already(state: Incident, unit: str) -> Rejected:
    return Rejected(
        f"{state.id} is assigned to {unit} already; name another unit",
        code="already-assigned",
        incident=state.id,
        unit=unit,
    )


def _given(command: c.Assign | c.Designate, unit: str, by: str | None, ctx: Ctx) -> Decided:
    ctx.offices.unit(unit)
    must_be_ahead(command.due, ctx.now)
    fact = triage.IncidentAssigned(
        unit=unit,
        reason=None if command.reason is None else Typed(text=command.reason),
        share=None if command.share is None else Typed(text=command.share),
        due=command.due,
        designated_by=by,
    )
    return [Occurred(fact, basis=ctx.offices.basis)]


def _leads_by_default(state: Incident, ctx: Ctx) -> str:
    rule = rule_of(state, ctx.offices)
    if rule and rule.lead.value == "first_receiver":
        return state.dispatch.first
    raise Malformed(
        "unit: name the unit that leads; the matter's pack lets the desk choose it",
        code="lead-needed",
        rule="assigning.lead" if rule else None,
        pack=pack_name(state, ctx.offices),
        field="unit",
    )


def returned(state: Incident, command: c.Return, ctx: Ctx) -> Decided:
    """The assigned unit gives the matter back. After the last dispatch, or too late, the unit above designates."""
    lead, dispatch = state.dispatch.lead, state.dispatch
    assert lead is not None and state.assigned is not None, "the right needs an assigned unit"
    pack = pack_of(state, ctx.offices)
    rule = pack.model.assigning if pack else None
    reasons = [one.code for one in rule.returning.reasons] if rule and rule.returning else []
    if reasons and command.ground is None:
        raise Malformed(
            f"ground: name one of the pack's reasons for a return: {', '.join(reasons)}",
            code="return-ground-missing",
            rule="assigning.returning",
            pack=pack and pack.name,
            field="ground",
            known=reasons,
        )
    if command.ground is not None and command.ground not in reasons:
        raise Malformed(
            f"ground: the matter's pack has no reason {command.ground!r}; it has {', '.join(reasons) or 'none'}",
            code="return-ground-unknown",
            rule=_returning_place(state, ctx.offices),
            pack=pack and pack.name,
            field="ground",
            given=command.ground,
            known=reasons,
        )
    limit = rule.returning.limit if rule and rule.returning else None
    late = bool(pack and limit and not limit.is_open and _has_passed(limit, lead.asked_at, lead.unit, pack, ctx))
    most = rule.dispatches.value if rule and rule.dispatches and rule.dispatches.value else DISPATCHES
    above = ctx.offices.parent(state.unit) or state.unit
    fact = triage.IncidentReturned(
        unit=state.assigned,
        reason=Typed(text=command.reason),
        ground=command.ground,
        returns=dispatch.returns + 1,
        late=late,
        designates=above if late or dispatch.number >= most else dispatch.designates,
    )
    return [Occurred(fact, policy=pack.ref, basis=ctx.offices.basis) if pack else fact]


def helped(state: Incident, command: c.AcceptHelp | c.ReturnHelp | c.CompleteHelp, ctx: Ctx) -> Decided:
    """What a unit that was asked to help says of its share."""
    unit = _helper(state, command, ctx)
    share = state.dispatch.helper(unit)
    assert share is not None, "a unit that helps has a share"
    must_follow(command.done_at(ctx.now), share.asked_at)
    fact: Fact
    match command:
        case c.AcceptHelp():
            if refusal := _accepted(share) or _completed(share):
                raise refusal
            fact = triage.IncidentHelpAccepted(unit=unit)
        case c.ReturnHelp():
            if refusal := _completed(share):
                raise refusal
            fact = triage.IncidentHelpReturned(unit=unit, reason=Typed(text=command.reason))
        case c.CompleteHelp():
            if refusal := _completed(share):
                raise refusal
            fact = triage.IncidentHelpCompleted(unit=unit, text=Typed(text=command.text))
    return [fact]


def why_no_help(state: Incident, ctx: Ctx, verb: str) -> Rejected | None:
    """Refuses where the actor's units have said so of all their shares, or have completed them."""
    shares = [share for unit in _own_helpers(state, ctx) if (share := state.dispatch.helper(unit))]
    accepting = verb == "accept-help"
    refusals = [(_accepted(share) if accepting else None) or _completed(share) for share in shares]
    return refusals[0] if refusals and all(refusals) else None


def _accepted(share: Share) -> Rejected | None:
    if share.accepted_at is None:
        return None
    return Rejected(
        f"{share.unit} has accepted its share already, at {share.accepted_at.isoformat()}",
        code="help-accepted-already",
        unit=share.unit,
        at=share.accepted_at,
    )


def _completed(share: Share) -> Rejected | None:
    if share.completed_at is None:
        return None
    return Rejected(
        f"{share.unit} has completed its share already, at {share.completed_at.isoformat()}",
        code="help-completed-already",
        unit=share.unit,
        at=share.completed_at,
    )


def _own_helpers(state: Incident, ctx: Ctx) -> list[str]:
    """The helping units for which the actor may speak."""
    return sorted(unit for unit in state.helping if ctx.offices.within(unit, ctx.actor.unit))


def _helper(state: Incident, command: c.AcceptHelp | c.ReturnHelp | c.CompleteHelp, ctx: Ctx) -> str:
    """The helping unit for which the actor speaks: the named one, its own, or the only one below it."""
    own, named = _own_helpers(state, ctx), command.unit
    if named is None and ctx.actor.unit in own:
        return ctx.actor.unit
    if named is None and len(own) == 1:
        return own[0]
    if named is None or named not in state.helping:
        raise Malformed(
            f"unit: name one of the units that help with {state.id}: {', '.join(sorted(state.helping))}",
            code="helper-unknown",
            field="unit",
            known=sorted(state.helping),
        )
    if named not in own:
        raise Forbidden(
            f"{named} speaks for its own share; you act as {ctx.actor.post} of {ctx.actor.unit}",
            act=VERBS[type(command)],
            roles=["handler"],
            units=[named],
            post=ctx.actor.post,
            held=sorted(ctx.actor.roles),
        )
    return named
