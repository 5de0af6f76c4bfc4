"""The streams of a drill and of a training, and the score of a drill."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as always
from hypothesis import settings
from hypothesis import strategies as st

from schemas import drills as d
from schemas import escalation as e
from schemas import triage as t
from schemas.approval import Step
from schemas.envelope import seal
from schemas.fields import Fact, Typed
from schemas.publish import Approval, Signature, StatementPublished
from services.audit.drills import queries, score
from services.audit.drills.commands import EXAMPLE, BeginDrill, EndDrill, JudgeDrill, NoteInject
from services.audit.drills.decider import DECIDER
from services.audit.findings.matter import Placed
from services.audit.trainings import decider as trainings
from services.audit.trainings.commands import RecordTraining, WithdrawTraining
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.rules.documents import DocumentError
from services.kernel.rules.scenarios import chosen, filled, parse_scenario, scenarios
from tests.kit import spec

REPORT, INCIDENT = f"report-{spec.UUID}", f"incident-{spec.UUID}"
SCENARIO = parse_scenario(
    EXAMPLE.replace("lasts: PT2H", "lasts: PT2H\ndepartments: [{code: water, name: 演练科}]")
    + """\
  - {code: assigned, criterion: verified, title: 交办, title_en: a, act: incident.assigned, after: first, to: water}
  - code: told
    criterion: verified
    title: 公布
    title_en: publish
    act: statement.published
    after: first
    within: PT1H
    approval: [principal_leader]
