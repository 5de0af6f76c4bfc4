"""Worlds for the delivery tests. They start once for each module, since ten processes take a while."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import stack, substrate
from tests.kit.stack import DeployedWorld, EmbeddedWorld, World


@contextlib.contextmanager
def _deployed(folder: Path) -> Iterator[DeployedWorld]:
    database = substrate.new_databases("delivery")
    try:
        with stack.deployed(folder, database) as made:
            yield made
    finally:
        substrate.drop_databases(database)


@pytest.fixture(scope="module")
def embedded_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedWorld]:
    """One process over SQLite."""
    with stack.embedded(tmp_path_factory.mktemp("embedded")) as made:
        yield made


@pytest.fixture(scope="module")
def deployed_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedWorld]:
    """Five services over Kafka and PostgreSQL. Mark the test `kafka` and `postgres`."""
    with _deployed(tmp_path_factory.mktemp("deployed")) as made:
        yield made


@pytest.fixture(params=["embedded", pytest.param("deployed", marks=[pytest.mark.kafka, pytest.mark.postgres])])
def world(request: pytest.FixtureRequest) -> World:
    """Each of the two, one after the other."""
    made: World = request.getfixturevalue(f"{request.param}_world")
    return made
