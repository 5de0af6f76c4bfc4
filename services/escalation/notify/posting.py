"""The one loop that sends notices to posts. It runs in the leader, like the timers.

What is to be sent, and what a place took, are folds of events. A place that took a notice gets it never again, also for
another post. If the process dies after the sending and before the recording, the notice goes out again under the same
id.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import numbers
from schemas.fields import instant, parse_instant
from schemas.titles import Language, titled
from services.escalation.commands import RecordAttempt
from services.escalation.notify import channels, outgoing, places, postbox, receivers
from services.escalation.notify.messages import Matter, compose
from services.escalation.notify.places import Place
from services.escalation.rights import pack_of
from services.escalation.views import CLOCKS, INCIDENTS, METADATA, ROSTER
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import stream_of
from services.kernel.core.problems import Problem
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.delivery.recovery import SENDS_FROM
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.logging import Lasting, brief
from services.kernel.serving import commands
from services.kernel.serving.commands import Answer, Caller
from services.kernel.store import failures
from services.kernel.store.lease import Superseded
from services.kernel.store.session import Held, Session
from services.kernel.store.views import Row
from services.kernel.tasks import side_by_side

OUTGOING, ATTEMPTS = METADATA.tables["outgoing"], METADATA.tables["attempts"]
VALID = timedelta(days=1)
"""After this time, a notice is not sent any more. Of each place that did not take it, this is an event."""
LOOKED_AT = VALID + timedelta(days=1)
"""After this time, a notice is not looked at any more, for example if nothing ran for days."""
STEPS = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 120, 600, 1800))
"""The time after each failed try."""
LONGEST_STEP = 3
"""The step that a place's rest does not exceed: 10 minutes."""
OVERLAP = timedelta(minutes=1)
"""Commits become visible out of order; within this time the loop looks again."""
PAGE = 500
WIDTH = 16
"""How many notices are on their way at once."""
DESKS = {"gap": "escalation/v1/roster?unit={}", "surge": "escalation/v1/surges?unit={}"}
"""Where a notice that belongs to no matter leads."""
REST = 0.2
LONGEST_REST = 1.0


@dataclass(slots=True)
class Waiting:
    """A notice with which something may be left to do."""

    row: Row
    next_at: datetime | None = None
    """When to look at it again; None if at once."""


class Rest(NamedTuple):
    """A place that took nothing lately. When its rest is over, one try tells whether it is back."""

    tries: int
    until: datetime


class Sending(NamedTuple):
    """One notice for one place."""

    notice: Row
    place: Place
    attempt: int
    subject: str
    text: str
    over: bool = False
    """Whether its time is over, so that it is only recorded."""


class On(NamedTuple):
    """A notice with its matter, if it belongs to one, and with the pack that counts for it."""

    notice: Row
    matter: Row | None
    pack: LoadedPack | None
    moot: bool
    """Whether what it announces does not come any more."""


class Tried(NamedTuple):
    """A try that is to be recorded."""

    stream: str
    command: RecordAttempt

    @property
    def name(self) -> tuple[str, str]:
        """The notice and the place."""
        return self.command.notice, self.command.place


