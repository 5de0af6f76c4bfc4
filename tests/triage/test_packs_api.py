"""Packs through HTTP, and the policy folder at a start: the record alone says which packs there are."""

import shutil
from datetime import timedelta
from typing import Any

import httpx
import pytest

from schemas.envelope import Event
from services.kernel.rules.packs import parse_pack
from services.kernel.settings import ROOT
from services.triage.offices import pack_reading, setup
from services.triage.offices.packs import POLICIES
from tests.triage.conftest import Triage
from tests.triage.test_api import problem

COUNTY = (ROOT / "policies" / "county-default.yaml").read_text("utf-8")
NEXT = COUNTY.replace("\nversion: 2\n", "\nversion: 3\n")


async def send(triage: Triage, path: str, body: Any, role: str = "admin", unit: str = "city") -> httpx.Response:
    return await triage.client.post(f"/triage/v1/{path}", json=body, headers=triage.token(role, unit))


async def test_a_pack_is_loaded_and_then_assigned(triage: Triage) -> None:
    await triage.open("a")
    loaded = await send(triage, "packs", {"text": NEXT})
    assert loaded.status_code == 200, loaded.text
    (event,) = [event for event in await triage.events(POLICIES) if event.id == loaded.json()["events"][0]["id"]]
    assert parse_pack(event.data.canonical).digest == event.data.digest
    items = (await triage.get("packs")).json()["items"]
    assert {item["version"]: item["units"] for item in items if item["pack"] == "county-default"}[3] == []
    assert (await send(triage, "packs", {"text": NEXT})).json()["events"] == [], "nothing new"
    problem(await send(triage, "packs/assign", {"unit": "city", "pack": "county-default@4"}), 409, "not loaded")
    body = {"unit": "county", "pack": "county-default@3"}
    problem(await send(triage, "packs/assign", body, "chief", "county"), 403, "role chief or admin over city")
    assert (await send(triage, "packs/assign", body, "chief")).status_code == 200
    after = await triage.open("b")
    answer = await triage.ask(after, "grade", {"level": "general", "reason": "r"}, role="duty_officer")
    assert answer.status_code == 200, answer.text
    assert str((await triage.events(after))[-1].policy).startswith("county-default@3#")


@pytest.mark.parametrize(
    ("text", "line", "column", "sentence"),
    [
        (NEXT.replace("rank: 3", "rank: three"), NEXT[: NEXT.index("rank: 3")].count("\n") + 1, 5, "a whole number"),
        ("[" * 200_000, 1, 31, "30 deep"),
        ("id: a\nid: b", 2, 1, "stands twice"),
    ],
)
async def test_a_pack_with_a_fault_is_not_loaded(
    triage: Triage, text: str, line: int, column: int, sentence: str
) -> None:
    before = await triage.kinds(POLICIES)
    told = problem(await send(triage, "packs", {"text": text}), 422, sentence)
    assert told["type"] == "urn:huiying:problem:pack-unusable"
    assert [(fault["line"], fault["column"]) for fault in told["faults"]] == [(line, column)]  # type: ignore[attr-defined]
    assert await triage.kinds(POLICIES) == before


OPEN = COUNTY.replace("id: county-default\n", "id: open\n").replace(
    "    limit: {mode: elapsed, duration: P1D}\n", "    limit: {source: {kind: unset}}\n", 1
)
PLACE, LIMIT = "clocks.explanation.limit", {"mode": "elapsed", "duration": "PT5H"}


async def test_an_office_sets_what_a_pack_leaves_open(triage: Triage) -> None:
    await send(triage, "packs", {"text": OPEN})
    items = (await triage.get("packs")).json()["items"]
    assert PLACE in next(item["open"] for item in items if item["pack"] == "open")
    body = {"unit": "county", "pack": "open@2", "place": PLACE, "limit": LIMIT, "reason": "r"}
    problem(await send(triage, "packs/set-value", body, "chief", "town-east"), 403, "role chief or admin over county")
    set_ = await send(triage, "packs/set-value", body, "chief", "county")
    assert set_.status_code == 200, set_.text
    event = (await triage.events(POLICIES))[-1]
    assert (event.data.unit, event.data.pack, event.data.place) == ("county", "open", PLACE)
    values = (await triage.get("packs/values")).json()["items"]
    assert [(value["unit"], value["place"], value["value"]) for value in values] == [("county", PLACE, LIMIT)]
    async with triage.runtime.database.read() as connection:
        offices = await triage.runtime.offices(connection)
    ref = str(event.policy)
    limits = [
        next(clock.limit for clock in offices.pack_of(ref, unit).model.clocks if clock.name == "explanation")
        for unit in ("town-east", "city")
    ]
    assert [limit.duration for limit in limits] == [timedelta(hours=5), None], "for the unit and those below it"


