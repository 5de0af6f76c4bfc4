"""The two languages of the console. What stands in templates and code is Chinese; `locale/en` has the English.

Codes of the API have their titles in `schemas.titles`, and those of packs and units in the services' answers.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from schemas.fields import parse_instant
from schemas.problems import TYPES
from schemas.titles import TITLES, Language, form_titled
from services.kernel import languages

N_, is_chinese = languages.N_, languages.is_chinese
CATALOGUE = languages.Catalogue(Path(__file__).parent, "console")
translations = CATALOGUE.translations


def title(code: str | None, language: Language) -> str:
    """The title of a fixed code of the API, as it stands alone on a page; the code itself if it has none."""
    if not code:
        return ""
    found = TITLES[code][language == "en"] if code in TITLES else code
    return found[:1].upper() + found[1:]


def problem_title(code: str, language: Language) -> str:
    """What a refusal of the APIs is called."""
    known = TYPES.get(code)
    return known.title_zh if known and language == "zh" else code.replace("-", " ").capitalize()


def form_title(code: str, language: Language) -> str:
    """The title of a form of statements, as it stands alone on a page."""
    found = form_titled(code, language)
    return found[:1].upper() + found[1:]


def moment(written: str | None, zone: ZoneInfo, now: datetime, language: Language) -> str:
    """An instant in the unit's zone: month, day and time, with the year only where it is another one."""
    if not written:
        return ""
    at = parse_instant(written).astimezone(zone)
    is_near = at.year == now.astimezone(zone).year
    if language == "zh":
        return at.strftime("%m-%d %H:%M" if is_near else "%Y-%m-%d %H:%M")
    return at.strftime("%-d %b %H:%M" if is_near else "%-d %b %Y %H:%M")


def full_moment(written: str | None, zone: ZoneInfo, language: Language) -> str:
    """An instant in the unit's zone, in full."""
    if not written:
        return ""
    at = parse_instant(written).astimezone(zone)
    return at.strftime("%Y年%-m月%-d日 %H:%M" if language == "zh" else "%-d %B %Y, %H:%M")


def day(written: str, zone: ZoneInfo, language: Language) -> str:
    """The day of an instant in the unit's zone."""
    at = parse_instant(written).astimezone(zone)
    return at.strftime("%Y年%-m月%-d日" if language == "zh" else "%-d %B %Y")


UNITS: Mapping[Language, tuple[str, str, str]] = {"zh": ("天", "小时", "分"), "en": ("d", "h", "min")}
"""Days, hours and minutes in a length of time."""


def span(seconds: float, language: Language) -> str:
    """A length of time in two parts: 2 小时 14 分."""
    left = timedelta(seconds=abs(int(seconds)))
    days, hours, minutes = left.days, left.seconds // 3600, left.seconds // 60 % 60
    said = UNITS[language]
    figures = [(days, said[0]), (hours, said[1]), (minutes, said[2])]
    first = next((at for at, (count, _) in enumerate(figures) if count), 2)
    chosen = [pair for pair in figures[first : first + 2] if pair[0] or pair is figures[first]]
    return " ".join(f"{count} {word}" for count, word in chosen)


_LENGTH = re.compile(r"P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def length(written: str) -> float | None:
    """The seconds of an ISO 8601 duration; None for any other text."""
    found = _LENGTH.fullmatch(written)
    if found is None:
        return None
    sizes = (604_800, 86_400, 3_600, 60, 1)
    return float(sum(int(count or 0) * size for count, size in zip(found.groups(), sizes, strict=True)))


def typed_day(text: str) -> date | None:
    """A day as a field for days sends it, `2026-11-23`; None for what is none, or too near the end of the calendar."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1970 <= found.year < 9000 else None


AHEAD = timedelta(days=365 / 2 - 30)
"""Around the instant so far ahead, a day without its year is looked for that lies ahead."""
_SEPARATORS = str.maketrans({"T": " ", "/": "-", ".": "-", "年": "-", "月": "-", "日": " "})
_FULL_WIDTH = {0x3000: " ", **{sign: chr(sign - 0xFEE0) for sign in range(0xFF01, 0xFF5F)}}


def plain(typed: str) -> str:
    """The text with half-width digits and signs in place of full-width ones, and without invisible characters."""
    return "".join(sign for sign in typed.translate(_FULL_WIDTH) if unicodedata.category(sign) != "Cf")


def typed_end(text: str, zone: ZoneInfo, now: datetime) -> str | None:
    """As `typed_moment`, for a time by which something is to be done. A day alone is meant with all its hours.

    A day without its year lies ahead, or at most a month behind, where an act is entered late.
    """
    ahead = now + AHEAD
    return typed_moment(text, zone, now, near=ahead) or typed_moment(f"{text} 24:00", zone, now, near=ahead)


def typed_moment(text: str, zone: ZoneInfo, now: datetime, *, near: datetime | None = None) -> str | None:
    """The instant of what a person typed, as the API takes it; None if it is no time.

    `21:07`, `11-25 21:07`, `2026-11-25 21:07` and `2026-11-25T21:07` are understood, in the unit's zone, with the signs
    of a Chinese input method, and as pages show it: `2026年11月25日 21:07`, and `24:00` for the end of a day. A day
    without its year is the one nearest to `near`, or to now: on the first of January, `12-31` was yesterday.
    """
    written = " ".join(plain(text).translate(_SEPARATORS).split())
    ends = timedelta(days=1 if written.endswith("24:00") else 0)
    written = written.removesuffix("24:00") + "00:00" if ends else written
    here = now.astimezone(zone)
    years = [f"{here.year + shift}-" for shift in (0, -1, 1)]
    for days in ([""], years, [f"{here:%Y-%m-%d} "]):
        found = []
        for day in days:
            try:
                at = datetime.strptime(day + written, "%Y-%m-%d %H:%M") + ends  # noqa: DTZ007, the zone follows
                found.append(at.replace(tzinfo=zone).astimezone(UTC))
            except (ValueError, OverflowError):
                continue
        if found:
            return min(found, key=lambda at: abs(at - (near or now))).isoformat()
    return None
