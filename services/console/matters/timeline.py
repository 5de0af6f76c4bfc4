"""What was on record of a matter at any instant, on two axes, and the page of an event with what proves it."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Request, Response

from schemas.fields import instant, parse_instant
from services.console.calls import Calls, parts
from services.console.labels import RECORDS
from services.console.page import Reader, reader, render
from services.console.record import log
from services.console.site import Id, Signed, Site
from services.console.words import N_, typed_moment
from services.kernel import tlog

SHOWN = 50
"""Events on a page."""
LONGEST = 2000
"""Events that a page looks through, the oldest first."""
AT_ONCE = 500
EXACT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
MISSED, MILESTONE = "huiying.clock.breached.v1", "huiying.clock.milestone_reached.v1"
Item = Mapping[str, Any]


class Row(NamedTuple):
    """An event of a person or a missed limit, or several events of the system one after another, which stand folded."""

    items: Sequence[Item]

    @property
    def is_folded(self) -> bool:
        return len(self.items) > 1


class Steps(NamedTuple):
    """The instants at which something was recorded, and where the page stands among them."""

    all: Sequence[str]
    at: int

    @property
    def earlier(self) -> str | None:
        """The instant of the event before."""
        return self.all[self.at - 1] if self.at > 0 else None

    @property
    def later(self) -> str | None:
        """The instant of the event after."""
        return self.all[self.at + 1] if self.at + 1 < len(self.all) else None


def kind_of(item: Item) -> str:
    """The kind of an event, by which a timeline is filtered: the first part of its type."""
    return str(item["event"]["type"]).split(".")[1]


def is_of_system(item: Item) -> bool:
    """Whether no person did it."""
    return str(item["event"].get("actor", "system")) == "system"


def folds(item: Item) -> bool:
    """Whether an event can stand folded: the system's own work, and the milestones, which repeat an act of a person.

    A missed limit never does: it is what people look for.
    """
    kind = str(item["event"]["type"])
    return kind != MISSED and (is_of_system(item) or kind == MILESTONE)


def folded(items: Sequence[Item]) -> list[Row]:
    """The rows of a timeline: what the system did between two acts of people is one row."""
    rows: list[Row] = []
    for item in items:
        if folds(item) and rows and folds(rows[-1].items[0]):
            rows[-1] = Row([*rows[-1].items, item])
        else:
            rows.append(Row([item]))
    return rows


def by_day(items: Sequence[Item], look: Reader) -> list[tuple[str, list[Row]]]:
    """The rows of each day of the unit's zone, in order of recording."""
    found: list[tuple[str, list[Item]]] = []
    for item in items:
        day = look.day(item["event"]["recordedtime"])
        if not found or found[-1][0] != day:
            found.append((day, []))
        found[-1][1].append(item)
    return [(day, folded(some)) for day, some in found]


def steps(moments: Sequence[str], known_at: str | None) -> Steps:
    """Where an instant stands among the instants of recording; at the last one without it."""
    found = sorted(set(moments))
    before = [at for at in found if known_at is None or at <= known_at]
    return Steps(found, len(before) - 1)


def asked_instant(typed: str, look: Reader) -> str | None:
    """The instant of a parameter: exact as a link has it, or as a person types it; None if it is no time.

    What happened within the typed minute counts as well, since pages show minutes.
    """
    if EXACT.fullmatch(typed):
        try:
            return instant(parse_instant(typed))
        except ValueError:
            return None
    found = typed_moment(typed, look.zone, look.now)
    return found and instant(datetime.fromisoformat(found) + timedelta(seconds=59, microseconds=999_999))


async def course(calls: Calls, id: str, **asked: str | None) -> dict[str, Any]:
    """The timeline of a matter from its begin, as one answer. Raises `Down` and `Refused`."""
    found: dict[str, Any] = await calls.get(f"/audit/v1/incidents/{id}/timeline", limit=AT_ONCE, **asked)
    while found["next"] and len(found["items"]) < LONGEST:
        more = await calls.get(f"/audit/v1/incidents/{id}/timeline", limit=AT_ONCE, cursor=found["next"], **asked)
        found |= {"items": [*found["items"], *more["items"]], "next": more["next"]}
    return found


