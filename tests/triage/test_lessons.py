"""What a matter or an exercise taught becomes a version of the pack, which the next matter cites."""

from typing import Any

import httpx
import pytest

from services.triage.offices.packs import POLICIES
from tests.triage.conftest import Triage
from tests.triage.test_api import HANDLED, VERIFIED, done, problem
from tests.triage.test_packs_api import COUNTY, NEXT, send

CLOSE = ("close", "chief", "town-east", {"reason": "over"})
SAID = {"text": "夜间无人值守", "change": "接办时限改为2小时"}


@pytest.fixture(params=["triage", pytest.param("triage_on_postgres", marks=pytest.mark.postgres)])
def desk(request: pytest.FixtureRequest) -> Triage:
    """Triage on both databases, one after the other."""
    made: Triage = request.getfixturevalue(request.param)
    return made


async def over(desk: Triage, name: str = "a", **more: Any) -> str:
    """A matter that was handled and closed."""
    id_ = await desk.open(name, **more)
    await done(desk, id_, VERIFIED, *HANDLED, CLOSE)
    return id_


async def learn(desk: Triage, incident: str, role: str = "chief", unit: str = "town-east") -> httpx.Response:
    return await send(desk, "lessons", {"incident": incident, **SAID}, role, unit)


async def listed(desk: Triage, **wanted: Any) -> list[dict[str, Any]]:
    answer = await desk.get("lessons", **wanted)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.requirement("AUD-06")
async def test_lessons_become_a_version_of_the_pack_that_the_next_matter_cites(desk: Triage) -> None:
    matter, drill = await over(desk), await over(desk, "b", drill=True)
    number = (await desk.get(f"incidents/{matter}")).json()["number"]
    for incident in (number, drill):
        answer = await learn(desk, incident)
        assert answer.status_code == 201, answer.text
        assert answer.json()["lesson"] == (1 if incident == number else 2)
    assert [(one["lesson"], one["incident"], one["state"]) for one in await listed(desk)] == [
        (2, drill, "open"),
        (1, matter, "open"),
    ]
    cited = (await desk.events(POLICIES))[-1]
    assert (cited.data.pack, cited.data.version, str(cited.policy).partition("#")[0]) == (
        "county-default",
        "2",
        "county-default@2",
    )
    assert (await send(desk, "packs", {"text": NEXT, "lessons": [1, 2, 1]})).status_code == 200
    assert (await desk.events(POLICIES))[-1].data.lessons == (1, 2)
    assert {one["answered_by"] for one in await listed(desk, state="answered")} == {"county-default@3"}
    before = await desk.open("c")
    assert (await desk.get(f"incidents/{before}")).json()["lessons"] == [], "no unit works by it yet"
    assert (await send(desk, "packs/assign", {"unit": "city", "pack": "county-default@3"})).status_code == 200
    found = (await desk.get(f"incidents/{await desk.open('d')}")).json()
    assert found["policy"].startswith("county-default@3#")
    assert [(one["lesson"], one["incident"]) for one in found["lessons"]] == [(1, matter), (2, drill)]
    assert (await desk.get(f"incidents/{matter}")).json()["lessons"] == []


async def test_a_lesson_is_declined_with_a_reason_and_then_settled(desk: Triage) -> None:
    matter = await over(desk)
    for _ in range(2):
        assert (await learn(desk, matter, "duty_officer")).status_code == 201
    body = {"reason": "现行规则已有规定"}
    problem(await send(desk, "lessons/1/decline", body, "chief", "county"), 403, "over city")
    assert (await send(desk, "lessons/1/decline", body, "chief")).status_code == 200
    assert [one["lesson"] for one in await listed(desk, state="declined")] == [1]
    assert [one["lesson"] for one in await listed(desk, state="open", pack="county-default")] == [2]
    for again in (
        await send(desk, "lessons/1/decline", body, "chief"),
        await send(desk, "packs", {"text": NEXT, "lessons": [1]}),
    ):
        assert problem(again, 409, "settled")["type"] == "urn:huiying:problem:lesson-settled"


async def test_lists_come_in_pages(triage: Triage) -> None:
    matter = await over(triage)
    for _ in range(3):
        await learn(triage, matter)
    page = (await triage.get("lessons", limit=2)).json()
    assert [one["lesson"] for one in page["items"]] == [3, 2]
    rest = (await triage.get("lessons", limit=2, cursor=page["next"])).json()
    assert ([one["lesson"] for one in rest["items"]], rest["next"]) == ([1], None)


async def test_bad_lessons_are_refused(triage: Triage) -> None:
    still, matter, into = await triage.open("a"), await over(triage, "b"), await triage.open("c")
    problem(await learn(triage, still), 409, "still being handled")
    problem(await learn(triage, "incident-01890a5d-ac96-774b-bcce-b302099a8057"), 404, "there is no")
    problem(await learn(triage, "town-east-1999-00001"), 422, "town-east-1999-00001")
    problem(await learn(triage, matter, "handler"), 403, "role")
    problem(await learn(triage, matter, unit="town-west"), 403, "over town-east")
    merged = await triage.open("d")
    await done(triage, merged, ("merge", "chief", "county", {"into": into}))
    problem(await learn(triage, merged), 409, into)
    for body in ({"incident": matter, "text": "t"}, {"incident": matter, **SAID, "author": "x"}):
        assert (await send(triage, "lessons", body, "chief", "town-east")).status_code == 422
    problem(await send(triage, "lessons/9/decline", {"reason": "r"}, "chief"), 422, "no lesson 9")
    assert (await triage.get("lessons", state="lost")).status_code == 422
    problem(await triage.get("lessons", pack="county-defualt"), 422, "does not exist")
    assert await listed(triage) == []


async def test_a_version_answers_only_open_lessons_of_its_own_pack(triage: Triage) -> None:
    assert (await learn(triage, await over(triage))).status_code == 201
    other = COUNTY.replace("id: county-default\n", "id: other\n")
    cases = (
        ({"text": NEXT, "lessons": [7]}, 422, "no lesson 7"),
        ({"text": other, "lessons": [1]}, 409, "about the pack county-default"),
        ({"text": COUNTY, "lessons": [1]}, 409, "new version"),
    )
    for body, status, sentence in cases:
        problem(await send(triage, "packs", body), status, sentence)
    assert [one["state"] for one in await listed(triage)] == ["open"]
