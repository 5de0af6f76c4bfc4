"""What publish knows: triage's incidents, its own statements, and their public texts."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, Table, Text

from schemas.envelope import Event
from schemas.fields import WordsRef, instant
from schemas.operation import OperationStatementKeyMade, OperationStatementKeyRevoked
from schemas.publish import (
    StatementChecked,
    StatementCorrected,
    StatementDrafted,
    StatementNoticeDrafted,
    StatementNoticePublished,
    StatementPublished,
    StatementRejected,
    StatementSubmitted,
    StatementWithdrawn,
    UsedFact,
)
from schemas.releases import told
from schemas.triage import (
    IncidentAbsorbed,
    IncidentAssigned,
    IncidentCategorized,
    IncidentClassified,
    IncidentClosed,
    IncidentDismissed,
    IncidentDoubtJudged,
    IncidentFactEstablished,
    IncidentFactRevised,
    IncidentFlagCleared,
    IncidentFlagSet,
    IncidentGraded,
    IncidentHarmJudged,
    IncidentMaterialReceived,
    IncidentMerged,
    IncidentOpened,
    IncidentPolicyMoved,
    IncidentRegraded,
    IncidentReopened,
    IncidentReportAttached,
    IncidentReportDetached,
    IncidentResolved,
    IncidentReturned,
    IncidentSplit,
    IncidentTransferred,
    reach_of,
    standing_of,
)
from schemas.verification import Verification
from schemas.verifying import TOLD_BY
from schemas.verifying import after as verified
from services.kernel.rules.approval import Course
from services.kernel.store import checkpoints, numbers, offices, reach, standings, tables, word_index
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View
from services.publish.accounts import views as accounts
from services.publish.attaching import views as attaching
from services.publish.checking.checks import Checks
from services.publish.delivering import views as delivering
from services.publish.delivering.public import WHY, WITHDRAWN
from services.publish.press import views as press
from services.publish.progress import views as progress
from services.publish.state import State, evolve, initial_state
from services.publish.verifying import likeness

METADATA = tables.metadata()
standings.tables(METADATA)
reach.table(METADATA)
numbers.table(METADATA)
progress.tables(METADATA)
accounts.tables(METADATA)
press.tables(METADATA)
delivering.tables(METADATA)
attaching.table(METADATA)
REVISIONS = Path(__file__).parent / "migrations" / "versions"

incidents = Table(
    "incidents",
    METADATA,
    Column("id", key(), primary_key=True),
    Column("number", key(90)),
    Column("version", Integer, nullable=False),
    Column("unit", key(), nullable=False),
    Column("policy", key(200)),
    Column("assigned", key()),
    Column("level", key(100)),
    Column("rank", Integer),
    Column("answer_kind", key(16)),
    Column("category", key(100)),
    Column("channel", key(100)),
    Column("reports", Integer, nullable=False),
    Column("doubtful", Boolean, nullable=False),
    Column("flags", Text, nullable=False),
    Column("harm", Integer),
    Column("state", key(16), nullable=False),
    Column("has_material", Boolean, nullable=False),
    Column("merged_into", key()),
    Column("merged_at", key(27)),
    Column("reopened_at", key(27)),
    Column("verification", Text, nullable=False),
    Column("opened_at", key(27), nullable=False),
    Column("drill", Boolean, nullable=False),
)
"""`state` is open, resolved, closed, dismissed or merged. `opened_at` is when the opening was recorded, `version` the
last event that was seen, of any type. `verification` is JSON.
"""
MERGED = incidents.c.merged_into.is_not(None)
"""Only the few incidents that were merged. An index of all would mostly hold nulls and not be used."""
Index("ix_incidents_merged_into", incidents.c.merged_into, postgresql_where=MERGED, sqlite_where=MERGED)

incident_facts = Table(
    "incident_facts",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("key", key(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", key(8), nullable=False),
    Column("words", key(36)),
    Column("number", Float),
    Column("at", key(27)),
    Column("code", key(100)),
    Column("yes", Boolean),
)
"""Every value that a fact had, from a version of the incident on. The highest version holds now."""

DANGER = "danger"
"""The fact that makes a statement an alert: whether a danger remains, one of the deployment's list of facts."""

