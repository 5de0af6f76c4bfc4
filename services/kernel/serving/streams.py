"""Answers in pieces, which let go of what they come from as soon as they end, also if the caller hangs up."""

import asyncio
import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class Streamed(StreamingResponse):
    """Sends pieces, and then closes them and what `close` closes. Else they stay open for long."""

    def __init__(
        self,
        pieces: AsyncIterable[bytes] | AsyncIterable[str] | Iterable[bytes],
        *,
        close: Callable[[], Awaitable[None] | None] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(pieces, **more)
        self._pieces, self._close = pieces, close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Whoever hangs up cancels the request; what is open must be closed all the same.
            with anyio.CancelScope(shield=True):
                ends = getattr(self._pieces, "aclose", None) or getattr(self._pieces, "close", None)
                for end in (ends, self._close):
                    if end is not None and inspect.isawaitable(ended := end()):
                        await ended


class Duplex(Streamed):
    """An answer that begins while the body is still read. Whoever reads the body sees that the caller hangs up."""

    async def listen_for_disconnect(self, receive: Receive) -> None:
        """Reads nothing: it would take parts of the body away."""
        await asyncio.Event().wait()
