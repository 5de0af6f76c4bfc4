"""Open311 on the whole system: by a client that others wrote, and by the commands of `docs/integrate.md`."""

import asyncio
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xmltodict  # type: ignore[import-untyped]
from georeport import GeoReport  # type: ignore[import-untyped]

from services.apps import up
from services.apps.embedded import Embedded, running
from services.kernel.settings import Settings
from tests.kit import integrate

TEXT = "东镇街灯正在检修。"


async def ask(system: Embedded, who: str, path: str, body: Any = None, seen: int | None = None) -> Any:
    """Asks as `role@unit`; with a body, a command."""
    role, _, unit = who.partition("@")
    headers = {} if seen is None else {"If-Match": str(seen)}
    async with system.client(system.token(unit, role, person=who)) as client:
        sent = client.get(path) if body is None else client.post(path, json=body, headers=headers)
        answer = await sent
    assert answer.is_success, answer.text
    await system.settle()
    return answer.json()


async def publish(system: Embedded, report: str) -> str:
    """Publishes a status on the matter of a report. Returns the matter's path."""
    found = await ask(system, "auditor@city", f"/triage/v1/incidents?report_id={report}")
    incident = found["items"][0]["id"]
    draft = {"incident_id": incident, "kind": "status", "title": "街灯检修", "text": TEXT}
    made = await ask(system, "handler@town-east", "/publish/v1/statements", draft)
    path = f"/publish/v1/statements/{made['id']}"
    for who, verb in (("handler", "submit"), ("approver", "approve"), ("spokesperson", "publish")):
        seen = (await ask(system, "auditor@city", path))["version"]
        await ask(system, f"{who}@town-east", f"{path}/{verb}", {}, seen)
    return f"/triage/v1/incidents/{incident}"


async def test_a_client_that_others_wrote_follows_a_report_until_the_office_answers(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path)) as system:
        key = (await ask(system, "admin@city", "/ingest/v1/keys", {"unit": "town-east"}))["key"]
        with socket.create_server(("127.0.0.1", 0)) as on:
            async with up.served(system, on) as address:

                async def asked(form: str, call: Callable[[GeoReport], Any]) -> Any:
                    return await asyncio.to_thread(call, GeoReport(f"{address}/open311/v2", output_format=form))

                said = await integrate.run("Open311", address, key)
                assert "service_request_updates" in said and "路灯照明" in said
                id_ = re.findall(r"report-[0-9a-f-]{36}", said)[0]
                await system.settle()

                for form in ("json", "xml"):
                    services = await asked(form, GeoReport.get_service_list)
                    assert "roads.lighting" in [one["service_code"] for one in services]
                    told = await asked(form, lambda client: client.get_service_definition("roads.lighting"))
                    assert told["service_code"] == "roads.lighting"
                    one = await asked(form, lambda client: client.get_service_request(id_))
                    assert (one["service_request_id"], one["status"], one["status_notes"]) == (id_, "open", None)
                    assert one["requested_datetime"] < one["expected_datetime"], "the first answer is owed"
                assert await asked("json", GeoReport.get_service_requests) == []

                matter = await publish(system, id_)
                for form in ("json", "xml"):
                    listed = await asked(form, lambda client: client.get_service_requests(status="open"))
                    (one,) = listed if isinstance(listed, list) else [listed]
                    assert one["service_request_id"] == id_
                    assert one["status_notes"] == f"街灯检修\n{TEXT}"
                    assert one["description"] is one["address"] is None
                async with system.client("") as client:
                    updates = (await client.get("/open311/v2/servicerequestupdates.xml")).text
                update = xmltodict.parse(updates)["service_requests_updates"]["request_update"]
                assert (update["service_request_id"], update["status"]) == (id_, "open")
                assert update["description"] == f"街灯检修\n{TEXT}"
                assert update["updated_datetime"] <= one["updated_datetime"]
        assert matter
