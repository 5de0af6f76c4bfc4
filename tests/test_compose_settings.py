"""A setting that stands in `deploy/.env` reaches the containers: compose passes only the names that it lists."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from deploy import native
from services.kernel.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
OVERLAYS = [*sorted(DEPLOY.glob("compose.*.yaml")), DEPLOY / "pitr.yaml"]
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


def test_overlays_add_to_what_others_say_of_postgresql_and_replace_nothing() -> None:
    targets = list[str]()
    for file in OVERLAYS:
        for name, service in yaml.safe_load(file.read_text())["services"].items():
            if name in COMPOSE["services"]:
                assert {"command", "entrypoint"}.isdisjoint(service), f"{file.name} replaces what others say of {name}"
            if name == "postgres":
                targets += [one.split(":")[1] for one in service.get("volumes", ()) if isinstance(one, str)]
    assert len(targets) == len(set(targets)), "of two mounts at one place the last one wins"
    mounted = {one.rpartition("/")[2] for one in targets if one.startswith("/etc/postgresql/conf.d/")}
    assert mounted == {one.name for one in (DEPLOY / "postgres/conf.d").glob("*.conf")} - {"base.conf"}


def test_postgresql_reads_the_settings_of_all_overlays_together(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "postgres/conf.d", tmp_path / "conf.d")
    (tmp_path / "data").mkdir(mode=0o700)
    text = (DEPLOY / "postgres/postgresql.conf").read_text().replace("/var/lib/postgresql/data", f"{tmp_path}/data")
    (tmp_path / "postgresql.conf").write_text(text.replace("/etc/postgresql", str(tmp_path)))

    def shown(name: str) -> str:
        said = [
            native.postgres_programs() / "postgres",
            "-C",
            name,
            "-D",
            tmp_path / "data",
            "-c",
            f"config_file={tmp_path}/postgresql.conf",
        ]
        return subprocess.run(said, check=True, capture_output=True, text=True).stdout.strip()

    names = ("max_connections", "archive_mode", "max_slot_wal_keep_size", "ssl", "hba_file")
    assert [shown(name) for name in names] == ["300", "on", "10240", "on", "/etc/postgresql/pg_hba_tls.conf"]


def test_what_the_command_line_prints_stands_in_no_log() -> None:
    """It prints private keys and tokens."""
    assert COMPOSE["services"]["cli"]["logging"] == {"driver": "none"}
