"""The server is killed while a file is being taken in, then the client: sent again, the file is there once."""

import csv
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.kit import stack, substrate
from tests.kit.programs import Program
from tests.kit.stack import CLI, World, until

ROWS = 3_000
RECEIVED = "select count(*) from events where type = 'huiying.report.received.v1'"


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Callable[[], int], str]]:
    """A system, the number of reports in its store, and the process that takes them in."""
    if request.param == "embedded":
        with stack.embedded(tmp_path) as one:

            def in_file() -> int:
                with closing(sqlite3.connect(one.folder / "data" / "ingest.sqlite", timeout=30)) as store:
                    return int(store.execute(RECEIVED).fetchone()[0])

            yield one, in_file, "up"
    else:
        template = substrate.new_databases("imports")
        with stack.deployed(tmp_path, template) as many:
            store = template.format(service="ingest").replace("postgresql+psycopg:", "postgresql:")

            def in_database() -> int:
                with psycopg.connect(store) as connection:
                    return int(connection.execute(RECEIVED).fetchone()[0])  # type: ignore[index]

            yield many, in_database, "ingest.api"


@pytest.mark.requirement("ING-04")
@pytest.mark.parametrize(
    "world",
    ["embedded", pytest.param("deployed", marks=[pytest.mark.chaos, pytest.mark.kafka, pytest.mark.postgres])],
    indirect=True,
)
def test_a_file_whose_server_and_client_were_killed_is_there_once(
    world: tuple[World, Callable[[], int], str], tmp_path: Path
) -> None:
    system, received, part = world
    file, refused, said = tmp_path / "hotline.csv", tmp_path / "refused.csv", tmp_path / "said"
    with file.open("w", newline="", encoding="gb18030") as table:
        writer = csv.writer(table)
        writer.writerow(["工单编号", "来电人", "诉求内容", "受理时间"])
        numbers = (f"H{number}" if number % 2 else "" for number in range(ROWS))
        rows = ([own, "某人", f"第{at}盏路灯不亮", "2026/3/2 9:00"] for at, own in enumerate(numbers))
        writer.writerows([*rows, ["H0", "某人", "时间没有写清", "昨天"]])
    with system.integration() as client:
        key = client.headers["Authorization"].removeprefix("Bearer ")
    address, own = system.url("ingest"), {**system.environment, "HUIYING_KEY": key}
    command = ["import", str(file), "--map", "hotline", "--unit", "town-east", "--at", address]

    def begun() -> Program:
        return Program(CLI, *command, env=own, stdout=said, stderr=said)

    first = begun()
    until(lambda: received() > 500, "some rows are there")
    system.kill(part)
    assert first.wait(60) == 2 and "run the same command again" in said.read_text()
    after_server = received()
    assert 0 < after_server < ROWS
    system.start(part)
    system.ready(part)
    second = begun()
    until(lambda: received() > after_server + 500, "the run goes on")
    second.kill()
    assert second.wait(60) == -9
    with system.client("ingest", "admin", unit="city") as admin:

        def states() -> list[str]:
            return [one["state"] for one in admin.get("/ingest/v1/imports").json()["items"]]

        # What the client had sent to the last byte is taken in to its end.
        until(lambda: states()[0] in ("broken_off", "done"), lambda: f"the second one ended: {states()}")
        third = Program(CLI, *command, "--refused", str(refused), env=own, stdout=said, stderr=said)
        assert third.wait(120) == 1, said.read_text()
        assert received() == ROWS, "none was lost, none doubled"
        assert f"{ROWS + 1:,} rows" in said.read_text() and "1 refused" in said.read_text()
        system.move_clock(600)
        assert states()[::2] == ["done", "broken_off"], "a server that was killed is known by its silence"
    lines = refused.read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 2 and "昨天" in lines[1] and "某人" not in lines[1] and f",{ROWS + 2}," in lines[1]
