"""A person decides how two matters belong together: both record it, both show it, and a merger keeps it."""

import asyncio
from typing import Any

import pytest

from tests.triage.conftest import Triage
from tests.triage.test_api import done


@pytest.fixture(params=["triage", pytest.param("triage_on_postgres", marks=pytest.mark.postgres)])
def desk(request: pytest.FixtureRequest) -> Triage:
    """Triage on both databases, one after the other."""
    made: Triage = request.getfixturevalue(request.param)
    return made


async def link(desk: Triage, one: str, other: str, kind: str, **how: Any) -> Any:
    body = {"to": other, "kind": kind, "reason": f"{kind} 理由"}
    return await desk.ask(one, "link", body, **{"role": "duty_officer", "unit": "county"} | how)


async def links(desk: Triage, id_: str, unit: str = "county") -> list[tuple[str, str, str | None]]:
    found = (await desk.get(f"incidents/{id_}", unit)).json()["links"]
    return [(one["to"], one["kind"], one["goes_on_in"]) for one in found]


@pytest.mark.requirement("AUD-03")
async def test_a_link_stands_on_both_sides_and_the_newest_decision_on_the_two_holds(desk: Triage) -> None:
    road, lamp = await desk.open("road"), await desk.open("lamp")
    answer = await link(desk, lamp, road, "part")
    assert answer.status_code == 200, answer.text
    assert (await links(desk, lamp), await links(desk, road)) == ([(road, "part", None)], [(lamp, "whole", None)])
    [here], [there] = [(await desk.get(f"incidents/{id_}")).json()["links"] for id_ in (lamp, road)]
    assert here["number"] == (await desk.get(f"incidents/{road}")).json()["number"]
    assert (here["reason"], here["by"], here["incident"]) == ("part 理由", "duty_officer@county", lamp)
    assert {**there, "incident": lamp, "to": road, "kind": "part", "number": here["number"]} == here
    assert [(await desk.kinds(id_))[-1] for id_ in (lamp, road)] == ["linked", "linked"]
    assert [(await desk.events(id_))[-1].by is None for id_ in (lamp, road)] == [False, True]
    # the other way round replaces it, from whichever side
    assert (await link(desk, road, lamp, "part")).status_code == 200
    assert (await links(desk, lamp), await links(desk, road)) == ([(road, "whole", None)], [(lamp, "part", None)])
    for kind in ("same", "related", "other"):
        assert (await link(desk, lamp, road, kind)).status_code == 200
        assert (await links(desk, lamp), await links(desk, road)) == ([(road, kind, None)], [(lamp, kind, None)])
        again = await link(desk, road, lamp, kind)
        assert again.json()["type"].endswith("already-linked"), again.text


async def test_two_links_at_once_on_the_same_two_matters_leave_one_decision(desk: Triage) -> None:
    one, other = await desk.open("a"), await desk.open("b")
    await asyncio.gather(link(desk, one, other, "related"), link(desk, other, one, "same"))
    [(_, here, _)], [(_, there, _)] = await links(desk, one), await links(desk, other)
    assert here == there


async def test_nothing_is_a_part_of_its_own_part(desk: Triage) -> None:
    a, b, c, d = [await desk.open(name) for name in "abcd"]
    for part, whole in ((a, b), (b, c)):
        assert (await link(desk, part, whole, "part")).status_code == 200
    assert (await link(desk, c, a, "part")).json()["type"].endswith("part-of-itself")
    assert (await links(desk, c)) == [(b, "whole", None)]
    # a merger goes on with the parts of both
    await done(desk, c, ("merge", "chief", "county", {"into": d}))
    assert (await link(desk, d, a, "part")).json()["type"].endswith("part-of-itself")
    assert (await link(desk, a, d, "part")).status_code == 200
    # where the middle one is no part any more, nothing is in the way
    assert (await link(desk, a, b, "related")).status_code == 200
    assert (await link(desk, a, d, "related")).status_code == 200
    assert (await link(desk, d, a, "part")).status_code == 200


async def test_links_to_itself_to_a_merged_matter_and_to_an_exercise_are_refused(desk: Triage) -> None:
    a, b, c, drill = await desk.open("a"), await desk.open("b"), await desk.open("c"), await desk.open("d", drill=True)
    assert (await link(desk, a, a, "same")).json()["type"].endswith("linked-to-itself")
    await done(desk, b, ("merge", "chief", "county", {"into": c}))
    merged = (await link(desk, a, b, "same")).json()
    assert (merged["type"].rpartition(":")[2], merged["into"]) == ("merged-target", c)
    assert (await link(desk, b, a, "same")).json()["type"].endswith(":merged")
    for one, other in ((a, drill), (drill, a)):
        assert (await link(desk, one, other, "related")).json()["type"].endswith("drill-and-real")
    assert await desk.kinds(a) == ["opened"]


async def test_a_merger_takes_the_links_along(desk: Triage) -> None:
    a, b, c = [await desk.open(name) for name in "abc"]
    await link(desk, a, b, "related")
    await link(desk, b, c, "same")
    await done(desk, b, ("merge", "chief", "county", {"into": c}))
    assert await links(desk, a) == [(b, "related", c)]
    assert await links(desk, c) == [(a, "related", None)]
    assert (await desk.get(f"incidents/{c}")).json()["links"][0]["incident"] == b


async def test_a_matter_that_the_caller_may_not_read_is_not_shown(desk: Triage) -> None:
    here, there = await desk.open("a"), await desk.open("b", unit="town-west")
    assert (await link(desk, here, there, "related")).status_code == 200
    assert await links(desk, here, "town-east") == []
    assert await links(desk, here, "county") == [(there, "related", None)]
    assert (await link(desk, here, there, "same", unit="town-east")).status_code == 404


async def test_a_unit_whose_part_has_ended_reads_the_links_of_that_time(desk: Triage) -> None:
    here, first, later = [await desk.open(name) for name in "abc"]
    await link(desk, here, first, "related")
    await done(desk, here, ("transfer", "chief", "county", {"unit": "town-west", "reason": "r"}))
    await link(desk, here, first, "other")
    await link(desk, here, later, "part")
    assert await links(desk, here, "town-east") == [(first, "related", None)]
    assert (await link(desk, first, here, "same", unit="town-east")).status_code == 404
