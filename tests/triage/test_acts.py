"""The acts that complete a matter's tracks, and acts that are entered later than they happened."""

from datetime import timedelta
from typing import Any

import pytest

from schemas import triage
from schemas.fields import parse_instant
from services.kernel.core.problems import Malformed, Rejected
from services.triage import commands as c
from tests.kit.spec import NOW
from tests.triage.conftest import Triage
from tests.triage.test_decider import DISCOVERED, OPENED, past

EARLIER = NOW - timedelta(minutes=30)


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
        of_town(solved, answer).when(c.Resolve(reason="r")).then(triage.IncidentResolved(reason="r"))


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
    ],
)
def test_other_acts_are_entered_later_in_the_same_way(command: Any, role: str) -> None:
    entered, *_ = of_town(role=role).when(command).decided()
    assert (entered.time, entered.data.late_reason.text) == (EARLIER, command.late_reason)


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
