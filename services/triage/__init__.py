"""Triage owns the incident.

It matches reports to incidents, and records how an office verifies, classifies, grades, assigns, handles, resolves and
closes each of them. It also owns the tree of units and the packs in force.
"""
