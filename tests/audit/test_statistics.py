"""Numbers over HTTP: counted in the database on both axes, by unit, month, level, category and pack."""

import csv
import io
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas import escalation as e
from schemas import triage as t
from schemas.publish import StatementPublished
from tests.audit.counted import OTHER, TOWN, Matter, known, many, of, values
from tests.audit.world import START, World, id_of, words
from tests.kit import spec


def started(clock: str = "explanation", unit: str = TOWN, first: bool = True) -> e.ClockStarted:
    return e.ClockStarted(clock=clock, unit=unit, since=START, due=START + timedelta(hours=4), first_answer=first)


def met(clock: str = "explanation", late: bool = False) -> e.ClockMet:
    return e.ClockMet(clock=clock, met_at=START, late=late)


def breached(clock: str = "explanation", unit: str = TOWN) -> e.ClockBreached:
    return e.ClockBreached(clock=clock, unit=unit, due=START, detected_at=START)


REPLY = t.IncidentReplied(text=words("reply"))


@pytest.mark.requirement("AUD-12", "AUD-18")
async def test_each_figure_follows_its_formula(world: World) -> None:
    made = many(world, 10, "a", category="roads.lighting")
    for at, matter in enumerate(made):
        matter.does(t.IncidentAssigned(unit=TOWN, reason=words("why")), 1)
        matter.does(REPLY, 2 + at)
        matter.limit(started(), policy="county-default@1#" + "0" * 64).limit(breached() if at < 5 else met(), 4)
        matter.limit(e.ClockReminderSent(clock="explanation", rung="reminder", unit=TOWN, told="county", due=START), 5)
        matter.does(
            t.IncidentAnswerJudged(report=id_of("report", matter.name), answer=words("x").ref, helps=at < 5), 30
        )
        if at < 6:
            matter.does(t.IncidentSolved(text=words("done")), 20)
            matter.does(t.IncidentReturned(unit=TOWN, reason=words("no")), 3)
            matter.does(t.IncidentReopened(reason=words("again")), 21)
            up = {"report": words("x").ref, "unit": TOWN, "to": "county", "addressee": "chief", "form": "call"}
            matter.limit(e.ClockReportedUpward(**up, unverified=True), 1 + at)  # type: ignore[arg-type]
    made[0].limit(e.ClockBreachAnnulled(clock="explanation", cause="reviewed"), 40)
    made[0].limit(met(late=True), 41)
    merged = Matter(world, "merged").does(t.IncidentMerged(into=id_of("incident", "a0")), 1)
    drill = Matter(world, "drill", drill=True)
    await known(world, [*made, merged, drill])
    found = values((await world.get("statistics", TOWN))["whole"])
    assert {name: found.get(name) for name in ("opened", "answered", "reopened", "returned", "reminded", "solved")} == {
        "opened": 10,
        "answered": 10,
        "reopened": 6,
        "returned": 6,
        "reminded": 10,
        "solved": 0.6,
    }
    # Five were kept, and the first one is, since its breach was annulled. Four are too few to be shown.
    assert "in_time" not in found
    assert (found["helped"], found["upward"]) == (0.5, 0.6)
    assert (found["first_answer_p50"], found["first_answer_p90"], found["first_answer_p99"]) == (360, 600, 660)
    assert (found["lag_p50"], found["lag_p90"]) == (180, 360)
    # The first act on the problem is the assignment after an hour.
    assert (found["gap_p50"], found["gap_p90"]) == (300, 540)
    # A report is counted, even if its matter was merged. Exercises are not.
    assert found["reports"] == 11


async def test_a_limit_counts_for_the_unit_that_was_charged_and_signing_for_by_the_rule_of_its_pack(
    world: World,
) -> None:
    ref = await signing_pack(world)
    made = many(world, 12, "a", unit="county")
    for at, matter in enumerate(made):
        matter.limit(started("transfer", OTHER, first=False), policy=ref)
        matter.limit(met("transfer") if at < 6 else breached("transfer", OTHER), 1)
        matter.does(t.IncidentAssigned(unit=OTHER, reason=words("why")), 1)
    await known(world, made)
    answer = await world.get("statistics", "county")
    assert of(answer, OTHER)["signed_in_time"] == 0.5
    assert "signed_in_time" not in of(answer, TOWN)
    assert of(await world.get("statistics", OTHER), OTHER)["signed_in_time"] == 0.5
    assert "opened" not in of(await world.get("statistics", OTHER), OTHER)


async def signing_pack(world: World) -> str:
    """A pack on record, with a limit that ends when a matter is accepted."""
    before = world.runtime.offices
    offices = spec.offices()
    ref, pack = next(
        (ref, pack)
        for ref, pack in offices.packs.items()
        if any(clock.name == "transfer" for clock in pack.model.clocks)
    )

    async def with_packs(connection: Any, **more: bool) -> Any:
        return replace(await before(connection, **more), packs={ref: pack})

    world.runtime.offices = with_packs  # type: ignore[method-assign]
    return ref


