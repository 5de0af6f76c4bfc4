"""The difference between two texts: nothing is lost, a small change is small, and no text takes long."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.core.difference import Piece, difference, figures

TEXTS = st.text("人民路水管。，\nab", max_size=60)


@given(TEXTS, TEXTS)
def test_without_what_was_inserted_it_is_the_old_text_without_what_was_deleted_the_new(old: str, new: str) -> None:
    pieces = difference(old, new)
    assert "".join(one.text for one in pieces if one.kind != "insert") == old
    assert "".join(one.text for one in pieces if one.kind != "delete") == new
    assert all(one.text for one in pieces)
    assert all(a.kind != b.kind for a, b in pairwise(pieces))


def test_one_character_in_a_long_text_is_one_change() -> None:
    """With `autojunk` a text of more than 200 characters would be replaced as a whole."""
    old = "人民路水管爆裂，正在抢修，预计今晚八时恢复供水。" * 12
    new = old[:100] + "明" + old[101:]
    assert figures(difference(old, new)) == (1, 1)


def test_the_pieces_of_a_change_stand_in_order() -> None:
    assert difference("今日12时恢复。请绕行。", "今日17时恢复。请绕行。") == [
        Piece("equal", "今日"), Piece("delete", "12"), Piece("insert", "17"), Piece("equal", "时恢复。请绕行。"),
    ]  # fmt: skip
    assert difference("", "新") == [Piece("insert", "新")] and difference("旧", "") == [Piece("delete", "旧")]
    assert difference("同", "同") == [Piece("equal", "同")] and difference("", "") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("。" * 100_000, "。" * 99_999),
        ("字" * 100_000, "字" * 99_999),
        ("a。b" * 33_000, "b。a" * 33_000),
        ("字字末" * 300 + "甲", "末字" * 450 + "乙"),
        ("甲" + "字" * 990 + "甲", "乙" + "字" * 980 + "乙"),
        ("字字末。" * 25_000 + "甲", "末字。" * 33_000 + "乙"),
    ],
)
def test_no_text_takes_long(old: str, new: str) -> None:
    began = time.perf_counter()
    difference(old, new)
    assert time.perf_counter() - began < 2
