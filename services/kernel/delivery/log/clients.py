"""Two habits of aiokafka's clients that it has no setting for.

If nobody answered, or the answer names no leader, aiokafka looks for its brokers again at once. While a broker is down,
that costs half a core, and a log line each time.

At its end a client waits until each broker has said goodbye as TLS wants it. A broker that has a request at hand says
nothing, and then asyncio gives up after 30 seconds only.
"""

import asyncio
import time
from typing import Any

from aiokafka.client import AIOKafkaClient

FIRST, LONGEST = 0.1, 1.0
"""Seconds from one look to the next: the least, and the most while nobody answers."""
GOODBYE = 0.5
"""Seconds for the goodbye of all brokers of a client. Nothing is lost after it: each answer was awaited before."""


def mend(client: AIOKafkaClient) -> None:
    """Makes this client wait between two looks, and end soon."""
    keep_pace(client)
    end_soon(client)


def keep_pace(client: AIOKafkaClient) -> None:
    """Makes this client wait between two looks."""
    look = client._metadata_update  # noqa: SLF001
    ended, pause = 0.0, FIRST

    async def after_a_pause(cluster: Any, topics: Any) -> bool:
        nonlocal ended, pause
        await asyncio.sleep(ended + pause - time.monotonic())
        found: bool = await look(cluster, topics)
        ended, pause = time.monotonic(), FIRST if found else min(pause * 2, LONGEST)
        return found

    client._metadata_update = after_a_pause  # noqa: SLF001


def end_soon(client: AIOKafkaClient) -> None:
    """Makes the end of this client cut the connections that are still open after `GOODBYE`."""
    close = client.close

    async def cut_after_a_while() -> None:
        open_ = [writer.transport for one in client._conns.values() if (writer := one._writer)]  # noqa: SLF001
        ending = asyncio.ensure_future(close())
        try:
            await asyncio.wait([ending], timeout=GOODBYE)
        finally:
            for transport in open_:
                transport.abort()
        await ending

    client.close = cut_after_a_while
