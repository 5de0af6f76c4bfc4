"""The rules of teams, plans and meetings, and of passing upward what a unit cannot solve. Pure."""

from collections.abc import Iterable

from schemas import triage
from schemas.fields import Typed
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.triage import commands as c
from services.triage.handling.assigning import pack_of, rule_of
from services.triage.incident import Incident


def decided(state: Incident, command: c.Planning, ctx: Ctx) -> Decided:
    """The event of the command. Raises `Malformed` for a unit or post that no directory has."""
    match command:
        case c.NameTeam():
            _posts("head", (command.head,), ctx)
            _posts("deputy", (command.deputy,), ctx)
            _posts("members", command.members, ctx)
            _must_be_others("deputy", (command.deputy,), (command.head,))
            _must_be_others("members", command.members, (command.head, command.deputy))
            fact = triage.IncidentTeamNamed(head=command.head, deputy=command.deputy, members=command.members)
            return [Occurred(fact, basis=ctx.offices.basis)]
        case c.MakePlan():
            ctx.offices.unit(command.unit)
            _posts("post", (command.post,), ctx)
            must_be_ahead(command.due, ctx.now)
            made = triage.IncidentPlanMade(
                unit=command.unit, post=command.post, due=command.due, text=Typed(text=command.text)
            )
            return [Occurred(made, basis=ctx.offices.basis)]
        case c.StartPlan():
            _must_be_listed(state, command.plan, ctx)
            return [triage.IncidentPlanStarted(plan=command.plan)]
        case c.HoldMeeting():
            for unit in command.units:
                ctx.offices.unit(unit, "units")
            if command.meeting == "joint" and len({*command.units}) < 2:
                raise Malformed(
                    "units: a joint meeting is one of several units; name those that met",
                    code="joint-of-one",
                    field="units",
                )
            _posts("took_part", command.took_part, ctx)
            _posts("release_group", command.release_group, ctx)
            _posts("spokesperson", (command.spokesperson,), ctx)
            held = triage.IncidentMeetingHeld(
                meeting=command.meeting,
                units=command.units,
                took_part=command.took_part,
                minutes=Typed(text=command.minutes),
                release_group=command.release_group,
                spokesperson=command.spokesperson,
            )
            return [Occurred(held, basis=ctx.offices.basis)]
        case c.PassUpward():
            above = ctx.offices.parent(state.unit) or state.unit
            unit = state.assigned or state.unit
            passed = triage.IncidentPassedUpward(unit=unit, designates=above, reason=Typed(text=command.reason))
            return [Occurred(passed, basis=ctx.offices.basis)]
    raise TypeError(f"no rule for {type(command).__name__}")


def _must_be_listed(state: Incident, plan: str, ctx: Ctx) -> None:
    """Raises `Malformed` for an emergency plan that the matter's pack does not have, if it has any."""
    pack = pack_of(state, ctx.offices)
    known = [one.code for one in pack.model.emergency_plans] if pack else []
    if known and plan not in known:
        raise Malformed(
            f"plan: the matter's pack has no emergency plan {plan!r}; it has {', '.join(known)}",
            code="plan-unknown",
            field="plan",
            given=plan,
            known=known,
        )


def _must_be_others(field: str, posts: Iterable[str | None], earlier: Iterable[str | None]) -> None:
    """Raises `Malformed` for a post that the team has already in another place."""
    for post in {*posts} & {*earlier} - {None}:
        raise Malformed(
            f"{field}: {post} is in the team already; name another post",
            code="in-team-already",
            field=field,
            post=post,
        )


def _posts(field: str, posts: Iterable[str | None], ctx: Ctx) -> None:
    for post in posts:
        if post is not None:
            ctx.offices.post(post, field)


def why_not_handled(incident: Incident, ctx: Ctx) -> Rejected | None:
    """Why nobody handles the matter yet: its pack asks for a team first at its level. None if somebody may."""
    rule = rule_of(incident, ctx.offices)
    team = rule.team if rule else None
    if team is None or incident.plans.team is not None:
        return None
    pack = ctx.offices.pack_of(incident.policy, incident.unit)
    if team.levels is not None and (incident.level or pack.model.lowest) not in team.levels:
        return None
    return Rejected(
        f"{incident.id} needs a team before it is handled; name its head, deputy and members first",
        code="team-needed",
        rule="assigning.team",
        pack=pack.name,
        incident=incident.id,
    )
