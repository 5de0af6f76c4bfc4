"""The early warning: more reports than usual on a matter, in a category or from a place."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas import triage
from schemas.pack.office import Surge
from services.escalation.commands import CountArrivals
from services.escalation.duty import surges
from services.escalation.duty.surges import Arrivals
from services.escalation.views import ARRIVALS, VIEWS
from services.kernel.store.views import folded
from tests.escalation.conftest import Desk
from tests.escalation.incident import OFFICES, PACK, at
from tests.kit import spec

UNIT = "town-east"
RULE = PACK.model.surge


def noticed(*came: tuple[float, int], past: tuple[tuple[float, int], ...] = (), hour: float = 0) -> list[float]:
    """The numbers of reports in the warnings about one category; `past` is what was looked at one after the other."""
    state, found = surges.initial_state(), list[float]()
    for now in (*(one for one, _ in past), hour):
        arrivals = tuple(("category", "water", at(one), number) for one, number in (*came, *past) if one <= now)
        ctx = replace(spec.ctx(), now=at(now), offices=OFFICES)
        made = surges.decide(state, CountArrivals(unit=UNIT, arrivals=arrivals), ctx)
        for event in spec.events("surge", [one.data for one in made]):  # type: ignore[union-attr]
            state = surges.evolve(state, event)
            found.append(event.data.reports)
    return found


@pytest.mark.requirement("CON-06")
class TestWarning:
    def test_it_takes_several_times_the_usual_number_and_a_few_reports(self) -> None:
        assert noticed((-1, 4)) == [], "too few"
        assert noticed((-1, 5)) == [5]
        usual = (-100.0, 28)
        assert noticed((-1, 5), usual) == [], "two a day are usual here"
        assert noticed((-1, 6), usual) == [6]
        assert noticed((-25, 9)) == [], "before the window"

    def test_it_is_told_again_only_when_the_number_has_doubled_or_later(self) -> None:
        assert noticed(past=((0, 5), (1, 3)), hour=2) == [5]
        assert noticed(past=((0, 5), (1, 5)), hour=2) == [5, 10]
        assert noticed((60, 40), past=((0, 5),), hour=60) == [5, 40]

    def test_it_names_a_post_of_the_office_and_its_source_and_no_person(self) -> None:
        ctx = replace(spec.ctx(), now=at(1), offices=OFFICES)
        command = CountArrivals(unit=UNIT, arrivals=(("matter", f"incident-{spec.UUID}", at(0), 7),))
        (made,) = surges.decide(surges.initial_state(), command, ctx)
        data = made.data  # type: ignore[union-attr]
        assert data.told and data.told.endswith("@town-east")
        assert (data.source, data.incident, data.until - data.since) == (
            "reports_received", f"incident-{spec.UUID}", timedelta(days=1),
        )  # fmt: skip


async def test_reports_of_one_place_are_counted_and_the_latest_matter_says_which(desk: Desk) -> None:
    place, other = "a" * 64, "b" * 64
    for number in range(7):
        id_ = f"{spec.UUID[:-1]}{number}"
        key = place if number < 6 else other
        opened = triage.IncidentOpened(unit=UNIT, report=f"report-{id_}", discovered_at=at(0), place_key=key)
        desk.tell(f"incident-{id_}", opened, at(0.1))
    await desk.consume()
    await desk.turn(at(1))
    (item,) = (await desk.ask("GET", "/surges?unit=town-east", "duty_officer", UNIT)).json()["items"]
    assert (item["by"], item["code"], item["reports"]) == ("place", place, 6)
    assert item["incident_id"] == f"incident-{spec.UUID[:-1]}5"
    kept = await desk.rows("arrivals")
    view = next(view for view in VIEWS if view.table is ARRIVALS)
    told = [event for stream, event in desk.streams.items() if stream.startswith("incident")]
    assert sorted(map(repr, folded(view, told))) == sorted(map(repr, kept)), "events build it again"


def test_a_pure_fold_of_hours() -> None:
    assert RULE is not None
    rows = [Arrivals("category", "water", at(hour), 2) for hour in (-30, -2, -1)]
    assert surges.rates(rows, RULE, at(0)) == {("category", "water"): (4, round(2 / 14, 2))}


def test_a_short_window_counts_whole_hours_and_says_so() -> None:
    assert RULE is not None
    rule, now = RULE.model_copy(update={"window": timedelta(hours=1)}), at(1.2)
    rows = [Arrivals("category", "water", at(hour), 10) for hour in (0, 1)]
    assert surges.begin(rule, now) == at(0)
    assert surges.rates(rows, rule, now) == {("category", "water"): (20, 0.0)}


async def test_reports_of_one_category_are_counted_and_the_warning_is_read_over_http(desk: Desk) -> None:
    for number in range(6):
        id_ = f"{spec.UUID[:-1]}{number}"
        opened = triage.IncidentOpened(unit=UNIT, report=f"report-{id_}", discovered_at=at(0), category="water")
        desk.tell(f"incident-{id_}", opened, at(0.1))
    more = triage.IncidentReportAttached(unit=UNIT, report=f"report-{spec.UUID}", discovered_at=at(0), category="water")
    desk.tell(f"incident-{spec.UUID[:-1]}0", more, at(0.2))
    await desk.consume()
    await desk.turn(at(1))
    answer = await desk.ask("GET", "/surges?unit=town-east", "duty_officer", UNIT)
    (item,) = answer.json()["items"]
    assert (item["by"], item["code"], item["reports"], item["usual"]) == ("category", "water", 7, 0.0)
    assert (await desk.ask("GET", "/surges?unit=county", "duty_officer", UNIT)).status_code == 403
    await desk.turn(at(1.5))
    assert len(await desk.rows("events", stream_id=surges.stream_of_unit(UNIT))) == 1


async def test_a_unit_whose_arrivals_cannot_be_compared_holds_up_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        unit, category = (UNIT, "water") if number % 2 else ("town-west", "road")
        id_ = f"{spec.UUID[:-2]}{number:02}"
        opened = triage.IncidentOpened(unit=unit, report=f"report-{id_}", discovered_at=at(0), category=category)
        desk.tell(f"incident-{id_}", opened, at(0.1), unit=unit)
    await desk.consume()
    known = surges.rates

    def only_west(arrivals: Iterable[Arrivals], rule: Surge, now: datetime) -> Any:
        came = list(arrivals)
        if any(one.code == "water" for one in came):
            raise KeyError("water")
        return known(came, rule, now)

    monkeypatch.setattr(surges, "rates", only_west)
    await desk.turn(at(1))
    assert {row["unit"] for row in await desk.rows("surges")} == {"town-west"}
