"""How often a client of aiokafka looks for its brokers.

If nobody answered, or the answer names no leader, aiokafka asks again at once. While a broker is down, that costs half
a core, and a log line each time.
"""

import asyncio
import time
from typing import Any

from aiokafka.client import AIOKafkaClient

FIRST, LONGEST = 0.1, 1.0
"""Seconds from one look to the next: the least, and the most while nobody answers."""


def keep_pace(client: AIOKafkaClient) -> None:
    """Makes this client wait between two looks. aiokafka has no setting for it."""
    look = client._metadata_update  # noqa: SLF001
    ended, pause = 0.0, FIRST

    async def after_a_pause(cluster: Any, topics: Any) -> bool:
        nonlocal ended, pause
        await asyncio.sleep(ended + pause - time.monotonic())
        found: bool = await look(cluster, topics)
        ended, pause = time.monotonic(), FIRST if found else min(pause * 2, LONGEST)
        return found

    client._metadata_update = after_a_pause  # noqa: SLF001
