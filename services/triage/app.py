"""Triage, joined with the kernel."""

from schemas import deeds
from services.kernel.delivery.runtime import Runtime, Service
from services.kernel.store import word_index
from services.triage import decider
from services.triage.offices import packs, setup, units
from services.triage.reactions import react
from services.triage.seen import know
from services.triage.views import METADATA, REVISIONS, VIEWS


async def _start(runtime: Runtime) -> None:
    await word_index.make(runtime.database)
    await setup.place(runtime)


SERVICE = Service(
    name="triage",
    metadata=METADATA,
    deciders={"incident": decider.DECIDER, "unit": units.DECIDER, "policy": packs.DECIDER},
    views=VIEWS,
    revisions=REVISIONS,
    topics=(
        "ingest.report",
        "ingest.message",
        "audit.delivery",
        "publish.statement",
        "publish.operation",
        "escalation.clock",
        "escalation.roster",
        "audit.checkpoint",
    ),
    contents=("ingest",),
    react=react,
    know=know,
    signatures={"statement": deeds.claims},
    apis=(
        "services.triage.api",
        "services.triage.owed.registering",
        "services.triage.owed.replies",
        "services.triage.alike.finding",
        "services.triage.offices.units_api",
        "services.triage.offices.policies",
        "services.triage.offices.pack_reading",
        "services.triage.offices.lessons_api",
        "services.triage.worklist.desk_api",
    ),
    on_start=_start,
    forget=word_index.forget,
    stream="services.triage.stream",
)
