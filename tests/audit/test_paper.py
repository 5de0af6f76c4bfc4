"""What a review looks like on paper: nothing leaves the page, and what no font has is said."""

import io
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import docx
import pytest
from pypdfium2 import PdfDocument

from services.audit.review import printing
from services.audit.review.course import Limit
from services.audit.review.document import Chart, Document, Part, Table, blocks
from services.audit.review.telling import BARS, Teller

pytestmark = pytest.mark.requirement("AUD-04")
LONG = "https://example.gov.cn/news/" + "a1B2c3D4e5" * 30
SINCE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def report(*parts: Part, text: str = "照实", title: str = "总结") -> Document:
    return Document("zh", title, "", (("编号", title),), "正文", blocks(text), "zh", "记录", parts, (("规模", "12"),))


def shown(raw: bytes) -> str:
    """The text of a PDF. No character stands beyond its page."""
    paper, said = PdfDocument(raw), ""
    try:
        for page in paper:
            (width, height), text = page.get_size(), page.get_textpage()
            for at in range(text.count_chars()):
                left, bottom, right, top = text.get_charbox(at)
                inside = left >= 0 and bottom >= 0 and right <= width and top <= height
                assert inside, (text.get_text_range(at, 1), left, bottom, right, top)
            # In charts, each character is placed by itself.
            said += text.get_text_range().replace("\r\n", "")
    finally:
        paper.close()
    return said


def test_a_long_word_stays_on_the_paper() -> None:
    table = Table(("时间", "事项"), ((LONG, LONG),))
    text = f"# {LONG}\n\n起因见 {LONG}\n\n- {LONG}\n"
    chart = Chart(LONG, LONG, '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"></svg>')
    shown(printing.pdf(report(Part(LONG, chart=chart, table=table, nothing=LONG), text=text, title=LONG)))


def test_what_no_font_has_is_said() -> None:
    assert "空框" not in shown(printing.pdf(report()))
    said = shown(printing.pdf(report(text="地名：\ue123村、\uf8ff村")))
    assert "本机的字体没有这些字，印出来是空框：U+E123 U+F8FF" in said
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="30"><text y="20">\ue123</text></svg>'
    made = docx.Document(io.BytesIO(printing.docx(report(Part("图", chart=Chart("图", "图", svg))))))
    assert "印出来是空框：U+E123" in made.paragraphs[-1].text


def test_many_limits_stand_in_charts_that_have_room_on_a_page() -> None:
    count = 2 * BARS + 1
    offices = SimpleNamespace(ever={}, zone=UTC)
    teller = Teller(
        cast(Any, SimpleNamespace(unit="town-east")), cast(Any, SimpleNamespace(language="zh", offices=offices))
    )
    hour = timedelta(hours=1)
    limits = [
        Limit(f"L{at:03}", cast(Any, None), SINCE + at * hour, SINCE + (at + 4) * hour, None, "missed")
        for at in range(count)
    ]
    charts = list(teller._limits_charts(limits, [(one.clock, "", "", "", "逾期未完成") for one in limits]))
    assert [one.title for one in charts] == ["时限 1/3", "时限 2/3", "时限 3/3"]
    said = shown(printing.pdf(report(Part("时限", chart=charts[0], more=tuple(charts[1:])))))
    assert [at for at in range(count) if f"L{at:03}" not in said] == []
    (alone,) = teller._limits_charts(limits[:2], [("L000", "", "", "", "逾期未完成")] * 2)
    assert alone.title == "时限"
