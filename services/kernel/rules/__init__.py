"""Rules as data: policy packs read from text, their conditions, and when a limit is due."""
