"""Escalation: what is due when, for every incident, and what follows when it is not done.

It owns the `clock` streams, one an incident, and the `roster` streams, one a unit. Milestones of triage and publish
become time limits by the unit's policy pack; a limit that passes becomes a breach that nobody can delete, with the
ladder of reminder, supervision and circular behind it; a matter is reported upward, and the unit above gives receipt.
"""
