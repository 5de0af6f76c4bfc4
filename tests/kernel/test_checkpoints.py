"""What a service keeps of audit's log: it refuses a checkpoint that is smaller, forked, forged, or out of turn."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.checkpoints import CHECKPOINTS, CheckpointKeyMade, CheckpointKeyRevoked, CheckpointSigned, LogSignature
from schemas.envelope import Event, seal
from schemas.fields import Fact, WordsRef, instant
from services.kernel.access.checkpoints import Kept, note_of, seal_of
from services.kernel.access.keys import Keys
from services.kernel.access.signatures import Unproven
from services.kernel.core.ids import derived
from services.kernel.tlog import tree
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.note import Signer

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ORIGIN = "county.example/log"
KEYED = Keys(b"a secret of the tests, long enough").digest
LEAVES = [tree.leaf_hash(b"%d" % number) for number in range(40)]
FORKED = [*LEAVES[:3], tree.leaf_hash(b"another"), *LEAVES[4:]]
SIGNER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"k" * 32))
OTHER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"o" * 32))


def event(data: Fact, version: int = 1) -> Event:
    previous = None if version == 1 else "0" * 64
    return seal(
        data,
        id=derived("checkpoint", str(version)),
        source="/huiying/county/audit",
        stream=CHECKPOINTS,
        version=version,
        previous=previous,
        time=AT,
        recorded=AT,
        partitionkey=CHECKPOINTS,
        actor="system",
    )


def made(signer: Signer = SIGNER, name: str = ORIGIN, use: str = "log") -> CheckpointKeyMade:
    data = CheckpointKeyMade(use=use, origin=name, key=signer.verifier.public.hex(), seal="0" * 64)  # type: ignore[arg-type]
    return data.model_copy(update={"seal": seal_of(data, instant(AT), KEYED)})


def revoked(signer: Signer = SIGNER) -> CheckpointKeyRevoked:
    reason = WordsRef(ref=derived("words", "x"), digest="0" * 64)
    data = CheckpointKeyRevoked(key=signer.verifier.public.hex(), reason=reason, seal="0" * 64)
    return data.model_copy(update={"seal": seal_of(data, instant(AT), KEYED)})


def checkpoint(
    before: int, size: int, leaves: list[bytes] = LEAVES, by: tuple[Signer, ...] = (SIGNER,), origin: str = ORIGIN
) -> CheckpointSigned:
    rows = tree.grown(0, {}, leaves)
    path = [tree.hash_of(span, rows) for span in tree.consistency(min(before, size), size)]
    root = tree.root_over(leaves[:size])
    text = Checkpoint(origin, size, root).text
    return CheckpointSigned(
        origin=origin,
        size=size,
        root=root.hex(),
        before=before,
        path=tuple(one.hex() for one in path),
        signatures=tuple(LogSignature(key=one.verifier.public.hex(), value=one.sign(text).value.hex()) for one in by),
    )


def after(*facts: Fact, kept: Kept | None = None) -> Kept:
    kept = kept or Kept()
    for fact in facts:
        kept = kept.after(event(fact), KEYED)
    return kept


KEPT = after(made(), checkpoint(0, 7))


def refused(fact: Fact, kept: Kept = KEPT) -> str:
    with pytest.raises(Unproven) as caught:
        kept.after(event(fact), KEYED)
    return str(caught.value)


def test_checkpoints_that_follow_are_kept() -> None:
    kept = after(checkpoint(7, 7), checkpoint(7, 8), checkpoint(8, 40), kept=KEPT)
    assert (kept.size, kept.root, kept.origin) == (40, tree.root_over(LEAVES), ORIGIN)


def test_what_does_not_follow_is_refused() -> None:
    assert "shrank" in refused(checkpoint(3, 5))
    assert "rewritten" in refused(checkpoint(7, 9, FORKED))
    assert "rewritten" in refused(checkpoint(7, 7, FORKED)), "two trees of one size: a split view"
    assert "was last" in refused(checkpoint(5, 9)), "it is proven from another size than the one that was seen last"
    assert "was last" in refused(checkpoint(0, 9, FORKED)), "a second history from the beginning"
    longer = checkpoint(7, 9)
    assert "rewritten" in refused(longer.model_copy(update={"path": (*longer.path, "0" * 64)}))
    assert "rewritten" in refused(longer.model_copy(update={"path": longer.path[:-1]}))


def test_what_no_key_of_the_log_signed_is_refused() -> None:
    assert "no key" in refused(checkpoint(7, 9, by=(OTHER,)))
    assert "no key" in refused(checkpoint(7, 9, by=()))
    good, bad = checkpoint(7, 9), checkpoint(7, 10)
    assert "not signed" in refused(good.model_copy(update={"signatures": bad.signatures}))
    assert "not signed" in refused(good.model_copy(update={"size": 10}))
    assert "is of" in refused(checkpoint(7, 9, origin="another.example/log"))
    assert "log is None" in refused(checkpoint(0, 7), Kept())


def test_a_key_is_made_and_ended_only_under_the_secret_of_the_deployment() -> None:
    assert "secret" in refused(made(OTHER).model_copy(update={"seal": "0" * 64}))
    assert "secret" in refused(revoked().model_copy(update={"seal": "0" * 64}))
    assert "secret" in refused(made(OTHER).model_copy(update={"use": "witness"})), "the seal is of another use"
    assert "the log is" in refused(made(OTHER, name="another.example/log"))
    witness = after(made(OTHER, name="county.example/witness", use="witness"), kept=KEPT)
    assert witness == KEPT, "the key of the witness signs no checkpoint of the log"


def test_the_key_changes_and_ends() -> None:
    both = after(made(OTHER), checkpoint(7, 7, by=(SIGNER, OTHER)), checkpoint(7, 9, by=(OTHER,)), kept=KEPT)
    assert both.size == 9
    ended = after(revoked(), kept=both)
    assert "no key" in refused(checkpoint(9, 10), ended)
    assert after(checkpoint(9, 10, by=(OTHER,)), kept=ended).size == 10
    assert "no key" in refused(checkpoint(9, 10), after(made(), kept=ended)), "a key that ended does not begin again"


def test_the_note_is_the_one_that_strangers_read() -> None:
    data = checkpoint(7, 9)
    note = note_of(data)
    assert note.text == f"{ORIGIN}\n9\n{Checkpoint(ORIGIN, 9, bytes.fromhex(data.root)).text.splitlines()[2]}\n"
    assert list(note.known([SIGNER.verifier])) == [SIGNER.verifier]


def test_without_its_guards_it_would_take_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard-off run: the refusals above come from these checks and from nothing else."""
    monkeypatch.setattr(tree, "must_be_consistent", lambda *told: None)
    assert after(checkpoint(7, 9, FORKED), kept=KEPT).root == tree.root_over(FORKED[:9])
    assert after(checkpoint(3, 9), kept=replace(KEPT, size=3)).size == 9
