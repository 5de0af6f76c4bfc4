"""The number of events that are read of an incident does not grow with its reports."""

from typing import Any

import pytest

from schemas.envelope import Event
from services.triage import queries
from tests.kit.parsed import Parsed
from tests.kit.plans import asked, plans
from tests.triage.conftest import Triage

FEW, MANY = 5, 30


@pytest.fixture(params=["triage", pytest.param("triage_on_postgres", marks=pytest.mark.postgres)])
def desk(request: pytest.FixtureRequest) -> Triage:
    """Triage on both databases, one after the other."""
    made: Triage = request.getfixturevalue(request.param)
    return made


async def incident_with(triage: Triage, reports: int, **more: Any) -> tuple[str, list[Event]]:
    """An incident, and ingest's events about its reports."""
    told = [triage.report(f"{number} of {reports}", match_key=str(reports), **more) for number in range(reports)]
    await triage.take(*told)
    [incident] = (await triage.get("incidents", "city", report_id=told[0].stream)).json()["items"]
    return incident["id"], told


async def test_a_further_report_costs_what_an_earlier_one_did(desk: Triage, parsed: Parsed) -> None:
    costs = []
    for reports in (FEW, MANY):
        id_, _ = await incident_with(desk, reports)
        parsed.since()
        await desk.take(desk.report(f"one more than {reports}", match_key=str(reports)))
        costs.append(parsed.since())
        incident = (await desk.get(f"incidents/{id_}")).json()
        assert (incident["report_count"], len(incident["reports"])) == (reports + 1, reports + 1)
    assert costs[0] == costs[1]


@pytest.mark.parametrize("verb", ["grade", "instruct", "merge", "split"])
async def test_what_staff_decide_costs_the_same_with_many_reports(desk: Triage, parsed: Parsed, verb: str) -> None:
    costs = []
    for reports in (FEW, MANY):
        id_, told = await incident_with(desk, reports)
        bodies: dict[str, Any] = {
            "grade": {"level": "major", "reason": "r"},
            "instruct": {"text": "t"},
            "merge": {"into": await desk.open(f"other than {reports}")},
            "split": {"reports": [report.stream for report in told[1:3]]},
        }
        parsed.since()
        answer = await desk.ask(id_, verb, bodies[verb], role="duty_officer" if verb == "grade" else "chief", version=0)
        assert answer.status_code == 200, answer.text
        costs.append(parsed.since())
    assert costs[0] == costs[1]


async def test_a_matter_waits_for_a_review_when_the_last_of_its_many_reports_is_refused(triage: Triage) -> None:
    id_, told = await incident_with(triage, MANY)
    left, *others = told
    await triage.take(*map(triage.refusal, others[:3]))
    assert (await triage.ask(id_, "split", {"reports": [left.stream]}, role="chief")).status_code == 200
    incident = (await triage.get(f"incidents/{id_}")).json()
    assert (incident["report_count"], len(incident["reports"])) == (MANY - 1, MANY - 1)
    for last, screened in ((MANY - 2, False), (MANY - 1, True)):
        await triage.take(*map(triage.refusal, others[3:last]))
        assert bool((await triage.get(f"incidents/{id_}")).json()["screening"]) == screened
        del others[3:last]


async def test_lists_and_answers_read_the_first_reports_of_a_matter_alone(triage: Triage) -> None:
    id_, _ = await incident_with(triage, FEW)
    with asked() as questions:
        await triage.get("incidents")
        await triage.get(f"incidents/{id_}")
    first = [one for one in questions if "ORDER BY incident_reports.position" in one]
    assert len(first) == 2, "the subject of each matter in the list, and the reports of one"
    for plan in await plans(triage.runtime.database, first):
        assert "ix_incident_reports_incident_id_position" in plan and "SCAN" not in plan, plan


@pytest.mark.parametrize("entered_late", [False, True])
async def test_who_had_a_part_reads_the_first_reports_and_how_many_there_were(
    triage: Triage, parsed: Parsed, monkeypatch: pytest.MonkeyPatch, entered_late: bool
) -> None:
    monkeypatch.setattr(queries, "SHOWN_REPORTS", 3)
    costs = []
    for reports in (FEW + 3, MANY):
        id_, told = await incident_with(triage, reports, entered_late=entered_late)
        left = [report.stream for report in told[1:3]]
        await triage.ask(id_, "split", {"reports": left}, role="chief", unit="town-east")
        moved = {"unit": "town-west", "reason": "r"}
        assert (await triage.ask(id_, "transfer", moved, role="chief", unit="town-east")).status_code == 200
        now = (await triage.get(f"incidents/{id_}", "town-west")).json()
        await triage.take(triage.report(f"after {reports}", match_key=str(reports)))
        parsed.since()
        then = (await triage.get(f"incidents/{id_}", "town-east", purpose="check")).json()
        costs.append(parsed.since())
        assert then | {"may": now["may"], "split_off": now["split_off"]} == now
        assert (then["report_count"], then["entered_late"]) == (reports - 2, entered_late)
        assert [one["id"] for one in then["reports"]][1:] == [report.stream for report in told[3:5]]
    assert costs[0] == costs[1]
