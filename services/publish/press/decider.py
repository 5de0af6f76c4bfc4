"""The rules of a matter's press part: who speaks, press conferences, and what media were given.

`rights` says who may ask for what. `ctx.seen` holds `stream`, the id of the press stream; `incident`, the matter as
publish has seen it, or None; `statement`, the `Approved` one that a command names, or None; and `earlier`, the
statements of the matter that are in public.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas import press
from schemas.envelope import Event
from schemas.fields import Fact, Typed
from services.kernel.core.acts import entered, must_be_ahead
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.publish.press import given
from services.publish.press.commands import (
    CallConference,
    CancelConference,
    FixSpeakers,
    HoldConference,
    LogContact,
    PostponeConference,
)
from services.publish.press.given import Approved
from services.publish.press.rights import RIGHTS, Matter
from services.publish.press.speakers import NOBODY, Speaking
from services.publish.rights import Case, Incident, Statement
from services.publish.writing import filled, one_text

CONTRADICTS = ("differs-from-fact", "differs-from-statement", "cause-not-established")
"""What must not stand in the record of a press conference. Other figures may: they were asked and answered freely."""


@dataclass(frozen=True, slots=True)
class Conference:
    """A press conference as it stands."""

    at: datetime
    state: str = "called"
    """called, held or cancelled."""


@dataclass(frozen=True, slots=True)
class State:
    """A matter's press part."""

    unit: str = ""
    """The unit that answers for its words."""
    speaking: Speaking = NOBODY
    conferences: Mapping[str, Conference] = field(default_factory=dict)


def initial_state() -> State:
    """Nobody was fixed, and nobody was told anything."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The press part after the event."""
    match event.data:
        case press.PressSpeakersFixed() as data:
            fixed = Speaking(data.speaks, data.approves, data.interviews)
            return replace(state, unit=data.unit, speaking=fixed)
        case press.PressConferenceCalled() | press.PressConferencePostponed() as data:
            return replace(_with(state, data.conference, Conference(data.at)), unit=data.unit)
        case press.PressConferenceCancelled() as data if known := state.conferences.get(data.conference):
            return _with(state, data.conference, replace(known, state="cancelled"))
        case press.PressConferenceHeld() as data if known := state.conferences.get(data.conference):
            return _with(state, data.conference, replace(known, state="held"))
        case press.PressContactLogged() as data:
            return replace(state, unit=data.unit)
    return state


