"""Everything that a pack declares is read: a change of any field changes a decision, a clock, an answer or a page.

The test changes each field of `whole.yaml` in turn, to other values that a pack may have there.
"""

import contextlib
import copy
import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas import triage
from schemas.approval import Step
from schemas.escalation import ClockNoticePartWritten, ClockPaused, RosterDutyPlanned
from schemas.pack import PolicyPack
from schemas.pack.clocks import Limit, Window
from schemas.pack.source import Model, Setting
from schemas.publish import StatementNoticeDrafted, StatementSubmitted, UsedFact
from services.apps import policy
from services.audit.findings.commands import RaiseFinding
from services.audit.findings.decider import DECIDER as FINDING
from services.audit.findings.rules import judge
from services.audit.findings.rules import made as made_of
from services.audit.summaries import Names, summary
from services.escalation.commands import (
    CountArrivals,
    Decide,
    DecideDeferral,
    DecideExtension,
    GiveNotice,
    Pause,
    ReportBack,
    ReportUpward,
    RequestDeferral,
    RequestExtension,
    ReviewRoster,
    SetLimit,
    WritePart,
)
from services.escalation.duty import roster, surges
from services.escalation.notify import receivers
from services.escalation.trying.evaluate import evaluate
from services.escalation.trying.facts import parse
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Problem
from services.kernel.core.units import LoadedPack, Offices, SpecialPeriod
from services.kernel.rules.packs import load_pack, parse_pack
from services.publish.checking.shown import shown
from services.publish.commands import Approve, CannotJudge, Draft, Publish, Submit
from services.publish.decider import DECIDER as STATEMENTS
from services.publish.press.commands import CallConference, FixSpeakers
from services.publish.press.decider import DECIDER as PRESS
from services.publish.rights import Case, Incident
from services.publish.writing.offered import offered
from services.triage import commands as c
from services.triage.decider import DECIDER as INCIDENTS
from services.triage.offices import policies
from tests.audit.matter import Matter
from tests.escalation.incident import Incident as Clocks
from tests.escalation.incident import at, opened, reached
from tests.kit import spec
from tests.kit.spec import given, staff
from tests.publish.test_decider import INCIDENT, STREAM, drafted

WHOLE = load_pack(Path(__file__).parent / "whole.yaml")
Place = tuple[str | int, ...]
SHARED = (Setting, Limit, Window)
"""Parts of many rules. Their fields count for each rule by themselves."""
UNIT = {
    "code": "town-east",
    "kind": "town",
    "above": [{"code": "county", "kind": "county"}, {"code": "city", "kind": "city"}],
}
ASSIGNED = {"at": "2026-03-02T09:30:00+08:00", "act": "assigned", "unit": "county-roads"}
CASES: tuple[dict[str, Any], ...] = (
    {},
    {"figures": {"clicks": 1000, "comments": 3}},
    {"discovered_at": "2026-03-02T21:00:00+08:00"},
    {"figures": {"clicks": 999}, "flags": ["food"], "harm": 2, "graded": None},
    {"graded": {"level": "usual", "at": "2026-03-02T09:10:00+08:00"}, "answer_kind": "answer",
     "classified_at": "2026-03-02T09:20:00+08:00", "events": [ASSIGNED], "as_of": "2026-03-06T18:00:00+08:00"},
    {"graded": {"level": "grave", "at": "2026-03-02T12:10:00+08:00"},
     "figures_over_time": [{"at": "2026-03-02T11:00:00+08:00", "clicks": 2000}],
     "events": [{"at": "2026-03-02T13:00:00+08:00", "act": "explained", "unit": "town-east"}],
     "as_of": "2026-03-05T09:00:00+08:00"},
    {"graded": [{"level": "grave", "at": "2026-03-02T09:10:00+08:00"},
                {"level": "usual", "at": "2026-03-02T09:40:00+08:00"}], "as_of": "2026-03-03T09:00:00+08:00"},
    {"graded": {"level": "usual", "at": "2026-03-02T09:10:00+08:00"}, "as_of": "2026-03-20T09:00:00+08:00",
     "events": [{"at": "2026-03-02T09:20:00+08:00", "act": "received", "unit": "county", "to": "office"},
                {"at": "2026-03-03T09:00:00+08:00", "act": "resolved", "unit": "town-east"},
                {"at": "2026-03-04T09:00:00+08:00", "act": "reopened", "unit": "town-east"}]},
)  # fmt: skip
OPENED = triage.IncidentOpened(unit="town-east", report=f"report-{spec.UUID}", discovered_at=spec.NOW)
USUAL = triage.IncidentGraded(level="usual", rank=1)


