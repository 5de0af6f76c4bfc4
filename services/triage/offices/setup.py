"""At the start, `units.yaml` becomes events, as far as it is new. At the very first start, the packs do, too."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from schemas.fields import Code, Post, PostCode, UnitCode
from schemas.offices import Role, UnitPlaced, UnitPostPlaced
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.kernel.core.units import LoadedPack
from services.kernel.delivery.runtime import Runtime
from services.kernel.rules.documents import DocumentError, Fault, read_file
from services.kernel.rules.packs import load_packs
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store.session import Session
from services.triage.offices.office_commands import AssignPack, LoadPacks, Pack, PlaceUnits
from services.triage.offices.packs import POLICIES
from services.triage.offices.units import TREE

FILE = "units.yaml"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Model):
    """A unit's place in the tree. `since` is the file's by default."""

    unit: UnitCode
    kind: Literal["city", "county", "town", "department"]
    name: Code
    parent: UnitCode | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class PostEntry(_Model):
    """A post of one unit, or of every unit without its own post of this code. With `members`, it is a body.

    By default it begins with its unit. A member without a unit is a post of the same unit.
    """

    post: PostCode
    title: Code
    unit: UnitCode | None = None
    roles: tuple[Role, ...] = ()
    head: bool = False
    members: tuple[Post | PostCode, ...] = ()
    duty_post: Post | PostCode | None = None
    serves: tuple[PostCode, ...] = ()
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class PackOf(_Model):
    """The pack of a unit at the very first start, and of the units below it that have no pack of their own."""

    unit: UnitCode
    pack: Code


class UnitsFile(_Model):
    """`units.yaml`.

    A unit that moves has two entries, the second with its new parent and a later `since`. So does a post.
    """

    since: AwareDatetime
    units: tuple[Place, ...]
    posts: tuple[PostEntry, ...] = ()
    packs: tuple[PackOf, ...]

    def places(self) -> tuple[UnitPlaced, ...]:
        """The places in the form of events."""
        return tuple(
            UnitPlaced(
                unit=place.unit,
                kind=place.kind,
                name=place.name,
                parent=place.parent,
                since=place.since or self.since,
                until=place.until,
            )
            for place in self.units
        )

    def directory(self) -> tuple[UnitPostPlaced, ...]:
        """The posts in the form of events, unit by unit."""
        begins: dict[str, datetime] = {}
        for place in self.places():
            begins[place.unit] = min(place.since, begins.get(place.unit, place.since))
        own = {(entry.unit, entry.post) for entry in self.posts}
        named = dict.fromkeys((*begins, *(entry.unit for entry in self.posts if entry.unit)))
        return tuple(
            UnitPostPlaced(
                unit=unit,
                code=entry.post,
                title=entry.title,
                roles=entry.roles,
                head=entry.head,
                members=tuple(_of(unit, member) for member in entry.members),
                duty_post=_of(unit, entry.duty_post) if entry.duty_post else None,
                serves=entry.serves,
                since=entry.since or begins.get(unit, self.since),
                until=entry.until,
            )
            for unit in named
            for entry in self.posts
            if entry.unit == unit or (entry.unit is None and (unit, entry.post) not in own)
        )


def _of(unit: str, post: str) -> str:
    return post if "@" in post else f"{post}@{unit}"


def read(path: Path) -> UnitsFile:
    """The file, checked by itself. Raises `DocumentError`. The decider checks whether it makes a tree."""
    if not path.exists():
        raise DocumentError(str(path), Fault(0, "", "is missing; it names the deployment's units and their packs"))
    return read_file(path).model(UnitsFile)


async def place(runtime: Runtime) -> None:
    """Places the units and their posts, and at the very first start loads and assigns the packs of the policy folder.

    Later the record alone says which packs there are and who works by them, and the folder's packs are not read.
    """
    path = runtime.settings.policies / FILE
    file = read(path)

    async def units(session: Session, ctx: Ctx) -> Answer:
        await session.load([TREE])
        return _done(session.decide(TREE, PlaceUnits(units=file.places(), posts=file.directory()), ctx))

    async def packs(session: Session, ctx: Ctx) -> Answer:
        await session.load([POLICIES])
        if session.streams[POLICIES].version:
            return _done([])
        found = list(load_packs(runtime.settings.policies).values())
        events = session.decide(POLICIES, LoadPacks(packs=tuple(map(in_record, found))), ctx)
        for command in _assigned(found, file, path):
            events += session.decide(POLICIES, command, ctx)
        return _done(events)

    await transact(runtime, Caller(), units)
    await transact(runtime, Caller(), packs)


def in_record(pack: LoadedPack, lessons: tuple[int, ...] = ()) -> Pack:
    """The pack as the command needs it, with the lessons that it answers."""
    return Pack(
        pack=pack.model.id,
        version=str(pack.model.version),
        digest=pack.digest,
        canonical=pack.canonical,
        written=pack.text or None,
        effective_from=pack.model.effective_at,
        lessons=lessons,
    )


def _done(events: list[Any]) -> Answer:
    return Answer({"events": [event.id for event in events]}, events=tuple(events))


def _assigned(found: Sequence[LoadedPack], file: UnitsFile, path: Path) -> list[AssignPack]:
    """Every version of each unit's pack, the first one to come into effect first."""
    wanted: list[tuple[datetime, AssignPack]] = []
    for of in file.packs:
        versions = [pack for pack in found if pack.model.id == of.pack]
        if not versions:
            raise Rejected(
                f"{path}: {of.unit} works by the pack {of.pack!r}, which is not in the policy folder",
                code="pack-unknown",
                path=str(path),
                pack=of.pack,
                unit=of.unit,
            )
        for pack in versions:
            since = pack.model.effective_at
            wanted.append((since, AssignPack(unit=of.unit, pack=pack.name, since=since)))
    return [command for _, command in sorted(wanted, key=lambda item: (item[0], item[1].unit, item[1].pack))]
