"""A report as a page of HTML, as PDF and as DOCX. Nothing is fetched from anywhere.

The PDF is the page, set on paper by WeasyPrint, with the glyphs in it. It needs Pango and a font with Chinese, which
`deploy/install.sh` and the image bring along. The DOCX has the charts as pictures.
"""

import functools
import io
import logging
import re
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from docx import Document as Docx
from docx.document import Document as DocxDocument
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from schemas.titles import Language
from services.audit.review.document import Block, Chart, Document, Part, in_xml
from services.kernel.core.problems import Unavailable

FOLDER = Path(__file__).parent / "templates"
LANG = {"zh": "zh-Hans", "en": "en"}
PACKAGES = "fontconfig libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-cjk"
"""The packages of Debian that printing needs."""
FONT = "Noto Sans CJK SC"
OPENED, CLOSED = Markup("<ul>"), Markup("</ul>")
TAGS = {"heading": Markup("<h3>{}</h3>"), "item": Markup("<li>{}</li>"), "paragraph": Markup("<p>{}</p>")}


def html(report: Document) -> str:
    """The page."""
    report = in_xml(report)
    made = _environment().get_template("report.html")
    style = Markup((FOLDER / "report.css").read_text("utf-8"))  # noqa: S704, it is a file of ours
    return made.render(
        report=report,
        lang=LANG[report.language],
        text_lang=LANG[report.text_language],
        style=style,
        blocks=_blocks,
        lines=_lines,
        pictures=pictures,
    )


@functools.cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True)


def pictures(part: Part) -> list[Chart]:
    """The charts of a part."""
    return [one for one in (part.chart, *part.more) if one]


def _lines(text: str) -> Markup:
    return Markup("<br>").join(escape(line) for line in text.split("\n"))


def _blocks(blocks: tuple[Block, ...]) -> Markup:
    told, listed = list[Markup](), False
    for one in blocks:
        if (one.kind == "item") != listed:
            listed = not listed
            told.append(OPENED if listed else CLOSED)
        told.append(TAGS[one.kind].format(_lines(one.text)))
    return Markup("\n").join([*told, *([CLOSED] if listed else [])])


# PDF


def pdf(report: Document) -> bytes:
    """The page on paper. Raises `Unavailable` where a library or a font is missing."""
    lacking: set[str] = set()
    made = _paper(html(report), lacking, pdf_variant="pdf/ua-1")
    if not lacking:
        return made
    told = replace(report, basis=(*report.basis, _told(lacking, report.language)))
    return _paper(html(told), set(), pdf_variant="pdf/ua-1")


def _paper(page: str, lacking: set[str], **more: Any) -> bytes:
    """A page as PDF. Adds to `lacking` the code points that no font has; they are printed as empty boxes."""
    _must_have_font()
    try:
        # It loads Pango at once, which a machine may lack; so nothing else waits for it.
        from weasyprint import HTML
    except OSError as error:
        raise _not_installed() from error
    heard, log = _Lacking(lacking), logging.getLogger("weasyprint")
    log.addHandler(heard)
    try:
        made: bytes = HTML(string=page, url_fetcher=_nothing).write_pdf(**more)
    finally:
        log.removeHandler(heard)
    return made


