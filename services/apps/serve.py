"""One service of a deployment, on Kafka and PostgreSQL: `huiying serve X` keeps two processes of it alive.

The API process serves HTTP, recovers, relays and keeps the time; the consumer takes in the topics. Either may be
killed at any moment; the supervisor starts it again.
"""

import asyncio
import ctypes
import gc
import importlib
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence

import structlog
import uvloop

from services.apps.client import PORTS
from services.kernel import logging
from services.kernel.access import keys, signing
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log import EXIT_LOST, EXIT_RANGE, EventLog, LogGone, OffsetOutOfRange
from services.kernel.delivery.runtime import Runtime, Service
from services.kernel.serving import process
from services.kernel.settings import Settings
from services.kernel.store.database import Database

PARTS = ("api", "consumer")
END_SECONDS = 8.0
"""The processes have this long to end. Container engines wait ten seconds."""
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
logger = structlog.get_logger()


def load(name: str) -> Service:
    """The service with this name. No other service's code is imported."""
    if name not in PORTS:
        raise ValueError(f"no service {name!r}; there are {', '.join(PORTS)}")
    service: Service = importlib.import_module(f"services.{name}.app").SERVICE
    return service


def event_log(service: Service, settings: Settings) -> EventLog:
    """Kafka, consumed by the service's Faust application or by plain aiokafka."""
    from services.kernel.delivery.log.kafka import KafkaLog

    if settings.consumer == "faust" and service.stream:
        from services.kernel.delivery.log.faust import FaustLog

        return FaustLog(settings, importlib.import_module(service.stream).application, owner=service.name)
    return KafkaLog(settings, service.name)


def runtime(name: str, settings: Settings) -> Runtime:
    """A service over the deployment's database and brokers."""
    if not settings.database or not settings.kafka:
        raise ValueError("set HUIYING_DATABASE (with {service} in it) and HUIYING_KAFKA, or run `huiying up`")
    service = load(name)
    publish = settings.services.format(service="publish", port=PORTS["publish"])
    return Runtime(
        service,
        settings.reached_at(publish),
        Database(settings.database.format(service=name), settings.lock_seconds),
        TimeSource(settings.clock),
        event_log(service, settings),
        keys.deployment_secret(settings),
    )


