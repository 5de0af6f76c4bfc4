"""The console of a deployment, as a program of its own: `huiying serve console`.

It keeps its accounts and sessions in a database of its own, and reaches the services over HTTP. Several may run.
"""

import asyncio

import httpx
import uvloop

from services.apps import web
from services.apps.client import CONSOLE, CONSOLE_PORT, PORTS
from services.console.calls import SECONDS
from services.console.serving import Console
from services.kernel import logging, metrics
from services.kernel.access import keys
from services.kernel.core.time_source import TimeSource
from services.kernel.serving import process
from services.kernel.settings import Settings
from services.kernel.store.database import Database

WATCH_SECONDS = 10.0
"""Seconds between two looks at the store, for the metrics."""


def clients(settings: Settings) -> dict[str, httpx.AsyncClient]:
    """A client for each service."""
    return {
        name: httpx.AsyncClient(base_url=settings.services.format(service=name, port=port), timeout=SECONDS)
        for name, port in PORTS.items()
    }


async def watched(console: Console) -> None:
    """Keeps in the metrics whether the console works, until cancelled."""
    while True:
        metrics.READY.labels(CONSOLE).set(await console.works())
        await asyncio.sleep(WATCH_SECONDS)


async def serve(settings: Settings) -> None:
    """Serves the console until SIGTERM or Ctrl-C. Raises `PortTaken` before it starts anything."""
    with web.bound(settings.host, settings.port or CONSOLE_PORT) as on:
        settings = settings.reached_at(web.address_of(on))
        database = Database(settings.database.format(service=CONSOLE), settings.lock_seconds)
        secret, time_source = keys.deployment_secret(settings), TimeSource(settings.clock)
        console = Console(settings, database, secret, clients(settings), time_source.now)
        server = web.Server(web.config(console.alone, settings), console.end_streams)
        try:
            await console.start()
            if code := await console.first_code():
                print(f"No account yet: the console asks for the set-up code {code}", flush=True)
            process.collect_less()
            process.tell_metrics(CONSOLE, settings)
            watching = asyncio.create_task(watched(console))
            await server.serve([on])
            watching.cancel()
        finally:
            await console.stop()


def main(settings: Settings) -> None:
    """The process."""
    logging.configure(settings)
    uvloop.run(serve(settings))
