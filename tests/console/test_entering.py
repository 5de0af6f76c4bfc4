"""Signing in: the first account, passwords, one-time codes, locks, the choice of a post, and sessions."""

import importlib.util
import re

import argon2
import pyotp
import pytest

from services.console.access import passwords, sessions
from services.console.access.accounts import STEP, Locked
from services.console.access.passwords import fault
from services.console.site import seconds
from tests.console.conftest import PASSWORD, Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
FIRST = {"login": "root", "name": "王敏", "post": "admin@city", "password": PASSWORD, "again": PASSWORD}


async def test_each_password_of_a_deployment_costs_memory_and_time() -> None:
    """More than OWASP asks for. These tests take cheaper ones, so the module is loaded as a process loads it."""
    spec = importlib.util.find_spec(passwords.__name__)
    assert spec is not None and spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    cost = argon2.extract_parameters(await fresh.digest("a long sentence of mine"))
    assert cost.type is argon2.Type.ID and cost.memory_cost >= 19 * 1024 and cost.time_cost >= 2
    assert argon2.extract_parameters(fresh._NOBODY) == cost, "an unknown login takes as long"


async def test_first_run_makes_one_administrator_who_knows_the_code(town: Town) -> None:
    browser, code = town.browser(), await town.system.first_code()
    page = await browser.open("/")
    assert page.path.startswith("/console/first-run"), "without an account there is nothing to sign in to"
    offered = re.findall(r'<option value="([^"]+)"', page.text)
    assert offered == ["admin@city"], "only the administrator of the highest unit can set up all the others"
    lower = await browser.send(page, "/first-run", **FIRST | {"post": "admin@county"}, code=code)
    assert lower.status == 422 and "请填写登录名、姓名和岗位" in lower.said
    wrong = await browser.send(page, "/first-run", **FIRST, code="0000-0000-0000-0000")
    assert wrong.status == 422 and "设置码不对" in wrong.said
    short = await browser.send(page, "/first-run", **FIRST | {"password": "short", "again": "short"}, code=code)
    assert short.status == 422 and "至少 12 个字符" in short.said
    typed_otherwise = (code or "").upper().replace("-", "　")
    made = await browser.send(page, "/first-run", **FIRST, code=typed_otherwise)
    assert made.path == "/console/setup/site", "the set-up begins with what is missing first"
    again = await town.browser().client.post("/console/first-run", data=FIRST | {"code": code, "login": "second"})
    assert again.url.path == "/console/sign-in", "the set-up serves once"
    assert await town.system.first_code() is None


async def test_a_wrong_password_and_an_unknown_login_read_alike(town: Town) -> None:
    login, browser = await town.person("duty_officer@town-east"), town.browser()
    page = await browser.open("/sign-in")
    answers = [
        await browser.send(page, "/sign-in", login=named, password="wrong") for named in (login, "nobody at all")
    ]
    assert [(answer.status, "登录名或密码不对" in answer.said) for answer in answers] == [(422, True)] * 2


async def test_wrong_passwords_in_a_row_lock_and_the_right_one_waits(town: Town) -> None:
    accounts = town.system.console.site.accounts  # type: ignore[union-attr]
    login, now = await town.person("duty_officer@town-east"), seconds()
    for _ in range(5):
        assert await accounts.enter(login, "wrong", now) is None
    with pytest.raises(Locked) as locked:
        await accounts.enter(login, PASSWORD, now + 1)
    assert locked.value.until == now + 60
    assert await accounts.enter(login, PASSWORD, now + 61) is not None
    assert await accounts.enter(login, "wrong", now + 62) is None, "a right one begins anew"
    assert await accounts.enter(login, PASSWORD, now + 63) is not None


