"""The mail inside an S/MIME signature (CMS signed-data, RFC 5652), which anybody can read. Pure.

Nothing is verified, and no certificate is looked at: it names a person. `cryptography` reads only certificates of it.
"""

DEPTH, ELEMENTS = 10, 100_000
"""Elements inside each other, and all that are looked at. Programs use half of that depth, and write a large mail in
pieces of a thousand bytes.
"""
_TYPE = bytes.fromhex("06092a864886f70d010702")
_CONSTRUCTED, _OCTETS, _END = 0x20, 0x04, b"\0\0"


def is_signed(data: bytes) -> bool:
    """Whether it says that it is signed and not encrypted."""
    return _TYPE in data[:64]


def inside(data: bytes) -> bytes | None:
    """What was signed; None if it lies elsewhere, or nothing can be read. Lengths may be definite or not (BER)."""
    elements = _Elements(data)
    try:
        at = elements.begin(0)
        if not data.startswith(_TYPE, at):
            return None
        at = elements.begin(elements.begin(elements.after(at)))  # into SignedData
        at = elements.begin(elements.after(elements.after(at)))  # past the version and digests, into what was signed
        at = elements.after(at)  # past its type
        if data[at] != 0xA0:
            return None
        pieces = list[bytes]()
        elements.octets(elements.begin(at), pieces)
        return b"".join(pieces)
    except (IndexError, ValueError):
        return None


class _Elements:
    """Elements by the places where they begin. Raises `IndexError` or `ValueError` where there is none."""

    def __init__(self, data: bytes) -> None:
        self._data, self._left = data, ELEMENTS

    def begin(self, at: int) -> int:
        """Where the content of the element begins."""
        if not self._data[at] & _CONSTRUCTED:
            raise ValueError
        return self._head(at)[0]

    def after(self, at: int, depth: int = 0) -> int:
        """Where the element ends."""
        at, length = self._head(at)
        if length is not None:
            return at + length
        if depth > DEPTH:
            raise ValueError
        while self._data[at : at + 2] != _END:
            at = self.after(at, depth + 1)
        return at + 2

    def octets(self, at: int, pieces: list[bytes], depth: int = 0) -> int:
        """Adds the pieces of an octet string. Returns where it ends."""
        tag = self._data[at]
        begin, length = self._head(at)
        if tag == _OCTETS and length is not None:
            pieces.append(self._data[begin : begin + length])
            return begin + length
        if tag != _OCTETS | _CONSTRUCTED or depth > DEPTH:
            raise ValueError
        at = begin
        while at < begin + length if length is not None else self._data[at : at + 2] != _END:
            at = self.octets(at, pieces, depth + 1)
        return begin + length if length is not None else at + 2

    def _head(self, at: int) -> tuple[int, int | None]:
        """Where the content of the element begins, and its length; None if an end marks it."""
        self._left -= 1
        if self._left < 0:
            raise ValueError
        length, at = self._data[at + 1], at + 2
        if length == 0x80:
            return at, None
        if length > 0x80:
            size = length - 0x80
            if size > 8:
                raise ValueError
            length, at = int.from_bytes(self._data[at : at + size]), at + size
        if at + length > len(self._data):
            raise ValueError
        return at, length
