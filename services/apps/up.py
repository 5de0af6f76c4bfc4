"""The embedded system behind a port, until somebody ends it."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from services.apps import web
from services.apps.embedded import Embedded
from services.kernel.serving import process


class _Server(web.Server):
    """Leaves signals to the program. uvicorn would raise them again before the stores are closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(system: Embedded, on: socket.socket) -> AsyncIterator[str]:
    """Serves the HTTP API. Gives its address, which the command line also finds in the data folder."""
    if system.console is None:
        raise RuntimeError("the embedded system is not started")
    server = _Server(web.config(system.site, system.settings), system.console.end_streams)
    serving = asyncio.create_task(server.serve([on]))
    address = web.address_of(on)
    try:
        while not server.started:
            if serving.done():
                serving.result()
            await asyncio.sleep(0.005)
        system.lock.say(address)
        yield address
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)


async def until_ended(system: Embedded) -> None:
    """Waits for Ctrl-C or SIGTERM. Raises the error of a part that ended."""
    process.collect_less()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    while not ended.is_set():
        if error := system.failed():
            raise error
        try:
            async with asyncio.timeout(0.5):
                await ended.wait()
        except TimeoutError:
            continue
