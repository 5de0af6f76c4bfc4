"""CSV and lines of JSON as rows, part by part, so that no file is ever whole in memory. Pure.

A row has the cells of the columns that the mapping names, and no other: nothing else is kept, not even for a moment
longer than its part of the file. A fault of a row refuses that row. A fault after which nobody can say where the next
row begins ends the file.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from services.ingest.imports.mapping import Mapping as Map
from services.ingest.imports.mapping import plain
from services.kernel.core.problems import Malformed, Problem, TooLarge, UnsupportedMedia
from services.kernel.serving.bodies import parse_json
from services.kernel.serving.sheets import unmarked

Form = Literal["csv", "xlsx", "ndjson"]
FEW = 20
"""A text is still in UTF-8 if not more than one in so many of its characters is damaged."""
SAMPLE = 65_536
"""So many bytes from the first one that is not ASCII on show the encoding."""
DELIMITERS = (",", "\t", ";", "|")
DAMAGED = "huiying.damaged"
"""The handler of errors that puts a surrogate in place of bytes that are no character."""
MOST_COLUMNS = 1_000
MOST_NAMES = 200
"""So many names of columns that are not kept are told."""
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_OTHER_FILES = (
    (b"\xd0\xcf\x11\xe0", "an old or encrypted Excel file; save it as .xlsx without a password, or as CSV"),
    (b"%PDF", "a PDF; export the table as CSV or .xlsx"),
    (b"\x1f\x8b", "packed; unpack it, or send it with Content-Encoding: gzip"),
    (b"Rar!", "an archive; unpack it"),
    (b"7z\xbc\xaf", "an archive; unpack it"),
    (b"<", "a page or XML, though its name may end in .xls; open it and save it as .xlsx or CSV"),
)
_AS_TEXT = re.compile(r'="([^"]*)"')
_JSON_LIST = re.compile(rb"\[\s*(\{|\Z)")
csv.field_size_limit(2**31 - 1)  # the module's only limit; `_Lines` has that of a row


class Row(NamedTuple):
    """The cells of a row by their columns, or the problem that refuses it."""

    number: int
    """The line on which it begins, or the row of a sheet, from 1."""
    cells: Mapping[str, str]
    fault: Problem | None = None


class Table:
    """A file's rows. `dropped` are the columns that are not kept, as far as the file was read."""

    def __init__(self, kind: Form, columns: Iterable[str] = (), dropped: Iterable[str] = ()) -> None:
        self.kind, self.columns = kind, tuple(columns)
        self.dropped: dict[str, None] = {}
        self.rows: Iterator[Row] = iter(())
        self.drop(dropped)

    def drop(self, names: Iterable[str]) -> None:
        """Notes names of columns that are not kept."""
        for name in names:
            if len(self.dropped) < MOST_NAMES:
                self.dropped[name[:100]] = None


def kind_of(head: bytes) -> Form:
    """`xlsx`, `ndjson` or `csv`, by the beginning of a file. Raises `UnsupportedMedia` for another kind."""
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    for mark, what in _OTHER_FILES:
        if text.startswith(mark):
            raise UnsupportedMedia(f"the file is {what}", code="no-table")
    if text.startswith(b"{"):
        return "ndjson"
    if _JSON_LIST.match(text):
        raise UnsupportedMedia("the file is a list in JSON; write one object a line, without a list", code="no-table")
    if not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\x00" in head[:64]:
        raise UnsupportedMedia("the file is no CSV, XLSX or lines of JSON", code="no-table")
    return "csv"


def from_csv(parts: Iterable[bytes], mapping: Map, limit: int) -> Table:
    """The rows of a CSV file; none has more than `limit` characters. Raises `Malformed` if its columns do not do."""
    lines = _Lines(texts(parts, mapping.encoding), limit)
    for _ in range(mapping.header - 1):
        next(lines, None)
    first = next(lines, None)
    if first is None or not first.strip():
        raise Malformed(
            f"row {mapping.header} of the file has no titles of columns", code="header-missing", line=mapping.header
        )
    lines.push(first)
    delimiter = mapping.delimiter or _delimiter(first, mapping)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        titles = [plain(title) for title in next(reader)]
    except csv.Error:
        raise Malformed(
            f"the titles of the columns in row {mapping.header} cannot be read",
            code="header-missing",
            line=mapping.header,
        ) from None
    table, positions = headed("csv", titles, mapping)
    table.rows = _csv_rows(reader, lines, len(titles), positions)
    return table


