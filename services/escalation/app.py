"""Escalation as the kernel runs it."""

from services.escalation import decider, reactions, roster, timers, views
from services.kernel.service import Service

SERVICE = Service(
    name="escalation",
    metadata=views.METADATA,
    deciders={"clock": decider.DECIDER, "roster": roster.DECIDER},
    views=views.VIEWS,
    consumes=timers.TOPICS,
    react=reactions.react,
    apis=("services.escalation.api",),
    loops=(timers.run,),
    stream="services.escalation.stream",
)
