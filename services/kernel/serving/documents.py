"""The API's documents of an operation, from its declaration: answers, problems, callers.

A route without declared answers cannot be made.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel
from starlette.routing import Match
from starlette.types import Scope

from schemas.problems import PREFIX, TYPES, members_of
from services.kernel.core.problems import KINDS, Problem
from services.kernel.serving.problems import PROBLEM
from services.kernel.serving.sign_in import SCHEMES, SignIn

ABOUT = """Accountable responses of an office to what people report: from the report to the published answer.

**Signing in.** `Authorization: Bearer` with a staff token, or with a key of an integration if the operation allows it.

**Decisions.** A record's `revision` (also its `ETag`, and `version`) counts the decisions of staff on it. A command
names in `If-Match` the revision that the caller saw. If it is not the newest, the answer is 412 and nothing is done.
An `Idempotency-Key` makes a repeated request safe: it gets the first answer.

**Problems.** Every refusal is a problem document (RFC 9457). Its `type` is stable, one of `ProblemType`. Its sentence
is for people, in Chinese or English as `Accept-Language` asks. Later versions may have further types: treat an unknown
type by its status.

**Times** are ISO 8601. Answers have UTC with microseconds; requests name their offset.
"""
_PROBLEMS = {kind.status: kind for kind in (*KINDS, Problem)}
_HEADERS: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "How to sign in.", "schema": {"type": "string"}, "example": "Bearer"}},
    429: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}, "example": 60}},
    503: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}, "example": 2}},
}
_SAMPLES: Mapping[str, Any] = {"field": "reason", "version": 3, "seen": 2}
"""Example values of members."""
_ETAG = {
    "ETag": {"description": "The `version`, as `If-Match` takes it.", "schema": {"type": "string"}, "example": '"3"'}
}
_PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "Problem details (RFC 9457). Some types have further members, which their examples show.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "What kind of refusal it is, one of `ProblemType`."},
        "title": {"type": "string", "description": "The kind in words, for people."},
        "status": {"type": "integer", "description": "The status of the answer."},
        "detail": {"type": "string", "description": "What was wrong and what to do, for people."},
        "field": {"type": "string", "description": "The place in the request."},
        "version": {
            "type": "integer",
            "description": "For a stale command, the same as `revision`; otherwise the version of a stream.",
        },
        "revision": {"type": "integer", "description": "How many decisions of staff the record has by now."},
        "rule": {
            "type": "string",
            "description": "The place of the pack's rule that forbids it, as `GET /packs/{pack}` of triage names it.",
        },
        "pack": {"type": "string", "description": "The pack of that rule, as `id@version`."},
        "defect": {"type": "string", "description": "The number of the entry in the service's log, which says more."},
    },
    "required": ["type", "title", "status", "detail"],
}


def answers(
    model: type[BaseModel], status: int = 200, *, also: Mapping[int, str] | None = None, media_type: str | None = None
) -> dict[str, Any]:
    """For a route's decorator: the operation answers this model.

    `also` has further statuses with the same model, and their meaning.
    """
    headers = {"headers": _ETAG} if "revision" in model.model_fields else {}
    told = {status: _first(model), **(also or {})}
    declared: dict[str, Any] = {
        "status_code": status,
        "responses": {of: {"model": model, "description": text, **headers} for of, text in told.items()},
    }
    if media_type is not None:
        declared["response_class"] = type("Sent", (JSONResponse,), {"media_type": media_type})
    return declared


def answers_content(description: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """For a route's decorator: the operation answers one of these media types."""
    told = {200: {"description": description, "content": dict(content)}}
    return {"status_code": 200, "response_class": Response, "responses": told}


