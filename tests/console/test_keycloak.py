"""Signing in at a Keycloak with the realm of deploy/keycloak/realm.json, by forms over HTTP as a browser sends them."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, tzinfo
from http.cookiejar import Cookie, DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit
from urllib.request import Request

import httpx
import pytest
import pytest_asyncio
from jwt import api_jwt

from deploy import native
from services.apps import web
from services.apps.up import served
from services.console.access import provider, sso
from services.console.access.handshakes import LIFE
from services.console.access.provider import Provider
from tests.console.browser import HOME, Browser, Page
from tests.console.conftest import Town
from tests.console.provider import configured

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
SECRET = "a secret of both, for trying"


class OfThisMachine(DefaultCookiePolicy):
    """Takes Secure cookies of this machine as plain ones, since Chromium sends them there without TLS, too."""

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        cookie.secure = False
        return super().set_ok(cookie, request)


class County:
    """A console on a port, and the Keycloak at which its people sign in."""

    def __init__(self, town: Town, keycloak: native.Keycloak, address: str) -> None:
        assert town.system.console is not None
        self.town, self.issuer, self.address = town, keycloak.issuer, address
        self.site = town.system.console.site
        self.plain = self.site.settings
        self._admin = httpx.AsyncClient(base_url=keycloak.issuer.replace("/realms/", "/admin/realms/"), timeout=30)

    async def close(self) -> None:
        """Leaves a console without a provider."""
        await self._admin.aclose()
        await configured(self.site, self.plain)

    async def set(self, **settings: Any) -> None:
        """Other settings, as after a restart."""
        known = {
            "public_url": self.address,
            "oidc_issuer": self.issuer,
            "oidc_client_id": "huiying-console",
            "oidc_client_secret": SECRET,
            "oidc_posts_claim": "posts",
            "oidc_unit_claim": "unit",
        }
        await configured(self.site, self.plain, **known | settings)

    async def administered(self, method: str, path: str, **sent: Any) -> Any:
        """What the provider's administrator does through its API."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "administrator"}
        form["password"] = password("administrator")
        entered = await self._admin.post(f"{self.issuer}/protocol/openid-connect/token", data=form)
        headers = {"Authorization": f"Bearer {entered.json()['access_token']}"}
        answer = await self._admin.request(method, path, headers=headers, **sent)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def user(self, login: str) -> dict[str, Any]:
        """What the provider has of a person."""
        (found,) = await self.administered("GET", f"/users?exact=true&username={login}")
        return dict(found)

    async def change(self, login: str, **other: Any) -> None:
        """Lets the provider have something else of a person."""
        known = await self.user(login)
        await self.administered("PUT", f"/users/{known['id']}", json=known | other)

    def browser(self) -> Browser:
        """A browser in which nobody is signed in."""
        made = Browser(self.address)
        made.client.cookies.jar.set_policy(OfThisMachine())
        self.town.browsers.append(made)
        return made

    async def at_provider(self, browser: Browser, path: str = "/provider/sign-in") -> Page:
        """The provider's page, to which the console leads. It asks for the password."""
        page = await browser.open(path)
        assert page.address.startswith(self.issuer) and "password" in page.forms[0].names, page.said
        return page

    async def sends(
        self, browser: Browser, page: Page, login: str, word: str = "", follow: bool = True
    ) -> httpx.Response:
        """Sends the provider's form."""
        form = dict(page.forms[0].fields) | {"username": login, "password": word or password(login)}
        return await browser.client.post(page.forms[0].action, data=form, follow_redirects=follow)

    async def enter(self, login: str, browser: Browser | None = None) -> Page:
        """Signs a person in."""
        browser = browser or self.browser()
        return Page(await self.sends(browser, await self.at_provider(browser), login))

    async def signs_out_there(self, browser: Browser) -> Page:
        """Signs out at the provider, which asks first."""
        page = await browser.open("/provider/sign-out")
        (form,) = page.forms
        return Page(await browser.client.post(urljoin(page.address, form.action), data=dict(form.fields)))

    async def is_out(self, browser: Browser) -> bool:
        """Whether the console asks this browser to sign in."""
        return (await browser.open("/inbox")).path.startswith(f"{HOME}/sign-in")


def password(login: str) -> str:
    """As the realm's file has it."""
    return f"the password of {login}"


