"""Subscriptions: which systems are told what happens, how far the sending is, and what was not taken and why."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import Answer, Refused, parts
from services.console.labels import REMEDIES
from services.console.operations.integrations import KEYS
from services.console.operations.types import SUBJECTS, TYPES
from services.console.page import render
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked
from services.console.words import translations

SUBSCRIPTIONS = "/audit/v1/subscriptions"
PATHS: Mapping[str, tuple[str, str]] = {
    "replay": ("subscriptions/{id}/replay", "post"),
    "renew-secret": ("subscriptions/{id}/renew-secret", "post"),
    "end-subscription": ("subscriptions/{id}", "delete"),
}
"""Verb -> its path in the API of audit, and its method."""


class Known(NamedTuple):
    """Integrations that may have subscriptions."""

    names: Mapping[str, str]
    """Integration -> its name."""
    silent: frozenset[str]
    """Those without a valid key, for which nothing is sent."""


def router(site: Site) -> APIRouter:
    """The pages of subscriptions."""
    pages = APIRouter()

    @pages.get("/subscriptions")
    async def listed(request: Request, me: Signed, done: str = "") -> Response:
        """The subscriptions of the administrator's unit, with those of its integrations; ended ones at the end."""
        found, known = await me.calls.get(SUBSCRIPTIONS), await _known(me)
        rows = sorted(found["items"], key=lambda one: one["state"] == "ended")
        return await render(request, "subscriptions.html", found=found, rows=rows, known=known, types=TYPES, done=done)

    @pages.get("/subscriptions/new")
    async def new(request: Request, me: Signed) -> Response:
        """The form of a further subscription."""
        return await verbs.form(request, me, await _new(me))

    @pages.post("/subscriptions/new")
    async def make(request: Request, me: Signed) -> Response:
        """Subscribes, and shows the secret this once."""
        return await verbs.act(request, me, await _new(me))

    @pages.get("/subscriptions/{id}")
    async def show(request: Request, me: Signed, id: Id, done: str = "") -> Response:
        """A subscription with its newest messages, and what to do where one is not taken."""
        one, found = await _one(me, id)
        known, (messages,) = await _known(me), await parts(me.calls.get(f"{SUBSCRIPTIONS}/{one['id']}/deliveries"))
        shown = {"one": one, "size": found["size"], "messages": messages, "known": known, "types": TYPES}
        return await render(request, "subscription.html", **shown, short=_short, remedies=REMEDIES, done=done)

    @pages.get("/subscriptions/{id}/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form of a verb of a subscription."""
        return await verbs.form(request, me, await _asked(me, id, verb))

    @pages.post("/subscriptions/{id}/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(me, id, verb))

    async def _new(me: Staff) -> Asked:
        found = await me.calls.get(SUBSCRIPTIONS)
        text = translations(me.language).gettext
        known = sorted(found["types"], key=[*TYPES].index) if set(found["types"]) <= TYPES.keys() else found["types"]
        return Asked(
            verbs.operation(site, "audit", "subscriptions"),
            "subscribe",
            "subscriptions",
            choices={"types": [(one, text(TYPES[one]) if one in TYPES else one) for one in known]},
            named=me.offices.unit(me.unit),
            once="channel_secret.html",
            template="subscription_new.html",
            beside={"subjects": SUBJECTS},
        )

    async def _asked(me: Staff, id: str, verb: str) -> Asked:
        if verb not in PATHS:
            raise Refused(Answer(404, {}))
        one, _ = await _one(me, id)
        return Asked(
            verbs.operation(site, "audit", *PATHS[verb]),
            verb,
            f"subscriptions/{one['id']}",
            ids={"id": one["id"]},
            present={"position": str(one["position"])},
            named=one["address"] or "",
            once="channel_secret.html",
        )

    return pages


async def _one(me: Staff, id: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """A subscription of the unit, and the list in which it stands. Raises `Refused`."""
    found = await me.calls.get(SUBSCRIPTIONS)
    for one in found["items"]:
        if one["id"] == id:
            return one, found
    raise Refused(Answer(404, {}))


async def _known(me: Staff) -> Known:
    """The integrations of the unit, as far as ingest answers."""
    (keys,) = await parts(me.calls.get(KEYS, limit=200))
    rows = (keys.value or {"items": (), "next": None})["items"]
    valid = {one["integration"] for one in rows if one["revoked_at"] is None and one["scope"] == "ingest"}
    names = {one["integration"]: one["name"] or one["integration"] for one in rows}
    return Known(names, frozenset(names.keys() - valid) if keys.value and not keys.value["next"] else frozenset())


def _short(type_: str) -> str:
    """`incident.graded` for the full name of any of its versions."""
    return type_.removeprefix("huiying.").rpartition(".v")[0]
