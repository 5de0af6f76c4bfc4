"""The register of reports: the state of each reply, for the office to which the report came."""

from typing import Any

import pytest

from tests.kit import access
from tests.triage.conftest import Triage


async def register(triage: Triage, office: str = "town-east", /, **query: str) -> list[dict[str, Any]]:
    """The rows of the register, newest first."""
    headers = triage.token("duty_officer", office)
    answer = await triage.client.get("/triage/v1/reports", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def states(triage: Triage, unit: str = "town-east") -> dict[str, str]:
    return {row["report_id"]: row["reply"] for row in await register(triage, unit)}


@pytest.mark.requirement("CON-05")
async def test_each_report_has_the_state_of_its_own_reply(triage: Triage) -> None:
    asked, later = triage.report("a", match_key="one"), triage.report("b", match_key="one")
    await triage.take(asked)
    await triage.say("a: subject")
    [row] = await register(triage)
    assert (row["subject"], row["channel"], row["category"], row["unit"]) == (
        "a: subject",
        "board",
        "roads",
        "town-east",
    )
    assert (row["reply"], row["answered_at"], row["unhelpful"]) == ("waiting", None, False)
    assert not {"author", "name", "phone", "text", "receipt"} & set(row)
    incident = str(row["incident_id"])

    async def ask(verb: str, role: str, **body: Any) -> None:
        answer = await triage.ask(incident, verb, body, role=role, unit="town-east")
        assert answer.status_code == 200, (verb, answer.text)

    await ask("establish-fact", "verifier", key="confirmed", kind="yes_no", value=True, source="s")
    await ask("explain", "handler", text="t")
    await triage.agree(incident)
    assert await states(triage) == {asked.stream: "interim"}
    await triage.take(later)
    assert {row["incident_id"] for row in await register(triage)} == {incident}
    assert await states(triage) == {asked.stream: "interim", later.stream: "waiting"}, "nobody has told the second one"
    await ask("solve", "handler", text="t")
    await ask("reply", "handler", text="t")
    await triage.agree(incident)
    await ask("resolve", "handler", reason="r")
    assert await states(triage) == {asked.stream: "replied", later.stream: "replied"}
    assert all(row["answered_at"] for row in await register(triage))


async def test_no_reply_is_owed_when_two_posts_say_so_and_a_refused_report_gets_none(triage: Triage) -> None:
    incident = await triage.open("a")
    screening = {"needs_reply": False, "ground": "no_request"}
    assert (await triage.ask(incident, "screen", screening, role="duty_officer", unit="town-east")).status_code == 200
    [row] = await register(triage)
    assert row["reply"] == "waiting", "until another post has agreed"
    headers = access.bearer("town-east", "chief", person="another") | {"If-Match": "1"}
    review = f"/triage/v1/incidents/{incident}/review-screening"
    assert (await triage.client.post(review, json={"upheld": True, "reason": "r"}, headers=headers)).status_code == 200
    refused = triage.report("b")
    await triage.take(refused, triage.refusal(refused))
    assert await states(triage) == {row["report_id"]: "not_owed", refused.stream: "refused"}


async def test_the_register_narrows_turns_its_pages_and_is_the_office_s_own(triage: Triage) -> None:
    for name, unit in (("a", "town-east"), ("b", "town-west"), ("c", "town-east")):
        await triage.take(triage.report(name, unit=unit))
    whole = await register(triage, "county")
    assert [row["received_at"] for row in whole] == sorted((row["received_at"] for row in whole), reverse=True)
    assert len(whole) == 3 and [row["unit"] for row in await register(triage, "town-west")] == ["town-west"]
    assert len(await register(triage, "county", unit="town-east")) == 2 == len(await register(triage, "town-east"))
    assert await register(triage, "town-east", unit="town-west") == []
    assert len(await register(triage, "county", reply="waiting", channel="board")) == 3
    assert await register(triage, "county", reply="replied") == []
    pages = []
    query: dict[str, Any] = {"limit": "2"}
    while True:
        page = (
            await triage.client.get("/triage/v1/reports", params=query, headers=triage.token("chief", "county"))
        ).json()
        pages += page["items"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert pages == whole
    for wrong in ({"channel": "none"}, {"reply": "none"}, {"unit": "none"}, {"cursor": "x"}):
        answer = await triage.client.get("/triage/v1/reports", params=wrong, headers=triage.token("chief", "county"))
        assert answer.status_code == 422, wrong
