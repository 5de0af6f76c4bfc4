"""One report in the whole system, as a collector of traces sees it."""

import asyncio
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from services.apps.embedded import Embedded, running
from services.ingest.app import SERVICE as INGEST
from services.kernel.access.signing import PublicKeys
from services.kernel.core.ids import incident_opened_by
from services.kernel.delivery import collector as sending
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import http
from services.kernel.serving.documents import NO_TELEMETRY
from services.kernel.settings import Settings
from tests.kit import collector
from tests.kit.collector import Collector, Taken

ATTRIBUTES = {
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "cloudevents.event_type",
    "huiying.stream_kind",
    "messaging.destination.name",
    "messaging.destination.partition.id",
    "messaging.kafka.offset",
}
"""All that a span may say."""
CALLER = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
TYPED = {"subject": "东街停水三天", "text": "联系人王小明", "place": "东街十二号", "request": "尽快恢复供水"}


async def report(system: Embedded, key: str, n: int = 0, header: str = "") -> str:
    body = {"unit": "town-east", "discovered_at": datetime.now(UTC).isoformat(), "channel": "board"}
    headers = {"Authorization": f"Bearer {key}", **({"traceparent": header} if header else {})}
    async with system.client() as client:
        typed = {**TYPED, "subject": f"{TYPED['subject']}{n or ''}"}
        answer = await client.post("/ingest/v1/reports", json={**body, **typed}, headers=headers)
    assert answer.status_code in (201, 202), answer.text
    return str(answer.json()["report_id"])


async def key_of(system: Embedded) -> str:
    async with system.client(system.token("city", "admin")) as client:
        made = await client.post("/ingest/v1/keys", json={"unit": "town-east", "name": "hotline"})
    return str(made.json()["key"])


def rises(spans: Iterable[Taken], found: Collector) -> None:
    """Each span begins after its parent, and stands below it in the same trace."""
    known = found.by_id()
    for span in spans:
        assert span.began <= span.ended
        if span.parent:
            assert known[span.trace, span.parent].began <= span.began, span


async def test_one_report_is_one_trace_from_the_request_to_what_audit_took(tmp_path: Path) -> None:
    with collector.listening() as found:
        async with running(Settings(data=tmp_path, traces=found.address)) as system:
            key = await key_of(system)
            await report(system, key, header=f"00-{CALLER[0]}-{CALLER[1]}-01")
            await report(system, key, 1, header="00-not-a-place")
            await system.settle()
            async with system.client(system.token("city", "auditor")) as client:
                received = (await client.get("/audit/v1/events?type=report.received")).json()["items"]
    first, second = found.named("POST /ingest/v1/reports")
    assert (first.service, first.kind, first.parent) == ("ingest", "server", "")
    assert first.attributes["http.response.status_code"] in (201, 202)
    assert first.links == (CALLER,), "a caller's own trace is linked"
    assert second.links == (), "a malformed header is ignored"
    assert first.trace in {incident_opened_by(one["id"])[9:].replace("-", "") for one in received}
    known = found.by_id()

    def above(span: Taken) -> list[str]:
        way = [f"{span.service}: {span.name}"]
        while span.parent:
            span = known[span.trace, span.parent]
            way.append(f"{span.service}: {span.name}")
        return way[::-1]

    begun = ["ingest: POST /ingest/v1/reports", "ingest: record report.received.v1"]
    sent = [*begun, "ingest: send huiying.ingest.report"]
    opening = [*sent, "triage: take report.received.v1", "triage: record incident.opened.v1"]
    ways = [above(span) for span in found.spans if span.trace == first.trace]
    for taker in ("triage", "audit"):
        assert [*sent, f"{taker}: take report.received.v1"] in ways
    on_its_way = [*opening, "triage: send huiying.triage.incident"]
    for taker in ("escalation", "publish", "audit"):
        assert [*on_its_way, f"{taker}: take incident.opened.v1"] in ways
    assert {way[0] for way in ways} == {begun[0]}, "nothing of the trace stands apart: no timer was due"
    rises(found.spans, found)
    assert {span.kind for span in found.spans if span.name.startswith("take ")} == {"consumer"}
    assert {span.kind for span in found.spans if span.name.startswith("send ")} == {"producer"}


