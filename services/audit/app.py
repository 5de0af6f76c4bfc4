"""The parts of audit for the kernel."""

from schemas import catalogue, deeds
from schemas.audit import LogSequenced
from services.audit import gauges, views
from services.audit.between import passing
from services.audit.drills import decider as drills
from services.audit.findings import decider as findings
from services.audit.findings import loop
from services.audit.inspections import decider as inspections
from services.audit.log import keys, signing, witnessing
from services.audit.projection import AuditWork, start
from services.audit.referrals import decider as referrals
from services.audit.review import decider as reviews
from services.audit.review import loop as drafting
from services.audit.subscriptions import sending
from services.audit.trainings import decider as trainings
from services.kernel.delivery.runtime import Runtime, Service, Timeline
from services.kernel.store import word_index


async def _start(runtime: Runtime) -> None:
    # Wrong settings of witnesses end the start with a sentence, not a loop with an alarm.
    witnessing.configured(runtime.settings)
    await word_index.make(runtime.database)
    await start(runtime)
    await keys.make_first(runtime)


CONTENTS = ("ingest", "triage", "escalation", "publish")
"""The services whose words audit keeps: for search, reviews and archives."""

SERVICE = Service(
    name="audit",
    metadata=views.METADATA,
    deciders={
        "drill": drills.DECIDER,
        "finding": findings.DECIDER,
        "inspection": inspections.DECIDER,
        "referral": referrals.DECIDER,
        "review": reviews.DECIDER,
        "training": trainings.DECIDER,
    },
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
        "services.audit.saved.saved_api",
        "services.audit.subscriptions.subscriptions_api",
        "services.audit.between.between_api",
        "services.audit.inspections.inspections_api",
        "services.audit.referrals.referrals_api",
        "services.audit.drills.drills_api",
        "services.audit.trainings.trainings_api",
        "services.audit.log.log_api",
        "services.audit.log.witness_api",
        "services.audit.archive.archive_api",
        "services.audit.review.review_api",
        "services.audit.statistics.statistics_api",
        "services.audit.statistics.desk_api",
        "services.audit.statistics.year_api",
        "services.audit.statistics.analysis_api",
    ),
    gauges=gauges.read,
    loops=(signing.run, witnessing.run, loop.run, drafting.run, sending.run, passing.run),
    on_start=_start,
    forget=word_index.forget,
    work=AuditWork,
    signatures={"statement": deeds.claims},
    timeline=Timeline(views.TIMELINE, LogSequenced, views.TREE),
    rebuilt=(
        views.TIMELINE,
        views.LINKS,
        views.ENTRIES,
        views.NAMED,
        views.JOINED,
        views.LEFT,
        views.TREE,
        views.MARKS,
        views.SAID,
        views.STEPS,
        views.LIMITS,
        views.DESK,
    ),
)
