"""The deciders' time: real time with an offset, or an instant at which it stands still."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.kernel.core.time_source import TimeSource

HOUR = timedelta(hours=1)
AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def test_an_offset_moves_it_for_every_process_that_shares_the_file(tmp_path: Path) -> None:
    ours, theirs = TimeSource(tmp_path / "clock"), TimeSource(tmp_path / "clock")
    ours.move(HOUR)
    assert ours.offset == theirs.offset == HOUR
    assert theirs.now() - datetime.now(UTC) + timedelta(seconds=1) >= HOUR


def test_it_stands_still_at_an_instant_until_it_is_moved(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    file.write_text("2026-03-02T09:00:00+08:00")
    clock = TimeSource(file)
    assert [clock.now(), clock.now()] == [AT, AT]
    assert clock.now().utcoffset() == timedelta()
    clock.move(HOUR)
    assert clock.now() == AT + HOUR


def test_without_a_file_each_process_moves_its_own() -> None:
    ours, theirs = TimeSource(), TimeSource()
    ours.move(HOUR)
    assert (ours.offset, theirs.offset) == (HOUR, timedelta())
