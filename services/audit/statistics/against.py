"""How many findings stand against each unit. They are the office's own, and shown as they are."""

from collections import Counter
from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from services.audit.findings.views import STAGES
from services.audit.queries import Axes
from services.audit.statistics.periods import Month
from services.audit.views import FINDINGS, TIMELINE


async def standing(
    connection: AsyncConnection, units: Collection[str], months: Sequence[Month], axes: Axes
) -> dict[str, Counter[str]]:
    """Unit -> kind -> how many findings made in the period stand by their rule, or were confirmed. One query."""
    of, t, last = FINDINGS.c, TIMELINE.c, TIMELINE.alias()
    made = [t.version == 1, t.time >= months[0].begin, t.time < months[-1].end, *axes.within(TIMELINE)]
    moves = upcast.types_of(*STAGES)
    moved = select(last.c.type).where(
        last.c.stream_id == of.finding_id, last.c.type.in_(sorted(moves)), *axes.within(last)
    )
    newest = moved.order_by(last.c.version.desc()).limit(1).correlate(FINDINGS).scalar_subquery()
    stands = upcast.types_of(*(model for model, stage in STAGES.items() if stage in ("stands", "upheld")))
    chosen = select(of.unit, of.kind, func.count()).join(TIMELINE, t.stream_id == of.finding_id)
    chosen = chosen.where(of.drill.is_(False), of.unit.in_(sorted(units)), *made, newest.in_(sorted(stands)))
    found: dict[str, Counter[str]] = {}
    for unit, kind, number in await connection.execute(chosen.group_by(of.unit, of.kind)):
        found.setdefault(unit, Counter())[kind] = int(number)
    return found
