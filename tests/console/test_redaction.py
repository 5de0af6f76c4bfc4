"""Evidence is covered before it is stored: with a pointer, by numbers without script, in both languages."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.console.browser import HOME, Page
from tests.console.conftest import Desk, Town, faults
from tests.ingest.test_redaction import HEIC, is_black
from tests.kernel.test_rewritten import pdf

pytestmark = pytest.mark.asyncio(loop_scope="module")


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (640, 320), (200, 120, 40)).save(out, "PNG")
    return out.getvalue()


def stored(data: Path) -> Image.Image:
    """The newest file of evidence."""
    return Image.open(max((data / "evidence").iterdir(), key=lambda path: path.stat().st_mtime_ns))


async def test_boxes_are_typed_without_script_and_come_back_after_a_refusal(town: Town) -> None:
    desk = await town.at("duty_officer@town-east")
    matter = await town.reported(desk, "路灯截图")
    (evidence,) = {link for link in matter.links if link.endswith("/evidence")}
    page = await desk.open(evidence.removeprefix(HOME))
    (link,) = [one for one in page.links if one.endswith("/evidence/cover")]
    page = await desk.open(link.removeprefix(HOME))
    (form,) = [one for one in page.forms if "file" in one.names]
    plain = {name: value for name, value in form.fields if not name.startswith("box.")}
    empty = {f"box.{name}": ["", ""] for name in ("x", "y", "w", "h", "on")} | {"box.reason": ["other", "other"]}

    async def send(action: str, content: bytes, kind: str, **typed: str) -> Page:
        boxes = empty | {f"box.{name}": [value, ""] for name, value in typed.items()}
        sent = await desk.client.post(action, data=plain | boxes, files={"file": ("张三.png", content, kind)})
        return Page(sent)

    wrong = await send(form.action, picture(), "image/png", x="600", y="0", w="99", h="9")
    assert wrong.status == 422
    assert "超出画面（摆正后 640 × 320 像素）" in wrong.said
    assert 'value="600"' in wrong.text, "what was typed stays"
    assert (await send(form.action, picture(), "image/png", x="²", y="0", w="9", h="9")).status == 422
    seen = await desk.client.post(
        form.action.replace("/cover", "/preview"),
        data=plain | empty | {"box.x": ["32"], "box.y": ["32"], "box.w": ["64"], "box.h": ["64"], "box.on": ["2"]},
        files={"file": ("a", pdf(pages=2), "")},
    )
    assert seen.headers["content-type"] == "image/jpeg", seen.text
    done = await send(form.action, HEIC, "", x="8", y="8", w="16", h="16", reason="face")
    assert "文件已存入" in done.said
    assert "已遮挡" in done.said
    shown = stored(town.system.settings.data)
    assert shown.format == "JPEG"
    assert is_black(shown, 8, 8, 16, 16)
    assert not shown.getexif()


@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_boxes_are_drawn_with_a_pointer_and_moved_with_keys(desk: Desk, language: str, tmp_path: Path) -> None:
    context, page = await desk.at("duty_officer@town-east", language=language, viewport={"width": 900, "height": 900})
    officer = await desk.town.at("duty_officer@town-east")
    matter = await desk.town.reported(officer, f"积水截图{language}")
    (evidence,) = {link for link in matter.links if link.endswith("/evidence")}
    await desk.open(page, f"{evidence.removeprefix(HOME)}/cover")
    file = tmp_path / "screenshot.png"
    file.write_bytes(picture())
    await page.locator("#file").set_input_files(file)
    canvas = page.locator("#picture")
    await canvas.wait_for()
    await canvas.scroll_into_view_if_needed()
    at = await canvas.bounding_box()
    assert at
    scale = at["width"] / 640
    for step, (x, y) in enumerate(((64, 32), (160, 96), (256, 192))):
        await page.mouse.move(at["x"] + x * scale, at["y"] + y * scale)
        if step == 0:
            await page.mouse.down()
    await page.mouse.up()
    typed = [int(await page.locator(f"[name='box.{name}']").first.input_value()) for name in "xywh"]
    assert all(abs(one - other) <= 2 for one, other in zip(typed, (64, 32, 192, 160), strict=True)), typed
    black = "canvas => [...canvas.getContext('2d').getImageData(100, 100, 1, 1).data].join()"
    assert await canvas.evaluate(black) == "0,0,0,255"
    left = page.locator("[name='box.x']").first
    await left.focus()
    await page.keyboard.press("ArrowDown")
    assert int(await left.input_value()) == typed[0] - 1
    assert await faults(page) == []
    await page.locator("button.main").click()
    await page.get_by_role("status").first.wait_for()
    shown = stored(desk.town.system.settings.data).convert("RGB")
    x, y, w, h = typed
    assert shown.crop((x - 1, y, x - 1 + w, y + h)).getcolors() == [(w * h, (0, 0, 0))], "every pixel is black"
    assert (
        shown.getcolors() == [(w * h, (0, 0, 0)), (640 * 320 - w * h, (200, 120, 40))]
        or len(shown.getcolors() or ()) == 2
    )
    small = shown.copy()
    small.thumbnail((64, 32))
    assert small.crop((8, 5, 24, 18)).getcolors() == [(16 * 13, (0, 0, 0))], "nor is it in a small copy"
    assert re.search("✓", await page.content())
    await context.close()
    assert desk.complaints == []
