"""The log of all events: its newest checkpoint, who signed it, and the proof of one event."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
from fastapi import APIRouter, Request, Response

from schemas.fields import instant
from services.console.calls import Answer, Calls, Refused, parts
from services.console.page import render
from services.console.site import Id, Signed, Site
from services.kernel import tlog
from services.kernel.sealed.one import proven
from services.kernel.sealed.trust import Trust
from services.kernel.tlog.checkpoint import Opened, opened
from services.kernel.tlog.note import Verifier, encoded
from services.kernel.tlog.proof import Proof

LOG = "/audit/v1/log"


class Cosigned(NamedTuple):
    """A witness, and when it signed a checkpoint, as it says itself; None if it did not."""

    name: str
    at: str | None


class Shown(NamedTuple):
    """What the console found when it checked the proof of an event by the keys of the log."""

    position: int
    """As the log counts, from 0."""
    size: int
    witnesses: Sequence[Cosigned]


def router(site: Site) -> APIRouter:
    """The pages of the log."""
    pages = APIRouter()

    @pages.get("/record")
    async def record(request: Request, me: Signed) -> Response:
        """What there is to look up in the record."""
        return await render(request, "record.html")

    @pages.get("/record/log")
    async def log(request: Request, me: Signed) -> Response:
        """The newest checkpoint, its signatures, and the keys by which others check it."""
        keys = await me.calls.get(f"{LOG}/keys")
        (answer,) = await parts(me.calls.fetch(f"{LOG}/checkpoint"))
        note = answer.value
        found, is_wrong = None, False
        if note is not None and note.is_success:
            try:
                found = _opened(note.content, keys)
            except tlog.Refused:
                is_wrong = True
        return await render(
            request,
            "log.html",
            keys=keys,
            answer=answer,
            note=note.text if found or is_wrong else "",
            checkpoint=found and found.checkpoint,
            root=found and encoded(found.checkpoint.root),
            witnesses=_witnesses(found, keys) if found else (),
            is_wrong=is_wrong,
        )

    @pages.get("/record/log/checkpoint")
    async def checkpoint(me: Signed) -> Response:
        """The newest checkpoint, to save."""
        return _saved(await me.calls.fetch(f"{LOG}/checkpoint"), "checkpoint.txt")

    @pages.get("/events/{id}/proof")
    async def proof(me: Signed, id: Id) -> Response:
        """The proof of an event, to save."""
        return _saved(await me.calls.fetch(_inclusion(id)), f"{id}.tlog-proof")

    return pages


async def checked(calls: Calls, event: bytes, id: str) -> Shown | None:
    """The proof of an event, checked by the keys of the log; None while the log has not signed it.

    Raises `tlog.Refused` if it does not hold, and `Down`.
    """
    answer = await calls.fetch(_inclusion(id))
    if answer.status_code == 404:
        return None
    keys = await calls.get(f"{LOG}/keys")
    found = proven(event, answer.content, Trust(_own(keys)))
    signed = _opened(Proof.parse(answer.content).checkpoint, keys)
    return Shown(found.position, found.checkpoint.size, _witnesses(signed, keys))


def _inclusion(id: str) -> str:
    return f"{LOG}/proof/inclusion?event_id={id}"


def _saved(answer: httpx.Response, name: str) -> Response:
    if answer.is_error:
        raise Refused(Answer(answer.status_code, answer.json()))
    told = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(answer.content, headers=told, media_type="text/plain; charset=utf-8")


def _own(keys: Mapping[str, Any]) -> tuple[Verifier, ...]:
    """The keys that sign the log now."""
    return tuple(
        Verifier.parse(one["vkey"]) for one in keys["keys"] if one["use"] == "log" and one["revoked_at"] is None
    )


def _opened(note: bytes, keys: Mapping[str, Any]) -> Opened:
    return opened(note, keys["origin"], _own(keys), map(Verifier.parse, keys["witnesses"]))


def _witnesses(found: Opened, keys: Mapping[str, Any]) -> list[Cosigned]:
    by = {verifier.vkey: signature for verifier, signature in found.by.items()}
    return [
        Cosigned(vkey.partition("+")[0], instant(datetime.fromtimestamp(by[vkey].at, UTC)) if vkey in by else None)
        for vkey in keys["witnesses"]
    ]
