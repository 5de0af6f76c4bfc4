"""HTTP in the programs: a port that is taken before anything else starts, and uvicorn's settings."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from services.kernel.serving.connection import Connection
from services.kernel.settings import Settings

GRACE = 5
"""Seconds for unfinished requests when the server ends."""
KEEP_ALIVE = 75
"""Seconds for which an idle connection stays open. Clients and proxies close theirs sooner (httpx after 5, nginx after
60). A server that closes first cuts off requests that are just sent."""


class PortTaken(Exception):
    """Nobody can listen on this port."""


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens on this port, or on any free one for 0. Raises `PortTaken` before anything starts."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections have it from here. Else the body of an answer may wait 40 ms for the client's word on the head.
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            taken.bind((host, port))
            taken.listen(2048)
        except OverflowError:
            raise PortTaken(f"{port} is no port; name one from 1 to 65535 with --port or HUIYING_PORT") from None
        except OSError as error:
            raise PortTaken(
                f"port {port} of {host} cannot be used ({error.strerror}): end the program that listens there, "
                "perhaps another Huiying, or choose another port with --port or HUIYING_PORT"
            ) from None
        yield taken


def address_of(taken: socket.socket) -> str:
    """The address under which this machine reaches a socket."""
    host, port = taken.getsockname()
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104  compared, not bound


class Server(uvicorn.Server):
    """Ends streams when it begins to end. `end_streams` is asked then."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends."""
        self._end_streams()
        await super().shutdown(sockets)


def config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Uvicorn's settings. Only the named proxies are believed about callers."""
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=Connection,
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=KEEP_ALIVE,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
        server_header=False,
    )
