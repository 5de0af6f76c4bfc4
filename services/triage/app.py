"""Triage, joined with the kernel."""

from services.kernel.delivery.runtime import Service
from services.triage import decider, packs, setup, units
from services.triage.reactions import react
from services.triage.seen import know
from services.triage.views import METADATA, REVISIONS, VIEWS

SERVICE = Service(
    name="triage",
    metadata=METADATA,
    deciders={"incident": decider.DECIDER, "unit": units.DECIDER, "policy": packs.DECIDER},
    views=VIEWS,
    revisions=REVISIONS,
    topics=("ingest.report", "publish.statement"),
    contents=("ingest",),
    react=react,
    know=know,
    apis=("services.triage.api", "services.triage.policies"),
    on_start=setup.place,
    stream="services.triage.stream",
)
