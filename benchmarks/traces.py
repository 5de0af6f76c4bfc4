"""What traces cost: a burst of reports through five services with every span sent, against one without any.

The collector takes what comes and keeps nothing, so its own work hardly counts.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks import burst
from benchmarks.measure import Figure, pairs

REPORTS = 3_000
GOAL = 0.9


class _Sink(BaseHTTPRequestHandler):
    taken = 0

    def do_POST(self) -> None:
        _Sink.taken += len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *given: object) -> None:
        pass


@contextmanager
def _listening() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


async def measure(runs: int) -> list[Figure]:
    """Reports a second until all are in audit."""
    with _listening() as address:

        async def traced() -> float:
            before = _Sink.taken
            rate, *_ = await asyncio.to_thread(burst.once, REPORTS, HUIYING_TRACES=address)
            assert _Sink.taken > before, "spans came"
            return rate

        async def plain() -> float:
            rate, *_ = await asyncio.to_thread(burst.once, REPORTS)
            return rate

        return [
            await pairs(
                "burst with every span sent", traced, plain, goal=GOAL, floor_is="without", unit="reports/s",
                runs=min(runs, 3),
            )
        ]  # fmt: skip
