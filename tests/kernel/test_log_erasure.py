"""The embedded log writes its file anew after an erasure, so that no erased words stay in it."""

import asyncio
import random
import sqlite3
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from services.kernel.delivery.log import Partition
from services.kernel.delivery.log import embedded as module
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.store import database
from tests.kernel.test_log import until

CONTENT = "huiying.content.ingest"
FILLED = 300
ERASED = range(0, FILLED, 3)


async def started(path: Path) -> EmbeddedLog:
    log = EmbeddedLog(path / "log.sqlite", 4)
    await log.start()
    return log


def words(at: int) -> bytes:
    return b"the lamp number %03d is dark" % at


def left(path: Path) -> list[int]:
    """The erased records whose words still stand anywhere in the log's files."""
    files = [file.read_bytes() for file in path.glob("log.sqlite*")]
    return [at for at in ERASED if any(words(at) in file for file in files)]


async def test_on_a_full_disk_the_rewriting_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, full = await started(tmp_path), True
    await fill(log)
    forget = database._forget

    def tried(path: str) -> bool:
        if full:
            raise DBAPIError("vacuum", None, sqlite3.OperationalError("database or disk is full"))
        return forget(path)

    monkeypatch.setattr(database, "_forget", tried)
    monkeypatch.setattr(module, "FAILED_SECONDS", 0.01)
    try:
        with capture_logs() as told:
            await erase(log)
            await until(lambda: [one["event"] for one in told].count("log.erasure_waits") > 1, "it was tried again")
            full = False
            await until(lambda: not left(tmp_path), "the words left the files")
    finally:
        await log.stop()


async def fill(log: EmbeddedLog) -> None:
    """Records of several partitions, long and short, so that SQLite moves them from page to page."""
    chosen = random.Random(33)
    for at in range(FILLED):
        value = words(at) + b"." * chosen.choice((0, 700))
        await log.append({Partition(CONTENT, at * 7 % 4): [(b"%d" % at, value)]})


async def erase(log: EmbeddedLog, which: Iterable[int] = ERASED) -> None:
    for at in which:
        await log.append({Partition(CONTENT, at * 7 % 4): [(b"%d" % at, None)]})


async def test_no_copy_of_erased_words_stays_in_the_file(tmp_path: Path) -> None:
    log = await started(tmp_path)
    try:
        await fill(log)
        assert len(left(tmp_path)) == len(ERASED)
        await erase(log)
        await until(lambda: not left(tmp_path), "the words left the files")
    finally:
        await log.stop()


async def test_a_start_goes_on_with_what_a_full_disk_hindered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile the log takes records, and does not fill the disk again at once."""
    tried = 0

    def full(_: str) -> None:
        nonlocal tried
        tried += 1
        raise sqlite3.OperationalError("database or disk is full")

    log = await started(tmp_path)
    try:
        await fill(log)
        with monkeypatch.context() as patched, capture_logs() as told:
            patched.setattr(module, "_rewrite", full)
            patched.setattr(module, "FORGET_SECONDS", 0.0)
            await erase(log)
            await until(lambda: tried, "the file was to be rewritten")
            for at in range(FILLED, FILLED + 30):
                await log.append({Partition(CONTENT, 0): [(b"%d" % at, b"more")]})
            await log.stop()
        assert (tried, [one["event"] for one in told]) == (1, ["log.erasure_waits"])
        assert left(tmp_path), "SQLite itself leaves copies"
        log = await started(tmp_path)
        await until(lambda: not left(tmp_path), "the words left the files")
    finally:
        await log.stop()


async def test_a_stop_waits_until_the_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stopped the log may put another file in its place, as a restore does."""
    begun, go_on, rewrite = threading.Event(), threading.Event(), module._rewrite

    def held(path: str) -> None:
        begun.set()
        assert go_on.wait(20)
        rewrite(path)

    log = await started(tmp_path)
    stopping = None
    try:
        monkeypatch.setattr(module, "_rewrite", held)
        await erase(log, [0])
        await until(begun.is_set, "the file is being rewritten")
        stopping = asyncio.create_task(log.stop())
        assert not (await asyncio.wait([stopping], timeout=0.2))[0]
        go_on.set()
        await stopping
        with closing(sqlite3.connect(log._database.location)) as file:
            assert file.execute("pragma user_version").fetchone() == (0,)
    finally:
        go_on.set()
        await (stopping or log.stop())


async def test_appends_get_their_turn_between_two_rewritings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When many words are erased one after the other, not each append waits until the whole file is written."""
    times: list[tuple[float, float]] = []

    def slow(_: str) -> None:
        began = time.monotonic()
        time.sleep(0.02)
        times.append((began, time.monotonic()))

    log = await started(tmp_path)
    try:
        monkeypatch.setattr(module, "_rewrite", slow)
        while len(times) < 3:
            await erase(log, [0])
        for (began, ended), (next_, _) in pairwise(times):
            assert next_ - ended > 5 * (ended - began)
    finally:
        await log.stop()