statements = Table(
    "statements",
    METADATA,
    Column("id", key(), primary_key=True),
    Column("number", key(90)),
    Column("version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("incident_id", key()),
    Column("unit", key(), nullable=False),
    Column("kind", key(16), nullable=False),
    Column("form", key(16), nullable=False),
    Column("state", key(16), nullable=False),
    Column("title_ref", key(36), nullable=False),
    Column("draft_ref", key(36), nullable=False),
    Column("agreed_title_ref", key(36)),
    Column("agreed_text_ref", key(36)),
    Column("waived_ref", key(36)),
    Column("facts", Text, nullable=False),
    Column("used", Text, nullable=False),
    Column("prepared", Boolean, nullable=False),
    Column("level", key(100)),
    Column("marks", Text, nullable=False),
    Column("raised", Text, nullable=False),
    Column("course", Text, nullable=False),
    Column("checks", Text, nullable=False),
    Column("writers", Text, nullable=False),
    Column("desks", Text, nullable=False),
    Column("approvers", Text, nullable=False),
    Column("rejection_ref", key(36)),
    Column("drafted_at", key(27), nullable=False),
    Column("title", Text),
    Column("text", Text),
    Column("published_at", key(27)),
    Column("updated_at", key(27)),
    Column("corrections", Integer, nullable=False),
    Column("withdrawn_at", key(27)),
    Column("release", Integer, nullable=False),
    Column("scheduled_at", key(27)),
    Column("next_at", key(27)),
    Column("scheduled_by", key(64), nullable=False),
    Column("drill", Boolean, nullable=False),
    Column("danger", Boolean, nullable=False),
    Index(None, "incident_id"),
    Index(None, "drafted_at", "id"),
    Index(None, "state", "drafted_at", "id"),
    Index(None, "updated_at", "id"),
    Index(None, "unit", "updated_at", "id"),
    Index(None, "published_at"),
    Index(None, "scheduled_at"),
    Index(None, "danger", "updated_at", "id"),
)
"""A notice has no `incident_id`. `facts`, `marks`, `raised` and `desks` are codes, `writers` and `approvers` digests of
persons, with spaces between.
`course` is the chain of approvals as JSON (`rules.approval.Course`).
`checks` are its gates (`checking.checks`). `used` are the facts of the submission, each as
`key/incident/version`. `title` and `text` are the published ones that hold now. `danger` is whether a published
text of it rests on the fact `danger`.
"""

statement_facts = Table(
    "statement_facts",
    METADATA,
    Column("statement_id", key(), primary_key=True),
    Column("key", key(100), primary_key=True),
    Column("incident_id", key(), nullable=False),
    Column("version", Integer, nullable=False),
    Index(None, "incident_id", "key"),
)
"""The facts on which the text in public rests, in the versions that its last release knew."""

releases = Table(
    "releases",
    METADATA,
    Column("statement_id", key(), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", key(16), nullable=False),
    Column("at", key(27), nullable=False),
    Column("title", Text),
    Column("text", Text),
    Column("reason", Text),
    Column("danger_in", key()),
    Column("danger_version", Integer),
    Column("attachments", Text),
)
"""The public texts in order: publication, correction, withdrawal. A withdrawal has no text. A correction has a title
only if it changes the title. `danger_in` and `danger_version` are the matter and the version of the fact `danger` on
which the text rests. `attachments` are files as JSON, each with its `file` and as `schemas.releases.told` says it; null
if the earlier ones hold."""
SAID = word_index.Indexed(
    "said_pairs", "releases", ("title", "text", "reason"), "statement_id", "at", ("statement_id", "version")
)
"""The index of all words in public. It is no view: the database keeps it."""

LIKENESSES = Table(
    "likenesses",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("statement_id", key(), primary_key=True),
    sqlite_with_rowid=False,
)
"""The numbers by which a text that circulates finds the statement that said it, or that it imitates
(`verifying.likeness`). Exercises have none."""

STATEMENT_KEYS = Table(
    "statement_keys",
    METADATA,
    Column("kid", key(), primary_key=True),
    Column("public", key()),
    Column("made_at", key(27)),
    Column("revoked_at", key(27)),
)
"""The public keys that sign statements. `public` is 32 bytes in hex. A key's making and its revocation may be in
streams of different days, so for a moment a row may know only the second."""

STATEMENT_SECRETS = Table(
    "statement_secrets",
    METADATA,
    Column("kid", key(), primary_key=True),
    Column("made_at", key(27), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""The private halves, sealed under the deployment's secret. No event tells them."""


POST_SECRETS = Table(
    "post_secrets",
    METADATA,
    Column("kid", key(), primary_key=True),
    Column("post", key(130), nullable=False, index=True),
    Column("made_at", key(27), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""The private halves of the keys with which posts sign, sealed under the deployment's secret. No event tells them."""


def _incident_keys(event: Event) -> list[Key]:
    return [(event.stream,)]


def _incident(_: Key, row: Row | None, event: Event) -> Row | None:
    data = event.data
    if isinstance(data, IncidentOpened):
        return {
            "id": event.stream,
            "number": data.number,
            "version": event.version,
            "unit": data.unit,
            "policy": data.policy,
            "assigned": None,
            "level": None,
            "rank": None,
            "answer_kind": None,
            "category": data.category,
            "channel": data.channel,
            "reports": 1 if data.report else 0,
            "doubtful": False,
            "flags": "",
            "harm": None,
            "state": "open",
            "has_material": False,
            "merged_into": None,
            "merged_at": None,
            "reopened_at": None,
            "verification": Verification().model_dump_json(),
            "opened_at": event.recorded_text,
            "drill": event.drill,
        }
    if row is None:
        return None
    told = (
        {"verification": verified(verification_of(row), event).model_dump_json()} if isinstance(data, TOLD_BY) else {}
    )
    return row | {"version": event.version, "policy": row["policy"] or event.policy} | _change(row, event) | told


def verification_of(row: Row) -> Verification:
    """The verification of an incident, from its row."""
    return Verification.model_validate_json(row["verification"])


def _change(row: Row, event: Event) -> Row:
    data: Any = event.data
    match data:
        case IncidentReportAttached():
            return {"reports": row["reports"] + 1}
        case IncidentReportDetached():
            return {"reports": row["reports"] - 1}
        case IncidentSplit():
            return {"reports": row["reports"] - len(data.reports)}
        case IncidentAbsorbed():
            return {"reports": row["reports"] + len(data.reports)}
        case IncidentGraded() | IncidentRegraded():
            return {"level": data.level, "rank": data.rank}
        case IncidentClassified():
            return {"answer_kind": data.answer_kind}
        case IncidentCategorized():
            return {"category": data.category}
        case IncidentAssigned():
            return {"assigned": data.unit}
        case IncidentReturned():
            return {"assigned": None}
        case IncidentTransferred():
            return {"unit": data.unit}
        case IncidentPolicyMoved():
            moved = {"policy": data.policy, "level": data.level, "rank": data.rank}
            return {**moved, "harm": None} if data.changes_rules else moved
        case IncidentDoubtJudged():
            return {"doubtful": data.doubtful}
        case IncidentFlagSet():
            return {"flags": " ".join(sorted({*row["flags"].split(), data.flag}))}
        case IncidentFlagCleared():
            return {"flags": " ".join(sorted({*row["flags"].split()} - {data.flag}))}
        case IncidentHarmJudged():
            return {"harm": data.harm}
        case IncidentResolved():
            return {"state": "resolved"}
        case IncidentReopened():
            return {"state": "open", "reopened_at": event.recorded_text}
        case IncidentClosed():
            return {"state": "closed"}
        case IncidentDismissed():
            return {"state": "dismissed"}
        case IncidentMaterialReceived():
            return {"has_material": True}
        case IncidentMerged():
            return {"state": "merged", "merged_into": data.into, "merged_at": event.recorded_text}
        case _:
            return {}


def _fact_keys(event: Event) -> list[Key]:
    if isinstance(event.data, IncidentFactEstablished | IncidentFactRevised):
        return [(event.stream, event.data.key, event.version)]
    return []


def _fact(key: Key, _: Row | None, event: Event) -> Row | None:
    data: IncidentFactEstablished | IncidentFactRevised = event.data
    return {
        "incident_id": key[0],
        "key": key[1],
        "version": key[2],
        "kind": data.kind,
        "words": data.words.ref if data.words else None,
        "number": data.number,
        "at": instant(data.at) if data.at else None,
        "code": data.code,
        "yes": data.yes,
    }


def _used_keys(event: Event) -> list[Key]:
    if isinstance(event.data, StatementPublished | StatementCorrected):
        return [(event.stream, one.key) for one in event.data.used]
    return []


def _used(key: Key, _: Row | None, event: Event) -> Row | None:
    one = next(one for one in event.data.used if one.key == key[1])
    return {"statement_id": key[0], "key": one.key, "incident_id": one.incident, "version": one.version}


def _statement_keys(event: Event) -> list[Key]:
    return [(event.stream,)]


def _statement(_: Key, row: Row | None, event: Event) -> Row | None:
    data = event.data
    if isinstance(data, StatementDrafted | StatementNoticeDrafted):
        before, row = (
            initial_state(),
            {
                "id": event.stream,
                "number": data.number,
                "revision": 0,
                "incident_id": getattr(data, "incident", None),
                "unit": data.unit,
                "kind": getattr(data, "kind", "status"),
                "rejection_ref": None,
                "drafted_at": event.time_text,
                "title": None,
                "text": None,
                "published_at": None,
                "updated_at": None,
                "corrections": 0,
                "withdrawn_at": None,
                "release": 0,
                "drill": event.drill,
                "danger": False,
            },
        )
    elif row is None:
        return None
    else:
        before = state_of(row)
    state = evolve(before, event)
    counted = {"version": event.version, "revision": row["revision"] + int(event.actor != "system")}
    return row | counted | _columns(state) | _said(row, event)


def state_of(row: Row) -> State:
    """The statement for decisions and rights, from its row. It lacks the digests of words."""
    names = ("title_ref", "draft_ref", "agreed_title_ref", "agreed_text_ref", "waived_ref")
    title, draft, agreed_title, agreed_text, waived = (
        WordsRef(ref=row[name], digest="0" * 64) if row[name] else None for name in names
    )
    used = (one.split("/") for one in row["used"].split())
    return State(
        phase=row["state"],
        unit=row["unit"],
        kind=row["kind"],
        form=row["form"],
        writers=frozenset(row["writers"].split()),
        desks=frozenset(row["desks"].split()),
        level=row["level"],
        course=Course.model_validate_json(row["course"]),
        checks=Checks.model_validate_json(row["checks"]),
        approvers=frozenset(row["approvers"].split()),
        marks=frozenset(row["marks"].split()),
        raised=frozenset(row["raised"].split()),
        incident=row["incident_id"] or "",
        title=title,
        draft=draft,
        facts=tuple(row["facts"].split()),
        prepared=row["prepared"],
        waived=waived,
        agreed_title=agreed_title,
        agreed_text=agreed_text,
        used=tuple(UsedFact(key=key, incident=incident, version=int(version)) for key, incident, version in used),
        scheduled_at=row["scheduled_at"],
        next_at=row["next_at"],
        scheduled_by=row["scheduled_by"],
    )


def _columns(state: State) -> Row:
    """The columns that hold what decisions rest on."""
    assert state.title is not None and state.draft is not None, "a drafted statement has words"
    sets = {name: getattr(state, name) for name in ("writers", "desks", "approvers", "marks", "raised")}
    return {
        "state": state.phase,
        "form": state.form,
        "prepared": state.prepared,
        "level": state.level,
        "title_ref": state.title.ref,
        "draft_ref": state.draft.ref,
        "agreed_title_ref": state.agreed_title.ref if state.agreed_title else None,
        "agreed_text_ref": state.agreed_text.ref if state.agreed_text else None,
        "waived_ref": state.waived.ref if state.waived else None,
        "used": " ".join(f"{one.key}/{one.incident}/{one.version}" for one in state.used),
        "facts": " ".join(state.facts),
        "course": state.course.model_dump_json(),
        "checks": state.checks.model_dump_json(),
        "scheduled_at": state.scheduled_at,
        "next_at": state.next_at,
        "scheduled_by": state.scheduled_by,
        **{name: " ".join(sorted(values)) for name, values in sets.items()},
    }


def _said(row: Row, event: Event) -> Row:
    """The columns for readers."""
    match event.data:
        case StatementSubmitted():
            return {"rejection_ref": None}
        case StatementRejected() as data:
            return {"rejection_ref": data.reason.ref}
        case StatementChecked(passed=False, reason=WordsRef(ref=ref)):
            return {"rejection_ref": ref}
        case StatementPublished() | StatementNoticePublished() as data:
            at, said = event.time_text, {"title": data.title, "text": data.text}
            told = {"release": event.version, "published_at": at, "updated_at": at}
            return said | told | {"danger": _danger(event) is not None}
        case StatementCorrected() as data:
            said = {"title": data.title or row["title"], "text": data.text}
            told = {"release": event.version, "updated_at": event.time_text, "corrections": row["corrections"] + 1}
            return said | told | {"danger": row["danger"] or _danger(event) is not None}
        case StatementWithdrawn():
            return {"release": event.version, "updated_at": event.time_text, "withdrawn_at": event.time_text}
        case _:
            return {}


def _danger(event: Event) -> UsedFact | None:
    """The danger on which a text rests, as it was established."""
    if isinstance(event.data, StatementPublished | StatementCorrected):
        return next((one for one in event.data.used if one.key == DANGER), None)
    return None


_RELEASES = StatementPublished | StatementNoticePublished | StatementCorrected | StatementWithdrawn


def _release_keys(event: Event) -> list[Key]:
    if isinstance(event.data, _RELEASES):
        return [(event.stream, event.version)]
    return []


def _release(key: Key, _: Row | None, event: Event) -> Row | None:
    danger = _danger(event)
    known = {"danger_in": danger and danger.incident, "danger_version": danger and danger.version}
    row = {"statement_id": key[0], "version": key[1], "at": event.time_text, **known, "attachments": _attached(event)}
    match event.data:
        case StatementPublished() | StatementNoticePublished() as data:
            return row | {"kind": "publication", "title": data.title, "text": data.text, "reason": None}
        case StatementCorrected() as data:
            return row | {"kind": "correction", "title": data.title, "text": data.text, "reason": data.reason}
        case StatementWithdrawn() as data:
            return row | {"kind": "withdrawal", "title": None, "text": None, "reason": data.reason}
        case _:
            return None


def _attached(event: Event) -> str | None:
    attachments = getattr(event.data, "attachments", None)
    return None if attachments is None else json.dumps([{"file": one.file, **told(one)} for one in attachments])


def _likeness_keys(event: Event) -> list[Key]:
    match event.data:
        case (
            StatementPublished(title=title, text=text)
            | StatementNoticePublished(title=title, text=text)
            | StatementCorrected(title=title, text=text)
        ) if not event.drill:
            both = [f"{title}\n{text}", f"{WITHDRAWN}{title}"] if title else []
            numbers = (*likeness.found_by(text), *map(likeness.whole, both))
            return [(number, event.stream) for number in dict.fromkeys(numbers)]
        case StatementWithdrawn(reason=reason) if not event.drill:
            return [(likeness.whole(f"{WHY}{reason}）"), event.stream)]
    return []


def _likeness(key: Key, _: Row | None, event: Event) -> Row | None:
    return {"number": key[0], "statement_id": key[1]}


def _statement_key_keys(event: Event) -> list[Key]:
    if event.service == "publish":
        match event.data:
            case OperationStatementKeyMade(key=kid) | OperationStatementKeyRevoked(key=kid):
                return [(kid,)]
    return []


def _statement_key(key: Key, row: Row | None, event: Event) -> Row | None:
    row = row or {"kid": key[0], "public": None, "made_at": None, "revoked_at": None}
    match event.data:
        case OperationStatementKeyMade() as data:
            return row | {"public": data.public, "made_at": event.recorded_text}
        case OperationStatementKeyRevoked():
            return row | {"revoked_at": row["revoked_at"] or event.recorded_text}
    return row


OF_ONE = (
    View(statements, _statement_keys, _statement, ("statement",), one_stream=True),
    attaching.view(METADATA),
    View(releases, _release_keys, _release, ("statement",), one_stream=True),
)
"""Views that fold only a statement's own events."""

VIEWS = (
    *offices.views(METADATA),
    *checkpoints.views(METADATA),
    *standings.views(METADATA, standing_of),
    *numbers.views(METADATA, own="statement"),
    reach.view(METADATA, reach_of),
    View(incidents, _incident_keys, _incident, ("incident",), one_stream=True),
    View(incident_facts, _fact_keys, _fact, ("incident",), one_stream=True),
    *OF_ONE,
    View(statement_facts, _used_keys, _used, ("statement",), one_stream=True),
    View(LIKENESSES, _likeness_keys, _likeness, ("statement",), one_stream=True),
    View(STATEMENT_KEYS, _statement_key_keys, _statement_key, ("operation",)),
    *progress.views(METADATA),
    *accounts.views(METADATA),
    *press.views(METADATA),
    *delivering.views(METADATA),
)
