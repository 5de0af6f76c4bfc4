"""Statements: the list, one statement with its chain and what was said in public, and a form for each verb."""

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.calls import parts
from services.console.labels import PHASES
from services.console.matter import choices_of
from services.console.page import render
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked

ROWS = 100


def router(site: Site) -> APIRouter:
    """The pages of statements."""
    pages = APIRouter()

    @pages.get("/statements")
    async def statements(request: Request, me: Signed, state: str = "", cursor: str | None = None) -> Response:
        """The statements that the post may read, the newest draft first."""
        chosen = state if state in PHASES else None
        found = await me.calls.get("/publish/v1/statements", state=chosen, limit=ROWS, cursor=cursor)
        return await render(request, "statements.html", found=found, state=chosen)

    @pages.get("/statements/new")
    async def new(request: Request, me: Signed, incident: Id) -> Response:
        """The form of a draft on a matter."""
        return await verbs.form(request, me, await _draft(me, incident))

    @pages.post("/statements/new")
    async def draft(request: Request, me: Signed, incident: Id) -> Response:
        """Begins a draft."""
        return await verbs.act(request, me, await _draft(me, incident))

    async def _draft(me: Signed, incident: Id) -> Asked:
        about = await me.calls.get(f"/triage/v1/incidents/{incident}")
        lists = (await parts(me.calls.get("/triage/v1/lists")))[0].value or {}
        pack = await site.pack_of(about["unit"], about["policy"])
        return Asked(
            verbs.operation(site, "publish", "statements"),
            "draft",
            f"incidents/{about['number']}",
            choices=choices_of(me, about, {}, lists, pack, ()),
            without=("incident_id",),
            fixed={"incident_id": about["id"]},
            about=about,
        )

    @pages.get("/statements/{id}")
    async def show(request: Request, me: Signed, id: Id, done: str = "") -> Response:
        """A statement as the public will see it, with its chain of approvals."""
        one = await me.calls.get(f"/publish/v1/statements/{id}")
        (about,) = await parts(me.calls.get(f"/triage/v1/incidents/{one['incident_id']}"))
        return await render(request, "statement.html", one=one, about=about, done=done)

    @pages.get("/statements/{id}/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form of a verb, filled in with the present text where the verb changes it."""
        return await verbs.form(request, me, await _asked(me, id, verb))

    @pages.post("/statements/{id}/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(me, id, verb))

    async def _asked(me: Signed, id: Id, verb: str) -> Asked:
        operation = verbs.operation(site, "publish", f"statements/{{id}}/{verb}")
        one = await me.calls.get(f"/publish/v1/statements/{id}")
        about, lists = await parts(
            me.calls.get(f"/triage/v1/incidents/{one['incident_id']}"), me.calls.get("/triage/v1/lists")
        )
        incident = about.value or {"facts": (), "reports": (), "proposals": ()}
        pack = await site.pack_of(one["unit"], incident.get("policy"))
        return Asked(
            operation,
            verb,
            f"statements/{one['number']}",
            ids={"id": one["id"]},
            choices=choices_of(me, incident, {}, lists.value or {}, pack, ()),
            version=str(one["revision"]),
            present={"title": one["title"], "text": one["text"] or one["draft"], "facts": list(one["facts"])}
            if verb in ("revise", "correct")
            else {},
            about=about.value,
        )

    return pages
