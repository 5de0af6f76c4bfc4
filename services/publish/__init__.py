"""Publish holds what the office says in public, under its own name. It owns the `statement` streams and the bulletin.

A statement is drafted on an incident, approved step by step and published. The policy pack in force names the steps for
the incident's level. After that, text is only added: a correction or a withdrawal stands beside the earlier text, which
stays readable.

Publish knows incidents from triage's topic and never asks triage.
"""
