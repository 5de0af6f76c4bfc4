"""Whatever is sent as a form with boxes is a file with boxes within it, or a refusal with a sentence."""

import asyncio
import contextlib
import io
import json
import warnings
from typing import Any

from fastapi import Request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from services.ingest import redaction
from services.kernel.core.problems import Malformed, TooLarge, UnsupportedMedia
from services.kernel.uploads import redraw
from services.kernel.uploads.taking import received
from tests.fuzz import INPUTS
from tests.kernel.test_pictures import PNG, encoded, exif

LOOP = asyncio.new_event_loop()
fuzzed = settings(max_examples=INPUTS, deadline=None, suppress_health_check=list(HealthCheck), database=None)
LIMITS = {"image/png": 2_000, "text/plain": 500}
PART = b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
FORM = (
    PART % (b"file", b'; filename="a.png"\r\nContent-Type: image/png', PNG)
    + PART % (b"redactions", b"", b'[{"x": 1, "y": 1, "w": 2, "h": 2}]')
    + PART % (b"note", b"", "现场".encode())
    + b"--b--\r\n"
)
BITS = [
    *(b"--b", b"--b--", b"\r\n", b"\r\n\r\n", b'name="file"', b'name="', b"Content-Type: text/plain"),
    *(b"\x00", b"\xff", b"[", b":"),
]
DAMAGE = st.tuples(st.integers(0, len(FORM)), st.integers(0, 40), st.sampled_from(BITS) | st.binary(max_size=8))
TYPES = ("multipart/form-data; boundary=b", "multipart/form-data", "multipart/form-data; boundary=", "image/png", "")
BOXES = st.fixed_dictionaries(
    {name: st.integers(-3, 70) | st.sampled_from((10**6, 2**63, 2**70)) for name in "xywh"},
    optional={"page": st.integers(-1, 3), "reason": st.sampled_from((*redaction.Below.__args__, "x"))},
)


@fuzzed
@given(st.text(max_size=60) | st.lists(BOXES, max_size=4).map(json.dumps))
def test_any_boxes_are_read_or_refused_with_a_sentence(text: str) -> None:
    read_or_refused(text)


@fuzzed
@given(st.lists(BOXES, max_size=3), st.integers(1, 8))
def test_any_boxes_lie_within_or_are_refused(boxes: list[dict[str, Any]], turned: int) -> None:
    drawn_or_refused(boxes, turned)


def read_or_refused(text: str) -> None:
    try:
        found = redaction.read(text)
    except Malformed:
        return
    assert all(one.w > 0 and one.h > 0 and one.x >= 0 and one.y >= 0 for one in found)


def drawn_or_refused(boxes: list[dict[str, Any]], turned: int) -> None:
    """Draws boxes on a small white picture: what they touch is black and nothing else, or one goes beyond."""
    try:
        found = [one.box for one in redaction.read(json.dumps(boxes))]
    except Malformed:
        return
    sent = encoded("image/png", Image.new("L", (48, 32), 255), exif=exif(turned))
    size = (32, 48) if turned in redraw.QUARTERS else (48, 32)
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = redraw.redraw(io.BytesIO(sent), out, "image/png", 10**6, list(map(str, found)))
    if any(one.x + one.w > size[0] or one.y + one.h > size[1] for one in found):
        assert code == redraw.OUTSIDE
        assert out.getvalue() == b""
        return
    expected = Image.new("L", size, 255)
    for one in found:
        expected.paste(0, (one.x, one.y, one.x + one.w, one.y + one.h))
    assert Image.open(io.BytesIO(out.getvalue())).tobytes() == expected.tobytes()


@fuzzed
@given(st.lists(DAMAGE, max_size=4), st.sampled_from(TYPES[:1] * 6 + TYPES))
def test_any_form_is_a_file_or_refused(damage: list[tuple[int, int, bytes]], kind: str) -> None:
    body = FORM
    for at, gone, new in damage:
        body = body[:at] + new + body[at + gone :]
    LOOP.run_until_complete(taken_or_refused(body, kind))


async def taken_or_refused(body: bytes, kind: str) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", kind.encode())] if kind else []
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers, "query_string": b""}, receive)
    with contextlib.suppress(Malformed, TooLarge, UnsupportedMedia):
        async with received(request, "evidence", LIMITS, ("note", "redactions")) as sent:
            assert sent.media_type in LIMITS
            sent.file.seek(0)
            assert len(sent.file.read()) <= LIMITS[sent.media_type]
            redaction.read((sent.fields or {}).get("redactions", ""))
