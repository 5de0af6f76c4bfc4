"""What would have differed if matters had been judged by another pack. Nothing is recorded.

Both packs see the same milestones. Levels are those of the gradings, mapped as the other pack says. A level that is not
mapped counts as ungraded. A matter that moved to another pack is compared with what it owed under one pack after the
other.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, NamedTuple, cast

from schemas.escalation import ClockMilestoneReached
from schemas.fields import instant, parse_instant
from schemas.titles import titled
from services.escalation.clock.clocks import Clock
from services.escalation.clock.duties import by_eras
from services.escalation.trying.course import levels_known
from services.escalation.trying.evaluate import Matter
from services.escalation.upward import obligations
from services.kernel.core.units import LoadedPack
from services.kernel.rules import approval, grading

Kind = Literal[
    "proposal",
    "level_unmapped",
    "approval",
    "report",
    "limit_added",
    "limit_dropped",
    "due_earlier",
    "due_later",
    "missed",
    "kept",
]
"""`missed` and `kept`: a limit that is missed by one pack only."""


KINDS: Mapping[Kind, str] = {
    "proposal": "建议级别不同",
    "level_unmapped": "级别没有对应",
    "approval": "审批不同",
    "report": "上报不同",
    "limit_added": "新增时限",
    "limit_dropped": "不再有此时限",
    "due_earlier": "期限提前",
    "due_later": "期限推后",
    "missed": "变为逾期",
    "kept": "不再逾期",
}
"""What a kind is called in Chinese."""


class Difference(NamedTuple):
    """One difference of a matter: by its own pack, and by the other one."""

    incident: str
    kind: Kind
    name: str
    was: str | None
    would: str | None


class Result(NamedTuple):
    """All differences, and how many of each kind there are."""

    differences: tuple[Difference, ...]
    own: Mapping[str, LoadedPack]
    """Each matter with the pack under which it is."""

    @property
    def matters(self) -> int:
        """How many matters were judged."""
        return len(self.own)

    @property
    def counts(self) -> Mapping[str, int]:
        """Kind -> how many."""
        return dict(sorted(Counter(one.kind for one in self.differences).items()))

    def told(self) -> dict[str, Any]:
        """The result, ready for JSON."""
        return {
            "matters": self.matters,
            "counts": self.counts,
            "differences": [one._asdict() for one in self.differences],
        }


def lines(result: Result, pack: LoadedPack) -> Iterator[str]:
    """The result for readers: codes with the Chinese titles of the two packs, and times of their time zones."""
    for kind, count in result.counts.items():
        yield f"  {kind:<18} {KINDS[cast('Kind', kind)]}  {count}"
    for one in result.differences:
        own = result.own[one.incident]
        code, review, _ = one.name.partition("#")[0].partition(".review")
        titles = {name: timed.title_zh for by in (pack, own) for name, timed in by.model.timed.items()}
        titles = {**_levels_of(own), **titles} if one.kind == "level_unmapped" else titles
        name = f"{titles.get(code, '')}{'（复查）' if review else ''}"
        was, would = _told(one.was, own), _told(one.would, pack)
        yield f"{one.incident}\t{one.kind} {KINDS[one.kind]}\t{one.name} {name}".rstrip() + f"\t{was} -> {would}"


def _levels_of(pack: LoadedPack) -> dict[str, str]:
    return {level.code: level.title_zh for level in pack.model.levels}


def _told(text: str | None, pack: LoadedPack) -> str:
    """A due instant in local time, a level by its title, and addressees by theirs."""
    if text is None:
        return "-"
    if text.endswith("Z"):
        return parse_instant(text).astimezone(pack.model.timezone).isoformat(" ", "minutes")
    return _levels_of(pack).get(text) or re.sub(r"[a-z_]+(?=@|\b)", lambda found: titled(found[0], "zh"), text)


def tried(was: Matter, pack: LoadedPack) -> Matter:
    """The matter as it would stand by `pack`, with the values that its unit set there. Its clocks are `limits`."""
    effective = was.offices.effective(pack, was.state.unit) if was.state.unit else pack
    named = dict(_mapped(was, effective))
    opened_at = min((one.recorded_at for one in was.state.milestones), default=was.until)
    milestones = (
        *(one.model_copy(update={"level": named.get(one)}) for one in was.state.milestones if not one.levels),
        *levels_known(effective, was.gravity, opened_at),
    )
    return was._replace(pack=effective, state=replace(was.state, milestones=milestones))


def limits(would: Matter, pack: LoadedPack) -> tuple[Clock, ...]:
    """The limits of a matter that is `tried` on a pack."""
    # A value that an office set later counts from then on, by either pack.
    plain = tuple(one.model_copy(update={"policy": None}) for one in would.state.milestones)
    return by_eras(replace(would.state, milestones=plain, first_policy=None), pack, would.offices)


def differences(incident: str, was: Matter, pack: LoadedPack) -> Iterator[Difference]:
    """How the matter would differ by `pack`, with the values that its unit set there. Pure."""
    would = tried(was, pack)
    named = dict(_mapped(was, would.pack))
    for one, level in named.items():
        if level is None:
            yield Difference(incident, "level_unmapped", str(one.level), one.level, None)
    pairs: list[tuple[Kind, str | None, str | None]] = [
        ("proposal", _proposal(was), _proposal(would)),
        ("approval", _approval(was), _approval(would)),
        ("report", _reports(was), _reports(would)),
    ]
    yield from (Difference(incident, kind, kind, a, b) for kind, a, b in pairs if a != b)
    own, other = by_eras(was.state, was.pack, was.offices), limits(would, pack)
    before, after = ({clock.name: clock for clock in found} for found in (own, other))
    for name in sorted(before.keys() | after.keys()):
        yield from _limits(incident, name, before.get(name), after.get(name), was.until)


def _mapped(was: Matter, pack: LoadedPack) -> Iterator[tuple[ClockMilestoneReached, str | None]]:
    """The milestones that name a level, each with the level of `pack`."""
    for one, by in _judged(was):
        yield one, _levels(by, pack).get(one.level)


def _judged(was: Matter) -> Iterator[tuple[ClockMilestoneReached, LoadedPack]]:
    """The milestones that name a level, each with the pack of the matter by then."""
    moves, present = was.state.moves, was.pack
    for one in was.state.milestones:
        if one.level:
            by = [move.policy for move in moves if move.at is None or move.at <= one.recorded_at]
            yield one, was.offices.packs.get(by[-1], present) if by else present


def _levels(own: LoadedPack, pack: LoadedPack) -> dict[str | None, str]:
    """The levels of a matter's own pack in terms of the other one."""
    known = {level.code for level in pack.model.levels}
    if own.model.id == pack.model.id:
        return {code: code for code in known}
    return {code: to for one in pack.model.level_maps if one.pack == own.model.id for code, to in one.levels.items()}


def _limits(incident: str, name: str, was: Clock | None, would: Clock | None, now: datetime) -> Iterator[Difference]:
    due = (instant(was.due) if was else None, instant(would.due) if would else None)
    if was is None or would is None:
        yield Difference(incident, "limit_added" if was is None else "limit_dropped", name, *due)
    elif was.due != would.due:
        yield Difference(incident, "due_earlier" if would.due < was.due else "due_later", name, *due)
    missed = [clock is not None and (clock.late or clock.overdue(now)) for clock in (was, would)]
    if missed[0] != missed[1]:
        yield Difference(incident, "missed" if missed[1] else "kept", name, *due)


def _proposal(matter: Matter) -> str | None:
    proposal = grading.proposed(matter.pack, matter.gravity, matter.reports)
    return proposal.level if proposal else None


def _approval(matter: Matter) -> str | None:
    chain = approval.chain_of(matter.pack, matter.context)
    return " → ".join(" / ".join(step.who) for step in chain.steps) if chain else None


def _reports(matter: Matter) -> str | None:
    owed = obligations.report_to(matter.state.past, matter.pack.model, matter.offices)
    return ", ".join(f"{one.hop.to}@{one.unit}" for one in owed) or None
