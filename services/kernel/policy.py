"""Policy packs from files, checked when they are loaded, and the level that a pack proposes for a matter.

A pack is named by `id@version#digest`. The digest is SHA-256 over the content in canonical form (JSON, sorted keys,
every scalar as the text that stands in the file), so comments and layout do not change it and any value does.
"""

import functools
import hashlib
import itertools
import json
import re
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cel
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.pack import PolicyPack


class Fault(NamedTuple):
    """One thing that is wrong with a pack, and what to do."""

    line: int
    """In the file, from 1; 0 where the fault is not in the text."""
    field: str
    """Dotted: `levels.1.conditions.0.when`."""
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.line or ""), self.field, self.message) if part)


class PackError(ValueError):
    """A pack that cannot be used. The text is for its author: one line a fault, `file:line: field: what to do`."""

    def __init__(self, origin: str, *faults: Fault) -> None:
        super().__init__("\n".join(f"{origin}:{fault}" if fault.line else f"{origin}: {fault}" for fault in faults))
        self.origin, self.faults = origin, faults


class Figures(BaseModel):
    """Totals of a matter. What was not measured is 0: it lifts nothing. `harm` is a step of the pack's scale."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clicks: int = Field(0, ge=0)
    comments: int = Field(0, ge=0)
    mainstream_sites: int = Field(0, ge=0)
    harm: int = Field(0, ge=0)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the figures propose; a person judges. `inputs` is what the conditions saw, ready for JSON."""

    level: str
    rule: str
    """`<level>/<condition>`, or `<level>/otherwise` where no condition held."""
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class LoadedPack:
    """A pack that is fit for use. Two are equal when their content is."""

    ref: str
    """`county-default@1#<64 hex>`: what events carry as `policy`."""
    digest: str
    canonical: str
    """The content that the digest is over; `parse_pack` reads it again."""
    model: PolicyPack = field(compare=False, repr=False)
    conditions: tuple[tuple[str, str, cel.Program], ...] = field(compare=False, repr=False)
    """Level, rule and condition, in the order in which they are tried: from the highest level down."""


def load_packs(directory: Path) -> dict[str, LoadedPack]:
    """Every `*.yaml` of a folder but `units.yaml`, by `ref`.

    Raises `PackError`, also for two files of the same id and version.
    """
    if not (paths := sorted(path for path in directory.glob("*.yaml") if path.name != "units.yaml")):
        raise PackError(str(directory), Fault(0, "", "no policy pack (*.yaml) here; name the folder that has them"))
    packs: dict[str, LoadedPack] = {}
    names: dict[str, Path] = {}
    for path in paths:
        pack = load_pack(path)
        name = pack.ref.partition("#")[0]
        if name in names:
            clash = f"{names[name]} is {name} too; raise the version of one"
            raise PackError(str(path), Fault(0, "version", clash))
        names[name], packs[pack.ref] = path, pack
    return packs


