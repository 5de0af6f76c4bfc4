"""The rules of a report: what is taken in, what may follow, and what remains after an erasure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from schemas import catalogue
from schemas.envelope import Event
from schemas.fields import Typed, instant
from schemas.ingest import (
    ReportErased,
    ReportErasureAsked,
    ReportEvidenceAttached,
    ReportHelpfulnessGiven,
    ReportReachMeasured,
    ReportReceived,
    ReportRefused,
)
from services.ingest.commands import AttachEvidence, Erase, JudgeAnswer, Reach, ReceiveReport, Refuse, Report
from services.ingest.rights import RIGHTS, Filed
from services.kernel.access import erasure
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.problems import Malformed, Rejected

FUTURE = timedelta(seconds=60)
"""How far the sender's clock may be ahead."""
FIGURES = ("clicks", "comments", "mainstream_sites", "shares")


@dataclass(frozen=True, slots=True)
class State(Filed):
    """A report as its rules need it. An erasure now would have to delete `refs` and `files`."""

    id: str = ""
    refs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    judged: frozenset[str] = frozenset()
    """The answers of which the sender said whether they helped."""


def initial_state() -> State:
    return State()


def evolve(state: State, event: Event) -> State:
    match event.data:
        case ReportErased():
            return replace(state, refs=(), files=(), erased=True, asked=None)
        case ReportErasureAsked(by=by):
            return replace(state, asked=by)
        case ReportReceived(unit=unit, by=person):
            state = replace(state, id=event.stream, unit=unit, sender=event.actor, person=person)
            state = replace(state, received=event.recorded)
        case ReportEvidenceAttached(file=file):
            state = replace(state, files=(*state.files, file))
        case ReportHelpfulnessGiven(answer=answer):
            state = replace(state, judged=state.judged | {answer})
        case ReportRefused():
            state = replace(state, refused=True)
    words = event.words
    return replace(state, refs=(*state.refs, *words.values())) if words else state


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command. The receipt alone lets its holder judge answers."""
    if isinstance(command, JudgeAnswer):
        return
    right = RIGHTS[type(command)]
    if isinstance(command, ReceiveReport):
        ctx.offices.unit(command.report.unit)
        right.require(command.report.unit, ctx)
    else:
        right.require(_of(state, ctx), ctx)


def _of(state: State, ctx: Ctx) -> State:
    """The state with the facts that only the moment of the command shows."""
    return replace(state, by=ctx.by(state.id), standing=ctx.seen.get("standing"))


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events that the command causes.

    `ctx.seen["standing"]` is the standing of the report's incident; None if the report belongs to none yet. For
    JudgeAnswer, `ctx.seen["answer"]` is the incident and the event of the latest answer; None if there is none.
    """
    if isinstance(command, JudgeAnswer):
        return _judge(state, command, ctx)
    if isinstance(command, ReceiveReport):
        if state.unit is not None:
            raise Rejected("this report was received already", code="already-received")
        return [receive(command, ctx)]
    authorize(state, command, ctx)
    state = _of(state, ctx)
    RIGHTS[type(command)].refuse(state, ctx)
    match command:
        case Reach():
            return [_measure(state, command, ctx)]
        case AttachEvidence():
            by = state.by if command.covered and ctx.actor.is_staff else None
            return [ReportEvidenceAttached(**command.model_dump(), by=by)]
        case Refuse(reason=reason):
            return [ReportRefused(reason=Typed(text=reason), by=state.by or None)]
        case Erase():
            return _erase(state, command, ctx)
    raise TypeError(f"a report knows no {type(command).__name__}")


DECIDER = Decider("report", initial_state, evolve, decide, authorize)


def receive(command: ReceiveReport, ctx: Ctx) -> Occurred:
    """The first event of a new report."""
    report = command.report
    authorize(State(), command, ctx)
    ctx.offices.lists.channel(report.channel)
    if report.category is not None:
        ctx.offices.lists.category(report.category)
    if (report.source is None) != (report.external_id is None):
        missing = "source" if report.source is None else "external_id"
        raise Malformed(
            f"source and external_id come together; {missing} is missing", code="field-together", field=missing
        )
    _past(report.discovered_at, "discovered_at", ctx)
    if report.written_at is not None:
        _past(report.written_at, "written_at", ctx)
        if report.written_at < report.discovered_at:
            raise Malformed(
                f"written_at: {instant(report.written_at)} is before {instant(report.discovered_at)}, when the office "
                "first knew; nobody writes down what is not known yet",
                code="written-before-known",
                field="written_at",
                written=report.written_at,
                discovered=report.discovered_at,
            )
    # The sender's clock may be ahead. Nobody can know of a matter later than it was received.
    discovered = min(report.discovered_at, ctx.now)
    names = catalogue.words_of(ReportReceived)
    words: dict[str, Any] = {
        name: Typed(text=text, masked=True) for name in names if (text := getattr(report, name)) is not None
    }
    received = ReportReceived(
        **{name: getattr(report, name) for name in Report.model_fields if name not in ("discovered_at", *names)},
        **words,
        discovered_at=discovered,
        entered_late=ctx.now - discovered > command.late_entry,
        match_key=command.match_key,
        place_key=command.place_key,
        duplicate=command.duplicate,
        sent=command.sent,
        receipt=command.receipt,
        masked=command.masked,
        by=command.by,
        handed=command.handed,
    )
    return Occurred(received, time=discovered, unit=report.unit, basis=ctx.offices.basis)


def _judge(state: State, command: JudgeAnswer, ctx: Ctx) -> Decided:
    if state.erased:
        raise Rejected("this report was erased; nothing can be added to it", code="erased")
    found = ctx.seen["answer"]
    if found is None:
        raise Rejected("this report has no answer yet; say whether it helped once there is one", code="no-answer-yet")
    incident, answer = found
    if answer in state.judged:
        raise Rejected(
            "you said already whether the latest answer helped; that counts once for each answer", code="answer-judged"
        )
    reason = None if command.reason is None else Typed(text=command.reason)
    judged = ReportHelpfulnessGiven(incident=incident, answer=answer, helps=command.helps, reason=reason)
    return [Occurred(judged, unit=state.unit)]


def _measure(state: State, command: Reach, ctx: Ctx) -> Occurred:
    if all(getattr(command, name) is None for name in FIGURES):
        raise Malformed(
            f"give at least one of {', '.join(FIGURES)}", code="figure-needed", field="clicks", known=list(FIGURES)
        )
    _past(command.measured_at, "measured_at", ctx)
    return Occurred(ReportReachMeasured(**command.model_dump()), time=command.measured_at)


def _erase(state: State, command: Erase, ctx: Ctx) -> Decided:
    if not state.refs and not state.files:
        return []
    regretted = command.cause == "mistake" and state.sent_just_now(ctx)
    said: dict[str, Any] = {"cause": command.cause, "reason": Typed(text=command.reason), "by": state.by}
    if not regretted and erasure.step(state.erasing, command.cause, ctx) == "ask":
        return [ReportErasureAsked(**said)]
    return [ReportErased(refs=state.refs, files=state.files, **said)]


def _past(at: datetime, field: str, ctx: Ctx) -> None:
    if at > ctx.now + FUTURE:
        raise Malformed(
            f"{field} lies in the future: {instant(at)} is after {instant(ctx.now)}",
            code="in-the-future",
            field=field,
            at=at,
            now=ctx.now,
        )
