"""The tree of RFC 6962, kept as rows of sixteen hashes, and the proofs over it.

Row `(level, number)` holds, one after the other, the hashes of the full subtrees of `16**level` leaves, from the
subtree `16 * number` on. The last row of a level may be shorter; it grows. Only a full row has a hash in the row above
it. So any subtree's hash comes from one row and at most seven hashings, and two levels make a tile of tlog-tiles.
"""

import hashlib
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import NamedTuple

from services.kernel.tlog import Refused

SIZE = 32
"""The bytes of a hash."""
WIDTH = 16
"""The most hashes of a row."""
BITS = 4
EMPTY = hashlib.sha256().digest()
"""The root of the tree without leaves."""
LIMIT = 2**63
"""Every size is below this."""


class Row(NamedTuple):
    """The place of a row."""

    level: int
    number: int


class Span(NamedTuple):
    """The leaves from `start` up to `end`, `end` not included."""

    start: int
    end: int


Rows = Mapping[Row, bytes]
"""Stored hashes, one behind the other in each row."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def joined(hashes: Sequence[bytes]) -> bytes:
    """The hash over subtrees that stand side by side, all of one size, two to the power of something of them."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


def split(row: bytes | bytearray) -> list[bytes]:
    """The hashes of a row."""
    return [bytes(row[at : at + SIZE]) for at in range(0, len(row), SIZE)]


def full(row: bytes) -> bytes:
    """The hash over a full row. Raises `Refused` if it is not full."""
    if len(row) != WIDTH * SIZE:
        raise Refused(f"a row has {len(row)} bytes and is not full")
    return joined(split(row))


# Growing -------------------------------------------------------------------------------------------------------------


