"""The log in all five services: the newest checkpoint is kept, a fork is refused, and its keys on the command line."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from schemas import catalogue
from schemas.checkpoints import CHECKPOINTS as STREAM
from schemas.checkpoints import CheckpointSigned, LogSignature
from schemas.envelope import Event, seal
from services.apps import cli, embedded
from services.apps.embedded import Embedded
from services.audit.log import keys, signing
from services.kernel.core.ids import derived
from services.kernel.delivery.log import Partition
from services.kernel.settings import Settings
from services.kernel.store import checkpoints
from services.kernel.store.session import partition_of
from services.kernel.tlog import tree
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.note import Verifier

OTHERS = [name for name in catalogue.SERVICES if name != "audit"]


async def kept(system: Embedded) -> dict[str, tuple[int, bytes]]:
    """What each service keeps."""
    found = {}
    for name, runtime in system.runtimes.items():
        async with runtime.database.read() as connection:
            of = await checkpoints.kept(connection, runtime.tables)
        found[name] = (of.size, of.root)
    return found


async def letters(system: Embedded, name: str) -> list[str]:
    """What a service set aside of the log."""
    runtime = system.runtimes[name]
    table = runtime.tables["dead_letters"]
    async with runtime.database.read() as connection:
        chosen = select(table.c.error).where(table.c.stream_id == STREAM, table.c.state == "open")
        return list((await connection.execute(chosen)).scalars())


async def forked(system: Embedded) -> Event:
    """The next checkpoint on audit's stream, as somebody writes it who has the key and rewrote the log."""
    audit = system.runtimes["audit"]
    events = audit.tables["events"]
    async with audit.database.read() as connection:
        (signer,) = await keys.signers(audit, connection, "log")
        chosen = select(events.c.bytes).where(events.c.stream_id == STREAM).order_by(events.c.version.desc()).limit(1)
        last = Event.parse((await connection.execute(chosen)).scalar_one())
    before = last.data.size
    leaves = [tree.leaf_hash(b"%d" % number) for number in range(before + 1)]
    rows, root = tree.grown(0, {}, leaves), tree.root_over(leaves)
    value = signer.sign(Checkpoint(signer.verifier.name, before + 1, root).text).value
    said = CheckpointSigned(
        origin=signer.verifier.name,
        size=before + 1,
        root=root.hex(),
        before=before,
        path=tuple(tree.hash_of(span, rows).hex() for span in tree.consistency(before, before + 1)),
        signatures=(LogSignature(key=signer.verifier.public.hex(), value=value.hex()),),
    )
    return seal(
        said,
        id=derived("forked"),
        source=str(last.attributes["source"]),
        stream=STREAM,
        version=last.version + 1,
        previous=last.digest,
        time=last.time,
        recorded=last.recorded,
        partitionkey=STREAM,
        actor="system",
    )


@pytest.mark.requirement("AUD-01")
def test_all_services_keep_the_newest_checkpoint_and_refuse_a_fork(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=tmp_path, checkpoint_seconds=3600)

    async def signs() -> None:
        async with embedded.running(settings) as system:
            await signing.sign(system.runtimes["audit"])
            await system.settle()
            found = await kept(system)
            assert len(set(found.values())) == 1 and found["ingest"][0] > 0, found

    asyncio.run(signs())
    assert cli.execute(["check", "--data", str(tmp_path)]) == 0
    with closing(sqlite3.connect(tmp_path / "triage.sqlite")) as triage, triage:
        (root,) = triage.execute("select root from log_kept").fetchone()
        triage.execute("update log_kept set root = ?", [root[::-1]])
    capsys.readouterr()
    assert cli.execute(["check", "--data", str(tmp_path)]) == 1
    assert "triage holds a signed checkpoint" in "".join(capsys.readouterr())
    with closing(sqlite3.connect(tmp_path / "triage.sqlite")) as triage, triage:
        triage.execute("update log_kept set root = ?, size = size + 1000", [root])
    assert cli.execute(["check", "--data", str(tmp_path)]) == 1
    assert "audit's log has not so many" in "".join(capsys.readouterr())
    with closing(sqlite3.connect(tmp_path / "triage.sqlite")) as triage, triage:
        triage.execute("update log_kept set size = size - 1000")

    async def is_refused() -> None:
        async with embedded.running(settings) as system:
            before = await kept(system)
            event = await forked(system)
            place = Partition(event.topic, partition_of(STREAM, settings.partitions))
            await system.log.append({place: [(STREAM.encode(), event.bytes)]})
            async with asyncio.timeout(20):
                for name in OTHERS:
                    while not (said := await letters(system, name)):
                        await asyncio.sleep(0.05)
                    assert "the log was rewritten" in said[0]
            assert await kept(system) == before

    asyncio.run(is_refused())


def typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code, and what was printed since."""
    capsys.readouterr()
    code = cli.execute(arguments)
    return code, capsys.readouterr().out


def test_keys_of_the_log_are_listed_rotated_and_revoked_and_a_witness_is_made_in_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path)]

    async def begin() -> None:
        async with embedded.running(Settings(data=tmp_path)):
            pass

    def listed() -> dict[str, tuple[str, bool]]:
        rows = json.loads(typed(capsys, "keys", "log", "list", "--json", *data)[1])
        return {row["vkey"]: (row["use"], row["revoked_at"] is None) for row in rows}

    asyncio.run(begin())
    (first,) = (vkey for vkey, (use, _) in listed().items() if use == "log")
    code, said = typed(capsys, "keys", "log", "rotate", *data)
    second = said.strip()
    assert code == 0 and Verifier.parse(second).name == Verifier.parse(first).name
    assert typed(capsys, "keys", "log", "revoke", first, "--reason", "lost", *data) == (0, f"{first} was revoked\n")
    assert (listed()[first], listed()[second]) == (("log", False), ("log", True))
    assert typed(capsys, "keys", "log", "revoke", "nobody", "--reason", "lost", *data)[0] == 2

    town = Verifier("town.example/log", bytes.fromhex("11" * 32)).vkey
    code, said = typed(capsys, "witness", "add", town, *data)
    address, key = said.split()
    assert code == 0 and address.endswith("/witness") and listed()[key] == ("witness", True)
    (row,) = json.loads(typed(capsys, "witness", "list", "--json", *data)[1])
    assert (row["origin"], row["size"]) == ("town.example/log", 0)
    assert typed(capsys, "witness", "add", key, *data)[0] == 2, "a witness is no log"
    assert typed(capsys, "witness", "drop", "town.example/log", *data)[0] == 0
    assert typed(capsys, "witness", "drop", "town.example/log", *data)[0] == 2
    assert cli.execute(["check", *data]) == 0
    assert cli.execute(["replay", *data]) == 0
