"""The packages, made of the timeline, the tree and the words of audit. Files are read if their folder is here."""

import hashlib
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.fields import Fact
from schemas.ingest import ReportErased
from schemas.words import WordsErased
from services.audit import queries
from services.audit.archive.parts import FILED, SHOWN, TEXT, part_of, records_of
from services.audit.archive.retention import Kept
from services.audit.log import growing, keys
from services.audit.views import CHECKPOINTS, DECIDED, METADATA, PACKAGES, SAID, TIMELINE
from services.kernel.core.problems import Rejected, Unavailable
from services.kernel.sealed import archive, matter, zipped
from services.kernel.sealed.archive import Named, Unsealed
from services.kernel.sealed.trust import Trust
from services.kernel.sealed.zipped import PIECE, Entry
from services.kernel.store.database import Database
from services.kernel.tlog import Refused, tree
from services.kernel.tlog.proof import Proof
from services.kernel.tlog.witness import Request

PAGE = 2000


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


async def believed(connection: AsyncConnection) -> tuple[Signed, Trust]:
    """The newest checkpoint, and the keys that are believed. Raises `Unavailable` if none of these signed it.

    That is so between the revoking of a key and the next signing.
    """
    checkpoint, trust = await signed(connection), await _trust(connection)
    try:
        trust.open(checkpoint.note)
    except Refused as refused:
        raise Unavailable(
            f"the newest checkpoint of the log is not believed: {refused}. A key was revoked, and the log signs anew "
            "with the next one; try again in a few seconds",
            5,
            code="not-signed-yet",
        ) from refused
    return checkpoint, trust


async def _trust(connection: AsyncConnection) -> Trust:
    if keys_ := await keys.believed(connection):
        return Trust(tuple(keys_))
    raise not_signed()


def not_signed() -> Unavailable:
    """What is said while the log has not signed what the package rests on."""
    return Unavailable(
        "the log has not signed the newest events yet; try again in a few seconds", 5, code="not-signed-yet"
    )


async def rows(database: Database, incident: str, size: int) -> list[Row]:
    """The events of a matter in the first `size` positions, in their order, without remarks of inspections.

    A file is read by every unit with a part in the matter, and a remark only by who reads the inspection.
    Only an upgrade may add to them, so each page is a reading of its own: no limit of a reading counts for all of them.
    """
    found: list[Row] = []
    after: queries.Place | None = queries.FIRST
    told = queries.without_remarks()
    while after is not None:
        async with database.read() as connection:
            page, after = await queries.timeline(connection, incident, size, None, told, after, PAGE)
        found += [Row(row.position, Event.parse(row.bytes)) for row in page]
    return sorted(found)


async def lacking(connection: AsyncConnection, incident: str, size: int, wanted: Sequence[str]) -> tuple[str, ...]:
    """What `parts.lacking` says of the events of a matter, of which no more are read than it needs."""
    t = TIMELINE.c
    there = (await queries.of_incident(connection, incident, size, None, queries.without_remarks())).subquery()
    types = select(t.type).join(there, there.c.position == t.position).distinct()
    found = {part_of(type_) for type_ in (await connection.execute(types)).scalars()}
    if TEXT in wanted:
        said = select(SAID.c.position).join(there, there.c.position == SAID.c.position).limit(1)
        found |= {TEXT} if (await connection.execute(said)).first() is not None else set()
    if SHOWN in wanted:
        filed = select(t.bytes).join(there, there.c.position == t.position).where(t.type.in_(FILED))
        files = (await connection.execute(filed)).scalars()
        found |= {SHOWN} if any(SHOWN in records_of(Event.parse(one)) for one in files) else set()
    return tuple(part for part in wanted if part not in found)


async def own(connection: AsyncConnection, incident: str, size: int) -> list[Event]:
    """The events of the incident itself in the first `size` positions, in their order, without attached reports."""
    t = TIMELINE.c
    chosen = select(t.bytes).where(t.stream_id == incident, t.position < size, DECIDED).order_by(t.version)
    return [Event.parse(bytes_) for bytes_ in (await connection.execute(chosen)).scalars()]


async def record_of(
    database: Database, found: Sequence[Row], checkpoint: Signed, is_shown: Callable[[Event], bool] = lambda _: True
) -> bytes:
    """The file of a part of the record. Events that are not shown stand without their content."""
    parts, found = [matter.head(checkpoint.note)], without_gaps(found, is_shown)
    for start in range(0, len(found), PAGE):
        page = found[start : start + PAGE]
        async with database.read() as connection:
            paths = await growing.inclusions(connection, [row.position for row in page], checkpoint.size)
        for (position, event), path in zip(page, paths, strict=True):
            shown = is_shown(event)
            parts.append(matter.line(position, path, event.bytes) if shown else matter.withheld(position, path, event))
    return b"".join([*parts, matter.end(len(found))])


