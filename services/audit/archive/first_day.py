"""The first 24 hours of a sudden event, for its archive: by which rule it is one, its record and its page. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from schemas import triage, upcast
from schemas.envelope import Event
from schemas.fields import parse_instant
from schemas.ingest import ReportReceived
from schemas.pack import PolicyPack
from schemas.titles import titled
from services.audit.archive import index
from services.audit.archive.building import Row
from services.audit.archive.index import Index
from services.audit.summaries import Names, summary
from services.kernel.core.units import LoadedPack
from services.kernel.sealed import archive, first_day
from services.kernel.sealed.first_day import HOUR, HOURS, PAGE, PATH, Told, Window

FLAG = "sudden"
"""The flag by which packs call a matter a sudden event."""
_LEVELS = upcast.types_of(triage.IncidentGraded, triage.IncidentRegraded, triage.IncidentPolicyMoved)
_MOVED = upcast.types_of(triage.IncidentPolicyMoved)
_FLAGGED = upcast.types_of(triage.IncidentFlagSet)
_OPENED = upcast.types_of(triage.IncidentOpened)
_RECEIVED = upcast.types_of(ReportReceived)
_KINDS = {"text": "文字", "picture": "图像", "sound": "声音", "film": "影像", "file": "文件"}
_WHY = {
    "erased": "已经删除",
    "not_here": "不在督查能读的文件夹里",
    "altered": "与记录的摘要不符",
}
_EMPTY = {"nothing_recorded": "没有记录", "ended": "事项当时已经办结，没有应办的"}


class Evidence(NamedTuple):
    """What is known of words and files when the archive is made."""

    listed: frozenset[str]
    """The paths of those that the archive holds."""
    altered: frozenset[str]
    """The tokens of files that are here in other bytes than the record names."""
    erasures: Sequence[Event]
    """The erasures of words and files of the matter."""


class Entry(NamedTuple):
    """An event of the day, what it names, and what of that lacks."""

    row: Row
    named: Sequence[first_day.Evidence]
    lacks: Mapping[str, Mapping[str, Any]]
    """Path -> why."""


class Hour(NamedTuple):
    """An hour of the day."""

    number: int
    entries: Sequence[Entry]


def sudden(own: Sequence[Event], packs: Mapping[str, LoadedPack]) -> dict[str, str] | None:
    """By which rule a matter with these events is a sudden event; None if it is none.

    It is one if it was one at any time, by the pack of that time: by the pack's flag `sudden`; in a pack without this
    flag, at the highest level; in a pack without flags and levels that tell matters apart, always.
    """
    for event in own:
        data = event.attributes["data"]
        ref = str(data.get("policy")) if event.type in _MOVED else event.policy or ""
        if ref in packs and (told := _rule(event, data, packs[ref].model)):
            return {"pack": packs[ref].name, **told}
    return None


def _rule(event: Event, data: Mapping[str, Any], pack: PolicyPack) -> dict[str, str] | None:
    if any(flag.code == FLAG for flag in pack.flags):
        return {"flag": FLAG} if event.type in _FLAGGED and data.get("flag") == FLAG else None
    if pack.levels:
        highest = pack.levels[-1].code
        return {"level": highest} if event.type in _LEVELS and data.get("level") == highest else None
    return {"matters": "all"}


def window(rows: Sequence[Row], own: Sequence[Event], gone: frozenset[str], by: Mapping[str, str]) -> Window:
    """The hours since the matter was discovered, by the reports that did not leave it; without any, by its opening."""
    events = [row.event for row in rows]
    received = [one for one in events if one.type in _RECEIVED and one.stream not in gone]
    told = received or [one for one in own if one.type in _OPENED]
    since = min(str(one.attributes["data"]["discovered_at"]) for one in told)
    return Window(since, first_day.ended(own), by)


def hours(within: Window, rows: Sequence[Row], evidence: Evidence) -> list[Hour]:
    """The 24 hours with their events, in order of time."""
    found: dict[int, list[Entry]] = {number: [] for number in range(1, HOURS + 1)}
    for row in sorted(rows, key=lambda row: (row.event.time_text, row.position)):
        if within.holds(row.event):
            named = first_day.evidence(row.event, archive.WORDS, archive.FILES)
            lacks = {one.path: _why(one.path, evidence) for one in named if one.path not in evidence.listed}
            found[within.hour(row.event.time_text)].append(Entry(row, named, lacks))
    return [Hour(number, entries) for number, entries in found.items()]


def _why(path: str, evidence: Evidence) -> dict[str, Any]:
    name = path.rpartition("/")[2].removesuffix(".txt")
    for event in evidence.erasures:
        if name in archive.erased_by(event):
            data = event.attributes["data"]
            reason = f"{archive.WORDS}{data['reason']['ref']}.txt" if data.get("reason") else None
            held = reason if reason in evidence.listed else None
            return {"why": "erased", "erasure": event.id, "cause": data.get("cause"), "reason": held}
    return {"why": "altered" if name in evidence.altered else "not_here"}


def _counted(within: Window, day: Sequence[Hour]) -> Told:
    entries = [entry for hour in day for entry in hour.entries]
    empty = sum(not hour.entries and within.empty(hour.number) == "nothing_recorded" for hour in day)
    return Told(within.since, len(entries), empty, sum(len(entry.lacks) for entry in entries))


def ndjson(within: Window, day: Sequence[Hour]) -> bytes:
    """The record of the hours for machines, as `huiying verify archive` checks it."""
    written = [within.line]
    for hour in day:
        if not hour.entries:
            written.append(first_day.empty_line(hour.number, within.empty(hour.number)))
        for entry in hour.entries:
            written.append(first_day.event_line(hour.number, entry.row.position, entry.row.event, list(entry.named)))
            written += [first_day.lacking_line(hour.number, path, why) for path, why in entry.lacks.items()]
    return b"".join([*written, first_day.end_line(_counted(within, day))])


def page(within: Window, day: Sequence[Hour], told: Index, names: Names, packs: Mapping[str, LoadedPack]) -> bytes:
    """The same to read, in Chinese. It holds no typed word."""
    counted = _counted(within, day)
    kinds = [one.kind for hour in day for entry in hour.entries for one in entry.named if one.path not in entry.lacks]
    texts, pictures, sounds = (
        sum(kind in of for kind in kinds) for of in (("text",), ("picture", "film"), ("sound", "film"))
    )
    facts = [
        ("发现", index.time(parse_instant(within.since), told)),
        ("至", index.time(parse_instant(within.until), told)),
        ("依据", _by(within.by, packs)),
        ("记录", f"{counted.events} 条"),
        *((name, f"{count} 件" if count else "无") for name, count in
          (("文字", texts), ("图像", pictures), ("声音", sounds))),
        ("没有记录的小时", f"{counted.empty} 个"),
        ("不在本包内的证据", f"{counted.lacking} 件"),
    ]  # fmt: skip
    rows = [f"<h1>前 24 小时记录 {escape(told.title)}</h1>", "<dl>"]
    rows += [f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts] + ["</dl>"]
    for hour in day:
        begins = parse_instant(within.since) + (hour.number - 1) * HOUR
        rows += [f"<h2>第 {hour.number} 小时 {index.time(begins, told)} 至 {index.time(begins + HOUR, told)}</h2>"]
        if hour.entries:
            rows += ["<ol>", *(f"<li>{_entry(entry, told, names)}</li>" for entry in hour.entries), "</ol>"]
        else:
            rows += [f"<p><strong>{_EMPTY[within.empty(hour.number)]}</strong></p>"]
    return index.page("前 24 小时记录", rows)


def _entry(entry: Entry, told: Index, names: Names) -> str:
    event = entry.row.event
    late = f"（登记于 {index.time(event.recorded, told)}）" if event.recorded - event.time >= HOUR else ""
    said = f"<time>{index.time(event.time, told)}</time> {escape(summary(event, names) + late)}"
    return " ".join([said, *_links(entry)])


def _links(entry: Entry) -> Iterator[str]:
    for one in entry.named:
        name = f"{_KINDS[one.kind]} {one.path.rpartition('/')[2].removesuffix('.txt')[-12:]}"
        if one.path not in entry.lacks:
            yield _link(one.path, name)
            continue
        why = entry.lacks[one.path]
        cause = f"（{titled(str(why['cause']), 'zh')}）" if why.get("cause") else ""
        yield f"<strong>缺：{escape(name)}，{_WHY[why['why']]}{escape(cause)}</strong>"
        if why.get("reason"):
            yield _link(why["reason"], "删除的理由")


def _link(path: str, name: str) -> str:
    return f'<a href="{escape(place(path))}">{escape(name)}</a>'


def _by(by: Mapping[str, str], packs: Mapping[str, LoadedPack]) -> str:
    pack = next(pack.model for pack in packs.values() if pack.name == by["pack"])
    if "flag" in by:
        titles = [f"标记“{flag.title_zh}”" for flag in pack.flags if flag.code == by["flag"]]
    elif "level" in by:
        titles = [f"最高等级“{pack.level(by['level']).title_zh}”"]
    else:
        titles = ["规则包不区分事项，每件都记"]
    return f"{pack.title}（{by['pack']}）：{titles[0]}"


def place(path: str) -> str:
    """A path of the archive as it stands in pages beside the index."""
    return path.removeprefix("data/")


def files(
    rows: Sequence[Row],
    within: Window,
    evidence: Evidence,
    told: Index,
    names: Names,
    packs: Mapping[str, LoadedPack],
) -> dict[str, bytes]:
    """Path -> content of the part."""
    day = hours(within, rows, evidence)
    return {PATH: ndjson(within, day), PAGE: page(within, day, told, names, packs)}
