"""The faults of what somebody wrote, in words for its author."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas import lists
from schemas.fields import PostCode, UnitCode
from schemas.lists import CategoryCode
from schemas.pack.source import PackId, Slug
from schemas.said import Said, chinese


def faults_of(
    error: ValidationError, words: Mapping[str, str] | None = None
) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Each fault of a content: its place, and what to do about it.

    `words` are those of another format, by pydantic's kind of error. A list with a faulty entry counts as too short,
    too. This is told only of a list that the author wrote too short.
    """
    what_to_do = {**_WHAT_TO_DO, **(words or {})}
    for detail in error.errors():
        context: Mapping[str, Any] = detail.get("ctx") or {}
        if detail["type"] == "too_short" and len(detail["input"]) >= context["min_length"]:
            continue
        told = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "string_pattern_mismatch":
            told = _FORMS.get(context["pattern"], _NO_FORM)
        elif detail["type"] in what_to_do:
            form = what_to_do[detail["type"]]
            told = Said(form.format_map(context), chinese(form).format_map(context))
        elif isinstance(context.get("error"), ValueError) and context["error"].args:
            # A validator's own sentence, which may be in two languages.
            told = context["error"].args[0]
        yield detail["loc"], told


def _pattern(kind: Any) -> str:
    """The form of a kind of text."""
    return str(TypeAdapter(kind).json_schema()["pattern"])


_WHAT_TO_DO = {
    "missing": Said("is missing; add it", "没有写，请补上"),
    "extra_forbidden": Said("is unknown; correct its name or remove it", "没有这一项，请改正名称或删去"),
    "tuple_type": Said("write a list, for example [a, b]", "请写成列表，例如 [a, b]"),
    "string_type": Said("write a text", "请写文字"),
    "string_too_short": Said("write a text; this is empty", "这里是空的，请写文字"),
    "string_too_long": Said(
        "is too long; it should have at most {max_length} characters", "太长，最多 {max_length} 个字符"
    ),
    "too_short": Said("should have at least {min_length} of them", "至少要有 {min_length} 项"),
    "greater_than_equal": Said("should be at least {ge}", "至少是 {ge}"),
    "literal_error": Said("should be {expected}", "只能是 {expected}"),
    **dict.fromkeys(
        ("model_type", "dict_type"),
        Said("write fields under it, for example `code: major`", "请在下面写各项，例如 `code: major`"),
    ),
    **dict.fromkeys(("int_parsing", "int_type"), Said("write a whole number", "请写整数")),
    **dict.fromkeys(("bool_parsing", "bool_type"), Said("write true or false", "请写 true 或 false")),
    **dict.fromkeys(
        ("date_from_datetime_parsing", "date_parsing"),
        Said("write a date, for example 2026-01-01", "请写日期，例如 2026-01-01"),
    ),
}
_NO_FORM = Said(
    "has not the form that is asked for here; the files of this project show it",
    "写法不合这里的要求，可参看本项目的规则包",
)
_SLUG = Said(
    "write small Latin letters, digits and underscores, first a letter, for example leading_group",
    "请用小写拉丁字母、数字和下划线，以字母开头，例如 leading_group",
)
_FORMS = {
    **dict.fromkeys((_pattern(Slug), _pattern(lists.Slug), _pattern(PostCode)), _SLUG),
    _pattern(PackId): Said(
        "write small Latin letters and digits, with single hyphens between, for example county-default",
        "请用小写拉丁字母和数字，中间可用单个连字符，例如 county-default",
    ),
    _pattern(UnitCode): Said(
        "write small Latin letters, digits and hyphens, for example town-east",
        "请用小写拉丁字母、数字和连字符，例如 town-east",
    ),
    _pattern(CategoryCode): Said(
        "write small Latin letters and underscores, with dots between, for example roads.lamps",
        "请用小写拉丁字母和下划线，用点隔开，例如 roads.lamps",
    ),
}
