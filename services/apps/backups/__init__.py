"""Backups of a deployment, embedded (`folder`) or over PostgreSQL and Kafka (`databases`), and what comes back of them.

A restore must not undo erasures and revocations. Before anybody opens a restored store, it gets the markers of all
erasures: from every store at hand, from the backup, and from the topics (`services.kernel.delivery.erasures`). After
the loss of all stores, only the topics know of them. Topics are never rolled back unless somebody asks for it, so later
events come back from them (`services.kernel.delivery.recovery`).
"""


class BackupError(Exception):
    """A backup that cannot be made or used. The sentence says why."""
