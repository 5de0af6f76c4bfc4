"""Whether what circulates was published: signed manifests, the public keys, and the page that compares a text.

Nothing that somebody pastes is stored, logged or put into an address.
"""

import asyncio
import functools
import io
import re
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any

import orjson
import segno
from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.manifest import digest_of
from services.kernel.core.problems import Malformed, NotFound, TooLarge
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import bodies, documents, http, records
from services.kernel.serving.documents import DescribedRoute
from services.publish.bulletin import queries
from services.publish.bulletin.pages import DRAWN, Lang, language
from services.publish.bulletin.shown import Item, readable, zone_name
from services.publish.bulletin.site import HTML, Site, answer, headers
from services.publish.verifying import differing, finding, keys, manifests
from services.publish.verifying.answers import About, SignedStatement

JSON, SCRIPT = "application/json", "text/javascript; charset=utf-8"
LONGEST = 110_000
"""Characters of a text that are compared: the longest statement with its title, and some more."""
AT_ONCE = 2
"""A process compares so many texts at a time: anybody may ask, and the offices' work goes first."""
PATIENCE = 3
"""After so many seconds of waiting for its turn, a question is told to come again."""
SHOWN = 5
"""So many statements with one and the same text are shown."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""The page has a form and the script that reads a picture. Both are its own."""
_PROOF_POLICY = re.compile(rb'http-equiv="Content-Security-Policy" content="([^"]+)"')
CODE = {"image/svg+xml": documents.text("<svg>…</svg>")}
Statement = Annotated[str | None, Query(description="A number, an id, or an address of the bulletin.")]
Id = Annotated[str, Path(description="The statement's id or its number.")]


@functools.cache
def router() -> APIRouter:
    """`/bulletin/verify`, signed manifests, and `/.well-known/huiying.json`, all public."""
    api = http.router("", "verify", DescribedRoute)

    @api.get("/bulletin/statements/{id}/manifest.json", **documents.answers(SignedStatement))
    async def read_manifest(runtime: http.Serving, request: Request, id: Id) -> Response:
        """A published statement with its signed manifests, one for each release, and its signed state."""
        named = await records.find(runtime, "statement", id) or id
        async with runtime.database.read() as connection:
            found = await manifests.signed(runtime, connection, named)
        if found is None:
            raise NotFound(f"no statement {id[:60]!r} was published", what=id[:60])
        return answer(request, orjson.dumps(found), JSON)

    @api.get("/.well-known/huiying.json", **documents.answers(About))
    async def read_public_keys(runtime: http.Serving, request: Request) -> Response:
        """The deployment, its public keys with their times, and the addresses of the bulletin and of its check."""
        async with runtime.database.read() as connection:
            rows = await keys.every(connection)
        told = {
            "deployment": runtime.settings.deployment,
            "bulletin": runtime.settings.link("bulletin/"),
            "verify": runtime.settings.link("bulletin/verify"),
            **keys.web_keys(rows),
        }
        return answer(request, orjson.dumps(told), JSON)

    @api.get("/bulletin/statements/{id}/code.svg", **documents.answers_content("The picture.", CODE))
    async def read_code(runtime: http.Serving, request: Request, id: Id) -> Response:
        """The code on a statement's page. It leads to the page that verifies the statement."""
        async with runtime.database.read() as connection:
            row = await finding.statement(connection, id)
        if row is None:
            raise NotFound(f"no statement {id[:60]!r} was published", what=id[:60])
        drawn = io.BytesIO()
        told = runtime.settings.link(f"bulletin/verify?statement={row['number'] or row['id']}")
        segno.make(told, error="m", micro=False).save(drawn, kind="svg", scale=4, border=4, dark="#000", light="#fff")
        return answer(request, drawn.getvalue(), "image/svg+xml")

    @api.get("/bulletin/verify", **DRAWN)
    async def show_verify(runtime: http.Serving, statement: Statement = None, lang: Lang = None) -> Response:
        """The page that verifies what circulates. With a number, an id or an address it says what was published so."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            try:
                site = Site(runtime.settings, offices, language(lang))
            except Malformed:
                return Site(runtime.settings, offices).missing()
            if statement is None:
                return _page(site, "")
            named = finding.named_by(statement, runtime.settings) or finding.Named(None)
            return await _named(runtime, connection, offices, site, named)

    @api.post("/bulletin/verify", include_in_schema=False)
    async def verify_text(runtime: http.Serving, request: Request, lang: Lang = None) -> Response:
        """What is known of a text that somebody pasted. The text is kept nowhere."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
        try:
            site = Site(runtime.settings, offices, language(lang))
        except Malformed:
            return Site(runtime.settings, offices).missing()
        try:
            pasted = await _pasted(request)
        except TooLarge:
            return _page(site, "large", status=413)
        except Malformed:
            return _page(site, "unreadable", status=422)
        if not pasted.strip():
            return _page(site, "empty", status=422)
        if named := finding.named_by(pasted, runtime.settings):
            async with runtime.database.read() as connection:
                return await _named(runtime, connection, offices, site, named)
        comparing = _comparing(request)
        try:
            async with asyncio.timeout(PATIENCE):
                await comparing.acquire()
        except TimeoutError:
            response = _page(site, "busy", status=503)
            response.headers["Retry-After"] = str(PATIENCE)
            return response
        try:
            async with runtime.database.read() as connection:
                known, named_in = await finding.candidates(connection, pasted)
            # A comparison can take long, so it holds no connection.
            found = await asyncio.to_thread(finding.judge, pasted, known, named_in)
        finally:
            comparing.release()
        told = [one.statement for one in found.exact] + [one.statement for one in found.near]
        async with runtime.database.read() as connection:
            rows = await queries.public_statements(connection, list(dict.fromkeys(told))[:SHOWN])
        return _compared(site, found, {row["id"]: readable(row, offices.zone, site.language) for row in rows}, offices)

    for name in ("verify.js", "jsQR.js"):
        api.add_api_route(f"/bulletin/{name}", functools.partial(_script, name), include_in_schema=False)
    api.add_api_route("/bulletin/proof.html", _proof, include_in_schema=False)
    return api


