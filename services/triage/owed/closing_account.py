"""The closing account: what happened and how it was handled, published before a matter is closed. Pure."""

from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.kernel.core.units import Offices
from services.triage.handling.assigning import pack_name, pack_of
from services.triage.incident import Incident

RULE = "publication.closing_account"


def is_owed(incident: Incident, offices: Offices) -> bool:
    """Whether the matter's pack asks for one, and none was published since the matter was opened or opened again."""
    pack = pack_of(incident, offices)
    said = pack.model.publication if pack else None
    rule = said.closing_account if said else None
    if pack is None or rule is None or incident.phase != "resolved" or incident.answering.accounted:
        return False
    return rule.levels is None or (incident.level or pack.model.lowest) in rule.levels


def why_not_closed(incident: Incident, ctx: Ctx) -> Rejected | None:
    """Why the matter stays open for it; None if it may be closed."""
    if not is_owed(incident, ctx.offices):
        return None
    return Rejected(
        f"the pack of {incident.id} asks for a closing account, which tells what happened and how it was handled; "
        "publish it first",
        code="closing-account-owed",
        rule=RULE,
        pack=pack_name(incident, ctx.offices),
        incident=incident.id,
    )
