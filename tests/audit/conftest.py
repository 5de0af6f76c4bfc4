"""A new world for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.audit.world import World
from tests.kit import substrate


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Audit, started, with the units placed."""
    template = (
        substrate.new_databases("t", services=("audit",), with_tables=True) if request.param == "postgres" else ""
    )
    world = World(tmp_path, template.format(service="audit"))
    await world.start()
    await world.units()
    yield world
    await world.stop()
    if template:
        substrate.drop_databases(template)
