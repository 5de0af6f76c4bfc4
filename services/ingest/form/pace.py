"""How often one address may send, without anybody being able to tell afterwards which addresses did."""

import hashlib
import secrets
import time
from collections import Counter
from collections.abc import Callable

from services.kernel.delivery.runtime import Runtime

MOST_KNOWN = 100_000


class Pace:
    """Counts what an address does in a window of time, only in memory.

    An address is counted under a digest with a salt. Each window has a salt of its own, which is forgotten with the
    counts when the window ends.
    """

    def __init__(self, most: int, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._now = most, seconds, now
        self._salt, self._until = b"", 0.0
        self._counts = Counter[bytes]()

    def wait(self, address: str, more: int = 1) -> int | None:
        """Counts once more, or `more`. The seconds that the address must wait; None if it may go on."""
        now = self._now()
        if now >= self._until or len(self._counts) >= MOST_KNOWN:
            self._salt, self._until = secrets.token_bytes(32), now + self._seconds
            self._counts.clear()
        key = hashlib.blake2b(address.encode(), key=self._salt, digest_size=16).digest()
        self._counts[key] += more
        return int(self._until - now) + 1 if self._counts[key] > self._most else None


class Paces:
    """The limits of the public pages. Many people may share one address, so they are wide."""

    def __init__(self, runtime: Runtime) -> None:
        self.forms = Pace(30, 600)
        """Forms that are sent."""
        self.bytes = Pace(200_000_000, 600)
        """Bytes of the files in them."""
        self.receipts = Pace(20, 60)
        """Receipts that nobody has."""
