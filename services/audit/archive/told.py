"""Whom is told what was done with the file of a matter.

Sealing it and giving its masked record outside is told to everybody with a part in the matter. A consultation is told
as readings are: to units above, to auditors of the root, and to the post that consulted.
"""

from sqlalchemy import ColumnElement, or_

from schemas import upcast
from schemas.envelope import Event
from schemas.operation import OperationArchiveRead
from services.audit.rights import READ_READINGS, readers
from services.audit.views import TIMELINE
from services.kernel.access.approving import acting_posts
from services.kernel.core.decider import Ctx

CONSULTATIONS = upcast.types_of(OperationArchiveRead)


def told(ctx: Ctx) -> ColumnElement[bool]:
    """The condition on events of packages that the caller is told of."""
    t = TIMELINE.c
    return or_(t.type.not_in(CONSULTATIONS), t.actor.in_(acting_posts(ctx)), t.unit.in_(sorted(_units(ctx))))


def is_told(event: Event, ctx: Ctx) -> bool:
    """Whether the caller is told of an event of a package."""
    return event.type not in CONSULTATIONS or event.actor in acting_posts(ctx) or event.unit in _units(ctx)


def _units(ctx: Ctx) -> frozenset[str]:
    return frozenset() if ctx.actor.roles.isdisjoint(READ_READINGS.roles) else readers(ctx)
