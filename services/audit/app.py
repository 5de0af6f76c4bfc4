"""Audit, joined with the kernel."""

from schemas import catalogue
from services.audit import views
from services.audit.projection import AuditWork, regain
from services.kernel.service import Service

SERVICE = Service(
    name="audit",
    metadata=views.METADATA,
    deciders={},
    views=views.VIEWS,
    consumes=tuple(
        topic for name in catalogue.SERVICES for topic in catalogue.event_topics(name) if topic != views.LOG_TOPIC
    ),
    apis=("services.audit.api",),
    on_start=regain,
    work=AuditWork,
    extra={"rebuilt": (views.TIMELINE, views.LINKS)},
)
