"""The offices as a process keeps them: read again when something was recorded, begins or ends, and not before."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from schemas.fields import instant
from services.kernel.core.units import Offices
from services.kernel.delivery import runtime
from services.kernel.store import offices
from tests.ingest.conftest import Ingest, running


@pytest.fixture(autouse=True)
def _asks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "OFFICES_FRESH", -1.0)


@pytest.fixture
async def ingest(tmp_path: Path) -> AsyncIterator[Ingest]:
    async with running(tmp_path, tmp_path / "ingest.sqlite") as service:
        yield service


async def known(ingest: Ingest) -> Offices:
    async with ingest.runtime.database.read() as connection:
        return await ingest.runtime.offices(connection)


async def test_what_another_process_recorded_is_read(ingest: Ingest) -> None:
    before = await known(ingest)
    assert await known(ingest) is before, "nothing was recorded"
    units = ingest.runtime.tables["units"]
    async with ingest.runtime.database.transaction() as connection:
        await connection.execute(
            update(units).where(units.c.unit == "town-east").values(name="东镇街道", version=units.c.version + 1)
        )
    assert (await known(ingest)).units["town-east"].name == "东镇街道"


async def test_what_ends_and_what_begins_counts_from_its_instant_on(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = ingest.runtime.time_source.now()
    posts, hour = ingest.runtime.tables["posts"], timedelta(hours=1)
    async with ingest.runtime.database.transaction() as connection:
        east = update(posts).where(posts.c.unit == "town-east")
        later = {"version": posts.c.version + 1}
        await connection.execute(east.where(posts.c.code == "chief").values(until=instant(now + hour), **later))
        await connection.execute(east.where(posts.c.code == "handler").values(since=instant(now + 2 * hour), **later))

    async def posts_at(at: timedelta) -> tuple[bool, bool]:
        monkeypatch.setattr(ingest.runtime.time_source, "now", lambda: now + at)
        found = (await known(ingest)).posts["town-east"]
        return "chief" in found, "handler" in found

    assert await posts_at(timedelta()) == (True, False)
    assert await posts_at(hour - timedelta(microseconds=1)) == (True, False)
    assert await posts_at(hour) == (False, False)
    assert await posts_at(2 * hour) == (False, True)
    assert await posts_at(timedelta()) == (True, False), "a clock that was set back"


async def test_what_this_process_records_while_the_offices_are_read_is_seen_at_once(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "OFFICES_FRESH", 3600.0)
    read, units = offices.snapshot, ingest.runtime.tables["units"]

    async def slowly(*asked: Any) -> offices.Snapshot:
        found = await read(*asked)
        async with ingest.runtime.database.transaction() as connection:
            east = update(units).where(units.c.unit == "town-east")
            await connection.execute(east.values(name="东镇街道", version=units.c.version + 1))
        ingest.runtime.offices_changed()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(offices, "snapshot", slowly)
        ingest.runtime.offices_changed()
        await known(ingest)
    assert (await known(ingest)).units["town-east"].name == "东镇街道"