def or_missing(declared: dict[str, Any], page: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The same for an operation that may find nothing though its path names nothing, or that says so on a page."""
    told = problem(404) if page is None else {"description": "There is no such page.", "content": dict(page)}
    return {**declared, "responses": {**declared["responses"], 404: told}}


def problem(status: int) -> dict[str, Any]:
    """The answer of an operation with a problem of this status."""
    return {"$ref": f"#/components/responses/{_name(status)}", "description": _about(status)}


def text(example: str) -> dict[str, Any]:
    """A text as the content of a media type."""
    return {"schema": {"type": "string"}, "example": example}


def operation_id(route: APIRoute) -> str:
    """`record-handling`, `record_handling` and `record handling` -> `recordHandling`."""
    first, *rest = re.split("[-_ ]", route.name)
    return first + "".join(word.capitalize() for word in rest)


class DescribedRoute(APIRoute):
    """A route whose operation names its possible problems, each defined once for the whole API, and its callers.

    Raises `TypeError` for a route without a description or without answers.
    """

    def __init__(self, path: str, endpoint: Any, **settings: Any) -> None:
        super().__init__(path, endpoint, **settings)
        self._begins = self.path.partition("{")[0]
        if not self.include_in_schema:
            return
        self.summary = self.summary or re.sub("[-_]", " ", self.name).capitalize()
        answered = [one for status, one in self.responses.items() if str(status).startswith("2")]
        if not self.description or not answered:
            raise TypeError(f"{path}: give the route a docstring, and its answers by documents.answers")
        sign_in = sign_in_of(self.dependant)
        security: list[dict[str, list[str]]] = [{scheme: []} for scheme in sign_in.schemes] if sign_in else []
        self.openapi_extra = {**(self.openapi_extra or {}), "security": security}
        for status in self._problems(sign_in):
            self.responses.setdefault(status, problem(status))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As the router asks it. Most routes begin differently, and seeing that costs a tenth of the whole match."""
        if not scope["path"].startswith(self._begins) and not scope.get("root_path"):
            return Match.NONE, {}
        return super().matches(scope)

    def _problems(self, sign_in: SignIn | None) -> Sequence[int]:
        headers = {one.alias.lower() for one in get_flat_params(self.dependant)}
        asks = self.methods != {"GET"}
        found = [422, 500, 503]
        if sign_in:
            found += [401, 403, 429]
        if "{" in self.path or asks:
            found += [404]
        if asks:
            found += [409]
        if self.body_field is not None:
            found += [400]
        if self.body_field is not None or "requestBody" in (self.openapi_extra or {}):
            found += [408, 413, 415]
        if "if-match" in headers:
            found += [412, 428]
        return sorted(found)


def sign_in_of(dependant: Dependant) -> SignIn | None:
    """The sign-in among all dependencies of a route."""
    for inner in dependant.dependencies:
        if found := inner.call if isinstance(inner.call, SignIn) else sign_in_of(inner):
            return found
    return None


NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)
"""FastAPI's own telemetry would send paths, and sentences of errors, to whatever a variable of the system names."""


class Application(FastAPI):
    """Adds the shared parts of the operations: problems, defined once, and the ways of signing in."""

    def openapi(self) -> dict[str, Any]:
        """The document, made at the first call."""
        if self.openapi_schema is None:
            document = super().openapi()
            parts = document.setdefault("components", {})
            parts.setdefault("schemas", {}).update(Problem=_PROBLEM_SCHEMA, ProblemType=_type_schema())
            routes = [context.original_route for context in iter_route_contexts(self.routes)]
            for route in (one for one in routes if isinstance(one, DescribedRoute) and one.include_in_schema):
                for model in (told["model"] for told in route.responses.values() if "model" in told):
                    # FastAPI leaves null values out of an example.
                    parts["schemas"][model.__name__] |= model.model_config["json_schema_extra"]
            parts["responses"] = {_name(status): _response(status) for status in sorted(_PROBLEMS)}
            parts["securitySchemes"] = SCHEMES
            parts["parameters"] = _shared_parameters(document)
        assert self.openapi_schema is not None
        return self.openapi_schema


def _shared_parameters(document: dict[str, Any]) -> dict[str, Any]:
    """The parameters that several operations have alike, by name. In the operations a reference takes their place.

    Where one name has several meanings, as `id` has, the first that several operations share is the common one.
    """
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    all_ = [parameter for operation in operations for parameter in operation.get("parameters", ())]
    shared: dict[str, Any] = {}
    for parameter in all_:
        name = "".join(part.capitalize() for part in re.split("[-_]", parameter["name"]))
        if name not in shared and all_.count(parameter) > 1:
            shared[name] = parameter
    for operation in operations:
        for at, parameter in enumerate(operation.get("parameters", ())):
            for named, common in shared.items():
                if parameter == common:
                    operation["parameters"][at] = {"$ref": f"#/components/parameters/{named}"}
    return shared


def _type_schema() -> dict[str, Any]:
    return {
        "title": "ProblemType",
        "description": "Every type of problem in this version.",
        "type": "string",
        "enum": [PREFIX + code for code in TYPES],
    }


def _name(status: int) -> str:
    return "Defect" if _PROBLEMS[status] is Problem else _PROBLEMS[status].__name__


def _about(status: int) -> str:
    return _first(_PROBLEMS[status]) if status != 500 else "The service has a defect here; its log says more."


def _response(status: int) -> dict[str, Any]:
    kind = _PROBLEMS[status]
    codes = [code for code, of in TYPES.items() if of.status == status]
    examples = {}
    for code in codes:
        problem = kind("…", code=code, **{name: _SAMPLES.get(name, "…") for name in members_of(code)})
        examples[code] = {"summary": TYPES[code].title_zh, "value": {**problem.body("zh"), "status": status}}
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}}
    told = {"description": f"{_about(status)} Types: {', '.join(f'`{PREFIX}{code}`' for code in codes)}."}
    return {**told, **({"headers": _HEADERS[status]} if status in _HEADERS else {}), "content": content}


def _first(of: type) -> str:
    """The first sentence of a class's docstring."""
    return (
        inspect.cleandoc(of.__doc__ or "").partition("\n\n")[0].replace("\n", " ").partition(". ")[0].rstrip(".") + "."
    )
