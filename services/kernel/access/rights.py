"""One table of rights for each service: who may ask for a command, over which units, in which state, and who reads.

The service's decider judges by the table. Its API shows the table as `may`, so a client offers only what is allowed.
The facts that a right looks at (`S`) are fewer than the decider's state: a row of a view holds them too. Queries take
the units for which somebody reads from the table, too.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from schemas.titles import titled
from services.kernel.core import standings
from services.kernel.core.decider import STAFF_ROLES, Ctx
from services.kernel.core.problems import Forbidden, Rejected
from services.kernel.core.units import Offices

S = TypeVar("S")
Units = Iterable[str | None]


def _nobody(subject: object, ctx: Ctx) -> bool:
    return False


def _none(subject: object, ctx: Ctx) -> tuple[str, ...]:
    return ()


def _never(subject: object, ctx: Ctx, verb: str) -> Rejected | None:
    return None


@dataclass(frozen=True, slots=True)
class Right(Generic[S]):
    """One row of the table."""

    verb: str
    """The verb of the command: the last part of the path."""
    roles: tuple[str, ...] | Callable[[S, Ctx], tuple[str, ...]]
    """The actor needs one of these roles."""
    over: Callable[[S, Ctx], Units]
    """The actor needs the role over one of these units, or over a unit above one of them."""
    refusal: Callable[[S, Ctx, str], Rejected | None] = _never
    """Why the state allows the verb to nobody; None if it allows it."""
    also: Callable[[S, Ctx], bool] = _nobody
    """Whether the actor has the right without the role: as a post or body that an approval names."""
    named: Callable[[S, Ctx], Iterable[str]] = _none
    """The posts and bodies for which `also` asks, for the sentence of a refusal."""

    def holds(self, subject: S, ctx: Ctx) -> bool:
        """Whether the actor has the right."""
        return ctx.may(*self.of(subject, ctx), units=self.over(subject, ctx)) or self.also(subject, ctx)

    def require(self, subject: S, ctx: Ctx) -> None:
        """Raises `Forbidden`, naming the roles and units that have the right, unless the actor `holds` it."""
        roles, units = self.of(subject, ctx), tuple(self.over(subject, ctx))
        if not self.holds(subject, ctx):
            where = sorted({unit for unit in units if unit})
            known = tuple(dict.fromkeys((*roles, *self.named(subject, ctx))))
            if not known:  # nobody has the right now, so the state says why
                self.refuse(subject, ctx)
            raise Forbidden(
                f"to {titled(self.verb, 'en')} takes the role {' or '.join(known)} over {' or '.join(where)}; "
                f"you act as {ctx.actor.post} of {ctx.actor.unit} with "
                f"{', '.join(sorted(ctx.actor.roles)) or 'no role'}",
                act=self.verb,
                roles=list(known),
                units=where,
                post=ctx.actor.post,
                held=sorted(ctx.actor.roles),
            )

    def refuse(self, subject: S, ctx: Ctx) -> None:
        """Raises the state's objection, if there is one."""
        if problem := self.refusal(subject, ctx, self.verb):
            raise problem

    def allows(self, subject: S, ctx: Ctx) -> bool:
        """Whether the actor may ask for it now."""
        return self.holds(subject, ctx) and self.refusal(subject, ctx, self.verb) is None

    def of(self, subject: S, ctx: Ctx) -> tuple[str, ...]:
        """The roles that give the right."""
        return self.roles(subject, ctx) if callable(self.roles) else self.roles


@dataclass(frozen=True, slots=True)
class Read:
    """One row of what may be read: a role over a unit reads what concerns this unit and the units below it."""

    act: str
    """The name of the act where its refusal is recorded, such as `read-incident`."""
    roles: tuple[str, ...] = STAFF_ROLES
    """The reader needs one of these roles."""

    def of_role(self, ctx: Ctx) -> bool:
        """Whether the actor reads at all, for some unit."""
        return not ctx.actor.roles.isdisjoint(self.roles)

    def units(self, ctx: Ctx) -> standings.Units:
        """The units for which the actor reads; None for all of them."""
        if ctx.actor.roles.isdisjoint(self.roles):
            return frozenset()
        return ctx.offices.overseen(ctx.actor.unit)

    def listed(self, ctx: Ctx) -> standings.Units:
        """The same for lists, in which removed units do not stand."""
        return frozenset() if ctx.actor.roles.isdisjoint(self.roles) else ctx.offices.listed(ctx.actor.unit)

    def within(self, unit: str | None, ctx: Ctx, offices: Offices) -> standings.Units:
        """For lists, too: of the units for which the actor reads, only `unit` and the ones below it, if it is named.

        `offices` are those of the time that is asked about. Rights are those of now.
        """
        units = self.listed(ctx)
        if unit is None:
            return units
        below = offices.below(unit) | {unit}
        return below if units is None else below & frozenset(units)

    def covers(self, unit: str | None, ctx: Ctx) -> bool:
        """Whether the actor reads for the unit."""
        units = self.units(ctx)
        return units is None or unit in units

    def of_matter(self, known: Mapping[str, standings.Standing], incident: str, ctx: Ctx) -> standings.Reading | None:
        """How much of an incident the actor reads by its units' part in it; None for nothing."""
        return standings.reading_of(known, incident, self.units(ctx))

    def require(self, unit: str, ctx: Ctx) -> None:
        """Raises `Forbidden` unless the actor reads for the unit."""
        if not self.covers(unit, ctx):
            raise self.refused(unit, ctx)

    def require_all(self, ctx: Ctx) -> None:
        """Raises `Forbidden` unless the actor reads for all units."""
        if self.units(ctx) is not None:
            raise self.refused(None, ctx)

    def refused(self, unit: str | None, ctx: Ctx) -> Forbidden:
        """What is said to somebody who does not read what belongs to a unit."""
        actor = ctx.actor
        held = ", ".join(sorted(actor.roles)) or "no role"
        return Forbidden(
            f"this belongs to {unit}; you act as {actor.post} of {actor.unit} with {held}, and a role reads what "
            f"concerns {actor.unit} and the units below it",
            code="other-office",
            act=self.act,
            unit=unit,
            post=actor.post,
        )


def may(rights: Iterable[Right[S]], subject: S, ctx: Ctx) -> list[str]:
    """The verbs that the actor may ask for now, in the table's order."""
    return [right.verb for right in rights if right.allows(subject, ctx)]
