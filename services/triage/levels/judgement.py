"""The facts that say how grave a matter is: counts of its reach, flags, harm, and whether it is in doubt.

Each event of a fact is followed by the levels that are known by then, if the fact changed them.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from schemas import triage
from schemas.fields import REACH, LevelKnown, Typed
from services.kernel.core.acts import Act
from services.kernel.core.decider import Ctx, Decided, Moved, Occurred
from services.kernel.core.problems import Malformed, Rejected, Unavailable
from services.kernel.core.units import LoadedPack
from services.kernel.rules import grading
from services.kernel.rules.conditions import Figures
from services.kernel.rules.grading import Counted, Fact, Flagged, Harmed
from services.triage import commands as c
from services.triage.handling.acts import happened
from services.triage.state import State


def count(state: State, command: c.CountReach) -> Counted | None:
    """The count, if it adds to what is known of the matter. Raises `Moved` if the report has moved."""
    if state.merged_into:
        raise Moved(state.merged_into)
    if command.report in state.left:
        raise Moved(state.left[command.report])
    counted = counted_by(command)
    return counted if state.phase != "new" and counted.adds_to(state.gravity) else None


def counted_by(command: c.CountReach) -> Counted:
    """The count of a command."""
    figures = Figures(**{name: getattr(command, name) for name in REACH})
    return Counted(command.counted_at, command.report, figures, command.basis)


def counts_of(state: State, reports: Collection[str]) -> Iterator[c.CountReach]:
    """What these reports had counted, as commands for the matter that they join."""
    for fact in state.gravity:
        if isinstance(fact, Counted) and fact.report in reports:
            figures = {name: getattr(fact.figures, name) for name in REACH}
            yield c.CountReach(report=fact.report, counted_at=fact.at, basis=fact.basis, **figures)


def take_count(state: State, command: c.CountReach, ctx: Ctx) -> Decided:
    """The count of a report, and the levels that are known by it."""
    counted = count(state, command)
    return [] if counted is None else [reached(counted), *levels(state, [counted], ctx)]


def reached(counted: Counted, taken_from: str | None = None) -> Occurred:
    """The event of a count."""
    fact = triage.IncidentReachCounted(
        report=counted.report,
        counted_at=counted.at,
        taken_from=taken_from,
        **{name: getattr(counted.figures, name) for name in REACH},
    )
    return Occurred(fact, time=counted.at, basis=(counted.basis,))


def levels(
    state: State,
    facts: Sequence[Fact],
    ctx: Ctx,
    *,
    reports: int | None = None,
    before: dict[str, datetime] | None = None,
) -> list[Occurred]:
    """The event of the levels that are known with further facts, if they changed. `before` is known besides."""
    try:
        pack = ctx.offices.pack_of(state.policy, state.unit)
    except Unavailable:
        return []
    if not facts and not grading.counts_reports(pack):
        return []
    known = dict(state.known)
    for level, at in (before or {}).items():
        known[level] = min(known.get(level, at), at)
    since = min((fact.at for fact in facts), default=ctx.now)
    together = (*state.gravity, *facts)
    count = state.report_count if reports is None else reports
    return _told(state, pack, grading.known(pack, together, count, ctx.now, known, since), ctx)


def levels_without(state: State, reports: Sequence[str], ctx: Ctx) -> list[Occurred]:
    """The event of the levels that are known if these reports leave, if they changed."""
    try:
        pack = ctx.offices.pack_of(state.policy, state.unit)
    except Unavailable:
        return []
    staying = grading.without(state.gravity, reports)
    return _told(state, pack, grading.known(pack, staying, state.report_count - len(reports), ctx.now), ctx)


def levels_by(state: State, pack: LoadedPack, ctx: Ctx) -> list[Occurred]:
    """The event of the levels that are known by another pack, to which the matter moves, if they changed."""
    return _told(state, pack, grading.known(pack, state.gravity, state.report_count, ctx.now), ctx)


def _told(state: State, pack: LoadedPack, known: dict[str, datetime], ctx: Ctx) -> list[Occurred]:
    if known == dict(state.known):
        return []
    fact = triage.IncidentLevelsKnown(levels=tuple(LevelKnown(level=level, known_at=at) for level, at in known.items()))
    return [Occurred(fact, policy=pack.ref, basis=ctx.offices.basis)]


def set_flag(state: State, command: c.SetFlag, ctx: Ctx) -> Decided:
    """The flag, which the pack must have."""
    pack = ctx.offices.pack_of(state.policy, state.unit)
    flags = [flag.code for flag in pack.model.flags]
    if command.flag not in flags:
        raise Malformed(
            f"flag: {_name(pack)} has no flag {command.flag!r}; its flags are {', '.join(flags) or 'none'}",
            code="flag-unknown",
            field="flag",
            pack=_name(pack),
            flag=command.flag,
            known=flags,
        )
    if command.flag in state.flags:
        raise Rejected(
            f"{state.id} has the flag {command.flag} already; choose another one",
            code="flag-set",
            incident=state.id,
            flag=command.flag,
        )
    before = [fact.at for fact in state.gravity if isinstance(fact, Flagged) and fact.flag == command.flag]
    at = _judged_at(state, command, before, ctx)
    fact = triage.IncidentFlagSet(
        flag=command.flag, reason=Typed(text=command.reason), late_reason=_late_reason(command)
    )
    return [Occurred(fact, time=at), *levels(state, [Flagged(at, command.flag)], ctx)]


def clear_flag(state: State, command: c.ClearFlag, ctx: Ctx) -> Decided:
    """The end of a flag. What was known by it stays known."""
    if command.flag not in state.flags:
        raise Rejected(
            f"{state.id} does not have the flag {command.flag}; "
            f"it has {', '.join(sorted(state.flags)) or 'none, so nothing is to be cleared'}",
            code="flag-not-set",
            incident=state.id,
            flag=command.flag,
            flags=sorted(state.flags),
        )
    return [triage.IncidentFlagCleared(flag=command.flag, reason=Typed(text=command.reason))]


def judge_harm(state: State, command: c.JudgeHarm, ctx: Ctx) -> Decided:
    """The harm, as a step of the pack's scale."""
    pack = ctx.offices.pack_of(state.policy, state.unit)
    scale = [step.value for step in pack.model.harm_scale]
    if command.harm not in scale:
        raise Malformed(
            f"harm: {_name(pack)} has no step {command.harm} of harm; "
            f"its steps are {', '.join(map(str, scale)) or 'none'}",
            code="harm-unknown",
            field="harm",
            pack=_name(pack),
            harm=command.harm,
            known=scale,
        )
    if command.harm == state.harm:
        raise Rejected(
            f"the harm of {state.id} is judged {command.harm} already; choose another step",
            code="harm-judged",
            incident=state.id,
            harm=command.harm,
        )
    at = _judged_at(state, command, [fact.at for fact in state.gravity if isinstance(fact, Harmed)], ctx)
    fact = triage.IncidentHarmJudged(
        harm=command.harm, reason=Typed(text=command.reason), late_reason=_late_reason(command)
    )
    return [Occurred(fact, time=at), *levels(state, [Harmed(at, command.harm)], ctx)]


