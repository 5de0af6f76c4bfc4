"""Bodies of requests, read strictly: unpacked, within their limit, and with nothing that would be lost silently."""

import json
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import orjson
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kernel.core.problems import Malformed, NotJson, TooLarge, UnsupportedMedia
from services.kernel.core.texts import check_text

MAX_DEPTH = 32
MAX_BODY = 1_000_000
BOM = b"\xef\xbb\xbf"
PART = 65_536
DAMAGED = "the gzip body breaks off or is damaged; send it again, whole"


def parse_json(body: bytes) -> Any:
    """The JSON in a body, or `NotJson`/`Malformed` with what is wrong.

    Refused are deep nesting, null characters, two equal names in one object, and numbers that no float holds with all
    their digits. A byte order mark before the text is ignored.
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
    seen = _Seen()
    seen.look(value, "", 0)
    if seen.texts * 2 != _quotes(body):
        _refuse_equal_names(body)
    if seen.floats:
        json.loads(body, parse_float=_kept, parse_int=_kept_integer)
    return value


class _Seen:
    """Counts what is in a JSON value, and refuses what no service takes."""

    def __init__(self) -> None:
        self.texts = 0
        """Names and texts: each stands between two quotation marks."""
        self.floats = 0

    def look(self, value: Any, place: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise Malformed(
                f"the JSON is nested more than {MAX_DEPTH} deep",
                code="nested-too-deep",
                field=place or None,
                limit=MAX_DEPTH,
            )
        kind = type(value)
        if kind is str:
            self.texts += 1
            check_text(value, place or "body")
        elif kind is dict:
            self.texts += len(value)
            for name, inner in value.items():
                check_text(name, place or "body")
                self.look(inner, f"{place}.{name}" if place else name, depth + 1)
        elif kind is list:
            for index, inner in enumerate(value):
                self.look(inner, f"{place}.{index}" if place else str(index), depth + 1)
        elif kind is float:
            self.floats += 1


def _quotes(body: bytes) -> int:
    """How many quotation marks stand around names and texts; of two equal names, the parser keeps only one."""
    if b"\\" not in body:
        return body.count(b'"')
    single = body.replace(b"\\\\", b"")
    return single.count(b'"') - single.count(b'\\"')


def _refuse_equal_names(body: bytes) -> None:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, inner in found:
            if name in kept:
                raise Malformed(f"{name[:100]} stands twice in one object", code="field-twice", field=name[:100])
            kept[name] = inner
        return kept

    json.loads(body, object_pairs_hook=pairs)


def _kept(written: str) -> float:
    """The number, where a float has all of its digits."""
    number = float(written)
    if Decimal(repr(number)) != Decimal(written):
        shown = written[:40]
        raise Malformed(f"the number {shown} would lose digits; write at most 15", code="digits-lost", number=shown)
    return number


def _kept_integer(written: str) -> float:
    """Integers of 64 bits are kept as they are; larger ones become floats."""
    return int(written) if len(written) < 20 else _kept(written)


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """The whole body, or `TooLarge` as soon as it is known to be larger."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise TooLarge(f"the body has {told} bytes; at most {limit} are taken", limit=limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"the body has more than {limit} bytes", limit=limit)
        parts.append(part)
    return b"".join(parts)


class StrictRequest(Request):
    """A request whose JSON is read by `parse_json` within the size limit."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await read_body(self)
        return self._body

    async def json(self) -> Any:
        return parse_json(await self.body())


class Unpacked:
    """Unpacks bodies with `Content-Encoding: gzip` as they come, in small parts, so that the limits hold for what is in
    them. Plain ASGI. Any other coding is 415.
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
            if not self._more:
                return {"type": "http.request", "body": b"", "more_body": False}
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._more = message.get("more_body", False)
            self._parts = self._unpacked(message.get("body", b""))

    def _unpacked(self, packed: bytes) -> Iterator[bytes]:
        try:
            while packed:
                part = self._unpack.decompress(packed, PART)
                while part:
                    yield part
                    part = self._unpack.decompress(self._unpack.unconsumed_tail, PART)
                self._begun = not self._unpack.eof
                packed = self._unpack.unused_data
                if self._unpack.eof:
                    self._unpack = zlib.decompressobj(wbits=31)
        except zlib.error:
            raise Malformed(DAMAGED, code="gzip-damaged") from None
        if self._begun and not self._more:
            raise Malformed(DAMAGED, code="gzip-damaged")
