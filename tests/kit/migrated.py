"""The tables of one test's SQLite file serve those of later tests.

A revision takes a hundred statements, and a file with their tables is copied in no time. The first file of a process,
and each of a program that is started, gets its tables by the revisions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from sqlalchemy import MetaData

from services.kernel.store import migrations
from services.kernel.store.database import Database
from tests.kit.stores import begin_with, content

_made: dict[tuple[Path, ...], bytes] = {}


@contextmanager
def migrated_once() -> Iterator[None]:
    """Meanwhile a new SQLite file of this process begins as a copy of the first one with the same revisions."""
    upgrade_to = migrations.upgrade_to

    async def upgraded(database: Database, name: str, metadata: MetaData, folders: Sequence[Path] | None) -> None:
        is_new = folders is not None and _is_new_file(database)
        known = tuple(folders or ())
        if is_new and known in _made:
            begin_with(database, _made[known])
        await upgrade_to(database, name, metadata, folders)
        if is_new and known not in _made and await database.forget():
            _made[known] = content(database)

    with mock.patch.object(migrations, "upgrade_to", upgraded):
        yield


def _is_new_file(database: Database) -> bool:
    return database.is_sqlite and not Path(database.location).exists()
