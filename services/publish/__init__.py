"""What the office says in public, under its own name. Owns `statement` streams and the bulletin.

A statement is drafted on an incident, approved step by step as the policy pack in force asks for at the incident's
level, published, and then only added to: a correction or a withdrawal stands beside the earlier text, which stays
readable. What publish knows of an incident it has read on triage's topic; it never asks triage.
"""
