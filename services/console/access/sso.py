"""Signing in and out at the provider. It says who somebody is and which posts they hold; a session is ours."""

import asyncio
import secrets
from collections.abc import Collection, Sequence
from typing import Any
from weakref import WeakValueDictionary

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from services.console.access import claims
from services.console.access.accounts import Account
from services.console.access.claims import MOST, Person
from services.console.access.handshakes import LIFE
from services.console.access.people import record
from services.console.access.provider import LEEWAY, Failed, Provider
from services.console.access.sessions import Origin
from services.console.page import go, render
from services.console.site import Site, is_here, leave, onward, seconds
from services.console.words import N_

logger = structlog.get_logger()
USUAL_TITLE = N_("统一身份认证")
"""What the settings call a provider without a name of its own."""
TOLD = {
    "down": N_("统一身份认证现在没有正常响应。请稍后再试；一直这样，请告诉系统管理员。"),
    "refused": N_("统一身份认证没有确认这次登录，可能是等得太久，或这次登录已经用过。请重新登录。"),
    "untrusted": N_("统一身份认证的回答没有通过校验，没有登录。请重新登录；再次出现，请告诉系统管理员。"),
    "client": N_("统一身份认证不认本系统。请系统管理员核对客户端标识和密钥。"),
    "unknown": N_("这次登录已经用过、已过时，或不是在这个浏览器里开始的。请重新登录。"),
    "cancelled": N_("您没有完成统一身份认证，所以没有登录。"),
    "mapping": N_("岗位对应文件有错，暂时不能登录。请系统管理员查看运行日志并改正。"),
    "nobody": N_("统一身份认证没有说明您是谁。请系统管理员核对发给本系统的用户信息。"),
    "no_posts": N_("统一身份认证没有给您岗位。请单位的系统管理员为您设置岗位，然后重新登录。"),
    "no_such_post": N_("本系统没有您的岗位。请系统管理员核对机构岗位表和岗位对应，然后重新登录。"),
    "too_many": N_("统一身份认证给您的岗位太多。请系统管理员只保留您实际担任的岗位。"),
    "ended": N_("您在本系统的账号已停用。请联系本单位的系统管理员。"),
    "still_there": N_("您已退出本系统，但统一身份认证那里可能还没有退出。在公用电脑上，请关闭所有浏览器窗口。"),
}
STATUS = {"down": 424, "client": 424, "mapping": 424, "no_posts": 403, "no_such_post": 403, "ended": 403}
"""The status of a page; 400 for the others."""
KNOWN_THERE = ("nobody", "no_posts", "no_such_post", "too_many", "ended")
"""Refusals that come again until another person signs in there, since the provider's session lasts."""


def changed(had: Collection[str], has: Collection[str]) -> str | None:
    """What became of the access of a person with these posts; None if nothing did."""
    if set(had) == set(has):
        return None
    return "account_opened" if not had else "account_posts_changed" if has else "account_ended"


