"""Bodies of requests are read strictly: unpacked, within their limit, and without losing anything silently."""

import asyncio
import json
import time
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import orjson
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kernel.core.problems import Malformed, NotJson, TooLarge, TooSlow, UnsupportedMedia
from services.kernel.core.texts import check_text, decoded

MAX_DEPTH = 32
MAX_BODY = 1_000_000
BOM = b"\xef\xbb\xbf"
PART = 65_536
BODY_SECONDS = 20.0
LEAST_RATE = 500
"""A body may take this long, and one second longer for each so many bytes that came."""
DAMAGED = "the gzip body breaks off or is damaged; send it again, whole"


def parse_json(body: bytes) -> Any:
    """The JSON in a body. Raises `NotJson` or `Malformed` with the fault.

    It refuses deep nesting, null characters, two equal names in one object, and numbers that no float holds with all
    digits. It ignores a byte order mark before the text.
    """
    body = body.removeprefix(BOM)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotJson(
            f"the body is not JSON in UTF-8: line {error.lineno}, column {error.colno} is wrong",
            line=error.lineno,
            column=error.colno,
        ) from None
    # Of two equal names the parser keeps the last. Then the body has more quotation marks than its names and texts
    # need.
    texts, floats, depth = _counted(value)
    escaped = b"\\" in body
    if depth > MAX_DEPTH or (escaped and b"\\u0000" in body):
        _look(value, "", 0)
    if texts * 2 != (_quotes(body) if escaped else body.count(b'"')):
        json.loads(body, object_pairs_hook=_once)
    if floats:
        json.loads(body, parse_float=_kept, parse_int=_kept_integer)
    return value


def _counted(value: Any) -> tuple[int, int, int]:
    """The number of names and texts, the number of floats, and the depth of a JSON value."""
    texts = floats = depth = 0
    level = [value]
    while level:
        deeper: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                texts += 1
            elif kind is dict:
                texts += len(item)
                deeper += item.values()
            elif kind is list:
                deeper += item
            elif kind is float:
                floats += 1
        level, depth = deeper, depth + 1
    return texts, floats, depth - 1