def outcomes(pack: LoadedPack) -> Iterator[Callable[[], object]]:
    """What services decide and show by the pack."""
    for case in CASES:
        yield functools.partial(lambda case: evaluate(pack, parse(_case(case), "facts")), case)
    yield lambda: policy.rows(pack.model)
    yield lambda: policies.shown(pack, spec.offices())
    commands: tuple[c.Command, ...] = (
        c.EstablishFact(key="pump", kind="number", value=2, source="s"),
        c.EstablishFact(key="origin", kind="code", value="pipe", source="s"),
        *(c.Classify(answer_kind=kind) for kind in ("answer", "status", "clarification")),
        *(c.Grade(level=level, reason="r") for level in ("usual", "grave")),
        c.SetFlag(flag="food", reason="r"),
        *(c.JudgeHarm(harm=harm, reason="r") for harm in (0, 1, 2)),
    )
    everyone = staff("duty_officer", "verifier", "chief", unit="city")
    for command in commands:
        for past in ((OPENED,), (OPENED, USUAL)):
            case = given(INCIDENTS, *past, actor=everyone)
            yield functools.partial(_decided, pack, INCIDENTS, case, command)
    for level in ("low", "high"):
        past = (OPENED, triage.IncidentGraded(level=level, rank=1))
        yield functools.partial(_moved, pack, past)
    for kind in ("status", "facts"):
        incident = Incident(id=f"incident-{spec.UUID}", version=1, unit="town-east", level="usual", rank=1)
        seen = {"stream": f"statement-{spec.UUID}", "incident": incident}
        case = given(STATEMENTS, actor=staff("handler", unit="town-east")).seeing(**seen)
        draft = Draft(incident_id=incident.id, kind=kind, title="标题标题", text="内容")  # type: ignore[arg-type]
        yield functools.partial(_decided, pack, STATEMENTS, case, draft)
    notice = (
        StatementNoticeDrafted.model_validate({"unit": "town-east", "title": "标题", "draft": "内容", "by": "0" * 64}),
        StatementSubmitted(unit="town-east", steps=(), by="0" * 64),
    )
    about = {
        "stream": f"statement-{spec.UUID}",
        "incident": Incident.none("town-east"),
        "title": "标题",
        "text": "内容",
    }
    approved = given(STATEMENTS, *notice, actor=staff("approver", unit="town-east")).seeing(**about)
    yield functools.partial(_decided, pack, STATEMENTS, approved, Publish())
    yield functools.partial(_checked, pack)
    matter = Incident(INCIDENT, 1, "town-east", level="usual", rank=1, facts=frozenset({"cause"}))
    yield lambda: offered(dataclasses.replace(spec.ctx(), offices=_under(pack)), matter, "town-east-2026-00042")
    for level in ("usual", "grave"):
        yield functools.partial(_approvals, pack, level)
        yield from _press(pack, level)
    yield functools.partial(_reports, pack)
    yield from _given_on(pack)
    yield from _verified(pack)
    yield functools.partial(_gaps, pack)
    yield functools.partial(_surges, pack)
    yield functools.partial(_told, pack)
    yield functools.partial(_found, pack)
    handled = (triage.IncidentSolved(text="t"), triage.IncidentExplained(text="t", to="asker"))  # type: ignore[arg-type]
    resolved = (*handled, triage.IncidentResolved(reason="r"))  # type: ignore[arg-type]
    for level in ("usual", "grave"):
        graded = triage.IncidentGraded(level=level, rank=1)
        for past, command in ((handled, c.Resolve(reason="r")), (resolved, c.Close(reason="r"))):
            case = given(INCIDENTS, OPENED, graded, *past, actor=everyone)
            yield functools.partial(_decided, pack, INCIDENTS, case, command)
    for kind, fact in (
        ("incident", triage.IncidentClosed(reason="r", missing=("minutes",))),  # type: ignore[arg-type]
        ("incident", triage.IncidentPlanStarted(plan="flood")),
        ("clock", ClockNoticePartWritten(notice=spec.UUID, unit="town-east", part="check", text="t")),  # type: ignore[arg-type]
        ("clock", ClockPaused(clock="hand_out", reason="waits", due=spec.NOW)),
    ):
        yield functools.partial(_said, pack, kind, fact)


