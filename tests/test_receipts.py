"""What the sender of a report reads with the receipt alone: a limit of the matter that was extended."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from services.apps.embedded import Embedded, running
from services.kernel.settings import Settings
from services.kernel.store.words import ERASED

REASON, NOTICE = "检测单位排期紧", "您反映的事项需要检测，延期三十日以内答复"


async def ask(
    system: Embedded, who: str, method: str, path: str, body: Any = None, status: int = 200, **headers: str
) -> Any:
    """Asks as `role@unit`; as nobody if that is empty."""
    role, _, unit = who.partition("@")
    token = system.token(unit, role, person=who) if who else ""
    async with system.client(token) as client:
        answer: httpx.Response = await client.request(method, path, json=body, headers=headers)
        await system.settle()
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_the_sender_reads_the_new_end_and_the_text_for_them_and_no_internal_word(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path)) as system:
        packs = (await ask(system, "chief@city", "GET", "/triage/v1/packs"))["items"]
        name = next(f"{one['pack']}@{one['version']}" for one in packs if one["pack"] == "national-answer")
        await ask(system, "chief@city", "POST", "/triage/v1/packs/assign", {"unit": "town-east", "pack": name})
        report = {
            "unit": "town-east",
            "channel": "letter",
            "subject": "请检测井水",
            "text": "井水浑浊。",
            "discovered_at": datetime.now(UTC).isoformat(),
        }
        sent = await ask(system, "duty_officer@town-east", "POST", "/ingest/v1/reports", report, 201)
        path = f"/ingest/v1/receipts/{sent['receipt']}"
        assert (await ask(system, "", "GET", path))["extensions"] == []
        await ask(system, "", "GET", "/ingest/v1/receipts/AAAA-BBBB-CCCC", status=404)

        clocks = (await ask(system, "chief@town-east", "GET", "/escalation/v1/clocks"))["items"]
        petition = next(clock for clock in clocks if clock["clock"] == "petition")
        due = datetime.fromisoformat(petition["due"]) + timedelta(days=30)
        matter, clock = f"/escalation/v1/incidents/{petition['incident_id']}", {"clock": "petition"}
        asked = {**clock, "due": due.isoformat(), "reason": REASON}
        await ask(system, "handler@town-east", "POST", f"{matter}/request-extension", asked)
        granted = {**clock, "granted": True, "reason": REASON, "notice": NOTICE}
        await ask(system, "approver@town-east", "POST", f"{matter}/decide-extension", granted)

        read = await ask(system, "", "GET", path.lower())
        assert read["state"] == "received"
        (extension,) = read["extensions"]
        assert (extension["title_zh"], extension["text"]) == ("信访事项办结", NOTICE)
        assert extension["previous"] == petition["due"]
        assert datetime.fromisoformat(extension["due"]) == due
        assert REASON not in str(read) and "petition" not in str(read)

        (owed,) = [
            one for one in (await ask(system, "chief@town-east", "GET", matter))["clocks"] if one["asker_untold"]
        ]
        assert owed["clock"] == "petition"
        await ask(system, "handler@town-east", "POST", f"{matter}/tell-asker", {**clock, "way": "call"})
        after = (await ask(system, "chief@town-east", "GET", matter))["clocks"]
        assert not any(one["asker_untold"] for one in after)

        stream = petition["incident_id"].replace("incident", "clock")
        events = (await ask(system, "auditor@city", "GET", f"/audit/v1/events?subject={stream}"))["items"]
        ref = next(one["data"]["notice"]["ref"] for one in events if "extended" in one["type"])
        gone = {"stream": stream, "refs": [ref], "reason": "有个人信息"}
        await ask(system, "chief@town-east", "POST", "/escalation/v1/words/erase", gone)
        await ask(system, "chief@county", "POST", "/escalation/v1/words/erase", gone)
        assert (await ask(system, "", "GET", path))["extensions"][0]["text"] == ERASED
