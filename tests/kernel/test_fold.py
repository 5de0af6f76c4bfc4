"""Views fold as their declaration says."""

from dataclasses import replace
from pathlib import Path

import pytest

from schemas import catalogue
from schemas.ingest import ReportReachMeasured
from services.apps.serve import load
from services.kernel.store.session import Session
from services.kernel.store.views import View
from tests.kit import small, spec
from tests.kit.stores import runtime


async def test_a_row_that_several_streams_touch_is_not_one_streams(tmp_path: Path) -> None:
    fact = ReportReachMeasured(clicks=1, measured_at=spec.NOW)
    events = [event for number in (1, 2) for event in spec.events("report", [fact], f"{number:08}{spec.UUID[8:]}")]
    async with runtime(small.triage(), tmp_path, "sqlite") as made, made.database.transaction() as connection:
        session = Session(made.service, made.settings, connection, spec.NOW)
        view = made.service.views[0]
        shared = replace(view, keys=lambda event: [("shared",)], apply=lambda key, row, event: None)
        await session.fold([shared], events)
        with pytest.raises(AssertionError, match="several"):
            await session.fold([replace(shared, one_stream=True)], events)


def test_a_view_is_not_asked_for_events_of_other_streams() -> None:
    (event,) = spec.events("report", [ReportReachMeasured(clicks=1, measured_at=spec.NOW)])
    view = View(small.triage().views[0].table, lambda event: [(event.kind,)], lambda key, row, event: None)

    assert list(view.touched(event)) == [("report",)]
    assert list(replace(view, kinds=("incident", "report")).touched(event)) == [("report",)]
    assert list(replace(view, kinds=("incident",)).touched(event)) == []


@pytest.mark.parametrize("name", catalogue.SERVICES)
def test_views_listen_to_streams_that_their_service_owns_or_hears(name: str) -> None:
    service = load(name)
    heard = {topic.rpartition(".")[2] for topic in (*service.topics, *catalogue.event_topics(name))}

    for view in service.views:
        assert heard.issuperset(view.kinds or ()), view.table.name
