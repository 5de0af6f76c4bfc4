"""Binds a text to the facts of its matter: `{{fact:lamps}}` is read as the fact's value with its measure. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import NamedTuple

from schemas.fields import parse_instant
from schemas.lists import FactKey
from services.publish.writing.figures import SHARE

_MARKER = re.compile(r"\{\{\s*fact\s*:\s*([a-z0-9][a-z0-9_.-]*)\s*\}\}")
_BRACES = re.compile(r"\{\{[^{}\n]{0,60}\}?\}?|\}\}")


@dataclass(frozen=True, slots=True)
class Established:
    """A value that a fact of a matter had from a version of the incident on. One of the last six holds it."""

    key: str
    incident: str
    version: int
    kind: str
    number: Decimal | None = None
    at: str | None = None
    code: str | None = None
    yes: bool | None = None
    words: str | None = None
    """The words of a text; None as long as they have not arrived, or if they were erased."""


class Marker(NamedTuple):
    """A marker of a text. `at` is its first character, counted from 1; without `key` it is malformed."""

    at: int
    text: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is established of a matter, and how it is written."""

    zone: tzinfo
    """The zone of the times in its texts."""
    now: datetime
    listed: Mapping[str, FactKey] = field(default_factory=dict)
    """The facts of the deployment's list and of the pack."""
    established: tuple[Established, ...] = ()
    """The values that hold now, of merged matters too; the one that counts for a key comes last."""

    def of(self, key: str) -> Established | None:
        """What is established under a key."""
        return next((one for one in reversed(self.established) if one.key == key), None)

    def title(self, key: str) -> str:
        """The title of a fact; its key if no list has it."""
        return self.listed[key].title if key in self.listed else key

    def measure(self, key: str) -> str | None:
        """The measure of a fact."""
        return self.listed[key].measure if key in self.listed else None

    @property
    def measures(self) -> frozenset[str]:
        """The measures of all listed facts."""
        return frozenset(one.measure for one in self.listed.values() if one.measure)

    def said(self, one: Established) -> str | None:
        """The value as a text says it: `12盏`, `95%`, `3月2日18时`, 是, the title of a code. None without words."""
        match one.kind:
            case "number":
                number, measure = format(one.number or Decimal(0), "f"), self.measure(one.key)
                number = number.rstrip("0").rstrip(".") if "." in number else number
                return f"{number}%" if measure == SHARE else f"{number}{measure or ''}"
            case "time":
                return self._time(one.at) if one.at else None
            case "yes_no":
                return "是" if one.yes else "否"
            case "code":
                codes = self.listed[one.key].codes if one.key in self.listed else ()
                return next((code.title for code in codes if code.code == one.code), one.code)
            case _:
                return one.words

    def _time(self, at: str) -> str:
        here, now = parse_instant(at).astimezone(self.zone), self.now.astimezone(self.zone)
        year = "" if here.year == now.year else f"{here.year}年"
        return f"{year}{here.month}月{here.day}日{here.hour}时" + (f"{here.minute}分" if here.minute else "")

    def resolved(self, text: str) -> str:
        """The text with values in place of its markers. Those that cannot be bound stay."""

        def value(found: re.Match[str]) -> str:
            one = self.of(found[1])
            return (one and self.said(one)) or found[0]

        return _MARKER.sub(value, text)


def markers(text: str) -> list[Marker]:
    """The markers of a text in order, malformed ones too."""
    found = [Marker(one.start() + 1, one[0], one[1]) for one in _MARKER.finditer(text)]
    rest = _MARKER.sub(lambda one: " " * len(one[0]), text)
    return sorted([*found, *(Marker(one.start() + 1, one[0], None) for one in _BRACES.finditer(rest))])


def bound(*texts: str | None) -> tuple[str, ...]:
    """The keys that texts bind, each once, in order."""
    return tuple(dict.fromkeys(one.key for text in texts for one in markers(text or "") if one.key))


def without_markers(text: str) -> str:
    """The text with a sign in place of each character of a marker, so that all places stay."""
    return _BRACES.sub(_signs, _MARKER.sub(_signs, text))


def _signs(found: re.Match[str]) -> str:
    return "□" * len(found[0])


class Waived(NamedTuple):
    """Figures that need no fact, with the reason."""

    figures: tuple[str, ...]
    reason: str


def written(waivers: Iterable[Waived]) -> str:
    """Waivers as words: a line each, the figures and the reason with tabs between them."""
    return "\n".join("\t".join((*one.figures, " ".join(one.reason.split()))) for one in waivers)


def read(words: str | None) -> tuple[Waived, ...]:
    """Waivers from their words."""
    parts = [line.split("\t") for line in (words or "").split("\n") if "\t" in line]
    return tuple(Waived(tuple(figures), reason) for *figures, reason in parts)
