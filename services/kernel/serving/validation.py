"""Faults of a request's fields, parameters and headers: one sentence of our own, in plain words."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from schemas.fields import FORMS
from schemas.problems import TYPES
from schemas.titles import titled
from services.kernel.core.problems import Malformed

AUTHOR_FIELDS = frozenset(
    {
        "author",
        "author_id",
        "author_name",
        "user",
        "user_id",
        "username",
        "nickname",
        "account",
        "account_id",
        "poster",
        "poster_id",
        "reporter",
        "name",
        "first_name",
        "last_name",
        "real_name",
        "phone",
        "mobile",
        "tel",
        "email",
        "e_mail",
        "wechat",
        "qq",
        "ip",
        "ip_address",
        "device",
        "device_id",
        "id_card",
        "id_number",
        "identity",
        "profile",
        "profile_url",
        "avatar",
        "petitioner",
        "student",
        "patient",
        "contact",
        "gender",
        "age",
        "address_home",
    }
)
_TYPES = {
    "string": "text",
    "int": "integer",
    "float": "number",
    "finite": "number",
    "bool": "boolean",
    "datetime": "time",
    "timezone": "time",
    "date": "date",
    "list": "list",
    "tuple": "list",
    "dict": "object",
    "model": "object",
    "mapping": "object",
}
"""First word of pydantic's kind of error -> the expected value."""
_ID = re.compile(r"\^([a-z]+)-")


def malformed(error: RequestValidationError | ValidationError) -> Malformed:
    """The first fault of a request, as a problem that names its field. An author's field comes before all others."""
    faults = error.errors()
    fault: Mapping[str, Any] = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    field = ".".join(str(part) for part in fault["loc"] if part not in ("body", "query", "path", "header"))
    return _told(fault["type"], fault.get("ctx", {}), field or "body", str(fault["msg"]))


def _told(kind: str, context: Mapping[str, Any], field: str, message: str) -> Malformed:
    if kind in TYPES:  # our own validator
        return Malformed(f"{field}: {message}", code=kind, field=field, **context)
    if kind == "extra_forbidden":
        return _unknown(field)
    if kind == "missing":
        return Malformed(f"{field} is missing", code="field-missing", field=field)
    if kind in ("literal_error", "enum"):
        known = re.findall(r"'([^']*)'", str(context["expected"]))
        return Malformed(f"{field} is one of {', '.join(known)}", code="not-in-list", field=field, known=known)
    if kind == "string_too_short" and context["min_length"] == 1:
        return Malformed(f"{field} is empty; write something", code="blank", field=field)
    if kind in _LIMITS:
        code, member, sentence = _LIMITS[kind]
        limit = next(value for value in context.values() if isinstance(value, int | float))
        return Malformed(sentence(field, limit), code=code, field=field, **{member: limit})
    wanted = _form(str(context["pattern"])) if kind == "string_pattern_mismatch" else _TYPES.get(kind.partition("_")[0])
    if wanted is None:
        return Malformed(f"{field} differs from the documents of this API", code="malformed", field=field)
    return Malformed(f"{field} takes {titled(wanted, 'en')}", code="wrong-form", field=field, wanted=wanted)


def _unknown(field: str) -> Malformed:
    if field.rpartition(".")[2].lower() in AUTHOR_FIELDS:
        sentence = f"{field} is refused: no identity of a writer or reporter is kept"
        return Malformed(sentence, code="author-not-taken", field=field)
    return Malformed(f"{field} is not a field here; leave it out", code="field-unknown", field=field)


def _form(pattern: str) -> str | None:
    found = _ID.match(pattern)
    return FORMS.get(pattern) or (f"{found[1]}-id" if found else None)


_LIMITS: Mapping[str, tuple[str, str, Callable[[str, Any], str]]] = {
    "string_too_short": (
        "text-too-short",
        "minimum",
        lambda field, limit: f"{field} has fewer than {limit} characters",
    ),
    "string_too_long": ("text-too-long", "maximum", lambda field, limit: f"{field} has more than {limit} characters"),
    "too_short": ("list-too-short", "minimum", lambda field, limit: f"{field} has fewer than {limit} entries"),
    "too_long": ("list-too-long", "maximum", lambda field, limit: f"{field} has more than {limit} entries"),
    "greater_than_equal": ("number-too-small", "minimum", lambda field, limit: f"{field} is at least {limit}"),
    "less_than_equal": ("number-too-large", "maximum", lambda field, limit: f"{field} is at most {limit}"),
}
