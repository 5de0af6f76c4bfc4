"""The Faust application of triage. Its agent hands batches to the unit of work and has no rules."""

from collections.abc import Sequence

import faust

from services.kernel.delivery.log import Handle, Offsets
from services.kernel.delivery.log import faust as kernel
from services.kernel.settings import Settings


def application(settings: Settings, topics: Sequence[str], offsets: Offsets, handle: Handle) -> faust.App:
    """Called when the consumer starts. `topics` are the ones that `app.py` declares."""
    app = kernel.application("triage", settings, offsets)
    kernel.take(app, settings, topics, handle)
    return app
