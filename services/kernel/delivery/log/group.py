"""A consumer group as the brokers see it: whether a process may join it, and whether others have it.

All members of a group share its partitions by one assignor. Brokers refuse a member with another one. Both of our
consumers would then stay idle without a message.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)

from services.kernel.delivery.log import LogGone
from services.kernel.delivery.log.brokers import access
from services.kernel.delivery.log.clients import mend
from services.kernel.logging import Lasting
from services.kernel.settings import Settings

NOT_YET = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)
"""The answers of brokers until the topic of groups is ready."""
AGAIN, WATCH_SECONDS = 1.0, 10.0
"""The time between two looks at a group: for a process that waits for it, and for a member."""


class Group:
    """The group `name` of a deployment, for a member that shares partitions by `assignor`."""

    def __init__(self, settings: Settings, name: str, assignor: str) -> None:
        self._settings, self._name, self._assignor = settings, f"{settings.prefix}.{name}", assignor

    async def may_join(self) -> None:
        """Waits until the brokers have the group ready, and no members with another assignor.

        Raises `LogGone`.
        """
        waits = Lasting("consumer.waits", group=self._name)
        async with self._admin() as admin:
            while (others := await self._others(admin)) is None or others:
                if others:
                    waits.told(self.sentence(others))
                await asyncio.sleep(AGAIN if others else 0.1)
        waits.over()

    async def keep(self) -> None:
        """Watches the group of a member. Raises `LogGone` when others have it, which our libraries do not report."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            others: str | None = None
            # Brokers that are away say nothing about the group.
            with suppress(LogGone):
                async with self._admin() as admin:
                    others = await self._others(admin)
            if others:
                raise LogGone(self.sentence(others))

    def sentence(self, others: str) -> str:
        """The fault, and what to do."""
        return (
            f"the members of the consumer group {self._name} share its partitions by {others!r}, this one would by "
            f"{self._assignor!r}, and brokers take one way a group. Set HUIYING_CONSUMER alike for all processes of "
            "the service, and end those that have the other value. This one waits until the group is free"
        )

    async def _others(self, admin: AIOKafkaAdminClient) -> str | None:
        """The assignor of the present members if it is not ours; "" if it is ours or nobody is there.

        None if the brokers cannot tell yet.
        """
        try:
            # New brokers make the topic of groups when somebody asks for the first group.
            await admin.list_consumer_group_offsets(self._name)
            (answer,) = await admin.describe_consumer_groups([self._name])
        except NOT_YET:
            return None
        _, _, _, _, protocol, members, *_ = answer.groups[0]
        return "" if not members or protocol in ("", self._assignor) else str(protocol)

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(**access(self._settings))
        mend(admin._client)  # noqa: SLF001, it has no other way in
        try:
            await admin.start()
            yield admin
        except (KafkaError, OSError) as error:
            raise LogGone(f"the brokers at {self._settings.kafka} do not answer: {error}") from error
        finally:
            await admin.close()
