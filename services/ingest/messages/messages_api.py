"""HTTP of messages between deployments. The signature and the proof in a message are the only authentication."""

import functools

import structlog
from fastapi import APIRouter, Request, Response

from services.ingest import answers
from services.ingest.messages import receiving
from services.kernel import metrics
from services.kernel.between.message import KIND, LIMIT
from services.kernel.core.problems import Problem
from services.kernel.serving import documents, http
from services.kernel.serving.bodies import read_body

logger = structlog.get_logger()
MESSAGE = '{"data": {"event": "eyJ…", "proof": "YzJz…", "words": []}, "type": "huiying.message.v1"}'
SENT = {KIND: {"schema": {"type": "string", "description": "A message, see docs/between.md."}, "example": MESSAGE}}


@functools.cache
def router() -> APIRouter:
    """`/ingest/v1/messages`."""
    api = http.router("/ingest/v1", "messages_api")
    body = {"requestBody": {"required": True, "content": SENT}}

    @api.post("/messages", openapi_extra=body, **documents.or_missing(documents.answers(answers.MessageTaken)))
    async def send_message(runtime: http.Serving, request: Request) -> Response:
        """Takes a message of another deployment in: a matter is handed over, or something is said of one that was.

        The signature in the headers must be of a deployment of the list, and the log of that deployment must prove the
        event. A repetition gets the same receipt. Of what is refused, nothing is kept.
        """
        try:
            answer = await receiving.receive(runtime, await read_body(request, LIMIT), request.headers)
        except Problem as problem:
            if problem.status < 500:
                metrics.MESSAGES_REFUSED.labels(problem.code).inc()
                logger.warning("message.refused", cause=problem.code)
            raise
        return http.reply(answer)

    return api
