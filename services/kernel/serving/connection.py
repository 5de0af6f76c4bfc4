"""A connection to the HTTP server that waits for no client for ever: neither for headers nor for the rest of a refused
body.

For the time of an accepted body, see `bodies.Timed`.
"""

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.kernel.core.problems import TooSlow
from services.kernel.serving.problems import PROBLEM

HEADER_SECONDS = 20.0
"""Seconds from the connection, or from the first byte of a further request, to the end of the headers."""
REST_SECONDS = 10.0
"""The rest of a body may come for this long after the answer. If the connection closed at once, the client might never
read the answer."""


class Connection(HttpToolsProtocol):
    """Answers 408 if headers do not come. Closes if the rest of a body goes on coming after the answer."""

    _timer: asyncio.TimerHandle | None = None
    _heard = False
    _whole = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._wait(HEADER_SECONDS, self._without_headers)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._heard = True
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._whole = False
        if self._timer is None:
            self._wait(HEADER_SECONDS, self._without_headers)

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Its body is there."""
        self._whole = True
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It was answered."""
        super().on_response_complete()
        if not self._whole and self._timer is None and self.cycle.response_complete:
            self._wait(REST_SECONDS, self.transport.close)

    def _wait(self, seconds: float, then: Any) -> None:
        self._timer = self.loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _without_headers(self) -> None:
        answering: Any = self.cycle
        if answering is not None and not answering.response_complete:
            # Another request is being answered. The next one begins after that.
            self._wait(HEADER_SECONDS, self._without_headers)
            return
        if self._heard:
            problem = TooSlow(f"the headers did not arrive within {HEADER_SECONDS:.0f} s; send the request again")
            body = orjson.dumps(problem.body())
            head = (
                f"HTTP/1.1 408 Request Timeout\r\ncontent-type: {PROBLEM}\r\ncontent-length: {len(body)}\r\n"
                "cache-control: no-store\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
