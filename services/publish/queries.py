"""What the answers for staff read: statements with their approvals, and what the caller may do."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from services.kernel.access.approving import nearest
from services.kernel.access.rights import may
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed, Problem, Unavailable
from services.kernel.core.standings import Moment, Reading
from services.kernel.rules.approval import Course
from services.kernel.serving.approvals import GateState, gate, gates, shown
from services.kernel.store import standings
from services.kernel.store.views import Row, folded
from services.kernel.store.words import resolve
from services.publish.attaching.queries import as_shown, files_of, told
from services.publish.checking.shown import shown as checks_shown
from services.publish.commands import Approve, Correct, Draft, Preview, PreviewDraft, Publish, Submit, Withdraw
from services.publish.history import history, signatures
from services.publish.releasing.release import revised
from services.publish.releasing.scheduling import missed
from services.publish.rights import READ_STATEMENT, RIGHTS, Case, Incident, Statement, reading, unseen, unverified
from services.publish.rows import Page, newest, numbers_of, releases_of
from services.publish.seen import abouts, past_values, read_incident, read_said
from services.publish.views import METADATA, OF_ONE, incident_facts, state_of, statement_facts, statements
from services.publish.writing import binding, one_text
from services.publish.writing.binding import Established
from services.publish.writing.offered import offered
from services.publish.writing.one_text import Said

NEXT: Mapping[str, Sequence[type[Command]]] = {
    "drafted": (Submit,),
    "submitted": (Approve,),
    "approved": (Publish,),
    "published": (Correct, Withdraw),
}
"""Phase -> the commands that lead on from there."""
Typing = TypeVar("Typing", Preview, PreviewDraft)
AGREED = {"title_ref": "agreed_title_ref", "draft_ref": "agreed_text_ref"}
"""Words of the draft -> the words to which approvers agree, where facts stand for markers."""


async def drafted_on(connection: AsyncConnection, ctx: Ctx, incident: str | None, unit: str | None) -> Incident | None:
    """What a new statement is about: the incident, or no matter for a notice of the unit or of the actor's own.

    None if publish has not seen the incident. Raises `Malformed` for an unknown unit.
    """
    if incident is not None:
        return await read_incident(connection, incident)
    speaking = ctx.offices.unit(unit or ctx.actor.unit or "")
    return Incident.none(speaking.code, drill=speaking.drill)


async def may_draft(connection: AsyncConnection, ctx: Ctx, incident: str | None, unit: str | None = None) -> list[str]:
    """`draft` if the actor may begin a statement on the incident, or a notice of the unit, now; else nothing."""
    with suppress(Unavailable, Malformed):
        if (known := await drafted_on(connection, ctx, incident, unit)) is not None:
            return may([RIGHTS[Draft]], Case.of(Statement(), known, known.id, ctx), ctx)
    return []


async def templates_for(connection: AsyncConnection, ctx: Ctx, incident: str | None, unit: str | None) -> list[Row]:
    """The templates for a draft on the incident, or for a notice.

    Raises `Forbidden` if the actor may not begin one, and `Malformed` for what publish has not seen.
    """
    about = await drafted_on(connection, ctx, incident, unit)
    if about is None:
        raise unseen()
    RIGHTS[Draft].require(Case.of(Statement(), about, about.id, ctx), ctx)
    numbers = await numbers_of(connection, [{"incident_id": about.id}])
    return [one._asdict() for one in offered(ctx, about, numbers.get(about.id) or "", unit)]


async def list_statements(
    connection: AsyncConnection,
    ctx: Ctx,
    *,
    incident: str | None = None,
    state: str | None = None,
    limit: int = 50,
    outdated: bool | None = None,
    cursor: str | None = None,
) -> Page:
    """Statements of units that the actor oversees, or on matters in which these units have a part, newest first.

    If a matter was merged and these units have no part any more, its statements appear as they were at the merger.
    """
    overseen, chosen = READ_STATEMENT.listed(ctx), select(statements)
    if overseen is not None:
        own = statements.c.unit.in_(sorted(overseen))
        chosen = chosen.where(or_(own, standings.concerns(METADATA, statements.c.incident_id, overseen)))
    if incident is not None:
        chosen = chosen.where(statements.c.incident_id == incident)
    if state is not None:
        chosen = chosen.where(statements.c.state == state)
    if outdated is not None:
        stale = exists(_revised().where(statement_facts.c.statement_id == statements.c.id))
        chosen = chosen.where(stale if outdated else ~stale)
    rows, further = await newest(connection, chosen, "drafted_at", limit, cursor)
    known = await standings.read(connection, METADATA, {row["incident_id"] for row in rows} - {None})
    items = {row["id"]: row for row in await _with_rights(connection, ctx, rows)}
    for row in rows:
        reads = reading(state_of(row), known, row["incident_id"], ctx)
        if reads is None or reads.until is None:
            continue
        del items[row["id"]]
        then, said, attached = await _then(connection, row["id"], reads.until)
        if then and state in (None, then[0]["state"]):
            items[row["id"]] = await _as_it_stood(connection, then, said, attached)
    return Page([items[row["id"]] for row in rows if row["id"] in items], further)


async def one_statement(connection: AsyncConnection, ctx: Ctx, id_: str) -> Row | None:
    """A statement as the API shows it, with its releases in order; None if the actor may read nothing of it.

    A former unit reads it as it was when that unit's part ended.
    """
    row, reads = await _readable(connection, ctx, id_)
    if row is None or reads is None:
        return None
    if reads.until is None:
        (item,) = await _with_rights(connection, ctx, [row])
        item["may_not"] = await _refusals(connection, ctx, row)
        said = await releases_of(connection, [id_])
    else:
        rows, said, attached = await _then(connection, id_, reads.until)
        if not rows:
            return None
        item = await _as_it_stood(connection, rows, said, attached)
    item["signatures"] = await signatures(connection, id_, reads.until.at if reads.until else None, ctx.offices)
    return item | {
        "releases": [
            {name: release[name] for name in ("kind", "at", "title", "text", "reason")}
            | {"attachments": release["attachments"] and told(release["attachments"])}
            for release in said
        ]
    }


async def _readable(connection: AsyncConnection, ctx: Ctx, id_: str) -> tuple[Row | None, Reading | None]:
    """A statement's row, and how much of it the actor may read; None for nothing."""
    row = (await connection.execute(select(statements).where(statements.c.id == id_))).mappings().first()
    if row is None:
        return None, None
    known = await standings.read(connection, METADATA, {row["incident_id"]} - {None})
    return dict(row), reading(state_of(dict(row)), known, row["incident_id"], ctx)


