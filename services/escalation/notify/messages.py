"""The texts of outgoing notices, in Chinese and in English: number, level, what is due when, and a link.

They hold codes, titles, numbers and times, and never a word of a report.
"""

from datetime import datetime
from typing import NamedTuple

from schemas.titles import Language

RULES = {
    "new": ("新事项", "New matter"),
    "assigned": ("交办", "Assigned to your unit"),
    "warn": ("时限将到", "A limit is near"),
    "due": ("时限确定", "By when it is due"),
    "breach": ("逾期", "A limit has passed"),
    "rung": ("催办督办", "Reminder"),
    "hop": ("收到上报，请签收", "A report waits for your receipt"),
    "informed": ("收到通报，请签收", "An office informs you, and waits for your receipt"),
    "approval": ("等待审定", "Your approval is awaited"),
    "gap": ("值班空缺", "Nobody is on duty"),
    "held": ("无人值班，来件待处理", "A report came while nobody was on duty"),
    "surge": ("集中反映", "Far more reports than usual"),
}


class Matter(NamedTuple):
    """What a notice says. Times are in the zone of the unit, and a gap lasts from `due` until `until`.

    `number` is the matter's, or the unit's code if the notice belongs to no matter. `level` and `what` are titles or
    codes.
    """

    rule: str
    number: str
    level: str | None
    what: str | None
    due: datetime | None
    link: str
    until: datetime | None = None
    reports: int | None = None


def compose(matter: Matter, language: Language) -> tuple[str, str]:
    """Subject and text."""
    english = language == "en"
    name = RULES[matter.rule][english]
    due, until = (at.strftime("%Y-%m-%d %H:%M") if at else None for at in (matter.due, matter.until))
    said = (
        (("编号", "Number"), matter.number),
        (("等级", "Level"), matter.level),
        (("事由", "What"), matter.what),
        (("时段", "From"), f"{due} – {until}" if until else None),
        (("时限", "Due"), None if until else due),
        (("件数", "Reports"), matter.reports),
        (("链接", "Link"), matter.link),
    )
    lines = [f"{labels[english]}{': ' if english else '：'}{value}" for labels, value in said if value]
    subject = f"[{matter.number}] {name}" if english else f"【{matter.number}】{name}"
    return subject, "\n".join([name, *lines])
