"""Which process leads a service: a lease in its database, with a term that each new leader raises.

The leader renews it. Another process takes it when it has run out, or at once when the leader's session is gone. A
stalled leader may come back and not know of this. So each of its transactions first checks whether its term still
stands, and the new leader ends the open sessions of the former one. This is for PostgreSQL only. Embedded, the folder's
lock is enough.
"""

import zlib
from contextlib import suppress
from typing import NamedTuple

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.core.problems import Unavailable
from services.kernel.store import sql
from services.kernel.store.database import Database

FENCE = zlib.crc32(b"huiying-fence") & 0x7FFFFFFF
"""An advisory lock. The leader's transactions share it. A process holds it alone only while the lease changes hands."""
logger = structlog.get_logger()

_SESSION = "a.pid || '/' || extract(epoch from a.backend_start)"
_ALIVE = f"exists (select from pg_stat_activity a where {_SESSION} = lease.session)"
_TERM_STANDS = "select 1 from lease where term = %s and holder = %s"
_LEADS = text(f"select holder, term, until < clock_timestamp() as has_run_out, {_ALIVE} as is_alive from lease")
_END_SESSIONS = text(
    "select pg_terminate_backend(pid) from pg_stat_activity "
    "where application_name = :holder and datname = current_database()"
)
_MINE = text(f"select {_SESSION} from pg_stat_activity a where a.pid = pg_backend_pid()")
_TAKE = text(
    "insert into lease (name, term, holder, session, until, recovered) "
    "values ('leader', 1, :holder, :session, clock_timestamp() + make_interval(secs => :seconds), false) "
    "on conflict (name) do update set term = lease.term + 1, holder = excluded.holder, session = excluded.session, "
    f"until = excluded.until, recovered = false where lease.until < clock_timestamp() or not {_ALIVE} returning term"
)
_RENEW = text(
    "update lease set until = clock_timestamp() + make_interval(secs => :seconds), "
    "recovered = recovered or :recovered where term = :term and holder = :holder"
)
_LEAVE = text("update lease set until = clock_timestamp() where term = :term and holder = :holder")
_RECOVERED = text(f"select recovered and until > clock_timestamp() and {_ALIVE} from lease")
LEADS = f"select count(*) from lease where until > clock_timestamp() and {_ALIVE}"
"""Whether a process leads, as a number, for whoever has no `Database`."""
_TABLE = text("select to_regclass('lease') is not null")


class Superseded(Unavailable):
    """Another process leads, so this process must not write."""

    def __init__(self) -> None:
        super().__init__(
            "another process of this service leads now, and this one decides nothing. Nothing of the request was kept. "
            "Try again",
            5,
            code="superseded",
        )


class Term(NamedTuple):
    """One process's time as leader."""

    number: int
    holder: str

    async def must_stand(self, connection: AsyncConnection) -> None:
        """Raises `Superseded` if another process leads.

        Otherwise no other process leads before the end of the transaction.
        """
        if not await sql.stands(connection, FENCE, _TERM_STANDS, [self.number, self.holder]):
            raise Superseded


async def is_there(connection: AsyncConnection) -> bool:
    """Whether this database keeps leases. A new one has no tables."""
    return bool((await connection.execute(_TABLE)).scalar())


async def take(database: Database, session: AsyncConnection, seconds: float) -> Term | None:
    """Leads from now on, as long as `session` lives and renews. None if another process leads."""
    leads = (await session.execute(_LEADS)).one_or_none()
    if leads is not None:
        # Ask before locking anything, so that the leader does not wait for processes that want to lead.
        if leads.is_alive and not leads.has_run_out:
            return None
        if leads.is_alive:
            logger.warning("lease.has_run_out", database=database.name, holder=leads.holder, term=leads.term)
        if leads.holder != database.name:
            # Without the right to end the former leader's open sessions, this waits for them.
            with suppress(DBAPIError):
                await session.execute(_END_SESSIONS, {"holder": leads.holder})
    mine = (await session.execute(_MINE)).scalar_one()
    async with database.transaction(fenced=False) as connection:
        await connection.execute(text(f"select pg_advisory_xact_lock({FENCE})"))
        asked = {"holder": database.name, "session": mine, "seconds": seconds}
        number = (await connection.execute(_TAKE, asked)).scalar()
    return Term(number, database.name) if number is not None else None


async def renew(session: AsyncConnection, term: Term, seconds: float, *, recovered: bool = False) -> None:
    """Leads for the same time again, and notes that the service has recovered. Raises `Superseded`."""
    asked = {"term": term.number, "holder": term.holder, "seconds": seconds, "recovered": recovered}
    if not (await session.execute(_RENEW, asked)).rowcount:
        raise Superseded


async def leave(session: AsyncConnection, term: Term) -> None:
    """Ends the lead, so that another process may take it at once."""
    await session.execute(_LEAVE, {"term": term.number, "holder": term.holder})


async def has_recovered(connection: AsyncConnection) -> bool:
    """Whether the leader has compared the store with the event log."""
    return bool((await connection.execute(_RECOVERED)).scalar())
