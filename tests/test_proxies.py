"""The shipped proxies pass on what the public and integrations ask, and none of the desks' APIs."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.catalogue import SERVICES

ROOT = Path(__file__).resolve().parents[1]
PORTS = {"ingest": "8401", "triage": "8402", "escalation": "8403", "publish": "8404", "audit": "8405"}
Passes = Callable[[str, str], bool]
"""Service and path -> whether the proxy hands it on."""


def caddy() -> Passes:
    text = (ROOT / "deploy/proxy/Caddyfile").read_text().partition("{$HUIYING_STAFF_NAME")[0]
    ports = dict(re.findall(r"handle @(\w+) \{\s+reverse_proxy 127\.0\.0\.1:(\d+)", text))
    rules = list[tuple[str, str, str]]()
    for name, one, block in re.findall(r"^\t@(\w+) (?:(path.+)|\{([^}]+)\})$", text, re.MULTILINE):
        taken, _, refused = (one or block).strip().partition("not ")
        rules.append((ports[name], _regex(taken), _regex(refused) if refused else "$^"))
    return lambda service, path: any(
        port == PORTS[service] and re.search(taken, path) and not re.search(refused, path)
        for port, taken, refused in rules
    )


def _regex(matcher: str) -> str:
    kind, *said = matcher.split()
    return said[0] if kind == "path_regexp" else "|".join(f"^{re.escape(one)}$".replace(r"\*", ".*") for one in said)


def nginx() -> Passes:
    """The first location that matches counts. An exact one goes before."""
    text = (ROOT / "deploy/proxy/nginx.conf").read_text().partition("    server_name desk")[0]
    found = re.findall(r"location (=|~) (\S+) \{\s*(?:proxy_pass http://127\.0\.0\.1:(\d+)|return 404);", text)
    rules = [
        (f"^{said}$" if sign == "=" else said, port)
        for sign, said, port in sorted(found, key=lambda one: one[0] != "=")
    ]
    return lambda service, path: next((port for said, port in rules if re.search(said, path)), "") == PORTS[service]


@pytest.mark.parametrize("passes", [caddy(), nginx()], ids=["caddy", "nginx"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_proxy_passes_on_what_has_no_staff_token(service: str, passes: Passes) -> None:
    described = json.loads((ROOT / f"schemas/openapi/{service}.json").read_text())
    for path, item in described["paths"].items():
        asked = [operation["security"] for operation in item.values() if "security" in operation]
        is_open = any(not each or {"integrationKey": []} in each for each in asked)
        example = re.sub(r"\{\w+\}", "a-1", path)
        assert passes(service, example) == is_open, path


def test_a_browser_that_came_once_asks_by_tls_alone_afterwards() -> None:
    """The proxy has the certificate, so it says so, for the public's pages and for those of staff."""
    said = (ROOT / "deploy/proxy/Caddyfile").read_text()
    assert said.count("\theader Strict-Transport-Security max-age=31536000\n") == said.count("encode zstd gzip") == 2
    whole = (ROOT / "deploy/proxy/nginx.conf").read_text().partition("server {")[0]
    assert re.search(r"^add_header +Strict-Transport-Security max-age=31536000 always;$", whole, re.MULTILINE)
