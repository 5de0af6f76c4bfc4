"""A notice sideways: another office is told of the matter, and confirms that it knows. Pure."""

from schemas import escalation as e
from schemas.fields import Typed
from services.escalation.commands import InformOffice
from services.escalation.upward.reporting import USUAL, must_be_received
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed


def informed(command: InformOffice, unit: str, ctx: Ctx) -> e.ClockOfficeInformed:
    """The notice of `unit`. Raises `Malformed` for no other office, and `Rejected` if nobody there could confirm it."""
    code, at, to = command.to.rpartition("@")
    if not at:
        code = USUAL
    ctx.offices.unit(to, "to")
    if to == unit:
        raise Malformed(
            f"to: {unit} knows of the matter itself; name another office", code="own-office", field="to", unit=unit
        )
    must_be_received(code, to, ctx.offices)
    text = Typed(text=command.text)
    return e.ClockOfficeInformed(report=ctx.ids.new(""), unit=unit, to=to, addressee=code, text=text)
