"""The readable index of an archive, as HTML and as text, in Chinese. It leads to the files of words. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from html import escape
from itertools import pairwise
from typing import NamedTuple

from services.audit.archive.parts import OTHER, TITLES

HOUR = timedelta(hours=1)
MEDIA = {"image": "图片", "audio": "声音", "video": "影像", "text": "文字", "application": "文件"}


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
            rows += [f"  {_time(line.at, index)}  {line.said}", *(f"      {name}：{path}" for name, path in line.links)]
        rows += [""]
    rows += [
        "【记录的空白】",
        *(f"  {_time(one.start, index)} 至 {_time(one.end, index)} 没有记录" for one in _holes(index)),
        "",
    ]
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
            rows += [f"<li><time>{_time(line.at, index)}</time> {escape(line.said)} {links}</li>"]
        rows += ["</ol>"]
    rows += ["<h2>记录的空白</h2>", "<ul>"]
    rows += [f"<li>{_time(one.start, index)} 至 {_time(one.end, index)} 没有记录</li>" for one in _holes(index)]
    rows += ["</ul>", "<h2>不在本包内的文件</h2>", "<ul>"]
    rows += [f"<li>{escape(one)}</li>" for one in index.away or ("无",)] + ["</ul>", f"<p>{escape(_HOW)}</p>"]
    return (_HEAD + "\n".join(rows) + "\n</body>\n</html>\n").encode()


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
    return f"卷内目录 {index.number}"


def _facts(index: Index) -> list[tuple[str, str]]:
    times = [line.at for line in index.lines]
    return [
        ("编号", index.number),
        ("责任单位", index.unit),
        ("起止", f"{_time(min(times), index)} 至 {_time(max(times), index)}" if times else "无"),
        ("事件", f"{len(index.lines)} 条"),
    ]


def _parts(index: Index) -> Iterator[tuple[str, list[Line]]]:
    for part in (*(one for one in TITLES if one != OTHER), *(one for one in index.missing if one not in TITLES), OTHER):
        lines = [line for line in index.lines if line.part == part]
        if lines or part in index.missing:
            yield part, lines


def _holes(index: Index) -> list[Hole]:
    return list(holes(line.at for line in index.lines))


def _time(at: datetime, index: Index) -> str:
    return at.astimezone(index.zone).strftime("%Y-%m-%d %H:%M")
