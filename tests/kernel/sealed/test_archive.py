"""The sealed archive: an independent tool finds it whole, nothing can be changed in it, and erased words may go."""

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import bagit
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import catalogue
from schemas.envelope import Event
from schemas.fields import WordsRef
from services.kernel.sealed import archive, first_day, matter, zipped
from services.kernel.sealed.trust import SplitView, Trust
from services.kernel.tlog import Refused
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.proof import Proof
from tests.kernel.sealed.small import flips, must_refuse
from tests.kit.logs import KEY, ORIGIN, WITNESSES, Log, signer
from tests.kit.spec import NOW

pytestmark = pytest.mark.requirement("AUD-02")
MATTER, REPORT = "incident-01890a5d-ac96-774b-bcce-b302099a8057", "report-01890a5d-ac96-774b-bcce-b302099a8059"
OPERATIONS = "operation-01890a5d-ac96-774b-bcce-b302099a8060"
SALT, TOLD, PICTURE, TOKEN = b"s" * 16, "路灯不亮", b"\x89PNG picture", "a" * 32
REF, OTHER = "01890a5d-c3d4-7e5f-8a6b-7c8d9e0f1a2b", "01890a5d-c3d4-7e5f-8a6b-7c8d9e0f1a2c"
BASE = "town-east-2026-00042/"


