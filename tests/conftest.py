"""What every test shares: the markers."""

import pytest

MARKERS = (
    "requirement(id): the requirement of tests/requirements.txt that the test proves",
    "kafka: needs a Kafka broker; one is started when none is named",
    "postgres: needs a PostgreSQL server; one is started when none is named",
    "chromium: needs Chromium",
    "chaos: long runs with many kills; only by `make chaos`",
    "containers: runs against a Docker engine; only by `make test-containers`",
)


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