async def history_of(connection: AsyncConnection, ctx: Ctx, id_: str) -> list[Row] | None:
    """What was done on a statement in order, as far as the actor may read it; None if that is nothing."""
    row, reads = await _readable(connection, ctx, id_)
    if row is None or reads is None:
        return None
    return await history(connection, id_, reads.until.at if reads.until else None, ctx.offices) or None


async def _refusals(connection: AsyncConnection, ctx: Ctx, row: Row) -> list[Problem]:
    """Why the actor may not take the next step on a statement; empty if nothing stands against it."""
    known, found = await abouts(connection, [row]), []
    for command in NEXT.get(row["state"], ()):
        try:
            case = Case.of(state_of(row), known[row["id"]], row["id"], ctx)
            RIGHTS[command].require(case, ctx)
            RIGHTS[command].refuse(case, ctx)
        except Problem as problem:
            problem.members["act"] = RIGHTS[command].verb
            found.append(problem)
    return found


async def _as_it_stood(
    connection: AsyncConnection, rows: Sequence[Row], said: Sequence[Row], attached: Sequence[Row]
) -> Row:
    """A statement from its rows of `_then`, for a reader who can send no commands on it any more."""
    (item,) = await _shown(connection, rows)
    files = await as_shown(connection, attached, said)
    return item | {"files": files.get(item["id"], [])}


