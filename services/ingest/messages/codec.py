"""The report of a matter that another deployment handed over. Pure."""

from datetime import datetime

from schemas.handing import Handed, IncidentHandedOver
from schemas.lists import Peer
from services.ingest.commands import Report
from services.kernel.between.message import Message
from services.kernel.core.decider import Actor
from services.kernel.core.ids import derived

CHANNEL = "system"
SOURCE = "peer:"
"""The sources of other deployments begin with it. No integration may name such a source."""
SUBJECT, TEXT = 500, 100_000
ERASED, CUT = "（原文已删除）", "\n（内容过长，以下省略）"
_TO_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop", "-")


def sender(name: str, unit: str | None = None) -> Actor:
    """Another deployment, as the sender of what it hands over to a unit."""
    return Actor(f"integration-{derived('peer', name)}", unit, frozenset({"integration"}))


def belongs(source: str, actor: Actor) -> bool:
    """Whether a sender may name this source, as far as other deployments go."""
    return not source.startswith(SOURCE) or actor.post == sender(source.removeprefix(SOURCE)).post


def handed(message: Message, peer: Peer) -> Handed:
    """Where the report came from."""
    return Handed(of=peer.name, sent=message.event.id, matter=message.event.stream)


def report(message: Message, peer: Peer, unit: str, now: datetime) -> Report:
    """The report of a matter that was handed over to a unit. The office knows of it from now on.

    The external id has only letters: digits in a row could be masked as somebody's number.
    """
    data: IncidentHandedOver = message.event.data

    def said(digest: str) -> str:
        return message.text(digest) or ERASED

    parts = [f"由{peer.title}移交。理由：{said(data.reason.digest)}"]
    parts += [f"【反映{n}】{said(one.subject)}\n{said(one.text)}" for n, one in enumerate(data.reports, 1)]
    text = "\n\n".join(parts)
    return Report(
        unit=unit,
        channel=CHANNEL,
        subject=said(data.subject.digest).strip()[:SUBJECT],
        text=text if len(text) <= TEXT else text[: TEXT - len(CUT)] + CUT,
        discovered_at=now,
        source=f"{SOURCE}{peer.name}",
        external_id=message.event.id.translate(_TO_LETTERS),
    )
