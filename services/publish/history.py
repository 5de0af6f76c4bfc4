"""What was done on a statement in order: each text, and what each person decided and said, on which text."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue, deeds
from schemas.envelope import Event
from schemas.publish import (
    StatementApproved,
    StatementChecked,
    StatementCorrected,
    StatementDrafted,
    StatementNoticeDrafted,
    StatementNoticePublished,
    StatementPublished,
    StatementReferred,
    StatementRejected,
    StatementRevised,
    StatementScheduled,
    StatementSubmitted,
    StatementUnscheduled,
    StatementWithdrawn,
)
from services.kernel.access.signatures import Awaited, Unproven, prove
from services.kernel.core.units import Offices
from services.kernel.store.views import Row
from services.kernel.store.words import resolve
from services.publish.views import METADATA

ACTS: dict[type, str] = {
    StatementDrafted: "drafted",
    StatementNoticeDrafted: "drafted",
    StatementRevised: "revised",
    StatementSubmitted: "submitted",
    StatementChecked: "checked",
    StatementApproved: "approved",
    StatementReferred: "referred",
    StatementRejected: "rejected",
    StatementScheduled: "scheduled",
    StatementUnscheduled: "unscheduled",
    StatementPublished: "published",
    StatementNoticePublished: "published",
    StatementCorrected: "corrected",
    StatementWithdrawn: "withdrawn",
}
"""Model of an event -> what was done."""

PUBLIC = ("corrected", "withdrawn")
"""Acts whose words are public, so they stand in the event itself."""


def signature_of(event: Event, offices: Offices) -> Row | None:
    """The key that signed an act, its post, and whether the signature holds; None for what nobody signed."""
    signature = getattr(event.data, "signature", None)
    if signature is None:
        return None
    claims, fault = deeds.claims(event), ""
    try:
        if claims is not None:
            prove(claims, event, offices)
    except (Unproven, Awaited) as error:
        fault = str(error)
    return {"key": signature.key, "post": signature.post, "holds": not fault, "fault": fault or None}


def told(events: Iterable[Event], offices: Offices) -> list[Row]:
    """The acts of a statement from its events, with references or public texts for words. Pure."""
    found: list[Row] = []
    texts, revision, title = 0, 0, None
    facts: tuple[str, ...] = ()
    for event in events:
        data = event.data
        revision += int(event.actor != "system")
        if type(data) not in ACTS:
            continue
        written = None
        if isinstance(data, StatementDrafted | StatementNoticeDrafted | StatementRevised):
            title = data.title.ref if data.title else title
            named = getattr(data, "facts", ())
            facts = facts if named is None else named
            written = data.draft.ref
        elif isinstance(data, StatementCorrected):
            title, written = data.title or title, data.text
        texts += int(written is not None)
        reason = getattr(data, "reason", None)
        found.append(
            {
                "act": ACTS[type(data)],
                "revision": revision,
                "at": event.time_text,
                "by": event.actor,
                "step": getattr(data, "step", None),
                "post": getattr(data, "post", None),
                "to": getattr(data, "to", None),
                "gate": getattr(data, "gate", None),
                "passed": getattr(data, "passed", None),
                "took_part": getattr(data, "took_part", ()),
                "draft": texts,
                "title": title if written is not None else None,
                "text": written,
                "facts": facts if written is not None else None,
                "reason": reason if reason is None or isinstance(reason, str) else reason.ref,
                "signature": signature_of(event, offices),
            }
        )
    return found


async def history(connection: AsyncConnection, id_: str, until: str | None, offices: Offices) -> list[Row]:
    """The acts of a statement that were recorded by an instant, with their words."""
    table = METADATA.tables["events"]
    chosen = select(table.c.bytes).where(table.c.stream_id == id_)
    if until is not None:
        chosen = chosen.where(table.c.recordedtime <= until)
    ordered = (await connection.execute(chosen.order_by(table.c.version))).scalars()
    acts = told((Event.parse(bytes_) for bytes_ in ordered), offices)
    named = ("title", "text", "reason")
    refs = {str(act[name]) for act in acts if act["act"] not in PUBLIC for name in named if act[name]}
    words = await resolve(connection, METADATA, refs)
    return [act | {name: words(act[name]) if act[name] in refs else act[name] for name in named} for act in acts]


async def signatures(connection: AsyncConnection, id_: str, until: str | None, offices: Offices) -> list[Row]:
    """The signed acts of a statement that were recorded by an instant, in order."""
    table = METADATA.tables["events"]
    types = sorted(catalogue.type_of(model) for model in (*deeds.DECISIONS, *deeds.RELEASES))
    chosen = select(table.c.bytes).where(table.c.stream_id == id_, table.c.type.in_(types))
    if until is not None:
        chosen = chosen.where(table.c.recordedtime <= until)
    events = [Event.parse(one) for one in (await connection.execute(chosen.order_by(table.c.version))).scalars()]
    return [
        {"act": ACTS[type(event.data)], "at": event.time_text, "step": getattr(event.data, "step", None), **found}
        for event in events
        if (found := signature_of(event, offices))
    ]
