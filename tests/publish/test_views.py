"""Read models: what publish knows of an incident. A replay gives the stored rows."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.envelope import Event
from schemas.fields import Fact, instant
from schemas.triage import (
    IncidentAbsorbed,
    IncidentAccepted,
    IncidentAssigned,
    IncidentCategorized,
    IncidentClassified,
    IncidentClosed,
    IncidentDoubtJudged,
    IncidentFactRevised,
    IncidentFlagCleared,
    IncidentFlagSet,
    IncidentHarmJudged,
    IncidentMerged,
    IncidentPolicyMoved,
    IncidentRegraded,
    IncidentReopened,
    IncidentReportAttached,
    IncidentReportDetached,
    IncidentResolved,
    IncidentReturned,
    IncidentTransferred,
)
from schemas.verification import Verification
from services.kernel.core.ids import derived
from services.kernel.rules.conditions import Figures
from services.publish import seen, views
from services.publish.rights import Incident
from services.publish.writing.binding import Established
from tests.kit import spec
from tests.publish.conftest import INCIDENT, Office, established, graded, opened

OTHER, REPORT = f"incident-{derived('other')}", f"report-{derived('other')}"
LAST = instant(spec.NOW - timedelta(minutes=1))
"""When the kit records the last of some events."""


def a(model: type[Fact], **data: Any) -> Fact:
    return model.model_validate(data)


POLICY = spec.offices().assigned["city"]
ASSIGNED = a(IncidentAssigned, unit="county-roads", reason="属道路")
RAISED = a(IncidentRegraded, level="major", rank=2, previous="general", previous_rank=1, reason="点击过千")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([], {}),
        ([graded()], {"level": "general", "rank": 1}),
        ([graded(), RAISED], {"level": "major", "rank": 2}),
        ([a(IncidentClassified, answer_kind="status")], {"answer_kind": "status"}),
        ([a(IncidentCategorized, category="roads")], {"category": "roads"}),
        ([ASSIGNED, a(IncidentAccepted, unit="county-roads")], {"assigned": "county-roads"}),
        ([ASSIGNED, a(IncidentReturned, unit="county-roads", reason="不属本局")], {"assigned": None}),
        ([a(IncidentTransferred, unit="town-west", previous="town-east", reason="属西镇")], {"unit": "town-west"}),
        ([graded(), a(IncidentPolicyMoved, policy=POLICY, previous=POLICY)], {"policy": POLICY}),
        ([a(IncidentResolved, reason="已修好")], {"state": "resolved"}),
        ([a(IncidentResolved, reason="已修好"), a(IncidentClosed, reason="完成")], {"state": "closed"}),
        (
            [a(IncidentResolved, reason="已修好"), a(IncidentReopened, reason="又塌")],
            {"state": "open", "reopened_at": LAST},
        ),
        ([a(IncidentDoubtJudged, doubtful=True, reason="数字不一")], {"doubtful": True}),
        ([a(IncidentHarmJudged, harm=2, reason="有人受伤")], {"harm": 2}),
        ([a(IncidentFlagSet, flag="sudden"), a(IncidentFlagSet, flag="food")], {"flags": "food sudden"}),
        ([a(IncidentFlagSet, flag="sudden"), a(IncidentFlagCleared, flag="sudden", reason="不属")], {"flags": ""}),
        ([a(IncidentMerged, into=OTHER)], {"state": "merged", "merged_into": OTHER, "merged_at": LAST}),
        ([a(IncidentAbsorbed, incident=OTHER, reports=(REPORT,), discovered_at=spec.NOW)], {"reports": 2}),
        ([a(IncidentReportAttached, report=REPORT, unit="town-east", discovered_at=spec.NOW)], {"reports": 2}),
        ([a(IncidentReportDetached, report=REPORT, to=OTHER)], {"reports": 0}),
    ],
)
def test_an_incident_as_publish_sees_it(facts: list[Fact], expected: dict[str, Any]) -> None:
    (view,) = (view for view in views.VIEWS if view.table.name == "incidents")
    events = spec.events("incident", [opened(), *facts])
    start = {"id": INCIDENT, "unit": "town-east", "state": "open", "version": len(events)}
    start |= {"opened_at": events[0].recorded_text, "verification": Verification().model_dump_json()}
    start |= {"drill": False, "doubtful": False, "flags": "", "reports": 1, "has_material": False}
    nothing = dict.fromkeys(
        (
            "policy",
            "assigned",
            "level",
            "rank",
            "answer_kind",
            "category",
            "channel",
            "harm",
            "merged_into",
            "merged_at",
            "reopened_at",
            "number",
        )
    )
    row = None
    for event in events:
        row = view.apply((INCIDENT,), row, event)
    assert row == start | nothing | expected


def test_what_was_never_opened_or_drafted_gives_no_row() -> None:
    (graded_only,) = spec.events("incident", [graded()])
    for view in views.VIEWS:
        for key in view.keys(graded_only):
            assert view.apply(key, None, graded_only) is None


async def test_a_decision_sees_facts_and_level(office: Office) -> None:
    await office.incident(established("cause"), established("place"), ASSIGNED)
    revised = {"key": "cause", "kind": "yes_no", "yes": False, "source": "复查"}
    await office.incident(a(IncidentFactRevised, **revised))
    async with office.runtime.database.read() as connection:
        assert await seen.read_incident(connection, OTHER) is None
        assert await seen.read_incident(connection, INCIDENT) == Incident(
            INCIDENT,
            version=6,
            verification=Verification(facts=("county",)),
            unit="town-east",
            assigned="county-roads",
            level="general",
            rank=1,
            figures=Figures(reports=1),
            facts=frozenset({"cause", "place"}),
            established=(
                Established("cause", INCIDENT, 6, "yes_no", yes=False),
                Established("place", INCIDENT, 4, "yes_no", yes=True),
            ),
        )


async def test_a_replay_gives_the_rows_that_were_stored(office: Office) -> None:
    await office.incident(established())
    rejected = await office.draft()
    await office.act(rejected, "submit", "handler")
    await office.act(rejected, "reject", "approver", {"reason": "数字不准"})
    id_ = await office.published(kind="facts", facts=["cause"])
    await office.act(id_, "correct", "spokesperson", {"text": "改", "reason": "写错"})
    await office.act(id_, "withdraw", "spokesperson", {"reason": "不实"})
    tables = office.runtime.tables
    async with office.runtime.database.read() as connection:
        stored = await connection.execute(tables["events"].select().order_by(tables["events"].c.seq))
        events = [Event.parse(row.bytes) for row in stored]
        for view in views.VIEWS:
            if view.table.name not in ("statements", "releases"):
                continue
            rows: dict[Any, Any] = {}
            for event in events:
                for key in view.touched(event):
                    rows[key] = view.apply(key, rows.get(key), event)
            names = [column.name for column in view.table.primary_key.columns]
            kept = [dict(row) for row in (await connection.execute(view.table.select())).mappings()]
            assert {tuple(row[name] for name in names): row for row in kept} == rows
            assert len(rows) == {"statements": 2, "releases": 3}[view.table.name]
