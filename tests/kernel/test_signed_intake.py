"""Signed events at the door of a service: forged ones are set aside, and others wait for their key."""

import functools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas import deeds
from schemas.envelope import Event, seal
from schemas.fields import WordsRef, instant
from schemas.operation import OperationPostKeyMade, OperationPostKeyRevoked
from services.kernel.access.keys import Keys
from services.kernel.access.signatures import sealed
from services.kernel.core.ids import derived
from services.kernel.core.reactions import no_reaction
from services.kernel.delivery import recovery, repairs
from services.kernel.delivery.runtime import Runtime, Service
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.store import offices
from tests.kit import small, spec
from tests.kit.stores import SECRET, as_records, rows, runtime
from tests.publish.test_approval import pack
from tests.publish.test_signing import FIRST, STREAM, Office, altered, of_another_text, unsigned

STATEMENTS, KEYS, PACKS = "publish.statement", "publish.operation", "triage.policy"


@functools.cache
def reader() -> Service:
    """A service that reads statements, and counts those that it took in."""
    usual = small.triage()
    return replace(
        usual,
        views=(*usual.views, *offices.views(usual.metadata)),
        topics=(STATEMENTS, KEYS, PACKS),
        react=no_reaction,
        signatures={"statement": deeds.claims},
    )


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def made(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with runtime(reader(), tmp_path, request.param) as found:
        yield found


def operation(facts: Sequence[Any], day: str = "one", secret: bytes = SECRET) -> list[Event]:
    """Operational events of publish on keys, by somebody with this secret."""
    stream, done = f"operation-{derived(day)}", list[Event]()
    facts = [sealed(fact, instant(FIRST), Keys(secret).digest) for fact in facts]
    for number, fact in enumerate(facts, 1):
        done.append(
            seal(
                fact,
                id=derived(stream, str(number)),
                source="/huiying/test/publish",
                stream=stream,
                version=number,
                previous=done[-1].digest if done else None,
                time=FIRST,
                recorded=FIRST,
                partitionkey=stream,
                actor="system",
            )
        )
    return done


def keys(office: Office, secret: bytes = SECRET) -> list[Event]:
    made = [OperationPostKeyMade(key=key.kid, post=post, public=key.public_hex) for post, key in office.keys.items()]
    return operation(made, secret=secret)


def packs() -> list[Event]:
    return spec.events("policy", [spec.loaded(pack())])


class Door:
    """The unit of work, with a topic for each kind of record."""

    def __init__(self, made: Runtime) -> None:
        self.work, self.next = UnitOfWork(made), dict[str, int]()

    async def take(self, topic: str, events: Sequence[Event]) -> None:
        start = self.next.get(topic, 0)
        await self.work.handle(as_records(events, topic, start))
        self.next[topic] = start + len(events)


async def taken(made: Runtime, stream: str = STREAM) -> tuple[int, str | None]:
    """Up to which version the statement was taken in, and why it waits."""
    found = await rows(made, "stream_cursor", "stream_id", "version", "blocked")
    return next(((version, blocked) for id_, version, blocked in found if id_ == stream), (0, None))


async def letters(made: Runtime) -> list[Any]:
    return await rows(made, "dead_letters", "version", "reason", "state")


async def test_what_posts_signed_is_taken_in(made: Runtime) -> None:
    door, office = Door(made), Office()
    office.published()
    await door.take(KEYS, keys(office))
    await door.take(PACKS, packs())
    await door.take(STATEMENTS, office.events)
    assert await taken(made) == (5, None)
    assert await letters(made) == []


async def test_a_forged_publication_is_set_aside_and_has_no_effect(made: Runtime) -> None:
    door, office = Door(made), Office()
    forged = of_another_text(office)
    await door.take(KEYS, keys(office))
    await door.take(PACKS, packs())
    await door.take(STATEMENTS, [*office.events[:4], forged])
    assert await taken(made) == (4, "unproven")
    assert await letters(made) == [(5, "unproven", "open")]
    ((error,),) = await rows(made, "dead_letters", "error")
    assert error == "its text is not the text that was submitted"
    # When it is discarded, the true one takes its place.
    await door.take(STATEMENTS, [office.events[4]])
    async with made.database.transaction() as connection:
        session = repairs.Session(made.service, made.settings, connection, made.time_source.now())
        ((id_,),) = await rows(made, "dead_letters", "id")
        await repairs.discard(door.work, session, await made.context(connection), id_, "nobody signed it")
        await session.flush()
    assert await taken(made) == (5, None)


async def test_without_the_check_a_forged_publication_would_be_taken_in(
    made: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, office = Door(made), Office()
    forged = of_another_text(office)
    monkeypatch.setattr(UnitOfWork, "prove", lambda *_: None)
    await door.take(STATEMENTS, [*office.events[:4], forged])
    assert await taken(made) == (5, None)


@pytest.mark.parametrize("order", ["key first", "pack first", "together"])
async def test_a_statement_waits_for_its_keys_and_its_pack(made: Runtime, order: str) -> None:
    door, office = Door(made), Office()
    office.published()
    await door.take(STATEMENTS, office.events)
    assert await taken(made) == (2, "awaited")
    assert await letters(made) == [(3, "awaited", "open")]
    ((error,),) = await rows(made, "dead_letters", "error")
    assert f"the key {office.key('approver@town-east').kid} of approver@town-east" in error
    if order == "key first":
        await door.take(KEYS, keys(office))
        assert await taken(made) == (4, "awaited"), "the publication waits for its pack"
        await door.take(PACKS, packs())
    elif order == "pack first":
        await door.take(PACKS, packs())
        await door.take(KEYS, keys(office))
    else:
        records = as_records(keys(office), KEYS) + as_records(packs(), PACKS)
        await door.work.handle(records)
    assert await taken(made) == (5, None)
    assert {state for _, _, state in await letters(made)} == {"redriven"}
    assert await rows(made, "parked") == []


async def test_keys_that_come_in_the_same_transaction_let_in_what_stands_before_them(made: Runtime) -> None:
    door, office = Door(made), Office()
    office.published()
    records = [
        *as_records(office.events, STATEMENTS),
        *as_records(keys(office), KEYS),
        *as_records(packs(), PACKS),
    ]
    await door.work.handle(records)
    assert await taken(made) == (5, None)
    assert await letters(made) == []
    assert await rows(made, "parked") == []


async def test_keys_that_come_one_by_one_let_in_what_they_signed(made: Runtime) -> None:
    door, office = Door(made), Office()
    office.published()
    await door.take(PACKS, packs())
    await door.take(STATEMENTS, office.events)
    reached = []
    for event in keys(office):
        await door.take(KEYS, [event])
        reached.append(await taken(made))
    # The handler's key signed nothing; the approver's, the chief's and the spokesperson's follow.
    assert reached == [(2, "awaited"), (3, "awaited"), (4, "awaited"), (5, None)]


async def test_a_signature_by_no_key_keeps_the_true_event_out_of_nothing(made: Runtime) -> None:
    door, office = Door(made), Office()
    event = office.published()
    stranger = Office()
    forged = altered(event, signature=stranger.published().attributes["data"]["signature"])
    await door.take(KEYS, keys(office))
    await door.take(PACKS, packs())
    await door.take(STATEMENTS, [*office.events[:4], forged])
    assert await taken(made) == (4, "awaited")
    await door.take(STATEMENTS, [event])
    assert await taken(made) == (5, None)
    assert await letters(made) == [(5, "awaited", "open")], "the forged one stays for a person to see"


async def test_a_revoked_key_signs_nothing_from_then_on(made: Runtime) -> None:
    door, office = Door(made), Office()
    office.published()
    ended = OperationPostKeyRevoked(
        key=office.key("chief@town-east").kid, reason=WordsRef(ref=derived("why"), digest="0" * 64)
    )
    await door.take(KEYS, keys(office))
    await door.take(PACKS, packs())
    await door.take(KEYS, operation([ended], "another day"))
    await door.take(STATEMENTS, office.events)
    assert await taken(made) == (3, "unproven")


@pytest.mark.parametrize("bare", [False, True])
async def test_who_writes_to_the_topic_of_keys_makes_and_ends_none(made: Runtime, bare: bool) -> None:
    """Else a key of one's own for each post would be all that a forger needs."""
    door, forger = Door(made), Office(text="涉事人员均已处理完毕。")
    forger.published()
    told = keys(forger, b"another secret, as long as it must be")
    chief = forger.key("chief@town-east").kid
    ended = OperationPostKeyRevoked(key=chief, reason=WordsRef(ref=derived("why"), digest="0" * 64))
    (end,) = operation([ended], "another day", b"another secret, as long as it must be")
    if bare:
        told[0], end = (altered(one, seal=None) for one in (told[0], end))
    await door.take(PACKS, packs())
    await door.take(KEYS, [*told, end])
    assert {row[1] for row in await letters(made)} == {"unproven"}
    await door.take(STATEMENTS, forger.events)
    assert await taken(made) == (2, "awaited")
    assert await rows(made, "post_keys") == []


async def test_a_restored_owner_takes_back_what_it_published_under_a_pack_that_has_not_come_again(
    made: Runtime,
) -> None:
    door, office = Door(made), Office()
    office.published()
    await door.take(KEYS, keys(office))
    found = list(zip(as_records(office.events, STATEMENTS, 0), office.events, strict=True))
    forged = recovery.Compared(missing=[*found[:4], (found[4][0], altered(office.events[4], text="另一份"))])
    true = recovery.Compared(missing=list(found))
    async with made.database.transaction() as connection:
        for compared in (true, forged):
            await recovery.must_prove(made, connection, compared)
    assert (len(true.missing), true.foreign) == (5, [])
    assert (len(forged.missing), [reason for _, _, reason, _ in forged.foreign]) == (4, ["unproven"])


async def test_only_what_was_recorded_before_the_first_key_needs_no_signature(made: Runtime) -> None:
    office, early = Office(), Door(made)
    event = unsigned(office)
    bare = [*office.events[:2], *_bare(office.events[2:4]), event]
    for number, one in enumerate(bare):
        bare[number] = altered(one, {"previousdigest": bare[number - 1].digest}) if number else one
    await early.take(STATEMENTS, bare[:3])
    assert await taken(made) == (3, None), "nobody has a key yet"
    await early.take(KEYS, keys(office))
    await early.take(STATEMENTS, bare[3:])
    assert await taken(made) == (3, "unproven")


def _bare(events: Sequence[Event]) -> list[Event]:
    data = [{name: one for name, one in event.attributes["data"].items() if name != "signature"} for event in events]
    return [altered(event, {"data": bare}, signature=None) for event, bare in zip(events, data, strict=True)]
