"""A statement as a reader of the bulletin sees it: with headings, marks, and times in the one zone of the bulletin."""

from datetime import date, datetime, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from schemas.fields import parse_instant
from schemas.titles import Language, form_titled, titled
from services.kernel.store.views import Row
from services.publish.attaching.queries import told
from services.publish.bulletin.words import N_, translations

ACTS = {"publication": N_("发布"), "correction": N_("更正"), "withdrawal": N_("撤回")}
STATES = {"current": N_("现行，未更正"), "corrected": N_("已更正"), "withdrawn": N_("已撤回")}
MARKS = {"correction": N_("已更正：%(title)s"), "withdrawal": N_("已撤回：%(title)s")}
Item = dict[str, Any]
"""A statement of the public view, ready for the templates."""


class Moment(NamedTuple):
    """An instant in two forms: for machines, and for readers in the one time zone of the bulletin."""

    iso: str
    local: str


class Narrowed(NamedTuple):
    """What a reader chose, as the address says it. What is absent narrows nothing."""

    unit: str | None = None
    kind: str | None = None
    state: str | None = None
    month: str | None = None
    words: str | None = None


class Choices(NamedTuple):
    """What a reader can choose: codes with their titles."""

    units: list[tuple[str, str]]
    months: list[tuple[str, str]]


class Found(NamedTuple):
    """A page of statements, with the data for its links."""

    items: list[Item]
    next: str | None
    zone: str
    narrowed: Narrowed
    unit_name: str
    """The name of the one unit, and those below it, whose statements the page shows; empty for all."""
    complete: bool = True
    """Whether every text with the words was looked at."""
    too_short: str = ""
    """A word that is too short to look for."""


def month_title(month: str, language: Language) -> str:
    """`2026-03` for readers."""
    first = date.fromisoformat(f"{month}-01")
    return f"{first.year}年{first.month}月" if language == "zh" else f"{first:%B} {first.year}"


def moment(at: datetime, zone: tzinfo, language: Language = "zh") -> Moment:
    """`2026年3月2日 17:00` in the zone, or `2 March 2026, 17:00`."""
    here = at.astimezone(zone)
    day = f"{here.year}年{here.month}月{here.day}日 " if language == "zh" else f"{here.day} {here:%B} {here.year}, "
    return Moment(at.isoformat().replace("+00:00", "Z"), f"{day}{here:%H:%M}")


def zone_name(zone: tzinfo, language: Language = "zh") -> str:
    """The readers' name for the time zone."""
    gettext = translations(language).gettext
    if isinstance(zone, ZoneInfo) and zone.key == "Asia/Shanghai":
        return str(gettext("北京时间（UTC+8）"))
    offset = datetime.now(zone).strftime("%z")
    return str(gettext("UTC%(offset)s 时间")) % {"offset": f"{offset[:3]}:{offset[3:]}"}


def readable(row: Row, zone: tzinfo, language: Language = "zh") -> Item:
    """A statement of the public view with its times, its headings, and the text that holds now."""
    gettext = translations(language).gettext
    said = [release | {"at": moment(parse_instant(release["at"]), zone, language)} for release in row["said"]]
    files = list[Row]()
    for release in said:
        files = _files(release) if release.get("attachments") else files
        release["files"] = files
    texts = [release for release in said if release["text"] is not None]
    withdrawal = next((release for release in said if release["kind"] == "withdrawal"), None)
    correction = texts[-1] if len(texts) > 1 else None
    marked = MARKS.get("withdrawal" if withdrawal else "correction" if correction else "")
    return row | {
        "said": said,
        "kind_title": titled(row["kind"], language) if row["kind"] else "",
        "form_title": form_titled(row["form"], language) if row["form"] else "",
        "heading": gettext(marked) % {"title": row["title"]} if marked else row["title"],
        "published": moment(parse_instant(row["published_at"]), zone, language),
        "updated": moment(parse_instant(row["updated_at"]), zone, language),
        "act": gettext(ACTS[said[-1]["kind"]]),
        "changed": parse_instant(row["updated_at"]),
        "next": moment(parse_instant(row["next_at"]), zone, language) if _is_promised(row, withdrawal) else None,
        "correction": correction,
        "withdrawal": withdrawal,
        "files": files,
        "earlier": texts[-2::-1],
        "updates": _neighbour(row["updates"], zone, language),
        "updated_by": _neighbour(row["updated_by"], zone, language),
        "retold": _neighbour(row["retold"], zone, language),
    }


def _files(release: Row) -> list[Row]:
    """The files of a release, each with its size as people read it."""
    return [one | {"read_size": _size(one["size"])} for one in told(release["attachments"])]


def _size(bytes_: int) -> str:
    return f"{bytes_ / 1_000_000:.1f} MB" if bytes_ >= 1_000_000 else f"{max(1, round(bytes_ / 1_000))} KB"


def _is_promised(row: Row, withdrawal: Row | None) -> bool:
    """Whether a next statement is promised and has not come yet."""
    return bool(row["next_at"]) and row["updated_by"] is None and withdrawal is None


def _neighbour(row: Row | None, zone: tzinfo, language: Language) -> Item | None:
    if row is None:
        return None
    published = moment(parse_instant(row["published_at"]), zone, language)
    return {"id": row["id"], "title": row["title"], "published": published}


def tags(item: Item) -> list[str]:
    """`status` or `facts`, the form, and `corrected` or `withdrawn` if that applies."""
    marks = [item["kind"], item["form"]]
    if item["corrections"]:
        marks.append("corrected")
    if item["withdrawal"]:
        marks.append("withdrawn")
    return marks
