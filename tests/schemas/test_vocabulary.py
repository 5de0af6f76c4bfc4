"""Rules for the vocabulary. They go further than `tests/test_scope.py`: a text in an event is of a known kind."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from schemas import catalogue, fields
from schemas.fields import Code, Fact, PublishedText, Words
from schemas.generate import shapes
from tests.schemas.kit import SCHEMAS, TYPES

KINDS: tuple[Any, ...] = (
    fields.Code,
    fields.UnitCode,
    fields.Post,
    fields.PostCode,
    fields.StreamId,
    fields.Number,
    fields.Uuid,
    fields.Digest,
    fields.SignatureHex,
    fields.LogName,
    fields.PeerName,
    fields.Proven,
    fields.SaltHex,
    fields.PolicyRef,
    fields.Token,
    fields.MediaType,
    fields.Day,
    fields.TimeOfDay,
)
CODED = {TypeAdapter(kind).json_schema()["pattern"] for kind in KINDS}


def inner(part: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema, with its place."""
    if not isinstance(part, dict):
        raise AssertionError(f"{place} is open: {part!r}")  # noqa: TRY004
    yield place, part
    for group in ("properties", "patternProperties", "$defs"):
        for name, one in part.get(group, {}).items():
            yield from inner(one, f"{place}.{name}")
    for several in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for one in part.get(several, ()):
            yield from inner(one, place)
    if "items" in part:
        yield from inner(part["items"], f"{place}[]")


def is_free(part: dict[str, Any]) -> bool:
    """Whether any text, or any value at all, would fit."""
    if part.keys() & {"$ref", "enum", "const", "anyOf", "oneOf", "allOf"}:
        return False  # their targets are checked by themselves
    match part.get("type"):
        case "string":
            coded = part.get("pattern") in CODED or part.get("format") == "date-time"
            return not coded and part.get("x-published") is not True
        case "object":
            named = "properties" in part or ("patternProperties" in part and part["additionalProperties"] is False)
            return not named or not CODED.issuperset(part.get("patternProperties", ()))
        case "array":
            return "items" not in part
        case "boolean" | "integer" | "number":
            return False
    return True


def free(schema: dict[str, Any]) -> list[str]:
    return [place for place, part in inner(schema, "data") if is_free(part)]


@pytest.mark.requirement("ING-02")
@pytest.mark.parametrize("type_", TYPES)
def test_a_text_in_an_event_is_of_a_known_kind(type_: str) -> None:
    assert free(SCHEMAS[type_]) == []


class Careless(Fact):
    """Faults that these tests must find."""

    note: str
    anything: Any
    by_name: dict[str, int]
    listed: tuple[str, ...]
    short: Code | str
    fine: Words
    published: PublishedText


def test_a_free_text_would_be_found() -> None:
    found = free(shapes.of_bytes(Careless, "urn:test"))
    assert found == ["data.note", "data.anything", "data.by_name", "data.listed[]", "data.short"]


@pytest.mark.parametrize("type_", TYPES)
def test_every_event_says_in_a_sentence_what_it_means(type_: str) -> None:
    said = inspect.cleandoc(vars(catalogue.types()[type_]).get("__doc__") or "")
    assert re.fullmatch(r"[A-Z].{15,}\.", said, re.DOTALL), said


@pytest.mark.parametrize("type_", TYPES)
def test_a_type_is_a_stream_kind_and_a_past_participle_with_a_version(type_: str) -> None:
    kind, happened, version = shapes.name_of(type_).split(".")
    assert kind in (*catalogue.STREAMS, *catalogue.OF_EACH)
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", happened)
    assert "updated" not in happened
    assert re.fullmatch(r"v[1-9]\d*", version)


def test_events_are_frozen_and_refuse_unknown_fields() -> None:
    settings = [model.model_config for model in catalogue.types().values()]
    assert all(one.get("frozen") and one.get("extra") == "forbid" for one in settings)


def test_every_topic_has_one_owner() -> None:
    topics = catalogue.all_topics()
    assert len(set(topics)) == len(topics)
    kinds = {shapes.name_of(type_).partition(".")[0] for type_ in TYPES}
    assert {catalogue.owner(kind, "ingest") for kind in kinds} <= set(catalogue.SERVICES)
    for kind in kinds:
        service = catalogue.owner(kind, "audit")
        assert f"{service}.{kind}" in topics
