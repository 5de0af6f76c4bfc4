"""How grave a matter is: the proposal for its facts, and since when each level was known. Pure.

The facts are counts of the reach, flags and the harm, each with its time. Counts of several reports stand side by side:
all of them measure one matter, so nothing is added up, and the highest count so far counts.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from schemas.fields import REACH
from services.kernel.core.units import LoadedPack
from services.kernel.rules.conditions import Figures, Proposal, propose_level


class Counted(NamedTuple):
    """A count of the matter's reach by one of its reports. `basis` is the report as `stream@version`."""

    at: datetime
    report: str
    figures: Figures
    basis: str = ""

    def adds_to(self, facts: Iterable["Fact"]) -> bool:
        """Whether a figure is higher than all that the same report had counted by then."""
        before = [fact for fact in facts if isinstance(fact, Counted) and fact.report == self.report]
        return any(
            value is not None
            and all(fact.at > self.at or (getattr(fact.figures, name) or -1) < value for fact in before)
            for name, value in self.figures
        )


class Flagged(NamedTuple):
    """A flag was set, or cleared."""

    at: datetime
    flag: str
    present: bool = True


class Harmed(NamedTuple):
    """The harm to the public was judged, as a step of the pack's scale."""

    at: datetime
    harm: int


Fact = Counted | Flagged | Harmed


class Gravity(NamedTuple):
    """All facts together at a time. `basis` names the reports with these figures, as `stream@version`."""

    at: datetime
    figures: Figures
    flags: frozenset[str] = frozenset()
    harm: int | None = None
    basis: tuple[str, ...] = ()


class Grade(NamedTuple):
    """A level of the matter, and since when it could be known; None means from the start."""

    level: str
    known_at: datetime | None


def ranks(pack: LoadedPack) -> dict[str, int]:
    """The pack's levels with their ranks."""
    return {level.code: level.rank for level in pack.model.levels}


def gravities(facts: Iterable[Fact]) -> Iterator[Gravity]:
    """How grave the matter was after each fact that changed it, in order of the facts' times."""
    largest: dict[str, tuple[int, str]] = {}
    flags, harm, last = set[str](), None, None
    for fact in sorted(facts, key=attrgetter("at")):
        match fact:
            case Counted():
                for name in REACH:
                    value = getattr(fact.figures, name)
                    if value is not None and (name not in largest or value > largest[name][0]):
                        largest[name] = (value, fact.basis)
            case Flagged():
                (flags.add if fact.present else flags.discard)(fact.flag)
            case Harmed():
                harm = fact.harm
        figures = Figures(**{name: value for name, (value, _) in largest.items()})
        basis = tuple(sorted({basis for _, basis in largest.values() if basis}))
        now = Gravity(fact.at, figures, frozenset(flags), harm, basis)
        if now[1:] != last:
            last = now[1:]
            yield now


def without(facts: Iterable[Fact], reports: Collection[str]) -> tuple[Fact, ...]:
    """The facts without the counts of these reports."""
    return tuple(fact for fact in facts if not isinstance(fact, Counted) or fact.report not in reports)


def highest(facts: Iterable[Fact]) -> Figures:
    """The highest of all counts."""
    figures = Figures()
    for fact in facts:
        if isinstance(fact, Counted):
            figures = figures.highest(fact.figures)
    return figures


def without_harm(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """The facts for another pack. A step of harm means something on its own pack's scale only."""
    return tuple(fact for fact in facts if not isinstance(fact, Harmed))


def gravity(facts: Iterable[Fact], reports: int | None = None) -> Gravity | None:
    """How grave the matter is with all its facts; None if nothing is known. `reports` is how many it has."""
    if not (grave := list(gravities(facts))):
        return None
    return grave[-1]._replace(figures=grave[-1].figures.model_copy(update={"reports": reports}))


def proposed(pack: LoadedPack, facts: Iterable[Fact], reports: int | None = None) -> Proposal | None:
    """The pack's proposal for all facts; None if nothing is known, or if the pack proposes nothing."""
    if now := gravity(facts, reports):
        return propose_level(pack, now.figures, now.flags, now.harm)
    return propose_level(pack, Figures(reports=reports)) if counts_reports(pack) else None


def known(
    pack: LoadedPack,
    facts: Sequence[Fact],
    reports: int | None = None,
    now: datetime | None = None,
    before: Mapping[str, datetime] | None = None,
    since: datetime | None = None,
) -> dict[str, datetime]:
    """When each level above the lowest was known first: when facts proposed it, or a higher one. In order of rank.

    `before` is what was known already, from all facts before `since`. What was known stays known, also if a flag is
    cleared later. The number of reports is known `now`.
    """
    changes = (one for one in gravities(facts) if since is None or one.at >= since)
    counted = now is not None and counts_reports(pack)
    return risen(pack, before or {}, changes, [(now, proposed(pack, facts, reports))] if now and counted else ())


def risen(
    pack: LoadedPack,
    before: Mapping[str, datetime],
    changes: Iterable[Gravity],
    further: Iterable[tuple[datetime, Proposal | None]] = (),
) -> dict[str, datetime]:
    """What is known after these changes of the gravity and further proposals, if `before` was known already."""
    levels = ranks(pack)
    lowest = min(levels.values(), default=0)
    found = {level: at for level, at in before.items() if level in levels}
    proposals = [(one.at, propose_level(pack, one.figures, one.flags, one.harm)) for one in changes]
    for at, proposal in (*proposals, *further):
        for level, rank in levels.items():
            if proposal and lowest < rank <= levels[proposal.level]:
                found[level] = min(found.get(level, at), at)
    return {level: found[level] for level in levels if level in found}


def proposes(pack: LoadedPack) -> bool:
    """Whether the pack proposes levels. If not, a person judges."""
    return any(level.conditions for level in pack.model.levels)


def counts_reports(pack: LoadedPack) -> bool:
    """Whether a condition of a level names the number of reports."""
    return any("reports" in condition.when for level in pack.model.levels for condition in level.conditions)


def known_at(
    pack: LoadedPack, levels: Mapping[str, datetime], grades: Sequence[Grade], rank: int, start: datetime | None
) -> datetime | None:
    """Since when the level of this rank could be known; None if only the person says so.

    Facts say so, or an earlier grading in this level or a higher one. `levels` is what facts say, `start` the discovery
    of the matter.
    """
    known = ranks(pack)
    if rank == min(known.values(), default=rank):
        return None
    facts = [at for level, at in levels.items() if known.get(level, 0) >= rank]
    judged = [grade.known_at or start for grade in grades if known.get(grade.level, 0) >= rank]
    return min((at for at in (*facts, *judged) if at), default=None)


def brought(
    grades: Sequence[Grade], level: str | None, into: str | None, pack: LoadedPack, since: datetime
) -> list[Grade]:
    """The levels that a merger brings to a matter of the level `into`: from the lowest to `level`, the other's.

    Each level could be known when it, or a higher one, could be known for the other matter; `since` means from the
    start. So the duties of the other matter go on with their limits.
    """
    known = ranks(pack)
    floor, top = known.get(into or "", 0), known.get(level or "", 0)
    steps = sorted({(known[grade.level], grade.level) for grade in grades if floor < known.get(grade.level, 0) <= top})
    return [
        Grade(code, min(grade.known_at or since for grade in grades if known.get(grade.level, 0) >= rank))
        for rank, code in steps
    ]
