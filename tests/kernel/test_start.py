"""A service starts while the event log is away. It answers, but decides nothing until recovery has ended."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from services.apps import embedded, operate
from services.ingest.app import SERVICE
from services.kernel.core.problems import Unavailable
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery import recovery
from services.kernel.delivery import runtime as delivery
from services.kernel.delivery.log import LogGone, Partition, TopicsMissing
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import http, process
from services.kernel.settings import Settings
from services.kernel.store import migrations
from services.kernel.store.database import Database
from tests.ingest import conftest as ingest
from tests.kit import access, substrate
from tests.kit.stores import SECRET, stored

pytestmark = pytest.mark.postgres
COMPARES = "ingest first compares its record with the event log"
KEY = {"unit": "county", "scope": "ingest"}


class Brokers(EmbeddedLog):
    """A log that can be away."""

    away = False
    lost: tuple[str, ...] = ()

    async def create_topics(self, event_topics: Sequence[str], content_topics: Sequence[str]) -> Sequence[str]:
        if self.away:
            raise LogGone("nobody answers")
        made, self.lost = self.lost, ()
        return made

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        if missing := set(topics) & set(self.lost):
            raise TopicsMissing(f"no topic {missing}")
        return await super().ends(topics)


class Process:
    """An API process of ingest; `lead` makes it a candidate for the lead."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.runtime.recovered = False
        self.ready = asyncio.Event()
        self._leader: asyncio.Task[None] | None = None
        transport = httpx.ASGITransport(http.application([runtime], title="ingest", keys=access.PUBLIC))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://ingest")

    def lead(self) -> None:
        self._leader = asyncio.create_task(process.lead(self.runtime, self.ready))

    async def end(self) -> None:
        if self._leader is not None:
            self._leader.cancel()
            with suppress(asyncio.CancelledError):
                await self._leader
        await self.runtime.database.close()

    async def ask(self, method: str, path: str, role: str = "admin", **more: Any) -> httpx.Response:
        return await self.client.request(method, path, headers=access.bearer("city", role), **more)

    async def command(self) -> httpx.Response:
        return await self.ask("POST", "/ingest/v1/keys", json=KEY)


@pytest.fixture
def template() -> Any:
    made = substrate.new_databases("start", services=("ingest",))
    yield made
    substrate.drop_databases(made)


@pytest.fixture
async def brokers(tmp_path: Path) -> AsyncIterator[Brokers]:
    log = Brokers(tmp_path / "log.sqlite", 4)
    await log.start()
    yield log
    await log.stop()


@asynccontextmanager
async def started(template: str, brokers: Brokers, folder: Path) -> AsyncIterator[Process]:
    database = Database(template.format(service="ingest"))
    made = Process(Runtime(SERVICE, Settings(data=folder), database, TimeSource(), brokers, SECRET))
    try:
        yield made
    finally:
        await made.end()


