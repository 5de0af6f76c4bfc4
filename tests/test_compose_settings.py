"""A setting that stands in `deploy/.env` reaches the containers: compose passes only the names that it lists."""

import re
from pathlib import Path
from typing import Any

import yaml

from services.kernel.settings import Settings

COMPOSE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "deploy/compose.yaml").read_text())
NOT_PASSED = {
    "data": "the image has the folder",
    "policies": "the image has the folder",
    "host": "the image listens on every address of its network",
    "port": "the image has the port, and its health check asks there",
    "clock": "a clock that is moved, for the demonstration and tests",
    "kafka_tls": "the brokers of the file are inside its network, without TLS",
    "kafka_ca": "the same",
    "kafka_user": "the same",
    "kafka_password": "the same",
    "kafka_mechanism": "the same",
}
"""Settings that nobody gives by `deploy/.env`, each with the reason."""


def test_each_setting_reaches_a_container_or_has_its_reason() -> None:
    passed = {
        name.removeprefix("HUIYING_").lower()
        for service in COMPOSE["services"].values()
        for name in service.get("environment", {})
        if name.startswith("HUIYING_")
    }
    assert Settings.model_fields.keys() - passed == NOT_PASSED.keys()
    assert passed - Settings.model_fields.keys() == set(), "a name that no setting has"


def test_the_files_beside_it_name_settings_that_exist() -> None:
    deploy = Path(__file__).parents[1] / "deploy"
    files = [*deploy.glob("compose.*.yaml"), *deploy.glob("systemd/*")]
    assert len(files) > 5
    for file in files:
        written = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("#"))
        named = set(re.findall(r"^(?:Environment=|\s*)HUIYING_([A-Z_]+)(?=[:=])", written, re.MULTILINE))
        assert {name.lower() for name in named} - Settings.model_fields.keys() == set(), file.name


def test_what_the_command_line_prints_stands_in_no_log() -> None:
    """It prints private keys and tokens."""
    assert COMPOSE["services"]["cli"]["logging"] == {"driver": "none"}
