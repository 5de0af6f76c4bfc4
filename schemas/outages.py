"""Events of `outage` streams: a public address of the deployment did not answer, or showed what it did not publish.

Probes see it from outside. The actor of each event is a probe, and times are by its clock. `told_at` is what this clock
showed when the probe told of it, so `recordedtime` shows how far the clock is off.
"""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Fact, Figure, Instant, StreamId

Site = Literal["bulletin", "statement_page", "feed", "manifest", "public_keys", "log", "intake"]
"""What is probed: the front page of the bulletin, the page of a statement, the feed, a signed manifest, the public
keys, the log's checkpoint, and the way in for reports."""
Trouble = Literal["unreachable", "altered"]
Symptom = Literal[
    "no_address", "no_connection", "no_answer", "bad_certificate", "refusing", "broken_off",
    "redirected", "wrong_signature", "changed", "missing", "older", "forked", "foreign",
]  # fmt: skip
"""How it showed. The first six are of an address that is not reached, the others of one that was altered."""


@event("outage.found")
class OutageFound(Fact):
    """A probe found an address unreachable or altered, several times in a row, since `since`.

    `statement` is the statement that was altered, `status` the HTTP status of the last answer.
    """

    site: Site
    trouble: Trouble
    symptom: Symptom
    status: Figure | None = None
    statement: StreamId | None = None
    since: Instant
    told_at: Instant


@event("outage.confirmed")
class OutageConfirmed(Fact):
    """A further probe saw the same, since `since`; and until `until`, if that is over. `probes` saw it so far."""

    site: Site
    trouble: Trouble
    symptom: Symptom
    status: Figure | None = None
    since: Instant
    until: Instant | None = None
    probes: Figure
    told_at: Instant


@event("outage.receded")
class OutageReceded(Fact):
    """A probe sees it no more since `until`, while others still do."""

    site: Site
    trouble: Trouble
    until: Instant
    told_at: Instant


@event("outage.ended")
class OutageEnded(Fact):
    """No probe sees it any more. It lasted from `since` to `until`."""

    site: Site
    trouble: Trouble
    since: Instant
    until: Instant
    told_at: Instant
