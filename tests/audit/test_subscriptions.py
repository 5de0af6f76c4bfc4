"""Events by webhooks: in order, signed, at least once, again after failures and kills, and never more than facts."""

import asyncio
import itertools
import multiprocessing
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from standardwebhooks.webhooks import Webhook

from schemas.envelope import Event
from schemas.operation import OperationKeyMade, OperationKeyRevoked
from services.audit.subscriptions import sending, told
from services.kernel import failpoints
from services.kernel.access.integrations import key_digest
from services.kernel.delivery.relay import Relay
from tests.audit.test_matters import opened
from tests.audit.world import World, id_of, received
from tests.kit import receiver as kit
from tests.kit.receiver import Receiver

PATH, KEY = "/audit/v1/subscriptions", "hy_a-key-of-the-tests"
INTEGRATION = id_of("integration", "board")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await begun(tmp_path)
    yield made
    await made.stop()


async def begun(folder: Path) -> World:
    world = World(folder)
    world.settings = world.settings.model_copy(update={"channels_private": True})
    await world.start()
    await world.units()
    return world


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with kit.listening() as one:
        yield one


async def ask(world: World, method: str, path: str = "", *, role: str = "admin", key: str = "", **body: Any) -> Any:
    async with world.client(body.pop("unit", "town-east"), role) as client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        more = {"json": body} if method == "POST" else {}
        answer = await client.request(method, f"{PATH}{path}", headers=headers, **more)
    return answer if answer.status_code >= 400 else answer.json()


async def subscribed(world: World, receiver: Receiver, **more: Any) -> str:
    made = await ask(world, "POST", **{"address": receiver.address, "position": 0, **more})
    receiver.secrets.append(made["secret"])
    await Relay(world.runtime).drain()
    await world.take()
    return str(made["id"])


async def reports(world: World, *names: str, unit: str = "town-east", actor: str = INTEGRATION) -> None:
    sent = [world.event("ingest", id_of("report", one), received(one, unit), unit=unit, actor=actor) for one in names]
    await world.send(*sent)
    await world.take()


async def later(world: World, receiver: Receiver, **time: float) -> list[str]:
    """The subjects that came in by then, each once."""
    world.now += timedelta(**time)
    await sending.settle(world.runtime)
    return [one.body["subject"] for one in receiver.distinct()]


def ids(*names: str) -> list[str]:
    return [id_of("report", one) for one in names]


async def test_a_stranger_checks_and_reads_what_comes_in_the_order_of_the_log(world: World, receiver: Receiver) -> None:
    await reports(world, "one", "two")
    await reports(world, "elsewhere", unit="town-west")
    await subscribed(world, receiver)
    await opened(world, "matter")
    subjects = await later(world, receiver)
    matter = {*ids("matter"), id_of("incident", "matter")}
    assert (subjects[:2], set(subjects[2:]), len(subjects)) == (ids("one", "two"), matter, 5)
    places = [int(one.body["logposition"]) for one in receiver.messages]
    assert places == sorted(places)
    assert all(one.is_signed for one in receiver.messages)
    first = receiver.messages[0]
    event = from_structured_event(HTTPMessage({"content-type": first.kind}, first.raw))
    assert event.get_type() == "huiying.report.received.v1" and event.get_subject() == id_of("report", "one")
    assert first.body["data"] == {
        "unit": "town-east",
        "channel": "board",
        "discovered_at": "2026-03-02T09:00:00.000000Z",
        "entered_late": False,
    }
    assert not {"actor", "by", "previousdigest", "correlationid"} & first.body.keys()
    assert b'"ref"' not in b"".join(one.raw for one in receiver.messages)
    (listed,) = (await ask(world, "GET"))["items"]
    assert (listed["address"], listed["state"], listed["tries"]) == (receiver.address, "active", 0)
    found = await ask(world, "GET", f"/{listed['id']}/deliveries")
    assert [(one["event"], one["state"], one["tries"]) for one in reversed(found["items"])] == [
        (one.body["id"], "delivered", 1) for one in receiver.messages
    ]


async def test_events_of_exercises_go_only_to_who_asked_for_them(world: World, receiver: Receiver) -> None:
    said: Any = {"unit": "town-east", "actor": INTEGRATION}
    of = id_of("report", "exercise")
    await world.send(world.event("ingest", of, received("exercise", "town-east"), drill=True, **said))
    await reports(world, "one")
    await subscribed(world, receiver)
    assert await later(world, receiver) == ids("one")
    await subscribed(world, receiver, drills=True)
    assert await later(world, receiver) == ids("one", "exercise", "one")
    assert [one.body.get("drill") for one in receiver.distinct()] == [None, True, None]
    assert [one["drills"] for one in (await ask(world, "GET"))["items"]] == [False, True]


