"""Unplanned orders of arrival, each with the result that the design promises, on both substrates.

One service's consumer is held back. Its unit of work then takes the topics in the order of the test.
"""

import asyncio
import contextlib
import sqlite3
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas import catalogue
from schemas.envelope import Event
from services.apps import embedded
from services.apps.embedded import Embedded
from services.kernel.delivery.log import LogGone, Partition, Record
from services.kernel.delivery.log.kafka import CONTENT_CONFIG
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import unit_of_work
from services.kernel.proof import check as checks
from services.kernel.serving import process
from services.kernel.store.session import Session
from tests.delivery import sites
from tests.kit import everywhere
from tests.kit.stack import NO_CERTIFICATES, DeployedWorld, report
from tests.kit.stores import rows

pytestmark = pytest.mark.timeout(360)


async def until(holds: Callable[[], Awaitable[Any]], what: str, limit: float = 120) -> Any:
    """Waits for a true answer and returns it."""
    end = asyncio.get_running_loop().time() + limit
    while not (found := await holds()):
        assert asyncio.get_running_loop().time() < end, f"after {limit:.0f} s still not: {what}"
        await asyncio.sleep(0.05)
    return found


class Site(Protocol):
    """The running system. One of its consumers can be held back."""

    def client(self, service: str, *roles: str, unit: str = "county", person: str = "") -> httpx.AsyncClient: ...

    def held(self, service: str) -> contextlib.AbstractAsyncContextManager[Runtime]:
        """Stops a service's consumer and gives the service, for `sites.take`. At the end the consumer goes on."""
        ...

    async def check(self) -> None: ...


class Gate:
    """A gate before a service's consumer.

    Open, it lets records in. `idle` is set once a closed gate has stopped the consumer.
    """

    def __init__(self) -> None:
        self.open, self.idle = asyncio.Event(), asyncio.Event()
        self.open.set()


class InProcess:
    """Embedded, in this process."""

    def __init__(self, here: Embedded, gates: dict[str, Gate]) -> None:
        self.here, self.gates = here, gates

    def client(self, service: str, *roles: str, unit: str = "county", person: str = "") -> httpx.AsyncClient:
        return self.here.client(self.here.token(unit, *roles, person=person))

    @contextlib.asynccontextmanager
    async def held(self, service: str) -> AsyncIterator[Runtime]:
        await self.here.settle()
        gate = self.gates[service]
        gate.open.clear()
        await gate.idle.wait()
        try:
            yield self.here.runtimes[service]
        finally:
            gate.open.set()

    async def check(self) -> None:
        await self.here.settle()
        seen = {name: checks.Store.of(made) for name, made in self.here.runtimes.items()}
        found = await checks.check(seen, self.here.log)
        assert found.ok, found.faults


class Processes:
    """Five services over Kafka and PostgreSQL."""

    def __init__(self, world: DeployedWorld) -> None:
        self.world = world

    def client(self, service: str, *roles: str, unit: str = "county", person: str = "") -> httpx.AsyncClient:
        bearer = {"Authorization": f"Bearer {self.world.token(*roles, unit=unit, person=person)}"}
        return httpx.AsyncClient(base_url=self.world.url(service), headers=bearer, timeout=20, verify=NO_CERTIFICATES)

    @contextlib.asynccontextmanager
    async def held(self, service: str) -> AsyncIterator[Runtime]:
        self.world.end(f"{service}.consumer")
        try:
            async with sites.by_hand(self.world, service) as runtime:
                yield runtime
        finally:
            self.world.start(f"{service}.consumer")

    async def check(self) -> None:
        await asyncio.to_thread(self.world.check)


