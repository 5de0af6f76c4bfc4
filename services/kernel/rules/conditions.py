"""Conditions of a pack, in CEL: what they may name, their check at loading, and the level that they propose. Pure.

A condition compares names of the context with numbers and texts, and joins the comparisons by `&&`, `||` and `!`. It
may add, subtract, and count flags with `size`. The language has nothing else here: no division, product, macro or
function of texts. So the work for a condition grows with its length only.
"""

import functools
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cel_expr_python import cel
from pydantic import BaseModel, ConfigDict

from schemas.fields import Figure
from schemas.pack import PolicyPack
from schemas.pack.clocks import ClockRule
from schemas.pack.levels import Condition
from schemas.pack.reports import ReportRule
from schemas.pack.source import rules
from schemas.said import Said
from services.kernel.core.units import LoadedPack


class Figures(BaseModel):
    """Totals of a matter. None is unknown: a comparison with it does not hold, nor does its negation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clicks: Figure | None = None
    comments: Figure | None = None
    mainstream_sites: Figure | None = None
    shares: Figure | None = None
    reports: Figure | None = None

    def highest(self, other: "Figures") -> "Figures":
        """The larger one of each figure. What is unknown in one of them is as in the other."""
        known = {name: value for name, value in self if value is not None}
        further = {name: value for name, value in other if value is not None and value >= known.get(name, 0)}
        return Figures(**{**known, **further})


class Context(BaseModel):
    """Everything that a condition may look at.

    `figures` and `harm` are unknown if they are None. A text that is None is empty in conditions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    figures: Figures = Figures()
    flags: frozenset[str] = frozenset()
    periods: frozenset[str] = frozenset()
    """The special periods of the accountable unit: now for a chain, at the start of a clock or report for that."""
    harm: int | None = None
    """The step of the pack's scale that was judged."""
    category: str | None = None
    channel: str | None = None
    unit: str | None = None
    """The kind of the accountable unit; `unit.kind` in conditions."""
    answer_kind: str | None = None
    level: str | None = None
    statement_kind: str | None = None
    statement_form: str | None = None
    """`statement.form` in conditions."""
    doubtful: bool = False
    secret: bool = False
    major_information: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """The value of each name that is known, as conditions see it."""
        plain = {name: getattr(self, name) for name in ("harm", "doubtful", "secret", "major_information")}
        texts = {name: getattr(self, _FIELDS.get(name, name)) or "" for name in _TEXTS}
        known = {**{f"figures.{name}": value for name, value in self.figures}, **plain}
        return (
            {name: value for name, value in known.items() if value is not None}
            | texts
            | {"flags": sorted(self.flags), "periods": sorted(self.periods)}
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """The level that the facts propose; a person decides. `inputs` is what the conditions saw, ready for JSON."""

    level: str
    rule: str
    """`<level>/<condition>`, or `<level>/otherwise` if no condition held."""
    inputs: Mapping[str, Any]


def propose_level(
    pack: LoadedPack, figures: Figures, flags: Collection[str] = (), harm: int | None = None
) -> Proposal | None:
    """The highest level with a condition that holds; the lowest level if none does. Pure.

    None if the pack's levels have no conditions: then a person judges without a proposal. A flag that the pack does not
    declare counts for nothing and is not among the inputs.
    """
    levels = pack.model.levels
    if not any(level.conditions for level in levels):
        return None
    declared = {flag.code for flag in pack.model.flags}
    context = Context(figures=figures, flags=frozenset(declared.intersection(flags)), harm=harm)
    inputs, values = {"figures": figures.model_dump(), "flags": sorted(context.flags), "harm": harm}, context.values
    for level in reversed(levels):
        for condition in level.conditions:
            if _holds(condition.when, values):
                return Proposal(level.code, f"{level.code}/{condition.code}", inputs)
    return Proposal(levels[0].code, f"{levels[0].code}/otherwise", inputs)


def holds(when: str | None, context: Context) -> bool:
    """Whether a condition of a chain, a clock or a report holds. None always holds. Pure."""
    return when is None or _holds(when, context.values)


def faults(pack: PolicyPack) -> Iterator[tuple[tuple[str | int, ...], Said]]:
    """What is wrong with the pack's conditions: the place of each, and a sentence with line and column within it."""
    codes = pack.codes
    for place, rule in rules(pack):
        if when := getattr(rule, "when", None):
            try:
                check(when, codes, _language_of(rule))
            except ValueError as error:
                where = (int(part) if part.isdigit() else part for part in place.split("."))
                yield (*where, "when"), error.args[0]


def check(when: str, codes: Mapping[str, Collection[str]], language: "_Language | None" = None) -> None:
    """Raises `ValueError` with line and column unless the condition is well formed, well typed and decides something.

    `codes` are the texts that a name can have. A name that is not there can have any.
    """
    (language or _CHOOSING).compile(when)
    compared = [found for form in _COMPARED for found in form.finditer(when)]
    for text in _QUOTED.finditer(when):
        found = next((one for one in compared if one.start() <= text.start() < one.end()), None)
        if found is None:
            raise ValueError(
                _placed(
                    when,
                    text.start(),
                    f"compare {text[0]} with a name, such as level == 'major'",
                    f"请把 {text[0]} 和一个名称比较，例如 level == 'major'",
                )
            )
        known = codes.get(found["name"].replace(" ", ""))
        if known is not None and text[0][1:-1] not in ("", *known):
            told = f"known are {', '.join(known)}" if known else "this pack declares none"
            there = f"已有 {'、'.join(known)}" if known else "这个规则包一个也没有"
            raise ValueError(
                _placed(
                    when,
                    text.start(),
                    f"{text[0]} is no code of {found['name']}; {told}",
                    f"{text[0]} 不是 {found['name']} 的代码；{there}",
                )
            )
    if "\\" in when:
        # An escaped text is none that was checked above.
        at = when.index("\\")
        raise ValueError(_placed(when, at, "write codes as they are, without \\", "代码请照原样写，不用 \\"))


_FIELDS = {"unit.kind": "unit", "statement.form": "statement_form"}
_TEXTS = ("category", "channel", "unit.kind", "answer_kind", "level", "statement_kind", "statement.form")
_FACTS = {
    **{f"figures.{name}": cel.Type.INT for name in Figures.model_fields},
    "flags": cel.Type.List(cel.Type.STRING),
    "harm": cel.Type.INT,
}
_NAMES = {
    **_FACTS,
    **dict.fromkeys(_TEXTS, cel.Type.STRING),
    **dict.fromkeys(("doubtful", "secret", "major_information"), cel.Type.BOOL),
    "periods": cel.Type.List(cel.Type.STRING),
}
"""The names that conditions may use, with their types."""

_OTHERWISE = {"period": "; several can go on at once, so write 'festival' in periods"}
"""What people write for a name, and what they mean."""

_LANGUAGE = """
name: conditions
stdlib:
  exclude_macros: [has, all, exists, exists_one, map, filter]
  include_functions:
    - {name: "_&&_"}
    - {name: "_||_"}
    - {name: "!_"}
    - {name: "_==_"}
    - {name: "_!=_"}
    - {name: "_<_", overloads: [{id: less_int64}]}
    - {name: "_<=_", overloads: [{id: less_equals_int64}]}
    - {name: "_>_", overloads: [{id: greater_int64}]}
    - {name: "_>=_", overloads: [{id: greater_equals_int64}]}
    - {name: "_+_", overloads: [{id: add_int64}]}
    - {name: "_-_", overloads: [{id: subtract_int64}]}
    - {name: "@in", overloads: [{id: in_list}]}
    - {name: size, overloads: [{id: size_list}]}
"""

_TEXT = r"(?:'[^'\\\n]*'|\"[^\"\\\n]*\")"
_NAME = r"(?P<name>[a-z_]+(?:\s*\.\s*[a-z_]+)?)"
_QUOTED = re.compile(_TEXT)
_COMPARED = tuple(
    re.compile(form)
    for form in (
        rf"{_NAME}\s*[!=]=\s*{_TEXT}",
        rf"{_TEXT}\s*[!=]=\s*{_NAME}",
        rf"{_TEXT}\s+in\s+{_NAME}",
        rf"{_NAME}\s+in\s*\[\s*{_TEXT}(?:\s*,\s*{_TEXT})*\s*\]",
    )
)
_FAULT = re.compile(r"<input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '(.+)' \(in container ''\)")

_MIXED = re.compile(r"found no matching overload for '(.+)' applied to '\((.*)\)'")
_KINDS = {
    "int": "a number",
    "string": "a text",
    "bool": "yes or no",
    "double": "a fraction",
    "null_type": "null",
    "list(string)": "a list of texts",
}
_TAKES = "compare numbers with whole numbers, texts with texts, and join comparisons by &&, || and !"
_ONLY = "数字和整数比较，文字和文字比较，用 &&、||、! 连接"


@dataclass(frozen=True)
class _Language:
    """CEL with some of the names."""

    names: Mapping[str, cel.Type]
    others: str
    """Why a further name of the context is missing."""

    @functools.cached_property
    def environment(self) -> cel.Env:
        return cel.NewEnv(config=cel.NewEnvConfigFromYaml(_LANGUAGE), variables=dict(self.names))

    def compile(self, when: str) -> cel.Expression:
        """The condition, checked by its types. Raises `ValueError`."""
        try:
            expression = self.environment.compile(when)
        except RuntimeError as error:
            raise ValueError(self._told(when, str(error))) from None
        if expression.return_type() != cel.Type.BOOL:
            given = expression.return_type().name()
            raise ValueError(
                _placed(
                    when,
                    0,
                    f"this gives {given}; a condition is true or false",
                    f"结果是 {given}；条件的结果只能是真或假",
                )
            )
        return expression

    def _told(self, when: str, message: str) -> Said:
        """The first fault in words, with its place."""
        found = sorted((int(line), int(column), told) for line, column, told in _FAULT.findall(message))
        if not found:
            first = message.splitlines()[0]
            return _placed(
                when,
                0,
                f"this is too deep or too long; write several conditions ({first})",
                "太长或嵌套太深，请分成几个条件写",
            )
        line, column, told = found[0]
        there = f"这里的写法不对；{_ONLY}"
        if unknown := _UNDECLARED.fullmatch(told):
            name = unknown[1]
            if operator := re.fullmatch(r"[_\W]+", name):
                sign = operator[0].replace("_", "")
                told = f"{sign!r} is no part of conditions; compare figures with numbers"
                there = f"条件里不能用“{sign}”；请把数量和数字比较"
            else:
                # CEL points at the last dot.
                column -= len(name.rpartition(".")[0])
                why = self.others if name in _NAMES else _OTHERWISE.get(name, "")
                told = f"{name!r} is unknown{why}; known are {', '.join(self.names)}"
                there = f"这里没有“{name}”，可用的有 {'、'.join(self.names)}"
        elif mixed := _MIXED.fullmatch(told):
            types = (_KINDS.get(one, one) for one in mixed[2].split(", "))
            told = f"{mixed[1].strip('_@')!r} does not take {' and '.join(types)} here; {_TAKES}"
            there = f"“{mixed[1].strip('_@')}”两边的类型不合；{_ONLY}"
        return Said(f"line {line}, column {column}: {told}", f"第 {line} 行第 {column} 列：{there}")


_CHOOSING = _Language(_NAMES, "")
"""For conditions that choose a chain, a clock or a report."""
_GRADING = _Language(_FACTS, " to levels")
"""For conditions of levels. Neither the category nor whom a matter concerns makes it graver."""


_OWING = _Language(
    {name: _NAMES[name] for name in ("category", "channel", "unit.kind", "answer_kind", "level", "periods")},
    " to limits and reports",
)
"""For conditions of clocks and reports. They see what the course of a matter tells them, and nothing else."""


def _language_of(rule: object) -> _Language:
    if isinstance(rule, Condition):
        return _GRADING
    return _OWING if isinstance(rule, ClockRule | ReportRule) else _CHOOSING


@functools.lru_cache(maxsize=4096)
def _compiled(when: str) -> cel.Expression:
    return _CHOOSING.compile(when)


def _holds(when: str, values: Mapping[str, Any]) -> bool:
    """What is unknown, or too large to add, makes no condition hold and raises nothing."""
    return _compiled(when).eval(data=values).value() is True


def _placed(when: str, start: int, en: str, zh: str) -> Said:
    line, column = when.count("\n", 0, start) + 1, start - when.rfind("\n", 0, start)
    return Said(f"line {line}, column {column}: {en}", f"第 {line} 行第 {column} 列：{zh}")