def _given_on(pack: LoadedPack) -> Iterator[Callable[[], object]]:
    """The desk assigns at each level without and with an instruction, and the unit returns early, late and again."""
    for level in ("usual", "grave"):
        graded = triage.IncidentGraded(level=level, rank=1)
        case = given(INCIDENTS, OPENED, graded, actor=staff("duty_officer", "chief", "handler", unit="town-east"))
        for command in (c.Assign(), c.Instruct(text="t"), c.Solve(text="t"), c.StartPlan(plan="flood")):
            yield functools.partial(_decided, pack, INCIDENTS, case, command)
    told = triage.IncidentAssigned(unit="county-roads")
    back = triage.IncidentReturned(unit="county-roads", reason="r", ground="not_ours")  # type: ignore[arg-type]
    for hours, before in (
        (1, ()),
        (30, ()),
        (130, ()),
        (1, (told, back)),
        (1, (told, back) * 2),
        (1, (told, back) * 4),
    ):
        past = (OPENED, *before, spec.At(told, spec.NOW - timedelta(hours=hours)))
        case = given(INCIDENTS, *past, actor=staff("handler", unit="county-roads"))
        for ground in ("not_ours", "need_more"):
            yield functools.partial(_decided, pack, INCIDENTS, case, c.Return(ground=ground, reason="r"))
    yield functools.partial(_said, pack, "incident", back)


def _verified(pack: LoadedPack) -> Iterator[Callable[[], object]]:
    """At each level, the unit and the one above conclude, answers are given, and a report upward goes to two posts."""
    for level in ("usual", "grave"):
        graded = triage.IncidentGraded(level=level, rank=1)
        case = given(INCIDENTS, OPENED, graded, actor=staff("handler", unit="town-east"))
        for answer in (c.Explain(text="t"), c.Reply(text="t")):
            yield functools.partial(_decided, pack, INCIDENTS, case, answer)
        for unit in ("town-east", "county", "city"):
            case = given(INCIDENTS, OPENED, graded, actor=staff("verifier", unit=unit))
            concluded = c.ConcludeVerification(outcome="confirmed", text="t")
            yield functools.partial(_decided, pack, INCIDENTS, case, concluded)
    for addressee in ("office", "principal_leader", "leading_group"):
        prepare = c.PrepareClarification(addressee=addressee, basis=f"clock-{spec.UUID}@1")
        yield functools.partial(_decided, pack, INCIDENTS, given(INCIDENTS, OPENED), prepare)


def _said(pack: LoadedPack, kind: str, fact: Any) -> str:
    """The sentence of the timeline."""
    (event,) = spec.events(kind, [fact])
    return summary(event, Names("zh", _under(pack), {}))


def _approvals(pack: LoadedPack, level: str) -> object:
    """A statement is submitted, cannot be judged, and is approved by its drafter."""
    incident = Incident(id=INCIDENT, version=1, unit="town-east", level=level, rank=1)
    seen = {"stream": STREAM, "incident": incident, "title": "标题标题", "text": "内容"}
    past: list[Any] = [drafted()]
    found = []
    for person, command in (
        ("wang", Submit()),
        ("li", CannotJudge(reason="r")),
        ("wang", Approve()),
        ("li", Approve()),
    ):
        actor = staff("approver", "handler", "chief", unit="town-east", person=person)
        case = given(STATEMENTS, *past, actor=actor).seeing(**seen)
        found.append(told(functools.partial(_decided, pack, STATEMENTS, case, command), pack))
        with contextlib.suppress(Problem):
            past += [item.data for item in _decided(pack, STATEMENTS, case, command)]  # type: ignore[attr-defined]
    return found