def _look(value: Any, place: str, depth: int) -> None:
    """Raises if a value is nested too deep or holds a null character."""
    if depth > MAX_DEPTH:
        raise Malformed(
            f"the JSON is nested more than {MAX_DEPTH} deep",
            code="nested-too-deep",
            field=place or None,
            limit=MAX_DEPTH,
        )
    if isinstance(value, str):
        check_text(value, place or "body")
    elif isinstance(value, dict):
        for name, inner in value.items():
            check_text(name, place or "body")
            _look(inner, f"{place}.{name}" if place else name, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _look(inner, f"{place}.{index}" if place else str(index), depth + 1)


def _quotes(body: bytes) -> int:
    """The number of quotation marks around names and texts. An escaped one stands inside a text."""
    single = body.replace(b"\\\\", b"")
    return single.count(b'"') - single.count(b'\\"')


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which every name stands once."""
    kept: dict[str, Any] = {}
    for name, inner in pairs:
        if name in kept:
            raise Malformed(f"{name[:100]} stands twice in one object", code="field-twice", field=name[:100])
        kept[name] = inner
    return kept


def _kept(written: str) -> float:
    """The number, if a float has all of its digits."""
    number = float(written)
    if Decimal(repr(number)) != Decimal(written):
        shown = written[:40]
        raise Malformed(f"the number {shown} would lose digits; write at most 15", code="digits-lost", number=shown)
    return number


def _kept_integer(written: str) -> float:
    """Keeps integers of 64 bits. Larger ones become floats."""
    return int(written) if len(written) < 20 else _kept(written)


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The whole body. Raises `TooLarge` as soon as its size is known to be too large."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise TooLarge(f"the body has {told} bytes; at most {limit} are allowed", limit=limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"the body has more than {limit} bytes", limit=limit)
        parts.append(part)
    return b"".join(parts)


async def read_form(request: Request, field: str) -> str:
    """The text of one field of a small form that a browser sends. Raises `TooLarge` and `Malformed`."""
    body = await read_body(request)
    try:
        form = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=4))
    except UnicodeDecodeError as fault:
        at = fault.start + 1
        raise Malformed("the form is not written in UTF-8", code="not-utf-8", field=field, at=at) from None
    except ValueError:
        raise Malformed("the form cannot be read; send it as the page does", code="form-unreadable") from None
    return decoded(form.get(field, "").encode(), field)


class StrictRequest(Request):
    """A request whose JSON is read by `parse_json` within the size limit."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await read_body(self)
        return self._body

    async def json(self) -> Any:
        return parse_json(await self.body())


class Timed:
    """Limits the time for a body: it may take a while, and longer for each part that came. Plain ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, _Timing(receive) if scope["type"] == "http" else receive, send)


class _Timing:
    """`receive` of a body with its time limit. Only waiting counts, so a sender that is held up here is not late.

    Raises inside the application, which answers with the problem.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._waited, self._size, self._more = 0.0, 0, True

    async def __call__(self) -> Message:
        if not self._more:
            return await self._receive()
        began = time.monotonic()
        try:
            async with asyncio.timeout(BODY_SECONDS + self._size / LEAST_RATE - self._waited):
                message = await self._receive()
        except TimeoutError:
            raise TooSlow("the body came too slowly, or stopped before its end; send the request again") from None
        self._waited += time.monotonic() - began
        self._size += len(message.get("body", b""))
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        return message


class Unpacked:
    """Unpacks bodies with `Content-Encoding: gzip` as they come, in small parts, so that the limits hold for the
    unpacked content. Plain ASGI. Any other coding gets 415.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        codings = [value for name, value in scope.get("headers", ()) if name == b"content-encoding"]
        coding = b",".join(codings).decode("latin-1").strip().lower()
        if scope["type"] != "http" or coding in ("", "identity"):
            await self._app(scope, receive, send)
            return
        dropped = (b"content-encoding", b"content-length")
        headers = [(name, value) for name, value in scope["headers"] if name not in dropped]
        await self._app({**scope, "headers": headers}, _Unpacking(receive, coding), send)


class _Unpacking:
    """`receive` of an unpacked body. Raises inside the application, which answers with the problem."""

    def __init__(self, receive: Receive, coding: str) -> None:
        self._receive, self._coding = receive, coding
        self._parts: Iterator[bytes] = iter(())
        self._unpack = zlib.decompressobj(wbits=31)
        self._begun = self._more = True
        self._told = False
        self._packed = self._plain = 0

    async def __call__(self) -> Message:
        if self._coding not in ("gzip", "x-gzip"):
            raise UnsupportedMedia(
                f"send the body plain or with Content-Encoding: gzip, not {self._coding[:40]}",
                code="unsupported-coding",
                kind=self._coding[:40],
            )
        while True:
            for part in self._parts:
                return {"type": "http.request", "body": part, "more_body": True}
            if not self._more and not self._told:
                self._told = True
                return {"type": "http.request", "body": b"", "more_body": False}
            message = await self._receive()
            if self._told or message["type"] != "http.request":
                return message
            self._more = message.get("more_body", False)
            self._packed += len(message.get("body", b""))
            self._parts = self._unpacked(message.get("body", b""))

    def _unpacked(self, packed: bytes) -> Iterator[bytes]:
        try:
            while packed:
                part = self._unpack.decompress(packed, PART)
                while part:
                    self._plain += len(part)
                    yield part
                    part = self._unpack.decompress(self._unpack.unconsumed_tail, PART)
                self._begun = not self._unpack.eof
                packed = self._unpack.unused_data
                if self._unpack.eof:
                    self._unpack = zlib.decompressobj(wbits=31)
        except zlib.error:
            raise Malformed(DAMAGED, code="gzip-damaged") from None
        if self._packed > self._plain + MAX_BODY:
            # The unpacked content has a limit. A packed body with no content would have none.
            raise TooLarge(f"the gzip body has over {MAX_BODY} bytes more than its content", limit=MAX_BODY)
        if self._begun and not self._more:
            raise Malformed(DAMAGED, code="gzip-damaged")
