"""A text that no store can hold is refused before it is an event, whatever its origin."""

from pathlib import Path

import pytest

from schemas.fields import Fact, Typed
from schemas.publish import StatementPublished
from schemas.triage import IncidentFollowedUp
from services.kernel.core.problems import Malformed
from services.kernel.delivery.runtime import Runtime
from services.kernel.store.session import Session
from tests.kit import small, spec
from tests.kit.stores import rows, runtime, stored

NULL = chr(0)
BY = "0" * 64
STREAM = f"statement-{spec.UUID}"


def published(text: str) -> StatementPublished:
    return StatementPublished(
        incident=f"incident-{spec.UUID}", unit="county", kind="status", title="标题一", text=text, facts=(), by=BY
    )


async def append(made: Runtime, fact: Fact) -> None:
    """Appends a first event."""
    async with made.database.transaction() as connection:
        session = Session(made.service, made.settings, connection, spec.NOW)
        session.begin(STREAM)
        session.append(STREAM, [fact], spec.ctx())
        await session.flush()


@pytest.mark.parametrize("where", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.parametrize(
    ("fact", "place"),
    [(IncidentFollowedUp(text=Typed(text=f"a{NULL}b")), "text"), (published(f"a{NULL}b"), "data.text")],
    ids=["words", "published"],
)
async def test_a_null_character_becomes_no_event(tmp_path: Path, where: str, fact: Fact, place: str) -> None:
    async with runtime(small.ingest(), tmp_path, where) as made:
        with pytest.raises(Malformed, match="null character") as refused:
            await append(made, fact)
        assert refused.value.members["field"] == place
        assert await stored(made) == [] and await rows(made, "contents") == []


async def test_six_letters_that_look_like_one_are_text(tmp_path: Path) -> None:
    text = "a" + chr(92) + "u0000b"
    async with runtime(small.ingest(), tmp_path, "sqlite") as made:
        await append(made, published(text))
        (event,) = await stored(made)
        assert event.data.text == text
