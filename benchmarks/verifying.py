"""What it costs to find whether a pasted text was published, among 100,000 statements, on both databases.

They have six patterns, which is hard: those of one pattern share most of their words. The floor beside it is the
reading of as many texts by their ids as are compared. `python -m benchmarks.verifying --on SQLite` measures one
database.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, cast

from sqlalchemy import text

from benchmarks import rig
from benchmarks.matching import KINDS
from benchmarks.measure import Figure, percentile, table
from services.kernel.core.ids import derived
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log import EventLog
from services.kernel.delivery.runtime import Runtime
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.kernel.store.sql import insert
from services.publish.app import SERVICE
from services.publish.bulletin import queries
from services.publish.verifying import finding, likeness
from services.publish.views import LIKENESSES, releases, statements
from tests.kit import circulating, substrate
from tests.kit.circulating import Notice

STATEMENTS, ASKED, SEED, PART = 100_000, 200, 45, 1_000
AT = "2026-03-02T01:00:00.000000Z"


@asynccontextmanager
async def publish(kind: str) -> AsyncIterator[Runtime]:
    """Publish on an empty database of a kind."""
    template = substrate.new_databases("verifying", rig.postgres(), ("publish",)) if kind == "PostgreSQL" else ""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(template.format(service="publish") if template else Path(folder) / "publish.sqlite")
        settings = Settings(data=Path(folder), database=template)
        runtime = Runtime(SERVICE, settings, database, TimeSource(), cast(EventLog, None), b"only-for-measuring-" * 4)
        try:
            async with database.transaction() as connection:
                await connection.run_sync(SERVICE.metadata.create_all)
            yield runtime
        finally:
            await database.close()
            if template:
                substrate.drop_databases(template)


def id_of(at: int) -> str:
    """The statement at a place."""
    return f"statement-{derived('circulating', str(at))}"


async def fill(runtime: Runtime, number: int) -> None:
    """Writes statements straight into the tables, with the rows that their events would give."""
    defaults: dict[type, Any] = {int: 0, str: "", bool: False}
    empty = {one.name: None if one.nullable else defaults[one.type.python_type] for one in statements.columns}
    notices: Iterator[tuple[int, Notice]] = enumerate(circulating.notices(number, SEED))
    while part := list(islice(notices, PART)):
        rows: dict[Any, list[dict[str, Any]]] = {statements: [], releases: [], LIKENESSES: []}
        for at, (title, said) in part:
            told = {"title": title, "text": said}
            public = {"published_at": AT, "updated_at": AT, "state": "published", "unit": "town-east", "kind": "status"}
            rows[statements].append({**empty, **told, **public, "id": id_of(at), "incident_id": id_of(at)})
            release = {"statement_id": id_of(at), "version": 2, "kind": "publication", "at": AT, "reason": None}
            rows[releases].append(release | told)
            numbers = [*likeness.found_by(said), likeness.whole(f"{title}\n{said}")]
            rows[LIKENESSES] += [{"number": one, "statement_id": id_of(at)} for one in dict.fromkeys(numbers)]
        async with runtime.database.transaction() as connection:
            for of_table, lines in rows.items():
                await insert(connection, of_table, lines)
    if not runtime.database.is_sqlite:
        async with runtime.database.read() as connection:
            await connection.execute(text("vacuum analyze"))


async def measure(runs: int, number: int = STATEMENTS) -> list[Figure]:
    """The figures of both databases."""
    return [figure for kind in KINDS for figure in await at_scale(kind, number)]


async def at_scale(kind: str, number: int) -> list[Figure]:
    """Forged and exact texts against so many statements, one after the other: milliseconds."""
    random, places = Random(SEED), Random(SEED)
    async with publish(kind) as runtime:
        await fill(runtime, number)
        chosen = sorted(places.sample(range(number), min(ASKED, number)))
        notices = [one for at, one in enumerate(circulating.notices(number, SEED)) if at in set(chosen)]
        forged, exact, floor, right = list[float](), list[float](), list[float](), 0
        for at, notice in zip(chosen, notices, strict=True):
            async with runtime.database.read() as connection:
                begun = time.perf_counter()
                found = await finding.find(connection, circulating.forged(notice.text, random).text)
                forged.append((time.perf_counter() - begun) * 1000)
                assert not found.exact, "a forged text was taken for published"
                right += bool(found.near) and found.near[0].statement == id_of(at)
                begun = time.perf_counter()
                same = await finding.find(connection, notice.text)
                exact.append((time.perf_counter() - begun) * 1000)
                assert same.exact, "a published text was not found"
                begun = time.perf_counter()
                ids = [id_of(places.randrange(number)) for _ in range(finding.CANDIDATES)]
                await queries.public_releases(connection, ids)
                floor.append((time.perf_counter() - begun) * 1000)
    name = f"{kind}, {number:,} statements"
    return [
        *took(f"{name}: a forged text", forged, floor),
        *took(f"{name}: a published text", exact, floor),
        Figure(f"{name}: the imitated statement first", "%", 100 * right / len(forged), 95, at_least=True),
    ]


def took(name: str, each: Sequence[float], floor: Sequence[float]) -> list[Figure]:
    """The median beside the floor of the same run, and the slowest of a hundred."""
    least = statistics.median(floor)
    return [
        Figure(f"{name}: median", "ms", statistics.median(each), 200, least, None, "reading 24 texts"),
        Figure(f"{name}: 99 %", "ms", percentile(each, 0.99), 200),
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verifying", description=__doc__)
    parser.add_argument("--on", default="SQLite", choices=KINDS)
    parser.add_argument("--statements", type=int, default=STATEMENTS)
    chosen = parser.parse_args()
    try:
        print(table(asyncio.run(at_scale(chosen.on, chosen.statements))))
    finally:
        rig.close()


if __name__ == "__main__":
    main()