def headed(kind: Form, titles: Sequence[str], mapping: Map) -> tuple[Table, Mapping[int, str]]:
    """A table with these columns, and the place of each that is kept. Raises `Malformed`."""
    if len(titles) > MOST_COLUMNS:
        raise Malformed(
            f"the file has more than {MOST_COLUMNS} columns", code="columns-too-many", field="file", limit=MOST_COLUMNS
        )
    mapping.check(tuple(titles))
    positions = {at: title for at, title in enumerate(titles) if title in mapping.columns}
    return Table(
        kind, positions.values(), filter(None, (one for one in titles if one not in mapping.columns))
    ), positions


def _csv_rows(reader: Iterator[list[str]], lines: "_Lines", width: int, positions: Mapping[int, str]) -> Iterator[Row]:
    while True:
        begins = lines.number + 1
        lines.begin()
        try:
            cells = next(reader, None)
        except csv.Error:
            # The mark may stand in somebody's text, which goes on behind it: the next line may be no row.
            raise Malformed(
                f"in the row of line {begins} a quotation mark is not closed, or stands alone within a text; close it, "
                "or write it twice, and send the file again",
                code="quote-open",
                line=begins,
            ) from None
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        kept = {title: _of_text(cells[at]) for at, title in positions.items() if at < len(cells)}
        row = checked(begins, kept)
        is_cut = len(cells) < width or any(cell.strip() for cell in cells[width:])
        yield row._replace(fault=_cut(len(cells), width)) if is_cut else row


def _cut(cells: int, width: int) -> Malformed:
    return Malformed(
        f"the row has {cells} cells, the header {width}; look for a quotation mark or a delimiter too many or too few",
        code="row-cells",
        cells=cells,
        columns=width,
    )


def _of_text(cell: str) -> str:
    """A cell without what keeps a spreadsheet program from reading it as a formula or a number: `'-1`, `="0012"`."""
    told = _AS_TEXT.fullmatch(cell)
    return told[1] if told else unmarked(cell)


def checked(number: int, cells: Mapping[str, str]) -> Row:
    """A row whose text can be stored, or its refusal."""
    for title, cell in cells.items():
        if "\x00" in cell or any("\ud800" <= char <= "\udfff" for char in cell if not char.isascii()):
            clean = {
                name: value.encode(errors="replace").decode().replace("\x00", "?") for name, value in cells.items()
            }
            return Row(
                number,
                clean,
                Malformed(
                    f"{title} holds characters that cannot be read in the encoding of the file; save it as UTF-8",
                    code="characters-damaged",
                    column=title,
                ),
            )
    return Row(number, cells)


def _delimiter(header: str, mapping: Map) -> str:
    """The delimiter with which most columns of the mapping are found, else the one that stands most often."""
    best = DELIMITERS[0]
    most = (-1, -1)
    for one in DELIMITERS:
        try:
            titles = [plain(title) for title in next(csv.reader([header], delimiter=one))]
        except (csv.Error, StopIteration):
            continue
        if (found := (len(mapping.columns & set(titles)), len(titles))) > most:
            best, most = one, found
    return best


class _Lines:
    """The lines of a text. Raises if a line, or a row of several, is longer than `limit`."""

    def __init__(self, parts: Iterator[str], limit: int) -> None:
        self._lines, self._limit, self._size = _split(parts, limit), limit, 0
        self._pushed: list[str] = []
        self.number = 0
        """How many lines were given."""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._pushed.pop() if self._pushed else next(self._lines)
        self.number += 1
        self._size += len(line)
        if self._size > self._limit:
            raise _too_long(self.number, self._limit)
        return line

    def push(self, line: str) -> None:
        """Gives a line once more."""
        self._pushed.append(line)
        self.number -= 1
        self.begin()

    def begin(self) -> None:
        """A row begins."""
        self._size = 0


def _split(parts: Iterator[str], limit: int) -> Iterator[str]:
    held: list[str] = []
    size, number = 0, 1
    for part in parts:
        *ended, rest = part.split("\n")
        for piece in ended:
            yield "".join([*held, piece, "\n"])
            held.clear()
            size, number = 0, number + 1
        if rest:
            held.append(rest)
            size += len(rest)
            if size > limit:
                raise _too_long(number, limit)
    if held:
        yield "".join(held)


