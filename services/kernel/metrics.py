"""The metrics of all services; each carries the service's name.

A service's two processes count in files of one folder, which `supervise` makes and prometheus_client finds by
`PROMETHEUS_MULTIPROC_DIR`; so the API tells what the consumer did, and a process that starts again counts on.
"""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"

APPENDED = Counter("huiying_events_appended", "Events committed to the store", ["service", "type"])
TAKEN = Counter("huiying_events_taken", "Events of other services taken in", ["service"])
DUPLICATES = Counter("huiying_events_duplicate", "Records that had been taken in before", ["service"])
QUARANTINED = Counter("huiying_records_quarantined", "Records set aside", ["service", "reason"])
PARKED = Counter("huiying_events_parked", "Events that wait for their stream", ["service", "reason"])
RELAYED = Counter("huiying_records_relayed", "Records acknowledged by the event log", ["service"])
ATTENTION = Gauge(
    "huiying_attention", "Records in quarantine and parked streams", ["service", "kind"], multiprocess_mode="mostrecent"
)
OUTBOX = Gauge(
    "huiying_outbox_rows", "Records that wait for the event log", ["service"], multiprocess_mode="mostrecent"
)
REQUESTS = Histogram("huiying_request_seconds", "Time to answer a request", ["service", "method", "status"])


def exposed() -> bytes:
    """Prometheus' text format: what this process counted, or all processes that share its folder."""
    if FOLDER not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
