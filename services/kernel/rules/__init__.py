"""Rules as data: policy packs from text, their conditions, and the due times of limits."""
