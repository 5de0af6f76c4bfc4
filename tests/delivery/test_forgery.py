"""Somebody writes an event with right digests to a service's topic that the service never wrote. Its owner notices."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.envelope import Event, seal
from schemas.fields import Fact, Typed
from schemas.ingest import ReportErased
from schemas.triage import IncidentGraded
from services.apps import embedded, operate
from services.apps.embedded import Embedded
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery import operations
from services.kernel.delivery.log import Partition
from services.kernel.serving import process
from services.kernel.store.session import partition_of
from tests.kit.spec import _plain
from tests.kit.stack import report
from tests.kit.stores import rows, stored


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Embedded]:
    monkeypatch.setattr(process, "OWN_SECONDS", 0.1)
    async with embedded.running(embedded.Settings(data=tmp_path / "data")) as made:
        yield made


async def until(holds: Callable[[], Awaitable[Any]], what: str, limit: float = 60) -> Any:
    async with asyncio.timeout(limit):
        while not (found := await holds()):
            await asyncio.sleep(0.02)
    return found


async def posted(here: Embedded, subject: str, **more: Any) -> str:
    async with here.client(here.token("county", "duty_officer")) as client:
        answer = await client.post("/ingest/v1/reports", json={**report(subject), **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["report_id"])


async def incident(here: Embedded, report_id: str) -> str:
    await here.settle()
    async with here.client(here.token("county", "duty_officer")) as client:
        found = await client.get("/triage/v1/incidents", params={"report_id": report_id})
    return str(found.json()["items"][0]["id"])


async def grade(here: Embedded, id_: str, level: str = "major") -> httpx.Response:
    async with here.client(here.token("county", "duty_officer")) as client:
        version = (await client.get(f"/triage/v1/incidents/{id_}")).json()["version"]
        body, headers = {"level": level, "reason": "as it stands"}, {"If-Match": str(version)}
        return await client.post(f"/triage/v1/incidents/{id_}/grade", json=body, headers=headers)


async def forge(here: Embedded, service: str, stream: str, fact: Fact, topic: str = "") -> Event:
    """Writes the next version of a stream in its owner's name. It is on the topic, or on `topic`, when this returns."""
    await here.settle()
    last = [event for event in await stored(here.runtimes[service]) if event.stream == stream][-1]
    forged = seal(
        _plain(fact),
        id=uuid7(),
        source=last.attributes["source"],
        stream=stream,
        version=last.version + 1,
        previous=last.digest,
        time=last.time,
        recorded=last.recorded,
        partitionkey=last.partitionkey,
        actor="duty_officer@county",
        correlation=last.correlation,
        unit="county",
    )
    place = Partition(topic or forged.topic, partition_of(forged.partitionkey, here.settings.partitions))
    await here.log.append({place: [(forged.partitionkey.encode(), forged.bytes)]})
    return forged


async def held(here: Embedded, service: str) -> list[str]:
    """The records on the service's own topics that wait for an operator's word."""
    found = await rows(here.runtimes[service], "dead_letters", "id", "consumer", "state")
    return [id_ for id_, consumer, state in found if (consumer, state) == ("owner", "open")]


def graded() -> Fact:
    return IncidentGraded(level="extraordinary", rank=3, reason=Typed(text="forged"))


async def clean(here: Embedded) -> None:
    await here.settle()
    found = await operate.check_stores(operate.Stores(here.runtimes, here.log, here), 5)
    assert found.faults == []


async def test_a_forged_decision_holds_its_stream_until_it_is_discarded_and_all_others_go_on(here: Embedded) -> None:
    id_ = await incident(here, await posted(here, "a matter"))
    other = await incident(here, await posted(here, "another matter"))
    forged = await forge(here, "triage", id_, graded())
    (record,) = await until(lambda: held(here, "triage"), "the owner sees it while it runs")

    refused = await grade(here, id_)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:huiying:problem:stream-held"), refused.text
    assert (await grade(here, other)).status_code == 200
    again = await posted(here, "a matter")
    await here.settle()
    found = await rows(here.runtimes["triage"], "dead_letters", "consumer", "stream_id", "reason", "state")
    assert ("triage", again, "held", "open") in found, "what would be decided on the stream waits"

    everything = operate.Stores(here.runtimes, here.log, here)
    await operate.settle_record(everything, "triage", record, "nobody decided this", discard=True)
    assert await incident(here, again) == id_
    assert (await grade(here, id_)).status_code == 200
    await clean(here)
    for service in ("escalation", "publish", "audit"):
        cursors = await rows(here.runtimes[service], "stream_cursor", "stream_id", "version", "digest")
        ours = max(event.version for event in await stored(here.runtimes["triage"]) if event.stream == id_)
        assert [version for stream, version, digest in cursors if stream == id_] == [ours]
    kept = await rows(here.runtimes["audit"], "timeline", "stream_id", "version", "digest")
    assert len([digest for stream, version, digest in kept if (stream, version) == (id_, forged.version)]) == 2


async def test_an_event_on_the_topic_of_another_service_changes_nothing_and_stops_nothing(here: Embedded) -> None:
    """Who may write for intake alone, which faces the internet, writes for no other service."""
    id_ = await incident(here, await posted(here, "a matter"))
    await forge(here, "triage", id_, graded(), topic="ingest.report")

    async def set_aside() -> bool:
        reasons = [await rows(here.runtimes[name], "dead_letters", "reason") for name in ("triage", "audit")]
        return reasons == [[("forged",)], [("forged",)]]

    await until(set_aside, "its readers set it aside")
    assert (await grade(here, id_)).status_code == 200
    await here.settle()
    for name in ("escalation", "publish", "audit"):
        assert await rows(here.runtimes[name], "parked", "version") == [], name


async def test_a_forged_erasure_deletes_nothing_of_its_owner(here: Embedded) -> None:
    id_ = await posted(here, "words to stay")
    await here.settle()
    refs = {
        ref for event in await stored(here.runtimes["ingest"]) if event.stream == id_ for ref in event.words.values()
    }
    await forge(here, "ingest", id_, ReportErased(refs=tuple(sorted(refs))))
    await until(lambda: held(here, "ingest"), "the owner sees it")
    assert {ref for (ref,) in await rows(here.runtimes["ingest"], "contents", "ref")} >= refs
    assert await operations.attention(here.runtimes["ingest"]) == {"dead_letters": 1, "parked": 1}


async def test_an_operator_may_find_that_the_record_is_the_owners_own(here: Embedded) -> None:
    id_ = await incident(here, await posted(here, "a matter"))
    forged = await forge(here, "triage", id_, graded())
    await until(lambda: held(here, "triage"), "the owner sees it")
    taken = await operate.recover(here.runtimes["triage"], [], "the database lost its last transactions")
    assert [event.bytes for event in taken] == [forged.bytes]
    async with here.client(here.token("county", "duty_officer")) as client:
        assert (await client.get(f"/triage/v1/incidents/{id_}")).json()["level"] == "extraordinary"
    assert (await grade(here, id_, "general")).status_code == 200
