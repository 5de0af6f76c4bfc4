"""The two HTTP servers for single reports: ingest, and a bare endpoint that inserts each body.

python -m benchmarks.servers ours|bare PORT        the database is HUIYING_DATABASE
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from benchmarks import rig
from services.ingest.app import SERVICE
from services.ingest.form.pace import Pace, Paces
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log.kafka import KafkaLog
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import http, process
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from tests.kit import access

TABLE = "create table if not exists bare (id bigserial primary key, body jsonb not null, at timestamptz default now())"


class Body(BaseModel):
    """A report as a first program would model it."""

    unit: str
    channel: str
    subject: str
    text: str
    discovered_at: str
    source: str
    external_id: str


def bare(database: str) -> FastAPI:
    """One validated body, one INSERT, one COMMIT."""
    pool = AsyncConnectionPool(database, min_size=10, max_size=20, open=False)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with pool:
            async with pool.connection() as connection:
                await connection.execute(TABLE)
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/ingest/v1/reports", status_code=201)
    async def insert(body: Body) -> dict[str, int]:
        async with pool.connection() as connection:
            found = await connection.execute(
                "insert into bare (body) values (%s) returning id", [body.model_dump_json()]
            )
            row = await found.fetchone()
        assert row is not None
        return {"id": row[0]}

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {}

    return app


def ours(database: str) -> FastAPI:
    """Ingest's API. The relay has its own benchmark, and `latency` measures everything together."""
    settings = Settings(data=Path("/nonexistent"), database=database, outbox_limit=10**9)
    log = KafkaLog(settings)
    made = Runtime(SERVICE, settings, Database(database), TimeSource(), log, rig.SECRET)
    made.part(Paces).forms = Pace(10**9, 600)  # all forms come from one address here
    app = http.application([made], title="ingest", keys=access.PUBLIC)

    @asynccontextmanager
    async def leads(_: FastAPI) -> AsyncIterator[None]:
        async with process.leadership(made):
            yield

    app.router.lifespan_context = leads
    return app


def main() -> None:
    """The command line."""
    which, port = sys.argv[1], int(sys.argv[2])
    database = Settings().database
    process.collect_less()
    app = ours(database) if which == "ours" else bare(database.replace("postgresql+psycopg:", "postgresql:", 1))
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