class _Lacking(logging.Handler):
    """Hears which code points no font has, as WeasyPrint says in its log. Other threads may print at the same time."""

    def __init__(self, found: set[str]) -> None:
        super().__init__(logging.WARNING)
        self._found, self._thread = found, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a line of the log in."""
        said = record.getMessage()
        if record.thread == self._thread and ".notdef" in said:
            self._found.update(_POINT.findall(said.rpartition('"')[2]))


def _told(lacking: set[str], language: Language) -> tuple[str, str]:
    """The line of the basis that says which characters are empty boxes."""
    points = " ".join(sorted(lacking))
    if language == "zh":
        return "缺字", f"本机的字体没有这些字，印出来是空框：{points}"
    return "Without a glyph", f"no font of this machine has these characters; they are empty boxes: {points}"


def _nothing(url: str, *_: object, **__: object) -> dict[str, Any]:
    raise ValueError(f"a report loads nothing, not even {url[:60]}")


def _must_have_font() -> None:
    """Raises `Unavailable` without a font that has Chinese: empty boxes would look like a report."""
    if not _has_chinese():
        raise _not_installed()


def _has_chinese() -> bool:
    if _found:
        return True
    try:
        said = subprocess.run(["fc-list", ":lang=zh-cn", "family"], capture_output=True, timeout=30, check=False).stdout  # noqa: S607
    except OSError:
        return False
    if said.strip():
        _found.append(True)
    return bool(_found)


_found: list[bool] = []
_POINT = re.compile(r"U\+[0-9A-F]{4,6}")


def _not_installed() -> Unavailable:
    return Unavailable(
        f"this machine cannot print: a font with Chinese or Pango is missing. Install {PACKAGES}; meanwhile the report "
        "is there as HTML",
        3600,
        code="printing-not-installed",
    )


# DOCX


def docx(report: Document) -> bytes:
    """The same as a document for a word processor. Raises `Unavailable` where charts cannot be drawn."""
    report = in_xml(report)
    made = Docx()
    _set(made, report)
    made.add_heading(report.title, 0)
    made.add_paragraph(report.subtitle)
    for name, value in report.facts:
        made.add_paragraph(f"{name}{':' if report.language == 'en' else '：'}{value}")
    made.add_heading(report.text_title, 1)
    if report.note:
        made.add_paragraph(report.note)
    for one in report.text:
        if one.kind == "heading":
            made.add_heading(one.text, 2)
        else:
            made.add_paragraph(one.text, style="List Bullet" if one.kind == "item" else None)
    made.add_heading(report.parts_title, 1)
    lacking: set[str] = set()
    for part in report.parts:
        _add(made, part, lacking)
    for name, value in (*report.basis, *([_told(lacking, report.language)] if lacking else [])):
        run = made.add_paragraph().add_run(f"{name}{':' if report.language == 'en' else '：'}{value}")
        run.font.size = Pt(8)
    to = io.BytesIO()
    made.save(to)
    return to.getvalue()


def _set(made: DocxDocument, report: Document) -> None:
    """The paper, the font for Chinese, the language, and what stands in the document's properties."""
    section = made.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2)
    section.top_margin = section.bottom_margin = Cm(2.2)
    for name in ("Normal", "Title", "Heading 1", "Heading 2", "List Bullet"):
        style = made.styles[name]
        style.font.name = FONT
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for kind in ("w:eastAsia", "w:ascii", "w:hAnsi"):
            fonts.set(qn(kind), FONT)
        for kind in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
            fonts.attrib.pop(qn(kind), None)
    made.styles["Normal"].font.size = Pt(11)
    lang = OxmlElement("w:lang")
    lang.set(qn("w:val"), "en-GB")
    lang.set(qn("w:eastAsia"), "zh-CN")
    made.styles["Normal"].element.get_or_add_rPr().append(lang)
    told = made.core_properties
    told.title, told.author, told.comments, told.language = report.title, "", "", LANG[report.language]


def _add(made: DocxDocument, part: Part, lacking: set[str]) -> None:
    made.add_heading(part.title, 2)
    if part.nothing:
        made.add_paragraph(part.nothing)
    for chart in pictures(part):
        picture = made.add_picture(io.BytesIO(png(chart.svg, lacking)), width=Cm(16.5))
        said = picture._inline.docPr  # noqa: SLF001, there is no other way to a text for whoever does not see it
        said.set("title", chart.title)
        said.set("descr", chart.description or chart.title)
    if part.table is None:
        return
    table = made.add_table(rows=1, cols=len(part.table.head), style="Table Grid")
    for row in (part.table.head, *part.table.rows):
        cells = table.rows[0].cells if row is part.table.head else table.add_row().cells
        for cell, text in zip(cells, row, strict=True):
            run = cell.paragraphs[0].add_run(text)
            run.font.size, run.bold = Pt(9), row is part.table.head
    repeated = OxmlElement("w:tblHeader")
    repeated.set(qn("w:val"), "true")
    table.rows[0]._tr.get_or_add_trPr().append(repeated)  # noqa: SLF001, nor to heads that repeat


def png(svg: str, lacking: set[str]) -> bytes:
    """A chart as a picture. Adds to `lacking` what no font has. Raises `Unavailable` like `pdf`."""
    from pypdfium2 import PdfDocument

    width, height = (float(svg.partition(f' {name}="')[2].partition('"')[0]) for name in ("width", "height"))
    style = (
        f"@page {{ size: {width}px {height}px; margin: 0 }} body {{ margin: 0 }} svg {{ display: block }} "
        f'* {{ font-family: "{FONT}", "WenQuanYi Zen Hei", sans-serif }}'
    )
    paper = PdfDocument(_paper(f"<html><style>{style}</style><body>{svg}</body></html>", lacking))
    try:
        image = paper[0].render(scale=2.5).to_pil()
        to = io.BytesIO()
        image.save(to, "PNG", optimize=True)
        return to.getvalue()
    finally:
        paper.close()


FORMS: dict[str, tuple[str, Callable[[Document], bytes]]] = {
    "html": ("text/html; charset=utf-8", lambda report: html(report).encode()),
    "pdf": ("application/pdf", pdf),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", docx),
}
"""End of the path -> media type, and how it is made."""


def name_of(number: str, language: Language, form: str) -> str:
    """The name of the file."""
    return f"review-{number}.{language}.{form}"
