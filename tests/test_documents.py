"""The API's documents: they hold everything that a client needs, and a client made from them works."""

import asyncio
import importlib
import json
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
from fastapi import Response
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import ValidationError

from schemas import catalogue, problems
from schemas.generate import HERE
from services.apps.embedded import running
from services.kernel.serving import documents, http
from services.kernel.serving.answers import DONE, Done
from services.kernel.settings import Settings
from tests import kit
from tests.kit import answers

DOCUMENTS = {name: json.loads((HERE / f"openapi/{name}.json").read_bytes()) for name in catalogue.SERVICES}


class Operation(NamedTuple):
    """An operation, and its document."""

    name: str
    document: Any
    told: Any

    def at(self, reference: str) -> Any:
        """The target of a reference in the document."""
        found = self.document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return found


def operations() -> Iterator[Operation]:
    for document in DOCUMENTS.values():
        for path, methods in document["paths"].items():
            for method, told in methods.items():
                yield Operation(f"{method} {path}", document, told)


ALL = [pytest.param(one, id=one.name) for one in operations()]


@pytest.mark.parametrize("service", catalogue.SERVICES)
def test_each_document_is_openapi(service: str) -> None:
    OpenAPIV31SpecValidator(DOCUMENTS[service]).validate()
    assert DOCUMENTS[service]["info"]["description"]


def test_one_name_is_one_model_in_all_documents() -> None:
    """One process serves all services by one document, where a name stands once."""
    known: dict[str, Any] = {}
    for service, document in DOCUMENTS.items():
        for name, schema in document["components"]["schemas"].items():
            assert known.setdefault(name, schema) == schema, f"{name} of {service} is another one"


@pytest.mark.parametrize("service", catalogue.SERVICES)
def test_bounds_are_written_as_json_schema_has_them(service: str) -> None:
    """Pydantic writes a constraint that it sets behind a validator under its own name, which no client reads."""
    assert not re.findall(r'"(?:gt|ge|lt|le|min_length|max_length)":', json.dumps(DOCUMENTS[service]))


def test_operations_have_short_names_each_once() -> None:
    names = [one.told["operationId"] for one in operations()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+([A-Z][a-z]+){1,3}", name) for name in names), names
    assert {"gradeIncident", "recordHandling", "sendReport", "approveStatement", "listClocks", "readTimeline"} <= {
        *names
    }


FORMS = ("multipart/", "application/x-www-form-urlencoded")
OPEN = (
    *("/bulletin/", "/.well-known/", "/receipts/", "/open311/v2/", "/ingest/v1/messages"),
    *("/log/checkpoint", "/log/proof/", "/log/keys", "/log/tile/{level}"),
)
"""Where anybody may ask."""


@pytest.mark.parametrize("one", ALL)
def test_an_operation_says_what_it_does_and_who_may_call_it(one: Operation) -> None:
    assert len(one.told["description"]) > 15
    tags = {tag["name"]: tag["description"] for tag in one.document["tags"]}
    assert [len(tags[tag]) > 30 for tag in one.told["tags"]] == [True]
    used = {scheme for choice in one.told["security"] for scheme in choice}
    assert used <= one.document["components"]["securitySchemes"].keys()
    assert bool(used) != any(open_ in one.name for open_ in OPEN)
    sends = re.search(
        r"/reports(/batch|/preview|/\{id\}(/evidence(/preview)?|/reach)?)?$|/v1/events$"
        r"|post .*/(imports|outages)$|/mappings$",
        one.name,
    )
    follows = "/audit/v1/subscriptions" in one.name
    assert ("integrationKey" in used) == bool((sends and "ingest" in one.name) or follows)


@pytest.mark.parametrize("one", ALL)
def test_every_parameter_and_property_is_described(one: Operation) -> None:
    for parameter in parameters(one):
        assert len(parameter["description"]) > 5, parameter["name"]
    for where, schema in bodies(one):
        for path, part in properties(one, schema, where):
            assert part.get("description"), path


def parameters(one: Operation) -> list[Any]:
    """The parameters of an operation. Those that several operations share are named once for all."""
    found = one.told.get("parameters", ())
    return [one.at(told["$ref"]) if "$ref" in told else told for told in found]


def test_a_parameter_that_several_operations_share_is_named_once() -> None:
    inline = [json.dumps(told, sort_keys=True) for one in operations() for told in one.told.get("parameters", ())]
    for name in ("idempotency-key", "if-match", "huiying-after"):
        assert not any(f'"{name}"' in told for told in inline), name
    assert any(told["name"] == "if-match" for one in operations() for told in parameters(one))


def bodies(one: Operation) -> Iterator[tuple[str, Any]]:
    """The schemas of requests and answers."""
    parts = {"request": one.told.get("requestBody", {}), **one.told["responses"]}
    for where, part in parts.items():
        told = one.at(part["$ref"]) if "$ref" in part else part
        for kind, content in told.get("content", {}).items():
            yield f"{where} {kind}", content["schema"]


def properties(one: Operation, schema: Any, path: str, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any]]:
    """Every property below a schema."""
    if "$ref" in schema:
        if schema["$ref"] not in seen:
            yield from properties(one, one.at(schema["$ref"]), path, seen | {schema["$ref"]})
        return
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part
        yield from properties(one, part, f"{path}.{name}", seen)
    for part in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
        yield from properties(one, part, f"{path}[]", seen)


