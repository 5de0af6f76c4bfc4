"""The rules of an incident: what is recorded when something is asked. Who may ask, and when, stands in `rights`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from schemas import triage
from schemas.envelope import Event
from schemas.fields import Fact, Typed
from schemas.lists import FactKey
from schemas.triage import AnswerKind, FactValue
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Moved, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.units import LoadedPack
from services.kernel.masking import Listed, mask
from services.kernel.rules.conditions import Figures, Proposal, propose_level
from services.triage import commands as c
from services.triage.rights import RIGHTS, Incident


@dataclass(frozen=True, slots=True)
class State(Incident):
    """What later decisions on the incident depend on."""

    level: str | None = None
    rank: int = 0
    answer_kind: AnswerKind | None = None
    discovered_at: datetime | None = None
    reports: tuple[str, ...] = ()
    refused: frozenset[str] = frozenset()
    """Those of the reports that get no answer."""
    left: Mapping[str, str] = field(default_factory=dict)
    """Reports that left, and for which incident."""
    facts: Mapping[str, FactValue] = field(default_factory=dict)
    statements: frozenset[str] = frozenset()
    """Published statements that were recorded as the answer."""
    drill: bool = False


class Reach(NamedTuple):
    """How far the matter had spread at a time, and the reports that say so, as `stream@version`."""

    at: datetime
    figures: Figures
    basis: tuple[str, ...]


def initial_state() -> State:
    """An incident that does not exist yet."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case triage.IncidentOpened() as data:
            return replace(
                state,
                id=event.stream,
                phase="open",
                unit=data.unit,
                discovered_at=data.discovered_at,
                reports=(data.report,),
                drill=event.drill,
            )
        case triage.IncidentReportAttached() as data:
            return replace(state, reports=_with(state.reports, data.report))
        case triage.IncidentReportDetached() as data:
            return replace(state, reports=_without(state.reports, data.report))
        case triage.IncidentReportRefused() as data:
            return replace(state, refused=state.refused | {data.report})
        case triage.IncidentSplit() as data:
            return replace(
                state,
                reports=_without(state.reports, *data.reports),
                refused=state.refused.difference(data.reports),
                left={**state.left, **dict.fromkeys(data.reports, data.into)},
            )
        case triage.IncidentAbsorbed() as data:
            earlier = min(data.discovered_at, state.discovered_at or data.discovered_at)
            return replace(state, reports=_with(state.reports, *data.reports), discovered_at=earlier)
        case triage.IncidentVerificationRequested() as data:
            return replace(state, verifying=state.verifying | {data.unit})
        case triage.IncidentFactEstablished() | triage.IncidentFactRevised() as data:
            return replace(state, facts={**state.facts, data.key: data})
        case triage.IncidentClassified() as data:
            return replace(state, answer_kind=data.answer_kind)
        case triage.IncidentGraded() | triage.IncidentRegraded() as data:
            return replace(state, level=data.level, rank=data.rank)
        case triage.IncidentAssigned() as data:
            return replace(state, assigned=data.unit, accepted=False)
        case triage.IncidentAccepted():
            return replace(state, accepted=True)
        case triage.IncidentReturned():
            return replace(state, assigned=None, accepted=False)
        case triage.IncidentTransferred() as data:
            return replace(state, unit=data.unit)
        case triage.IncidentHandlingRecorded() as data:
            said = {data.statement} if data.statement else set()
            return replace(state, handled=state.handled | {data.track}, statements=state.statements | said)
        case triage.IncidentResolved():
            return replace(state, phase="resolved")
        case triage.IncidentClosed():
            return replace(state, phase="closed", verifying=frozenset())
        case triage.IncidentDismissed():
            return replace(state, phase="dismissed", verifying=frozenset())
        case triage.IncidentReopened():
            return replace(state, phase="open", handled=frozenset())
        case triage.IncidentMerged() as data:
            return replace(state, phase="merged", merged_into=data.into)
    return state


def _with(reports: tuple[str, ...], *further: str) -> tuple[str, ...]:
    return (*reports, *(report for report in further if report not in reports))


