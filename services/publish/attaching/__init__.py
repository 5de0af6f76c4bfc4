"""Files of a statement: documents and own pictures, with the persons in them covered by the officer.

`files` keeps their bytes, `attaching` has the rules. `docs/adr/0052-files-of-statements.md` says what is kept of a file
and what approvals, releases and readers know of it.
"""
