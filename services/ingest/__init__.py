"""Ingest takes reports in: from integrations by key, from officers by token, one at a time or in bulk.

It owns the `report` streams and the evidence files. What people typed is masked before anything is stored, pictures
are drawn anew, an exact repetition is answered with the first report, and no identity of who wrote
or reported is taken. Matching, grading and answering are not its business: triage reads `report.received` and goes on
from there.
"""
