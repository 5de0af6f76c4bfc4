"""given / when / then for deciders: `given(decider, *facts).when(command).then(*facts)`."""

import functools
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from schemas import catalogue
from schemas.envelope import Event, seal
from schemas.fields import Fact, Typed, WordsRef
from schemas.offices import PolicyPackLoaded, UnitPostPlaced
from schemas.pack import PolicyPack
from schemas.pack.values import sourced
from schemas.problems import TYPES, members_of
from services.kernel.core.commands import Command
from services.kernel.core.decider import SYSTEM, Actor, Ctx, Decider, Occurred
from services.kernel.core.ids import DerivedIds, derived
from services.kernel.core.problems import Forbidden, NotFound, Problem
from services.kernel.core.units import LoadedPack, Offices, Post, Unit
from services.kernel.rules import packs as policy
from services.kernel.rules.lists import load_lists
from services.triage.offices import setup
from tests.kit import stamps

FIELD = re.compile(r"([a-z_]+(?:\.[a-z_0-9]+)*): ")
"""A sentence that begins so speaks of a field of the command."""
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UUID = "01890a5d-ac96-774b-bcce-b302099a8057"
UNITS = {
    "city": None,
    "county": "city",
    "town-east": "county",
    "town-west": "county",
    "county-roads": "county",
    "county-water": "county",
}
KINDS = {"city": "city", "county": "county", "town-east": "town", "town-west": "town"}


POLICIES = Path(__file__).parents[2] / "policies"


@functools.cache
def offices() -> Offices:
    """The shipped units, under county-default. It is loaded as county-default@99, too."""
    packs = policy.load_packs(POLICIES)
    ref = next(ref for ref in packs if ref.startswith("county-default@"))
    later = policy.parse_pack(packs[ref].canonical.replace('"version":"2"', '"version":"99"'))
    packs[later.ref] = later
    units = {code: Unit(code, KINDS.get(code, "department"), code, parent) for code, parent in UNITS.items()}
    posts = {code: {entry.code: _post(entry) for entry in posts_of(code, NOW)} for code in units}
    return Offices(units, {"city": ref}, packs, (f"unit-{UUID}@6",), posts, load_lists(POLICIES))


def under(model: PolicyPack, at: Offices | None = None) -> Offices:
    """These offices, by default the shipped ones, all under another pack."""
    digest = derived(model.model_dump_json()).replace("-", "") * 2
    pack = LoadedPack(f"{model.id}@{model.version}#{digest}", digest, "", model)
    return replace(at or offices(), assigned={"city": pack.ref}, packs={pack.ref: pack})


def loaded(pack: LoadedPack) -> PolicyPackLoaded:
    """The pack in the record."""
    return PolicyPackLoaded(
        pack=pack.model.id,
        version=str(pack.model.version),
        digest=pack.digest,
        canonical=pack.canonical,
        effective_from=pack.model.effective_at,
    )


def posts_of(unit: str, since: datetime) -> list[UnitPostPlaced]:
    """The directory of every shipped unit, as `units.yaml` has it."""
    return [post for post in _directory(since) if post.unit == unit]


@functools.cache
def _directory(since: datetime) -> tuple[UnitPostPlaced, ...]:
    shipped = setup.read(POLICIES / setup.FILE).model_copy(update={"since": since})
    return shipped.directory()


def _post(entry: UnitPostPlaced) -> Post:
    roles = frozenset[str](entry.roles)
    return Post(entry.code, entry.title, roles, entry.head, entry.members, entry.duty_post, entry.serves)


def staff(*roles: str, unit: str = "county", person: str = "anyone") -> Actor:
    """A post of a unit."""
    return Actor(f"{roles[0]}@{unit}", unit, frozenset(roles), person)


def ctx(actor: Actor = SYSTEM, now: datetime = NOW, cause: str = "cause", **more: Any) -> Ctx:
    """The context of a decision, in tests."""
    return Ctx(
        now=now,
        actor=actor,
        offices=offices(),
        ids=DerivedIds("test", cause),
        cause=derived(cause),
        keyed=lambda *parts: derived(*parts).replace("-", "") * 2,
        **more,
    )


def _plain(fact: Fact) -> Fact:
    names = catalogue.words_of(type(fact))
    plain = {}
    for name in names:
        value = getattr(fact, name)
        if isinstance(value, Typed):
            ref = derived("words", value.text)
            plain[name] = WordsRef(ref=ref, digest=ref.replace("-", "") * 2)
    return fact.model_copy(update=plain) if plain else fact


@dataclass(frozen=True)
class At:
    """A past fact with its own times, actor or unit."""

    data: Fact
    time: datetime | None = None
    recorded: datetime | None = None
    actor: str = "system"
    unit: str | None = None


def events(kind: str, facts: Iterable[Fact | At], uuid: str = UUID, start: datetime = NOW) -> list[Event]:
    """Sealed events of one stream, in order. By default they are a minute apart and end before `start`."""
    done: list[Event] = []
    items = [item if isinstance(item, At) else At(item) for item in facts]
    for index, item in enumerate(items):
        usual = start - timedelta(minutes=len(items) - index)
        done.append(
            seal(
                _plain(item.data),
                id=derived(kind, uuid, str(index)),
                source=f"/huiying/test/{catalogue.STREAMS.get(kind, 'test')}",
                stream=f"{kind}-{uuid}",
                version=index + 1,
                previous=done[-1].digest if done else None,
                time=item.time or usual,
                recorded=item.recorded or item.time or usual,
                partitionkey=f"{kind}-{uuid}",
                actor=item.actor,
                unit=item.unit,
            )
        )
    return done


