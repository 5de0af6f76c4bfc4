"""The list of matters as they were on both axes, with filters, words and rights, and as a file."""

import base64
import csv
import io
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from schemas.envelope import Event
from schemas.escalation import ClockBreached, ClockMet, ClockStarted
from schemas.fields import parse_instant
from schemas.ingest import ReportReachMeasured
from schemas.offices import UnitPlaced
from schemas.operation import OperationRecordRead
from schemas.triage import (
    IncidentAbsorbed,
    IncidentAccepted,
    IncidentAssigned,
    IncidentClosed,
    IncidentGraded,
    IncidentMerged,
    IncidentOpened,
    IncidentRegraded,
    IncidentReopened,
    IncidentReportAttached,
    IncidentResolved,
    IncidentSplit,
    IncidentTransferred,
)
from services.audit import projection
from services.audit.matters import listing
from services.kernel.delivery.relay import Relay
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.tree import root_over
from tests.audit.test_findings import with_packs
from tests.audit.world import START, World, id_of, received, words
from tests.schemas.kit import EXAMPLES


async def opened(world: World, name: str, unit: str = "town-east", *, drill: bool = False) -> str:
    """A report and its incident, which is assigned."""
    incident, report = id_of("incident", name), id_of("report", name)
    about: dict[str, Any] = {"incident": incident, "unit": unit, "drill": drill}
    await world.send(
        world.event("ingest", report, received(name, unit=unit), unit=unit, drill=drill),
        world.event(
            "triage",
            incident,
            IncidentOpened(unit=unit, report=report, discovered_at=START, number=f"{unit}-2026-{len(name):05}"),
            **about,
        ),
        world.event("triage", incident, IncidentAssigned(unit=unit, reason=words("why")), **about),
    )
    await world.take()
    return incident


def found(answer: Any) -> list[str]:
    return [item["incident_id"] for item in answer["items"]]


async def then(world: World, incident: str, *data: Any, unit: str = "town-east", actor: str = "system") -> None:
    """Further events of an incident."""
    await world.send(*(world.event("triage", incident, one, incident=incident, unit=unit, actor=actor) for one in data))


async def clock(world: World, name: str, *data: Any) -> None:
    incident = id_of("incident", name)
    events = (world.event("escalation", id_of("clock", name), one, incident=incident, unit="town-east") for one in data)
    await world.send(*events)


def started() -> ClockStarted:
    return ClockStarted(clock="first_answer", unit="town-east", since=START, due=START + timedelta(hours=4))


async def test_what_arrives_late_changes_no_past_answer_on_the_axis_of_what_was_known(world: World) -> None:
    incident = await opened(world, "a")
    await then(world, incident, IncidentGraded(level="general", rank=1))
    await world.take()
    known = world.now
    before = await world.raw("incidents", level="general", known_at=known.isoformat())
    late = IncidentRegraded(level="major", rank=2, previous="general", previous_rank=1)
    happened = known - timedelta(minutes=30)
    await world.send(world.event("triage", incident, late, incident=incident, unit="town-east", time=happened))
    await world.take()
    now = await world.get("incidents", level="major")
    assert (found(now), now["items"][0]["level"]) == ([incident], "major")
    assert found(await world.get("incidents", level="general")) == []
    size = orjson.loads(before)["log_size"]
    assert await world.raw("incidents", level="general", known_at=known.isoformat(), log_size=size) == before
    assert found(await world.get("incidents", level="general", known_at=known.isoformat())) == [incident]
    # It had happened by then, so on the other axis it counts.
    assert found(await world.get("incidents", level="major", as_of=known.isoformat())) == [incident]
    both = {"as_of": known.isoformat(), "known_at": known.isoformat()}
    assert found(await world.get("incidents", level="major", **both)) == []


async def test_a_matter_has_the_states_that_the_desk_shows(world: World) -> None:
    incident, other = await opened(world, "a"), await opened(world, "bb")
    steps = {
        "assigned": (),
        "accepted": (IncidentAccepted(unit="town-east"),),
        "resolved": (IncidentResolved(reason=words("done")),),
        "closed": (IncidentClosed(reason=words("done")),),
        "again": (IncidentReopened(reason=words("not done")),),
        "merged": (IncidentMerged(into=other),),
    }
    for state, data in steps.items():
        await then(world, incident, *data)
        await world.take()
        shown = "accepted" if state == "again" else state
        answer = await world.get("incidents", state=shown, number="town-east-2026-00001")
        assert [(item["incident_id"], item["state"]) for item in answer["items"]] == [(incident, shown)]
        for another in {"open", "assigned", "accepted", "resolved", "closed", "dismissed", "merged"} - {shown}:
            assert found(await world.get("incidents", state=another, number="town-east-2026-00001")) == []


