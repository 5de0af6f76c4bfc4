"""What the answers on channels and deliveries read."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.access.rights import may
from services.kernel.core.decider import Ctx
from services.kernel.core.standings import Units
from services.kernel.serving import paging
from services.kernel.settings import Settings
from services.kernel.store.views import Row
from services.kernel.store.words import resolve
from services.publish.delivering.answers import OWN, DeliveryState, ReplyState
from services.publish.delivering.commands import Confirm, Retry
from services.publish.delivering.deliveries import Question
from services.publish.delivering.public import to_post
from services.publish.delivering.rights import CHANNELS as CHANNEL_RIGHTS
from services.publish.delivering.rights import DELIVERIES as DELIVERY_RIGHTS
from services.publish.delivering.rights import Channel
from services.publish.delivering.views import is_left_behind
from services.publish.rows import Page, numbers_of, releases_of
from services.publish.views import METADATA, statements

CHANNELS, DELIVERIES = METADATA.tables["channels"], METADATA.tables["deliveries"]
QUESTIONS, POSTINGS = METADATA.tables["questions"], METADATA.tables["postings"]
BELONGINGS = METADATA.tables["belongings"]
PAGES = {"bulletin": "", "atom": "feed.atom", "json_feed": "feed.json", "cap": "cap/feed.atom"}
"""Kind of the office's own pages -> its place below the bulletin."""
REPLIES = ("reply", "interim_reply")


async def of_unit(connection: AsyncConnection, ctx: Ctx, unit: str, settings: Settings) -> list[Row]:
    """The channels of a unit, its own pages first."""
    chosen = select(CHANNELS).where(CHANNELS.c.unit == unit).order_by(CHANNELS.c.code)
    rows = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    words = await resolve(connection, METADATA, [row["address_ref"] for row in rows])
    own: list[Row] = [
        {"id": None, "unit": unit, "code": kind, "kind": kind, "title": None, "address": _page(settings, kind)}
        | {"state": "open", "placed_at": None, "version": 0, "may": []}
        for kind in OWN
    ]
    names = ("id", "unit", "code", "kind", "title", "state", "placed_at")
    return own + [
        {name: row[name] for name in names}
        | {"address": words(row["address_ref"]), "version": row["revision"]}
        | {"may": [verb for verb in may(CHANNEL_RIGHTS.values(), _channel(row), ctx) if verb != "place-channel"]}
        for row in rows
    ]


def _channel(row: Row) -> Channel:
    return Channel(row["state"], row["unit"], row["kind"])


def _page(settings: Settings, kind: str, statement: str = "") -> str:
    if statement and kind in ("bulletin", "cap"):
        return settings.link(
            f"bulletin/statements/{statement}" if kind == "bulletin" else f"bulletin/cap/{statement}.xml"
        )
    return settings.link(f"bulletin/{PAGES[kind]}")


_LEFT_BEHIND = is_left_behind(DELIVERIES, CHANNELS)
_GIVEN_UP = or_(DELIVERIES.c.next_at.is_(None), CHANNELS.c.state != "open", _LEFT_BEHIND)
_CURRENT = DELIVERIES.c.release == statements.c.release
_LEFT = DELIVERIES.c.delivered.is_(False)
_STATES: Mapping[str, ColumnElement[bool]] = {
    "due": and_(_LEFT, _CURRENT, ~_GIVEN_UP),
    "failed": and_(_LEFT, _CURRENT, _GIVEN_UP),
    "done": DELIVERIES.c.delivered.is_(True),
    "superseded": and_(_LEFT, ~_CURRENT),
}


def _state(row: Row) -> DeliveryState:
    """The same as `_STATES`."""
    if row["delivered"]:
        return "done"
    if row["release"] != row["newest"]:
        return "superseded"
    is_given_up = row["next_at"] is None or row["channel_state"] != "open" or row["left_behind"]
    return "failed" if is_given_up else "due"


_OF_STATEMENT = (
    statements.c.number,
    statements.c.title,
    statements.c.unit,
    statements.c.revision.label("version"),
    statements.c.release.label("newest"),
    statements.c.danger,
)
_OF_CHANNEL = (
    CHANNELS.c.code.label("channel_code"),
    CHANNELS.c.kind.label("channel_kind"),
    CHANNELS.c.title.label("channel_title"),
    CHANNELS.c.state.label("channel_state"),
    _LEFT_BEHIND.label("left_behind"),
    CHANNELS.c.address_ref.label("place_ref"),
)