def _without(reports: tuple[str, ...], *leaving: str) -> tuple[str, ...]:
    return tuple(report for report in reports if report not in leaving)


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` where the actor has no right to the command; what other events cause needs none."""
    right = RIGHTS.get(type(command))
    if right is None:
        return
    right.require(state, ctx)
    if isinstance(command, c.Merge) and ctx.seen["into"].phase != "new":
        right.require(ctx.seen["into"], ctx)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """What the command makes happen.

    `ctx.seen` holds, for Grade `reach` (each `Reach`, oldest first), for EstablishFact `words` (reference -> text of
    the facts' texts), for Merge `into` (the other incident's `State`), for Split `into` (the new incident's id)
    and `matters` (digests of what the leaving reports are about).
    """
    right = RIGHTS.get(type(command))
    if right is None:
        return _caused(state, command, ctx)
    authorize(state, command, ctx)
    right.refuse(state, ctx)
    return _decided(state, command, ctx)


def _caused(state: State, command: Command, ctx: Ctx) -> Decided:
    """What follows from other events. No rule refuses it."""
    match command:
        case c.TakeReport():
            return _take(state, command)
        case c.RecordRefusal():
            return [Occurred(fact, basis=(command.basis,)) for fact in _refuse(state, command)]
        case c.RecordAnswerPublished():
            if state.merged_into:
                raise Moved(state.merged_into)
            if state.phase == "new" or command.statement in state.statements:
                return []
            answered = triage.IncidentHandlingRecorded(track="answer", statement=command.statement)
            return [Occurred(answered, basis=(command.basis,), unit=command.unit)]
        case c.Absorb():
            earlier = min(command.discovered_at, state.discovered_at or command.discovered_at)
            return [triage.IncidentAbsorbed(incident=command.incident, reports=command.reports, discovered_at=earlier)]
        case c.OpenSplit():
            first, *others = command.reports
            return [
                triage.IncidentOpened(
                    unit=command.unit,
                    report=first.report,
                    discovered_at=first.discovered_at,
                    entered_late=first.entered_late,
                ),
                *(triage.IncidentReportAttached(**other.model_dump()) for other in others),
                *(triage.IncidentReportRefused(report=report) for report in command.refused),
                *_dismissed({report.report for report in command.reports}, command.refused),
            ]
    raise TypeError(f"no rule for {type(command).__name__}")


def _take(state: State, command: c.TakeReport) -> Decided:
    """The report opens the incident or joins it.

    What is over takes nothing in: a new report of it is owed an answer of its own, within limits of its own.
    """
    if state.merged_into:
        raise Moved(state.merged_into)
    if command.report in state.reports:
        return []
    if state.phase == "new":
        opened = triage.IncidentOpened(
            unit=command.unit,
            report=command.report,
            discovered_at=command.discovered_at,
            category=command.category,
            matter=command.matter,
            relates_to=command.relates_to,
            entered_late=command.entered_late,
        )
        return [Occurred(opened, basis=(command.basis,), unit=command.unit)]
    if state.phase != "open":
        raise Moved(command.opens, command.model_copy(update={"relates_to": state.id}))
    attached = triage.IncidentReportAttached(
        report=command.report,
        unit=command.unit,
        discovered_at=command.discovered_at,
        entered_late=command.entered_late,
    )
    return [Occurred(attached, basis=(command.basis,), unit=command.unit)]


def _refuse(state: State, command: c.RecordRefusal) -> list[Fact]:
    """The refusal, and the end of a matter of which nothing is left to answer."""
    if state.merged_into:
        raise Moved(state.merged_into)
    if command.report in state.left:
        raise Moved(state.left[command.report])
    if command.report not in state.reports or command.report in state.refused:
        return []
    refused = triage.IncidentReportRefused(report=command.report)
    ended = _dismissed(state.reports, (*state.refused, command.report)) if state.phase == "open" else []
    return [refused, *ended]


def _dismissed(reports: Iterable[str], refused: Collection[str]) -> list[Fact]:
    """The end of the matter where each of its reports was refused an answer."""
    reports = tuple(sorted(reports))
    return [triage.IncidentDismissed(reports=reports)] if all(report in refused for report in reports) else []


def _decided(state: State, command: Command, ctx: Ctx) -> Decided:
    """What staff decided, on an incident that is neither merged nor, but for looking back, closed."""
    tree = ctx.offices.basis
    match command:
        case c.Instruct():
            return [triage.IncidentInstructionGiven(text=Typed(text=command.text))]
        case c.RequestVerification():
            ctx.offices.unit(command.unit)
            asked = triage.IncidentVerificationRequested(unit=command.unit, text=_typed(command.text))
            return [Occurred(asked, basis=tree)]
        case c.EstablishFact():
            return _establish(state, command, ctx)
        case c.Classify():
            return _classify(state, command, ctx)
        case c.Grade():
            return _grade(state, command, ctx)
        case c.Assign():
            ctx.offices.unit(command.unit)
            if command.unit == state.assigned:
                raise Rejected(
                    f"{state.id} is assigned to {command.unit} already; name another unit",
                    code="already-assigned",
                    incident=state.id,
                    unit=command.unit,
                )
            assigned = triage.IncidentAssigned(unit=command.unit, reason=_typed(command.reason))
            return [Occurred(assigned, basis=tree)]
        case c.Accept():
            return [triage.IncidentAccepted(unit=_assigned(state))]
        case c.Return():
            return [triage.IncidentReturned(unit=_assigned(state), reason=Typed(text=command.reason))]
        case c.Transfer():
            ctx.offices.unit(command.unit)
            if command.unit == state.unit:
                raise Rejected(
                    f"{command.unit} is accountable for {state.id} already; name another unit",
                    code="already-accountable",
                    incident=state.id,
                    unit=command.unit,
                )
            transferred = triage.IncidentTransferred(
                unit=command.unit, previous=state.unit, reason=Typed(text=command.reason)
            )
            return [Occurred(transferred, basis=tree)]
        case c.RecordHandling():
            return [triage.IncidentHandlingRecorded(track=command.track, text=Typed(text=command.text))]
        case c.Resolve():
            return [triage.IncidentResolved(reason=Typed(text=command.reason))]
        case c.FollowUp():
            return [triage.IncidentFollowedUp(text=Typed(text=command.text))]
        case c.Reopen():
            return [triage.IncidentReopened(reason=Typed(text=command.reason))]
        case c.Close():
            return [triage.IncidentClosed(reason=Typed(text=command.reason))]
        case c.Merge():
            return _merge(state, command, ctx)
        case c.Split():
            return _split(state, command, ctx)
    raise TypeError(f"no rule for {type(command).__name__}")


def _typed(text: str | None) -> Typed | None:
    return None if text is None else Typed(text=text)


def _assigned(state: State) -> str:
    assert state.assigned is not None, "the table of rights lets nobody accept or return what is assigned to no unit"
    return state.assigned


def _establish(state: State, command: c.EstablishFact, ctx: Ctx) -> Decided:
    _must_be_listed(command, ctx.offices.lists.fact(command.key, ctx.offices.pack(state.unit).model.facts))
    model: type[triage.IncidentFactEstablished | triage.IncidentFactRevised] = triage.IncidentFactEstablished
    if known := state.facts.get(command.key):
        if _same(known, command, ctx.seen.get("words", {}), ctx.offices.lists.telephones):
            return []
        model = triage.IncidentFactRevised
    fact = model(key=command.key, kind=command.kind, source=Typed(text=command.source), **_value(command))
    return [fact]


def _must_be_listed(command: c.EstablishFact, listed: FactKey) -> None:
    if command.kind != listed.kind:
        raise Malformed(
            f"kind: {command.key} is a fact of the kind {listed.kind}, not {command.kind}",
            code="fact-of-another-kind",
            field="kind",
            key=command.key,
            kind=listed.kind,
            given=command.kind,
        )
    codes = [one.code for one in listed.codes]
    if command.kind == "code" and command.value not in codes:
        raise Malformed(
            f"value: {command.key} takes one of {', '.join(codes)}",
            code="fact-code-unknown",
            field="value",
            key=command.key,
            known=codes,
        )


def _value(command: c.EstablishFact) -> dict[str, Any]:
    """The one value field of the fact that its kind has."""
    value = command.value
    match command.kind:
        case "text":
            return {"words": Typed(text=str(value))}
        case "number":
            return {"number": float(value)}
        case "time":
            return {"at": command.at}
        case "code":
            return {"code": str(value)}
        case "yes_no":
            return {"yes": bool(value)}


def _same(known: FactValue, command: c.EstablishFact, words: Mapping[str, str | None], listed: Listed) -> bool:
    if known.kind != command.kind:
        return False
    if command.kind == "text":
        said = mask(str(command.value), listed).text
        return known.words is not None and words.get(known.words.ref) == said
    return all(getattr(known, name) == value for name, value in _value(command).items())


def _classify(state: State, command: c.Classify, ctx: Ctx) -> Decided:
    if command.answer_kind == state.answer_kind:
        raise Rejected(
            f"{state.id} is to get the kind of answer {command.answer_kind} already; choose another one",
            code="already-classified",
            incident=state.id,
            answer_kind=command.answer_kind,
        )
    pack = ctx.offices.pack(state.unit)
    category = next((category for category in pack.model.categories if category.kind == command.answer_kind), None)
    if category is None:
        raise Rejected(
            f"{_name(pack)} has no rule for the kind of answer {command.answer_kind}; choose another one",
            code="answer-kind-unknown",
            pack=_name(pack),
            answer_kind=command.answer_kind,
        )
    if state.level is not None and state.level not in category.levels:
        raise Rejected(
            f"{_name(pack)} does not allow {command.answer_kind} at the level {state.level}; choose another one",
            code="answer-kind-not-allowed",
            pack=_name(pack),
            answer_kind=command.answer_kind,
            level=state.level,
        )
    return [_by_pack(triage.IncidentClassified(answer_kind=command.answer_kind), pack, ctx)]


def _grade(state: State, command: c.Grade, ctx: Ctx) -> Decided:
    pack = ctx.offices.pack(state.unit)
    levels = {level.code: level.rank for level in pack.model.levels}
    rank = levels.get(command.level)
    if rank is None:
        raise Malformed(
            f"level: {_name(pack)} has no level {command.level!r}; its levels are {', '.join(levels)}",
            code="level-unknown",
            field="level",
            pack=_name(pack),
            level=command.level,
            known=list(levels),
        )
    if command.level == state.level:
        raise Rejected(
            f"{state.id} is graded {command.level} already; choose another level",
            code="already-graded",
            incident=state.id,
            level=command.level,
        )
    reach: Sequence[Reach] = ctx.seen.get("reach", ())
    proposal = proposed(pack, reach)
    judged: dict[str, Any] = {
        "level": command.level,
        "rank": rank,
        "reason": Typed(text=command.reason),
        "proposed": proposal.level if proposal else None,
        "rule": proposal.rule if proposal else None,
        "known_at": _known_at(pack, reach, levels, rank),
    }
    fact: Fact
    if state.level is None:
        fact = triage.IncidentGraded(**judged)
    else:
        fact = triage.IncidentRegraded(previous=state.level, previous_rank=state.rank, **judged)
    return [_by_pack(fact, pack, ctx, *(reach[-1].basis if reach else ()))]


def proposed(pack: LoadedPack, reach: Sequence[Reach]) -> Proposal | None:
    """What the newest figures propose by the pack; None where nothing was measured."""
    return propose_level(pack, reach[-1].figures) if reach else None


def _known_at(pack: LoadedPack, reach: Sequence[Reach], ranks: Mapping[str, int], rank: int) -> datetime | None:
    """When figures first proposed the level or a higher one. Nothing need be known for the lowest."""
    if rank == min(ranks.values()):
        return None
    return next((known.at for known in reach if ranks[propose_level(pack, known.figures).level] >= rank), None)


def _by_pack(fact: Fact, pack: LoadedPack, ctx: Ctx, *basis: str) -> Occurred:
    return Occurred(fact, policy=pack.ref, basis=(*ctx.offices.basis, *basis))


def _name(pack: LoadedPack) -> str:
    return pack.ref.partition("#")[0]


def _merge(state: State, command: c.Merge, ctx: Ctx) -> Decided:
    into: State = ctx.seen["into"]
    if into.phase == "new":
        raise Malformed(
            f"there is no {command.into} to merge into", code="incident-unknown", field="into", into=command.into
        )
    if command.into == state.id:
        raise Rejected(
            f"{state.id} cannot be merged into itself; name the other incident",
            code="merge-into-itself",
            incident=state.id,
        )
    if into.merged_into:
        raise Rejected(
            f"{into.id} was itself merged into {into.merged_into}; merge into that one",
            code="merged-target",
            incident=into.id,
            into=into.merged_into,
        )
    if into.phase != "open":
        raise Rejected(
            f"{into.id} is {into.phase}; reopen it first, then merge",
            code="merge-target-ended",
            incident=into.id,
            phase=into.phase,
        )
    if into.drill != state.drill:
        raise Rejected("an exercise and a real matter are never merged", code="drill-and-real")
    return [triage.IncidentMerged(into=command.into, reason=_typed(command.reason))]


def _split(state: State, command: c.Split, ctx: Ctx) -> Decided:
    strangers = [report for report in command.reports if report not in state.reports]
    if strangers:
        raise Rejected(
            f"{', '.join(strangers)} does not belong to {state.id}; name reports that do",
            code="not-its-report",
            incident=state.id,
            reports=strangers,
        )
    if not set(state.reports) - set(command.reports):
        raise Rejected(
            f"every report would leave {state.id}; keep at least one, or merge it into another incident",
            code="last-report",
            incident=state.id,
        )
    leaving = tuple(dict.fromkeys(command.reports))
    split = triage.IncidentSplit(into=ctx.seen["into"], reports=leaving, matters=ctx.seen.get("matters", ()))
    staying = _without(state.reports, *leaving)
    return [split, *(_dismissed(staying, state.refused) if state.phase == "open" else ())]


DECIDER = Decider("incident", initial_state, evolve, decide, authorize)
