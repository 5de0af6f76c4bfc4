"""A file of reports is taken in: rows in groups, each group in one transaction, while the next ones are read.

A row is known again by its external id: that of its own column, else a keyed digest of what it says. So whoever sends
a file again, whole or corrected, doubles nothing, whatever ended the first time. A group that the store cannot take now
is tried again for a while; then the run breaks off.
"""

import asyncio
import hashlib
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from typing import IO, Any, Literal, NamedTuple

import orjson
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError
from starlette.requests import ClientDisconnect

from schemas.fields import Fact, instant
from schemas.operation import OperationImportBegun, OperationImportEnded
from schemas.titles import Language
from services.ingest import batch, intake
from services.ingest.commands import Report
from services.ingest.imports import codec, sheets
from services.ingest.imports.codec import Row, Table
from services.ingest.imports.mapping import Mapping
from services.ingest.views import IMPORT_NOTES
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import Malformed, Problem, TooLarge, TooMany, Unavailable
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.settings import Settings
from services.kernel.store import failures, sql
from services.kernel.store.session import Session
from services.kernel.tasks import to_the_end

UNPACKED = 20
"""A workbook unpacks to at most so many times its greatest size."""
PATIENCE = 120.0
"""For so many seconds a group is tried again while the store cannot take it."""
NOTED = 5.0
"""Seconds between notes of how far a run is. They come also while the sender or the store holds it up."""
SAMPLES = 5
"""So many rows of a trial are shown as they would be stored."""
Keyed = Callable[..., str]


class Wanted(NamedTuple):
    """What the sender asks for."""

    mapping: Mapping
    sha256: str
    unit: str
    source: str
    dry_run: bool


@dataclass(slots=True)
class Tally:
    """What became of the rows so far. A trial counts as received what would be."""

    rows: int = 0
    received: int = 0
    repeated: int = 0
    refused: int = 0


class Slots:
    """How many files this process takes in now."""

    def __init__(self, runtime: Runtime) -> None:
        self._most, self._taken = runtime.settings.imports_at_once, 0

    def take(self) -> None:
        """Raises `TooMany` if there are enough."""
        if self._taken >= self._most:
            raise TooMany(
                f"{self._most} files are being taken in already; send yours when one of them has ended",
                code="imports-running",
                most=self._most,
            )
        self._taken += 1

    def leave(self) -> None:
        self._taken -= 1


class Gone(Exception):
    """The run has ended, so its thread ends, too."""


