"""Witnesses: one deployment cosigns the log of another, and never two histories of it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.log import keys, witnessing
from services.audit.log.witnessing import Said, Witness
from services.kernel.delivery.recovery import RESTORED
from services.kernel.delivery.relay import Relay
from services.kernel.serving.commands import Caller
from services.kernel.tlog import note, tree
from services.kernel.tlog.checkpoint import Checkpoint, opened
from services.kernel.tlog.note import Note, Signer, Verifier
from services.kernel.tlog.witness import Request
from tests.audit.log.test_growing import reports
from tests.audit.log.test_log_api import fetched
from tests.audit.log.test_signing import ORIGIN, signed, verifiers
from tests.audit.world import World

TOWN = Signer("town.example/log", Ed25519PrivateKey.from_private_bytes(b"t" * 32))
LEAVES = [tree.leaf_hash(b"%d" % number) for number in range(50)]
FORKED = [tree.leaf_hash(b"another"), *LEAVES[1:]]


def request(old: int, new: int, leaves: list[bytes] = LEAVES, by: Signer = TOWN, origin: str | None = None) -> bytes:
    """What a log sends to a witness."""
    rows = tree.grown(0, {}, leaves)
    path = tuple(tree.hash_of(span, rows) for span in tree.consistency(min(old, new), new))
    text = Checkpoint(origin or by.verifier.name, new, tree.root_over(leaves[:new])).text
    return Request(old, path, note.signed(text, [by]).written).written


async def shown(world: World, body: bytes) -> Said:
    """The answer of the world as a witness."""
    async with world.client() as client:
        client.headers.pop("Authorization")
        answer = await client.post("/witness/add-checkpoint", content=body)
    kind = answer.headers.get("content-type", "").partition(";")[0]
    return Said(answer.status_code, kind, answer.content)


async def key_of(world: World) -> Verifier:
    async with world.runtime.database.read() as connection:
        (found,) = await keys.believed(connection, "witness")
    return found


@pytest.fixture
async def witness(world: World) -> World:
    """A witness that knows the town's log."""
    await witnessing.know(world.runtime, Caller(), TOWN.verifier.name, (TOWN.verifier.public.hex(),))
    return world


async def held(world: World) -> list[tuple[str, int]]:
    async with world.runtime.database.read() as connection:
        return [(row["origin"], row["size"]) for row in await witnessing.known(connection)]


async def test_it_cosigns_what_only_grows(witness: World) -> None:
    key = await key_of(witness)
    size = 0
    for new in (0, 3, 3, 8, 50):
        body = request(size, new)
        said = await shown(witness, body)
        assert said.status == 200, said
        checkpoint = Note.parse(Request.parse(body).checkpoint)
        found = opened(checkpoint.signed_by(*note.lines(said.body)).written, TOWN.verifier.name, [TOWN.verifier], [key])
        assert found.by[key].at == int(witness.now.timestamp())
        size = new
    assert await held(witness) == [(TOWN.verifier.name, 50)]


async def test_a_checkpoint_that_it_holds_is_signed_again_and_nothing_is_written(witness: World) -> None:
    written = []
    for old, new in ((0, 0), (0, 8), (8, 8), (8, 8)):
        witness.now += timedelta(minutes=1)
        body = request(old, new)
        said = await shown(witness, body)
        signed_ = Note.parse(Request.parse(body).checkpoint).signed_by(*note.lines(said.body)).written
        found = opened(signed_, TOWN.verifier.name, [TOWN.verifier], [key := await key_of(witness)])
        assert found.by[key].at == int(witness.now.timestamp())
        types = [row[0] for row in await witness.rows("events", "type")]
        written.append(types.count("huiying.checkpoint.cosigned.v1"))
    assert written == [0, 1, 1, 1]


