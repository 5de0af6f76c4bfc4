"""Bad input at every door of the console has an answer in words, never a 5xx; and what people typed stays."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio

from services.console.access import passwords
from services.console.access.accounts import Locked, LoginTaken
from services.console.page import HEADERS
from services.console.site import seconds
from services.console.words import typed_end, typed_moment
from tests.console.browser import HOME, Browser
from tests.console.conftest import PASSWORD, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BROKEN = [
    ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\nnot a part"),
    ({"Content-Type": "multipart/form-data"}, b"no boundary"),
    (
        {"Content-Type": "multipart/form-data; boundary=x; charset=unicode_escape"},
        b'--x\r\nContent-Disposition: form-data; name="login"\r\n\r\n\\ud800\r\n--x--\r\n',
    ),
    (FORM, b"login=a%00b&password=c"),
    (FORM, b"login=%ff&password=c"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def officer(town: Town) -> Browser:
    """A browser of a duty officer."""
    return await town.at("duty_officer@town-east")


async def word_of(browser: Browser) -> str:
    """The word that the forms of a browser carry."""
    return dict((await browser.open("/inbox")).form("/sign-out").fields)["csrf"] or ""


@pytest.mark.parametrize(("headers", "body"), BROKEN)
@pytest.mark.parametrize("path", ["/sign-in", "/search", "/reports/new"])
async def test_a_form_that_cannot_be_read_is_refused(
    officer: Browser, path: str, headers: dict[str, str], body: bytes
) -> None:
    told = {**headers, "X-CSRF": await word_of(officer)}
    answer = await officer.client.post(HOME + path, content=body, headers=told)
    assert answer.status_code in (400, 422) and "有不能保存的字符" in answer.text


async def test_a_form_that_is_too_large_is_refused_before_it_is_read(town: Town, officer: Browser) -> None:
    for browser in (town.browser(), officer):
        answer = await browser.client.post(HOME + "/sign-in", content=b"login=" + b"a" * 3_000_000, headers=FORM)
        assert answer.status_code == 413 and "<h1>" in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/incidents/%3Fstate=open",
        "/incidents/..",
        "/incidents/%2E%2E",
        "/incidents/%3Cb%3Ebold%3C%2Fb%3E",
        "/incidents/%3Cb%3Ebold",
        "/incidents/100%25",
        "/incidents/%23",
        "/incidents/%0A",
        "/incidents/%00",
        "/incidents/a%00b",
        "/incidents/%ff",
        "/board?list=%00",
        "/board?list=%ff",
        "/search?number=%00",
        "/statements/%3Flimit=1",
        "/statements/new",
        "/statements/new?incident=%0A",
        "/statements?cursor=x",
        "/board?cursor=%0A",
        "/board?list=gaps&cursor=x",
        "/roster?unit=%0A",
        "/roster/plan?unit=nowhere",
        "/roster/sheet?unit=nowhere",
        "/notices?unit=nowhere",
        "/notices?cursor=x",
        "/addresses?unit=%0A",
        "/addresses/..%2Fx/end",
        "/periods/close?unit=%0A",
        "/paper/matter?number=%2E%2E",
        "/reports/x%3Fy",
        "/packs/%25s",
        "/static/x/y",
    ],
)
async def test_an_address_that_names_nothing_has_its_page(officer: Browser, path: str) -> None:
    page = await officer.open(path)
    assert page.status < 500 and "<h1>" in page.text and "<b>" not in page.text
    assert {name: page.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize("number", ["?", "../lists", "a/similar", "x\ny", "#", "..", "a" * 70_000, "一"])
async def test_a_number_that_is_none_finds_nothing(officer: Browser, number: str) -> None:
    page = await officer.send(await officer.open("/search"), "/search", number=number)
    assert page.status < 500 and "<h1>" in page.text


async def test_words_longer_than_any_address_are_refused_in_words(officer: Browser) -> None:
    page = await officer.send(await officer.open("/search"), "/search", words="长" * 70_000, purpose="核对")
    assert 400 <= page.status < 500 and "<h1>" in page.text


@pytest.mark.parametrize(
    "typed",
    [
        {"happened_at": "0001-01-01 00:00", "late_reason": "x"},
        {"happened_at": "9999-12-31 23:59", "late_reason": "x"},
        {"form.version": "é"},
        {"form.version": "a\nb"},
        {"form.key": "é"},
        {"form.key": "a\r\nb: c"},
        {"form.version": "9" * 5000},
        {"reason": "\x00"},
    ],
)
async def test_what_no_form_sends_is_refused_by_a_verb(town: Town, officer: Browser, typed: dict[str, str]) -> None:
    matter = await town.reported(officer, "路灯不亮", place="卫生院")
    action = matter.path.removeprefix(HOME) + "/triage/assign"
    page = await officer.send(await officer.open(action), action, **{"unit": "county-roads", "reason": "归口"} | typed)
    assert page.status < 500 and "<h1>" in page.text


@pytest.mark.parametrize("typed", ["nan", "inf", "--5", "9" * 5000, "1e999", "-"])
async def test_a_figure_that_is_none_is_refused(town: Town, officer: Browser, typed: str) -> None:
    matter = await town.reported(officer, "路灯不亮", place="卫生院")
    action = matter.path.removeprefix(HOME) + "/triage/establish-fact"
    page = await officer.send(await officer.open(action), action, key="deaths", value=typed, source="x")
    assert page.status == 422 and "只写阿拉伯数字" in page.said


async def test_a_secret_that_is_none_turns_no_codes_on(officer: Browser) -> None:
    page = await officer.open("/account/codes")
    for secret in ("!" * 32, "1" * 32, "一" * 32):
        answer = await officer.send(page, "/account/codes", secret=secret, code="123456")
        assert answer.status == 422


async def test_the_words_of_a_refusal_are_no_markup(officer: Browser) -> None:
    for path in ("/incidents/%3Cb%3Ebold", "/incidents/100%25s", "/reports/%3Cb%3Ebold"):
        page = await officer.open(path)
        assert page.status in (404, 422) and "<b>" not in page.text


@pytest.mark.parametrize(("service", "path"), [("triage", "/triage/assign"), ("ingest", "/reports/new")])
async def test_what_was_typed_stays_when_a_service_goes_down(
    town: Town, officer: Browser, monkeypatch: pytest.MonkeyPatch, service: str, path: str
) -> None:
    site = town.system.console.site  # type: ignore[union-attr]
    if service == "triage":
        matter = await town.reported(officer, "路灯不亮", place="卫生院")
        path = matter.path.removeprefix(HOME) + path
    page, typed = await officer.open(path), {"reason": "归口交通", "subject": "写了很久的话", "checked": "yes"}
    key = dict(page.form(path).fields)["form.key"]

    class Gone(httpx.AsyncBaseTransport):
        """A service that reads, and goes down at the command."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method != "GET":
                raise httpx.ConnectError("down")
            return await there.handle_async_request(request)

    there = httpx.ASGITransport(town.system.app)  # type: ignore[arg-type]
    gone = httpx.AsyncClient(transport=Gone(), base_url="http://huiying")
    monkeypatch.setitem(site.clients, service, gone)  # type: ignore[arg-type]
    more = {"unit": "county-roads"} if service == "triage" else {"unit": "town-east", "channel": "hotline"}
    more |= {"text": "照原话", "discovered_at": "2026-11-25 21:07"}
    answer = await officer.send(page, path, **typed, **more)
    await gone.aclose()
    assert answer.status == 503 and "填写的内容还在下面" in answer.said
    assert (typed["reason"] in answer.text) or (typed["subject"] in answer.text)
    assert dict(answer.form(path).fields)["form.key"] == key, "sent again, it is done once"


