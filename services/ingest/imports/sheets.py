"""A sheet of a workbook (XLSX) as rows, read from a file on disk.

openpyxl reads the parts and the cells. What it would hold for the whole workbook does not grow here: texts that cells
share lie in a file beside, and a row is forgotten as soon as it was read. A workbook may be made to fill a memory or to
name files elsewhere: each small part has a limit, each row, and the whole; a document type or an entity is refused. A
formula is never worked out: its cell holds the result that the spreadsheet program saved.
"""

import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import date, datetime, time
from typing import IO, Any, Self
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse
from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils.escape import unescape
from openpyxl.worksheet._reader import DATA_TAG, FORMULA_TAG, ROW_TAG, VALUE_TAG, WorkSheetParser, _cast_number
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS

from services.ingest.imports.codec import Row, Table, checked, headed
from services.ingest.imports.mapping import Mapping, plain
from services.kernel.core.problems import Malformed, Problem, TooLarge
from services.kernel.serving.sheets import unmarked

# openpyxl warns in words of the file, which no log may hold.
warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\.")
SMALL = 4_000_000
"""The most bytes of a part that is read at once, and of what stands for one row."""
MOST_PARTS = 2_000
WIDTH, HEIGHT = 16_384, 1_048_576
"""The columns and the rows of a sheet, as every spreadsheet program has them."""
STRICT = b"http://purl.oclc.org/ooxml/"
"""The names of a format that looks alike and that few programs write."""
EXACT = 10**15
"""A workbook keeps 15 digits of a number."""
_ITEM = f"{{{SHEET_MAIN_NS}}}si"
_OFFSET, _LENGTH = struct.Struct("<Q"), struct.Struct("<L")
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    DefusedXmlException,
    ParseError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OverflowError,
    RecursionError,
    SyntaxError,
    OSError,
)
"""What openpyxl and zipfile raise for a workbook that is none. A disk that fails looks the same."""


def from_xlsx(file: IO[bytes], mapping: Mapping, limit: int, files: ExitStack) -> Table:
    """The rows of a workbook that unpacks to at most `limit` bytes. Raises `Malformed`.

    `files` closes what the rows read from.
    """
    try:
        return _table(file, mapping, limit, files)
    except Problem:
        raise
    except _FAULTS:
        raise _damaged() from None


def _table(file: IO[bytes], mapping: Mapping, limit: int, files: ExitStack) -> Table:
    book = _Book(file, limit, files)
    rows = files.enter_context(closing(_rows(book, book.sheet(mapping.sheet))))
    titles = next((cells for number, cells in rows if number == mapping.header), None)
    if not titles:
        raise Malformed(
            f"row {mapping.header} of the sheet has no titles of columns", code="header-missing", line=mapping.header
        )
    width = max(titles)
    if width > WIDTH:
        raise Malformed(f"a sheet has at most {WIDTH} columns", code="workbook-damaged")
    table, positions = headed("xlsx", [plain(_shown(titles.get(at))) for at in range(1, width + 1)], mapping)
    table.rows = _told(rows, {at + 1: title for at, title in positions.items()})
    return table


def _told(rows: Iterator[tuple[int, dict[int, Any]]], positions: dict[int, str]) -> Iterator[Row]:
    try:
        for number, cells in rows:
            kept = {title: cells[at] for at, title in positions.items() if at in cells}
            try:
                shown = {title: unmarked(_shown(value)) for title, value in kept.items()}
            except Malformed as fault:
                yield checked(number, {title: str(value) for title, value in kept.items()})._replace(fault=fault)
                continue
            if any(cell.strip() for cell in shown.values()):
                yield checked(number, dict.fromkeys(positions.values(), "") | shown)
    except Problem:
        raise
    except _FAULTS:
        raise _damaged() from None


def _damaged() -> Malformed:
    return Malformed(
        "the file is no workbook that can be read; open it in a spreadsheet program, save it as .xlsx, and send that",
        code="workbook-damaged",
    )


def _shown(value: Any) -> str:
    """A cell as text. Raises `Malformed` for a number that has lost digits."""
    match value:
        case None:
            return ""
        case _Unworked():
            raise Malformed(
                "a cell in the row has an error, or a formula without a result; open the workbook in a spreadsheet "
                "program, correct the cell, and save it",
                code="formula-unworked",
            )
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float() if abs(value) >= EXACT:
            raise Malformed(
                f"the number {value} would lose digits; write it as text in the sheet",
                code="digits-lost",
                number=str(value),
            )
        case float() if value.is_integer():
            return str(int(value))
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case date() | time():
            return value.isoformat()
    return str(value)


class _Unworked:
    """The value of a cell with an error, or whose formula has no result."""

    def __str__(self) -> str:
        return ""


class _Cells(WorkSheetParser):  # type: ignore[misc]
    """Takes the result of a formula, and the number of a cell that no day has, though its format is that of dates."""

    def parse_cell(self, element: Element) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        kind = element.get("t", "n")
        # The result of a formula may be a text, and that may be empty.
        if cell["value"] is None and kind != "str" and element.find(FORMULA_TAG) is not None:
            return cell | {"value": _Unworked()}
        if cell["data_type"] != "e":
            return cell
        return cell | {"value": _cast_number(element.findtext(VALUE_TAG)) if kind == "n" else _Unworked()}


