"""Templates of a pack: what a draft begins with. Pure.

They put values into a text and choose by `if`; nothing else of Jinja's language is known, so a template neither loops
nor calls anything. Names: `unit`, the name of the unit that speaks; `number` of the matter; and `facts`, those that are
established: `{{ facts.lamps }}` becomes the marker of the fact, so the draft stays bound to it. What may be missing is
asked for: `{% if facts.cause is defined %}`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from schemas.pack import PolicyPack
from schemas.said import Said

NAMES = ("unit", "number", "facts")
_KNOWN = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.If, nodes.Const, nodes.Test,
    nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand,
)  # fmt: skip


class _Unestablished(StrictUndefined):
    """A fact that a template says and that is not established. Its error says the key and nothing else."""

    @property
    def _undefined_message(self) -> str:
        return str(self._undefined_name)


class _Facts:
    """The markers by their keys. It has no attributes, so a key may have any name."""

    def __init__(self, markers: Mapping[str, str]) -> None:
        self.__markers = markers

    def __getitem__(self, key: str) -> str:
        return self.__markers[key]


_ENVIRONMENT = ImmutableSandboxedEnvironment(
    autoescape=False, undefined=_Unestablished, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
)
"""Nothing is escaped: the text is none of HTML, and the pages escape it."""


_TOO_DEEP = Said("this is nested too deep, or holds too large a number", "嵌套太深，或者数字太大")


@dataclass(frozen=True, slots=True)
class Begun:
    """Title and text with which a draft begins."""

    title: str
    text: str
    missing: tuple[str, ...] = ()
    """Keys of facts that it says and that are not established. Then title and text are empty."""


def faults(pack: PolicyPack) -> Iterator[tuple[tuple[str | int, ...], Said]]:
    """What is wrong with the pack's templates: the place of each, and a sentence with the line within it."""
    for at, template in enumerate(pack.templates):
        for name in ("title", "text"):
            if told := _fault(getattr(template, name)):
                yield ("templates", at, name), told


def fill(title: str, text: str, *, unit: str, number: str, facts: Iterable[str]) -> Begun:
    """A template with its values. `facts` are the keys of the established ones."""
    markers, missing = {key: "{{fact:" + key + "}}" for key in facts}, list[str]()
    while True:
        values = {"unit": unit, "number": number, "facts": _Facts({**markers, **dict.fromkeys(missing, "")})}
        try:
            head, body = (_ENVIRONMENT.from_string(one).render(values).strip() for one in (title, text))
        except UndefinedError as error:
            missing.append(str(error.message))
        else:
            return Begun("", "", tuple(missing)) if missing else Begun(head, body)


@lru_cache(maxsize=256)
def _fault(source: str) -> Said | None:
    try:
        tree = _ENVIRONMENT.parse(source)
        every = [tree, *tree.find_all(nodes.Node)]
    except TemplateSyntaxError as error:
        return Said(f"line {error.lineno}: {error.message}", f"第 {error.lineno} 行：写法不对（{error.message}）")
    except (RecursionError, ValueError):
        return _TOO_DEEP
    whole = {id(node.node) for node in every if isinstance(node, nodes.Getattr)}
    for node in every:
        if told := _fault_of(node, is_part=id(node) in whole):
            return Said(f"line {node.lineno}: {told}", f"第 {node.lineno} 行：{told.zh}")
    try:
        _ENVIRONMENT.from_string(source)
    except (SyntaxError, RecursionError, MemoryError):
        return _TOO_DEEP
    return None


def _fault_of(node: nodes.Node, *, is_part: bool) -> Said | None:
    if not isinstance(node, _KNOWN):
        return Said(
            f"{type(node).__name__.lower()} is no part of templates; they take {{{{ names }}}} and {{% if %}}",
            f"模板里不能用 {type(node).__name__.lower()}；只能写 {{{{ 名称 }}}} 和 {{% if %}}",
        )
    if isinstance(node, nodes.Name) and node.name not in NAMES:
        return Said(
            f"{node.name!r} is unknown; known are {', '.join(NAMES)}", f"没有“{node.name}”；可用的有 {'、'.join(NAMES)}"
        )
    if isinstance(node, nodes.Name) and node.name == "facts" and not is_part:
        return Said("facts are said one by one, such as facts.lamps", "事实要逐条写，例如 facts.lamps")
    if isinstance(node, nodes.Const) and not _is_text(node.value):
        return Said(f"{node.value!r} is no text; write it in quotes", f"{node.value!r} 不是文字，请加引号")
    if isinstance(node, nodes.Compare) and not all(map(_can_compare, (node.expr, *(one.expr for one in node.ops)))):
        return Said(
            "only unit, number and texts are compared; whether a fact is established is asked by `is defined`",
            "只能比较 unit、number 和文字；事实是否查明，用 is defined 判断",
        )
    if isinstance(node, nodes.Getattr) and not (isinstance(node.node, nodes.Name) and node.node.name == "facts"):
        return Said("only facts have parts, such as facts.lamps", "只有 facts 后面可以带点，例如 facts.lamps")
    if isinstance(node, nodes.Test) and node.name not in ("defined", "undefined"):
        return Said(f"the test {node.name!r} is unknown; known is defined", f"没有判断“{node.name}”；可用的是 defined")
    return None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _can_compare(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Name | nodes.Const)
