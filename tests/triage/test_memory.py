"""A long stream is read once. Later decisions read only its later events, and rest on the same state."""

from typing import Any

import pytest

from services.kernel.store import streams
from services.kernel.store.session import Session
from services.kernel.store.streams import Memory, Stream
from services.triage.commands import Instruct
from tests.kit import spec
from tests.kit.parsed import Parsed
from tests.triage.conftest import Triage
from tests.triage.test_many_reports import FEW, incident_with

CHIEF = spec.staff("chief", unit="county")


@pytest.fixture(params=["triage", pytest.param("triage_on_postgres", marks=pytest.mark.postgres)])
def desk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Triage:
    """Triage on both databases, one after the other. Every stream counts as long."""
    monkeypatch.setattr(streams, "LONG", 0)
    made: Triage = request.getfixturevalue(request.param)
    return made


async def loaded(desk: Triage, id_: str) -> Stream:
    """The stream as the next decision would find it."""
    runtime = desk.runtime
    async with runtime.database.read() as connection:
        session = Session(runtime.service, runtime.settings, connection, spec.NOW)
        await session.load([id_])
        return session.streams[id_]


def shown(stream: Stream) -> tuple[Any, ...]:
    return stream.state, stream.version, stream.digest, stream.revision, stream.correlation, stream.drill


async def folded(desk: Triage, id_: str) -> tuple[Any, ...]:
    """The same from all its events."""
    memory = desk.runtime.service.memory
    known = memory.recall(id_)
    memory.forget(id_)
    whole = shown(await loaded(desk, id_))
    if known:
        memory.keep(known)
    return whole


async def test_a_remembered_stream_equals_the_fold_of_its_events(desk: Triage) -> None:
    id_, told = await incident_with(desk, FEW)
    other, _ = await incident_with(desk, FEW + 1)
    key, asked = str(FEW), {"grade": {"level": "major", "reason": "r"}, "split": {"reports": [told[1].stream]}}
    for number in range(3):
        for verb, body in (*asked.items(), ("instruct", {"text": "t"})):
            await desk.take(desk.report(f"further {number} {verb}", match_key=key))
            await desk.ask(id_, verb, body, role="duty_officer" if verb == "grade" else "chief")
            await desk.take(desk.report(f"late {number} {verb}", match_key=key), desk.refusal(told[2 + number]))
            assert shown(await loaded(desk, id_)) == await folded(desk, id_)
    assert (await desk.ask(other, "merge", {"into": id_}, role="chief")).status_code == 200
    await desk.take(desk.report("after the merger", match_key=key))
    assert shown(await loaded(desk, id_)) == await folded(desk, id_)


@pytest.mark.parametrize("verb", ["instruct", "report"])
async def test_the_next_decision_reads_only_what_is_new(desk: Triage, parsed: Parsed, verb: str) -> None:
    id_, costs = await desk.open("long", match_key="long"), []
    for number in range(20):
        parsed.since()
        if verb == "report":
            await desk.take(desk.report(f"further {number}", match_key="long"))
        else:
            await desk.ask(id_, "instruct", {"text": "t"}, role="chief", version=number)
        costs.append(parsed.since())
    assert costs[4] == costs[-1], costs


async def test_a_merger_makes_further_reports_no_dearer(desk: Triage, parsed: Parsed) -> None:
    id_, costs = await desk.open("long", match_key="long"), []
    for number in range(6):
        if number == 3:
            other, _ = await incident_with(desk, FEW)
            assert (await desk.ask(other, "merge", {"into": id_}, role="chief")).status_code == 200
        parsed.since()
        await desk.take(desk.report(f"further {number}", match_key="long"))
        costs.append(parsed.since())
    assert costs[2] == costs[-1], costs


async def test_what_was_rolled_back_is_forgotten(desk: Triage) -> None:
    id_, runtime = await desk.open(), desk.runtime

    async def fail() -> None:
        async with runtime.database.transaction() as connection:
            ctx = await runtime.context(connection, CHIEF)
            session = Session(runtime.service, runtime.settings, connection, ctx.now)
            await session.load([id_])
            for text in ("one", "two"):
                session.decide(id_, Instruct(text=text), ctx)
            await session.flush()
            raise RuntimeError("power is away")

    with pytest.raises(RuntimeError, match="power"):
        await fail()
    known = runtime.service.memory.recall(id_)
    assert known and known.version == (await loaded(desk, id_)).version + 1, "the memory holds what was rolled back"
    for text in ("another one", "and another one"):
        assert (await desk.ask(id_, "instruct", {"text": text}, role="chief")).status_code == 200
    assert shown(await loaded(desk, id_)) == await folded(desk, id_)


def test_the_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "REMEMBERED", 3 * streams.LONG)
    memory = Memory()
    for name in ("a", "b", "c"):
        memory.keep(Stream(name, None, size=streams.LONG))
    memory.keep(Stream("a", None, size=streams.LONG + 1))
    memory.keep(Stream("short", None, size=streams.LONG - 1))
    assert [name for name in ("a", "b", "c", "short") if memory.recall(name)] == ["a", "c"]
    memory.keep(Stream("whole", None, size=4 * streams.LONG))
    assert [name for name in ("a", "c", "whole") if memory.recall(name)] == ["whole"], "the newest one stays"
