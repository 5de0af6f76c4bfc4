"""Random identifiers in order of time, for actions of people.

They need the clock and chance, so they are not in `ids`.
"""

import os
import time

_VARIANT = "89ab"


def uuid7() -> str:
    """A UUIDv7 (RFC 9562): milliseconds, then random bits. It sorts roughly by time of creation."""
    stamp, random = f"{time.time_ns() // 1_000_000:012x}", os.urandom(10)
    text = random[1:].hex()
    return f"{stamp[:8]}-{stamp[8:]}-7{text[:3]}-{_VARIANT[random[0] & 3]}{text[3:6]}-{text[6:]}"


class RandomIds:
    """For commands of people and integrations."""

    def new(self, kind: str) -> str:
        return f"{kind}-{uuid7()}" if kind else uuid7()
