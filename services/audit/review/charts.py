"""Charts as SVG, from numbers and times alone. Pure; text is escaped, and each has a title and a description.

No mark is told by its colour alone: each has its own shape or word. Sizes are in pixels.
"""

import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from html import escape
from typing import NamedTuple, TypeVar

WIDTH = 640
FONTS = "Noto Sans CJK SC, Source Han Sans SC, PingFang SC, Microsoft YaHei, WenQuanYi Zen Hei, sans-serif"
"""A chart stands in pages, on paper and alone, so it names its fonts. Without, Chinese gets Japanese forms."""
INK, GREY, PALE, LATE = "#1f2933", "#7b8794", "#d5dbe1", "#9c2b1b"


class Moment(NamedTuple):
    """A moment on the line of time: when, and what."""

    at: str
    text: str
    late: bool = False


class Span(NamedTuple):
    """A limit: since when it ran, when it was due, when the act was recorded, and how it ended in a word."""

    name: str
    since: datetime
    due: datetime
    done: datetime | None
    word: str
    late: bool


class Series(NamedTuple):
    """A count over time, in order."""

    name: str
    points: tuple[tuple[datetime, int], ...]


POINTS = 120
"""A line has at most so many points. More cannot be told apart."""
T = TypeVar("T")


def thinned(found: Sequence[T]) -> Sequence[T]:
    """The first, the last, and evenly spaced ones between them: at most `POINTS`."""
    if len(found) <= POINTS:
        return found
    return [found[at * (len(found) - 1) // (POINTS - 1)] for at in range(POINTS)]


def width(text: str) -> int:
    """How many half-width places a text takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def cut(text: str, places: int) -> str:
    """A text that takes no more than so many half-width places."""
    if width(text) <= places:
        return text
    kept, used = "", 1
    for letter in text:
        used += width(letter)
        if used > places:
            break
        kept += letter
    return kept + "…"


def moments(title: str, description: str, found: Sequence[Moment]) -> str:
    """What happened, from top to bottom. A late one is a square, any other a circle."""
    parts = [_line(150, 14, 150, 28 * len(found) + 2, GREY)] if found else []
    for index, one in enumerate(found):
        y = 20 + 28 * index
        mark = f'<circle cx="150" cy="{y}" r="5" fill="{INK}"/>'
        if one.late:
            mark = f'<rect x="144" y="{y - 6}" width="12" height="12" fill="{LATE}"/>'
        parts += [mark, _text(138, y + 4, one.at, "end", GREY), _text(166, y + 4, cut(one.text, 68))]
    return _svg(title, description, 28 * len(found) + 16, parts)


def spans(title: str, description: str, found: Sequence[Span], ends: Sequence[str]) -> str:
    """Limits as bars: the time that was given, and what went beyond it, hatched. `ends` name the scale's two ends."""
    if not found:
        return _svg(title, description, 20, [])
    first = min(one.since for one in found)
    last = max(max(one.due, one.done or one.due) for one in found)
    whole = max(last - first, timedelta(minutes=1))

    def place(at: datetime) -> float:
        return 190 + 330 * ((at - first) / whole)

    # Several charts stand on one page, and each needs a name of its own for its hatching.
    late = f"late-{zlib.crc32(title.encode()):08x}"
    parts = [_HATCH.format(late)]
    for index, one in enumerate(found):
        y = 10 + 26 * index
        begin, due = place(one.since), place(one.due)
        done = place(one.done) if one.done else None
        parts.append(_text(182, y + 13, cut(one.name, 28), "end"))
        parts.append(_bar(begin, y + 3, due - begin, 13, PALE))
        if done is not None:
            parts.append(_bar(begin, y + 6, min(done, due) - begin, 7, INK))
        if one.late:
            parts.append(_bar(due, y + 3, (done if done is not None else place(last)) - due, 13, f"url(#{late})"))
        parts.append(_line(due, y, due, y + 19, INK))
        parts.append(_text(530, y + 13, cut(one.word, 18), "start", LATE if one.late else INK))
    bottom = 10 + 26 * len(found)
    parts += [_line(190, bottom, 520, bottom, GREY)]
    parts += [_text(190, bottom + 16, ends[0], "start", GREY), _text(520, bottom + 16, ends[1], "end", GREY)]
    return _svg(title, description, bottom + 26, parts)


def days(title: str, description: str, counts: Sequence[tuple[date, int]]) -> str:
    """Counts of days as bars, with the number over each that is not zero. Days without one stay empty."""
    if not counts:
        return _svg(title, description, 20, [])
    most, step = max(count for _, count in counts) or 1, 580 / len(counts)
    parts = [_line(30, 150, 610, 150, GREY)]
    every = max(1, round(len(counts) / 8))
    for index, (day, count) in enumerate(counts):
        x, high = 30 + step * index, 110 * count / most
        if count:
            parts.append(_bar(x + step * 0.15, 150 - high, min(step * 0.7, 60), high, INK))
            if len(counts) <= 31:
                parts.append(_text(x + step * 0.15 + min(step * 0.35, 30), 145 - high, str(count), "middle"))
        if index % every == 0:
            parts.append(_text(x + step * 0.15, 166, f"{day:%m-%d}", "start", GREY))
    return _svg(title, description, 176, parts)


def steps(title: str, description: str, found: Sequence[Series], ends: Sequence[str]) -> str:
    """Totals over time as lines of different dashes, each with its name and last number at the right."""
    points = [point for one in found for point in one.points]
    if not points:
        return _svg(title, description, 20, [])
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    whole, most = max(last - first, timedelta(minutes=1)), max(count for _, count in points) or 1
    parts = [_line(30, 150, 440, 150, GREY)]
    labels = list[tuple[float, str]]()
    for one, dash in zip(found, ("", "6 3", "2 3", "8 3 2 3"), strict=False):
        placed = [(30 + 410 * ((at - first) / whole), 150 - 120 * count / most) for at, count in thinned(one.points)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{INK}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{INK}"/>' for x, y in placed]
        labels.append((placed[-1][1], f"{one.name} {one.points[-1][1]}"))
    at = 0.0
    for y, text in sorted(labels):
        at = max(at + 16, y + 4)
        parts.append(_text(450, at, cut(text, 26)))
    parts += [_text(30, 166, ends[0], "start", GREY), _text(440, 166, ends[1], "end", GREY)]
    return _svg(title, description, max(176, int(at) + 10), parts)


_HATCH = (
    '<defs><pattern id="{}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="6" height="6" fill="#f6ddd8"/><line x1="0" y1="0" x2="0" y2="6" stroke="{LATE}" stroke-width="3"/>'
    "</pattern></defs>"
)


def _svg(title: str, description: str, height: int, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" font-family="{FONTS}"><title>{escape(title)}</title><desc>{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", fill: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}" fill="{fill}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, stroke: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" stroke-width="1"/>'


def _bar(x: float, y: float, long: float, high: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(long, 1):.1f}" height="{high:.1f}" fill="{fill}"/>'
