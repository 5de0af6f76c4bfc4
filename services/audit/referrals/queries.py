"""Referrals for answers, from their events."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import referrals as r
from schemas.envelope import Event
from schemas.fields import instant
from services.audit.histories import Filters, folded
from services.audit.referrals.decider import DECIDER
from services.audit.views import FINDINGS, REFERRALS

Read = Callable[[str | None], str | None]
"""What a reader may see of words, by their reference."""
STANDING = ("stands", "upheld")
"""The stages of findings on which something may rest."""


async def standing(connection: AsyncConnection, findings: Collection[str]) -> dict[str, str]:
    """Finding -> its unit, of those that stand now and are of no exercise."""
    of = FINDINGS.c
    chosen = select(of.finding_id, of.unit).where(of.finding_id.in_(findings), of.stage.in_(STANDING), ~of.drill)
    return {row.finding_id: row.unit for row in await connection.execute(chosen)}


def filters_of(
    units: Collection[str] | None,
    kind: str | None = None,
    state: str | None = None,
    drill: bool | None = None,
    own: Collection[str] = (),
) -> Filters:
    """The filters of a list; None filters nothing. `own` are posts that also see what is about themselves."""
    of = REFERRALS.c
    wanted = [] if kind is None else [of.kind == kind]
    if drill is not None:
        wanted.append(of.drill.is_(drill))
    if units is not None:
        theirs = of.unit.in_(sorted(units))
        wanted.append(theirs | (of.post + "@" + of.unit).in_(own) if own else theirs)
    return Filters(wanted, state)


def within(filters: Filters, units: Collection[str]) -> Filters:
    """The filters, and only posts of these units."""
    return replace(filters, wanted=[*filters.wanted, REFERRALS.c.unit.in_(sorted(units))])


def shown(events: Sequence[Event], numbers: Mapping[str, str], read: Read) -> dict[str, Any]:
    """A referral for an answer."""
    first, state = events[0], folded(DECIDER, events)
    said: r.ReferralProposed = state.proposed
    passed = _last(events, r.ReferralPassedOn)
    return {
        "id": first.stream,
        "unit": said.unit,
        "post": said.post,
        "kind": said.kind,
        "state": state.stage,
        "incident_id": said.incident,
        "number": numbers.get(said.incident or ""),
        "findings": list(said.findings),
        "proposed": _said(first, read),
        "hear_by": said.hear_by and instant(said.hear_by),
        "heard": _said(_last(events, r.ReferralPostHeard), read),
        "decided": _said(passed or _last(events, r.ReferralPraised, r.ReferralDropped), read),
        "body": passed and passed.data.body,
        "receipt": _said(_last(events, r.ReferralReceiptNoted), read),
        "drill": first.drill,
    }


def _last(events: Sequence[Event], *models: type) -> Event | None:
    return next((event for event in reversed(events) if isinstance(event.data, models)), None)


def _said(event: Event | None, read: Read) -> dict[str, Any] | None:
    if event is None:
        return None
    words = getattr(event.data, "reason", None) or getattr(event.data, "text", None)
    ref = words and words.ref
    return {"at": event.recorded_text, "by": event.actor, "words": ref, "text": read(ref)}
