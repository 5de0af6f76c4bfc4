"""Refused rows of a file of reports as tables that can be corrected and sent with the same mapping. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.kernel.serving import sheets

Rows = Sequence[tuple[Mapping[str, Any], str]]
"""Refused rows as the answer tells them, each with its reason in words."""


def tables(
    began: Mapping[str, Any], rows: Rows, notes: tuple[str, str], most: float = math.inf
) -> Iterator[tuple[int, str]]:
    """CSV texts of at most `most` bytes of UTF-8, each with the number of its rows. A row that fits none is left out.

    The titles stand in the row, and the delimiter between cells, that the mapping of `began` reads. The last two
    columns are no column of a mapping; `notes` are their titles: the line of the row in the file, and its reason.
    """
    is_json = began["form"] == "ndjson"  # its objects lack columns; an empty cell would hide the next one of a list
    columns = [one for one in began["columns"] if not is_json or any(one in row["row"] for row, _ in rows)]
    delimiter = began["delimiter"]
    head = sheets.BOM + "\r\n" * (began["header"] - 1) + sheets.line([*columns, *notes], delimiter)
    room, held, size = most - len(head.encode()), list[str](), 0
    for row, why in rows:
        line = sheets.line([*(row["row"].get(column) for column in columns), row["line"], why], delimiter)
        length = len(line.encode())
        if length > room:
            continue
        if size + length > room:
            yield len(held), head + "".join(held)
            held, size = [], 0
        held.append(line)
        size += length
    if held or not rows:
        yield len(held), head + "".join(held)
