"""A world for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.audit.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Audit, started, with the units placed."""
    world = World(tmp_path)
    await world.start()
    await world.units()
    yield world
    await world.stop()
