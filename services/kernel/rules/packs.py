"""Policy packs from files, checked when they are loaded.

A pack is named by `id@version#digest`. The digest is SHA-256 over the content in canonical form (JSON, sorted keys,
every scalar as the text that stands in the file), so comments and layout do not change it and any value does.
"""

import functools
import hashlib
import json
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from schemas.pack import PolicyPack
from services.kernel.core.units import LoadedPack
from services.kernel.rules.conditions import compiled


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
    faults = []
    flags = tuple(flag.code for flag in model.flags)
    for index, level in enumerate(model.levels):
        for number, condition in enumerate(level.conditions):
            try:
                compiled(condition.when, flags)
            except ValueError as error:
                place = ("levels", index, "conditions", number, "when")
                faults.append(Fault(_line(root, place), _dotted(place), str(error)))
    if faults:
        raise PackError(origin, *sorted(faults))
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return LoadedPack(f"{model.id}@{model.version}#{digest}", digest, canonical, model)


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
