"""Open311 GeoReport v2: a foreign form of the same intake, and of what the public may know of a report.

`codec` translates and does nothing else. A report goes the way of every report: `intake.prepare`, `Together`. Fields of
persons and devices are dropped before anything is kept, and the answer says so. Answers hold what the office published,
codes, dates and names of units; never a word of a sender.
"""
