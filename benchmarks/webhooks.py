"""Events to one subscriber in order, against bare posts of the same bytes to the same receiver, one after the other."""

import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.measure import Figure, pairs
from services.audit.subscriptions import sending
from tests.audit.test_subscriptions import ask, begun, reports, subscribed
from tests.kit import receiver as kit

EVENTS = 300


async def measure(runs: int) -> list[Figure]:
    """Deliveries a second."""
    with tempfile.TemporaryDirectory() as folder, kit.listening() as receiver:
        world = await begun(Path(folder))
        await reports(world, *(f"report {number}" for number in range(EVENTS)))
        id_ = await subscribed(world, receiver)
        await sending.settle(world.runtime)
        bodies = [one.raw for one in receiver.messages]

        async def ours() -> float:
            receiver.messages.clear()
            await ask(world, "POST", f"/{id_}/replay", position=0)
            began = time.perf_counter()
            await sending.settle(world.runtime, 120)
            assert len(receiver.messages) == EVENTS
            return EVENTS / (time.perf_counter() - began)

        async def floor() -> float:
            began = time.perf_counter()
            async with httpx.AsyncClient(trust_env=False) as client:
                for body in bodies:
                    await client.post(
                        receiver.address,
                        content=body,
                        headers={"webhook-id": "", "webhook-timestamp": "", "webhook-signature": ""},
                    )
            return EVENTS / (time.perf_counter() - began)

        try:
            what = "the same bytes posted by httpx, one after the other"
            return [await pairs("webhooks", ours, floor, goal=0.2, floor_is=what, unit="messages/s", runs=runs)]
        finally:
            await world.stop()
