"""Connections that go through Toxiproxy, to be slowed, cut and frozen."""

import contextlib
import random
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from deploy import native
from deploy.native import LOOPBACK, free_port
from tests.kit.stack import here, until

KINDS: Mapping[str, Mapping[str, int]] = {
    "latency": {"latency": 400, "jitter": 300},
    "bandwidth": {"rate": 20},
    "slicer": {"average_size": 40, "size_variation": 30, "delay": 200},
    "timeout": {"timeout": 0},
    "reset_peer": {"timeout": 100},
    "limit_data": {"bytes": 3_000},
}
"""Slow; narrow (kB/s); in pieces (bytes, µs); silent; cut at once (ms); cut in the middle of what is sent (bytes)."""


class Toxics:
    """The proxies by name, over Toxiproxy's own API."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api
        self._count = 0

    def proxy(self, name: str, upstream: str, port: int) -> str:
        """A way to `upstream`; returns its address."""
        address = f"{LOOPBACK}:{port}"
        body = {"name": name, "listen": address, "upstream": upstream, "enabled": True}
        self._said("POST", "/proxies", body)
        return address

    @contextlib.contextmanager
    def spoiled(self, name: str, kind: str, way: str) -> Iterator[None]:
        """Meanwhile what goes this way (`upstream` or `downstream`) through a proxy has a fault."""
        self._count += 1
        toxic = f"{kind}{self._count}"
        self._said(
            "POST", f"/proxies/{name}/toxics", {"name": toxic, "type": kind, "stream": way, "attributes": KINDS[kind]}
        )
        try:
            yield
        finally:
            self._said("DELETE", f"/proxies/{name}/toxics/{toxic}")

    @contextlib.contextmanager
    def cut(self, name: str) -> Iterator[None]:
        """Meanwhile nobody is let in, and those who were are out."""
        self._said("POST", f"/proxies/{name}", {"enabled": False})
        try:
            yield
        finally:
            self._said("POST", f"/proxies/{name}", {"enabled": True})

    def any(self, name: str, chance: random.Random) -> contextlib.AbstractContextManager[None]:
        """A fault of any kind, either way."""
        kind = chance.choice([*KINDS, "cut"])
        return self.cut(name) if kind == "cut" else self.spoiled(name, kind, chance.choice(("upstream", "downstream")))

    def _said(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        answer = self._api.request(method, path, json=body)
        assert answer.is_success, (method, path, answer.status_code, answer.text)


@contextlib.contextmanager
def toxiproxy(folder: Path) -> Iterator[Toxics]:
    """A Toxiproxy that runs."""
    port = free_port()
    with (folder / "toxiproxy.log").open("wb") as log:
        process = subprocess.Popen(
            [str(native.toxiproxy()), "-host", LOOPBACK, "-port", str(port)], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        with here(f"http://{LOOPBACK}:{port}") as api:
            until(lambda: api.get("/version").is_success, "Toxiproxy answers", 20)
            yield Toxics(api)
    finally:
        process.kill()
        process.wait()