def held_up(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Makes recovery wait. One event is set when it has begun; set the other one to let it go on."""
    compares, go_on = asyncio.Event(), asyncio.Event()
    recover = recovery.recover

    async def slow(runtime: Runtime) -> int:
        compares.set()
        await go_on.wait()
        return await recover(runtime)

    monkeypatch.setattr(recovery, "recover", slow)
    return compares, go_on


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert COMPARES in answer.json()["detail"]


async def test_a_topic_that_was_lost_is_named_by_any_service_that_makes_it_anew(
    template: str, brokers: Brokers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one to see the loss makes the topic. It may be a service that neither reads nor writes it."""
    monkeypatch.setattr(process, "KEEP_SECONDS", 0)
    brokers.lost = ("publish.statement",)
    async with started(template, brokers, tmp_path) as one:
        await migrations.upgrade(one.runtime.database, SERVICE)
        with capture_logs() as told:
            keeping = asyncio.create_task(process._keep_topics(one.runtime))
            async with asyncio.timeout(10):
                while brokers.lost or not told:
                    await asyncio.sleep(0.01)
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
    (line,) = told
    assert (line["event"], line["topic"]) == ("topic.made_anew", "publish.statement")


async def test_without_tables_everything_but_the_health_is_503(template: str, brokers: Brokers, tmp_path: Path) -> None:
    async with started(template, brokers, tmp_path) as one:
        assert (await one.ask("GET", "/healthz")).status_code == 200
        assert (await one.ask("GET", "/metrics")).status_code == 200
        assert (await one.ask("GET", "/readyz")).status_code == 503
        for answer in (await one.ask("GET", f"/ingest/v1/reports/report-{ingest.UUID}"), await one.command()):
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("guarded", [True, False])
async def test_nothing_is_decided_before_recovery_has_ended(
    template: str, brokers: Brokers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    if not guarded:
        monkeypatch.setattr(Runtime, "must_have_recovered", lambda _: None)
    compares, go_on = held_up(monkeypatch)
    brokers.away = True
    async with started(template, brokers, tmp_path) as one:
        one.lead()

        async with asyncio.timeout(30):
            # First the tables are made, then the log is asked. With tables and units, reads work.
            while "units have not come" not in (await one.ask("GET", "/ingest/v1/keys")).text:
                await asyncio.sleep(0.05)
        await ingest.start(one.runtime)
        one.runtime.offices_changed()
        assert (await one.ask("GET", f"/ingest/v1/reports/report-{ingest.UUID}")).status_code == 404
        if not guarded:
            assert (await one.command()).status_code == 201
            return
        refused(await one.command())
        refused(await one.ask("POST", "/ingest/v1/keys", role="verifier", json=KEY))
        ready = await one.ask("GET", "/readyz")
        assert (ready.status_code, COMPARES in ready.json()["services"]["ingest"]) == (503, True)
        brokers.away = False
        async with asyncio.timeout(30):
            await compares.wait()
        refused(await one.command())
        assert await stored(one.runtime) == []
        go_on.set()
        async with asyncio.timeout(30):
            await one.ready.wait()
        assert (await one.ask("GET", "/readyz")).status_code == 200
        assert (await one.command()).status_code == 201


async def test_a_second_process_decides_only_when_it_leads(template: str, brokers: Brokers, tmp_path: Path) -> None:
    async with started(template, brokers, tmp_path) as first, started(template, brokers, tmp_path) as second:
        first.lead()
        async with asyncio.timeout(30):
            await first.ready.wait()
        await ingest.start(first.runtime)
        second.lead()
        assert (await first.command()).status_code == 201
        await asyncio.sleep(1)  # twice the time after which a process asks for the lead again
        refused(await second.command())
        await first.end()
        async with asyncio.timeout(30):
            await second.ready.wait()
        assert (await second.command()).status_code == 201


async def test_a_refusal_is_no_event_before_recovery(template: str, brokers: Brokers, tmp_path: Path) -> None:
    """A missing right is recorded. If nothing may be written, the request is not answered either."""
    async with started(template, brokers, tmp_path) as one:
        one.lead()
        async with asyncio.timeout(30):
            await one.ready.wait()
        await ingest.start(one.runtime)
        key = (await one.command()).json()["key"]
        sender = {"Authorization": f"Bearer {key}"}
        made = await one.client.post("/ingest/v1/reports", json=ingest.report(), headers=sender)
        path, before = f"/ingest/v1/reports/{made.json()['report_id']}", len(await stored(one.runtime))
        other = access.bearer("town-west", "chief")
        one.runtime.recovered = False
        refused(await one.client.get(path, headers=other))
        assert len(await stored(one.runtime)) == before
        one.runtime.recovered = True
        assert (await one.client.get(path, headers=other)).status_code == 403
        assert len(await stored(one.runtime)) == before + 1


async def test_a_consumer_begins_when_the_leader_has_recovered(
    template: str, brokers: Brokers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This also holds if tables and topics exist already, as after a restore: reactions would see only half of the
    events.
    """
    async with started(template, brokers, tmp_path) as before:
        before.lead()
        async with asyncio.timeout(30):
            await before.ready.wait()
    compares, go_on = held_up(monkeypatch)
    async with started(template, brokers, tmp_path) as api, started(template, brokers, tmp_path) as consumer:
        begins = asyncio.create_task(process.wait_until_prepared(consumer.runtime))
        api.lead()
        async with asyncio.timeout(30):
            await compares.wait()
        assert not await process.has_recovered(consumer.runtime)
        await asyncio.sleep(1)  # twice the time after which a consumer asks again
        assert not begins.done()
        go_on.set()
        async with asyncio.timeout(30):
            await begins
        assert await process.has_recovered(consumer.runtime)
        await api.end()
        assert not await process.has_recovered(consumer.runtime)


async def test_a_service_starts_with_more_in_its_outbox_than_may_wait(tmp_path: Path) -> None:
    """After `huiying resend --all`, or a long time without brokers: only a service that has started empties it."""
    async with embedded.running(Settings(data=tmp_path, outbox_limit=20)):
        pass
    async with operate.stores(Settings(data=tmp_path)) as found:
        assert await operate.resend(found.runtimes["triage"], None) > 20
    async with asyncio.timeout(60), embedded.running(Settings(data=tmp_path, outbox_limit=20)) as system:
        await system.runtimes["triage"].ready_to_serve()


async def test_a_service_whose_clock_is_wrong_at_the_start_waits_until_it_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [Unavailable("this machine's clock is wrong", 30, code="clock-skewed")] * 2

    async def look(*_: object) -> Unavailable | None:
        return wrong.pop() if wrong else None

    monkeypatch.setattr(Runtime, "_look", look)
    monkeypatch.setattr(delivery, "CHECKED", 0.0)
    async with asyncio.timeout(60), embedded.running(Settings(data=tmp_path)):
        assert not wrong
