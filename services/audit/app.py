"""The parts of audit for the kernel."""

from schemas import catalogue, deeds
from schemas.audit import LogSequenced
from services.audit import views
from services.audit.projection import AuditWork, start
from services.kernel.delivery.runtime import Service, Timeline

SERVICE = Service(
    name="audit",
    metadata=views.METADATA,
    deciders={},
    views=views.VIEWS,
    revisions=views.REVISIONS,
    topics=tuple(
        topic for name in catalogue.SERVICES for topic in catalogue.event_topics(name) if topic != views.LOG_TOPIC
    ),
    apis=("services.audit.api",),
    on_start=start,
    work=AuditWork,
    signatures={"statement": deeds.claims},
    timeline=Timeline(views.TIMELINE, LogSequenced, views.TREE),
    rebuilt=(views.TIMELINE, views.LINKS, views.ENTRIES, views.TREE),
)
