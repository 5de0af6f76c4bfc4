"""What the unit concerned explains to the office before a matter is closed, by the matter's pack. Pure."""

from typing import Literal

from schemas.answering import IncidentExplanationOrdered, IncidentUnitExplained
from schemas.fields import Typed
from schemas.pack.answering import Explaining
from services.kernel.access.approving import answering, own_posts
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Rejected
from services.kernel.core.units import Offices
from services.triage.handling.assigning import pack_name, pack_of
from services.triage.incident import Incident
from services.triage.owed.answering_commands import ExplainToOffice, OrderExplanation

Owed = Literal["order", "unit_explanation", "proposed_reply", "closing_account"]
"""What is still owed: the leader's order, the unit's explanation to the office, what it proposes to reply, and an
account in public before the closing."""


def rule_of(incident: Incident, offices: Offices) -> Explaining | None:
    """What the matter's pack asks the unit concerned for, at the matter's level; None if it asks for nothing."""
    pack = pack_of(incident, offices)
    if pack is None:
        return None
    return pack.model.answering.explaining_at(incident.level or pack.model.lowest)


def _place(incident: Incident, offices: Offices) -> str | None:
    """Where the pack has that rule."""
    pack, rule = pack_of(incident, offices), rule_of(incident, offices)
    return f"answering.explaining.{pack.model.answering.explaining.index(rule)}" if pack and rule else None


def owed(incident: Incident, offices: Offices) -> list[Owed]:
    """What is owed before the matter is closed, in order."""
    rule, known = rule_of(incident, offices), incident.answering
    if rule is None or incident.phase not in ("open", "resolved"):
        return []
    ordered = known.ordered is not None and (known.ordered.proposed_reply or not rule.proposed_reply)
    found: list[Owed] = ["order"] if rule.ordered_by and not ordered else []
    if known.explained_at is None:
        found.append("unit_explanation")
    if rule.proposed_reply and known.proposed_at is None:
        found.append("proposed_reply")
    return found


def why_not_ended(incident: Incident, ctx: Ctx) -> Rejected | None:
    """Why the matter is neither resolved nor closed yet; None if nothing is owed."""
    missing = owed(incident, ctx.offices)
    if not missing:
        return None
    return Rejected(
        f"the pack of {incident.id} still asks for {', '.join(_SAID[one] for one in missing)}; this comes first",
        code="explanation-owed",
        rule=_place(incident, ctx.offices),
        pack=pack_name(incident, ctx.offices),
        incident=incident.id,
        missing=missing,
    )


_SAID: dict[Owed, str] = {
    "order": "a leader's order to explain",
    "unit_explanation": "the explanation of the unit concerned",
    "proposed_reply": "the reply that it proposes",
    "closing_account": "a closing account",
}


def orders(incident: Incident, ctx: Ctx) -> bool:
    """Whether the actor is a post that orders explanations by the matter's pack."""
    return _ordering(incident, ctx) is not None


def who_orders(incident: Incident, ctx: Ctx) -> tuple[str, ...]:
    """The posts and bodies that order explanations by the matter's pack."""
    rule = rule_of(incident, ctx.offices)
    return rule.ordered_by if rule else ()


def _ordering(incident: Incident, ctx: Ctx) -> str | None:
    found = next(answering(who_orders(incident, ctx), incident.unit, ctx, posts=own_posts(ctx)), None)
    return found.post if found else None


def why_not_ordered(incident: Incident, ctx: Ctx) -> Rejected | None:
    """Why nothing is ordered now; None if something is. An order stands until another unit handles the matter."""
    known = incident.answering.ordered
    if known is None or known.unit != _concerned(incident) or "order" in owed(incident, ctx.offices):
        return None
    return Rejected(
        f"{known.unit} was ordered to explain {incident.id} already, at {known.at.isoformat()}",
        code="already-ordered",
        incident=incident.id,
        unit=known.unit,
        at=known.at,
    )


def why_not_explained(incident: Incident, ctx: Ctx) -> Rejected | None:
    """Why the unit does not explain yet: the pack lets a leader order it first. None if it may."""
    rule = rule_of(incident, ctx.offices)
    if rule is None or "order" not in owed(incident, ctx.offices):
        return None
    return Rejected(
        f"{' or '.join(rule.ordered_by)} orders the explanation of {incident.id} first; ask for the order",
        code="explanation-not-ordered",
        rule=_place(incident, ctx.offices),
        pack=pack_name(incident, ctx.offices),
        incident=incident.id,
        who=list(rule.ordered_by),
    )


def ordered(state: Incident, command: OrderExplanation, ctx: Ctx) -> Decided:
    """The order, to the unit that handles the matter."""
    must_be_ahead(command.due, ctx.now)
    rule, pack = rule_of(state, ctx.offices), pack_of(state, ctx.offices)
    fact = IncidentExplanationOrdered(
        unit=_concerned(state),
        proposed_reply=rule is not None and rule.proposed_reply,
        text=None if command.text is None else Typed(text=command.text),
        due=command.due,
        post=_ordering(state, ctx),
    )
    return [Occurred(fact, policy=pack.ref, basis=ctx.offices.basis) if pack else fact]


def explained(state: Incident, command: ExplainToOffice) -> Decided:
    """The explanation of the unit that handles the matter."""
    reply = None if command.proposed_reply is None else Typed(text=command.proposed_reply)
    return [IncidentUnitExplained(unit=_concerned(state), text=Typed(text=command.text), proposed_reply=reply)]


def _concerned(incident: Incident) -> str:
    return incident.assigned or incident.unit