@pytest.fixture(scope="module")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[native.Keycloak]:
    """The provider, once for this file."""
    with native.start_keycloak(tmp_path_factory.mktemp("keycloak")) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served_county(town: Town, keycloak: native.Keycloak) -> AsyncIterator[County]:
    """The console on a port, which the client of the realm is told."""
    with web.bound("127.0.0.1", 0) as on:
        async with served(town.system, on) as address:
            made = County(town, keycloak, address)
            try:
                (client,) = await made.administered("GET", "/clients?clientId=huiying-console")
                told = json.dumps(client).replace("http://127.0.0.1:8400", address)
                await made.administered("PUT", f"/clients/{client['id']}", json=json.loads(told))
                yield made
            finally:
                await made.close()


@pytest.fixture
async def county(served_county: County) -> County:
    """The console with the usual settings."""
    await served_county.set()
    return served_county


async def test_a_person_acts_for_the_post_of_the_claims_and_the_page_of_the_wish_comes(county: County) -> None:
    browser = county.browser()
    page = await county.at_provider(browser, "/provider/sign-in?next=/console/board")
    assert (await county.sends(browser, page, "lina", "another")).url.path.endswith("/login-actions/authenticate")
    page = Page(await county.sends(browser, await county.at_provider(browser), "lina"))
    assert page.path == f"{HOME}/inbox" and "东镇 值班员" in page.said and "李娜" in page.said


async def test_several_posts_are_chosen_from_and_a_new_sign_in_brings_those_of_now(county: County) -> None:
    browser = county.browser()
    page = await county.enter("zhaoqiang", browser)
    assert page.path == f"{HOME}/post" and "东镇 值班员" in page.said and "示例县 主要负责人" in page.said
    assert "设置验证码" not in page.said, "the provider keeps what proves the person"
    page = await browser.send(page, "/post", post="chief@county")
    assert page.path == f"{HOME}/inbox" and "示例县 主要负责人" in page.said
    await county.change("zhaoqiang", attributes={"post": ["handler"], "unit": ["town-west"]})
    page = await browser.open("/provider/sign-in?next=/console/board")
    assert page.path == f"{HOME}/board" and "西镇 经办人" in page.said, (
        "no password, since the provider's session lasts"
    )


@pytest.mark.parametrize(
    ("login", "claim", "group"), [("sunli", "groups", "/county/duty"), ("zhoumin", "roles", "county-duty")]
)
async def test_groups_and_roles_get_posts_from_the_mapping(
    county: County, tmp_path: Path, login: str, claim: str, group: str
) -> None:
    file = tmp_path / "posts.yaml"
    sub = (await county.user(login))["id"]
    file.write_text(f"groups:\n  {group}: [duty_officer@town-east]\npeople:\n  {sub}: [admin@county]\n")
    await county.set(oidc_posts_claim="", oidc_unit_claim="", oidc_mapping=file, oidc_groups_claim=claim)
    page = await county.enter(login)
    assert page.path == f"{HOME}/post" and "东镇 值班员" in page.said and "示例县 系统管理员" in page.said


async def test_who_has_no_post_may_sign_out_at_the_provider_for_another_person(county: County) -> None:
    browser = county.browser()
    page = await county.enter("administrator", browser)
    assert page.status == 403 and "没有给您岗位" in page.said
    assert f"{HOME}/provider/sign-out" in page.links
    await county.signs_out_there(browser)
    assert (await county.enter("lina", browser)).path == f"{HOME}/inbox"


async def test_signing_out_ends_both_sessions_and_no_other(county: County) -> None:
    browser, other = county.browser(), county.browser()
    page = await county.enter("lina", browser)
    await county.enter("lina", other)
    assert (await browser.send(page, "/sign-out")).path == f"{HOME}/signed-out"
    assert (await county.signs_out_there(browser)).path == f"{HOME}/sign-in"
    await county.at_provider(browser)
    assert not await county.is_out(other)


async def test_signing_out_at_the_provider_alone_ends_the_session_here(county: County) -> None:
    browser = county.browser()
    await county.enter("lina", browser)
    await county.signs_out_there(browser)
    assert await county.is_out(browser)


async def test_a_person_whom_the_provider_disables_and_signs_out_is_out_and_stays_out(county: County) -> None:
    browser, other = county.browser(), county.browser()
    await county.enter("zhaoqiang", browser)
    await county.enter("lina", other)
    try:
        await county.change("zhaoqiang", enabled=False)
        await county.administered("POST", f"/users/{(await county.user('zhaoqiang'))['id']}/logout")
        assert await county.is_out(browser) and not await county.is_out(other)
        page = await county.enter("zhaoqiang", browser)
        assert page.address.startswith(county.issuer) and await county.is_out(browser)
    finally:
        await county.change("zhaoqiang", enabled=True)
    assert (await county.enter("zhaoqiang", browser)).path.startswith(HOME)