def load_pack(path: Path) -> LoadedPack:
    """The pack in a file. Raises `PackError` with every fault found, or `OSError`."""
    try:
        return parse_pack(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise PackError(str(path), Fault(0, "", f"not UTF-8 ({error.reason} at byte {error.start})")) from None


@functools.lru_cache(maxsize=64)
def parse_pack(text: str, origin: str = "<text>") -> LoadedPack:
    """The pack in a text, YAML or a pack's `canonical`; `origin` stands for the file's name in a `PackError`."""
    root, content = _read(text, origin)
    try:
        model = PolicyPack.model_validate(content)
    except ValidationError as error:
        raise PackError(origin, *(_fault(root, dict(detail)) for detail in error.errors())) from None
    conditions, faults = [], []
    flags = tuple(flag.code for flag in model.flags)
    for index, level in reversed(list(enumerate(model.levels))):
        for number, condition in enumerate(level.conditions):
            try:
                program = _compile(condition.when, flags)
                conditions.append((level.code, f"{level.code}/{condition.code}", program))
            except ValueError as error:
                place = ("levels", index, "conditions", number, "when")
                faults.append(Fault(_line(root, place), _dotted(place), str(error)))
    if faults:
        raise PackError(origin, *sorted(faults))
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return LoadedPack(f"{model.id}@{model.version}#{digest}", digest, canonical, model, tuple(conditions))


def propose_level(pack: LoadedPack, figures: Figures, flags: Collection[str] = ()) -> Proposal:
    """The highest level of which any condition holds; the lowest level where none does. Pure.

    A flag that the pack does not declare weighs nothing and is not among the inputs.
    """
    declared = {flag.code for flag in pack.model.flags}
    inputs = _inputs(figures, sorted(declared.intersection(flags)))
    for level, rule, program in pack.conditions:
        if program.execute(inputs) is True:
            return Proposal(level, rule, inputs)
    lowest = pack.model.levels[0].code
    return Proposal(lowest, f"{lowest}/otherwise", inputs)


def _inputs(figures: Figures, flags: Sequence[str]) -> dict[str, Any]:
    return {"reach": figures.model_dump(exclude={"harm"}), "flags": list(flags), "harm": figures.harm}


_REACH = tuple(name for name in Figures.model_fields if name != "harm")
_VARIABLES = frozenset(_inputs(Figures(), ()))
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_REACH_FIELD = re.compile(r"\breach\s*\.\s*(\w+)")
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_MAX_TRIALS = 50_000


def _compile(when: str, flags: Sequence[str]) -> cel.Program:
    """The condition, fit for use. The language has no types, so what it can go wrong over is tried out here.

    Raises `ValueError` with line and column within the condition where the fault has a place.
    """
    try:
        program = cel.compile(when)
    except ValueError as error:
        found = _PLACE.search(str(error))
        raise ValueError(f"line {found[1]}, column {found[2]}: {found[3]}" if found else str(error)) from None
    bare = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), when)
    for name in program.variables():
        if name not in _VARIABLES:
            at = re.search(rf"\b{name}\b", bare)
            raise ValueError(f"{_at(when, at)}{name!r} is unknown; conditions know {', '.join(sorted(_VARIABLES))}")
    for used in _REACH_FIELD.finditer(bare):
        if used[1] not in _REACH:
            raise ValueError(f"{_at(when, used)}'reach.{used[1]}' is unknown; reach has {', '.join(_REACH)}")
    for quoted in _QUOTED.finditer(when):
        if quoted[0][1:-1] not in flags:
            raise ValueError(f"{_at(when, quoted)}{quoted[0]} is no flag of this pack; declare it under `flags`")
    for inputs in _trials(bare, flags):
        try:
            result = program.execute(inputs)
        except (TypeError, KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"fails for {json.dumps(inputs)}: {error}") from None
        if result is not True and result is not False:
            raise ValueError(f"gives {result!r}; a condition is true or false")
    return program


def _trials(bare: str, flags: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Inputs on, just below and just above every number in the condition, so that each of its parts is evaluated."""
    figures = [name for name in Figures.model_fields if re.search(rf"\b{name}\b", bare)]
    numbers = {int(number) for number in re.findall(r"\b\d+\b", bare)}
    values = sorted({0} | {max(0, number + step) for number in numbers for step in (-1, 0, 1)})
    sets_of_flags = [(), tuple(flags), *((flag,) for flag in flags)]
    if len(values) ** len(figures) * len(sets_of_flags) > _MAX_TRIALS:
        raise ValueError("too many numbers in one condition; write several, any of which may hold")
    for chosen in itertools.product(values, repeat=len(figures)):
        for flagged in sets_of_flags:
            yield _inputs(Figures(**dict(zip(figures, chosen, strict=True))), flagged)


def _at(when: str, found: re.Match[str] | None) -> str:
    start = found.start() if found else 0
    return f"line {when.count(chr(10), 0, start) + 1}, column {start - when.rfind(chr(10), 0, start)}: "


class _Reader(yaml.BaseLoader):
    """YAML in which every scalar is the text that stands there: only the model says what `17:30` or `no` means."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is a single word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} stands twice; keep one", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read(text: str, origin: str) -> tuple[yaml.Node, Any]:
    try:
        reader = _Reader(text)
        root = reader.get_single_node()
        if root is None:
            raise PackError(origin, Fault(1, "", "the file is empty; write a policy pack"))
        return root, reader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise PackError(origin, Fault(line, "", f"not readable as YAML: {error.problem}")) from None
    except yaml.YAMLError as error:
        raise PackError(origin, Fault(0, "", f"not readable as YAML: {error}")) from None


_WHAT_TO_DO = {
    "missing": "is missing; add it",
    "extra_forbidden": "is unknown; correct its name or remove it",
    "tuple_type": "write a list, for example [a, b]",
}


def _fault(root: yaml.Node, detail: Mapping[str, Any]) -> Fault:
    message = _WHAT_TO_DO.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    return Fault(_line(root, detail["loc"]), _dotted(detail["loc"]), message)


def _dotted(place: Iterable[int | str]) -> str:
    return ".".join(str(part) for part in place)


def _line(root: yaml.Node, place: Iterable[int | str]) -> int:
    """The line of a place, or of the innermost part of it that the file has."""
    node, line = root, root.start_mark.line
    for part in place:
        step = _step(node, part)
        if step is None:
            break
        line, node = step
    return line + 1


def _step(node: yaml.Node, part: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        item = node.value[part]
        return item.start_mark.line, item
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line, value
    return None
