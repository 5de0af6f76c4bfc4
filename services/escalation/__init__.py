"""Escalation: the due time of each duty, for every incident, and the consequences of a missed one.

It owns the `clock` streams, one for each incident, and the `roster` streams, one for each unit. By the unit's policy
pack, milestones of triage and publish become time limits. A limit that passes becomes a breach that nobody can delete.
The ladder of reminder, supervision and circular follows it. A matter is reported upward, and the unit above gives a
receipt.
"""
