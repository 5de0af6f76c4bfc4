"""`huiying verify` as a stranger uses it: files, keys and checkpoints on the command line, nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.apps import cli
from services.kernel.sealed.archive import WORDS
from services.kernel.tlog.note import COSIGNATURE, Note, encoded
from services.kernel.tlog.proof import Proof
from tests.kernel.sealed.small import part, small, whole
from tests.kernel.sealed.test_archive import MATTER, REF, erased, made
from tests.kit.logs import KEY, WITNESSES, Log, signer

LOG = Log(small().events, witnesses=WITNESSES)
VKEY = KEY.verifier.vkey
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types a command in a folder that holds the files of the log. Returns code, output and errors."""
    monkeypatch.chdir(tmp_path)
    files = {
        "event.json": LOG.events[5].bytes,
        "event.tlog-proof": LOG.proof(5),
        "record.ndjson": whole(LOG),
        "matter.ndjson": part(LOG, 0, 2, 4, 6, hidden=(2,)),
        "archive.zip": made(erased(refs=[REF]), lacks=(f"{WORDS}{REF}.txt",), gone=(5,)),
        "old": LOG.checkpoint(3),
        "joined": LOG.consistency(3),
        "fork": Log(small().events[::-1]).checkpoint(),
        "keys": (signer("log.example/county", 9).verifier.vkey + "\n" + VKEY + "\n").encode(),
        "witnesses": "".join(one.verifier.vkey + "\n" for one in WITNESSES).encode(),
        "stranger": signer("other.example/x", 8, COSIGNATURE).verifier.vkey.encode(),
        "altered": LOG.events[5].bytes.replace(b"town", b"city").replace(b"test", b"tset"),
    }
    for name, content in files.items():
        Path(name).write_bytes(content)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.execute(["verify", *arguments])
        return code, *capsys.readouterr()

    return run


def test_an_event_a_record_and_a_matter_are_proven_by_the_key(typed: Typed) -> None:
    code, said, beside = typed("event", "event.json", "event.tlog-proof", "--key", VKEY)
    assert code == 0
    assert said.splitlines()[0].startswith(f"{LOG.events[5].type} {LOG.events[5].id}, version 3 of incident-")
    assert said.splitlines()[-1].startswith("proven: position 5 in the log log.example/county of 7 events, root ")
    assert "witnesses and checkpoints seen elsewhere tell" in beside
    for *arguments, what in (
        ("record", "record.ndjson", "all 7 events of 2 streams"),
        ("matter", "matter.ndjson", "4 events of 1 streams, 1 of them without their content"),
    ):
        code, said, beside = typed(*arguments, "--key", "keys", "--witness", "witnesses")
        assert (code, said.startswith(f"proven: {what} in the log")) == (0, True)
        assert f"root {encoded(LOG.root())}" in said
        assert [line.partition(" signed it at ")[0] for line in said.splitlines()[1:]] == [
            f"witness {one.verifier.name}" for one in WITNESSES
        ]
        assert said.count("2027-01-15 08:00:00 UTC") == 2
        assert beside == ""


@pytest.mark.parametrize("at", [0, 253_402_214_400, 253_402_300_799, 253_402_300_800, 2**62, 2**63 - 1])
def test_a_witness_may_say_any_time_and_no_clock_fails_on_it(typed: Typed, at: int) -> None:
    text = Note.parse(LOG.checkpoint()).text
    written = Note(text, (KEY.sign(text), WITNESSES[0].sign(text, at))).written
    Path("event.tlog-proof").write_bytes(Proof(5, LOG.path(5), written).written)
    witness = ("--witness", WITNESSES[0].verifier.vkey)
    code, said, beside = typed("event", "event.json", "event.tlog-proof", "--key", VKEY, *witness)
    assert "Traceback" not in said + beside
    assert code == (at > 253_402_214_400)
    assert ("not proven" in said and "which no clock shows" in said) == bool(code)


