"""The lists of a desk: one row for each incident, with what is to be done on it, by whom and by when.

A row is folded from the incident's own events, its clocks and its statements. Its columns do not depend on which of
these topics comes first. `_listed` says which rows a list holds, `unit_column` which unit has them on its desk.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, get_args

import orjson
from sqlalchemy import Boolean, Column, ColumnElement, Index, Integer, MetaData, Table, Text, literal, select, text

from schemas import answering, escalation, publish, triage
from schemas.envelope import Event
from schemas.fields import Fact, instant
from services.kernel.core.ids import stream_of
from services.kernel.store import sql
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

ListName = Literal[
    "open",
    "to_verify",
    "to_accept",
    "to_handle",
    "to_approve",
    "to_explain",
    "to_review",
    "waiting_material",
    "returned",
    "deferred",
    "to_follow_up",
    "to_correct",
    "to_assign",
    "unhelpful",
]
NAMES: tuple[ListName, ...] = get_args(ListName)
NOTICE = "notice"
"""The clock of a superior's notice, and the beginning of the names of further ones: `notice#2`."""
NEVER = "~"
"""Sorts after every instant."""
INBOX: Mapping[str, tuple[ListName, ...]] = {
    "duty_officer": ("to_assign", "returned", "to_correct"),
    "verifier": ("to_verify",),
    "handler": ("to_accept", "to_handle", "to_explain", "to_correct", "waiting_material"),
    "approver": ("to_approve",),
    "chief": ("to_approve", "to_review", "returned", "to_follow_up", "unhelpful"),
}
"""The lists that wait for an act of somebody with a role."""


HELD = text("lists > 0")
"""The rows that any list holds."""


def unit_column(name: ListName) -> str:
    """The column with the unit that has a list's rows on its desk."""
    return _COLUMNS.get(name, "unit")


_COLUMNS: Mapping[ListName, str] = {
    "to_verify": "verifying",
    "to_accept": "assigned",
    "to_handle": "assigned",
    "to_explain": "explaining",
    "waiting_material": "helping",
    "to_correct": "correcting",
}
SEVERAL: Mapping[ListName, str] = {
    "to_verify": "verifiers",
    "waiting_material": "helpers",
    "to_correct": "correctors",
}
"""The columns with all units that have a list's rows on their desks, where these may be several."""


def table(metadata: MetaData) -> Table:
    """Adds the table `desk` to triage's metadata. `limits` is JSON, `due` the earliest limit or the date of a plan.

    `proposals` are the numbers of those that wait for approval, `statements` the ids of those that do. `helpers` are
    units that still owe their share, `helping` the first of them; so are `verifiers` and `verifying`, and `correctors`
    and `correcting` of superiors' notices. `unhelped` are the reports of askers whom an answer did not help and on whom
    nobody has decided. All these have spaces between them. `explaining` is the unit that was ordered to explain the
    matter, `proposing` whether it still proposes a reply. `followed` means that a named post follows the matter after
    its end. `lists` is the mask of the lists that hold the row.
    """
    desk = Table(
        "desk",
        metadata,
        Column("incident_id", key(), primary_key=True),
        Column("number", key(90)),
        Column("unit", key()),
        Column("assigned", key()),
        Column("verifiers", Text, nullable=False),
        Column("verifying", key()),
        Column("helpers", Text, nullable=False),
        Column("helping", key()),
        Column("correctors", Text, nullable=False),
        Column("correcting", key()),
        Column("explaining", key()),
        Column("proposing", Boolean, nullable=False),
        Column("unhelped", Text, nullable=False),
        Column("screened", Boolean, nullable=False),
        Column("plan_due", key(27)),
        Column("level", key(100)),
        Column("phase", key(16)),
        Column("accepted", Boolean, nullable=False),
        Column("sent_back", Boolean, nullable=False),
        Column("proposals", Text, nullable=False),
        Column("statements", Text, nullable=False),
        Column("followed", Boolean, nullable=False),
        Column("limits", Text, nullable=False),
        Column("due", key(27), nullable=False),
        Column("drill", Boolean, nullable=False),
        *(Column(name, Boolean, nullable=False) for name in NAMES),
        Column("lists", Integer, nullable=False),
    )
    Index("ix_desk_counts", desk.c.unit, desk.c.lists, postgresql_where=HELD, sqlite_where=HELD)
    for name in NAMES:
        # SQLite and PostgreSQL write truth values otherwise, so this is text.
        holds = text(name)
        for short, columns in (("unit", (unit_column(name), "due", "incident_id")), ("due", ("due", "incident_id"))):
            Index(
                f"ix_desk_{name}_{short}",
                *(desk.c[column] for column in columns),
                postgresql_where=holds,
                sqlite_where=holds,
            )
    for name in SEVERAL:
        holds = text(has_several(name))
        Index(f"ix_desk_{name}_several", desk.c.due, desk.c.incident_id, postgresql_where=holds, sqlite_where=holds)
    return desk


