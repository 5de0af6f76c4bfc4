"""The packages, made of the timeline, the tree and the words of audit. Files are read if their folder is here."""

import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.ingest import ReportErased
from schemas.operation import OperationArchiveSealed
from schemas.words import WordsErased
from services.audit import queries
from services.audit.log import growing
from services.audit.views import CHECKPOINTS, METADATA, TIMELINE
from services.kernel.core.problems import Rejected, Unavailable
from services.kernel.sealed import archive, matter, zipped
from services.kernel.sealed.archive import Named
from services.kernel.sealed.zipped import PIECE, Entry
from services.kernel.tlog import tree
from services.kernel.tlog.proof import Proof
from services.kernel.tlog.witness import Request

PAGE = 500


class Signed(NamedTuple):
    """The newest checkpoint."""

    size: int
    note: bytes


class Row(NamedTuple):
    """An event at its position."""

    position: int
    event: Event


async def signed(connection: AsyncConnection) -> Signed:
    """The newest checkpoint. Raises `Unavailable` before the first one."""
    chosen = select(CHECKPOINTS.c.size, CHECKPOINTS.c.note).order_by(CHECKPOINTS.c.size.desc()).limit(1)
    found = (await connection.execute(chosen)).first()
    if found is None:
        raise not_signed()
    return Signed(found.size, bytes(found.note))


def not_signed() -> Unavailable:
    """What is said while the log has not signed what the package rests on."""
    return Unavailable(
        "the log has not signed the newest events yet; try again in a few seconds", 5, code="not-signed-yet"
    )


async def rows(connection: AsyncConnection, incident: str, size: int) -> list[Row]:
    """The events of a matter in the first `size` positions, in their order."""
    found: list[Row] = []
    after: queries.Place | None = queries.FIRST
    while after is not None:
        page, after = await queries.timeline(connection, incident, size, None, (), after, PAGE)
        found += [Row(row.position, Event.parse(row.bytes)) for row in page]
    return sorted(found)


async def record_of(
    connection: AsyncConnection, found: Iterable[Row], checkpoint: Signed, withheld: Iterable[str] = ()
) -> bytes:
    """The file of a part of the record. Events of the kinds of stream in `withheld` stand without their content."""
    hidden, parts, count = frozenset(withheld), [matter.head(checkpoint.note)], 0
    for position, event in found:
        path = await growing.hashes(connection, tree.inclusion(position, checkpoint.size))
        shown = event.kind not in hidden
        parts.append(matter.line(position, path, event.bytes) if shown else matter.withheld(position, path, event))
        count += 1
    return b"".join([*parts, matter.end(count)])


def named_in(found: Iterable[Row]) -> Named:
    """The words and files that events name."""
    named = Named()
    for _, event in found:
        archive.note(event, named)
    return named


async def words_of(connection: AsyncConnection, named: Named) -> dict[str, bytes]:
    """Reference -> the file of the words, for those that exist. Raises `Unavailable` if some have not come yet."""
    contents, erased, found = METADATA.tables["contents"], METADATA.tables["erased"], dict[str, bytes]()
    gone: set[str] = set()
    refs = sorted(named.words)
    for start in range(0, len(refs), PAGE):
        part = refs[start : start + PAGE]
        for row in await connection.execute(select(contents).where(contents.c.ref.in_(part))):
            found[row.ref] = archive.words_file(bytes(row.salt), row.words)
        gone |= set((await connection.execute(select(erased.c.ref).where(erased.c.ref.in_(part)))).scalars())
    if lacking := [ref for ref in refs if ref not in found and ref not in gone and ref not in named.erased]:
        raise Unavailable(
            f"{len(lacking)} texts of the matter have not reached audit yet; try again in a few seconds",
            5,
            code="words-not-here-yet",
            count=len(lacking),
        )
    return found


def files_of(data: Path, named: Named) -> dict[str, Path]:
    """Token -> path, of the files of reports and statements that are here, if services share a machine.

    A token comes from an event, and events may be forged: it must not be a path.
    """
    tokens = [token for token in sorted(named.files) if token.isalnum() and zipped.is_name(token)]
    places = {token: (data / "evidence" / token, data / "attachments" / token) for token in tokens}
    return {token: path for token, paths in places.items() for path in paths if path.is_file()}


def unaltered(files: Mapping[str, Path], named: Named) -> dict[str, Path]:
    """Those that have the digest which the record names."""
    return {token: path for token, path in files.items() if _sha256(path) == named.files[token]}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Core(NamedTuple):
    """What of an archive never changes."""

    digest: str
    """The one that the seal names."""
    content: bytes
    """A ZIP of these files."""


