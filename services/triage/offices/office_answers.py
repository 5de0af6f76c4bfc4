"""Triage's answers on the offices: their units, days, delegations and packs, for the API's documents."""

from datetime import date
from typing import Literal

from pydantic import Field

from schemas.fields import (
    Code,
    Day,
    Instant,
    PeerName,
    PolicyRef,
    Post,
    PostCode,
    TimeOfDay,
    UnitCode,
    Uuid,
)
from schemas.offices import LimitSet, Role, UnitKind
from schemas.triage import AnswerKind
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page


class PostOf(Answered):
    """A post of a unit's directory."""

    post: Post
    """The post, as tokens and rosters name it."""
    title: str
    """Its title."""
    roles: tuple[Role, ...]
    """Its roles, over the unit and those below it."""
    head: bool
    """Whether it is the unit's head and first person responsible."""
    members: tuple[Post, ...]
    """The posts of a body that decides together."""
    duty_post: Post | None
    """The post that receives for a body, besides the members."""
    serves: tuple[PostCode, ...]
    """Further addressees of rules for which it answers, such as `leader_in_charge`."""


class Unit(Answered):
    """A unit as it is now."""

    unit: UnitCode
    """The unit's code."""
    kind: Literal["city", "county", "town", "department"]
    """The kind of office."""
    name: str
    """Its name."""
    parent: UnitCode | None
    """The unit above it."""
    drill: bool
    """Whether it is an office for exercises: all that is opened for it is an exercise."""
    policy: PolicyRef | None
    """Its pack."""
    posts: tuple[PostOf, ...]
    """Its directory."""
    may: tuple[Literal["place-unit", "end-unit", "place-post", "end-post", "assign-pack"], ...]
    """What you may do with it; `place-unit` places units below it."""


class FormerUnit(Answered):
    """A unit that has ended, at its last place."""

    unit: UnitCode
    """Its code."""
    kind: UnitKind
    """The kind of office."""
    name: str
    """Its name."""
    parent: UnitCode | None
    """The unit above it."""
    drill: bool
    """Whether it was an office for exercises."""


class Change(Answered):
    """A change of a unit or of a post of its directory."""

    at: Instant
    """When it was recorded."""
    by: str
    """The post that recorded it; `system` for what the deployment's file says."""
    post: PostCode | None
    """The post that was placed or ended; null for the unit itself."""
    name: str
    """The name of the unit, or the title of the post."""
    parent: UnitCode | None
    """The unit above, for a change of the unit."""
    head: bool
    """Whether the post is the head."""
    roles: tuple[Role, ...]
    """The roles of the post."""
    members: tuple[Post, ...]
    """The members of a body."""
    since: Instant
    """From when it holds."""
    until: Instant | None
    """Its end, if it was named."""
    reason: str | None
    """Why; null for what the deployment's file says."""


class Changes(
    Page,
    json_schema_extra=example(
        items=[
            {
                "at": "2026-03-02T01:00:00.000000Z",
                "by": "admin@county",
                "post": None,
                "name": "东街道",
                "parent": "county",
                "head": False,
                "roles": [],
                "members": [],
                "since": "2026-03-02T01:00:00.000000Z",
                "until": None,
                "reason": "撤镇设街道",
            }
        ],
        next=None,
    ),
):
    """The changes of a unit and of its directory, newest first."""

    items: tuple[Change, ...]
    """The entries of this page."""


class Units(
    Page,
    json_schema_extra=example(
        items=[
            {
                "unit": "town-east",
                "kind": "town",
                "name": "东镇",
                "parent": "county",
                "drill": False,
                "policy": "county-default@2#" + "9f2c" * 16,
                "may": ["place-post", "end-post"],
                "posts": [
                    {
                        "post": "duty_officer@town-east",
                        "title": "值班员",
                        "roles": ["duty_officer"],
                        "head": False,
                        "members": [],
                        "duty_post": None,
                        "serves": ["office"],
                    }
                ],
            }
        ],
        next=None,
        former=[{"unit": "county-trade", "kind": "department", "name": "县商务局", "parent": "county", "drill": False}],
        site_name="示例县回应公告",
        may=["name-site", "load-pack"],
        basis=["unit-01890a5d-f607-5182-8d9e-0f1a2b3c4d5e@12"],
    ),
):
    """The tree of units, the root first."""

    items: tuple[Unit, ...]
    """The entries of this page."""
    former: tuple[FormerUnit, ...]
    """The units that have ended."""
    site_name: str
    """The name of the deployment's pages: the one that was given here, or else that of the settings."""
    may: tuple[Literal["name-site", "load-pack"], ...]
    """What you may do with the deployment."""

    basis: tuple[str, ...]
    """The versions of the streams behind the answer."""


class Window(Answered):
    """A part of a working day."""

    since: TimeOfDay
    """Its first moment."""
    to: TimeOfDay
    """The first moment after it."""


