"""Somebody writes statements straight to a topic. Whoever reads them believes only what posts signed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.envelope import Event, seal
from schemas.publish import Signature, StatementPublished, StatementWithdrawn
from services.apps import embedded, operate
from services.apps.embedded import Embedded
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery.log import Partition
from services.kernel.serving import process
from services.kernel.serving.commands import Caller
from services.kernel.store.session import partition_of
from services.publish.verifying import post_keys
from tests.delivery import sites
from tests.kit.stack import DeployedWorld, until
from tests.kit.stores import rows

READERS = ("triage", "escalation", "audit")
POST = "spokesperson@county"


def forged(source: str, now: Any, signature: Signature | None) -> Event:
    """A publication or, if somebody signed it, a withdrawal that nobody decided, of a statement that nobody wrote."""
    matter, said = f"incident-{uuid7()}", {"title": "路灯已修复", "text": "已全部修复。"}
    published = StatementPublished(incident=matter, unit="county", kind="status", by="0" * 64, **said)
    withdrawn = StatementWithdrawn(reason="另行通报", by="0" * 64, signature=signature)
    fact = withdrawn if signature else published
    return seal(
        fact,
        id=uuid7(),
        source=source,
        stream=f"statement-{uuid7()}",
        version=1,
        previous=None,
        time=now,
        recorded=now,
        partitionkey=matter,
        actor=POST,
        correlation=matter,
        unit="county",
    )


def by_nobody(key: str = "a" * 64) -> Signature:
    return Signature(key=key, post=POST, value="0" * 128)


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Embedded]:
    monkeypatch.setattr(process, "OWN_SECONDS", 0.1)
    async with embedded.running(embedded.Settings(data=tmp_path / "data")) as made:
        yield made


async def letters(here: Embedded, service: str) -> dict[str, str]:
    found = await rows(here.runtimes[service], "dead_letters", "stream_id", "reason", "state", "consumer")
    return {stream: reason for stream, reason, state, consumer in found if (state, consumer) == ("open", service)}


async def test_a_publication_that_nobody_signed_has_no_effect_anywhere(here: Embedded) -> None:
    publish = here.runtimes["publish"]
    kid = await post_keys.create(publish, Caller(), POST)
    await here.settle()
    source, now = here.settings.source("publish"), publish.time_source.now()
    events = {
        reason: forged(source, now, signature)
        for reason, signature in {"unsigned": None, "forged": by_nobody(kid), "awaited": by_nobody()}.items()
    }
    for event in events.values():
        place = Partition(event.topic, partition_of(event.partitionkey, here.settings.partitions))
        await here.log.append({place: [(event.partitionkey.encode(), event.bytes)]})
    await here.settle()
    wanted = {"unsigned": "unproven", "forged": "unproven", "awaited": "awaited"}
    for service in READERS:
        assert await letters(here, service) == {events[name].stream: reason for name, reason in wanted.items()}
        cursors = await rows(here.runtimes[service], "stream_cursor", "stream_id", "version")
        assert {version for stream, version in cursors if stream.startswith("statement-")} == {0}
    kept = await rows(here.runtimes["audit"], "timeline", "stream_id")
    assert not {event.stream for event in events.values()} & {stream for (stream,) in kept}
    found = await operate.check_stores(operate.Stores(here.runtimes, here.log, here), 5)
    assert any("is a dead letter" in fault and "nobody signed it" in fault for fault in found.faults)


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.timeout(360)
def test_it_is_the_same_on_kafka_and_postgresql(deployed_world: DeployedWorld) -> None:
    world = deployed_world
    made = world.run("keys", "post", "create", "--post", POST)
    assert made.returncode == 0, made.stderr
    kid = made.stdout.strip()
    for service in READERS:
        until(lambda service=service: _knows(world, service, kid), f"{service} has the key")  # type: ignore[misc]
    source, now = sites.settings(world).source("publish"), datetime.now(UTC)
    events = [forged(source, now, None), forged(source, now, by_nobody(kid)), forged(source, now, by_nobody())]
    for event in events:
        sites.write(world, event.topic, {sites.place(event.partitionkey): [event.bytes]})
    reasons = ["unproven", "unproven", "awaited"]
    wanted = sorted(zip([event.stream for event in events], reasons, strict=True))
    for service in READERS:
        until(lambda service=service: _letters(world, service) == wanted, f"{service} set them aside")  # type: ignore[misc]
    world.restart("publish.api")
    for service in ("publish", *READERS):
        with sites.database(world, service) as connection:
            chosen = "select id from dead_letters where state = 'open'"
            ids = [id_ for (id_,) in connection.execute(chosen).fetchall()]
        for id_ in ids:
            done = world.run("redrive", id_, "--service", service, "--reason", "nobody signed it", "--discard")
            assert done.returncode == 0, done.stderr
    world.check()


def _knows(world: DeployedWorld, service: str, kid: str) -> bool:
    with sites.database(world, service) as connection:
        return connection.execute("select 1 from post_keys where kid = %s", [kid]).fetchone() is not None


def _letters(world: DeployedWorld, service: str) -> list[tuple[str, str]]:
    with sites.database(world, service) as connection:
        chosen = "select stream_id, reason from dead_letters where state = 'open' and consumer = %s"
        return sorted(connection.execute(chosen, [service]).fetchall())
