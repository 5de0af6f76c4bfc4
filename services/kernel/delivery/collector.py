"""The way of spans to a collector: OpenTelemetry's batches and its protocol over HTTP (OTLP).

Spans wait in memory, and a thread sends them. Nothing waits for a collector that is slow or away; only spans are lost.
This module is imported only if the settings name a collector.
"""

import asyncio
import logging
import threading
from collections.abc import Sequence
from functools import lru_cache

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags

from services.kernel.core.traces import Place
from services.kernel.delivery.tracing import Kind, Span
from services.kernel.logging import Lasting
from services.kernel.settings import Settings

PATH = "/v1/traces"
QUEUE, BATCH, PAUSE = 20_000, 1000, 1000
"""Spans that wait at most, spans of one sending, and milliseconds from one sending to the next."""
ANSWER_SECONDS, END_SECONDS = 5.0, 2.0
"""How long a sending may take, with its repetitions; and the last one, when the process ends."""
KINDS: dict[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "internal": SpanKind.INTERNAL,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
SCOPE = InstrumentationScope("huiying")


class Collector:
    """The collector that the settings name, for all services of this process."""

    def __init__(self, settings: Settings) -> None:
        # Its sentences name the address, which may hold a password; and they come with each sending.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL + 1)
        self._deployment = settings.deployment
        address = settings.traces.rstrip("/").removesuffix(PATH) + PATH
        self._processor = BatchSpanProcessor(_Told(address), QUEUE, PAUSE, BATCH)

    def take(self, span: Span) -> None:
        """Keeps a span until it is sent."""
        self._processor.on_end(
            # Its ids follow from events, so no tracer draws them.
            ReadableSpan(
                name=span.name,
                context=_context(span.place),
                parent=_context(span.parent) if span.parent else None,
                resource=_described(self._deployment, span.service),
                attributes=span.attributes,
                links=[Link(_context(one)) for one in span.links],
                kind=KINDS[span.kind],
                start_time=span.began,
                end_time=max(span.ended, span.began),
                instrumentation_scope=SCOPE,
            )
        )

    async def end(self) -> None:
        """Sends what waits, if the collector takes it soon."""
        # A thread of the loop's own would hold up the end of the process.
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        until = asyncio.get_running_loop().time() + END_SECONDS
        while ending.is_alive() and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)


@lru_cache(8)
def _described(deployment: str, service: str) -> Resource:
    named = {"service.namespace": "huiying", "service.name": service}
    return Resource({**named, "deployment.environment.name": deployment})


def _context(place: Place) -> SpanContext:
    return SpanContext(place.trace, place.span, is_remote=False, trace_flags=TraceFlags(place.sampled))


class _Told(SpanExporter):
    """OpenTelemetry's exporter, whose failures are told as a state that lasts."""

    def __init__(self, address: str) -> None:
        session = requests.Session()
        session.trust_env = False
        self._exporter = OTLPSpanExporter(address, timeout=ANSWER_SECONDS, session=session)
        self._lost = Lasting("traces.lost")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        done = self._exporter.export(spans)
        if done is SpanExportResult.SUCCESS:
            self._lost.over()
        else:
            self._lost.told("the collector that HUIYING_TRACES names does not take traces; nothing else is lost")
        return done

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
