"""This deployment as a witness of other logs (c2sp.org/tlog-witness): it cosigns what only grows.

Anybody may ask: the signature of the log on its checkpoint is the only authentication, as the protocol has it.
"""

import functools
from typing import Any

from fastapi import APIRouter, Request, Response

from services.audit.log import witnessing
from services.kernel.serving import bodies, documents, http
from services.kernel.tlog.witness import Declined

LIMIT = 100_000
"""The most bytes of a request: a proof, and a note with as many signatures as a note must be able to have."""
TEXT = "text/plain; charset=utf-8"
HASH = "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms="
NOTE = "town.example/log\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n— town.example/log u4DtRi5S…\n"
EXAMPLE = f"old 6\n{HASH}\n\n{NOTE}"
BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"text/plain": documents.text(EXAMPLE)}}}
ANSWER = {"text/plain": documents.text("— county.example/witness CMp+6LWB…\n")}
DECLINED = {
    400: "The body is no request, or its old size is above the new one.",
    403: "No known key of the log signed the checkpoint.",
    404: "This witness does not know the log.",
    409: "The witness holds another size, which is the body as `text/x.tlog.size`, or another root of this size.",
    422: "The proof does not show that the log only grew.",
}


def _documents() -> dict[str, Any]:
    told = documents.answers_content("The cosignatures, one line each.", ANSWER)
    declined = {status: {"description": said} for status, said in DECLINED.items()}
    return {**told, "responses": {**told["responses"], **declined}, "openapi_extra": BODY}


@functools.cache
def router() -> APIRouter:
    """`/witness`."""
    api = http.router("/witness", "witness_api")

    @api.post("/add-checkpoint", **_documents())
    async def add_checkpoint(runtime: http.Serving, request: Request) -> Response:
        """A log shows its new checkpoint and the proof that it only grew, and gets the cosignature (tlog-witness)."""
        body = await bodies.read_body(request, LIMIT)
        try:
            return Response(await witnessing.cosign(runtime, body), media_type=TEXT)
        except Declined as declined:
            if declined.status == 409 and declined.size is not None:
                return Response(f"{declined.size}\n", status_code=409, media_type="text/x.tlog.size")
            return Response(f"{declined}\n", status_code=declined.status, media_type=TEXT)

    return api