def has_several(name: ListName) -> str:
    """The condition that several units have a row of this list on their desks."""
    return f"{name} AND {SEVERAL[name]} LIKE '% %'"


def names(column: ColumnElement[str], unit: str) -> ColumnElement[bool]:
    """Whether a unit is one of those of a column that holds several."""
    return (literal(" ") + column + " ").contains(f" {unit} ", autoescape=True)


def names_any(column: ColumnElement[str], units: Iterable[str]) -> ColumnElement[bool]:
    """Whether one of these units is among those of a column that holds several."""
    among = sql.mapped(dict.fromkeys(sorted(units), ""))
    held = (literal(" ") + column + " ").like(literal("% ") + among.c.key + " %")
    return select(among.c.key).where(held).exists()


_OWN: tuple[type[Fact], ...] = (
    triage.IncidentOpened,
    triage.IncidentTransferred,
    triage.IncidentAssigned,
    triage.IncidentAccepted,
    triage.IncidentReturned,
    triage.IncidentPassedUpward,
    triage.IncidentAbsorbed,
    triage.IncidentVerificationRequested,
    triage.IncidentHelpRequested,
    triage.IncidentHelpReturned,
    triage.IncidentHelpCompleted,
    triage.IncidentVerificationConcluded,
    triage.IncidentMaterialReceived,
    triage.IncidentGraded,
    triage.IncidentRegraded,
    triage.IncidentPolicyMoved,
    triage.IncidentResolved,
    triage.IncidentFollowedUp,
    triage.IncidentClosed,
    triage.IncidentDismissed,
    triage.IncidentReopened,
    triage.IncidentMerged,
    triage.IncidentProposed,
    triage.IncidentProposalApproved,
    triage.IncidentProposalRejected,
    triage.IncidentProposalWithdrawn,
    triage.IncidentSolved,
    answering.IncidentLeftUnsolved,
    answering.IncidentScreened,
    answering.IncidentScreeningReviewed,
    answering.IncidentExplanationOrdered,
    answering.IncidentUnitExplained,
    triage.IncidentAnswerJudged,
    triage.IncidentRoundDeclined,
    triage.IncidentSplit,
)
"""The events that change a row. Attached reports, which may be thousands, do not."""
_STATEMENTS: tuple[type[Fact], ...] = (
    publish.StatementSubmitted,
    publish.StatementRevised,
    publish.StatementApproved,
    publish.StatementRejected,
    publish.StatementChecked,
)


def view(desk: Table) -> View:
    """The view that fills the table."""
    return View(desk, _keys, _row, ("incident", "clock", "statement"))


def _keys(event: Event) -> list[Key]:
    if event.kind == "clock":
        # A milestone is of no clock, and half of the events are milestones.
        told = not isinstance(event.data, escalation.ClockMilestoneReached) and getattr(event.data, "clock", None)
        return [(stream_of("incident", event.stream),)] if told else []
    if event.kind == "statement":
        return [(event.correlation,)] if event.correlation and isinstance(event.data, _STATEMENTS) else []
    if event.kind != "incident":
        return []
    return [(event.stream,)] if isinstance(event.data, _OWN) else []


def _row(key: Key, row: Row | None, event: Event) -> Row:
    row = {**(row or _EMPTY), "incident_id": key[0]}
    of = {"clock": _of_clock, "statement": _of_statement}.get(event.kind, _of_incident)
    row |= of(row, event)
    if row["explaining"]:
        # Whoever handles the matter now explains it.
        row["explaining"] = row["assigned"] or row["unit"]
    limits = orjson.loads(row["limits"])
    waits = (one["due"] for one in limits.values() if one["state"] != "paused")
    planned = [row["plan_due"]] if row["plan_due"] and row["phase"] == "resolved" else []
    row["due"] = min([*waits, *planned], default=NEVER)
    held = dict(zip(NAMES, _listed(row, limits), strict=True))
    return row | held | {"lists": mask(name for name, holds in held.items() if holds)}


