"""The mail inside an S/MIME signature (CMS signed-data, RFC 5652), which anybody can read. Pure.

Nothing is verified, and no certificate is looked at: it names a person. `cryptography` reads only certificates of it.
"""

DEPTH = 10
"""Elements inside each other. Programs use half of it."""
_TYPE = bytes.fromhex("06092a864886f70d010702")
_CONSTRUCTED, _OCTETS, _END = 0x20, 0x04, b"\0\0"


def is_signed(data: bytes) -> bool:
    """Whether it says that it is signed and not encrypted."""
    return _TYPE in data[:64]


def inside(data: bytes) -> bytes | None:
    """What was signed; None if it lies elsewhere, or nothing can be read. Lengths may be definite or not (BER)."""
    try:
        at = _begin(data, 0)
        if not data.startswith(_TYPE, at):
            return None
        at = _begin(data, _begin(data, _after(data, at)))  # into SignedData
        at = _begin(data, _after(data, _after(data, at)))  # past the version and the digests, into what was signed
        at = _after(data, at)  # past its type
        return b"".join(_octets(data, _begin(data, at))) if data[at] == 0xA0 else None
    except (IndexError, ValueError):
        return None


def _head(data: bytes, at: int) -> tuple[int, int | None]:
    """Where the content of an element begins, and its length; None if an end marks it."""
    length, at = data[at + 1], at + 2
    if length == 0x80:
        return at, None
    if length > 0x80:
        size = length - 0x80
        length, at = int.from_bytes(data[at : at + size]), at + size
        if size > 8:
            raise ValueError
    if at + length > len(data):
        raise ValueError
    return at, length


def _begin(data: bytes, at: int) -> int:
    if not data[at] & _CONSTRUCTED:
        raise ValueError
    return _head(data, at)[0]


def _after(data: bytes, at: int, depth: int = 0) -> int:
    """Where the element ends."""
    at, length = _head(data, at)
    if length is not None:
        return at + length
    if depth > DEPTH:
        raise ValueError
    while data[at : at + 2] != _END:
        at = _after(data, at, depth + 1)
    return at + 2


def _octets(data: bytes, at: int, depth: int = 0) -> list[bytes]:
    """The pieces of an octet string."""
    tag = data[at]
    begin, length = _head(data, at)
    if tag == _OCTETS and length is not None:
        return [data[begin : begin + length]]
    if tag != _OCTETS | _CONSTRUCTED or depth > DEPTH:
        raise ValueError
    pieces, at = list[bytes](), begin
    while at < begin + length if length is not None else data[at : at + 2] != _END:
        pieces += _octets(data, at, depth + 1)
        at = _after(data, at, depth + 1)
    return pieces
