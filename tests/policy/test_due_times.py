"""When limits end: by the clock, at the end of a day, and in working time with Chinese holidays."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from chinese_calendar.constants import holidays
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.pack.clocks import Limit, Workday
from services.kernel.rules.calendars import YearNotAnnounced, due

SHANGHAI = ZoneInfo("Asia/Shanghai")
WORKDAY = Workday.model_validate(
    {
        "windows": [{"from": "09:00", "to": "12:00"}, {"from": "13:30", "to": "17:30"}],
        "source": {"kind": "derived", "reason": "of these tests"},
    }
)
STARTS = st.datetimes(datetime(2006, 1, 1), datetime(2024, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.sampled_from([SHANGHAI, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Pacific/Apia")])
MINUTES = st.integers(1, 23 * 60 + 59).map(lambda minutes: timedelta(minutes=minutes))
DAYS = st.integers(1, 9).map(lambda days: timedelta(days=days))
END_OF_DAY = Limit(mode="end_of_day")


def elapsed(duration: timedelta) -> Limit:
    return Limit(mode="elapsed", duration=duration)


def working(duration: timedelta) -> Limit:
    return Limit(mode="working_time", duration=duration)


LIMITS = st.one_of(
    st.just(END_OF_DAY),
    DAYS.map(lambda days: Limit(mode="end_of_day", duration=days)),
    st.one_of(MINUTES, DAYS).map(elapsed),
    st.one_of(MINUTES, DAYS).map(working),
)


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


class TestAlgebra:
    @given(LIMITS, ZONES, STARTS, STARTS)
    def test_who_starts_later_is_not_due_earlier(self, limit: Limit, zone: ZoneInfo, a: datetime, b: datetime) -> None:
        earlier, later = sorted((a, b))
        assert due(earlier, limit, zone, WORKDAY) <= due(later, limit, zone, WORKDAY)

    @given(LIMITS, ZONES, STARTS)
    def test_a_limit_ends_after_its_start_and_in_utc(self, limit: Limit, zone: ZoneInfo, start: datetime) -> None:
        end = due(start, limit, zone, WORKDAY)
        assert end > start
        assert end.tzinfo is UTC

    @given(LIMITS, ZONES, STARTS)
    def test_the_offset_of_the_start_does_not_matter(self, limit: Limit, zone: ZoneInfo, start: datetime) -> None:
        assert due(start.astimezone(zone), limit, zone, WORKDAY) == due(start, limit, zone, WORKDAY)

    @given(STARTS, st.one_of(MINUTES, DAYS), st.one_of(MINUTES, DAYS))
    def test_elapsed_time_adds_up(self, start: datetime, a: timedelta, b: timedelta) -> None:
        assert due(due(start, elapsed(a), SHANGHAI, None), elapsed(b), SHANGHAI, None) == due(
            start, elapsed(a + b), SHANGHAI, None
        )

    @given(STARTS, DAYS, DAYS)
    def test_working_time_adds_up(self, start: datetime, a: timedelta, b: timedelta) -> None:
        assert due(due(start, working(a), SHANGHAI, WORKDAY), working(b), SHANGHAI, WORKDAY) == due(
            start, working(a + b), SHANGHAI, WORKDAY
        )

    @settings(deadline=None)
    @given(STARTS, st.integers(1, 420))
    def test_as_many_working_minutes_pass_as_the_limit_has(self, start: datetime, minutes: int) -> None:
        start = start.replace(second=0, microsecond=0)
        end = due(start, working(timedelta(minutes=minutes)), SHANGHAI, WORKDAY)
        passed, at = 0, start
        while at < end:
            local = at.astimezone(SHANGHAI)
            if chinese_calendar.is_workday(local.date()):
                passed += any(window.from_ <= local.time() < window.to for window in WORKDAY.windows)
            at += timedelta(minutes=1)
        assert passed == minutes


class TestEndOfDay:
    @given(STARTS, ZONES)
    def test_it_is_the_first_instant_of_the_next_day(self, start: datetime, zone: ZoneInfo) -> None:
        end = due(start, END_OF_DAY, zone, None)
        assert (end - timedelta(microseconds=1)).astimezone(zone).date() == start.astimezone(zone).date()
        assert end.astimezone(zone).date() > start.astimezone(zone).date()

    def test_a_duration_counts_further_days(self) -> None:
        limit = Limit.model_validate({"mode": "end_of_day", "duration": "P2D"})
        assert due(beijing("2026-03-02T10:00"), limit, SHANGHAI, None) == beijing("2026-03-05T00:00")


class TestWorkingTime:
    @pytest.mark.parametrize(
        ("start", "duration", "end"),
        [
            pytest.param("2026-03-02T10:00", "PT1H", "2026-03-02T11:00", id="within a window"),
            pytest.param("2026-03-02T07:00", "PT1H", "2026-03-02T10:00", id="before work"),
            pytest.param("2026-03-02T12:30", "PT1H", "2026-03-02T14:30", id="in the break"),
            pytest.param("2026-03-02T11:00", "PT2H", "2026-03-02T14:30", id="over the break"),
            pytest.param("2026-03-02T16:30", "PT1H", "2026-03-02T17:30", id="until the day's last moment"),
            pytest.param("2026-03-02T17:30", "PT1H", "2026-03-03T10:00", id="when the day is over"),
            pytest.param("2026-03-06T17:00", "PT1H", "2026-03-09T09:30", id="over a weekend"),
            pytest.param("2026-03-02T10:00", "P1D", "2026-03-03T10:00", id="one working day"),
            pytest.param("2026-03-05T10:00", "P2D", "2026-03-09T10:00", id="two working days over a weekend"),
            pytest.param("2026-09-30T17:00", "PT1H", "2026-10-08T09:30", id="over the October holiday"),
            pytest.param("2026-10-09T17:00", "PT1H", "2026-10-10T09:30", id="into a make-up Saturday"),
        ],
    )
    def test_it_stands_still_outside_working_hours(self, start: str, duration: str, end: str) -> None:
        limit = Limit.model_validate({"mode": "working_time", "duration": duration})
        assert due(beijing(start), limit, SHANGHAI, WORKDAY) == beijing(end)

    def test_the_caller_is_told_which_year_is_not_announced(self) -> None:
        last = max(holidays).year
        new_years_eve = datetime.combine(date(last, 12, 31), time(23), SHANGHAI)
        with pytest.raises(YearNotAnnounced, match=str(last + 1)) as unknown:
            due(new_years_eve, working(timedelta(hours=1)), SHANGHAI, WORKDAY)
        assert unknown.value.year == last + 1

    def test_elapsed_time_needs_no_calendar(self) -> None:
        assert due(beijing("2090-01-01T00:00"), elapsed(timedelta(hours=1)), SHANGHAI, None) == beijing(
            "2090-01-01T01:00"
        )


def test_a_start_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        due(datetime(2026, 3, 2), END_OF_DAY, SHANGHAI, None)  # noqa: DTZ001


def test_working_time_without_working_hours_is_refused() -> None:
    with pytest.raises(ValueError, match="workday"):
        due(beijing("2026-03-02T10:00"), working(timedelta(hours=1)), SHANGHAI, None)


@pytest.mark.parametrize(
    "windows",
    [
        [],
        [{"from": "17:00", "to": "09:00"}],
        [{"from": "09:00", "to": "13:00"}, {"from": "12:00", "to": "17:00"}],
        [{"from": "13:00", "to": "17:00"}, {"from": "09:00", "to": "12:00"}],
    ],
)
def test_working_hours_that_do_not_follow_each_other_are_refused(windows: list[dict[str, str]]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Workday.model_validate({"windows": windows, "source": {"kind": "derived", "reason": "of these tests"}})