def without_gaps(found: Iterable[Row], is_shown: Callable[[Event], bool]) -> list[Row]:
    """Those without events that are not shown and follow on a gap in their stream: nothing would say why it may be."""
    ends, kept = dict[str, int](), list[Row]()
    for row in found:
        before = ends.get(row.event.stream, 0)
        if row.event.version == before + 1 or is_shown(row.event):
            ends[row.event.stream] = row.event.version
            kept.append(row)
    return kept


def named_in(found: Iterable[Row]) -> Named:
    """The words and files that events name."""
    named = Named()
    for _, event in found:
        archive.note(event, named)
    return named


async def words_of(database: Database, named: Named) -> dict[str, bytes]:
    """Reference -> the file of the words, for those that exist. Raises `Unavailable` if some have not come yet."""
    contents, erased, found = METADATA.tables["contents"], METADATA.tables["erased"], dict[str, bytes]()
    gone: set[str] = set()
    refs = sorted(named.words)
    for start in range(0, len(refs), PAGE):
        part = refs[start : start + PAGE]
        async with database.read() as connection:
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


def core(
    base: str,
    fixed: Mapping[str, bytes],
    words: Mapping[str, bytes],
    files: Mapping[str, str],
    kept: Kept | None = None,
) -> Core:
    """The fixed files of an archive with its manifests. Words by path and files, path -> SHA-256, stand apart."""
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in {**fixed, **words}.items()} | dict(files)
    until = f"Kept-Until: {kept.text}\n" if kept else ""
    info = f"Bag-Software-Agent: Huiying\nExternal-Identifier: {base}\n{until}".encode()
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


async def packages(connection: AsyncConnection, incident: str, *facts: type[Fact]) -> list[Event]:
    """What of these kinds was done with the file of a matter, oldest first, also what the log has not taken in yet."""
    events = METADATA.tables["events"]
    chosen = select(events.c.bytes).join(PACKAGES, PACKAGES.c.event_id == events.c.event_id)
    chosen = chosen.where(PACKAGES.c.incident_id == incident, events.c.type.in_(upcast.types_of(*facts)))
    rows_ = (await connection.execute(chosen)).scalars()
    return sorted(map(Event.parse, rows_), key=lambda event: (event.recorded_text, event.id))


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


def erasures(found: Iterable[Row], further: Mapping[str, bytes]) -> list[Event]:
    """The erasures among the events of a matter, and further ones as `gone` gives them."""
    told = [row.event for row in found if row.event.type in archive.ERASURES]
    return told + [Event.parse(content) for path, content in further.items() if path.endswith(".json")]


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


@contextmanager
def fitting() -> Iterator[None]:
    """Says why an archive cannot be written, where it is not the record that is wrong."""
    try:
        yield
    except zipped.DoesNotFit as wrong:
        raise Rejected(
            f"the matter has too much for one archive: {wrong}. Nothing was recorded. Tell the administrator",
            code="archive-too-large",
            error=str(wrong),
        ) from wrong
    except zipped.Changed as wrong:
        raise Unavailable(f"{wrong}; nothing was recorded. Try again", 5, code="evidence-changed") from wrong


def must_hold(file: BinaryIO, entries: Iterable[Entry], trust: Trust, seal: Unsealed, checkpoint: Signed) -> None:
    """Writes an archive into `file` and checks it as `huiying verify archive` will. Raises `Rejected`."""
    try:
        zipped.write(file, entries)
        archive.must_hold(file, trust, seal, checkpoint.note)
    except Refused as wrong:
        raise Rejected(
            f"the archive would not be proven, so it is not sealed: {wrong}. Nothing was recorded. Tell the "
            "administrator, who finds the place with `huiying check`",
            code="archive-unproven",
            error=str(wrong),
        ) from wrong


def must_prove(content: bytes, trust: Trust) -> None:
    """Checks a part of the record as `huiying verify matter` will. Raises `Rejected`."""
    try:
        matter.verify(io.BytesIO(content), trust)
    except Refused as wrong:
        raise Rejected(
            f"the record would not be proven, so it is not given out: {wrong}. Nothing was recorded. Tell the "
            "administrator, who finds the place with `huiying check`",
            code="export-unproven",
            error=str(wrong),
        ) from wrong


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


def recorded_in(fixed: bytes) -> list[Row]:
    """The events of the record in a sealed file."""
    source = io.BytesIO(fixed)
    placed = zipped.read(source)
    base = next(iter(placed)).partition("/")[0]
    raw = b"".join(zipped.content(source, placed[f"{base}/{archive.RECORD}"]))
    told = (orjson.loads(line) for line in raw.split(b"\n") if line)
    return [Row(one["index"], Event.parse(orjson.dumps(one["event"]))) for one in told if "event" in one]


def parts_file(
    parts: Sequence[str], missing: Mapping[str, str], away: Sequence[str], sudden: Mapping[str, str] | None
) -> bytes:
    """The list of parts for machines: those there, those missing with their reasons, files that are elsewhere, and by
    which rule the matter is a sudden event, if it is one.
    """
    told: dict[str, Any] = {"parts": list(parts), "missing": dict(missing), "elsewhere": list(away), "sudden": sudden}
    return orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n"
