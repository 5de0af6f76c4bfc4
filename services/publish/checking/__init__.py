"""The gates of a submission: what must be passed before its approval."""
