"""Whether what circulates was published: signed manifests, the public keys, and the page that compares a text.

Nothing that somebody pastes is stored, logged or put into an address.
"""

import functools
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request, Response

from services.kernel.core.problems import NotFound
from services.kernel.serving import documents, http, records
from services.kernel.serving.documents import DescribedRoute
from services.publish.bulletin.site import answer
from services.publish.verifying import keys, manifests
from services.publish.verifying.answers import About, SignedStatement

JSON = "application/json"
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

    return api
