"""SQL that one test's database compiled serves the databases of later tests.

SQLAlchemy keeps what it compiled with each engine. Most tests have an engine of their own, and would compile the same
statements again, which takes longer than to execute them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from sqlalchemy.util import LRUCache

from services.kernel.store import database

STATEMENTS = 4000
"""Many more than all services have."""


class Compiled(LRUCache[Any, Any]):
    """Compiled statements. SQLAlchemy's keys begin with an engine's dialect; these begin with the dialect's class.

    `Database` makes all its engines alike.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_class(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_of_class(key), value)


def _of_class(key: Any) -> tuple[Any, ...]:
    dialect, *rest = key
    return (type(dialect), *rest)


@contextmanager
def compiled_once() -> Iterator[None]:
    """Meanwhile, every `Database` of this process looks up its statements in the same place."""
    make, statements = database.create_async_engine, Compiled(STATEMENTS)

    def made(url: str, **options: Any) -> Any:
        return make(url, execution_options={"compiled_cache": statements}, **options)

    with mock.patch.object(database, "create_async_engine", made):
        yield
