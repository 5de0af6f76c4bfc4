"""The threads in which mail servers are spoken to."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
THREADS = ThreadPoolExecutor(4, "mail")


async def in_thread(work: Callable[..., T], *given: Any) -> T:
    """What `work` returns, which blocks."""
    return await asyncio.get_running_loop().run_in_executor(THREADS, work, *given)
