"""Telephones that offices give to the public (`policies/telephones.yaml`). They stay readable in every text."""

from services.kernel.masking.rule import Kind, digits

TELEPHONES = frozenset((Kind.MOBILE, Kind.LANDLINE, Kind.FOREIGN_PHONE))

Listed = frozenset[str]
"""The digits of each number, with and without the area code."""

_EXTENSION = 5


def is_listed(written: str, listed: Listed) -> bool:
    """Whether a number in a text is on the list, also if an extension follows it."""
    number = digits(written).removeprefix("00")
    if number.startswith("86") and len(number) > 9:
        number = number[2:] if number[2] in "01" else f"0{number[2:]}"
    return number in listed or any(
        number[:size] in listed for size in (11, 12) if size < len(number) <= size + _EXTENSION
    )
