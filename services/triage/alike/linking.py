"""Commands that concern two incidents: merging, splitting and linking. Each is one transaction."""

from schemas.fields import parse_instant
from schemas.triage import Linked
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands
from services.kernel.serving.commands import Answer, Caller, with_seen
from services.kernel.store import sql, standings
from services.kernel.store.session import Session
from services.triage import seen
from services.triage.alike import linked
from services.triage.commands import Absorb, Link, Merge, OpenSplit, Received, RecordLink, Split
from services.triage.levels import judgement
from services.triage.rights import READ_MATTER


async def merge(runtime: Runtime, caller: Caller, stream: str, command: Merge) -> Answer:
    """`incident.merged` on the stream and `incident.absorbed` on the other one, both or neither.

    The caller's version belongs to the stream. Of two opposite merges at once, the second finds the first one done:
    412.
    """

    async def act(session: Session, ctx: Ctx) -> Answer:
        await session.load([stream, command.into])
        _must_exist(session, stream)
        leaving, into = session.streams[stream], session.streams[command.into]
        before, knowing = leaving.state, with_seen(ctx, {"into": into.state})
        events = commands.decide(session, stream, command, knowing, caller, staff=True)
        reports = await seen.belonging(session.connection, stream)
        known = await seen.known(session.connection, {stream, command.into})
        told = {
            "discovered": [of.discovered_at for of in known.values() if of.discovered_at],
            "late": known[stream].entered_late,
        }
        knowing = with_seen(ctx, {"leaving": before, "reports": reports, **told})
        events += session.decide(command.into, Absorb(incident=stream), knowing)
        return commands.answer(session, stream, events)

    return await commands.transact(runtime, caller, act)


async def link(runtime: Runtime, caller: Caller, stream: str, command: Link) -> Answer:
    """`incident.linked` on both incidents, or on none. The caller must be allowed to read the other one."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        await session.load([stream, command.to])
        _must_exist(session, stream)
        session.authorize(stream, command, ctx)
        other = session.streams[command.to].state
        known = await standings.read(session.connection, session.service.metadata, [command.to])
        reading = READ_MATTER.of_matter(known, command.to, ctx)
        if reading is None or (reading.until is not None and not other.merged_into):
            raise NotFound(f"there is no {command.to} that concerns {ctx.actor.unit}", what=command.to)
        # Two links at once could close a ring of parts.
        await sql.lock(session.connection, sql.Hold("link", ["part"] if command.kind == "part" else []))
        wholes = await linked.wholes(session.connection, command.to, stream) if command.kind == "part" else set[str]()
        knowing = with_seen(ctx, {"into": other, "wholes": wholes})
        events = commands.decide(session, stream, command, knowing, caller, staff=True)
        kind: Linked = "whole" if command.kind == "part" else command.kind
        events += session.decide(command.to, RecordLink(to=stream, kind=kind), ctx)
        return commands.answer(session, stream, events)

    return await commands.transact(runtime, caller, act)


async def split(runtime: Runtime, caller: Caller, stream: str, command: Split) -> Answer:
    """`incident.split` on the stream, and a new incident with the leaving reports. The answer names it as `into`."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        await session.load([stream])
        _must_exist(session, stream)
        parent, new = session.streams[stream], ctx.ids.new("incident")
        # The view has every attached report, since its row is written with the event.
        belonging = await seen.belonging(session.connection, stream, command.reports)
        known = await seen.received(session.connection, command.reports)
        match_keys = tuple(sorted({row["match_key"] for row in known if row["match_key"]}))
        before = parent.state
        refused = parent.state.refused_of(command.reports)
        knowing = with_seen(ctx, {"into": new, "belonging": belonging, "match_keys": match_keys})
        events = commands.decide(session, stream, command, knowing, caller, staff=True)
        session.begin(new).drill = parent.drill
        await session.hold_numbers([parent.state.unit], ctx)
        reports = tuple(
            Received(
                report=row["report_id"],
                unit=row["unit"],
                discovered_at=parse_instant(row["discovered_at"]),
                entered_late=row["entered_late"],
            )
            for row in known
        )
        opening = OpenSplit(
            split_from=stream,
            unit=parent.state.unit,
            policy=parent.state.policy,
            assigned=parent.state.assigned,
            accepted=parent.state.accepted,
            designated_by=parent.state.dispatch.designated_by if parent.state.assigned else None,
            reports=reports,
            refused=refused,
            counts=tuple(judgement.counts_of(before, command.reports)),
        )
        events += session.decide(new, opening, ctx)
        answer = commands.answer(session, stream, events)
        return Answer({**answer.body, "into": new}, answer.status, answer.version, answer.events)

    return await commands.transact(runtime, caller, act)


def _must_exist(session: Session, stream: str) -> None:
    if session.streams[stream].version == 0:
        raise NotFound(f"there is no {stream}", what=stream)
