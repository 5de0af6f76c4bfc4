"""Databases that are cut off while committing, stopped, or full (C18): 503 meanwhile, nothing lost, all goes on by
itself.
"""

import contextlib
import os
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from deploy.native import Postgres
from services.apps import embedded
from services.kernel.store.database import Database
from tests.delivery import sites
from tests.delivery.sites import SupervisedWorld
from tests.kit import stack, substrate
from tests.kit.stack import World, report, until
from tests.kit.stores import rows

pytestmark = pytest.mark.timeout(360)
LARGE = "字" * 30_000
"""A text of 90 kB, which fills the disk quickly."""
COMMIT_TAKES = 10_000
"""Microseconds that a COMMIT waits before its flush, so that cuts come inside it."""
CUTS = 25


class Disk:
    """A small file system in memory that a test can fill and free."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        """Fills it."""
        with self._filler.open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"\0" * 65536):
                pass

    def free(self) -> None:
        self._filler.unlink()


@contextlib.contextmanager
def disk(path: Path, megabytes: int) -> Iterator[Disk]:
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(path)], check=True)
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with substrate.private_postgres() as made:
        yield made


@pytest.fixture(scope="module")
def room(server: Postgres) -> Iterator[Disk]:
    """The disk of ingest's database."""
    with disk(server.data / "small", 48) as made:
        if os.geteuid() == 0:
            shutil.chown(made.path, "postgres", "postgres")
        yield made
        server.stop()


@pytest.fixture(scope="module")
def world(server: Postgres, room: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedWorld]:
    template = substrate.new_databases("databases", server=server.url)
    name = psycopg.conninfo.conninfo_to_dict(substrate.plain_url(template, "ingest"))["dbname"]
    with psycopg.connect(server.url, autocommit=True) as connection:
        place = room.path / "tablespace"
        place.mkdir()
        if os.geteuid() == 0:
            shutil.chown(place, "postgres", "postgres")
        connection.execute(f"create tablespace small location '{place}'")
        connection.execute(f'alter database "{name}" set tablespace small')
    with sites.supervised(tmp_path_factory.mktemp("databases"), template, substrate.kafka()) as made:
        yield made


def refused(answer: httpx.Response) -> bool:
    """Whether the answer is the 503 on which a client can act. Other failures are defects."""
    assert answer.status_code in (200, 201, 503), answer.text
    if answer.status_code != 503:
        return False
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"
    return True


def taken(world: World, text: str) -> str:
    """The id of a report. Waits until it is accepted."""
    return str(until(lambda: not refused(r := world.post(text)) and r.json()["report_id"], "intake resumes"))


@pytest.mark.kafka
@pytest.mark.postgres
def test_c18_backends_cut_off_while_committing_lose_and_double_nothing(
    world: SupervisedWorld, server: Postgres
) -> None:
    """The client cannot know whether its commit stands. Its key makes the repetition safe in both cases."""
    answers: dict[str, list[httpx.Response]] = {}
    stop = threading.Event()

    def load() -> None:
        with world.integration() as client:
            while not stop.is_set():
                key = uuid.uuid4().hex
                answers[key] = [client.post("/ingest/v1/reports", json=report(key), headers={"Idempotency-Key": key})]

    world.integration().close()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"alter system set commit_delay = {COMMIT_TAKES}")
        connection.execute("alter system set commit_siblings = 0")
        connection.execute("select pg_reload_conf()")
        loader = threading.Thread(target=load)
        loader.start()
        cut = 0
        end = time.monotonic() + 60
        while cut < CUTS and time.monotonic() < end:
            cut += len(
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname like 'databases_%' "
                    "and state = 'active' and query ilike 'commit%'"
                ).fetchall()
            )
            time.sleep(0.02)  # looks for a committing backend fifty times a second
        stop.set()
        loader.join(30)
        connection.execute("alter system reset commit_delay")
        connection.execute("alter system reset commit_siblings")
        connection.execute("select pg_reload_conf()")
    assert cut >= CUTS
    assert not loader.is_alive()
    with world.integration() as client:
        for key, given in answers.items():
            again = until(
                lambda key=key: (
                    not refused(  # type: ignore[misc]
                        r := client.post("/ingest/v1/reports", json=report(key), headers={"Idempotency-Key": key})
                    )
                    and r
                ),
                "the repetition is taken",
            )
            if not refused(given[0]):
                assert again.json() == given[0].json()
            given.append(again)
    ids = [given[1].json()["report_id"] for given in answers.values()]
    assert len(set(ids)) == len(ids)
    for id_ in ids[-3:]:
        world.incident(id_)
    world.check()
    received = [event["subject"] for event in world.events(type="huiying.report.received.v1")]
    assert sorted(received) == sorted(ids), "each report once, and none that nobody was told of"


