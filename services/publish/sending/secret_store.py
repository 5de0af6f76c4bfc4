"""The secrets with which messages to webhooks are signed: settings outside the log, sealed, each for its channel.

A secret is sealed for the event that made it. So after a restore from an older backup, the secret of that time does not
open any more if the record knows of a newer one: a receiver that got the newer one would refuse it, and the older one
was given up for a reason. The channel then waits for another secret.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.access.keys import Keys
from services.kernel.sending.webhook import new_secret
from services.kernel.store import sql
from services.publish.views import METADATA

SECRETS, CHANNELS = METADATA.tables["channel_secrets"], METADATA.tables["channels"]
USE = "channel-secret"


async def renew(connection: AsyncConnection, keys: Keys, channel: str, version: int) -> bytes:
    """Makes the channel's secret, in place of an earlier one, by the channel's event of this version."""
    secret = new_secret()
    sealed = keys.seal(USE, secret, f"{channel}@{version}")
    await sql.upsert(connection, SECRETS, [{"channel": channel, "sealed": sealed}])
    return secret


async def read(connection: AsyncConnection, keys: Keys, channel: str) -> bytes | None:
    """The channel's secret; None if there is none that belongs to its newest event, or to the deployment's secret."""
    chosen = select(SECRETS.c.sealed, CHANNELS.c.secret_version).join(CHANNELS, CHANNELS.c.id == SECRETS.c.channel)
    row = (await connection.execute(chosen.where(SECRETS.c.channel == channel))).first()
    try:
        return keys.open(USE, row.sealed, f"{channel}@{row.secret_version}") if row is not None else None
    except ValueError:
        return None
