"""The one gate for text: a text that a store or a topic cannot hold is refused before it becomes an event.

JSON, queries, paths, forms and headers all pass here. PostgreSQL takes no null character. Bytes that are not UTF-8
would be stored as something that nobody wrote.

Other control characters pass. Word processors put some into what people paste, and a report must not be lost for one.
They are kept as written; what prints words as XML puts U+FFFD in their place.
"""

from typing import Any

from services.kernel.core.problems import Malformed


def check_text(text: str, field: str) -> None:
    """Raises `Malformed` if a text holds a null character."""
    if "\x00" in text:
        raise Malformed(f"{field} holds a null character; send text without it", code="null-character", field=field)


def decoded(raw: bytes, field: str) -> str:
    """The text of these bytes. Raises `Malformed` if they are not UTF-8 or hold a null character."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Malformed(
            f"{field} is not written in UTF-8: byte {error.start} is wrong; send UTF-8",
            code="not-utf-8",
            field=field,
            at=error.start,
        ) from None
    check_text(text, field)
    return text


def check_value(value: Any, place: str) -> None:
    """Raises `Malformed` if any text in a JSON value holds a null character."""
    if isinstance(value, str):
        check_text(value, place)
    elif isinstance(value, dict):
        for name, inner in value.items():
            check_text(name, place)
            check_value(inner, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            check_value(inner, f"{place}.{index}")