class OwnDays(Answered):
    """Days on which a unit works otherwise than the country."""

    unit: UnitCode
    """The unit that said so."""
    since: Day
    """The first day."""
    until: Day
    """The last day."""
    days: Literal["working", "free", "as_usual"] | None
    """Whether people work; null if this entry says nothing of it."""
    windows: tuple[Window, ...] | None
    """The working hours; null if this entry says nothing of them."""


class Days(
    Page,
    json_schema_extra=example(
        items=[
            {
                "unit": "county",
                "since": "2026-07-01",
                "until": "2026-08-31",
                "days": None,
                "windows": [{"since": "08:30", "to": "12:00"}, {"since": "14:30", "to": "18:00"}],
            }
        ],
        next=None,
        basis=["unit-01890a5d-f607-5182-8d9e-0f1a2b3c4d5e@12"],
    ),
):
    """A unit's own days, the nearest and newest entry first."""

    items: tuple[OwnDays, ...]
    """The entries of this page."""

    basis: tuple[str, ...]
    """The versions of the streams behind the answer."""


class Delegation(Answered):
    """A post that may approve for another one for a time."""

    delegation: Uuid
    """Its id; its end is asked for with it."""
    from_: Post = Field(alias="from")
    """The post that delegated."""
    to: Post
    """The post that approves for it."""
    since: Instant
    """Its beginning."""
    until: Instant
    """Its end. From this instant on, it approves nothing."""


class Delegations(
    Page,
    json_schema_extra=example(
        items=[
            {
                "delegation": "01890a5d-ac96-774b-bcce-b302099a8057",
                "from": "approver@town-east",
                "to": "chief@town-east",
                "since": "2026-03-02T01:00:00.000000Z",
                "until": "2026-03-06T10:00:00.000000Z",
            }
        ],
        next=None,
        basis=["unit-01890a5d-f607-5182-8d9e-0f1a2b3c4d5e@12"],
    ),
):
    """The delegations that have not ended, the earliest beginning first."""

    items: tuple[Delegation, ...]
    """The entries of this page."""

    basis: tuple[str, ...]
    """The versions of the streams behind the answer."""


class Level(Answered):
    """A level of a pack."""

    level: Code
    """The level's code."""
    rank: int
    """Its place, the mildest first."""
    title: str
    """Its title."""


class GroundOfReturn(Answered):
    """A reason for which a unit may give a matter back."""

    ground: Code
    """The reason's code."""
    title: str
    """Its title."""


class GroundOfNoReply(Answered):
    """A reason for which a matter may need no reply."""

    ground: Code
    """The reason's code."""
    title: str
    """Its title."""


class KindOfAnswer(Answered):
    """A kind of answer in a pack."""

    answer_kind: AnswerKind
    """Its code."""
    title: str
    """Its title."""
    office_does: str
    """What the office does when it gives it."""
    levels: tuple[Code, ...] | None
    """The levels at which it may be chosen; null means always."""


class FlagOfPack(Answered):
    """A flag of a pack."""

    flag: Code
    """The flag's code."""
    title: str
    """Its title."""


class ClockOfPack(Answered):
    """A limit or a hop of a report, which becomes a clock of a matter."""

    clock: Code
    """The clock's name, as escalation answers it. A further run has `#2` behind it, a review `.review`."""
    title: str
    """Its title."""


class DocumentOfPack(Answered):
    """A document on which a pack rests."""

    document: str
    """Its code."""
    title: str
    """Its title."""


class PeriodOfPack(Answered):
    """A special period that a pack knows."""

    period: Code
    """Its code."""
    title: str
    """Its title."""


class FactOfPack(Answered):
    """A fact that offices establish by this pack, besides those on the deployment's list."""

    key: Code
    """Its key."""
    title: str
    """Its Chinese title."""
    title_en: str
    """Its English title."""
    kind: Literal["text", "number", "time", "code", "yes_no"]
    """The kind of its value."""
    measure: str | None = None
    """The measure of a number."""
    codes: tuple[dict[str, str], ...] = ()
    """The codes of a code, each with its titles."""


class ListedCode(Answered):
    """A code that people choose."""

    code: Code
    """The code."""
    title: str
    """Its Chinese title."""
    title_en: str
    """Its English title."""


class ListedPeer(Answered):
    """Another deployment that this one knows."""

    name: PeerName
    """Its name."""
    title: str
    """Its title in Chinese."""
    title_en: str
    """Its title in English."""
    hands: bool
    """Whether matters may be handed over to it."""


class CodeLists(
    Answered,
    json_schema_extra=example(
        categories=[{"code": "roads.lighting", "title": "路灯照明", "title_en": "Street lighting"}],
        channels=[{"code": "hotline", "title": "热线电话", "title_en": "Hotline"}],
        peers=[{"name": "city", "title": "市平台", "title_en": "City platform", "hands": True}],
        facts=[
            {"key": "deaths", "title": "死亡人数", "title_en": "Deaths", "kind": "number", "measure": "人", "codes": []}
        ],
    ),
):
    """The lists of the deployment, from which people and integrations choose codes."""

    categories: tuple[ListedCode, ...]
    """The categories of matters. `roads.lighting` is below `roads`."""
    channels: tuple[ListedCode, ...]
    """The channels by which reports come in."""
    peers: tuple[ListedPeer, ...]
    """The other deployments that this one knows."""
    facts: tuple[FactOfPack, ...]
    """The facts that offices establish; a pack adds its own."""


