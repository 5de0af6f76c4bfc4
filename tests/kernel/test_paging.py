"""Cursors are opaque and come back unchanged. Other texts are refused."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.core.problems import Malformed
from services.kernel.serving.paging import cursor_of, page, place_of

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)


@given(TEXTS, st.integers(0, 2**63 - 1))
def test_a_cursor_comes_back_as_it_was_given(text: str, number: int) -> None:
    assert place_of(cursor_of(text, number), str, int) == (text, number)


def encoded(*value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode()


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "?", "é", "e30", encoded("a"), encoded(1, "a"), encoded("a", True), encoded("a", -1), encoded("a", 2**63),
     encoded("a\x00", 1), encoded("a", 1, 1), encoded("a", None)],
)  # fmt: skip
def test_what_no_list_gave_is_refused(cursor: str) -> None:
    with pytest.raises(Malformed) as refused:
        place_of(cursor, str, int)
    assert refused.value.body()["field"] == "cursor"


@given(st.sets(st.integers(0, 99)), st.integers(1, 9))
def test_pages_give_every_row_once(numbers: set[int], limit: int) -> None:
    seen, after = list[int](), -1
    further: str | None = ""
    while further is not None:
        found = sorted(number for number in numbers if number > after)[: limit + 1]
        part, further = page(found, limit, lambda number: (number,))
        seen += part
        (after,) = place_of(further, int) if further else (after,)
    assert seen == sorted(numbers)
