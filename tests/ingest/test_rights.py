"""Rights follow the matter: who reads a report and its evidence, and who decides on it, as triage moves it on."""

from datetime import timedelta
from typing import Any

import pytest

from schemas import triage
from schemas.fields import Fact
from services.kernel.core.ids import derived
from tests.ingest.conftest import PATH, Ingest, post, refused
from tests.kernel.test_pictures import PNG
from tests.kit.spec import At

REASON = {"reason": "r"}
UNITS = ("city", "county", "town-east", "town-west", "county-roads", "county-water")


def opened(report: str, unit: str = "town-east") -> Fact:
    return triage.IncidentOpened.model_validate(
        {"unit": unit, "report": report, "discovered_at": "2026-03-02T09:00:00Z"}
    )


ASSIGNED = triage.IncidentAssigned(unit="county-roads")
VERIFIES = triage.IncidentVerificationRequested(unit="county-water")
TRANSFERRED = triage.IncidentTransferred.model_validate({"unit": "town-west", "previous": "town-east", **REASON})


async def attach(ingest: Ingest, report: str, headers: dict[str, str]) -> str:
    """Adds a picture. Returns its reference."""
    sent = {**headers, "Content-Type": "image/png"}
    answer = await ingest.client.post(f"{PATH}/{report}/evidence", content=PNG, headers=sent)
    assert answer.status_code == 201, answer.text
    return str((await ingest.events("evidence_attached"))[-1].data.file)


async def statuses(ingest: Ingest, path: str, role: str = "handler", **post_: Any) -> dict[str, int]:
    """Unit -> the status for a request of its post."""
    method = "POST" if post_ else "GET"
    return {
        unit: (
            await ingest.client.request(method, f"{PATH}/{path}", headers=ingest.staff(role, unit=unit), **post_)
        ).status_code
        for unit in UNITS
    }


def only(*units: str, status: int = 200) -> dict[str, int]:
    """Checks that these units get this status, and all others 403."""
    return {unit: status if unit in units else 403 for unit in UNITS}


@pytest.mark.requirement("MUL-06")
async def test_before_an_incident_is_known_the_receiving_unit_and_those_above_read_a_report(ingest: Ingest) -> None:
    report = (await post(ingest, await ingest.key())).json()["report_id"]
    assert await statuses(ingest, report) == only("city", "county", "town-east")


@pytest.mark.requirement("MUL-06")
async def test_who_has_a_part_in_the_matter_reads_its_reports_and_their_evidence(ingest: Ingest) -> None:
    report = (await post(ingest, await ingest.key())).json()["report_id"]
    file = await attach(ingest, report, ingest.staff("handler", unit="town-east"))
    await ingest.hear("a", opened(report), ASSIGNED, VERIFIES)
    for path in (report, f"{report}/evidence/{file}?purpose=check"):
        assert await statuses(ingest, path) == only("city", "county", "town-east", "county-roads", "county-water")
    assert await attach(ingest, report, ingest.staff("verifier", unit="county-water"))
    assert await attach(ingest, report, ingest.staff("handler", unit="county-roads"))
    assert (await ingest.events("evidence_attached"))[-1].unit == "county-roads", "who acted is on record"


@pytest.mark.requirement("MUL-06")
async def test_after_a_hand_over_the_former_unit_reads_what_was_recorded_until_then(ingest: Ingest) -> None:
    key = await ingest.key()
    report = (await post(ingest, key)).json()["report_id"]
    before = await attach(ingest, report, ingest.staff("handler", unit="town-east"))
    now = ingest.runtime.time_source.now() + timedelta(seconds=1)
    await ingest.hear("a", At(opened(report), now), At(TRANSFERRED, now))
    ingest.runtime.time_source.move(timedelta(minutes=1))
    after = await attach(ingest, report, ingest.staff("handler", unit="town-west"))
    await ingest.client.post(f"{PATH}/{report}/refuse", json=REASON, headers=ingest.staff("chief", unit="town-west"))
    url = f"{PATH}/{report}"
    then = await ingest.client.get(url, headers=ingest.staff("handler", unit="town-east"))
    assert [file["file"] for file in then.json()["evidence"]] == [before]
    assert (then.json()["state"], then.headers["etag"]) == ("received", '"2"')
    for unit in ("town-west", "county", "city"):
        read = (await ingest.client.get(url, headers=ingest.staff("handler", unit=unit))).json()
        assert [file["file"] for file in read["evidence"]] == [before, after]
        assert read["state"] == "refused"
    assert (await statuses(ingest, f"{report}/evidence/{before}?purpose=check"))["town-east"] == 200
    assert (await statuses(ingest, f"{report}/evidence/{after}?purpose=check"))["town-east"] == 404
    assert len((await ingest.client.get(url, headers=key)).json()["evidence"]) == 2, "the sender sees its own report"


