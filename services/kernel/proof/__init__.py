"""Proof that no event was lost, doubled or changed.

`check` compares stores, topics and audit; `replay` rebuilds views.
"""
