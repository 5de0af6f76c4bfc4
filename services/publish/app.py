"""The publish service, joined."""

from schemas import deeds, offices
from services.kernel.delivery.runtime import Runtime, Service
from services.kernel.store import word_index
from services.publish import decider, gauges, reactions, views
from services.publish.attaching import files
from services.publish.delivering import channels
from services.publish.press import decider as press
from services.publish.sending import outgoing, timed
from services.publish.verifying import keys


async def _start(runtime: Runtime) -> None:
    await word_index.make(runtime.database, views.SAID)
    await keys.make_first(runtime)
    await files.sweep(runtime)


SERVICE = Service(
    name="publish",
    metadata=views.METADATA,
    deciders={"statement": decider.DECIDER, "press": press.DECIDER, "channel": channels.DECIDER},
    views=views.VIEWS,
    revisions=views.REVISIONS,
    topics=(
        *offices.TOPICS,
        "triage.incident",
        "triage.words",
        "escalation.clock",
        "ingest.report",
        "audit.checkpoint",
    ),
    contents=("triage",),
    react=reactions.react,
    signatures={"statement": deeds.claims},
    apis=(
        "services.publish.api",
        "services.publish.press.press_api",
        "services.publish.bulletin",
        "services.publish.verifying.verify",
        "services.publish.progress.status",
        "services.publish.accounts.accountability",
    ),
    on_start=_start,
    gauges=gauges.read,
    loops=(timed.run, outgoing.run, files.keep_swept),
    stream="services.publish.stream",
)
