"""Ingest takes reports in: from integrations by key, from officers by token, one at a time or in bulk.

It owns the `report` streams and the evidence files. It masks what people typed before anything is stored, and draws
pictures anew. An exact repetition gets the answer of the first report. Ingest takes no identity of the person who wrote
or reported.

Matching, grading and answering are triage's business, which starts with `report.received`.
"""
