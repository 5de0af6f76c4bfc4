"""Who acted is told apart within a stream of a matter, and nowhere else."""

from pathlib import Path

import pytest

from schemas.fields import Fact, Typed
from schemas.operation import OperationRecordRead
from schemas.publish import StatementPublished
from schemas.triage import IncidentFollowedUp
from services.kernel.core.decider import SYSTEM, Actor
from services.kernel.store.session import Session
from tests.kit import small, spec
from tests.kit.stores import runtime, stored

ONE, OTHER = f"incident-{spec.UUID}", f"incident-{spec.UUID[:-1]}{'0' if spec.UUID[-1] != '0' else '1'}"
FOLLOWED = IncidentFollowedUp(text=Typed(text="done"))


@pytest.fixture
async def by(tmp_path: Path):  # type: ignore[no-untyped-def]
    """The digest in the envelope of an event that somebody appends."""
    async with runtime(small.ingest(), tmp_path, "sqlite") as made:

        async def append(stream: str, fact: Fact, actor: Actor) -> str | None:
            async with made.database.transaction() as connection:
                session = Session(made.service, made.settings, connection, spec.NOW)
                await session.load([stream])
                cause = f"{stream} {session.streams[stream].version}"
                (event,) = session.append(stream, [fact], spec.ctx(actor, cause=cause))
                await session.flush()
            assert actor.person is None or actor.person.encode() not in event.bytes
            found: str | None = event.attributes.get("by")
            return found

        yield append
        assert await stored(made)


async def test_two_persons_at_one_post_are_told_apart_within_a_stream_and_not_across_streams(by) -> None:  # type: ignore[no-untyped-def]
    ann, ben = (spec.staff("handler", person=person) for person in ("zoe-17", "kim-18"))
    first = await by(ONE, FOLLOWED, ann)
    assert first is not None
    assert await by(ONE, FOLLOWED, ann) == first
    assert await by(ONE, FOLLOWED, ben) not in (None, first)
    assert await by(OTHER, FOLLOWED, ann) not in (None, first)


async def test_who_is_no_person_and_what_is_no_work_on_a_matter_carry_none(by) -> None:  # type: ignore[no-untyped-def]
    ann = spec.staff("handler", person="zoe-17")
    assert await by(ONE, FOLLOWED, SYSTEM) is None
    assert await by(ONE, FOLLOWED, Actor(f"integration-{spec.UUID}", "county", frozenset({"integration"}))) is None
    assert await by(f"operation-{spec.UUID}", OperationRecordRead(record=ONE, works=True), ann) is None
    said = StatementPublished(
        incident=ONE, unit="county", kind="status", title="路灯修好", text="修好", facts=(), by="0" * 64
    )
    assert await by(f"statement-{spec.UUID}", said, ann) is None, "its data has it"
