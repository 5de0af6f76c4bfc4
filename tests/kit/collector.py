"""A collector of traces: it takes OpenTelemetry's protocol over HTTP, and keeps every span that comes."""

import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2


class Taken(NamedTuple):
    """A span as a collector sees it."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    attributes: Mapping[str, Any]
    links: tuple[tuple[str, str], ...]
    """Trace and span of each."""


@dataclass
class Collector:
    """What came in."""

    port: int
    spans: list[Taken] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    waits: threading.Event = field(default_factory=threading.Event)
    """It answers only while this is set."""

    def __post_init__(self) -> None:
        self.waits.set()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def by_id(self) -> dict[tuple[str, str], Taken]:
        """Trace and span -> the span."""
        return {(one.trace, one.id): one for one in self.spans}

    def named(self, name: str, service: str = "") -> list[Taken]:
        """The spans of a name, of one service or of all, in order of time."""
        return sorted(
            (one for one in self.spans if one.name == name and service in ("", one.service)), key=lambda one: one.began
        )


def _read(body: bytes) -> Iterator[Taken]:
    request = ExportTraceServiceRequest.FromString(body)
    for of_resource in request.resource_spans:
        service = _plain(of_resource.resource.attributes)["service.name"]
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Taken(
                    service,
                    span.name,
                    trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    _plain(span.attributes),
                    tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                )


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def listening() -> Iterator[Collector]:
    """A collector on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            raw = zlib.decompress(raw, 31) if self.headers["Content-Encoding"] == "gzip" else raw
            if not collector.waits.wait(30):
                return
            collector.raw.append(raw)
            collector.spans += _read(raw)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        collector.waits.set()
        server.shutdown()
        server.server_close()