async def _then(connection: AsyncConnection, id_: str, until: Moment) -> tuple[list[Row], list[Row], list[Row]]:
    """The statement's row, its releases and its files as they stood when an event of the incident was recorded."""
    table = METADATA.tables["events"]
    chosen = select(table.c.bytes).where(table.c.stream_id == id_, table.c.recordedtime <= until.at)
    ordered = (await connection.execute(chosen.order_by(table.c.version))).scalars()
    events = [Event.parse(bytes_) for bytes_ in ordered]
    rows, attached, said = (folded(view, events) for view in OF_ONE)
    return rows, said, attached


async def _with_rights(connection: AsyncConnection, ctx: Ctx, rows: Sequence[Row]) -> list[Row]:
    """Statements as the API shows them, each with who is due and the actor's `may`; nobody if no pack is at hand."""
    known = await abouts(connection, rows)
    items = await _shown(connection, rows)
    # Of a draft, no text of its own is in public yet.
    drafts = (row["incident_id"] for row in rows if row["state"] == "drafted")
    said = await read_said(connection, [incident for incident in drafts if incident])
    past = await past_values(connection, {one.incident for row in rows for one in state_of(row).used})
    for row, item in zip(rows, items, strict=True):
        incident = known[row["id"]]
        with suppress(Unavailable):
            case = Case.of(state_of(row), incident, row["id"], ctx)
            item["may"] = [verb for verb in may(RIGHTS.values(), case, ctx) if verb not in _idle(item["files"])]
            item.update(shown(case.statement.course, case.pack))
            item["due"] = nearest(case.due.who, case.statement.unit, ctx.offices) if case.due else []
            found = _one_text(case, row, item, ctx, said.get(row["incident_id"], ()), past)
            item["gates"] = _gates(case, item["facts"], ctx, found)
            item["checks"] = checks_shown(case, ctx)
            item["held"] = _held(case, row, ctx, past) if row["scheduled_at"] else None
    return items


def _idle(files: Sequence[Row]) -> set[str]:
    """The verbs for which a statement has no file."""
    own = [one for one in files if not one["public"]]
    has_picture = any(one["persons"] for one in own)
    return {*(() if own else ("detach-file",)), *(() if has_picture else ("cover-persons",))}


def _held(case: Case, row: Row, ctx: Ctx, past: Sequence[Established]) -> str | None:
    """The code of what stands against publishing a scheduled text."""
    right = RIGHTS[Publish]
    state = state_of(row)
    found = right.refusal(case, ctx, right.verb) or revised(state, case.sheet(ctx), past) or missed(state, ctx)
    return found.code if found else None


def _one_text(
    case: Case, row: Row, item: Row, ctx: Ctx, earlier: Sequence[Said], past: Sequence[Established]
) -> GateState:
    """The state of the one text. Adds to the item what the public would read, and what stands against it."""
    written = {"title": item["title"], "text": item["draft"]}
    sheet, texts = case.sheet(ctx), {name: text for name, text in written.items() if text}
    match case.statement.phase:
        case "drafted":
            resolved = {name: sheet.resolved(text) for name, text in texts.items()}
            item.update(resolved_title=resolved.get("title"), resolved_text=resolved.get("text"))
            found = (
                one_text.unbindable(texts, sheet)
                if case.is_notice
                else one_text.findings(
                    texts,
                    sheet,
                    earlier=earlier,
                    named=item["facts"],
                    waived={figure for one in item["waived"] for figure in one["figures"]},
                    telephones=ctx.offices.lists.telephones,
                    offices=case.offices(ctx),
                )
            )
            item["findings"] = [one._asdict() for one in found]
            return gate(True, found)
        case "submitted" | "approved":
            return gate(True, revised(state_of(row), sheet, past))
        case _:
            return gate(False, False)


async def resolved(connection: AsyncConnection, ctx: Ctx, shown: Row, typed: Typing) -> Typing:
    """What is typed for a statement, with facts in place of its markers."""
    if shown["incident_id"] is None or (known := await read_incident(connection, shown["incident_id"])) is None:
        return typed
    with suppress(Unavailable):
        sheet = Case.of(Statement(unit=shown["unit"]), known, shown["id"], ctx).sheet(ctx)
        texts = {name: getattr(typed, name) for name in ("title", "text")}
        return typed.model_copy(update={name: sheet.resolved(text) for name, text in texts.items() if text})
    return typed


