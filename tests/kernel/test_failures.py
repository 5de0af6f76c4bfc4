"""Answers and log lines when the store fails: infrastructure gives 503, a defect gives 500 with a number."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
import psycopg
import pytest
from sqlalchemy import literal, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from structlog.testing import capture_logs

from services.kernel import logging
from services.kernel.logging import Lasting
from services.kernel.store import failures
from services.kernel.store.database import Database, answer_within
from tests.ingest.conftest import PATH, Ingest, post, refused, running
from tests.kit import substrate

SECRET = "13812345678 should stand in no log"


async def change(ingest: Ingest, *statements: str) -> None:
    async with ingest.runtime.database.transaction() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def broken(ingest: Ingest) -> None:
    """Makes every report one that the store refuses."""
    if ingest.runtime.database.is_sqlite:
        await change(ingest, "create trigger t before insert on contents begin select raise(abort, 'planted'); end")
    else:
        await change(ingest, "alter table contents alter column words type varchar(3)")


@asynccontextmanager
async def started(where: str, folder: Path) -> AsyncIterator[Ingest]:
    """Ingest on one of the two databases."""
    template = substrate.new_databases("t", services=("ingest",)) if where == "postgres" else ""
    try:
        async with running(folder, template.format(service="ingest") or folder / "ingest.sqlite") as service:
            yield service
    finally:
        if template:
            substrate.drop_databases(template)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ingest]:
    async with started(request.param, tmp_path) as made:
        yield made


@pytest.mark.parametrize("large", ["columns", "conditions"])
async def test_a_statement_that_is_too_large_is_a_defect_and_no_store_that_is_away(service: Ingest, large: str) -> None:
    """A consumer would wait for ever for a store that answers, and a person would be told to try again."""
    asked = select(*(literal(number) for number in range(3_000)))
    if large == "conditions":
        each = [literal(number) == 0 for number in range(1_100)]
        asked = select(literal(1)).where(
            *each if service.runtime.database.is_sqlite else [literal(0).in_(range(70_000))]
        )
    with pytest.raises(DBAPIError) as raised:
        async with service.runtime.database.read() as connection:
            await connection.execute(asked)
    assert failures.is_defect(raised.value), raised.value.orig
    assert failures.problem_of(raised.value, service.runtime.failing).status == 500


async def test_a_defect_under_a_command_is_500_with_its_number_in_the_log(service: Ingest) -> None:
    key = await service.key()
    await broken(service)
    with capture_logs() as told:
        answer = await post(service, key, text=SECRET)
    refused(answer, 500, "logged as")
    (line,) = [line for line in told if line["event"] == "defect.found"]
    assert line["defect"] == answer.json()["defect"] and line["log_level"] == "error"
    assert "commands.py" in line["stack"]
    assert SECRET not in str(told)
    assert await service.events("report") == []
    assert "retry-after" not in answer.headers


async def test_a_defect_under_a_question_is_500_with_its_number_in_the_log(
    service: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await service.key()
    id_ = (await post(service, key)).json()["report_id"]
    monkeypatch.setattr("services.ingest.queries.report", lambda *_: int("x"))
    with capture_logs() as told:
        answer = await service.client.get(f"{PATH}/{id_}", headers=key)
    refused(answer, 500, "logged as")
    (line,) = told
    assert (line["defect"], line["path"]) == (answer.json()["defect"], f"{PATH}/{id_}")


async def test_a_store_that_is_not_ready_is_503_and_told_once(service: Ingest) -> None:
    key = await service.key()
    await change(service, "drop table contents")
    with capture_logs() as told:
        for _ in range(5):
            answer = await post(service, key)
            refused(answer, 503, "lacks a table")
    assert answer.headers["retry-after"] == "30"
    assert [(line["event"], line["times"]) for line in told] == [("store.fails", 1)]
    assert "contents" in told[0]["error"]


@asynccontextmanager
async def held(service: Ingest) -> AsyncIterator[None]:
    """Somebody else holds a row that a command needs, and keeps it."""
    where = service.runtime.database.location
    made: AsyncEngine = create_async_engine(f"sqlite+aiosqlite:///{where}" if where.startswith("/") else where)
    try:
        async with made.connect() as connection:
            if service.runtime.database.is_sqlite:
                await connection.execute(text("begin immediate"))
            else:
                await connection.execute(text("lock table events, outbox, dead_letters in access exclusive mode"))
            yield
            await connection.rollback()
    finally:
        await made.dispose()


async def test_what_somebody_else_holds_is_waited_for_a_moment(service: Ingest) -> None:
    key, database = await service.key(), service.runtime.database
    await service.runtime.database.close()
    service.runtime.database = Database(database.location if not database.is_sqlite else Path(database.location), 0.2)
    async with held(service), asyncio.timeout(10):
        answer = await post(service, key)
        refused(answer, 503, "the store is busy")
        assert answer.headers["retry-after"] == "5"
        ready = await service.client.get("/readyz")
        assert ready.status_code in ((200,) if database.is_sqlite else (503,))
        assert (await service.client.get("/metrics")).status_code == 200
    assert (await post(service, key)).status_code == 201
    assert (await service.client.get("/readyz")).status_code == 200


SLOW = {
    "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n where i < 4e6) select count(*) from n",
    "postgres": "select pg_sleep(60)",
}


@pytest.mark.parametrize("where", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_a_store_that_takes_too_long_is_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """On PostgreSQL, the statement also ends at the server."""

    async def wait(connection: AsyncConnection, *_: Any) -> None:
        await connection.execute(text(SLOW[where]))

    monkeypatch.setenv("HUIYING_ANSWER_SECONDS", "0.3")
    async with started(where, tmp_path) as service, asyncio.timeout(20):
        key = await service.key()
        id_ = (await post(service, key)).json()["report_id"]
        monkeypatch.setattr("services.ingest.queries.events_of", wait)
        answer = await service.client.get(f"{PATH}/{id_}", headers=key)
        refused(answer, 503, "the store is busy")
        if where == "postgres":
            # The test itself may wait.
            answer_within.set(None)
            async with service.runtime.database.read() as connection:
                running_ = "select count(*) from pg_stat_activity where state = 'active' and query = :slow"
                assert (await connection.execute(text(running_), {"slow": SLOW[where]})).scalar_one() == 0


@pytest.mark.parametrize("where", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_a_commit_that_does_not_answer_in_time_may_have_been_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Who is told that nothing was kept sends the report again, and it is there twice."""
    driver = {"sqlite": aiosqlite.Connection, "postgres": psycopg.AsyncConnection}[where]
    commit, slow = driver.commit, False

    async def late(connection: Any) -> None:
        await commit(connection)
        if slow:
            await asyncio.sleep(60)

    monkeypatch.setattr(driver, "commit", late)
    monkeypatch.setenv("HUIYING_ANSWER_SECONDS", "1")
    async with started(where, tmp_path) as service, asyncio.timeout(20):
        key = await service.key()
        assert (
            await service.client.get(f"{PATH}/report-{uuid.uuid4()}", headers=key)
        ).status_code == 404  # Its use is noted now.
        slow = True
        answer = await post(service, key)
        refused(answer, 503, "may not have been kept")
        slow = False
        assert len(await service.events("report")) == 1


