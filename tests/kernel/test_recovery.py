"""An owner compares its store with its topics. After a restore it takes back what it lacks; else it raises an alarm."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import orjson
import pytest

from schemas import catalogue
from schemas.envelope import Event
from services.apps import operate
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import Forbidden, Rejected
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery import erasures, operations, recovery, repairs
from services.kernel.delivery.log import Partition
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.serving.commands import Answer, Caller, execute, transact
from services.kernel.store import sql
from services.kernel.store.session import Held, Session
from tests.kit import small, stores
from tests.kit.stores import rows, runtime, stored

TOPIC = "ingest.report"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def ingest(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with runtime(small.ingest(), tmp_path, request.param) as made:
        yield made


async def decide(made: Runtime, stream: str) -> Event:
    """The next event of a stream."""
    return (await execute(made, Caller(), stream, ())).events[0]


async def receive(made: Runtime, *, sent: bool = True) -> Event:
    """A report in the store and, when `sent`, on its topic."""
    answer = await execute(made, Caller(), f"report-{uuid7()}", small.Receive("text"), new=True)
    if sent:
        await Relay(made).drain()
    return answer.events[0]


def altered(event: Event, **changes: Any) -> Event:
    return Event.parse(orjson.dumps({**event.attributes, **changes}))


def following(event: Event, **changes: Any) -> Event:
    """A possible next version of the event's stream."""
    usual = {"id": uuid7(), "streamversion": event.version + 1, "previousdigest": event.digest}
    return altered(event, **{"type": "huiying.report.erased.v1", "data": {"refs": []}, **usual, **changes})


async def write(made: Runtime, *values: Event | bytes, topic: str = TOPIC, aside: int = 0) -> None:
    """Puts records on a topic without the owner. `aside` is the number of partitions by which they miss their own."""
    for value in values:
        number = stores.partition(value) if isinstance(value, Event) else 0
        place = Partition(topic, (number + aside) % made.settings.partitions)
        await made.log.append({place: [(b"key", value.bytes if isinstance(value, Event) else value)]})


async def put_back(made: Runtime) -> None:
    """The note that `huiying restore` leaves in a store."""
    async with made.database.transaction() as connection:
        row = {"name": recovery.RESTORED, "value": "2026-03-02T09:00:00.000000Z"}
        await sql.upsert(connection, made.tables["deployment"], [row])


async def aside(made: Runtime) -> list[Any]:
    return await rows(made, "dead_letters", "consumer", "stream_id", "version", "reason", "state")


async def settle(made: Runtime, repair: Callable[..., Awaitable[None]]) -> None:
    ((id_,),) = await rows(made, "dead_letters", "id")

    async def act(session: Session, ctx: Ctx) -> Answer:
        await repair(UnitOfWork(made), session, ctx, id_, "looked at it")
        return Answer({})

    await transact(made, Caller(), act)


async def test_however_many_events_are_compared_with_the_store_at_once(ingest: Runtime) -> None:
    """PostgreSQL takes 65,535 parameters; what a database lost in an hour may be more."""
    event = await receive(ingest)
    many = [Event({**event.attributes, "id": str(n), "subject": f"report-{n}"}, b"") for n in range(40_000)]
    async with ingest.database.read() as connection:
        found = await recovery.stored_under(ingest, connection, [*many, event])
    assert found == {(event.stream, 1): recovery.Held(event.id, event.bytes)}


@pytest.mark.parametrize("verified", [True, False], ids=["verified", "new"])
@pytest.mark.parametrize("away", [0, 1], ids=["own-partition", "another-partition"])
@pytest.mark.parametrize("changes", [{"unit": "town-west"}, {"unit": "town-west", "id": uuid7()}], ids=["id", "new-id"])
async def test_an_altered_duplicate_is_set_aside_and_the_owner_starts(
    ingest: Runtime, changes: Mapping[str, str], away: int, verified: bool
) -> None:
    event = await receive(ingest)
    if verified:
        assert await recovery.recover(ingest) == 0
    await write(ingest, altered(event, **changes), aside=away)
    assert await recovery.recover(ingest) == 0
    assert await aside(ingest) == [("owner", event.stream, 1, "fork", "open")]
    assert (await operations.attention(ingest))["dead_letters"] == 1
    assert [one.bytes for one in await stored(ingest)] == [event.bytes]
    with pytest.raises(Rejected, match="fails as before"):
        await settle(ingest, repairs.redrive)
    await settle(ingest, repairs.discard)
    await write(ingest, await receive(ingest))
    assert await recovery.recover(ingest) == 0
    assert await aside(ingest) == [("owner", event.stream, 1, "fork", "discarded")]


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
@pytest.mark.parametrize("guarded", [True, False])
async def test_a_stream_that_differs_from_the_first_record_waits_and_others_go_on(
    ingest: Runtime, monkeypatch: pytest.MonkeyPatch, guarded: bool, sent: bool
) -> None:
    """Without the guard, the owner would go on with an event that no reader has."""
    other, event = await receive(ingest), await receive(ingest, sent=False)
    await write(ingest, altered(event, unit="town-west"))
    if sent:
        await Relay(ingest).drain()
    if not guarded:

        async def trust(*_: Any) -> set[Any]:
            return set()

        monkeypatch.setattr(recovery, "_differing", trust)
        assert await recovery.recover(ingest) == 0
        await decide(ingest, event.stream)
        return
    for _ in range(2):
        assert await recovery.recover(ingest) == 0
    with pytest.raises(Held):
        await decide(ingest, event.stream)
    await decide(ingest, other.stream)
    await settle(ingest, repairs.discard)
    await decide(ingest, event.stream)


