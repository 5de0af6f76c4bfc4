"""The readable index of an archive, as HTML and as text, in Chinese. It leads to the files of words. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from html import escape
from itertools import pairwise
from typing import NamedTuple

from services.audit.archive.parts import OTHER, TITLES
from services.audit.archive.retention import Kept

HOUR = timedelta(hours=1)


class Line(NamedTuple):
    """An event in the index."""

    at: datetime
    said: str
    part: str
    links: tuple[tuple[str, str], ...]
    """Title and path of words and files."""


class Hole(NamedTuple):
    """Whole hours of which the record has nothing."""

    start: datetime
    end: datetime


class Index(NamedTuple):
    """What the index says."""

    number: str
    unit: str
    lines: Sequence[Line]
    missing: Mapping[str, str]
    """Part -> why the file lacks it."""
    away: Sequence[str]
    """Files that the record names and the archive does not hold."""
    zone: tzinfo
    reviews: Sequence[str] = ()
    """The files of the review, as paths beside the index."""
    drill: bool = False
    """Whether the matter is an exercise."""
    first_day: str = ""
    """The page of the first 24 hours of a sudden event, as a path beside the index."""

    kept: Kept | None = None
    """Until when it is kept, and by which pack."""

    @property
    def title(self) -> str:
        """The number of the matter, and whether it is an exercise."""
        return f"{self.number}{'（演练）' if self.drill else ''}"


def holes(times: Iterable[datetime]) -> Iterator[Hole]:
    """The stretches of one hour or more between two records, from the first to the last."""
    known = sorted(times)
    for before, after in pairwise(known):
        if after - before >= HOUR:
            yield Hole(before, after)


def text(index: Index) -> bytes:
    """The index as text."""
    rows = (
        [f"{title}", "", *(f"{name}：{value}" for name, value in _facts(index)), ""] if (title := _title(index)) else []
    )
    for part, lines in _parts(index):
        rows += [f"【{TITLES.get(part, part)}】"]
        if part in index.missing:
            rows += [f"  缺：{index.missing[part]}"]
        for line in lines:
            rows += [f"  {time(line.at, index)}  {line.said}", *(f"      {name}：{path}" for name, path in line.links)]
        rows += [""]
    rows += [
        "【记录的空白】",
        *(f"  {time(one.start, index)} 至 {time(one.end, index)} 没有记录" for one in _holes(index)),
        "",
    ]
    if index.first_day:
        rows += ["【前 24 小时记录】", f"  {index.first_day}", ""]
    rows += ["【总结报告】", *(f"  {one}" for one in index.reviews or ("无",)), ""]
    rows += ["【不在本包内的文件】", *(f"  {one}" for one in index.away or ("无",)), ""]
    return "\n".join([*rows, _HOW, ""]).encode()


def html(index: Index) -> bytes:
    """The index as a page that loads nothing and runs nothing."""
    rows = [f"<h1>{escape(_title(index))}</h1>", "<dl>"]
    rows += [f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in _facts(index)] + ["</dl>"]
    for part, lines in _parts(index):
        rows += [f"<h2>{escape(TITLES.get(part, part))}</h2>"]
        if part in index.missing:
            rows += [f"<p><strong>缺：</strong>{escape(index.missing[part])}</p>"]
        rows += ["<ol>"]
        for line in lines:
            links = " ".join(f'<a href="{escape(path)}">{escape(name)}</a>' for name, path in line.links)
            rows += [f"<li><time>{time(line.at, index)}</time> {escape(line.said)} {links}</li>"]
        rows += ["</ol>"]
    rows += ["<h2>记录的空白</h2>", "<ul>"]
    rows += [f"<li>{time(one.start, index)} 至 {time(one.end, index)} 没有记录</li>" for one in _holes(index)]
    rows += ["</ul>"]
    if index.first_day:
        link = f'<a href="{escape(index.first_day)}">{escape(index.first_day)}</a>'
        rows += ["<h2>前 24 小时记录</h2>", f"<p>{link}</p>"]
    rows += ["<h2>总结报告</h2>", "<ul>"]
    rows += [f'<li><a href="{escape(one)}">{escape(one)}</a></li>' for one in index.reviews] or ["<li>无</li>"]
    rows += ["</ul>", "<h2>不在本包内的文件</h2>", "<ul>"]
    rows += [f"<li>{escape(one)}</li>" for one in index.away or ("无",)] + ["</ul>", f"<p>{escape(_HOW)}</p>"]
    return page("卷内目录", rows)


def page(title: str, rows: Iterable[str]) -> bytes:
    """A page with these lines of HTML that loads nothing and runs nothing."""
    return (_HEAD.replace("卷内目录", title) + "\n".join(rows) + "\n</body>\n</html>\n").encode()


class Outside(NamedTuple):
    """What the index of a masked record says."""

    number: str
    unit: str
    lines: Sequence[Line]
    """In the order of the log. Links are not shown."""
    texts: Mapping[int, tuple[str, str]]
    """Number of a line, from 0 -> title and text of the statement that it published."""
    log_size: int
    sha256: str
    """The digest of the record beside it, in hex."""
    zone: tzinfo
    drill: bool = False


def outside(told: Outside) -> bytes:
    """The index of a masked record, as a page that loads nothing and runs nothing."""
    title = f"办理记录 {told.number}{'（演练）' if told.drill else ''}"
    facts = (("编号", told.number), ("责任单位", told.unit), ("事件", f"{len(told.lines)} 条"))
    rows = [f"<h1>{escape(title)}</h1>", "<dl>"]
    rows += [f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts] + ["</dl>", "<ol>"]
    for number, line in enumerate(told.lines):
        published = told.texts.get(number)
        quoted = (
            f"<blockquote><p><strong>{escape(published[0])}</strong></p><p>{escape(published[1])}</p></blockquote>"
            if published
            else ""
        )
        at = line.at.astimezone(told.zone).strftime("%Y-%m-%d %H:%M")
        rows += [f"<li><time>{at}</time> {escape(line.said)}{quoted}</li>"]
    how = (
        f"这一页供阅读，可核验的是同一文件夹里的 record.ndjson：总账的前 {told.log_size} 条，SHA-256 {told.sha256}。"
        "用 huiying verify matter record.ndjson 和记录日志的公钥核验。"
        "已公布的说明照公布的原文列出；其他人写的文字不在其中，反映只显示有这一条。"
    )
    rows += ["</ol>", f"<p>{escape(how)}</p>"]
    head = _HEAD.replace("卷内目录", "办理记录")
    return (head + "\n".join(rows) + "\n</body>\n</html>\n").encode()


_HOW = (
    "record.ndjson 是全部事件及其证明；words 里每个文件第一行是盐，其后是原文。"
    "用 huiying verify archive 和记录日志的公钥核验。"
    "依法删除的文字和文件不再随包提供，删除本身有据可查，其余内容的证明仍然有效。"
)
_HEAD = """<!doctype html>
<html lang="zh-Hans">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>卷内目录</title>
<style>body { max-width: 50rem; margin: 1.5rem auto; padding: 0 1rem; font: 1rem/1.7 system-ui, sans-serif; }</style>
</head>
<body>
"""


def _title(index: Index) -> str:
    return f"卷内目录 {index.title}"


def _facts(index: Index) -> list[tuple[str, str]]:
    times = [line.at for line in index.lines]
    return [
        ("编号", index.number),
        ("责任单位", index.unit),
        ("起止", f"{time(min(times), index)} 至 {time(max(times), index)}" if times else "无"),
        ("事件", f"{len(index.lines)} 条"),
        ("保存期限", _kept(index.kept)),
    ]


def _kept(kept: Kept | None) -> str:
    if kept is None:
        return "规则包没有规定"
    until = f"至 {kept.until}" if kept.until else "永久"
    return f"{until}（依据 {kept.by.partition('#')[0]}；到期不自动删除）"


def _parts(index: Index) -> Iterator[tuple[str, list[Line]]]:
    for part in (*(one for one in TITLES if one != OTHER), *(one for one in index.missing if one not in TITLES), OTHER):
        lines = [line for line in index.lines if line.part == part]
        if lines or part in index.missing:
            yield part, lines


def _holes(index: Index) -> list[Hole]:
    return list(holes(line.at for line in index.lines))


def time(at: datetime, index: Index) -> str:
    """An instant to read, in the zone of the index."""
    return at.astimezone(index.zone).strftime("%Y-%m-%d %H:%M")
