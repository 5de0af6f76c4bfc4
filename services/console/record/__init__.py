"""Pages of what the record shows: findings, archives, proofs, readings, and matters as they were."""
