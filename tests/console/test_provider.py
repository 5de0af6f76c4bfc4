"""Signing in at a provider of OpenID Connect that runs on a port: posts from claims, both ends, and each refusal."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from playwright.async_api import async_playwright
from pydantic import ValidationError
from sqlalchemy import func, select

from services.apps import web
from services.apps.up import served
from services.console.access import claims, provider, sso
from services.console.access.handshakes import LIFE
from services.console.access.provider import ALGORITHMS, LOGOUT
from services.console.site import seconds
from services.console.store import ACCOUNTS, SESSIONS
from services.kernel.settings import Settings
from tests.console.browser import HOME, WHERE, Browser, Page
from tests.console.conftest import PASSWORD, Town
from tests.console.provider import Provider, configured, foreign_key, late, serving
from tests.console.test_entering import told as changes
from tests.publish.test_pages import FLAGS

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings(
        "ignore:get_jwt_config:DeprecationWarning"
    ),  # oidc-provider-mock does not follow Authlib
]
CLIENT = "huiying-console"
EAST = "duty_officer@town-east"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    """The provider, once for this file."""
    with serving() as made:
        yield made


class Office:
    """The console and its provider, and browsers that reach both."""

    def __init__(self, town: Town, running: Provider) -> None:
        assert town.system.console is not None
        self.town, self.provider, self.site = town, running, town.system.console.site

    async def set(self, **settings: Any) -> None:
        """Other settings, as after a restart."""
        known = {
            "oidc_issuer": self.provider.address,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": "a secret of both",
            "oidc_posts_claim": "posts",
        }
        await configured(self.site, self.town.system.settings, **known | settings)

    def browser(self) -> Browser:
        """A browser in which nobody is signed in."""
        return self.town.browser(reaching=[self.provider.address])

    async def at_provider(self, browser: Browser, path: str = "/provider/sign-in") -> Page:
        """The provider's page, to which the console leads."""
        page = await browser.open(path)
        assert page.address.startswith(self.provider.address), page.said
        return page

    async def consent(self, browser: Browser, page: Page, person: str) -> Page:
        """What comes when the person signs in there."""
        return Page(await browser.client.post(page.address, data={"sub": person}))

    async def enter(self, person: str, browser: Browser | None = None) -> Page:
        """Signs a person in."""
        browser = browser or self.browser()
        return await self.consent(browser, await self.at_provider(browser), person)

    async def counted(self) -> tuple[int, int]:
        """How many accounts and sessions there are."""
        async with self.site.database.read() as connection:
            counts = [await connection.scalar(select(func.count()).select_from(of)) for of in (ACCOUNTS, SESSIONS)]
        return counts[0] or 0, counts[1] or 0


@pytest.fixture
async def office(town: Town, running: Provider) -> Any:
    """The console with the provider. Afterwards there is none."""
    made = Office(town, running)
    plain = made.site.settings
    try:
        await made.set()
        yield made
    finally:
        running.published = []
        running.forge, running.answers, running.tells = None, lambda: None, lambda claims: claims
        await configured(made.site, plain)


async def refused(office: Office, browser: Browser, page: Page, person: str, status: int, said: str) -> None:
    """A sign-in that ends in a page that says so, with nothing done."""
    before = await office.counted()
    answer = await office.consent(browser, page, person)
    assert (answer.status, said in answer.said) == (status, True), (answer.status, answer.said)
    assert "huiying" not in browser.client.cookies and await office.counted() == before
    assert (await browser.open("/inbox")).path.startswith(f"{HOME}/sign-in")


async def test_a_person_of_the_provider_acts_for_the_post_that_the_claims_name(office: Office) -> None:
    office.provider.knows("u-1", name="李娜", posts=[EAST], email="lina@example.org")
    browser = office.browser()
    shown = await browser.open("/board?unit=town-east&phase=open")
    assert "用统一身份认证登录" in shown.said
    (link,) = [link for link in shown.links if "/provider/sign-in" in link]
    page = await office.consent(browser, await office.at_provider(browser, link.removeprefix(HOME)), "u-1")
    assert page.path == f"{HOME}/board?unit=town-east&phase=open" and "东镇 值班员" in page.said and "李娜" in page.said
    async with office.site.database.read() as connection:
        (row,) = (await connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.subject.is_not(None)))).mappings()
    assert row["password"] is None and row["login"] is None
    assert not any("u-1" in str(value) or "lina" in str(value) for value in row.values()), "no name of theirs there"
    for path in ("/account/password", "/account/codes"):
        answer = await browser.open(path)
        assert answer.status == 409 and "由统一身份认证保管" in answer.said


