"""Drills: a scenario is rehearsed by offices for exercises, and scored by what the record shows."""