@pytest.fixture(params=["embedded", pytest.param("deployed", marks=[pytest.mark.kafka, pytest.mark.postgres])])
async def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    if request.param == "deployed":
        yield Processes(request.getfixturevalue("deployed_world"))
        return
    gates: dict[str, Gate] = {}
    consume = process.consume

    async def gated(runtime: Runtime) -> None:
        """Consumes while the service's gate is open."""
        gate = gates.setdefault(runtime.service.name, Gate())
        while True:
            await gate.open.wait()
            gate.idle.clear()
            consuming = asyncio.create_task(consume(runtime))
            try:
                while gate.open.is_set():
                    await asyncio.wait([consuming], timeout=0.02)
                    if consuming.done():
                        consuming.result()
            finally:
                consuming.cancel()
                await asyncio.gather(consuming, return_exceptions=True)
                gate.idle.set()

    monkeypatch.setattr(process, "consume", gated)
    async with embedded.running(embedded.Settings(data=tmp_path / "data")) as here:
        yield InProcess(here, gates)


async def ask(client: httpx.AsyncClient, method: str, path: str, wanted: int = 200, **request: Any) -> dict[str, Any]:
    answer = await client.request(method, path, **request)
    assert answer.status_code == wanted, answer.text
    return dict(answer.json())


async def posted(site: Site, text: str) -> str:
    async with site.client("ingest", "duty_officer") as client:
        return str((await ask(client, "POST", "/ingest/v1/reports", 201, json=report(text)))["report_id"])


async def incident(site: Site, report_id: str) -> str:
    async with site.client("triage", "duty_officer") as client:

        async def found() -> list[dict[str, Any]]:
            page = await ask(client, "GET", "/triage/v1/incidents", params={"report_id": report_id})
            return list(page["items"])

        return str((await until(found, f"triage has {report_id}"))[0]["id"])


async def verb(
    site: Site, id_: str, name: str, body: dict[str, Any], *roles: str, version: int | None = None
) -> httpx.Response:
    async with site.client("triage", *roles) as client:
        if version is None:
            version = (await ask(client, "GET", f"/triage/v1/incidents/{id_}"))["version"]
        return await client.post(f"/triage/v1/incidents/{id_}/{name}", json=body, headers={"If-Match": str(version)})


async def sent(runtime: Runtime) -> None:
    """Waits until a service's relay has sent everything."""
    await until(Relay(runtime).is_empty, f"{runtime.service.name} has sent everything")


@contextlib.asynccontextmanager
async def beside(site: Site, service: str) -> AsyncIterator[Runtime]:
    """A running service's store and log."""
    if isinstance(site, InProcess):
        yield site.here.runtimes[service]
    else:
        assert isinstance(site, Processes)
        async with sites.by_hand(site.world, service) as runtime:
            yield runtime


# the answer comes before the grading


async def answer(site: Site, id_: str, graded: int) -> None:
    """A statement of status, all the way to the bulletin. Publish has seen the incident up to the version `graded`."""
    async with site.client("publish", "handler", person="writer") as client:
        body = {"incident_id": id_, "kind": "status", "title": "Under way", "text": "We look into it."}

        async def drafted() -> dict[str, Any] | None:
            made = await client.post("/publish/v1/statements", json=body, headers={"Huiying-After": f"{id_}@{graded}"})
            return dict(made.json()) if made.status_code == 201 else None

        statement = await until(drafted, "publish knows the incident and its grade")
    path, version = f"/publish/v1/statements/{statement['id']}", statement["version"]
    for role, act in (
        ("handler", "submit"),
        ("approver", "approve"),
        ("chief", "approve"),
        ("spokesperson", "publish"),
    ):
        async with site.client("publish", role, person=f"{role} person") as client:
            done = await client.post(f"{path}/{act}", json={}, headers={"If-Match": str(version)})
        if done.status_code == 200:
            version = done.json()["version"]
        else:
            assert (role, act) == ("chief", "approve"), done.text


async def clocks(runtime: Runtime, id_: str) -> dict[str, str]:
    found = await rows(runtime, "clocks", "incident_id", "clock", "state")
    return {clock: state for of, clock, state in found if of == id_}


