"""Forms of commands, made from the documents of the services' APIs.

One verb has one form. A field of a request body becomes a control by its shape: a unit is chosen from the tree, a post
from the directories, a code from the pack, words get an area, an instant a line of text. What a person typed comes back
in the form whenever a service refuses it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from importlib import resources
from itertools import chain
from typing import Any, Literal
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from schemas.fields import parse_instant
from schemas.titles import Language
from services.console import words
from services.console.labels import EMPTY, FIELDS, HINTS, HINTS_OF_VERB, KINDS, NEEDED, OF_VERB
from services.console.words import N_, typed_end, typed_moment

SERVICES = ("ingest", "triage", "escalation", "publish", "audit")
ROWS = 7
"""Rows of a list of entries, such as the duties of a week."""
LATE = ("happened_at", "late_reason")
"""Fields of what is entered later. They stand folded away at the end of a form."""
MORE = ("share", "due")
"""Fields that most leave empty. They stand after the others."""
ENDS = ("due", "until", "review", "next_at")
"""Times by which something is to be done or ends."""
LONG = 1000
"""A text that may be longer than this gets an area,"""
LINES = ("subject", "title", "place", "url", "source", "external_id", "reply_ref", "name", "address")
"""unless people write one line of it."""
Kind = Literal["line", "words", "time", "number", "yes_no", "choice", "choices", "lines", "rows"]
Choices = Mapping[str, Sequence[tuple[str, str]]]
"""Field name -> values with their titles."""


@dataclass(frozen=True, slots=True)
class Control:
    """A field of a form."""

    name: str
    kind: Kind
    required: bool
    title: str
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    shortest: int = 0
    longest: int | None = None
    value: Any = ""
    """What stands in it: a text, or a list of texts for `choices`."""
    fault: str = ""
    is_figure: bool = False
    """Whether the API takes a number."""
    rows: tuple[tuple["Control", ...], ...] = ()
    """The fields of each entry of a list, named `duties.0.post`."""

    def at_fault(self, told: str) -> "Control":
        """The same control with a fault."""
        return replace(self, fault=told)

    @property
    def is_text(self) -> bool:
        """Whether people write in it as long as they like, within its limits of length."""
        return self.kind in ("line", "words") and not self.is_figure

    @property
    def is_late(self) -> bool:
        """Whether it is for what is entered later."""
        return self.name in LATE


@dataclass(frozen=True, slots=True)
class Operation:
    """A command of an API."""

    service: str
    method: str
    path: str
    about: str
    schema: Mapping[str, Any] = field(repr=False)
    shared: Mapping[str, Any] = field(repr=False)

    def address(self, **values: str) -> str:
        """The path with its parameters."""
        return self.path.format(**values)


class Documents:
    """The commands of the five APIs."""

    def command(self, service: str, path: str, method: str = "post") -> Operation | None:
        """The command at a path of a service's API, below its prefix: `incidents/{id}/assign`."""
        return _operations().get((service, method, path))


@lru_cache
def _operations() -> dict[tuple[str, str, str], Operation]:
    found = {}
    for service in SERVICES:
        document = json.loads(resources.files("schemas").joinpath("openapi", f"{service}.json").read_text())
        shared = document["components"]["schemas"]
        for path, methods in document["paths"].items():
            for method, one in methods.items():
                if method == "get":
                    continue
                content = one.get("requestBody", {}).get("content", {}).get("application/json", {})
                schema = _resolved(content.get("schema", {}), shared)
                short = path.removeprefix(f"/{service}/v1/")
                about = (one.get("description") or "").strip()
                found[service, method, short] = Operation(service, method, path, about, schema, shared)
    return found


