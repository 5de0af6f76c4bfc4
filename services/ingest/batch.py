"""Many reports in one request: lines of JSON in, one answer for each line out, in order. The events of a batch of
CloudEvents go the same way, each as a line.

Lines are read as they come and gathered in chunks. Each chunk is stored in one transaction while the next lines are
read. The answers are spooled and sent when the whole body was read. By then every line with a 2xx answer is durable. A
line of white space is counted and not answered.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

import orjson
from pydantic import ValidationError

from schemas.titles import Language
from services.ingest import intake
from services.ingest.commands import Report
from services.ingest.intake import Prepared
from services.ingest.keys import Keys
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import Forbidden, Malformed, Problem, TooLarge
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.bodies import parse_json
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.serving.idempotency import Key, Memory, digest_of, given
from services.kernel.serving.streams import Streamed
from services.kernel.serving.validation import malformed
from services.kernel.store.session import Session

LINES = 500
BYTES = 4_000_000
"""A chunk is stored when it has this many lines or bytes, whichever comes first."""
TURN = 20
"""After this many lines, other requests and the chunk in storage get their turn."""
IN_MEMORY = 1_000_000
"""Above this many bytes, answers are spooled to a file."""
PART = 65_536


@dataclass(slots=True)
class Line:
    """A line, and either a report that may be stored or the answer."""

    number: int
    key: Key | None = None
    prepared: Prepared | None = None
    outcome: Answer | Problem | None = None
    dropped: tuple[str, ...] | None = None
    """The names of what was not kept of an event; None for a line that is a report."""


Read = Callable[[bytes], tuple[Report, tuple[str, ...] | None]]
"""A line -> its report, and the names of what was dropped. Raises `ValidationError` or a `Problem`."""


@dataclass(slots=True)
class Chunk:
    """Lines that are stored together."""

    lines: list[Line] = field(default_factory=list)
    size: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.lines) >= LINES or self.size >= BYTES


async def read_lines(stream: AsyncIterator[bytes], limit: int) -> AsyncIterator[tuple[int, bytes | None]]:
    """The lines of a body with their numbers from 1.

    A line of more than `limit` bytes is None and is not kept in memory.
    """
    number, held, size = 1, bytearray(), 0
    async for part in stream:
        *ended, rest = part.split(b"\n")
        for piece in ended:
            size += len(piece)
            yield number, (bytes(held) + piece if size <= limit else None)
            number, size = number + 1, 0
            held.clear()
        size += len(rest)
        if size <= limit:
            held += rest
        else:
            held.clear()
    if size:
        yield number, (bytes(held) if size <= limit else None)


async def take(
    runtime: Runtime, actor: Actor, key: str | None, path: str, stream: AsyncIterator[bytes], language: Language
) -> IO[bytes]:
    """Stores a body of lines and returns the answers. The caller reads them from the start and closes them."""
    return await store(Reader(runtime, actor, key, path), read_lines(stream, runtime.settings.report_limit), language)


async def store(reader: "Reader", lines: AsyncIterator[tuple[int, bytes | None]], language: Language) -> IO[bytes]:
    """Stores numbered lines, as `take` does. A line that is None was too long to be kept."""
    spool = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  the response closes it
    storing: asyncio.Task[None] | None = None

    async def keep(chunk: Chunk) -> None:
        await reader.store(chunk.lines)
        spool.writelines(_answered(line, language) for line in chunk.lines)

    try:
        chunk = Chunk()
        async for number, text in lines:
            if text is not None and not text.strip():
                continue
            chunk.lines.append(reader.read(number, text))
            chunk.size += len(text or b"")
            if len(chunk.lines) % TURN == 0:
                await asyncio.sleep(0)
            if chunk.is_full:
                if storing is not None:
                    await storing
                storing, chunk = asyncio.create_task(keep(chunk)), Chunk()
        if storing is not None:
            await storing
        await keep(chunk)
        spool.seek(0)
    except BaseException:
        if storing is not None:
            storing.cancel()
            await asyncio.wait([storing])
        spool.close()
        raise
    return spool


def send(file: IO[bytes], **more: Any) -> Streamed:
    """A file's content in parts; closes the file."""
    return Streamed(iter(partial(file.read, PART), b""), close=file.close, **more)


