"""What may be told of a matter to somebody who has its number, or the receipt of a report.

A number is no secret: they are counted. So by a number, only a matter is told on which a statement was published, by
itself or by a matter that went on in it. Any other number gets the answer of one that never existed. A receipt is a
secret of its holder, and gets the same of its matter without that condition, and what was answered to the asker.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.numbers import number_read
from schemas.receipts import FORM, receipt_read
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import numbers
from services.kernel.store.views import Row
from services.kernel.store.words import texts
from services.publish.views import METADATA, incidents, statements, verification_of

State = Literal["received", "verifying", "handling", "answered", "closed", "refused"]
Kind = Literal["first_answer", "answer", "outcome"]
Standing = Literal["running", "paused", "met", "met_late", "missed"]
REPORTS, BELONGINGS = METADATA.tables["reports"], METADATA.tables["belongings"]
DIRECT, LIMITS, POSTINGS = (METADATA.tables[name] for name in ("direct_answers", "limits", "postings"))
ANSWERS = frozenset({"explained", "replied", "status_published", "facts_published", "published"})
OUTCOMES = frozenset({"solved", "resolved"})
"""The acts that a limit for the public waits for. Any other limit is the office's own and told to nobody."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit for the public, by what it asks for. The pack's own title could tell what the matter is about."""

    kind: Kind
    due: str
    standing: Standing
    met_at: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: a published statement, with its number and title, or one that was given in another way."""

    at: str
    how: Literal["bulletin", "public", "direct", "posted"]
    id: str | None = None
    number: str | None = None
    title: str | None = None
    withdrawn: bool = False
    place: str | None = None
    """Where it was posted, of one that went back to where the question was asked."""
    answers: bool = True
    """Whether it answers: not a published status, which only says how far the office is, and not a withdrawn one."""


@dataclass(frozen=True, slots=True)
class Told:
    """Where a matter stands. Instants are UTC, as text; units are codes."""

    by: Literal["number", "receipt"]
    state: State
    received_at: str
    unit: str
    assigned: str | None
    number: str | None
    asked: str | None
    """The number that was asked for, if that matter went on in another one."""
    limits: Sequence[Limit]
    answers: Sequence[Answer]
    erased: bool = False
    """Whether the words of the report were erased. What was done about it stays."""


async def find(runtime: Runtime, connection: AsyncConnection, offices: Offices, typed: str) -> Told | None:
    """What may be told to somebody who typed this, a number or a receipt; None if that is nothing."""
    found = await by_number(connection, offices, typed)
    code = receipt_read(typed)
    if found is None and FORM.fullmatch(code):
        return await _by_receipt(connection, offices, runtime.keys.digest("receipt", code))
    return found


async def by_number(connection: AsyncConnection, offices: Offices, typed: str) -> Told | None:
    """What may be told to somebody who knows a number; None if that is nothing."""
    number = number_read(typed)
    id_ = (await numbers.streams_of(connection, METADATA, [number])).get(number)
    chosen = select(incidents).where(incidents.c.id == id_, incidents.c.drill.is_(False))
    asked = (await connection.execute(chosen)).mappings().first()
    if asked is None:
        return None
    matter, family = await _family(connection, dict(asked))
    spoken = await _statements(connection, family)
    if not spoken:
        return None
    direct = await _direct(connection, and_(DIRECT.c.incident_id.in_(family), DIRECT.c.public))
    went_on = number if matter["id"] != asked["id"] else None
    return await _told("number", connection, offices, matter, [*spoken, *direct], asked=went_on)


async def _by_receipt(connection: AsyncConnection, offices: Offices, digest: str) -> Told | None:
    report = (await connection.execute(select(REPORTS).where(REPORTS.c.receipt == digest))).mappings().first()
    if report is None:
        return None
    of = BELONGINGS.c
    chosen = select(incidents).join(BELONGINGS, of.incident_id == incidents.c.id)
    chosen = chosen.where(of.report_id == report["report_id"], of.left_at.is_(None)).order_by(of.joined_at.desc())
    there = (await connection.execute(chosen)).mappings().first()
    erased, refused = report["state"] == "erased", report["state"] == "refused"
    if there is None:
        state: State = "refused" if refused else "received"
        return Told("receipt", state, report["received_at"], report["unit"], None, None, None, (), (), erased)
    matter, family = await _family(connection, dict(there))
    while_there = and_(DIRECT.c.at >= of.joined_at, or_(of.left_at.is_(None), DIRECT.c.at <= of.left_at))
    own = select(DIRECT.c.event).join(BELONGINGS, of.incident_id == DIRECT.c.incident_id)
    own = own.where(of.report_id == report["report_id"], or_(while_there, DIRECT.c.public))
    answers = [*await _statements(connection, family), *await _direct(connection, DIRECT.c.event.in_(own))]
    answers += () if erased else await _posted(connection, report["report_id"], family)
    told = await _told("receipt", connection, offices, matter, answers, received=report["received_at"])
    return replace(told, erased=erased, state="refused" if refused else told.state)