async def test_what_arrives_late_changes_no_past_answer(world: World) -> None:
    made = many(world, 8, "a", category="roads")
    await known(world, made)
    before = world.now
    asked: dict[str, Any] = {"known_at": before.isoformat(), "by": "month", "to": "2026-03"}
    first = await world.raw("statistics", TOWN, **asked)
    size = (await world.get("statistics", TOWN, **asked))["log_size"]
    sheet = await world.raw("statistics/export", TOWN, **asked, log_size=size)
    late = many(world, 6, "late", category="roads")
    for matter in made:
        matter.events = []
        matter.does(REPLY, 0.1)
    await known(world, [*late, *made])
    assert await world.raw("statistics", TOWN, **asked, log_size=size) == first
    assert await world.raw("statistics/export", TOWN, **asked, log_size=size) == sheet
    again = await world.get("statistics", TOWN, **asked)
    assert (of(again, "2026-03")["opened"], "answered" in again["whole"]) == (8, True)
    assert of(again, "2026-03")["answered"] == 0
    # It had happened by then, so on the other axis it counts.
    now = await world.get("statistics", TOWN, by="month", as_of=before.isoformat())
    assert (of(now, "2026-03")["opened"], of(now, "2026-03")["answered"]) == (14, 8)


async def test_a_unit_sees_its_own_subtree_only(world: World) -> None:
    await known(world, [*many(world, 7, "a"), *many(world, 9, "b", unit=OTHER), *many(world, 6, "c", unit="county")])
    county = await world.get("statistics", "county")
    assert [row["group"] for row in county["rows"]] == ["county", TOWN, OTHER]
    assert [of(county, code)["opened"] for code in ("county", TOWN, OTHER)] == [22, 7, 9]
    assert [row["own"] and values(row["own"])["opened"] for row in county["rows"]] == [6, None, None]
    assert [row["group"] for row in (await world.get("statistics", TOWN))["rows"]] == [TOWN]
    async with world.client(TOWN) as client:
        for asked, code in ((OTHER, "other-office"), ("nowhere", "not-in-list")):
            refused = await client.get("/audit/v1/statistics", params={"unit": asked})
            assert refused.json()["type"] == f"urn:huiying:problem:{code}"


async def test_numbers_by_month_level_category_and_pack(world: World) -> None:
    packs = ("county-default@1#" + "1" * 64, "county-default@2#" + "2" * 64)
    made = []
    for at, (level, category, month) in enumerate(
        [("general", "roads.lighting", 3), ("major", "roads", 3), ("major", "water", 4), ("general", None, 5)]
    ):
        day = datetime(2026, month, 5, tzinfo=START.tzinfo)
        alike = many(world, 5 + at, f"m{at}-", at=day, category=category, policy=packs[at % 2])
        made += [matter.does(t.IncidentGraded(level=level, rank=1), 1) for matter in alike]
    await known(world, made)

    async def by(name: str, **more: Any) -> dict[str, Any]:
        answer = await world.get("statistics", TOWN, by=name, to="2026-06", **more)
        return {row["group"]: row["cells"]["opened"]["value"] for row in answer["rows"]}

    assert await by("month") == {
        "2026-01": None,
        "2026-02": None,
        "2026-03": 11,
        "2026-04": 7,
        "2026-05": 8,
        "2026-06": None,
    }
    assert await by("level") == {"general": 13, "major": 13}
    assert await by("category") == {"": 8, "roads": 11, "water": 7}
    assert await by("subcategory") == {"": 8, "roads": 6, "roads.lighting": 5, "water": 7}
    assert await by("pack") == {"county-default@1": 12, "county-default@2": 14}
    assert await by("level", category="roads") == {"general": 5, "major": 6}
    assert await by("month", level="major", **{"from": "2026-04"}) == {"2026-04": 7, "2026-05": None, "2026-06": None}


async def test_a_month_begins_at_midnight_in_the_zone_of_the_unit(world: World) -> None:
    last = datetime.fromisoformat("2026-03-31T23:59:59+00:00")
    await known(world, [*many(world, 5, "a", at=last), *many(world, 6, "b", at=last + timedelta(seconds=1))])
    answer = await world.get("statistics", TOWN, by="month", to="2026-04", **{"from": "2026-03"})
    assert answer["zone"] == "UTC"
    assert [of(answer, month)["opened"] for month in ("2026-03", "2026-04")] == [5, 6]


