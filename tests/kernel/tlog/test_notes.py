"""Notes, checkpoints, proofs and requests to witnesses: one form of bytes, and nothing believed that was not signed."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.envelope import Event
from services.kernel.tlog import Refused, checkpoint, leaf, note, tiles, tree, witness
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.note import COSIGNATURE, Note, Signer, Verifier
from services.kernel.tlog.proof import Proof
from services.kernel.tlog.tiles import Tile
from services.kernel.tlog.tree import Row, Span
from tests.kernel.tlog.test_tree import ENTRIES, ROOTS, ROWS, VECTORS, flipped, hashes

SIGNED = VECTORS["signed"]
ORIGIN = SIGNED["name"]
KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SIGNED["private_key_hex"]))
LOG = Signer(ORIGIN, KEY)
CHECKPOINT = SIGNED["checkpoint"].encode()
PROOF = SIGNED["tlog_proof_index_5"].encode()


def key(name: str, number: int, kind: int = note.ED25519) -> Signer:
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32), kind)


def opened(raw: bytes, *witnesses: Verifier) -> checkpoint.Opened:
    return checkpoint.opened(raw, ORIGIN, [LOG.verifier], witnesses)


# The vectors ---------------------------------------------------------------------------------------------------------


def test_the_vectors_of_notes() -> None:
    example = VECTORS["signed_note_example"]
    verifier = Verifier.parse(example["vkey"])
    assert verifier.vkey == example["vkey"]
    assert list(Note.parse(example["note"].encode()).known([verifier])) == [verifier]
    assert LOG.verifier.vkey == SIGNED["vkey"]
    found = opened(CHECKPOINT).checkpoint
    assert found == (ORIGIN, 8, bytes.fromhex(VECTORS["roots_hex"][8]))
    assert note.signed(found.text, [LOG]).written == CHECKPOINT
    proof = Proof.parse(PROOF)
    assert proof.written == PROOF
    proof.must_prove(ENTRIES[5], ORIGIN, [LOG.verifier])


def damaged(raw: bytes) -> list[bytes]:
    return [*flipped(raw), *(raw[:at] for at in range(len(raw))), raw + b"\n", raw + b"x", b"\n" + raw]


def test_no_bit_of_a_checkpoint_can_be_another() -> None:
    for bad in damaged(CHECKPOINT):
        with pytest.raises(Refused):
            opened(bad)


def must_prove(raw: bytes) -> None:
    Proof.parse(raw).must_prove(ENTRIES[5], ORIGIN, [LOG.verifier])


def test_no_bit_of_a_proof_can_be_another() -> None:
    for bad in damaged(PROOF):
        with pytest.raises(Refused):
            must_prove(bad)


def test_another_entry_is_not_proven() -> None:
    for entry in [ENTRIES[4], ENTRIES[5] + b"\x00", b""]:
        with pytest.raises(Refused):
            Proof.parse(PROOF).must_prove(entry, ORIGIN, [LOG.verifier])


# Notes ---------------------------------------------------------------------------------------------------------------


def test_a_note_with_a_hundred_signatures_is_read_and_unknown_keys_count_for_nothing() -> None:
    strangers = [key(f"stranger.example/{number}", number) for number in range(1, 100)]
    found = note.signed(Note.parse(CHECKPOINT).text, [*strangers[:50], LOG, *strangers[50:]])
    assert list(opened(found.written).by) == [LOG.verifier]
    with pytest.raises(Refused, match="no known key"):
        opened(note.signed(found.text, strangers).written)
    with pytest.raises(Refused, match="too many"):
        Note.parse(note.signed(found.text, [*strangers, LOG, key("one.more", 100)]).written)


def test_a_stranger_with_the_name_or_the_number_of_a_known_key_is_a_stranger() -> None:
    text = Note.parse(CHECKPOINT).text
    good = LOG.sign(text)
    for other in (good._replace(name="other.example"), good._replace(id=b"abcd"), key(ORIGIN, 3).sign(text)):
        assert list(opened(Note(text, (other, good)).written).by) == [LOG.verifier]
        with pytest.raises(Refused):
            opened(Note(text, (other,)).written)


def test_a_known_key_whose_signature_fails_refuses_the_note_whatever_else_signed() -> None:
    text = Note.parse(CHECKPOINT).text
    second = key("second.example", 5)
    bad = second.sign(text + "x\n")
    with pytest.raises(Refused, match="does not hold"):
        checkpoint.opened(Note(text, (LOG.sign(text), bad)).written, ORIGIN, [LOG.verifier, second.verifier])
    assert opened(Note(text, (LOG.sign(text), bad)).written).checkpoint.size == 8


def test_two_signatures_of_one_key_refuse_the_note() -> None:
    found = Note.parse(CHECKPOINT)
    with pytest.raises(Refused, match="twice"):
        opened(replace(found, signatures=found.signatures * 2).written)


@pytest.mark.parametrize(
    "bad",
    [
        CHECKPOINT.replace(b"\n", b"\r\n"),
        CHECKPOINT[:-1],
        CHECKPOINT.replace(b"\n\n", b"\n"),
        CHECKPOINT.replace(b"\n\n", b"\n\n\n"),
        CHECKPOINT + b"\n",
        CHECKPOINT.replace("—".encode(), b"-"),
        CHECKPOINT.replace("— ".encode(), "—\u00a0".encode()),
        CHECKPOINT.replace(b"incidents u4", b"incidents  u4"),
        CHECKPOINT.replace(b"dgM=\n", b"dgM\n"),
        CHECKPOINT.replace(b"dgM=\n", b"dgN=\n"),
        CHECKPOINT.replace(b"dgM=\n", b"dgM=\t\n"),
        CHECKPOINT.replace(b"\n8\n", b"\n08\n"),
        CHECKPOINT.replace(b"\n8\n", b"\n+8\n"),
        CHECKPOINT.replace(b"\n8\n", "\n８\n".encode()),
        CHECKPOINT.replace(b"\n8\n", b"\n9\n"),
        b"\n\n" + CHECKPOINT.partition(b"\n\n")[2],
        b"\xff" + CHECKPOINT,
        b"",
        b"\n",
        b"\n\n",
    ],
)
def test_a_note_has_one_form(bad: bytes) -> None:
    assert bad != CHECKPOINT
    with pytest.raises(Refused):
        opened(bad)


def test_a_key_has_a_name_and_its_own_number() -> None:
    for name in ("", "two words", "a+b", "a\u3000b", "a\nb"):
        with pytest.raises(Refused):
            key(name, 1)
    whole = LOG.verifier.vkey
    for bad in (
        whole[:-1],
        whole.replace("bb80", "bb81"),
        whole.replace("+AQ", "+Ag"),
        whole.replace("+", " "),
        ORIGIN,
        "",
    ):
        with pytest.raises(Refused):
            Verifier.parse(bad)


# Checkpoints ---------------------------------------------------------------------------------------------------------


def test_a_checkpoint_has_three_lines_and_the_origin_of_its_log() -> None:
    text = Note.parse(CHECKPOINT).text
    for bad in (text + "extension\n", text.removeprefix(ORIGIN), text.replace("\n8\n", "\n-8\n"), "a\n8\n"):
        with pytest.raises(Refused):
            Checkpoint.parse(bad)
    for signed in (text + "extension\n", Checkpoint("other.example/log", 8, ROOTS[8]).text):
        with pytest.raises(Refused):
            opened(note.signed(signed, [LOG]).written)
    empty = Checkpoint(ORIGIN, 0, tree.EMPTY)
    assert Checkpoint.parse(empty.text) == empty
    for wrong in (empty._replace(root=ROOTS[1]), empty._replace(size=2**63), empty._replace(root=ROOTS[1][:31])):
        with pytest.raises(Refused):
            Checkpoint.parse(wrong.text)


# Proofs --------------------------------------------------------------------------------------------------------------


def test_what_came_with_a_proof_is_kept_and_proves_nothing() -> None:
    proof = Proof.parse(PROOF)._replace(extra=b"anything")
    again = Proof.parse(proof.written)
    assert again == proof
    again.must_prove(ENTRIES[5], ORIGIN, [LOG.verifier])


def test_a_proof_has_one_form() -> None:
    for old, new in [
        (b"index 5", b"index 05"),
        (b"index 5\n", b""),
        (b"@v1", b"@v2"),
        (b"index 5", b"extra YQ==\nextra YQ==\nindex 5"),
        (b"\n\n", b"\n" + b"vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=\n" * 63 + b"\n"),
    ]:
        with pytest.raises(Refused):
            Proof.parse(PROOF.replace(old, new, 1))


# Witnesses -----------------------------------------------------------------------------------------------------------


def asked(old: int, new: int, by: Signer = LOG, root: bytes | None = None) -> bytes:
    text = Checkpoint(ORIGIN, new, root or ROOTS[new]).text
    path = tuple(hashes(tree.consistency(min(old, new), new), ROWS))
    return witness.Request(old, path, note.signed(text, [by]).written).written


def test_a_witness_follows_a_log_that_only_grows() -> None:
    held = witness.Held()
    for size in (1, 2, 2, 7, 64, 130):
        held = witness.must_follow(witness.asked(asked(held.size, size), [LOG.verifier]), held)
        assert held == (size, ROOTS[size])


def declined(body: bytes, held: witness.Held, keys: list[Verifier] | None = None) -> tuple[int, int | None]:
    with pytest.raises(witness.Declined) as caught:
        witness.must_follow(witness.asked(body, [LOG.verifier] if keys is None else keys), held)
    return caught.value.status, caught.value.size


def test_a_witness_declines_as_the_protocol_says() -> None:
    held = witness.Held(7, ROOTS[7])
    assert declined(asked(3, 9), held) == (409, 7)
    assert declined(asked(7, 7, root=ROOTS[8]), held) == (409, 7)
    assert declined(asked(7, 9, root=ROOTS[8]), held) == (422, None)
    assert declined(asked(9, 8), held) == (400, None)
    assert declined(asked(7, 9, by=key(ORIGIN, 3)), held) == (403, None)
    assert declined(asked(7, 9), held, keys=[]) == (403, None)
    with pytest.raises(witness.Declined) as caught:
        witness.asked(asked(7, 9), None)
    assert caught.value.status == 404
    good = asked(7, 9)
    for bad in (b"", b"old 7\n", good[:-1], good.replace(b"old 7", b"old 07"), good.replace(b"\n\n", b"\n", 1)):
        assert declined(bad, held) == (400, None)


def test_a_cosignature_says_when_and_holds_for_nothing_else() -> None:
    by = key("witness.example/w1", 9, COSIGNATURE)
    found = Note.parse(CHECKPOINT)
    line = by.sign(found.text, 1_700_000_000)
    (again,) = note.lines(line.line.encode())
    assert again == line and again.at == 1_700_000_000
    both = found.signed_by(line)
    assert opened(both.written, by.verifier).by[by.verifier] == line
    later = both.signed_by(by.sign(found.text, 1_700_000_001))
    assert len(later.signatures) == 2 and opened(later.written, by.verifier).by[by.verifier].at == 1_700_000_001
    for value in flipped(line.value):
        with pytest.raises(Refused):
            opened(found.signed_by(line._replace(value=value)).written, by.verifier)
    # The key of a log is no key of a witness, though its bytes are the same.
    assert key("witness.example/w1", 9).verifier.id != by.verifier.id
    with pytest.raises(Refused):
        note.lines(line.line.encode() + b"\nx\n")


def test_the_example_of_the_specification_is_read_as_a_cosignature() -> None:
    whole = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE"
        "+xeMcTOAYQ8=\n"
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0x"
        "Ue+mbIUBkBIfZ+qnA==\n"
    ).encode()
    found = Note.parse(whole)
    assert found.written == whole
    assert Checkpoint.parse(found.text).size == 20852163
    assert found.signatures[1].at == 1679315147


# Tiles ---------------------------------------------------------------------------------------------------------------


def test_paths_of_tiles_have_one_form() -> None:
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(None, 5, 3).path == "tile/entries/005.p/3"
    for tile in (Tile(0, 0), Tile(63, 999), Tile(2, 1000, 255), Tile(None, 10**9, 1)):
        assert Tile.parse(tile.path) == tile
    for bad in (
        "tile/0/5",
        "tile/00/005",
        "tile/64/005",
        "tile/0/x000/005",
        "tile/0/005.p/0",
        "tile/0/005.p/256",
        "tile/0/005.p/01",
        "tile/0/x005",
        "tile/0/001/005",
        "tile/-1/005",
        "tile/data/005",
        "tile/0/005/",
        "/tile/0/005",
        "tile/0/٠٠٥",
    ):
        with pytest.raises(Refused):
            Tile.parse(bad)


def test_the_example_of_the_specification_has_its_tiles() -> None:
    found = tiles.tiles_of(70_000)
    assert [(level, sum(1 for tile in found if tile.level == level)) for level in range(3)] == [
        (0, 274),
        (1, 2),
        (2, 1),
    ]
    assert [tile.width for tile in found if tile.width != 256] == [112, 17, 1]
    assert [tile.path for tile in tiles.tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]


def test_whoever_has_the_tiles_makes_every_proof() -> None:
    leaves = [tree.leaf_hash(b"%d" % number) for number in range(5000)]
    rows = tree.grown(0, {}, leaves)
    for size in (1, 16, 255, 256, 257, 4096, 4999, 5000):
        got: dict[Row, bytes] = {}
        for tile in tiles.tiles_of(size):
            assert tile.within(size) and not replace_width(tile).within(size)
            got |= tiles.rows_in(tile, tile.content(rows))
        root = tree.hash_of(Span(0, size), got)
        assert root == tree.root_over(leaves[:size])
        for index in {0, size // 2, size - 1}:
            path = [tree.hash_of(span, got) for span in tree.inclusion(index, size)]
            tree.must_be_included(index, size, leaves[index], path, root)


def replace_width(tile: Tile) -> Tile:
    """The tile one wider, which the log does not have; for a full one, the next."""
    return Tile(tile.level, tile.number, tile.width + 1) if tile.width < 256 else Tile(tile.level, tile.number + 10**6)


def test_bundles_give_their_entries_back() -> None:
    entries = [b"", b"x", b"y" * leaf.MAX_BYTES]
    raw = tiles.bundle(entries)
    assert tiles.entries_in(raw, 3) == entries
    for bad, width in [(raw[:-1], 3), (raw, 2), (raw + b"\x00", 3), (raw + b"\x00\x05a", 4)]:
        with pytest.raises(Refused):
            tiles.entries_in(bad, width)


# Leaves --------------------------------------------------------------------------------------------------------------

EVENT = {
    "specversion": "1.0",
    "id": "01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e",
    "source": "/huiying/county/triage",
    "type": "huiying.incident.graded.v1",
    "subject": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
    "time": "2026-03-02T01:30:00.000000Z",
    "recordedtime": "2026-03-02T01:30:01.000000Z",
    "partitionkey": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
    "streamversion": 1,
    "data": {"level": "major"},
}


def test_the_entry_of_an_event_is_frozen() -> None:
    found = leaf.leaf_of(Event.parse(json.dumps(EVENT).encode()))
    assert found.entry.decode() == (
        '{"event_id":"01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e","producer":"/huiying/county/triage",'
        '"recorded_at":"2026-03-02T01:30:01.000000Z","stream_id":"incident-01890a5d-ac96-774b-bcce-b302099a8057",'
        f'"topic":"triage.incident","v":1,"value_sha256":"{found.value_sha256}","version":1}}'
    )
    assert leaf.parse(found.entry) == found
    assert found.hash == tree.leaf_hash(found.entry)


def test_an_entry_has_one_form() -> None:
    entry = leaf.leaf_of(Event.parse(json.dumps(EVENT).encode())).entry
    for old, new in [
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":true'),
        (b'"v":1', b'"v": 1'),
        (b'"version":1', b'"version":1.0'),
        (b'"version":1', b'"version":"1"'),
        (b"triage.incident", b"triage\\u002eincident"),
        (b'"v":1', b'"v":1,"w":2'),
        (b'"v":1', b'"v":1,"v":1'),
        (b'"v":1,', b""),
    ]:
        bad = entry.replace(old, new, 1)
        assert bad != entry
        with pytest.raises(Refused):
            leaf.parse(bad)
    for other in (b"", b"[]", b"null", b"{}", entry + b"\n"):
        with pytest.raises(Refused):
            leaf.parse(other)


def test_the_largest_entry_fits_a_bundle() -> None:
    longest = EVENT | {"source": "/huiying/" + "é" * 64 + "/" + "a" * 16, "subject": "a" * 27 + EVENT["subject"][8:]}
    assert len(leaf.leaf_of(Event.parse(json.dumps(longest).encode())).entry) < 1000 < leaf.MAX_BYTES
