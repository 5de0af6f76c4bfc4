"""The files of a statement: what is there, adding one, covering the persons in a picture."""

import io
import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from services.console.calls import Answer, Refused
from services.console.page import HEADERS, go, reader, render
from services.console.site import Id, Signed, Site, problem_of
from services.console.words import N_
from services.kernel.uploads import contents

WIDTHS = (320, 640, 1280)
"""The widths in which a picture is shown for covering. Only a fixed width tells where somebody pressed."""
WHOLE = 1_000_000
TYPES = ("application/pdf", "image/jpeg", "image/png", "image/webp")
Area = tuple[int, int, int, int]
"""Left, top, width and height, in millionths of the picture."""


def router(site: Site) -> APIRouter:
    """The pages of files."""
    pages = APIRouter()

    @pages.get("/statements/{id}/files")
    async def show(request: Request, me: Signed, id: Id) -> Response:
        """The files of a statement."""
        return await _page(request, me, id)

    @pages.post("/statements/{id}/files")
    async def attach(request: Request, me: Signed, id: Id) -> Response:
        """Adds a file. A refusal brings the form back with what was typed; the file is chosen again."""
        look = await reader(request)
        async with request.form() as sent:
            typed = {name: str(sent.get(name, "")).strip() for name in ("title", "persons", "seen", "form.key")}
            file = sent.get("file")
            if not isinstance(file, UploadFile) or not file.filename:
                return await _page(request, me, id, 422, look.gettext(N_("请选择文件。")), typed)
            if not typed["title"]:
                return await _page(
                    request, me, id, 422, look.gettext(N_("请写明文件的名称，公众凭它知道这是什么。")), typed
                )
            data = {name: typed[name] for name in ("title", "persons") if typed[name]}
            kind = _type_of(file)
            content = await file.read()
            if not kind.startswith("image/"):
                data.pop("persons", None)
            headers = {"If-Match": typed["seen"], "Idempotency-Key": typed["form.key"]}
            answer = await me.calls.send(
                "POST",
                f"/publish/v1/statements/{id}/files",
                files={"file": ("file", content, kind)},
                data=data,
                headers=headers,
            )
        if not answer.ok:
            return await _page(request, me, id, answer.status, problem_of(answer, me), typed)
        return go(f"statements/{id}/files?done=yes")

    @pages.get("/statements/{id}/files/{file}")
    async def fetch(me: Signed, id: Id, file: Id) -> Response:
        """A file, to save, or for the page on which persons are covered."""
        content, told = await _bytes(me, id, file)
        return Response(content, headers={**HEADERS, **told})

    @pages.get("/statements/{id}/files/{file}/cover")
    async def covering(request: Request, me: Signed, id: Id, file: Id) -> Response:
        """The picture, on which each two presses mark the corners of an area to cover. Nothing changes yet."""
        return await _cover(request, me, id, file)

    @pages.post("/statements/{id}/files/{file}/cover")
    async def cover(request: Request, me: Signed, id: Id, file: Id) -> Response:
        """Covers the marked areas."""
        sent = await request.form()
        areas = areas_of(str(sent.get("areas", "")))
        named = ("left", "top", "width", "height")
        body = {"file": file, "areas": [dict(zip(named, area, strict=True)) for area in areas]}
        answer = await me.calls.send(
            "POST",
            f"/publish/v1/statements/{id}/cover-persons",
            body=body,
            headers={"If-Match": str(sent.get("seen", ""))},
        )
        if not answer.ok:
            return await _cover(request, me, id, file, answer.status, problem_of(answer, me))
        return go(f"statements/{id}/files?done=covered")

    @pages.post("/statements/{id}/files/{file}/remove")
    async def remove(request: Request, me: Signed, id: Id, file: Id) -> Response:
        """Takes a file away."""
        sent = await request.form()
        answer = await me.calls.send(
            "POST",
            f"/publish/v1/statements/{id}/detach-file",
            body={"file": file},
            headers={"If-Match": str(sent.get("seen", ""))},
        )
        if not answer.ok:
            return await _page(request, me, id, answer.status, problem_of(answer, me))
        return go(f"statements/{id}/files?done=removed")

    return pages


async def _page(
    request: Request, me: Signed, id: str, status: int = 200, error: str = "", typed: Mapping[str, str] | None = None
) -> Response:
    one = await me.calls.get(f"/publish/v1/statements/{id}")
    typed = {"title": "", "persons": ""} | dict(typed or {})
    return await render(
        request,
        "files.html",
        status,
        one=one,
        error=error,
        typed=typed,
        done=request.query_params.get("done", ""),
        key=secrets.token_urlsafe(18),
    )