async def test_a_missed_limit_stays_missed_when_it_is_met_late(world: World) -> None:
    await opened(world, "a")
    await opened(world, "bb")
    due = START + timedelta(hours=4)
    missed = ClockBreached(clock="first_answer", unit="town-east", due=due, detected_at=due)
    await clock(world, "a", started(), missed, ClockMet(clock="first_answer", met_at=due, late=True))
    await clock(world, "bb", started())
    await world.take()
    a, b = id_of("incident", "a"), id_of("incident", "bb")
    assert found(await world.get("incidents", clock_state="breached")) == [a]
    assert found(await world.get("incidents", clock_state="met")) == [a]
    assert found(await world.get("incidents", clock="first_answer", clock_state="running")) == [b]
    assert found(await world.get("incidents", clock="first_answer")) == [b, a]
    items = (await world.get("incidents"))["items"]
    assert items[1]["clocks"] == {"first_answer": {"state": "met", "breached": True}}


async def test_a_unit_finds_the_matters_in_which_it_had_a_part_then(world: World) -> None:
    incident = await opened(world, "a")
    await world.take()
    then_ = world.now
    moved = IncidentTransferred(unit="town-west", previous="town-east", reason=words("why"))
    back = IncidentAssigned(unit="town-west", reason=words("why"))
    await then(world, incident, moved, back)
    await world.take()
    seen = (("town-east", [], [incident]), ("town-west", [incident], []), ("county", [incident], [incident]))
    for unit, now, earlier in seen:
        assert found(await world.get("incidents", unit)) == now, unit
        assert found(await world.get("incidents", unit, known_at=then_.isoformat())) == earlier, unit


async def test_the_accountable_unit_is_asked_with_those_below_it(world: World) -> None:
    east, west = await opened(world, "a"), await opened(world, "bb", "town-west")
    await world.take()
    async with world.client() as client:
        for unit, there in (("county", [west, east]), ("town-east", [east]), ("town-west", [west])):
            assert found((await client.get("/audit/v1/incidents", params={"unit": unit})).json()) == there


