"""Ingest, joined with the kernel."""

from schemas import deeds, offices
from services.ingest.cloudevents import topic
from services.ingest.decider import DECIDER
from services.ingest.evidence_files import keep_swept, sweep
from services.ingest.mail import loop, mailboxes
from services.ingest.messages import receiving
from services.ingest.outages import decider as outages
from services.ingest.views import METADATA, REVISIONS, VIEWS
from services.kernel.delivery.runtime import Service
from services.kernel.settings import Settings


def _check(settings: Settings) -> None:
    """Raises `DocumentError` for a file that cannot be used."""
    mailboxes.load(settings)
    receiving.must_be_able(settings)


SERVICE = Service(
    name="ingest",
    metadata=METADATA,
    deciders={DECIDER.kind: DECIDER, outages.DECIDER.kind: outages.DECIDER},
    views=VIEWS,
    revisions=REVISIONS,
    topics=(
        *offices.TOPICS,
        "triage.incident",
        "escalation.clock",
        "escalation.words",
        "publish.statement",
        "publish.operation",
        "audit.checkpoint",
    ),
    contents=("escalation",),
    signatures={"statement": deeds.claims},
    apis=(
        "services.ingest.api",
        "services.ingest.open311.open311_api",
        "services.ingest.form.form_api",
        "services.ingest.mail.mail_api",
        "services.ingest.outages.outages_api",
        "services.ingest.messages.messages_api",
    ),
    loops=(keep_swept, topic.run, loop.run),
    check=_check,
    on_start=sweep,
    stream="services.ingest.stream",
)
