"""Outages of the deployment's public addresses, as probes outside tell of them."""