def router(site: Site) -> APIRouter:
    """The pages that lead to the provider and back."""
    pages = APIRouter(prefix="/provider")
    changing = WeakValueDictionary[str, asyncio.Lock]()

    def provider() -> Provider:
        if site.provider is None:
            raise HTTPException(404)
        return site.provider

    async def failed(request: Request, why: str, **more: object) -> Response:
        shown = {"title": N_("没有登录"), "told": TOLD[why], "posts": (), "is_known_there": why in KNOWN_THERE} | more
        return await render(request, "provider.html", STATUS.get(why, 400), **shown)

    async def broken(request: Request, error: Failed) -> Response:
        logger.warning("console.provider_failed", why=error.why, problem=str(error))
        return await failed(request, error.why)

    def person_of(told: dict[str, Any]) -> Person:
        try:
            mapping = claims.read_mapping(site.settings.oidc_mapping) if site.settings.oidc_mapping else claims.Posts()
            return claims.person(site.settings, mapping, told)
        except claims.NotNamed as problem:
            raise Failed("nobody", str(problem)) from None
        except (OSError, ValueError) as problem:
            raise Failed("mapping", str(problem)) from None

    async def admitted(person: Person, posts: Sequence[str]) -> Account | None:
        """The account of a person, with the posts that the provider gives now; None for somebody who never had one.

        What changes is put into triage's record first, once for all sign-ins that bring it. Nobody waits for the
        record of another person.
        """
        subject = site.subject(site.settings.oidc_person_claim, person.subject)
        alone = changing.setdefault(subject, asyncio.Lock())
        async with alone:
            known = await site.accounts.of_subject(subject)
            if known is None and not posts:
                return None
            if known is None or not known.ended:
                had = known.posts if known else ()
                if change := changed(had, posts):
                    await record(site.operator(), change, posts or had)
                known = await site.accounts.admit(subject, person.name, posts)
        return known if posts or known.ended else None

    @pages.get("/sign-in")
    async def begin(request: Request, next: str = "") -> Response:
        """Leads the browser to the provider. A browser may have several sign-ins at once."""
        known, browser = provider(), request.cookies.get(site.browser_cookie) or secrets.token_urlsafe(32)
        handshake = await site.handshakes.begin(browser, next if is_here(next) else "", seconds())
        try:
            to = await known.sign_in_address(handshake)
        except Failed as error:
            return await broken(request, error)
        answer = RedirectResponse(to, 303, headers={"Cache-Control": "no-store"})
        site.set_cookie(answer, site.browser_cookie, browser, lasts=LIFE)
        return answer

    @pages.get("/callback")
    async def callback(request: Request, state: str = "", code: str = "", iss: str = "", error: str = "") -> Response:
        """Takes the provider's answer. A session begins at the end, when everything is proved."""
        known, browser = provider(), request.cookies.get(site.browser_cookie, "")
        handshake = await site.handshakes.take(state, browser, seconds())
        if handshake is None:
            return await failed(request, "unknown")
        offices = await site.offices()
        try:
            await known.check_issuer(iss)
            told = await known.redeem(code, error, handshake)
            person = person_of(told)
        except Failed as problem:
            return await broken(request, problem)
        there = dict(offices.posts())
        posts = [post for post in person.posts if post in there and offices.roles(post)]
        missing = [post[:130] for post in person.posts if post not in posts][:MOST]
        if missing:
            logger.warning("console.no_such_posts", posts=missing)
        if len(posts) > MOST:
            return await failed(request, "too_many", posts=missing)
        account = await admitted(person, posts)
        if account is None:
            return await failed(request, "no_such_post" if missing else "no_posts", posts=missing)
        if account.ended:
            return await failed(request, "ended")
        await leave(request)
        sid = told.get("sid")
        origin = Origin(
            site.subject("sub", told["sub"]), site.provider_session(sid) if isinstance(sid, str) and sid else None
        )
        token = await site.sessions.begin(account, seconds(), passed=True, origin=origin)
        answer = go(onward("post", handshake.next))
        site.set_cookie(answer, site.cookie, token)
        return answer

    @pages.get("/sign-out")
    async def sign_out(request: Request) -> Response:
        """Leads a browser that has signed out here to the end of the provider's session."""
        try:
            to = await provider().sign_out_address()
        except Failed as error:
            logger.warning("console.provider_failed", why=error.why, problem=str(error))
            to = None
        if to is None:
            title, told = N_("已退出"), TOLD["still_there"]
            return await render(request, "provider.html", title=title, told=told, posts=(), is_known_there=False)
        return RedirectResponse(to, 303, headers={"Cache-Control": "no-store"})

    @pages.post("/sign-out")
    async def ended(request: Request) -> Response:
        """Back-channel logout: the provider says that a session of its own has ended. Its signature is the proof.

        Only sessions that began before end, so a message that comes twice does no harm.
        """
        known, form = provider(), await request.form()
        kept = {"Cache-Control": "no-store"}
        try:
            told = await known.ended(str(form.get("logout_token", "")))
        except Failed as error:
            logger.warning("console.provider_failed", why=error.why, problem=str(error))
            return JSONResponse({"error": "invalid_request", "error_description": str(error)}, 400, headers=kept)
        sub, sid = told.get("sub"), told.get("sid")
        origin = Origin(
            site.subject("sub", str(sub)) if sub else None,
            site.provider_session(str(sid)) if sid else None,
        )
        gone = await site.sessions.end_of(origin, int(told["iat"]) + LEEWAY)
        logger.info("console.provider_ended_sessions", sessions=gone)
        return Response(status_code=200, headers=kept)

    return pages