class HarmStepOfPack(Answered):
    """A step of a pack's scale of harm."""

    harm: int
    """The step."""
    title: str
    """Its title."""


class Pack(Answered):
    """A pack of rules."""

    policy: PolicyRef
    """The name of the pack in events."""
    pack: Code
    """Its id."""
    version: int | str
    """Its version."""
    title: str
    """Its title."""
    effective_from: date
    """The day from which it may be assigned at the first start."""
    timezone: str
    """The time zone of its days, such as `Asia/Shanghai`."""
    documents: tuple[DocumentOfPack, ...]
    """The documents on which it rests."""
    periods: tuple[PeriodOfPack, ...]
    """Its special periods."""
    facts: tuple[FactOfPack, ...]
    """The facts that it adds to the deployment's list."""
    levels: tuple[Level, ...]
    """Its levels; none if it grades nothing."""
    proposes: bool
    """Whether it proposes levels. If not, a person judges without a proposal."""
    clocks: tuple[ClockOfPack, ...]
    """Its limits and the hops of its reports."""
    flags: tuple[FlagOfPack, ...]
    """Its flags."""
    harm_scale: tuple[HarmStepOfPack, ...]
    """The steps of its scale of harm."""
    answer_kinds: tuple[KindOfAnswer, ...]
    """Its kinds of answer."""
    no_reply_grounds: tuple[GroundOfNoReply, ...]
    """The reasons for which a matter may need no reply."""
    return_grounds: tuple[GroundOfReturn, ...]
    """The reasons for which a unit may give a matter back."""
    open: tuple[Code, ...]
    """The places whose values it leaves open."""
    units: tuple[UnitCode, ...]
    """The units that work by it now."""


class ValueOfUnit(Answered):
    """A value that a unit set where a pack leaves it open."""

    unit: UnitCode
    """The unit; the units below it without a value of their own follow."""
    pack: Code
    """The pack's id."""
    place: Code
    """The place in the pack."""
    value: Code | LimitSet
    """The value: a limit by its fields, or a plain value as a pack writes it."""
    since: Instant
    """Since when it holds."""


class SetValues(
    Page,
    json_schema_extra=example(
        items=[
            {
                "unit": "county",
                "pack": "school-003",
                "place": "clocks.first_reply.limit",
                "value": {"mode": "elapsed", "duration": "PT24H"},
                "since": "2026-03-02T00:30:00.000000Z",
            }
        ],
        next=None,
    ),
):
    """The values that units set."""

    items: tuple[ValueOfUnit, ...]
    """The entries of this page."""


class PeriodOfUnit(Answered):
    """A special period of a unit and the units below it."""

    unit: UnitCode
    """The unit for which it was opened."""
    period: Code
    """The period, as its pack names it."""
    since: Instant
    """When it begins."""
    until: Instant | None
    """When it ends; null while nobody said so."""
    now: bool
    """Whether it goes on now."""
    may: tuple[Literal["close-period"], ...]
    """What you may do with it."""


class Periods(
    Page,
    json_schema_extra=example(
        items=[
            {
                "unit": "county",
                "period": "special",
                "since": "2026-09-27T16:00:00.000000Z",
                "until": None,
                "now": True,
                "may": ["close-period"],
            }
        ],
        next=None,
        may=["open-period"],
    ),
):
    """The special periods of units."""

    items: tuple[PeriodOfUnit, ...]
    """The entries of this page."""
    may: tuple[Literal["open-period"], ...]
    """What you may do for your unit, and so for those below it."""


class Packs(
    Page,
    json_schema_extra=example(
        items=[
            {
                "policy": "county-default@2#" + "9f2c" * 16,
                "pack": "county-default",
                "version": 1,
                "title": "县级示例规则",
                "effective_from": "2026-01-01",
                "timezone": "Asia/Shanghai",
                "documents": [{"document": "000", "title": "网络舆情应急预案"}],
                "periods": [],
                "facts": [],
                "levels": [{"level": "major", "rank": 2, "title": "重大"}],
                "proposes": True,
                "flags": [{"flag": "public", "title": "公共"}],
                "clocks": [{"clock": "transfer", "title": "转达业务科室"}],
                "harm_scale": [{"harm": 0, "title": "未见危害"}],
                "answer_kinds": [
                    {
                        "answer_kind": "answer",
                        "title": "答复",
                        "office_does": "书面答复",
                        "levels": ["general", "major"],
                    }
                ],
                "no_reply_grounds": [{"ground": "repeated", "title": "重复反映，已答复"}],
                "return_grounds": [{"ground": "need_more", "title": "材料不足，需补充"}],
                "open": [],
                "units": ["town-east"],
            }
        ],
        next=None,
    ),
):
    """The packs that this service has."""

    items: tuple[Pack, ...]
    """The entries of this page."""
