"""A form with a mapping and then a file, read as it comes: the file is never kept. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.kernel.core.problems import Malformed, TooLarge
from services.kernel.rules.documents import MAX_BYTES

HEADER_BYTES = 8_000


def taken(parts: Iterable[bytes], boundary: bytes) -> tuple[bytes, Iterator[bytes]]:
    """The text of the field `mapping`, and the parts of the field `file` behind it. Raises `Malformed`."""
    try:
        pieces = _Form(boundary).pieces(parts)
    except FormParserError:
        raise _unreadable() from None
    mapping, came_first = bytearray(), True
    for name, piece in pieces:
        if name == "file" and came_first:
            raise Malformed("the file came first; send the field mapping before it", code="form-unreadable")
        if name == "file":
            return bytes(mapping), _file(piece, pieces)
        came_first = False
        mapping += piece
        if len(mapping) > MAX_BYTES:
            raise TooLarge(f"the mapping has more than {MAX_BYTES} bytes", limit=MAX_BYTES)
    raise Malformed("the form has no file under the name file", code="field-missing", field="file")


def _file(first: bytes, pieces: Iterator[tuple[str, bytes]]) -> Iterator[bytes]:
    for name, piece in chain([("file", first)], pieces):
        if name != "file":
            raise Malformed("mapping stands before the file in the form", code="form-unreadable")
        if piece:
            yield piece


class _Form:
    """The content of the two fields, piece by piece."""

    def __init__(self, boundary: bytes) -> None:
        self._found: deque[tuple[str, bytes]] = deque()
        self._header: dict[str, bytearray] = {"name": bytearray(), "value": bytearray()}
        self._disposition = b""
        self._name = ""
        self._seen: set[str] = set()
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._gather("name"),
                "on_header_value": self._gather("value"),
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_end": self._ends,
            },
        )

    def pieces(self, parts: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
        """Name of the field, and a piece of it. Raises `Malformed` for another form, or for one that breaks off."""
        for part in parts:
            try:
                self._parser.write(part)
            except FormParserError:
                raise _unreadable() from None
            while self._found:
                yield self._found.popleft()
        if not self._ended:
            raise _unreadable()

    def _part_begins(self) -> None:
        self._disposition = b""

    def _gather(self, what: str) -> Callable[[bytes, int, int], None]:
        def gather(data: bytes, start: int, end: int) -> None:
            self._header[what] += data[start:end]
            if len(self._header[what]) > HEADER_BYTES:
                raise _unreadable()

        return gather

    def _header_ends(self) -> None:
        if bytes(self._header["name"]).lower() == b"content-disposition":
            self._disposition = bytes(self._header["value"])
        for held in self._header.values():
            held.clear()

    def _headers_end(self) -> None:
        name = parse_options_header(self._disposition)[1].get(b"name", b"").decode("latin-1")
        if name not in ("mapping", "file"):
            raise Malformed(
                f"{name[:60]} is not a field here; a form has mapping and file", code="field-unknown", field=name[:60]
            )
        if name in self._seen:
            raise Malformed(f"{name} stands twice in the form", code="field-twice", field=name)
        self._seen.add(name)
        self._name = name
        self._found.append((name, b""))  # also an empty field is there

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._found.append((self._name, data[start:end]))

    def _ends(self) -> None:
        self._ended = True


def _unreadable() -> Malformed:
    return Malformed(
        "the form cannot be read; send it as multipart/form-data with its boundary, the mapping before the file",
        code="form-unreadable",
    )
