"""Imported once by the server of `tests.kit.programs`, so that its forks have it."""

from tests.kit import programs

programs.import_all()
