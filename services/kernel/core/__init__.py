"""The building blocks of decisions. This room imports only the standard library and `schemas`."""