class Reading:
    """A file that is read in a thread of its own, from a body that comes to the event loop."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body, self._loop = aiter(body), asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(1, "import")
        self._ended = threading.Event()
        self.files = ExitStack()
        """What is open as long as rows are read."""
        self.size = 0
        """The bytes that came."""

    async def ask(self, work: Callable[[], Any]) -> Any:
        """What `work` returns or raises, in the thread."""
        return await self._loop.run_in_executor(self._threads, work)

    def parts(self) -> Iterator[bytes]:
        """The parts of the body, for the thread."""
        while (part := self._next()) is not None:
            self.size += len(part)
            if part:
                yield part

    def _next(self) -> bytes | None:
        coming = asyncio.run_coroutine_threadsafe(anext_or_none(self._body), self._loop)
        while not self._ended.is_set():
            with suppress(TimeoutError):
                return coming.result(0.5)
            if coming.done():
                return coming.result()
        coming.cancel()
        raise Gone

    def close(self) -> None:
        """Lets the thread close its files and end, as soon as it sees this."""
        self._ended.set()
        self._threads.submit(self.files.close)
        self._threads.shutdown(wait=False)


async def anext_or_none(body: AsyncIterator[bytes]) -> bytes | None:
    """The next part; None at the end."""
    return await anext(body, None)


def opened(parts: Iterable[bytes], mapping: Mapping, settings: Settings, files: ExitStack) -> Table:
    """The rows of a file of any kind that is taken. Raises the `Problem` that refuses it as a whole."""
    parts = iter(parts)
    head = b""
    while len(head) < 4 and (part := next(parts, b"")):
        head += part
    if not head.strip():
        raise Malformed("the file is empty; send it again, whole", code="file-empty", field="file")
    parts = chain([head], parts)
    match codec.kind_of(head):
        case "xlsx":
            book = _spooled(parts, settings.workbook_limit, files)
            return sheets.from_xlsx(book, mapping, settings.workbook_limit * UNPACKED, files)
        case "ndjson":
            return codec.from_ndjson(parts, mapping, settings.report_limit)
    return codec.from_csv(parts, mapping, settings.report_limit)


def _spooled(parts: Iterable[bytes], limit: int, files: ExitStack) -> IO[bytes]:
    """A workbook on disk, without a name: its list of parts stands at its end."""
    file: IO[bytes] = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    size = 0
    for part in parts:
        size += len(part)
        if size > limit:
            raise TooLarge(
                f"the workbook has more than {limit} bytes; save it as CSV, which has no such limit", limit=limit
            )
        file.write(part)
    return file


@dataclass(slots=True)
class Run:
    """A file on its way. `tally`, `line` and `state` say how far it is."""

    runtime: Runtime
    actor: Actor
    wanted: Wanted
    table: Table
    reading: Reading
    language: Language
    id: str = field(default_factory=lambda: f"import-{uuid7()}")
    tally: Tally = field(default_factory=Tally)
    line: int = 0
    state: Literal["running", "done", "broken_off"] = "running"
    problem: Problem | None = None
    refused: list[bytes] = field(default_factory=list)
    left_off: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)
    _kept: int = 0
    _ends: bool = False

    async def begin(self) -> None:
        """Records that the file begins to be taken in. A trial is no event."""
        wanted = self.wanted
        await self._record(
            OperationImportBegun(
                run=self.id,
                unit=wanted.unit,
                form=self.table.kind,
                mapping=wanted.mapping.mapping,
                sha256=wanted.sha256,
            )
        )

    async def go(self) -> None:
        """Takes the rows in to the end, and records how it ended. Raises nothing but a cancellation."""
        try:
            await self._take_and_note()
            self.state = "done"
        except Problem as problem:
            self.state, self.problem = "broken_off", problem
        except (DBAPIError, OSError) as error:
            self.state, self.problem = "broken_off", failures.problem_of(error, self.runtime.failing)
        except Exception as error:  # noqa: BLE001  also when the sender hangs up; the record says that it broke off
            self.state, self.problem = "broken_off", self._why(error)
        await self.end()

    async def end(self) -> None:
        """Records how the run ended, once, also if the caller is cancelled.

        If the store cannot take it, the run is known by its silence.
        """
        if self._ends:
            return
        self._ends = True
        outcome = "broken_off" if self.state == "running" else self.state
        fact = OperationImportEnded(run=self.id, unit=self.wanted.unit, outcome=outcome, **asdict(self.tally))
        with suppress(Problem):
            await to_the_end(self._record(fact))

    def _why(self, error: Exception) -> Problem:
        if isinstance(error, ClientDisconnect):
            return Unavailable(
                "the file broke off before its end; send it again, nothing is doubled", code="file-broken-off"
            )
        return failures.defect(error, path="/ingest/v1/imports")

    async def _record(self, fact: Fact) -> None:
        if self.wanted.dry_run:
            return

        async def act(session: Session, ctx: Ctx) -> Answer:
            await operations.record(session, ctx, fact)
            if isinstance(fact, OperationImportEnded):
                gone = delete(IMPORT_NOTES).where(IMPORT_NOTES.c.run == self.id)
                await session.connection.execute(gone)
            return Answer({})

        await transact(self.runtime, Caller(actor=self.actor), act)

    async def _take_and_note(self) -> None:
        taking = asyncio.create_task(self._take())
        try:
            # No note is written after the end of the run: it would stay.
            while not (await asyncio.wait({taking}, timeout=NOTED))[0]:
                await self._note()
            taking.result()
        finally:
            if not taking.done():
                taking.cancel()
                await asyncio.wait({taking})

    async def _take(self) -> None:
        reader = batch.Reader(self.runtime, self.actor, None, "")
        storing: asyncio.Task[None] | None = None
        try:
            while group := await self.reading.ask(partial(self._group, reader)):
                if storing is not None:
                    await storing
                storing = asyncio.create_task(self._store(reader, group))
            if storing is not None:
                await storing
        finally:
            if storing is not None and not storing.done():
                storing.cancel()
                await asyncio.wait([storing])

    def _group(self, reader: batch.Reader) -> list[tuple[Row, batch.Line]]:
        """The next rows that are stored together; empty if there are no more."""
        group: list[tuple[Row, batch.Line]] = []
        size = 0
        for row in self.table.rows:
            group.append((row, reader.judge(row.number, partial(self._read, row))))
            size += sum(map(len, row.cells.values()))
            if len(group) >= batch.LINES or size >= batch.BYTES:
                break
        return group

    def _read(self, row: Row) -> tuple[Report, None]:
        if row.fault is not None:
            raise row.fault
        wanted = self.wanted
        values = {"unit": wanted.unit, "source": wanted.source, **wanted.mapping.values(row.cells)}
        if "external_id" not in values:
            values["external_id"] = row_id(values, self.runtime.keys.digest)
        return Report.model_validate(values), None

    async def _store(self, reader: batch.Reader, group: Sequence[tuple[Row, batch.Line]]) -> None:
        lines = [line for _, line in group]
        if self.wanted.dry_run:
            await self._try(lines)
        else:
            await self._keep(reader, lines)
        for row, line in group:
            self._count(row, line)
        self.line = group[-1][0].number

    async def _keep(self, reader: batch.Reader, lines: Sequence[batch.Line]) -> None:
        until = time.monotonic() + PATIENCE
        waiting = lines
        while waiting:
            await reader.store(waiting)
            waiting = [line for line in lines if isinstance(line.outcome, Unavailable)]
            if waiting:
                problem = waiting[0].outcome
                assert isinstance(problem, Unavailable)
                if time.monotonic() > until:
                    raise problem
                await asyncio.sleep(min(problem.retry_after, 5))

    async def _try(self, lines: Sequence[batch.Line]) -> None:
        """What storing would give, by the same way without its end: nothing is written."""
        ready = [(line, line.prepared) for line in lines if line.prepared is not None]
        if not ready:
            return
        async with self.runtime.database.read() as connection:
            ctx = await self.runtime.context(connection, self.actor)
            session = Session(self.runtime.service, self.runtime.settings, connection, ctx.now)
            outcomes = await intake.receive(session, [(prepared, ctx) for _, prepared in ready])
        for (line, prepared), outcome in zip(ready, outcomes, strict=True):
            line.outcome = outcome
            if isinstance(outcome, Answer) and len(self.samples) < SAMPLES:
                report = prepared.command.report
                shown = report.model_dump(mode="json", exclude_none=True, exclude={"source", "external_id"})
                self.samples.append({"line": line.number, "report": shown, "masked": prepared.command.masked})

    def _count(self, row: Row, line: batch.Line) -> None:
        self.tally.rows += 1
        match line.outcome:
            case Answer(status=201):
                self.tally.received += 1
            case Answer():
                self.tally.repeated += 1
            case Problem() as problem:
                self.tally.refused += 1
                self._refuse(row, problem)

    def _refuse(self, row: Row, problem: Problem) -> None:
        told = {"line": row.number, "problem": problem.body(self.language), "row": row.cells}
        raw = orjson.dumps({"refused": told})
        if self.left_off or self._kept + len(raw) > self.runtime.settings.import_refused_limit:
            self.left_off += 1
        else:
            self._kept += len(raw)
            self.refused.append(raw + b"\n")

    async def _note(self) -> None:
        """Notes how far the run is. A slow store holds nothing up for it."""
        if self.wanted.dry_run:
            return
        row = {"run": self.id, "at": instant(self.runtime.time_source.now()), **asdict(self.tally)}
        with suppress(DBAPIError, OSError, TimeoutError):
            async with asyncio.timeout(1), self.runtime.database.transaction() as connection:
                await sql.upsert(connection, IMPORT_NOTES, [row])


def row_id(values: dict[str, str], keyed: Keyed) -> str:
    """The external id of a row that has none: of its unit, words, place and times.

    In letters, so that masking finds no number in it. The digest is keyed: a plain one would let somebody try which
    telephone number a masked text had. Category and channel do not count, so a better table of values doubles nothing.
    """
    said = [values.get(name, "") for name in ("unit", "subject", "text", "place", "discovered_at", "written_at")]
    return keyed("imported", orjson.dumps(said).decode())[:32].translate(_LETTERS)


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def digest_of(mapping: bytes) -> str:
    """The digest by which the record names a mapping's text."""
    return hashlib.sha256(mapping).hexdigest()
