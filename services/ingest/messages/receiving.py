"""Takes messages of other deployments in, each once, and signs a receipt.

What is taken in and its receipt follow from one event on a stream of its own. So a repetition gets the same receipt,
also after a kill between the record and the answer.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import PeerName, Typed
from schemas.handing import IncidentHandedOver, IncidentPeerTold
from schemas.lists import Peer
from schemas.messages import MessageReceipt, MessageReceived
from services.ingest import intake
from services.ingest.messages import codec
from services.ingest.views import HANDED_OVER
from services.kernel.between.message import Message, verified
from services.kernel.between.signed import Signing
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import derived
from services.kernel.core.problems import NotFound, Problem, Rejected
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.rules.documents import DocumentError, Fault
from services.kernel.rules.lists import load_lists
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.settings import Settings
from services.kernel.store.session import Session
from services.kernel.tlog.note import encoded

_NAME: TypeAdapter[str] = TypeAdapter(PeerName)


def must_be_able(settings: Settings) -> None:
    """Raises `DocumentError` if the list of deployments does not go with the settings or the list of channels."""
    lists = load_lists(settings.policies)
    if not lists.peers:
        return
    path = str(settings.policies / "peers.yaml")
    try:
        _NAME.validate_python(settings.deployment)
    except ValidationError:
        why = f"HUIYING_DEPLOYMENT is {settings.deployment!r}; others need a name of small letters, digits and dashes"
        raise DocumentError(path, Fault(0, "", why)) from None
    if settings.deployment in lists.peers:
        why = f"{settings.deployment} is this deployment itself; set HUIYING_DEPLOYMENT, or take the entry out"
        raise DocumentError(path, Fault(0, "", why))
    if codec.CHANNEL not in lists.channels and any(one.takes for one in lists.peers.values()):
        why = f"what others hand over comes by the channel {codec.CHANNEL}; add it to channels.yaml"
        raise DocumentError(path, Fault(0, "", why))


async def receive(runtime: Runtime, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Takes a message in and answers the receipt. Raises a `Problem`; then nothing of it is kept."""
    message, peer = verified(body, headers, runtime.lists.peers, runtime.settings.deployment)
    stream = f"message-{derived('between', peer.name, message.event.id)}"

    async def act(session: Session, ctx: Ctx) -> Answer:
        known = await _known(session, stream)
        if known is not None:
            carried = known.data.event
            if carried != encoded(message.event.bytes):
                raise Rejected(
                    f"{peer.name} has sent another event under the id {message.event.id}; nothing of this one was kept",
                    code="message-differs",
                    peer=peer.name,
                )
            return _answer(runtime, known, message, peer)
        await session.load_head(stream)
        if isinstance(message.event.data, IncidentHandedOver):
            fact = await _opened(runtime, session, ctx, message, peer)
        else:
            fact = await _heard(session.connection, message, peer)
        (event,) = session.append(stream, [fact], ctx, correlation=fact.incident)
        return _answer(runtime, event, message, peer)

    answer = await transact(runtime, Caller(), act)
    failpoint("message.received")
    return answer


async def _known(session: Session, stream: str) -> Event | None:
    events = session.service.metadata.tables["events"]
    raw = (await session.connection.execute(select(events.c.bytes).where(events.c.stream_id == stream))).scalar()
    return None if raw is None else Event.parse(bytes(raw))


def _answer(runtime: Runtime, event: Event, message: Message, peer: Peer) -> Answer:
    receipt = MessageReceipt(
        by=runtime.settings.deployment,
        to=peer.name,
        sent=message.event.id,
        digest=message.event.digest,
        record=event.stream,
        at=event.recorded,
    )
    key = Signing(runtime.keys, runtime.settings.message_key)
    told = {"receipt": receipt.model_dump(mode="json"), "key": key.public, "signature": key.receipt(receipt)}
    return Answer(told, events=(event,))


async def _opened(runtime: Runtime, session: Session, ctx: Ctx, message: Message, peer: Peer) -> MessageReceived:
    """A matter is handed over: a report comes in, and opens a matter of its own."""
    ctx.offices.known()
    if peer.takes is None or peer.takes not in ctx.offices.units:
        raise Rejected(
            f"the list of deployments takes no matters from {peer.name}; ask its operator for a unit that takes them",
            code="peer-takes-nothing",
            peer=peer.name,
        )
    if ctx.offices.drills(peer.takes):
        raise Rejected(
            f"the list of deployments gives matters from {peer.name} to {peer.takes}, an office for exercises, and "
            "this one is real; ask its operator for another unit",
            code="peer-takes-exercises",
            peer=peer.name,
        )
    actor = codec.sender(peer.name, peer.takes)
    report = codec.report(message, peer, peer.takes, ctx.now)
    prepared = intake.prepare(report, actor, runtime, codec.handed(message, peer))
    (outcome,) = await intake.receive(session, [(prepared, replace(ctx, actor=actor))])
    if isinstance(outcome, Problem):
        raise outcome
    (received,) = [one for one in session.appended if one.stream == prepared.id]
    # The matter that triage opens for it: a report without a match key has one of its own.
    incident = f"incident-{derived('triage', received.id, 'incident')}"
    return MessageReceived(**_proven(message, peer), said="handed", incident=incident, report=received.stream)


async def _heard(connection: AsyncConnection, message: Message, peer: Peer) -> MessageReceived:
    """The other deployment says what becomes of a matter that was handed over to it."""
    data: IncidentPeerTold = message.event.data
    of = HANDED_OVER.c
    row = (await connection.execute(select(HANDED_OVER).where(of.event == data.about))).first()
    if row is None or row.incident_id != data.matter:
        raise NotFound(
            f"{data.matter} is not known here as handed over by {data.about}; if it was just now, try again",
            code="not-handed-over",
            what=data.matter,
        )
    if row.to != peer.name:
        raise Rejected(
            f"{data.matter} was not handed over to {peer.name}; only whoever has it says what becomes of it",
            code="not-handed-to-peer",
            peer=peer.name,
        )
    words = None if data.text is None else message.text(data.text.digest) or codec.ERASED
    text = None if words is None else Typed(text=words)
    told: dict[str, Any] = {"said": data.said, "incident": row.incident_id, "about": data.about, "text": text}
    return MessageReceived(**_proven(message, peer), **told)


def _proven(message: Message, peer: Peer) -> dict[str, Any]:
    event, proof = encoded(message.event.bytes), encoded(message.proof)
    return {"of": peer.name, "sent": message.event.id, "matter": message.event.stream, "event": event, "proof": proof}
