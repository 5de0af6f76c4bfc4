"""Telephones that offices give to the public stay readable in every text (`policies/telephones.yaml`)."""

from services.kernel.masking.rule import Kind, digits

TELEPHONES = frozenset((Kind.MOBILE, Kind.LANDLINE, Kind.FOREIGN_PHONE))

Listed = frozenset[str]
"""The digits of each number, with the area code and without."""

_EXTENSION = 5


def is_listed(written: str, listed: Listed) -> bool:
    """Whether a number, as it stands in a text, is one of the list, also with an extension behind it."""
    number = digits(written).removeprefix("00")
    if number.startswith("86") and len(number) > 9:
        number = number[2:] if number[2] in "01" else f"0{number[2:]}"
    return number in listed or any(
        number[:size] in listed for size in (11, 12) if size < len(number) <= size + _EXTENSION
    )