FOREIGN = [
    pytest.param({"previousdigest": "ab" * 32}, "fork", id="does-not-follow"),
    pytest.param({"streamversion": 7}, "fork", id="leaves-a-gap"),
    pytest.param({"type": "huiying.report.sung.v1"}, "unknown_type", id="unknown-type"),
    pytest.param({"type": "huiying.report.erased.v9"}, "unknown_type", id="higher-version"),
    pytest.param({"data": {"refs": 7}}, "poison", id="broken-data"),
    pytest.param({"id": None}, "fork", id="id-of-another-event"),
]


@pytest.mark.parametrize(("changes", "reason"), FOREIGN)
@pytest.mark.parametrize("guarded", [True, False])
async def test_what_the_store_could_not_have_written_is_not_taken_back(
    ingest: Runtime, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], reason: str, guarded: bool
) -> None:
    event = await receive(ingest)
    await put_back(ingest)
    forged = following(event, **(changes if changes != {"id": None} else {"id": event.id}))
    await write(ingest, forged)
    if not guarded:
        monkeypatch.setattr(recovery, "_fault", lambda *_: None)
        try:
            taken = await recovery.recover(ingest)
        except Exception:  # noqa: BLE001  whatever it is, the owner does not start
            taken = -1
        assert taken != 0
        return
    assert await recovery.recover(ingest) == 0
    assert await aside(ingest) == [("owner", forged.stream, forged.version, reason, "open")]
    assert len(await stored(ingest)) == 1


async def test_what_a_restored_store_lacks_is_taken_back_and_forgeries_among_it_are_not(ingest: Runtime) -> None:
    first = await receive(ingest)
    await put_back(ingest)
    second = following(first)
    foreign = altered(second, data={"refs": ["x"]})
    await write(ingest, second, foreign, altered(first, unit="town-west"), following(second))
    assert await recovery.recover(ingest) == 2
    assert [event.version for event in await stored(ingest) if event.stream == first.stream] == [1, 2, 3]
    assert {row[2:4] for row in await aside(ingest)} == {(1, "fork"), (2, "fork")}
    assert await recovery.recover(ingest) == 0


async def test_topics_say_what_was_erased_where_every_store_is_lost_that_knew_of_a_forgery_before(
    ingest: Runtime,
) -> None:
    """The forgery lies where the owner's next event would follow; the owner's own topic says that it was discarded."""
    ref, first = uuid7(), await receive(ingest)
    await write(ingest, following(first, data={"refs": [uuid7()]}))
    assert await recovery.recover(ingest) == 0
    await settle(ingest, repairs.discard)
    await execute(ingest, Caller(), first.stream, (ref,))
    await Relay(ingest).drain()
    assert await erasures.on_topics(ingest.log, set()) == {ref}


@pytest.mark.parametrize(
    "value", [b"not json", b"{}", b"[]", orjson.dumps({"ref": "r", "salt": "00", "words": "\x00"})]
)
async def test_bytes_that_are_no_words_are_set_aside(ingest: Runtime, value: bytes) -> None:
    await write(ingest, value, topic=catalogue.content_topic("ingest"))
    assert await recovery.recover(ingest) == 0
    assert await aside(ingest) == [("owner", None, None, "undecodable", "open")]