@pytest.mark.parametrize("one", ALL)
def test_whatever_is_sent_and_answered_has_a_shape_and_an_example_of_it(one: Operation) -> None:
    sent = one.told.get("requestBody", {}).get("content", {})
    assert sent or one.name.startswith(("get ", "delete ")) or one.name.endswith(("/revoke", "/end", "/renew-secret"))
    answered = [told for status, told in one.told["responses"].items() if status.startswith("2")]
    assert answered
    assert all(told["content"] for told in answered)
    for content in (sent, *(told["content"] for told in answered)):
        for kind, part in content.items():
            schema = part["schema"]
            if "anyOf" in schema:  # a body that may be absent
                schema = schema["anyOf"][0]
            if schema.get("type") == "string" or kind.startswith(FORMS):
                assert part["example"]
                continue
            if "/open311/" in one.name:
                assert schema["type"] in ("array", "object")
                continue  # the standard defines the shapes
            shape = one.at(schema["$ref"])
            assert shape["examples"]
            whole = {**shape, "components": one.document["components"]}
            for example in shape["examples"]:
                jsonschema.Draft202012Validator(whole).validate(example)


@pytest.mark.parametrize("one", ALL)
def test_refusals_are_named_once_for_all_with_their_stable_types(one: Operation) -> None:
    if "/open311/" in one.name:
        assert "<errors>" in one.told["responses"]["default"]["content"]["text/xml"]["example"]
        return  # the standard has a form of its own
    refused = {int(status): told for status, told in one.told["responses"].items() if status[0] in "45"}
    assert {422, 500, 503} <= refused.keys()
    if one.told["security"]:
        assert {401, 403, 429} <= refused.keys()
    names = {parameter["name"].lower() for parameter in parameters(one)}
    assert ({412, 428} <= refused.keys()) == ("if-match" in names)
    if "/bulletin/" in one.name and "$ref" not in refused.get(404, {"$ref": ""}):
        assert refused.pop(404)["content"].keys() == {"text/html"}  # a page says so to people
    for status, told in refused.items():
        response = one.at(told["$ref"])
        codes = {code for code, of in problems.TYPES.items() if of.status == status}
        assert response["content"]["application/problem+json"]["examples"].keys() == codes


