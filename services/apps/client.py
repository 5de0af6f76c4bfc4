"""How the command line reaches the HTTP APIs.

It calls services elsewhere, the data folder's running server, or a server that it starts for the call. It imports
little, so that a command starts fast.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from schemas.problems import PREFIX
from services.apps.folder import folder_owner
from services.kernel.settings import Settings

PORTS = {"ingest": 8401, "triage": 8402, "escalation": 8403, "publish": 8404, "audit": 8405}
CONSOLE, CONSOLE_PORT = "console", 8400
PAGE = 500


class Refused(Exception):
    """The command cannot be done now. The sentence says why and what to do; `code` is that of a service's problem."""

    def __init__(self, sentence: str, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


@asynccontextmanager
async def api(settings: Settings, service: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service's API: a deployment's, the running embedded server's, or one started here for the call."""
    if not settings.embedded:
        address: str | None = settings.services.format(service=service, port=PORTS[service])
    else:
        address = folder_owner(settings.data)
        if address is None:
            from services.apps import embedded

            async with embedded.running(settings) as here, here.client() as client:
                yield client
                await here.settle()
            return
        if not address:
            raise Refused(f"another process works in {settings.data} and serves nothing; try again when it has ended")
    async with httpx.AsyncClient(base_url=address or "", timeout=60) as client:
        yield client


async def pages(client: httpx.AsyncClient, path: str, token: str, **narrow: Any) -> AsyncIterator[Any]:
    """The pages of a list, to the last. `narrow` are further parameters of the question. Raises `Refused`."""
    query: dict[str, Any] = {"limit": PAGE, **narrow}
    while True:
        page = await ask(client, "GET", path, token, params=query)
        yield page
        if page["next"] is None:
            return
        query["cursor"] = page["next"]


async def ask(client: httpx.AsyncClient, method: str, path: str, token: str, **request: Any) -> Any:
    """The JSON answer of a service. Raises `Refused` with the problem's sentence."""
    headers = {**request.pop("headers", {}), "Authorization": f"Bearer {token}"}
    try:
        answer = await client.request(method, path, headers=headers, **request)
    except httpx.TransportError as error:
        raise Refused(f"{client.base_url} does not answer: {type(error).__name__} {error}") from None
    if answer.is_success:
        return answer.json()
    problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    code = str(problem.get("type", "")).removeprefix(PREFIX)
    raise Refused(problem.get("detail") or f"{path} answered {answer.status_code}", code)
