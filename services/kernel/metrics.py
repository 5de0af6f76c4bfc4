"""The metrics of all services. Each one carries the service's name."""

from prometheus_client import Counter, Gauge, Histogram

APPENDED = Counter("huiying_events_appended", "Events committed to the store", ["service", "type"])
TAKEN = Counter("huiying_events_taken", "Events of other services taken in", ["service"])
DUPLICATES = Counter("huiying_events_duplicate", "Records that had been taken in before", ["service"])
MESSAGES_REFUSED = Counter("huiying_messages_refused", "Messages of other deployments that were refused", ["cause"])
DEAD_LETTERS = Counter("huiying_dead_letters", "Records set aside", ["service", "reason"])
PARKED = Counter("huiying_events_parked", "Events that wait for their stream", ["service", "reason"])
RELAYED = Counter("huiying_records_relayed", "Records acknowledged by the event log", ["service"])
ATTENTION = Gauge("huiying_attention", "Dead letters and parked streams", ["service", "kind"])
ALARMS = Gauge("huiying_alarms", "What an operator must look into, in sentences of /readyz", ["service"])
TERM = Gauge("huiying_leader_term", "The term in which this process leads; 0 while it does not", ["service"])
LEADS_SINCE = Gauge("huiying_leader_since", "Unix time since when this process leads; 0 while it does not", ["service"])
READY = Gauge("huiying_ready", "Whether the service takes commands; /readyz says why not", ["service"])
SKEW = Gauge("huiying_clock_skew_seconds", "The database's clock less this machine's", ["service"])
OUTBOX = Gauge("huiying_outbox_rows", "Records that wait for the event log", ["service"])
OUTBOX_OLDEST = Gauge("huiying_outbox_oldest_seconds", "How long the first record waits for the event log", ["service"])
PARKED_OLDEST = Gauge("huiying_parked_oldest_seconds", "How long the first stream waits", ["service"])
LAG = Gauge("huiying_lag_records", "Records that were not taken in yet", ["service", "topic", "partition"])
COMMITTED = Gauge(
    "huiying_committed_seconds", "Since the store's last event, or move of its offsets", ["service", "kind"]
)
CHECKPOINT_SIZE = Gauge(
    "huiying_checkpoint_size",
    "Events below the newest checkpoint that is kept, or cosigned by all",
    ["service", "kind"],
)
CHECKPOINT_AGE = Gauge("huiying_checkpoint_seconds", "Since that checkpoint was signed", ["service", "kind"])
UNSIGNED = Gauge("huiying_log_unsigned", "Events in order that no checkpoint covers yet", ["service"])
OVERDUE = Gauge("huiying_limits_overdue", "Limits that were missed and are not met yet", ["service"])
OVERDUE_OLDEST = Gauge("huiying_limits_overdue_oldest_seconds", "Since the first of them was due", ["service"])
TIMERS_LATE = Gauge("huiying_timers_late_seconds", "How long the first limit waits for the timers", ["service"])
GAPS = Gauge("huiying_duty_gaps", "Desks where nobody is on duty now", ["service", "cause"])
UNDELIVERED = Gauge("huiying_undelivered", "Messages that a receiver did not take", ["service", "state"])
PEER_SILENT = Gauge(
    "huiying_peer_silent_seconds", "Since when another deployment takes no messages", ["service", "peer"]
)
BACKUP_AGE = Gauge("huiying_backup_seconds", "Since the newest backup was made; infinite without one", ["service"])
BACKUP_LACKS = Gauge(
    "huiying_backup_lacks", "Parts that the newest backup lacks, and its encryption", ["service", "kind"]
)
SIGN_INS_FAILED = Counter("huiying_sign_ins_failed", "Keys and tokens that were refused", ["status"])
REQUESTS = Histogram("huiying_request_seconds", "Time to answer a request", ["service", "method", "status"])
