"""Reading what a citizen wrote is an event, and takes a purpose where the reader's unit does not work on the matter."""

from typing import Any

import pytest

from schemas import triage
from tests.ingest.conftest import PATH, Ingest, post
from tests.ingest.test_rights import REASON, attach, opened


async def read(ingest: Ingest, report: str, unit: str, role: str = "handler", **params: Any) -> dict[str, Any]:
    answer = await ingest.client.get(f"{PATH}/{report}", headers=ingest.staff(role, unit=unit), params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def recorded(ingest: Ingest) -> list[tuple[str, str, bool]]:
    """Who read: post, unit, whether the unit worked on the matter."""
    return [(event.actor, str(event.unit), event.data.works) for event in await ingest.events("record_read")]


@pytest.mark.requirement("AUD-13")
async def test_whoever_works_on_a_matter_reads_its_words_and_that_is_an_event_once_a_day(ingest: Ingest) -> None:
    report = (await post(ingest, await ingest.key())).json()["report_id"]
    for _ in range(2):
        assert (await read(ingest, report, "town-east"))["text"]
    assert await recorded(ingest) == [("handler@town-east", "town-east", True)]
    await read(ingest, report, "town-east", "verifier")
    assert len(await recorded(ingest)) == 2


@pytest.mark.requirement("AUD-13")
async def test_whoever_does_not_work_on_it_names_a_purpose_and_sees_no_words_without(ingest: Ingest) -> None:
    report = (await post(ingest, await ingest.key())).json()["report_id"]
    found = await read(ingest, report, "county", "chief")
    assert (found["text"], found["withheld"]) == (None, True)
    assert found["subject"]
    for blank in ("  ", "\u3000"):
        assert (await read(ingest, report, "county", "chief", purpose=blank))["withheld"]
    assert await recorded(ingest) == []
    found = await read(ingest, report, "county", "chief", purpose="督办核对")
    assert found["text"]
    assert "withheld" not in found
    await read(ingest, report, "county", "chief", purpose="督办核对")
    assert await recorded(ingest) == [("chief@county", "county", False)]
    await read(ingest, report, "county", "chief", purpose="年底考核")
    assert len(await recorded(ingest)) == 2
    (first, *_) = await ingest.events("record_read")
    assert first.data.record == report
    assert "督办" not in first.bytes.decode()


async def test_the_part_in_the_matter_counts_as_triage_moves_it_on(ingest: Ingest) -> None:
    report = (await post(ingest, await ingest.key())).json()["report_id"]
    transferred = triage.IncidentTransferred.model_validate({"unit": "town-west", "previous": "town-east", **REASON})
    await ingest.hear("a", opened(report), transferred)
    assert (await read(ingest, report, "town-west"))["text"]
    assert (await read(ingest, report, "town-east"))["withheld"]


async def test_a_file_is_not_sent_without_a_purpose(ingest: Ingest) -> None:
    report = (await post(ingest, await ingest.key())).json()["report_id"]
    file = await attach(ingest, report, ingest.staff("handler", unit="town-east"))
    path, above = f"{PATH}/{report}/evidence/{file}", ingest.staff("chief", unit="county")
    refused = await ingest.client.get(path, headers=above)
    assert (refused.status_code, refused.json()["field"]) == (422, "purpose")
    assert (await ingest.client.get(path, headers=above, params={"purpose": "督办核对"})).status_code == 200
    assert [works for _, _, works in await recorded(ingest)] == [False]


async def test_an_integration_reads_its_own_report_without_an_event(ingest: Ingest) -> None:
    key = await ingest.key()
    report = (await post(ingest, key)).json()["report_id"]
    answer = await ingest.client.get(f"{PATH}/{report}", headers=key)
    assert answer.json()["text"]
    assert await recorded(ingest) == []


async def test_words_are_withheld_while_nothing_can_be_recorded(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = (await post(ingest, await ingest.key())).json()["report_id"]
    monkeypatch.setattr(ingest.runtime, "recovered", False)
    found = await read(ingest, report, "town-east")
    assert (found["text"], found["withheld"]) == (None, True)
    monkeypatch.setattr(ingest.runtime, "recovered", True)
    assert (await read(ingest, report, "town-east"))["text"]
