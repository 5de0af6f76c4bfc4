"""The sealed archive of a matter: a BagIt package (RFC 8493) in a plain ZIP, and an event of the log that names it.

The event names the digest of `tagmanifest-sha256.txt`, which names everything else, except what proves the event
(`seal/`) and what was erased (`gone/`). Words and files stand each in a file of its own, and can go: then an
erasure that the log holds must say so. Whoever takes one out without an erasure is found.
"""

import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

from schemas import catalogue
from schemas.envelope import MAX_BYTES, Event
from services.kernel.sealed import first_day, matter, one, zipped
from services.kernel.sealed.one import Proven
from services.kernel.sealed.strict import objects
from services.kernel.sealed.trust import Trust
from services.kernel.sealed.zipped import Placed
from services.kernel.tlog import Refused
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.proof import Proof

BAGIT, INFO, MANIFEST, TAGS = "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
RECORD, WORDS, FILES = "data/record.ndjson", "data/words/", "data/files/"
SEAL, SEAL_PROOF, JOINED = "seal/event.json", "seal/event.tlog-proof", "seal/consistency"
GONE = "gone/"
SEALED = "huiying.operation.archive_sealed.v1"
SEALER = "audit"
"""The service whose events seal archives."""
ERASURES = ("huiying.report.erased.v1", "huiying.words.erased.v1")
MOST_SMALL = 20_000_000
"""Bytes of the longest manifest."""
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)\n", re.ASCII)


class Held(NamedTuple):
    """An archive that is what the log sealed."""

    incident: str
    seal: Proven
    events: int
    words: int
    files: int
    gone: tuple[str, ...]
    """Paths of what was in it and was erased since, or had been erased before."""
    elsewhere: int
    """Files that the events name and the archive never held."""
    day: first_day.Told | None = None
    """The record of the first 24 hours, if the matter was a sudden event."""


def words_file(salt: bytes, words: str) -> bytes:
    """The file of words: their salt on a line, then the words. Who deletes it deletes both."""
    return salt.hex().encode() + b"\n" + words.encode()


def listing(digests: Mapping[str, str]) -> bytes:
    """A manifest: digest and path on each line, in order of the paths."""
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode()


def tags(info: bytes, manifest: bytes) -> bytes:
    """The manifest of the tag files. The event of the seal names its digest."""
    told = {INFO: info, BAGIT: DECLARATION, MANIFEST: manifest}
    return listing({name: hashlib.sha256(content).hexdigest() for name, content in told.items()})


def verify(source: BinaryIO, trust: Trust) -> Held:
    """Checks a whole archive. Raises `Refused` with the first wrong place."""
    return _Archive(source, trust).checked()


class Unsealed(NamedTuple):
    """What a seal is to say."""

    incident: str
    sha256: str
    """The digest of the tag manifest."""
    log_size: int


def must_hold(source: BinaryIO, trust: Trust, seal: Unsealed, note: bytes) -> None:
    """Checks an archive before it is sealed: all that `verify` checks but the seal itself.

    `note` is the checkpoint on which the record and the proofs of erasures rest. Raises `Refused`.
    """
    checkpoint, _ = _Archive(source, trust).held(seal, note)
    if checkpoint != trust.open(note):
        raise Refused(f"{RECORD}: it does not rest on the checkpoint that is signed")


@dataclass
class Named:
    """What the events of the record name."""

    words: dict[str, str] = field(default_factory=dict)
    """Reference -> salted digest."""
    files: dict[str, str] = field(default_factory=dict)
    """Token -> SHA-256."""
    erased: set[str] = field(default_factory=set)
    """References and tokens that erasures in the record name."""
    events: int = 0
    opened: bool = False