def _too_long(line: int, limit: int) -> Problem:
    return TooLarge(f"the row that line {line} belongs to has more than {limit} characters", limit=limit)


def texts(parts: Iterable[bytes], told: str | None = None) -> Iterator[str]:
    """The text of a CSV file, every end of line as a line feed.

    The encoding is the one that is told, else that of a byte order mark, else UTF-8 if the first text that is not ASCII
    is that, else GB18030. Bytes that are none of its characters become surrogates.
    """
    held, at_start = b"", True
    decoder: io.IncrementalNewlineDecoder | None = None
    for part in parts:
        if decoder is not None:
            yield decoder.decode(part)
            continue
        held += part
        if at_start and len(held) < 4:
            continue
        encoding = next((name for mark, name in _BOMS if held.startswith(mark)), told) if at_start else told
        at_start = False
        if encoding is None:
            safe = held.isascii() or len(held) - _first(held) < SAMPLE
            if safe and (ascii_ := held[: _first(held)].rstrip(b"\r")):
                yield ascii_.decode().replace("\r\n", "\n").replace("\r", "\n")
                held = held[len(ascii_) :]
            if safe:
                continue
            encoding = _found(held)
        decoder = _decoder(encoding)
        yield decoder.decode(held)
        held = b""
    if decoder is None:
        encoding = next((name for mark, name in _BOMS if held.startswith(mark)), told) if at_start else told
        decoder = _decoder(encoding or _found(held, whole=True))
    yield decoder.decode(held, final=True)


def _decoder(encoding: str) -> io.IncrementalNewlineDecoder:
    return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(DAMAGED), translate=True)


codecs.register_error(DAMAGED, lambda error: ("\udcff", error.end))  # type: ignore[attr-defined]


def _first(held: bytes) -> int:
    """The place of the first byte that is not ASCII."""
    return len(held) - len(held.lstrip(_ASCII))


_ASCII = bytes(range(128))


def _found(held: bytes, *, whole: bool = False) -> str:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(held, final=whole)
    except UnicodeDecodeError:
        # A character that was cut in two makes no other encoding of the rest.
        text = held.decode("utf-8", "replace")
        damaged = text.count("\ufffd")
        return "utf-8" if damaged * FEW < sum(not char.isascii() for char in text) - damaged else "gb18030"
    return "utf-8"


def from_ndjson(parts: Iterable[bytes], mapping: Map, limit: int) -> Table:
    """The rows of lines of JSON. Names within objects are joined by dots."""
    table = Table("ndjson", sorted(mapping.columns))
    table.rows = _ndjson_rows(parts, mapping, limit, table)
    return table


def _ndjson_rows(parts: Iterable[bytes], mapping: Map, limit: int, table: Table) -> Iterator[Row]:
    for number, line in _json_lines(parts, limit):
        if line is None:
            yield Row(number, {}, TooLarge(f"the line has more than {limit} bytes", limit=limit))
        elif line.strip():
            try:
                value = parse_json(line)
                if not isinstance(value, dict):
                    raise Malformed("the line takes a JSON object", code="wrong-form", field="line", wanted="object")
                yield checked(number, _flat(value, mapping, table))
            except Problem as fault:
                yield Row(number, {}, fault)


def _json_lines(parts: Iterable[bytes], limit: int) -> Iterator[tuple[int, bytes | None]]:
    number, held, size = 1, bytearray(), 0
    for part in parts:
        *ended, rest = part.split(b"\n")
        for piece in ended:
            size += len(piece)
            yield number, (bytes(held) + piece if size <= limit else None)
            number, size = number + 1, 0
            held.clear()
        size += len(rest)
        if size <= limit:
            held += rest
        else:
            held.clear()
    if size:
        yield number, (bytes(held) if size <= limit else None)


def _flat(value: Mapping[str, object], mapping: Map, table: Table) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, inner in _members(value, ""):
        title = plain(name)
        if title not in mapping.columns:
            table.drop((title,))
        elif title in cells:
            raise Malformed(f"{title[:100]} stands twice in one object", code="field-twice", field=title[:100])
        elif isinstance(inner, str | int | float) or inner is None:
            cells[title] = _said(inner)
        else:
            raise Malformed(f"{title} takes a text", code="wrong-form", field=title, wanted="text")
    return cells


def _members(value: Mapping[str, object], before: str) -> Iterator[tuple[str, object]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _members(inner, f"{before}{name}.")
        else:
            yield before + name, inner


def _said(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
