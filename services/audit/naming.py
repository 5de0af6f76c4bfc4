"""The titles of codes as the record had them, for summaries."""

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.titles import Language
from services.audit import queries
from services.audit.basis import types_of
from services.audit.summaries import Names
from services.kernel.delivery.runtime import Runtime


async def names_of(runtime: Runtime, connection: AsyncConnection, size: int, language: Language) -> Names:
    """The titles in a language, as the first `size` positions give them."""
    types = [full for name in ("unit.placed", "unit.post_placed") for full in types_of(name) or ()]
    return Names(language, await runtime.offices(connection), await queries.names(connection, types, size))