async def test_what_was_typed_comes_back_when_the_form_could_not_be_drawn_anew(
    town: Town, officer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = town.system.console.site  # type: ignore[union-attr]
    matter = await town.reported(officer, "路灯又不亮", place="卫生院")
    path, reason = matter.path.removeprefix(HOME) + "/triage/assign", "写了很久的话"
    page = await officer.open(path)

    async def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down")

    with monkeypatch.context() as patch:
        down = httpx.AsyncClient(transport=httpx.MockTransport(gone), base_url="http://huiying")
        patch.setitem(site.clients, "triage", down)  # type: ignore[arg-type]
        answer = await officer.send(page, path, unit="county-roads", reason=reason)
        assert answer.status == 503 and "已为您保留一小时" in answer.said, answer.said
        still = await officer.open(path)
        assert still.status == 503 and "保留" not in still.said, "a look keeps nothing, and takes nothing away"
        await down.aclose()
    other = await town.at("duty_officer@town-east")
    assert reason not in (await other.open(path)).text, "it comes back to whoever typed it"
    again = await officer.open(path)
    assert reason in again.text and "已放回" in again.said
    assert reason not in (await officer.open(path)).text, "it is given back once"
    taken = await officer.send(again, path)
    assert taken.status == 200 and taken.path.startswith(matter.path), "sent as it came back"


async def test_tries_at_the_same_moment_do_not_pass_the_lock(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The right password is tried before the lock and found right after it."""
    accounts = town.system.console.site.accounts  # type: ignore[union-attr]
    login, now = await town.person("duty_officer@town-east"), seconds()
    begun, wrong_are_over, matches = asyncio.Event(), asyncio.Event(), passwords.matches

    async def slowly(known: str | None, tried: str) -> bool:
        if tried == PASSWORD:
            begun.set()
            await wrong_are_over.wait()
        return await matches(known, tried)

    monkeypatch.setattr(passwords, "matches", slowly)
    right = asyncio.create_task(accounts.enter(login, PASSWORD, now))
    await begun.wait()
    await asyncio.gather(*(accounts.enter(login, "wrong", now) for _ in range(10)), return_exceptions=True)
    wrong_are_over.set()
    with pytest.raises(Locked):
        await right


async def test_the_store_takes_one_of_two_first_accounts(town: Town) -> None:
    accounts = town.system.console.site.accounts  # type: ignore[union-attr]
    made = [
        accounts.make(f"first{at}", "王敏", PASSWORD, ["admin@city"], must_change=False, first=True) for at in (1, 2)
    ]
    found = await asyncio.gather(*made, return_exceptions=True)
    assert sum(isinstance(one, LoginTaken) for one in found) >= 1


async def test_an_account_whose_post_has_ended_can_be_ended_and_stays_so(
    town: Town,
) -> None:
    site = town.system.console.site  # type: ignore[union-attr]
    browser = await town.at("admin@town-east")
    login = await town.person("no_such_post@town-east")
    (account,) = [one for one in await site.accounts.all() if one.login == login]
    page = await browser.open("/accounts")
    assert (await browser.send(page, f"/accounts/{account.id}/end")).status == 200
    assert (await browser.open(f"/accounts/{account.id}")).status == 409
    for act in ("recover", "end"):
        assert (await browser.send(page, f"/accounts/{account.id}/{act}")).status == 409
    long = await browser.send(page, "/accounts", login="x" * 61, name="张三", posts=["handler@town-east"])
    assert long.status == 422 and "登录名和姓名最多 60 字" in long.said


@pytest.mark.parametrize(
    ("now", "typed", "expected"),
    [
        ("2027-01-01 00:10", "12-31 23:50", "2026-12-31 23:50"),
        ("2026-12-31 23:50", "01-02 08:00", "2027-01-02 08:00"),
        ("2026-11-26 09:00", "02-28 08:00", "2027-02-28 08:00"),
        ("2028-03-01 09:00", "02-29 08:00", "2028-02-29 08:00"),
        ("2026-11-26 09:00", "0001-01-01 00:00", None),
        ("2026-11-26 09:00", "24:00", "2026-11-27 00:00"),
        ("2026-11-26 09:00", "11-30 24:00", "2026-12-01 00:00"),
        ("2026-11-26 09:00", "2026-12-31 24:00", "2027-01-01 00:00"),
        ("2026-11-26 09:00", "9999-12-31 24:00", None),
        ("2026-11-26 09:00", "124:00", None),
        ("2026-11-26 09:00", "2²:00", None),
        ("2026-11-26 09:00", "2026年11月25日 21:07", "2026-11-25 21:07"),
        ("2026-11-26 09:00", "１１－２５　２１：０７", "2026-11-25 21:07"),
        ("2026-11-26 09:00", "\u200b21:07\u200e", "2026-11-26 21:07"),
    ],
)
async def test_a_time_is_understood_as_pages_show_it_and_a_day_without_its_year_is_the_nearest(
    now: str, typed: str, expected: str | None
) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    at = datetime.fromisoformat(now).replace(tzinfo=zone)
    found = typed_moment(typed, zone, at)
    assert (datetime.fromisoformat(found).astimezone(zone).strftime("%Y-%m-%d %H:%M") if found else None) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-06-30", "2026-07-01 00:00"),
        ("2027年6月30日", "2027-07-01 00:00"),
        ("06-30", "2027-07-01 00:00"),
        ("12-31", "2027-01-01 00:00"),
        ("11-20", "2026-11-21 00:00"),
        ("06-30 17:00", "2027-06-30 17:00"),
        ("17:00", "2026-11-26 17:00"),
        ("25-25", None),
    ],
)
async def test_a_day_by_which_something_is_to_be_done_lies_ahead_and_ends_at_midnight(
    typed: str, expected: str | None
) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    found = typed_end(typed, zone, datetime(2026, 11, 26, 9, tzinfo=zone))
    assert (datetime.fromisoformat(found).astimezone(zone).strftime("%Y-%m-%d %H:%M") if found else None) == expected
