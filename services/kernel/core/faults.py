"""The faults of what somebody wrote, in words for its author."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas import lists
from schemas.fields import PostCode, UnitCode
from schemas.lists import CategoryCode
from schemas.pack.source import PackId, Slug


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
            told = what_to_do[detail["type"]].format_map(context)
        yield detail["loc"], told


def _pattern(kind: Any) -> str:
    """The form of a kind of text."""
    return str(TypeAdapter(kind).json_schema()["pattern"])


_WHAT_TO_DO = {
    "missing": "is missing; add it",
    "extra_forbidden": "is unknown; correct its name or remove it",
    "tuple_type": "write a list, for example [a, b]",
    "model_type": "write fields under it, for example `code: major`",
    "dict_type": "write fields under it, for example `code: major`",
    "string_type": "write a text",
    "string_too_short": "write a text; this is empty",
    "string_too_long": "is too long; it should have at most {max_length} characters",
    "too_short": "should have at least {min_length} of them",
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "greater_than_equal": "should be at least {ge}",
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "literal_error": "should be {expected}",
    "date_from_datetime_parsing": "write a date, for example 2026-01-01",
    "date_parsing": "write a date, for example 2026-01-01",
}
_NO_FORM = "has not the form that is asked for here; the files of this project show it"
_SLUG = "write small Latin letters, digits and underscores, first a letter, for example leading_group"
_FORMS = {
    **dict.fromkeys((_pattern(Slug), _pattern(lists.Slug), _pattern(PostCode)), _SLUG),
    _pattern(PackId): "write small Latin letters and digits, with single hyphens between, for example county-default",
    _pattern(UnitCode): "write small Latin letters, digits and hyphens, for example town-east",
    _pattern(CategoryCode): "write small Latin letters and underscores, with dots between, for example roads.lamps",
}