def _judged_at(state: State, command: Act, before: Sequence[datetime], ctx: Ctx) -> datetime:
    """When it was judged. A judgement follows the earlier ones of its kind."""
    at = happened(state, command, ctx) or ctx.now
    last = max(before, default=at)
    if at < last:
        raise Malformed(
            f"happened_at: a later judgement is on record, of {last.isoformat()}; enter a time after it",
            code="before-last-judgement",
            field="happened_at",
            incident=state.id,
            at=last,
        )
    return at


def _late_reason(command: Act) -> Typed | None:
    return None if command.late_reason is None else Typed(text=command.late_reason)


def judge_doubt(state: State, command: c.JudgeDoubt) -> Decided:
    """Whether the matter is in doubt, which may choose another chain of approvals."""
    if command.doubtful == state.doubtful:
        raise Rejected(
            f"{state.id} is {'' if state.doubtful else 'not '}judged doubtful already; nothing is to be changed",
            code="doubt-judged",
            incident=state.id,
            doubtful=state.doubtful,
        )
    return [triage.IncidentDoubtJudged(doubtful=command.doubtful, reason=Typed(text=command.reason))]


def brought(state: State, leaving: State, ctx: Ctx) -> list[Any]:
    """What a merger brings: counts, flags, harm and doubt of the other matter, and since when it was known."""
    counts = [fact for fact in leaving.gravity if isinstance(fact, Counted)]
    flags = sorted(leaving.flags - state.flags)
    harm = leaving.harm if (leaving.harm or 0) > (state.harm or 0) else None
    facts: list[Any] = [reached(counted, leaving.id) for counted in counts]
    facts += [triage.IncidentFlagSet(flag=flag, taken_from=leaving.id) for flag in flags]
    new: list[Fact] = [*counts, *(Flagged(ctx.now, flag) for flag in flags)]
    if harm is not None:
        facts.append(triage.IncidentHarmJudged(harm=harm, taken_from=leaving.id))
        new.append(Harmed(ctx.now, harm))
    if leaving.doubtful and not state.doubtful:
        facts.append(triage.IncidentDoubtJudged(doubtful=True, taken_from=leaving.id))
    together = state.report_count + leaving.report_count
    return [*facts, *levels(state, new, ctx, reports=together, before=dict(leaving.known))]


def _name(pack: LoadedPack) -> str:
    return pack.ref.partition("#")[0]