async def test_two_that_are_in_each_others_way_are_both_stored(service: Ingest) -> None:
    """The database gives up one of two transactions. It is tried again, and the caller does not notice."""
    key = await service.key()
    if service.runtime.database.is_sqlite:
        return  # it has one writer
    await change(
        service,
        "create table once (n int)",
        "create function give_up() returns trigger language plpgsql as $$ begin "
        "if nextval('tries') < 3 then raise exception 'planted' using errcode = '40P01'; end if; return new; end $$",
        "create sequence tries",
        "create trigger t before insert on contents for each row execute function give_up()",
    )
    assert (await post(service, key)).status_code == 201


def test_a_state_that_lasts_is_told_when_it_begins_and_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(logging.time, "monotonic", lambda: now[0])
    state = Lasting("relay.waits", service="ingest")
    with capture_logs() as told:
        state.over()
        for _ in range(800):
            state.told("nobody answers")
            now[0] += 0.125
        state.told("the disk is full")
        state.over()
        state.told("nobody answers")
    assert [(line["event"], line.get("error"), line["times"]) for line in told] == [
        ("relay.waits", "nobody answers", 1),
        ("relay.waits", "nobody answers", 481),
        ("relay.waits", "the disk is full", 801),
        ("relay.waits.over", None, 801),
        ("relay.waits", "nobody answers", 1),
    ]


def test_an_error_is_told_without_what_people_typed() -> None:
    from pydantic import BaseModel, ValidationError

    class Wanted(BaseModel):
        number: int

    with pytest.raises(ValidationError) as refused_:
        Wanted.model_validate({"number": SECRET})
    assert SECRET in str(refused_.value)
    assert logging.brief(refused_.value) == "ValidationError: number: int_parsing"
    assert logging.brief(ValueError(f"wrong\n{SECRET}")) == "ValueError: wrong"
