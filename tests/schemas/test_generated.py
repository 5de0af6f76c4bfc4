"""The generated files are up to date, and released schemas stay."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas import catalogue, generate
from schemas.envelope import Event
from schemas.fields import WIRE
from schemas.generate import shapes
from tests.schemas.kit import EXAMPLES, HERE, RELEASED, SCHEMAS, TYPES, data_of

GOLDEN = sorted((HERE / "golden").glob("*.json"))


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return dict(generate.made())


def test_what_is_checked_in_is_what_the_vocabulary_gives() -> None:
    assert generate.differences() == []


def test_a_difference_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: dict[str, bytes]) -> None:
    tmp_path /= "schemas"
    tmp_path.mkdir()
    monkeypatch.setattr(generate, "HERE", tmp_path)
    monkeypatch.setattr(generate, "made", made.items)
    assert generate.write() == []
    assert generate.differences() == []

    (tmp_path / "json/incident.graded.v1.json").write_text("{}")
    (tmp_path / "json/incident.sighed.v1.json").write_text("{}")
    (tmp_path / "golden/incident.graded.v1.json").unlink()

    assert generate.differences() == [
        "json/incident.graded.v1.json is out of date",
        "json/incident.sighed.v1.json belongs to nothing",
        "golden/incident.graded.v1.json is missing",
    ]


def test_generating_again_never_touches_a_golden_file_or_an_incompatible_release(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: dict[str, bytes]
) -> None:
    tmp_path /= "schemas"
    tmp_path.mkdir()
    monkeypatch.setattr(generate, "HERE", tmp_path)
    monkeypatch.setattr(generate, "made", made.items)
    generate.write()
    golden, sums = tmp_path / "golden/incident.graded.v1.json", (tmp_path / "golden/SHA256SUMS").read_text()
    golden.write_bytes(b"{}")
    kept = tmp_path / "released/incident.graded.v1.json"
    released = json.loads(kept.read_text())
    released["properties"]["urgency"] = {"type": "integer"}
    kept.write_text(json.dumps(released))

    assert generate.write() == ["incident.graded.v1: urgency is gone"]

    assert golden.read_bytes() == b"{}"
    assert (tmp_path / "golden/SHA256SUMS").read_text() == sums
    assert json.loads(kept.read_text()) == released


# Golden files


def test_every_type_has_a_golden_file_and_every_golden_file_is_pinned() -> None:
    there = {path.stem for path in GOLDEN}
    assert {shapes.name_of(type_) for type_ in RELEASED} <= there
    assert there.isdisjoint(shapes.name_of(type_) for type_ in TYPES if catalogue.is_planned(type_))
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in GOLDEN} == generate.sums()


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_event_can_be_read_for_ever(path: Path) -> None:
    event = Event.parse(path.read_bytes())
    assert shapes.name_of(event.type) == path.stem
    assert type(event.data) in catalogue.types().values()


# Released schemas


@pytest.mark.parametrize("type_", RELEASED)
def test_a_released_type_gains_only_optional_fields(type_: str) -> None:
    name = shapes.name_of(type_)
    released = json.loads((HERE / f"released/{name}.json").read_bytes())
    assert shapes.breaks(released, SCHEMAS[type_], name) == []


def _with(**fields: Any) -> dict[str, Any]:
    changed = copy.deepcopy(SCHEMAS["huiying.incident.graded.v1"])
    changed["properties"] = {name: part for name, part in {**changed["properties"], **fields}.items() if part}
    return changed


GRADED = _with()


@pytest.mark.parametrize(
    "current",
    [
        GRADED,
        _with(added={"type": "integer"}),
        {**GRADED, "description": "Said better."},
        _with(level={**GRADED["properties"]["level"], "description": "Said better."}),
    ],
    ids=["the same", "an optional field", "another docstring", "another field's docstring"],
)
def test_these_changes_keep_the_version(current: dict[str, Any]) -> None:
    assert shapes.breaks(GRADED, current, "graded") == []


@pytest.mark.parametrize(
    ("current", "problem"),
    [
        (_with(rule=None), "graded: rule is gone"),
        ({**_with(added={"type": "integer"}), "required": [*GRADED["required"], "added"]}, "graded: required was"),
        ({**GRADED, "required": ["level"]}, "graded: required was"),
        (_with(rank={"type": "integer", "minimum": 1, "maximum": 10**12}), "graded: rank was"),
        (_with(rank={"type": "string"}), "graded: rank was"),
        (_with(level={"type": "string", "enum": ["major"]}), "graded: level was"),
        ({**GRADED, "$defs": {"WordsRef": {"type": "object"}}}, "graded: WordsRef: ref is gone"),
    ],
    ids=["removed", "new and required", "no longer required", "narrowed", "another type", "a list now", "inside"],
)
def test_these_changes_need_a_new_version(current: dict[str, Any], problem: str) -> None:
    assert shapes.breaks(GRADED, current, "graded")[0].startswith(problem)


# The schemas are true


def test_the_schemas_are_schemas(made: dict[str, bytes]) -> None:
    for path, content in made.items():
        if path.startswith("json/"):
            jsonschema.Draft202012Validator.check_schema(json.loads(content))


@pytest.mark.parametrize("type_", TYPES)
def test_examples_fit_the_schemas_of_envelope_and_data(type_: str, made: dict[str, bytes]) -> None:
    around = jsonschema.Draft202012Validator(json.loads(made["json/envelope.json"]))
    for complete in (True, False):
        event = json.loads(EXAMPLES[type_, complete])
        around.validate(event)
        jsonschema.validate(event["data"], SCHEMAS[type_])
        assert event["dataschema"] == SCHEMAS[type_]["$id"]


def test_a_complete_example_has_every_field_and_the_other_only_those_that_are_always_there() -> None:
    for type_ in TYPES:
        complete, required = (json.loads(EXAMPLES[type_, complete])["data"] for complete in (True, False))
        defaults = {name for name, part in SCHEMAS[type_].get("properties", {}).items() if "default" in part}
        assert complete.keys() == SCHEMAS[type_].get("properties", {}).keys()
        assert required.keys() == set(SCHEMAS[type_].get("required", ())) | defaults


@given(st.sampled_from(TYPES), st.data())
def test_model_and_schema_agree(type_: str, draw: st.DataObject) -> None:
    data = draw.draw(data_of(type_))
    jsonschema.validate(data, SCHEMAS[type_])
    event = catalogue.types()[type_].model_validate(data, context=WIRE)
    jsonschema.validate(event.model_dump(mode="json", exclude_none=True), SCHEMAS[type_])


# AsyncAPI and OpenAPI


def resolve(document: dict[str, Any], reference: str) -> Any:
    """The target of a reference within `schemas/`."""
    path, _, pointer = reference.partition("#")
    found: Any = json.loads((HERE / path).read_bytes()) if path else document
    for part in filter(None, pointer.split("/")):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [reference for one in part for reference in references(one)]
    if not isinstance(part, dict):
        return []
    here = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
    return here + [reference for one in part.values() for reference in references(one)]


def test_asyncapi_shows_every_topic_with_its_one_writer_and_its_readers() -> None:
    document = yaml.safe_load((HERE / "asyncapi.yaml").read_text())

    assert set(document["channels"]) == set(catalogue.all_topics())
    for service in catalogue.SERVICES:
        for topic in (*catalogue.event_topics(service), catalogue.content_topic(service)):
            about = [name for name in document["operations"] if name.endswith(f".sends.{topic}")]
            assert about == [f"{service}.sends.{topic}"]
            assert document["channels"][topic]["address"] == f"{{prefix}}.{topic}"
    readers = {name.partition(".")[0] for name in document["operations"] if name.endswith("receives.triage.incident")}
    assert {"escalation", "publish", "audit"} <= readers
    shown = {name for channel in document["channels"].values() for name in channel["messages"]}
    assert shown == {"content", *map(shapes.name_of, RELEASED)}
    for reference in references(document):
        assert resolve(document, reference)


@pytest.mark.parametrize("service", catalogue.SERVICES)
def test_openapi_describes_the_service_and_its_problems(service: str) -> None:
    document = json.loads((HERE / f"openapi/{service}.json").read_bytes())

    assert any(path.startswith(f"/{service}/v1/") for path in document["paths"])
    for reference in references(document):
        assert resolve(document, reference)
    verbs = [verb for path, verbs in document["paths"].items() if "/v1/" in path for verb in verbs.values()]
    for verb in verbs:
        malformed = resolve(document, verb["responses"]["422"]["$ref"])
        assert malformed["content"].keys() == {"application/problem+json"}