async def test_the_library_of_standard_webhooks_takes_the_signature(world: World, receiver: Receiver) -> None:
    headers: list[dict[str, str]] = []
    receiver._is_signed = lambda given, raw: bool(headers.append({k.lower(): v for k, v in given.items()})) or True  # type: ignore[method-assign]
    made = await ask(world, "POST", address=receiver.address, position=0)
    world.now = world.now.now(world.now.tzinfo)
    await reports(world, "one")
    await later(world, receiver)
    said = Webhook(made["secret"]).verify(receiver.messages[0].raw, headers[0])
    assert said["subject"] == id_of("report", "one")


async def test_what_fails_is_tried_again_in_order_then_disabled_and_replayed(world: World, receiver: Receiver) -> None:
    await reports(world, "one", "two", "three")
    id_ = await subscribed(world, receiver, types=["report.received"])
    receiver.answers[:] = [200, 500, 302]
    assert await later(world, receiver) == ids("one", "two")
    assert await later(world, receiver, seconds=9) == ids("one", "two")
    await later(world, receiver, seconds=5)
    (row,) = (await ask(world, "GET"))["items"]
    assert (row["tries"], row["error"]) == (2, "redirected") and row["next_at"]
    assert await later(world, receiver, minutes=2) == ids("one", "two", "three")
    assert list(receiver.counts.values()) == [1, 3, 1]
    assert await ask(world, "POST", f"/{id_}/replay", position=0) == {"id": id_}
    await later(world, receiver)
    assert list(receiver.counts.values()) == [2, 4, 2]

    await reports(world, "four")
    receiver.answers[:] = [500] * 40
    for _ in range(40):
        await later(world, receiver, hours=3)
    (row,) = (await ask(world, "GET"))["items"]
    assert (row["state"], row["cause"]) == ("disabled", "not_taken")
    receiver.answers.clear()
    await later(world, receiver, days=1)
    assert (await ask(world, "GET"))["items"][0]["state"] == "disabled"
    await ask(world, "POST", f"/{id_}/replay", position=row["position"])
    assert (await later(world, receiver))[-1:] == ids("four")
    acts = [type_ for (type_,) in await world.rows("events", "type") if "subscription" in type_]
    assert sorted(one.split("_")[-1] for one in acts) == ["disabled.v1", "made.v1", "replayed.v1", "replayed.v1"]


