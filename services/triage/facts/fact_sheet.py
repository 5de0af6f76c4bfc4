"""The fact sheet of a matter: every value of each fact, with its source, and the statements that rest on it."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed, Unavailable
from services.kernel.store import standings
from services.kernel.store.views import Row
from services.kernel.store.words import resolve
from services.triage.rights import READ_MATTER
from services.triage.seen import absorbed_by, naming, rows_of
from services.triage.views import FACT_USES, FACT_VALUES, INCIDENTS, METADATA

VALUES = {"text": "words", "number": "number", "time": "at", "code": "code", "yes_no": "yes"}
"""Kind -> the column of the value."""


async def fact_sheet(connection: AsyncConnection, ctx: Ctx, id_: str) -> list[dict[str, Any]] | None:
    """The facts of an incident and of those that were merged into it; None if the actor may not read it.

    A former unit reads the values that were established before its part ended, and their uses until then; nothing of
    incidents that were merged in later.
    """
    known = await standings.read(connection, METADATA, [id_])
    reading = READ_MATTER.of_matter(known, id_, ctx)
    if reading is None or id_ not in known:
        return None
    # The merger is the last event of a merged incident.
    merged = [one for one in await naming(connection, "merged_into", [id_]) if reading.covers(one["updated_at"])]
    before = await absorbed_by(connection, merged)
    family = [id_, *(one["id"] for one in before)]
    (incident,) = await rows_of(connection, INCIDENTS, INCIDENTS.c.id == id_)
    values = await rows_of(connection, FACT_VALUES, FACT_VALUES.c.incident_id.in_(family))
    uses = await rows_of(connection, FACT_USES, FACT_USES.c.incident_id.in_(family), FACT_USES.c.at)
    if reading.until is not None:
        until = reading.until
        values = [
            one
            for one in values
            if one["recorded_at"] <= until.at and (one["incident_id"] != id_ or one["version"] <= until.version)
        ]
        uses = [one for one in uses if one["at"] <= until.at]
    words = await resolve(connection, METADATA, [one[name] for one in values for name in ("words", "source")])
    sheet = []
    for key in sorted({one["key"] for one in values}):
        of_key = sorted(
            (one for one in values if one["key"] == key), key=itemgetter("recorded_at", "incident_id", "version")
        )
        shown = [
            {
                "incident": one["incident_id"],
                "version": one["version"],
                "value": words(one["words"]) if one["kind"] == "text" else one[VALUES[one["kind"]]],
                "source": words(one["source"]),
                "evidence": one["evidence"].split(),
                "by": one["actor"],
                "unit": one["unit"],
                "at": one["happened_at"],
                "recorded_at": one["recorded_at"],
                "used_by": [
                    {"statement": use["statement_id"], "unit": use["unit"], "by": use["actor"], "at": use["at"]}
                    for use in uses
                    if use["key"] == key and _value_of(use, of_key) is one
                ],
            }
            for one in of_key
        ]
        sheet.append({"key": key, "kind": of_key[-1]["kind"], **_titles(key, incident, ctx), "values": shown})
    return sheet


def _value_of(use: Row, values: Sequence[Row]) -> Row | None:
    """The value on which a statement rests: the last one that it could know.

    A statement names the version of its own incident. Values of others are told by the time.
    """
    found = None
    for one in values:
        own = one["incident_id"] == use["incident_id"] and use["version"] is not None
        if one["version"] <= use["version"] if own else one["recorded_at"] <= use["at"]:
            found = one
    return found


def _titles(key: str, incident: Row, ctx: Ctx) -> dict[str, Any]:
    """The titles, measure and codes of a fact by the deployment's list or the matter's pack; its key without both."""
    try:
        listed = ctx.offices.lists.fact(key, ctx.offices.pack_of(incident["policy"], incident["unit"]).model.facts)
    except (Malformed, Unavailable):
        return {"title": key, "title_en": key, "measure": None, "codes": []}
    codes = [one.model_dump(mode="json") for one in listed.codes]
    return {"title": listed.title, "title_en": listed.title_en, "measure": listed.measure, "codes": codes}