async def graded_and_answered(site: Site, text: str) -> str:
    id_ = await incident(site, await posted(site, text))
    done = await verb(site, id_, "grade", {"level": "major", "reason": "grave"}, "duty_officer")
    assert done.status_code == 200, done.text
    await answer(site, id_, done.json()["events"][-1]["version"])
    return id_


@pytest.mark.parametrize("guarded", [True, False])
async def test_an_answer_that_arrives_before_the_grade_meets_its_clock_all_the_same(site: Site, guarded: bool) -> None:
    """With the guard off, the service only listens to answers on matters that it has seen graded.

    It would find a breach.
    """
    async with site.held("escalation") as escalation:
        usual = escalation.service
        early = await graded_and_answered(site, f"early {uuid.uuid4()}")
        natural = await graded_and_answered(site, f"natural {uuid.uuid4()}")
        for owner in ("triage", "publish"):
            async with beside(site, owner) as runtime:
                await sent(runtime)
        if not guarded:
            escalation.service = replace(
                usual, react=lambda event, known: [] if event.kind == "statement" else usual.react(event, known)
            )
        # The keys of the posts and the pack come first. Without them the answer waits, whatever it meets.
        first = ("publish.operation", "triage.policy", "publish.statement")
        for topic in first:
            await sites.take(escalation, topic)
        escalation.service = usual
        assert "met" not in (await clocks(escalation, early)).values(), "nothing is known of the matter yet"
        await sites.take(escalation, *[topic for topic in usual.topics if topic not in first])
        after = await clocks(escalation, early)
    assert after, "the grade started clocks"
    assert ("met" in after.values()) is guarded, after
    if guarded:

        async def alike() -> bool:
            return await clocks_of(site, natural) == await clocks_of(site, early)

        await until(alike, "both orders come to the same clocks")


async def clocks_of(site: Site, id_: str) -> dict[str, str]:
    async with beside(site, "escalation") as runtime:
        return await clocks(runtime, id_)


# erasure


async def contents(runtime: Runtime) -> set[str]:
    return {ref for (ref,) in await rows(runtime, "contents", "ref")}


async def words_of(site: Site, report_id: str) -> set[str]:
    async with beside(site, "ingest") as runtime:
        found = await rows(runtime, "events", "stream_id", "bytes")
        await sent(runtime)
    return {ref for stream, bytes_ in found if stream == report_id for ref in Event.parse(bytes(bytes_)).words.values()}


async def erase(site: Site, report_id: str) -> None:
    async with site.client("ingest", "admin", unit="county") as client:
        body = {"cause": "law", "reason": "by law"}
        await ask(client, "POST", f"/ingest/v1/reports/{report_id}/erase", json=body)
    async with beside(site, "ingest") as runtime:
        await sent(runtime)


ERASE = Session.erase


async def erases_nothing(session: Session, *refs: Any, **more: Any) -> None:
    """With triage's guard off, its words stay and there is no marker. Other services of the process keep theirs."""
    if session.service.name != "triage":
        await ERASE(session, *refs, **more)


async def records(runtime: Runtime, topic: str) -> dict[Partition, list[Record]]:
    """The records of a topic beyond the service's offsets."""
    work, found = unit_of_work(runtime), dict[Partition, list[Record]]()
    ends = await runtime.log.ends([topic])
    for partition, start in (await work.offsets(list(ends))).items():
        async for batch in runtime.log.read(partition, start, ends[partition]):
            found.setdefault(partition, []).extend(batch)
    return found