async def test_nobody_below_overrides_what_a_unit_above_has_set(triage: Triage) -> None:
    await send(triage, "packs", {"text": OPEN})
    body = {"unit": "town-east", "pack": "open@2", "place": PLACE, "limit": LIMIT, "reason": "r"}
    assert (await send(triage, "packs/set-value", body, "chief", "town-east")).status_code == 200
    assert (await send(triage, "packs/set-value", {**body, "unit": "county"}, "chief", "county")).status_code == 200
    longer = {**body, "limit": {"mode": "elapsed", "duration": "P30D"}}
    told = problem(await send(triage, "packs/set-value", longer, "chief", "town-east"), 403, "ask county to change it")
    assert told["type"] == "urn:huiying:problem:value-set-above"
    assert (await send(triage, "packs/set-value", {**longer, "unit": "county"}, "chief", "county")).status_code == 200
    async with triage.runtime.database.read() as connection:
        offices = await triage.runtime.offices(connection)
    pack = offices.pack_of(str((await triage.events(POLICIES))[-1].policy), "town-east").model
    assert next(clock.limit for clock in pack.clocks if clock.name == "explanation").duration == timedelta(days=30)


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"place": "clocks.transfer.limit"}, 422, "leaves no clocks.transfer.limit open; open are clocks."),
        ({"pack": "open@9"}, 422, "open@9 is not loaded"),
        ({"unit": "nowhere"}, 422, "nowhere"),
        ({"limit": {"mode": "elapsed"}}, 422, "a limit with mode elapsed needs a duration"),
        ({"limit": {"mode": "working_days", "days": 0}}, 422, "should be at least 1"),
        ({"limit": None, "value": "PT5H"}, 422, "does not take this: write a limit, such as mode working_days"),
        ({"value": "PT5H"}, 422, "either"),
        ({"limit": None}, 422, "either"),
    ],
)
async def test_a_value_that_does_not_fit_is_refused(
    triage: Triage, change: dict[str, Any], status: int, sentence: str
) -> None:
    await send(triage, "packs", {"text": OPEN})
    body = {"unit": "county", "pack": "open@2", "place": PLACE, "limit": LIMIT, "reason": "r", **change}
    problem(await send(triage, "packs/set-value", body), status, sentence)


async def test_a_changed_pack_needs_a_new_version(triage: Triage) -> None:
    changed = COUNTY.replace("duration: PT3H", "duration: PT4H")
    problem(await send(triage, "packs", {"text": changed}), 409, "county-default@2 was loaded with other content")


@pytest.mark.parametrize("made", ["broken", "missing", "changed"])
async def test_after_the_first_start_the_folder_has_no_say(triage: Triage, made: str, tmp_path: Any) -> None:
    before, folder = await triage.events(POLICIES), tmp_path / "policies"
    shutil.copytree(ROOT / "policies", folder)
    file = folder / "county-default.yaml"
    if made == "missing":
        file.unlink()
    else:
        file.write_text(COUNTY.replace("duration: PT3H", "duration: P7D") if made == "changed" else "id: [", "utf-8")
    triage.runtime.settings = triage.runtime.settings.model_copy(update={"policies": folder})
    await setup.place(triage.runtime)
    assert await triage.events(POLICIES) == before
    id_ = await triage.open("a")
    answer = await triage.ask(id_, "grade", {"level": "general", "reason": "r"}, role="duty_officer")
    assert answer.status_code == 200, answer.text


async def test_packs_are_tried_on_no_exercises_unless_one_is_named(triage: Triage) -> None:
    real, drill = await triage.open("a"), await triage.open("b", drill=True)
    for asked, told in (({}, [real]), ({"incident": drill}, [drill])):
        answer = await triage.get("packs/matters", "city", "chief", **asked)
        assert [one["incident"] for one in answer.json()["items"]] == told


async def test_of_a_matter_with_many_reports_only_what_rules_look_at_is_read(
    triage: Triage, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [triage.report(f"r{number}", match_key="one") for number in range(40)]
    await triage.take(*many)
    parsed: list[bytes] = []

    class Counting:
        @staticmethod
        def parse(bytes_: bytes) -> Event:
            parsed.append(bytes_)
            return Event.parse(bytes_)

    monkeypatch.setattr(pack_reading, "Event", Counting)
    [item] = (await triage.get("packs/matters", "city", "chief")).json()["items"]
    assert item["reports"] == 40
    assert len(parsed) < 10
    parsed.clear()
    whole = (await triage.get("packs/county-default@2", "city", "chief")).json()
    assert whole["loaded_at"] and whole["assigned"]
    assert sum(b"policy.pack_loaded" in one for one in parsed) == 1
