"""HTTP of CloudEvents: one event, in headers or as JSON, or a batch of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.ingest import answers, batch, intake
from services.ingest.cloudevents import codec
from services.kernel.core.decider import Actor
from services.kernel.core.problems import UnsupportedMedia
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import documents, http
from services.kernel.serving.bodies import read_body
from services.kernel.serving.commands import Caller
from services.kernel.serving.problems import language_of
from services.kernel.serving.sign_in import SignIn

NDJSON = "application/x-ndjson"
BATCH_BYTES = 4_000_000
DATA = '{"unit": "town-east", "channel": "board", "subject": "卫生院门前路灯不亮", "text": "已经四天不亮。"}'
EVENT = (
    f'{{"specversion": "1.0", "type": "{codec.TYPE}", "source": "mayor-board", "id": "2026-0317", '
    f'"time": "2026-03-02T09:00:00+08:00", "data": {DATA}}}'
)
AGAIN = "The event was taken in before; or the answers to a batch, one line for each event."
LINE = '{"line": 1, "status": 201, "report_id": "…", "receipt": "…", "dropped": []}\n'
SENT: Mapping[str, tuple[str, str]] = {
    codec.STRUCTURED: ("An event, as JSON.", EVENT),
    codec.BATCHED: ("A list of events.", f"[{EVENT}]"),
}
"""Media type -> what the body is, and an example."""


def add_route(api: APIRouter, sender: SignIn) -> None:
    """Adds the path of events. `sender` says who may send."""
    content: dict[str, Any] = {
        kind: {"schema": {"type": "string", "description": what}, "example": example}
        for kind, (what, example) in SENT.items()
    }
    body = {"requestBody": {"required": True, "content": content}}

    told = documents.answers(answers.EventTaken, 201, also={200: AGAIN})
    lines = {NDJSON: {"schema": {"$ref": "#/components/schemas/BatchLine"}, "example": LINE}}
    told["responses"][200]["content"] = lines
    told["responses"][400] = documents.problem(400)

    @api.post("/events", openapi_extra=body, **told)
    async def send_events(
        runtime: http.Serving, request: Request, actor: Annotated[Actor, Depends(sender)]
    ) -> Response:
        """Takes CloudEvents 1.0 of the type `huiying.report.v1` in, one or a batch of them.

        An event's `data` are a report, as for `sendReport`; its `source` and `id` are the report's `source` and
        `external_id`, and `time` stands for a missing `discovered_at`. All other attributes are dropped, and `dropped`
        names them. With attributes as `ce-` headers, the body is the data, as `application/json`.

        A batch is answered as `sendReports` answers, one line for each event, also if it is empty.
        """
        told = request.headers.get("content-type", "")
        kind = codec.media_type(told)
        if kind == codec.BATCHED:
            return await _batch(runtime, request, actor)
        attributes = codec.attributes_of(request.headers.raw)
        if kind != codec.STRUCTURED and (kind.startswith("application/cloudevents") or not attributes):
            known = [codec.STRUCTURED, codec.BATCHED]
            raise UnsupportedMedia(
                f"send {known[0]}, {known[1]} or ce- headers, not {kind[:100]}", known=known, kind=kind[:100]
            )
        content = await read_body(request, runtime.settings.report_limit)
        taken = codec.of_structured(content) if kind == codec.STRUCTURED else codec.of_binary(attributes, told, content)
        prepared = intake.prepare(taken.report, actor, runtime)
        answer = await runtime.part(intake.Together).receive(prepared, Caller(actor=actor))
        return http.json_response({**answer.body, "dropped": taken.dropped}, status=answer.status)


async def _batch(runtime: Runtime, request: Request, actor: Actor) -> Response:
    body = await read_body(request, BATCH_BYTES)
    events = await asyncio.to_thread(lambda: list(codec.items(body)))
    reader = batch.Reader(runtime, actor, None, request.scope["path"], codec.of_structured)
    spool = await batch.store(reader, _numbered(events, runtime.settings.report_limit), language_of(request))
    return batch.send(spool, media_type=NDJSON)


async def _numbered(events: Sequence[bytes], limit: int) -> AsyncIterator[tuple[int, bytes | None]]:
    for number, event in enumerate(events, 1):
        yield number, event if len(event) <= limit else None
