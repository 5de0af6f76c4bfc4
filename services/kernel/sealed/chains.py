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
        self._ends.execute("BEGIN")
        self.streams = 0

    def add(self, event: Event, where: str) -> None:
        """Takes in the next event of its stream. Raises `Refused`."""
        digest = self._follow(event.stream, event.version, event.recorded_text, where)
        if event.version > 1 and event.previous != digest:
            raise Refused(
                f"{where}: version {event.version} of {event.stream} does not follow from version {event.version - 1}; "
                "one of the two was altered"
            )
        self._put(event.stream, event.version, event.digest, event.recorded_text)

    def pass_over(self, stream: str, version: int, recorded: str, digest: str, where: str) -> None:
        """Takes in an event of which only the digest is told. Raises `Refused`."""
        self._follow(stream, version, recorded, where)
        self._put(stream, version, digest, recorded)

    def close(self) -> None:
        """Forgets everything."""
        self._ends.close()

    def _follow(self, stream: str, version: int, recorded: str, where: str) -> str:
        """The digest of the version before, empty for the first one."""
        found = self._ends.execute("SELECT version, digest, recorded FROM ends WHERE stream = ?", (stream,)).fetchone()
        if found is None:
            self.streams += 1
            found = (0, "", "")
        before, digest, then = found
        if version != before + 1:
            what = (
                "stands twice or out of order" if version <= before else f"follows version {before}: some are missing"
            )
            raise Refused(f"{where}: version {version} of {stream} {what}")
        if recorded < then:
            raise Refused(f"{where}: version {version} of {stream} is dated back: {recorded} comes after {then}")
        return str(digest)

    def _put(self, stream: str, version: int, digest: str, recorded: str) -> None:
        self._ends.execute("REPLACE INTO ends VALUES (?, ?, ?, ?)", (stream, version, digest, recorded))