@dataclass(frozen=True)
class Given:
    """A stream's past, with the next steps of the test."""

    decider: Decider
    past: tuple[Fact | At, ...]
    context: Ctx
    uuid: str = UUID

    @property
    def stream(self) -> str:
        return f"{self.decider.kind}-{self.uuid}"

    @property
    def state(self) -> Any:
        state = self.decider.initial_state()
        for event in events(self.decider.kind, self.past, self.uuid):
            state = self.decider.evolve(state, event)
        return state

    def by(self, actor: Actor) -> "Given":
        """The same past, with this post acting."""
        return replace(self, context=replace(self.context, actor=actor))

    def at(self, now: datetime) -> "Given":
        """The same past, at another time."""
        return replace(self, context=replace(self.context, now=now))

    def seeing(self, **seen: Any) -> "Given":
        """The same past, with these facts from the service's views."""
        return replace(self, context=replace(self.context, seen=seen))

    def when(self, command: Any) -> "When":
        """The command to judge."""
        return When(self, command)


@dataclass(frozen=True)
class When:
    """A command on a past, with the checks of its result."""

    given: Given
    command: Any

    def decided(self) -> list[Fact | Occurred]:
        """The raw answer. What each event says it rests on must be known, see `stamps`."""
        got = list(self.given.decider.decide(self.given.state, self.command, self.given.context))
        for item in got:
            stamps.must_be_known(self.given.decider.kind, self.command, item, self.given.context)
        return got

    def then(self, *facts: Fact) -> None:
        """Checks that exactly these facts were decided, in order. Words are compared by their text."""
        got = [item.data if isinstance(item, Occurred) else item for item in self.decided()]
        assert [_plain(fact) for fact in got] == [_plain(fact) for fact in facts]

    def then_nothing(self) -> None:
        """Checks that the command changed nothing."""
        assert self.decided() == []

    def then_raises(self, kind: type[Problem], match: str = "", *, rule: str | None = None) -> None:
        """Checks that the command was refused with this problem, by this rule of a pack if `rule` names one.

        A rule that the refusal names must stand in the pack, in any case.
        """
        with pytest.raises(kind, match=match or None) as raised:
            self.decided()
        must_be_whole(raised.value)
        must_name_a_field_of(raised.value, self.command)
        named = raised.value.members.get("rule")
        if rule is not None or named is not None:
            must_be_ruled(raised.value, rule or named or "", self.given.context.offices)


def must_be_whole(problem: Problem) -> None:
    """Checks that a refusal has a code of its own, all that its Chinese sentence says, and the field it speaks of."""
    usual = problem.usual if isinstance(problem, Forbidden | NotFound) else None
    assert problem.code in TYPES, problem.code
    assert problem.code == usual or problem.code != problem.usual, f"{problem.code}: {problem.detail}"
    assert {*members_of(problem.code)} <= problem.members.keys(), (problem.code, problem.members)
    if speaks_of := FIELD.match(problem.detail):
        assert problem.members.get("field") == speaks_of[1], (problem.detail, problem.members)


def must_name_a_field_of(problem: Problem, command: Any) -> None:
    """Checks that a refusal speaks of a field of the command, or of an earlier one: a submission judges the draft."""
    if "field" in problem.members and isinstance(command, BaseModel):
        service = ".".join(type(command).__module__.split(".")[:2])
        commands = (one for one in Command.__subclasses__() if one.__module__.startswith(f"{service}."))
        known = _fields(type(command)).union(*map(_fields, commands))
        field = str(problem.members["field"])
        assert field.partition(".")[0] in known, f"no command of {service} has {field}"


@functools.cache
def _fields(model: type[BaseModel]) -> frozenset[str]:
    """The names of its fields, and of those of the models that it holds whole, such as a report."""
    inner = (one.annotation for one in model.model_fields.values())
    held = (one for one in inner if isinstance(one, type) and issubclass(one, BaseModel))
    return frozenset(one.alias or name for name, one in model.model_fields.items()).union(*map(_fields, held))


def must_be_ruled(problem: Problem, rule: str, offices: Offices) -> None:
    """Checks that a refusal names this rule, and that the pack which it names has it, with a source."""
    assert problem.members.get("rule") == rule
    pack = next(one for one in offices.packs.values() if one.name == problem.members["pack"])
    assert rule in {one.place for one in sourced(pack.model)}


@contextmanager
def refused_by(rule: str, kind: type[Problem], match: str, offices: Offices) -> Iterator[None]:
    """Checks that what happens inside is refused with this problem, by this rule of a pack."""
    with pytest.raises(kind, match=match) as raised:
        yield
    must_be_ruled(raised.value, rule, offices)


def given(decider: Decider, *past: Fact | At, actor: Actor = SYSTEM, now: datetime = NOW, **more: Any) -> Given:
    """A stream with these facts in it."""
    return Given(decider, past, ctx(actor, now, **more))
