"""The rules of a text: what may stand in it."""