class Part:
    """A process of the service: a fork of the supervisor, which has imported the program."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None

    def poll(self) -> int | None:
        """The exit code, the negative number of a signal, or None while it runs."""
        if self.code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if ended else None
        return self.code

    def send(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def supervise(name: str, settings: Settings, parts: Sequence[str] = PARTS) -> None:
    """Keeps the service's processes alive until SIGTERM or Ctrl-C, then ends them. Each of them runs a part."""
    children: dict[str, Part] = {}
    started, waits, next_start = (dict.fromkeys(parts, 0.0) for _ in range(3))
    signals: list[int] = []

    def end(number: int, _: object) -> None:
        signals.append(number)

    import_parts(name, settings)
    supervisor = os.getpid()
    usual = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    while not signals:
        now = time.monotonic()
        for part in parts:
            child = children.get(part)
            if child is not None and child.poll() is not None:
                logger.warning("process.ended", service=name, part=part, code=child.code)
                waits[part] = min(waits[part] * 2 or 0.1, 10.0) if now - started[part] < 10 else 0.0
                next_start[part] = now + waits[part]
                del children[part]
            if part not in children and now >= next_start[part]:
                started[part] = now
                pid = os.fork()
                if pid == 0:
                    _settle(part, name)
                    for number, handler in usual.items():
                        signal.signal(number, handler)
                    if signals or os.getppid() != supervisor:
                        # The process was told to end, or was left behind, before it could notice.
                        os._exit(0)
                    main(name, part, settings)
                    return
                children[part] = Part(pid)
        time.sleep(0.1)
    for child in children.values():
        child.send(signal.SIGTERM)
    deadline = time.monotonic() + END_SECONDS
    while any(child.poll() is None for child in children.values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    for child in children.values():
        child.send(signal.SIGKILL)


def import_parts(name: str, settings: Settings) -> None:
    """Imports the parts, and keeps the garbage collector from touching the memory that they share."""
    from services.apps import front, web  # noqa: F401
    from services.kernel.serving import connection, http  # noqa: F401

    service = load(name)
    if service.check is not None:
        service.check(settings)
    event_log(service, settings)
    gc.collect()
    gc.freeze()


def _settle(part: str, name: str) -> None:
    """Linux: a child gets SIGTERM when the supervisor is killed, so that no second consumer is left behind.

    `ps -o comm` and `top` tell the parts apart: `api triage`, `consumer triage`, 15 letters at most.
    """
    if sys.platform == "linux":
        system = ctypes.CDLL(None)
        system.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        system.prctl(PR_SET_NAME, f"{part} {name}".encode())


async def run_api(name: str, settings: Settings) -> None:
    """The API process of a service. It serves reads at once, and commands when it leads and has recovered.

    Raises `PortTaken` before it starts anything.
    """
    from services.apps import web

    with web.bound(settings.host, settings.port or PORTS[name]) as on:
        await _serve(name, settings, on)


async def _serve(name: str, settings: Settings, on: socket.socket) -> None:
    import uvicorn

    from services.apps import front, web
    from services.kernel.serving import http

    made = runtime(name, settings)
    made.recovered = False
    end_traces = process.tell_traces(settings, made)
    app = http.application([made], title=f"Huiying {name}", keys=signing.public_keys(settings))
    app.include_router(front.router(made.settings, f"Huiying 回应：{name}", has_form=name == "ingest"))
    process.collect_less()
    await made.log.start()
    leader = asyncio.create_task(process.lead(made, asyncio.Event()))
    watch = asyncio.create_task(process.watch_topics(made))
    server = uvicorn.Server(web.config(app, settings))
    serving = asyncio.create_task(server.serve([on]))
    try:
        await asyncio.wait([leader, serving], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        if leader.done():
            leader.result()
    finally:
        for task in (leader, watch):
            task.cancel()
        await asyncio.gather(leader, watch, return_exceptions=True)
        await made.log.stop()
        await made.database.close()
        await end_traces()


async def run_consumer(name: str, settings: Settings) -> None:
    """The consumer process of a service. It ends with its own code if a stored offset is out of range."""
    made = runtime(name, settings)
    process.collect_less()
    process.tell_metrics(name, settings)
    end_traces = process.tell_traces(settings, made)
    await process.wait_until_prepared(made)
    watch = asyncio.create_task(process.watch_progress(made))
    consuming = asyncio.create_task(process.consume(made))
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait([consuming, stopping, watch], return_when=asyncio.FIRST_COMPLETED)
    try:
        if consuming.done():
            consuming.result()
    except OffsetOutOfRange as error:
        logger.critical("consumer.stops", service=name, error=str(error))
        os._exit(EXIT_RANGE)
    except (LogGone, OSError) as error:
        logger.warning("consumer.ends", service=name, error=str(error)[:300])
    except Exception as error:  # noqa: BLE001, whatever it was: somebody must be told before the next start
        logger.critical("consumer.stops", service=name, error=repr(error))
        os._exit(EXIT_LOST)
    finally:
        for task in (watch, consuming, stopping):
            task.cancel()
        try:
            async with asyncio.timeout(5):
                await asyncio.gather(watch, consuming, stopping, return_exceptions=True)
                await end_traces()
        except TimeoutError:
            pass
        # Records that were taken in are durable; the others are taken in again. So nothing is left to wait for.
        os._exit(0)


def main(name: str, part: str, settings: Settings) -> None:
    """One of the two processes."""
    logging.configure(settings)
    run = {"api": run_api, "consumer": run_consumer}[part]
    uvloop.run(run(name, settings))
