"""The public form: one report for one form, nothing of a person, and the page of the receipt. The last test uses
Chromium.
"""

import asyncio
import hashlib
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from schemas.triage import IncidentReplied
from services.ingest import additions, waiting
from services.ingest.form import codec, form_api
from services.ingest.form.pace import Pace, Paces
from services.ingest.form.words import CATALOGUE
from services.kernel.core.problems import Unavailable
from tests.console.conftest import RULES
from tests.ingest.conftest import Ingest, erase, post, refused
from tests.ingest.test_api import rebuilt
from tests.ingest.test_rights import opened as matter
from tests.kernel.test_pictures import PNG
from tests.publish.test_bulletin_english import HAN, PLACEHOLDER
from tests.publish.test_pages import browser
from tests.publish.test_pages import opened as tab

FORMS = "/ingest/v1/forms"
HERE = "203.0.113.77"
SAID = {"subject": "路灯不亮", "text": "卫生院门前\r\n已经四天不亮。", "place": "人民路", "time": "昨晚八点"}


async def opened(ingest: Ingest, unit: str = "town-east", **more: Any) -> httpx.Response:
    body = {"unit": unit, **more}
    return await ingest.client.post(FORMS, json=body, headers=ingest.staff("admin", unit="county"))


async def closed(ingest: Ingest, unit: str = "town-east") -> httpx.Response:
    headers = ingest.staff("admin", unit="county")
    return await ingest.client.post(f"{FORMS}/{unit}/close", json={"reason": "维护"}, headers=headers)


async def token(ingest: Ingest, unit: str = "town-east") -> str:
    page = await ingest.client.get(f"/form/{unit}")
    assert page.status_code == 200, page.text
    return _token(page.text)


def _token(page: str) -> str:
    found = re.search(r'name="token" value="(\w+)"', page)
    assert found
    return found[1]


async def send(ingest: Ingest, token: str, *files: tuple[str, bytes, str], lang: str = "", **more: str) -> Any:
    """The answer to a filled form, as a browser sends it. Without a file a browser sends an empty one."""
    chosen = [("files", file) for file in files or [("", b"", "application/octet-stream")]]
    data = {"token": token, **SAID, **more}
    return await ingest.client.post(f"/form/town-east{lang}", data=data, files=chosen)


def receipt(page: httpx.Response) -> str:
    found = re.search(r"[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}", page.text)
    assert found, page.text
    return found[0]


async def test_a_form_is_closed_until_it_is_opened_and_each_turn_is_an_event(ingest: Ingest) -> None:
    assert (await ingest.client.get("/form/town-east")).status_code == 404
    for role, unit in (("chief", "county"), ("admin", "town-west")):
        headers = ingest.staff(role, unit=unit)
        refused(await ingest.client.post(FORMS, json={"unit": "town-east"}, headers=headers), 403, "open a form")
    refused(await opened(ingest, "nowhere"), 404, "nowhere")
    for _ in range(2):
        assert (await opened(ingest, introduction="急事请打电话")).json() == {"unit": "town-east", "open": True}
    page = await ingest.client.get("/form/town-east")
    assert "急事请打电话" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "script" not in page.text
    given = await token(ingest)
    for _ in range(2):
        assert (await closed(ingest)).json()["open"] is False
    answer = await send(ingest, given)
    assert (answer.status_code, answer.headers["huiying-problem"]) == (404, "form-closed")
    assert "town-east" not in (await ingest.client.get("/form/")).text.replace("town-east现在", "")
    events = await ingest.events("operation.form")
    assert [event.type.split(".")[2] for event in events] == ["form_opened", "form_closed"]
    assert rebuilt("forms", events) == rebuilt("forms", events[::-1]) == await ingest.rows("forms")
    (shown,) = (await ingest.client.get(FORMS, headers=ingest.staff("chief"))).json()["items"]
    assert (shown["unit"], shown["open"]) == ("town-east", False)