class _Archive:
    def __init__(self, source: BinaryIO, trust: Trust) -> None:
        self._source, self._trust = source, trust
        placed = zipped.read(source)
        bases = {name.partition("/")[0] for name in placed}
        if len(bases) != 1:
            raise Refused("the archive is not one folder")
        (self._base,) = bases
        self._placed = {name.partition("/")[2]: place for name, place in placed.items()}

    def checked(self) -> Held:
        seal = one.proven(self._small(SEAL, MAX_BYTES), self._small(SEAL_PROOF), self._trust, SEAL)
        if seal.event.type != SEALED:
            raise Refused(f"{SEAL}: {seal.event.type} seals no archive")
        if seal.event.service != SEALER:
            raise Refused(f"{SEAL}: {seal.event.service} seals no archive, only {SEALER} does")
        told: Any = seal.event.attributes["data"]
        wanted = Unsealed(str(told.get("record")), str(told.get("sha256")), told.get("log_size"))
        checkpoint, held = self.held(wanted, Proof.parse(self._small(SEAL_PROOF)).checkpoint)
        self._must_join(checkpoint, seal)
        return Held(wanted.incident, seal, *held)

    def held(
        self, wanted: Unsealed, note: bytes
    ) -> tuple[Checkpoint, tuple[int, int, int, tuple[str, ...], int, first_day.Told | None]]:
        """The checkpoint of the record, and the members of `Held` behind the seal."""
        self._must_be_tags(wanted)
        listed = self._manifest()
        lacking = self._payload(listed)
        day = self._first_day(wanted.incident)
        checkpoint, named = self._record(wanted, day)
        erased = named.erased | self._erasures(note, named, listed, lacking)
        told = self._compared(listed, lacking, named, erased)
        return checkpoint, (named.events, *told, day.compared(listed, erased) if day else None)

    def _must_be_tags(self, wanted: Unsealed) -> None:
        info, manifest, tag_list = self._small(INFO), self._small(MANIFEST), self._small(TAGS)
        if hashlib.sha256(tag_list).hexdigest() != wanted.sha256:
            raise Refused(f"{TAGS}: it is not the one that the log sealed")
        if self._small(BAGIT) != DECLARATION:
            raise Refused(f"{BAGIT}: it was altered")
        if tags(info, manifest) != tag_list:
            raise Refused(f"{INFO} or {MANIFEST} was altered")

    def _manifest(self) -> dict[str, str]:
        raw = self._small(MANIFEST)
        found = {path: sha256 for sha256, path in _LINE.findall(raw.decode("utf-8", "replace"))}
        if listing(found) != raw:
            raise Refused(f"{MANIFEST}: it is not written as a manifest")
        return found

    def _payload(self, listed: Mapping[str, str]) -> list[str]:
        """What the manifest lists and the archive lacks."""
        for name in self._placed:
            is_known = name in listed or name in (BAGIT, INFO, MANIFEST, TAGS, SEAL, SEAL_PROOF, JOINED)
            if not is_known and not re.fullmatch(r"gone/[0-9a-f-]{36}\.(json|tlog-proof)", name):
                raise Refused(f"{name}: it was added")
        lacking = []
        for path, sha256 in listed.items():
            if path not in self._placed:
                lacking.append(path)
            elif _sha256(self._pieces(path)) != sha256:
                raise Refused(f"{path}: it was altered")
        return lacking

    def _first_day(self, incident: str) -> first_day.Check | None:
        if (first_day.PATH in self._placed) != (first_day.PAGE in self._placed):
            raise Refused(f"{first_day.PATH} and {first_day.PAGE} stand together")
        if first_day.PATH not in self._placed:
            return None
        source = io.BufferedReader(_Part(self._source, self._placed[first_day.PATH]))
        return first_day.Check(source, incident, WORDS, FILES)

    def _record(self, wanted: Unsealed, day: first_day.Check | None) -> tuple[Checkpoint, Named]:
        if RECORD not in self._placed:
            raise Refused(f"{RECORD}: it is missing")
        # Its key may have been revoked since. What counts is that the log goes on from it to the seal.
        content = io.BufferedReader(_Part(self._source, self._placed[RECORD]))
        checkpoint, placed = matter.read(content, self._trust, signed=False)
        if checkpoint.size != wanted.log_size:
            raise Refused(f"{RECORD}: it rests on {checkpoint.size} events, and the seal says {wanted.log_size}")
        named = Named()
        for entry in placed:
            named.events += 1
            if entry.event is None:
                raise Refused(f"{RECORD}: position {entry.position} is not shown; an archive shows every event")
            named.opened |= entry.event.stream == wanted.incident and entry.event.version == 1
            note(entry.event, named)
            if day is not None:
                day.see(entry.position, entry.event)
        if not named.opened:
            raise Refused(f"{RECORD}: it is not the record of {wanted.incident}")
        return checkpoint, named

    def _must_join(self, checkpoint: Checkpoint, seal: Proven) -> None:
        if seal.position < checkpoint.size:
            raise Refused(f"{SEAL}: position {seal.position} is among the {checkpoint.size} events that it seals")
        trust = Trust(self._trust.keys, roots={checkpoint.size: checkpoint.root})
        joins = [self._small(JOINED)] if JOINED in self._placed else []
        trust.must_include_seen(seal.checkpoint, joins)

    def _erasures(self, note: bytes, named: Named, listed: Mapping[str, str], lacking: Iterable[str]) -> set[str]:
        """What the erasures under `gone` name. Each must be proven, and be the reason for something that lacks."""
        wanted = {path.rpartition("/")[2].removesuffix(".txt") for path in lacking}
        wanted |= {ref for ref in (*named.words, *named.files) if f"{WORDS}{ref}.txt" not in listed}
        found: set[str] = set()
        names = sorted(name for name in self._placed if name.startswith(GONE))
        for event_, proof in zip(names[::2], names[1::2], strict=False):
            if event_.removesuffix(".json") != proof.removesuffix(".tlog-proof"):
                raise Refused(f"{event_}: it has no proof beside it")
            raw = self._small(proof)
            erasure = one.proven(self._small(event_, MAX_BYTES), raw, self._trust, event_).event
            if Proof.parse(raw).checkpoint != note or event_ != f"{GONE}{erasure.id}.json":
                raise Refused(f"{event_}: it does not belong to this archive")
            told = erased_by(erasure)
            if not told & wanted:
                raise Refused(f"{event_}: it erased nothing of this archive")
            found |= told
        if len(names) % 2:
            raise Refused(f"{names[-1]}: it stands alone")
        return found

    def _compared(
        self, listed: Mapping[str, str], lacking: list[str], named: Named, erased: set[str]
    ) -> tuple[int, int, tuple[str, ...], int]:
        """How many words and files there are, what is gone, and how many files are elsewhere."""
        gone = []
        for path in lacking:
            if path.rpartition("/")[2].removesuffix(".txt") not in erased or not path.startswith((WORDS, FILES)):
                raise Refused(f"{path}: it is missing, and no erasure in the log says so")
            gone.append(path)
        for ref, digest in named.words.items():
            path = f"{WORDS}{ref}.txt"
            if path in self._placed:
                self._must_be_words(path, digest)
            elif path not in listed:
                if ref not in erased:
                    raise Refused(f"{path}: it is missing, and no erasure in the log says so")
                gone.append(path)
        elsewhere = 0
        for token, sha256 in named.files.items():
            path = f"{FILES}{token}"
            if listed.get(path, sha256) != sha256:
                raise Refused(f"{path}: it is not the file that the record names")
            elsewhere += path not in listed and token not in erased
        for path in listed:
            kind, _, name = path.rpartition("/")
            known = {WORDS: named.words, FILES: named.files}.get(f"{kind}/")
            if known is not None and name.removesuffix(".txt") not in known:
                raise Refused(f"{path}: no event of the record names it")
        words = sum(path in self._placed for path in listed if path.startswith(WORDS))
        files = sum(path in self._placed for path in listed if path.startswith(FILES))
        return words, files, tuple(sorted(gone)), elsewhere

    def _must_be_words(self, path: str, digest: str) -> None:
        salt, _, words = self._small(path).partition(b"\n")
        try:
            raw = bytes.fromhex(salt.decode("ascii"))
        except ValueError:
            raise Refused(f"{path}: it has no salt") from None
        if hashlib.sha256(raw + words).hexdigest() != digest:
            raise Refused(f"{path}: these are not the words of the event")

    def _small(self, name: str, most: int = MOST_SMALL) -> bytes:
        if name not in self._placed:
            raise Refused(f"{name}: it is missing")
        if self._placed[name].size > most:
            raise Refused(f"{name}: it is too long")
        return b"".join(self._pieces(name))

    def _pieces(self, name: str) -> Iterator[bytes]:
        return zipped.content(self._source, self._placed[name])


