"""Audit keeps every event of every service, bytes untouched, in the order in which it took them in.

It records that order on its own topic.

From this record it answers what was known and done about a matter, and when, and computes what speaks against an
office. It signs the log of all events and seals files of matters. It decides nothing about the matters of others.
"""
