"""The parts of audit for the kernel."""

from schemas import catalogue, deeds
from schemas.audit import LogSequenced
from services.audit import views
from services.audit.findings import decider as findings
from services.audit.findings import loop
from services.audit.log import keys, signing, witnessing
from services.audit.projection import AuditWork, start
from services.kernel.delivery.runtime import Runtime, Service, Timeline
from services.kernel.store import word_index


async def _start(runtime: Runtime) -> None:
    await word_index.make(runtime.database)
    await start(runtime)
    await keys.make_first(runtime)


CONTENTS = ("ingest", "triage", "escalation", "publish")
"""The services whose words audit keeps: for search, reviews and archives."""

SERVICE = Service(
    name="audit",
    metadata=views.METADATA,
    deciders={"finding": findings.DECIDER},
    contents=CONTENTS,
    views=views.VIEWS,
    revisions=views.REVISIONS,
    topics=tuple(
        topic
        for name in catalogue.SERVICES
        for topic in catalogue.event_topics(name)
        if topic.rpartition(".")[2] not in catalogue.UNSEQUENCED
    ),
    apis=(
        "services.audit.api",
        "services.audit.matters.matters_api",
        "services.audit.matters.readings_api",
        "services.audit.log.log_api",
        "services.audit.log.witness_api",
        "services.audit.archive.archive_api",
    ),
    loops=(signing.run, witnessing.run, loop.run),
    on_start=_start,
    forget=word_index.forget,
    work=AuditWork,
    signatures={"statement": deeds.claims},
    timeline=Timeline(views.TIMELINE, LogSequenced, views.TREE),
    rebuilt=(views.TIMELINE, views.LINKS, views.ENTRIES, views.TREE, views.MARKS, views.SAID),
)
