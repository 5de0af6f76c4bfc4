"""Fixtures of several kernel tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.kernel.delivery.runtime import Runtime
from tests.kit import small
from tests.kit.stores import runtime


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def triage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    """A small triage, on both databases."""
    async with runtime(small.triage(), tmp_path, request.param) as made:
        yield made
