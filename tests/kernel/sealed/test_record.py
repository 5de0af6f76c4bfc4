"""The checks that need no deployment: one event, the whole record, a part of it. Every forgery is refused and named."""

import io
import tracemalloc
from datetime import timedelta

import orjson
import pytest

from schemas.envelope import Event
from schemas.triage import IncidentInstructionGiven
from services.kernel.sealed import matter, one, record
from services.kernel.sealed.record import Growing
from services.kernel.sealed.trust import Trust
from services.kernel.tlog import Refused
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.note import Note
from services.kernel.tlog.proof import Proof
from tests.kernel.sealed.small import ONE, WORDS, must_refuse, no_bit_counts_for_nothing, part, small, whole
from tests.kit.logs import KEY, ORIGIN, WITNESSES, Log, signer
from tests.kit.spec import NOW, At, events

LOG = small()
TRUST = LOG.trust()
pytestmark = pytest.mark.requirement("AUD-01")


def read(raw: bytes, trust: Trust = TRUST) -> record.Held:
    return record.verify(io.BytesIO(raw), trust)


def read_part(raw: bytes, trust: Trust = TRUST) -> matter.Held:
    return matter.verify(io.BytesIO(raw), trust)


def altered(event: Event, **attributes: object) -> Event:
    return Event.parse(orjson.dumps({**event.attributes, **attributes}))


def swapped(log: Log, at: int, event: Event) -> list[Event]:
    return [*log.events[:at], event, *log.events[at + 1 :]]


# One event -----------------------------------------------------------------------------------------------------------


def test_an_event_with_its_proof() -> None:
    for at, event in enumerate(LOG.events):
        found = one.proven(event.bytes, LOG.proof(at), TRUST)
        assert (found.event.id, found.position, found.checkpoint.size) == (event.id, at, 7)


def test_no_bit_of_an_event_or_its_proof_counts_for_nothing() -> None:
    event, proof = LOG.events[5].bytes, LOG.proof(5)
    no_bit_counts_for_nothing(lambda raw: one.proven(raw, proof, TRUST), event)
    no_bit_counts_for_nothing(lambda raw: one.proven(event, raw, TRUST), proof)


def test_an_event_is_not_proven_by_the_proof_of_another_one_or_by_what_nobody_signed() -> None:
    proof = Proof.parse(LOG.proof(5))
    for bad in (LOG.proof(4), LOG.proof(5, 6), proof._replace(extra=b"more").written):
        must_refuse(lambda raw: one.proven(LOG.events[3].bytes, raw, TRUST), bad)
    assert "nobody signed" in must_refuse(
        lambda raw: one.proven(LOG.events[5].bytes, raw, TRUST), proof._replace(extra=b"").written
    )
    pretty = orjson.dumps(LOG.events[5].attributes, option=orjson.OPT_INDENT_2)
    must_refuse(lambda raw: one.proven(raw, LOG.proof(5), TRUST), pretty, "not JSON as the record writes it")
    twice = LOG.events[5].bytes[:-1] + b',"actor":"system"}'
    must_refuse(lambda raw: one.proven(raw, LOG.proof(5), TRUST), twice, "a name stands twice")


# Whom to believe -----------------------------------------------------------------------------------------------------


def test_only_a_pinned_key_counts() -> None:
    forged = Log(LOG.events, key=signer(ORIGIN, 9))
    must_refuse(read, whole(forged), "no known key")
    must_refuse(lambda raw: one.proven(LOG.events[5].bytes, raw, TRUST), forged.proof(5), "no known key")
    other = Log(LOG.events, key=signer("log.example/other", 1))
    must_refuse(read, whole(other), "no known key")
    rotated = Trust((signer(ORIGIN, 9).verifier, KEY.verifier))
    assert read(whole(LOG), rotated).checkpoint == read(whole(forged), rotated).checkpoint


def test_as_many_witnesses_as_asked_for() -> None:
    seen = Log(LOG.events, witnesses=WITNESSES[:1])
    assert read(whole(seen), LOG.trust(needed=1)).checkpoint.size == 7
    must_refuse(lambda raw: read(raw, LOG.trust(needed=2)), whole(seen), "1 of the witnesses signed it, and 2")
    must_refuse(lambda raw: read(raw, LOG.trust(needed=1)), whole(LOG), "0 of the witnesses")
    note = Note.parse(seen.checkpoint())
    forged = note.signatures[1]._replace(value=note.signatures[1].value[:-1] + b"?")
    bad = Note(note.text, (note.signatures[0], forged)).written
    must_refuse(
        lambda raw: read(raw, LOG.trust()), whole(seen).replace(_text(seen.checkpoint()), _text(bad)), "not hold"
    )
    for wrong in (((), ()), ((KEY.verifier, signer("b", 1).verifier), ()), ((KEY.verifier,), ())):
        with pytest.raises(Refused):
            Trust(*wrong, needed=1)