def router(site: Site) -> APIRouter:
    """The pages of the course of a matter."""
    pages = APIRouter()

    @pages.get("/incidents/{id}/timeline")
    async def timeline(
        request: Request, me: Signed, id: Id, as_of: str = "", known_at: str = "", kind: str = "", page: str = ""
    ) -> Response:
        """What was on record: by when it had happened, by when it was known; of all kinds or of one."""
        look, faults = await reader(request), []
        asked: dict[str, str | None] = {}
        for name, typed in (("as_of", as_of), ("known_at", known_at)):
            asked[name] = asked_instant(typed, look) if typed else None
            if typed and asked[name] is None:
                faults.append(
                    look.gettext(N_("“%(typed)s”不是时间，写成 11-25 21:07 或 21:07")) % {"typed": typed[:30]}
                )
        found = await course(me.calls, id, **asked)
        whole = await course(me.calls, id) if any(asked.values()) else found
        kind = kind if kind in RECORDS else ""
        chosen = [item for item in found["items"] if not kind or kind_of(item) == kind]
        pages_of = max(1, -(-len(chosen) // SHOWN))
        at = min(max(int(page[:6]), 1), pages_of) if page.isascii() and page.isdigit() else 1

        def address(**changed: object) -> str:
            now = {"as_of": as_of, "known_at": known_at, "kind": kind} | changed
            return "?" + urlencode({name: value for name, value in now.items() if value})

        return await render(
            request,
            "timeline.html",
            id=id,
            found=found,
            typed={name: _typed(given, look) for name, given in (("as_of", as_of), ("known_at", known_at))},
            days=by_day(chosen[(at - 1) * SHOWN : at * SHOWN], look),
            kind=kind,
            kinds=RECORDS,
            page=at,
            pages=pages_of,
            count=len(chosen),
            steps=steps([item["event"]["recordedtime"] for item in whole["items"]], asked["known_at"]),
            address=address,
            faults=faults,
            is_drill=any(item["event"].get("drill") for item in whole["items"]),
        )

    @pages.get("/events/{id}")
    async def event(request: Request, me: Signed, id: Id) -> Response:
        """An event as it was recorded, and what proves it today."""
        found = await me.calls.get(f"/audit/v1/events/{id}")
        one, bytes_ = found["event"], orjson.dumps(found["event"])
        about = one["subject"] if one["subject"].startswith("incident-") else one.get("correlationid")
        reported = one["subject"] if one["subject"].startswith("report-") else None
        (matter, beside, matters, proof) = await parts(
            me.calls.get(f"/triage/v1/incidents/{about}") if about else _nothing(),
            _beside(me.calls, one, about),
            me.calls.get("/triage/v1/incidents", report_id=reported) if reported else _nothing(),
            _proof(me.calls, one["id"], bytes_),
        )
        of_report = (matters.value or {}).get("items", ())
        before, after, is_whole_read = beside.value or (None, None, beside.down is None)
        return await render(
            request,
            "event.html",
            found=found,
            one=one,
            number=(matter.value or {}).get("number") or next((other["number"] for other in of_report), None),
            raw=orjson.dumps(one, option=orjson.OPT_INDENT_2).decode(),
            size=len(bytes_),
            is_whole=hashlib.sha256(bytes_).hexdigest() == found["digest"],
            before=before,
            after=after,
            is_read=is_whole_read,
            follows=before and _digest(before) == one.get("previousdigest"),
            proof=proof,
            is_followed=after and after.get("previousdigest") == found["digest"],
        )

    @pages.get("/events/{id}/raw")
    async def raw(me: Signed, id: Id) -> Response:
        """The bytes over which the digest goes, to save."""
        found = await me.calls.get(f"/audit/v1/events/{id}")
        name = {"Content-Disposition": f'attachment; filename="{found["event"]["id"]}.json"'}
        return Response(orjson.dumps(found["event"]), headers=name, media_type="application/json")

    return pages


async def _proof(calls: Calls, id_: str, bytes_: bytes) -> log.Shown | str | None:
    """The checked proof of an event; None while the log has not signed it, and a word if it does not hold."""
    try:
        return await log.checked(calls, bytes_, id_)
    except tlog.Refused:
        return "wrong"


async def _beside(calls: Calls, one: Item, about: str | None) -> tuple[Item | None, Item | None, bool]:
    """The records before and after one in its stream, and whether the stream was read as far as they can stand."""
    chain: dict[int, Item] = {}
    cursor, is_whole, last = None, False, one["streamversion"] + 1
    for _ in range(LONGEST // AT_ONCE):
        asked = {"subject": one["subject"], "incident": about, "limit": AT_ONCE, "cursor": cursor}
        found = await calls.get("/audit/v1/events", **asked)
        chain |= {other["streamversion"]: other for other in found["items"]}
        cursor = found["next"]
        if is_whole := cursor is None or last in chain:
            break
    return chain.get(last - 2), chain.get(last), is_whole


async def _nothing() -> None:
    return None


def _digest(event: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(event)).hexdigest()


def _typed(given: str, look: Reader) -> str:
    """An instant of a link as a person would type it; anything else as it was typed."""
    if not EXACT.fullmatch(given):
        return given
    try:
        return parse_instant(given).astimezone(look.zone).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return given
