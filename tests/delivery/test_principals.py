"""Brokers over TLS, on which each service has a name of its own and the rights of `deploy/kafka/acls.sh`."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import native
from deploy.native import HERE, LOOPBACK, free_port
from services.kernel.delivery.log import LogGone, Partition
from services.kernel.delivery.log.kafka import KafkaLog
from services.kernel.settings import Settings
from tests.kit import stack, substrate
from tests.kit.stack import SERVICES, DeployedWorld
from tests.kit.tls import certified

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(360)]
NAMES, PREFIX = (*SERVICES, "operator"), "guarded"


def word(name: str) -> str:
    return f"the password of {name}".replace(" ", "-")


class Guarded:
    """A broker that takes nobody without a name and a password, and nobody without TLS."""

    def __init__(self, folder: Path) -> None:
        self.authority = certified(folder)
        inner, outer, controller = free_port(), free_port(), free_port()
        self.address = f"{LOOPBACK}:{outer}"
        config = {
            # Tools of the test are administrators, by a listener without names.
            "listeners": f"BROKER://{LOOPBACK}:{inner},GUARDED://{self.address},CONTROLLER://{LOOPBACK}:{controller}",
            "advertised.listeners": f"BROKER://{LOOPBACK}:{inner},GUARDED://{self.address}",
            "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
            "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_SSL",
            "listener.name.guarded.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.guarded.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "listener.name.guarded.ssl.keystore.type": "PEM",
            "listener.name.guarded.ssl.keystore.location": str(folder / "broker.pem"),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            **substrate.SESSIONS,
        }
        users = {f"{PREFIX}-{name}": word(name) for name in NAMES}
        self.broker = native.start_kafka(folder / "broker", inner, config, users)

    def grant(self, prefix: str, folder: Path) -> None:
        """Runs the script of the rights."""
        tool = folder / "kafka-acls.sh"
        tool.write_text(f'#!/bin/sh\nexec {shlex.join(self.broker.java("org.apache.kafka.tools.AclCommand"))} "$@"\n')
        tool.chmod(0o700)
        environment = {**os.environ, "HUIYING_PREFIX": prefix, "KAFKA_ACLS": str(tool)}
        command = [str(HERE / "kafka" / "acls.sh"), "--bootstrap-server", self.broker.address]
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True)

    def settings(self, name: str, **more: Any) -> Settings:
        """How a service reaches it."""
        return Settings(
            **{
                "kafka": self.address,
                "kafka_tls": True,
                "kafka_ca": self.authority,
                "kafka_user": f"{PREFIX}-{name}",
                "kafka_password": word(name),
                "partitions": 4,
                **more,
            }
        )


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path_factory.mktemp("guarded"))
    yield made
    made.broker.kill()


class NamedWorld(DeployedWorld):
    """Each service has a name of its own on the brokers; the command line is the operator."""

    def own(self, part: str) -> dict[str, str]:
        service = part.partition(".")[0]
        return {
            **super().own(part),
            "HUIYING_KAFKA_USER": f"{PREFIX}-{service}",
            "HUIYING_KAFKA_PASSWORD": word(service),
        }


@pytest.fixture(scope="module")
def world(guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamedWorld]:
    database, folder = substrate.new_databases("principals"), tmp_path_factory.mktemp("principals")
    environment = {
        "HUIYING_KAFKA_TLS": "true",
        "HUIYING_KAFKA_CA": str(guarded.authority),
        "HUIYING_PREFIX": PREFIX,
        "HUIYING_KAFKA_USER": f"{PREFIX}-operator",
        "HUIYING_KAFKA_PASSWORD": word("operator"),
    }
    guarded.grant(PREFIX, folder)
    try:
        with stack.started(NamedWorld(folder, database, guarded.address, **environment)) as made:
            yield made
    finally:
        substrate.drop_databases(database)


def test_a_report_goes_through_every_service_with_the_rights_of_its_owner_alone(world: NamedWorld) -> None:
    id_ = world.post("each under its own name").json()["report_id"]
    world.incident(id_)
    world.check()
    assert id_ in {event["subject"] for event in world.events(type="huiying.report.received.v1")}


async def test_a_service_writes_no_topic_of_another(world: NamedWorld, guarded: Guarded) -> None:
    """Triage reads what came in, and could otherwise write what nobody sent."""
    log = KafkaLog(guarded.settings("triage", prefix=PREFIX, send_seconds=4))
    try:
        before = await log.ends(["ingest.report"])
        with pytest.raises(LogGone, match="TopicAuthorizationFailed"):
            await log.append({Partition("ingest.report", 0): [(b"key", b"value")]})
        assert await log.ends(["ingest.report"]) == before
    finally:
        await log.stop()


def test_a_password_may_stand_in_a_file_of_secrets(tmp_path: Path) -> None:
    (tmp_path / "huiying_kafka_password").write_text("from a file\n")
    found = Settings(kafka_user="huiying-triage", kafka_tls=True, _secrets_dir=tmp_path)  # type: ignore[call-arg]
    assert found.kafka_password.get_secret_value() == "from a file"


def test_an_empty_variable_hides_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "huiying_secret").write_text("from a file")
    monkeypatch.setenv("HUIYING_SECRET", "")
    monkeypatch.setenv("HUIYING_KAFKA_CA", "")
    found = Settings(_secrets_dir=tmp_path)  # type: ignore[call-arg]
    assert (found.secret.get_secret_value(), found.kafka_ca) == ("from a file", None)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kafka_user": "huiying-triage"}, "set both"),
        ({"kafka_user": "huiying-triage", "kafka_password": "one"}, "without TLS"),
        ({"kafka_password": "alone"}, "set both"),
        ({"kafka_ca": HERE / "native.py"}, "of no use without"),
        ({"kafka_ca": HERE / "no-such-file", "kafka_tls": True}, "no file"),
    ],
)
def test_half_a_setting_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**wrong)


async def test_a_topic_that_a_service_may_not_read_is_told_with_what_to_do(world: NamedWorld, guarded: Guarded) -> None:
    log = KafkaLog(guarded.settings("ingest", prefix=PREFIX))
    try:
        with pytest.raises(LogGone, match=r"escalation\.roster, or guarded-ingest may not read it: see deploy/kafka"):
            await log.ends(["escalation.roster"])
    finally:
        await log.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kafka_password": "another"},
        {"kafka_user": "", "kafka_password": ""},
        {"kafka_tls": False, "kafka_ca": None, "kafka_user": "", "kafka_password": ""},
        {"kafka_ca": None},
    ],
    ids=["password", "no name", "no TLS", "unknown authority"],
)
async def test_who_does_not_prove_a_name_to_brokers_of_a_known_authority_reaches_nothing(
    guarded: Guarded, wrong: dict[str, Any]
) -> None:
    log = KafkaLog(guarded.settings("triage", **wrong))
    with pytest.raises(LogGone, match="do not answer"):
        await log.create_topics(["triage.incident"], [])
    await log.stop()
