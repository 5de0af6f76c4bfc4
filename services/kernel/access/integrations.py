"""How a key of an integration looks, and what is kept of it."""

import hashlib

PREFIX = "hy_"


def key_digest(key: str) -> str:
    """The stored digest of a key. Keys are random and long, so a plain digest is enough."""
    return hashlib.sha256(key.encode()).hexdigest()
