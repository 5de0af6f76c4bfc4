"""Everything in one process: five services on SQLite files and an embedded log, one HTTP port, no broker.

A second process that needs the data calls the first one's API.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from services.apps import access, front
from services.apps.backups.folder import REVOKED
from services.apps.folder import FolderLock
from services.audit.app import SERVICE as AUDIT
from services.console import serving as console
from services.escalation.app import SERVICE as ESCALATION
from services.ingest.app import SERVICE as INGEST
from services.kernel.access import keys, signing, tokens
from services.kernel.access.signing import SigningKey
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.delivery.records import is_content
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime, Service
from services.kernel.delivery.unit_of_work import unit_of_work
from services.kernel.serving import http, process
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.publish.app import SERVICE as PUBLISH
from services.triage.app import SERVICE as TRIAGE

if TYPE_CHECKING:
    import httpx

SERVICES: tuple[Service, ...] = (TRIAGE, INGEST, ESCALATION, PUBLISH, AUDIT)
"""Triage comes first, since the others learn the unit tree from it."""
PORT = 8400


class Embedded:
    """The five services, running in this process. `client` calls their HTTP API without a socket."""

    def __init__(self, settings: Settings, time_source: TimeSource | None = None) -> None:
        self.settings = settings
        self.time_source = time_source or TimeSource(settings.clock)
        self.lock = FolderLock(settings.data)
        self.secret = b""
        self.runtimes: dict[str, Runtime] = {}
        self.log = EmbeddedLog(settings.data / "log.sqlite", settings.partitions)
        self.app: FastAPI | None = None
        self.console: console.Console | None = None
        self.revoked_again: list[str] = []
        """What was revoked before a restore and is again since the start."""
        self._tasks: list[asyncio.Task[None]] = []
        self._end_traces: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        """Recovers, places the units, and waits until every service knows them. Raises `InUse`."""
        self.lock.take()
        self.secret = keys.deployment_secret(self.settings)
        signing.make_keys(self.settings)
        await self.log.start()
        for service in SERVICES:
            self.runtimes[service.name] = Runtime(
                service, self.settings, self.store(service.name), self.time_source, self.log, self.secret
            )
        self._end_traces = process.tell_traces(self.settings, *self.runtimes.values())
        believed = signing.public_keys(self.settings)
        self.app = http.application(list(self.runtimes.values()), title="Huiying", keys=believed)
        self.app.include_router(front.router(self.settings, "Huiying 回应", has_console=True, has_form=True))
        for runtime in self.runtimes.values():
            ready = asyncio.Event()
            leader = asyncio.create_task(process.lead(runtime, ready))
            self._tasks.append(leader)
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait([leader, waiting], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if leader.done():
                leader.result()
            self._tasks.append(asyncio.create_task(process.consume(runtime)))
        await self.settle()
        if (self.settings.data / REVOKED).exists():
            self.revoked_again = await access.revoke_again(self)
        clients = dict.fromkeys((service.name for service in SERVICES), self.client())
        self.console = console.Console(self.settings, self.store("console"), self.secret, clients, self.time_source.now)
        await self.console.start()

    async def stop(self) -> None:
        """Ends all work. Everything that was answered is durable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self.console is not None:
            await self.console.stop()
        for runtime in self.runtimes.values():
            await runtime.database.close()
        await self.log.stop()
        if self._end_traces is not None:
            await self._end_traces()
        self.lock.release()

    def store(self, name: str) -> Database:
        """The store of a service, or of the console."""
        return Database(self.settings.data / f"{name}.sqlite", self.settings.lock_seconds)

    async def site(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The whole site on one port: the console below `/console`, the services' APIs everywhere else."""
        assert self.app is not None and self.console is not None
        is_console = scope["type"] == "http" and console.is_page(scope["path"])
        await (self.console.app if is_console else self.app)(scope, receive, send)

    async def first_code(self) -> str | None:
        """The code with which the first account is made; None if there is an account."""
        assert self.console is not None
        return await self.console.first_code()

    def failed(self) -> BaseException | None:
        """Why a part of the process ended, if one did."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                return error
        return None

    async def settle(self, limit: float = 60.0) -> None:
        """Waits until every outbox is empty and every service has taken in the whole log."""
        until = asyncio.get_running_loop().time() + limit
        while not await self._is_settled():
            if error := self.failed():
                raise error
            if asyncio.get_running_loop().time() > until:
                raise TimeoutError(f"the services did not come to rest within {limit:.0f} s")
            await asyncio.sleep(0.01)

    async def _is_settled(self) -> bool:
        for runtime in self.runtimes.values():
            if not await Relay(runtime).is_empty():
                return False
        for runtime in self.runtimes.values():
            topics = (*runtime.service.topics, *runtime.service.content_topics)
            ends = await self.log.ends(topics)
            async with runtime.database.read() as connection:
                taken = await unit_of_work(runtime).taken(connection)
            if any(taken.get(part, 0) < end for part, end in ends.items() if not is_content(part.topic)):
                return False
        for runtime in self.runtimes.values():
            if not await Relay(runtime).is_empty():
                return False
        return True

    def client(self, token: str = "") -> "httpx.AsyncClient":
        """A client of the HTTP API, in process."""
        import httpx

        assert self.app is not None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://huiying", headers=headers, timeout=60)

    def token(self, unit: str, *roles: str, person: str = "") -> str:
        """A staff token for the post with the name of the first role, for the demo and tests."""
        said = tokens.claims(
            self.settings.deployment, person=person or f"{roles[0]}@{unit}", unit=unit, post=roles[0], roles=roles
        )
        return tokens.sign(SigningKey.read(signing.signing_key_file(self.settings)), said)


@asynccontextmanager
async def running(settings: Settings, time_source: TimeSource | None = None) -> AsyncIterator[Embedded]:
    """The embedded system, started and stopped."""
    embedded = Embedded(settings, time_source)
    try:
        await embedded.start()
        yield embedded
    finally:
        await embedded.stop()
