"""The demonstration: four offices for three days. The product imports nothing of it."""