def _answered(line: Line, language: Language) -> bytes:
    body: dict[str, Any] = {"line": line.number}
    match line.outcome:
        case Problem() as problem:
            body.update(status=problem.status, problem=problem.body(language))
        case Answer() as answer:
            body.update(status=answer.status, **answer.body)
            if line.dropped is not None:
                body["dropped"] = line.dropped
    return orjson.dumps(body) + b"\n"


def _report(text: bytes) -> tuple[Report, None]:
    return Report.model_validate(parse_json(text)), None


class Reader:
    """The lines of one request, one after the other. `as_report` reads one."""

    def __init__(self, runtime: Runtime, actor: Actor, key: str | None, path: str, as_report: Read = _report) -> None:
        self._as_report = as_report
        self._runtime, self._actor, self._key, self._path = runtime, actor, given(key), path
        self._caller = Caller(actor=actor)
        self._memory = Memory(runtime, actor)
        self._refused = False

    def read(self, number: int, text: bytes | None) -> Line:
        """A line of JSON; None if it was too long to be kept."""
        line = self.judge(number, partial(self._read, text))
        if self._key is not None and line.prepared is not None and text is not None:
            line.key = Key(f"{self._key}/{number}", digest_of("POST", self._path, text))
        return line

    def judge(self, number: int, read: Callable[[], tuple[Report, tuple[str, ...] | None]]) -> Line:
        """The line whose report `read` gives, or whose problem it raises."""
        line = Line(number)
        try:
            report, line.dropped = read()
            line.prepared = intake.prepare(report, self._actor, self._runtime)
        except ValidationError as error:
            line.outcome = malformed(error)
        except Problem as problem:
            line.outcome = problem
        return line

    def _read(self, text: bytes | None) -> tuple[Report, tuple[str, ...] | None]:
        if text is None:
            limit = self._runtime.settings.report_limit
            raise TooLarge(f"the line has more than {limit} bytes", limit=limit)
        return self._as_report(text)

    async def store(self, lines: Sequence[Line]) -> None:
        """Gives every line its result. If the database fails, all of these lines get that problem."""
        waiting = [line for line in lines if line.prepared is not None]
        if waiting:
            await self._store(waiting)
        problems = [line.outcome for line in lines if isinstance(line.outcome, Problem)]
        self._runtime.part(Keys).refused(self._actor, *(one.code for one in problems if one.status < 500))

    async def _store(self, waiting: Sequence[Line]) -> None:
        outcomes: list[Answer | Problem] = []

        async def act(session: Session, ctx: Ctx) -> Answer:
            outcomes[:] = await self._receive(session, ctx, waiting)
            return Answer({})

        try:
            await transact(self._runtime, self._caller, act)
        except Problem as problem:
            outcomes[:] = [problem] * len(waiting)
        for line, outcome in zip(waiting, outcomes, strict=True):
            line.outcome = outcome
        await self._tell(outcomes)

    async def _receive(self, session: Session, ctx: Ctx, lines: Sequence[Line]) -> list[Answer | Problem]:
        known: Mapping[str, bytes | Malformed] = {}
        if self._key is not None:
            await self._memory.hold(session.connection, self._key)
            known = await self._memory.find(session.connection, [line.key for line in lines if line.key])
        fresh = [line.prepared for line in lines if line.prepared and (line.key is None or line.key.text not in known)]
        received = iter(await intake.receive(session, [(report, ctx) for report in fresh]))
        outcomes: list[Answer | Problem] = []
        answers = []
        for line in lines:
            before = known.get(line.key.text) if line.key else None
            if before is None:
                outcome = next(received)
                if line.key is not None and isinstance(outcome, Answer):
                    answers.append((line.key, outcome.dump()))
            else:
                outcome = before if isinstance(before, Malformed) else Answer.load(before)
            outcomes.append(outcome)
        if answers:
            await self._memory.keep(session.connection, answers)
        return outcomes

    async def _tell(self, outcomes: Sequence[Answer | Problem]) -> None:
        """Records a missing right, once a request."""
        refusal = next((outcome for outcome in outcomes if isinstance(outcome, Forbidden)), None)
        if refusal is not None and not self._refused:
            self._refused = True
            await operations.refuse(self._runtime, self._actor, refusal)