class _Archive(zipfile.ZipFile):
    """The small parts are read at once, so each has a limit."""

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        if self.getinfo(name).file_size > SMALL:
            raise _too_large(SMALL)
        return super().read(name, pwd)


def _check_directory(file: IO[bytes]) -> None:
    """Raises if the list of parts is longer than that of any workbook: zipfile would read all of it first."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 66_000))
    end = file.read()
    at = end.rfind(b"PK\x05\x06")
    if at < 0 or len(end) < at + 22 or b"PK\x06\x07" in end[max(0, at - 20) : at]:
        raise _damaged()
    if _LENGTH.unpack_from(end, at + 12)[0] > 400 * MOST_PARTS:
        raise _damaged()


class _Book(ExcelReader):  # type: ignore[misc]
    """The parts of a workbook that its rows need."""

    archive: zipfile.ZipFile
    shared_strings: "_Shared"

    def __init__(self, file: IO[bytes], limit: int, files: ExitStack) -> None:
        _check_directory(file)
        super().__init__(file, read_only=True, keep_links=False)
        self.archive.close()
        self.archive = files.enter_context(_Archive(file))
        self.shared_strings = files.enter_context(_Shared())
        parts = self.archive.infolist()
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > limit:
            raise _too_large(limit)
        if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
            raise _damaged()  # other ways of packing may ask for any amount of memory
        self.read_manifest()
        self.read_workbook()
        apply_stylesheet(self.archive, self.wb)
        self.read_strings()

    def sheet(self, title: str | None) -> str:
        """The part of the sheet with this title, else of the first one that is not hidden."""
        found = [(one, self.parser.rels.get(one.id)) for one in self.parser.sheets if one.id]
        there = [(one, rel.target) for one, rel in found if rel is not None and rel.target in self.valid_files]
        for one, target in there:
            if plain(one.name) == plain(title) if title else one.state == "visible":
                with self.archive.open(target) as sheet:
                    if STRICT in sheet.read(2_000):
                        raise Malformed(
                            "the workbook is saved as Strict Open XML, which is another format; save it as .xlsx",
                            code="workbook-strict",
                        )
                return str(target)
        names = ", ".join(str(one.name)[:40] for one, _ in there[:20])
        raise Malformed(
            f"the workbook has no sheet {title or 'that can be seen'}; it has {names or 'none'}",
            code="sheet-missing",
            field="sheet",
            sheet=title,
        )

    def read_strings(self) -> None:
        """The texts that cells share, in a file."""
        part = self.package.find(SHARED_STRINGS)
        if part is None:
            return
        for element in _elements(self, part.PartName[1:], _ITEM, within=None):
            self.shared_strings.append(unescape(Text.from_tree(element).content))


def _rows(book: _Book, part: str) -> Generator[tuple[int, dict[int, Any]], None, None]:
    """The rows of a sheet: the number of each, and its cells by their columns from 1."""
    parser = _Cells(
        None,
        book.shared_strings,
        data_only=True,
        epoch=book.wb.epoch,
        date_formats=book.wb._date_formats,  # noqa: SLF001  as its own reader does
        timedelta_formats=book.wb._timedelta_formats,  # noqa: SLF001
    )
    with closing(_elements(book, part, ROW_TAG, within=DATA_TAG)) as elements:
        for element in elements:
            number, cells = parser.parse_row(element)
            parser.row_dimensions.clear()
            if not 0 < number <= HEIGHT:
                raise _damaged()
            yield number, {cell["column"]: cell["value"] for cell in cells if cell["value"] is not None}


def _elements(book: _Book, part: str, tag: str, within: str | None) -> Generator[Element, None, None]:
    """The elements of a part with this tag, one after the other. Their parent forgets each before the next."""
    with book.archive.open(part) as source:
        metered = _Metered(source)
        parent: Element | None = None
        for event, element in iterparse(metered, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                if parent is None and within in (None, element.tag):
                    parent = element
            elif element.tag == tag and parent is not None:
                metered.begin()
                yield element
                parent.clear()
            elif element is parent:
                return


class _Metered:
    """A part of which not more than `SMALL` bytes may come without a row."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._size = source, 0

    def begin(self) -> None:
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        part = self._source.read(size)
        self._size += len(part)
        if self._size > SMALL:
            raise _too_large(SMALL)
        return part


class _Shared(Sequence[str]):
    """Texts in a file without a name, by their number."""

    def __init__(self) -> None:
        self._texts, self._places = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._count = self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._texts.close()
        self._places.close()

    def append(self, text: str) -> None:
        raw = text.encode(errors="surrogatepass")
        self._places.write(_OFFSET.pack(self._end))
        self._texts.write(raw)
        self._end += len(raw)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        if not 0 <= at < self._count:
            raise IndexError(at)
        self._places.seek(at * _OFFSET.size)
        ends = self._places.read(2 * _OFFSET.size)
        begin = _OFFSET.unpack_from(ends)[0]
        end = _OFFSET.unpack_from(ends, _OFFSET.size)[0] if len(ends) > _OFFSET.size else self._end
        self._texts.seek(begin)
        return self._texts.read(end - begin).decode(errors="surrogatepass")


def _too_large(limit: int) -> Problem:
    return TooLarge(
        f"the workbook, or a part of it, unpacks to more than {limit} bytes; save it as CSV, which has no such limit",
        limit=limit,
    )
