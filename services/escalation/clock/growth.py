"""Growth: a matter that grows, or does not end in time, follows what another level owes. Pure.

Its level changes only by a grading. To clocks and reports, the growth is a milestone that names the level it follows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from schemas.escalation import ClockMilestoneReached
from schemas.pack import PolicyPack
from schemas.pack.clocks import ClockRule
from services.escalation.clock.clocks import Clock
from services.escalation.clock.milestones import is_own
from services.escalation.clock.runs import Cancelled

GROWTH = "growth"
"""The name of the limit within which a matter ends, or else counts as grown."""


def followed(past: Sequence[ClockMilestoneReached], pack: PolicyPack) -> list[ClockMilestoneReached]:
    """The milestones in order. From its growth on, the matter has the level that it follows, until a higher grading."""
    growth = pack.growth
    if growth is None:
        return list(past)
    ranks = {level.code: level.rank for level in pack.levels}
    top = max(ranks[code] for code in growth.levels)
    found, level, at = list[ClockMilestoneReached](), pack.lowest, None
    for reached in past:
        own = is_own(reached)
        if own and (reached.level in ranks or reached.milestone == "policy_moved"):
            level = reached.level or pack.lowest
        low = level in growth.levels
        if at and own and low and reached.level:
            found.append(reached.model_copy(update={"level": growth.follows, "known_at": at}))
            continue
        found.append(reached)
        if at is None and own and low and (at := _since(reached, top, ranks)):
            found.append(
                reached.model_copy(update={"milestone": "grown", "level": growth.follows, "known_at": at, "levels": ()})
            )
    return found


def _since(reached: ClockMilestoneReached, top: int, ranks: Mapping[str, int]) -> datetime | None:
    """Since when the matter has grown, if this milestone says so: it lasts too long, or facts show a higher level."""
    if reached.milestone == "grown":
        return reached.happened_at
    higher = (known.known_at for known in reached.levels if ranks.get(known.level, 0) > top)
    return min(higher, default=None)


def limit_of(pack: PolicyPack) -> Iterator[ClockRule]:
    """The limit after which a matter that has not ended counts as grown."""
    if growth := pack.growth:
        yield ClockRule.model_construct(
            name=GROWTH,
            title_zh=GROWTH,
            from_="discovered",
            to=("resolved", "closed"),
            levels=growth.levels,
            limit=growth.unless_ended,
            source=growth.source,
        )


def shown(clock: Clock, past: Sequence[ClockMilestoneReached]) -> Clock:
    """That limit as it is shown. A matter that grew is not late with its end: it follows another level."""
    grew = next((one for one in past if one.milestone == "grown"), None)
    at = min(clock.due, grew.recorded_at) if grew else None
    if at is None or (clock.met_at and clock.met_at <= at):
        return clock
    return replace(clock, met_at=None, cancelled=Cancelled("grown", at))
