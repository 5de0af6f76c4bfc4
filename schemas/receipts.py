"""The codes of receipts: how ingest makes them, and how senders of reports write them."""

import base64
import re
import unicodedata

FORM = re.compile(r"[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}")
"""60 bits in base 32: at a thousand tries a second, one of a million codes is found in decades."""


def receipt_of(digest: str) -> str:
    """The code that the first 60 bits of a digest (hex) make."""
    return receipt_read(base64.b32encode(bytes.fromhex(digest[:20])).decode()[:12])


def receipt_read(typed: str) -> str:
    """The code that somebody meant: small or wide letters, other hyphens or none, and 0 and 1, which no code has."""
    letters = [one for one in unicodedata.normalize("NFKC", typed).upper() if one.isalnum()]
    code = "".join(letters).translate({ord("0"): "O", ord("1"): "I"})
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"
