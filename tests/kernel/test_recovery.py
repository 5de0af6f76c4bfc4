"""An owner compares its store with its topics: forgeries there are set aside, a store that differs does not serve."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas import catalogue
from schemas.envelope import Event
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery import operations, recovery, repairs
from services.kernel.delivery.log import Partition
from services.kernel.delivery.recovery import Diverged
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.serving.commands import Answer, Caller, execute, transact
from services.kernel.store.session import Session
from tests.kit import small, stores
from tests.kit.stores import rows, runtime, stored

TOPIC = "ingest.report"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def ingest(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with runtime(small.ingest(), tmp_path, request.param) as made:
        yield made


async def receive(made: Runtime, *, sent: bool = True) -> Event:
    """A report in the store and, when `sent`, on its topic."""
    answer = await execute(made, Caller(), f"report-{uuid7()}", small.Receive("text"), new=True)
    if sent:
        await Relay(made).drain()
    return answer.events[0]


def altered(event: Event, **changes: Any) -> Event:
    return Event.parse(orjson.dumps({**event.attributes, **changes}))


def following(event: Event, **changes: Any) -> Event:
    """What could be the next version of the event's stream."""
    usual = {"id": uuid7(), "streamversion": event.version + 1, "previousdigest": event.digest}
    return altered(event, **{"type": "huiying.report.erased.v1", "data": {"refs": []}, **usual, **changes})


async def write(made: Runtime, *values: Event | bytes, topic: str = TOPIC, aside: int = 0) -> None:
    """Puts records on a topic behind the owner's back; `aside` partitions away from where they belong."""
    for value in values:
        number = stores.partition(value) if isinstance(value, Event) else 0
        place = Partition(topic, (number + aside) % made.settings.partitions)
        await made.log.append({place: [(b"key", value.bytes if isinstance(value, Event) else value)]})


async def aside(made: Runtime) -> list[Any]:
    return await rows(made, "quarantine", "consumer", "stream_id", "version", "reason", "state")


async def settle(made: Runtime, repair: Callable[..., Awaitable[None]]) -> None:
    ((id_,),) = await rows(made, "quarantine", "id")

    async def act(session: Session, ctx: Ctx) -> Answer:
        await repair(UnitOfWork(made), session, ctx, id_, "looked at it")
        return Answer({})

    await transact(made, Caller(), act)


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
    assert (await operations.attention(ingest))["quarantined"] == 1
    assert [one.bytes for one in await stored(ingest)] == [event.bytes]
    with pytest.raises(Rejected, match="fails as before"):
        await settle(ingest, repairs.redrive)
    await settle(ingest, repairs.discard)
    await write(ingest, await receive(ingest))
    assert await recovery.recover(ingest) == 0
    assert await aside(ingest) == [("owner", event.stream, 1, "fork", "discarded")]


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
@pytest.mark.parametrize("guarded", [True, False])
async def test_a_store_that_differs_from_the_first_record_does_not_serve(
    ingest: Runtime, monkeypatch: pytest.MonkeyPatch, guarded: bool, sent: bool
) -> None:
    """Without the guard the owner would serve what no reader has."""
    event = await receive(ingest, sent=False)
    await write(ingest, altered(event, unit="town-west"))
    if sent:
        await Relay(ingest).drain()
    if not guarded:

        async def trust(*_: Any) -> None:
            return

        monkeypatch.setattr(recovery, "_refuse_divergence", trust)
        assert await recovery.recover(ingest) == 0
        return
    for _ in range(2):
        with pytest.raises(Diverged, match=rf"version 1 of {event.stream} .*`huiying restore --from DIR"):
            await recovery.recover(ingest)


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
    second = following(first)
    foreign = altered(second, data={"refs": ["x"]})
    await write(ingest, second, foreign, altered(first, unit="town-west"), following(second))
    assert await recovery.recover(ingest) == 2
    assert [event.version for event in await stored(ingest) if event.stream == first.stream] == [1, 2, 3]
    assert {row[2:4] for row in await aside(ingest)} == {(1, "fork"), (2, "fork")}
    assert await recovery.recover(ingest) == 0


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
