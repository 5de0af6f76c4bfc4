"""Reports of one matter at once, under every isolation level that may be a database's default."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from services.kernel.delivery.log import Record
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.settings import Settings
from services.kernel.store import database
from services.kernel.store.database import Database
from services.kernel.store.numbers import Counters
from tests.kit import substrate
from tests.kit.stores import rows
from tests.triage.conftest import made, used

pytestmark = pytest.mark.postgres
PAIRS = 15
ROUNDS = 40
"""Two workers meet this often. Once at least, the missing guard is noticed."""
LEVELS = ("read uncommitted", "read committed", "repeatable read", "serializable")


def by_default(template: str, **settings: str) -> str:
    """Gives triage's database other defaults. Returns its address."""
    with psycopg.connect(substrate.plain_url(template, "triage"), autocommit=True) as connection:
        name = connection.info.dbname
        for setting, value in settings.items():
            connection.execute(f"alter database \"{name}\" set {setting} = '{value}'")
    return template.format(service="triage")


@pytest.mark.parametrize(("level", "set_by_code"), [*((level, True) for level in LEVELS), ("repeatable read", False)])
async def test_a_matter_gets_one_incident_whatever_the_databases_default(
    postgres_databases: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, set_by_code: bool
) -> None:
    """If we set no level, a default of `repeatable read` gives a matter two incidents."""
    if not set_by_code:
        monkeypatch.setattr(database, "ISOLATION", None)
        # The two incidents would claim the same number, which is noticed in any case.
        monkeypatch.setattr(Counters, "claims", lambda _: [])
    url = by_default(postgres_databases, default_transaction_isolation=level)
    settings = Settings(data=tmp_path, database=postgres_databases)
    async with made(Database(url), settings) as runtime, used(runtime) as triage:

        async def take(worker: int, start: int) -> None:
            work = UnitOfWork(runtime)
            for number in range(start, start + PAIRS):
                event = triage.report(f"{worker} of {number}", match_key=str(number))
                await work.handle([Record(event.topic, worker, number, b"key", event.bytes)])

        for start in range(0, PAIRS * (1 if set_by_code else ROUNDS), PAIRS):
            await asyncio.gather(take(0, start), take(1, start))
            assert await rows(runtime, "dead_letters") == []
            doubled = len(await rows(runtime, "incidents", "id")) - start - PAIRS
            if doubled:
                break
        assert bool(doubled) is not set_by_code


async def test_what_is_answered_is_durable_whatever_the_databases_default(postgres_databases: str) -> None:
    found = Database(by_default(postgres_databases, synchronous_commit="off"))
    async with found.transaction() as connection:
        assert (await connection.execute(text("show synchronous_commit"))).scalar_one() == "on"
    await found.close()