class _Part(io.RawIOBase):
    """A file inside the archive, as a stream."""

    def __init__(self, source: BinaryIO, placed: Placed) -> None:
        self._source, self._at, self._end = source, placed.start, placed.start + placed.size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._source.seek(self._at)
        read = self._source.read(min(len(buffer), self._end - self._at))
        buffer[: len(read)] = read
        self._at += len(read)
        return len(read)


def note(event: Event, named: Named) -> None:
    """Adds what an event names."""
    named.erased |= erased_by(event)
    for told in objects(event.attributes["data"]):
        if told.keys() == {"ref", "digest"}:
            named.words[str(told["ref"])] = str(told["digest"])
        elif isinstance(told.get("file"), str) and isinstance(told.get("sha256"), str):
            named.files[told["file"]] = told["sha256"]


def erased_by(event: Event) -> set[str]:
    """What an event orders to delete: references of words and tokens of files. Only their owner orders it."""
    data = event.attributes["data"]
    if event.type not in ERASURES or not _owns(event, event.kind, catalogue.kind_of(str(data.get("stream", "")))):
        return set()
    told = [data.get(name) for name in ("refs", "files")]
    return {str(one_) for listed in told if isinstance(listed, list) for one_ in listed}


def _owns(event: Event, *kinds: str) -> bool:
    """Whether the service that wrote an event owns streams of all these kinds. Each owns those of every service."""
    return all(not kind or kind in catalogue.OF_EACH or catalogue.STREAMS.get(kind) == event.service for kind in kinds)


def _sha256(pieces: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()