async def _cover(request: Request, me: Signed, id: str, file: str, status: int = 200, error: str = "") -> Response:
    one = await me.calls.get(f"/publish/v1/statements/{id}")
    content, told = await _bytes(me, id, file)
    if not told["content-type"].startswith("image/"):
        return go(f"statements/{id}/files")
    size, asked = _size(content), request.query_params
    width = next((one for one in WIDTHS if str(one) == asked.get("width")), WIDTHS[0])
    height = max(1, round(width * size[1] / size[0]))
    areas = areas_of(asked.get("areas", ""))
    corner = _point(asked.get("corner.x"), asked.get("corner.y"))
    pressed = _point(asked.get("at.x"), asked.get("at.y"))
    if pressed and corner:
        areas, corner = [*areas, _between(corner, pressed, width, height)], None
    elif pressed:
        corner = pressed
    if (typed := _typed(asked)) is not None:
        areas = [*areas, typed]
    return await render(
        request,
        "cover.html",
        status,
        one=one,
        file=next(each for each in one["files"] if each["file"] == file),
        error=error,
        width=width,
        height=height,
        widths=WIDTHS,
        areas=areas,
        written=written(areas),
        without=[written(areas[:at] + areas[at + 1 :]) for at in range(len(areas))],
        corner=corner,
    )


async def _bytes(me: Signed, id: str, file: str) -> tuple[bytes, dict[str, str]]:
    answer = await me.calls.fetch(f"/publish/v1/statements/{id}/files/{file}")
    if answer.status_code != 200:
        raise Refused(Answer(answer.status_code, answer.json()))
    kept = ("content-type", "content-disposition")
    return answer.content, {name: answer.headers[name] for name in kept if name in answer.headers}


def _size(content: bytes) -> tuple[int, int]:
    """Width and height of a picture that publish drew."""
    from PIL import Image  # no other page needs it

    with Image.open(io.BytesIO(content)) as picture:
        return picture.size


def _type_of(file: UploadFile) -> str:
    """The type of a file by its content. Browsers of old machines name none, or one that they made up."""
    shown = contents.recognised(file.file)
    file.file.seek(0)
    return shown if shown in TYPES else file.content_type or "application/octet-stream"


def _point(x: str | None, y: str | None) -> tuple[int, int] | None:
    return (int(x), int(y)) if x and y and _is_number(x) and _is_number(y) else None


def _is_number(typed: str) -> bool:
    """Whether it is a whole number that a place in a picture can have."""
    return typed.isdecimal() and len(typed) < 8


def _between(one: tuple[int, int], other: tuple[int, int], width: int, height: int) -> Area:
    """The area with these corners, which are whole points of the picture as it is shown."""
    (left, right), (top, bottom) = (sorted(pair) for pair in zip(one, other, strict=True))
    return _area(
        left * WHOLE // width, top * WHOLE // height, (right + 1) * WHOLE // width, (bottom + 1) * WHOLE // height
    )


def _typed(asked: Mapping[str, Any]) -> Area | None:
    """An area that was typed in hundredths."""
    values = [str(asked.get(name, "")).strip() for name in ("left", "top", "right", "bottom")]
    if not all(map(_is_number, values)):
        return None
    left, top, right, bottom = (min(100, int(value)) * WHOLE // 100 for value in values)
    return _area(min(left, right), min(top, bottom), max(left, right), max(top, bottom))


def _area(left: int, top: int, right: int, bottom: int) -> Area:
    """An area within the picture that is not empty."""
    left, top = min(left, WHOLE - 1), min(top, WHOLE - 1)
    right, bottom = max(left + 1, min(right, WHOLE)), max(top + 1, min(bottom, WHOLE))
    return left, top, right - left, bottom - top


def areas_of(text: str) -> list[Area]:
    """The areas that an address holds. What is no area is left out."""
    found = []
    for part in text.split(";")[:100]:
        numbers = [int(number) for number in part.split(",") if _is_number(number)]
        if len(numbers) == 4:
            left, top, width, height = numbers
            found.append(_area(left, top, left + width, top + height))
    return found


def written(areas: list[Area]) -> str:
    return ";".join(",".join(map(str, area)) for area in areas)
