"""What `may` offers is taken in any state, and other commands are refused."""

import functools
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import example, settings
from hypothesis import given as examples
from hypothesis import strategies as st

from schemas import triage
from schemas.envelope import Event, seal
from services.kernel.access.rights import may
from services.kernel.core.commands import Command
from services.kernel.core.decider import SYSTEM, Actor, Moved, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.rules.conditions import Figures
from services.kernel.store.reach import figures_in
from services.kernel.store.standings import standing_in
from services.kernel.store.views import folded
from services.triage import commands as c
from services.triage.decider import DECIDER, State
from services.triage.owed import answering_commands as a
from services.triage.queries import asked_of
from services.triage.rights import RIGHTS, VERBS, Incident
from services.triage.views import OF_ONE, REACHED, VIEWS
from tests.kit.spec import NOW, UNITS, _plain, ctx
from tests.triage.test_decider import ATTACH, COMMANDS, HERE, OPEN, OTHER, PUBLISHED, other

STANDINGS = next(view for view in VIEWS if view.table.name == "standings")
ROLES = sorted({role for right in RIGHTS.values() for role in right.roles} | {"auditor", "spokesperson"})
EVERYONE = Actor("everyone@city", "city", frozenset(ROLES), "p")
COUNT = c.CountReach(report=ATTACH.report, counted_at=NOW, clicks=4, comments=7, basis=ATTACH.basis)
STEPS = (
    *COMMANDS.values(),
    ATTACH,
    PUBLISHED,
    COUNT,
    COUNT.model_copy(update={"clicks": 10, "shares": 4}),
    c.RequestVerification(unit="town-west"),
    c.RequestHelp(unit="county-roads"),
    c.Assign(unit="county-roads"),
    c.RecordHandling(track="problem", text="t"),
    c.Solve(text="t"),
)


def came_to(commands: list[Command]) -> tuple[State, list[Event]]:
    """The state and the events after these commands, without the refused ones."""
    state, past = DECIDER.initial_state(), list[Event]()
    for number, command in enumerate((OPEN, *commands)):
        actor = EVERYONE if type(command) in RIGHTS else SYSTEM
        seen = {"into": OTHER if isinstance(command, c.Split) else other(), "belonging": belonging(past)}
        try:
            decided = DECIDER.decide(state, command, ctx(actor, cause=str(number), seen=seen))
        except (Malformed, Rejected, Moved):
            continue
        for item in decided:
            fact = item.data if isinstance(item, Occurred) else item
            last = past[-1] if past else None
            past.append(
                seal(
                    _plain(fact),
                    id=derived(str(number)),
                    source="/huiying/test/triage",
                    stream=HERE,
                    version=len(past) + 1,
                    previous=last.digest if last else None,
                    time=NOW,
                    recorded=NOW,
                    partitionkey=HERE,
                    actor=actor.post,
                )
            )
            state = DECIDER.evolve(state, past[-1])
    return state, past


def belonging(past: list[Event]) -> list[str]:
    """The reports that belong to the incident after these events."""
    _, reports, *_ = (folded(view, past) for view in OF_ONE)
    return [row["report_id"] for row in reports if row["active"]]


def fitting(verb: str, state: State, reports: list[str]) -> list[Command]:
    """The bodies that fit the state, its proposals and the incident's reports; none if nothing fits."""
    command = fitting_one(verb, state, reports)
    if isinstance(command, c.ApproveProposal | c.RejectProposal | c.CannotJudgeProposal) and state.proposals:
        return [command.model_copy(update={"proposal": one.number}) for one in state.proposals]
    if isinstance(command, c.AcceptHelp | c.ReturnHelp | c.CompleteHelp) and state.helping:
        return [command.model_copy(update={"unit": unit}) for unit in sorted(state.helping)]
    return [command] if command else []


