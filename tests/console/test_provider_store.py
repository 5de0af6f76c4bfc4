"""What sign-ins at a provider keep, on both stores: each attempt serves once, and a person has one account."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.console.access.accounts import Accounts
from services.console.access.handshakes import Handshakes
from services.console.access.sessions import Origin, Sessions
from services.console.store import METADATA, REVISIONS
from services.kernel.access.keys import Keys
from services.kernel.store import migrations
from services.kernel.store.database import Database
from tests.kit import substrate

NOW = 1_800_000_000


@pytest_asyncio.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty store of the console."""
    template = substrate.new_databases("c", services=("console",)) if request.param == "postgres" else ""
    made = Database(template.format(service="console") if template else tmp_path / "console.sqlite", 5)
    try:
        await migrations.upgrade_to(made, "console", METADATA, (REVISIONS,))
        yield made
    finally:
        await made.close()
        if template:
            substrate.drop_databases(template, services=("console",))


async def test_of_many_callbacks_at_once_one_takes_the_sign_in(database: Database) -> None:
    handshakes = Handshakes(database)
    made = await handshakes.begin("a browser", "/console/board", NOW)
    assert await handshakes.take(made.state, "another browser", NOW) is None
    taken = await asyncio.gather(*(handshakes.take(made.state, "a browser", NOW) for _ in range(8)))
    assert [one for one in taken if one] == [made]


async def test_a_person_who_comes_twice_at_once_has_one_account(database: Database) -> None:
    accounts = Accounts(database, Keys(b"a secret for these tests, long enough"))
    await asyncio.gather(*(accounts.all() for _ in range(8)))  # so that eight connections are open
    found = await asyncio.gather(*(accounts.admit("digest", "李娜", ["duty_officer@town-east"]) for _ in range(8)))
    assert len({one.id for one in found}) == 1 and len(await accounts.all()) == 1
    assert await accounts.exist() is False, "the first local account can still be made"
    sessions = Sessions(database)
    token = await sessions.begin(found[0], NOW, passed=True, origin=Origin("person", "session"))
    assert await sessions.end_of(Origin("person", "another"), NOW) == 0
    assert await sessions.end_of(Origin("person", None), NOW - 1) == 0
    assert await sessions.end_of(Origin(None, "session"), NOW) == 1 and await sessions.find(token, NOW) is None
