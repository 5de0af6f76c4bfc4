"""The incidents for which work under another incident counts: those into which it was merged, or that were split off.

Pure. Events of both incidents tell of a link, and come in any order.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from schemas import triage
from schemas.envelope import Event
from schemas.escalation import ClockMilestoneReached
from services.escalation.clock.milestones import is_carried


class Link(NamedTuple):
    """`source` was merged into `heir`, or `heir` was split off from it at the instant `split_at`."""

    source: str
    heir: str
    split_at: datetime | None = None


class Heir(NamedTuple):
    """An incident for which work elsewhere counts, as done under `via`, the last incident on the way to it.

    With `split_at`, only earlier work counts, and only as an excuse; see `clocks`.
    """

    incident: str
    via: str
    split_at: datetime | None = None


def links_of(event: Event) -> list[Link]:
    """The link that an event tells of. Both incidents have such an event."""
    match event.data if event.kind == "incident" else None:
        case triage.IncidentMerged(into=into):
            return [Link(event.stream, into)]
        case triage.IncidentAbsorbed(incident=source):
            return [Link(source, event.stream)]
        case triage.IncidentSplit(into=into):
            return [Link(event.stream, into, event.recorded)]
        case triage.IncidentOpened(split_from=str() as source):
            return [Link(source, event.stream, event.recorded)]
    return []


def told(link: Link) -> str:
    """The other incident of the link: the one that was merged or split off."""
    return link.source if link.split_at is None else link.heir


def carried(milestones: Iterable[ClockMilestoneReached], heir: Heir) -> Iterator[ClockMilestoneReached]:
    """The milestones that an heir gets, in the form of its own stream."""
    for reached in milestones:
        if is_carried(reached, heir.split_at):
            yield reached.model_copy(update={"incident": heir.via})


class Heirs:
    """The heirs of a batch's incidents, also by way of others."""

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self._links: dict[str, set[Link]] = {}
        for link in links:
            self._links.setdefault(link.source, set()).add(link)

    def of(self, incident: str) -> list[Heir]:
        """The heirs of an incident. An excuse of a split-off matter does not pass on by a merger."""
        found: dict[tuple[str, str], Heir] = {}
        further = [Heir(incident, "")]
        while further:
            at = further.pop()
            for link in self._links.get(at.incident, ()):
                if link.heir == incident or (at.split_at and link.split_at is None):
                    continue
                until = min(link.split_at, at.split_at or link.split_at) if link.split_at else None
                heir = Heir(link.heir, at.incident, until)
                known = found.get(heir[:2])
                if known is None or _reaches(heir) > _reaches(known):
                    found[heir[:2]] = heir
                    further.append(heir)
        return [found[place] for place in sorted(found)]


def _reaches(heir: Heir) -> tuple[bool, datetime | None]:
    return heir.split_at is None, heir.split_at
