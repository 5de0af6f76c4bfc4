"""The time that deciders see. Tests and the demo can move it; tokens, leases and the skew check use real time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path


class TimeSource:
    """Real time plus an offset. The offset may stand in a file, so that several processes share it."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._offset = timedelta()

    def now(self) -> datetime:
        """Now, in UTC with its offset; the value of `ctx.now`."""
        return datetime.now(UTC) + self.offset

    @property
    def offset(self) -> timedelta:
        if self._file is None:
            return self._offset
        try:
            return timedelta(seconds=float(self._file.read_text() or 0))
        except FileNotFoundError:
            return timedelta()

    def move(self, by: timedelta) -> None:
        """Moves the time of the deciders, for every process that shares the file."""
        offset = self.offset + by
        if self._file is None:
            self._offset = offset
        else:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(str(offset.total_seconds()))
            fresh.replace(self._file)