@dataclass(slots=True)
class Known:
    """What this process has read. A restart forgets it and reads the last day."""

    low: str = ""
    """Earlier notices were read, all of them."""
    read: dict[str, str] = field(default_factory=dict)
    """Notices since then that were read too -> when they arose."""
    waiting: dict[str, Waiting] = field(default_factory=dict)
    resting: dict[str, Rest] = field(default_factory=dict)
    """Places that did not take a notice, until they take one. So a place that is away delays no other, and its failures
    do not fill the record."""
    unrecorded: dict[tuple[str, str], "Tried"] = field(default_factory=dict)
    """Tries of this process that the store could not record yet, by notice and place. They are not made again."""
    ended: list["Tried"] = field(default_factory=list)
    """Tries that the next transaction records."""
    recording: asyncio.Lock = field(default_factory=asyncio.Lock)


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled."""
    known, waits = Known(), Lasting("posting.waits", service=runtime.service.name)
    with ThreadPoolExecutor(WIDTH, "posting") as threads:
        while True:
            try:
                await turn(runtime, known, threads)
                waits.over()
            except (Problem, DBAPIError, OSError) as error:
                waits.told(brief(error))
            await asyncio.sleep(REST)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_REST - REST):
                    await runtime.changed.wait()


async def settle(runtime: Runtime, limit: float = 60.0) -> None:
    """Returns when the loop has nothing left to send now. After `limit` seconds it raises `TimeoutError`."""
    async with asyncio.timeout(limit):
        while True:
            known, now = Known(), runtime.time_source.now()
            async with runtime.database.read() as connection:
                await _read(runtime, connection, known, now)
                if not await _due(runtime, connection, list(known.waiting.values()), known, now):
                    return
            await asyncio.sleep(0.05)


async def turn(runtime: Runtime, known: Known, threads: ThreadPoolExecutor) -> int:
    """Sends what is due now. Returns how many sendings were tried. Raises `Superseded` if another process leads."""
    for tried in list(known.unrecorded.values()):
        await _record(runtime, known, tried)
    now = runtime.time_source.now()
    async with runtime.database.read() as connection:
        # An address that is set later gets no earlier notice. So without addresses there is nothing to look for.
        if not await places.are_set(connection):
            return 0
        await _read(runtime, connection, known, now)
    waiting = [one for one in known.waiting.values() if one.next_at is None or one.next_at <= now]
    if not waiting:
        return 0
    async with runtime.database.transaction() as connection:
        due = await _due(runtime, connection, waiting, known, now)
    if due:
        # What could not be recorded now would be sent again by another process.
        await runtime.ready_to_decide()
    queue, done = iter(due), 0

    async def worker() -> None:
        nonlocal done
        for sending in queue:
            if sending.over or not _rests(known, sending.place, now):
                done += 1
                await _send(runtime, known, sending, threads)

    await side_by_side(worker() for _ in range(min(WIDTH, len(due))))
    return done


def _rests(known: Known, place: Place, now: datetime) -> bool:
    """Whether nothing goes to a place now. If its rest is over, the next one begins, and the try may end it."""
    rest = known.resting.get(place.id)
    if rest is None or rest.until > now:
        return rest is not None
    known.resting[place.id] = Rest(rest.tries + 1, now + STEPS[min(rest.tries, LONGEST_STEP)])
    return False


async def _read(runtime: Runtime, connection: AsyncConnection, known: Known, now: datetime) -> None:
    """Adds the notices that arose since the last look, and leaves those that are too old."""
    deployment = runtime.tables["deployment"]
    restored = select(deployment.c.value).where(deployment.c.name == SENDS_FROM)
    oldest = max(instant(now - LOOKED_AT), (await connection.execute(restored)).scalar() or "")
    low = max(oldest, known.low)
    known.read = {notice: at for notice, at in known.read.items() if at >= low}
    known.waiting = {notice: one for notice, one in known.waiting.items() if one.row["at"] >= oldest}
    last = (low, "")
    while True:
        after = (OUTGOING.c.at > last[0]) | ((OUTGOING.c.at == last[0]) & (OUTGOING.c.notice > last[1]))
        chosen = select(OUTGOING).where(after).order_by(OUTGOING.c.at, OUTGOING.c.notice).limit(PAGE)
        page = [dict(row) for row in (await connection.execute(chosen)).mappings()]
        known.waiting |= {row["notice"]: Waiting(row) for row in page if row["notice"] not in known.read}
        known.read |= {row["notice"]: row["at"] for row in page}
        if len(page) < PAGE:
            break
        last = (page[-1]["at"], page[-1]["notice"])
    known.low = max(low, instant(now - OVERLAP))


async def _due(
    runtime: Runtime, connection: AsyncConnection, waiting: Sequence[Waiting], known: Known, now: datetime
) -> list[Sending]:
    """What is to be sent now. Notices with which nothing is left to do are not looked at again."""
    offices = await runtime.offices(connection)
    by_post, same = dict[str, list[Place]](), dict[str, Hashable]()
    for place in await places.all_places(connection):
        by_post.setdefault(place.post, []).append(place)
        same[place.id] = _same(place, runtime)
    due = []
    for start in range(0, len(waiting), PAGE):
        part = [one.row for one in waiting[start : start + PAGE]]
        tried = await _by(connection, ATTEMPTS, "notice", {row["notice"] for row in part})
        attempts = {(row["notice"], row["place"]): row for row in tried}
        matters, clocks = await _matters(connection, part)
        on = []
        for notice in part:
            with _apart(runtime, known, notice, now):
                on += _on(notice, matters, clocks, offices)
        still = (ROSTER.c.until > min(row["at"] for row in part), ROSTER.c.cancelled.is_(None))
        duties = await _by(connection, ROSTER, "unit", {one.notice["unit"] for one in on}, *still)
        for one in on:
            with _apart(runtime, known, one.notice, now):
                found = _places(one, offices, duties, by_post)
                took = {same[place.id] for place in found if _took(attempts.get((one.notice["notice"], place.id)))}
                # Several posts may share an address, which gets the notice once.
                first = {same[place.id]: place for place in reversed(found)}
                open_ = [place for address, place in first.items() if address not in took]
                due += _sendings(runtime, one, open_, attempts, offices, known, now)
    return due


def _sendings(
    runtime: Runtime,
    one: On,
    open_: Iterable[Place],
    attempts: Mapping[tuple[str, str], Row],
    offices: Offices,
    known: Known,
    now: datetime,
) -> list[Sending]:
    """What is to be sent of a notice now. It notes when to look at it again."""
    id_, due, nexts = one.notice["notice"], list[Sending](), list[datetime]()
    over = one.notice["at"] < instant(now - VALID)
    for place in open_:
        row = attempts.get((id_, place.id))
        count, last = (row["count"], parse_instant(row["at"])) if row else (0, now)
        if over:
            if not (row and row["over"]) and (id_, place.id) not in known.unrecorded:
                due.append(Sending(one.notice, place, count or 1, "", "", over=True))
            continue
        rest = known.resting.get(place.id)
        nexts.append(max(outgoing.next_at(count, last, STEPS), rest.until if rest else now))
        if nexts[-1] <= now and (id_, place.id) not in known.unrecorded:
            said = compose(_said(runtime, one, offices, place.language), place.language)
            due.append(Sending(one.notice, place, count + 1, *said))
    if nexts:
        known.waiting[id_].next_at = min(nexts)
    else:
        del known.waiting[id_]
    return due


@contextlib.contextmanager
def _apart(runtime: Runtime, known: Known, notice: Row, now: datetime) -> Iterator[None]:
    """Pure work on a notice. If that fails, it is a defect and holds up no other notice; this one waits for long."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  whatever it was: the others go out
        failures.defect(error, service=runtime.service.name, notice=notice["notice"])
        known.waiting[notice["notice"]].next_at = now + STEPS[-1]