async def test_it_declines_as_the_protocol_says(witness: World) -> None:
    assert (await shown(witness, request(0, 8))).status == 200
    assert await shown(witness, request(0, 9)) == Said(409, "text/x.tlog.size", b"8\n")
    assert await shown(witness, request(0, 3)) == Said(409, "text/x.tlog.size", b"8\n")
    assert (await shown(witness, request(8, 8, FORKED))).status == 409
    assert (await shown(witness, request(8, 9, FORKED))).status == 422
    assert (await shown(witness, request(9, 8))).status == 400
    assert (await shown(witness, b"old 8\n")).status == 400
    assert (await shown(witness, b"x" * 200_000)).status == 413
    stranger = Signer(TOWN.verifier.name, Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    assert (await shown(witness, request(8, 9, by=stranger))).status == 403
    assert (await shown(witness, request(0, 9, by=Signer("other.example", stranger._private)))).status == 404
    assert await held(witness) == [(TOWN.verifier.name, 8)]
    # Its own log is none of those that it cosigns.
    assert (await shown(witness, request(0, 9, by=Signer(ORIGIN, stranger._private)))).status == 404


async def test_of_two_histories_at_once_it_cosigns_one(witness: World) -> None:
    assert (await shown(witness, request(0, 8))).status == 200
    other = [*LEAVES[:8], *FORKED[:1], *LEAVES[9:]]
    asked = [request(8, new, leaves) for new in (20, 30) for leaves in (LEAVES, other)]
    said = await asyncio.gather(*(shown(witness, body) for body in asked * 2))
    good = [body for body, one in zip(asked * 2, said, strict=True) if one.status == 200]
    assert len(good) == 1, "the first one moves the size, and all others see it moved"
    assert {one.status for one in said} == {200, 409}
    size = Checkpoint.parse(Note.parse(Request.parse(good[0]).checkpoint).text).size
    later = [(await shown(witness, request(size, 50, leaves))).status for leaves in (LEAVES, other)]
    assert 200 in later and len(set(later)) == 2, "it goes on with this one history alone"
    async with witness.runtime.database.read() as connection:
        (row,) = await witnessing.known(connection)
    assert row["root"] in (tree.root_over(LEAVES).hex(), tree.root_over(other).hex())


def _put_back(folder: Path, backup: Path, *, noted: bool) -> None:
    for file in folder.glob("audit.sqlite*"):
        file.unlink()
    backup.rename(folder / "audit.sqlite")
    if noted:
        with sqlite3.connect(folder / "audit.sqlite") as database:
            database.execute("insert into deployment (name, value) values (?, 'x')", (RESTORED,))


@pytest.mark.parametrize("by_command", [True, False])
async def test_a_witness_from_an_older_backup_cosigns_no_other_history(tmp_path: Path, by_command: bool) -> None:
    """`huiying restore` notes the restore, and the witness takes back what it cosigned. A file that was merely put
    there holds the stream instead.
    """
    world = World(tmp_path)
    await world.start()
    await world.units()
    await witnessing.know(world.runtime, Caller(), TOWN.verifier.name, (TOWN.verifier.public.hex(),))
    assert (await shown(world, request(0, 8))).status == 200
    await Relay(world.runtime).drain()
    backup = tmp_path / "backup.sqlite"
    with sqlite3.connect(tmp_path / "audit.sqlite") as database:
        database.execute("vacuum into ?", (str(backup),))
    assert (await shown(world, request(8, 20))).status == 200
    await Relay(world.runtime).drain()
    await world.stop()
    _put_back(tmp_path, backup, noted=by_command)
    await world.start()
    other = [*LEAVES[:8], *FORKED[:1], *LEAVES[9:]]
    assert (await shown(world, request(8, 30, other))).status != 200, "it cosigned another history already"
    said = await shown(world, request(20, 30) if by_command else request(8, 30))
    assert (said.status == 200) is by_command, said
    await world.stop()


async def test_a_failed_commit_cosigns_nothing(witness: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Exception):
        pass

    def killed(name: str) -> None:
        if name == "command.before_commit":
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("services.kernel.serving.commands.failpoint", killed)
        with pytest.raises(Killed):
            await witnessing.cosign(witness.runtime, request(0, 8, FORKED))
    await witness.restart()
    assert await held(witness) == [(TOWN.verifier.name, 0)]
    assert (await shown(witness, request(0, 8))).status == 200
    await witness.restart()
    assert (await shown(witness, request(0, 8, FORKED))).status == 409


async def test_a_log_that_it_knows_no_more_is_not_cosigned_and_what_it_held_is_not_forgotten(witness: World) -> None:
    assert (await shown(witness, request(0, 8))).status == 200
    await witnessing.know(witness.runtime, Caller(), TOWN.verifier.name, ())
    assert (await shown(witness, request(8, 9))).status == 404
    await witnessing.know(witness.runtime, Caller(), TOWN.verifier.name, (TOWN.verifier.public.hex(),))
    assert await shown(witness, request(0, 9, FORKED)) == Said(409, "text/x.tlog.size", b"8\n")
    assert (await shown(witness, request(8, 9))).status == 200


# Two deployments -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[World]:
    """Another county's deployment."""
    (tmp_path / "other").mkdir()
    made = World(tmp_path / "other")
    await made.start()
    await made.units()
    yield made
    await made.stop()


async def introduced(log: World, other: World, monkeypatch: pytest.MonkeyPatch) -> Witness:
    """The other one is a witness of this log."""
    (key,) = await verifiers(log)
    await witnessing.know(other.runtime, Caller(), ORIGIN, (key.public.hex(),))

    async def post(address: str, body: bytes, _: object = None) -> Said:
        assert address == "http://other/witness/add-checkpoint"
        return await shown(other, body)

    monkeypatch.setattr(witnessing, "post", post)
    return Witness("http://other/witness", await key_of(other))


async def test_another_county_cosigns_each_checkpoint(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await introduced(world, other, monkeypatch)
    assert not await witnessing.ask(world.runtime, asked), "nothing is signed yet"
    for count in (1, 20):
        await reports(world, count, f"of{count}-")
        await world.take()
        found = await signed(world)
        assert found is not None
        assert await witnessing.ask(world.runtime, asked)
        served = await fetched(world, "checkpoint")
        believed = opened(served, ORIGIN, await verifiers(world), [asked.key])
        assert believed.checkpoint == found and asked.key in believed.by
        assert await held(other) == [(ORIGIN, found.size)]
    assert world.runtime.alarms == {}


async def test_a_log_that_lost_its_cosignatures_learns_the_size_of_the_witness(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await introduced(world, other, monkeypatch)
    await signed(world)
    await witnessing.ask(world.runtime, asked)
    async with world.runtime.database.transaction() as connection:
        await connection.exec_driver_sql("delete from cosignatures")
    await reports(world, 3)
    await world.take()
    await signed(world)
    assert await witnessing.ask(world.runtime, asked)
    assert world.runtime.alarms == {}


async def test_a_witness_that_holds_more_or_another_history_is_told_to_operators(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await introduced(world, other, monkeypatch)
    await signed(world)
    async with world.runtime.database.read() as connection:
        (signer,) = await keys.signers(world.runtime, connection, "log")
    # Whoever has the key showed the witness another history, a longer one first.
    assert (await shown(other, request(0, 30, FORKED, signer))).status == 200
    assert not await witnessing.ask(world.runtime, asked)
    (sentence,) = world.runtime.alarms.values()
    assert "put back" in sentence
    await reports(world, 40)
    await world.take()
    await signed(world)
    assert not await witnessing.ask(world.runtime, asked)
    (sentence,) = world.runtime.alarms.values()
    assert "another log under our name" in sentence
    assert b"witness" not in await fetched(world, "checkpoint")


async def test_an_answer_without_the_cosignature_proves_nothing(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await introduced(world, other, monkeypatch)
    await signed(world)
    stranger = Signer("stranger.example", Ed25519PrivateKey.from_private_bytes(b"s" * 32), note.COSIGNATURE)
    for body in (b"", b"nothing\n", stranger.sign("x\n", 1).line.encode()):

        async def post(address: str, sent: bytes, authority: object = None, body: bytes = body) -> Said:
            return Said(200, "text/plain", body)

        monkeypatch.setattr(witnessing, "post", post)
        with pytest.raises(ValueError, match=r"."):
            await witnessing.ask(world.runtime, asked)
    assert await world.rows("cosignatures") == []


def test_witnesses_are_configured_by_address_and_key() -> None:
    from services.kernel.settings import Settings

    key = Signer("w.example/witness", Ed25519PrivateKey.from_private_bytes(b"w" * 32), note.COSIGNATURE).verifier
    settings = Settings(witnesses=f"https://w.example/witness/ {key.vkey}; http://x {key.vkey}")
    assert [one.address for one in witnessing.configured(settings)] == ["https://w.example/witness", "http://x"]
    addresses = (
        "w.example",
        "https://",
        "https:///w",
        "http://w:0",
        "http://w:99999",
        "http://[",
        "http://u:p@w",
        "ftp://w",
    )
    wrong = [f"{address} {key.vkey}" for address in (*addresses, "https://w?a=1", "https://w#a", "https://wé")]
    for one in (*wrong, "https://w.example", f"https://w.example {TOWN.verifier.vkey}", key.vkey):
        with pytest.raises(ValueError, match="Write for each witness the web address"):
            witnessing.configured(Settings(witnesses=one))


async def test_operators_hear_of_a_witness_that_does_not_answer_and_of_its_address(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed(world)
    answers = False

    async def asked(runtime: object, witness: Witness) -> bool:
        if not answers:
            raise ConnectionRefusedError("nobody is there")
        return True

    monkeypatch.setattr(witnessing, "ask", asked)
    monkeypatch.setattr(witnessing, "REST", 0)
    monkeypatch.setattr(witnessing, "LONG_REST", 0)
    silent = Witness("http://127.0.0.1:1/witness", TOWN.verifier)
    async with asyncio.timeout(20):
        task = asyncio.create_task(witnessing._keep_asking(world.runtime, silent))
        try:
            while not world.runtime.alarms:
                await asyncio.sleep(0)
            (sentence,) = world.runtime.alarms.values()
            assert "http://127.0.0.1:1/witness (ConnectionRefusedError: nobody is there)" in sentence
            answers = True
            while world.runtime.alarms:
                await asyncio.sleep(0)
            answers = False
            while not world.runtime.alarms:
                await asyncio.sleep(0)
        finally:
            task.cancel()
        await asyncio.wait([task])
        assert world.runtime.alarms == {}, "the next leader asks anew; this process must not warn for ever"
