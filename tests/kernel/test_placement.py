"""A store remembers the prefix and the number of partitions of its topics."""

from pathlib import Path
from typing import Any

import pytest

from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery import placement
from services.kernel.delivery.log import WrongPartitions
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Caller, execute
from services.kernel.store.session import partition_of
from tests.kit import small
from tests.kit.stores import rows, runtime


def changed(made: Runtime, **settings: Any) -> Runtime:
    """A process of the same service with other settings."""
    there = made.settings.model_copy(update={"database": "somewhere", **settings})
    return Runtime(made.service, there, made.database, made.time_source, made.log, made.secret)


async def test_the_number_of_partitions_never_changes_under_a_prefix(triage: Runtime) -> None:
    first = changed(triage)
    await placement.compare(changed(triage, partitions=9))
    for _ in range(2):
        await placement.keep(first)
        await placement.compare(first)
    for check in (placement.keep, placement.compare):
        with pytest.raises(WrongPartitions, match=r"set it back to 4. .* `huiying resend --lost`"):
            await check(changed(triage, partitions=8))
    await placement.keep(first)
    with pytest.raises(WrongPartitions, match="has HUIYING_PREFIX huiying, this process other: set both alike"):
        await placement.compare(changed(triage, prefix="other"))


async def test_an_embedded_system_has_no_prefix_to_move_to(triage: Runtime) -> None:
    await placement.keep(triage)
    await placement.keep(changed(triage, database="", prefix="other"))
    with pytest.raises(WrongPartitions, match=r"set it back to 4$"):
        await placement.keep(changed(triage, database="", partitions=8))


async def test_what_waits_in_the_outbox_moves_with_the_topics(tmp_path: Path) -> None:
    async with runtime(small.ingest(), tmp_path, "sqlite") as made:
        await placement.keep(changed(made))
        for number in range(12):
            await execute(made, Caller(), f"report-{uuid7()}", small.Receive(str(number)), new=True)
        wider = changed(made, prefix="other", partitions=32)
        await placement.keep(wider)
        found = await rows(made, "outbox", "key", "partition")
        assert len(found) == 36
        assert all(number == partition_of(key, 32) for key, number in found)
        await placement.compare(wider)
        assert await rows(made, "deployment") == [("topics", "other 32")]
