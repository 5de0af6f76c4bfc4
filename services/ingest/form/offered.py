"""Which units take reports by a public form: none, until an administrator of it or of a unit above opens it."""

from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Typed
from schemas.operation import OperationFormClosed, OperationFormOpened
from services.ingest.commands import FormClosing, FormOpening
from services.ingest.rights import RIGHTS
from services.ingest.views import FORMS, METADATA
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.core.units import Offices
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store.session import Session
from services.kernel.store.words import resolve


class Offered(NamedTuple):
    """The form of a unit."""

    unit: str
    open: bool
    introduction: str | None
    at: str


async def forms(connection: AsyncConnection, offices: Offices) -> dict[str, Offered]:
    """Unit -> its form, of the units that exist now and ever had one."""
    rows = (await connection.execute(select(FORMS).order_by(FORMS.c.unit))).mappings().all()
    words = await resolve(connection, METADATA, [row["introduction_ref"] for row in rows])
    return {
        row["unit"]: Offered(row["unit"], row["open"], words(row["introduction_ref"]), row["at"])
        for row in rows
        if row["unit"] in offices.units
    }


async def change(runtime: Runtime, caller: Caller, unit: str, command: FormOpening | FormClosing) -> dict[str, Any]:
    """Opens or closes a unit's form. What changes nothing is no event. Raises `NotFound`, `Forbidden`."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        if unit not in ctx.offices.units:
            raise NotFound(f"there is no unit {unit[:64]!r}", what=unit[:64])
        RIGHTS[type(command)].require(unit, ctx)
        await operations.hold(session, ctx)
        now = (await forms(session.connection, ctx.offices)).get(unit)
        if isinstance(command, FormOpening):
            told = Typed(text=command.introduction) if command.introduction else None
            if now is None or not now.open or now.introduction != command.introduction:
                await operations.record(session, ctx, OperationFormOpened(unit=unit, introduction=told))
            return Answer({"unit": unit, "open": True})
        if now is not None and now.open:
            reason = Typed(text=command.reason)
            await operations.record(session, ctx, OperationFormClosed(unit=unit, reason=reason))
        return Answer({"unit": unit, "open": False})

    return dict((await transact(runtime, caller, act)).body)
