"""The demonstration: four offices for three days. Nothing of the product imports it."""
