"""The tamper-evident log: the tree over all events, its signed checkpoints, its witnesses (ADR 53)."""
