"""The incident of each report: its own, or one found by match key and state; also for repeated reports."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas.envelope import Event
from schemas.triage import IncidentRegraded
from services.triage.alike.matching import Key, Lead, Place, places
from services.triage.seen import know
from tests.triage.conftest import Triage
from tests.triage.test_api import HANDLED, VERIFIED, done

RESOLVED = (VERIFIED, *HANDLED)
CLOSED = (*RESOLVED, ("close", "chief", "town-east", {"reason": "over"}))
REOPENED = ("reopen", "chief", "town-east", {"reason": "it came back"})


async def incident_of(triage: Triage, report: Event) -> str:
    [item] = (await triage.get("incidents", "city", report_id=report.stream)).json()["items"]
    return str(item["id"])


async def lives(triage: Triage, life: str) -> list[Event]:
    """Two reports on one subject, with staff decisions on their incidents. Returns the reports."""
    first = triage.report("a", match_key="pothole")
    await triage.take(first)
    a = await incident_of(triage, first)
    if life == "a merge and a split":
        second = triage.report("b", match_key="another")
        await triage.take(second)
        b = await incident_of(triage, second)
        await done(triage, a, ("merge", "chief", "county", {"into": b}))
        await done(triage, b, ("split", "chief", "county", {"reports": [first.stream]}))
        return [first, second]
    second = triage.report("b", match_key="pothole")
    if life == "two reports and a close":
        await triage.take(second)
        await done(triage, a, *CLOSED)
        third = triage.report("c", match_key="pothole")
        await triage.take(third)
        return [first, second, third]
    await done(triage, a, *CLOSED)
    await triage.take(second)
    if life == "a reopening of the first":
        await done(triage, a, REOPENED)
        b = await incident_of(triage, second)
        await done(triage, b, *CLOSED)
    return [first, second]


LIVES = ("a close", "two reports and a close", "a merge and a split", "a reopening of the first")


@pytest.mark.parametrize("life", LIVES)
async def test_a_restored_consumer_leaves_each_report_where_it_is(triage: Triage, life: str) -> None:
    reports = await lives(triage, life)
    before = {report.stream: await incident_of(triage, report) for report in reports}
    stored = {id_: [event.bytes for event in await triage.events(id_)] for id_ in set(before.values())}
    await triage.lose_the_place()
    async with asyncio.timeout(20):
        await triage.take(*reports)
    assert {report.stream: await incident_of(triage, report) for report in reports} == before
    assert {id_: [event.bytes for event in await triage.events(id_)] for id_ in stored} == stored


@pytest.mark.parametrize("over", [RESOLVED, CLOSED], ids=["resolved", "closed"])
async def test_a_report_of_what_is_over_opens_an_incident_that_names_it(triage: Triage, over: Any) -> None:
    earlier = await triage.open("a", match_key="pothole")
    await done(triage, earlier, *over)
    report = triage.report("b", match_key="pothole")
    await triage.take(report)
    again = await incident_of(triage, report)
    assert again != earlier
    [opened] = await triage.events(again)
    assert (opened.data.relates_to, opened.data.discovered_at) == (earlier, report.data.discovered_at)
    shown = [(await triage.get(f"incidents/{id_}")).json() for id_ in (earlier, again)]
    assert [(one["relates_to"], one["related"], one["report_count"]) for one in shown] == [
        (None, [again], 1),
        (earlier, [], 1),
    ]
    assert await triage.open("c", match_key="pothole") == again
    # the desk can reopen the earlier one and merge
    await done(triage, earlier, REOPENED)
    await done(triage, again, ("merge", "chief", "county", {"into": earlier}))
    assert await triage.open("d", match_key="pothole") == earlier


async def test_reports_that_come_together_on_what_is_over_share_the_new_incident(triage: Triage) -> None:
    earlier = await triage.open("a", match_key="pothole")
    await done(triage, earlier, *CLOSED)
    reports = [triage.report(name, match_key="pothole") for name in "bcd"]
    await triage.take(*reports)
    [again] = {await incident_of(triage, report) for report in reports}
    assert await triage.kinds(again) == ["opened", "report_attached", "report_attached"]


async def test_what_goes_on_in_an_incident_that_is_over_names_that_one(triage: Triage) -> None:
    a, b = await triage.open("a", match_key="pothole"), await triage.open("b")
    await done(triage, a, ("merge", "chief", "county", {"into": b}))
    await done(triage, b, *CLOSED)
    opened, *_ = await triage.events(await triage.open("c", match_key="pothole"))
    assert opened.data.relates_to == b


@pytest.mark.postgres
async def test_a_close_between_lookup_and_load_attaches_to_nothing_that_is_closed(triage_on_postgres: Triage) -> None:
    triage = triage_on_postgres
    earlier = await triage.open("a", match_key="pothole")
    await done(triage, earlier, *RESOLVED)
    await done(triage, earlier, REOPENED, *HANDLED[2:])
    await done(triage, earlier, REOPENED, *HANDLED[2:4])

    async def overtaken(connection: Any, events: Any) -> Any:
        found = await know(connection, events)
        await done(triage, earlier, HANDLED[4], CLOSED[-1])
        return found

    runtime, service = triage.runtime, triage.runtime.service
    runtime.service = replace(service, know=overtaken)
    report = triage.report("b", match_key="pothole")
    await triage.take(report)
    again = await incident_of(triage, report)
    [opened] = await triage.events(again)
    assert opened.data.relates_to == earlier
    assert (await triage.kinds(earlier))[-1] == "closed"


async def test_a_report_of_a_matter_that_was_split_off_goes_where_it_went(triage: Triage) -> None:
    a, b = await triage.open("a", match_key="m"), await triage.open("b", match_key="n")
    await done(triage, a, ("merge", "chief", "county", {"into": b}))
    moved = triage.report("c", match_key="m")
    await triage.take(moved)
    answer = await triage.ask(b, "split", {"reports": [moved.stream]}, role="chief")
    new = answer.json()["into"]
    assert await triage.open("d", match_key="m") == new
    assert await triage.open("e", match_key="n") == b
    await done(triage, new, *CLOSED)
    again = await triage.open("f", match_key="m")
    assert (await triage.events(again))[0].data.relates_to == new
    # after the merger it is one matter again
    await done(triage, again, ("merge", "chief", "county", {"into": b}))
    assert await triage.open("g", match_key="m") == b


def shown(items: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(item[name] for name in names) for item in items]


async def test_what_was_merged_loses_neither_level_nor_hands_nor_facts(triage: Triage) -> None:
    early = triage.runtime.time_source.now() - timedelta(days=2)
    a, b = await triage.open("a", discovered_at=early), await triage.open("b")
    await done(
        triage,
        a,
        ("grade", "duty_officer", "county", {"level": "major", "reason": "people were hurt"}),
        ("classify", "duty_officer", "county", {"answer_kind": "status"}),
        *HANDLED[:3],
        ("establish-fact", "verifier", "county-roads", {"key": "length", "kind": "number", "value": 3, "source": "m"}),
    )
    await done(
        triage,
        b,
        ("grade", "duty_officer", "county", {"level": "general", "reason": "small"}),
        ("establish-fact", "verifier", "county", {"key": "length", "kind": "number", "value": 4, "source": "n"}),
    )
    await done(triage, a, ("merge", "chief", "county", {"into": b, "reason": "one hole"}))
    regraded = next(event.data for event in await triage.events(b) if isinstance(event.data, IncidentRegraded))
    assert (regraded.level, regraded.previous, regraded.known_at, regraded.taken_from) == ("major", "general", early, a)
    found = (await triage.get(f"incidents/{b}")).json()
    assert (found["level"], found["answer_kind"], found["assigned"], found["state"]) == (
        "major",
        "status",
        "county-roads",
        "accepted",
    )
    assert shown(found["facts"], "incident", "key", "value") == [(a, "length", 3.0), (b, "length", 4.0)]
    assert shown(found["handling"], "incident", "track") == [(a, "problem")]
    assert found["handled"]["problem"] is not None
    assert {note["incident"] for note in found["notes"]} == {a, b}
    assert shown(found["assignments"], "incident", "unit") == [(b, "county-roads"), (a, "county-roads")]
    # the unit that handled it goes on, and need not handle the problem again
    assert (await triage.get(f"incidents/{b}", "county-roads", "handler")).status_code == 200
    await done(triage, b, HANDLED[3], HANDLED[4])
    assert (await triage.get(f"incidents/{b}")).json()["state"] == "resolved"


async def test_a_fact_of_what_was_merged_is_revised_where_the_matter_goes_on(triage: Triage) -> None:
    a, b, c = [await triage.open(name) for name in "abc"]
    fact = {"key": "cause", "kind": "text", "value": "frost", "source": "seen"}
    await done(triage, a, ("establish-fact", "verifier", "county", fact))
    await done(triage, a, ("merge", "chief", "county", {"into": b}))
    await done(triage, b, ("merge", "chief", "county", {"into": c}))
    await done(triage, c, ("establish-fact", "verifier", "county", fact))
    await done(triage, c, ("establish-fact", "verifier", "county", {**fact, "value": "rain"}))
    assert (await triage.kinds(c))[-2:] == ["absorbed", "fact_revised"]
    found = (await triage.get(f"incidents/{c}")).json()
    assert shown(found["facts"], "incident", "value") == [(a, "frost"), (c, "rain")]


async def test_what_is_split_off_goes_on_with_who_was_handling_it(triage: Triage) -> None:
    a, report = await triage.open("a", match_key="m"), triage.report("b", match_key="m")
    await triage.take(report)
    major = ("grade", "duty_officer", "county", {"level": "major", "reason": "harm"})
    verified = ("conclude-verification", "verifier", "county", {"outcome": "confirmed", "text": "seen"})
    await done(triage, a, major, verified, *HANDLED[:4])
    answer = await triage.ask(a, "split", {"reports": [report.stream]}, role="chief")
    new = answer.json()["into"]
    assert await triage.kinds(new) == ["opened", "assigned", "accepted"]
    found = (await triage.get(f"incidents/{new}")).json()
    assert (found["split_from"], found["assigned"], found["state"]) == (a, "county-roads", "accepted")
    assert (found["level"], found["handled"]) == (None, {"problem": None, "answer": None})
    assert (await triage.get(f"incidents/{a}")).json()["split_off"] == [new]
    assert (await triage.get(f"incidents/{new}", "county-roads", "handler")).status_code == 200


def lead(incident: str, since: str, *, split: bool = False, state: str = "open", opened: str = "") -> Lead:
    return Lead("m", since, split, incident, opened or since, state, False)


@pytest.mark.parametrize(
    ("leads", "place"),
    [
        ([lead("a", "1"), lead("b", "2")], Place("b")),
        ([lead("a", "1"), lead("b", "2", state="closed")], Place("a")),
        ([lead("a", "1", state="closed"), lead("b", "2", state="resolved")], Place("b", over=True)),
        ([lead("a", "1"), lead("b", "2", split=True, state="closed")], Place("b", over=True)),
        ([lead("a", "1"), lead("b", "2", split=True, state="closed"), lead("c", "3")], Place("c")),
        ([lead("b", "2", split=True), lead("a", "1", opened="9")], Place("b")),
    ],
)
def test_a_matter_goes_on_at_its_newest_open_incident_else_at_the_newest(leads: list[Lead], place: Place) -> None:
    assert places(leads) == places(leads[::-1]) == {Key("m", drill=False): place}
