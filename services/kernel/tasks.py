"""Run several tasks that succeed or fail as one; run one task to its end."""

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
_going_on: set["asyncio.Task[Any]"] = set()


async def side_by_side(works: Iterable[Awaitable[T]]) -> list[T]:
    """Runs each as a task and returns their results. The first failure ends the others and is raised unchanged."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        # Not `gather`, which passes a cancellation on: a second cancellation would cut a task off while it ends.
        while pending := [task for task in tasks if not task.done()]:
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Returns or raises what `work` does. If the caller is cancelled, `work` still runs to its end by itself.

    This is for callers that must know how a transaction ended. A commit that is cancelled may be durable or not.
    """
    task = asyncio.create_task(work)
    _going_on.add(task)
    task.add_done_callback(_ended)
    return await asyncio.shield(task)


def _ended(task: "asyncio.Task[Any]") -> None:
    _going_on.discard(task)
    if not task.cancelled():
        task.exception()  # The caller has seen the error, or has gone.
