"""A matter that goes to another deployment, or came from one: its rules, and where it stands. Pure.

Each deployment decides on its own record. Here the matter goes on until the other one has accepted it. Then it is
closed here. A return opens it again.
"""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from schemas import triage
from schemas.envelope import Event
from schemas.fields import Fact, Instant, PeerName, StreamId, Typed, Uuid, WordsRef, instant
from schemas.handing import (
    Handed,
    HandedText,
    Heard,
    IncidentHandedOver,
    IncidentPeerHeard,
    IncidentPeerTold,
    Told,
)
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.triage import commands as c

if TYPE_CHECKING:
    from services.triage.incident import Incident
    from services.triage.state import State


class Away(BaseModel):
    """Where a matter stands that was handed over: to whom, by which event, and what was heard last."""

    model_config = ConfigDict(frozen=True)

    to: PeerName
    sent: Uuid
    since: Instant
    reason: WordsRef
    heard: Heard | None = None
    text: WordsRef | None = None
    """What the other deployment said last in words."""
    message: StreamId | None = None

    @property
    def waits(self) -> bool:
        """Whether the other deployment has not said yet whether it accepts."""
        return self.heard is None


class Handing(BaseModel):
    """Where a matter stands between this deployment and others."""

    model_config = ConfigDict(frozen=True)

    aways: tuple[Away, ...] = ()
    """Each handing over. What is heard of an earlier one is recorded, and decides nothing here any more."""
    came: Handed | None = None
    told: Told | None = None
    """What the deployment from which it came was told last."""
    before: Told | None = None
    """What it was told before that."""
    telling: Uuid | None = None
    """The event that told it last, unless that one was refused."""

    @property
    def away(self) -> Away | None:
        """The last handing over."""
        return self.aways[-1] if self.aways else None


def after(handing: Handing, event: Event) -> Handing:
    """Where the matter stands after an event of it; the same object after most events."""
    match event.data:
        case triage.IncidentOpened(handed=Handed() as came):
            return Handing(came=came)
        case IncidentHandedOver() as data:
            away = Away(to=data.to, sent=event.id, since=event.recorded, reason=data.reason)
            return handing.model_copy(update={"aways": (*handing.aways, away)})
        case IncidentPeerHeard() as data if data.about == handing.telling:
            # What did not arrive counts as not said. So it can be said again.
            return handing.model_copy(update={"told": handing.before, "telling": None})
        case IncidentPeerHeard() as data:
            said = {"heard": data.said, "text": data.text, "message": data.message}
            aways = (one.model_copy(update=said) if one.sent == data.about else one for one in handing.aways)
            return handing.model_copy(update={"aways": tuple(aways)})
        case IncidentPeerTold() as data:
            return handing.model_copy(update={"told": data.said, "before": handing.told, "telling": event.id})
    return handing


def why_not_handed_over(incident: "Incident", ctx: Ctx) -> Rejected | None:
    """Why the matter is not handed over now; None if it can be. Of a deployment that left the list, none waits."""
    away, peers = incident.handing.away, ctx.offices.lists.peers
    if not any(one.hands for one in peers.values()):
        return Rejected(
            f"the list of deployments lets {incident.id} be handed over to none; ask your operator to add one",
            code="no-peer-to-hand",
            incident=incident.id,
        )
    if away is None or not away.waits or away.to not in peers:
        return None
    return Rejected(
        f"{incident.id} was handed over to {away.to}, which has not answered yet; wait for its answer",
        code="handed-over-already",
        incident=incident.id,
        to=away.to,
    )


def why_not_merged(incident: "Incident") -> Rejected | None:
    """Why the matter does not go on in another one; None if it may. What another deployment has would be lost there."""
    away = incident.handing.away
    if away is None or away.heard not in (None, *HAS):
        return None
    return Rejected(
        f"{incident.id} was handed over to {away.to}, which knows it by this number; merge the other matter into it",
        code="handed-over-not-merged",
        incident=incident.id,
        to=away.to,
    )


def why_not_told(incident: "Incident", ctx: Ctx) -> Rejected | None:
    """Why there is nothing to tell another deployment of the matter; None if there is."""
    handing = incident.handing
    if handing.came is None:
        return Rejected(
            f"no other deployment handed {incident.id} over, so none is told of it",
            code="handed-over-by-none",
            incident=incident.id,
        )
    if handing.came.of not in ctx.offices.lists.peers:
        return Rejected(
            f"{handing.came.of} is no longer in the list of deployments, so it is told nothing; ask your operator",
            code="peer-not-listed",
            incident=incident.id,
            to=handing.came.of,
        )
    if handing.told in ("refused", "returned"):
        return Rejected(
            f"{handing.came.of} was told already that {incident.id} is {handing.told}; that was the last word",
            code="handing-ended",
            incident=incident.id,
            to=handing.came.of,
            said=handing.told,
        )
    return None


