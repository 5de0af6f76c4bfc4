"""The commands on the tree of units, its directory and days, and the packs."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.fields import (
    Code,
    Day,
    Digest,
    Figure,
    IncidentRef,
    Instant,
    Post,
    PostCode,
    PublishedRules,
    UnitCode,
    Uuid,
    WrittenInstant,
)
from schemas.offices import AccessChange, DayWindow, LimitSet, Role, UnitKind, UnitPlaced, UnitPostPlaced
from services.kernel.core.commands import Command, example
from services.triage.commands import Text

MAX_SIZE = 262_144
"""Characters of a pack's file."""


class PlaceUnits(Command):
    """The tree of units and their posts as it should be. Several places of one unit or post differ in `since`."""

    units: tuple[UnitPlaced, ...]
    posts: tuple[UnitPostPlaced, ...] = ()


class PlaceUnit(
    Command,
    json_schema_extra=example(
        unit="county-health",
        kind="department",
        name="县卫生健康局",
        parent="county",
        posts_of="county-water",
        reason="机构改革方案",
    ),
):
    """Add a unit to the tree, give it another name, or place it under another unit. What was before stays on record."""

    unit: UnitCode
    """The unit's code. It is part of numbers and never changes."""
    kind: UnitKind
    """The kind of office."""
    name: Code
    """Its name."""
    parent: UnitCode | None = None
    """The unit above it; only the root has none."""
    posts_of: UnitCode | None = None
    """A unit whose posts a new unit gets at once, with their titles and roles."""
    drill: StrictBool | None = None
    """Whether a new unit is an office for exercises: all that is opened for it, and below it, is an exercise."""
    since: WrittenInstant | None = None
    """When it begins; by default, and at the earliest, now."""
    reason: Text
    """Why, with the document that says so."""


class EndUnit(Command, json_schema_extra=example(unit="county-health", reason="并入县卫生健康委员会")):
    """End a unit now. It has nothing to do in any matter, and no units below it.

    An office for exercises ends with all that is in it.
    """

    unit: UnitCode
    """The unit."""
    reason: Text
    """Why, with the document that says so."""


class PlacePost(
    Command,
    json_schema_extra=example(
        unit="town-east", post="press_officer", title="新闻联络员", roles=["spokesperson"], reason="班子分工调整"
    ),
):
    """Add a post to a unit's directory, or change it. A new head replaces the former one, whose post goes on."""

    unit: UnitCode
    """The unit."""
    post: PostCode
    """The post's code within the unit. It never changes."""
    title: Code
    """Its title, such as 值班员. It is no person's name."""
    roles: Annotated[tuple[Role, ...], Field(max_length=20)] = ()
    """Its roles, over the unit and those below it."""
    head: StrictBool = False
    """Whether it is the unit's head and first person responsible. A unit has exactly one."""
    members: Annotated[tuple[Post, ...], Field(max_length=100)] = ()
    """The posts of a body that decides together, such as a leading group. A body has no roles."""
    duty_post: Post | None = None
    """The post that receives for a body."""
    serves: Annotated[tuple[PostCode, ...], Field(max_length=50)] = ()
    """Further addressees of rules for which it answers, such as `leader_in_charge`."""
    since: WrittenInstant | None = None
    """When it begins; by default, and at the earliest, now."""
    reason: Text
    """Why, with the document that says so."""


class EndPost(Command, json_schema_extra=example(post="press_officer@town-east", reason="班子分工调整")):
    """End a post. Nobody signs in for it any more."""

    post: Post
    """The post. The head ends when another post is the head."""
    until: WrittenInstant | None = None
    """When it ends; by default, and at the earliest, now."""
    reason: Text
    """Why, with the document that says so."""


class NameSite(Command, json_schema_extra=example(name="示例县回应公告", reason="首次启用")):
    """Name the deployment's pages: those for staff and the public bulletin alike."""

    name: Annotated[Code, StringConstraints(max_length=60)]
    """The name."""
    reason: Text
    """Why."""


class SetDays(
    Command,
    json_schema_extra=example(
        unit="county",
        since="2026-07-01",
        until="2026-08-31",
        windows=[{"since": "08:30", "to": "12:00"}],
        reason="夏季作息",
    ),
):
    """Say on which days, or within which hours, a unit and the units below it work otherwise than the country."""

    unit: UnitCode
    """The unit whose days they are."""
    since: Day
    """The first day, today or later."""
    until: Day
    """The last day."""
    days: Literal["working", "free", "as_usual"] | None = None
    """Whether people work on these days; null leaves what held before."""
    windows: tuple[DayWindow, ...] | None = Field(None, max_length=10)
    """The working hours of these days; null leaves what held before, and an empty list means the usual hours."""
    reason: Text
    """Why, with the document that says so."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.until < self.since:
            raise PydanticCustomError("days-end-early", "`until` is before `since`; name the last day")
        if date.fromisoformat(self.until) - date.fromisoformat(self.since) > timedelta(days=366):
            raise PydanticCustomError("days-too-many", "set at most a year at once; name an earlier `until`")
        if self.days is None and self.windows is None:
            raise PydanticCustomError("days-say-nothing", "say `days` or `windows`")
        times = [at for window in self.windows or () for at in (window.since, window.to)]
        if any(earlier >= later for earlier, later in pairwise(times)):
            raise PydanticCustomError("windows-out-of-order", "write windows in order and without overlaps")
        return self


class NameOfficer(Command, json_schema_extra=example(unit="town-east", post="handler@town-east")):
    """Name the one post that collects a unit's reports, feeds back, and answers for the reply."""

    unit: UnitCode
    """The unit."""
    post: Post
    """The post, of the unit's own directory."""