async def test_an_unknown_login_locks_alike_and_nobody_elsewhere_locks_a_person_out(town: Town) -> None:
    login, own, stranger = await town.person("duty_officer@town-east"), town.browser(), town.browser()
    assert (await own.sign_in(login, PASSWORD)).path == "/console/inbox"
    await own.send(await own.open("/inbox"), "/sign-out")
    page = await stranger.open("/sign-in")
    for named in (login, "nobody-has-this"):
        found = [(await stranger.send(page, "/sign-in", login=named, password="wrong")).status for _ in range(6)]
        assert found == [422, 422, 422, 422, 422, 429]
    assert (await stranger.send(page, "/sign-in", login=login, password=PASSWORD)).status == 429
    assert (await own.sign_in(login, PASSWORD)).path == "/console/inbox", "a browser that knows the login goes on"


async def test_the_one_time_password_is_not_kept(town: Town) -> None:
    accounts = town.system.console.site.accounts  # type: ignore[union-attr]
    await accounts.make("fresh", "王敏", PASSWORD, ["handler@town-east"], must_change=True)
    browser = town.browser()
    page = await browser.sign_in("fresh", PASSWORD)
    same = await browser.send(page, "/account/password", password=PASSWORD, again=PASSWORD)
    assert same.status == 422 and "和现在的一样" in same.said


async def test_a_one_time_code_serves_once_and_is_asked_for_at_each_sign_in(town: Town) -> None:
    login, browser = await town.person("duty_officer@town-east"), town.browser()
    await browser.sign_in(login, PASSWORD)
    page = await browser.open("/account/codes")
    (secret,) = re.findall(r"<code>(\w+)</code>", page.text)
    before = pyotp.TOTP(secret).at(seconds() - STEP)
    refused = await browser.send(page, "/account/codes", code=before, password="somebody at this desk")
    assert refused.status == 422, "a machine that was left alone turns nothing on"
    await browser.send(page, "/account/codes", code=before, password=PASSWORD)
    other = town.browser()
    asked = await other.sign_in(login, PASSWORD)
    assert asked.path.startswith("/console/sign-in/code")
    assert (await other.open("/inbox")).path.startswith("/console/sign-in/code"), "a password alone opens nothing"
    replayed = await other.send(asked, "/sign-in/code", code=before)
    assert replayed.status == 422
    code = "".join(chr(ord(digit) + 0xFEE0) for digit in pyotp.TOTP(secret).at(seconds()))
    passed = await other.send(asked, "/sign-in/code", code=f"{code[:3]} {code[3:]}")
    assert passed.path == "/console/inbox"


async def test_a_person_with_several_posts_chooses_and_changes_the_post_that_acts(town: Town) -> None:
    browser = await town.at("duty_officer@town-east", "chief@county")
    assert "东镇 值班员" in (await browser.open("/inbox")).said
    token = browser.client.cookies["huiying"]
    changed = await browser.send(await browser.open("/post"), "/post", post="chief@county")
    assert "示例县 主要负责人" in changed.said and browser.client.cookies["huiying"] != token
    foreign = await browser.send(await browser.open("/post"), "/post", post="chief@city")
    assert foreign.status == 422, "nobody takes a post that is not theirs"


async def test_signing_out_ends_the_session_also_for_a_copy_of_the_cookie(town: Town) -> None:
    browser, thief = await town.at("duty_officer@town-east"), town.browser()
    thief.client.cookies.set("huiying", browser.client.cookies["huiying"], domain="127.0.0.1", path="/console")
    assert (await thief.open("/inbox")).path == "/console/inbox"
    await browser.send(await browser.open("/inbox"), "/sign-out")
    assert (await thief.open("/inbox")).path.startswith("/console/sign-in")


async def test_signing_in_again_ends_the_former_session_of_this_browser(town: Town) -> None:
    browser, copy = await town.at("duty_officer@town-east"), town.browser()
    copy.client.cookies.set("huiying", browser.client.cookies["huiying"], domain="127.0.0.1", path="/console")
    assert (await copy.open("/inbox")).path == "/console/inbox"
    await browser.sign_in(await town.person("chief@county"), PASSWORD)
    assert (await copy.open("/inbox")).path.startswith("/console/sign-in")
    assert "示例县 主要负责人" in (await browser.open("/inbox")).said