def _resolved(schema: Mapping[str, Any], shared: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        return shared[schema["$ref"].rpartition("/")[2]]  # type: ignore[no-any-return]
    if options := schema.get("anyOf"):
        some = [_resolved(one, shared) for one in options if one.get("type") != "null"]
        return some[0] if len(some) == 1 else {"type": "any"}
    return schema


def controls(
    operation: Operation,
    choices: Choices,
    language: Language,
    *,
    without: Sequence[str] = (),
    needs: Sequence[str] = (),
) -> list[Control]:
    """The controls of a command's form, in the order of its model; what most leave empty comes last.

    `needs` are fields that the body may leave out, and this record may not.
    """
    needed = operation.schema.get("required", ())
    found = [
        _control(name, _resolved(one, operation.shared), name in needed, choices, language, operation.shared)
        for name, one in operation.schema.get("properties", {}).items()
        if name not in without
    ]
    verb, text = operation.path.rpartition("/")[2], words.translations(language).gettext
    own = [
        replace(
            one,
            title=text(OF_VERB[verb, one.name]) if (verb, one.name) in OF_VERB else one.title,
            hint=text(HINTS_OF_VERB[verb, one.name]) if (verb, one.name) in HINTS_OF_VERB else one.hint,
            required=one.required or one.name in needs or (verb, one.name) in NEEDED,
        )
        for one in found
    ]
    own = [
        replace(one, hint=text(EMPTY[verb, one.name])) if (verb, one.name) in EMPTY and not one.required else one
        for one in own
    ]
    return sorted(own, key=lambda one: (one.is_late, one.name in MORE))


def _control(
    name: str,
    schema: Mapping[str, Any],
    required: bool,
    choices: Choices,
    language: Language,
    shared: Mapping[str, Any],
) -> Control:
    text = words.translations(language).gettext
    made = Control(
        name,
        "line",
        required,
        text(FIELDS.get(name, name)),
        text(HINTS[name]) if name in HINTS else "",
        shortest=schema.get("minLength", 0),
        # A code is right or wrong, however long it is.
        longest=None if "pattern" in schema else schema.get("maxLength"),
        is_figure=schema.get("type") in ("integer", "number"),
    )
    if schema.get("type") == "array":
        inner = _resolved(schema.get("items", {}), shared)
        if inner.get("type") == "object":
            return replace(
                made, kind="rows", rows=tuple(_row(name, at, inner, choices, language, shared) for at in range(ROWS))
            )
        known = _known(name, inner, choices, language)
        return replace(made, kind="choices" if known else "lines", choices=known, value=[] if known else "")
    if schema.get("type") == "boolean":
        return replace(made, kind="yes_no", value="no" if schema.get("default") is False else "")
    if known := _known(name, schema, choices, language):
        return replace(made, kind="choice", choices=known, value=str(schema.get("default") or ""))
    if made.is_figure:
        return replace(made, kind="number")
    if schema.get("format") == "date-time":
        return replace(made, kind="time", hint=made.hint or text(_as_typed(made.name)))
    return replace(made, kind="words" if (schema.get("maxLength") or 0) > LONG and name not in LINES else "line")


def _row(
    name: str, at: int, schema: Mapping[str, Any], choices: Choices, language: Language, shared: Mapping[str, Any]
) -> tuple[Control, ...]:
    needed = schema.get("required", ())
    made = (
        _control(of, _resolved(one, shared), of in needed, choices, language, shared)
        for of, one in schema["properties"].items()
    )
    return tuple(replace(one, name=f"{name}.{at}.{one.name}") for one in made)


def _known(name: str, schema: Mapping[str, Any], choices: Choices, language: Language) -> tuple[tuple[str, str], ...]:
    """The values among which a field chooses: those of the page, of the API's enumeration, units or posts."""
    if name in choices:
        return tuple(choices[name])
    if enumerated := schema.get("enum"):
        return tuple((value, _title(value, language)) for value in enumerated)
    pattern = str(schema.get("pattern", ""))
    if pattern.startswith("^[a-z][a-z0-9_]{0,59}@"):
        return tuple(choices.get("posts", ()))
    if pattern == "^[a-z0-9][a-z0-9-]{0,63}$":
        return tuple(choices.get("units", ()))
    return ()


def _title(code: str, language: Language) -> str:
    kind = KINDS.get(code)
    return str(words.translations(language).gettext(kind)) if kind else words.title(code, language)


def filled(made: Sequence[Control], form: FormData | Mapping[str, Any]) -> list[Control]:
    """The same controls with what a person typed."""

    def value(one: Control) -> Any:
        if not isinstance(form, FormData):
            return form.get(one.name, [] if one.kind == "choices" else one.value)
        # The service that has the choices may have gone down, or come back, since the form was opened.
        given = [str(chosen) for chosen in form.getlist(one.name)]
        if one.kind == "choices":
            return [line.strip() for chosen in given for line in chosen.splitlines() if line.strip()]
        return "\n".join(given) if one.kind == "lines" and given else form.get(one.name, one.value)

    def known(one: Control) -> tuple[tuple[str, str], ...]:
        """The choices, with what was chosen although it is no choice now: its list may be of a service that is down."""
        if not isinstance(form, FormData) or one.kind not in ("choice", "choices"):
            return one.choices
        chosen = value(one) if one.kind == "choices" else [str(form.get(one.name) or "")]
        return (*one.choices, *((code, code) for code in chosen if code and code not in dict(one.choices)))

    return [
        replace(one, value=value(one), choices=known(one), rows=tuple(tuple(filled(row, form)) for row in one.rows))
        for one in made
    ]


def body(made: Sequence[Control], zone: ZoneInfo, now: datetime, text: Any) -> tuple[dict[str, Any], list[Control]]:
    """The request body of filled controls, and the controls with their faults. Empty fields are left out."""
    sent: dict[str, Any] = {}
    judged = []
    for one in made:
        rows, given, fault = one.rows, None, ""
        if rows:
            given, rows, fault = _entries(rows, zone, now, text)
        else:
            given, fault = _read(one, zone, now, text)
        if given not in (None, "", []):
            sent[one.name] = given
        elif one.required and not fault:
            fault = text(N_("请填写“%(title)s”")) % {"title": one.title}
        judged.append(replace(one, fault=fault, rows=rows))
    return sent, judged


def _entries(
    rows: tuple[tuple[Control, ...], ...], zone: ZoneInfo, now: datetime, text: Any
) -> tuple[list[dict[str, Any]], tuple[tuple[Control, ...], ...], str]:
    """The entries of the rows in which somebody typed."""
    entries, judged, fault = [], [], ""
    for row in rows:
        if not any(str(one.value or "").strip() for one in row):
            judged.append(row)
            continue
        sent, read = body(row, zone, now, text)
        entries.append({name.rpartition(".")[2]: value for name, value in sent.items()})
        judged.append(tuple(read))
        fault = fault or next((one.fault for one in read if one.fault), "")
    return entries, tuple(judged), fault


def _is_end(name: str) -> bool:
    return name.rpartition(".")[2] in ENDS


def _as_typed(name: str) -> str:
    """How a time is typed."""
    if _is_end(name):
        return N_("写成 11-25 21:07 或 21:07；只写日期，如 11-25 或 2026-11-25，就是到那天结束")
    return N_("写成 11-25 21:07 或 21:07")


def _read(one: Control, zone: ZoneInfo, now: datetime, text: Any) -> tuple[Any, str]:
    if one.kind == "choices":
        return list(one.value), ""
    typed = str(one.value or "").strip()
    if not typed:
        return None, ""
    match one.kind:
        case "time":
            found = (typed_end if _is_end(one.name) else typed_moment)(typed, zone, now)
            return found, "" if found else text(_as_typed(one.name))
        case _ if one.is_figure:
            try:
                return int(typed), ""
            except ValueError:
                return None, text(N_("只写阿拉伯数字"))
        case "yes_no":
            return typed == "yes", ""
        case "lines":
            return [line.strip() for line in typed.splitlines() if line.strip()], ""
    if len(typed) < one.shortest:
        return typed, text(N_("至少 %(shortest)d 字，现在有 %(length)d 字")) % {
            "shortest": one.shortest,
            "length": len(typed),
        }
    if one.longest and len(typed) > one.longest:
        return typed, text(N_("最多 %(longest)d 字，现在有 %(length)d 字")) % {
            "longest": one.longest,
            "length": len(typed),
        }
    return typed, ""


def faults_of(problem: Mapping[str, Any], made: Sequence[Control]) -> list[Control]:
    """The controls with a service's complaint at the field that it names."""
    named = str(problem.get("field") or "").partition(".")[0].partition("[")[0]
    return [replace(one, fault=str(problem.get("detail", ""))) if one.name == named else one for one in made]


def titles_of(made: Sequence[Control]) -> dict[str, str]:
    """Name -> title of the fields of a form, and of those of its entries."""
    return {field.name.rpartition(".")[2]: field.title for one in made for field in (one, *chain(*one.rows))}


def named(told: str, titles: Mapping[str, str], language: Language) -> str:
    """A service's sentence with the titles of a form's fields for their names, as in `evidence.0` or `until`.

    In English a name can be an ordinary word of the sentence, so it stays.
    """
    if language != "zh" or not titles:
        return told
    names = "|".join(re.escape(name) for name in sorted(titles, key=len, reverse=True))
    found = re.compile(rf"(?<![\w@./-]) ?({names})(?:\.\d+)?(?:\.({names}))?(?![\w@./-]) ?", re.ASCII)
    return found.sub(lambda one: f"“{titles[one[2] or one[1]]}”", told)


def shown_time(written: str | None, zone: ZoneInfo) -> str:
    """An instant as a person would type it."""
    return parse_instant(written).astimezone(zone).strftime("%Y-%m-%d %H:%M") if written else ""