async def test_an_event_that_another_process_appends_meanwhile_is_compared_again(
    ingest: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await receive(ingest)
    await put_back(ingest)
    second = following(first)
    await write(ingest, second)
    look, looked = recovery.stored_under, 0

    async def late(*arguments: Any) -> Any:
        nonlocal looked
        looked += 1
        return {} if looked == 1 else await look(*arguments)

    monkeypatch.setattr(recovery, "stored_under", late)
    assert await recovery.recover(ingest) == 1
    assert looked >= 2


# events ahead of the store, without a restore


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_forged_next_version_does_not_become_history_and_its_stream_waits(
    ingest: Runtime, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """Its digests are right, and every reader takes it. With the guard off, the owner's words are deleted."""
    event, other = await receive(ingest), await receive(ingest)
    forged = following(event, data={"refs": sorted(event.words.values())})
    await write(ingest, forged)
    if not guarded:
        monkeypatch.setattr(recovery, "_was_restored", AsyncMock(return_value=True))
        assert await recovery.recover(ingest) == 1
        assert len(await rows(ingest, "contents")) == 2
        return
    assert await recovery.recover(ingest) == 0
    assert await aside(ingest) == [("owner", forged.stream, 2, "ahead", "open")]
    assert len(await rows(ingest, "contents")) == 4
    assert await operations.attention(ingest) == {"dead_letters": 1, "parked": 1}
    with pytest.raises(Held, match="`huiying recover` or `huiying redrive --discard`"):
        await decide(ingest, event.stream)
    assert (await decide(ingest, other.stream)).version == 2
    assert await recovery.recover(ingest) == 0, "the next start changes nothing"

    await settle(ingest, repairs.discard)
    assert (await decide(ingest, event.stream)).version == 2
    await put_back(ingest)
    assert await recovery.recover(ingest) == 0
    assert {words for (words,) in await rows(ingest, "contents", "words")} == {"text", "looked at it"}
    assert [event.version for event in await stored(ingest) if event.stream == event.stream].count(2) == 2


async def test_on_an_operators_word_the_owner_takes_in_what_it_lost_with_its_words(
    ingest: Runtime, tmp_path: Path
) -> None:
    """As after a database came back without its last transactions, and without `huiying restore`."""
    before = await receive(ingest)
    erased, kept = await receive(ingest), await receive(ingest)
    await write(ingest, following(erased, data={"refs": sorted(erased.words.values())}))
    lost = (erased.stream, kept.stream)
    await forget(ingest, *lost)
    assert await recovery.recover(ingest) == 0
    assert Counter(await rows(ingest, "dead_letters", "topic", "reason")) == {
        ("ingest.report", "ahead"): 3,
        ("ingest.content", "ahead"): 4,
    }
    with pytest.raises(Held):
        await decide(ingest, kept.stream)

    taken = await operate.recover(ingest, [kept.stream], "the disk was replaced")
    assert [event.bytes for event in taken] == [kept.bytes]
    assert (await decide(ingest, kept.stream)).version == 2
    assert len(await operate.recover(ingest, [], "the disk was replaced")) == 2
    assert set(await rows(ingest, "dead_letters", "reason", "state")) == {("ahead", "recovered")}
    assert {ref for ref, *_ in await rows(ingest, "contents", "ref")} == {
        *before.words.values(),
        *kept.words.values(),
        *notes(await stored(ingest)),
    }
    assert await operations.attention(ingest) == {"dead_letters": 0, "parked": 0}
    noted = [event.data for event in await stored(ingest) if event.kind == "operation"]
    assert [(fact.cause, fact.events) for fact in noted] == [("ordered", 1), ("ordered", 2)]


def notes(events: list[Event]) -> set[str]:
    """The words of operators."""
    return {ref for event in events if event.kind == "operation" for ref in event.words.values()}


async def forget(made: Runtime, *streams: str) -> None:
    """The store loses its last transactions."""
    events, contents = made.tables["events"], made.tables["contents"]
    lost = [event for event in await stored(made) if event.stream in streams]
    async with made.database.transaction() as connection:
        await connection.execute(events.delete().where(events.c.stream_id.in_(streams)))
        refs = [ref for event in lost for ref in event.words.values()]
        await connection.execute(contents.delete().where(contents.c.ref.in_(refs)))


async def test_words_that_the_owner_never_wrote_are_an_alarm_and_a_restored_store_takes_none_but_its_own(
    ingest: Runtime,
) -> None:
    event = await receive(ingest)
    ref = min(event.words.values())
    topic = catalogue.content_topic("ingest")
    other = orjson.dumps({"ref": ref, "salt": "00", "words": "other words"})
    unknown = orjson.dumps({"ref": "unknown", "salt": "00", "words": "words"})
    await write(ingest, other, unknown, topic=topic)
    assert await recovery.recover(ingest) == 0
    assert await rows(ingest, "dead_letters", "reason", "state") == [("ahead", "open"), ("fork", "open")]
    await forget(ingest, event.stream)
    async with ingest.database.transaction() as connection:
        await connection.execute(ingest.tables["consumer_offset"].delete())
    await put_back(ingest)
    assert await recovery.recover(ingest) == 1
    assert "other words" not in {words for (words,) in await rows(ingest, "contents", "words")}
    assert {ref for (ref,) in await rows(ingest, "contents", "ref")} == set(event.words.values())


async def test_a_held_operation_stream_keeps_nobody_from_being_heard(ingest: Runtime) -> None:
    forged = altered(
        await receive(ingest),
        id=uuid7(),
        type="huiying.operation.sung.v1",
        subject=operations.operation_stream("ingest", await context(ingest)),
    )
    await write(ingest, forged, topic="ingest.operation")
    assert await recovery.recover(ingest) == 0
    await operations.refuse(ingest, Actor("verifier@city"), Forbidden("no right"))
    (noted,) = [event for event in await stored(ingest) if event.kind == "operation"]
    assert noted.stream != forged.stream
    await settle(ingest, repairs.discard)
    said = [event for event in await stored(ingest) if event.stream == forged.stream]
    assert [event.data.digest for event in said] == [forged.digest]


async def context(made: Runtime) -> Ctx:
    async with made.database.read() as connection:
        return await made.context(connection)
