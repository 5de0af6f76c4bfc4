"""Copies of a text that are easier to compare: one for patterns, one for keyed matching."""

import re
import string
import unicodedata
from functools import lru_cache

UNSEEN = "\u200b"
"""Stands in a plain copy for each invisible character."""

# Most characters are their own plain form, so only the others are looked up.
_OTHER = re.compile(r"[^a-z0-9 \n\u4e00-\u9fff、。,:“”《》-]")
_FREQUENT = (("，", ","), ("：", ":"))
_LOOKALIKES = {"×": "x", "х": "x", "Х": "x", "➕": "+"}
_CHINESE = "零〇○一壹幺二贰三叁四肆五伍六陆七柒八捌九玖"
_TO_ARABIC = str.maketrans(_CHINESE, "0001112233445566778899")
_SPELLED = re.compile(rf"[0-9{_CHINESE}](?:[ -]?[0-9{_CHINESE}]){{6,}}")
_MAY_BE_SPELLED = re.compile(rf"[{_CHINESE}][0-9{_CHINESE}]")
_ARABIC = re.compile("[0-9]+")
_ASCII_MARKS = frozenset(string.punctuation)


def plain(text: str) -> str:
    """The text for patterns, with one character for each of the original.

    Letters are small. Digits, letters, dashes and spaces of any script or width have their ASCII form.
    """
    for char, ascii_char in _FREQUENT:
        text = text.replace(char, ascii_char)
    return _OTHER.sub(_plain_of, text)


def in_digits(copy: str) -> str:
    """A plain copy with Chinese digits in their ASCII form, if seven or more stand in a row."""
    return _SPELLED.sub(_arabic, copy) if _MAY_BE_SPELLED.search(copy) else copy


def normalise(text: str) -> str:
    """The same string for the same subject, whatever its case, width, white space or punctuation.

    For keyed matching.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(char for char in folded if char not in _ASCII_MARKS and unicodedata.category(char)[0] not in "ZPC")
    # A removed character may have stood between a letter and its accent.
    return unicodedata.normalize("NFKC", kept)


def _arabic(run: re.Match[str]) -> str:
    """The 一 of 周一 before a whole number is not the first digit of that number."""
    digits = run[0]
    alone = max(map(len, _ARABIC.findall(digits)), default=0)
    if alone >= 11 or (alone >= 7 and sum(char in _CHINESE for char in digits) < 3):
        return digits
    return digits.translate(_TO_ARABIC)


def _plain_of(match: re.Match[str]) -> str:
    return _plain(match[0])


@lru_cache(16_384)
def _plain(char: str) -> str:
    """One character in its ASCII form, if it has one. The result is never longer, so that places stay the same."""
    if char in _LOOKALIKES:
        return _LOOKALIKES[char]
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "Pd" or char == "\N{MINUS SIGN}":
        return "-"
    if category == "Cf":
        return UNSEEN
    if category == "No":
        return char  # the ① before a number is not its first digit
    form = unicodedata.normalize("NFKC", char).lower()
    return form if len(form) == 1 else char