async def _script(name: str, request: Request) -> Response:
    """A script of the page."""
    return answer(request, packaged(name), SCRIPT)


async def _proof(request: Request) -> Response:
    """The page that checks an event of the record by itself. A saved copy carries its policy along."""
    page = packaged("proof.html")
    policy = _PROOF_POLICY.search(page)
    assert policy is not None
    told = answer(request, page, HTML)
    told.headers["Content-Security-Policy"] = policy[1].decode() + "; frame-ancestors 'none'"
    return told


@functools.lru_cache
def packaged(name: str) -> bytes:
    """A file of the page. jsQR 1.4.0 is as npm has it; a test names its digest."""
    return resources.files("services.publish.verifying").joinpath("static", name).read_bytes()


def _comparing(request: Request) -> asyncio.Semaphore:
    """The turns of comparisons in this process."""
    if not hasattr(request.app.state, "comparing"):
        request.app.state.comparing = asyncio.Semaphore(AT_ONCE)
    turns: asyncio.Semaphore = request.app.state.comparing
    return turns


async def _pasted(request: Request) -> str:
    """The text of the form. Raises `TooLarge` and `Malformed`."""
    pasted = await bodies.read_form(request, "text")
    if len(pasted) > LONGEST:
        raise TooLarge(f"the text has more than {LONGEST} characters", limit=LONGEST)
    return pasted


async def _named(
    runtime: Runtime, connection: AsyncConnection, offices: Offices, site: Site, named: finding.Named
) -> Response:
    if named.is_foreign:
        return _page(site, "foreign")
    row = await finding.statement(connection, named.ref) if named.ref else None
    if row is None:
        return _page(site, "missing", status=404)
    last = (await manifests.releases(connection, row["id"]))[-1]
    asked = {"statement": row["number"] or row["id"]}
    item = readable(row, offices.zone, site.language)
    return _page(site, "statement", offices, item=item, digest=digest_of(last.content), narrowed=asked)


def _compared(site: Site, found: finding.Found, items: Mapping[str, Item], offices: Offices) -> Response:
    if found.exact:
        first = found.exact[0]
        ended = "withdrawal" if first.announces else "withdrawn"
        verdict = _holding(items[first.statement]) if first.holds else ended if first.ended else "earlier"
        return _page(site, verdict, offices, exact=list(items.values()), hidden=found.hidden)
    near = [{"item": items[one.statement], "pieces": differing.shortened(one.pieces)} for one in found.near]
    return _page(site, "unknown", offices, near=near, hidden=found.hidden)


def _holding(item: Item) -> str:
    """What is said of a text that still stands: whether a later one of its matter tells its facts anew, or follows."""
    return "retold" if item["retold"] else "followed" if item["updated_by"] else "current"


def _page(site: Site, verdict: str, offices: Offices | None = None, status: int = 200, **told: Any) -> Response:
    """The page with an answer, or without one. Nobody keeps it."""
    nothing: dict[str, Any] = {"exact": [], "near": [], "hidden": [], "item": None, "digest": ""}
    known = site.url.removesuffix("bulletin/") + ".well-known/huiying.json"
    zone = zone_name(offices.zone, site.language) if offices else ""
    values = nothing | {"verdict": verdict, "limit": LONGEST, "keys": known, "zone": zone} | told
    kept = {"Cache-Control": "no-store", "Content-Security-Policy": POLICY}
    return Response(site.draw("verify.html", "verify", **values), status, headers(site.language) | kept, HTML)
