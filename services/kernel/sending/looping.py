"""The loop of what a service sends by itself: it looks when something changed, and at least once a second."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import DBAPIError

from services.kernel.core.problems import Problem
from services.kernel.delivery.runtime import Runtime
from services.kernel.logging import Lasting, brief

REST, LONGEST_REST = 0.2, 1.0


async def forever(runtime: Runtime, name: str, turn: Callable[[], Awaitable[None]]) -> None:
    """Takes turns until cancelled. A turn that fails is told once in the log, as `name`, and taken again."""
    waits = Lasting(name, service=runtime.service.name)
    while True:
        runtime.changed.clear()
        try:
            await turn()
            waits.over()
        except (Problem, DBAPIError, OSError) as error:
            waits.told(brief(error))
        await asyncio.sleep(REST)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_REST - REST):
                await runtime.changed.wait()
