"""Evidence that is covered before it is stored: what is black, what is refused, and that nothing else is left."""

import base64
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject

from services.kernel.uploads import paginate
from tests.ingest.conftest import PATH, Ingest, post, refused
from tests.kernel.test_pictures import PNG, SECRET, WRITTEN, encoded, exif
from tests.kernel.test_rewritten import HIDDEN, SHOWN, pdf

HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAAAAAERA"
    "AAIAAQAAAAAB7AABAAAAAAAAADYAAgAAAAACIgABAAAAAAAAAFwAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQAC"
    "AABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAA"
    "AAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaA"
    "AAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAIAAAAAEAAAAAAAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90AwAA"
    "ABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAJptZGF0AAAAMigBrxOA24Vbn/8FqK/uI1fSlkFSx1p9/v89"
    "ztoEuQCgmTEP5+53zJVT94Bn/DAiT3mQAAAABkV4aWYAAE1NACoAAAAIAAIBDwACAAAAKwAAACYBEgADAAAAAQAGAAAAAAAAU29tZWJvZHkncyB0ZWxl"
    "cGhvbmUsIDMwLjU3MjggTiAxMDQuMDY2OCBFAAA="
)
"""A telephone's picture of 64 x 32, to be turned to 32 x 64, with the secret in its EXIF."""


def avif() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 24), (200, 30, 30)).save(file, "AVIF", exif=exif())
    return file.getvalue()


async def send(ingest: Ingest, content: bytes, kind: str, redactions: Any = None, **more: str) -> httpx.Response:
    """Adds a file with these boxes to a new report."""
    key = await ingest.key()
    url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}/evidence"
    return await ask(ingest, url, key, content, kind, redactions, **more)


async def ask(
    ingest: Ingest, url: str, key: dict[str, str], content: bytes, kind: str, redactions: Any = None, **more: str
) -> httpx.Response:
    text = redactions if isinstance(redactions, str) else json.dumps(redactions or [])
    data = {"redactions": text} | more
    return await ingest.client.post(url, files={"file": ("张三.jpg", content, kind)}, data=data, headers=key)


def stored(ingest: Ingest) -> list[bytes]:
    folder = ingest.runtime.settings.data / "evidence"
    return [path.read_bytes() for path in folder.iterdir()] if folder.exists() else []


def box(x: int, y: int, w: int, h: int, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "w": w, "h": h, **more}


def is_black(picture: Image.Image, x: int, y: int, w: int, h: int) -> bool:
    """Whether everything in the box is black, up to what JPEG blends at its edges."""
    edge = 0 if picture.format == "PNG" else 2
    inner = picture.convert("L").crop((x + edge, y + edge, x + w - edge, y + h - edge))
    return inner.getextrema()[1] <= (24 if edge else 0)  # type: ignore[operator]


async def test_a_picture_is_stored_only_as_it_is_covered(ingest: Ingest) -> None:
    sent = encoded("image/jpeg", Image.new("RGB", (64, 32), (200, 30, 30)), exif=exif(6))
    answer = await send(
        ingest, sent, "image/jpeg", [box(8, 16, 16, 32, reason="face"), box(0, 0, 8, 8), box(24, 56, 8, 8)]
    )
    assert answer.status_code == 201, answer.text
    (kept,) = stored(ingest)
    shown = Image.open(io.BytesIO(kept))
    assert shown.size == (32, 64), "boxes are drawn on the upright picture"
    assert is_black(shown, 8, 16, 16, 32)
    assert is_black(shown, 24, 56, 8, 8)
    assert not is_black(shown, 0, 16, 8, 32)
    assert SECRET not in kept
    small = shown.copy()
    small.thumbnail((16, 32))
    assert is_black(small, 4, 8, 8, 16), "nor does a small copy show what was below"
    (event,) = await ingest.events("evidence_attached")
    assert event.data.covered == {"face": 1, "other": 2}
    assert event.data.by is None, "an integration is no person"
    told = (await ingest.client.get(f"{PATH}/{answer.json()['id']}", headers=ingest.staff("handler"))).json()
    assert told["evidence"][0]["covered"] == {"face": 1, "other": 2}


