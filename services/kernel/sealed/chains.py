"""The chains of streams: versions without a gap, each event names the one before it, no event goes back in time."""

import sqlite3

from schemas.envelope import Event
from services.kernel.tlog import Refused

MEMORY = 64_000
"""KiB that the ends of the streams take. Further ones stand in a file without a name, which goes with the process."""


class Chains:
    """The ends of the streams that were read so far."""

    def __init__(self) -> None:
        self._ends = sqlite3.connect("", isolation_level=None)
        self._ends.execute(f"PRAGMA cache_size = -{MEMORY}")
        self._ends.execute("PRAGMA journal_mode = OFF")
        self._ends.execute("PRAGMA synchronous = OFF")
        self._ends.execute(
            "CREATE TABLE ends (stream TEXT PRIMARY KEY, version INT, digest TEXT, recorded TEXT) WITHOUT ROWID"
        )
        # The newest event of a stream that stood alone behind a gap. What else is on the stream does not follow it.
        self._ends.execute(
            "CREATE TABLE alone (stream TEXT PRIMARY KEY, version INT, digest TEXT, recorded TEXT) WITHOUT ROWID"
        )
        self._ends.execute("BEGIN")
        self.streams = 0

    def add(self, event: Event, where: str, *, alone: bool = False) -> None:
        """Takes in the next event of its stream. Before one that stands `alone`, others may be missing. Then no other
        event of its stream may come behind it, so that nobody drops events of a stream that goes on.

        Raises `Refused`.
        """
        digest, table = self._follow(event.stream, event.version, event.recorded_text, where, alone=alone)
        if digest is not None and event.version > 1 and event.previous != digest:
            raise Refused(
                f"{where}: version {event.version} of {event.stream} does not follow from version {event.version - 1}; "
                "one of the two was altered"
            )
        self._put(table, event.stream, event.version, event.digest, event.recorded_text)

    def pass_over(self, stream: str, version: int, recorded: str, digest: str, where: str) -> None:
        """Takes in an event of which only the digest is told. Raises `Refused`."""
        self._follow(stream, version, recorded, where)
        self._put("ends", stream, version, digest, recorded)

    def close(self) -> None:
        """Forgets everything."""
        self._ends.close()

    def _follow(
        self, stream: str, version: int, recorded: str, where: str, *, alone: bool = False
    ) -> tuple[str | None, str]:
        """The digest of the version before, empty for the first one; None if it is missing before one that may. And the
        table in which the event is then the newest of its stream.
        """
        end, last = self._newest("ends", stream), self._newest("alone", stream)
        if end is None and last is None:
            self.streams += 1
        before, digest, then = end or (0, "", "")
        newest, of_last, since = last or (0, "", "")
        if version == before + 1 and version > newest:
            found: tuple[str | None, str] = (digest, "ends")
        elif alone and version > max(before, newest):
            found = (of_last if version == newest + 1 else None, "alone")
        else:
            behind = max(before, newest)
            what = (
                "stands twice or out of order" if version <= behind else f"follows version {behind}: some are missing"
            )
            raise Refused(f"{where}: version {version} of {stream} {what}")
        if recorded < max(then, since):
            raise Refused(
                f"{where}: version {version} of {stream} is dated back: {recorded} comes after {max(then, since)}"
            )
        return found

    def _newest(self, table: str, stream: str) -> tuple[int, str, str] | None:
        chosen = f"SELECT version, digest, recorded FROM {table} WHERE stream = ?"
        found = self._ends.execute(chosen, (stream,)).fetchone()
        return (int(found[0]), str(found[1]), str(found[2])) if found else None

    def _put(self, table: str, stream: str, version: int, digest: str, recorded: str) -> None:
        row = (stream, version, digest, recorded)
        self._ends.execute(f"REPLACE INTO {table} VALUES (?, ?, ?, ?)", row)