async def _matters(
    connection: AsyncConnection, part: Iterable[Row]
) -> tuple[Mapping[str, Row], Mapping[str, Sequence[Row]]]:
    """The matters of notices, and their limits."""
    ids = {row["incident_id"] for row in part if row["incident_id"]}
    matters = {row["incident_id"]: row for row in await _by(connection, INCIDENTS, "incident_id", ids)}
    clocks = defaultdict[str, list[Row]](list)
    for row in await _by(connection, CLOCKS, "incident_id", ids):
        clocks[row["incident_id"]].append(row)
    return matters, clocks


def _on(notice: Row, matters: Mapping[str, Row], clocks: Mapping[str, Sequence[Row]], offices: Offices) -> list[On]:
    """The notice with its matter and what the limits of this tell. One of a matter that is not known yet waits."""
    matter = matters.get(notice["incident_id"])
    if notice["incident_id"] and (matter is None or matter["unit"] is None):
        return []
    policy, unit = (matter["policy"], matter["unit"]) if matter else (None, notice["unit"])
    pack = pack_of(policy, unit, offices)
    limits = clocks.get(notice["incident_id"], ())
    known = receivers.completed(notice, matter, limits, pack, offices)
    return [On(known, matter, pack, receivers.is_moot(notice, limits))]


async def _by(connection: AsyncConnection, table: Any, column: str, wanted: set[str], *more: Any) -> list[Row]:
    chosen = select(table).where(table.c[column].in_(sorted(wanted)), *more)
    return [dict(row) for row in (await connection.execute(chosen)).mappings()]


def _same(place: Place, runtime: Runtime) -> Hashable:
    """What places with one address and language have in common."""
    try:
        return place.address(runtime.keys), place.language
    except ValueError:
        return place.id


def _took(attempt: Row | None) -> bool:
    return attempt is not None and attempt["delivered"]


