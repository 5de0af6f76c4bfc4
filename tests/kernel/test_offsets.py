"""Offsets on topics that were made anew: nothing may be concluded from them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas import catalogue
from services.apps import operate
from services.kernel.delivery import offsets, operations, own_topics, recovery
from services.kernel.delivery.log import OffsetOutOfRange, Partition
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.delivery.offsets import Offset, Progress
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.store.session import Session
from tests.kernel.test_recovery import receive
from tests.kernel.test_work import content, report
from tests.kit import small
from tests.kit.stores import rows, runtime

PLACE = Partition("ingest.report", 0)
WORDS = Partition("ingest.content", 0)


async def take(made: Runtime) -> None:
    """Takes in what the topics hold."""
    work = UnitOfWork(made)
    ends = await made.log.ends((*made.service.topics, *made.service.content_topics))
    for partition, start in (await work.offsets(list(ends))).items():
        async for records in made.log.read(partition, start, ends[partition]):
            await work.handle(records)


async def anew(made: Runtime, folder: Path) -> None:
    """The topics are lost, and made anew."""
    fresh = EmbeddedLog(folder / "anew.sqlite", made.settings.partitions)
    await fresh.start()
    await made.log.stop()
    made.log = fresh


@pytest.fixture
async def made(triage: Runtime) -> AsyncIterator[Runtime]:
    events = [event.bytes for event in report(1)]
    await triage.log.append({PLACE: [(b"key", value) for value in events], WORDS: [(b"ref", content("ref"))]})
    await take(triage)
    yield triage
    await triage.log.stop()


async def test_a_topic_that_is_as_it_was_is_known(made: Runtime) -> None:
    found = await UnitOfWork(made).look()
    assert (found.lost, found.behind()) == ({}, {})
    await made.log.append({PLACE: [(b"key", b"more")]})
    found = await UnitOfWork(made).look()
    assert (found.lost, found.behind()) == ({}, {PLACE: (4, 5)})
    found.must_be_known()


@pytest.mark.parametrize("grown", [0, 2, 4, 9])
async def test_a_topic_that_was_made_anew_is_lost_however_far_it_has_grown(
    made: Runtime, tmp_path: Path, grown: int
) -> None:
    await anew(made, tmp_path)
    if grown:
        await made.log.append({PLACE: [(b"key", b"other %d" % n) for n in range(grown)]})
    found = await UnitOfWork(made).look()
    assert PLACE in found.lost
    assert "huiying resend --lost" in found.lost[PLACE]
    assert PLACE not in found.behind()
    with pytest.raises(OffsetOutOfRange):
        found.must_be_known()
    with pytest.raises(OffsetOutOfRange):
        await UnitOfWork(made).offsets([PLACE])


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_consumer_does_not_go_on_in_the_middle_of_another_topic(
    made: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """The offset's number alone would fit. Then the first four records would never be taken in."""
    await anew(made, tmp_path)
    other = [event.bytes for number in (2, 3) for event in report(number)]
    await made.log.append({PLACE: [(b"key", value) for value in other], WORDS: [(b"ref", content("ref"))]})
    if not guarded:

        async def numbers_alone(*_: object) -> dict[Partition, str]:
            return {}

        monkeypatch.setattr(offsets, "compare", numbers_alone)
        await take(made)
        assert await rows(made, "report_counts") == [("county", 8)], "four of twelve were jumped over"
        return
    with pytest.raises(OffsetOutOfRange, match="the record before it is not the last one"):
        await take(made)


async def test_words_that_a_tombstone_has_replaced_are_no_loss(made: Runtime) -> None:
    await made.log.append({WORDS: [(b"ref", None)]})
    assert (await UnitOfWork(made).look()).lost == {}


async def test_an_owner_sees_that_its_own_topic_was_lost_until_it_is_written_again(tmp_path: Path) -> None:
    async with runtime(small.ingest(), tmp_path, "sqlite") as made:
        await receive(made)
        assert await recovery.recover(made) == 0
        assert (await own_topics.look(made)).lost == {}
        await anew(made, tmp_path)
        for _ in range(2):  # a further start does not forget it
            assert {part.topic for part in (await own_topics.look(made)).lost} == {"ingest.report", "ingest.content"}
            assert await recovery.recover(made) == 0
        await receive(made)
        await Relay(made).drain()
        assert await recovery.recover(made) == 0
        assert (await own_topics.look(made)).lost
        assert await own_topics.known(made) == {"ingest.report", catalogue.content_topic("ingest")}
        await made.log.stop()


async def test_an_owner_that_nobody_reads_sees_that_its_topic_was_lost_though_it_writes_on(tmp_path: Path) -> None:
    async with runtime(small.ingest(), tmp_path, "sqlite") as made:
        assert await own_topics.lacking(made) == set()
        event = await receive(made)
        assert await own_topics.lacking(made) == set()
        await anew(made, tmp_path)
        assert await own_topics.lacking(made) == {"ingest.report"}, "it is empty"
        await write_on(made, event.stream)
        assert await own_topics.lacking(made) == {"ingest.report"}, "it begins with a later version"
        await receive(made)
        found = operate.Stores({"ingest": made}, made.log)
        assert await operate._owners_of_lost(found, []) == ["ingest"], "nobody else's offset says so"
        await operations.resend(made)
        assert await own_topics.lacking(made) == set(), "what waits in the outbox is on its way"
        await Relay(made).drain()
        assert await own_topics.lacking(made) == set(), "it stands behind what was written first"
        await made.log.stop()


async def write_on(made: Runtime, stream: str) -> None:
    """One more event of a stream, on its topic."""
    async with made.database.transaction() as connection:
        session = Session(made.service, made.settings, connection, made.time_source.now())
        await session.load([stream])
        session.decide(stream, (), await made.context(connection))
        await session.flush()
    await Relay(made).drain()


def test_what_lies_outside_the_topic_is_neither_behind_nor_known() -> None:
    taken = {PLACE: Offset(9), WORDS: Offset(2)}
    ends = {PLACE: 3, WORDS: 2, Partition("ingest.report", 1): 5}
    found = Progress(taken, ends, offsets.beyond(taken, ends, {}))
    assert found.behind() == {Partition("ingest.report", 1): (0, 5)}
    assert list(found.lost) == [PLACE]


async def test_what_the_relay_sent_is_verified_and_what_others_wrote_is_seen(tmp_path: Path) -> None:
    async with runtime(small.ingest(), tmp_path, "sqlite") as made:
        growth = own_topics.Growth(made, await own_topics.look(made))
        assert await growth.is_ours() is True
        event = await receive(made)
        assert await growth.is_ours() is True
        assert {part.topic for part in (await own_topics.look(made)).taken} == {"ingest.report", "ingest.content"}
        made.sending = True
        assert await growth.is_ours() is None
        made.sending = False
        await made.log.append({PLACE: [(b"key", event.bytes)]})
        for _ in range(2):
            assert await growth.is_ours() is False
        assert await growth.begin()
        assert await growth.is_ours() is True