"""
)
PLACES = {"office": "drill-1", "water": "drill-1-water"}
ADMIN = spec.staff("admin", unit="county")
SENT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BEGUN = d.DrillBegun(
    unit="county",
    scenario="burst-main",
    digest=SCENARIO.digest,
    canonical=SCENARIO.canonical,
    seed=7,
    speed=1,
    places=tuple(d.DrillPlace(part=part, unit=unit) for part, unit in PLACES.items()),
)
FIRST = d.DrillInjectSent(inject="first", report=REPORT, matter=INCIDENT)
ENDED = d.DrillEnded(cause="finished")
DIGEST = "0" * 64


def given(*past: Fact, role: str = "admin", unit: str = "county", **seen: Any) -> spec.Given:
    return spec.given(DECIDER, *past, actor=spec.staff(role, unit=unit), seen=seen)


@pytest.mark.requirement("DRL-02")
def test_a_drill_from_its_beginning_to_its_score() -> None:
    text = SCENARIO.canonical
    begin = BeginDrill(unit="county", scenario=text, places={"office": "county-roads", "water": "county-water"})
    given().when(begin).then_raises(Malformed, "county-roads")
    given().when(begin.model_copy(update={"places": {"office": "county"}})).then_raises(Malformed, "water")
    given().when(begin.model_copy(update={"scenario": text.replace("water", "Water!")})).then_raises(Malformed)
    given(role="handler").when(begin).then_raises(Forbidden)
    given(unit="town-east").when(begin).then_raises(Forbidden)
    note = NoteInject(inject="first", report=REPORT, incident=INCIDENT)
    given(BEGUN).when(note).then(FIRST)
    given(BEGUN, FIRST).when(note).then_raises(Rejected, "sent")
    given(BEGUN).when(NoteInject(inject="none")).then_raises(Malformed, "first")
    given(BEGUN).when(JudgeDrill()).then_raises(Rejected, "goes on")
    broken = EndDrill(cause="stopped", reason="真实险情")
    given(BEGUN).when(broken).then(d.DrillEnded(cause="stopped", reason=Typed(text="真实险情")))
    given(BEGUN, ENDED).when(note).then_raises(Rejected, "ended")
    given(BEGUN, ENDED, events=[], size=3).when(JudgeDrill()).then(d.DrillScored(size=3, marks=(), posts=()))


def rehearsal(**more: Any) -> score.Rehearsal:
    known = {"scenario": SCENARIO.model, "speed": 1, "places": PLACES, "sent": {"first": SENT}}
    known |= {"matters": {"first": INCIDENT}}
    return score.Rehearsal(**{**known, "ended": SENT + timedelta(hours=2), **more})


def happened(data: Fact, minutes: int, actor: str = "duty_officer@drill-1", stream: str = INCIDENT) -> Placed:
    """An event, so many minutes after the inject."""
    at = SENT + timedelta(minutes=minutes)
    named = derived(type(data).__name__, str(minutes), stream, actor)
    event = seal(
        data, id=named, source="/huiying/test/triage", stream=stream, version=minutes + 1,
        previous="0" * 64 if minutes else None, time=at, recorded=at, partitionkey=stream, actor=actor,
    )  # fmt: skip
    return Placed(minutes, event, event.data)


def published(minutes: int, text: str, unit: str = "drill-1", *who: str, on: str = INCIDENT) -> Placed:
    signed = Signature(key=DIGEST, post=f"chief@{unit}", value="0" * 128)
    answers = tuple(
        Approval(
            act="approved", version=1, at=SENT, step=one, who=one, post=f"chief@{unit}", by=DIGEST, signature=signed
        )
        for one in who
    )
    steps = (Step(code="leader_in_charge", who=("leader_in_charge",)),)
    said: Any = {"incident": on, "unit": unit, "kind": "facts", "title": "停水情况", "text": text, "by": DIGEST}
    data = StatementPublished(**said, steps=steps, approvals=answers)
    return happened(data, minutes, f"spokesperson@{unit}", f"statement-{derived(unit)}")


def graded(minutes: int, on: str = INCIDENT) -> Placed:
    return happened(t.IncidentGraded(level="major", rank=1), minutes, stream=on)


def assigned(minutes: int, unit: str) -> Placed:
    return happened(t.IncidentAssigned(unit=unit), minutes)


def marks(*events: Placed, **more: Any) -> dict[str, str]:
    """What was expected, with its unit where that is not the office -> what became of it."""
    found = score.score(rehearsal(**more), events).marks
    return {one.what if one.unit == "drill-1" else f"{one.what} of {one.unit}": one.outcome for one in found}


@pytest.mark.requirement("DRL-01")
def test_each_expected_act_is_met_late_missed_or_wrong() -> None:
    right = (
        graded(20),
        assigned(25, "drill-1-water"),
        published(40, "停水", "drill-1", "leader_in_charge", "principal_leader"),
    )
    assert marks(*right) == dict.fromkeys(("graded", "assigned", "told", "facts", "one_text"), "met")
    assert marks() == {"graded": "missed", "assigned": "missed", "told": "missed"}
    poor = (graded(31), assigned(25, "drill-1"), published(40, "停水", "drill-1", "leader_in_charge"))
    beside = published(50, "没有停水", "drill-1-water")
    assert marks(*poor, beside) == {
        "graded": "late", "assigned": "wrong", "told": "wrong", "facts": "met", "one_text": "met",
        "facts of drill-1-water": "wrong", "one_text of drill-1-water": "wrong",
    }  # fmt: skip
    assert marks(*poor, published(50, "停水", "drill-1-water", "leader_in_charge"))["one_text"] == "met"
    assert marks(graded(20), sent={}) == {}, "what follows an inject that was not sent is not owed"
    early = marks(ended=SENT + timedelta(minutes=10))
    assert early == {"assigned": "missed"}, "what is due after the end is not missed"
    assert marks(graded(20), speed=60)["graded"] == "late"
    found = score.score(rehearsal(), right)
    assert found.posts == ("duty_officer@drill-1", "spokesperson@drill-1")
    assert found.marks[0].due == SENT + timedelta(minutes=30)


def test_an_act_counts_in_the_matter_of_its_inject_and_where_that_goes_on() -> None:
    other, third = (f"incident-{derived(name)}" for name in ("other", "third"))
    assert marks(graded(20, on=other))["graded"] == "missed"
    merged = happened(t.IncidentMerged(into=other), 10)
    assert marks(merged, graded(20, on=other))["graded"] == "met"
    split = happened(
        t.IncidentOpened(unit="drill-1", discovered_at=SENT, subject=Typed(text="a"), split_from=INCIDENT),
        5,
        stream=third,
    )
    assert marks(split, graded(20, on=third))["graded"] == "met"
    beside = published(50, "没有停水", "drill-1-water", on=other)
    said = (published(40, "停水"), beside)
    assert marks(*said)["one_text of drill-1-water"] == "met", "it is on another matter"
    assert marks(merged, *said)["one_text of drill-1-water"] == "wrong"
    merging = SCENARIO.canonical.replace('"incident.assigned"', '"incident.merged"').replace(',"to":"water"', "")
    owed = {"sent": {"first": SENT}, "matters": {"first": INCIDENT}}
    scenario = parse_scenario(merging).model
    assert (
        marks(happened(t.IncidentMerged(into=INCIDENT), 10, stream=other), scenario=scenario, **owed)["assigned"]
        == "met"
    )


def limit(name: str, *facts: tuple[int, Fact]) -> list[Placed]:
    due = SENT + timedelta(hours=1)
    started = e.ClockStarted(clock=name, unit="drill-1", since=SENT, due=due)
    return [happened(data, minutes, "system", f"clock-{derived(name)}") for minutes, data in ((0, started), *facts)]


def test_a_limit_of_the_pack_counts_if_it_was_met_or_had_passed() -> None:
    due = SENT + timedelta(hours=1)
    breached = (60, e.ClockBreached(clock="c", unit="drill-1", due=due, detected_at=due))
    gone = (70, e.ClockCancelled(clock="c", cause="regraded"))
    annulled = (80, e.ClockBreachAnnulled(clock="c", cause="reviewed"))

    def met(minutes: int, late: bool) -> tuple[int, Fact]:
        return minutes, e.ClockMet(clock="c", met_at=SENT, late=late)

    def became(*facts: tuple[int, Fact], minutes: int = 120) -> str | None:
        return marks(*limit("c", *facts), sent={}, ended=SENT + timedelta(minutes=minutes)).get("c")

    assert became() == "missed", "also before the system has seen it"
    assert became(minutes=59) is None
    assert (became(met(30, False)), became(breached, met(90, True))) == ("met", "late")
    assert (became(breached, gone), became(breached), became(gone)) == ("missed", "missed", None)
    assert became(breached, annulled) is None


def test_a_limit_that_starts_anew_is_met_by_a_new_act_alone_and_by_the_unit_that_did_it() -> None:
    early, late = (e.ClockMet(clock="c", met_at=SENT + timedelta(minutes=at), late=False) for at in (5, 45))
    again = e.ClockStarted(clock="c", unit="drill-1", since=SENT, due=SENT + timedelta(minutes=40))
    theirs = again.model_copy(update={"unit": "drill-1-water"})
    due = SENT + timedelta(minutes=40)
    breached = e.ClockBreached(clock="c", unit="drill-1-water", due=due, detected_at=due)
    assert marks(*limit("c", (5, early), (10, again)), sent={}) == {"c": "missed"}, "the act was undone"
    assert marks(*limit("c", (5, early), (10, again), (11, early)), sent={}) == {"c": "met"}
    both = {"c": "met", "c of drill-1-water": "missed"}
    assert marks(*limit("c", (5, early), (10, theirs), (40, breached)), sent={}) == both
    assert marks(*limit("c", (5, early), (10, theirs), (45, late)), sent={}) == both | {"c of drill-1-water": "met"}
    assert marks(*limit("c", (5, early), (10, theirs), (11, early)), sent={}) == {"c of drill-1-water": "met"}


ALL = (
    graded(20), graded(40), assigned(25, "drill-1"), assigned(45, "drill-1-water"), *limit("c"), *limit("d"),
    published(40, "停水", "drill-1", "leader_in_charge"), published(55, "没有停水", "drill-1-water"),
)  # fmt: skip


@always(st.permutations(ALL), st.lists(st.sampled_from(ALL), max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_order_of_delivery_and_doubles_change_no_score(order: list[Placed], twice: list[Placed]) -> None:
    assert score.score(rehearsal(), [*order, *twice]) == score.score(rehearsal(), ALL)


@pytest.mark.requirement("DRL-01")
def test_the_shipped_scenarios_can_be_used_and_their_details_follow_the_seed() -> None:
    shipped = scenarios(spec.POLICIES)
    assert len(shipped) == 6 and len({one.model.crisis for one in shipped.values()}) == 6
    lists = spec.offices().lists
    for one in shipped.values():
        assert parse_scenario(one.canonical) == one
        said = []
        for seed in (1, 1, 2, 3, 4, 5):
            values = chosen(one.model, seed)
            said.append([filled(inject, values).model_dump_json() for inject in one.model.injects])
        assert said[0] == said[1] and any(said[0] != other for other in said[2:]), one.model.id
        for inject in one.model.injects:
            assert inject.kind != "report" or inject.channel in lists.channels


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("after: first, within", "after: none, within"),
        (
            "to: water}",
            "to: fire}\n  - {code: graded, criterion: none, title: a, title_en: b, act: incident.graded, after: first}",
        ),
        ("subject: 水管爆了", "subject: '{street}水管爆了'"),
        ("at: PT0S", "at: PT3H"),
        ("within: PT1H", "within: 60"),
        ("act: statement.published", "act: incident.published"),
    ],
)
def test_a_scenario_that_does_not_agree_with_itself_is_refused(wrong: str, told: str) -> None:
    text = (
        EXAMPLE
        + "  - {code: b, criterion: verified, title: a, title_en: b, act: incident.assigned, after: first, to: water}"
    )
    text = text.replace("lasts: PT2H", "lasts: PT2H\ndepartments: [{code: water, name: 演练科}]")
    said = "criterion: verified, title: a, title_en: b, act: statement.published, after: first, within: PT1H"
    text += f"\n  - {{code: c, {said}}}"
    parse_scenario(text)
    assert wrong in text
    with pytest.raises(DocumentError):
        parse_scenario(text.replace(wrong, told))


@pytest.mark.requirement("DRL-03")
def test_a_training_names_posts_of_the_unit_and_a_day_that_was() -> None:
    record = RecordTraining(
        unit="county", kind="lecture", title="发布讲座", on="2026-03-02", minutes=90,
        posts=("spokesperson@county", "chief@town-east", "chief@town-east"),
    )  # fmt: skip
    recorded = d.TrainingRecorded(
        unit="county", kind="lecture", title=Typed(text="发布讲座"), on="2026-03-02", minutes=90,
        posts=("chief@town-east", "spokesperson@county"),
    )  # fmt: skip
    start = spec.given(trainings.DECIDER, actor=ADMIN)
    start.when(record).then(recorded)
    start.when(record.model_copy(update={"on": "2026-03-03"})).then_raises(Malformed, "to come")
    with pytest.raises(Malformed) as refused:
        start.when(record.model_copy(update={"posts": ("nobody@county",)})).decided()
    assert refused.value.members["field"] == "posts"
    start.when(record.model_copy(update={"posts": ("chief@city",)})).then_raises(Malformed, "chief@city")
    start.by(spec.staff("handler")).when(record).then_raises(Forbidden)
    for left_out in ("on", "minutes"):
        start.when(record.model_copy(update={left_out: None})).then_raises(Malformed, f"{left_out} is missing")
    start.when(record.model_copy(update={"given_by": "nobody"})).then_raises(Malformed, "no unit has the code 'nobody'")
    withdraw = WithdrawTraining(reason="日期写错")
    gone = d.TrainingWithdrawn(reason=Typed(text="日期写错"))
    spec.given(trainings.DECIDER, recorded, actor=ADMIN).when(withdraw).then(gone)
    spec.given(trainings.DECIDER, recorded, gone, actor=ADMIN).when(withdraw).then_raises(Rejected)


def test_what_came_in_is_told_in_the_words_that_the_seed_chose() -> None:
    text = EXAMPLE.replace("lasts: PT2H", "lasts: PT2H\nvary: {street: [甲路, 乙路]}")
    scenario = parse_scenario(text.replace("subject: 水管爆了", "subject: '{street}水管爆了'"))
    begun = BEGUN.model_copy(update={"canonical": scenario.canonical, "digest": scenario.digest})
    told = queries.whole(spec.events("drill", [begun, FIRST]), {}, lambda ref: ref, tells_all=False)
    street = chosen(scenario.model, begun.seed)["street"]
    assert [(one["kind"], one["said"]) for one in told["injects"]] == [("report", f"{street}水管爆了")]


@pytest.mark.requirement("DRL-03")
def test_a_training_by_a_drill_has_the_day_and_the_length_of_the_drill() -> None:
    drill = f"drill-{spec.UUID}"
    record = RecordTraining(unit="county", kind="drill", title="爆管演练", drill=drill, posts=("chief@county",))
    # It ended after midnight in China, on the day before by UTC.
    began = datetime(2026, 3, 1, 14, tzinfo=UTC)
    start = spec.given(trainings.DECIDER, actor=ADMIN)

    def after(minutes: float | None, *, trained: bool = False) -> spec.Given:
        ended = None if minutes is None else began + timedelta(minutes=minutes)
        return start.seeing(drill=trainings.Held(began, ended), trained=trained)

    recorded = d.TrainingRecorded(
        unit="county", kind="drill", title=Typed(text="爆管演练"), drill=drill, on="2026-03-02", minutes=150,
        posts=("chief@county",),
    )  # fmt: skip
    after(150.3).when(record).then(recorded)
    short = recorded.model_copy(update={"on": "2026-03-01", "minutes": 1})
    after(0.2).when(record).then(short)
    start.seeing(drill=None, trained=False).when(record).then_raises(Malformed, f"^drill: there is no drill {drill}")
    after(None).when(record).then_raises(Rejected, "the drill goes on")
    after(150, trained=True).when(record).then_raises(Rejected, f"training of county by {drill} was recorded already")
