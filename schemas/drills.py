"""Events of `drill` and `training` streams: a scenario is rehearsed and scored, and posts are trained.

A drill scores units by what the record shows of its own matters, which are exercises. It names posts, never persons.
"""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import (
    Code,
    Day,
    Digest,
    Fact,
    Figure,
    Instant,
    Post,
    PublishedRules,
    StreamId,
    UnitCode,
    Uuid,
    Words,
)

Outcome = Literal["met", "late", "missed", "wrong"]
"""`wrong` is done, but to another addressee, at another level, without an approval, or with another text."""
TrainingKind = Literal["course", "lecture", "drill"]


class DrillPlace(Fact):
    """The unit that rehearses a part of the scenario. It is an office for exercises."""

    part: Code
    unit: UnitCode


class DrillMark(Fact):
    """What became of one thing that was expected of a unit.

    `basis` says whether the scenario expects it or the unit's pack does; `what` is the code of it there. `due` and
    `done` are instants, if it had a limit and was done. `events` are the events that show it.
    """

    criterion: Code
    what: Code
    basis: Literal["scenario", "pack"]
    unit: UnitCode
    outcome: Outcome
    due: Instant | None = None
    done: Instant | None = None
    events: tuple[Uuid, ...] = ()


@event("drill.begun")
class DrillBegun(Fact):
    """The unit `unit` lets its offices for exercises rehearse a scenario, whose whole content is `canonical`.

    `digest` is SHA-256 over `canonical` in UTF-8. `seed` chooses the details of the injects. With `speed`, the
    scenario's own times are shortened so many times; the limits of packs never are.
    """

    unit: UnitCode
    scenario: Code
    digest: Digest
    canonical: PublishedRules
    seed: Figure
    speed: Figure
    places: tuple[DrillPlace, ...]


@event("drill.inject_sent")
class DrillInjectSent(Fact):
    """An inject of the scenario was sent. `report` is the report that it made, `matter` the incident that it is on.

    If it was not `delivered`, nothing was sent, because the matter had ended before.
    """

    inject: Code
    report: StreamId | None = None
    matter: StreamId | None = None
    delivered: bool = True


@event("drill.ended")
class DrillEnded(Fact):
    """Nothing more is sent, and what is done from now on does not count."""

    cause: Literal["finished", "stopped"]
    reason: Words | None = None


@event("drill.scored")
class DrillScored(Fact):
    """What the first `size` events of the record show. A later score replaces it, if something arrived late.

    `posts` are the posts of the offices for exercises that acted.
    """

    size: Figure
    marks: tuple[DrillMark, ...]
    posts: tuple[Post, ...] = ()


@event("training.recorded")
class TrainingRecorded(Fact):
    """Posts of the unit were trained on the day `on`. `minutes` is how long, `given_by` the unit that gave it."""

    unit: UnitCode
    kind: TrainingKind
    title: Words
    on: Day
    minutes: Figure
    posts: tuple[Post, ...]
    given_by: UnitCode | None = None
    drill: StreamId | None = None


@event("training.withdrawn")
class TrainingWithdrawn(Fact):
    """The entry was wrong, and why. It counts no more."""

    reason: Words
