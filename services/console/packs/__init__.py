"""Packs: reading, writing and trying them."""
