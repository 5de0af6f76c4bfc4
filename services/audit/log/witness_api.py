"""This deployment as a witness of other logs (c2sp.org/tlog-witness): it cosigns what only grows.

Anybody may ask: the signature of the log on its checkpoint is the only authentication, as the protocol has it. The
protocol is its documentation, so the documents of the API leave it out.
"""

import functools

from fastapi import APIRouter, Request, Response

from services.audit.log import witnessing
from services.kernel.serving import bodies, http
from services.kernel.tlog.witness import Declined

LIMIT = 100_000
"""The most bytes of a request: a proof, and a note with as many signatures as a note must be able to have."""
TEXT = "text/plain; charset=utf-8"


@functools.cache
def router() -> APIRouter:
    """`/witness`."""
    api = http.router("/witness", "witness_api")

    @api.post("/add-checkpoint", include_in_schema=False)
    async def add_checkpoint(runtime: http.Serving, request: Request) -> Response:
        """A log shows its new checkpoint and the proof that it only grew, and gets the cosignature."""
        body = await bodies.read_body(request, LIMIT)
        try:
            return Response(await witnessing.cosign(runtime, body), media_type=TEXT)
        except Declined as declined:
            if declined.status == 409 and declined.size is not None:
                return Response(f"{declined.size}\n", status_code=409, media_type="text/x.tlog.size")
            return Response(f"{declined}\n", status_code=declined.status, media_type=TEXT)

    return api
