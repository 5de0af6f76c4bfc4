"""One report over Kafka and PostgreSQL is one tree of spans, of ten processes."""

import asyncio
import uuid
from pathlib import Path

import pytest

from schemas.envelope import Event
from services.kernel.core.traces import read
from services.kernel.delivery.log.kafka import KafkaLog
from services.kernel.settings import Settings
from tests.kit import collector, stack, substrate
from tests.kit.collector import Taken
from tests.kit.stack import until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(400)]


async def headers(settings: Settings, topic: str) -> dict[str, bytes | None]:
    """Event -> the header beside it."""
    log, found = KafkaLog(settings), dict[str, bytes | None]()
    try:
        for partition, end in (await log.ends([topic])).items():
            async for records in log.read(partition, 0, end):
                found |= {Event.parse(one.value).id: one.traceparent for one in records}
    finally:
        await log.stop()
    return found


def test_a_report_is_one_tree_across_five_services(tmp_path: Path) -> None:
    database, brokers = substrate.new_databases("traces"), substrate.kafka()
    try:
        with (
            collector.listening() as found,
            stack.deployed(tmp_path, database, brokers, HUIYING_TRACES=found.address) as world,
        ):
            said = world.post(f"traced {uuid.uuid4()}", traceparent=f"00-{'a' * 32}-{'b' * 16}-01").json()
            incident = world.incident(said["report_id"])["id"]
            trace = incident.partition("-")[2].replace("-", "")
            takers = {("escalation", "take incident.opened.v1"), ("publish", "take incident.opened.v1")}
            takers |= {("audit", f"take {name}.v1") for name in ("report.received", "incident.opened", "clock.started")}

            def mine() -> list[Taken]:
                return [one for one in list(found.spans) if one.trace == trace]

            def has_come() -> bool:
                there = mine()
                whole = {one.id for one in there} >= {one.parent for one in there if one.parent}
                return whole and {(one.service, one.name) for one in there} >= takers

            until(
                has_come,
                lambda: f"spans of all services: {sorted((one.service, one.name) for one in mine())}\n{world.logs()}",
                120,
            )
            settings = Settings(data=tmp_path, kafka=brokers, database=database, prefix=world.prefix)
            beside = asyncio.run(headers(settings, "ingest.report"))
        (root,) = (one for one in mine() if one.name == "POST /ingest/v1/reports")
        assert (root.parent, root.links) == ("", (("a" * 32, "b" * 16),))
        known = found.by_id()
        for span in mine():
            way = [span]
            while way[-1].parent:
                way.append(known[trace, way[-1].parent])
            # What a timer or a finding records has no caller.
            itself = way[-1].name.startswith(("record clock.", "record finding."))
            assert way[-1] == root or itself, f"{span} stands apart"
            assert [one.began for one in way] == sorted((one.began for one in way), reverse=True)
        (header,) = beside.values()
        place = read(header)
        (sent,) = (one for one in mine() if one.name == f"send {world.prefix}.ingest.report")
        assert place is not None and f"{place.span:016x}" == sent.id and place.sampled
    finally:
        substrate.drop_databases(database)
