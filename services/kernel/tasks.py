"""Several things at once that succeed or fail as one, and one that goes to its end."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
_going_on: set["asyncio.Task[Any]"] = set()


async def side_by_side(works: Iterable[Awaitable[T]]) -> list[T]:
    """One task each; gives what they return. The first failure ends the others and is raised as it is."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises. Where the caller is cancelled, `work` still goes to its end, by itself.

    For what must know how a transaction ended: one that is cancelled while it commits may be durable or not.
    """
    task = asyncio.create_task(work)
    _going_on.add(task)
    task.add_done_callback(_ended)
    return await asyncio.shield(task)


def _ended(task: "asyncio.Task[Any]") -> None:
    _going_on.discard(task)
    if not task.cancelled():
        task.exception()  # whoever waited has seen it, or has gone
