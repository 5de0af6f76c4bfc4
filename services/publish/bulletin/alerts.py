"""Alerts of the Common Alerting Protocol (CAP 1.2): an Atom index, and one document for each alert.

Only statements that name the established fact `danger` are alerts (`docs/adr/0046-which-statements-are-alerts.md`). A
correction is an `Update`, a withdrawal a `Cancel`, each with references to what it replaces. With a certificate and a
key in the settings each document carries an XML signature (XMLDSig).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta, tzinfo
from functools import lru_cache
from pathlib import Path as File
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import parse_instant
from services.kernel.core.problems import NotFound
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import documents, http, records
from services.kernel.settings import Settings
from services.kernel.store.views import Row
from services.publish.bulletin import queries
from services.publish.bulletin.feeds import ATOM, FEED, Cursor, atom
from services.publish.bulletin.shown import Found, Narrowed, readable, zone_name
from services.publish.bulletin.site import Site, answer, templates

CAP = "application/cap+xml; charset=utf-8"
SIGNED = documents.text("<alert>…</alert>")
Id = Annotated[str, Path(description="The statement's id or its number.")]


class Message(NamedTuple):
    """One message: an alert, or what replaces it."""

    identifier: str
    sender: str
    sent: str
    kind: str
    """`Alert`, `Update` or `Cancel`."""

    @property
    def reference(self) -> str:
        return f"{self.sender},{self.identifier},{self.sent}"


async def alerts_of(
    connection: AsyncConnection, row: Row, zone: tzinfo, host: str, *, drill: bool = False
) -> tuple[list[Message], bool]:
    """The messages up to the latest one of a statement, and whether that says that the danger is over.

    None if the statement is no alert. A text is a message if it rests on a danger that was established as there. If
    that was established as over, the text ends the messages before it on the same matter. A matter that was merged
    later was another one then.
    """
    if not row["danger"]:
        return [], False
    merges = await queries.merges_of(connection, row["incident_id"])
    said, latest = list[tuple[str, Message]](), list[Message]()
    over: dict[str, bool] = {}
    for one in await queries.line_on_danger(connection, row["incident_id"], merges, drill=drill):
        matter = _matter(merges, one["incident_id"], one["at"])
        before = [message for where, message in said if _matter(merges, where, one["at"]) == matter]
        if one["kind"] == "withdrawal":
            kind = "Cancel"
        else:
            kind = "Update" if before else "Alert"
            if one["there"] or before:
                over[one["id"]] = not one["there"]
        if one["id"] in over:
            sender, identifier = f"{one['unit']}@{host}", f"{one['id']}.{one['version']}"
            message = Message(identifier, sender, sent(one["at"], zone), kind)
            said.append((one["incident_id"], message))
            latest = [*before, message] if one["id"] == row["id"] else latest
    return latest, over.get(row["id"], False)


def _matter(merges: Mapping[str, queries.Merge], incident: str, at: str) -> str:
    """The matter in which one went on by an instant."""
    while (merge := merges.get(incident)) and merge.at <= at:
        incident = merge.into
    return incident


def sent(at: str, zone: tzinfo) -> str:
    """An instant as CAP writes it: whole seconds, with the offset, which is `-00:00` for UTC."""
    here = parse_instant(at).astimezone(zone).replace(microsecond=0)
    written = here.isoformat()
    return written[:-6] + "-00:00" if here.utcoffset() == timedelta() else written


def document(
    row: Row, item: dict[str, Any], messages: Sequence[Message], is_over: bool, site: Site, *, drill: bool = False
) -> bytes:
    """The latest message of a statement, in the order of elements that the schema fixes."""
    *earlier, last = messages
    text = (
        templates("zh")
        .get_template("alert.xml")
        .render(
            message=last,
            references=" ".join(message.reference for message in earlier),
            note=item["said"][-1]["reason"],
            item=item,
            is_over=is_over,
            drill=drill,
            web=None if drill else site.full(f"statements/{row['id']}"),
            contact=site.contact,
            files=[one | {"uri": site.full(f"files/{one['file']}")} for one in _held(item)],
        )
    )
    return text.encode()


def _held(item: dict[str, Any]) -> list[Row]:
    return [] if item["withdrawal"] else item["files"]


@lru_cache(256)
def signed(unsigned: bytes, certificate: File, key: File) -> bytes:
    """The document with an enveloped signature. The same document always gets the same one, and so the same `ETag`.

    Loaded when it is needed: most deployments sign nothing here, and the library takes as long to load as all of ours.
    """
    from lxml import etree  # type: ignore[import-untyped]
    from signxml.algorithms import SignatureMethod
    from signxml.signer import XMLSigner

    signer = XMLSigner(signature_algorithm=SignatureMethod.RSA_SHA256)
    root = signer.sign(etree.fromstring(unsigned), key=key.read_bytes(), cert=certificate.read_text())
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8"))


def _host(settings: Settings) -> str:
    return urlsplit(settings.public_url).hostname or "localhost"


async def _found(
    connection: AsyncConnection, settings: Settings, site: Site, offices: Offices, row: Row
) -> bytes | None:
    messages, is_over = await alerts_of(connection, row, offices.zone, _host(settings))
    if not messages:
        return None
    made = document(row, readable(row, offices.zone), messages, is_over, site)
    if settings.cap_certificate is None or settings.cap_key is None:
        return made
    return signed(made, settings.cap_certificate, settings.cap_key)


async def of_exercise(runtime: Runtime, connection: AsyncConnection, offices: Offices, id_: str) -> Response | None:
    """The latest alert of a statement of an exercise, for staff alone; None if it is none. It is never signed."""
    row = await queries.exercise(connection, id_)
    if row is None:
        return None
    messages, is_over = await alerts_of(connection, row, offices.zone, _host(runtime.settings), drill=True)
    if not messages:
        return None
    site = Site(runtime.settings, offices)
    made = document(row, readable(row, offices.zone), messages, is_over, site, drill=True)
    return Response(made, media_type=CAP, headers={"Cache-Control": "no-store"})


def add_routes(feeds: APIRouter, per_feed: int) -> None:
    """`/bulletin/cap/`."""

    @feeds.get(
        "/cap/feed.atom",
        **documents.answers_content("The index.", FEED),
    )
    async def read_alerts(runtime: http.Serving, request: Request, cursor: Cursor = None) -> Response:
        """The statements that warn of a danger, the latest change first; each links to its document of CAP 1.2."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            site = Site(runtime.settings, offices)
            page, _ = await queries.public_page(connection, queries.Wanted(danger=True), limit=per_feed, cursor=cursor)
            host = _host(runtime.settings)
            rows = [row for row in page.rows if (await alerts_of(connection, row, offices.zone, host))[0]]
        items = [readable(row, offices.zone) for row in rows]
        found = Found(items, page.next, zone_name(offices.zone), Narrowed(), "")
        return answer(request, atom(runtime, site, found, cursor, "cap/feed.atom"), ATOM, site.language)

    @feeds.get("/cap/{id}.xml", **documents.answers_content("The alert.", {"application/cap+xml": SIGNED}))
    async def read_alert(runtime: http.Serving, request: Request, id: Id) -> Response:
        """The latest message of a statement that warns of a danger (CAP 1.2), signed if the deployment signs."""
        named = await records.find(runtime, "statement", id) or id
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            row = await queries.public_statement(connection, named)
            made = row and await _found(connection, runtime.settings, Site(runtime.settings, offices), offices, row)
        if not made:
            raise NotFound(f"there is no alert {id[:60]!r}", what=id[:60])
        return answer(request, made, CAP)
