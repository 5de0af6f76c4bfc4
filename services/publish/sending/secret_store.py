"""The secrets with which messages to webhooks are signed: settings outside the log, sealed, each for its channel."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.access.keys import Keys
from services.kernel.store import sql
from services.publish.sending.webhook import new_secret
from services.publish.views import METADATA

SECRETS = METADATA.tables["channel_secrets"]
USE = "channel-secret"


async def renew(connection: AsyncConnection, keys: Keys, channel: str) -> bytes:
    """Makes the channel's secret, in place of an earlier one."""
    secret = new_secret()
    await sql.upsert(connection, SECRETS, [{"channel": channel, "sealed": keys.seal(USE, secret, channel)}])
    return secret


async def read(connection: AsyncConnection, keys: Keys, channel: str) -> bytes | None:
    """The channel's secret; None if there is none, or it was sealed under another secret of the deployment."""
    chosen = select(SECRETS.c.sealed).where(SECRETS.c.channel == channel)
    sealed = (await connection.execute(chosen)).scalar()
    try:
        return keys.open(USE, sealed, channel) if sealed is not None else None
    except ValueError:
        return None
