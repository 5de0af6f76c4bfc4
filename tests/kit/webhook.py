"""A local webhook, for notices."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote


class Call(NamedTuple):
    """A notice that came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Hook:
    """What came in."""

    port: int
    calls: list[Call] = field(default_factory=list)
    says: bytes = b""
    """What it answers, always with the status 200."""

    def address(self, path: str = "hook") -> str:
        """An address of Apprise that leads here."""
        return f"json://127.0.0.1:{self.port}/{path}"


@contextmanager
def opened() -> Iterator[Hook]:
    """A webhook that takes everything, on a free port. From `/moved` it sends elsewhere, where anybody gets a page."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/page")
                self.end_headers()
                return
            hook.calls.append(Call(unquote(self.path).strip("/"), dict(self.headers), body))
            self._say(hook.says)

        def do_GET(self) -> None:
            self._say(b"a page")

        def _say(self, words: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Hook(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
