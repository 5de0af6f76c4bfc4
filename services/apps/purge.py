"""Deletes the words and files of a matter when the years of its archive are over.

It asks each service for the same erasures as staff do, with a person's token: one person asks, another one agrees, or
an administrator of a unit above decides where a law orders it. Events, digests, proofs and the sealed archive stay.
Words of statements stay as well: they were said to the public. A report that went to another matter is that one's.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import orjson

from schemas import catalogue, upcast
from schemas.envelope import Event
from schemas.triage import IncidentAbsorbed, IncidentClosed, IncidentDismissed
from services.apps.client import Refused, api, ask, pages
from services.kernel.sealed import archive
from services.kernel.settings import Settings

ENDED = ("closed", "dismissed")
ENDS = upcast.types_of(IncidentClosed, IncidentDismissed)
SAID = ("statement", "words", "operation")
"""Kinds of streams whose words stay: statements, the reasons of erasures, and why somebody sealed or read the file."""
MOST = 500
"""References in one request."""


class Purged(NamedTuple):
    """What one call did."""

    erased: int
    """Records whose words and files went."""
    asked: int
    """Records for which another person of a unit above must make the same call."""
    until: str
    """The last day on which the archive was to be kept."""


async def purge(settings: Settings, incident: str, token: str) -> Purged:
    """Purges a matter by its id. Raises `Refused` if its time is not over, or nobody said how long it lasts."""
    async with AsyncExitStack() as stack:
        if settings.embedded:
            clients = dict.fromkeys(catalogue.SERVICES, await stack.enter_async_context(api(settings, "audit")))
        else:
            clients = {name: await stack.enter_async_context(api(settings, name)) for name in catalogue.SERVICES}
        timeline = await _timeline(clients["audit"], incident, token)
        until, pack = await _kept(clients, incident, token, timeline)
        reason = f"{pack.partition('#')[0]}: archive.kept, {until}"
        family, erased, asked = _family(incident, timeline), 0, 0
        for (service, stream), refs in _named(timeline).items():
            if await _is_of_another(clients["triage"], stream, family, token):
                continue
            for events in await _erase(clients[service], service, stream, refs, token, reason):
                done = any(catalogue.is_erasure(event["type"]) for event in events)
                erased, asked = erased + done, asked + (bool(events) and not done)
        return Purged(erased, asked, until)


class Entry(NamedTuple):
    """An event of the matter's timeline."""

    event: Event
    position: int


async def _timeline(audit: httpx.AsyncClient, incident: str, token: str) -> list[Entry]:
    path = f"/audit/v1/incidents/{incident}/timeline"
    items = [item async for page in pages(audit, path, token) for item in page["items"]]
    return [Entry(Event.parse(orjson.dumps(item["event"])), item["position"]) for item in items]


async def _kept(
    clients: Mapping[str, httpx.AsyncClient], incident: str, token: str, timeline: Sequence[Entry]
) -> tuple[str, str]:
    """The last day and the pack that says so."""
    matter = await ask(clients["triage"], "GET", f"/triage/v1/incidents/{incident}", token)
    if matter["merged_into"]:
        into = matter["merged_into"]
        raise Refused(f"{incident} was merged into {into} and goes on there; purge that one when its time is over")
    found = await ask(clients["audit"], "GET", f"/audit/v1/incidents/{incident}/archives", token)
    if not found["items"]:
        raise Refused(f"no archive of {incident} was sealed; seal it first, so that its record stays provable")
    seal, until = found["items"][-1], found["items"][-1]["kept_until"]
    if not seal["ended"] or matter["state"] not in ENDED:
        raise Refused(f"{incident} goes on; nothing of it is purged")
    ends = [one.position for one in timeline if one.event.stream == incident and one.event.type in ENDS]
    if max(ends, default=0) >= seal["log_size"]:
        raise Refused(
            f"{incident} was taken up again after its archive was sealed, and ended once more; seal it anew, so that "
            "what was done since stays provable and its years count from then"
        )
    if until is None:
        by = f"{seal['kept_by']} keeps it for ever" if seal["kept_by"] else "its pack does not say how long it is kept"
        raise Refused(f"{by}; nothing of {incident} is purged")
    # Days of the pack's zone begin before those of UTC, or half a day later at most.
    if until >= datetime.now(UTC).date().isoformat():
        raise Refused(f"{incident} is kept until {until}; nothing of it is purged before")
    return until, str(seal["kept_by"])


def _named(timeline: Sequence[Entry]) -> dict[tuple[str, str], list[str]]:
    """Service and stream -> the words that its events name and that are not erased yet."""
    streams, erased = dict[tuple[str, str], set[str]](), set[str]()
    for event, _ in timeline:
        named = archive.Named()
        archive.note(event, named)
        erased |= named.erased
        # The reason of an erasure is a text, too. It stays.
        if event.kind not in SAID and not named.erased:
            streams.setdefault((event.service, event.stream), set()).update(named.words)
    return {stream: left for stream, words in sorted(streams.items()) if (left := sorted(words - erased))}


def _family(incident: str, timeline: Sequence[Entry]) -> set[str]:
    """The matter with all that was merged into it. The timeline has single events of other matters, too."""
    into = {e.data.incident: e.stream for e, _ in timeline if isinstance(e.data, IncidentAbsorbed)}
    found = {incident}
    while more := {one for one, of in into.items() if of in found} - found:
        found |= more
    return found


async def _is_of_another(triage: httpx.AsyncClient, stream: str, family: Collection[str], token: str) -> bool:
    """Whether a report or a matter of the timeline is another matter's now. The timeline keeps what left."""
    if catalogue.kind_of(stream) == "report":
        query = {"report_id": stream}
        found = await ask(triage, "GET", "/triage/v1/incidents", token, params=query)
        return not any(one["id"] in family for one in found["items"])
    return catalogue.kind_of(stream) == "incident" and stream not in family


async def _erase(
    client: httpx.AsyncClient, service: str, stream: str, refs: list[str], token: str, reason: str
) -> list[list[dict[str, Any]]]:
    """The events that each request appended."""
    said = {"cause": "law", "reason": reason}
    if catalogue.kind_of(stream) == "report":
        return [(await ask(client, "POST", f"/ingest/v1/reports/{stream}/erase", token, json=said))["events"]]
    path, done = f"/{service}/v1/words/erase", list[list[dict[str, Any]]]()
    for at in range(0, len(refs), MOST):
        body = {"stream": stream, "refs": refs[at : at + MOST], **said}
        try:
            done.append((await ask(client, "POST", path, token, json=body))["events"])
        except Refused as refused:
            # The timeline of a matter does not tell of erasures beside its streams.
            if refused.code != "words-erased-already":
                raise
    return done
