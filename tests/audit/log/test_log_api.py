"""What strangers fetch: checkpoints, proofs and tiles, which they check with nothing but a key."""

import pytest

from schemas.envelope import Event
from services.audit.log import signing
from services.kernel.delivery.relay import Relay
from services.kernel.tlog import tiles, tree
from services.kernel.tlog.checkpoint import opened
from services.kernel.tlog.leaf import Leaf, leaf_of, parse
from services.kernel.tlog.note import Verifier
from services.kernel.tlog.proof import Proof
from services.kernel.tlog.tiles import Tile
from services.kernel.tlog.tree import Row
from services.kernel.tlog.witness import Request
from tests.audit.log.test_growing import forget_all, reports
from tests.audit.log.test_signing import ORIGIN, signed
from tests.audit.world import World


async def fetched(world: World, path: str, status: int = 200, **params: object) -> bytes:
    """What somebody gets who has not signed in."""
    async with world.client() as client:
        client.headers.pop("Authorization")
        answer = await client.get(f"/audit/v1/log/{path}", params=params)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    return answer.content


async def keys(world: World) -> list[Verifier]:
    """The keys of the log, as strangers read them."""
    told = await world.get("log/keys")
    assert told["origin"] == ORIGIN
    assert sorted(one["use"] for one in told["keys"]) == ["log", "witness"]
    return [Verifier.parse(one["vkey"]) for one in told["keys"] if one["use"] == "log"]


async def events(world: World) -> list[Event]:
    return [Event.parse(bytes_) for _, bytes_ in await world.rows("timeline", "position", "bytes")]


async def test_an_event_is_proven_by_a_file_and_a_key_alone(world: World) -> None:
    await reports(world, 30)
    await world.take()
    await signed(world)
    believed = await keys(world)
    for position, event in enumerate(await events(world)):
        proof = Proof.parse(await fetched(world, "proof/inclusion", event_id=event.id))
        assert proof.position == position
        assert proof.must_prove(leaf_of(event).entry, ORIGIN, believed).checkpoint.size == 34
    told = await world.get("log/proof/inclusion.json", event_id=event.id)
    assert parse(told["entry"].encode()) == leaf_of(event)
    path = [bytes.fromhex(one) for one in told["path"]]
    tree.must_be_included(
        told["position"], told["size"], bytes.fromhex(told["leaf"]), path, bytes.fromhex(told["root"])
    )


async def test_what_was_not_signed_yet_is_not_proven_and_an_older_size_can_be_asked_for(world: World) -> None:
    await fetched(world, "checkpoint", status=404)
    first = await signed(world)
    assert first is not None
    await reports(world, 3)
    await world.take()
    last = (await events(world))[-1]
    await fetched(world, "proof/inclusion", status=404, event_id=last.id)
    await signed(world)
    await fetched(world, "proof/inclusion", event_id=last.id)
    await fetched(world, "proof/inclusion", status=404, event_id=last.id, size=first.size)
    older = await fetched(world, "checkpoint", size=first.size)
    assert opened(older, ORIGIN, await keys(world)).checkpoint == first
    for wrong in ("x", "00000000-0000-7000-8000-000000000000", "é"):
        await fetched(world, "proof/inclusion", status=404, event_id=wrong)
    await fetched(world, "checkpoint", status=404, size=first.size + 1)


async def test_a_later_log_is_proven_to_begin_with_an_earlier_one(world: World) -> None:
    first = await signed(world)
    assert first is not None
    await reports(world, 20)
    await world.take()
    await signed(world)
    believed = await keys(world)
    request = Request.parse(await fetched(world, "proof/consistency", old=first.size))
    assert request.must_follow(first.root, ORIGIN, believed).checkpoint.size == 24
    for old in (0, 1, 23, 24):
        request = Request.parse(await fetched(world, "proof/consistency", old=old))
        root = tree.root_over([leaf_of(event).hash for event in (await events(world))[:old]])
        request.must_follow(root, ORIGIN, believed)
    await fetched(world, "proof/consistency", status=404, old=25)


