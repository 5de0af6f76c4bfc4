"""What a matter's limits depend on besides its milestones: people's decisions, the unit's days, conditions. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import NamedTuple

from schemas.pack import PolicyPack
from schemas.pack.clocks import ClockRule, Limit
from schemas.triage import AnswerKind
from services.kernel.core.days import NONE, OwnDays
from services.kernel.core.units import SpecialPeriod
from services.kernel.rules import calendars
from services.kernel.rules.calendars import Due
from services.kernel.rules.conditions import Context, holds


class Moved(NamedTuple):
    """A due instant that a person set or moved, and when."""

    due: datetime
    at: datetime


class Pause(NamedTuple):
    """A time in which a clock stands still; `until` is None while it does."""

    since: datetime
    until: datetime | None = None


class Deferral(NamedTuple):
    """The owed act was deferred at an instant. By `review`, somebody looks at it again; None if nobody said when."""

    at: datetime
    review: datetime | None


class Office(NamedTuple):
    """An accountable unit of the matter, as its limits see it."""

    began: datetime
    """When it became accountable."""
    since: datetime
    """When that was recorded."""
    kind: str | None
    own: OwnDays
    periods: tuple[SpecialPeriod, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What people decided on a matter's limits, and what the matter's office is."""

    due: Mapping[str, Moved] = field(default_factory=dict)
    """Limits that a person set or moved, by clock."""
    own: OwnDays = NONE
    pauses: Mapping[str, tuple[Pause, ...]] = field(default_factory=dict)
    """Clock -> its pauses, in order."""
    deferred: Mapping[str, tuple[Deferral, ...]] = field(default_factory=dict)
    """Clock -> its deferrals, in order."""
    context: Context = field(default_factory=Context)
    """What conditions see, besides level and kind of answer."""
    offices: tuple[Office, ...] = ()
    """The accountable units, in order. A hand-over changes neither what is owed before it nor its due instant."""
    periods: tuple[SpecialPeriod, ...] = ()
    """The special periods of the office."""

    def unit_at(self, at: datetime) -> str | None:
        """The kind of the unit that was accountable by the records until an instant."""
        if len(self.offices) < 2:
            return self.offices[0].kind if self.offices else self.context.unit
        found = (office.kind for office in reversed(self.offices) if office.since <= at)
        return next(found, self.offices[0].kind)

    def own_at(self, since: datetime) -> OwnDays:
        """The days of the unit that was accountable at an instant."""
        if len(self.offices) < 2:
            return self.offices[0].own if self.offices else self.own
        found = (office.own for office in reversed(self.offices) if office.began <= since)
        return next(found, self.offices[0].own)

    def periods_at(self, at: datetime) -> frozenset[str]:
        """The special periods, at an instant, of the unit that was accountable then."""
        found = (office.periods for office in reversed(self.offices) if office.began <= at)
        periods = next(found, self.offices[0].periods) if self.offices else self.periods
        return frozenset(period.code for period in periods if period.covers(at))

    def ends(self, since: datetime, limit: Limit, pack: PolicyPack) -> Due:
        """When a limit of the pack has passed. The days are those of the unit that was accountable at its start."""
        return calendars.due(since, limit, pack.timezone, pack.workday, self.own_at(since))


USUAL = Terms()


class Nature(NamedTuple):
    """What conditions see of a matter at a time."""

    level: str | None
    kind: AnswerKind | None
    unit: str | None = None
    """The kind of the accountable unit."""
    category: str | None = None
    """The category by the records until then; None for that of the opening."""


def applies(spec: ClockRule, nature: Nature, since: datetime, pack: PolicyPack, terms: Terms) -> bool:
    """Whether a matter of this nature owes the clock.

    Until a kind of answer is chosen, the strictest of the level is owed: of the clocks with the same start that only
    some kinds of answer owe and whose conditions hold, the one that is due first.
    """
    level, kind = nature.level, nature.kind
    if not spec.applies(level, kind) and not (kind is None and _is_strictest(spec, nature, since, pack, terms)):
        return False
    return _holds(spec, nature, since, terms)


def _holds(spec: ClockRule, nature: Nature, since: datetime, terms: Terms) -> bool:
    if spec.when is None:
        return True
    level, kind, unit, category = nature
    told = {"level": level, "answer_kind": kind, "unit": unit, "periods": terms.periods_at(since)}
    if category is not None:
        told["category"] = category
    return holds(spec.when, terms.context.model_copy(update=told))


def _is_strictest(spec: ClockRule, nature: Nature, since: datetime, pack: PolicyPack, terms: Terms) -> bool:
    if spec.answer_kinds is None:
        return False
    rivals = [
        other
        for other in pack.clocks
        if other.answer_kinds
        and other.from_ == spec.from_
        and (other.levels is None or nature.level in other.levels)
        and _holds(other, nature, since, terms)
    ]
    owed = [other for other in rivals if not other.limit.is_open]
    return bool(owed) and min(owed, key=lambda other: terms.ends(since, other.limit, pack).at) is spec


_WHOLE_DAY = timedelta(days=1)


def known_from(at: datetime, pack: PolicyPack, terms: Terms) -> datetime:
    """When the office knows of what came in: at its arrival, or when the duty window opens, as the pack says.

    In a special period with duty round the clock, it knows at the arrival.
    """
    roster = pack.roster
    if roster is None or not roster.windows or roster.outside_hours.value != "window_start":
        return at
    always = {special.period for special in roster.special if special.hours >= _WHOLE_DAY}
    if always & terms.periods_at(at):
        return at
    today = at.astimezone(pack.timezone).date()
    for day in (today, today + timedelta(days=1)):
        for window in roster.windows:
            begins, ends = (datetime.combine(day, of, pack.timezone) for of in (window.from_, window.to))
            if at < ends:
                return max(at, begins.astimezone(at.tzinfo))
    raise AssertionError("a roster with windows has one tomorrow")


def after_pauses(due: Due, pauses: Iterable[Pause], limit: Limit, pack: PolicyPack, own: OwnDays = NONE) -> Due:
    """The due instant, moved by the pauses that have ended.

    A limit in working days moves by the working days of the pauses: the day of a resumption counts again. One in
    working time moves by their working time, and another one by their length. One that ends with a day still does.
    """
    ended = [(pause.since, pause.until) for pause in pauses if pause.until and pause.until > pause.since]
    if not ended:
        return due
    if limit.mode == "working_days":
        days = sum(calendars.working_days_between(since, until, pack.timezone, own) for since, until in ended)
        if not days:
            return due
        last = due.at - timedelta(microseconds=1) if calendars.ends_with_a_day(limit) else due.at
        more = limit.model_copy(update={"days": days, "first_day": "not_counted"})
        moved = calendars.due(last, more, pack.timezone, pack.workday, own)
        return moved._replace(provisional=moved.provisional or due.provisional)
    if limit.mode == "working_time" and pack.workday:
        zone, hours = pack.timezone, pack.workday
        time_ = (calendars.working_time_between(since, until, zone, hours, own) for since, until in ended)
        if not (more_ := sum(time_, timedelta())):
            return due
        moved = calendars.later_by_working_time(due.at, more_, zone, hours, own)
        return moved._replace(provisional=moved.provisional or due.provisional)
    at = due.at + sum((until - since for since, until in ended), timedelta())
    local = at.astimezone(pack.timezone)
    if at == due.at or not calendars.ends_with_a_day(limit) or local.time() == time.min:
        return due._replace(at=at)
    midnight = datetime.combine(local.date() + timedelta(days=1), time.min, pack.timezone)
    return due._replace(at=midnight.astimezone(due.at.tzinfo))