def _revised() -> Select[Any]:
    """The facts of published statements that were revised, and that no later release of their matter tells anew."""
    used, fact, later = statement_facts, incident_facts.alias(), statement_facts.alias()
    other, of = statements.alias(), statements.alias()
    newer = select(later.c.key).join(other, other.c.id == later.c.statement_id)
    says = newer.where(
        other.c.incident_id == of.c.incident_id,
        other.c.state == "published",
        later.c.key == used.c.key,
        later.c.incident_id == used.c.incident_id,
        later.c.version >= fact.c.version,
    )
    return (
        select(used.c.statement_id, used.c.key)
        .distinct()
        .join(of, of.c.id == used.c.statement_id)
        .join(fact, and_(fact.c.incident_id == used.c.incident_id, fact.c.key == used.c.key))
        .where(of.c.state == "published", fact.c.version > used.c.version, ~exists(says))
    )


def _gates(case: Case, facts: Sequence[str], ctx: Ctx, found: GateState) -> list[Row]:
    """The checks before the approval of a statement, as they stand for the actor."""
    said, pack, is_facts = case.statement, case.pack.model, case.statement.kind == "facts"
    waits = pack.verification is not None and "facts" in pack.verification.before
    is_asked = said.phase in ("submitted", "approved")
    return gates(
        said.marks,
        facts=gate(is_facts or bool(facts), not facts or set(facts) - case.incident.facts),
        verification=gate(is_facts and waits, is_facts and unverified(case, ctx)),
        chain=gate(is_asked, is_asked and case.outgrown),
        # Once the last approval is given, nobody need be another person any more.
        separation=gate(
            case.separates and said.phase in ("drafted", "submitted"), case.by in said.writers | said.approvers
        ),
        one_text=found,
    )


async def _outdated(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for id_, fact in await connection.execute(_revised().where(statement_facts.c.statement_id.in_(ids))):
        found.setdefault(id_, []).append(fact)
    return {id_: sorted(facts) for id_, facts in found.items()}


async def _shown(connection: AsyncConnection, rows: Sequence[Row]) -> list[Row]:
    words = await resolve(
        connection,
        METADATA,
        [row[name] for row in rows for name in (*AGREED, *AGREED.values(), "waived_ref", "rejection_ref")],
    )
    outdated = await _outdated(connection, [row["id"] for row in rows])
    numbers = await numbers_of(connection, rows)
    files = await files_of(connection, [row["id"] for row in rows])
    return [
        {
            "number": row["number"],
            "id": row["id"],
            "version": row["revision"],
            "revision": row["revision"],
            "incident_number": numbers.get(row["incident_id"]),
            "incident_id": row["incident_id"],
            "unit": row["unit"],
            "kind": row["kind"],
            "form": row["form"],
            "state": row["state"],
            "title": row["title"] or words(row["title_ref"]),
            "draft": words(row["draft_ref"]),
            "resolved_title": row["title"] or words(row["agreed_title_ref"] or row["title_ref"]),
            "resolved_text": row["text"] or words(row["agreed_text_ref"] or row["draft_ref"]),
            "waived": [one._asdict() for one in binding.read(words(row["waived_ref"]))],
            "findings": [],
            "outdated": outdated.get(row["id"], []),
            "facts": row["facts"].split(),
            "files": files.get(row["id"], []),
            "secret": "secret" in row["marks"],
            "major_information": "major_information" in row["marks"],
            "level": row["level"],
            **shown(Course.model_validate_json(row["course"])),
            "due": [],
            "gates": [],
            "checks": [],
            "may": [],
            "rejection": words(row["rejection_ref"]),
            "drafted_at": row["drafted_at"],
            "text": row["text"],
            "published_at": row["published_at"],
            "updated_at": row["updated_at"],
            "corrections": row["corrections"],
            "withdrawn_at": row["withdrawn_at"],
            "scheduled_at": row["scheduled_at"],
            "next_at": row["next_at"],
            "held": None,
            "drill": row["drill"],
        }
        for row in rows
    ]
