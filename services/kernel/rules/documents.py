"""YAML files of the policy folder, and packs from requests. Each fault is reported with its line and column."""

import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from schemas.said import Said, chinese
from services.kernel.core.faults import faults_of

M = TypeVar("M", bound=BaseModel)

MAX_BYTES = 262_144
MAX_DEPTH = 30
MAX_SIZE = 262_144
"""The most characters of the keys and values of a document, with one more for each. An alias counts as what it stands
for."""
MAX_FAULTS = 100
"""So many faults of one document are told, each with its place. A text of another kind may have one in each line."""


class Fault(NamedTuple):
    """One fault of a file, and what to do about it."""

    line: int
    """The line in the file, from 1; 0 if the fault is not in the text."""
    field: str
    """Dotted: `levels.1.conditions.0.when`."""
    message: str
    """What is wrong and what to do, in English; a `Said` has it in Chinese, too."""
    column: int = 1
    """The column in that line, from 1."""

    def __str__(self) -> str:
        place = f"{self.line}:{self.column}" if self.line else ""
        return ": ".join(part for part in (place, self.field, self.message) if part)


class DocumentError(ValueError):
    """A file that cannot be used.

    The text is for the file's author: one line a fault, `file:line:column: field: what to do`.
    """

    def __init__(self, origin: str, *faults: Fault) -> None:
        super().__init__("\n".join(f"{origin}:{fault}" if fault.line else f"{origin}: {fault}" for fault in faults))
        self.origin, self.faults = origin, faults


class Document(NamedTuple):
    """A file after reading: its name in sentences, its content, the line of each part, and its text."""

    origin: str
    content: Any
    root: yaml.Node
    text: str

    def model(self, model: type[M]) -> M:
        """The content as a model. Raises `DocumentError` with all faults, or the first ones and how many more."""
        try:
            return model.model_validate(self.content)
        except ValidationError as error:
            found = list(faults_of(error))
        told, more = [self._fault(*fault) for fault in found[:MAX_FAULTS]], len(found) - MAX_FAULTS
        if more > 0:
            told.append(self.fault(found[MAX_FAULTS][0], _more(more)))
        raise DocumentError(self.origin, *told)

    def fault(self, place: Iterable[int | str], message: str) -> Fault:
        """A fault at a place of the content."""
        place = tuple(place)
        mark = _mark(self.root, place)
        return Fault(mark.line + 1, ".".join(str(part) for part in place), message, mark.column + 1)

    def _fault(self, place: tuple[int | str, ...], told: str) -> Fault:
        if not place and (named := _PLACED.fullmatch(told)):
            # A check of the whole document names the place in its sentence.
            place = tuple(int(part) if part.isdigit() else part for part in named[1].split("."))
            told = Said(named[2], chinese(told).removeprefix(f"{named[1]}: "))
        return self.fault(place, told)


def read_file(path: Path) -> Document:
    """The document of a file. Raises `DocumentError`, or `OSError`."""
    with path.open("rb") as file:
        return read_bytes(file.read(MAX_BYTES + 1), str(path))


def read_bytes(content: bytes, origin: str) -> Document:
    """The document of a file's content in UTF-8."""
    if len(content) > MAX_BYTES:
        raise DocumentError(origin, Fault(1, "", TOO_LARGE))
    try:
        return read(content.decode(), origin)
    except UnicodeDecodeError as error:
        raise DocumentError(origin, Fault(0, "", _not_utf8(error))) from None


def read(text: str, origin: str) -> Document:
    """The document of a text; `origin` is the file's name in a `DocumentError`."""
    try:
        _check_depth(text)
        reader = _Reader(text)
        root = reader.get_single_node()
        if root is None:
            raise DocumentError(origin, Fault(1, "", Said("the file is empty", "文件是空的")))
        _measure(root, {})
        return Document(origin, reader.construct_document(root), root, text)
    except yaml.MarkedYAMLError as error:
        line, column = (error.problem_mark.line, error.problem_mark.column) if error.problem_mark else (0, 0)
        raise DocumentError(origin, Fault(line + 1, "", _unreadable(error.problem), column + 1)) from None
    except yaml.YAMLError as error:
        raise DocumentError(origin, Fault(1, "", _unreadable(error))) from None


def _check_depth(text: str) -> None:
    """The parser builds nested parts by recursion in C, which a deep text would end with the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Reader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _at(
                    event,
                    Said(
                        f"parts stand in each other more than {MAX_DEPTH} deep; write it flatter",
                        f"嵌套超过 {MAX_DEPTH} 层，请减少层次",
                    ),
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _measure(node: yaml.Node, known: dict[int, int]) -> int:
    """The size of a node. An alias is the very node that it stands for, so each node is measured once."""
    if id(node) in known:
        if not known[id(node)]:
            raise _at(node, Said("an alias stands for a part around it", "别名（*）指向了包含它的部分"))
        return known[id(node)]
    known[id(node)] = 0
    if isinstance(node, yaml.SequenceNode):
        size = sum(_measure(one, known) for one in node.value)
    elif isinstance(node, yaml.MappingNode):
        size = sum(_measure(one, known) for pair in node.value for one in pair)
    else:
        size = len(node.value)
    if size > MAX_SIZE:
        raise _at(
            node,
            Said(
                f"has more than {MAX_SIZE:,} characters, with each alias as what it stands for; write less",
                f"展开别名以后超过 {MAX_SIZE:,} 个字符，请精简",
            ),
        )
    known[id(node)] = size + 1
    return size + 1


TOO_LARGE = Said(
    f"is larger than {MAX_BYTES:,} bytes; split it, or remove a part", f"超过 {MAX_BYTES:,} 字节，请拆开或删去一部分"
)


def _more(count: int) -> Said:
    return Said(f"here, and in other places, are {count:,} more faults", f"这里和别处还有 {count:,} 处错误")


def _not_utf8(error: UnicodeDecodeError) -> Said:
    told = f"not UTF-8 ({error.reason} at byte {error.start})"
    return Said(told, f"不是 UTF-8 编码（第 {error.start} 字节起）")


def _unreadable(problem: object) -> Said:
    """A fault of the YAML itself. The parser tells its own in English alone."""
    own = problem.zh if isinstance(problem, Said) else "请检查缩进、冒号、引号和括号"
    return Said(f"not readable as YAML: {problem}", f"不是有效的 YAML：{own}")


def _at(part: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=part.start_mark)


class _Reader(yaml.CBaseLoader):
    """YAML that keeps every scalar as text. Only the model decides the meaning of `17:30` or `no`."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _at(key, Said("a key is a single word", "键只能是一个词"))
            if key.value in seen:
                raise _at(key, Said(f"{key.value!r} stands twice; keep one", f"“{key.value}”重复了，请只留一个"))
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_PLACED = re.compile(r"([a-z_]+(?:\.\w+)*): (.+)", re.DOTALL)


def _mark(root: yaml.Node, place: Iterable[int | str]) -> yaml.Mark:
    """Where a place is, or its innermost part that the file has."""
    node, mark = root, root.start_mark
    for part in place:
        step = _step(node, part)
        if step is None:
            break
        mark, node = step
    return mark


def _step(node: yaml.Node, part: int | str) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return (node.value[part].start_mark, node.value[part]) if part < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark, value
    return None