async def test_staff_who_cover_are_a_digest(ingest: Ingest) -> None:
    id_ = (await post(ingest, await ingest.key())).json()["report_id"]
    officer = ingest.staff("duty_officer")
    for boxes in ([box(0, 0, 8, 8)], []):
        assert (await ask(ingest, f"{PATH}/{id_}/evidence", officer, PNG, "image/png", boxes)).status_code == 201
    covered, plain = await ingest.events("evidence_attached")
    assert covered.data.by
    assert plain.data.by is plain.data.covered is None
    told = (await ingest.client.get(f"{PATH}/{id_}", headers=ingest.staff("handler"))).text
    assert covered.data.by not in told


async def test_pictures_of_telephones_become_jpeg(ingest: Ingest) -> None:
    assert SECRET in HEIC
    for content, kind in ((HEIC, "image/heic"), (HEIC, "image/heif"), (avif(), "image/avif")):
        answer = await send(ingest, content, kind, [box(4, 4, 8, 8)])
        assert answer.status_code == 201, answer.text
    events = await ingest.events("evidence_attached")
    assert {event.data.media_type for event in events} == {"image/jpeg"}
    kept = stored(ingest)
    assert sorted(Image.open(io.BytesIO(one)).size for one in kept) == [(32, 64), (32, 64), (40, 24)]
    for one in kept:
        assert SECRET not in one
        assert is_black(Image.open(io.BytesIO(one)), 4, 4, 8, 8)


async def test_a_document_becomes_pictures_with_nothing_below(ingest: Ingest) -> None:
    def hide(writer: PdfWriter, page: DictionaryObject) -> None:
        writer.add_metadata({"/Author": HIDDEN})
        writer.add_attachment("hidden.txt", SECRET)

    sent = pdf(hide, 2) + b"PK\x03\x04" + SECRET
    assert SHOWN in PdfReader(io.BytesIO(sent)).pages[1].extract_text()
    boxes = [box(100, 200, 700, 150, page=2, reason="name")]
    first, again = [await send(ingest, sent, "application/pdf", boxes) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201), first.text
    (one, other) = stored(ingest)
    assert one == other, "the same file and boxes give the same bytes, so a repetition is known"
    assert SECRET not in one
    assert b"/Info" not in one
    pages = PdfReader(io.BytesIO(one)).pages
    assert [page.extract_text() for page in pages] == ["", ""]
    assert [round(float(side)) for side in pages[0].mediabox] == [0, 0, 595, 842]
    images = [page.images[0].image for page in pages]
    assert images[1] and is_black(images[1], 100, 200, 700, 150)
    assert images[0] and not is_black(images[0], 100, 200, 700, 150)


