"""What a statement says in public now, and which of the unit's channels have it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from schemas.envelope import Event
from schemas.publish import (
    StatementCorrected,
    StatementDelivered,
    StatementDeliveryFailed,
    StatementNoticePublished,
    StatementPublished,
    StatementWithdrawn,
)

Kind = Literal["publication", "correction", "withdrawal"]
CORRECTED, WITHDRAWN, WHY = "（更正说明：", "【已撤回】", "（撤回原因："
"""With what a correction's reason, a withdrawal and its reason begin, wherever they are posted."""


@dataclass(frozen=True, slots=True)
class Public:
    """The newest release of a statement. A release of which a newer one came goes nowhere any more."""

    release: int = 0
    """The version of its event; 0 before the publication."""
    kind: Kind = "publication"
    title: str = ""
    text: str = ""
    reason: str = ""
    channels: tuple[str, ...] = ()
    """The channels to which the publication went. Corrections and withdrawals go to the same ones."""
    has: frozenset[str] = frozenset()
    """The channels and reports that have this release."""
    reached: frozenset[str] = frozenset()
    """The channels that ever had a release."""
    tries: Mapping[str, int] = field(default_factory=dict)
    """Channel -> how often this release was tried there in vain."""

    @property
    def to_post(self) -> str:
        """What stands at a channel that has this release."""
        return to_post(self.kind, self.title, self.text, self.reason)


NOTHING = Public()


def evolve(public: Public, event: Event) -> Public:
    """What is in public after the event."""
    match event.data:
        case StatementPublished() | StatementNoticePublished() as data:
            return Public(event.version, "publication", data.title, data.text, "", data.channels)
        case StatementCorrected() as data:
            title = data.title or public.title
            return _next(public, Public(event.version, "correction", title, data.text, data.reason))
        case StatementWithdrawn() as data:
            return _next(public, Public(event.version, "withdrawal", public.title, public.text, data.reason))
        case StatementDelivered() as data:
            place = data.channel or data.report or ""
            public = replace(public, reached=public.reached | {place})
            return replace(public, has=public.has | {place}) if data.release == public.release else public
        case StatementDeliveryFailed() as data if data.release == public.release:
            return replace(public, tries={**public.tries, data.channel: data.attempt})
        case _:
            return public


def _next(before: Public, newer: Public) -> Public:
    return replace(newer, channels=before.channels, reached=before.reached)


def to_post(kind: str, title: str, text: str, reason: str) -> str:
    """What a release says at a channel: title and text, a correction with its reason, a withdrawal with its reason."""
    match kind:
        case "correction":
            return f"{title}\n{text}\n{CORRECTED}{reason}）"
        case "withdrawal":
            return f"{WITHDRAWN}{title}\n{WHY}{reason}）"
        case _:
            return f"{title}\n{text}"


def accepted(public: Public) -> Sequence[str]:
    """The texts of which one must stand at a channel. A site may show title and reason in a place of their own."""
    if public.kind == "withdrawal":
        return (public.to_post, public.reason)
    return (public.to_post, public.text, f"{public.title}\n{public.text}")
