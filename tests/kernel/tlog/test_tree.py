"""The tree against the vectors, against the definition for every size to 200, and against proofs that do not hold."""

import base64
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.tlog import Refused, tree
from services.kernel.tlog.tree import Row, Span

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text())
ENTRIES = [bytes.fromhex(entry) for entry in VECTORS["entries_hex"]]
MOST = 200
LEAVES = [tree.leaf_hash(b"%d" % number) for number in range(MOST)]
ROOTS = [tree.root_over(LEAVES[:size]) for size in range(MOST + 1)]


def grown_by(leaves: list[bytes], *steps: int) -> dict[Row, bytes]:
    """The rows of a tree that grew in batches of these sizes; each batch sees only the rows of the edge."""
    rows: dict[Row, bytes] = {}
    size = 0
    for step in steps:
        held = {row: rows[row] for row in tree.edge(size)}
        rows |= tree.grown(size, held, leaves[size : size + step])
        size += step
    return rows


ROWS = grown_by(LEAVES, MOST)


def hashes(spans: list[Span], rows: dict[Row, bytes]) -> list[bytes]:
    wanted = tree.rows_of(spans)
    return [tree.hash_of(span, {row: rows[row] for row in wanted}) for span in spans]


def decoded(path: list[str]) -> list[bytes]:
    return [base64.b64decode(one) for one in path]


def test_the_roots_and_the_proofs_of_the_vectors() -> None:
    leaves = [tree.leaf_hash(entry) for entry in ENTRIES]
    rows = grown_by(leaves, 8)
    roots = [tree.root_over(leaves[:size]) for size in range(9)]
    assert [root.hex() for root in roots] == VECTORS["roots_hex"]
    for one in VECTORS["inclusion"]:
        path = decoded(one["path_b64"])
        assert hashes(tree.inclusion(one["index"], one["size"]), rows) == path
        tree.must_be_included(one["index"], one["size"], leaves[one["index"]], path, roots[one["size"]])
    for one in VECTORS["consistency"]:
        path = decoded(one["proof_b64"])
        assert hashes(tree.consistency(one["old"], one["new"]), rows) == path
        tree.must_be_consistent(one["old"], one["new"], path, roots[one["old"]], roots[one["new"]])


def test_every_root_to_200_comes_from_the_rows() -> None:
    for size in range(MOST + 1):
        # A longer row at the edge serves older sizes too.
        assert hashes([Span(0, size)], ROWS) == [ROOTS[size]]


@given(st.lists(st.integers(0, 70), max_size=12))
def test_any_batches_give_the_same_rows(steps: list[int]) -> None:
    size = min(sum(steps), MOST)
    ends = [min(end, MOST) for end in itertools.accumulate(steps, initial=0)]
    rows = grown_by(LEAVES, *(end - start for start, end in itertools.pairwise(ends)))
    assert rows == grown_by(LEAVES, size)


def test_every_inclusion_proof_to_200() -> None:
    for size in range(1, MOST + 1):
        for index in range(size):
            path = hashes(tree.inclusion(index, size), ROWS)
            tree.must_be_included(index, size, LEAVES[index], path, ROOTS[size])


def test_every_consistency_proof_to_200() -> None:
    for new in range(MOST + 1):
        for old in range(new + 1):
            path = hashes(tree.consistency(old, new), ROWS)
            assert len(path) <= 63
            tree.must_be_consistent(old, new, path, ROOTS[old], ROOTS[new])


def flipped(value: bytes) -> list[bytes]:
    return [
        value[:at] + bytes([value[at] ^ 1 << bit]) + value[at + 1 :] for at in range(len(value)) for bit in range(8)
    ]


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (6, 7), (5, 11), (16, 17), (99, 130)])
def test_an_inclusion_proof_with_any_bit_another_is_refused(index: int, size: int) -> None:
    path = hashes(tree.inclusion(index, size), ROWS)
    leaf, root = LEAVES[index], ROOTS[size]
    wrong = [(index, size, bad, path, root) for bad in flipped(leaf)]
    wrong += [(index, size, leaf, path, bad) for bad in flipped(root)]
    for at, one in enumerate(path):
        wrong += [(index, size, leaf, [*path[:at], bad, *path[at + 1 :]], root) for bad in flipped(one)]
        wrong.append((index, size, leaf, [*path[:at], *path[at + 1 :]], root))
    wrong += [(index, size, leaf, [*path, LEAVES[3]], root), (index, size, leaf, [LEAVES[3], *path], root)]
    wrong += [(index, size, leaf, [*path, b""], root), (index, size, leaf[:31], path, root)]
    wrong += [(other, size, leaf, path, root) for other in range(-2, size + 3) if other != index]
    for case in wrong:
        with pytest.raises(Refused):
            tree.must_be_included(*case)


def test_a_leaf_is_no_node_and_the_reverse() -> None:
    inner = LEAVES[0] + LEAVES[1]
    with pytest.raises(Refused):
        tree.must_be_included(0, 1, tree.leaf_hash(inner), [], ROOTS[2])


@pytest.mark.parametrize(("old", "new"), [(1, 2), (2, 3), (4, 7), (6, 8), (7, 7), (16, 130), (100, 131)])
def test_a_consistency_proof_with_any_bit_another_is_refused(old: int, new: int) -> None:
    path = hashes(tree.consistency(old, new), ROWS)
    wrong = [(old, new, path, bad, ROOTS[new]) for bad in flipped(ROOTS[old])]
    wrong += [(old, new, path, ROOTS[old], bad) for bad in flipped(ROOTS[new])]
    for at, one in enumerate(path):
        wrong += [(old, new, [*path[:at], bad, *path[at + 1 :]], ROOTS[old], ROOTS[new]) for bad in flipped(one)]
        wrong.append((old, new, [*path[:at], *path[at + 1 :]], ROOTS[old], ROOTS[new]))
    wrong += [(old, new, [*path, LEAVES[3]], ROOTS[old], ROOTS[new]), (new + 1, new, path, ROOTS[old], ROOTS[new])]
    wrong += [(other, new, path, ROOTS[old], ROOTS[new]) for other in range(new + 1) if other != old]
    wrong.append((-1, new, path, ROOTS[old], ROOTS[new]))
    for case in wrong:
        with pytest.raises(Refused):
            tree.must_be_consistent(*case)


def test_the_empty_tree_has_one_root_and_no_proof() -> None:
    tree.must_be_consistent(0, 5, [], tree.EMPTY, ROOTS[5])
    for case in [(0, 5, [LEAVES[0]], tree.EMPTY, ROOTS[5]), (0, 5, [], LEAVES[0], ROOTS[5])]:
        with pytest.raises(Refused):
            tree.must_be_consistent(*case)
    for old_root, root in [(LEAVES[0], LEAVES[0]), (tree.EMPTY, LEAVES[0])]:
        with pytest.raises(Refused):
            tree.must_be_consistent(0, 0, [], old_root, root)
    for index, size in [(0, 0), (5, 5), (-1, 4), (0, 2**63)]:
        with pytest.raises(Refused):
            tree.inclusion(index, size)


def test_a_short_or_missing_row_is_refused() -> None:
    for size in (5, 33, 199):
        rows = grown_by(LEAVES, size)
        for row in tree.edge(size):
            for bad in (rows | {row: rows[row][:-32]}, {key: value for key, value in rows.items() if key != row}):
                with pytest.raises(Refused):
                    tree.grown(size, bad, LEAVES[:1])
                with pytest.raises(Refused):
                    tree.root_of(size, bad)
