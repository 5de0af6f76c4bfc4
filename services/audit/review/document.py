"""A report as it is printed: blocks of text, tables and charts, in one language. Pure.

HTML, DOCX and PDF are made of this, so they say the same.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple

from schemas.titles import Language

BlockKind = Literal["heading", "paragraph", "item"]


class Block(NamedTuple):
    """A piece of text."""

    kind: BlockKind
    text: str


class Table(NamedTuple):
    """A table. Every row has as many cells as the head. `wide` is the column that takes the room that is left."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wide: int = 1


class Chart(NamedTuple):
    """A chart, and what it shows, for whoever does not see it."""

    title: str
    description: str
    svg: str


class Part(NamedTuple):
    """A part of what the record shows. Without rows, `nothing` says so."""

    title: str
    chart: Chart | None = None
    table: Table | None = None
    more: tuple[Chart, ...] = ()
    blocks: tuple[Block, ...] = ()
    nothing: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A report. `text` is in `text_language`, which differs from `language` where the office wrote one only."""

    language: Language
    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    text_title: str
    text: tuple[Block, ...]
    text_language: Language
    parts_title: str
    parts: tuple[Part, ...]
    basis: tuple[tuple[str, str], ...]
    note: str = ""


_LACKING = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, so neither DOCX nor a chart."""


def in_xml(report: Document) -> Document:
    """The report with U+FFFD for each character that XML 1.0 lacks. Words on record keep what was written."""
    return replace(report, **{one.name: _in_xml(getattr(report, one.name)) for one in fields(report)})


def _in_xml(value: Any) -> Any:
    if isinstance(value, str):
        return _LACKING.sub("\ufffd", value)
    if not isinstance(value, tuple):
        return value
    inner = [_in_xml(one) for one in value]
    return type(value)(*inner) if hasattr(value, "_fields") else tuple(inner)


def blocks(text: str) -> tuple[Block, ...]:
    """The blocks of a typed text: `# ` begins a heading, `- ` an entry; lines together are a paragraph."""
    return tuple(_blocks(text))


def _blocks(text: str) -> Iterator[Block]:
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        bare = line.strip()
        marked = bare.startswith(("# ", "## ", "- "))
        if lines and (marked or not bare):
            yield Block("paragraph", "\n".join(lines))
            lines = []
        if bare.startswith(("# ", "## ")):
            yield Block("heading", bare.lstrip("#").strip())
        elif bare.startswith("- "):
            yield Block("item", bare[2:].strip())
        elif bare:
            lines.append(bare)


def written(parts: list[Block]) -> str:
    """The text of blocks, as `blocks` reads it."""
    marks = {"heading": "# ", "item": "- ", "paragraph": ""}
    lines = list[str]()
    for index, one in enumerate(parts):
        together = index > 0 and one.kind == "item" and parts[index - 1].kind == "item"
        lines += [] if index == 0 or together else [""]
        lines.append(marks[one.kind] + one.text)
    return "\n".join(lines) + "\n"