def _places(one: On, offices: Offices, duties: Iterable[Row], by_post: Mapping[str, Sequence[Place]]) -> list[Place]:
    """Where the notice goes. An exercise goes nowhere, and an address that was set later gets no earlier notice."""
    notice, matter, pack, moot = one
    number = numbers.parts(matter["number"]) if matter and matter["number"] else None
    if moot or notice["drill"] or (number is not None and numbers.DRILL in number[0].mark):
        return []
    posts = receivers.told(notice, offices, duties, pack.model if pack else None)
    return [place for post in posts for place in by_post.get(post, ()) if place.since <= notice["at"]]


def _said(runtime: Runtime, one: On, offices: Offices, language: Language) -> Matter:
    """Packs have only Chinese titles, so an English notice names levels and limits by their codes."""
    notice, matter, pack, _ = one
    clock, what = notice["clock"], []
    if notice["what"]:
        category = offices.lists.categories.get(notice["what"])
        title = (category.title_en if language == "en" else category.title) if category else None
        what.append(title or titled(notice["what"], language))
    if clock:
        name, _, number = clock.partition("#")
        timed = pack.model.timed.get(name.removesuffix(".review")) if pack and language == "zh" else None
        what.append((timed.title_zh if timed else titled(name, language)) + (f" #{number}" if number else ""))
    levels = {level.code: level.title_zh for level in pack.model.levels} if pack and language == "zh" else {}
    zone = offices.zone_of(notice["unit"])
    due, until = (parse_instant(at).astimezone(zone) if at else None for at in (notice["due"], notice["until"]))
    if matter is None:
        path, number, level = DESKS[notice["rule"]].format(notice["unit"]), notice["unit"], None
    else:
        number = matter["number"] or matter["incident_id"]
        path, level = f"triage/v1/incidents/{number}", levels.get(matter["level"], matter["level"])
    link = runtime.settings.link(path)
    return Matter(notice["rule"], number, level, " · ".join(what) or None, due, link, until, notice["reports"])


async def _tried(runtime: Runtime, known: Known, sending: Sending, threads: ThreadPoolExecutor) -> str | None:
    """One try. Returns why the place has no notice; None if it took it."""
    place, error = sending.place, None
    try:
        address = place.address(runtime.keys)
    except ValueError:
        error = "unreadable"
    else:
        asked = (address, sending.notice["notice"], sending.subject, sending.text)
        if not await asyncio.get_running_loop().run_in_executor(threads, channels.send, *asked):
            error = "not_taken"
    if error is None:
        known.resting.pop(place.id, None)
    else:
        known.resting.setdefault(place.id, Rest(1, runtime.time_source.now() + STEPS[0]))
    failpoint("notice.sent")
    return error


async def _send(runtime: Runtime, known: Known, sending: Sending, threads: ThreadPoolExecutor) -> None:
    """One try, or the end of all tries, and its record."""
    notice, place = sending.notice, sending.place
    error = "expired" if sending.over else await _tried(runtime, known, sending, threads)
    command = RecordAttempt.model_validate(
        {
            "notice": notice["notice"],
            "unit": place.post.partition("@")[2],
            "post": place.post,
            "way": place.way,
            "place": place.id,
            "attempt": sending.attempt,
            "error": error,
        }
    )
    matter = notice["incident_id"]
    stream = stream_of("clock", matter) if matter else postbox.stream_of_post(place.post)
    await _record(runtime, known, Tried(stream, command))


async def _record(runtime: Runtime, known: Known, tried: Tried) -> None:
    """Records a try, in one transaction with all that ended while the last transaction ran."""
    known.ended.append(tried)
    async with known.recording:
        if known.ended:
            part, known.ended = known.ended, []
            await _keep(runtime, known, part)


async def _keep(runtime: Runtime, known: Known, part: Sequence[Tried]) -> None:
    """Records tries. It keeps what cannot be recorded now: nothing is sent again because the store failed."""
    known.unrecorded |= {tried.name: tried for tried in part}

    async def act(session: Session, ctx: Ctx) -> Answer:
        await session.load(tried.stream for tried in part)
        for tried in part:
            session.decide(tried.stream, tried.command, ctx)
        return Answer({})

    try:
        await commands.transact(runtime, Caller(), act)
    except Superseded:
        raise
    except (Problem, Held):
        # One of them may be on a stream that waits for an operator.
        for tried in part if len(part) > 1 else ():
            await _keep(runtime, known, [tried])
    else:
        for tried in part:
            known.unrecorded.pop(tried.name, None)
