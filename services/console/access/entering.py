"""Signing in and out: password, one-time code, choice of the post that acts, the first account."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated

import pyotp
import segno
import structlog
from fastapi import APIRouter, Depends, Request, Response

from services.console.access import passwords
from services.console.access.accounts import LONGEST, Locked, LoginTaken, fits
from services.console.access.people import record
from services.console.access.sessions import Session
from services.console.access.staff import Offices
from services.console.calls import Answer, Refused
from services.console.page import go, render
from services.console.site import (
    HOME,
    Entered,
    SignedOut,
    Site,
    is_here,
    language,
    leave,
    onward,
    seconds,
    session_of,
)
from services.console.words import N_, translations

logger = structlog.get_logger()
KNOWN = "known"
"""The cookie that marks a browser in which a login was right."""
FIRST = ("login", "name", "post", "code")
"""Fields of the first account, besides its password."""
FAULTS: Mapping[str, str] = {
    "short": N_("密码至少 12 个字符"),
    "long": N_("密码最多 200 个字符"),
    "login": N_("密码里不要有登录名"),
    "common": N_("这个密码太常见，换一个"),
    "uniform": N_("密码至少用 5 个不同的字符"),
    "differ": N_("两次输入的密码不一样"),
    "old": N_("现在的密码不对"),
    "same": N_("新密码和现在的一样，换一个"),
}


async def local(request: Request, session: Entered) -> Session:
    """A session of a person whose password is kept here. Raises `Refused`."""
    if not session.account.is_local:
        told = translations(language(request)).gettext(N_("密码和验证码由统一身份认证保管，请到那里更改。"))
        raise Refused(Answer(409, {"detail": told}))
    return session


Local = Annotated[Session, Depends(local)]


def first_posts(offices: Offices) -> list[tuple[str, str]]:
    """The posts of the first account: administrators of the highest units, since only they can set up all the others.

    Without such a post, the administrators of any unit.
    """
    found = [(post, name) for post, name in offices.posts() if "admin" in offices.roles(post)]
    highest = [one for one in found if offices.units[one[0].partition("@")[2]]["parent"] is None]
    return highest or found


def plain(code: str | None) -> str:
    """A set-up code without what a person or an input method may write otherwise: case, hyphens, blanks, width."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", code or "").lower())


