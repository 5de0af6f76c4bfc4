"""The Faust application of escalation: one agent a topic, each hands its batches to the unit of work. No rules."""

import faust

from services.kernel.log import Handle, Offsets
from services.kernel.log.faust import application as kernel_application
from services.kernel.log.faust import take
from services.kernel.settings import Settings

TOPICS = ("triage.unit", "triage.policy", "triage.incident", "publish.statement")


def application(settings: Settings, offsets: Offsets, handle: Handle) -> faust.App:
    """Built when the consumer starts; the topics are those that the service declares in `app.py`."""
    app = kernel_application("escalation", settings, offsets)
    for topic in TOPICS:
        take(app, settings, topic, handle)
    return app
