"""A month of a duty desk, by post: duties, what came in, and what was passed on. Nothing counts what became public."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import findings as f
from schemas.envelope import Event
from schemas.fields import instant
from services.audit.findings.decider import DECIDER
from services.audit.histories import folded, histories
from services.audit.queries import Axes
from services.audit.statistics.figures import EMPTY, FEW, Cell, Text
from services.audit.statistics.periods import Month
from services.audit.views import DESK, FINDINGS
from services.kernel.core.suppression import hidden

OF_DUTY: Mapping[str, tuple[Text, Text]] = {
    "signed_on": (
        Text("到岗", "Duties taken up"),
        Text(
            "期内到岗的班次数，由替班岗位到岗的算替班岗位。",
            "Duties of the month that the post took up, also for another one.",
        ),
    ),
    "not_taken": (
        Text("未到岗", "Duties not taken up"),
        Text("期内结束而无人到岗的班次数。", "Duties that ended in the month and that nobody took up."),
    ),
    "handed_over": (
        Text("交班有记录", "Handed over with a note"),
        Text("期内有交班记录的交班次数。", "Duties that were handed over with a note in the month."),
    ),
    "note_missing": (
        Text("交班无记录", "Ended without a note"),
        Text(
            "期内到岗而没有交班记录就结束的班次数。", "Duties that were taken up and ended in the month without a note."
        ),
    ),
}
"""Acts of the office alone. They are shown as they are."""
OF_MATTERS: Mapping[str, tuple[Text, Text]] = {
    "received": (
        Text("录入反映", "Reports entered"),
        Text("期内由该岗位录入的反映件数。", "Reports that the post entered in the month."),
    ),
    "upward": (
        Text("上报", "Reports upward"),
        Text("期内由该岗位向上级报告的次数。", "Reports to a unit above that the post sent in the month."),
    ),
    "receipt": (
        Text("签收", "Receipts given"),
        Text("期内由该岗位签收上报的次数。", "Reports from below that the post confirmed in the month."),
    ),
}
"""Acts on matters. Small numbers of them are left out."""
OF_DESK: Mapping[str, tuple[Text, Text]] = {
    "reports": (
        Text("到达本单位", "Reports received"),
        Text(
            "期内录入的、由本单位各渠道收到的反映件数。",
            "Reports that came in by the unit's own channels and were entered in the month.",
        ),
    ),
    "held": (
        Text("待值班处理", "Reports held"),
        Text("期内无人值班时收到、留待下一班的反映件数。", "Reports that came in while nobody was on duty."),
    ),
    "gap": (
        Text("值班空缺", "Gaps on duty"),
        Text("期内开始时无人值班的次数。", "Times that began in the month and for which nobody was on duty."),
    ),
    "omitted": (
        Text("漏报", "Not passed on"),
        Text(
            "已认定的漏报件数：反映到达本单位渠道而没有上报，上报时限在期内到期。本单位以外的情况没有发现，不算漏报。",
            "Confirmed findings: a report reached an own channel and was not passed on, and its limit fell into the "
            "month. What was not found outside is none.",
        ),
    ),
}
SMALL_OF_DESK = ("reports", "held")


async def counted(connection: AsyncConnection, unit: str, month: Month, axes: Axes) -> dict[str, Counter[str]]:
    """Post -> kind of act -> how often; under the empty name what belongs to no post.

    A report belongs to the month in which it was entered, whenever it was discovered.
    """
    d = DESK.c
    when = case((d.kind == "received", d.recordedtime), else_=d.time)
    asked = [d.unit == unit, when >= month.begin, when < month.end, *axes.within(DESK)]
    chosen = select(d.kind, func.coalesce(d.post, ""), func.count()).where(*asked).group_by(d.kind, d.post)
    posts: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, post, number in await connection.execute(chosen):
        posts[post][kind] += int(number)
    return dict(posts)


async def omitted(connection: AsyncConnection, unit: str, month: Month, axes: Axes) -> int:
    """How many reports were found not to have been passed on, of those whose limit fell into the month."""
    of = FINDINGS.c
    chosen = select(of.finding_id).where(of.unit == unit, of.kind == "omitted_report", of.drill.is_(False))
    ids = list((await connection.execute(chosen.order_by(of.finding_id))).scalars())
    found = (await histories(connection, ids, axes)).values()
    return sum(folded(DECIDER, events).stage == "upheld" and _falls(events, month) for events in found)


def _falls(events: Sequence[Event], month: Month) -> bool:
    """Whether the limit fell into the month. A finding that was made by hand names none; then it is its proposal."""
    dues = [event.data.due for event in events if isinstance(event.data, f.FindingMade) and event.data.due]
    return month.begin <= instant(dues[0] if dues else events[0].time) < month.end


def table(posts: Mapping[str, Counter[str]], omissions: int) -> tuple[dict[str, dict[str, Cell]], dict[str, Cell]]:
    """The cells of each post, and those of the desk. Without anything in the month, all are empty, and not zero."""
    named = sorted(post for post in posts if post and set(posts[post]) & {*OF_DUTY, *OF_MATTERS})
    rows: dict[str, dict[str, Cell]] = {}
    kept = {name: _hidden(posts, named, name) for name in OF_MATTERS}
    for post in named:
        counts = posts[post]
        rows[post] = {name: Cell(counts[name], None, "shown") for name in OF_DUTY}
        rows[post] |= {name: _shown(counts[name], post in kept[name]) for name in OF_MATTERS}
    whole = sum(posts.values(), Counter())
    if not whole and not omissions:
        return rows, dict.fromkeys(OF_DESK, EMPTY)
    numbers = {"reports": whole["received"], "held": whole["held"], "gap": whole["gap"], "omitted": omissions}
    few = {"reports": whole["received"] > 0 and "" in kept["received"], "held": bool(hidden({"": whole["held"]}, []))}
    return rows, {name: _shown(number, few.get(name, False)) for name, number in numbers.items()}


def _hidden(posts: Mapping[str, Counter[str]], named: Sequence[str], name: str) -> frozenset[str]:
    """The posts of which a number is not shown; the empty name is the sum over all, and what no post did."""
    others = sum(counts[name] for post, counts in posts.items() if post not in named)
    cells: dict[Any, int] = {("post", post): posts[post][name] for post in named} | {"others": others}
    cells["whole"] = sum(cells.values())
    kept = hidden(cells, [("whole", [cell for cell in cells if cell != "whole"])])
    return frozenset(cell[1] if isinstance(cell, tuple) else "" for cell in kept if cell != "others")


def _shown(number: int, is_few: bool) -> Cell:
    return FEW if is_few else Cell(number, None, "shown")