async def test_a_person_with_several_posts_chooses_and_loses_what_the_claims_no_longer_give(office: Office) -> None:
    office.provider.knows("u-2", name="赵强", posts=["duty_officer", "chief@county"], dept="town-east")
    await office.set(oidc_unit_claim="dept")
    browser, other = office.browser(), office.browser()
    page = await office.enter("u-2", browser)
    assert page.path == f"{HOME}/post" and "东镇 值班员" in page.said and "示例县 主要负责人" in page.said
    page = await browser.send(page, "/post", post="chief@county")
    assert page.path == f"{HOME}/inbox" and "示例县 主要负责人" in page.said
    office.provider.knows("u-2", name="赵强", posts="duty_officer", dept="town-east")
    assert "东镇 值班员" in (await office.enter("u-2", other)).said, "the only post acts at once"
    assert (await browser.open("/inbox")).path.startswith(f"{HOME}/sign-in"), "a session for a lost post ends"


async def test_a_mapping_gives_posts_to_groups_and_people_and_is_read_at_each_sign_in(
    office: Office, tmp_path: Path
) -> None:
    file = tmp_path / "posts.yaml"
    file.write_text("groups:\n  /county/duty: [duty_officer@town-east]\npeople:\n  u-3: [admin@county]\n")
    await office.set(oidc_posts_claim="", oidc_mapping=file, oidc_groups_claim="realm_access.groups")
    office.provider.knows("u-3", name="孙丽", realm_access={"groups": ["/county/duty", "/elsewhere"]})
    page = await office.enter("u-3")
    assert page.path == f"{HOME}/post" and "东镇 值班员" in page.said and "示例县 系统管理员" in page.said
    file.write_text("groups:\n  /county/duty: [duty_officer@town-east\n")
    browser = office.browser()
    await refused(office, browser, await office.at_provider(browser), "u-3", 424, "岗位对应文件有错")
    file.write_text("groups:\n  /county/duty: [duty_officer@town-east]\n")
    assert "东镇 值班员" in (await office.enter("u-3", browser)).said


@pytest.mark.parametrize(
    ("posts", "said"),
    [([], "没有给您岗位"), (["duty_officer@nowhere", "no post"], "duty_officer@nowhere")],
    ids=["none", "not in the directory"],
)
async def test_without_a_post_of_the_directory_nobody_enters_and_the_page_says_who_helps(
    office: Office, posts: list[str], said: str
) -> None:
    office.provider.knows("u-4", name="周", posts=posts)
    browser = office.browser()
    await refused(office, browser, await office.at_provider(browser), "u-4", 403, said)


async def test_claims_that_only_the_page_of_the_person_has_count_if_it_is_the_same_person(office: Office) -> None:
    office.provider.knows("u-15", name="何", posts=[EAST])
    office.provider.forge = lambda told: office.provider.signed(
        {name: value for name, value in told.items() if name != "posts"}
    )
    assert (await office.enter("u-15")).path == f"{HOME}/inbox"
    office.provider.tells = lambda told: told | {"sub": "another"}
    browser = office.browser()
    await refused(office, browser, await office.at_provider(browser), "u-15", 400, "没有通过校验")


async def test_signing_out_ends_both_sessions(office: Office) -> None:
    office.provider.knows("u-5", name="吴", posts=[EAST])
    browser = office.browser()
    page = await browser.send(await office.enter("u-5", browser), "/sign-out")
    assert page.path == f"{HOME}/signed-out" and page.headers["refresh"] == f"0; url={HOME}/provider/sign-out"
    assert (await browser.open("/inbox")).path.startswith(f"{HOME}/sign-in")
    there = await browser.open("/provider/sign-out")
    asked = parse_qs(urlsplit(there.address).query)
    assert there.address.startswith(f"{office.provider.address}/oauth2/end_session")
    assert asked == {"client_id": [CLIENT], "post_logout_redirect_uri": [f"{WHERE}{HOME}/sign-in"]}
    confirmed = await browser.client.post(
        f"{office.provider.address}/oauth2/end_session/confirm", data={"redirect_uri": f"{WHERE}{HOME}/sign-in"}
    )
    assert Page(confirmed).path == f"{HOME}/sign-in"