async def list_deliveries(
    connection: AsyncConnection,
    ctx: Ctx,
    units: Units,
    settings: Settings,
    *,
    statement: str | None,
    state: DeliveryState | None,
    kind: str | None,
    limit: int,
    cursor: str | None,
) -> Page:
    """Deliveries of the statements of these units, the newest release first.

    With `statement`, those of the office's own pages stand in front.
    """
    of = DELIVERIES.c
    joined = DELIVERIES.join(statements, statements.c.id == of.statement_id).join(CHANNELS, CHANNELS.c.id == of.channel)
    chosen = select(DELIVERIES, *_OF_STATEMENT, *_OF_CHANNEL).select_from(joined)
    chosen = chosen.where(_of_units(units))
    if statement is not None:
        chosen = chosen.where(of.statement_id == statement)
    if state is not None:
        chosen = chosen.where(_STATES[state])
    if kind is not None:
        chosen = chosen.where(CHANNELS.c.kind == kind)
    place = (of.at, of.statement_id, of.channel)
    if cursor is not None:
        chosen = chosen.where(tuple_(*place) < paging.place_of(cursor, str, str, str))
    chosen = chosen.order_by(*(column.desc() for column in place)).limit(limit + 1)
    found = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    rows, further = paging.page(found, limit, lambda row: (row["at"], row["statement_id"], row["channel"]))
    items = await _shown(connection, ctx, rows)
    if statement is not None and cursor is None and state in (None, "done") and (kind is None or kind in OWN):
        items = [*await _own(connection, units, settings, statement, kind), *items]
    return Page(items, further)


def _of_units(units: Units) -> ColumnElement[bool]:
    """The statements of units; exercises go nowhere."""
    return statements.c.unit.in_(sorted(units)) if units is not None else statements.c.drill.is_(False)


async def _own(
    connection: AsyncConnection, units: Units, settings: Settings, statement: str, kind: str | None
) -> list[Row]:
    """The releases of a statement on the office's own pages: they have each one when it is published."""
    chosen = select(statements).where(statements.c.id == statement, statements.c.drill.is_(False), _of_units(units))
    row = (await connection.execute(chosen)).mappings().first()
    if row is None:
        return []
    about = {name: row[name] for name in ("number", "title", "unit")} | {"version": row["revision"]}
    plain = {"channel": None, "channel_title": None, "state": "done", "tries": 1, "next_at": None, "error": None}
    return [
        {"statement_id": statement, **about, **plain, "text": None, "may": []}
        | {"release": release["version"], "release_kind": release["kind"], "at": release["at"]}
        | {"channel_code": one, "channel_kind": one, "place": _page(settings, one), "tried_at": release["at"]}
        | {"address": _page(settings, one, statement)}
        for release in reversed(await releases_of(connection, [statement]))
        for one in OWN
        if kind in (None, one) and (one != "cap" or row["danger"])
    ]


async def _shown(connection: AsyncConnection, ctx: Ctx, rows: Sequence[Row]) -> list[Row]:
    words = await resolve(connection, METADATA, [row[name] for row in rows for name in ("place_ref", "address_ref")])
    said = await _texts(connection, {row["statement_id"] for row in rows})
    names = ("statement_id", "number", "title", "unit", "version", "release", "at", "channel", "channel_code")
    also = ("channel_kind", "channel_title", "tries", "tried_at", "next_at", "error")
    items = []
    for row in rows:
        state, release = _state(row), said[row["statement_id"]][row["release"]]
        by_hand = row["channel_kind"] == "by_hand"
        waits = state in ("due", "failed") and row["channel_state"] == "open"
        verbs = [DELIVERY_RIGHTS[Confirm if by_hand else Retry]] if waits else []
        items.append(
            {name: row[name] for name in (*names, *also)}
            | {"release_kind": release["kind"], "state": state, "place": words(row["place_ref"])}
            | {"next_at": None if by_hand or state != "due" else row["next_at"]}
            | {"address": words(row["address_ref"]) if row["address_ref"] else None}
            | {"text": release["shown"] if by_hand and row["release"] == row["newest"] else None}
            | {"may": may(verbs, row["unit"], ctx)}
        )
    return items