def _with(state: State, id_: str, conference: Conference) -> State:
    return replace(state, conferences={**state.conferences, id_: conference})


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command."""
    RIGHTS[type(command)].require(_matter(ctx), ctx)


def _matter(ctx: Ctx) -> Matter:
    incident: Incident | None = ctx.seen.get("incident")
    if incident is None:
        raise Malformed(
            "publish has not seen this incident; if it is new, send Huiying-After with its version",
            code="incident-not-seen",
            field="id",
        )
    return Matter.of(incident, ctx)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """One event. Raises `Rejected` (409), `Forbidden` (403), or `Malformed` (422) for unknown names."""
    matter, right = _matter(ctx), RIGHTS[type(command)]
    right.require(matter, ctx)
    right.refuse(matter, ctx)
    by, unit = ctx.by(ctx.seen["stream"]), matter.incident.unit
    basis = (f"{matter.incident.id}@{matter.incident.version}", *ctx.offices.basis)
    fact = _decide(state, command, matter, unit, by, ctx)
    decided = [Occurred(fact, policy=matter.pack.ref, basis=basis)]
    if isinstance(command, HoldConference | LogContact):
        return entered(command, command.done_at(ctx.now), decided)
    return decided


def _decide(state: State, command: Command, matter: Matter, unit: str, by: str, ctx: Ctx) -> Fact:
    match command:
        case FixSpeakers():
            return _fix(command, matter, unit, by, ctx)
        case CallConference():
            must_be_ahead(command.at, ctx.now, "at")
            place, reason = Typed(text=command.place), Typed(text=command.reason)
            id_ = ctx.ids.new("")
            return press.PressConferenceCalled(
                conference=id_, unit=unit, at=command.at, place=place, reason=reason, by=by
            )
        case PostponeConference():
            _called(state, command.conference)
            must_be_ahead(command.at, ctx.now, "at")
            place_ = None if command.place is None else Typed(text=command.place)
            return press.PressConferencePostponed(
                conference=command.conference,
                unit=unit,
                at=command.at,
                place=place_,
                reason=Typed(text=command.reason),
                by=by,
            )
        case CancelConference():
            _called(state, command.conference)
            return press.PressConferenceCancelled(
                conference=command.conference, unit=unit, reason=Typed(text=command.reason), by=by
            )
        case HoldConference():
            return _hold(state, command, matter, unit, by, ctx)
        case LogContact():
            return _log(command, matter, unit, by, ctx)
        case _:
            raise TypeError(f"{type(command).__name__} is no command on a matter's press part")


def _fix(command: FixSpeakers, matter: Matter, unit: str, by: str, ctx: Ctx) -> Fact:
    """Fixes posts of the units that work on the matter, or of units above these."""
    groups = {name: tuple(dict.fromkeys(getattr(command, name))) for name in ("speaks", "approves", "interviews")}
    for name, posts in groups.items():
        for post in posts:
            entry = ctx.offices.post(post, name)
            if entry.members and name != "approves":
                raise Rejected(
                    f"{name}: {post} is a body of several posts; name the post that does it",
                    code="body-not-a-post",
                    field=name,
                    post=post,
                )
            _must_be_near(name, post, matter, ctx)
    rule = matter.rule
    if rule and rule.speaks and (others := [post for post in groups["speaks"] if not matter.may_speak(post, ctx)]):
        raise Rejected(
            f"the matter's pack lets {' or '.join(rule.speaks)} speak, and {', '.join(others)} is not one of these",
            code="speaks-by-pack",
            rule="press.speakers",
            pack=matter.pack.name,
            posts=others,
            known=list(rule.speaks),
        )
    fixed = Speaking(**groups)
    if fixed == matter.incident.speaking:
        raise Rejected(
            "this is fixed already, so nothing would change; name other posts, or go back", code="nothing-changed"
        )
    reason = None if command.reason is None else Typed(text=command.reason)
    return press.PressSpeakersFixed(unit=unit, **groups, reason=reason, by=by)


def _must_be_near(name: str, post: str, matter: Matter, ctx: Ctx) -> None:
    at, units = post.partition("@")[2], matter.incident.units
    if not any(at in ctx.offices.above(unit) for unit in units):
        raise Rejected(
            f"{name}: {post} belongs to no unit that works on {matter.incident.id}, and to none above these; "
            f"name a post of {' or '.join(units)}, or of a unit above",
            code="not-its-post",
            field=name,
            post=post,
            known=list(units),
        )


def _called(state: State, id_: str) -> Conference:
    """The conference that is still to come. Raises `Malformed` for an unknown one, `Rejected` for one that is over."""
    found = state.conferences.get(id_)
    if found is None:
        raise Malformed(
            f"this matter has no press conference {id_}", code="conference-unknown", field="conference", conference=id_
        )
    if found.state != "called":
        raise Rejected(
            f"this press conference is {found.state} already; call another one",
            code="conference-over",
            phase=found.state,
        )
    return found


def _hold(state: State, command: HoldConference, matter: Matter, unit: str, by: str, ctx: Ctx) -> Fact:
    _called(state, command.conference)
    for post in command.spoke:
        ctx.offices.post(post, "spoke")
        _must_be_near("spoke", post, matter, ctx)
        _must_speak(post, matter, interview=False)
    statement = _given(command.statement, command.text, matter, ctx)
    if command.record is not None:
        filled.check_wording(ctx, record=command.record)
        _must_not_contradict(command.record, statement, matter, ctx)
    return press.PressConferenceHeld(
        conference=command.conference,
        unit=unit,
        statement=statement.id,
        spoke=tuple(dict.fromkeys(command.spoke)),
        text=Typed(text=command.text),
        record=None if command.record is None else Typed(text=command.record),
        by=by,
    )


def _log(command: LogContact, matter: Matter, unit: str, by: str, ctx: Ctx) -> Fact:
    ctx.offices.post(command.spoke, "spoke")
    _must_be_near("spoke", command.spoke, matter, ctx)
    _must_speak(command.spoke, matter, interview=command.how == "interview")
    filled.check_wording(ctx, medium=command.medium)
    statement = _given(command.statement, command.text, matter, ctx)
    return press.PressContactLogged(
        statement=statement.id,
        unit=unit,
        medium=Typed(text=command.medium),
        how=command.how,
        what=command.what,
        spoke=command.spoke,
        text=Typed(text=command.text),
        by=by,
    )


def _must_speak(post: str, matter: Matter, *, interview: bool) -> None:
    """Raises `Rejected` if other posts were fixed for this."""
    speaking = matter.incident.speaking
    posts = (speaking.interviews or speaking.speaks) if interview else speaking.speaks
    if posts and post not in posts:
        what = "is interviewed on this matter" if interview else "speaks on this matter"
        raise Rejected(
            f"{' or '.join(posts)} {what} and nobody else; {post} was not fixed for it",
            code="not-fixed-to-speak",
            post=post,
            posts=list(posts),
        )


def _given(named: str, text: str, matter: Matter, ctx: Ctx) -> Approved:
    """The statement, if the text is its own. Raises `Rejected` for a text that differs."""
    statement: Approved | None = ctx.seen.get("statement")
    if statement is None:
        raise Malformed(
            f"{matter.incident.id} has no statement {named}", code="statement-unknown", field="statement", given=named
        )
    if statement.state not in ("approved", "published"):
        raise Rejected(
            f"statement {statement.number} is {statement.state}; only what is approved or published is given",
            code="not-to-be-given",
            statement=statement.number,
            phase=statement.state,
        )
    filled.check_wording(ctx, text=text)
    if refusal := given.refusal_of("text", text, statement):
        raise refusal
    return statement


def _must_not_contradict(record: str, statement: Approved, matter: Matter, ctx: Ctx) -> None:
    case = Case.of(Statement(unit=statement.unit), matter.incident, ctx.seen["stream"], ctx)
    sheet = case.sheet(ctx)
    said = one_text.Said(statement.id, statement.number, f"{statement.title}\n{statement.text}")
    earlier: Sequence[one_text.Said] = (*(one for one in ctx.seen.get("earlier", ()) if one.id != said.id), said)
    found = one_text.findings({"record": record}, sheet, earlier=earlier, telephones=ctx.offices.lists.telephones)
    if refusal := one_text.refusal([one for one in found if one.what in CONTRADICTS], sheet):
        raise refusal


DECIDER = Decider("press", initial_state, evolve, decide, authorize)
