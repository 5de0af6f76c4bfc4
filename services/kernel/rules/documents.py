"""YAML files of the policy folder. Each fault is reported with its line."""

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


class Fault(NamedTuple):
    """One fault of a file, and what to do about it."""

    line: int
    """The line in the file, from 1; 0 if the fault is not in the text."""
    field: str
    """Dotted: `levels.1.conditions.0.when`."""
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.line or ""), self.field, self.message) if part)


class DocumentError(ValueError):
    """A file that cannot be used.

    The text is for the file's author: one line a fault, `file:line: field: what to do`.
    """

    def __init__(self, origin: str, *faults: Fault) -> None:
        super().__init__("\n".join(f"{origin}:{fault}" if fault.line else f"{origin}: {fault}" for fault in faults))
        self.origin, self.faults = origin, faults


class Document(NamedTuple):
    """A file after reading: its name in sentences, its content, and the line of each part."""

    origin: str
    content: Any
    root: yaml.Node

    def model(self, model: type[M]) -> M:
        """The content as a model. Raises `DocumentError` with all faults."""
        try:
            return model.model_validate(self.content)
        except ValidationError as error:
            raise DocumentError(self.origin, *(self._fault(dict(detail)) for detail in error.errors())) from None

    def fault(self, place: Iterable[int | str], message: str) -> Fault:
        """A fault at a place of the content."""
        place = tuple(place)
        return Fault(_line(self.root, place), ".".join(str(part) for part in place), message)

    def _fault(self, detail: Mapping[str, Any]) -> Fault:
        return self.fault(detail["loc"], _WHAT_TO_DO.get(detail["type"]) or detail["msg"].removeprefix("Value error, "))


def read_file(path: Path) -> Document:
    """The document of a file. Raises `DocumentError`, or `OSError`."""
    return read_bytes(path.read_bytes(), str(path))


def read_bytes(content: bytes, origin: str) -> Document:
    """The document of a file's content in UTF-8."""
    try:
        return read(content.decode(), origin)
    except UnicodeDecodeError as error:
        raise DocumentError(origin, Fault(0, "", f"not UTF-8 ({error.reason} at byte {error.start})")) from None


def read(text: str, origin: str) -> Document:
    """The document of a text; `origin` is the file's name in a `DocumentError`."""
    try:
        reader = _Reader(text)
        root = reader.get_single_node()
        if root is None:
            raise DocumentError(origin, Fault(1, "", "the file is empty"))
        return Document(origin, reader.construct_document(root), root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise DocumentError(origin, Fault(line, "", f"not readable as YAML: {error.problem}")) from None
    except yaml.YAMLError as error:
        raise DocumentError(origin, Fault(0, "", f"not readable as YAML: {error}")) from None


class _Reader(yaml.CBaseLoader):
    """YAML that keeps every scalar as text. Only the model decides the meaning of `17:30` or `no`."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is a single word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} stands twice; keep one", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_WHAT_TO_DO = {
    "missing": "is missing; add it",
    "extra_forbidden": "is unknown; correct its name or remove it",
    "tuple_type": "write a list, for example [a, b]",
}


def _line(root: yaml.Node, place: Iterable[int | str]) -> int:
    """The line of a place, or of its innermost part that the file has."""
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