async def test_whoever_fetches_the_tiles_makes_every_proof(world: World) -> None:
    await reports(world, 30)
    await world.take()
    await signed(world)
    root = opened(await fetched(world, "checkpoint"), ORIGIN, await keys(world)).checkpoint.root
    rows: dict[Row, bytes] = {}
    for tile in tiles.tiles_of(34):
        rows |= tiles.rows_in(tile, await fetched(world, tile.path))
    assert tree.root_of(34, rows) == root
    for wrong in (Tile(0, 0, 35), Tile(0, 0), Tile(0, 1, 1), Tile(1, 0, 1), Tile(9, 0, 1)):
        await fetched(world, wrong.path, status=404)
    for path in ("tile/0/0", "tile/0/000.p/034", "tile/00/000.p/34", "tile/x/000", "tile/0/../keys"):
        await fetched(world, path, status=404)


async def test_entries_are_for_auditors_of_the_whole_tree_and_hold_no_content(world: World) -> None:
    await reports(world, 30)
    await world.take()
    await signed(world)
    tile = Tile(None, 0, 34)
    await fetched(world, tile.path, status=401)
    await world.raw(f"log/{tile.path}", unit="county", status=403)
    async with world.client(role="duty_officer") as client:
        assert (await client.get(f"/audit/v1/log/{tile.path}")).status_code == 403
    entries = tiles.entries_in(await world.raw(f"log/{tile.path}"), 34)
    known = await events(world)
    assert [parse(entry) for entry in entries] == [leaf_of(event) for event in known]
    hashes = await fetched(world, Tile(0, 0, 34).path)
    assert tree.split(hashes) == [tree.leaf_hash(entry) for entry in entries]
    assert {"text", "subject", "unit", "actor"}.isdisjoint(Leaf._fields)


async def test_what_is_not_sent_yet_is_in_no_tile(world: World) -> None:
    found = await signing.sign(world.runtime)
    assert found is not None
    await Relay(world.runtime).drain()
    await reports(world, 1)
    await world.take()
    await fetched(world, Tile(0, 0, found.size).path)
    await fetched(world, Tile(0, 0, found.size + 1).path, status=404)


@pytest.mark.parametrize("path", ["checkpoint", "keys"])
async def test_what_changes_is_not_cached_and_tiles_are(world: World, path: str) -> None:
    found = await signed(world)
    assert found is not None
    async with world.client() as client:
        assert (await client.get(f"/audit/v1/log/{path}")).headers["Cache-Control"] == "no-cache"
        tile = await client.get(f"/audit/v1/log/{Tile(0, 0, found.size).path}")
    assert "immutable" in tile.headers["Cache-Control"]


async def test_what_audit_regains_after_a_restore_is_told_to_be_on_its_way(world: World) -> None:
    await reports(world, 20)
    await world.take()
    found = await signed(world)
    assert found is not None
    first, incident = (await events(world))[0], f"incident-{'0' * 8}-0000-7000-8000-{'0' * 12}"
    await forget_all(world)
    await world.restart()
    asked: list[tuple[str, dict[str, object]]] = [
        (Tile(0, 0, found.size).path, {}),
        ("proof/inclusion", {"event_id": first.id}),
        ("proof/inclusion.json", {"event_id": first.id}),
        ("proof/consistency", {"old": 1}),
    ]
    for path, params in asked:
        assert b"audit-rebuilding" in await fetched(world, path, 503, **params), path
    await world.raw(f"log/{Tile(None, 0, found.size).path}", status=503)
    assert (await world.get(f"incidents/{incident}/archives", status=503))["type"].endswith("audit-rebuilding")
    async with world.client() as client:
        for path, body in (
            ("archive", {}),
            ("archive/consultation", {"purpose": "x"}),
            ("timeline/export", {"addressee": "peoples_congress", "purpose": "x"}),
        ):
            answer = await client.post(f"/audit/v1/incidents/{incident}/{path}", json=body)
            assert (answer.status_code, answer.json()["type"].endswith("audit-rebuilding")) == (503, True), path
    await fetched(world, "checkpoint")
    await world.take()
    for path, params in asked:
        await fetched(world, path, **params)
