"""Parsers of what strangers send, under random and damaged input. `make fuzz` gives them many more than `make test`."""

import os

INPUTS = int(os.environ.get("HUIYING_FUZZ", "40"))
"""How many inputs each property gets."""