@pytest.mark.kafka
@pytest.mark.postgres
def test_c18_a_server_that_is_stopped_and_started_is_found_again_by_every_service(
    world: SupervisedWorld, server: Postgres
) -> None:
    world.incident(taken(world, "before the stop"))
    server.stop()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        assert refused(world.post("while the database is gone"))
        for service, path in {
            "triage": "/triage/v1/incidents",
            "escalation": "/escalation/v1/clocks",
            "publish": "/publish/v1/statements",
            "audit": "/audit/v1/events",
        }.items():
            with world.client(service, "auditor", unit="city") as client:
                answer = client.get(path)
                assert answer.status_code == 503, f"{service} answers {answer.status_code}: {answer.text}"
            assert world.readiness(service).status_code == 503
    server.start()
    world.incident(taken(world, "after the start"))
    for service in stack.SERVICES:
        until(lambda service=service: world.readiness(service).status_code == 200, f"{service} is ready")  # type: ignore[misc]
    world.check()


@pytest.mark.kafka
@pytest.mark.postgres
def test_c18_a_full_tablespace_refuses_and_goes_on_when_there_is_room(world: SupervisedWorld, room: Disk) -> None:
    refuses_while_full(world, room)


def test_c18_embedded_on_a_full_disk_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with (
        disk(tmp_path / "small", 48) as room,
        stack.embedded(tmp_path / "world", HUIYING_DATA=str(room.path / "data")) as world,
    ):
        refuses_while_full(world, room)


def refuses_while_full(world: World, room: Disk) -> None:
    kept = [taken(world, "while there is room")]
    world.incident(kept[0])
    room.fill()
    refusal = None
    for number in range(600):
        answer = world.post(f"{number} {LARGE}")
        if not refused(answer):
            kept.append(answer.json()["report_id"])
        elif "no room left" in (refusal := answer).json()["detail"]:
            break  # a connection that was lost before gives another reason, for one request
    assert refusal is not None, "the disk never filled"
    assert "no room left" in refusal.json()["detail"], refusal.text
    room.free()
    kept.append(taken(world, "when there is room again"))
    for id_ in kept[-3:]:
        world.incident(id_)
    world.check()
    received = {event["subject"] for event in world.events(type="huiying.report.received.v1")}
    assert received >= set(kept)


@pytest.mark.parametrize("full", ["ingest", "triage", "audit", "log"])
async def test_c18_a_full_sqlite_file_stops_what_needs_it_and_nothing_else(tmp_path: Path, full: str) -> None:
    """`max_page_count` limits one file to its present size.

    Ingest then refuses; a full consumer or log makes reports wait.
    """
    async with embedded.running(embedded.Settings(data=tmp_path / "data")) as here:
        files: dict[str, Database] = {name: made.database for name, made in here.runtimes.items()}
        files["log"] = here.log._database

        async def pages(count: int | None) -> None:
            async with files[full].transaction() as connection:
                now = (await connection.exec_driver_sql("pragma page_count")).scalar_one()
                await connection.exec_driver_sql(f"pragma max_page_count = {count or now}")

        async with here.client(here.token("county", "duty_officer")) as client:
            assert (await client.post("/ingest/v1/reports", json=report("while there is room"))).status_code == 201
            await here.settle()
            await pages(None)
            answers = [await client.post("/ingest/v1/reports", json=report(f"{n} {LARGE}")) for n in range(30)]
            if full == "ingest":
                assert refused(answers[-1])
                assert "no room left" in answers[-1].json()["detail"]
            else:
                assert {answer.status_code for answer in answers} == {201}
                with pytest.raises(TimeoutError):
                    await here.settle(1)
            await pages(2**30)
            assert (await client.post("/ingest/v1/reports", json=report("room again"))).status_code == 201
            await here.settle()
            kept = [answer for answer in answers if answer.status_code == 201]
            for service, table in {"triage": "reports", "audit": "timeline"}.items():
                streams = await rows(here.runtimes[service], table, "report_id" if service == "triage" else "stream_id")
                assert len({id_ for (id_,) in streams if id_.startswith("report-")}) == len(kept) + 2