def test_an_archive_is_proven_and_says_what_was_erased(typed: Typed) -> None:
    code, said, _ = typed("archive", "archive.zip", "--key", VKEY)
    assert code == 0
    assert said.splitlines()[:2] == [
        f"erased: {WORDS}{REF}.txt",
        f"{MATTER}, sealed by system, unit -, recorded 2026-03-02 09:05:00 UTC",
    ]
    assert "sealed at position 4, with 3 events, 1 texts, 1 files, 1 erased, in the log" in said
    code, said, beside = typed("archive", "record.ndjson", "--key", VKEY)
    assert (code, "not proven: byte 0" in said) == (1, True), beside


def test_what_was_seen_earlier_must_be_a_part_of_it(typed: Typed) -> None:
    asked = ("record", "record.ndjson", "--key", VKEY, "--seen", "old", "--witness", "stranger")
    code, said, _ = typed(*asked)
    assert (code, "0 of the witnesses signed it" in said) == (1, True)
    code, said, _ = typed(*asked, "--need=0")
    assert code == 0
    assert "the checkpoint of 3 events that you gave and this one are of one log" in said
    assert "witness other.example/x did not sign it" in said
    for arguments in (("event", "event.json", "event.tlog-proof"), ("matter", "matter.ndjson")):
        code, said, _ = typed(*arguments, "--key", VKEY, "--seen", "old")
        assert code == 1
        assert "GET /audit/v1/log/proof/consistency?old=3&size=7, which needs no account, and give it" in said
        assert typed(*arguments, "--key", VKEY, "--seen", "old", "--consistency", "joined")[0] == 0
    for arguments in (("record", "record.ndjson"), ("matter", "matter.ndjson")):
        code, said, _ = typed(*arguments, "--key", VKEY, "--seen", "fork")
        assert code == 1
        assert "SPLIT VIEW" in said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("event", "altered", "event.tlog-proof", "--key", VKEY), "position 5 does not hold this event"),
        (("record", "matter.ndjson", "--key", VKEY), "line 1: it is not made of record"),
        (("matter", "record.ndjson", "--key", VKEY), "line 1: it is not made of matter"),
        (("record", "record.ndjson", "--key", signer("log.example/county", 9).verifier.vkey), "no known key"),
        (("record", "event.json", "--key", VKEY), "line 1: it is cut off"),
    ],
)
def test_1_where_the_file_does_not_hold(typed: Typed, arguments: tuple[str, ...], why: str) -> None:
    code, said, _ = typed(*arguments)
    assert code == 1
    assert said.startswith("not proven: ")
    assert why in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("record", "record.ndjson"), "Missing option '--key'"),
        (("record", "record.ndjson", "--key", "no+12345678+key"), "is not written in"),
        (("record", "record.ndjson", "--key", "old"), "is no Ed25519 key"),
        (("record", "record.ndjson", "--key", "abc"), "'abc' is no key (name+number+key), and no file of such lines"),
        (("record", "nothing", "--key", VKEY), "nothing: No such file"),
        (("record", "record.ndjson", "--key", VKEY, "--seen", "keys"), "keys: "),
        (("record", "record.ndjson", "--key", VKEY, "--need", "1"), "1 witnesses are asked for, but 0 are given"),
        (("record", "record.ndjson", "--key", VKEY, "--witness", VKEY), "nobody is a witness of their own log"),
        (
            ("record", "record.ndjson", "--key", VKEY, *("--witness", WITNESSES[0].verifier.vkey) * 2, "--need", "2"),
            "2 witnesses are asked for, but 1 are given",
        ),
        (("record", "record.ndjson", "--key", VKEY, "--key", signer("b", 1).verifier.vkey), "of several logs"),
        (("event", "event.json", "record", "--key", VKEY), "record: No such file"),
        (("anything", "record.ndjson"), "No such command"),
    ],
)
def test_2_where_it_is_used_wrongly(typed: Typed, arguments: tuple[str, ...], why: str) -> None:
    code, said, beside = typed(*arguments)
    assert (code, said) == (2, "")
    assert why in beside
