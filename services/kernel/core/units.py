"""The tree of units, each unit's directory of posts and its policy pack in force, at one moment."""

import functools
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

from schemas.pack import PolicyPack
from schemas.pack.values import open_places
from schemas.pack.values import with_values as written
from services.kernel.core.days import NONE, OwnDays
from services.kernel.core.lists import Lists
from services.kernel.core.problems import Malformed, Unavailable


@dataclass(frozen=True)
class LoadedPack:
    """A pack that passed all checks. Two packs are equal if their content is."""

    ref: str
    """`county-default@2#<64 hex>`; events carry it as `policy`."""
    digest: str
    canonical: str
    """The content under the digest; `parse_pack` reads it again."""
    model: PolicyPack = field(compare=False, repr=False)
    text: str = field(default="", compare=False, repr=False)
    """The pack as a person wrote it, with comments; empty for a pack of the record."""

    @property
    def name(self) -> str:
        """`id@version`."""
        return self.ref.partition("#")[0]


@functools.lru_cache(maxsize=64)
def recorded(ref: str, canonical: str) -> LoadedPack:
    """The pack of the record, where it came after all checks. Read once for a process: its services have the same.

    Raises `ValueError` if this version cannot read it.
    """
    return LoadedPack(ref, ref.partition("#")[2], canonical, PolicyPack.model_validate(json.loads(canonical)))


@dataclass(frozen=True, slots=True)
class SetValue:
    """A value that an office set where its pack leaves it open."""

    unit: str
    pack: str
    """The pack's id."""
    place: str
    value: str
    """As JSON: the fields of a limit, or a plain value."""
    since: datetime


def with_values(pack: LoadedPack, values: Mapping[str, SetValue]) -> LoadedPack:
    """The pack with these values, by their places.

    They were checked with another version, perhaps. What this version does not leave open, or does not take, is left
    out.
    """
    if not values:
        return pack
    known = _open_places(pack)
    chosen = tuple(sorted((place, one.value) for place, one in values.items() if place in known))
    return _with_values(pack.ref, pack.canonical, chosen) if chosen else pack


@functools.lru_cache(maxsize=256)
def _open_places(pack: LoadedPack) -> frozenset[str]:
    """Kept, since each decision on a matter asks for them."""
    return frozenset(open_places(pack.model))


@functools.lru_cache(maxsize=256)
def _with_values(ref: str, canonical: str, chosen: tuple[tuple[str, str], ...]) -> LoadedPack:
    pack, content, values = recorded(ref, canonical), json.loads(canonical), dict[str, object]()
    model = pack.model
    for place, value in chosen:
        further = {**values, place: json.loads(value)}
        with suppress(ValueError):
            model, values = written(pack.model, content, further), further
    return replace(pack, model=model)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as it is at a time."""

    code: str
    kind: str
    name: str
    parent: str | None
    drill: bool = False
    """Whether it is an office for exercises: all that is opened for it is an exercise."""


@dataclass(frozen=True, slots=True)
class Post:
    """An entry of a unit's directory as it is at a time. An entry with `members` is a body that decides together."""

    code: str
    title: str
    roles: frozenset[str] = frozenset()
    head: bool = False
    """Whether it is the unit's head and first person responsible."""
    members: tuple[str, ...] = ()
    duty_post: str | None = None
    """The post that receives for a body, besides the members."""
    serves: tuple[str, ...] = ()
    """Further addressees for which it answers."""


