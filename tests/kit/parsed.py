"""How many events a part of a test reads from bytes."""


class Parsed:
    """Counts the events that are read from bytes."""

    count = 0

    def since(self) -> int:
        """The number since the last call."""
        self.count, count = 0, self.count
        return count
