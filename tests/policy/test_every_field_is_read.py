"""Everything that a pack declares is read: a change of any field changes a decision, a clock, an answer or a page.

The test changes each field of `whole.yaml` in turn, to other values that a pack may have there.
"""

import copy
import functools
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas import triage
from schemas.pack import PolicyPack
from schemas.pack.source import Model, Setting
from services.apps import policy
from services.apps.evaluate import evaluate
from services.apps.facts import parse
from services.kernel.core.problems import Problem
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.rules.packs import load_pack, parse_pack
from services.publish.commands import Draft
from services.publish.decider import DECIDER as STATEMENTS
from services.publish.rights import Incident
from services.triage import commands as c
from services.triage import policies
from services.triage.decider import DECIDER as INCIDENTS
from tests.kit import spec
from tests.kit.spec import given, staff

WHOLE = load_pack(Path(__file__).parent / "whole.yaml")
Place = tuple[str | int, ...]
UNIT = {
    "code": "town-east",
    "kind": "town",
    "above": [{"code": "county", "kind": "county"}, {"code": "city", "kind": "city"}],
}
ASSIGNED = {"at": "2026-03-02T09:30:00+08:00", "act": "assigned", "unit": "county-roads"}
CASES: tuple[dict[str, Any], ...] = (
    {},
    {"figures": {"clicks": 1000, "comments": 3}},
    {"figures": {"clicks": 999}, "flags": ["food"], "harm": 2, "graded": None},
    {"graded": {"level": "usual", "at": "2026-03-02T09:10:00+08:00"}, "answer_kind": "answer",
     "classified_at": "2026-03-02T09:20:00+08:00", "events": [ASSIGNED], "as_of": "2026-03-06T18:00:00+08:00"},
    {"graded": {"level": "grave", "at": "2026-03-02T12:10:00+08:00"},
     "figures_over_time": [{"at": "2026-03-02T11:00:00+08:00", "clicks": 2000}],
     "events": [{"at": "2026-03-02T13:00:00+08:00", "act": "explained", "unit": "town-east"}],
     "as_of": "2026-03-05T09:00:00+08:00"},
    {"graded": {"level": "usual", "at": "2026-03-02T09:10:00+08:00"}, "as_of": "2026-03-20T09:00:00+08:00",
     "events": [{"at": "2026-03-02T09:20:00+08:00", "act": "received", "unit": "county", "to": "office"},
                {"at": "2026-03-03T09:00:00+08:00", "act": "resolved", "unit": "town-east"},
                {"at": "2026-03-04T09:00:00+08:00", "act": "reopened", "unit": "town-east"}]},
)  # fmt: skip
OPENED = triage.IncidentOpened(unit="town-east", report=f"report-{spec.UUID}", discovered_at=spec.NOW)
USUAL = triage.IncidentGraded(level="usual", rank=1)


def outcomes(pack: LoadedPack) -> Iterator[Callable[[], object]]:
    """What services decide and show by the pack."""
    for case in CASES:
        yield functools.partial(lambda case: evaluate(pack, parse(_case(case), "facts")), case)
    yield lambda: policy.rows(pack.model)
    yield lambda: policies.shown(pack, spec.offices())
    commands: tuple[c.Command, ...] = (
        c.EstablishFact(key="pump", kind="number", value=2, source="s"),
        c.EstablishFact(key="origin", kind="code", value="pipe", source="s"),
        *(c.Classify(answer_kind=kind) for kind in ("answer", "status", "clarification")),
        *(c.Grade(level=level, reason="r") for level in ("usual", "grave")),
        c.SetFlag(flag="food", reason="r"),
        *(c.JudgeHarm(harm=harm, reason="r") for harm in (0, 1, 2)),
    )
    everyone = staff("duty_officer", "verifier", "chief", unit="city")
    for command in commands:
        for past in ((OPENED,), (OPENED, USUAL)):
            case = given(INCIDENTS, *past, actor=everyone)
            yield functools.partial(_decided, pack, INCIDENTS, case, command)
    for level in ("low", "high"):
        past = (OPENED, triage.IncidentGraded(level=level, rank=1))
        yield functools.partial(_moved, pack, past)
    for kind in ("status", "facts"):
        incident = Incident(id=f"incident-{spec.UUID}", version=1, unit="town-east", level="usual", rank=1)
        seen = {"stream": f"statement-{spec.UUID}", "incident": incident}
        case = given(STATEMENTS, actor=staff("handler", unit="town-east")).seeing(**seen)
        draft = Draft(incident_id=incident.id, kind=kind, title="标题标题", text="内容")  # type: ignore[arg-type]
        yield functools.partial(_decided, pack, STATEMENTS, case, draft)


def _case(case: dict[str, Any]) -> dict[str, Any]:
    return {"discovered_at": "2026-03-02T09:00:00+08:00", "unit": UNIT, **case}


def _under(pack: LoadedPack, *further: LoadedPack) -> Offices:
    usual = spec.offices()
    packs = {**{one.ref: one for one in further}, pack.ref: pack}
    return Offices(usual.units, {"city": pack.ref}, packs, usual.basis, usual.posts, usual.lists)


def _decided(pack: LoadedPack, decider: Any, case: spec.Given, command: Any, offices: Offices | None = None) -> object:
    context = copy.copy(case.context)
    object.__setattr__(context, "offices", offices or _under(pack))
    return decider.decide(case.state, command, context)


