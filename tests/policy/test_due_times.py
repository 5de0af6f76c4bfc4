"""When limits end: by the clock, at the end of a day, and in working time with Chinese holidays."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from chinese_calendar.constants import holidays
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.pack.clocks import Limit, Workday
from services.kernel.core.days import OwnDays, Span
from services.kernel.rules import calendars
from services.kernel.rules.calendars import Due

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
    st.builds(
        lambda days, until, first: Limit(mode="working_days", days=days, until=until, first_day=first),
        st.integers(2, 30),
        st.sampled_from(["end_of_day", "same_time"]),
        st.sampled_from(["counted", "not_counted"]),
    ),
)


def due(start: datetime, limit: Limit, zone: ZoneInfo, workday: Workday | None) -> datetime:
    return calendars.due(start, limit, zone, workday).at


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

    def test_elapsed_time_needs_no_calendar(self) -> None:
        assert due(beijing("2090-01-01T00:00"), elapsed(timedelta(hours=1)), SHANGHAI, None) == beijing(
            "2090-01-01T01:00"
        )


def working_days(days: int, **more: str) -> Limit:
    return Limit.model_validate({"mode": "working_days", "days": days, **more})


class TestWorkingDays:
    @pytest.mark.parametrize(
        ("start", "limit", "end"),
        [
            pytest.param("2026-03-02T10:00", working_days(1), "2026-03-04T00:00", id="the end of the next working day"),
            pytest.param(
                "2026-03-02T10:00", working_days(1, first_day="counted"), "2026-03-03T00:00", id="of this one"
            ),
            pytest.param("2026-03-02T10:00", working_days(1, until="same_time"), "2026-03-03T10:00", id="to the hour"),
            pytest.param("2026-03-06T10:00", working_days(2), "2026-03-11T00:00", id="over a weekend"),
            pytest.param("2026-03-07T10:00", working_days(1, first_day="counted"), "2026-03-10T00:00", id="no workday"),
            pytest.param("2026-09-30T17:00", working_days(1), "2026-10-09T00:00", id="over the October holiday"),
            pytest.param("2026-10-09T17:00", working_days(1), "2026-10-11T00:00", id="a make-up Saturday"),
        ],
    )
    def test_only_working_days_count(self, start: str, limit: Limit, end: str) -> None:
        assert due(beijing(start), limit, SHANGHAI, None) == beijing(end)


class TestAYearThatNobodyAnnounced:
    def test_twenty_working_days_over_the_turn_of_the_year_end_at_a_provisional_time(self) -> None:
        # 2027 is announced late in 2026. Then its days are in the calendar, and the year after takes its place here.
        year = max(holidays).year
        start = datetime(year, 12, 10, 10, tzinfo=SHANGHAI)
        found = calendars.due(start, working_days(20), SHANGHAI, None)
        assert found.provisional
        assert found.at > datetime(year + 1, 1, 1, tzinfo=SHANGHAI)
        assert not calendars.due(start, working_days(5), SHANGHAI, None).provisional
        if year == 2026:
            assert found == Due(beijing("2027-01-09T00:00").astimezone(UTC), provisional=True)

    def test_the_holidays_by_law_are_free_in_it(self) -> None:
        year = max(holidays).year + 1
        for month, day in ((1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)):
            eve = datetime(year, month, day, tzinfo=SHANGHAI) - timedelta(hours=1)
            end = due(eve, working_days(1), SHANGHAI, None).astimezone(SHANGHAI)
            assert end.date() > date(year, month, day) + timedelta(days=1), "it is no working day"

    def test_working_time_goes_on_in_it_too(self) -> None:
        eve = datetime(max(holidays).year, 12, 31, 23, tzinfo=SHANGHAI)
        found = calendars.due(eve, working(timedelta(hours=1)), SHANGHAI, WORKDAY)
        assert found.provisional
        assert found.at > eve + timedelta(hours=11)


class TestAUnitsOwnDays:
    OWN = OwnDays(
        (
            Span(date(2026, 3, 3), date(2026, 3, 3), "free"),
            Span(date(2026, 3, 7), date(2026, 3, 7), "working"),
            Span(date(2026, 7, 1), date(2026, 7, 31), windows=WORKDAY.windows[:1]),
        )
    )

    def end(self, start: str, limit: Limit) -> Due:
        return calendars.due(beijing(start), limit, SHANGHAI, WORKDAY, self.OWN)

    def test_a_local_holiday_is_free_and_a_make_up_day_counts(self) -> None:
        assert self.end("2026-03-02T10:00", working_days(1)).at == beijing("2026-03-05T00:00")
        assert self.end("2026-03-06T10:00", working_days(1)).at == beijing("2026-03-08T00:00")
        assert self.end("2026-03-02T17:00", working(timedelta(hours=1))).at == beijing("2026-03-04T09:30")

    def test_other_hours_hold_on_their_days_only(self) -> None:
        assert self.end("2026-07-31T11:00", working(timedelta(hours=2))).at == beijing("2026-08-03T10:00")

    def test_the_first_word_on_a_day_counts_and_may_be_that_all_is_as_usual(self) -> None:
        free = Span(date(2026, 3, 3), date(2026, 3, 4), "free")
        usual = Span(date(2026, 3, 3), date(2026, 3, 3), "as_usual", ())
        assert (OwnDays((usual, free)).works(date(2026, 3, 3)), OwnDays((usual, free)).works(date(2026, 3, 4))) == (
            None,
            False,
        )
        assert OwnDays((usual, *self.OWN.spans)).windows(date(2026, 3, 3)) == ()

    def test_a_units_own_word_is_final_in_a_year_that_nobody_announced(self) -> None:
        year = max(holidays).year + 1
        own = OwnDays((Span(date(year, 1, 1), date(year, 1, 3), "working"),))
        start = datetime(year, 1, 1, 10, tzinfo=SHANGHAI)
        assert not calendars.due(start, working_days(2), SHANGHAI, None, own).provisional


@pytest.mark.parametrize(
    ("limit", "ends_with_a_day"),
    [
        (END_OF_DAY, True),
        (working_days(1), True),
        (working_days(1, until="same_time"), False),
        (elapsed(timedelta(days=1)), False),
        (working(timedelta(days=1)), False),
    ],
)
def test_a_day_is_over_at_its_due_instant_and_an_hour_is_not(limit: Limit, ends_with_a_day: bool) -> None:
    assert calendars.ends_with_a_day(limit) is ends_with_a_day


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


@pytest.mark.parametrize(
    "limit", [{"mode": "elapsed", "duration": "P9999999D"}, {"mode": "working_days", "days": 10**9}]
)
def test_a_limit_whose_end_has_no_date_is_refused(limit: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="3660"):
        Limit.model_validate(limit)