@pytest.mark.parametrize("guarded", [True, False])
async def test_an_erasure_that_overtakes_its_words_wins(
    site: Site, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.held("triage") as triage:
        id_ = await posted(site, f"words to go {uuid.uuid4()}")
        refs = await words_of(site, id_)
        in_flight = await records(triage, "ingest.content")
        await erase(site, id_)
        with monkeypatch.context() as patch:
            if not guarded:
                patch.setattr(Session, "erase", erases_nothing)
            await sites.take(triage, "ingest.report")
        for batch in in_flight.values():
            await unit_of_work(triage).handle(batch)
        held = await contents(triage) & refs
        assert refs
        assert held == (set() if guarded else refs)
        await repair(triage, refs)
    await incident(site, id_)
    await site.check()


async def repair(runtime: Runtime, refs: set[str]) -> None:
    """After a run with the guard off, does the missing work, so that the next test finds a sound system."""
    async with runtime.database.transaction() as connection:
        session = Session(runtime.service, runtime.settings, connection, runtime.time_source.now())
        await session.erase(sorted(refs), announce=False)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_service_down_for_longer_than_the_tombstone_lives_erases_all_the_same(
    site: Site, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words and tombstone are both gone from the compacted topic. Only `report.erased` still tells of the erasure."""
    words = f"long gone {uuid.uuid4()}"
    id_ = await posted(site, words)
    refs = await words_of(site, id_)
    async with beside(site, "triage") as runtime:

        async def arrived() -> bool:
            return await contents(runtime) >= refs

        await until(arrived, "triage holds the words")
    await incident(site, id_)
    assert await places(site, words)
    async with site.held("triage") as triage:
        await erase(site, id_)
        await forget(site, triage, refs)
        with monkeypatch.context() as patch:
            if not guarded:
                patch.setattr(Session, "erase", erases_nothing)
            await sites.take(triage, "ingest.content", "ingest.report")
        assert await contents(triage) & refs == (set() if guarded else refs)
        await repair(triage, refs)
    later = await posted(site, f"later {uuid.uuid4()}")
    await incident(site, later)
    await site.check()
    assert await places(site, words) == []


async def places(site: Site, words: str) -> list[str]:
    """Where a deployment keeps these words: tables, topics, files, logs of processes."""
    if isinstance(site, InProcess):
        return list(everywhere.in_files(site.here.settings.data, [words]))
    assert isinstance(site, Processes)
    found = list(everywhere.in_files(site.world.folder, [words]))
    for service in catalogue.SERVICES:
        async with beside(site, service) as runtime:
            found += [place async for place in everywhere.in_tables(runtime.database, words)]
            if service == "audit":
                found += [place async for place in everywhere.in_topics(runtime.log, words)]
    return found


def _delete(path: Path, refs: set[str]) -> None:
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as log, log:
        log.executemany(
            "delete from records where topic = 'ingest.content' and key = ?", [(ref.encode(),) for ref in refs]
        )


async def forget(site: Site, triage: Runtime, refs: set[str]) -> None:
    """Lets the content topic forget these keys, as compaction does after the tombstone's time."""
    if isinstance(site, InProcess):
        # In a thread: this process's holder of the file's lock needs the loop to let it go.
        await asyncio.to_thread(_delete, site.here.settings.data / "log.sqlite", refs)
        return
    assert isinstance(site, Processes)
    world = site.world
    topic = f"{world.prefix}.ingest.content"
    swift = {
        "segment.ms": "50",
        "min.cleanable.dirty.ratio": "0.001",
        "max.compaction.lag.ms": "1",
        "delete.retention.ms": "1",
    }
    admin = AIOKafkaAdminClient(bootstrap_servers=world.environment["HUIYING_KAFKA"])
    await admin.start()
    try:
        (broker,) = (await admin.describe_cluster())["brokers"]
        number = str(broker["node_id"])
        often = {"log.cleaner.backoff.ms": "100"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, number, often)])
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {**CONTENT_CONFIG, **swift})])

        async def gone() -> bool:
            await posted(site, f"rolls the segment {uuid.uuid4()}")
            held = [record.key for found in (await whole(triage, "ingest.content")).values() for record in found]
            return not {ref.encode() for ref in refs} & set(held)

        await until(gone, "compaction took words and tombstones away", 150)
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, CONTENT_CONFIG)])
        await admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, number, {})])
    finally:
        await admin.close()