def _text(note: bytes) -> bytes:
    return orjson.dumps(note.decode())[1:-1]


def test_a_checkpoint_that_was_seen_is_a_prefix() -> None:
    assert read(whole(LOG), LOG.trust(LOG.checkpoint(3), LOG.checkpoint(7))).checkpoint.size == 7
    fork = Log(swapped(LOG, 2, altered(LOG.events[2], actor="chief@county")))
    said = must_refuse(lambda raw: read(raw, LOG.trust(fork.checkpoint(7))), whole(LOG))
    assert "SPLIT VIEW" in said
    said = must_refuse(lambda raw: read(raw, LOG.trust(fork.checkpoint(3))), whole(LOG))
    assert said.startswith("position 0: the hashes beside the events do not give the signed root of 3 events")
    older = Log(LOG.events[:5])
    said = must_refuse(lambda raw: read(raw, LOG.trust(LOG.checkpoint())), whole(older))
    assert said.startswith("position 5: the record ends there, but a checkpoint of 7 events was seen")
    with pytest.raises(Refused, match="SPLIT VIEW"):
        LOG.trust(LOG.checkpoint(3), fork.checkpoint(3))


def test_proofs_of_consistency_join_an_event_to_what_was_seen() -> None:
    found = one.proven(LOG.events[1].bytes, LOG.proof(1, 5), TRUST).checkpoint
    for size in (2, 7):
        trust = LOG.trust(LOG.checkpoint(size))
        with pytest.raises(Refused, match="nothing joins 5 events"):
            trust.must_include_seen(found, [])
        trust.must_include_seen(found, [LOG.consistency(min(size, 5), max(size, 5))])
        proof = LOG.consistency(min(size, 5), max(size, 5))

        def check(raw: bytes, trust: Trust = trust) -> None:
            trust.must_include_seen(found, [raw])

        no_bit_counts_for_nothing(check, proof)
    fork = Log(swapped(LOG, 0, altered(LOG.events[0], actor="chief@county")))
    trust = LOG.trust(fork.checkpoint(7))
    with pytest.raises(Refused, match="SPLIT VIEW"):
        trust.must_include_seen(found, [LOG.consistency(5, 7)])
    with pytest.raises(Refused, match="does not go on"):
        trust.must_include_seen(found, [fork.consistency(5, 7)])


# The whole record ----------------------------------------------------------------------------------------------------


def test_the_whole_record() -> None:
    assert read(whole(LOG)) == record.Held(read(whole(LOG)).checkpoint, 2)
    for size in (0, 1, 2, 3, 255, 256, 257, 600):
        log = small(size)
        assert read(whole(log)).checkpoint.root == log.root() == _grown(log)


def _grown(log: Log) -> bytes:
    tree = Growing()
    for leaf in log.leaves:
        tree.add(leaf)
    return tree.root


def test_no_bit_of_a_record_counts_for_nothing() -> None:
    no_bit_counts_for_nothing(read, whole(small(1)))


@pytest.mark.parametrize("at", [0, 3, 5, 6, 300, 512])
def test_the_first_wrong_position_is_named_as_long_as_the_hashes_are_those_of_the_log(at: int) -> None:
    """5 and 6 are the newest events of their streams where the log has seven."""
    log = small(7 if at < 7 else 513)
    there = list(log.events)
    cases = {
        "changed": swapped(log, at, altered(there[at], actor="chief@county")),
        "dated back": swapped(log, at, altered(there[at], recordedtime="2020-01-01T00:00:00.000000Z")),
        "deleted": there[:at] + there[at + 1 :],
        "inserted": [*there[:at], altered(there[at], actor="chief@county"), *there[at:]],
        "twice": [*there[: at + 1], *there[at:]],
        "moved": [*there[:at], *there[at + 1 :], there[at]],
        "cut": there[:at],
    }
    for what, shown in cases.items():
        wrong = at + 1 if what == "twice" or (what == "moved" and at == len(there) - 1) else at
        raw = _in_blocks(log, shown)
        if wrong == len(there) and what == "moved":
            assert read(raw)
            continue
        assert must_refuse(read, raw).startswith(f"position {wrong}: "), what


def _in_blocks(log: Log, shown: list[Event]) -> bytes:
    """The record as somebody leaves it who changes lines of events only."""
    rows = iter([event.bytes for event in shown])
    raw = record.head(log.checkpoint())
    size, extra = record.BLOCK, len(shown) - len(log.events)
    for first in range(0, len(log.events), size):
        leaves = log.leaves[first : first + size]
        is_last = first + size >= len(log.events)
        count = len(leaves) + (extra if is_last else 0)
        raw += record.block(leaves, [row for _, row in zip(range(count), rows, strict=False)])
    return raw


