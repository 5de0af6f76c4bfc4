"""The units with a part in a matter, and how much each may read."""

from typing import Any

import pytest

from schemas import catalogue, triage
from schemas.fields import Fact
from services.kernel.core.standings import Moment, Reading, Standing, reading_of, widest
from services.kernel.store import standings
from services.kernel.store.tables import metadata
from services.kernel.store.views import folded
from tests.kit.spec import events, offices

OPENED = triage.IncidentOpened.model_validate(
    {"unit": "town-east", "report": "report-01890a5d-ac96-774b-bcce-b302099a8057", "discovered_at": "2026-03-02T09:00Z"}
)
OTHER = "incident-01890a5d-ac96-774b-bcce-b302099a8058"
REASON = {"reason": "r"}


def assigned(unit: str) -> Fact:
    return triage.IncidentAssigned(unit=unit)


def transferred(unit: str, previous: str = "town-east") -> Fact:
    return triage.IncidentTransferred.model_validate({"unit": unit, "previous": previous, **REASON})


def returned(unit: str) -> Fact:
    return triage.IncidentReturned.model_validate({"unit": unit, **REASON})


def asked(unit: str) -> Fact:
    return triage.IncidentVerificationRequested(unit=unit)


def helps(unit: str) -> Fact:
    return triage.IncidentHelpRequested(unit=unit)


RESOLVED = triage.IncidentResolved.model_validate(REASON)
DISMISSED = triage.IncidentDismissed(report_count=1)
CLOSED = triage.IncidentClosed.model_validate(REASON)
MERGED = triage.IncidentMerged(into=OTHER)
NOTE = triage.IncidentInstructionGiven.model_validate({"text": "t"})


def after(*facts: Fact) -> Standing:
    """The standing, from the stored row."""
    tables = metadata()
    standings.tables(tables)
    view, units = standings.views(tables, triage.standing_of)
    past = events("incident", facts)
    (row,) = folded(view, past)
    standing = standings.standing_in(row)
    known = {row["unit"] for row in folded(units, past)}
    assert known == standing.units | standing.past.keys(), "whoever has or had to do with it is found"
    return standing


def read(standing: Standing, unit: str) -> int | str | None:
    """The last version that an officer of the unit may read; all of them, or none."""
    reading = standing.reading(offices().overseen(unit))
    return None if reading is None else reading.until.version if reading.until else "all"


@pytest.mark.requirement("MUL-06")
@pytest.mark.parametrize(
    ("facts", "reads"),
    [
        ((OPENED,), {"town-east": "all", "county": "all", "city": "all", "town-west": None, "county-roads": None}),
        ((OPENED, assigned("county-roads")), {"town-east": "all", "county-roads": "all", "county-water": None}),
        ((OPENED, asked("county-water"), asked("town-west")), {"county-water": "all", "town-west": "all"}),
        ((OPENED, NOTE, transferred("town-west"), NOTE), {"town-west": "all", "town-east": 3, "county": "all"}),
        ((OPENED, assigned("county-roads"), returned("county-roads"), NOTE), {"county-roads": 3, "town-east": "all"}),
        ((OPENED, assigned("county-roads"), assigned("county-water")), {"county-roads": 3, "county-water": "all"}),
        ((OPENED, asked("county-water"), NOTE, CLOSED), {"county-water": 4, "town-east": "all"}),
        ((OPENED, assigned("county-roads"), CLOSED), {"county-roads": "all"}),
        ((OPENED, helps("county-water"), helps("town-west"), NOTE), {"county-water": "all", "town-west": "all"}),
        ((OPENED, helps("county-water"), asked("town-west"), RESOLVED, NOTE), {"county-water": 4, "town-west": "all"}),
        ((OPENED, helps("county-water"), asked("county-water"), RESOLVED), {"county-water": "all"}),
        ((OPENED, helps("county-water"), asked("town-west"), DISMISSED), {"county-water": 4, "town-west": 4}),
        ((OPENED, assigned("town-east"), transferred("town-west"), NOTE), {"town-east": "all", "town-west": "all"}),
        ((OPENED, assigned("town-east"), transferred("town-west"), returned("town-east")), {"town-east": 4}),
        (
            (OPENED, transferred("town-west"), transferred("town-east", "town-west"), NOTE),
            {"town-east": "all", "town-west": 3},
        ),
        ((OPENED, assigned("county-roads"), MERGED), {"town-east": 3, "county-roads": 3, "town-west": None}),
        ((OPENED, transferred("town-west"), MERGED), {"town-west": 3, "town-east": 2, "county": 3, "city": "all"}),
    ],
)
def test_who_has_a_part_reads_all_and_who_had_one_until_it_ended(
    facts: tuple[Fact, ...], reads: dict[str, Any]
) -> None:
    standing = after(*facts)
    assert {unit: read(standing, unit) for unit in reads} == reads


def test_a_department_does_not_see_what_concerns_the_unit_above_it() -> None:
    """In the shipped tree, only the county has departments."""
    standing = after(triage.IncidentOpened.model_validate({**OPENED.model_dump(), "unit": "county"}))
    assert {unit: read(standing, unit) for unit in ("county", "county-roads", "town-east")} == {
        "county": "all",
        "county-roads": None,
        "town-east": None,
    }


def test_who_reads_a_matter_reads_what_was_merged_into_it() -> None:
    known = {"a": Standing("town-east", merged=Moment(3, "3"), into="b"), "b": Standing("town-west")}
    assert reading_of(known, "a", {"town-west"}) == Reading()
    assert reading_of(known, "a", {"town-east"}) == Reading(Moment(3, "3"))
    assert reading_of(known, "b", {"town-east"}) is None
    assert reading_of(known, "c", {"town-east"}) is None


def test_a_part_where_a_merged_matter_goes_on_counts_for_it_as_far_as_it_lasted_beyond_the_merger() -> None:
    into = Standing("county", past={"town-west": Moment(40, "2"), "town-east": Moment(60, "4")})
    known = {"a": Standing("county-roads", merged=Moment(3, "3"), into="b"), "b": into}
    assert reading_of(known, "a", {"town-west"}) is None, "its part ended before the merger"
    assert reading_of(known, "a", {"town-east"}) == Reading(Moment(3, "4")), "the version is one of the matter itself"
    further = {**known, "b": Standing("county", merged=Moment(9, "5"), into="c"), "c": into}
    assert reading_of(further, "a", {"town-east"}) is None


def test_the_widest_reading_counts() -> None:
    early, late = Reading(Moment(9, "1")), Reading(Moment(1, "2"))
    assert widest([None, early, late]) == late
    assert widest([late, Reading(), early]) == Reading()
    assert widest([None]) is None


def test_every_event_that_changes_a_standing_is_named_for_those_who_look_for_it() -> None:
    words = {"ref": "01890a5d-ac96-774b-bcce-b302099a8057", "digest": "0" * 64}
    filled = {**OPENED.model_dump(), "previous": "county", "into": OTHER, "reason": words, "text": words}
    for model in catalogue.types().values():
        data = model.model_construct(**{name: filled.get(name) for name in model.model_fields})
        assert (triage.standing_of(data) is not None) == (model in triage.STANDING), model
