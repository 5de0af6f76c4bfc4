"""The events of the offices: the tree of units, their posts, and their packs.

Triage writes them, and all services read them.
"""

from typing import Literal

from pydantic import ConfigDict

from schemas.catalogue import event
from schemas.fields import (
    Code,
    Day,
    Digest,
    Fact,
    Figure,
    Instant,
    PolicyRef,
    Post,
    PostCode,
    PublishedRules,
    StreamId,
    TimeOfDay,
    UnitCode,
    Uuid,
    Words,
)

TOPICS = ("triage.unit", "triage.policy")
"""Their topic, without the prefix."""
Role = Literal["duty_officer", "verifier", "handler", "approver", "chief", "spokesperson", "auditor", "admin"]
"""The roles of a post. A role covers the unit and all units below it."""

AccessChange = Literal["account_opened", "account_recovered", "account_ended", "account_posts_changed"]
"""What an administrator did with an account of staff."""
UnitKind = Literal["city", "county", "town", "department"]


@event("policy.pack_loaded")
class PolicyPackLoaded(Fact):
    """A policy pack is known. Its rules are `canonical`, and no file is read for them again.

    `digest` is SHA-256 over `canonical` in UTF-8, so that the same name cannot mean other rules.
    """

    pack: Code
    version: Code
    digest: Digest
    canonical: PublishedRules
    written: PublishedRules | None = None
    """The pack as a person wrote it, with its comments."""
    effective_from: Instant
    lessons: tuple[Figure, ...] = ()
    """The lessons that this version answers."""


@event("policy.lesson_recorded")
class PolicyLessonRecorded(Fact):
    """A matter or an exercise taught something: a numbered proposal to change the pack by which it was handled.

    The numbers run on through the deployment.
    """

    lesson: Figure
    incident: StreamId
    unit: UnitCode
    pack: Code
    version: Code
    """The version by which the matter was handled."""
    text: Words
    change: Words


@event("policy.lesson_declined")
class PolicyLessonDeclined(Fact):
    """It was decided that a lesson changes no pack."""

    lesson: Figure
    reason: Words


@event("policy.pack_assigned")
class PolicyPackAssigned(Fact):
    """From `since` on, a unit and the units below it work by this pack."""

    unit: UnitCode
    policy: PolicyRef
    since: Instant


class LimitSet(Fact):
    """A limit as a pack writes it, see `schemas.pack.clocks.Limit`. `duration` is ISO 8601, such as PT2H."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    mode: Literal["elapsed", "end_of_day", "working_time", "working_days"]
    """How time is counted."""
    duration: Code | None = None
    """How long, unless it counts working days."""
    days: Figure | None = None
    """How many working days."""
    until: Literal["end_of_day", "same_time"] | None = None
    """When the last working day ends the limit."""
    first_day: Literal["counted", "not_counted"] | None = None
    """Whether the day of the start is a working day of the limit."""


@event("policy.value_set")
class PolicyValueSet(Fact):
    """From `since` on, a unit and the units below it work by this value, which the pack's document leaves open.

    `pack` is the pack's id and `place` the dotted place in it, such as `clocks.explanation.limit`. A limit is given as
    `limit`, any other value as `value`.
    """

    unit: UnitCode
    pack: Code
    place: Code
    limit: LimitSet | None = None
    value: Code | None = None
    since: Instant
    reason: Words


@event("policy.period_opened")
class PolicyPeriodOpened(Fact):
    """A special period of a unit and the units below it begins at `since`. A pack may ask for more in it."""

    period: Code
    unit: UnitCode
    since: Instant
    reason: Words


@event("policy.period_closed")
class PolicyPeriodClosed(Fact):
    """The special period that began at `since` ends at `until`."""

    period: Code
    unit: UnitCode
    since: Instant
    until: Instant
    reason: Words


@event("unit.placed")
class UnitPlaced(Fact):
    """A unit has this place in the tree from `since` on, until it is placed anew or `until`.

    `drill` marks an office for exercises: all that is opened for it is an exercise.
    """

    unit: UnitCode
    kind: UnitKind
    name: Code
    parent: UnitCode | None = None
    drill: bool = False
    since: Instant
    until: Instant | None = None
    reason: Words | None = None


@event("unit.post_placed")
class UnitPostPlaced(Fact):
    """A unit's directory has this post from `since` on, until it is placed anew or `until`.

    `head` marks the unit's head and first person responsible. An entry with `members` is a body, such as a leading
    group, which decides together; it has no role of its own. Its `duty_post` receives for it, and decides nothing.
    `serves` names further addressees of rules for which the entry answers, such as `leader_in_charge`.
    """

    unit: UnitCode
    code: PostCode
    title: Code
    roles: tuple[Role, ...] = ()
    head: bool = False
    members: tuple[Post, ...] = ()
    duty_post: Post | None = None
    serves: tuple[PostCode, ...] = ()
    since: Instant
    until: Instant | None = None
    reason: Words | None = None


@event("unit.site_named")
class UnitSiteNamed(Fact):
    """The deployment's pages bear this name, those for staff and the public bulletin alike."""

    name: Code
    reason: Words


class DayWindow(Fact):
    """A part of a working day. `to` is the first moment after it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    since: TimeOfDay
    """The first minute."""
    to: TimeOfDay
    """The first minute after it."""


@event("unit.days_set")
class UnitDaysSet(Fact):
    """A unit and the units below it work otherwise than the country from the day `since` to the day `until`.

    `days` says whether people work on them, `windows` within which hours. None leaves what held before, `as_usual` and
    no window go back to the usual. Of several words on a day, the newest of the nearest unit counts.
    """

    unit: UnitCode
    since: Day
    until: Day
    days: Literal["working", "free", "as_usual"] | None = None
    windows: tuple[DayWindow, ...] | None = None
    reason: Words


@event("unit.token_revoked")
class UnitTokenRevoked(Fact):
    """A staff token was revoked. No service accepts it any more."""

    token: Uuid


@event("unit.officer_named")
class UnitOfficerNamed(Fact):
    """The post that collects a unit's reports and answers for the reply was named. A unit has one: the last named."""

    unit: UnitCode
    post: Post


@event("unit.access_changed")
class UnitAccessChanged(Fact):
    """An administrator changed who can sign in for posts: an account was opened, recovered, ended or got other posts.

    `posts` are those for which that account can sign in afterwards, or could until its end. Nothing names the person.
    """

    change: AccessChange
    posts: tuple[Post, ...]


@event("unit.delegation_given")
class UnitDelegationGiven(Fact):
    """The post `to` may approve for `post` from `since` until `until`.

    Whoever wrote a text still does not approve it.
    """

    delegation: Uuid
    unit: UnitCode
    post: Post
    to: Post
    since: Instant
    until: Instant
    reason: Words | None = None


@event("unit.delegation_ended")
class UnitDelegationEnded(Fact):
    """A delegation was ended before its time."""

    delegation: Uuid
    unit: UnitCode
    post: Post
    to: Post