def router(site: Site) -> APIRouter:
    """The pages before a post acts."""
    pages = APIRouter()

    def cookie(answer: Response, token: str) -> Response:
        site.set_cookie(answer, site.cookie, token)
        return answer

    def failed(request: Request, text: str) -> str:
        return str(translations(language(request)).gettext(text))

    async def sign_in_page(request: Request, status: int = 200, **shown: str | None) -> Response:
        ways = {"local": site.settings.local_accounts, "provider": site.settings.oidc_title if site.provider else ""}
        is_first = not await site.accounts.exist()
        return await render(request, "sign_in.html", status, **ways, is_first=is_first, **{"login": "", **shown})

    @pages.get("/sign-in")
    async def sign_in(request: Request, next: str = "") -> Response:
        """The form of login and password, and the way to the provider."""
        if site.provider is None and not await site.accounts.exist():
            return go("first-run")
        return await sign_in_page(request, next=next)

    @pages.post("/sign-in")
    async def enter(request: Request) -> Response:
        """Checks login and password. Says nothing of whether the login exists."""
        form = await request.form()
        login, back = str(form.get("login", "")), str(form.get("next", ""))
        if not site.settings.local_accounts:
            told = failed(request, N_("这里不用本系统的账号登录"))
            return await sign_in_page(request, 403, next=back, error=told)
        try:
            known = request.cookies.get(KNOWN, "")
            account = await site.accounts.enter(login, str(form.get("password", "")), seconds(), known)
        except Locked as locked:
            minutes = max(1, (locked.until - seconds() + 59) // 60)
            told = failed(request, N_("密码错误次数过多，请 %(minutes)d 分钟后再试，或请管理员重置")) % {
                "minutes": minutes
            }
            return await sign_in_page(request, 429, next=back, login=login, error=told)
        if account is None:
            told = failed(request, N_("登录名或密码不对"))
            return await sign_in_page(request, 422, next=back, login=login, error=told)
        await leave(request)
        token = await site.sessions.begin(account, seconds(), passed=not account.has_second_factor)
        to = "sign-in/code" if account.has_second_factor else "post"
        answer = cookie(go(onward(to, back)), token)
        if not site.accounts.knows(known, account.login):
            mark, year = site.accounts.mark(account.login), 365 * 24 * 3600
            answer.set_cookie(
                KNOWN, mark, max_age=year, httponly=True, samesite="lax", secure=site.is_secure, path=f"{HOME}/sign-in"
            )
        return answer

    @pages.get("/sign-in/code")
    async def code(request: Request, next: str = "") -> Response:
        """The form of the one-time code."""
        if await session_of(request) is None:
            raise SignedOut(f"{HOME}/sign-in")
        return await render(request, "code.html", next=next)

    @pages.post("/sign-in/code")
    async def pass_code(request: Request) -> Response:
        """Checks the one-time code."""
        session, form = await session_of(request), await request.form()
        if session is None:
            raise SignedOut(f"{HOME}/sign-in")
        back = str(form.get("next", ""))
        try:
            is_right = await site.accounts.pass_code(session.account.id, str(form.get("code", "")), seconds())
        except Locked:
            await site.sessions.end(session.digest)
            return go("sign-in")
        if not is_right:
            told = failed(request, N_("验证码不对，或已经用过；请等下一个"))
            return await render(request, "code.html", 422, next=back, error=told)
        token = await site.sessions.renew(session, seconds(), post=None)
        return cookie(go(onward("post", back)), token)

    @pages.get("/post")
    async def choose(request: Request, session: Entered, next: str = "") -> Response:
        """The posts of the person. The only one is chosen at once."""
        if session.account.must_change:
            return go("account/password")
        offices = await site.offices()
        known = [(post, offices.post(post)) for post in session.account.posts if offices.roles(post)]
        if len(known) == 1 and session.post is None:
            return await act(request, session, known[0][0], next)
        return await render(
            request, "post.html", posts=known, next=next, chosen=session.post, is_local=session.account.is_local
        )

    @pages.post("/post")
    async def chosen(request: Request, session: Entered) -> Response:
        """The post that acts from now on, in a session with a new token."""
        form = await request.form()
        return await act(request, session, str(form.get("post", "")), str(form.get("next", "")))

    async def act(request: Request, session: Entered, post: str, back: str) -> Response:
        offices = await site.offices()
        if post not in session.account.posts or not offices.roles(post):
            known = [(one, offices.post(one)) for one in session.account.posts if offices.roles(one)]
            told = failed(request, N_("请选择一个岗位"))
            is_local = session.account.is_local
            return await render(
                request, "post.html", 422, posts=known, next=back, chosen=None, error=told, is_local=is_local
            )
        token = await site.sessions.renew(session, seconds(), post=post)
        return cookie(go(back.removeprefix(f"{HOME}/") if is_here(back) else "inbox"), token)

    @pages.post("/sign-out")
    async def sign_out(request: Request, session: Entered) -> Response:
        """Ends the session. The browser forgets its drafts."""
        await site.sessions.end(session.digest)
        forgets = {"Clear-Site-Data": '"storage"'}
        answer = go("sign-in" if session.account.is_local else "signed-out", forgets)
        answer.delete_cookie(site.cookie, path="/" if site.is_secure else HOME)
        return answer

    @pages.get("/signed-out")
    async def signed_out(request: Request) -> Response:
        """Leads on to the end of the provider's session. A form may not lead to another site, so a page does."""
        answer = await render(request, "signed_out.html")
        answer.headers["Refresh"] = f"0; url={HOME}/provider/sign-out"
        return answer

    @pages.post("/language")
    async def speak(request: Request) -> Response:
        """Chinese or English, for this browser."""
        form = await request.form()
        back = str(form.get("next", ""))
        answer = go(back.removeprefix(f"{HOME}/") if is_here(back) else "")
        spoken = "en" if form.get("language") == "en" else "zh"
        answer.set_cookie("language", spoken, max_age=365 * 24 * 3600, samesite="lax", secure=site.is_secure, path=HOME)
        return answer

    @pages.get("/first-run")
    async def first_run(request: Request) -> Response:
        """The form of the first account, as long as there is none."""
        if not site.settings.local_accounts or await site.accounts.exist():
            return go("sign-in")
        offices = await site.offices()
        posts = first_posts(offices)
        return await render(request, "first_run.html", posts=posts, longest=LONGEST, typed=dict.fromkeys(FIRST, ""))

    @pages.post("/first-run")
    async def make_first(request: Request) -> Response:
        """Makes the first account: an administrator. Whoever does so knows the code that the start printed."""
        if not site.settings.local_accounts:
            return go("sign-in")
        form = await request.form()
        typed = {name: str(form.get(name, "")).strip() for name in FIRST}
        password, again = str(form.get("password", "")), str(form.get("again", ""))
        offices = await site.offices()
        posts = first_posts(offices)
        fault = passwords.fault(password, typed["login"]) or ("differ" if password != again else None)
        told = FAULTS[fault] if fault else ""
        if plain(typed["code"]) != plain(site.first_code()):
            told = N_("设置码不对；它印在启动信息里")
        elif typed["post"] not in dict(posts) or not typed["login"] or not typed["name"]:
            told = N_("请填写登录名、姓名和岗位")
        elif not fits(typed["login"], typed["name"], [typed["post"]]):
            told = N_("登录名和姓名最多 60 字，岗位不要太多")
        if told:
            said = failed(request, told)
            return await render(request, "first_run.html", 422, posts=posts, longest=LONGEST, typed=typed, error=said)
        await record(site.operator(), "account_opened", [typed["post"]])
        try:
            account = await site.accounts.make(
                typed["login"], typed["name"], password, [typed["post"]], must_change=False, first=True
            )
        except LoginTaken:
            return go("sign-in")
        await leave(request)
        logger.warning("console.first_account", post=typed["post"])
        return cookie(go("setup"), await site.sessions.begin(account, seconds(), passed=True, post=typed["post"]))

    @pages.get("/account/password")
    async def password(request: Request, session: Local) -> Response:
        """The form of a new password."""
        return await render(request, "password.html", must=session.account.must_change)

    @pages.post("/account/password")
    async def change(request: Request, session: Local) -> Response:
        """A new password. All other sessions of the person end."""
        form, account = await request.form(), session.account
        fresh = str(form.get("password", ""))
        fault = passwords.fault(fresh, account.login) or ("differ" if fresh != str(form.get("again", "")) else None)
        if fault is None and not account.must_change:
            try:
                if await site.accounts.enter(account.login, str(form.get("old", "")), seconds()) is None:
                    fault = "old"
            except Locked:
                fault = "old"
        if fault is None and await site.accounts.has_password(account.id, fresh):
            fault = "same"
        if fault:
            said = failed(request, FAULTS[fault])
            return await render(request, "password.html", 422, must=account.must_change, error=said)
        await site.accounts.change_password(account.id, fresh, keeps=session.digest)
        return go("post")

    @pages.get("/account/codes")
    async def codes(request: Request, session: Local) -> Response:
        """One-time codes: a secret for an app, as a picture and as text."""
        return await _codes(request, session, pyotp.random_base32())

    async def _codes(request: Request, session: Session, secret: str, told: str | None = None) -> Response:
        secret = secret if re.fullmatch("[A-Z2-7]{32}", secret) else pyotp.random_base32()
        address = pyotp.TOTP(secret).provisioning_uri(name=session.account.login, issuer_name=await site.name())
        drawn = segno.make(address).svg_data_uri(scale=4)
        return await render(
            request,
            "codes.html",
            422 if told else 200,
            secret=secret,
            drawn=drawn,
            has=session.account.has_second_factor,
            error=told,
        )

    @pages.post("/account/codes")
    async def turn_on(request: Request, session: Local) -> Response:
        """Turns one-time codes on, once the person typed one."""
        form = await request.form()
        secret, typed = str(form.get("secret", "")), str(form.get("code", ""))
        if not await site.accounts.has_password(session.account.id, str(form.get("password", ""))):
            return await _codes(request, session, secret, failed(request, FAULTS["old"]))
        if not re.fullmatch("[A-Z2-7]{32}", secret):
            return await _codes(request, session, pyotp.random_base32(), failed(request, N_("验证码不对")))
        if not await site.accounts.set_second_factor(session.account.id, secret, typed, seconds()):
            return await _codes(request, session, secret, failed(request, N_("验证码不对")))
        return go("post")

    return pages
