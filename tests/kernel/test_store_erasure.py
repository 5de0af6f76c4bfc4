"""A SQLite store writes its file anew after an erasure, so that no erased words stay in it."""

import asyncio
import random
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from services.ingest.app import SERVICE
from services.kernel.store import database as module
from services.kernel.store import word_index
from services.kernel.store.database import Database
from tests.kernel.test_log import until
from tests.kit.stores import make_tables

FILLED = 2_000
ERASED = range(0, FILLED, 3)


def words(at: int) -> str:
    return f"the lamp number {at:04d} is dark"


def left(database: Database) -> list[int]:
    """The erased texts that still stand anywhere in the store's files."""
    folder = Path(database.location).parent
    files = [file.read_bytes() for file in folder.glob("ingest.sqlite*")]
    return [at for at in ERASED if any(words(at).encode() in file for file in files)]


async def filled(path: Path) -> Database:
    """A store with texts, long and short, that came in an order in which SQLite moves them from page to page."""
    database = Database(path / "ingest.sqlite")
    await make_tables(database, SERVICE.metadata)
    chosen = random.Random(33)
    rows = [{"at": at, "ref": f"ref-{at}", "words": words(at) + "." * chosen.randrange(1500)} for at in range(FILLED)]
    chosen.shuffle(rows)
    async with database.transaction() as connection:
        said = "insert into contents(rowid, ref, salt, words) values (:at, :ref, '', :words)"
        await connection.execute(text(said), rows)
    return database


async def erase(database: Database) -> None:
    refs = [{"ref": f"ref-{at}"} for at in ERASED]
    random.Random(33).shuffle(refs)
    async with database.transaction() as connection:
        await connection.execute(text("delete from contents where ref = :ref"), refs)
        await connection.execute(text("insert into erased(ref) values (:ref)"), refs)


async def test_no_copy_of_erased_words_stays_in_the_file(tmp_path: Path) -> None:
    database = await filled(tmp_path)
    try:
        await erase(database)
        with sqlite3.connect(database.location) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")
        assert left(database), "SQLite itself leaves copies"
        assert await database.forget()
        assert not left(database)
    finally:
        await database.close()


async def test_rows_keep_their_places_by_which_the_index_names_them(tmp_path: Path) -> None:
    database = await filled(tmp_path)
    try:
        await word_index.make(database)
        await erase(database)
        assert await database.forget()
        async with database.read() as connection:
            rows = await connection.execute(text("select rowid, ref from contents"))
            assert all(ref == f"ref-{place}" for place, ref in rows)
            held, _ = await word_index.holding(connection, "number 0001", word_index.CONTENTS, 10)
            assert held == ["ref-1"]
    finally:
        await database.close()


async def test_a_file_is_not_written_anew_while_nothing_more_was_erased(tmp_path: Path) -> None:
    database = await filled(tmp_path)

    def state() -> tuple[int, ...]:
        with sqlite3.connect(database.location) as connection:
            return tuple(connection.execute(f"pragma {name}").fetchone()[0] for name in ("user_version", "page_count"))

    try:
        before = state()
        assert await database.forget()
        assert state() == before
        await erase(database)
        assert await database.forget()
        after = state()
        assert after[0] == len(ERASED)
        assert after[1] < before[1]
        written = Path(database.location).stat().st_mtime_ns  # noqa: ASYNC240
        assert await database.forget()
        assert Path(database.location).stat().st_mtime_ns == written  # noqa: ASYNC240
    finally:
        await database.close()


async def test_a_writer_is_waited_for(tmp_path: Path) -> None:
    database = await filled(tmp_path)
    try:
        await erase(database)
        async with database.transaction() as connection:
            await connection.execute(text("insert into erased(ref) values ('one-more')"))
            assert not await database.forget()
        assert await database.forget()
        assert not left(database)
    finally:
        await database.close()


async def test_closing_waits_until_the_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if whoever began it was cancelled."""
    begun, go_on, forget = threading.Event(), threading.Event(), module._forget

    def held(path: str) -> bool:
        begun.set()
        assert go_on.wait(20)
        return forget(path)

    database = await filled(tmp_path)
    await erase(database)
    monkeypatch.setattr(module, "_forget", held)
    asking = asyncio.create_task(database.forget())
    try:
        await until(begun.is_set, "the file is being rewritten")
        asking.cancel()
        closing = asyncio.create_task(database.close())
        assert not (await asyncio.wait([closing], timeout=0.2))[0]
    finally:
        go_on.set()
    await closing
    assert not left(database)