async def test_spans_hold_names_of_a_list_and_nothing_typed(tmp_path: Path) -> None:
    with collector.listening() as found:
        async with running(Settings(data=tmp_path, traces=found.address)) as system:
            key = await key_of(system)
            await report(system, key)
            await system.settle()
            async with system.client(system.token("town-east", "duty_officer", person="zhao@example.test")) as client:
                (one,) = (await client.get("/triage/v1/incidents")).json()["items"]
                path = f"/triage/v1/incidents/{one['id']}"
                version = (await client.get(path)).json()["version"]
                body = {"level": "general", "reason": "影响两个小区"}
                graded = await client.post(f"{path}/grade", json=body, headers={"If-Match": str(version)})
            assert graded.is_success, graded.text
            async with system.client(system.token("town-east", "handler", person="qian@example.test")) as client:
                refused = await client.post("/ingest/v1/keys", json={"unit": "town-east", "name": "mine"})
            assert refused.status_code == 403
            await system.settle()
    (act,) = found.named("POST /triage/v1/incidents/{id}/grade")
    assert act.trace == one["id"][9:].replace("-", "")
    assert found.named("POST /ingest/v1/keys")[-1].attributes["http.response.status_code"] == 403
    assert {name for span in found.spans for name in span.attributes} == ATTRIBUTES
    whole = b"".join(found.raw)
    for told in (*TYPED.values(), "王小明", "影响两个小区", "zhao@", "qian@", "town-east", "127.0.0.1", one["id"], key):
        assert told.encode() not in whole, told


async def test_a_report_of_a_known_matter_is_linked_to_it(tmp_path: Path) -> None:
    with collector.listening() as found:
        async with running(Settings(data=tmp_path, traces=found.address)) as system:
            key = await key_of(system)
            for _ in range(2):
                await report(system, key)
                await system.settle()
    first, second = found.named("POST /ingest/v1/reports")
    assert first.trace != second.trace
    (taken,) = (one for one in found.named("take report.received.v1", "triage") if one.trace == second.trace)
    (attached,) = (
        one
        for one in found.named("record incident.report_attached.v1")
        if one.trace == first.trace and (taken.trace, taken.id) in one.links
    )
    assert attached.parent == "" and (attached.trace, attached.id) in taken.links


async def test_a_share_of_the_traces_is_told_whole(tmp_path: Path) -> None:
    with collector.listening() as found:
        async with running(Settings(data=tmp_path, traces=found.address, traces_ratio=0.5)) as system:
            key = await key_of(system)
            for n in range(12):
                await report(system, key, n)
            await system.settle()
    posts = {one.trace for one in found.named("POST /ingest/v1/reports")}
    assert 0 < len(posts) < 12
    assert {one.trace for one in found.named("take incident.opened.v1", "audit")} == posts


@pytest.mark.parametrize("slow", [False, True], ids=["away", "silent"])
async def test_a_collector_that_is_away_or_silent_delays_nothing(
    slow: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(sending, "END_SECONDS", 0.5)
    monkeypatch.setattr(sending, "PAUSE", 50)
    with collector.listening() as found:
        address = found.address if slow else "http://127.0.0.1:9"
        found.waits.clear()
        async with running(Settings(data=tmp_path, traces=address)) as system:
            key = await key_of(system)
            await report(system, key)
            await system.settle()
            async with asyncio.timeout(20):
                while "traces.lost" not in (said := capsys.readouterr().out):
                    await asyncio.sleep(0.05)
            await report(system, key, 1)
            await system.settle()
            began = time.monotonic()
        assert time.monotonic() - began < 10
        said += capsys.readouterr().out
    assert said.count("traces.lost") == 1, "told once"
    assert "HUIYING_TRACES" in said


def test_no_application_has_the_telemetry_of_its_library() -> None:
    """It would send paths and sentences of errors, and begins by a variable of the system."""
    made = [one for file in Path("services").rglob("*.py") for one in re.findall(r"FastAPI\(.+", file.read_text())]
    assert made and all("telemetry=NO_TELEMETRY" in one for one in made)
    assert not any(NO_TELEMETRY.values())
    runtime = cast("Runtime", SimpleNamespace(service=INGEST, settings=Settings(), traces=None))
    app = http.application([runtime], title="x", keys=cast("PublicKeys", None))
    assert {name: app._telemetry.get(name) for name in NO_TELEMETRY} == NO_TELEMETRY