def _press(pack: LoadedPack, level: str) -> Iterator[Callable[[], object]]:
    """The head of the county fixes who speaks, and calls the press."""
    incident = Incident(id=INCIDENT, version=1, unit="town-east", level=level, rank=1)
    case = given(PRESS, actor=staff("chief", unit="county")).seeing(stream=f"press-{spec.UUID}", incident=incident)
    call = CallConference(at=at(9), place="p", reason="r")
    for command in (FixSpeakers(speaks=("spokesperson@town-east",)), call):
        yield functools.partial(_decided, pack, PRESS, case, command)
    yield functools.partial(_promised, pack, incident)
    yield functools.partial(_outdated, pack)


def _promised(pack: LoadedPack, incident: Incident) -> object:
    """A statement of progress without a next one is submitted."""
    seen = {"stream": STREAM, "incident": incident, "title": "标题标题", "text": "内容"}
    progress = drafted().model_copy(update={"form": "progress"})
    case = given(STATEMENTS, progress, actor=staff("handler", unit="town-east")).seeing(**seen)
    return _decided(pack, STATEMENTS, case, Submit())


def _outdated(pack: LoadedPack) -> object:
    """A fact is revised on which a public text rests."""
    made = Clocks(offices=_under(pack)).hear(opened(at(0), unit="town-east"))
    told, now = (UsedFact(key="lamps", incident=INCIDENT, version=version) for version in (3, 9))
    made.hear(reached("status_published", at(1), unit="town-east", statement=STREAM, facts=(told,)))
    return repr(made.hear(reached("fact_revised", at(2), facts=(now,))).did)


def _checked(pack: LoadedPack) -> object:
    """What is asked at the gate of a submitted text."""
    asked = Step(code="text_check", who=("approver",))
    submitted = StatementSubmitted(unit="town-east", level="usual", steps=(asked,), gates=(asked,), by="0" * 64)
    seen = {"stream": STREAM, "incident": Incident(INCIDENT, 1, "town-east", level="usual", rank=1)}
    case = given(STATEMENTS, drafted(), submitted, actor=staff("approver", unit="town-east")).seeing(**seen)
    ctx = dataclasses.replace(case.context, offices=_under(pack))
    return shown(Case.of(case.state, seen["incident"], STREAM, ctx), ctx)  # type: ignore[arg-type]


def _surges(pack: LoadedPack) -> object:
    """Three reports in some hours, and one on each of two earlier days."""
    ctx = dataclasses.replace(spec.ctx(), now=at(9), offices=_under(pack))
    came = ((8, 3), (7, 2), (2.5, 1), (-10, 2), (-150, 36), (-207, 12), (-220, 40))
    arrivals = tuple(("category", code, at(hour), number) for code in ("water", "road") for hour, number in came)
    few = (("category", "few", at(8), 3), ("category", "fewer", at(8), 2))
    command = CountArrivals(unit="town-east", arrivals=(*arrivals, *few))
    return surges.decide(surges.initial_state(), command, ctx)


def _found(pack: LoadedPack) -> object:
    """What counts against offices: texts that are nearly the same, returns, rounds, answers apart; and the hearing."""
    text, other = "经核实，路灯已于当日修复，并增设两处，今后每周巡查一次。" * 2, "次日复查合格。"
    earlier = Matter("earlier", policy=pack.ref).published(5, text + other).events[-1]
    made = Matter(policy=pack.ref).known().published(90, text)
    for when, unit in ((1, "county-roads"), (3, "county-roads"), (5, "county-water")):
        made.add(when, triage.IncidentReturned(unit=unit, reason="r"), unit=unit)  # type: ignore[arg-type]
    made.add(10, triage.IncidentAccepted(unit="town-east"), unit="town-east")
    for round_ in (2, 3, 4):
        made.add(100 * round_, triage.IncidentResolved(reason="r"), unit="town-east")  # type: ignore[arg-type]
        again = triage.IncidentReopened(reason="r", round=round_)  # type: ignore[arg-type]
        made.add(100 * round_ + 1, again, unit="town-east")
    record = made.record(earlier, offices=_under(pack))
    found = judge(record)
    ctx = dataclasses.replace(spec.ctx(), offices=_under(pack))
    commands = [RaiseFinding(made=made_of(record, one, 9)) for one in found.values()]
    heard = [FINDING.decide(FINDING.initial_state(), command, ctx) for command in commands]
    return [(one.kind, one.count, one.beyond) for one in found.values()], repr(heard)


