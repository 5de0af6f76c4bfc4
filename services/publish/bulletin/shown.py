"""A statement as a reader of the bulletin sees it: with headings, marks, and times in the one zone of the bulletin."""

from datetime import datetime, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from schemas.fields import parse_instant
from schemas.titles import titled
from services.kernel.store.views import Row

ACTS = {"publication": "发布", "correction": "更正", "withdrawal": "撤回"}
Item = dict[str, Any]
"""A statement of the public view, ready for the templates."""


class Moment(NamedTuple):
    """An instant in two forms: for machines, and for readers in the one time zone of the bulletin."""

    iso: str
    local: str


class Found(NamedTuple):
    """A page of statements, with the data for its links."""

    items: list[Item]
    next: str | None
    zone: str
    unit: str | None
    units: list[tuple[str, str]]
    """Code and name of each unit that a reader can filter by."""


def moment(at: datetime, zone: tzinfo) -> Moment:
    """`2026年3月2日 17:00` in the zone."""
    here = at.astimezone(zone)
    return Moment(at.isoformat().replace("+00:00", "Z"), f"{here.year}年{here.month}月{here.day}日 {here:%H:%M}")


def zone_name(zone: tzinfo) -> str:
    """The readers' name for the time zone."""
    if isinstance(zone, ZoneInfo) and zone.key == "Asia/Shanghai":
        return "北京时间（UTC+8）"
    offset = datetime.now(zone).strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:]} 时间"


def readable(row: Row, zone: tzinfo) -> Item:
    """A statement of the public view with its times, its headings, and the text that holds now."""
    said = [release | {"at": moment(parse_instant(release["at"]), zone)} for release in row["said"]]
    texts = [release for release in said if release["text"] is not None]
    withdrawal = next((release for release in said if release["kind"] == "withdrawal"), None)
    correction = texts[-1] if len(texts) > 1 else None
    mark = "已撤回：" if withdrawal else "已更正：" if correction else ""
    return row | {
        "said": said,
        "kind_zh": titled(row["kind"], "zh"),
        "heading": mark + row["title"],
        "published": moment(parse_instant(row["published_at"]), zone),
        "updated": moment(parse_instant(row["updated_at"]), zone),
        "act": ACTS[said[-1]["kind"]],
        "changed": parse_instant(row["updated_at"]),
        "correction": correction,
        "withdrawal": withdrawal,
        "earlier": texts[-2::-1],
        "updates": _neighbour(row["updates"], zone),
        "updated_by": _neighbour(row["updated_by"], zone),
    }


def _neighbour(row: Row | None, zone: tzinfo) -> Item | None:
    if row is None:
        return None
    return {"id": row["id"], "title": row["title"], "published": moment(parse_instant(row["published_at"]), zone)}


def tags(item: Item) -> list[str]:
    """`status` or `facts`, and `corrected` or `withdrawn` if that applies."""
    marks = [item["kind"]]
    if item["corrections"]:
        marks.append("corrected")
    if item["withdrawal"]:
        marks.append("withdrawn")
    return marks
