"""The acts that complete a matter's tracks, and acts that are entered later than they happened."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas import triage
from schemas.fields import parse_instant
from services.kernel.core.problems import Malformed, Rejected
from services.triage import commands as c
from tests.kit.spec import NOW, At
from tests.triage.conftest import Triage
from tests.triage.test_decider import DISCOVERED, ESTABLISHED, OPENED, past

EARLIER = NOW - timedelta(minutes=30)
LATE: dict[str, Any] = {"happened_at": EARLIER - timedelta(seconds=1), "late_reason": "停电"}


def graded_at(at: datetime) -> At:
    return At(triage.IncidentGraded(level="major", rank=2, reason="r"), at)


def of_town(*facts: Any, role: str = "handler") -> Any:
    return past(OPENED, *facts, roles=(role,), unit="town-east")


def test_each_act_is_an_event_of_its_own() -> None:
    of_town().when(c.Solve(text="t")).then(triage.IncidentSolved(text="t"))
    of_town().when(c.ExplainDelay(text="t")).then(triage.IncidentDelayExplained(text="t"))
    received = triage.IncidentMaterialReceived(unit="county-water", signed=True, sealed=False)
    of_town().when(c.ReceiveMaterial(unit="county-water", signed=True, sealed=False)).then(received)


def test_a_note_completes_no_track_and_an_explained_delay_does_not_either() -> None:
    notes = [triage.IncidentHandlingRecorded(track=track, text="t") for track in ("problem", "answer")]
    delay = triage.IncidentDelayExplained(text="t")
    of_town(*notes, delay).when(c.Resolve(reason="r")).then_raises(Rejected, "first solve the real problem, and")


def test_the_answer_is_explained_replied_or_published_as_facts() -> None:
    solved = triage.IncidentSolved(text="t")
    statement = OPENED.report.replace("report", "statement")
    for answer in (
        triage.IncidentExplained(text="t", to="asker"),
        triage.IncidentReplied(text="t"),
        triage.IncidentHandlingRecorded(track="answer", statement=statement),
    ):
        done = triage.IncidentResolved(reason="r", follows_up="handler@town-east")
        of_town(solved, answer).when(c.Resolve(reason="r")).then(done)


def test_what_is_solved_is_not_solved_again() -> None:
    of_town(triage.IncidentSolved(text="t")).when(c.Solve(text="t")).then_raises(Rejected, "solved already")


def test_an_act_that_is_entered_later_has_its_own_time_and_says_why() -> None:
    [entered] = of_town().when(c.Solve(text="t", happened_at=EARLIER, late_reason="停电")).decided()
    assert entered.time == EARLIER
    assert entered.data.late_reason.text == "停电"


@pytest.mark.parametrize(
    ("happened", "sentence"),
    [
        (NOW + timedelta(seconds=1), "later than now"),
        (DISCOVERED - timedelta(seconds=1), "before it was known"),
    ],
)
def test_an_act_happened_between_the_discovery_and_now(happened: Any, sentence: str) -> None:
    of_town().when(c.Solve(text="t", happened_at=happened, late_reason="r")).then_raises(Malformed, sentence)


@pytest.mark.parametrize("half", [{"happened_at": EARLIER}, {"late_reason": "r"}])
def test_a_time_and_its_reason_come_together(half: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="both `happened_at` and `late_reason`"):
        c.Solve(text="t", **half)


def test_material_comes_from_a_unit_of_the_tree() -> None:
    of_town().when(c.ReceiveMaterial(unit="nowhere", signed=True, sealed=True)).then_raises(Malformed, "nowhere")


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (c.Assign(unit="county-roads", happened_at=EARLIER, late_reason="电话交办"), "duty_officer"),
        (c.Transfer(unit="county", reason="r", happened_at=EARLIER, late_reason="电话移交"), "chief"),
        (
            c.EstablishFact(
                key="confirmed", kind="yes_no", value=True, source="s", happened_at=EARLIER, late_reason="现场无网络"
            ),
            "verifier",
        ),
        (c.Grade(level="major", reason="r", happened_at=EARLIER, late_reason="会上研判"), "duty_officer"),
        (c.Classify(answer_kind="status", happened_at=EARLIER, late_reason="会上研判"), "duty_officer"),
    ],
)
def test_other_acts_are_entered_later_in_the_same_way(command: Any, role: str) -> None:
    entered, *_ = of_town(role=role).when(command).decided()
    assert (entered.time, entered.data.late_reason.text) == (EARLIER, command.late_reason)


HANDLED = (triage.IncidentSolved(text="t"), triage.IncidentReplied(text="t"))
RESOLVED = (*HANDLED, At(triage.IncidentResolved(reason="r"), NOW - timedelta(minutes=20), NOW - timedelta(minutes=20)))


@pytest.mark.parametrize(
    ("before", "verb", "role"),
    [(HANDLED, c.Resolve, "handler"), (RESOLVED, c.Close, "chief"), (RESOLVED, c.Reopen, "chief")],
)
def test_the_end_and_the_reopening_can_be_entered_later(before: tuple[Any, ...], verb: Any, role: str) -> None:
    at = NOW - timedelta(minutes=10)
    [entered] = of_town(*before, role=role).when(verb(reason="r", happened_at=at, late_reason="停电")).decided()
    assert (entered.time, entered.data.late_reason.text) == (at, "停电")


@pytest.mark.parametrize(
    ("before", "command", "role"),
    [
        ((graded_at(EARLIER),), c.Grade(level="general", reason="r", **LATE), "duty_officer"),
        (
            (At(triage.IncidentClassified(answer_kind="status"), EARLIER),),
            c.Classify(answer_kind="answer", **LATE),
            "duty_officer",
        ),
        (RESOLVED, c.Close(reason="r", **LATE), "chief"),
        (RESOLVED, c.Reopen(reason="r", **LATE), "chief"),
    ],
)
def test_what_is_decided_again_follows_the_decision_before(before: tuple[Any, ...], command: Any, role: str) -> None:
    of_town(*before, role=role).when(command).then_raises(Malformed, "a later decision of this kind is on record")


REOPENED = (
    ESTABLISHED,
    *RESOLVED,
    At(triage.IncidentReopened(reason="r"), NOW - timedelta(minutes=10), NOW - timedelta(minutes=10)),
)


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (c.Explain(text="t", to="asker", **LATE), "handler"),
        (c.Reply(text="t", **LATE), "handler"),
        (c.Solve(text="t", **LATE), "handler"),
        (c.ReceiveMaterial(unit="county-water", signed=True, sealed=True, **LATE), "duty_officer"),
    ],
)
def test_what_was_done_before_a_reopening_does_not_complete_the_matter_again(command: Any, role: str) -> None:
    of_town(*REOPENED, role=role).when(command).then_raises(Malformed, "was reopened at")
    in_time = command.model_copy(update={"happened_at": NOW - timedelta(minutes=10)})
    of_town(*REOPENED, role=role).when(in_time).decided()


def test_what_is_entered_at_once_has_no_reason() -> None:
    of_town(role="duty_officer").when(c.Assign(unit="county-roads")).then(triage.IncidentAssigned(unit="county-roads"))


async def test_what_was_entered_later_shows_when_it_happened_and_why_it_comes_late(triage: Triage) -> None:
    id_ = await triage.open()
    happened = (triage.runtime.time_source.now()).isoformat()
    body = {"unit": "county-roads", "happened_at": happened, "late_reason": "电话交办"}
    assert (await triage.ask(id_, "assign", body, role="duty_officer", unit="town-east")).status_code == 200
    await triage.ask(id_, "solve", {"text": "filled"}, role="handler", unit="county-roads")
    found = (await triage.get(f"incidents/{id_}")).json()
    (assigned,) = [note for note in found["notes"] if note["type"].endswith("incident.assigned.v1")]
    assert (parse_instant(assigned["happened_at"]).isoformat(), assigned["late_reason"]) == (happened, "电话交办")
    (solved,) = found["handling"]
    assert (solved["track"], solved["happened_at"], solved["late_reason"]) == ("problem", None, None)


async def test_what_is_decided_late_keeps_its_times_over_http(triage: Triage) -> None:
    id_ = await triage.open()
    discovered = (await triage.events(id_))[0].data.discovered_at
    steps = (
        ("grade", "duty_officer", {"level": "major", "reason": "r"}),
        ("classify", "duty_officer", {"answer_kind": "status"}),
        ("solve", "handler", {"text": "t"}),
        ("reply", "handler", {"text": "t"}),
        ("resolve", "handler", {"reason": "r"}),
        ("close", "chief", {"reason": "r"}),
        ("reopen", "chief", {"reason": "r"}),
    )
    times = {verb: discovered + timedelta(seconds=number) for number, (verb, _, _) in enumerate(steps, 1)}
    concluded = {"outcome": "confirmed", "text": "t"}
    for verb, role, body in steps:
        if verb == "reply":
            await triage.ask(id_, "conclude-verification", concluded, role="verifier", unit="county")
        late = {"happened_at": times[verb].isoformat(), "late_reason": "停电"}
        answer = await triage.ask(id_, verb, {**body, **late}, role=role, unit="town-east")
        assert answer.status_code == 200, (verb, answer.text)
        if verb == "reply":
            await triage.agree(id_)
    at = {event.type.removeprefix("huiying.incident.").removesuffix(".v1"): event for event in await triage.events(id_)}
    names = ("graded", "classified", "solved", "replied", "resolved", "closed", "reopened")
    assert [at[name].time for name in names] == list(times.values())
    assert all(at[name].recorded > at[name].time and at[name].data.late_reason for name in names)
    early = {"reason": "r", "level": "extraordinary", "happened_at": discovered.isoformat(), "late_reason": "r"}
    answer = await triage.ask(id_, "grade", early, role="duty_officer", unit="town-east")
    assert (answer.status_code, answer.json()["field"]) == (422, "happened_at")
    notes = (await triage.get(f"incidents/{id_}")).json()["notes"]
    said = {note["type"].split(".")[2]: parse_instant(note["happened_at"]) for note in notes if note["happened_at"]}
    assert {name: said[name] for name in ("graded", "closed")} == {"graded": times["grade"], "closed": times["close"]}


@pytest.mark.postgres
async def test_what_is_decided_late_keeps_its_times_on_postgres(triage_on_postgres: Triage) -> None:
    await test_what_is_decided_late_keeps_its_times_over_http(triage_on_postgres)