async def test_a_session_ends_when_nobody_works_in_it_and_after_half_a_day(town: Town) -> None:
    site = town.system.console.site  # type: ignore[union-attr]
    login = await town.person("duty_officer@town-east")
    (account,) = [one for one in await site.accounts.all() if one.login == login]
    began = seconds()
    token = await site.sessions.begin(account, began, passed=True)
    assert await site.sessions.find(token, began + sessions.IDLE + 1) is None
    token, now = await site.sessions.begin(account, began, passed=True), began
    while now < began + sessions.LONGEST:
        assert await site.sessions.find(token, now) is not None
        now += sessions.IDLE - 60
    assert await site.sessions.find(token, began + sessions.LONGEST + 1) is None
    token = await site.sessions.begin(account, began, passed=True)
    session = await site.sessions.find(token, began + sessions.IDLE)
    assert session is not None
    renewed = await site.sessions.renew(session, began + sessions.IDLE, post=None)
    found = await site.sessions.find(renewed, began + sessions.IDLE)
    assert found is not None and found.ends_at <= began + sessions.LONGEST, "another post is no new day"
    assert await site.sessions.find(renewed, began + sessions.LONGEST + 1) is None


async def told(town: Town) -> list[tuple[str, list[str]]]:
    """The changes of accounts that the record has."""
    await town.system.settle()
    async with town.system.client(town.system.token("city", "auditor")) as client:
        answer = await client.get("/audit/v1/events", params={"type": "huiying.unit.access_changed.v1", "limit": 500})
    return [(event["data"]["change"], event["data"]["posts"]) for event in answer.json()["items"]]


async def test_an_administrator_opens_accounts_and_recovers_them_below_the_own_unit_alone(town: Town) -> None:
    browser = await town.at("admin@town-east")
    page = await browser.open("/accounts")
    made = await browser.send(
        page, "/accounts", login="zhang", name="张三", posts=["handler@town-east", "chief@county"]
    )
    (password,) = re.findall(r"<code>(.+?)</code>", made.text)
    site = town.system.console.site  # type: ignore[union-attr]
    (account,) = [one for one in await site.accounts.all() if one.login == "zhang"]
    assert account.posts == ("handler@town-east",), "no post above the administrator's unit"
    of = await browser.open(f"/accounts/{account.id}")
    assert "已停用" not in of.said and of.form(f"/accounts/{account.id}/posts").fields[-1][1] == "handler@town-east"
    new = await town.browser().sign_in("zhang", password)
    assert new.path == "/console/account/password", "the one-time password is changed before anything else"
    wider = await town.person("handler@town-east", "chief@county")
    (wide,) = [one for one in await site.accounts.all() if one.login == wider]
    page = await browser.open("/accounts")
    recorded = await browser.send(page, f"/accounts/{account.id}/recover")
    assert "一次性密码" in recorded.said
    found = await told(town)
    assert found[-2:] == [("account_opened", ["handler@town-east"]), ("account_recovered", ["handler@town-east"])]
    assert account.id not in str(found) and "zhang" not in str(found)
    refused = await browser.send(page, f"/accounts/{wide.id}/recover")
    assert refused.status == 403 and await told(town) == found, (
        "a password that opens posts elsewhere is not theirs to give"
    )
    assert (await (await town.at("duty_officer@town-east")).open("/accounts")).status == 403
    action = f"/accounts/{account.id}/posts"
    moved = await browser.send(await browser.open(f"/accounts/{account.id}"), action, posts=["verifier@town-east"])
    assert "已办：变更岗位" in moved.said and "核实员" in moved.said
    ended = await browser.send(moved, f"/accounts/{account.id}/end")
    assert "已办：停用" in ended.said and "已停用" in ended.said


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("short", "short"),
        ("x" * 201, "long"),
        ("aaaaaaaaaaaaaaaa", "uniform"),
        ("wangmin-rides-a-bike", "login"),
        ("password12345", "common"),
        ("我家门前有一条小河流", "short"),
        ("我家门前有一条小河流过来", None),
        ("a phrase for these tests", None),
    ],
)
async def test_weak_passwords_have_a_reason(password: str, expected: str | None) -> None:
    assert fault(password, "wangmin") == expected
