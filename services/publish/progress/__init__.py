"""Where a matter stands, for everybody: by the receipt of a report, or by its number once something was
published on it.

No words, no names of posts, nothing that tells what a matter is about, and never an exercise.
"""