@pytest.mark.parametrize("few", [0, 500])
async def test_pages_go_on_where_the_page_before_ended_also_where_much_is_not_readable(
    world: World, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(listing, "STEP", 2)
    monkeypatch.setattr(listing, "FEW", few)
    wanted = [await opened(world, "x" * length, "town-east") for length in range(1, 6)]
    gone = [await opened(world, "y" * length, "town-east") for length in range(6, 11)]
    for incident in gone:
        moved = IncidentTransferred(unit="town-west", previous="town-east", reason=words("why"))
        await then(world, incident, moved, IncidentAssigned(unit="town-west", reason=words("why")))
    await world.take()
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await world.get("incidents", "town-east", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += found(answer)
        cursor = answer["next"]
        await opened(world, "z" * len(seen) + "late")
        await world.take()
    assert seen == wanted[::-1]


async def test_a_filter_looks_further_back_until_its_page_is_full_or_there_is_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    incidents = [await opened(world, "x" * length, "town-east") for length in range(1, 12)]
    chosen = [incidents[at] for at in (10, 5, 4, 0)]
    for incident in chosen:
        await then(world, incident, IncidentTransferred(unit="town-west", previous="town-east", reason=words("why")))
    await world.take()
    firsts, known = [], listing._first

    async def first(*given: Any) -> int | None:
        firsts.append(given[-1])
        return await known(*given)

    async def listed(unit: str = "town-west", **more: Any) -> Any:
        async with world.client() as client:
            return (await client.get("/audit/v1/incidents", params={"unit": unit, **more})).json()

    monkeypatch.setattr(listing, "_first", first)
    for span, asked in ((2000, [2000]), (1, [1, 4, 16]), (11, [11, 44]), (12, [12])):
        monkeypatch.setattr(listing, "SPAN", span)
        firsts.clear()
        assert found(await listed()) == chosen, span
        assert firsts == asked, "a span that ends with the first matter is followed by one that finds nothing"
    monkeypatch.setattr(listing, "SPAN", 2)
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        answer = await listed(limit=1, **more)
        seen += found(answer)
        cursor = answer["next"]
    assert seen == chosen
    firsts.clear()
    assert found(await world.get("incidents", "town-west", limit=1)) == chosen[:1] and firsts == [], (
        "nothing is filtered"
    )


async def test_words_are_found_by_purpose_and_erased_ones_are_not(world: World) -> None:
    incident = await opened(world, "一盏路灯不亮")
    await opened(world, "井盖丢失了")
    await world.tell("一盏路灯不亮", "井盖丢失了")
    await world.take()
    for asked, code in (
        ({"words": "路灯"}, "purpose-needed"),
        ({"words": "灯 x", "purpose": "巡查"}, "word-too-short"),
    ):
        assert (await world.get("incidents", status=422, **asked))["type"].endswith(code)
    answer = await world.get("incidents", words="路灯 不亮", purpose="巡查")
    assert (found(answer), answer["complete"]) == ([incident], True)
    assert found(await world.get("incidents", words="路灯 丢失", purpose="巡查")) == []
    before = world.now - timedelta(days=1)
    assert found(await world.get("incidents", words="路灯", purpose="巡查", known_at=before.isoformat())) == []
    searched = [row for row in await world.rows("events", "type") if row[0].startswith("huiying.operation.searched")]
    assert len(searched) == 3
    await world.erase("一盏路灯不亮")
    assert found(await world.get("incidents", words="路灯", purpose="巡查")) == []


async def test_a_search_that_leaves_as_a_file_says_how_many_matters_it_gave_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.audit.matters.matters_api.BATCH", 2)
    texts = [f"路灯不亮{at}" for at in range(5)]
    for text in texts:
        await opened(world, text)
    await world.tell(*texts)
    await world.take()
    lines = (await world.raw("incidents/export", format="ndjson", words="路灯", purpose="巡查")).splitlines()
    searched = [Event.parse(row[0]) for row in await world.rows("events", "bytes") if b"operation.searched" in row[0]]
    assert len(lines) == 5
    assert [event.attributes["data"]["found"] for event in searched] == [5]


async def test_events_and_posts_narrow_the_list(world: World) -> None:
    incident, _ = await opened(world, "a"), await opened(world, "bb")
    await then(world, incident, IncidentAccepted(unit="town-east"), actor="handler@town-east")
    await world.take()
    assert found(await world.get("incidents", post="handler@town-east")) == [incident]
    assert found(await world.get("incidents", type="incident.accepted")) == [incident]
    assert found(await world.get("incidents", type="incident.closed")) == []
    for name, value in (("type", "incident.praised"), ("level", "mild"), ("clock", "lunch"), ("post", "nobody@x")):
        refused = await world.get("incidents", status=422, **{name: value})
        assert refused["type"].endswith("not-in-list") and refused["field"] == name


async def test_what_is_delivered_later_changes_no_list_of_what_was_known_before(world: World) -> None:
    """A report joins a matter, leaves it for another one, and comes back with a merger; a lesson names both."""
    old, new, report = await opened(world, "a"), id_of("incident", "new"), id_of("report", "stray")
    reach = ReportReachMeasured(clicks=9, measured_at=START)
    lesson = Event.parse(EXAMPLES["huiying.policy.lesson_recorded.v1", True]).data
    asked: list[dict[str, str]] = [
        {"type": "report.reach_measured"},
        {"post": "editor@town-east"},
        {"words": "井盖", "purpose": "巡查"},
        {"type": "policy.lesson_recorded"},
    ]
    await world.tell("井盖")

    async def answers(**axes: Any) -> list[list[str]]:
        return [found(await world.get("incidents", **one, **axes)) for one in asked]

    def of(incident: str, *data: Any) -> list[Event]:
        return [world.event("triage", incident, one, incident=incident, unit="town-east") for one in data]

    def learned(incident: str) -> Event:
        return world.event("triage", id_of("policy", "x"), lesson.model_copy(update={"incident": incident}))

    def came() -> list[Event]:
        told = (received("井盖"), reach)
        return [world.event("ingest", report, one, unit="town-east", actor="editor@town-east") for one in told]

    split = IncidentSplit(into=new, reports=(report,))
    joined = IncidentReportAttached(report=report, unit="town-east", discovered_at=START)
    opening = IncidentOpened(unit="town-east", report=report, discovered_at=START, number="town-east-2026-00009")
    absorbed = IncidentAbsorbed(incident=new, reports=(report,), discovered_at=START)
    deliveries = (
        lambda: [*came(), learned(id_of("incident", "third"))],
        lambda: of(old, joined),
        lambda: [*of(old, split), *of(new, opening)],
        lambda: [learned(old)],
        lambda: [*of(new, IncidentMerged(into=old)), *of(old, absorbed)],
    )
    told = []
    for deliver in deliveries:
        await world.send(*deliver())
        await world.take()
        told.append((world.now.isoformat(), (await world.get("events"))["log_size"], await answers()))
    both = [new, old]
    none, first = [[], [], [], []], [[old], [old], [old], []]
    assert [before for _, _, before in told] == [
        none,
        first,
        [both, both, both, []],
        [both, both, both, [old]],
        [both, both, both, [old]],
    ]
    for at, size, before in told:
        assert await answers(known_at=at) == before
        assert await answers(log_size=size) == before
        assert await answers(known_at=at, as_of=at, log_size=size) == before


async def test_what_came_on_a_report_after_it_left_is_an_event_of_the_other_matter(world: World) -> None:
    old, new, report = await opened(world, "a"), id_of("incident", "new"), id_of("report", "a")
    opening = IncidentOpened(unit="town-east", report=report, discovered_at=START, split_from=old)
    await then(world, old, IncidentSplit(into=new, reports=(report,)))
    await then(world, new, opening)
    reach = ReportReachMeasured(clicks=9, measured_at=START)
    await world.send(world.event("ingest", report, reach, unit="town-east"))
    await world.take()
    assert found(await world.get("incidents", type="report.reach_measured")) == [new]
    assert found(await world.get("incidents", type="report.received")) == [new, old]
    absorbed = IncidentAbsorbed(incident=new, reports=(report,), discovered_at=START)
    await then(world, new, IncidentMerged(into=old))
    await then(world, old, absorbed)
    await world.take()
    assert found(await world.get("incidents", type="report.reach_measured")) == [new, old]


async def test_the_list_as_a_file_is_whole_and_carries_its_basis(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.audit.matters.matters_api.BATCH", 2)
    for length in range(1, 6):
        await opened(world, "x" * length)
    await clock(world, "x", started())
    await world.take()
    listed = await world.get("incidents")
    lines = (await world.raw("incidents/export", format="ndjson")).splitlines()
    basis = {name: listed[name] for name in ("as_of", "known_at", "log_size", "complete_until", "root")}
    assert [orjson.loads(line) for line in lines] == [{**item, **basis} for item in listed["items"]]
    table = (await world.raw("incidents/export", format="csv", state="assigned")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["incident_id"] for row in rows] == found(listed)
    assert (rows[-1]["clocks"], rows[-1]["log_size"]) == ("first_answer: running", str(listed["log_size"]))
    for lang, state in (("zh", "已交办"), ("en", "assigned")):
        told = await world.raw("incidents/export", state="assigned", lang=lang)
        row = list(csv.DictReader(io.StringIO(told.decode("utf-8-sig"))))[-1]
        assert (row["state"], row["state_title"]) == ("assigned", state)
        assert row["drill_title"] == {"zh": "实际事项", "en": "real"}[lang]
        assert row["clocks_title"].endswith({"zh": "：进行中", "en": ": running"}[lang])
        at = datetime.strptime(row["opened_at_local"], "%Y-%m-%d %H:%M:%S %z")
        assert at == parse_instant(row["opened_at"]).replace(microsecond=0)


async def test_every_answer_states_both_axes_the_size_and_the_root_of_the_log(world: World) -> None:
    incident = await opened(world, "a")
    leaves = [leaf_of(Event.parse(bytes_)).hash for _, bytes_ in await world.rows("timeline", "position", "bytes")]
    listed = await world.get("events", limit=500)
    event = listed["items"][-1]["id"]
    for path in ("incidents", "events", f"events/{event}", f"incidents/{incident}/timeline", "readings"):
        answer = await world.get(path)
        assert (answer["as_of"], answer["known_at"], answer["log_size"]) == (None, None, len(leaves))
        assert answer["root"] == base64.b64encode(root_over(leaves)).decode(), path
    earlier = await world.get("incidents", log_size=4)
    assert earlier["root"] == base64.b64encode(root_over(leaves[:4])).decode()


async def place_drills(world: World, until: datetime | None = None) -> None:
    """An office for exercises below the county, until it ends."""
    placed = UnitPlaced(
        unit="town-drill", kind="town", name="tour", parent="county", drill=True, since=START, until=until
    )
    await world.send(world.event("triage", id_of("unit", "tree"), placed, unit="city"))
    await world.take()


async def test_exercises_are_marked_and_are_listed_alone_or_not_at_all(world: World) -> None:
    await place_drills(world)
    real, drill = await opened(world, "a"), await opened(world, "bb", "town-drill", drill=True)
    listed = await world.get("incidents")
    assert [(item["incident_id"], item["drill"]) for item in listed["items"]] == [(drill, True), (real, False)]
    assert found(await world.get("incidents", drill=True)) == [drill]
    assert found(await world.get("incidents", drill=False)) == [real]
    rows = csv.DictReader(io.StringIO((await world.raw("incidents/export")).decode("utf-8-sig")))
    assert [row["drill"] for row in rows] == ["True", "False"]


async def test_what_an_earlier_version_took_in_is_marked_as_an_exercise_afterwards(world: World) -> None:
    drill = await opened(world, "bb", drill=True)
    tables = world.runtime.tables
    async with world.runtime.database.transaction() as connection:
        await connection.execute(tables["marks"].delete().where(tables["marks"].c.kind == "drill"))
        await connection.execute(tables["linked_types"].delete().where(tables["linked_types"].c.type.like("drill:%")))
    assert found(await world.get("incidents", drill=True)) == []
    for _ in range(2):
        await projection.learn(world.runtime)
    assert found(await world.get("incidents", drill=True)) == [drill]


async def test_no_list_shows_exercises_of_an_office_that_has_ended(world: World) -> None:
    await place_drills(world)
    real, drill = await opened(world, "a"), await opened(world, "bb", "town-drill", drill=True)
    read = OperationRecordRead(record=drill, works=True)
    today = id_of("operation", "today")
    await world.send(world.event("triage", today, read, unit="town-drill", actor="handler@town-drill"))
    async with world.client("county", "auditor") as client:
        asked = {"unit": "town-drill", "since": "2026-01-01", "until": "2026-02-01", "scope": "answers"}
        assert (await client.post("/audit/v1/inspections", json=asked)).status_code == 201
        praise = {"unit": "town-drill", "post": "handler", "kind": "praise", "reason": "fast"}
        assert (await client.post("/audit/v1/referrals", json=praise)).status_code == 201
    await Relay(world.runtime).drain()
    await world.take()
    lists = ("inspections", "referrals", "readings")
    for path in lists:
        assert [item["drill"] for item in (await world.get(path))["items"]] == [True], path
    for path in ("inspections", "referrals"):
        assert (await world.get(path, drill=False))["items"] == [], path
    await place_drills(world, until=world.now)
    world.now += timedelta(days=1)
    world.runtime.offices_changed()
    assert found(await world.get("incidents")) == [real]
    assert len((await world.raw("incidents/export", format="ndjson")).splitlines()) == 1
    for path in lists:
        assert (await world.get(path))["items"] == [], path
    await world.get(f"incidents/{drill}/timeline")


async def test_codes_of_the_packs_are_asked_for_before_any_matter_had_them(world: World) -> None:
    await opened(world, "a")
    with_packs(world)
    for code, wrong in (
        ({"level": "extraordinary"}, {"level": "extraordinry"}),
        ({"clock": "public_statement"}, {"clock": "public_statment"}),
    ):
        assert found(await world.get("incidents", **code)) == []
        refused = await world.get("incidents", status=422, **wrong)
        assert refused["type"].endswith("not-in-list") and set(code.values()) <= set(refused["known"])
    await world.get("statistics", level="extraordinary")
    await world.get("statistics", status=422, level="extraordinry")


async def test_a_small_page_takes_few_steps_where_most_is_not_readable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = await opened(world, "a")
    for at in range(24):
        incident, about = id_of("incident", f"gone {at}"), {"unit": "town-east"}
        begun = IncidentOpened(
            unit="town-east", report=id_of("report", "x"), discovered_at=START, number="town-east-2026-00009"
        )
        moved = IncidentTransferred(unit="town-west", previous="town-east", reason=words("why"))
        await world.send(*(world.event("triage", incident, one, incident=incident, **about) for one in (begun, moved)))
    await world.take()
    steps, known = [], listing._candidates
    monkeypatch.setattr(listing, "_candidates", lambda *given: steps.append(given) or known(*given))
    assert found(await world.get("incidents", "town-east", limit=1)) == [wanted]
    assert len(steps) <= 4
