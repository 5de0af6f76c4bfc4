"""Files of a statement at the desk: added, persons covered by two presses, approved, in public, without any script."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Page as Tab

from services.console.matters import files
from tests.console.browser import HOME, Browser, Page
from tests.console.conftest import Desk, Town, faults
from tests.kernel.test_rewritten import pdf

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHOWN = (640, 320)


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", SHOWN, (200, 120, 40)).save(out, "JPEG", quality=95)
    return out.getvalue()


async def add(browser: Browser, page: Page, content: bytes, kind: str, **typed: str) -> Page:
    (form,) = [form for form in page.forms if "file" in form.names]
    sent = dict(form.fields) | typed
    return Page(await browser.client.post(form.action, data=sent, files={"file": ("a", content, kind)}))


async def drafted(town: Town) -> tuple[Browser, str]:
    """A browser of an officer who began a notice, and its number."""
    officer = await town.at("handler@town-east")
    page = await officer.send(
        await officer.open("/statements/new"), "/statements/new", title="停水通知", text="今晚检修，请提前储水。"
    )
    found = re.search(r"town-east-\d{4}-S\d+", page.said)
    assert found, page.said
    return officer, found[0]


async def test_a_picture_is_covered_by_two_presses_and_goes_public(town: Town) -> None:
    officer, statement = await drafted(town)
    at = f"/statements/{statement}/files"
    page = await officer.open(f"/statements/{statement}")
    assert HOME + at in page.links
    for verb in ("attach-file", "cover-persons", "detach-file"):
        assert f"/{verb}" not in page.text, "its own page does these"
    page = await officer.open(at)
    refused = await add(officer, page, picture(), "image/jpeg", title="抢修现场")
    assert refused.status == 422
    assert 'value="抢修现场"' in refused.text, "what was typed stays"
    page = await add(officer, refused, picture(), "image/jpeg", title="抢修现场", persons="to_cover")
    assert "有人可辨认，还没有遮挡" in page.said
    page = await add(officer, page, pdf(), "application/pdf", title="抢修安排")
    assert page.status == 200, page.said
    assert "1 页" in page.said

    (cover,) = [link for link in page.links if link.endswith("/cover")]
    page = await officer.open(cover.removeprefix(HOME))
    (pressing,) = [form for form in page.forms if "at" in form.names]
    sent = {name: value for name, value in pressing.fields if name != "at"}
    first = Page(await officer.client.get(pressing.action, params=sent | {"at.x": "80", "at.y": "40"}))
    assert "再点对角" in first.said
    (pressing,) = [form for form in first.forms if "at" in form.names]
    sent = {name: value for name, value in pressing.fields if name != "at"}
    second = Page(await officer.client.get(pressing.action, params=sent | {"at.x": "159", "at.y": "119"}))
    assert "从左 25%、从上 25% 起，宽 25%、高 50%" in second.said
    (covering,) = [form for form in second.forms if form.method == "post" and "areas" in form.names]
    done = Page(await officer.client.post(covering.action, data=dict(covering.fields)))
    assert "已遮挡，原图已删除" in done.said
    (shown,) = re.findall(r'<img src="([^"]+)"', done.text)
    new = Image.open(io.BytesIO((await officer.client.get(shown)).content)).convert("L")
    dark = [(x, y) for x in range(0, 640, 20) for y in range(0, 320, 20) if new.getpixel((x, y)) < 10]
    assert dark == [(x, y) for x in range(160, 320, 20) for y in range(80, 240, 20)]
    read = await officer.open(f"/statements/{statement}")
    assert "抢修现场" in read.said
    assert "已遮挡" in read.said


async def test_areas_are_typed_too_and_taken_away_again(town: Town) -> None:
    officer, statement = await drafted(town)
    page = await add(
        officer,
        await officer.open(f"/statements/{statement}/files"),
        picture(),
        "image/jpeg",
        title="现场",
        persons="none",
    )
    assert page.status == 422
    assert "名称" in page.said or "3" in page.said
    page = await add(officer, page, picture(), "image/jpeg", title="抢修现场", persons="none")
    (cover,) = [link for link in page.links if link.endswith("/cover")]
    typed = {"left": "10", "top": "0", "right": "30", "bottom": "100"}
    page = Page(await officer.client.get(cover, params={"width": "640", "areas": "0,0,500000,500000"} | typed))
    assert "从左 10%、从上 0% 起，宽 20%、高 100%" in page.said
    (first, *_) = re.findall(r'<li>从左.*?<a href="([^"]+)"', page.text)
    left = await officer.open(cover.removeprefix(HOME) + first.replace("&amp;", "&"))
    assert "从左 0%" not in left.said
    assert "从左 10%" in left.said
    nothing = await officer.client.post(cover, data={"csrf": dict(page.forms[-1].fields).get("csrf", "")})
    assert nothing.status_code in (403, 412, 422, 428)


async def test_a_document_has_no_areas_and_no_place_in_a_picture_is_far_away(town: Town) -> None:
    officer, statement = await drafted(town)
    at = f"/statements/{statement}/files"
    page = await add(officer, await officer.open(at), pdf(), "application/pdf", title="抢修安排")
    (document,) = [link for link in page.links if f"{at}/" in link]
    answer = await officer.client.get(f"{document}/cover", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, HOME + at)
    page = await add(officer, page, picture(), "image/jpeg", title="抢修现场", persons="to_cover")
    (cover,) = [link for link in page.links if link.endswith("/cover")]
    far = "9" * 5_000
    for typed in ({"at.x": far, "at.y": "1"}, dict.fromkeys(("left", "top", "right", "bottom"), far)):
        assert (await officer.client.get(cover, params=typed)).status_code == 200


async def to_cover(desk: Desk, page: Tab, folder: Path) -> None:
    """Begins a notice, puts a picture with a person to it, and opens the page on which persons are covered."""
    await desk.open(page, "/statements/new")
    await page.locator("[name=title]").fill("停水通知")
    await page.locator("textarea[name=text]").fill("今晚检修，请提前储水。")
    await page.locator("button.main").click()
    await page.get_by_role("link", name="附件和图片").click()
    shown = folder / "shown.jpg"
    shown.write_bytes(picture())
    await page.locator("[name=file]").set_input_files(shown)
    await page.locator("[name=title]").fill("抢修现场")
    await page.get_by_label("有，下一步遮挡").check()
    await page.get_by_role("button", name="存入").click()
    await page.get_by_role("link", name="遮挡画面中的人").click()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_thumb_covers_a_person_on_a_telephone(desk: Desk, script: bool, tmp_path: Path) -> None:
    narrow = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "java_script_enabled": script}
    context, page = await desk.at("handler@town-east", **narrow)
    await to_cover(desk, page, tmp_path)
    mark = page.locator("input[type=image]")
    await mark.tap(position={"x": 80, "y": 40})
    await page.get_by_text("再点对角。").wait_for()
    await mark.tap(position={"x": 159, "y": 119})
    await page.get_by_text("从左 25%、从上 25% 起，宽 25%、高 50%").wait_for()
    if script:
        assert await faults(page) == []
    await page.get_by_role("button", name="遮挡这些范围").click()
    await page.get_by_text("原图已删除").wait_for()
    if script:
        decoded = "async image => { await image.decode(); return image.naturalWidth }"
        assert await page.locator(".files img").evaluate(decoded) == 640
    if script:
        assert await faults(page) == []
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, "nothing sticks out of the telephone"
    await context.close()
    assert desk.complaints == []


async def test_a_file_is_taken_by_its_content_whatever_an_old_browser_calls_it(town: Town) -> None:
    officer, statement = await drafted(town)
    page = await officer.open(f"/statements/{statement}/files")
    for content, kind in ((picture(), "image/jpg"), (picture(), "image/pjpeg"), (pdf(), "application/octet-stream")):
        page = await add(officer, page, content, kind, title="抢修现场", persons="none")
        assert "文件已存入" in page.said
    document = re.split(r'<span class="count">PDF', page.text)[0].rpartition('href="')[2].partition('"')[0]
    page = await officer.open(f"{document}/cover".removeprefix(HOME))
    assert page.status == 200, "a document has nothing to cover"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("1,2,3,4", [(1, 2, 3, 4)]),
        ("1,2,3", []),
        ("a;1,2,3,4;-1,0,1,1", [(1, 2, 3, 4)]),
        ("999999,999999,5,5", [(999_999, 999_999, 1, 1)]),
        ("9999999,0,1,1", [(999_999, 0, 1, 1)]),
        ("0,0,0,0", [(0, 0, 1, 1)]),
        ("99999999999,0,1,1", []),
    ],
)
async def test_an_address_holds_only_areas_within_the_picture(text: str, found: list[files.Area]) -> None:
    assert files.areas_of(text) == found


async def test_a_press_counts_where_it_was_in_every_size(desk: Desk, tmp_path: Path) -> None:
    context, page = await desk.at("handler@town-east", viewport={"width": 1400, "height": 900})
    await to_cover(desk, page, tmp_path)
    for width in files.WIDTHS[1:]:
        await page.get_by_role("link", name=str(width), exact=True).click()
        await page.locator(f"[name=width][value='{width}']").first.wait_for(state="attached")
        mark = page.locator("input[type=image]")
        box, marks = await mark.bounding_box(), await page.locator(".cover svg").bounding_box()
        assert box == marks, "the marks lie on the picture"
        assert box and (box["width"], box["height"]) == (width, width // 2)
    await context.close()
    assert desk.complaints == []
