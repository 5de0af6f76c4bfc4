"""Numbers of what offices did: statistics with charts, the month of a duty desk, the table of a year, analyses."""
