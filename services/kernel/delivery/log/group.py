"""A consumer group as the brokers see it: when a process may join it, and whether others have it.

All members of a group share its partitions in one way, and brokers refuse who would do it in another. Both of our
consumers would then stand idle without a word.
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
from services.kernel.logging import Lasting

NOT_YET = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)
"""What brokers say of a group before they have its topic ready."""
AGAIN, WATCH_SECONDS = 1.0, 10.0
"""Between two looks at a group: of a process that waits for it, and of one that is a member."""


class Group:
    """The group `name` on the brokers at `servers`, for a member that shares partitions by `assignor`."""

    def __init__(self, servers: str, name: str, assignor: str) -> None:
        self._servers, self._name, self._assignor = servers, name, assignor

    async def may_join(self) -> None:
        """Waits until the brokers have the group ready and nobody has it who shares partitions in another way.

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
        """Watches the group of a member. Raises `LogGone` when others have it, which our libraries do not tell."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            others: str | None = None
            # Brokers that are away say nothing of the group.
            with suppress(LogGone):
                async with self._admin() as admin:
                    others = await self._others(admin)
            if others:
                raise LogGone(self.sentence(others))

    def sentence(self, others: str) -> str:
        """What is wrong, and what to do."""
        return (
            f"the members of the consumer group {self._name} share its partitions by {others!r}, this one would by "
            f"{self._assignor!r}, and brokers take one way a group. Set HUIYING_CONSUMER alike for all processes of "
            "the service, and end those that have the other value. This one waits until the group is free"
        )

    async def _others(self, admin: AIOKafkaAdminClient) -> str | None:
        """How the present members share partitions where that is not our way; "" where it is or nobody is there.

        None where the brokers cannot tell yet.
        """
        try:
            # New brokers make the topic of groups when the first one is asked for.
            await admin.list_consumer_group_offsets(self._name)
            (answer,) = await admin.describe_consumer_groups([self._name])
        except NOT_YET:
            return None
        _, _, _, _, protocol, members, *_ = answer.groups[0]
        return "" if not members or protocol in ("", self._assignor) else str(protocol)

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers)
        try:
            await admin.start()
            yield admin
        except (KafkaError, OSError) as error:
            raise LogGone(f"the brokers at {self._servers} do not answer: {error}") from error
        finally:
            await admin.close()