@pytest.mark.requirement("MUL-06")
@pytest.mark.parametrize(
    ("verb", "role", "body"),
    [
        ("refuse", "chief", REASON),
        ("reach", "duty_officer", {"clicks": 1, "measured_at": "2026-03-02T09:00:00Z"}),
        ("erase", "chief", {**REASON, "cause": "asked"}),
    ],
)
async def test_a_former_unit_decides_nothing(ingest: Ingest, verb: str, role: str, body: Any) -> None:
    report = (await post(ingest, await ingest.key())).json()["report_id"]
    await ingest.hear("a", opened(report), TRANSFERRED)
    url = f"{PATH}/{report}/{verb}"
    refused(
        await ingest.client.post(url, json=body, headers=ingest.staff(role, unit="town-east")), 403, "over town-west"
    )
    answer = await ingest.client.post(url, json=body, headers=ingest.staff(role, unit="town-west"))
    assert answer.status_code == 200, answer.text


async def test_a_report_follows_a_split_and_a_merger(ingest: Ingest) -> None:
    report, other = [(await post(ingest, await ingest.key(), subject=s)).json()["report_id"] for s in ("a", "b")]
    new = f"incident-{derived('incident', 'new')}"
    attached = triage.IncidentReportAttached(
        report=other, unit="town-east", discovered_at=ingest.runtime.time_source.now()
    )
    await ingest.hear("a", opened(report), attached, triage.IncidentSplit(into=new, reports=(other,)))
    await ingest.hear("new", opened(other, "town-west"))
    assert await statuses(ingest, f"{other}/refuse", "chief", json=REASON) == {
        **only("city", status=200), "county": 409, "town-west": 409
    }  # fmt: skip
    into = f"incident-{derived('incident', 'into')}"
    absorbed = triage.IncidentAbsorbed.model_validate(
        {"incident": new, "reports": [report], "discovered_at": "2026-03-02T09:00:00Z"}
    )
    water = opened(f"report-{derived('further')}", "county-water")
    split = triage.IncidentSplit(into=new, reports=(other,))
    await ingest.hear("a", opened(report), attached, split, triage.IncidentMerged(into=into))
    await ingest.hear("into", water, absorbed)
    assert await statuses(ingest, f"{report}/refuse", "chief", json=REASON) == {
        **only("city", status=200), "county": 409, "county-water": 409
    }  # fmt: skip


async def test_who_received_a_report_of_another_units_matter_reads_what_it_received(ingest: Ingest) -> None:
    report = (await post(ingest, await ingest.key())).json()["report_id"]
    ingest.runtime.time_source.move(timedelta(minutes=1))
    await ingest.hear("a", opened(f"report-{derived('first')}", "town-west"), opened(report, "town-west"))
    await attach(ingest, report, ingest.staff("handler", unit="town-west"))
    url, reader = f"{PATH}/{report}?purpose=check", ingest.staff("handler", unit="town-east")
    read = (await ingest.client.get(url, headers=reader)).json()
    assert (read["text"] is not None, read["evidence"]) == (True, [])


async def test_who_had_a_part_in_a_matter_does_not_read_a_report_that_came_to_it_later(ingest: Ingest) -> None:
    report = (await post(ingest, await ingest.key())).json()["report_id"]
    now, into = ingest.runtime.time_source.now(), f"incident-{derived('incident', 'into')}"
    water = At(opened(f"report-{derived('further')}", "county-water"), now)
    over = triage.IncidentTransferred.model_validate({"unit": "county-roads", "previous": "county-water", **REASON})
    absorbed = triage.IncidentAbsorbed.model_validate(
        {"incident": f"incident-{derived('incident', 'a')}", "reports": [report], "discovered_at": now}
    )
    await ingest.hear("a", At(opened(report), now), At(triage.IncidentMerged(into=into), now + timedelta(seconds=3)))
    await ingest.hear("into", water, At(over, now + timedelta(seconds=2)), At(absorbed, now + timedelta(seconds=3)))
    assert await statuses(ingest, report) == only("city", "county", "town-east", "county-roads")


async def test_a_receiving_unit_decides_no_more_once_its_report_has_belonged_to_a_matter(ingest: Ingest) -> None:
    """Where a matter went by a merger or a split is told by another incident, perhaps much later."""
    new = f"incident-{derived('incident', 'new')}"
    for end in (triage.IncidentMerged(into=new), None):
        report = (await post(ingest, await ingest.key(), subject=str(end))).json()["report_id"]
        leaves = end or triage.IncidentSplit(into=new, reports=(report,))
        await ingest.hear(str(end), opened(report), TRANSFERRED, leaves)
        url = f"{PATH}/{report}/refuse"
        refused(
            await ingest.client.post(url, json=REASON, headers=ingest.staff("chief", unit="town-east")),
            403,
            "town-west",
        )
        answer = await ingest.client.post(url, json=REASON, headers=ingest.staff("chief", unit="town-west"))
        assert answer.status_code == 200, answer.text
