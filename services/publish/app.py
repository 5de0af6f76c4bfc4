"""The publish service, joined."""

from services.kernel.service import Service
from services.publish import decider, reactions, views

SERVICE = Service(
    name="publish",
    metadata=views.METADATA,
    deciders={"statement": decider.DECIDER},
    views=views.VIEWS,
    consumes=("triage.incident",),
    react=reactions.react,
    apis=("services.publish.api", "services.publish.bulletin"),
    stream="services.publish.stream",
)
