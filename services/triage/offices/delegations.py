"""Delegations: for a time, one post may approve for another. All of them are one stream.

They end by themselves. What was approved before the end stays approved.
"""

from schemas.fields import Typed
from schemas.offices import UnitDelegationEnded, UnitDelegationGiven
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, Rejected
from services.triage.offices.office_commands import Delegate
from services.triage.rights import OF_OFFICES

DELEGATIONS = f"unit-{derived('delegations')}"
"""The stream of the delegations of all units."""


def _unit(post: str) -> str:
    return post.partition("@")[2]


def given(command: Delegate, ctx: Ctx) -> Decided:
    """The delegation. It begins at the earliest when it is recorded."""
    for field, name in (("from", command.from_), ("to", command.to)):
        if ctx.offices.post(name, field).members:
            raise Malformed(
                f"{field}: {name} is a body, which decides together; name one of its posts",
                code="body-as-post",
                field=field,
                post=name,
            )
    OF_OFFICES[Delegate].require(command.from_, ctx)
    unit = _unit(command.from_)
    if command.to == command.from_ or _unit(command.to) not in ctx.offices.above(unit):
        raise Rejected(
            f"{command.from_} delegates to another post of {unit} or of a unit above it, not to {command.to}",
            code="delegated-elsewhere",
            post=command.from_,
            to=command.to,
            unit=unit,
        )
    since = max(command.since or ctx.now, ctx.now)
    if command.until <= since:
        raise Malformed(
            f"until: the delegation would end at {command.until.isoformat()}, before it begins; name a later time",
            code="delegation-ends-early",
            field="until",
            since=since,
        )
    fact = UnitDelegationGiven(
        delegation=ctx.ids.new(""),
        unit=unit,
        post=command.from_,
        to=command.to,
        since=since,
        until=command.until,
        reason=None if command.reason is None else Typed(text=command.reason),
    )
    return [Occurred(fact, basis=ctx.offices.basis)]


def ended(delegation: UnitDelegationGiven, over: bool, ctx: Ctx) -> Decided:
    """The end of a delegation; nothing if it is `over` already."""
    OF_OFFICES[Delegate].require(delegation.post, ctx)
    if over or delegation.until <= ctx.now:
        return []
    return [UnitDelegationEnded(**delegation.model_dump(include={"delegation", "unit", "post", "to"}))]
