"""A running console: its store and its application. Embedded it stands beside the services, deployed alone."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property, partial

import httpx
from sqlalchemy.exc import DBAPIError
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.console.access.claims import read_mapping
from services.console.app import application, unreadable
from services.console.site import HOME, Site
from services.console.store import METADATA, REVISIONS
from services.kernel.serving.bodies import Timed
from services.kernel.serving.gate import Gate, Plain
from services.kernel.serving.http import HeadAsGet
from services.kernel.settings import Settings
from services.kernel.store import migrations
from services.kernel.store.database import Database


def is_page(path: str) -> bool:
    """Whether a path belongs to the console."""
    return path == HOME or path.startswith(f"{HOME}/")


class Console:
    """The console of a deployment."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        secret: bytes,
        clients: Mapping[str, httpx.AsyncClient],
        now: Callable[[], datetime],
    ) -> None:
        self.site = Site(settings, database, secret, clients, now)

    @cached_property
    def app(self) -> ASGIApp:
        """The pages. They are made for the first request: for one process with everything, a third of its start."""
        pages = application(self.site)
        return Plain(Gate(HeadAsGet(Timed(pages)), self.site.settings.answer_seconds, partial(unreadable, pages)))

    async def alone(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The console as the only application of a port: `/` leads to it, and it says whether it works."""
        if scope["type"] == "http" and scope["path"] == "/":
            await RedirectResponse(f"{HOME}/", 307)(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] in ("/healthz", "/readyz"):
            await self._health(scope["path"] == "/readyz")(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def works(self) -> bool:
        """Whether the store answers. Without it, nobody can sign in."""
        try:
            await self.site.accounts.exist()
        except (DBAPIError, OSError, TimeoutError):
            return False
        return True

    def _health(self, is_ready: bool) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            works = not is_ready or await self.works()
            # As the services say it, so that one question serves for all.
            of = {"services": {"console": {} if works else "its database does not answer"}} if is_ready else {}
            said = {"status": "ok" if works else "unavailable", **of}
            await JSONResponse(said, 200 if works else 503)(scope, receive, send)

        return answer

    async def first_code(self) -> str | None:
        """The code with which the first account is made; None if there is an account."""
        return None if await self.site.accounts.exist() else self.site.first_code()

    async def start(self) -> None:
        """Makes the store or brings it to this version. Raises `DocumentError` for a faulty mapping of posts."""
        if self.site.settings.oidc_mapping:
            read_mapping(self.site.settings.oidc_mapping)
        await migrations.upgrade_to(self.site.database, "console", METADATA, (REVISIONS,))

    def end_streams(self) -> None:
        """Ends the open streams. A server waits for its requests before it ends, and a stream would never."""
        self.site.followers.stop()

    async def stop(self) -> None:
        """Closes the store and the clients."""
        self.end_streams()
        if self.site.provider is not None:
            await self.site.provider.close()
        for client in set(self.site.clients.values()):
            await client.aclose()
        await self.site.database.close()
