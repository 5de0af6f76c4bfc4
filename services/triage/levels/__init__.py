"""How grave a matter is, and under which version of a pack."""