def _told(pack: LoadedPack) -> object:
    """The posts that hear of a limit that is near, of a gap, and of an assignment."""
    notice = {"unit": "town-east", "at": "2026-03-02T00:00:00.000000Z", "posts": "", "who": ""}
    rules = ("warn", "gap", "assigned", "approval")
    return [receivers.told({**notice, "rule": rule}, _under(pack), (), pack.model) for rule in rules]


def _gaps(pack: LoadedPack) -> object:
    """A desk in a special period on its second day, with one duty that nobody took up."""
    periods = (SpecialPeriod("festival", at(14), at(20), "town-east"),)
    ctx = dataclasses.replace(spec.ctx(), now=at(9), offices=dataclasses.replace(_under(pack), periods=periods))
    planned = RosterDutyPlanned(unit="town-east", post="duty_officer@town-east", since=at(8.8), until=at(10))
    (event,) = spec.events("roster", [planned])
    state = roster.evolve(roster.initial_state(), event)
    return roster.decide(dataclasses.replace(state, began=at(0)), ReviewRoster(unit="town-east"), ctx)


def _reports(pack: LoadedPack) -> object:
    """The matter is reported to the addressee of its first hop, without a proposal; a notice asks for its parts."""
    made = Clocks(offices=_under(pack)).hear(opened(at(0), unit="town-east"))
    chief, officer = staff("chief", unit="town-east", person="zhao"), staff("duty_officer", "handler", unit="town-east")
    steps: tuple[tuple[Actor, Any], ...] = (
        (officer, ReportUpward(text="t")),
        (staff("duty_officer", "chief", unit="county"), GiveNotice(text="t")),
        (officer, WritePart(part="check", text="t")),
        (officer, WritePart(part="measures", text="t")),
        (officer, ReportBack(text="t")),
        (chief, Decide(decides="report", yes=True, reason="r")),
        (chief, Decide(decides="meet", yes=True, reason="r")),
        (chief, SetLimit(clock="hand_out", due=at(9), reason="r")),
        (officer, RequestExtension(clock="hand_out", due=at(36), reason="r")),
        (officer, RequestExtension(clock="hand_out", due=at(27), reason="r")),
        (officer, RequestExtension(clock="hand_out", due=at(20), reason="r")),
        (chief, DecideExtension(clock="hand_out", granted=True, reason="r", notice="n")),
        (officer, RequestExtension(clock="hand_out", due=at(21), reason="r")),
        (chief, Pause(clock="hand_out", reason="waits")),
        (officer, RequestDeferral(clock="hand_out", plan="p", review=at(9000))),
        (officer, RequestDeferral(clock="hand_out", plan="p", review=at(100))),
        (chief, DecideDeferral(clock="hand_out", granted=True, reason="r")),
    )
    found: list[str] = []
    for actor, command in steps:
        try:
            found.append(repr(made.do(command, at(1), actor).did))
        except Problem as problem:
            found.append(repr(problem))
    return found


def _case(case: dict[str, Any]) -> dict[str, Any]:
    return {"discovered_at": "2026-03-02T09:00:00+08:00", "unit": UNIT, **case}


def _under(pack: LoadedPack, *further: LoadedPack) -> Offices:
    usual = spec.offices()
    packs = {**{one.ref: one for one in further}, pack.ref: pack}
    return Offices(usual.units, {"city": pack.ref}, packs, usual.basis, usual.posts, usual.lists)