@pytest.mark.parametrize(
    ("content", "kind", "redactions", "says"),
    [
        (PNG, "image/png", [box(30, 0, 11, 5)], "box 1 goes beyond the picture, which is 40 x 24 pixels"),
        (PNG, "image/png", [box(0, 0, 1, 1), box(0, 24, 1, 1)], "box 2 goes beyond"),
        (PNG, "image/png", [box(0, 0, 5, 5, page=2)], "a picture has one page"),
        (PNG, "image/png", [box(0, 0, 0, 5)], "w"),
        (PNG, "image/png", [box(-1, 0, 5, 5)], "x"),
        (PNG, "image/png", [box(10**30, 0, 5, 5)], "x"),
        (PNG, "image/png", [box(0.5, 0, 5, 5)], "x"),  # type: ignore[arg-type]
        (PNG, "image/png", [box(0, 0, 5, 5, reason="critic")], "reason"),
        (PNG, "image/png", [box(0, 0, 5, 5, author="x")], "author"),
        (PNG, "image/png", [box(0, 0, 1, 1)] * 101, "100"),
        (PNG, "image/png", {"x": 0}, "redactions"),
        (PNG, "image/png", "[[" * 5_000, "send a list in JSON"),
        (PNG, "image/png", '[{"x": 1', "send a list in JSON"),
        (PNG, "image/png", '[{"x": 1e999, "y": 0, "w": 1, "h": 1}]', "redactions"),
        ("文字".encode(), "text/plain", [box(0, 0, 1, 1)], "only a picture or the pages of a PDF"),
        (pdf(), "application/pdf", [box(0, 0, 9, 9, page=2)], "the document has 1 pages"),
        (pdf(), "application/pdf", [box(1_200, 0, 99, 9)], "box 1 goes beyond page 1, which is 1240 x"),
        (pdf()[:300], "application/pdf", [], "breaks off or is damaged"),
        (
            pdf(lambda writer, _: writer.encrypt("secret", algorithm="RC4-128")),
            "application/pdf",
            [],
            "locked with a password",
        ),
        (HEIC[:500], "image/heic", [], "breaks off or is damaged"),
    ],
)
async def test_what_cannot_be_covered_is_refused_and_leaves_no_file(
    ingest: Ingest, content: bytes, kind: str, redactions: Any, says: str
) -> None:
    answer = await send(ingest, content, kind, redactions)
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["detail"]
    assert stored(ingest) == []
    assert await ingest.events("evidence_attached") == []


@pytest.mark.parametrize(
    "head", [b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x00", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
)
async def test_an_archive_is_refused_whatever_it_is_called(ingest: Ingest, head: bytes) -> None:
    for kind in ("image/png", "application/pdf", "video/mp4", "text/plain"):
        refused(await send(ingest, head + b"word/document.xml" * 50, kind), 415, "archive")
    refused(await send(ingest, b"<svg onload='x()'>", "image/svg+xml"), 415, "evidence is one of")
    assert stored(ingest) == []


async def test_pages_are_bounded(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ingest.runtime.settings.model_copy(update={"evidence_pages": 2})
    monkeypatch.setattr(ingest.runtime, "settings", few)
    refused(await send(ingest, pdf(pages=3), "application/pdf"), 413, "3 pages")


async def test_is_seen_before_it_is_stored(ingest: Ingest) -> None:
    key = await ingest.key()
    url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}/evidence/preview"
    boxes = [box(2, 2, 9, 9)]
    seen = await ask(ingest, url, key, WRITTEN["image/png"], "image/png", boxes)
    assert (seen.status_code, seen.headers["content-type"]) == (200, "image/png"), seen.text
    assert seen.headers["cache-control"] == "no-store"
    assert is_black(Image.open(io.BytesIO(seen.content)), 2, 2, 9, 9)
    page = await ask(ingest, url, key, pdf(pages=2), "application/pdf", [box(0, 0, 9, 9, page=2)], page="2")
    assert page.headers["content-type"] == "image/jpeg"
    assert is_black(Image.open(io.BytesIO(page.content)), 0, 0, 9, 9)
    for number in ("0", "3", "x", "9" * 5_000, "²"):
        refused(await ask(ingest, url, key, pdf(pages=2), "application/pdf", page=number), 422, field="page")
    refused(await ask(ingest, url, key, b"text", "text/plain"), 415, "a picture to cover is one of")
    refused(await ask(ingest, url, await ingest.key("town-east"), PNG, "image/png"), 403)
    refused(await ask(ingest, url, ingest.staff("auditor"), PNG, "image/png"), 403)
    assert stored(ingest) == []
    assert await ingest.events("evidence_attached") == []


def test_a_huge_page_is_drawn_small() -> None:
    writer, out = PdfWriter(), io.BytesIO()
    for width, height in ((14_400, 14_400), (14_400, 1), (1, 1)):
        writer.add_blank_page(width, height)
    sent = io.BytesIO()
    writer.write(sent)
    assert paginate.paginate(sent, out, 5) == 0
    sizes = [image.image.size for page in PdfReader(out).pages for image in page.images if image.image]
    assert len(sizes) == 3
    assert all(width * height <= 8_100_000 and max(width, height) <= 16_001 for width, height in sizes)