async def whole(runtime: Runtime, topic: str) -> dict[Partition, list[Record]]:
    found: dict[Partition, list[Record]] = {}
    for partition, end in (await runtime.log.ends([topic])).items():
        async for batch in runtime.log.read(partition, 0, end):
            found.setdefault(partition, []).extend(batch)
    return found


# officers


async def test_two_opposite_merges_at_once_end_in_one(site: Site) -> None:
    for _ in range(5):
        ids = [await incident(site, await posted(site, f"{uuid.uuid4()} {n}")) for n in "ab"]
        assert ids[0] != ids[1]
        both = await asyncio.gather(
            verb(site, ids[0], "merge", {"into": ids[1]}, "chief", version=0),
            verb(site, ids[1], "merge", {"into": ids[0]}, "chief", version=0),
        )
        statuses = sorted(answer.status_code for answer in both)
        assert statuses[0] == 200, [answer.text for answer in both]
        assert statuses[1] in (409, 412), [answer.text for answer in both]
    await site.check()


async def test_an_officer_on_a_stale_page_is_told_so_and_nothing_is_recorded(site: Site) -> None:
    id_ = await incident(site, await posted(site, f"stale {uuid.uuid4()}"))
    first = await verb(site, id_, "grade", {"level": "general", "reason": "small"}, "duty_officer", version=0)
    assert first.status_code == 200
    async with beside(site, "triage") as triage:
        before = await rows(triage, "events", "event_id")
        stale = await verb(site, id_, "grade", {"level": "major", "reason": "grave"}, "duty_officer", version=0)
        assert stale.status_code == 412
        assert stale.json()["version"] == first.json()["version"]
        assert await rows(triage, "events", "event_id") == before
    attached = await posted(site, f"another matter {uuid.uuid4()}")
    await incident(site, attached)
    again = await verb(
        site, id_, "grade", {"level": "major", "reason": "grave"}, "duty_officer", version=stale.json()["version"]
    )
    assert again.status_code == 200


# two relays


@pytest.mark.kafka
@pytest.mark.postgres
async def test_c20_relays_without_the_lock_keep_the_order_of_first_occurrence(deployed_world: DeployedWorld) -> None:
    """Two more relays beside the one that leads. Records are repeated, never lost or out of order.

    Each relay that begins takes the topics from the others, which then begin anew.
    """
    site = Processes(deployed_world)
    stop = asyncio.Event()

    async def relay() -> None:
        async with sites.by_hand(deployed_world, "ingest") as runtime:
            while not stop.is_set():
                with contextlib.suppress(LogGone):
                    await Relay(runtime).drain()

    async def load() -> str:
        async with site.client("ingest", "duty_officer", unit="town-east") as client:
            id_ = await posted(site, f"doubled {uuid.uuid4()}")
            for clicks in (1, 2, 3):
                body = {"measured_at": "2026-01-05T10:00:00+08:00", "clicks": clicks}
                await ask(client, "POST", f"/ingest/v1/reports/{id_}/reach", json=body)
        return id_

    async def copies() -> Counter[tuple[str, int]]:
        async with sites.by_hand(deployed_world, "ingest") as runtime:
            seen: Counter[tuple[str, int]] = Counter()
            for found in (await whole(runtime, "ingest.report")).values():
                for record in found:
                    event = Event.parse(record.value)
                    if event.version > 1:
                        assert seen[event.stream, event.version - 1], f"{event.stream}: {event.version} came first"
                    seen[event.stream, event.version] += 1
            return seen

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(relay())
        reports: list[str] = []
        try:
            for _ in range(20):
                reports += await asyncio.gather(*[load() for _ in range(4)])
                if max((await copies()).values()) > 1:
                    break
        finally:
            stop.set()
    async with sites.by_hand(deployed_world, "ingest") as runtime:
        await sent(runtime)
    seen = await copies()
    assert max(seen.values()) > 1, "the relays never met"
    assert {(id_, version) for id_ in reports for version in (1, 2, 3, 4)} <= set(seen)
    for id_ in reports:
        await incident(site, id_)
    await site.check()