_UNKNOWN = (
    "number",
    "unit",
    "assigned",
    "verifying",
    "helping",
    "explaining",
    "correcting",
    "plan_due",
    "level",
    "phase",
)


_EMPTY: Row = {
    **dict.fromkeys(_UNKNOWN),
    **dict.fromkeys(("accepted", "sent_back", "screened", "proposing", "followed", "drill", *NAMES), False),
    **dict.fromkeys(("verifiers", "helpers", "correctors", "unhelped", "proposals", "statements"), ""),
    "limits": "{}",
    "due": NEVER,
    "lists": 0,
}


def mask(names: Iterable[ListName]) -> int:
    """These lists as the bits of a number, for the index from which they are counted."""
    return sum(1 << NAMES.index(name) for name in names)


def _of_incident(row: Row, event: Event) -> Row:
    match event.data:
        case triage.IncidentOpened() as data:
            return {"number": data.number, "unit": data.unit, "phase": "open", "drill": event.drill}
        case triage.IncidentTransferred() as data:
            return {"unit": data.unit}
        case triage.IncidentAssigned() as data:
            # What another matter brings along is no decision on what came back here.
            waits = row["sent_back"] and data.taken_from is not None
            return {"assigned": data.unit, "accepted": False, "sent_back": waits}
        case triage.IncidentAccepted():
            return {"accepted": True}
        case triage.IncidentReturned():
            return {"assigned": None, "accepted": False, "sent_back": True}
        case triage.IncidentPassedUpward() | triage.IncidentAbsorbed(designates=str()):
            return {"sent_back": True}
        case triage.IncidentVerificationRequested(taken_from=None) as data:
            return _asked(sorted({*row["verifiers"].split(), data.unit}))
        case triage.IncidentVerificationConcluded():
            return _asked([])
        case triage.IncidentHelpRequested() as data:
            return _helped(sorted({*row["helpers"].split(), data.unit}))
        case triage.IncidentHelpReturned() | triage.IncidentHelpCompleted() | triage.IncidentMaterialReceived() as data:
            return _helped(_others(row, data.unit))
        case triage.IncidentGraded() | triage.IncidentRegraded() | triage.IncidentPolicyMoved() as data:
            return {"level": data.level}
        case triage.IncidentResolved() as data:
            return {"phase": "resolved", "followed": data.follows_up is not None, **_helped([])}
        case triage.IncidentFollowedUp(ends=str()):
            return {"followed": False}
        case triage.IncidentReopened():
            waits = row["sent_back"] and row["assigned"] is None
            over = {"followed": False, "explaining": None, "screened": False, "plan_due": None, "unhelped": ""}
            return {"phase": "open", "sent_back": waits, **over}
        case triage.IncidentClosed():
            return {"phase": "closed", "explaining": None, "screened": False, **_asked([]), **_helped([])}
        case triage.IncidentDismissed() | triage.IncidentMerged():
            ended = {"phase": "ended", "explaining": None, "screened": False, "followed": False}
            others = "" if isinstance(event.data, triage.IncidentMerged) else row["unhelped"]
            return {**ended, "unhelped": others, **_asked([]), **_helped([])}
        case triage.IncidentAnswerJudged() as data:
            others = _unhelped(row, [data.report])
            return {"unhelped": others if data.helps else f"{others} {data.report}".strip()}
        case triage.IncidentRoundDeclined() as data:
            return {"unhelped": _unhelped(row, [data.report])}
        case triage.IncidentSplit() as data:
            return {"unhelped": _unhelped(row, data.reports)}
        case triage.IncidentSolved():
            return {"plan_due": None}
        case answering.IncidentLeftUnsolved() as data:
            return {"plan_due": instant(data.due) if data.due else None}
        case answering.IncidentScreened() as data:
            return {"screened": not data.needs_reply}
        case answering.IncidentScreeningReviewed():
            return {"screened": False}
        case answering.IncidentExplanationOrdered() as data:
            return {"explaining": data.unit, "proposing": data.proposed_reply}
        case answering.IncidentUnitExplained() as data:
            waits = row["proposing"] and data.proposed_reply is None
            return {"explaining": row["explaining"] if waits else None, "proposing": waits}
        case triage.IncidentProposed(steps=(_, *_)) as data:
            return {"proposals": f"{row['proposals']} {data.proposal}".strip()}
        case triage.IncidentProposalApproved(last=False):
            return {}
        case (
            triage.IncidentProposalApproved() | triage.IncidentProposalRejected() | triage.IncidentProposalWithdrawn()
        ) as data:
            left = (number for number in row["proposals"].split() if number != str(data.proposal))
            return {"proposals": " ".join(left)}
    return {}