def _decided(pack: LoadedPack, decider: Any, case: spec.Given, command: Any, offices: Offices | None = None) -> object:
    context = copy.copy(case.context)
    object.__setattr__(context, "offices", offices or _under(pack))
    return decider.decide(case.state, command, context)


OTHER = parse_pack(
    WHOLE.canonical.replace('"id":"whole"', '"id":"other"')
    .replace('"usual"', '"low"')
    .replace('"grave"', '"high"')
    .replace("'usual'", "'low'")
    .replace('"low":"low"', '"usual":"low"')
    .replace('"high":"high"', '"grave":"high"')
)


def _moved(pack: LoadedPack, past: tuple[Any, ...]) -> object:
    opened = past[0].model_copy(update={"policy": OTHER.ref})
    case = given(INCIDENTS, opened, *past[1:], actor=staff("chief", unit="city"))
    command = c.MovePolicy(pack="whole@1", reason="r")
    return _decided(pack, INCIDENTS, case, command, _under(pack, OTHER))


def told(outcome: Callable[[], object], pack: LoadedPack) -> str:
    """The outcome as a text, without the digest of the pack, which every change changes."""
    try:
        found = repr(outcome())
    except (Problem, ValueError) as problem:
        found = repr(problem)
    return found.replace(pack.ref, "whole").replace(pack.digest, "digest")


def leaves(part: object, content: Any, place: Place, name: str) -> Iterator[tuple[str, Place]]:
    """Each value of the pack's content: the field that it belongs to, and its place."""
    if isinstance(part, Model):
        of = name if isinstance(part, SHARED) else type(part).__name__
        for field, info in type(part).model_fields.items():
            key = info.alias or field
            if key in content:
                shown = f"{of}.{key}" if not (isinstance(part, Setting) and key == "value") else name
                yield from leaves(getattr(part, field), content[key], (*place, key), shown)
    elif isinstance(content, list):
        for index, item in enumerate(content):
            inner = part[index] if isinstance(part, tuple) else item
            yield from leaves(inner, item, (*place, index), name)
    elif isinstance(content, dict):
        for key in content:
            yield from leaves(content[key], content[key], (*place, key), name)
    else:
        yield name, place


POOL = (
    "true", "false", "PT7M", "P5D", "P9D", "0", "1", "2", "3", "5", "09:30", "16:00", "21:00", "Asia/Tokyo", "改",
    "2021-06-01", "approver", "chief", "spokesperson", "office", "section", "leading_group", "unit", "parent", "town",
    "county", "city", "usual", "grave", "taken", "own", "asked", "answer", "status", "clarification", "elapsed",
    "working_time", "end_of_day", "end_of_day", "same_time", "counted", "not_counted", "act", "level_known", "assigned",
    "accountable", "resolved", "opened", "accepted", "explained", "call", "written", "written_with_plan", "report",
    "meet", "statement", "measure", "explanation", "reply", "none", "by_person", "arrival", "window_start", "reminder",
    "harm >= 1", "figures.clicks >= 7", "unit.kind == 'city'", "level == 'grave'", "festival", "text", "yes_no", "one",
    "two", "L2", "discovered", "stated", "derived", "reading", "other_code", "first_receiver", "chosen",
    "secrecy_check", "99",
)  # fmt: skip


def replaced(part: Any, place: Place, value: str) -> Any:
    """The content with another value at a place. It shares with the original what is the same."""
    if not place:
        return value
    step, *deeper = place
    fresh = copy.copy(part)
    fresh[step] = replaced(part[step], tuple(deeper), value)
    return fresh


def changes(content: dict[str, Any], place: Place) -> Iterator[LoadedPack]:
    """The packs with another value at a place."""
    for value in POOL:
        changed = replaced(content, place, value)
        if changed == content:
            continue
        try:
            if PolicyPack.model_validate(changed) == WHOLE.model:
                continue
            yield parse_pack(json.dumps(changed, ensure_ascii=False))
        except (ValidationError, ValueError):
            continue


