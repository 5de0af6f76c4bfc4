"""The codes of receipts, as senders of reports write them."""

import re
import unicodedata

FORM = re.compile(r"[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{8}")
"""80 bits in base 32, so nobody finds a code by trying."""


def receipt_read(typed: str) -> str:
    """The code that somebody meant: small or wide letters, other hyphens or none, and 0 and 1, which no code has."""
    letters = [one for one in unicodedata.normalize("NFKC", typed).upper() if one.isalnum()]
    code = "".join(letters).translate({ord("0"): "O", ord("1"): "I"})
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"
