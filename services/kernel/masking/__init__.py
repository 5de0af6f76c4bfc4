"""Masks personal numbers, handles and the names of people who name themselves, before anything is stored.

Each module holds one family of rules, in the order in which they are tried:

| module | what it finds |
| --- | --- |
| `pages` | profile pages, and who posted what in addresses of posts |
| `mail` | e-mail addresses |
| `accounts` | WeChat, QQ, other platforms; `@name` comes last of all |
| `papers` | identity cards, passports, permits |
| `banks` | bank cards and accounts |
| `phones` | mobile, fixed and foreign numbers |
| `plates` | number plates |
| `names` | names behind "我叫", "姓名：" and the like |

Three things carry the properties:

- Patterns see a plain copy of the text, one character for each of the original (`plain`). Found places are replaced in
the original, so the rest keeps its form.
- Masked text becomes a wall in the copy. No rule matches across a wall. Rules are tried until none finds anything; a
marker in a text is a wall too. A second call meets the same walls and finds nothing, so masking is idempotent.
- Every pattern is bounded in length, or begins only where a run of characters begins and takes it whole (possessively):
the work grows with the text, whatever somebody sends. Most texts are done after one look for each family (`need`).

No machine finds everything: names without a label, and numbers that are written in a way that nobody foresaw, stay.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from services.kernel.masking.accounts import AT, NICKNAMES, PLATFORMS, QQ, WECHAT
from services.kernel.masking.banks import BANKS, is_card, luhn
from services.kernel.masking.listed import TELEPHONES, Listed, is_listed
from services.kernel.masking.mail import MAIL
from services.kernel.masking.names import NAMES
from services.kernel.masking.pages import PAGES
from services.kernel.masking.papers import PAPERS, identity_check, names_birth
from services.kernel.masking.phones import PHONES
from services.kernel.masking.plain import in_digits, normalise, plain
from services.kernel.masking.plates import PLATES
from services.kernel.masking.rule import NUMBER, WALL, Family, Kind, Span

__all__ = [
    "MARKERS",
    "Found",
    "Kind",
    "Listed",
    "Masked",
    "find",
    "identity_check",
    "is_card",
    "is_post_number",
    "luhn",
    "mask",
    "normalise",
]

MARKERS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.MOBILE: "[手机号]",
        Kind.LANDLINE: "[电话]",
        Kind.FOREIGN_PHONE: "[境外电话]",
        Kind.IDENTITY_CARD: "[身份证号]",
        Kind.DOCUMENT: "[证件号]",
        Kind.BANK_CARD: "[银行卡号]",
        Kind.EMAIL: "[电子邮箱]",
        Kind.PLATE: "[车牌号]",
        Kind.ACCOUNT: "[账号]",
        Kind.PROFILE: "[个人主页]",
        Kind.NAME: "[姓名]",
    }
)

NUMBERS = Family(NUMBER, (*PAPERS, *BANKS, *PHONES))
FAMILIES = (PAGES, MAIL, WECHAT, QQ, PLATFORMS, NICKNAMES, NUMBERS, PLATES, NAMES, AT)

Found = tuple[int, int, Kind]
"""Where something begins and ends, and its kind."""

_MARKER = re.compile("|".join(re.escape(marker) for marker in MARKERS.values()))
_NOTHING: Mapping[str, int] = MappingProxyType({})
_SHORT = re.compile(r"(?:[0-9][ ._/-]?){0,9}")
"""A number of at most nine digits and nothing else, such as the number of a message. No rule finds so short a number
without a word or a letter beside it.
"""


@dataclass(frozen=True, slots=True)
class Masked:
    """The text as it may be stored, and the number of masked places of each kind."""

    text: str
    counts: Mapping[str, int]


def mask(text: str, listed: Listed = frozenset()) -> Masked:
    """Replaces everything that `find` finds by markers. The rest stays as written."""
    found = find(text, listed)
    if not found:
        return Masked(text, _NOTHING)
    parts: list[str] = []
    position = 0
    for begin, end, kind in found:
        parts += text[position:begin], MARKERS[kind]
        position = end
    parts.append(text[position:])
    return Masked("".join(parts), MappingProxyType(dict(Counter(kind.value for _, _, kind in found))))


def find(text: str, listed: Listed = frozenset()) -> list[Found]:
    """The places that would be masked in a text, in order, without overlaps.

    Telephones of offices that are `listed` stay.
    """
    if _SHORT.fullmatch(text):
        return []
    bare = plain(text)
    if "[" in bare:
        bare = _MARKER.sub(lambda marker: WALL * len(marker[0]), bare)
    found: list[Found] = []
    while True:
        known, copy = len(found), in_digits(bare)
        for family in FAMILIES:
            if not family.need.search(copy):
                continue
            for rule in family.rules:
                places = _apart(rule.spans(copy))
                if places and listed and rule.kind in TELEPHONES:
                    places = [place for place in places if not is_listed(copy[slice(*place)], listed)]
                if places:
                    copy = _walled(copy, places)
                    found += [(*place, rule.kind) for place in places]
        if len(found) == known:
            return sorted(found)
        bare = _walled(bare, [(begin, end) for begin, end, _ in sorted(found[known:])])


def is_post_number(text: str) -> bool:
    """Whether an identifier is a number of the kind that platforms give to posts.

    A number with a birthday in it is an identity card's. One that begins as bank cards do and passes their check is a
    card's.
    """
    number = len(text) in range(16, 20) and text.isascii() and text.isdigit()
    return number and not is_card(text) and not (len(text) == 18 and names_birth(text, text[6:14]))


def _apart(spans: Iterable[Span]) -> list[Span]:
    """The same places without overlaps: of two that overlap, the second now begins where the first ends."""
    apart: list[Span] = []
    position = 0
    for begin, end in spans:
        if end > position:
            apart.append((max(begin, position), end))
            position = end
    return apart


def _walled(copy: str, places: Sequence[Span]) -> str:
    parts: list[str] = []
    position = 0
    for begin, end in places:
        parts += copy[position:begin], WALL * (end - begin)
        position = end
    parts.append(copy[position:])
    return "".join(parts)
