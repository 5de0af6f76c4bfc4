"""Notices to posts: who is told, by which place, and what became of it."""