def core(base: str, fixed: Mapping[str, bytes], words: Mapping[str, bytes], files: Mapping[str, str]) -> Core:
    """The fixed files of an archive with its manifests. Words by path and files, path -> SHA-256, stand apart."""
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in {**fixed, **words}.items()} | dict(files)
    info = f"Bag-Software-Agent: Huiying\nExternal-Identifier: {base}\n".encode()
    manifest = archive.listing(digests)
    tags = archive.tags(info, manifest)
    told = {
        **fixed,
        archive.BAGIT: archive.DECLARATION,
        archive.INFO: info,
        archive.MANIFEST: manifest,
        archive.TAGS: tags,
    }
    to = io.BytesIO()
    zipped.write(to, [zipped.entry(f"{base}/{path}", content) for path, content in told.items()])
    return Core(hashlib.sha256(tags).hexdigest(), to.getvalue())


async def seals(connection: AsyncConnection, incident: str) -> list[Event]:
    """The seals of a matter, oldest first, also those that the log has not taken in yet."""
    events = METADATA.tables["events"]
    chosen = select(events.c.bytes).where(events.c.type.in_(upcast.types_of(OperationArchiveSealed)))
    found = [Event.parse(bytes_) for bytes_ in (await connection.execute(chosen)).scalars()]
    mine = [event for event in found if event.attributes["data"]["record"] == incident]
    return sorted(mine, key=lambda event: (event.recorded_text, event.id))


async def placed(connection: AsyncConnection, event: Event, checkpoint: Signed) -> Row:
    """An event at its position. Raises `Unavailable` if the checkpoint does not cover it."""
    chosen = select(TIMELINE.c.position).where(TIMELINE.c.event_id == event.id, TIMELINE.c.position < checkpoint.size)
    position = (await connection.execute(chosen)).scalar()
    if position is None:
        raise not_signed()
    return Row(position, event)


async def proving(connection: AsyncConnection, seal: Row, checkpoint: Signed, before: int) -> dict[str, bytes]:
    """The files that prove a seal, whose record rests on the first `before` events."""
    told = {archive.SEAL: seal.event.bytes, archive.SEAL_PROOF: await _proof(connection, seal.position, checkpoint)}
    if before != checkpoint.size:
        path = await growing.hashes(connection, tree.consistency(before, checkpoint.size))
        told[archive.JOINED] = Request(before, tuple(path), checkpoint.note).written
    return told


async def gone(connection: AsyncConnection, lacking: set[str], checkpoint: Signed) -> dict[str, bytes]:
    """The erasures of these references and tokens, with proofs.

    Raises `Unavailable` if the log has not signed one yet, `Rejected` if there is none.
    """
    t, told, left = TIMELINE.c, dict[str, bytes](), set(lacking)
    if not left:
        return told
    types = upcast.types_of(ReportErased, WordsErased)
    chosen = select(t.position, t.bytes).where(t.type.in_(types)).order_by(t.position)
    for row in await connection.execute(chosen):
        event = Event.parse(row.bytes)
        if not archive.erased_by(event) & left:
            continue
        if row.position >= checkpoint.size:
            raise not_signed()
        left -= archive.erased_by(event)
        name = f"{archive.GONE}{event.id}"
        told |= {f"{name}.json": event.bytes, f"{name}.tlog-proof": await _proof(connection, row.position, checkpoint)}
    if left:
        raise Rejected(
            f"{len(left)} words or files of the archive are missing here, and no erasure says so; put them back from a "
            "backup",
            code="archive-incomplete",
            count=len(left),
        )
    return told


async def _proof(connection: AsyncConnection, position: int, checkpoint: Signed) -> bytes:
    path = await growing.hashes(connection, tree.inclusion(position, checkpoint.size))
    return Proof(position, tuple(path), checkpoint.note).written


def whole(base: str, fixed: bytes, more: Mapping[str, bytes], files: Mapping[str, Path]) -> Iterator[Entry]:
    """All entries of an archive: the fixed ones, further ones, and files by their path."""
    source = io.BytesIO(fixed)
    for name, placed in zipped.read(source).items():
        yield zipped.entry(name, b"".join(zipped.content(source, placed)))
    for path, content in more.items():
        yield zipped.entry(f"{base}/{path}", content)
    for path, file in files.items():
        yield _entry(f"{base}/{path}", file)


def _entry(name: str, path: Path) -> Entry:
    crc, size = 0, 0
    for piece in _pieces(path):
        crc, size = zlib.crc32(piece, crc), size + len(piece)
    return Entry(name, size, crc, _pieces(path))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def listed_in(fixed: bytes) -> tuple[str, dict[str, str]]:
    """The folder of an archive, and path -> SHA-256 of its manifest."""
    source = io.BytesIO(fixed)
    placed = zipped.read(source)
    base = next(iter(placed)).partition("/")[0]
    raw = b"".join(zipped.content(source, placed[f"{base}/{archive.MANIFEST}"])).decode()
    return base, {path: sha256 for sha256, _, path in (line.partition("  ") for line in raw.splitlines())}


def parts_file(parts: Sequence[str], missing: Mapping[str, str], away: Sequence[str]) -> bytes:
    """The list of parts for machines: those there, those missing with their reasons, and files that are elsewhere."""
    told: dict[str, Any] = {"parts": list(parts), "missing": dict(missing), "elsewhere": list(away)}
    return orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n"
