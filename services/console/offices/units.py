"""Units and posts, for administrators: the tree, a unit with its directory and its history, and each change of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.calls import Answer, Refused
from services.console.labels import KINDS
from services.console.page import render
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked

BACK = ("units", "setup/site", "setup/units", "setup/posts")
"""The pages to which a form may lead back."""
OF_UNIT = ("unit", "drill", "posts_of")
"""What a unit never changes, and what only a new one gets."""


def router(site: Site) -> APIRouter:
    """The pages of units."""
    pages = APIRouter()

    @pages.get("/units")
    async def units(request: Request, me: Signed, done: str = "") -> Response:
        """The tree of units."""
        return await render(request, "units.html", found=await _found(me), tree=me.offices.tree(), done=done)

    @pages.get("/units/new")
    async def new(request: Request, me: Signed) -> Response:
        """The form of a new unit."""
        return await verbs.form(request, me, await _new(request, me))

    @pages.post("/units/new")
    async def place(request: Request, me: Signed) -> Response:
        """A new unit."""
        return await _act(request, me, await _new(request, me))

    @pages.get("/units/site")
    async def site_form(request: Request, me: Signed) -> Response:
        """The form of the site's name."""
        return await verbs.form(request, me, _name(request, me))

    @pages.post("/units/site")
    async def name_site(request: Request, me: Signed) -> Response:
        """Another name of the site."""
        return await _act(request, me, _name(request, me))

    @pages.get("/units/{code}")
    async def unit(request: Request, me: Signed, code: Id, done: str = "") -> Response:
        """A unit: its directory, its pack, and how it was changed."""
        _must_administer(me)
        changes = await me.calls.get(f"/triage/v1/units/{code}/changes", limit=200)
        one = {unit["unit"]: unit for unit in (await _found(me))["items"]}.get(code)
        shown: dict[str, Any] = {"one": one or me.offices.former.get(code), "stands": one is not None, "kinds": KINDS}
        if shown["one"] is None:
            raise Refused(Answer(404, {}))
        pack = await site.pack_of(code, language=me.language)
        return await render(request, "unit.html", **shown, pack=pack, changes=changes["items"], done=done)

    @pages.get("/units/{code}/{verb}")
    async def form(request: Request, me: Signed, code: Id, verb: str, post: str = "") -> Response:
        """The form of a change of the unit, or of a post."""
        return await verbs.form(request, me, await _asked(request, me, code, verb, post))

    @pages.post("/units/{code}/{verb}")
    async def act(request: Request, me: Signed, code: Id, verb: str, post: str = "") -> Response:
        """Sends the change."""
        return await _act(request, me, await _asked(request, me, code, verb, post))

    async def _act(request: Request, me: Signed, asked: Asked) -> Response:
        answer = await verbs.act(request, me, asked)
        site.look_again()
        return answer

    async def _found(me: Signed) -> Mapping[str, Any]:
        _must_administer(me)
        found: Mapping[str, Any] = await me.calls.get("/triage/v1/units")
        return found

    async def _new(request: Request, me: Signed) -> Asked:
        above = [(one["unit"], one["name"]) for one in (await _found(me))["items"] if "place-unit" in one["may"]]
        return Asked(
            verbs.operation(site, "triage", "units/place-unit"),
            "place-unit",
            _back(request, "units"),
            choices={"parent": above, "posts_of": me.offices.names(drill=me.is_drill)},
            without=("drill",),
        )

    def _name(request: Request, me: Signed) -> Asked:
        _must_administer(me)
        return Asked(
            verbs.operation(site, "triage", "units/name-site"),
            "name-site",
            _back(request, "units"),
            present={"name": me.offices.site_name},
        )

    async def _asked(request: Request, me: Signed, code: str, verb: str, post: str) -> Asked:
        """The change that the address names, with what stands now in its fields."""
        found = {one["unit"]: one for one in (await _found(me))["items"]}
        if code not in found or verb not in ("place-unit", "end-unit", "place-post", "end-post"):
            raise Refused(Answer(404, {}))
        one, back = found[code], _back(request, f"units/{code}")
        operation = verbs.operation(site, "triage", f"units/{verb}")
        match verb:
            case "place-unit":
                return Asked(
                    operation,
                    verb,
                    back,
                    choices={"parent": _places(me, code)},
                    without=OF_UNIT,
                    fixed={"unit": code},
                    named=one["name"],
                    present={name: one[name] for name in ("kind", "name", "parent")},
                )
            case "end-unit":
                back = back if back in BACK else "units"
                return Asked(operation, verb, back, without=("unit",), fixed={"unit": code}, named=one["name"])
            case "end-post":
                held = _post(one, post)["post"]
                return Asked(
                    operation, verb, back, without=("post",), fixed={"post": held}, named=me.offices.post(held)
                )
        known = _post(one, post) if post else None
        kept = ("title", "roles", "members", "duty_post", "serves")
        present = {name: known[name] for name in kept} | {"head": _yes(known["head"])} if known else {}
        present |= {"serves": "\n".join(known["serves"])} if known else {}
        return Asked(
            operation,
            verb,
            back,
            choices={"posts": me.offices.posts(drill=one["drill"])},
            without=("unit", "post") if known else ("unit",),
            fixed={"unit": code} | ({"post": post.partition("@")[0]} if known else {}),
            present=present,
            named=me.offices.post(post) if known else one["name"],
        )

    return pages


def _yes(said: bool) -> str:
    return "yes" if said else "no"


def _post(one: Mapping[str, Any], post: str) -> Mapping[str, Any]:
    """A post of a unit's directory. Raises `Refused` for what it does not have."""
    found: Mapping[str, Any] | None = next((of for of in one["posts"] if of["post"] == post), None)
    if found is None:
        raise Refused(Answer(404, {}))
    return found


def _places(me: Signed, code: str) -> Sequence[tuple[str, str]]:
    """The units below which a unit can stand."""
    below = me.offices.below(code)
    return [(unit, name) for unit, name in me.offices.names() if unit not in below]


def _back(request: Request, usual: str) -> str:
    """The page from which the form was opened, if it says so."""
    said = request.query_params.get("to", "")
    return said if said in BACK else usual


def _must_administer(me: Signed) -> None:
    if "admin" not in me.roles:
        raise Refused(Answer(403, {}))