@pytest.mark.requirement("ING-06", "ING-11", "ING-02")
async def test_the_same_form_that_is_sent_twice_is_one_report(ingest: Ingest) -> None:
    await opened(ingest)
    given = await token(ingest)
    file = ("我的照片 张三.png", PNG, "image/png")
    first = await send(ingest, given, file, text="打 13800138000 找我")
    assert first.status_code == 201
    assert "1 处" in first.text
    again = await send(ingest, given, file, text="打 13800138000 找我")
    assert (again.status_code, receipt(again)) == (200, receipt(first))
    (report,) = await ingest.events("report.received")
    assert (report.data.channel, report.data.unit) == ("form", "town-east")
    assert len(await ingest.events("evidence_attached")) == 1
    words = " ".join(await ingest.words())
    assert "发生时间：昨晚八点" in words
    assert not [part for part in ("13800138000", "张三", HERE) if part in words]
    assert not await ingest.rows("idempotency") or HERE not in str(await ingest.rows("idempotency"))
    other = await send(ingest, given, text="另一件事")
    assert other.status_code == 409
    assert receipt(other) == receipt(first)
    assert "另一件事" in other.text
    assert (await send(ingest, _token(other.text), text="另一件事")).status_code == 201
    assert len(await ingest.events("report.received")) == 2


