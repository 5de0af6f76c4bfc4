"""Units and posts that an administrator adds, changes and ends, over HTTP."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.triage.offices import setup
from services.triage.offices.units import TREE
from tests.triage.conftest import Triage
from tests.triage.test_api import problem
from tests.triage.test_packs_api import send

WHY = {"reason": "机构改革方案"}
HEALTH = {"unit": "county-health", "kind": "department", "name": "县卫生健康局", "parent": "county", **WHY}


@pytest.fixture(params=["triage", pytest.param("triage_on_postgres", marks=pytest.mark.postgres)])
def desk(request: pytest.FixtureRequest) -> Triage:
    """Triage on both databases, one after the other."""
    made: Triage = request.getfixturevalue(request.param)
    return made


async def ask(desk: Triage, verb: str, role: str = "admin", of: str = "county", /, **body: Any) -> httpx.Response:
    """Asks for a change of the tree."""
    return await send(desk, f"units/{verb}", body, role, of)


async def tree(desk: Triage, unit: str = "county", role: str = "admin") -> dict[str, dict[str, Any]]:
    """The units that stand, by their codes."""
    return {one["unit"]: one for one in (await desk.get("units", unit, role)).json()["items"]}


@pytest.mark.requirement("MUL-01")
async def test_an_administrator_adds_renames_moves_and_ends_a_unit(desk: Triage) -> None:
    assert (await ask(desk, "place-unit", **HEALTH, posts_of="county-water")).status_code == 200
    found = (await tree(desk))["county-health"]
    assert (found["name"], found["parent"], found["drill"]) == ("县卫生健康局", "county", False)
    assert {"chief@county-health", "duty_officer@county-health"} <= {post["post"] for post in found["posts"]}
    assert [post["post"] for post in found["posts"] if post["head"]] == ["chief@county-health"]
    moved = HEALTH | {"name": "卫生站", "parent": "town-east", "reason": "下放"}
    assert (await ask(desk, "place-unit", **moved)).status_code == 200
    assert (await tree(desk))["county-health"]["parent"] == "town-east"
    assert (await ask(desk, "end-unit", unit="county-health", **WHY)).status_code == 200
    assert "county-health" not in await tree(desk)
    answer = (await desk.get("units", "county", "admin")).json()
    assert [one["unit"] for one in answer["former"]] == ["county-health"]
    changes = (await desk.get("units/county-health/changes")).json()["items"]
    assert [(one["name"], one["reason"], one["by"]) for one in changes if one["post"] is None] == [
        ("卫生站", "机构改革方案", "admin@county"),
        ("卫生站", "下放", "admin@county"),
        ("县卫生健康局", "机构改革方案", "admin@county"),
    ]
    assert changes[0]["until"] is not None
    again = problem(await ask(desk, "place-unit", **HEALTH), 409, "another code")
    assert again["type"].endswith(":unit-code-used")
    await setup.place(desk.runtime)
    assert "county-health" not in await tree(desk), "the start brings nothing back"


async def test_the_file_of_units_brings_no_unit_back_that_was_ended_here(desk: Triage) -> None:
    for _ in range(2):
        await setup.place(desk.runtime)
        before = len(await desk.events(TREE))
    assert (await ask(desk, "end-unit", unit="town-west", **WHY)).status_code == 200
    renamed = {"unit": "town-east", "kind": "town", "name": "东街道", "parent": "county", **WHY}
    assert (await ask(desk, "place-unit", **renamed)).status_code == 200
    await setup.place(desk.runtime)
    assert len(await desk.events(TREE)) == before + 2
    assert "town-west" not in await tree(desk) and (await tree(desk))["town-east"]["name"] == "东街道"


@pytest.mark.requirement("MUL-01")
async def test_a_unit_with_open_matters_or_units_below_does_not_end(desk: Triage) -> None:
    id_ = await desk.open(unit="town-west")
    number = (await desk.get(f"incidents/{id_}")).json()["number"]
    refused = problem(await ask(desk, "end-unit", unit="town-west", **WHY), 409, "transfer them")
    assert refused["known"] == [number]
    below = problem(await ask(desk, "end-unit", "admin", "city", unit="county", **WHY), 409, "place them below")
    assert "town-east" in below["units"]
    member = problem(await ask(desk, "end-unit", unit="county-roads", **WHY), 409, "chief@county-roads")
    assert member["type"].endswith(":member-unknown")


@pytest.mark.parametrize("verb", ["request-verification", "request-help"])
async def test_a_unit_that_has_yet_to_verify_or_to_help_does_not_end(desk: Triage, verb: str) -> None:
    id_ = await desk.open(unit="town-east")
    if verb == "request-help":
        assert (await desk.ask(id_, "assign", {"unit": "town-east"}, role="duty_officer")).status_code == 200
    asked = {"unit": "town-west", "text": "请核实"}
    assert (await desk.ask(id_, verb, asked, role="duty_officer")).status_code == 200
    number = (await desk.get(f"incidents/{id_}")).json()["number"]
    refused = problem(await ask(desk, "end-unit", unit="town-west", **WHY), 409, "asked to verify")
    assert refused["known"] == [number]
    done = ("conclude-verification", "verifier") if verb == "request-verification" else ("return-help", "handler")
    said = (
        {"outcome": "confirmed", "text": "已核实"} if verb == "request-verification" else {"reason": "不属本单位职责"}
    )
    answer = await desk.ask(id_, done[0], said, role=done[1], unit="town-west")
    assert answer.status_code == 200, answer.text
    assert (await ask(desk, "end-unit", unit="town-west", **WHY)).status_code == 200


async def test_rights_over_the_unit_above_are_needed(desk: Triage) -> None:
    for role, unit in (("chief", "county"), ("admin", "town-east"), ("duty_officer", "city")):
        problem(await ask(desk, "place-unit", role, unit, **HEALTH), 403, "admin over county")
        problem(await ask(desk, "end-unit", role, unit, unit="town-west", **WHY), 403, "admin over county")
    inside = HEALTH | {"unit": "east-station", "parent": "town-east"}
    assert (await ask(desk, "place-unit", "admin", "town-east", **inside)).status_code == 200
    taken = HEALTH | {"unit": "county-water", "parent": "town-east"}
    problem(await ask(desk, "place-unit", "admin", "town-east", **taken), 403, "admin over county")
    problem(await ask(desk, "name-site", name="我的网站", **WHY), 403, "admin over city")
    assert (await tree(desk, "town-east"))["town-east"]["may"] == ["place-unit", "place-post", "end-post"]
    assert (await tree(desk, "town-east", "chief"))["town-east"]["may"] == []


async def test_an_administrator_gives_no_post_a_role_beyond_the_own_units(desk: Triage) -> None:
    """A role reaches over the unit of its post and those below it, so a right over that unit bounds it."""
    press = {"post": "overseer", "title": "监督员", "roles": ["admin", "auditor", "chief"], **WHY}
    for unit in ("county", "city", "town-west"):
        problem(await ask(desk, "place-post", "admin", "town-east", unit=unit, **press), 403, f"admin over {unit}")
        problem(await ask(desk, "end-post", "admin", "town-east", post=f"admin@{unit}", **WHY), 403, "admin over")
    assert (await ask(desk, "place-post", "admin", "town-east", unit="town-east", **press)).status_code == 200
    for unit in ("county", "town-west"):
        problem(await ask(desk, "place-post", "admin", "town-east", unit=unit, **press), 403, f"admin over {unit}")


async def test_posts_are_added_changed_and_ended_and_a_unit_keeps_one_head(desk: Triage) -> None:
    press = {"unit": "town-east", "post": "press_officer", "title": "新闻联络员", "roles": ["spokesperson"], **WHY}
    assert (await ask(desk, "place-post", "admin", "town-east", **press)).status_code == 200
    head = problem(await ask(desk, "end-post", post="chief@town-east", **WHY), 409, "another post the head")
    assert head["type"].endswith(":head-needed")
    assert (await ask(desk, "place-post", **press, head=True)).status_code == 200
    posts = {one["post"]: one for one in (await tree(desk))["town-east"]["posts"]}
    assert [name for name, one in posts.items() if one["head"]] == ["press_officer@town-east"]
    assert posts["chief@town-east"]["roles"] == ["chief"]
    body = problem(await ask(desk, "end-post", post="chief@town-east", **WHY), 409, "names chief@town-east")
    assert body["type"].endswith(":member-unknown")
    assert (await ask(desk, "end-post", post="auditor@town-east", **WHY)).status_code == 200
    assert "auditor@town-east" not in {one["post"] for one in (await tree(desk))["town-east"]["posts"]}
    (newest, *_) = (await desk.get("units/town-east/changes")).json()["items"]
    assert (newest["post"], newest["reason"]) == ("auditor", "机构改革方案") and newest["until"]
    pages = await desk.get("units/town-east/changes", limit=2)
    assert len(pages.json()["items"]) == 2 and pages.json()["next"]
    past = "2020-01-01T00:00:00+08:00"
    assert problem(await ask(desk, "place-post", **press, since=past), 422, "has passed")["field"] == "since"
    ended = await ask(desk, "end-post", post="duty_officer@town-east", until=past, **WHY)
    assert problem(ended, 422, "has passed")["field"] == "until"


async def test_the_root_keeps_an_administrator_now_and_later(desk: Triage) -> None:
    day = timedelta(days=1)
    later = [(desk.runtime.time_source.now() + day * days).isoformat() for days in (1, 2)]

    async def place(post: str, *roles: str, since: str | None = None) -> httpx.Response:
        body = {"unit": "city", "post": post, "title": "信息化", "roles": roles, "since": since, **WHY}
        return await ask(desk, "place-post", "admin", "city", **body)

    async def end(post: str, until: str | None = None) -> httpx.Response:
        return await ask(desk, "end-post", "admin", "city", post=f"{post}@city", until=until, **WHY)

    refused = problem(await place("admin", "auditor"), 409, "give another post of city the role admin first")
    assert refused["type"].endswith(":admin-needed")
    for until in (None, later[0]):
        problem(await end("admin", until), 409, "no administrator")
    problem(await place("admin", "auditor", since=later[0]), 409, "no administrator")
    assert (await place("second", "admin", since=later[0])).status_code == 200
    problem(await end("admin"), 409, "no administrator")
    assert (await end("admin", later[0])).status_code == 200
    problem(await place("second", "auditor", since=later[1]), 409, "no administrator")
    assert (await place("third", "admin")).status_code == 200
    assert (await end("admin")).status_code == 200


async def test_what_changes_later_does_not_end_before_and_a_named_end_can_be_moved(desk: Triage) -> None:
    day = timedelta(days=1)
    later = [(desk.runtime.time_source.now() + day * days).isoformat() for days in (1, 2)]
    press = {"unit": "town-east", "post": "press_officer", "title": "联络员", "roles": ["spokesperson"], **WHY}
    assert (await ask(desk, "place-post", **press)).status_code == 200
    assert (await ask(desk, "place-post", **press | {"title": "新闻联络员", "since": later[0]})).status_code == 200
    back = problem(await ask(desk, "end-post", post="press_officer@town-east", **WHY), 409, "a further place from")
    assert back["type"].endswith(":unit-changes-later"), "it would come back tomorrow"
    for until in (later[1], later[0], None):
        answer = await ask(desk, "end-post", post="auditor@town-east", until=until, **WHY)
        assert answer.status_code == 200, answer.text
    assert "auditor@town-east" not in {one["post"] for one in (await tree(desk))["town-east"]["posts"]}
    planned = await ask(desk, "end-unit", unit="town-west", until=later[0], **WHY)
    assert planned.status_code == 422, "nobody knows what it has to do tomorrow"


async def test_a_change_of_offices_names_the_version_that_somebody_saw_if_it_likes(desk: Triage) -> None:
    """Each of these streams is of the whole deployment, so nobody must name its version. One that is named counts."""
    seen = {**desk.token("admin", "city"), "If-Match": '"999"'}
    officer = {"unit": "town-east", "post": "duty_officer@town-east"}
    days = {"unit": "city", "since": "2999-01-01", "until": "2999-01-01", "days": "free", **WHY}
    access = {"change": "account_opened", "posts": ["chief@town-east"]}
    for path, body in (
        ("units/place-unit", HEALTH),
        ("units/name-site", {"name": "示例县回应", **WHY}),
        ("units/name-officer", officer),
        ("units/record-access", access),
        ("days", days),
        ("tokens/01890a5d-ac96-774b-bcce-b302099a8057/revoke", None),
    ):
        answer = await desk.client.post(f"/triage/v1/{path}", json=body, headers=seen)
        assert answer.status_code == 412, (path, answer.text)


async def test_the_site_bears_the_name_that_it_was_given(desk: Triage) -> None:
    assert (await desk.get("units")).json()["site_name"] == desk.runtime.settings.site_name
    assert (await ask(desk, "name-site", "admin", "city", name="示例县回应", **WHY)).status_code == 200
    assert (await desk.get("units")).json()["site_name"] == "示例县回应"
    assert (await ask(desk, "name-site", "admin", "city", name="示例县回应", **WHY)).json()["events"] == []


DRILL = {"unit": "demo", "kind": "town", "name": "演练单位", "parent": "county", "drill": True, **WHY}
REGISTERED = {"subject": "路灯不亮", "text": "演练：人民路的路灯不亮"}


async def registered(desk: Triage, unit: str) -> str:
    """A matter that the office registers itself."""
    answer = await send(desk, "incidents", {"unit": unit, **REGISTERED}, "duty_officer", unit)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_what_an_office_for_exercises_opens_is_an_exercise_and_stays_with_it(desk: Triage) -> None:
    assert (await ask(desk, "place-unit", "admin", "city", **DRILL, posts_of="town-east")).status_code == 200
    problem(await ask(desk, "place-unit", "admin", "city", **DRILL | {"drill": False}), 409, "leave it what it is")
    below = HEALTH | {"unit": "demo-roads", "parent": "demo"}
    assert (await ask(desk, "place-unit", "admin", "city", **below)).status_code == 200
    assert (await tree(desk))["demo-roads"]["drill"], "so is every office below it"
    exercise, real = await registered(desk, "demo"), await registered(desk, "town-east")
    shown = (await desk.get(f"incidents/{exercise}", "demo")).json()
    assert shown["drill"] and "-X" in shown["number"] and not (await desk.get(f"incidents/{real}")).json()["drill"]
    for id_, of, to in ((exercise, "demo", "town-east"), (real, "town-east", "demo")):
        for verb, role, body in (
            ("assign", "duty_officer", {"unit": to, "reason": "试"}),
            ("transfer", "chief", {"unit": to, "reason": "试"}),
            ("request-verification", "duty_officer", {"unit": to}),
        ):
            answer = await desk.ask(id_, verb, body, role=role, unit=of)
            assert problem(answer, 409, "both for exercises")["type"].endswith(":drill-office"), verb
    given = await desk.ask(exercise, "assign", {"unit": "demo-roads", "reason": "试"}, role="duty_officer", unit="demo")
    assert given.status_code == 200, given.text


async def test_exercises_are_in_no_list_and_no_count_once_their_office_has_ended(desk: Triage) -> None:
    async def seen() -> tuple[set[str], dict[str, int]]:
        listed = (await desk.get("incidents", "city", "chief")).json()["items"]
        counts = (await desk.get("desk", "city", "chief")).json()["lists"]
        board = (await desk.get("desk/open", "city", "chief")).json()["items"]
        register = (await desk.get("reports", "city", "chief")).json()["items"]
        assert {one["incident_id"] for one in register} <= {one["id"] for one in listed}
        assert {one["incident_id"] for one in board} == {one["id"] for one in listed}
        return {one["id"] for one in listed}, counts

    real = await registered(desk, "town-east")
    before = await seen()
    assert (await ask(desk, "place-unit", "admin", "city", **DRILL, posts_of="town-east")).status_code == 200
    exercise = await registered(desk, "demo")
    await desk.take(desk.report("a", unit="demo"))
    assert (await seen())[0] >= {real, exercise}, "as long as the office stands, they are there, and marked"
    assert (await ask(desk, "end-unit", "admin", "city", unit="demo", **WHY)).status_code == 200
    assert await seen() == before
    assert (await desk.get(f"incidents/{exercise}", "city", "chief")).status_code == 200, "the record keeps them"
