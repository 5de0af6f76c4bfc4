"""Whose word on the caller is believed: the named proxies, and nobody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI, Request
from pydantic import ValidationError

from services.apps import web
from services.apps.embedded import running
from services.kernel.serving import sign_in
from services.kernel.settings import Settings

COMPOSE = Path(__file__).parents[1] / "deploy" / "compose.yaml"
PROXIES = "10.0.0.2, 172.18.0.0/16, fd00::/8"


@asynccontextmanager
async def behind(app: Any, settings: Settings, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client at an address, of an application as the programs serve it."""
    config = web.config(app, settings)
    config.load()
    transport = httpx.ASGITransport(config.loaded_app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        yield client


def echo() -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def seen(request: Request) -> list[str]:
        assert request.client
        return [request.client.host, request.url.scheme]

    return app


@pytest.mark.parametrize(
    ("proxies", "address", "forwarded", "seen"),
    [
        (PROXIES, "10.0.0.2", "203.0.113.5", ["203.0.113.5", "https"]),
        (PROXIES, "172.18.4.4", "203.0.113.5", ["203.0.113.5", "https"]),
        (PROXIES, "fd00::7", "2001:db8::5", ["2001:db8::5", "https"]),
        # The client's own entry stands before the proxy's.
        (PROXIES, "10.0.0.2", "198.51.100.1, 203.0.113.5", ["203.0.113.5", "https"]),
        (PROXIES, "10.0.0.2", "198.51.100.1, 203.0.113.5, 172.18.0.9", ["203.0.113.5", "https"]),
        (PROXIES, "10.0.0.3", "203.0.113.5", ["10.0.0.3", "http"]),
        (PROXIES, "127.0.0.1", "203.0.113.5", ["127.0.0.1", "http"]),
        ("", "127.0.0.1", "203.0.113.5", ["127.0.0.1", "http"]),
        ("", "10.0.0.2", "203.0.113.5", ["10.0.0.2", "http"]),
    ],
)
async def test_only_named_proxies_say_who_calls(proxies: str, address: str, forwarded: str, seen: list[str]) -> None:
    async with behind(echo(), Settings(proxies=proxies), address) as client:
        headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
        assert (await client.get("/", headers=headers)).json() == seen


@pytest.mark.parametrize("proxies", ["*", "proxy.example", "10.0.0.0/33", "10.0.0.2; 10.0.0.3", "10.0.0.2/24"])
def test_what_names_no_proxy_is_refused(proxies: str) -> None:
    with pytest.raises(ValidationError, match="is no address and no network"):
        Settings(proxies=proxies)


async def test_sign_ins_that_fail_are_counted_for_whoever_is_behind_the_proxy(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, proxies="10.0.0.2")
    async with running(settings) as system:

        async def statuses(address: str, forwarded: str, count: int) -> list[int]:
            headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": forwarded}
            async with behind(system.app, settings, address) as client:
                return [(await client.get("/triage/v1/incidents", headers=headers)).status_code for _ in range(count)]

        limit = sign_in.FAILURES
        assert await statuses("10.0.0.2", "203.0.113.5", limit + 1) == [401] * limit + [429]
        assert await statuses("10.0.0.2", "203.0.113.6", 1) == [401]
        # Nobody else can avoid the limit by writing other addresses.
        for number in range(limit):
            assert await statuses("198.51.100.1", f"203.0.113.{number}", 1) == [401]
        assert await statuses("198.51.100.1", "203.0.113.99", 1) == [429]


def test_the_compose_file_passes_on_the_public_address_and_the_proxies() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    for name in ("ingest", "triage", "escalation", "publish", "audit"):
        environment = services[name]["environment"]
        assert environment["HUIYING_PUBLIC_URL"].startswith("${HUIYING_PUBLIC_URL:-http://127.0.0.1:")
        assert environment["HUIYING_PROXIES"] == "${HUIYING_PROXIES:-}"


def test_the_compose_file_passes_on_what_the_console_knows_of_a_provider() -> None:
    environment = yaml.safe_load(COMPOSE.read_text())["services"]["console"]["environment"]
    named = [name for name in Settings.model_fields if name.startswith("oidc_") or name == "local_accounts"]
    for name in named:
        assert environment[f"HUIYING_{name.upper()}"] is None, "an empty value would be no path and no truth value"


def test_a_proxy_closes_its_idle_connections_before_the_server_does() -> None:
    found = web.config(FastAPI(), Settings(data=Path("unused")))
    assert found.timeout_keep_alive > 60, "nginx keeps a connection to a server for 60 s"
