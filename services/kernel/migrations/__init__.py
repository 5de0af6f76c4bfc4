"""Alembic for every service: one environment here, the versions in each service's own `migrations` folder."""

from services.kernel.runtime import Runtime


async def upgrade(runtime: Runtime) -> None:
    """Brings the service's database to the version of this code."""
    async with runtime.database.transaction() as connection:
        await connection.run_sync(runtime.service.metadata.create_all)