def _others(row: Row, unit: str) -> list[str]:
    return [one for one in row["helpers"].split() if one != unit]


def _unhelped(row: Row, besides: Collection[str]) -> str:
    return " ".join(report for report in row["unhelped"].split() if report not in besides)


def _asked(verifiers: list[str]) -> Row:
    return {"verifiers": " ".join(verifiers), "verifying": next(iter(verifiers), None)}


def _helped(helpers: list[str]) -> Row:
    return {"helpers": " ".join(helpers), "helping": next(iter(helpers), None)}


def _of_statement(row: Row, event: Event) -> Row:
    """A statement waits from its submission until the last approval, a rejection or a revision."""
    match event.data:
        case publish.StatementSubmitted(steps=(_, *_)):
            others = [one for one in row["statements"].split() if one != event.stream]
            return {"statements": " ".join([*others, event.stream])}
        case publish.StatementApproved(last=False) | publish.StatementChecked(passed=True):
            return {}
    return {"statements": " ".join(one for one in row["statements"].split() if one != event.stream)}


def _of_clock(row: Row, event: Event) -> Row:
    limits: dict[str, dict[str, str]] = orjson.loads(row["limits"])
    clock = event.data.clock
    known = limits.get(clock, {})
    match event.data:
        case escalation.ClockStarted() as data:
            state = "paused" if data.paused_at else "running"
            limits[clock] = {"unit": data.unit, "due": instant(data.due), "state": state}
        case escalation.ClockExtended() as data if known:
            limits[clock] = {**known, "due": instant(data.due)}
        case escalation.ClockBreached() as data:
            limits[clock] = {"unit": data.unit, "due": instant(data.due), "state": "breached"}
        case escalation.ClockDeferred() as data:
            limits[clock] = {**known, "due": instant(data.review), "state": "deferred"}
        case escalation.ClockCancelled(cause="deferred") if known.get("state") == "deferred":
            pass
        case escalation.ClockMet() | escalation.ClockCancelled():
            limits.pop(clock, None)
        case escalation.ClockBreachAnnulled(cause="reviewed"):
            limits.pop(clock, None)
    correctors = sorted({one["unit"] for name, one in limits.items() if name.partition("#")[0] == NOTICE})
    return {
        "limits": orjson.dumps(limits, option=orjson.OPT_SORT_KEYS).decode(),
        "correctors": " ".join(correctors),
        "correcting": next(iter(correctors), None),
    }


def _listed(row: Row, limits: Mapping[str, Mapping[str, str]]) -> tuple[bool, ...]:
    """Whether each list holds the row, in the order of `NAMES`."""
    is_open = row["phase"] == "open"
    return (
        is_open,
        is_open and row["verifying"] is not None,
        is_open and row["assigned"] is not None and not row["accepted"],
        is_open and _is_handled(row),
        (is_open and bool(row["proposals"])) or bool(row["statements"]),
        is_open and row["explaining"] is not None,
        is_open and row["screened"],
        is_open and row["helping"] is not None,
        is_open and row["sent_back"],
        is_open and any(one["state"] == "deferred" for one in limits.values()),
        row["phase"] == "resolved" or (row["phase"] == "closed" and row["followed"]),
        row["correcting"] is not None,
        is_open and row["assigned"] is None and not row["sent_back"],
        bool(row["unhelped"]) and not is_open,
    )


def _is_handled(row: Row) -> bool:
    """Whether the matter waits for nothing but its handling. Work of others that was asked for comes first."""
    waits = row["sent_back"] or row["screened"] or row["verifying"] is not None or bool(row["proposals"])
    return row["assigned"] is not None and row["accepted"] and not waits
