"""The answers on subscriptions, for the API's documents."""

from typing import Any, Literal

from schemas.fields import Code, Instant, Post, StreamId, UnitCode, WebhookError
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered

ID = "subscription-01890a5d-ac96-774b-bcce-b302099a8057"
_ITEM: dict[str, Any] = {
    "id": ID,
    "unit": "town-east",
    "integration": None,
    "address": "https://board.example.gov.cn/in",
    "types": ["incident.graded"],
    "drills": False,
    "by": "admin@town-east",
    "made_at": "2026-03-02T02:10:00.000000Z",
    "state": "active",
    "cause": None,
    "position": 1841,
    "tries": 0,
    "next_at": None,
    "error": None,
    "delivered_at": "2026-03-02T02:11:00.000000Z",
    "may": ["replay", "renew-secret", "end-subscription"],
}
_DELIVERY = {
    "position": 1840,
    "event": "01890a5d-ac96-774b-bcce-b302099a8057",
    "type": "huiying.incident.graded.v1",
    "state": "delivered",
    "tries": 1,
    "error": None,
    "at": "2026-03-02T02:11:00.000000Z",
}


class Subscription(Answered):
    """Who gets which events, and how far the sending is."""

    id: StreamId
    """Its id."""
    unit: UnitCode
    """The unit whose matters and acts it is about, with those below it."""
    integration: str | None
    """The integration that gets only its own reports; null for a unit."""
    address: str | None
    """The receiver; null if it was erased."""
    types: tuple[Code, ...]
    """The types of events; empty for all."""
    drills: bool
    """Whether events of exercises are sent, too."""
    by: Post | StreamId
    """Who made it."""
    made_at: Instant
    """When."""
    state: Literal["active", "disabled", "ended"]
    """Disabled after days without success, until a replay; ended for good."""
    cause: WebhookError | None
    """Why it was disabled."""
    position: int
    """All events below this position of the log were sent, or are not for this subscription."""
    tries: int
    """How often the next message was sent in vain."""
    next_at: Instant | None
    """When it is tried again."""
    error: WebhookError | None
    """Why it was not taken."""
    delivered_at: Instant | None
    """When a message was last taken; null if none of the newest ones was."""
    may: tuple[Literal["replay", "renew-secret", "end-subscription"], ...]
    """What the caller may do with it now."""


class Subscriptions(
    Answered, json_schema_extra=example(items=[_ITEM], size=1852, types=["incident.graded"], may=["subscribe"])
):
    """Subscriptions, oldest first."""

    items: tuple[Subscription, ...]
    """The subscriptions."""
    size: int
    """How many events the log holds."""
    types: tuple[Code, ...]
    """The types of events that can be sent, in short."""
    may: tuple[Literal["subscribe"], ...]
    """`subscribe` if the unit may have another one."""


class SubscriptionDelivery(Answered):
    """What became of a message."""

    position: int
    """The position of its event in the log."""
    event: str
    """The id of its event."""
    type: Code
    """The type of its event."""
    state: Literal["delivered", "waiting"]
    """Whether it was taken."""
    tries: int
    """How often it was sent."""
    error: WebhookError | None
    """Why it was not taken the last time."""
    at: Instant
    """When it was sent last."""


class SubscriptionDeliveries(Answered, json_schema_extra=example(items=[_DELIVERY])):
    """The newest messages of a subscription, newest first."""

    items: tuple[SubscriptionDelivery, ...]
    """The messages."""


_SECRET = "whsec_q7Jm2xVt0aYkRzB4"  # noqa: S105, an example


class Subscribed(Answered, json_schema_extra=example(id=ID, secret=_SECRET)):
    """The secret with which messages are signed. It is shown only now."""

    id: StreamId
    """The subscription."""
    secret: str | None
    """The secret, as libraries of Standard Webhooks take it. Null if the request is a repetition."""


class SubscriptionDone(Answered, json_schema_extra=example(id=ID)):
    """The subscription that was changed or ended."""

    id: StreamId
    """Its id."""
