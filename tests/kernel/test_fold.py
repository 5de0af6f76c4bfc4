"""Views fold as their declaration says."""

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.ingest import ReportReachMeasured
from services.kernel.store.session import Session
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
