"""Search: by number, by words with a purpose, by place, category, unit, state and time.

What is searched for stands in no address: the form is sent, and its answer is the page.
"""

from fastapi import APIRouter, Request, Response

from services.console.calls import part_of_path, parts
from services.console.page import go, reader, render
from services.console.site import Signed, Site, problem_of
from services.console.words import typed_moment

FIELDS = ("words", "number", "place", "category", "unit", "state", "from", "to", "purpose")


def router(site: Site) -> APIRouter:
    """The pages of search."""
    pages = APIRouter()

    @pages.get("/search")
    async def empty(request: Request, me: Signed) -> Response:
        """The form."""
        return await _page(request, me, {})

    @pages.post("/search")
    async def search(request: Request, me: Signed) -> Response:
        """What was found. A number leads to its matter at once."""
        sent, look = await request.form(), await reader(request)
        typed = {name: str(sent.get(name, "")).strip() for name in FIELDS}
        if typed["number"] and not any(typed[name] for name in ("words", "place")):
            answer = await me.calls.send("GET", f"/triage/v1/incidents/{part_of_path(typed['number'])}")
            if answer.ok:
                return go(f"incidents/{answer.body['number']}")
        asked = dict(typed)
        for name in ("from", "to"):
            asked[name] = typed_moment(typed[name], look.zone, look.now) or typed[name]
        answer = await me.calls.send("GET", "/triage/v1/search", params={**asked, "limit": 50})
        if not answer.ok:
            return await _page(request, me, typed, answer.status, error=problem_of(answer, me))
        return await _page(request, me, typed, found=answer.body)

    async def _page(request: Request, me: Signed, typed: dict[str, str], status: int = 200, **more: object) -> Response:
        lists = (await parts(me.calls.get("/triage/v1/lists")))[0].value or {}
        is_english = me.language == "en"
        categories = [
            (one["code"], one["title_en"] if is_english else one["title"]) for one in lists.get("categories", ())
        ]
        shown = {name: typed.get(name, "") for name in FIELDS}
        return await render(
            request, "search.html", status, typed=shown, categories=categories, **{"found": None} | more
        )

    return pages
