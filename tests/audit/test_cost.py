"""What is asked of a large record costs what belongs to it: the rows that the database reads, counted."""

import pytest
from sqlalchemy import text

from services.audit.matters import listing
from services.audit.matters.listing import Wanted
from services.audit.queries import Axes, Filters, events
from tests.audit.world import World
from tests.kit.plans import asked, plans, read_rows

MANY = 20_000
AXES = Axes(10**6)
TABLES = ("timeline", "links", "marks", "named")
FILLED = """
create temporary table numbers as
with recursive them as (select 1000 as n union all select n + 1 from them where n < 1000 + {many}) select n from them;
insert into timeline select n, 'id-' || n, 'digest-' || n, 'huiying.incident.handling_recorded.v1', 'incident-' || n, 1,
'{at}', '{at}', 'town-east', 'system', 'incident-' || n, 'triage.events', {bytes} from numbers;
insert into links select 'incident-' || n, 'incident-' || n, n from numbers;
insert into marks select n, kind, value, 'incident-' || n, 1, '{at}', '{at}' from (
select n, 'opened' as kind, 'no-' || n as value from numbers union all select n, 'part',
case n % 10 when 0 then 'town-east' when 1 then 'town-west' else 'county' end from numbers
) as both_ order by n;
analyze"""


@pytest.fixture
async def large(world: World) -> World:
    """Matters of three units by the thousand, each with its number and one event."""
    filled = FILLED.format(many=MANY, at="2026-03-02T09:00:00.000000Z", bytes="''::bytea" if world.database else "x''")
    async with world.runtime.database.transaction(fenced=False) as connection:
        for one in filled.split(";"):
            await connection.execute(text(one))
    return world


async def read(world: World, questions: list[str]) -> int:
    """How many rows PostgreSQL reads for these queries. On SQLite, how many it reads by walking whole tables."""
    if world.database:
        return await read_rows(world.runtime.database, questions)
    found = await plans(world.runtime.database, questions)
    return MANY * sum(f"SCAN {table}" in plan for plan in found for table in TABLES)


async def test_what_is_asked_of_one_matter_or_unit_costs_what_belongs_to_it(large: World) -> None:
    units = frozenset({"town-east", "town-west"})
    async with large.runtime.database.read() as connection:
        with asked() as of_a_matter:
            one = Filters(incident=f"incident-{MANY // 2}")
            found, _ = await events(connection, one, AXES.size, after=None, limit=100, units=None)
        with asked() as by_number:
            for reads in (None, units):
                await listing.page(connection, Wanted(number=f"no-{MANY // 2}"), AXES, reads, None, 100)
        with asked() as of_a_unit:
            await listing._own(connection, Wanted(), AXES, units)
    assert len(found) == 1
    assert await read(large, of_a_matter) < 20
    assert await read(large, by_number) < 20
    assert await read(large, of_a_unit) <= listing.FEW + 1
