"""Search: by number or receipt, by words with a purpose, by place, category, unit, state and time.

What is searched for stands in no address: the form is sent, and its answer is the page.
"""

from fastapi import APIRouter, Request, Response

from services.console import forms
from services.console.calls import part_of_path, parts
from services.console.page import go, reader, render
from services.console.site import Signed, Site, problem_of
from services.console.words import N_, typed_moment

TITLES = {
    "words": N_("文字"),
    "number": N_("编号或收据号"),
    "place": N_("地点"),
    "category": N_("类别"),
    "unit": N_("单位"),
    "state": N_("状态"),
    "from": N_("从何时"),
    "to": N_("到何时"),
    "purpose": N_("用途"),
}
"""Field -> its title."""
FIELDS = tuple(TITLES)
EMPTY = {"found": None, "receipt": None}


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
            # Whoever calls back has a receipt. It tells what became of the report, and not which matter it is in.
            (receipt,) = await parts(me.calls.get(f"/ingest/v1/receipts/{part_of_path(typed['number'])}"))
            if receipt.value or receipt.down:
                return await _page(request, me, typed, receipt=receipt)
        asked = dict(typed)
        for name in ("from", "to"):
            asked[name] = typed_moment(typed[name], look.zone, look.now) or typed[name]
        answer = await me.calls.send("GET", "/triage/v1/search", params={**asked, "limit": 50})
        if not answer.ok:
            titles = {name: look.gettext(title) for name, title in TITLES.items()}
            told = forms.named(problem_of(answer, me), titles, me.language)
            return await _page(request, me, typed, answer.status, error=told)
        return await _page(request, me, typed, found=answer.body)

    async def _page(request: Request, me: Signed, typed: dict[str, str], status: int = 200, **more: object) -> Response:
        lists = (await parts(me.calls.get("/triage/v1/lists")))[0].value or {}
        is_english = me.language == "en"
        categories = [
            (one["code"], one["title_en"] if is_english else one["title"]) for one in lists.get("categories", ())
        ]
        shown = {name: typed.get(name, "") for name in FIELDS}
        return await render(request, "search.html", status, typed=shown, categories=categories, **EMPTY | more)

    return pages
