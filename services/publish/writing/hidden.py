"""Characters that a reader does not see. Pure."""

import unicodedata

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that are no white space and yet show nothing."""


def is_hidden(character: str) -> bool:
    """Whether a character shows nothing and is no white space: zero width, direction, selectors, fillers, controls."""
    if character.isspace():
        return False
    kind = unicodedata.category(character)
    return kind in ("Cf", "Cc", "Cs") or character in _BLANK or _is_selector(character)


def _is_selector(character: str) -> bool:
    code = ord(character)
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F
