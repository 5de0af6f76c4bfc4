"""What another deployment answers counts only if it is readable, and only its own problems refuse a message."""

import gzip
import http.server
import threading
from collections.abc import Iterator

import pytest

from deploy.native import LOOPBACK
from schemas.problems import PREFIX
from services.kernel.between.post import Said, post


class Compressing(http.server.BaseHTTPRequestHandler):
    """A proxy that compresses for whoever lets it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        packs = "gzip" in self.headers.get("Accept-Encoding", "gzip")
        body = gzip.compress(b'{"key": "a"}') if packs else b'{"key": "a"}'
        self.send_response(200)
        if packs:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        return None


@pytest.fixture
def proxy() -> Iterator[str]:
    with http.server.HTTPServer((LOOPBACK, 0), Compressing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_an_answer_is_read_also_behind_a_proxy_that_compresses(proxy: str) -> None:
    assert await post(proxy, b"{}", {}, None) == Said(200, {"key": "a"})


@pytest.mark.parametrize(
    ("status", "type_", "refuses"),
    [
        (409, f"{PREFIX}peer-unknown", "peer-unknown"),
        (422, "error", None),
        (413, "about:blank", None),
        (404, f"{PREFIX}not-handed-over", None),
        (503, f"{PREFIX}peer-unknown", None),
    ],
)
def test_only_a_problem_of_this_system_refuses_for_good(status: int, type_: str, refuses: str | None) -> None:
    assert Said(status, {"type": type_}).refuses == refuses
