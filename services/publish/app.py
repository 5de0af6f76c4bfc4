"""The publish service, joined."""

from schemas import offices
from services.kernel.delivery.runtime import Service
from services.publish import decider, reactions, views
from services.publish.verifying import keys

SERVICE = Service(
    name="publish",
    metadata=views.METADATA,
    deciders={"statement": decider.DECIDER},
    views=views.VIEWS,
    revisions=views.REVISIONS,
    topics=(*offices.TOPICS, "triage.incident"),
    react=reactions.react,
    apis=("services.publish.api", "services.publish.bulletin", "services.publish.verifying.verify"),
    on_start=keys.make_first,
    stream="services.publish.stream",
)
