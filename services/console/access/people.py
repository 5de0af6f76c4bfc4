"""Accounts of staff, for administrators: who may sign in, and for which posts."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from services.console.access.accounts import LONGEST, Account, LoginTaken, fits, one_time_password
from services.console.calls import Answer, Calls, Refused
from services.console.page import go, reader, render
from services.console.site import Signed, Site
from services.console.words import N_, translations

_PROVIDED = N_("这个人由统一身份认证管理：密码和岗位请到那里更改")
_NO_PASSWORDS = N_("这里不用本系统的账号登录，请在统一身份认证开设")
_TOO_LONG = N_("登录名和姓名最多 60 字，岗位不要太多")
_ENDED = N_("这个账号已停用")
_WIDER = N_("这个账号还有其他单位的岗位，请上级管理员办理")


async def record(calls: Calls, change: str, posts: Sequence[str]) -> None:
    """Puts the change into triage's record, before it is made. Raises `Down`, and `Refused` without the right."""
    answer = await calls.send("POST", "/triage/v1/units/record-access", body={"change": change, "posts": list(posts)})
    if not answer.ok:
        raise Refused(answer)


def router(site: Site) -> APIRouter:
    """The pages of accounts."""
    pages = APIRouter()

    @pages.get("/accounts")
    async def accounts(request: Request, me: Signed, post: str = "", done: str = "") -> Response:
        """The accounts with a post of the administrator's unit or of one below it. `post` is chosen for a new one."""
        return await _page(request, me, chosen=post, done=done)

    @pages.post("/accounts")
    async def make(request: Request, me: Signed) -> Response:
        """A new account, with a password for one sign-in that is shown this once."""
        _must_administer(me)
        sent, look = await request.form(), await reader(request)
        if not site.settings.local_accounts:
            return await _page(request, me, 409, error=look.gettext(_NO_PASSWORDS))
        login, name = str(sent.get("login", "")).strip(), str(sent.get("name", "")).strip()
        posts = _within(me, [str(post) for post in sent.getlist("posts")])
        if not login or not name or not posts:
            return await _page(request, me, 422, error=look.gettext(N_("请填写登录名、姓名，并选至少一个岗位")))
        if not fits(login, name, posts):
            return await _page(request, me, 422, error=look.gettext(_TOO_LONG))
        password = one_time_password()
        if any(one.login == login.casefold() for one in await site.accounts.all()):
            return await _page(request, me, 422, error=look.gettext(N_("这个登录名已有人用")))
        await record(me.calls, "account_opened", posts)
        try:
            made = await site.accounts.make(login, name, password, posts, must_change=True)
        except LoginTaken:
            return await _page(request, me, 422, error=look.gettext(N_("这个登录名已有人用")))
        return await render(request, "account_made.html", made=made, password=password)

    @pages.get("/accounts/{id}")
    async def account(request: Request, me: Signed, id: str) -> Response:
        """The posts of a person, to change them."""
        return await render(request, "account.html", one=await _of(me, id, local=True), posts=list(_posts(me).items()))

    @pages.post("/accounts/{id}/recover")
    async def recover(request: Request, me: Signed, id: str) -> Response:
        """A password for one sign-in, for a person who lost theirs. The second factor and all sessions end."""
        account = await _of(me, id, whole=True, local=True)
        await record(me.calls, "account_recovered", account.posts)
        return await render(
            request, "account_made.html", made=account, password=await site.accounts.recover(account.id)
        )

    @pages.post("/accounts/{id}/end")
    async def end(request: Request, me: Signed, id: str) -> Response:
        """Ends an account. Nobody ends the own one."""
        account = await _of(me, id, whole=True)
        if account.id == me.session.account.id:
            look = await reader(request)
            return await _page(request, me, 409, error=look.gettext(N_("不能停用自己的账号，请另一位管理员办理")))
        await record(me.calls, "account_ended", account.posts)
        await site.accounts.end(account.id)
        return go("accounts?done=account_ended")

    @pages.post("/accounts/{id}/posts")
    async def set_posts(request: Request, me: Signed, id: str) -> Response:
        """Other posts for a person. Posts outside the administrator's units stay as they are."""
        account, sent = await _of(me, id, local=True), await request.form()
        kept = [post for post in account.posts if not _is_below(me, post)]
        chosen = _within(me, [str(post) for post in sent.getlist("posts")])
        if not kept and not chosen:
            look = await reader(request)
            return await _page(request, me, 422, error=look.gettext(N_("至少选一个岗位；不再使用的账号请停用")))
        if not fits("", "", [*kept, *chosen]):
            return await _page(request, me, 422, error=(await reader(request)).gettext(_TOO_LONG))
        await record(me.calls, "account_posts_changed", chosen or [post for post in account.posts if post not in kept])
        await site.accounts.set_posts(account.id, [*kept, *chosen])
        return go("accounts?done=account_posts_changed")

    def _is_below(me: Signed, post: str) -> bool:
        """Whether a post is of these units, even if the directory has it no more."""
        return post.partition("@")[2] in me.offices.below(me.unit)

    def _posts(me: Signed) -> dict[str, str]:
        """The posts of these units."""
        below = me.offices.below(me.unit)
        return {post: name for post, name in me.offices.posts() if post.partition("@")[2] in below}

    def _within(me: Signed, posts: Sequence[str]) -> list[str]:
        return [post for post in posts if post in _posts(me)]

    async def _of(me: Signed, id: str, *, whole: bool = False, local: bool = False) -> Account:
        """An account of these units. `whole`: of these units alone, since its password opens all its posts.

        `local`: the provider does not decide on it.
        """
        _must_administer(me)
        found = await site.accounts.find(id)
        own = [_is_below(me, post) for post in found.posts] if found else []
        if found is None or not any(own):
            raise Refused(Answer(404, {}))
        if found.ended:
            raise Refused(Answer(409, {"detail": translations(me.language).gettext(_ENDED)}))
        if whole and not all(own):
            raise Refused(Answer(403, {"detail": (translations(me.language).gettext(_WIDER))}))
        if local and not found.is_local:
            raise Refused(Answer(409, {"detail": translations(me.language).gettext(_PROVIDED)}))
        return found

    def _must_administer(me: Signed) -> None:
        if "admin" not in me.roles:
            raise Refused(Answer(403, {}))

    async def _page(
        request: Request, me: Signed, status: int = 200, error: str | None = None, chosen: str = "", done: str = ""
    ) -> Response:
        _must_administer(me)
        below, posts = me.offices.below(me.unit), list(_posts(me).items())
        found = [one for one in await site.accounts.all() if below & {post.partition("@")[2] for post in one.posts}]
        return await render(
            request,
            "accounts.html",
            status,
            longest=LONGEST,
            accounts=found,
            posts=posts,
            chosen=chosen,
            done=done,
            error=error,
        )

    return pages
