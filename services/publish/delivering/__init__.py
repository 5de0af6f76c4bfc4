"""Where a unit says what it published besides the office's own pages: its channels, and what became of each release.

Everything here is pure. What sends and publishes by itself stands in `sending`.
"""
