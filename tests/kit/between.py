"""Deployments in one process that reach each other over HTTPS on this machine."""

import asyncio
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml
from starlette.types import Message, Receive, Scope, Send

from deploy.native import LOOPBACK
from services.apps import web
from services.apps.embedded import Embedded
from services.kernel.between.message import PATH
from services.kernel.between.signed import Signing
from services.kernel.settings import ROOT, Settings


class Cut(Exception):
    """The connection is cut before the answer."""


class Deployment:
    """One of them. `cuts` answers to messages are lost after they were taken in."""

    def __init__(self, folder: Path, name: str, certificate: Path) -> None:
        folder.mkdir()
        self.name, self.folder, self.cuts = name, folder, 0
        self.got: list[tuple[bytes, dict[str, str]]] = []
        """The messages that came in, with their headers."""
        with socket.create_server((LOOPBACK, 0)) as chosen:
            self.port = chosen.getsockname()[1]
        self.address = f"https://{LOOPBACK}:{self.port}"
        self.certificate = certificate
        self.policies = folder / "policies"
        shutil.copytree(ROOT / "policies", self.policies)
        self.settings = Settings(
            data=folder / "data",
            deployment=name,
            policies=self.policies,
            public_url=self.address,
            checkpoint_seconds=0.1,
        )
        self.system: Embedded
        self._serving: tuple[uvicorn.Server, asyncio.Task[None]] | None = None

    async def start(self) -> None:
        self.system = Embedded(self.settings)
        await self.system.start()

    async def serve(self) -> None:
        plain = web.config(self._app, self.settings)
        pem = str(self.certificate)
        config = uvicorn.Config(
            self._app, interface="asgi3", lifespan="off", log_level="critical", ssl_certfile=pem, ssl_keyfile=pem
        )
        config.http = plain.http
        server = uvicorn.Server(config)
        self._serving = server, asyncio.create_task(server.serve([socket.create_server((LOOPBACK, self.port))]))
        while not server.started:
            await asyncio.sleep(0.005)

    async def unserve(self) -> None:
        if self._serving is not None:
            server, task = self._serving
            server.should_exit = True
            await asyncio.gather(task, return_exceptions=True)
            self._serving = None

    async def stop(self) -> None:
        await self.unserve()
        await self.system.stop()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await self.system.site(scope, receive, send)
            return
        parts, more = [], True
        while more:
            part = await receive()
            parts.append(part.get("body", b""))
            more = part.get("more_body", False)
        body = b"".join(parts)
        self.got.append((body, {name.decode(): value.decode() for name, value in scope["headers"]}))
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def lost(message: Message) -> None:
            return None

        if self.cuts:
            self.cuts -= 1
            await self.system.site(scope, again, lost)
            raise Cut
        await self.system.site(scope, again, send)

    def entry(self, **more: Any) -> dict[str, Any]:
        """How others list this one."""
        key = Signing(self.system.runtimes["ingest"].keys, self.settings.message_key)
        told = {"name": self.name, "title": self.name, "title_en": self.name, "address": self.address}
        return {**told, "log": [self.keys["log"]], "keys": [key.public], **more}

    async def learn(self) -> None:
        """Reads its keys."""
        async with self.system.client() as client:
            told = (await client.get("/audit/v1/log/keys")).json()["keys"]
        self.keys = {one["use"]: str(one["vkey"]) for one in told}

    def knows(self, entries: Iterable[dict[str, Any]], authority: Path, **settings: Any) -> None:
        """Writes its list, which counts from the next start on."""
        (self.policies / "peers.yaml").write_text(yaml.safe_dump({"peers": list(entries)}, allow_unicode=True))
        self.settings = self.settings.model_copy(update={"peers_ca": authority, **settings})

    def staff(self, role: str, unit: str) -> httpx.AsyncClient:
        """A client of a member of staff."""
        return self.system.client(self.system.token(unit, role))