async def test_the_provider_ends_sessions_by_a_signed_notice_and_by_nothing_else(office: Office) -> None:
    office.provider.knows("u-6", name="郑", posts=[EAST])
    office.provider.forge = lambda claims: office.provider.signed(claims | {"sid": "s-1"})
    first, second = office.browser(), office.browser()
    await office.enter("u-6", first)
    office.provider.forge = lambda claims: office.provider.signed(claims | {"sid": "s-2"})
    await office.enter("u-6", second)
    now = int(time.time())
    notice = {"iss": office.provider.address, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "1"}
    notice |= {"events": {LOGOUT: {}}}
    server = httpx.AsyncClient(transport=httpx.ASGITransport(office.town.system.site), base_url=WHERE)

    async def sent(token: str) -> int:
        return (await server.post(f"{HOME}/provider/sign-out", data={"logout_token": token})).status_code

    signed = office.provider.signed
    async with server:
        for wrong in (
            signed(notice),
            signed(notice | {"sid": "s-1", "nonce": "n"}),
            signed(notice | {"sid": "s-1", "events": {}}),
            signed(notice | {"sid": "s-1", "aud": "another"}),
            signed(late(notice | {"sid": "s-1"})),
            jwt.encode(notice | {"sid": "s-1"}, foreign_key(), "RS256", headers={"kid": office.provider.kid}),
            "",
            "x.y.z",
        ):
            assert await sent(wrong) == 400, wrong
        assert (await first.open("/inbox")).path == f"{HOME}/inbox"
        assert await sent(signed(notice | {"sid": "s-1"})) == 200
        assert (await first.open("/inbox")).path.startswith(f"{HOME}/sign-in")
        assert (await second.open("/inbox")).path == f"{HOME}/inbox", "another session of the person goes on"
        assert await sent(signed(notice | {"sub": "u-6"})) == 200
        assert (await second.open("/inbox")).path.startswith(f"{HOME}/sign-in")
        await office.enter("u-6", second)
        assert await sent(signed(notice | {"sub": "u-6", "iat": now - 60})) == 200
        assert (await second.open("/inbox")).path == f"{HOME}/inbox", "an old notice ends no new session"


async def test_a_new_key_of_the_provider_is_found_and_the_former_one_is_over(office: Office) -> None:
    office.provider.knows("u-7", name="王", posts=[EAST])
    assert (await office.enter("u-7")).path == f"{HOME}/inbox"
    former, kid = office.provider.key, office.provider.kid
    office.provider.rotate()
    office.provider.asked.clear()
    assert (await office.enter("u-7")).path == f"{HOME}/inbox"
    assert (await office.enter("u-7")).path == f"{HOME}/inbox"
    assert office.provider.asked.count("/jwks") == 1, "keys are kept"
    office.provider.forge = lambda claims: jwt.encode(claims, former, "RS256", headers={"kid": kid})
    browser = office.browser()
    await refused(office, browser, await office.at_provider(browser), "u-7", 400, "没有通过校验")
    assert office.provider.asked.count("/jwks") == 1, "unknown keys do not make it ask on and on"