async def test_a_receiver_that_stalls_or_wants_nothing_delays_no_other(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kernel.sending.webhook.PATIENCE", 0.3)
    await reports(world, "one")
    with kit.listening() as slow:
        slow.waits.clear()
        await subscribed(world, slow)
        await subscribed(world, receiver)
        assert await later(world, receiver) == ids("one")
        slow.waits.set()
        assert {one["error"] for one in (await ask(world, "GET"))["items"]} == {"too_slow", None}
        slow.answers[:] = [410]
        await later(world, slow, minutes=1)
        assert [one["state"] for one in (await ask(world, "GET"))["items"]] == ["disabled", "active"]


async def test_an_integration_gets_what_becomes_of_its_own_reports_while_it_has_a_key(
    world: World, receiver: Receiver
) -> None:
    made = OperationKeyMade(
        key=id_of("key", "board"),
        integration=INTEGRATION,
        name="board",
        unit="town-east",
        scope="ingest",
        digest=key_digest(KEY),
    )
    stream = id_of("operation", "day")
    await world.send(world.event("ingest", stream, made))
    await reports(world, "mine")
    await reports(world, "other", actor=id_of("integration", "another"))
    assert (await ask(world, "POST", key="hy_unknown", address=receiver.address)).status_code == 401
    other = await ask(world, "POST", key=KEY, address=receiver.address, types=["report.received", "incident.graded"])
    assert (other.status_code, other.json()["known"]) == (422, (await ask(world, "GET", key=KEY))["types"])
    assert "report.erased" in other.json()["known"] and "incident.graded" in (await ask(world, "GET"))["types"]
    id_ = await subscribed(world, receiver, key=KEY)
    await opened(world, "matter")
    await world.erase("mine")
    await later(world, receiver)
    assert [one.body["subject"] for one in receiver.messages] == ids("mine", "mine")
    assert [one["id"] for one in (await ask(world, "GET", key=KEY))["items"]] == [id_]
    assert [one["integration"] for one in (await ask(world, "GET"))["items"]] == [INTEGRATION]
    async with world.runtime.database.read() as connection:
        for types, gets in (("", True), ("report.received", True), ("statement.published", False)):
            row = SimpleNamespace(integration=INTEGRATION, unit="town-east", types=types, drills=False)
            event, _ = await sending._next(world.runtime, connection, row, 0, 50)
            assert (event is not None) is gets, "types that it cannot get are not all types"
    renewed = await ask(world, "POST", f"/{id_}/renew-secret", key=KEY)
    await reports(world, "more")
    assert (await later(world, receiver))[-1:] == ids("more") and not receiver.messages[-1].is_signed
    receiver.secrets.append(renewed["secret"])
    ended = OperationKeyRevoked(key=made.key, unit="town-east")
    await world.send(world.event("ingest", stream, ended))
    await reports(world, "unheard")
    await sending.turn(world.runtime, known := sending.Known())
    await asyncio.gather(*known.busy.values())
    assert receiver.messages[-1].body["subject"] == id_of("report", "more")
    assert await ask(world, "DELETE", f"/{id_}") == {"id": id_}
    assert await ask(world, "DELETE", f"/{id_}") == {"id": id_}
    assert (await ask(world, "POST", f"/{id_}/replay", position=0)).status_code == 409
    assert await world.rows("subscription_secrets") == []
    assert [one["state"] for one in (await ask(world, "GET"))["items"]] == ["ended"]


async def test_who_may_not_or_names_what_nobody_should_reach_gets_a_sentence(world: World) -> None:
    async def refused(status: int, code: str, **asked: Any) -> None:
        answer: httpx.Response = await ask(world, "POST", **{"address": "https://board.example/in", **asked})
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, code), answer.text

    await refused(403, "other-office", role="chief")
    await refused(422, "not-in-list", types=["operation.key_made"])
    await refused(422, "number-too-large", position=10**6)
    world.runtime.settings = world.settings.model_copy(update={"channels_private": False})
    await refused(422, "webhook-address", address="http://board.example/in")
    await refused(422, "webhook-private", address="https://10.0.0.8/in")
    assert (await ask(world, "DELETE", f"/{id_of('subscription', 'none')}")).status_code == 404


EXAMPLES = sorted(Path("schemas/examples").glob("*.complete.json"))


def test_no_message_holds_a_post_a_person_or_words() -> None:
    """By the example of each event, in which every field stands."""
    told_of, listed = set[str](), re.compile(r'"[a-z][a-z0-9_]*@[a-z0-9-]+"|"ref"|"salt"')
    for path in EXAMPLES:
        event = Event.parse(path.read_bytes())
        if event.type in told.TYPES:
            data = orjson.loads(told.body(event, 7))["data"]
            said = orjson.dumps(data).decode()
            assert not listed.search(said), (path.name, said)
            assert not {"by", "writers", "match_key", "match_keys", "addressee", "spoke"} & set(keys(data)), path.name
            told_of.add(event.type)
    assert len(told_of) > 100
    assert told.types_of("press.conference_held") <= told_of and told.types_of("statement.published") <= told_of


def keys(value: Any) -> Iterator[str]:
    """The names of members, at any depth."""
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys(inner)
    if isinstance(value, dict):
        yield from value


def test_after_kills_each_message_came_under_one_id_and_none_is_missing(tmp_path: Path, receiver: Receiver) -> None:
    names = [f"report {number}" for number in range(12)]

    async def begin() -> None:
        world = await begun(tmp_path)
        await reports(world, *names)
        await subscribed(world, receiver)
        await world.stop()

    async def goes_on() -> None:
        world = World(tmp_path)
        world.settings = world.settings.model_copy(update={"channels_private": True})
        world.now += timedelta(hours=1)
        await world.start()
        await sending.settle(world.runtime)

    def life(point: str) -> int | None:
        def lives() -> None:
            os.environ |= {"HUIYING_FAILPOINT": point}
            failpoints._chosen.cache_clear()
            failpoints._passes = itertools.count(1)
            asyncio.run(goes_on())

        process = multiprocessing.get_context("fork").Process(target=lives)
        process.start()
        process.join(60)
        return process.exitcode

    asyncio.run(begin())
    for count in (1, 3, 5):
        assert life(f"subscription.sent:{count}") == -signal.SIGKILL
    assert life("") == 0
    assert sorted(one.body["subject"] for one in receiver.distinct()) == sorted(ids(*names))
    places = [int(one.body["logposition"]) for one in receiver.messages]
    assert places == sorted(places)
    assert sum(receiver.counts.values()) == len(names) + 3 and all(one.is_signed for one in receiver.messages)