def fitting_one(verb: str, state: State, reports: list[str]) -> Command | None:
    match verb:
        case "classify" if state.answer_kind == "status":
            return c.Classify(answer_kind="answer" if state.level == "general" else "clarification")
        case "categorize" if state.category == "utilities.water":
            return c.Categorize(category="roads")
        case "conclude-verification" if state.verification.outcome == "confirmed":
            return c.ConcludeVerification(outcome="not_established", text="t")
        case "grade" if state.level == "major":
            return c.Grade(level="extraordinary", reason="r")
        case "set-flag":
            return c.SetFlag(flag=min({"food", "health", "public"} - state.flags), reason="r")
        case "clear-flag":
            return c.ClearFlag(flag=min(state.flags), reason="r") if state.flags else None
        case "judge-harm":
            return c.JudgeHarm(harm=2 if state.harm == 1 else 1, reason="r")
        case "judge-doubt":
            return c.JudgeDoubt(doubtful=not state.doubtful, reason="r")
        case "assign":
            return c.Assign(unit="county-roads" if state.assigned == "county-water" else "county-water")
        case "request-help" if state.assigned == "county-water":
            return c.RequestHelp(unit="county-roads")
        case "designate" if state.assigned == "county-water":
            return c.Designate(unit="county-roads", reason="r")
        case "transfer":
            return c.Transfer(unit="town-east" if state.unit == "town-west" else "town-west", reason="r")
        case "move-policy" if "@99" in (state.policy or ""):
            return c.MovePolicy(pack="county-default@2", reason="r")
        case "link" if state.links.get(OTHER) == "related":
            return c.Link(to=OTHER, kind="other", reason="r")
        case "offer":
            above = [unit for unit in ctx(SYSTEM).offices.above(state.unit)[1:] if unit not in state.offered]
            return c.Offer(to=above[0]) if above else None
        case "leave-unsolved" if state.answering.outcome == "not_allowed":
            known = state.verification
            investigated = not known.asked and (known.outcome or known.facts)
            later = a.LeaveUnsolved(outcome="planned", text="t", due=NOW + timedelta(days=1))
            return later if investigated else None
        case "screen" if state.answering.screening and not state.answering.screening.needs_reply:
            return a.Screen(needs_reply=True)
        case "split":
            return c.Split(reports=tuple(reports[-1:] or [OTHER.replace("incident", "report")]))
    return COMMANDS[verb]


def highest(past: list[Event]) -> Figures:
    """The figures in the rows of the reach."""
    return functools.reduce(Figures.highest, map(figures_in, folded(REACHED, past)), Figures())


def taken(command: Command, state: State, reports: list[str], actor: Actor) -> bool:
    """Whether a command is taken."""
    into: Any = OTHER if isinstance(command, c.Split) else replace(other(), unit=state.unit)
    try:
        DECIDER.decide(state, command, ctx(actor, seen={"into": into, "belonging": reports}))
    except (Forbidden, Rejected):
        return False
    return True


actors = st.builds(
    lambda unit, roles: Actor(f"somebody@{unit}", unit, frozenset(roles), "p"),
    st.sampled_from(sorted(UNITS)),
    st.sets(st.sampled_from(ROLES), min_size=1),
)


@settings(max_examples=200, deadline=None)
@examples(st.lists(st.sampled_from(STEPS), max_size=20), actors)
@example([COMMANDS["request-help"], c.AcceptHelp()], EVERYONE)
@example([COMMANDS["request-help"], c.RequestHelp(unit="county-roads"), c.AcceptHelp(unit="county-water")], EVERYONE)
@example([c.PassUpward(reason="r"), c.Designate(unit="county-water", reason="r")], EVERYONE)
def test_a_verb_is_shown_exactly_where_it_is_taken(commands: list[Command], actor: Actor) -> None:
    state, past = came_to(commands)
    reports = belonging(past)
    (row,), *_ = (folded(view, past) for view in OF_ONE)
    (standing,) = folded(STANDINGS, past)
    incident = asked_of(row, standing_in(standing), highest(past))
    shown = may(RIGHTS.values(), incident, ctx(actor))
    assert incident == Incident(**{name: getattr(state, name) for name in Incident.__dataclass_fields__})
    for verb in VERBS:
        if commands := fitting(verb, state, reports):
            assert (verb in shown) == any(taken(one, state, reports, actor) for one in commands), (verb, state)


def test_a_unit_that_was_asked_to_verify_is_asked_anew_after_a_close() -> None:
    asked = triage.IncidentVerificationRequested(unit="county-water")
    state, _ = came_to([c.RequestVerification(unit="county-water")])
    assert asked.unit in state.verifying
    handled = (c.Solve(text="t"), PUBLISHED)
    steps = (COMMANDS[step] for step in ("resolve", "close", "reopen"))
    state, _ = came_to([c.RequestVerification(unit="county-water"), *handled, *steps])
    assert (state.phase, state.verifying) == ("open", frozenset())