class RecordAccess(Command, json_schema_extra=example(change="account_recovered", posts=["handler@town-east"])):
    """Record that an account of staff was opened, recovered or ended, or got other posts. No person is named."""

    change: AccessChange
    """What was done."""
    posts: Annotated[tuple[Post, ...], Field(min_length=1, max_length=100)]
    """The posts for which the account can sign in afterwards, or could until its end."""


class Delegate(
    Command,
    json_schema_extra=example(
        **{
            "from": "approver@town-east",
            "to": "chief@town-east",
            "since": "2026-03-02T09:00:00+08:00",
            "until": "2026-03-06T18:00:00+08:00",
            "reason": "外出培训",
        }
    ),
):
    """Let another post approve for a post for a time. It gives no other right, and is not passed on."""

    from_: Post = Field(alias="from")
    """The post that delegates."""
    to: Post
    """The post that may approve for it: of the same unit, or of one above it."""
    since: WrittenInstant | None = None
    """Its beginning, now at the earliest; without it, now."""
    until: WrittenInstant
    """Its end. From this instant on, it approves nothing."""
    reason: Text | None = None
    """The reason."""


class EndDelegation(Command):
    """End a delegation before its time."""

    delegation: Uuid


class RevokeToken(Command):
    """Revoke a staff token."""

    token: Uuid


class Pack(Command):
    """A pack that passed all checks."""

    pack: Code
    version: Code
    digest: Digest
    canonical: PublishedRules
    written: PublishedRules | None = None
    effective_from: Instant
    lessons: tuple[Figure, ...] = ()


class LoadPacks(Command):
    """Bring packs into the record."""

    packs: tuple[Pack, ...]


class LoadPack(Command, json_schema_extra=example(text="id: county-default\nversion: 3\n…", lessons=[4])):
    """Bring a policy pack into the record. A changed pack needs a new version. No unit works by it before it is
    assigned.
    """

    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SIZE)]
    """The pack's file, YAML."""
    lessons: Annotated[tuple[Figure, ...], Field(max_length=100)] = ()
    """The numbers of the lessons that this version answers. Matters that are opened under it show them."""


class CheckPack(Command, json_schema_extra=example(text="id: county-default\nversion: 3\n…")):
    """Say what is wrong with a pack. Nothing is recorded."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SIZE)]
    """The pack's file, YAML."""


class RecordLesson(
    Command,
    json_schema_extra=example(
        incident="incident-01890a5d-ac96-774b-bcce-b302099a8057",
        text="夜间无人值守，路灯故障两日后才派修",
        change="重大事项的接办时限由4小时改为2小时",
    ),
):
    """Record what a matter or an exercise taught, as a proposal to change the pack by which it was handled."""

    incident: IncidentRef
    """The matter or the exercise, by its id or number. Its handling has ended."""
    text: Text
    """What was learned."""
    change: Text
    """The change of the pack that is proposed."""


class DeclineLesson(Command, json_schema_extra=example(reason="现行规则已有规定")):
    """Decide that a lesson changes no pack."""

    reason: Text
    """Why not."""


class SetValue(
    Command,
    json_schema_extra=example(
        unit="county",
        pack="school-003@1",
        place="clocks.first_reply.limit",
        limit={"mode": "elapsed", "duration": "PT24H"},
        reason="校长办公会决定",
    ),
):
    """Set a value that a pack leaves open, for a unit and the units below it. Nothing runs by it before."""

    unit: UnitCode
    """The unit."""
    pack: Code
    """The pack as `id@version`. The value holds for every version that leaves this place open."""
    place: Code
    """The place in the pack, such as `clocks.explanation.limit`. `GET /packs` lists the open ones."""
    limit: LimitSet | None = None
    """The limit, if the place takes one."""
    value: Code | StrictBool | None = None
    """Any other value, as a pack writes it: `PT12H`, `true`, `window_start`."""
    since: WrittenInstant | None = None
    """When it begins; by default, and at the earliest, now."""
    reason: Text
    """Who decided so, and why."""

    @model_validator(mode="after")
    def _says_one(self) -> Self:
        if (self.limit is None) == (self.value is None):
            raise PydanticCustomError("one-value", "write either `limit` or `value`")
        return self


class OpenPeriod(
    Command,
    json_schema_extra=example(unit="county", period="special", since="2026-09-28T00:00:00+08:00", reason="国庆前后"),
):
    """Open a special period for a unit and the units below it, such as a mass event. The pack says what it asks for."""

    unit: UnitCode
    """The unit."""
    period: Code
    """The period, as the unit's pack names it. `GET /packs` lists them."""
    since: WrittenInstant | None = None
    """When it begins; by default, and at the earliest, now."""
    reason: Text
    """Why, with the document that says so."""


class ClosePeriod(
    Command,
    json_schema_extra=example(unit="county", period="special", until="2026-10-08T00:00:00+08:00", reason="假期结束"),
):
    """Say when a special period ends. Until somebody says so, it goes on. An end to come can be moved."""

    unit: UnitCode
    """The unit for which it was opened."""
    period: Code
    """The period."""
    until: WrittenInstant | None = None
    """When it ends; by default, and at the earliest, now."""
    reason: Text
    """Why."""


class AssignPack(
    Command, json_schema_extra=example(unit="county", pack="county-default@3", since="2026-04-01T00:00:00+08:00")
):
    """Let a unit, and the units below it without a pack of their own, work by a pack.

    Matters that were opened before keep theirs.
    """

    unit: UnitCode
    """The unit."""
    pack: Code
    """The pack as `id@version`."""
    since: WrittenInstant | None = None
    """When it begins, not before the pack's `effective_from`; by default, and at the earliest, now."""
