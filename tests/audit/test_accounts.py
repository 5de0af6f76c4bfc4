"""The month of a duty desk, the table of a year and its circulation, and the analysis of a period."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from schemas import escalation as e
from schemas.fields import Fact
from schemas.findings import Behind, FindingConfirmed, FindingOfficeHeard, FindingProposed
from services.audit.statistics import analysis, desk_month, newest
from services.audit.statistics.periods import before, months
from services.kernel.core.decider import Ctx
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store.session import Session
from tests.audit.counted import OTHER, TOWN, known, many, values
from tests.audit.world import START, World, id_of, words
from tests.kit import spec

POST = f"duty_officer@{TOWN}"
DAY = timedelta(days=1)


async def asked(world: World, path: str, at: str = "county", status: int = 200, **params: Any) -> Any:
    async with world.client(at) as client:
        answer = await client.get(f"/audit/v1/statistics/{path}", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


async def sent(world: World, path: str, at: str, role: str, body: Any, status: int = 201, key: str = "") -> Any:
    async with world.client(at, role) as client:
        answer = await client.post(f"/audit/v1/statistics/{path}", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == status, answer.text
    return answer.json()


async def at_desk(world: World, *data: Fact, unit: str = TOWN) -> None:
    events = [world.event("escalation", id_of("roster", unit), one, unit=unit, time=START) for one in data]
    await world.send(*events)
    await world.take()


async def found(world: World, name: str, *, confirmed: bool) -> None:
    """A finding that a report was not passed on."""
    behind = (Behind(event=words("x").ref, position=0),)
    about = {"incident": id_of("incident", name), "record": id_of("incident", name), "unit": TOWN}
    made = FindingProposed(
        **about,  # type: ignore[arg-type]
        finding="omitted_report",
        sign="never_reported",
        rule="reading.omitted",
        events=behind,
        log_size=1,
        due=START + timedelta(hours=4),
        hear_by=START + DAY,
    )
    facts: list[Fact] = [made, FindingOfficeHeard(unit=TOWN, answered=False)]
    if confirmed:
        facts.append(FindingConfirmed(unit="county", reason=words("why"), by="0" * 64))

    async def act(session: Session, ctx: Ctx) -> Answer:
        stream = id_of("finding", name)
        session.begin(stream)
        session.append(stream, facts, ctx)
        return Answer({})

    await transact(world.runtime, Caller(), act)
    await comes_back(world)


async def comes_back(world: World) -> None:
    """What audit itself writes comes back on its own topic, so it takes in twice."""
    for _ in range(2):
        await world.take()


@pytest.mark.requirement("AUD-09")
async def test_a_month_of_a_desk_tells_duties_by_post_and_what_was_not_passed_on(world: World) -> None:
    span: dict[str, Any] = {"unit": TOWN, "since": START, "until": START + DAY}
    await at_desk(
        world,
        e.RosterSignedOn(unit=TOWN, post=POST, since=START, by=POST),
        e.RosterDutyHandedOver(unit=TOWN, post=POST, since=START, to=POST, note=words("note"), open=1),
        e.RosterDutyEnded(**span, post=f"handler@{TOWN}", signed_on=False, note_missing=False),
        e.RosterDutyGapFound(**span, cause="not_planned", ahead=True),
        e.RosterDutyGapFound(**span, cause="not_planned", ahead=False),
    )
    await known(world, many(world, 7, "a"))
    await found(world, "a0", confirmed=True)
    await found(world, "a1", confirmed=False)
    answer = await asked(world, "duty-desk", TOWN, month="2026-03")
    rows = {row["post"]: values(row["cells"]) for row in answer["rows"]}
    assert (rows[POST]["signed_on"], rows[POST]["handed_over"]) == (1, 1)
    assert rows[f"handler@{TOWN}"]["not_taken"] == 1
    assert values(answer["desk"]) == {"reports": 7, "held": 0, "gap": 1, "omitted": 1}
    assert values(answer["matters"])["opened"] == 7
    named = {figure["name"] for figure in answer["figures"]}
    assert {*answer["desk"], *answer["matters"], *rows[POST]} <= named
    empty = await asked(world, "duty-desk", TOWN, month="2026-02")
    assert empty["rows"] == []
    assert {cell["state"] for cell in (*empty["desk"].values(), *empty["matters"].values())} == {"empty"}
    # Before it was confirmed, it was none.
    earlier = await asked(world, "duty-desk", TOWN, month="2026-03", log_size=answer["log_size"] - 2)
    assert values(earlier["desk"])["gap"] == 1


@pytest.mark.requirement("AUD-09")
async def test_a_report_belongs_to_the_month_in_which_it_was_entered(world: World) -> None:
    world.now = datetime(2026, 4, 2, 8, tzinfo=START.tzinfo)
    await known(world, many(world, 6, "a", at=datetime(2026, 3, 30, 8, tzinfo=START.tzinfo)))
    april, march = [await asked(world, "duty-desk", TOWN, month=month) for month in ("2026-04", "2026-03")]
    assert values(april["desk"])["reports"] == 6
    assert march["desk"]["reports"]["state"] == "empty"


@pytest.mark.requirement("AUD-09")
def test_few_reports_of_a_post_are_not_shown_and_do_not_follow_from_the_sum() -> None:
    posts = {POST: Counter(received=2), f"handler@{TOWN}": Counter(received=9), "": Counter(received=4)}
    rows, desk = desk_month.table(posts, 0)
    shown = [rows[POST]["received"].value, rows[f"handler@{TOWN}"]["received"].value, desk["reports"].value]
    assert shown[0] is None
    assert shown.count(None) >= 1
    assert rows[POST]["signed_on"].value == 0


@pytest.mark.requirement("AUD-08")
async def test_the_table_of_a_year_is_circulated_and_can_be_computed_again(world: World) -> None:
    await known(world, [*many(world, 8, "a"), *many(world, 6, "b", unit=OTHER), *many(world, 7, "c", unit="county")])
    await found(world, "a0", confirmed=True)
    body = {"unit": "county", "year": 2026, "praise": "城东镇办理及时"}
    refused = await sent(world, "circulations", "county", "chief", body, 409)
    assert refused["type"] == "urn:huiying:problem:year-not-over"
    world.now = datetime(2027, 1, 11, tzinfo=START.tzinfo)
    assert (await sent(world, "circulations", TOWN, "chief", body, 403))["type"].endswith("other-office")
    assert (await sent(world, "circulations", "county", "handler", body, 403))["status"] == 403
    made = await sent(world, "circulations", "county", "chief", body, key="once")
    assert await sent(world, "circulations", "county", "chief", body, key="once") == made
    assert (made["by"], made["units"], made["praise"]) == ("chief@county", ["county", TOWN, OTHER], "城东镇办理及时")
    await comes_back(world)
    now = await asked(world, "year", year=2026)
    rows = {row["unit"]: row for row in now["rows"]}
    assert values(rows["county"]["cells"])["opened"] == 21
    assert (rows[TOWN]["findings"], rows[OTHER]["findings"]) == ({"omitted_report": 1}, {})
    # A department of the table reads it whole; nobody else does.
    (listed,) = (await asked(world, "circulations", OTHER))["items"]
    assert listed["event"] == made["event"]
    await known(world, many(world, 9, "late"))
    again = await asked(world, f"circulations/{made['event']}", OTHER)
    assert (again["rows"], again["unaltered"], again["log_size"]) == (now["rows"], True, made["log_size"])
    assert values((await asked(world, "year", year=2026))["rows"][0]["cells"])["opened"] == 30
    assert (await asked(world, f"circulations/{words('none').ref}", status=404))["status"] == 404


@pytest.mark.requirement("AUD-11")
async def test_an_analysis_has_its_chapters_and_only_terms_of_the_list(world: World) -> None:
    day = datetime(2026, 3, 9, 8, tzinfo=START.tzinfo)
    with_list(world)
    made = [
        *many(world, 9, "a", category="roads.lighting", at=day, channel="hotline"),
        *many(world, 6, "b", category="roads.lighting", at=day - 7 * DAY),
        *many(world, 7, "c", category="water", at=day + 21 * DAY, unit=OTHER),
        *many(world, 5, "d", category="unheard_of", at=day + 21 * DAY),
        *many(world, 5, "e", category="water", at=day - 60 * DAY),
    ]
    world.now = day + 40 * DAY
    await known(world, made)
    answer = await asked(world, "analysis", **{"from": "2026-03", "to": "2026-04"})
    chapters = {chapter["name"]: chapter for chapter in answer["chapters"]}
    assert list(chapters) == [
        "overview", "volume", "channels", "trend", "terms", "topics", "focus", "place", "comment",
    ]  # fmt: skip
    assert values(chapters["overview"]["whole"])["opened"] == 27

    def opened(name: str, figure: str = "opened") -> dict[str, Any]:
        return {row["group"]: row["cells"][figure]["value"] for row in chapters[name]["rows"]}

    assert opened("volume") == {"2026-03": 27, "2026-04": None}
    trend = opened("trend")
    assert (trend["2026-03-09"], trend["2026-03-02"], chapters["trend"]["peak"]) == (9, 6, ["2026-03-30"])
    assert list(trend)[:3] == ["2026-03-01", "2026-03-02", "2026-03-09"]
    assert list(opened("terms")) == ["roads.lighting", "water"]
    assert opened("topics") == {"roads": 15, "water": 7, "unheard_of": 5}
    assert list(opened("focus")) == ["roads", "water", "unheard_of"]
    assert chapters["focus"]["before"]["water"]["value"] == 5
    assert opened("place") == {"county": 27, TOWN: 20, OTHER: 7}
    # A report belongs to the month in which it was recorded, here April.
    assert opened("channels", "reports") == {"hotline": 9, "board": 23}


async def test_no_chapter_gives_what_another_one_hides(world: World) -> None:
    with_list(world)
    day = datetime(2026, 3, 9, 8, tzinfo=START.tzinfo)
    made = [
        *many(world, 9, "a", category="roads.lighting", at=day),
        *many(world, 3, "b", category="roads", at=day + 7 * DAY),
        *many(world, 6, "c", category="water", at=day + 7 * DAY),
        *many(world, 5, "d", category="unheard_of", at=day + 30 * DAY),
    ]
    world.now = day + 40 * DAY
    await known(world, made)
    answer = await asked(world, "analysis", **{"from": "2026-03", "to": "2026-04"})
    shown = {
        chapter["name"]: {row["group"]: row["cells"]["opened"] for row in chapter["rows"]}
        for chapter in answer["chapters"]
        if chapter["name"] in ("terms", "topics")
    }
    roads, lighting = shown["topics"]["roads"], shown["terms"].get("roads.lighting")
    # There are three of `roads` itself: they are twelve without the nine of `roads.lighting`.
    assert roads["value"] is None or lighting is None
    whole = {chapter["name"]: chapter["whole"].get("opened") for chapter in answer["chapters"]}
    # The sum is the same everywhere, whatever stands in no list.
    assert whole["terms"] == whole["topics"] == whole["overview"]


def with_list(world: World) -> None:
    """Gives the deployment a list of three categories."""
    before_ = world.runtime.offices

    async def offices(connection: Any, **more: bool) -> Any:
        lists = spec.offices().lists
        some = dict.fromkeys(("roads", "roads.lighting", "water"), next(iter(lists.categories.values())))
        return replace(await before_(connection, **more), lists=replace(lists, categories=some))

    world.runtime.offices = offices  # type: ignore[method-assign]


@pytest.mark.requirement("AUD-11")
async def test_a_comment_is_an_event_of_a_named_post_and_stands_in_the_analysis(world: World) -> None:
    await known(world, many(world, 6, "a"))
    span = {"first_month": "2026-01", "last_month": "2026-03"}
    body = {"unit": TOWN, **span, "text": "三月道路类事项较多"}
    assert (await sent(world, "analysis/comments", TOWN, "handler", body, 403))["status"] == 403
    made = await sent(world, "analysis/comments", TOWN, "chief", body, key="once")
    assert await sent(world, "analysis/comments", TOWN, "chief", body, key="once") == made
    await comes_back(world)
    asked_for = {"from": "2026-01", "to": "2026-03"}
    answer = await asked(world, "analysis", "county", unit=TOWN, **asked_for)
    (comment,) = answer["chapters"][-1]["comments"]
    assert (comment["by"], comment["text"], comment["event"]) == (f"chief@{TOWN}", body["text"], made["event"])
    other = await asked(world, "analysis", "county", unit=TOWN, **{**asked_for, "to": "2026-02"})
    assert other["chapters"][-1]["comments"] == []
    types = [one["type"] for one in (await world.get("events"))["items"]]
    assert "huiying.operation.analysis_commented.v1" in types


async def test_comments_and_tables_of_others_take_no_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "MOST", 2)
    await known(world, [*many(world, 6, "a"), *many(world, 6, "b", unit=OTHER)])
    world.now = datetime(2027, 1, 11, tzinfo=START.tzinfo)
    span = {"unit": TOWN, "first_month": "2026-01", "text": "三月道路类事项较多"}
    for last in ("2026-03", "2026-04", "2026-05", "2026-06"):
        await sent(world, "analysis/comments", TOWN, "chief", {**span, "last_month": last})
    for unit in (TOWN, OTHER, OTHER, OTHER):
        await sent(world, "circulations", unit, "chief", {"unit": unit, "year": 2026})
    await comes_back(world)
    answer = await asked(world, "analysis", TOWN, **{"from": "2026-01", "to": "2026-03"})
    assert len(answer["chapters"][-1]["comments"]) == 1
    assert [one["unit"] for one in (await asked(world, "circulations", TOWN))["items"]] == [TOWN]


def test_weeks_begin_on_mondays_and_are_cut_where_a_month_ends() -> None:
    zone = START.tzinfo
    assert zone is not None
    found_ = analysis.steps(months("2026-03", "2026-04", zone), zone)
    assert [step.name for step in found_][:3] == ["2026-03-01", "2026-03-02", "2026-03-09"]
    assert [step.name for step in found_][4:8] == ["2026-03-23", "2026-03-30", "2026-04-01", "2026-04-06"]
    assert found_[-1].name == "2026-04-27"
    assert all(one.end == other.begin for one, other in pairwise(found_))
    assert (found_[0].begin, found_[-1].end) == ("2026-03-01T00:00:00.000000Z", "2026-05-01T00:00:00.000000Z")
    year = months("2025-01", "2026-03", zone)
    assert analysis.steps(year, zone) is year
    assert [month.name for month in before(months("2026-01", "2026-03", zone), zone)] == [
        "2025-10",
        "2025-11",
        "2025-12",
    ]