FORGERIES: dict[str, Callable[[Provider, dict[str, Any]], str]] = {
    "another key under a known name": lambda made, told: jwt.encode(
        told, foreign_key(), "RS256", headers={"kid": made.kid}
    ),
    "an unknown key": lambda made, told: jwt.encode(told, foreign_key(), "RS256", headers={"kid": "another"}),
    "signed with the client's secret": lambda made, told: jwt.encode(
        told, "a secret of both, which is long enough", "HS256", headers={"kid": made.kid}
    ),
    "not signed": lambda made, told: jwt.encode(told, None, "none"),
    "no token": lambda made, told: "nothing",
    "another issuer": lambda made, told: made.signed(told | {"iss": "https://elsewhere.example"}),
    "another client": lambda made, told: made.signed(told | {"aud": "another"}),
    "for two clients, issued to the other": lambda made, told: made.signed(
        told | {"aud": [CLIENT, "another"], "azp": "another"}
    ),
    "expired": lambda made, told: made.signed(late(told)),
    "without an end": lambda made, told: made.signed({name: told[name] for name in told if name != "exp"}),
    "of tomorrow": lambda made, told: made.signed(told | {"iat": told["iat"] + 86400}),
    "another sign-in": lambda made, told: made.signed(told | {"nonce": "another"}),
    "without a nonce": lambda made, told: made.signed({name: told[name] for name in told if name != "nonce"}),
    "of nobody": lambda made, told: made.signed({name: told[name] for name in told if name != "sub"}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_token_that_proves_nothing_opens_nothing(office: Office, forgery: str) -> None:
    office.provider.knows("u-8", name="冯", posts=[EAST])
    office.provider.forge = lambda told: FORGERIES[forgery](office.provider, told)
    browser = office.browser()
    await refused(office, browser, await office.at_provider(browser), "u-8", 400, "没有通过校验")


@pytest.mark.parametrize(("algorithm", "is_believed"), [(one, True) for one in ALGORITHMS] + [("RS512", False)])
async def test_a_provider_may_sign_by_the_algorithms_of_the_list_and_by_no_other(
    office: Office, algorithm: str, is_believed: bool
) -> None:
    office.provider.knows("u-30", name="曹", posts=[EAST])
    office.provider.signs(algorithm)
    browser = office.browser()
    page = await office.at_provider(browser)
    if is_believed:
        assert (await office.consent(browser, page, "u-30")).path == f"{HOME}/inbox"
    else:
        await refused(office, browser, page, "u-30", 400, "没有通过校验")


async def test_posts_of_the_provider_are_in_the_record_once_for_each_change(office: Office) -> None:
    async def told() -> list[tuple[str, list[str]]]:
        return (await changes(office.town))[known:]

    known = len(await changes(office.town))
    west = "handler@town-west"
    office.provider.knows("u-31", name="蒋", posts=[EAST])
    browser = office.browser()
    for _ in range(2):
        entered = await office.enter("u-31", browser)
        assert entered.path == f"{HOME}/inbox", entered.said
    assert await told() == [("account_opened", [EAST])], "the second sign-in changed nothing"
    office.provider.knows("u-31", name="蒋", posts=[west, EAST])
    several = [office.browser() for _ in range(3)]
    shown = [await office.at_provider(one) for one in several]
    await asyncio.gather(*(office.consent(one, page, "u-31") for one, page in zip(several, shown, strict=True)))
    assert (await told())[1:] == [("account_posts_changed", [west, EAST])]
    office.provider.knows("u-31", name="蒋", posts=[])
    other = office.browser()
    assert "没有给您岗位" in (await office.consent(other, await office.at_provider(other), "u-31")).said
    assert (await told())[2:] == [("account_ended", [west, EAST])]
    assert (await browser.open("/inbox")).path.startswith(HOME) and EAST not in (await browser.open("/post")).text
    office.provider.knows("u-31", name="蒋", posts=[EAST])
    assert (await office.enter("u-31")).path == f"{HOME}/inbox"
    assert (await told())[3:] == [("account_opened", [EAST])]


async def test_nobody_waits_for_the_record_of_another_person(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triage may take its time for one, and the next one has no change to record."""
    office.provider.knows("u-40", name="韩", posts=[EAST])
    assert (await office.enter("u-40")).path == f"{HOME}/inbox"
    asked, taken, recorded = asyncio.Event(), asyncio.Event(), sso.record

    async def slow(*told: Any) -> None:
        asked.set()
        await taken.wait()
        await recorded(*told)

    monkeypatch.setattr(sso, "record", slow)
    office.provider.knows("u-41", name="杨", posts=[EAST])
    first = asyncio.create_task(office.enter("u-41"))
    try:
        await asyncio.wait_for(asked.wait(), 20)
        assert (await asyncio.wait_for(office.enter("u-40"), 20)).path == f"{HOME}/inbox"
        assert not first.done()
    finally:
        taken.set()
        assert (await first).path == f"{HOME}/inbox"


async def test_many_sign_ins_of_one_browser_do_not_disturb_each_other_and_each_serves_once(office: Office) -> None:
    office.provider.knows("u-9", name="陈", posts=[EAST])
    browser = office.browser()
    pages = [await office.at_provider(browser) for _ in range(30)]
    assert sum(len(value) for value in browser.client.cookies.values()) < 100, "no cookie for each of them"
    came = await browser.client.post(pages[3].address, data={"sub": "u-9"}, follow_redirects=False)
    callback = came.headers["location"]
    assert Page(await browser.client.get(callback)).path == f"{HOME}/inbox"
    assert (await office.consent(browser, pages[17], "u-9")).path == f"{HOME}/inbox"
    before = await office.counted()
    again = Page(await browser.client.get(callback))
    assert again.status == 400 and "已经用过" in again.said and await office.counted() == before


async def test_a_callback_counts_only_in_the_browser_that_began_and_in_time(office: Office) -> None:
    office.provider.knows("u-10", name="蒋", posts=[EAST])
    browser, victim = office.browser(), office.browser()
    await office.at_provider(victim)
    came = await browser.client.post(
        (await office.at_provider(browser)).address, data={"sub": "u-10"}, follow_redirects=False
    )
    callback = came.headers["location"]
    for asked in (callback, f"{HOME}/provider/callback", f"{HOME}/provider/callback?state=x&code=y"):
        page = Page(await victim.client.get(asked))
        assert page.status == 400 and "不是在这个浏览器里开始的" in page.said
    assert Page(await browser.client.get(callback)).path == f"{HOME}/inbox", "the attempt of another spoiled nothing"
    state = await office.site.handshakes.begin("b", "", seconds() - LIFE - 1)
    assert await office.site.handshakes.take(state.state, "b", seconds()) is None


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("&iss=https://elsewhere.example", "没有通过校验"),
        ("&error=access_denied", "没有完成统一身份认证"),
        ("&error=server_error&error_description=%3Cscript%3E", "没有确认这次登录"),
    ],
)
async def test_what_the_provider_sends_instead_of_a_code_is_a_page(office: Office, added: str, said: str) -> None:
    browser = office.browser()
    came = parse_qs(urlsplit((await office.at_provider(browser)).address).query)
    page = Page(await browser.client.get(f"{HOME}/provider/callback?state={came['state'][0]}&code=made-up{added}"))
    assert page.status == 400 and said in page.said and "<script>" not in page.text


async def test_a_code_of_nobody_and_a_code_of_another_sign_in_are_refused(office: Office) -> None:
    office.provider.knows("u-11", name="沈", posts=[EAST])
    browser, thief = office.browser(), office.browser()
    came = await browser.client.post(
        (await office.at_provider(browser)).address, data={"sub": "u-11"}, follow_redirects=False
    )
    stolen = parse_qs(urlsplit(came.headers["location"]).query)["code"][0]
    for code in ("made-up", stolen):
        state = parse_qs(urlsplit((await office.at_provider(thief)).address).query)["state"][0]
        page = Page(await thief.client.get(f"{HOME}/provider/callback?state={state}&code={code}"))
        assert page.status == 400 and "没有确认这次登录" in page.said, "PKCE binds a code to its sign-in"


async def test_a_provider_that_is_down_or_slow_or_another_one_is_a_page_and_local_accounts_go_on(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.provider.knows("u-12", name="韩", posts=[EAST])
    browser = office.browser()
    page = await office.at_provider(browser)
    freed = threading.Event()
    monkeypatch.setattr(provider, "SECONDS", 0.3)
    office.provider.answers = lambda: freed.wait(5) if flask_path() == "/oauth2/token" else None
    try:
        await refused(office, browser, page, "u-12", 424, "没有正常响应")
    finally:
        freed.set()
    for issuer in ("http://127.0.0.1:9", f"{office.provider.address}/"):
        await office.set(oidc_issuer=issuer)
        told = await browser.open("/provider/sign-in")
        assert told.status == 424 and "没有正常响应" in told.said
    out = await browser.open("/provider/sign-out")
    assert out.status == 200 and "可能还没有退出" in out.said
    signed = await browser.sign_in(await office.town.person(EAST), PASSWORD)
    assert signed.path == f"{HOME}/inbox"


async def test_an_account_that_was_ended_here_stays_ended_and_only_the_provider_changes_its_posts(
    office: Office,
) -> None:
    office.provider.knows("u-13", name="杨洋", posts=[EAST])
    browser = office.browser()
    await office.enter("u-13", browser)
    admin = await office.town.at("admin@town-east")
    (account,) = [one for one in await office.site.accounts.all() if one.name == "杨洋"]
    page = await admin.open("/accounts")
    recovered = await admin.send(page, f"/accounts/{account.id}/recover")
    for answer in (recovered, await admin.open(f"/accounts/{account.id}")):
        assert answer.status == 409 and "统一身份认证" in answer.said
    await admin.send(page, f"/accounts/{account.id}/end")
    assert (await browser.open("/inbox")).path.startswith(f"{HOME}/sign-in")
    again = office.browser()
    await refused(office, again, await office.at_provider(again), "u-13", 403, "账号已停用")


async def test_local_accounts_can_be_switched_off(office: Office) -> None:
    local = await office.town.at(EAST)
    login = await office.town.person(EAST)
    before = office.site.first_code()
    page = await office.browser().open("/sign-in")
    await office.set(local_accounts=False)
    assert before and office.site.first_code() is None
    assert (await local.open("/inbox")).path.startswith(f"{HOME}/sign-in"), "sessions of local accounts end, too"
    browser = office.browser()
    shown = await browser.open("/first-run")
    assert shown.path == f"{HOME}/sign-in" and "用统一身份认证登录" in shown.said and not shown.text.count("password")
    assert (await browser.send(page, "/sign-in", login=login, password=PASSWORD)).status == 403
    office.provider.knows("u-14", name="秦", posts=["admin@town-east"])
    admin = office.browser()
    await office.enter("u-14", admin)
    made = await admin.send(await admin.open("/accounts"), "/accounts", login="x", name="x", posts=[EAST])
    assert made.status == 409 and "统一身份认证" in made.said


@pytest.mark.chromium
async def test_a_browser_with_our_policy_goes_to_the_provider_and_back_and_signs_out_at_both(
    office: Office, chromium: str
) -> None:
    office.provider.knows("u-16", name="吕", posts=[EAST])
    with web.bound("127.0.0.1", 0) as on:
        await office.set(public_url=web.address_of(on))
        async with served(office.town.system, on) as address, async_playwright() as playwright:
            chrome = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            try:
                page = await chrome.new_page(locale="en-GB")
                await page.goto(f"{address}{HOME}/board")
                await page.get_by_role("link", name="Sign in with").click()
                await page.locator("input[name=sub]").fill("u-16")
                await page.locator("input[name=sub]").press("Enter")
                await page.wait_for_url(f"{address}{HOME}/board")
                await page.get_by_role("button", name="Sign out").click()
                await page.wait_for_url(f"{office.provider.address}/oauth2/end_session**")
                await page.goto(f"{address}{HOME}/inbox")
                assert page.url.startswith(f"{address}{HOME}/sign-in")
            finally:
                await chrome.close()


async def test_without_a_provider_there_is_no_way_to_one(town: Town) -> None:
    browser = town.browser()
    assert "统一身份认证" not in (await browser.open("/sign-in")).said
    for path in ("/provider/sign-in", "/provider/callback?state=x", "/provider/sign-out"):
        assert (await browser.open(path)).status == 404


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"local_accounts": False}, "HUIYING_OIDC_ISSUER"),
        ({"oidc_issuer": "https://id.example"}, "HUIYING_OIDC_CLIENT_ID"),
        ({"oidc_issuer": "https://id.example", "oidc_client_id": "c"}, "HUIYING_OIDC_MAPPING"),
        ({"oidc_issuer": "http://id.example"}, "no HTTPS address"),
    ],
)
async def test_settings_that_do_not_fit_stop_the_start_with_a_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(**settings)


async def test_a_faulty_mapping_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "posts.yaml").write_text("groups:\n  duty: [duty_officer]\n")
    with pytest.raises(ValueError, match=r"posts\.yaml:2:.*groups\.duty\.0"):
        claims.read_mapping(tmp_path / "posts.yaml")


def flask_path() -> str:
    """The path of the request that the provider answers now."""
    import flask

    return flask.request.path