CONTENT = json.loads(WHOLE.canonical)
FIELDS: dict[str, list[Place]] = {}
for field, place in leaves(WHOLE.model, CONTENT, (), "PolicyPack"):
    FIELDS.setdefault(field, []).append(place)

ALONE = ("Level.code", "Period.code", "Coverage.period", "Rung.rung", "PackFact.kind")
"""Fields that other fields name or need: the check of the pack reads them, and refuses a change of one alone."""
ONE_VALUE = ("Publication.speaks_as", "Publication.single_text", "Publication.corrections", "FollowUp.ends_with",
             "FollowUp.recurrence", "Ungraded.owes")  # fmt: skip
"""Fields that have the same value in every pack that declares them. They say what holds in every pack."""
UNREAD: dict[str, str] = {}
"""Field -> why no decision, clock, answer or page that this test sees changes with it."""


@functools.cache
def usual() -> tuple[str, ...]:
    return tuple(told(one, WHOLE) for one in outcomes(WHOLE))


def is_read(field: str) -> bool:
    for place in FIELDS[field]:
        for number, pack in enumerate(changes(CONTENT, place)):
            if any(told(one, pack) != before for one, before in zip(outcomes(pack), usual(), strict=True)):
                return True
            if number > 3:
                break
    return False


def test_the_pack_declares_everything() -> None:
    """A field that `whole.yaml` leaves out would not be changed."""
    named = {
        f"{model.__name__}.{info.alias or name}"
        for model in _models(PolicyPack)
        for name, info in model.model_fields.items()
        if not issubclass(model, SHARED)
    }

    def declared(of: str) -> bool:
        return any(field == of or field.startswith(f"{of}.") for field in FIELDS) or _inner(of)

    assert sorted(one for one in named if not declared(one)) == []


def _inner(of: str) -> bool:
    """Whether the field holds models, whose own fields are counted."""
    model, _, name = of.partition(".")
    found = next(one for one in _models(PolicyPack) if one.__name__ == model)
    info = next(info for key, info in found.model_fields.items() if (info.alias or key) == name)
    return any(True for _ in _parts(info.annotation))


def _parts(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _parts(inner)


@functools.cache
def _models(model: type[Model]) -> frozenset[type[Model]]:
    found, further = set[type[Model]](), [model]
    while further:
        one = further.pop()
        if one not in found:
            found.add(one)
            further += [inner for info in one.model_fields.values() for inner in _parts(info.annotation)]
    return frozenset(found)


@pytest.mark.parametrize("field", sorted(FIELDS.keys() - UNREAD.keys() - {*ALONE, *ONE_VALUE}))
def test_a_change_of_a_field_changes_what_is_decided_or_shown(field: str) -> None:
    assert is_read(field), "nothing reads it; let a decision, a clock, an answer or a page read it"


@pytest.mark.parametrize("field", sorted({*ALONE, *ONE_VALUE}))
def test_a_field_that_cannot_change_alone(field: str) -> None:
    assert not any(True for place in FIELDS[field] for _ in changes(CONTENT, place))


def test_what_is_not_read_yet_is_a_field() -> None:
    assert sorted(UNREAD.keys() - FIELDS.keys()) == []


@pytest.mark.parametrize("case", CASES)
def test_a_pack_that_declares_nothing_asks_for_nothing(case: dict[str, Any]) -> None:
    """Nothing leaks in from another pack or a default."""
    bare = parse_pack(
        "{id: bare, version: 1, title: 空, effective_from: 2020-01-01, timezone: Asia/Shanghai, documents: {}}"
    )
    by_pack = {"graded", "flags", "answer_kind", "classified_at"}
    asked = {name: value for name, value in case.items() if name not in by_pack}
    said = evaluate(bare, parse(_case(asked), "facts"))
    assert {name: value for name, value in said.items() if value} == {"pack": "bare@1"}
    case_ = given(INCIDENTS, OPENED, actor=staff("duty_officer", unit="city"))
    for command in (
        c.Grade(level="usual", reason="r"),
        c.Classify(answer_kind="answer"),
        c.SetFlag(flag="food", reason="r"),
    ):
        with pytest.raises(Problem):
            _decided(bare, INCIDENTS, case_, command)
