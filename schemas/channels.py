"""Events of `channel` streams: where a unit says what it published, besides the office's own pages.

A channel belongs to a unit and speaks as the unit. It stores nobody who reads there.
"""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Code, Fact, PublishedTitle, UnitCode, Words

ChannelKind = Literal["webhook", "by_hand"]
"""A receiver that gets signed messages; or a site or an account without an open interface."""
Ending = Literal["asked", "gone"]
"""Somebody of the unit ended it; or its receiver answered that it is gone."""


@event("channel.placed")
class ChannelPlaced(Fact):
    """A unit has a further channel, under a code of its own. What it publishes from now on goes there, too.

    The secret with which messages to a webhook are signed stands in no event.
    """

    unit: UnitCode
    code: Code
    kind: ChannelKind
    title: PublishedTitle
    address: Words


@event("channel.changed")
class ChannelChanged(Fact):
    """A channel has another title or address, or `secret_renewed`, another secret."""

    title: PublishedTitle | None = None
    address: Words | None = None
    secret_renewed: bool = False


@event("channel.ended")
class ChannelEnded(Fact):
    """Nothing more goes to the channel."""

    cause: Ending = "asked"
