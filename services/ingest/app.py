"""Ingest, joined with the kernel."""

from services.ingest.blobs import sweep
from services.ingest.decider import DECIDER
from services.ingest.views import METADATA, VIEWS
from services.kernel.service import Service

SERVICE = Service(
    name="ingest",
    metadata=METADATA,
    deciders={DECIDER.kind: DECIDER},
    views=VIEWS,
    apis=("services.ingest.api",),
    on_start=sweep,
    stream="services.ingest.stream",
)