OTHER = parse_pack(
    WHOLE.canonical.replace('"id":"whole"', '"id":"other"')
    .replace('"usual"', '"low"')
    .replace('"grave"', '"high"')
    .replace("'usual'", "'low'")
    .replace('"low":"low"', '"usual":"low"')
    .replace('"high":"high"', '"grave":"high"')
)


def _moved(pack: LoadedPack, past: tuple[Any, ...]) -> object:
    opened = past[0].model_copy(update={"policy": OTHER.ref})
    case = given(INCIDENTS, opened, *past[1:], actor=staff("chief", unit="city"))
    command = c.MovePolicy(pack="whole@1", reason="r")
    return _decided(pack, INCIDENTS, case, command, _under(pack, OTHER))


def told(outcome: Callable[[], object], pack: LoadedPack) -> str:
    """The outcome as a text, without the digest of the pack, which every change changes."""
    try:
        found = repr(outcome())
    except (Problem, ValueError) as problem:
        found = repr(problem)
    return found.replace(pack.ref, "whole").replace(pack.digest, "digest")


def leaves(part: object, content: Any, place: Place, name: str) -> Iterator[tuple[str, Place]]:
    """Each value of the pack's content: the field that it belongs to, and its place."""
    if isinstance(part, Model):
        of = name if isinstance(part, Setting) else type(part).__name__
        for field, info in type(part).model_fields.items():
            key = info.alias or field
            if key in content:
                shown = f"{of}.{key}" if not (isinstance(part, Setting) and key == "value") else name
                yield from leaves(getattr(part, field), content[key], (*place, key), shown)
    elif isinstance(content, list):
        for index, item in enumerate(content):
            inner = part[index] if isinstance(part, tuple) else item
            yield from leaves(inner, item, (*place, index), name)
    elif isinstance(content, dict):
        for key in content:
            yield from leaves(content[key], content[key], (*place, key), name)
    else:
        yield name, place


POOL = (
    "true", "false", "PT7M", "P5D", "P9D", "0", "1", "2", "3", "5", "09:30", "16:00", "21:00", "Asia/Tokyo", "改",
    "2021-06-01", "approver", "chief", "spokesperson", "office", "section", "leading_group", "unit", "parent", "town",
    "county", "city", "usual", "grave", "taken", "own", "asked", "answer", "status", "clarification", "elapsed",
    "working_time", "end_of_day", "end_of_day", "same_time", "counted", "not_counted", "act", "level_known", "assigned",
    "accountable", "resolved", "opened", "accepted", "explained", "call", "written", "written_with_plan", "report",
    "meet", "statement", "measure", "explanation", "none", "by_person", "arrival", "window_start", "reminder",
    "harm >= 1", "figures.clicks >= 7", "unit.kind == 'city'", "level == 'grave'", "festival", "text", "yes_no", "one",
    "two", "L2", "reading", "other_code",
)  # fmt: skip


def changes(content: dict[str, Any], place: Place) -> Iterator[LoadedPack]:
    """The packs with another value at a place."""
    for value in POOL:
        changed = copy.deepcopy(content)
        part: Any = changed
        for step in place[:-1]:
            part = part[step]
        if part[place[-1]] == value:
            continue
        part[place[-1]] = value
        try:
            PolicyPack.model_validate(changed)
            yield parse_pack(json.dumps(changed, ensure_ascii=False))
        except (ValidationError, ValueError):
            continue


CONTENT = json.loads(WHOLE.canonical)
FIELDS: dict[str, list[Place]] = {}
for field, place in leaves(WHOLE.model, CONTENT, (), "PolicyPack"):
    FIELDS.setdefault(field, []).append(place)

UNREAD: dict[str, str] = {}


@functools.cache
def usual() -> tuple[str, ...]:
    return tuple(told(one, WHOLE) for one in outcomes(WHOLE))


def is_read(field: str) -> bool:
    for place in FIELDS[field]:
        for number, pack in enumerate(changes(CONTENT, place)):
            if any(told(one, pack) != before for one, before in zip(outcomes(pack), usual(), strict=True)):
                return True
            if number > 4:
                break
    return False


def test_the_pack_declares_everything() -> None:
    """A field that `whole.yaml` leaves out would not be changed."""
    named = {
        f"{model.__name__}.{info.alias or name}"
        for model in _models(PolicyPack)
        for name, info in model.model_fields.items()
        if not issubclass(model, Setting)
    }
    def declared(of: str) -> bool:
        return any(field == of or field.startswith(f"{of}.") for field in FIELDS) or _inner(of)
    assert sorted(one for one in named if not declared(one)) == []


def _inner(of: str) -> bool:
    """Whether the field holds models, whose own fields are counted."""
    model, _, name = of.partition(".")
    found = next(one for one in _models(PolicyPack) if one.__name__ == model)
    info = next(info for key, info in found.model_fields.items() if (info.alias or key) == name)
    return any(True for _ in _parts(info.annotation))


def _parts(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _parts(inner)


@functools.cache
def _models(model: type[Model]) -> frozenset[type[Model]]:
    found, further = set[type[Model]](), [model]
    while further:
        one = further.pop()
        if one not in found:
            found.add(one)
            further += [inner for info in one.model_fields.values() for inner in _parts(info.annotation)]
    return frozenset(found)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_a_change_of_a_field_changes_what_is_decided_or_shown(field: str) -> None:
    assert is_read(field) == (field not in UNREAD), field
