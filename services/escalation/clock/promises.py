"""What a public text owes the public: the next statement that it promised, and an update once it is outdated. Pure.

Two limits under their own names. `promised_update` runs from a statement that names when the next one comes, until any
next statement on the matter is published. `statement_update` runs from the revision of a fact on which a public text
rests, by the pack's limit, until a correction or another statement tells the new value, or the text is withdrawn. Each
runs again as `#2` and so on. Neither ends with the closing of the matter: the public still reads the text.

After a merger, what another matter owes goes on here from the merger on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from schemas.escalation import ClockMilestoneReached
from schemas.pack import PolicyPack
from services.escalation.clock.clocks import Clock
from services.escalation.clock.milestones import counted, is_own
from services.escalation.clock.runs import Cancelled
from services.escalation.clock.terms import Terms
from services.kernel.rules import calendars

PROMISED, UPDATE = "promised_update", "statement_update"
PUBLISHED = ("status_published", "facts_published")
Fact = tuple[str, str]
"""A fact: its incident and its key."""


@dataclass(slots=True)
class _Duty:
    unit: str
    since: datetime
    due: datetime | None = None
    """The instant that was promised; None for the pack's limit."""
    met_at: datetime | None = None


@dataclass(slots=True)
class _Public:
    """What is in public on the matter, as the fold goes through its milestones."""

    told: dict[str, tuple[str, Mapping[Fact, int]]] = field(default_factory=dict)
    """Statement -> its unit, and the versions of facts that it tells."""
    newest: dict[Fact, int] = field(default_factory=dict)
    promised: list[_Duty] = field(default_factory=list)
    updates: list[_Duty] = field(default_factory=list)
    open: dict[Fact, _Duty] = field(default_factory=dict)

    def take(self, reached: ClockMilestoneReached, at: datetime) -> None:
        """A milestone that counts at an instant."""
        told = {(one.incident, one.key): one.version for one in reached.facts}
        if reached.milestone == "fact_revised":
            self.newest |= {fact: max(version, self.newest.get(fact, 0)) for fact, version in told.items()}
        elif reached.statement is None:
            return
        elif reached.milestone == "statement_withdrawn":
            self.told.pop(reached.statement, None)
        else:
            unit = self.told.get(reached.statement, (reached.unit or "",))[0]
            self.told[reached.statement] = (unit, told)
        if reached.milestone in PUBLISHED:
            for duty in self.promised:
                duty.met_at = duty.met_at or at
            if reached.until is not None and reached.until > at:
                self.promised.append(_Duty(reached.unit or "", at, reached.until))
        self._compare(at)

    def _compare(self, at: datetime) -> None:
        """Which facts public texts tell by a former value, and no public text by the new one."""
        for fact, newest in self.newest.items():
            versions = [(unit, facts[fact]) for unit, facts in self.told.values() if fact in facts]
            behind = next((unit for unit, version in versions if version < newest), None)
            if behind is None or any(version >= newest for _, version in versions):
                if duty := self.open.pop(fact, None):
                    duty.met_at = at
            elif fact not in self.open:
                self.open[fact] = _Duty(behind, at)
                self.updates.append(self.open[fact])


def clocks(
    past: Sequence[ClockMilestoneReached], pack_at: Callable[[datetime], PolicyPack], terms: Terms
) -> Iterator[Clock]:
    """These limits of a matter. `past` is in order, `pack_at` the pack under which it was at an instant."""
    absorbed = {one.incident: one.recorded_at for one in past if one.milestone == "absorbed"}
    public, ended = _Public(), _ended(past)
    told = [(max(one.recorded_at, _joined(one, absorbed)), one) for one in counted(past)]
    for at, reached in sorted(told, key=lambda one: (one[0], one[1].recorded_at, one[1].event)):
        public.take(reached, at)
    for number, duty in enumerate(public.promised, start=1):
        assert duty.due is not None, "a promise names an instant"
        yield _clock(PROMISED, number, duty, duty.due, ended)
    number = 0
    for duty in public.updates:
        pack = pack_at(duty.since)
        rule = pack.publication.update if pack.publication else None
        if rule is None or rule.limit.is_open:
            continue
        number += 1
        due = terms.ends(duty.since, rule.limit, pack)
        clock = _clock(UPDATE, number, duty, due.at, ended)
        yield Clock(
            clock.name,
            clock.unit,
            clock.since,
            clock.due,
            clock.first_answer,
            clock.met_at,
            cancelled=clock.cancelled,
            provisional=due.provisional,
            counts_work=calendars.counts_work(rule.limit),
            due_is_late=calendars.ends_with_a_day(rule.limit),
        )


def _joined(reached: ClockMilestoneReached, absorbed: Mapping[str | None, datetime]) -> datetime:
    """When what another matter reached counts here."""
    return reached.recorded_at if is_own(reached) else absorbed[reached.incident]


def _ended(past: Sequence[ClockMilestoneReached]) -> Cancelled | None:
    """Why nothing is owed here any more: the matter was merged into another one, or refused."""
    for one in past:
        if is_own(one) and one.milestone in ("merged", "dismissed"):
            return Cancelled("merged" if one.milestone == "merged" else "dismissed", one.recorded_at)
    return None


def _clock(name: str, number: int, duty: _Duty, due: datetime, ended: Cancelled | None) -> Clock:
    over = ended if ended and ended.at >= duty.since and (duty.met_at is None or duty.met_at > ended.at) else None
    return Clock(
        name if number == 1 else f"{name}#{number}",
        duty.unit,
        duty.since,
        due,
        False,
        None if over else duty.met_at,
        cancelled=over,
    )
