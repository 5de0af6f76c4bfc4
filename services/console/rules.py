"""The packs: what is in force where, with levels, limits and documents."""

from fastapi import APIRouter, Request, Response

from services.console.calls import Answer, Refused
from services.console.page import render
from services.console.site import Signed, Site


def router(site: Site) -> APIRouter:
    """The pages of packs."""
    pages = APIRouter()

    @pages.get("/packs")
    async def packs(request: Request, me: Signed) -> Response:
        """All packs of the record."""
        return await render(request, "packs.html", packs=await site.packs())

    @pages.get("/packs/{name}")
    async def pack(request: Request, me: Signed, name: str) -> Response:
        """A pack, named `id@version`."""
        found = {f"{one['pack']}@{one['version']}": one for one in await site.packs()}
        if name not in found:
            raise Refused(Answer(404, {}))
        return await render(request, "pack.html", pack=found[name])

    return pages