def test_where_the_hashes_were_altered_too_the_checkpoints_bound_the_place() -> None:
    for at in (3, 5, 6):
        forged = Log(swapped(LOG, at, altered(LOG.events[at], actor="chief@county")))
        raw = whole(LOG, LOG.checkpoint(5), leaves=forged.leaves, shown=list(forged.events))
        said = must_refuse(read, raw)
        if at == 3:
            assert said.startswith("position 0: the hashes beside the events do not give the signed root of 5 events")
        else:
            assert said.startswith("position 5: the hashes")
            assert "positions 5 to 6" in said or "version" in said
    without = [*LOG.events[:3], *LOG.events[4:]]
    cut = Log(LOG.events[:5])
    said = must_refuse(read, whole(LOG, leaves=cut.leaves, shown=list(cut.events)))
    assert said == "position 5: the record is cut there; the checkpoint says 7 events"
    said = must_refuse(read, whole(LOG, leaves=Log(without).leaves, shown=without))
    assert said.startswith("position 4: version 3 of"), "the chain tells of the gap, before the file ends too early"


def test_what_the_log_itself_signed_wrongly_is_named() -> None:
    facts = [At(IncidentInstructionGiven(text=WORDS), NOW), At(IncidentInstructionGiven(text=WORDS), NOW)]
    back = [facts[0], At(facts[1].data, NOW, NOW - timedelta(seconds=1))]
    for at, chain, why in (
        (1, events("incident", back, ONE), "is dated back"),
        (1, [events("incident", facts, ONE)[0]] * 2, "stands twice or out of order"),
        (0, events("incident", facts, ONE)[1:], "follows version 0: some are missing"),
        (
            1,
            [altered(events("incident", facts, ONE)[0], actor="chief@county"), events("incident", facts, ONE)[1]],
            "alter",
        ),
    ):
        assert must_refuse(read, whole(Log(chain)), why).startswith(f"position {at}: ")


def test_checkpoints_of_the_first_line_must_grow_and_hold() -> None:
    must_refuse(read, whole(LOG, LOG.checkpoint(5), LOG.checkpoint(5)), "do not grow")
    must_refuse(read, whole(LOG, LOG.checkpoint(7)), "do not grow")
    fork = Log(swapped(LOG, 0, altered(LOG.events[0], actor="chief@county")))
    must_refuse(read, whole(LOG, fork.checkpoint(5)), "signed root of 5")
    assert read(whole(LOG, LOG.checkpoint(1), LOG.checkpoint(5)))


def test_a_long_record_takes_no_more_memory() -> None:
    raw = whole(small(3000))
    peak = []
    for part_ in (whole(small(300)), raw):
        tracemalloc.start()
        read(part_)
        peak.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peak[1] < peak[0] * 1.5
    must_refuse(read, b"x" * 2_000_000, "it is too long")


# A part --------------------------------------------------------------------------------------------------------------


def test_a_part_of_the_record() -> None:
    assert read_part(part(LOG, 0, 2, 4, 6))[1:] == (4, 0, 1)
    assert read_part(part(LOG, 0, 1, 2, 3, hidden=(0, 3)))[1:] == (4, 2, 2)


def test_no_bit_of_a_part_counts_for_nothing() -> None:
    no_bit_counts_for_nothing(read_part, part(small(2), 0, 1, hidden=(1,)))


def test_the_first_wrong_position_of_a_part() -> None:
    head, *rows, end = part(LOG, 0, 2, 4, 6).splitlines(keepends=True)
    zero, two, four, six = rows
    newest = matter.line(6, LOG.path(6), altered(LOG.events[6], actor="chief@county").bytes)
    for lines, said in (
        ((zero, four, six, matter.end(3)), "position 4: version 3 of"),
        ((two, four, six, matter.end(3)), "position 2: version 2 of"),
        ((zero, four, two, six, end), "position 4: version 3 of"),
        ((zero, two, two, four, end), "line 4, position 2: it stands twice"),
        ((zero, two, four.replace(b'"index":4', b'"index":5'), six, end), "position 5: the log does not hold this"),
        ((zero, two, four, newest, end), "position 6: the log does not hold this there"),
        ((zero, two, four, end), "line 5: 3 events stand before the end, which says otherwise"),
        ((zero, two, four, six), "the file was cut: its last line is missing"),
        ((zero, two, four, six, end, end), "line 7: something stands behind the end"),
        ((matter.end(0),), "the file holds no event"),
    ):
        assert must_refuse(read_part, head + b"".join(lines)).startswith(said)
    must_refuse(read_part, whole(LOG), "line 1: it is not made of matter")
    must_refuse(read, part(LOG, 0), "line 1: it is not made of record")


def test_the_chain_holds_over_an_event_that_is_not_shown() -> None:
    other = leaf_of(altered(LOG.events[0], actor="chief@county"))
    assert other.value_sha256 != LOG.events[2].previous
    assert read_part(part(LOG, 0, 2, hidden=(0,))).withheld == 1
