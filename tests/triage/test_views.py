"""Read models: the same events in any order of topics and streams give equal rows."""

import random
from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from schemas import ingest, triage
from schemas.envelope import Event
from schemas.operation import OperationSuggested
from services.kernel.core.ids import derived
from services.kernel.serving.validation import AUTHOR_FIELDS
from services.kernel.store.views import Key, Row
from services.triage.views import VIEWS
from tests.kit.spec import NOW, At, events
from tests.triage.conftest import words

A, B = derived("a"), derived("b")
R = [derived(f"report{number}") for number in range(3)]
REPORTS = [f"report-{uuid}" for uuid in R]


def received(name: str) -> ingest.ReportReceived:
    """Ingest's events about a report."""
    return ingest.ReportReceived(
        unit="town-east",
        channel="board",
        discovered_at=NOW,
        subject=words(f"{name} subject"),
        text=words(name),
        match_key="0" * 64,
        receipt="0" * 64,
    )


STREAMS: tuple[list[Event], ...] = (
    events("report", [received("r0"), ingest.ReportReachMeasured(clicks=5, measured_at=NOW)], R[0]),
    events("report", [received("r1")], R[1]),
    events(
        "incident",
        [
            triage.IncidentOpened(unit="town-east", report=REPORTS[0], discovered_at=NOW, match_key="0" * 64),
            triage.IncidentReportAttached(report=REPORTS[1], unit="town-east", discovered_at=NOW),
            At(triage.IncidentAssigned(unit="county-roads", reason="r"), actor="duty_officer@county"),
            At(triage.IncidentSplit(into=f"incident-{B}", reports=(REPORTS[1],)), actor="chief@county"),
            At(triage.IncidentMerged(into=f"incident-{B}"), actor="chief@county"),
        ],
        A,
    ),
    events(
        "incident",
        [
            triage.IncidentOpened(unit="town-east", report=REPORTS[1], discovered_at=NOW),
            At(
                triage.IncidentAbsorbed(
                    incident=f"incident-{A}", reports=(REPORTS[0],), discovered_at=NOW - timedelta(days=1)
                ),
                actor="chief@county",
            ),
        ],
        B,
    ),
)


def fold(events: Iterable[Event]) -> dict[tuple[str, Key], Row]:
    """The rows of every view after the events."""
    rows: dict[tuple[str, Key], Row] = {}
    for event in events:
        for view in VIEWS:
            for key in view.touched(event):
                row = view.apply(key, rows.get((view.table.name, key)), event)
                if row is None:
                    rows.pop((view.table.name, key), None)
                    continue
                assert set(row) == set(view.table.columns.keys()), view.table.name
                assert tuple(row[column.name] for column in view.table.primary_key.columns) == key
                rows[view.table.name, key] = row
    return rows


@settings(max_examples=60, deadline=None)
@examples(st.randoms(use_true_random=False))
def test_the_order_of_streams_does_not_matter(chance: random.Random) -> None:
    """Only the order within a stream is fixed."""
    waiting = [list(stream) for stream in STREAMS]
    mixed: list[Event] = []
    while any(waiting):
        mixed.append(chance.choice([stream for stream in waiting if stream]).pop(0))
    assert fold(mixed) == fold(event for stream in STREAMS for event in stream)


def test_what_the_rows_say() -> None:
    rows = fold(event for stream in STREAMS for event in stream)
    a, b = rows["incidents", (f"incident-{A}",)], rows["incidents", (f"incident-{B}",)]
    assert (a["state"], a["reports"], a["version"], a["revision"]) == ("merged", 1, 5, 3)
    assert (b["state"], b["reports"], b["revision"]) == ("open", 2, 1)
    assert b["discovered_at"] < a["discovered_at"]
    belongs = {key[1]: row["active"] for key, row in rows.items() if key[0] == "incident_reports"}  # type: ignore[misc]
    assert belongs == {
        (REPORTS[0], f"incident-{A}"): True,
        (REPORTS[1], f"incident-{A}"): False,
        (REPORTS[0], f"incident-{B}"): True,
        (REPORTS[1], f"incident-{B}"): True,
    }
    assert rows["measurements", (REPORTS[0], 2)]["clicks"] == 5


@pytest.mark.requirement("ING-02")
def test_no_table_has_a_place_for_a_person() -> None:
    columns = {column.name for view in VIEWS for column in view.table.c} - {"name"}  # a unit has a name
    assert not columns & AUTHOR_FIELDS


def test_of_two_suggestions_for_a_matter_the_first_one_counts_in_any_order() -> None:
    first, second = (
        events("operation", [At(OperationSuggested(incident=f"incident-{A}", unit=unit), time=at)], uuid=uuid)
        for unit, at, uuid in (("county-roads", NOW, A), ("county-water", NOW + timedelta(hours=1), B))
    )
    rows = [fold(told)["suggested", (f"incident-{A}",)] for told in ((*first, *second), (*second, *first))]
    assert rows[0] == rows[1]
    assert (rows[0]["unit"], rows[0]["category"]) == ("county-roads", None)
