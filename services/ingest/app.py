"""Ingest, joined with the kernel."""

from services.ingest.api import router, sweep
from services.ingest.decider import DECIDER
from services.ingest.views import METADATA, VIEWS
from services.kernel.service import Service

SERVICE = Service(
    name="ingest",
    metadata=METADATA,
    deciders={DECIDER.kind: DECIDER},
    views=VIEWS,
    router=router,
    on_start=sweep,
    stream="services.ingest.stream",
)
