"""The place of a service's topics: the prefix of their names, and their partitions. A store remembers both.

A stream keeps its order because it is in one partition, which follows from the number of partitions. So that number
never changes under a prefix. A deployment that wants another number, or whose topics somebody widened, moves to a new
prefix, where every event is written again.
"""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.delivery.log import WrongPartitions
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import sql
from services.kernel.store.session import partition_of

PLACED = "topics"
"""The name in `deployment` under which a store keeps prefix and partitions."""


async def keep(runtime: Runtime) -> None:
    """Notes the place of the topics, and moves waiting outbox rows to a new prefix. Only the leader calls it.

    Raises `WrongPartitions` if the number changed without a new prefix.
    """
    prefix, count = _now(runtime)
    async with runtime.database.transaction() as connection:
        known = await _known(runtime, connection)
        if known is None or known[0] != prefix:
            await _move(runtime, connection)
            row = {"name": PLACED, "value": f"{prefix} {count}"}
            await sql.upsert(connection, runtime.tables["deployment"], [row])
        elif known[1] != count:
            raise WrongPartitions(_sentence(runtime, known[1]))


async def compare(runtime: Runtime) -> None:
    """Raises `WrongPartitions` if this process would look for the topics elsewhere than the leader."""
    prefix, count = _now(runtime)
    async with runtime.database.read() as connection:
        known = await _known(runtime, connection)
    if known is not None and known[0] != prefix:
        raise WrongPartitions(
            f"{runtime.service.name}'s API process has HUIYING_PREFIX {known[0]}, this process {prefix}: set both alike"
        )
    if known is not None and known[1] != count:
        raise WrongPartitions(_sentence(runtime, known[1]))


def _now(runtime: Runtime) -> tuple[str, int]:
    settings = runtime.settings
    return "" if settings.embedded else settings.prefix, settings.partitions


async def _known(runtime: Runtime, connection: AsyncConnection) -> tuple[str, int] | None:
    table = runtime.tables["deployment"]
    found = (await connection.execute(select(table.c.value).where(table.c.name == PLACED))).scalar()
    if found is None:
        return None
    prefix, _, count = found.rpartition(" ")
    return prefix, int(count)


async def _move(runtime: Runtime, connection: AsyncConnection) -> None:
    outbox = runtime.tables["outbox"]
    keys = (await connection.execute(select(outbox.c.key, outbox.c.partition).distinct())).all()
    for key, number in keys:
        if (right := partition_of(key, runtime.settings.partitions)) != number:
            await connection.execute(update(outbox).where(outbox.c.key == key).values(partition=right))


def _sentence(runtime: Runtime, count: int) -> str:
    said, name = runtime.settings.partitions, runtime.service.name
    sentence = (
        f"{name} wrote its topics in {count} partitions, and HUIYING_PARTITIONS says {said}: set it back to {count}"
    )
    if runtime.settings.embedded:
        return sentence
    return f"{sentence}. {WrongPartitions.MOVE}"
