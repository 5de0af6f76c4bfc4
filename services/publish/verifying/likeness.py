"""Texts in the forms in which they are compared and found. Pure.

Two forms: `compared` keeps everything that can change what a text says; `found_by` forgets more, so that a forged text
still finds the statement that it imitates.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from services.publish.delivering.public import CORRECTED, WHY
from services.publish.writing.hidden import is_hidden

RUN = 5
"""Characters of a run by which texts are found."""
KEPT, ROWS = 16, 12
"""So many runs of a text are kept, and so many rows of three figures: texts of one pattern differ in these."""
LOOKED_AT = 20_000
"""So many characters of a text, from its beginning, say what it is like. All of it is compared."""
ASKED = 48
"""So many runs of a pasted text are asked for, and half as many rows of figures."""
FULL = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""Full-width forms of ASCII -> ASCII. Other digits, such as circled ones, stay as they are."""
_FIGURE, _WORDS = re.compile(r"\d+"), re.compile(r"\S+")
_ALIKE = str.maketrans(
    "АВЕКМНОРСТУХЅІЈаеорсухѕіјԁһӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορυχ",
    "ABEKMHOPCTYXSIJaeopcyxsijdhlABEZHIKMNOPTYXaiknopux",
)
"""Cyrillic and Greek letters -> the Latin ones that look like them. Only for finding."""
_NUMERALS = str.maketrans("〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖两", "001234567891234567892")
"""Chinese numerals -> digits. Only for finding."""


class Hidden(NamedTuple):
    """A character of a text that nobody sees."""

    at: int
    """Its place in the text, from 0."""
    code: str
    """`U+200B`."""
    name: str
    """Its name in Unicode, such as `ZERO WIDTH SPACE`."""


def hidden_in(text: str) -> list[Hidden]:
    """The characters of a text that nobody sees, in order."""
    return [
        Hidden(at, f"U+{ord(one):04X}", unicodedata.name(one, "CONTROL"))
        for at, one in enumerate(text)
        if not one.isascii() or not one.isprintable()
        if is_hidden(one)
    ]


def visible(text: str) -> str:
    """The text with a mark in the place of each hidden character, and of each that sticks to another: `[U+200B]`."""
    return "".join(f"[U+{ord(one):04X}]" if is_hidden(one) or unicodedata.combining(one) else one for one in text)


def compared(text: str) -> str:
    """The text without what changes nothing: white space, line ends, full-width forms of ASCII.

    White space between two Latin letters or digits keeps them apart, as one space: `1 20` is not `120`. Every other
    character counts: look-alike letters, other digits, hidden characters.
    """
    return with_places(text)[0]


def with_places(text: str) -> tuple[str, list[int]]:
    """The text as it is compared, and the place of each of its characters in the text; last, where the text ends."""
    joined, places, end = list[str](), list[int](), 0
    for found in _WORDS.finditer(text.translate(FULL)):
        word = found[0]
        if joined and _is_latin(joined[-1][-1]) and _is_latin(word[0]):
            joined.append(" ")
            places.append(end)
        joined.append(word)
        places.extend(range(found.start(), found.end()))
        end = found.end()
    return "".join(joined), [*places, len(text)]


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def loose(text: str) -> str:
    """The text as it is looked for: letters and digits alone, each in its plainest form."""
    plain = unicodedata.normalize("NFKC", text[:LOOKED_AT].translate(FULL))[: 2 * LOOKED_AT]
    plain = plain.translate(_ALIKE).translate(_NUMERALS)
    return "".join(one for one in plain.casefold() if one.isalnum())


def _number(text: str) -> int:
    """A text as a number of 63 bits, which both databases hold."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1


def whole(text: str) -> int:
    """The number of a whole text, as it is compared."""
    return _number("=" + compared(text))


def _runs(told: str) -> Iterator[str]:
    return iter({told[at : at + RUN] for at in range(max(1, len(told) - RUN + 1))})


def _rows(told: str) -> set[str]:
    figures = _FIGURE.findall(told)
    return {" ".join(figures[at : at + 3]) for at in range(max(1, len(figures) - 2))} if len(figures) > 1 else set()


def _lowest(runs: Iterable[str], most: int) -> list[int]:
    """The lowest numbers of some runs.

    They are the same ones for texts that share most runs, and those of a part are among those of the whole.
    """
    return sorted(map(_number, runs))[:most]


def found_by(text: str, kept: int = KEPT, rows: int = ROWS) -> list[int]:
    """The numbers by which a text is found: of the whole, of some of its runs, and of some rows of its figures."""
    told = loose(text)
    return list(dict.fromkeys((whole(text), *_lowest(_runs(told), kept), *_lowest(_rows(told), rows))))


def asked_by(text: str) -> list[int]:
    """The numbers to look for a pasted text.

    Its first line may be the title, so the rest counts as a whole, too. So do the parts of what offices post elsewhere:
    a correction before its reason, and the title and the reason of a withdrawal.
    """
    told = text.strip()
    said = told.rpartition(CORRECTED)[0]
    title, why, reason = told.partition(WHY)
    parts = [_rest(told), said, _rest(said), *((title, why + reason) if why else ())]
    wholes = [whole(part) for part in parts if part.strip()]
    return list(dict.fromkeys((*wholes, *found_by(text, ASKED, ASKED // 2))))


def _rest(text: str) -> str:
    return text.partition("\n")[2]
