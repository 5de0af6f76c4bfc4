"""What the sender of a report reads and says with the receipt alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

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
        stands = await ask(system, "", "POST", "/bulletin/status.json", {"code": sent["receipt"]})
        assert (stands["by"], stands["unit"]["code"]) == ("receipt", "town-east")
        await ask(system, "", "GET", "/ingest/v1/receipts/AAAA-BBBB-CCCC", status=404)

        clocks = (await ask(system, "chief@town-east", "GET", "/escalation/v1/clocks"))["items"]
        petition = next(clock for clock in clocks if clock["clock"] == "petition")
        due = datetime.fromisoformat(petition["due"]) + timedelta(days=30)
        matter, clock = f"/escalation/v1/incidents/{petition['incident_id']}", {"clock": "petition"}
        asked = {**clock, "due": due.isoformat(), "reason": REASON}
        await ask(system, "handler@town-east", "POST", f"{matter}/request-extension", asked)
        granted = {**clock, "granted": True, "reason": REASON, "notice": NOTICE}
        await ask(system, "approver@town-east", "POST", f"{matter}/decide-extension", granted)

        async with system.client("") as client:
            kept = (await client.get(path)).headers["Cache-Control"]
        assert kept == "no-store", "no proxy keeps words that may be erased"
        read = await ask(system, "", "GET", path.lower())
        assert read["state"] == "received"
        (extension,) = read["extensions"]
        assert (extension["title_zh"], extension["text"]) == ("信访事项办结", NOTICE)
        assert extension["previous"] == petition["due"]
        assert datetime.fromisoformat(extension["due"]) == due
        assert REASON not in str(read) and "petition" not in str(read)

        # Another report comes to the matter later: the words were not written for its sender.
        other = await ask(system, "duty_officer@town-east", "POST", "/ingest/v1/reports", report, 201)
        (theirs,) = (await ask(system, "", "GET", f"/ingest/v1/receipts/{other['receipt']}"))["extensions"]
        assert theirs == {**extension, "text": None}

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


@pytest.mark.requirement("ING-12")
async def test_the_sender_says_once_for_each_answer_whether_it_helps_and_a_no_opens_a_round(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path)) as system:
        report = {
            "unit": "town-east",
            "channel": "letter",
            "subject": "路灯不亮",
            "text": "路灯不亮。",
            "discovered_at": datetime.now(UTC).isoformat(),
        }
        sent = await ask(system, "duty_officer@town-east", "POST", "/ingest/v1/reports", report, 201)
        path = f"/ingest/v1/receipts/{sent['receipt']}"
        no = {"helps": False, "reason": "灯还是不亮，请打13912345678"}
        early = await ask(system, "", "POST", f"{path}/helpfulness", no, 409)
        assert early["type"].endswith("no-answer-yet")
        await ask(system, "", "POST", "/ingest/v1/receipts/AAAA-BBBB-CCCC/helpfulness", no, 404)
        (matter,) = (await ask(system, "chief@town-east", "GET", "/triage/v1/incidents"))["items"]
        at = f"/triage/v1/incidents/{matter['id']}"

        async def act(who: str, verb: str, body: Any) -> None:
            version = (await ask(system, "chief@town-east", "GET", at))["version"]
            await ask(system, who, "POST", f"{at}/{verb}", body, **{"If-Match": str(version)})

        await act("duty_officer@town-east", "assign", {"unit": "town-east"})
        await act("handler@town-east", "accept", {})
        for number in (1, 2):
            await act("handler@town-east", "solve", {"text": "t"})
            await act("handler@town-east", "explain", {"text": "t"})
            await act("approver@town-east", "approve", {"proposal": number})
            await act("handler@town-east", "resolve", {"reason": "r"})
            assert [one["helps"] for one in (await ask(system, "", "GET", path))["answers"]][-1] is None
            await ask(system, "", "POST", f"{path}/helpfulness", no if number == 1 else {"helps": True})
            again = await ask(system, "", "POST", f"{path}/helpfulness", {"helps": True}, 409)
            assert again["type"].endswith("answer-judged")
            found = await ask(system, "chief@town-east", "GET", at)
            assert [one["report"] for one in found["unhelpful"]] == [sent["report_id"]] * (number == 1)
            if number == 1:
                await act("chief@town-east", "reopen", {"reason": "r", "report": sent["report_id"]})
        assert found["round"] == 2
        assert [one["helps"] for one in (await ask(system, "", "GET", path))["answers"]] == [False, True]
        told = await ask(system, "duty_officer@town-east", "GET", f"/ingest/v1/reports/{sent['report_id']}")
        assert [one["helps"] for one in told["helpfulness"]] == [False, True]
        assert told["helpfulness"][0]["reason"].startswith("灯还是不亮，请打")
        assert "13912345678" not in str(told)


@pytest.mark.requirement("ING-12")
async def test_what_was_said_to_another_asker_before_is_no_answer_to_a_later_one(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path)) as system:
        report = {
            "unit": "town-east",
            "channel": "letter",
            "subject": "路灯不亮",
            "text": "路灯不亮。",
            "discovered_at": datetime.now(UTC).isoformat(),
        }
        first = await ask(system, "duty_officer@town-east", "POST", "/ingest/v1/reports", report, 201)
        (matter,) = (await ask(system, "chief@town-east", "GET", "/triage/v1/incidents"))["items"]
        at = f"/triage/v1/incidents/{matter['id']}"

        async def explain(number: int, to: str) -> None:
            for who, verb, body in (
                ("handler@town-east", "explain", {"text": "t", "to": to}),
                ("approver@town-east", "approve", {"proposal": number}),
            ):
                version = (await ask(system, "chief@town-east", "GET", at))["version"]
                await ask(system, who, "POST", f"{at}/{verb}", body, **{"If-Match": str(version)})

        async def answered(sent: dict[str, Any]) -> int:
            return len((await ask(system, "", "GET", f"/ingest/v1/receipts/{sent['receipt']}"))["answers"])

        await explain(1, "asker")
        later = await ask(system, "duty_officer@town-east", "POST", "/ingest/v1/reports", report, 201)
        (same,) = (await ask(system, "chief@town-east", "GET", "/triage/v1/incidents"))["items"]
        assert (same["report_count"], await answered(first), await answered(later)) == (2, 1, 0)
        said = f"/ingest/v1/receipts/{later['receipt']}/helpfulness"
        early = await ask(system, "", "POST", said, {"helps": True}, 409)
        assert early["type"].endswith("no-answer-yet")
        await explain(2, "asker")
        assert (await answered(first), await answered(later)) == (2, 1)
        await explain(3, "public")
        last = await ask(system, "duty_officer@town-east", "POST", "/ingest/v1/reports", report, 201)
        assert (await answered(first), await answered(last)) == (3, 1)