def event(
    at: int, type_: str, stream: str, version: int, before: Event | None = None, /, by: str = "", **data: Any
) -> Event:
    by = by or catalogue.owner(catalogue.kind_of(stream), "audit")
    attributes = {
        "specversion": "1.0",
        "id": f"01890a5d-b2a1-7cc0-9d2e-4f6a8b0c{at:04x}",
        "source": f"/huiying/county/{by}",
        "type": f"huiying.{type_}.v1",
        "subject": stream,
        "time": (text := (NOW + timedelta(minutes=at)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")),
        "recordedtime": text,
        "partitionkey": stream,
        "streamversion": version,
        **({"previousdigest": before.digest} if before else {}),
        "data": data,
    }
    return Event.parse(orjson.dumps(attributes))


def words(ref: str, told: str) -> dict[str, str]:
    return WordsRef(ref=ref, digest=hashlib.sha256(SALT + told.encode()).hexdigest()).model_dump()


@cache
def past() -> tuple[Event, ...]:
    """A report with words and a picture, its matter, and an event of another matter."""
    received = event(1, "report.received", REPORT, 1, text=words(REF, TOLD), subject=words(OTHER, "标题"))
    shown = {"file": TOKEN, "sha256": hashlib.sha256(PICTURE).hexdigest(), "size": len(PICTURE)}
    attached = event(2, "report.evidence_attached", REPORT, 2, received, **shown)
    other = event(3, "incident.opened", MATTER[:-1] + "1", 1)
    return received, attached, other, event(4, "incident.opened", MATTER, 1, report=REPORT)


def payload(log: Log, size: int) -> dict[str, bytes]:
    rows = [matter.line(at, log.path(at, size), log.events[at].bytes) for at in (0, 1, 3)]
    return {
        archive.RECORD: matter.head(log.checkpoint(size)) + b"".join(rows) + matter.end(3),
        f"{archive.WORDS}{REF}.txt": archive.words_file(SALT, TOLD),
        f"{archive.WORDS}{OTHER}.txt": archive.words_file(SALT, "标题"),
        f"{archive.FILES}{TOKEN}": PICTURE,
        "data/index.txt": "东镇回应\n".encode(),
    }


def sealed(files: dict[str, bytes], size: int, by: str = "audit") -> tuple[dict[str, bytes], Event]:
    """The files with their manifests, and the event that seals them."""
    info = b"External-Identifier: town-east-2026-00042\n"
    manifest = archive.listing({path: hashlib.sha256(content).hexdigest() for path, content in files.items()})
    tags = archive.tags(info, manifest)
    told = {"record": MATTER, "sha256": hashlib.sha256(tags).hexdigest(), "log_size": size}
    seal = event(5, "operation.archive_sealed", OPERATIONS, 1, by=by, **told)
    listed = {archive.BAGIT: archive.DECLARATION, archive.INFO: info, archive.MANIFEST: manifest, archive.TAGS: tags}
    return files | listed, seal


def made(
    *more: Event,
    lacks: tuple[str, ...] = (),
    gone: tuple[int, ...] = (),
    change: Mapping[str, bytes | None] | None = None,
    by: str = "audit",
) -> bytes:
    """An archive, with further events in the log behind the seal, without some paths, with erasures, or altered."""
    size = len(past())
    files, seal = sealed(payload(Log(past()), size), size, by)
    log = Log([*past(), seal, *more])
    files |= {archive.SEAL: seal.bytes, archive.SEAL_PROOF: log.proof(size), archive.JOINED: log.consistency(size)}
    for at in gone:
        name = f"{archive.GONE}{log.events[at].id}"
        files |= {f"{name}.json": log.events[at].bytes, f"{name}.tlog-proof": log.proof(at)}
    changed = {**files, **dict.fromkeys(lacks), **(change or {})}
    return zipped_of({path: content for path, content in changed.items() if content is not None})


def zipped_of(files: Mapping[str, bytes]) -> bytes:
    to = io.BytesIO()
    zipped.write(to, [zipped.entry(BASE + path, content) for path, content in files.items()])
    return to.getvalue()


def erased(at: int = 6, **data: Any) -> Event:
    return event(at, "report.erased", REPORT, 3, past()[1], **data)


TRUST = Log(()).trust()


def read(raw: bytes, trust: Trust = TRUST) -> archive.Held:
    return archive.verify(io.BytesIO(raw), trust)


def test_an_archive_and_an_independent_tool(tmp_path: Path) -> None:
    held = read(made())
    assert (held.incident, held.events, held.words, held.files, held.gone, held.elsewhere) == (MATTER, 3, 2, 1, (), 0)
    assert held.seal.position == 4
    with zipfile.ZipFile(io.BytesIO(made())) as file:
        assert file.testzip() is None
        file.extractall(tmp_path)
    bag = bagit.Bag(str(tmp_path / BASE))
    assert bag.is_valid()
    (tmp_path / BASE / "data" / "index.txt").write_text("改过")
    assert not bagit.Bag(str(tmp_path / BASE)).is_valid()


def test_no_bit_of_an_archive_counts_for_nothing() -> None:
    raw = made()
    read(raw)
    passed = [at for at, bad in flips(raw) if not _refused(bad)]
    assert not passed, f"bits {passed[:20]} may be anything"
    for at in range(0, len(raw), 7):
        assert _refused(raw[:at])
        assert _refused(raw[:at] + raw[at + 1 :])
    assert _refused(raw + b"\0")


def test_no_bit_of_a_file_in_it_counts_for_nothing_if_its_sum_is_made_right() -> None:
    """Whoever alters an archive writes the ZIP anew."""
    raw = made(erased(refs=[REF], files=[]), lacks=(f"{archive.WORDS}{REF}.txt",), gone=(5,))
    read(raw)
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        files = {name.removeprefix(BASE): file.read(name) for name in file.namelist()}
    for path, content in files.items():
        # The seals and erasures have been flipped as events with proofs: every bit of the rest, some of theirs.
        step = 7 if path.startswith(("seal/", "gone/")) or path == archive.RECORD else 1
        for at, (_, bad) in enumerate(flips(content)):
            if at % step == 0:
                assert _refused(zipped_of({**files, path: bad})), (path, at)
        assert _refused(zipped_of({name: told for name, told in files.items() if name != path})), path
        assert _refused(zipped_of({**files, f"{path}x": content})), path


def _refused(raw: bytes) -> bool:
    try:
        read(raw)
    except Refused:
        return True
    return False


def test_erased_words_and_files_are_said_as_gone() -> None:
    ref, token = f"{archive.WORDS}{REF}.txt", f"{archive.FILES}{TOKEN}"
    held = read(made(erased(refs=[REF], files=[TOKEN]), lacks=(ref, token), gone=(5,)))
    assert (held.words, held.files, held.gone) == (1, 0, (token, ref))
    must_refuse(read, made(lacks=(ref,)), "missing, and no erasure in the log says so")
    must_refuse(read, made(erased(refs=[OTHER]), lacks=(ref,), gone=(5,)), "it erased nothing of this archive")
    must_refuse(read, made(erased(refs=[REF]), gone=(5,)), "it erased nothing of this archive")
    must_refuse(
        read, made(erased(refs=["data/index.txt", REF]), lacks=("data/index.txt",), gone=(5,)), "erased nothing"
    )
    both = erased(refs=[REF, "index"])
    must_refuse(read, made(both, lacks=(ref, "data/index.txt"), gone=(5,)), "data/index.txt: it is missing")
    other = event(6, "incident.noted", MATTER, 2, past()[3], refs=[REF])
    must_refuse(read, made(other, lacks=(ref,), gone=(5,)), "it erased nothing")


def test_a_forged_archive() -> None:
    forged = orjson.dumps({**orjson.loads(_file(archive.SEAL)), "actor": "chief@county"})
    for change, why in (
        ({archive.SEAL: None}, "seal/event.json: it is missing"),
        ({archive.SEAL: forged}, "seal/event.json: position 4 does not hold this event"),
        ({archive.SEAL: past()[0].bytes, archive.SEAL_PROOF: Log(past()).proof(0)}, "seals no archive"),
        ({archive.JOINED: None}, "nothing joins 5 events"),
        ({archive.TAGS: b""}, "is not the one that the log sealed"),
        ({archive.INFO: b"Contact-Name: x\n"}, "was altered"),
        ({archive.MANIFEST: b""}, "was altered"),
        ({"data/more.txt": b""}, "data/more.txt: it was added"),
        ({"more.txt": b""}, "more.txt: it was added"),
        ({"data/index.txt": b"x"}, "data/index.txt: it was altered"),
        ({"data/index.txt": None}, "data/index.txt: it is missing, and no erasure"),
        ({archive.RECORD: None}, "data/record.ndjson: it is missing"),
    ):
        must_refuse(read, made(change=change), why)
    with pytest.raises(Refused, match="no known key"):
        read(made(), Trust((signer(ORIGIN, 9).verifier,)))
    assert KEY.verifier.name == ORIGIN


def _file(path: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(made())) as file:
        return file.read(BASE + path)


def test_only_the_plain_form_of_a_zip() -> None:
    files = {"a/b": b"x" * 100}
    for compression, name in (
        (zipfile.ZIP_DEFLATED, "a/b"),
        (zipfile.ZIP_STORED, "../b"),
        (zipfile.ZIP_STORED, "/etc/b"),
    ):
        to = io.BytesIO()
        with zipfile.ZipFile(to, "w", compression) as file:
            file.writestr(name, b"0" * 1_000_000)
        must_refuse(read, to.getvalue(), "packed anew|is no name here")
    for names in (
        ("a/b", "a/b"),
        ("b/a", "a/b"),
        ("a/.b", "a/c"),
        ("A/b", "a/b"),
        ("a//b", "a/b"),
        ("a/" * 9 + "b", "z"),
    ):
        listed, raw, at = b"", b"", 0
        for name in names:
            head = zipped._local(name, 0, 0)
            raw, listed, at = raw + head, listed + zipped._central(name, 0, 0, at), at + len(head)
        must_refuse(read, raw + listed + zipped._end(2, len(listed), at), "is no name here, or it is out of order")
    assert files
    must_refuse(read, b"", "this is no archive")
    with pytest.raises(ValueError, match="changed while"):
        zipped.write(io.BytesIO(), [zipped.Entry("a/b", 2, 0, (b"x",))])


def test_proof_and_checkpoint_of_an_erasure_are_those_of_the_seal() -> None:
    later = erased(refs=[REF])
    log = Log([*past(), Event.parse(_file(archive.SEAL)), later])
    name = f"{archive.GONE}{later.id}"
    older = Proof(5, log.path(5), log.checkpoint()).written
    change: dict[str, bytes | None] = {f"{name}.json": later.bytes, f"{name}.tlog-proof": older}
    must_refuse(read, made(lacks=(f"{archive.WORDS}{REF}.txt",), change=change), "does not belong to this archive")


def test_a_record_of_another_tree_and_a_seal_of_the_same_size() -> None:
    forged = Log([*past(), event(9, "incident.opened", MATTER[:-1] + "2", 1)])
    files, seal = sealed(payload(forged, 5), 5)
    public = Log([*(event(20 + at, "incident.opened", MATTER[:-1] + str(at), 1) for at in range(4)), seal])
    raw = zipped_of(files | {archive.SEAL: seal.bytes, archive.SEAL_PROOF: public.proof(4)})
    must_refuse(lambda bad: read(bad, public.trust(public.checkpoint(3))), raw, "is among the 5 events that it seals")
    # The same two trees, of which the seal stands behind the record.
    trust = Trust((KEY.verifier,), roots={5: forged.root()})
    with pytest.raises(SplitView, match="two different records of 5 events"):
        trust.must_include_seen(Checkpoint(ORIGIN, 5, public.root()), [])


def test_only_audit_seals_and_only_the_owner_erases() -> None:
    must_refuse(read, made(by="triage"), "triage seals no archive, only audit does")
    ref = f"{archive.WORDS}{REF}.txt"
    requested = "words-01890a5d-ac96-774b-bcce-b302099a8061"
    for of, by, fits in ((REPORT, "ingest", True), (REPORT, "triage", False), (MATTER, "ingest", False)):
        order = event(6, "words.erased", requested, 1, by=by, stream=of, refs=[REF])
        raw = made(order, lacks=(ref,), gone=(5,))
        if fits:
            assert read(raw).gone == (ref,)
        else:
            must_refuse(read, raw, "it erased nothing of this archive")
    must_refuse(read, made(erased(by="publish", refs=[REF]), lacks=(ref,), gone=(5,)), "it erased nothing")


def test_the_key_of_the_record_may_be_revoked_since_and_its_root_is_proven_by_the_seal() -> None:
    former = signer(ORIGIN, 9)
    size = len(past())

    def raw(record: Log, *lacks: str, origin: str = ORIGIN) -> bytes:
        key = signer(origin, 9)
        files, seal = sealed(payload(Log(record.events, key), size), size)
        log = Log([*past(), seal])
        proofs = {archive.SEAL: seal.bytes, archive.SEAL_PROOF: log.proof(size), archive.JOINED: log.consistency(size)}
        return zipped_of({path: told for path, told in (files | proofs).items() if path not in lacks})

    held = read(raw(Log(past())))
    assert (held.events, held.seal.position) == (3, 4)
    must_refuse(read, raw(Log(past()), archive.JOINED), "nothing joins 5 events")
    forged = Log([past()[0], past()[1], event(3, "incident.opened", MATTER[:-1] + "2", 1), past()[3]])
    must_refuse(read, raw(forged), "the log does not go on from what was seen")
    must_refuse(read, raw(Log(past()), origin="log.example/other"), "is of log.example/other, not of")
    seen = Log(past()).trust()
    seen.roots[size] = forged.root()
    must_refuse(lambda bad: read(bad, seen), raw(Log(past())), "SPLIT VIEW")
    both = Trust((KEY.verifier, former.verifier), tuple(one.verifier for one in WITNESSES), 1)
    must_refuse(lambda bad: read(bad, both), raw(Log(past())), "0 of the witnesses signed it")


def test_what_is_to_be_sealed_rests_on_a_signed_checkpoint() -> None:
    size = len(past())
    for key, why in ((KEY, None), (signer(ORIGIN, 9), "no known key")):
        log = Log(past(), key)
        files, _ = sealed(payload(log, size), size)
        unsealed = archive.Unsealed(MATTER, hashlib.sha256(files[archive.TAGS]).hexdigest(), size)
        source = io.BytesIO(zipped_of(files))
        if why is None:
            archive.must_hold(source, TRUST, unsealed, log.checkpoint())
        else:
            with pytest.raises(Refused, match=why):
                archive.must_hold(source, TRUST, unsealed, log.checkpoint())


ODD: Any = st.sampled_from(
    [None, True, -1, 1.5, 2**31, 2**63, 2**64 - 1, 1e308, "", "x", "9999-12-31T23:59:59.999999Z"]
)
ODD = ODD | st.lists(ODD, max_size=2) | st.dictionaries(st.sampled_from(["ref", "digest", "file", "sha256"]), ODD)


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(("refs", "files", "stream"), ODD)), st.sampled_from(archive.ERASURES))
def test_an_event_may_say_anything_and_is_refused_in_a_sentence(told: dict[str, Any], type_: str) -> None:
    stream = REPORT if type_.startswith("huiying.report") else OPERATIONS.replace("operation", "words")
    odd = event(6, type_.removeprefix("huiying.").removesuffix(".v1"), stream, 1, **told)
    raw = made(odd, lacks=(f"{archive.WORDS}{REF}.txt",), gone=(5,))
    with contextlib.suppress(Refused):
        read(raw)
    day = first_day.Window("2026-03-02T09:00:00.000000Z", (), {}).line
    for name in ("report", "reports", "discovered_at"):
        check = first_day.Check(io.BytesIO(day), MATTER, "w/", "f/")
        check.see(1, event(7, "incident.split", MATTER, 1, **{name: told["refs"]}))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(made()) - 4), st.sampled_from([0, 1, 2**16 - 1, 2**31, 2**32 - 1]))
def test_a_number_of_the_zip_may_be_anything_and_is_refused_in_a_sentence(at: int, number: int) -> None:
    raw = made()
    with contextlib.suppress(Refused):
        read(raw[:at] + number.to_bytes(4, "little") + raw[at + 4 :])
