"""Who speaks on a matter, its press conferences, and what media were given."""