def edge(size: int) -> list[Row]:
    """The rows of a tree of this size that still grow: what growing must know. Full and empty ones are not among them.

    The last row of each level is named if it is neither.
    """
    found = []
    level = 0
    while size >> (BITS * level):
        count = size >> (BITS * level)
        if count % WIDTH:
            found.append(Row(level, count // WIDTH))
        level += 1
    return found


def grown(size: int, held: Rows, leaves: Iterable[bytes]) -> dict[Row, bytes]:
    """The rows that are new or longer when leaves come behind the first `size`. `held` has the rows of `edge(size)`.

    `leaves` are hashes of leaves. Raises `Refused` if a row of the edge is missing or of another length.
    """
    must_be_the_edge(size, held)
    changed: dict[Row, bytearray] = {}
    for hash_ in leaves:
        _add(0, size, hash_, held, changed)
        size += 1
    return {row: bytes(hashes) for row, hashes in changed.items()}


def must_be_the_edge(size: int, held: Rows) -> None:
    """Raises `Refused` unless the rows at the right edge of a tree of this size are there, each of its length."""
    for row in edge(size):
        wanted = (size >> (BITS * row.level)) % WIDTH * SIZE
        if len(held.get(row, b"")) != wanted:
            raise Refused(
                f"row {row.number} at level {row.level} has {len(held.get(row, b''))} bytes and not {wanted},"
                f" for a tree of {size} leaves"
            )


def _add(level: int, number: int, hash_: bytes, held: Rows, changed: MutableMapping[Row, bytearray]) -> None:
    row = Row(level, number // WIDTH)
    hashes = changed.get(row)
    if hashes is None:
        hashes = changed[row] = bytearray(held.get(row, b"") if number % WIDTH else b"")
    hashes += hash_
    if len(hashes) == WIDTH * SIZE:
        _add(level + 1, number // WIDTH, joined(split(hashes)), held, changed)


# Hashes of spans -----------------------------------------------------------------------------------------------------


def _subtrees(span: Span) -> list[tuple[int, int]]:
    """The full subtrees of a span from left to right, each as (height, number at this height).

    The span begins where a subtree of its size may begin.
    """
    start, end = span
    found = []
    while start < end:
        height = (end - start).bit_length() - 1
        found.append((height, start >> height))
        start += 1 << height
    return found


def rows_of(spans: Iterable[Span]) -> set[Row]:
    """The rows from which the hashes of spans come: at most one for each power of two in them."""
    return {
        Row(height // BITS, number << (height % BITS) >> BITS) for span in spans for height, number in _subtrees(span)
    }


def hash_of(span: Span, rows: Rows) -> bytes:
    """The hash over a span. Raises `Refused` if a row is missing or too short."""
    if span.start == span.end:
        return EMPTY
    found = [_hash(height, number, rows) for height, number in _subtrees(span)]
    hash_ = found.pop()
    while found:
        hash_ = node_hash(found.pop(), hash_)
    return hash_


def _hash(height: int, number: int, rows: Rows) -> bytes:
    level, within = divmod(height, BITS)
    first = number << within
    row = Row(level, first // WIDTH)
    at = first % WIDTH * SIZE
    hashes = rows.get(row, b"")[at : at + (SIZE << within)]
    if len(hashes) != SIZE << within:
        raise Refused(f"row {row.number} at level {row.level} lacks hashes")
    return joined(split(hashes))


def root_of(size: int, rows: Rows) -> bytes:
    """The root of the first `size` leaves, from the rows of `rows_of([Span(0, size)])`."""
    return hash_of(Span(0, size), rows)


def root_over(leaves: Sequence[bytes]) -> bytes:
    """The root over these hashes of leaves, computed by the definition."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaves[0]
    at = _half(len(leaves))
    return node_hash(root_over(leaves[:at]), root_over(leaves[at:]))


def _half(size: int) -> int:
    """The largest power of two below a size of two or more."""
    return 1 << ((size - 1).bit_length() - 1)


# Proofs --------------------------------------------------------------------------------------------------------------


def inclusion(index: int, size: int) -> list[Span]:
    """The spans whose hashes prove the leaf at `index` in a tree of `size` leaves, from the leaf upward."""
    if not 0 <= index < size < LIMIT:
        raise Refused(f"there is no leaf {index} among {size}")
    found: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _half(end - start)
        if index < middle:
            found.append(Span(middle, end))
            end = middle
        else:
            found.append(Span(start, middle))
            start = middle
    return found[::-1]


def consistency(old: int, new: int) -> list[Span]:
    """The spans whose hashes prove that the tree of `new` leaves begins with the tree of `old` leaves."""
    if not 0 <= old <= new < LIMIT:
        raise Refused(f"a tree of {new} leaves does not begin with one of {old}")
    found: list[Span] = []
    start, end = 0, new
    if old in (0, new):
        return found
    while old != end:
        middle = start + _half(end - start)
        if old <= middle:
            found.append(Span(middle, end))
            end = middle
        else:
            found.append(Span(start, middle))
            start = middle
    if start:
        found.append(Span(start, end))
    return found[::-1]


def must_be_included(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Raises `Refused` unless the path proves this hash of a leaf (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size < LIMIT:
        raise Refused(f"there is no leaf {index} among {size}")
    _must_be_hashes([leaf, root, *path])
    number, last, hash_ = index, size - 1, leaf
    for one in path:
        if last == 0:
            raise Refused("the proof has too many hashes")
        if number & 1 or number == last:
            hash_ = node_hash(one, hash_)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            hash_ = node_hash(hash_, one)
        number, last = number >> 1, last >> 1
    if last:
        raise Refused("the proof has too few hashes")
    if hash_ != root:
        raise Refused(f"leaf {index} is not what the tree of {size} leaves holds there")


def must_be_consistent(old: int, new: int, path: Sequence[bytes], old_root: bytes, root: bytes) -> None:
    """Raises `Refused` unless the path proves that the newer tree begins with the older one (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new < LIMIT:
        raise Refused(f"a tree of {new} leaves does not begin with one of {old}")
    _must_be_hashes([old_root, root, *path])
    if old in (0, new):
        if path:
            raise Refused("the proof has too many hashes")
        if old_root != (EMPTY if old == 0 else root) or (new == 0 and root != EMPTY):
            raise Refused(f"two trees of {old} leaves differ" if old else "the empty tree has one root only")
        return
    if not path:
        raise Refused("the proof has too few hashes")
    rest = list(path)
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    before = after = old_root if number == 0 else rest.pop(0)
    for one in rest:
        if last == 0:
            raise Refused("the proof has too many hashes")
        if number & 1 or number == last:
            before, after = node_hash(one, before), node_hash(one, after)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            after = node_hash(after, one)
        number, last = number >> 1, last >> 1
    if last:
        raise Refused("the proof has too few hashes")
    if before != old_root or after != root:
        raise Refused(f"the tree of {new} leaves does not begin with that of {old}")


def _must_be_hashes(found: Iterable[bytes]) -> None:
    if any(len(one) != SIZE for one in found):
        raise Refused("a hash has 32 bytes")