async def _texts(connection: AsyncConnection, ids: set[str]) -> dict[str, dict[int, Row]]:
    """Statement -> release -> its kind, and what is to be posted of it."""
    found: dict[str, dict[int, Row]] = {}
    title = text = ""
    for release in await releases_of(connection, sorted(ids)):
        known = found.setdefault(release["statement_id"], {})
        title, text = (release[name] or (kept if known else "") for name, kept in (("title", title), ("text", text)))
        shown = to_post(release["kind"], title, text, release["reason"] or "")
        known[release["version"]] = {"kind": release["kind"], "shown": shown}
    return found


def _replies(units: Units) -> Select[Any]:
    """Published answers of these units, with the reports whose questions they answer."""
    of, posting, newer = statements, POSTINGS, statements.alias()
    posted = and_(
        posting.c.statement_id == of.c.id,
        posting.c.report_id == QUESTIONS.c.report_id,
        posting.c.release == of.c.release,
    )
    once = posting.alias()
    stands = exists().where(once.c.statement_id == of.c.id, once.c.report_id == QUESTIONS.c.report_id)
    outdated = exists().where(
        newer.c.incident_id == of.c.incident_id,
        newer.c.form.in_(REPLIES),
        newer.c.state == "published",
        newer.c.published_at > of.c.published_at,
    )
    # A merger takes no report away from the matter that goes on elsewhere.
    belongs = and_(BELONGINGS.c.left_at.is_(None), BELONGINGS.c.incident_id == of.c.incident_id)
    joined = (
        of.join(BELONGINGS, belongs)
        .join(QUESTIONS, QUESTIONS.c.report_id == BELONGINGS.c.report_id)
        .outerjoin(posting, posted)
    )
    names = ("number", "title", "form", "unit", "incident_id", "release")
    columns = [of.c[name] for name in names]
    # The newest answer of a matter is the one to post. One that was withdrawn is taken back where it stands.
    holds = or_(and_(of.c.state == "published", ~outdated), stands)
    return (
        select(
            of.c.id.label("statement_id"),
            *columns,
            of.c.revision.label("version"),
            of.c.updated_at.label("at"),
            QUESTIONS.c.report_id,
            QUESTIONS.c.channel.label("report_channel"),
            posting.c.at.label("posted_at"),
            posting.c.address_ref,
        )
        .select_from(joined)
        .where(of.c.form.in_(REPLIES), of.c.published_at.is_not(None), of.c.drill.is_(False), holds, _of_units(units))
    )


async def list_replies(
    connection: AsyncConnection, ctx: Ctx, units: Units, *, state: ReplyState | None, limit: int, cursor: str | None
) -> Page:
    """Answers of these units for the places where the questions were asked, the newest first."""
    chosen = _replies(units)
    if state is not None:
        chosen = chosen.where(POSTINGS.c.at.is_(None) if state == "due" else POSTINGS.c.at.is_not(None))
    place = (statements.c.updated_at, statements.c.id, QUESTIONS.c.report_id)
    if cursor is not None:
        chosen = chosen.where(tuple_(*place) < paging.place_of(cursor, str, str, str))
    chosen = chosen.order_by(*(column.desc() for column in place)).limit(limit + 1)
    found = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    rows, further = paging.page(found, limit, lambda row: (row["at"], row["statement_id"], row["report_id"]))
    words = await resolve(connection, METADATA, [row["address_ref"] for row in rows])
    said = await _texts(connection, {row["statement_id"] for row in rows})
    numbers = await numbers_of(connection, rows)
    right, names = DELIVERY_RIGHTS[Confirm], ("statement_id", "number", "title", "form", "unit", "version")
    items = [
        {name: row[name] for name in (*names, "incident_id", "at", "report_id", "report_channel")}
        | {"incident_number": numbers.get(row["incident_id"]), "state": "done" if row["posted_at"] else "due"}
        | {"address": words(row["address_ref"]) if row["address_ref"] else None}
        | {"text": said[row["statement_id"]][row["release"]]["shown"]}
        | {"may": [] if row["posted_at"] else may([right], row["unit"], ctx)}
        for row in rows
    ]
    return Page(items, further)


async def question_of(connection: AsyncConnection, statement: str, report: str) -> Question | None:
    """The question of a report, if the statement answers it."""
    chosen = _replies(None).where(statements.c.id == statement, QUESTIONS.c.report_id == report)
    row = (await connection.execute(chosen)).mappings().first()
    return Question(row["report_id"], row["report_channel"]) if row else None