async def _family(connection: AsyncConnection, matter: Row) -> tuple[Row, list[str]]:
    """The matter in which this one goes on now, and the ids of all that went on in it, its own included."""
    seen = {matter["id"]}
    while matter["merged_into"] and matter["merged_into"] not in seen:
        chosen = select(incidents).where(incidents.c.id == matter["merged_into"])
        into = (await connection.execute(chosen)).mappings().first()
        if into is None:
            break
        matter = dict(into)
        seen.add(matter["id"])
    found, further = set[str](), {matter["id"]}
    while further:
        found |= further
        merged = select(incidents.c.id).where(incidents.c.merged_into.in_(further))
        further = set((await connection.execute(merged)).scalars()) - found
    return matter, sorted(found)


async def _statements(connection: AsyncConnection, family: Sequence[str]) -> list[Answer]:
    s = statements.c
    chosen = select(s.id, s.number, s.title, s.published_at, s.kind, s.withdrawn_at)
    chosen = chosen.where(s.incident_id.in_(family), s.published_at.is_not(None), s.drill.is_(False))
    rows = (await connection.execute(chosen)).all()
    return [
        Answer(at, "bulletin", id_, number, title, gone is not None, answers=kind == "facts" and gone is None)
        for id_, number, title, at, kind, gone in rows
    ]


async def _posted(connection: AsyncConnection, report: str, family: Sequence[str]) -> list[Answer]:
    """What stands where this report asked: the newest release of each statement that somebody posted there."""
    s, p = statements.c, POSTINGS.c
    chosen = select(s.id, s.number, s.title, s.withdrawn_at, p.at, p.address_ref, p.release).join(
        POSTINGS, p.statement_id == s.id
    )
    chosen = chosen.where(p.report_id == report, s.incident_id.in_(family), s.drill.is_(False)).order_by(p.release)
    newest = {row.id: row for row in await connection.execute(chosen)}
    places = await texts(connection, METADATA, [row.address_ref for row in newest.values()])
    return [
        Answer(row.at, "posted", id_, row.number, row.title, row.withdrawn_at is not None, place, answers=False)
        for id_, row in newest.items()
        if (place := places.get(row.address_ref))
    ]


async def _direct(connection: AsyncConnection, which: Any) -> list[Answer]:
    chosen = select(DIRECT.c.at, DIRECT.c.public).where(which)
    return [Answer(row.at, "public" if row.public else "direct") for row in await connection.execute(chosen)]


async def _told(
    by: Literal["number", "receipt"],
    connection: AsyncConnection,
    offices: Offices,
    matter: Row,
    answers: Sequence[Answer],
    *,
    asked: str | None = None,
    received: str | None = None,
) -> Told:
    rows = (await connection.execute(select(LIMITS).where(LIMITS.c.incident_id == matter["id"]))).mappings().all()
    limits = [limit for row in rows if (limit := _limit(dict(row), matter, offices))]
    return Told(
        by,
        _state(matter, answers),
        received or matter["opened_at"],
        matter["unit"],
        matter["assigned"] if matter["assigned"] != matter["unit"] else None,
        matter["number"],
        asked,
        sorted(limits, key=lambda limit: (limit.due, limit.kind)),
        sorted(answers, key=lambda answer: answer.at),
    )


def _state(matter: Row, answers: Sequence[Answer]) -> State:
    """How far it is. A published status is no answer: the office still owes it. What was said before the matter was
    opened again is none any more.
    """
    if matter["state"] in ("closed", "dismissed"):
        return "closed"
    if matter["state"] == "resolved" or any(
        answer.answers and answer.at >= (matter["reopened_at"] or "") for answer in answers
    ):
        return "answered"
    if matter["assigned"]:
        return "handling"
    return "verifying" if verification_of(matter).asked else "received"


def _limit(row: Row, matter: Row, offices: Offices) -> Limit | None:
    """The limit, if it is for the public and still counts."""
    pack = offices.packs.get(row["policy"] or matter["policy"] or "")
    name = row["clock"].partition("#")[0]
    spec = next((one for one in pack.model.clocks if one.name == name), None) if pack else None
    if spec is None or (row["cancelled"] and not row["met_at"] and not row["breached_at"]):
        return None
    asks = frozenset(spec.to)
    if not asks & (ANSWERS | OUTCOMES):
        return None
    kind: Kind = "first_answer" if row["first_answer"] else "answer" if asks & ANSWERS else "outcome"
    if row["met_at"]:
        standing: Standing = "met_late" if row["late"] else "met"
    elif row["breached_at"]:
        standing = "missed"
    else:
        standing = "paused" if row["paused"] else "running"
    return Limit(kind, row["due"], standing, row["met_at"])
