"""A matter and what is written of it: its page, its course, reports, statements, paper."""