def test_each_type_of_problem_is_shown_as_it_is_sent() -> None:
    parts = DOCUMENTS["triage"]["components"]
    shape = jsonschema.Draft202012Validator(parts["schemas"]["Problem"])
    shown = {}
    for response in parts["responses"].values():
        for example in response["content"]["application/problem+json"]["examples"].values():
            value = example["value"]
            shape.validate(value)
            assert value["type"] in response["description"]
            shown[value["type"]] = value["status"]
    types = {problems.PREFIX + code: of.status for code, of in problems.TYPES.items()}
    assert shown == types
    assert parts["schemas"]["ProblemType"]["enum"] == [*types]
    assert all(document["components"]["responses"] == parts["responses"] for document in DOCUMENTS.values())


def test_no_route_is_made_that_does_not_say_what_it_answers() -> None:
    api = http.router("/none", "none")

    async def silent() -> Response:
        return Response()

    async def told() -> Response:
        """The field has a description."""
        return Response()

    for endpoint in (silent, told):
        with pytest.raises(TypeError, match="its answers"):
            api.get("/here")(endpoint)


GENERATED = {
    "package_name_override": "huiying_client",
    "post_hooks": [],
    "literal_enums": True,
    # The client takes a file of evidence as bytes, whatever is in them. For events it has no method: of one that takes
    # two kinds of JSON it makes code that does not run, and there are clients of CloudEvents.
    "content_type_overrides": {
        "text/plain": "application/octet-stream",
        "application/cloudevents+json": "application/x-none",
        "application/cloudevents-batch+json": "application/x-none",
    },
}


@pytest.mark.asyncio
async def test_a_typed_client_made_from_the_documents_takes_a_matter_to_the_bulletin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(Settings(data=tmp_path / "data")) as system:
        assert system.app is not None
        whole = system.app.openapi()
        assert not [name for name in whole["components"]["schemas"] if "__" in name]
        (tmp_path / "openapi.json").write_text(json.dumps(whole))
        (tmp_path / "config.json").write_text(json.dumps(GENERATED))
        asked = ("generate", "--path", "openapi.json", "--output-path", "huiying_client", "--meta", "none")
        await ran(tmp_path, "openapi-python-client", *asked, "--config", "config.json")
        driver = Path(kit.__file__).with_name("typed_client.py")
        await ran(tmp_path, "mypy", "--no-incremental", "--follow-imports=skip", "huiying_client", str(driver))

        monkeypatch.syspath_prepend(str(tmp_path))
        driven = importlib.import_module("tests.kit.typed_client")

        def client(token: str) -> Any:
            made = driven.AuthenticatedClient("http://huiying", token, raise_on_unexpected_status=True)
            return made.set_async_httpx_client(system.client(token))

        tokens = driven.Tokens(
            admin=system.token("county", "admin"),
            officer=system.token("town-east", "duty_officer", "verifier", "handler", person="one"),
            approver=system.token("town-east", "approver", person="two"),
            spokesperson=system.token("town-east", "spokesperson", "auditor", person="three"),
        )
        assert await driven.drive(client, tokens) == ["路灯修复情况"]


async def ran(folder: Path, program: str, *arguments: str) -> None:
    """Runs a program of this environment, which must succeed."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name(program), *arguments, cwd=folder, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-3000:]


def test_an_answer_that_is_not_as_documented_is_found() -> None:
    api = http.router("/none", "none")

    @api.get("/here", **documents.answers(Done))
    async def told() -> Response:
        """The field has a description."""
        return Response()

    (route,) = api.routes
    assert isinstance(route, http.StrictRoute)
    answers.check(route, 200, json.dumps(DONE).encode())
    answers.check(route, 422, None)
    missing = {name: value for name, value in DONE.items() if name != "revision"}
    for body in (missing, {**DONE, "author": "somebody"}, {**DONE, "version": "3"}, {**DONE, "events": None}):
        with pytest.raises(ValidationError):
            answers.check(route, 200, json.dumps(body).encode())
    for status in (201, 409):
        with pytest.raises(AssertionError, match="which its documents do not name"):
            answers.check(route, status, None)
