"""Audit's tables are built anew from the topics beside the present ones, and exchanged whole or not at all."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from services.audit import rebuilding
from services.audit.rebuilding import _Building, rebuild
from services.kernel.core.ids import derived
from services.kernel.store import beside
from services.kernel.store.beside import NotBuilt
from tests.audit.test_replay import lived, replayed
from tests.kit import substrate
from tests.test_check import System, system

DAMAGE = (
    "update timeline set actor = 'somebody' where position = 3",
    "delete from entries",
    "delete from marks",
    "delete from tree where level = 0",
    "delete from sizes",
)
FORGED = "insert into checkpoints values (3, 'abab', '2026-01-01T00:00:00.000000Z', '')"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def audit(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Where audit keeps its tables: in a file, or at an address of PostgreSQL."""
    if request.param == "sqlite":
        yield None
        return
    template = substrate.new_databases("rebuilt", services=("audit",), with_tables=True)
    yield template.format(service="audit")
    substrate.drop_databases(template)


@pytest.fixture
async def made(tmp_path: Path, audit: str | None) -> AsyncIterator[System]:
    """A system that has worked."""
    async with system(tmp_path, new=True, audit=audit) as system_:
        await lived(system_)
        yield system_


async def damage(made: System, *statements: str) -> None:
    """Changes audit's database as somebody does who may write in it."""
    async with made.runtimes["audit"].database.transaction() as connection:
        for statement in statements:
            assert (await connection.execute(text(statement))).rowcount, f"nothing was damaged: {statement}"


async def kept(made: System) -> dict[str, list[tuple[object, ...]]]:
    """All rows of the tables that are exchanged."""
    audit = made.runtimes["audit"]
    tables = rebuilding.tables_of(audit)
    async with audit.database.read() as connection:
        return {table.name: sorted(tuple(row) for row in await connection.execute(table.select())) for table in tables}


async def test_what_was_damaged_is_as_it_was(made: System) -> None:
    before = await kept(made)
    await damage(made, *DAMAGE)
    assert await kept(made) != before
    built = await rebuild(made.runtimes["audit"])
    assert built.events == len(before["timeline"])
    assert await kept(made) == before
    assert await replayed(made, "audit") == []


async def test_audit_goes_on_from_the_new_tables(made: System) -> None:
    await rebuild(made.runtimes["audit"])
    await made.report(f"report-{derived('rebuilt', 'later')}")
    await made.settle()
    assert await replayed(made, "audit") == []


@pytest.mark.parametrize("times", [1, 2])
async def test_what_comes_in_during_the_building_is_in_the_new_tables(
    made: System, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, round_ = iter(range(times)), _Building.round

    async def then_more(building: _Building) -> None:
        await round_(building)
        for number in left:
            await made.report(f"report-{derived('meanwhile', str(number))}")
            await made.settle()
            break

    monkeypatch.setattr(_Building, "round", then_more)
    monkeypatch.setattr(rebuilding, "SOON", 0.0 if times == 2 else 60.0)
    monkeypatch.setattr(rebuilding, "ROUNDS", 3)
    if times == 2:
        with pytest.raises(NotBuilt, match="3 rounds"):
            await rebuild(made.runtimes["audit"])
    else:
        await rebuild(made.runtimes["audit"])
    assert await replayed(made, "audit") == []


async def test_a_root_that_nobody_signed_is_not_put_in_place(made: System) -> None:
    await damage(made, FORGED)
    before = await kept(made)
    with pytest.raises(NotBuilt, match="the first 3 events, and abab was signed"):
        await rebuild(made.runtimes["audit"])
    assert await kept(made) == before


async def test_topics_that_lack_an_event_are_not_put_in_place(made: System) -> None:
    before = await kept(made)
    with sqlite3.connect(made.folder / "log.sqlite") as log:
        last = "select max(offset) from records r where r.topic = records.topic and r.partition = records.partition"
        assert log.execute(f"delete from records where topic = 'triage.incident' and offset = ({last})").rowcount
    with pytest.raises(NotBuilt, match="huiying check"):
        await rebuild(made.runtimes["audit"])
    assert await kept(made) == before


async def test_one_builds_at_a_time(made: System) -> None:
    audit = made.runtimes["audit"]
    async with beside.place(audit.database):
        with pytest.raises(NotBuilt, match="another process builds"):
            await rebuild(audit)
    await rebuild(audit)