async def test_what_is_wrong_is_said_at_the_field_and_nothing_typed_is_lost(ingest: Ingest) -> None:
    await opened(ingest)
    given = await token(ingest)
    answer = await send(ingest, given, subject=" ", place="路" * 201, text="<b>已经</b>")
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 2
    assert "&lt;b&gt;已经&lt;/b&gt;" in answer.text
    for file, says in (
        (("a.zip", b"PK\x03\x04" + b"0" * 99, "application/zip"), "application/zip"),
        (("a.png", PNG[:40], "image/png"), "材料没有收下"),
        (("a.txt", b"", "text/plain"), "材料没有收下"),
        (("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + b"\0" * 40, "image/heic"), "HEIC"),
    ):
        answer = await send(ingest, given, ("b.png", PNG, "image/png"), file)
        assert answer.status_code == 422, answer.text
        assert says in answer.text
        assert "请重新选择" in answer.text
    assert not [*(ingest.runtime.settings.data / "evidence").iterdir()], "no file of a form that was not taken stays"
    for wrong in ("", "abc", given[:-1] + "z"):
        answer = await send(ingest, wrong)
        assert answer.status_code == 409
        assert "已经换成新的" in answer.text
    assert (await send(ingest, _token(answer.text))).status_code == 201


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 422),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense", 422),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="u"\r\n\r\n1\r\n--x--\r\n',
            422,
        ),
        ("application/x-www-form-urlencoded", b"token=%FF", 422),
        ("application/x-www-form-urlencoded", b"token=%00", 422),
        ("application/x-www-form-urlencoded", b"token=1&token=2", 422),
        ("application/x-www-form-urlencoded", b"text=" + b"a" * 100_001, 413),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"a" * 400_000, 413),
    ],
)
async def test_what_no_page_sends_is_refused_as_a_page(ingest: Ingest, kind: str, body: bytes, status: int) -> None:
    await opened(ingest)
    answer = await ingest.client.post("/form/town-east", content=body, headers={"content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), answer.text
    assert not await ingest.events("report.")


async def test_an_integration_cannot_send_under_the_name_of_a_form(ingest: Ingest) -> None:
    refused(
        await post(ingest, await ingest.key(), source="form:town-east", external_id="1"), 422, "another", field="source"
    )


async def test_a_hurry_is_slowed_down_and_no_address_is_kept(ingest: Ingest, capfd: Any, tmp_path: Path) -> None:
    await opened(ingest)
    given = await token(ingest)
    app = ingest.client._transport.app  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(app, client=(HERE, 4711), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        ends = [await client.post("/receipt", data={"code": code}) for code in ["AAAA-AAAA-AAAA", "x", "?"] * 8]
        assert {answer.status_code for answer in ends[:20]} == {404}
        assert len({answer.text for answer in ends[:20]}) == 1, "one wrong code is as wrong as another"
        assert (ends[-1].status_code, ends[-1].headers["retry-after"]) == (429, "60")
        sent = [await client.post("/form/town-east", data={"token": given, **SAID}) for _ in range(32)]
    assert [answer.status_code for answer in sent] == [201, *[200] * 29, 429, 429]
    assert int(sent[-1].headers["retry-after"]) > 500
    assert HERE.encode() not in b"".join(_contents(tmp_path))
    out, err = capfd.readouterr()
    assert HERE not in out + err
    assert HERE not in repr(vars(ingest.runtime.part(Paces).forms))


async def test_what_anybody_sends_keeps_no_one_else_waiting_and_fills_no_disk(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(ingest)
    paces = ingest.runtime.part(Paces)
    monkeypatch.setattr(paces, "bytes", Pace(len(PNG), 600))
    file = ("a.png", PNG, "image/png")
    assert (await send(ingest, await token(ingest), file)).status_code == 201
    much = await send(ingest, await token(ingest), file)
    assert (much.status_code, much.headers["huiying-problem"]) == (429, "form-too-many")
    assert (await send(ingest, await token(ingest))).status_code == 201, "words cost no bytes"
    monkeypatch.setattr(paces, "bytes", Pace(10**9, 600))
    for limit in ("WAITING", "EACH"):
        with monkeypatch.context() as patch:
            patch.setattr(form_api, limit, 0)
            busy = await send(ingest, await token(ingest), file)
        told = busy.status_code, busy.headers["huiying-problem"], busy.headers["retry-after"]
        assert told == (429, "form-busy", "60")
    assert (await send(ingest, await token(ingest), file)).status_code == 201
    assert not ingest.runtime.part(form_api.Queue).forms, "no address is kept"
    assert (await send(ingest, await token(ingest))).status_code == 201


async def test_files_that_were_not_added_are_deleted_and_the_receipt_is_shown(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(ingest)
    given, files = await token(ingest), [(f"{n}.txt", b"words %d" % n, "text/plain") for n in range(3)]
    add, times = additions.add, 0

    async def busy(*asked: Any) -> Any:
        nonlocal times
        times += 1
        if times > 1:
            raise Unavailable("the store is busy; nothing of the request was kept. Try again", code="store-busy")
        return await add(*asked)

    with monkeypatch.context() as patch:
        patch.setattr(additions, "add", busy)
        page = await send(ingest, given, *files)
    assert page.status_code == 201 and receipt(page)
    assert "收下的材料：1 件" in page.text and "有 2 件材料没有存入" in page.text
    files_left = list(ingest.runtime.settings.data.glob("evidence/*"))
    assert len(files_left) == 2, "what was never tried is gone; the sweep takes what may be durable"
    again = await send(ingest, given, *files)
    assert again.status_code == 200 and "收下的材料：3 件" in again.text


def _contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.rglob("*") if file.is_file()]


def test_each_window_has_a_salt_of_its_own() -> None:
    at = 0.0
    pace = Pace(1, 10, lambda: at)
    assert (pace.wait("a"), pace.wait("a"), pace.wait("b")) == (None, 11, None)
    before = set(pace._counts)
    at = 10.0
    assert pace.wait("a") is None
    assert not before & set(pace._counts)


def test_a_token_counts_for_its_unit_and_a_day() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)

    def keyed(*parts: str) -> str:
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    given = codec.token("a", "0" * 32, now, keyed)
    assert given.isalpha()
    assert codec.counts(given, "a", now + timedelta(hours=23), keyed)
    for unit, at in (("b", now), ("a", now + timedelta(hours=25)), ("a", now - timedelta(minutes=2))):
        assert not codec.counts(given, unit, at, keyed)


@pytest.mark.requirement("ING-12")
async def test_who_has_the_receipt_says_once_per_answer_whether_it_helped(ingest: Ingest) -> None:
    await opened(ingest)
    code = receipt(await send(ingest, await token(ingest)))
    (report,) = await ingest.events("report.received")
    judged = {"code": code.lower(), "helps": "no", "reason": "仍然不亮"}
    early = await ingest.client.post("/receipt/helpfulness", data=judged)
    assert (early.status_code, "还没有答复，" in early.text) == (409, True)
    await ingest.hear("one", matter(report.stream), IncidentReplied.model_validate({"text": "已修好"}))
    page = await ingest.client.post("/receipt", data={"code": code.replace("-", "")})
    assert "有帮助吗" in page.text
    assert (await ingest.client.post("/receipt/helpfulness", data={"code": code})).status_code == 422
    said = await ingest.client.post("/receipt/helpfulness", data=judged)
    assert (said.status_code, "您说没有帮助" in said.text) == (200, True)
    assert (await ingest.client.post("/receipt/helpfulness", data=judged)).status_code == 409
    assert len(await ingest.events("helpfulness_given")) == 1
    long = await ingest.client.post("/receipt/helpfulness", data=judged | {"reason": "长" * 2_001})
    assert long.status_code == 422
    await erase(ingest, report.stream)
    assert "已经删除" in (await ingest.client.post("/receipt", data={"code": code})).text


async def test_whoever_waits_hears_of_a_change_and_of_nothing_else(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0.01)
    key = await ingest.key()
    taken = [(await post(ingest, key)).json() for _ in range(2)]
    at = [f"/ingest/v1/receipts/{one['receipt']}" for one in taken]
    tag = (await ingest.client.get(at[0])).headers["etag"]
    known = {"If-None-Match": f'W/{tag[:-1]}-gzip"'}
    unchanged = await ingest.client.get(at[0], headers=known)
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
    waits = [asyncio.create_task(ingest.client.get(f"{at[0]}?wait=60", headers=known)) for _ in range(3)]
    short = await ingest.client.get(f"{at[1]}?wait=1", headers={"If-None-Match": tag})
    assert (short.status_code, [one.done() for one in waits]) == (200, [False] * 3)
    await ingest.hear("one", matter(taken[0]["report_id"]), IncidentReplied.model_validate({"text": "已修好"}))
    async with asyncio.timeout(5):
        told = [await one for one in waits]
    assert [(one.status_code, len(one.json()["answers"])) for one in told] == [(200, 1)] * 3
    assert not ingest.runtime.part(waiting.Waiting)._waiting
    refused(await ingest.client.get(f"{at[0]}?wait=61"), 422, field="wait")
    wrong = [await ingest.client.get("/ingest/v1/receipts/AAAA-AAAA-AAAA?wait=60", headers=known) for _ in range(21)]
    assert [answer.status_code for answer in wrong] == [404] * 20 + [429]


def test_the_catalogue_has_each_text_of_today_and_no_other() -> None:
    kept = CATALOGUE.kept()
    assert list(kept) == list(CATALOGUE.extracted()), "run python -m services.ingest.form.words"
    assert CATALOGUE.file.read_bytes() == CATALOGUE.fresh()
    for text, english in kept.items():
        assert english, text
        assert sorted(PLACEHOLDER.findall(english)) == sorted(PLACEHOLDER.findall(text)), text
        assert not HAN.search(english), text
    for file in (CATALOGUE.root / "templates").iterdir():
        bare = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", file.read_text(), flags=re.DOTALL).replace(">中文", ">")
        assert not HAN.findall(bare), file.name


@asynccontextmanager
async def served(ingest: Ingest) -> AsyncIterator[str]:
    """The service on a free port of this machine."""
    app = ingest.client._transport.app  # type: ignore[attr-defined]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        running = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


async def looked_at(page: Page) -> None:
    """Holds the page against axe, in the width of a small telephone."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    found = await Axe().run(page, options=RULES)
    assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in found.response["violations"]] == []


@pytest.mark.chromium
async def test_somebody_reports_by_keyboard_on_a_small_telephone_with_script_and_without(
    ingest: Ingest, chromium: str, tmp_path: Path
) -> None:
    await opened(ingest, introduction="急事请打值班电话。")
    (tmp_path / "a.png").write_bytes(PNG)
    async with served(ingest) as address, browser(chromium) as chrome:
        page, complaints = await tab(chrome, 320, color_scheme="dark")
        await page.goto(f"{address}/form/town-east?lang=en")
        await looked_at(page)
        await page.locator("form").evaluate("form => form.noValidate = true")
        await page.locator("#text").fill("four days")
        await page.get_by_role("button", name="Send").press("Enter")
        await page.locator("#subject-fault").wait_for()
        await looked_at(page)
        await page.locator("[role=alert] a").press("Enter")
        assert await page.evaluate("document.activeElement.id") == "subject"
        await page.keyboard.type("No light")
        await page.locator("#files").set_input_files(tmp_path / "a.png")
        await page.keyboard.press("Enter")
        await page.locator(".receipt").wait_for()
        await looked_at(page)
        code = await page.locator(".receipt").inner_text()
        await page.reload()
        assert await page.locator(".receipt").inner_text() == code
        assert complaints == [
            "Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"
        ]
        (report,) = await ingest.events("report.received")
        await ingest.hear("one", matter(report.stream), IncidentReplied.model_validate({"text": "已修好"}))

        bare, complaints = await tab(chrome, 320, java_script_enabled=False)
        await bare.goto(f"{address}/form/")
        await bare.get_by_role("link", name="凭收据号查询", exact=True).click()
        await bare.locator("#code").fill(code)
        await bare.keyboard.press("Enter")
        await bare.get_by_label("没有帮助", exact=True).check()
        await bare.locator("#reason").fill("又灭了")
        html = await bare.content()
        await bare.get_by_role("button", name="提交意见").click()
        assert "您说没有帮助" in await bare.locator("main").inner_text()
        assert code not in bare.url
        assert complaints == []
        await page.route("**/receipt", lambda route: route.fulfill(body=html, content_type="text/html"))
        await page.goto(f"{address}/receipt")
        await looked_at(page)