@dataclass(frozen=True, slots=True)
class SpecialPeriod:
    """A special period of a unit and the units below it; `until` is None while nobody said when it ends."""

    code: str
    since: datetime
    until: datetime | None = None
    unit: str = ""

    def covers(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Delegation:
    """The post `to` may approve for `post` from `since` until `until`."""

    post: str
    to: str
    since: datetime
    until: datetime
    id: str = ""


@dataclass(frozen=True, slots=True)
class PostKey:
    """A key by which a post signs what it decides. `public` is 32 bytes in hex."""

    post: str
    public: str
    made_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Offices:
    """Units, posts and packs at one moment. `basis` names the versions of triage's streams on which it rests."""

    units: Mapping[str, Unit] = field(default_factory=dict)
    assigned: Mapping[str, str] = field(default_factory=dict)
    """Unit -> policy reference."""
    packs: Mapping[str, LoadedPack] = field(default_factory=dict)
    basis: tuple[str, ...] = ()
    posts: Mapping[str, Mapping[str, Post]] = field(default_factory=dict)
    """Unit -> code -> post."""
    lists: Lists = field(default_factory=Lists)
    values: tuple[SetValue, ...] = ()
    """The values that offices set and that have begun, in the order in which they began."""
    days: Mapping[str, OwnDays] = field(default_factory=dict)
    """Unit -> its own days and working hours."""
    delegations: tuple[Delegation, ...] = ()
    """All that have not ended. Some of them begin later."""
    periods: tuple[SpecialPeriod, ...] = ()
    """The special periods of all units, past ones and ones to come, in order."""
    officers: Mapping[str, str] = field(default_factory=dict)
    """Unit -> the post that was named its information officer."""
    former: Mapping[str, Unit] = field(default_factory=dict)
    """Units that have ended, at their last place. They get no new work, and what they owe stays with those above."""
    site_name: str | None = None
    """The name of the deployment's pages, if somebody named them here. Else the settings name them."""
    post_keys: Mapping[str, PostKey] = field(default_factory=dict)
    """Thumbprint -> key, of all posts, also the revoked ones."""
    _above: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _answering: dict[str, Mapping[str, tuple[Post, ...]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What `above` and `answering` found, by unit. Rights ask for it many times for each row of a list."""

    @property
    def ever(self) -> Mapping[str, Unit]:
        """All units, also those that have ended."""
        return {**self.former, **self.units} if self.former else self.units

    @property
    def signed_since(self) -> datetime | None:
        """When the deployment's first key of a post was made."""
        return min((one.made_at for one in self.post_keys.values()), default=None)

    def known(self) -> None:
        """Raises `Unavailable` until the units have come from triage."""
        if not self.units:
            raise Unavailable("the units have not come from triage yet; try again in a moment", 2, code="units-missing")

    def drills(self, code: str | None) -> bool:
        """Whether the unit is an office for exercises, or was one."""
        return code is not None and code in self.ever and self.ever[code].drill

    def unit(self, code: str, field: str = "unit") -> Unit:
        """The unit.

        Raises `Malformed` with the field's name for an unknown code, and `Unavailable` before any unit came.
        """
        self.known()
        found = self.units.get(code)
        if found is None:
            raise Malformed(
                f"no unit has the code {code!r}; known are {', '.join(sorted(self.units))}",
                code="unit-unknown",
                field=field,
                unit=code,
                known=sorted(self.units),
            )
        return found

    def post(self, name: str, field: str = "post") -> Post:
        """The post, such as `duty_officer@town-east`.

        Raises `Malformed` with the field's name and the entries of the directory.
        """
        code, _, unit = name.partition("@")
        self.unit(unit, field) if unit else self.known()
        found = self.posts.get(unit, {}).get(code)
        if found is None:
            where = self.posts.get(unit, {})
            known = f"known in {unit} are {', '.join(sorted(where)) or 'none'}" if unit else "write it as post@unit"
            raise Malformed(
                f"no directory has the post {name!r}; {known}",
                code="post-unknown",
                field=field,
                post=name,
                known=sorted(where),
            )
        return found

    def has_post(self, name: str) -> bool:
        """Whether a directory has the post, such as `duty_officer@town-east`, now."""
        code, _, unit = name.partition("@")
        return code in self.posts.get(unit, {})

    def officer(self, unit: str) -> str | None:
        """The unit's one information officer, such as `handler@town-east`. None if its post is no longer there."""
        post = self.officers.get(unit)
        return post if post and self.has_post(post) else None

    def head(self, unit: str) -> str | None:
        """The post that answers for the unit: its head, or else the post of its chief."""
        heads = (code for code, post in sorted(self.posts.get(unit, {}).items()) if post.head)
        found = next(heads, None) or self.with_role(unit, "chief")
        return f"{found}@{unit}" if found else None

    def roles_in(self, unit: str) -> frozenset[str]:
        """The roles of the unit's posts."""
        return frozenset(role for post in self.posts.get(unit, {}).values() for role in post.roles)

    def with_role(self, unit: str, role: str) -> str | None:
        """The code of the unit's post for a role: the post named like the role, or else the first that has it."""
        having = [code for code, post in self.posts.get(unit, {}).items() if role in post.roles]
        return role if role in having else min(having, default=None)

    def addressee(self, unit: str, code: str) -> tuple[Post, ...]:
        """The posts and bodies of the unit that answer for an addressee: the entry of this code, those that serve it.

        Empty if the directory names none.
        """
        entries = self.posts.get(unit, {}).values()
        return tuple(entry for entry in entries if entry.code == code or code in entry.serves)

    def answering(self, unit: str, code: str) -> tuple[Post, ...]:
        """The posts and bodies of the unit that answer for an addressee, which may also be a role.

        An addressee such as `chief@county` is this one post or body.
        """
        if unit not in self.posts:
            return ()
        if "@" in code:
            name, _, of = code.partition("@")
            return tuple(post for post in (self.posts[unit].get(name),) if post and of == unit)
        if unit not in self._answering:
            posts = self.posts[unit].values()
            codes = {code for post in posts for code in (post.code, *post.serves, *post.roles)}
            self._answering[unit] = {
                code: tuple(dict.fromkeys((*self.addressee(unit, code), *(one for one in posts if code in one.roles))))
                for code in codes
            }
        return self._answering[unit].get(code, ())

    def receivers(self, unit: str, code: str) -> frozenset[str]:
        """The posts whose receipt is the addressee's own, such as `chief@county`.

        For a body these are its members and its duty post.
        """
        found: set[str] = set()
        for entry in self.addressee(unit, code):
            body = (*entry.members, entry.duty_post) if entry.members else (f"{entry.code}@{unit}",)
            found.update(post for post in body if post)
        return frozenset(found)

    @property
    def root(self) -> str:
        """The unit at the top of the tree."""
        return next(unit.code for unit in self.units.values() if unit.parent is None)

    @property
    def zone(self) -> tzinfo:
        """The time zone for readers: that of the pack at the root of the tree; UTC before a pack has come."""
        for code in sorted(self.units):
            if self.parent(code) is None:
                with suppress(Unavailable):
                    return self.pack(code).model.timezone
        return UTC

    def zone_of(self, code: str) -> tzinfo:
        """The time zone of a unit: that of its pack; that of the readers without one."""
        with suppress(Unavailable):
            return self.pack(code).model.timezone
        return self.zone

    def parent(self, code: str) -> str | None:
        unit = self.units.get(code) or self.former.get(code)
        return unit.parent if unit else None

    def above(self, code: str) -> tuple[str, ...]:
        """The unit itself and the units above it, upward."""
        found = self._above.get(code)
        if found is None:
            chain: list[str] = []
            at: str | None = code
            while at is not None and at not in chain:
                chain.append(at)
                at = self.parent(at)
            found = tuple(chain)
            if code in self.units or code in self.former:
                self._above[code] = found
        return found

    def placed(self, place: str, unit: str) -> str | None:
        """The unit at a place, as seen from another one: itself, its parent, or the nearest one of a kind above it."""
        above = self.above(unit)[1:]
        if place == "unit":
            return unit
        if place == "parent":
            return next(iter(above), None)
        return next((code for code in above if self.ever[code].kind == place), None)

    def within(self, code: str, root: str | None) -> bool:
        """Whether the unit is `root` or below it."""
        return root is not None and root in self.above(code)

    def below(self, root: str) -> frozenset[str]:
        """`root` and every unit below it, also those that have ended."""
        return frozenset(code for code in self.ever if self.within(code, root))

    def overseen(self, unit: str | None) -> frozenset[str] | None:
        """The units whose matters an officer of `unit` sees: the unit and those below it.

        None, meaning all, at the root.
        """
        at = self.units.get(unit or "")
        return None if at is not None and at.parent is None else self.below(unit or "")

    @property
    def removed(self) -> frozenset[str]:
        """Offices for exercises that have ended. Their exercises stay on record, and no list or count shows them."""
        return frozenset(unit.code for unit in self.former.values() if unit.drill)

    def listed(self, unit: str | None) -> frozenset[str] | None:
        """The units whose matters stand in the lists of an officer of `unit`: as `overseen`, without removed ones."""
        overseen, removed = self.overseen(unit), self.removed
        if not removed:
            return overseen
        return (frozenset(self.ever) if overseen is None else overseen) - removed

    def own_days(self, code: str) -> OwnDays:
        """The days of the unit that differ from the country's: its own, and those of the units above it."""
        found = [self.days[unit] for unit in self.above(code) if unit in self.days]
        return OwnDays(tuple(span for own in found for span in own.spans)) if found else NONE

    def periods_of(self, code: str) -> tuple[SpecialPeriod, ...]:
        """The special periods of the unit: its own, and those of the units above it."""
        if not self.periods:
            return ()
        above = self.above(code)
        return tuple(period for period in self.periods if period.unit in above)

    def periods_at(self, code: str, at: datetime) -> frozenset[str]:
        """The codes of the unit's special periods at an instant."""
        return frozenset(period.code for period in self.periods_of(code) if period.covers(at))

    def pack_of(self, ref: str | None, unit: str) -> LoadedPack:
        """The pack of a matter: the version under which it goes on, or without `ref` the unit's pack in force.

        Raises `Unavailable` as `pack` does.
        """
        if ref is None:
            return self.pack(unit)
        if found := self.packs.get(ref):
            return self.effective(found, unit)
        raise self._missing(ref, unit)

    def values_of(self, unit: str, pack: str, at: datetime | None = None) -> dict[str, SetValue]:
        """Place -> the value for a unit, now or at a time: that of the highest unit above that set one, or its own."""
        found: dict[str, SetValue] = {}
        for of in self.above(unit):
            for one in self.values:
                if (one.unit, one.pack) == (of, pack) and (at is None or one.since <= at):
                    found[one.place] = one
        return found

    def effective(self, pack: LoadedPack, unit: str) -> LoadedPack:
        """The pack with the values that hold for a unit at the places that it leaves open."""
        return with_values(pack, self.values_of(unit, pack.model.id)) if self.values else pack

    @staticmethod
    def _missing(ref: str, unit: str) -> Unavailable:
        return Unavailable(
            f"the pack {ref} of {unit} has not come from triage yet, or this version cannot read it; "
            "try again in a moment, and then look into the log",
            code="pack-not-here",
            unit=unit,
            pack=ref,
        )

    def pack(self, code: str) -> LoadedPack:
        """The pack in force for the unit: its own, or the pack of the nearest unit above.

        Raises `Unavailable` if no pack is assigned, or if the pack has not come from triage yet.
        """
        for unit in self.above(code):
            if ref := self.assigned.get(unit):
                if pack := self.packs.get(ref):
                    return self.effective(pack, code)
                raise self._missing(ref, unit)
        raise Unavailable(f"no policy pack is in force for {code} yet", code="no-pack", unit=code)
