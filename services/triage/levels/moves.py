"""The pack of a matter: the one under which it was opened, until it moves to another one. Pure.

A level means something only in its pack. So a move brings it in terms of the new pack: by the new pack's map, or by a
new grading that the command names.
"""

from dataclasses import replace
from datetime import datetime

from schemas import triage
from schemas.fields import Typed
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected, Unavailable
from services.kernel.core.units import LoadedPack
from services.kernel.rules import grading
from services.kernel.rules.grading import Grade
from services.triage.commands import MovePolicy, Transfer
from services.triage.levels import judgement
from services.triage.offices.packs import must_be_effective
from services.triage.state import State


def of_matter(state: State, ctx: Ctx) -> LoadedPack:
    """The pack of the matter. Raises `Unavailable` if there is none yet."""
    return ctx.offices.pack_of(state.policy, state.unit)


def in_force(unit: str, ctx: Ctx) -> str | None:
    """The pack under which a matter of the unit is opened now; None if no pack is in force."""
    try:
        return ctx.offices.pack(unit).ref
    except Unavailable:
        return None


def transfer(state: State, command: Transfer, ctx: Ctx) -> Decided:
    """Another unit becomes accountable. If it works by another pack, the matter moves to that one.

    A newer version of the same pack is no other pack: the matter keeps its version.
    """
    ctx.offices.unit(command.unit)
    if command.unit == state.unit:
        raise Rejected(
            f"{command.unit} is accountable for {state.id} already; name another unit",
            code="already-accountable",
            incident=state.id,
            unit=command.unit,
        )
    transferred = triage.IncidentTransferred(unit=command.unit, previous=state.unit, reason=Typed(text=command.reason))
    new, moved = in_force(command.unit, ctx), []
    if new and new.partition("@")[0] != of_matter(state, ctx).model.id:
        moved = _moved(state, ctx.offices.packs[new], command.level, None, ctx)
    elif command.level:
        raise Malformed(
            f"level: {state.id} keeps its pack, so it keeps its level; leave `level` out",
            code="level-not-needed",
            field="level",
            incident=state.id,
        )
    return [Occurred(transferred, basis=ctx.offices.basis), *moved]


def move(state: State, command: MovePolicy, ctx: Ctx) -> Decided:
    """The matter goes on under another pack, or another version of its pack."""
    new = next((pack for pack in ctx.offices.packs.values() if pack.name == command.pack), None)
    if new is None:
        known = sorted(pack.name for pack in ctx.offices.packs.values())
        raise Malformed(
            f"pack: {command.pack} is not loaded; loaded are {', '.join(known)}",
            code="pack-not-known",
            field="pack",
            pack=command.pack,
            known=known,
        )
    if new.ref == of_matter(state, ctx).ref:
        raise Rejected(
            f"{state.id} is under {new.name} already; name another pack",
            code="already-under-pack",
            incident=state.id,
            pack=new.name,
        )
    must_be_effective(new.name, new.model.effective_at, ctx.now)
    return _moved(state, new, command.level, command.reason, ctx)


def _moved(state: State, new: LoadedPack, level: str | None, reason: str | None, ctx: Ctx) -> list[Occurred]:
    old, ranks = of_matter(state, ctx), grading.ranks(new)
    if level is not None and level not in ranks:
        raise Malformed(
            f"level: {new.name} has no level {level!r}; its levels are {', '.join(ranks) or 'none'}",
            code="level-unknown",
            field="level",
            pack=new.name,
            level=level,
            known=list(ranks),
        )
    wanted = level
    if wanted is None and state.level and ranks:
        wanted = new.model.level_from(old.model.id, state.level)
        if wanted is None:
            raise Rejected(
                f"{new.name} does not say what {state.level} of {old.name} is; "
                "name the level by the new pack in `level`",
                code="level-not-mapped",
                pack=new.name,
                previous=old.name,
                level=state.level,
            )
    moved = triage.IncidentPolicyMoved(
        policy=new.ref,
        previous=old.ref,
        level=wanted,
        rank=ranks[wanted] if wanted else None,
        known_at=state.grades[-1].known_at if wanted and state.grades else None,
        reason=None if reason is None else Typed(text=reason),
    )
    # Levels and harm that were judged by another pack count no more, even if this one has the same codes.
    facts = grading.without_harm(state.gravity)
    before = state if old.model.id == new.model.id else replace(state, known={}, gravity=facts)
    return [Occurred(moved, policy=new.ref, basis=ctx.offices.basis), *judgement.levels_by(before, new, ctx)]


def in_terms_of(pack: LoadedPack, leaving: State, ctx: Ctx) -> State:
    """The state of a matter under its own pack, with its levels in terms of another one; unmapped ones are left out.

    So is the harm: its steps are those of its own pack.
    """
    old = of_matter(leaving, ctx)
    if old.ref == pack.ref:
        return leaving
    grades = [(pack.model.level_from(old.model.id, grade.level), grade.known_at) for grade in leaving.grades]
    level = pack.model.level_from(old.model.id, leaving.level)
    told = tuple(Grade(code, known_at) for code, known_at in grades if code)
    known: dict[str, datetime] = {}
    for one, at in leaving.known.items():
        if code := pack.model.level_from(old.model.id, one):
            known[code] = min(known.get(code, at), at)
    rank = grading.ranks(pack).get(level or "", 0)
    changed = replace(leaving, level=level, rank=rank, grades=told, known=known)
    if old.model.id == pack.model.id:
        return changed
    return replace(changed, harm=None, gravity=grading.without_harm(leaving.gravity))
