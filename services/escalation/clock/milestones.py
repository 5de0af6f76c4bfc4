"""The milestones of a matter: their one order, which of them count, and what they say of units and levels. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from schemas.escalation import ClockMilestoneReached

HAPPENS_ONCE = ("discovered", "opened")
"""A matter has each of these once. After a reopening, the reopening takes their place."""
HANDED_OVER = ("assigned", "transferred")
"""Each of these milestones starts its clock anew, for the unit that it names."""
GRADINGS = ("graded", "regraded")
KNOWLEDGE = ("discovered", *GRADINGS, "levels_known")
ENDINGS = ("closed", "dismissed", "merged")
LINKS = ("absorbed", "split", "split_off")
"""Here `incident` is the other matter, and the milestone belongs to this one."""
OF_ONE_MATTER = frozenset(
    {
        *LINKS,
        "opened",
        "policy_moved",
        "grown",
        "classified",
        "categorized",
        "reply_needed",
        "reply_not_needed",
        "transferred",
        "closed",
        "dismissed",
        "reopened",
        "merged",
    },
)
"""Another matter does not take these over: they tell the matter's own nature and course."""


def in_order(milestones: Iterable[ClockMilestoneReached]) -> list[ClockMilestoneReached]:
    """The one order in which milestones count."""
    return sorted(milestones, key=lambda reached: (reached.recorded_at, reached.event, reached.milestone))


def is_carried(reached: ClockMilestoneReached, split_at: datetime | None) -> bool:
    """Whether a milestone passes to another matter, into which this was merged or which was split off at an instant."""
    if reached.milestone in OF_ONE_MATTER:
        return False
    return split_at is None or (reached.milestone not in KNOWLEDGE and reached.recorded_at < split_at)


def counted(milestones: Iterable[ClockMilestoneReached]) -> list[ClockMilestoneReached]:
    """The matter's own milestones, and those of the matters that were merged into it."""
    milestones = list(milestones)
    absorbed = {reached.incident for reached in milestones if reached.milestone == "absorbed"}
    return [reached for reached in milestones if is_own(reached) or reached.incident in absorbed]


def unverified(past: Iterable[ClockMilestoneReached]) -> bool:
    """Whether no fact is established yet, and verification has no outcome that says what is so."""
    return all(reached.milestone not in ("fact_established", "verified") for reached in counted(past))


def is_own(reached: ClockMilestoneReached) -> bool:
    """Whether the milestone was reached under this incident."""
    return reached.incident is None or reached.milestone in LINKS


def accountable(past: Sequence[ClockMilestoneReached], at: datetime | None = None) -> str | None:
    """The unit that is accountable by the records until `at`, or now. `past` is in order."""
    unit = None
    for reached in past:
        if reached.milestone == "opened" or (
            reached.milestone == "transferred" and (at is None or reached.recorded_at <= at)
        ):
            unit = reached.unit
    return unit


def assigned(past: Sequence[ClockMilestoneReached], at: datetime | None = None) -> str | None:
    """The unit that handled the matter by the records until `at`, or handles it now. `past` is in order."""
    unit = None
    for reached in past:
        if at is not None and reached.recorded_at > at:
            break
        if reached.milestone in ("assigned", "returned") and is_own(reached):
            unit = reached.unit if reached.milestone == "assigned" else None
    return unit


def level_of(past: Sequence[ClockMilestoneReached]) -> str | None:
    """The level in force; None before the first grading. `past` is in order.

    In a past as `growth.followed` gives it, this is the level that a matter follows which has grown.
    """
    judged = (
        one
        for one in reversed(past)
        if is_own(one) and (one.milestone in (*GRADINGS, "policy_moved") or (one.milestone == "grown" and one.level))
    )
    return next((one.level for one in judged), None)


def began(reached: ClockMilestoneReached) -> datetime:
    """When it happened. The recorder's clock may have been ahead."""
    return min(reached.happened_at, reached.recorded_at)
