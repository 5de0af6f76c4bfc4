"""The difference between two texts by lines: what is shown, and that no text takes hours."""

import time

import pytest

from services.console.packs import lines
from services.console.packs.lines import Line, changes


def shown(before: str, after: str) -> list[list[str]]:
    return [[f"{line.sign}{line.text}" for line in group] for group in changes(before, after)]


def test_a_text_of_equal_lines_is_compared_at_once() -> None:
    begun = time.monotonic()
    (group,) = changes("\n" * 100_000 + "x", "y\n" + "\n" * 100_000)
    assert time.monotonic() - begun < 20
    assert {line.sign for line in group} == {"+", "-"}


@pytest.mark.parametrize("most", [lines.MOST, 0])
def test_a_change_stands_between_the_lines_around_it_though_it_is_not_looked_into(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MOST", most)
    assert shown("a\nb\nc\nd\ne\nf", "a\nb\nc\nd\nx\nf") == [[" b", " c", " d", "-e", "+x", " f"]]
    assert shown("a\na", "a\na") == [] == shown("", "")
    assert shown("a\na", "a\na\na") == [[" a", " a", "+a"]] and shown("a", "") == [["-a"]]
    assert changes("", "a\nb") == [[Line("+", None, 1, "a"), Line("+", None, 2, "b")]]
