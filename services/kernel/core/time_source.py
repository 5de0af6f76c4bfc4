"""The time that deciders see. Tests and the demo can move it; tokens, leases and the skew check use real time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path


class TimeSource:
    """Real time plus an offset. The offset may stand in a file, so that several processes share it.

    The file may also hold an instant, such as `2026-03-02T09:00:00+08:00`. Then the time stands still there.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._offset = timedelta()

    def now(self) -> datetime:
        """Now, in UTC with its offset; the value of `ctx.now`."""
        if "T" in (text := self._text()):
            return datetime.fromisoformat(text).astimezone(UTC)
        return datetime.now(UTC) + self.offset

    @property
    def offset(self) -> timedelta:
        if self._file is None:
            return self._offset
        if "T" in (text := self._text()):
            return datetime.fromisoformat(text) - datetime.now(UTC)
        return timedelta(seconds=float(text or 0))

    def move(self, by: timedelta) -> None:
        """Moves the time of the deciders, for every process that shares the file."""
        if self._file is None:
            self._offset += by
            return
        stands = "T" in self._text()
        fresh = self._file.with_suffix(".new")
        fresh.write_text((self.now() + by).isoformat() if stands else str((self.offset + by).total_seconds()))
        fresh.replace(self._file)

    def _text(self) -> str:
        if self._file is None:
            return ""
        try:
            return self._file.read_text().strip()
        except FileNotFoundError:
            return ""
