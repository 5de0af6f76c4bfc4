"""Answers in pieces close what they come from when the caller hangs up, and do not wait for memory to be cleared."""

import asyncio
import gc
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from services.kernel.serving.streams import Streamed

PIECES = 5


class Source(io.BytesIO):
    """A file of some pieces that tells whether it is open."""

    def __init__(self) -> None:
        super().__init__(b"x" * PIECES)


def plain(file: io.BytesIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(1):
            yield piece


async def flowing(file: io.BytesIO) -> AsyncIterator[bytes]:
    with file:
        while piece := file.read(1):
            yield piece


def alone(file: io.BytesIO) -> Iterator[bytes]:
    return iter(lambda: file.read(1), b"")


async def hang_up(answer: Streamed, after: int, how: str) -> int:
    """Takes so many pieces and goes. Returns how many were sent."""
    gone, sent = asyncio.Event(), 0

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal sent
        if message["type"] == "http.response.start" and after:
            return
        sent += message["type"] == "http.response.body" and bool(message["body"])
        if sent >= after:
            gone.set()
            if how == "breaks":
                raise OSError("the connection is gone")
            await asyncio.Event().wait()

    version = "2.4" if how == "breaks" else "2.3"
    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": version}, "method": "GET", "headers": []}
    with suppress(ClientDisconnect):
        await asyncio.wait_for(answer(scope, receive, send), 20)
    return sent


@pytest.mark.parametrize("how", ["says so", "breaks"])
@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("pieces", [plain, flowing, alone])
async def test_what_is_open_is_closed_at_once(pieces: Callable[[io.BytesIO], Any], after: int, how: str) -> None:
    file, end = Source(), []

    async def close() -> None:
        file.close()
        end.append(file)

    gc.disable()
    try:
        answer = Streamed(pieces(file), close=close if pieces is alone or not after else None)
        assert await hang_up(answer, after, how) == after
        assert file.closed
    finally:
        gc.enable()


async def test_a_whole_answer_closes_too() -> None:
    file, got = Source(), b""

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        nonlocal got
        got += message.get("body", b"")

    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "method": "GET", "headers": []}
    await Streamed(alone(file), close=file.close)(scope, receive, send)
    assert got == b"x" * PIECES
    assert file.closed
