"""The loop that publishes texts whose instant has come. It runs in the leader.

What is to be published is a column of the statements, so nothing is lost with the process. The publication is one
decision of the statement's stream: a second one finds it published. A text that may not be published stays as it is and
is tried again for an hour. After that it waits for a person.
"""

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import select

from schemas.fields import instant
from services.kernel.core.problems import Problem
from services.kernel.delivery.runtime import Runtime
from services.kernel.sending import looping
from services.kernel.serving import commands
from services.kernel.serving.commands import Caller
from services.kernel.store.lease import Superseded
from services.kernel.store.session import Held
from services.publish import seen
from services.publish.commands import PublishDue
from services.publish.releasing.scheduling import LATE
from services.publish.verifying import post_keys
from services.publish.views import statements

LEFT_ALONE = timedelta(seconds=30)
"""The time after which a text that could not be published is tried again."""
PAGE = 100
Resting = dict[str, datetime]
"""Statement -> when it is tried again. A new process tries at once."""


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled."""
    resting = Resting()
    await looping.forever(runtime, "timed.waits", lambda: turn(runtime, resting))


async def turn(runtime: Runtime, resting: Resting) -> None:
    """Publishes what is due now, the earliest first. One that fails keeps no other back.

    Raises the first failure of the service at the end, and `Superseded` at once if another process leads.
    """
    now, failure = runtime.time_source.now(), None
    for id_ in await _due(runtime, now, {id_ for id_, until in resting.items() if until > now}):
        try:
            await commands.execute(
                runtime,
                Caller(),
                id_,
                PublishDue(),
                see=partial(seen.for_statement, id_),
                prepare=post_keys.signing(runtime, id_),
            )
            resting.pop(id_, None)
        except Superseded:
            raise
        except Problem as problem:
            resting[id_] = now + LEFT_ALONE
            if problem.status >= 500 and not isinstance(problem, Held):
                failure = failure or problem
    if failure is not None:
        raise failure


async def _due(runtime: Runtime, now: datetime, without: set[str]) -> list[str]:
    at, id_ = statements.c.scheduled_at, statements.c.id
    chosen = (
        select(id_)
        .where(at > instant(now - LATE), at <= instant(now), id_.not_in(sorted(without)))
        .order_by(at, id_)
        .limit(PAGE)
    )
    # In a transaction, since only the leader may look.
    async with runtime.database.transaction() as connection:
        return list((await connection.execute(chosen)).scalars())
