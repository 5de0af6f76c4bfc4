"""Lines of documents in words."""

import pytest

from services.kernel.rules.clauses import lines


@pytest.mark.parametrize(
    ("clause", "zh", "en"),
    [
        ("L18 三(三)", "原文第18行 三(三)", "line 18 of the text 三(三)"),
        ("L210-211 三", "原文第210-211行 三", "lines 210-211 of the text 三"),
        ("L18-L20", "原文第18-20行", "lines 18-20 of the text"),
        ("第三章", "第三章", "第三章"),
    ],
)
def test_a_line_and_a_range_of_lines_are_said_in_both_languages(clause: str, zh: str, en: str) -> None:
    assert (lines(clause, "zh"), lines(clause, "en")) == (zh, en)
