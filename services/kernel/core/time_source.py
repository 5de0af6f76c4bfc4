"""The time that deciders see. Tests and the demo move it; tokens, leases and the skew check keep real time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path


class TimeSource:
    """Real time plus an offset. With a file, the offset is read from it, so that several processes share one."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._offset = timedelta()

    def now(self) -> datetime:
        """UTC, aware: what `ctx.now` is."""
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
        """Moves the time that deciders see, for every process that shares the file."""
        offset = self.offset + by
        if self._file is None:
            self._offset = offset
        else:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(str(offset.total_seconds()))
            fresh.replace(self._file)
