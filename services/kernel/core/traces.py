"""The place of an act in its trace, in the terms of W3C Trace Context. Pure.

The ids follow from the event alone. So all processes agree on one tree, nothing more is stored or sent for it, and an
event that is sent again names the same span.
"""

import hashlib
import re
from typing import NamedTuple
from uuid import UUID

from schemas.envelope import Event
from services.kernel.core.ids import incident_opened_by

HEADER = "traceparent"
RANDOM_BITS = 56
"""The lowest bits of a trace id are chance, also in a UUID of version 5 or 7. Samplers of others go by them, too."""
_WRITTEN = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?", re.ASCII)


class Place(NamedTuple):
    """A span in its trace."""

    trace: int
    span: int
    sampled: bool


def trace_of(event: Event) -> int:
    """The trace of an event: its matter; else what caused it; else the event itself.

    A report opens a matter whose id follows from it. So it is in the trace of the matter, unless it joins another one.
    """
    matter = event.correlation
    if matter is None and event.kind == "report" and event.version == 1:
        matter = incident_opened_by(event.id)
    id_ = matter.partition("-")[2] if matter else event.causation or event.id
    return UUID(id_).int or _hashed(id_, 16)


def span_of(*parts: str) -> int:
    """The same parts give the same span, in every process."""
    return _hashed("|".join(parts), 8)


def _hashed(text: str, size: int) -> int:
    # Zero would mean that there is none.
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size]) or 1


def is_sampled(trace: int, ratio: float) -> bool:
    """Whether a trace is among the share that is told. Every process decides alike."""
    return (trace & ((1 << RANDOM_BITS) - 1)) < ratio * (1 << RANDOM_BITS)


def written(place: Place) -> str:
    """The place as the value of the header `traceparent`."""
    return f"00-{place.trace:032x}-{place.span:016x}-{place.sampled:02x}"


def read(header: str | bytes | None) -> Place | None:
    """The place that a header names; None if it is absent or malformed."""
    text = header.decode("latin-1") if isinstance(header, bytes) else header or ""
    found = _WRITTEN.fullmatch(text) if len(text) <= 200 else None
    if found is None or (found[1] == "00" and found[5]):
        return None
    place = Place(int(found[2], 16), int(found[3], 16), bool(int(found[4], 16) & 1))
    return place if place.trace and place.span else None