def handed_over(state: "State", command: c.HandToPeer, ctx: Ctx) -> Decided:
    """The matter is handed over. Raises `Malformed` for a deployment that may not get it, or for a foreign report."""
    peer = ctx.offices.lists.peer(command.to)
    if not peer.hands:
        raise Malformed(
            f"to: the list of deployments does not let matters be handed over to {peer.name}; name another one",
            code="peer-not-for-handing",
            field="to",
            to=peer.name,
        )
    if state.drill:
        raise Rejected(
            f"{state.id} is an exercise, and only real matters go to other deployments; name a unit of your own",
            code="exercise-stays",
            incident=state.id,
        )
    texts = ctx.seen.get("texts", {})
    if strange := [one for one in command.reports if one not in texts]:
        raise Malformed(
            f"reports: {strange[0]} is no report of {state.id} whose words are there; name others",
            code="report-not-to-hand",
            field="reports",
            report=strange[0],
            incident=state.id,
        )
    reports = dict.fromkeys(command.reports)
    return [
        IncidentHandedOver(
            to=peer.name,
            subject=Typed(text=command.subject),
            reason=Typed(text=command.reason),
            reports=tuple(HandedText(report=one, subject=texts[one][0], text=texts[one][1]) for one in reports),
        )
    ]


FIRST: tuple[Told, ...] = ("accepted", "refused")
LATER: tuple[Told, ...] = ("answered", "returned")
BACK = ("refused", "returned")
HAS = ("accepted", "answered")
"""What a deployment says that has the matter now."""


def told(state: "State", command: c.TellPeer) -> Decided:
    """What the other deployment is told. A matter that is refused or returned ends here."""
    came, before = state.handing.came, state.handing.told
    assert came is not None, "the table of rights allows it only then"
    if command.said not in (LATER if before else FIRST):
        raise Rejected(
            f"{state.id} is {before or 'not accepted'}; it can be {' or '.join(LATER if before else FIRST)} now",
            code="not-to-be-told-now",
            incident=state.id,
            said=command.said,
        )
    if command.text is None and command.said != "accepted":
        raise Malformed(
            "text: write for the other deployment what the answer is, or why it gets the matter back",
            code="words-for-peer-needed",
            field="text",
        )
    if command.said in BACK:
        _must_be_alone(state)
    text = None if command.text is None else Typed(text=command.text)
    said = IncidentPeerTold(to=came.of, about=came.sent, matter=came.matter, said=command.said, text=text)
    ends = command.said in BACK and state.phase in ("open", "resolved")
    return [said, triage.IncidentClosed(reason=Typed(text=command.text or ""))] if ends else [said]


def _must_be_alone(state: "State") -> None:
    """Raises `Rejected` if other reports would go with the one that came."""
    if state.phase == "merged":
        raise Rejected(
            f"{state.id} was merged into {state.merged_into} and goes on there, so it is not given back; answer it",
            code="merged-not-given-back",
            incident=state.id,
            into=state.merged_into,
        )
    if state.report_count > 1:
        raise Rejected(
            f"other reports belong to {state.id}, and giving it back would close them, too; split them off first",
            code="other-reports-stay",
            incident=state.id,
        )


def heard(state: "State", command: c.RecordPeerSaid) -> Decided:
    """What the other deployment said of a matter that it was given. What is not about that changes nothing."""
    handing = state.handing
    said = IncidentPeerHeard(
        of=command.of, about=command.about, said=command.said, message=command.message, text=command.text
    )
    if command.said == "undelivered" and command.about == handing.telling:
        return _because(command, said)
    given = (one for one in handing.aways if (one.to, one.sent) == (command.of, command.about))
    away = next(given, None)
    if away is None or not _follows(away.heard, command.said):
        return []
    if away != handing.away:
        return _because(command, said)
    if command.said in HAS and away.heard not in HAS and state.phase in ("open", "resolved"):
        return _because(command, said, triage.IncidentClosed(reason=away.reason))
    if command.said == "returned" and away.heard in HAS and state.phase == "closed":
        again = triage.IncidentReopened(reason=command.text or away.reason, round=state.aftercare.round + 1)
        return _because(command, said, again)
    return _because(command, said)


def _because(command: c.RecordPeerSaid, *facts: Fact) -> Decided:
    return [Occurred(fact, basis=(command.basis,)) for fact in facts]


def _follows(before: Heard | None, said: Heard) -> bool:
    """Whether this can be said now.

    Who refused a message may have it from an earlier try. Who answers has accepted, also if that was not heard.
    """
    if said == "undelivered":
        return before is None
    return before in (None, "undelivered") or (before in HAS and said in LATER)


def shown(handing: Handing) -> dict[str, Any] | None:
    """Where the matter stands, for an answer; None if it is the business of this deployment alone."""
    away, came = handing.away, handing.came
    if away is None and came is None:
        return None
    return {
        "to": away and away.to,
        "since": away and instant(away.since),
        "heard": away and away.heard,
        "came_from": came and came.of,
        "told": handing.told,
    }
