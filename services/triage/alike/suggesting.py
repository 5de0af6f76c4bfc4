"""The suggestion of a category and a unit from the nearest earlier matters, and how often such suggestions were right.

Nothing is trained, and nothing is decided. A suggestion was right if the matter has that category, or that unit handles
it now, or did at its end. Matters without any are not judged.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.core.decider import Ctx
from services.kernel.delivery.runtime import Runtime
from services.kernel.store.views import Row
from services.triage.alike.similar import asked_of, find
from services.triage.views import INCIDENTS, SUGGESTED

NEAREST = 10
"""A suggestion rests on so many matters."""
FROM = 0.01
"""The lowest score of these. Matters that are far too unlike to be one still tell which unit is in charge."""
JUDGED = 500
"""At most so many of the last suggestions of a value are judged."""
COLUMNS = {"category": INCIDENTS.c.category, "unit": INCIDENTS.c.assigned}
"""What is suggested -> what the matter has."""


async def suggest(runtime: Runtime, connection: AsyncConnection, ctx: Ctx, row: Row) -> dict[str, Any]:
    """The category and the unit of the nearest earlier matters, each with its counts; see `similar_answers`."""
    asked = await asked_of(connection, row)
    earlier: list[Row] = []
    if asked:
        asked = asked._replace(category=None, until=row["opened_at"])
        earlier = [near.row for near in (await find(runtime, connection, ctx, asked, NEAREST, FROM)).near]
    values = {name: most([one[column.name] for one in earlier]) for name, column in COLUMNS.items()}
    shown = {
        name: value and {**value, **await _rightness(connection, row, name, value)} for name, value in values.items()
    }
    return {**shown, "nearest": [one["id"] for one in earlier]}


def codes(suggestion: Mapping[str, Any]) -> dict[str, str | None]:
    """The suggested values alone."""
    return {name: suggestion[name] and suggestion[name]["code"] for name in COLUMNS}


def most(codes: Iterable[str | None]) -> dict[str, Any] | None:
    """The code that most of them have, of several the one that comes first; None if none has any."""
    counts = Counter(code for code in codes if code)
    if not counts:
        return None
    code, having = counts.most_common(1)[0]
    return {"code": code, "having": having, "of": counts.total()}


async def known(connection: AsyncConnection, incident: str) -> bool:
    """Whether something was suggested for this matter before."""
    chosen = select(SUGGESTED.c.incident_id).where(SUGGESTED.c.incident_id == incident)
    return (await connection.execute(chosen)).first() is not None


async def _rightness(connection: AsyncConnection, row: Row, name: str, value: Mapping[str, Any]) -> dict[str, int]:
    """How often the value was right among the last suggestions of it for other matters; exercises apart."""
    of, has = SUGGESTED, COLUMNS[name]
    same: ColumnElement[int] = case((has == value["code"], 1), else_=0)
    last = (
        select(same.label("right"))
        .join(INCIDENTS, INCIDENTS.c.id == of.c.incident_id)
        .where(of.c[name] == value["code"], of.c.incident_id != row["id"], has.is_not(None))
        .where(INCIDENTS.c.drill.is_(row["drill"]))
        .order_by(of.c.at.desc())
        .limit(JUDGED)
        .subquery()
    )
    right, judged = (await connection.execute(select(func.sum(last.c.right), func.count()).select_from(last))).one()
    return {"right": right or 0, "judged": judged}