async def test_keys_are_changed_while_people_work(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    """The former key's tokens count as long as the provider publishes it, and no longer."""
    notices: list[str] = []
    ended = Provider.ended

    async def kept(self: Provider, token: str) -> dict[str, Any]:
        notices.append(token)
        return await ended(self, token)

    monkeypatch.setattr(Provider, "ended", kept)
    monkeypatch.setattr(provider, "KEYS_KEPT", 0)  # the console asks for keys each time, and not after ten minutes
    await county.set()
    browser = county.browser()
    await county.enter("lina", browser)
    await county.signs_out_there(browser)
    (notice,) = notices

    async def status() -> int:
        answer = await browser.client.post(f"{HOME}/provider/sign-out", data={"logout_token": notice})
        return answer.status_code

    there = await county.administered("GET", "/components?type=org.keycloak.keys.KeyProvider")
    (former,) = [one for one in there if one["providerId"] == "rsa-generated"]
    new = {name: former[name] for name in ("providerId", "providerType", "parentId")}
    new |= {"name": "another", "config": {"priority": ["200"]}}
    await county.administered("POST", "/components", json=new)
    working = county.browser()
    assert (await county.enter("lina", working)).path == f"{HOME}/inbox", "signed by the new key"
    assert await status() == 200, "the former key is still published"
    await county.administered("DELETE", f"/components/{former['id']}")
    assert (await county.enter("lina")).path == f"{HOME}/inbox"
    assert await status() == 400, "the former key is gone"
    assert not await county.is_out(working)


async def test_a_callback_serves_once_in_its_browser_in_time_and_unaltered(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, thief = county.browser(), county.browser()

    async def callback(login: str = "lina") -> str:
        """Where the provider sends the browser, which does not go there yet."""
        page = await browser.client.get(f"{HOME}/provider/sign-in", follow_redirects=False)
        page = await browser.client.get(page.headers["location"], follow_redirects=False)
        if page.status_code == 200:
            page = await county.sends(browser, Page(page), login, follow=False)
        return str(page.headers["location"])

    async def refused(asking: Browser, address: str, said: str) -> None:
        page = Page(await asking.client.get(address))
        assert (page.status, said in page.said) == (400, True), page.said
        assert await county.is_out(asking)

    address = await callback()
    state = parse_qs(urlsplit(address).query)["state"][0]
    await refused(browser, address.replace(state, state[::-1]), "不是在这个浏览器里开始的")
    await refused(thief, address, "不是在这个浏览器里开始的")
    begun = parse_qs(urlsplit((await county.at_provider(thief)).address).query)["state"][0]
    await refused(thief, address.replace(state, begun), "没有确认这次登录")
    await refused(browser, address, "没有确认这次登录")
    address = await callback()
    await refused(browser, address.replace("iss=http", "iss=https"), "没有通过校验")
    address, seconds = await callback(), sso.seconds
    with monkeypatch.context() as later:
        later.setattr(sso, "seconds", lambda: seconds() + LIFE + 1)
        await refused(browser, address, "已过时")
    address = await callback()
    assert Page(await browser.client.get(address)).path == f"{HOME}/inbox"
    again = Page(await browser.client.get(address))
    assert again.status == 400 and "已经用过" in again.said


@pytest.mark.parametrize(("ahead", "enters"), [(-25, True), (-90, False), (600, False)])
async def test_clocks_may_differ_by_half_a_minute(
    county: County, monkeypatch: pytest.MonkeyPatch, ahead: int, enters: bool
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Clock":
            return super().now(tz) + timedelta(seconds=ahead)

    monkeypatch.setattr(api_jwt, "datetime", Clock)
    page = await county.enter("lina")
    assert page.path == f"{HOME}/inbox" if enters else (page.status == 400 and "没有通过校验" in page.said)


async def test_a_secret_that_the_provider_does_not_take_is_for_the_administrator(county: County) -> None:
    await county.set(oidc_client_secret="another")
    page = await county.enter("lina")
    assert page.status == 424 and "核对客户端标识和密钥" in page.said
