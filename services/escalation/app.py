"""The parts of escalation for the kernel."""

from schemas import deeds, offices
from services.escalation import decider, gauges, reactions, seen, views
from services.escalation.clock import timers
from services.escalation.duty import roster, surges
from services.escalation.notify import postbox, posting
from services.kernel.delivery.runtime import Service

SERVICE = Service(
    name="escalation",
    metadata=views.METADATA,
    deciders={
        "clock": decider.DECIDER,
        "roster": roster.DECIDER,
        "surge": surges.DECIDER,
        "post": postbox.DECIDER,
    },
    views=views.VIEWS,
    revisions=views.REVISIONS,
    topics=(*offices.TOPICS, *timers.TOPICS, "publish.operation", "audit.checkpoint"),
    react=reactions.react,
    know=seen.know,
    signatures={"statement": deeds.claims},
    apis=("services.escalation.api", "services.escalation.trying.pack_trials"),
    gauges=gauges.read,
    loops=(timers.run, posting.run),
    stream="services.escalation.stream",
)
