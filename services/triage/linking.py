"""Commands that concern two incidents: merging, splitting and linking. Each is one transaction."""

from schemas.fields import parse_instant
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.core.standings import reading_of
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands
from services.kernel.serving.commands import Answer, Caller, with_seen
from services.kernel.store import standings
from services.kernel.store.session import Session
from services.triage import judgement, seen
from services.triage.commands import Absorb, Link, Merge, OpenSplit, Received, Split


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
        told = {"discovered": [of.discovered_at for of in known.values()], "late": known[stream].entered_late}
        knowing = with_seen(ctx, {"leaving": before, "reports": reports, **told})
        events += session.decide(command.into, Absorb(incident=stream), knowing)
        return commands.answer(session, stream, events)

    return await commands.transact(runtime, caller, act)


async def link(runtime: Runtime, caller: Caller, stream: str, command: Link) -> Answer:
    """`incident.linked` on the stream. The caller must be allowed to read the other incident."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        await session.load([stream])
        _must_exist(session, stream)
        session.authorize(stream, command, ctx)
        known = await standings.read(session.connection, session.service.metadata, [command.to])
        if reading_of(known, command.to, ctx.offices.overseen(ctx.actor.unit)) is None:
            raise NotFound(f"there is no {command.to} that concerns {ctx.actor.unit}", what=command.to)
        events = commands.decide(session, stream, command, ctx, caller, staff=True)
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
        refused = tuple(sorted(parent.state.refused.intersection(command.reports)))
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
