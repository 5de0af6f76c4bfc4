"""At the start, `units.yaml` and the policy folder become events. Only new content makes events."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from schemas.fields import Code, Post, PostCode, UnitCode
from schemas.offices import Role, UnitPlaced, UnitPostPlaced
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.kernel.delivery.runtime import Runtime
from services.kernel.rules.documents import DocumentError, Fault, read_file
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store.session import Session
from services.triage.commands import AssignPack, LoadPacks, PackFile, PlaceUnits
from services.triage.packs import POLICIES
from services.triage.units import TREE

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
    """The pack of a unit, and of the units below it that have no pack of their own."""

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
    """Places the units and their posts, loads the packs and assigns them. Changes nothing that is known already."""
    path = runtime.settings.policies / FILE
    file = read(path)

    async def units(session: Session, ctx: Ctx) -> Answer:
        await session.load([TREE])
        return _done(session.decide(TREE, PlaceUnits(units=file.places(), posts=file.directory()), ctx))

    async def packs(session: Session, ctx: Ctx) -> Answer:
        await session.load([POLICIES])
        events = session.decide(POLICIES, _loaded(runtime), ctx)
        for command in _assigned(runtime, file, path):
            events += session.decide(POLICIES, command, ctx)
        return _done(events)

    await transact(runtime, Caller(), units)
    await transact(runtime, Caller(), packs)


def _done(events: list[Any]) -> Answer:
    return Answer({"events": [event.id for event in events]}, events=tuple(events))


def _loaded(runtime: Runtime) -> LoadPacks:
    return LoadPacks(
        packs=tuple(
            PackFile(
                pack=pack.model.id,
                version=str(pack.model.version),
                digest=pack.digest,
                effective_from=pack.model.effective_at,
            )
            for pack in runtime.packs.values()
        )
    )


def _assigned(runtime: Runtime, file: UnitsFile, path: Path) -> list[AssignPack]:
    """Every version of each unit's pack, the first one to come into effect first."""
    wanted: list[tuple[datetime, AssignPack]] = []
    for of in file.packs:
        versions = [pack for pack in runtime.packs.values() if pack.model.id == of.pack]
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
            wanted.append((since, AssignPack(unit=of.unit, policy=pack.ref, since=since)))
    return [command for _, command in sorted(wanted, key=lambda item: (item[0], item[1].unit, item[1].policy))]
