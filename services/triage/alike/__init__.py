"""Which matters are alike or belong together: ranked, offered, and decided by a person."""