@pytest.mark.requirement("AUD-12")
async def test_units_without_any_report_are_named(world: World) -> None:
    made = many(world, 1, "a", category="roads")
    made[0].does(t.IncidentGraded(level="general", rank=1), 1)
    await known(world, made)
    assert (await world.get("statistics", "county"))["without_reports"] == ["county", OTHER]
    # Where reports are not counted, or only those of a category, nothing says that a unit got none.
    for asked in ({"by": "level"}, {"by": "pack"}, {"level": "general"}, {"category": "roads"}):
        assert (await world.get("statistics", "county", **asked))["without_reports"] is None


async def test_the_file_has_each_figure_with_its_formula_and_its_basis(world: World) -> None:
    await known(world, [*many(world, 6, "a"), *many(world, 2, "b", unit=OTHER)])
    answer = await world.get("statistics", "county")
    async with world.client("county") as client:
        file = await client.get("/audit/v1/statistics/export")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
    owned = [row["group"] for row in answer["rows"] if row["own"]]
    assert len(lines) == len(answer["figures"]) * (len(answer["rows"]) + len(owned) + 1)
    alone = {line["figure"]: line for line in lines if line["own"] == "true"}
    cells = next(row["own"] for row in answer["rows"] if row["group"] == "county")
    assert owned == ["county"] == list({line["group"] for line in alone.values()})
    assert {name: (line["value"], line["state"]) for name, line in alone.items()} == {
        name: ("" if cell["value"] is None else str(cell["value"]), cell["state"]) for name, cell in cells.items()
    }
    assert {line["group_title"] for line in lines if line["group"] == "*"} == {"all"}
    assert all(line["complete_until_local"][-6] in "+-" for line in lines if line["complete_until"])
    assert all(line["formula"] and line["formula_en"] and line["root"] == answer["root"] for line in lines)
    assert {line["value"] for line in lines if (line["group"], line["figure"]) == (OTHER, "opened")} == {""}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"from": "2026-05", "to": "2026-04"}, "ends-before-it-begins"),
        ({"from": "2001-05", "to": "2026-04"}, "period-too-long"),
        ({"from": "2026-13"}, "wrong-form"),
        ({"by": "person"}, "not-in-list"),
        ({"level": "unheard"}, "not-in-list"),
        ({"pack": "unheard@1"}, "not-in-list"),
    ],
)
async def test_a_wrong_question_is_refused(world: World, params: dict[str, str], code: str) -> None:
    async with world.client("county") as client:
        refused = (await client.get("/audit/v1/statistics", params=params)).json()
    assert refused["type"] == f"urn:huiying:problem:{code}"


async def test_a_published_statement_is_an_answer(world: World) -> None:
    made = many(world, 5, "a")
    for matter in made:
        about = {"incident": id_of("incident", matter.name), "unit": TOWN, "kind": "status", "by": "0" * 64}
        said = StatementPublished(**about, title="道路塌陷", text="正在抢修")  # type: ignore[arg-type]
        matter.says(said, 3)
    await known(world, made)
    found = values((await world.get("statistics", TOWN))["whole"])
    assert (found["answered"], found["first_answer_p50"]) == (5, 180)


async def test_a_report_that_left_says_nothing_of_a_matter(world: World) -> None:
    made, absorbed = many(world, 6, "a"), many(world, 6, "b", at=START - timedelta(days=30))
    for one, other in zip(made, absorbed, strict=True):
        wrong, taken = id_of("report", f"old {one.name}"), id_of("report", other.name)
        one.does(t.IncidentReportAttached(report=wrong, unit=TOWN, discovered_at=START - timedelta(days=30)), 1)
        into = id_of("incident", one.name)
        absorbs = t.IncidentAbsorbed(incident=id_of("incident", other.name), reports=(taken,), discovered_at=other.at)
        one.does(absorbs, 1).does(t.IncidentSplit(into=id_of("incident", f"new {one.name}"), reports=(wrong,)), 2)
        other.does(t.IncidentMerged(into=into), 24 * 30 + 1)
        one.does(t.IncidentSplit(into=id_of("incident", f"again {one.name}"), reports=(taken,)), 4).does(REPLY, 5)

    async def first_answer(**axes: str) -> int | None:
        return values((await world.get("statistics", TOWN, **axes))["whole"]).get("first_answer_p50")

    await known(world, [*made, *absorbed])
    assert await first_answer() == 5 * 60
    before = world.now
    for one in made:
        one.events = []
        back = id_of("report", f"old {one.name}")
        one.does(t.IncidentAbsorbed(incident=id_of("incident", f"new {one.name}"), reports=(back,)), 6)
    await known(world, made)
    assert await first_answer() == (30 * 24 + 5) * 60, "it came back"
    assert await first_answer(known_at=before.isoformat()) == 5 * 60
    assert await first_answer(as_of=(START + timedelta(hours=5.5)).isoformat()) == 5 * 60
