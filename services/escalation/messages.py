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
    "breach": ("逾期", "A limit has passed"),
    "rung": ("催办督办", "Reminder"),
    "hop": ("收到上报，请签收", "A report waits for your receipt"),
    "approval": ("等待确认", "Your confirmation is awaited"),
}


class Matter(NamedTuple):
    """What a notice says. `due` is in the zone of the unit. `level` and `what` are titles or codes."""

    rule: str
    number: str
    level: str | None
    what: str | None
    due: datetime | None
    link: str


def compose(matter: Matter, language: Language) -> tuple[str, str]:
    """Subject and text."""
    english = language == "en"
    name = RULES[matter.rule][english]
    at = matter.due.strftime("%Y-%m-%d %H:%M") if matter.due else None
    said = (
        (("编号", "Number"), matter.number),
        (("等级", "Level"), matter.level),
        (("事由", "What"), matter.what),
        (("时限", "Due"), at),
        (("链接", "Link"), matter.link),
    )
    lines = [f"{labels[english]}{': ' if english else '：'}{value}" for labels, value in said if value]
    subject = f"[{matter.number}] {name}" if english else f"【{matter.number}】{name}"
    return subject, "\n".join([name, *lines])
