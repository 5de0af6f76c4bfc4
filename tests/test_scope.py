"""The line that the project does not cross: no author, nothing declined, no free text in an event.

It walks the JSON Schema of every event and every command, so that each new model is judged at once.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import pytest
from pydantic import BaseModel

import schemas
import services
from schemas import catalogue
from schemas.fields import Fact, Words
from services.kernel.serving.validation import AUTHOR_FIELDS

DECLINED = frozenset(
    re.findall(
        r"\w+",
        """
        abnormal attitude ban blacklist block bump calm campaign censor census commentator control crawl criticism
        damage delete emotion expose fabrication filter follower followers guidance guide hostile hype image influencer
        informer investigate keyword monitor mood negative netizen opinion persona persuade petition positive prominence
        propaganda punish pursue rating removal remove reputation rumor rumour score sensitive sentiment spread stance
        steer steering suppress surveil sweep takedown thought tone trace tracing track vanish volunteer watch
        watchlist whitelist
        """,
    )
)
"""Words of what `declined` asks for: steering, removing, watching, labelling people or their words."""
ALLOWED = {
    ("huiying.unit.placed.v1", "name"): "the name of an office",
    ("PlaceUnits", "name"): "the names of offices",
    ("PlaceUnit", "name"): "the name of an office",
    ("NameSite", "name"): "the name of the deployment's pages",
    ("huiying.unit.site_named.v1", "name"): "the name of the deployment's pages",
    ("huiying.operation.key_made.v1", "name"): "the code of an integration",
    ("KeyRequest", "name"): "the code of an integration",
    ("RecordHandling", "track"): "the problem's track or the answer's",
    ("huiying.incident.handling_recorded.v1", "track"): "the problem's track or the answer's",
}
"""Words that read like a forbidden word and are none, each with the reason."""
CODED = {"pattern", "enum", "const", "format", "x-published"}


class Place(NamedTuple):
    """A field of a schema, under the name of its model."""

    model: str
    field: str


def event_models() -> dict[str, type[BaseModel]]:
    """Every event of the catalogue by its type."""
    for module in pkgutil.iter_modules(schemas.__path__):
        importlib.import_module(f"schemas.{module.name}")
    return dict(catalogue.types())


def command_models() -> dict[str, type[BaseModel]]:
    """Every command of every service by its name."""
    names = (found.name for found in pkgutil.walk_packages(services.__path__, "services."))
    modules = [importlib.import_module(name) for name in names if name.endswith("commands") and ".kernel." not in name]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == module.__name__
    }


EVENTS, COMMANDS = event_models(), command_models()
MODELS = {**EVENTS, **COMMANDS}


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    """The schema and every schema inside it; not the values of `default` or `examples`."""
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword in ("properties", "patternProperties", "$defs"):
        for inner in schema.get(keyword, {}).values():
            yield from subschemas(inner)
    for keyword in ("anyOf", "allOf", "oneOf", "prefixItems"):
        for inner in schema.get(keyword, []):
            yield from subschemas(inner)
    for keyword in ("items", "additionalProperties"):
        yield from subschemas(schema.get(keyword))


def names(model: type[BaseModel]) -> Iterator[str]:
    """The names of the fields of a model, at any depth."""
    for schema in subschemas(model.model_json_schema(mode="validation")):
        yield from schema.get("properties", {})


def values(model: type[BaseModel]) -> Iterator[str]:
    """The words of its closed lists."""
    for schema in subschemas(model.model_json_schema(mode="validation")):
        yield from (str(value) for value in (*schema.get("enum", ()), *filter(None, [schema.get("const")])))


def parts(name: str) -> set[str]:
    """`TakeDown`, `take_down` and `take-down` as the same words, also joined."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return {*words, "_".join(words), "".join(words)}


def authors(name: str, model: type[BaseModel]) -> list[Place]:
    """Fields that could name the writer or reporter."""
    found = (Place(name, field) for field in names(model) if parts(field) & AUTHOR_FIELDS)
    return [place for place in found if place not in ALLOWED]


def declined(name: str, model: type[BaseModel]) -> list[Place]:
    """Names of a model, of its fields and of the values of its closed lists that serve a declined purpose."""
    found = (Place(name, word) for word in (name, *names(model), *values(model)) if parts(word) & DECLINED)
    return [place for place in found if place not in ALLOWED]


def free(name: str, model: type[BaseModel]) -> list[str]:
    """Places of an event that could hold any text: strings, keys of objects, values of any kind."""
    found = []
    for schema in subschemas(model.model_json_schema(mode="serialization")):
        if schema.get("type") == "string" and not CODED & schema.keys():
            found.append(f"{name}: {schema}")
        keys = schema.keys() & {"properties", "patternProperties"} or CODED & schema.get("propertyNames", {}).keys()
        if schema.get("type") == "object" and not keys and schema.get("additionalProperties") is not False:
            found.append(f"{name}: keys of {schema}")
        if not {"type", "$ref", "anyOf", "allOf", "oneOf", "enum", "const"} & schema.keys():
            found.append(f"{name}: anything goes in {schema}")
    return found


@pytest.mark.requirement("ING-02")
@pytest.mark.parametrize("name", MODELS)
def test_has_no_field_for_an_author(name: str) -> None:
    assert authors(name, MODELS[name]) == []


@pytest.mark.parametrize("name", MODELS)
def test_serves_nothing_that_is_declined(name: str) -> None:
    assert declined(name, MODELS[name]) == []


@pytest.mark.parametrize("name", EVENTS)
def test_holds_no_free_text_in_an_event(name: str) -> None:
    assert free(name, EVENTS[name]) == []


@pytest.mark.requirement("ING-02")
@pytest.mark.parametrize("name", MODELS)
def test_refuses_unknown_fields(name: str) -> None:
    assert MODELS[name].model_config.get("extra") == "forbid"


def test_finds_the_models() -> None:
    assert len(EVENTS) > 50
    assert {"Report", "Reach", "Erase"} <= COMMANDS.keys()


def test_allows_only_what_is_there() -> None:
    there = {(name, field) for name, model in MODELS.items() for field in names(model)}
    assert ALLOWED.keys() <= there


class Inner(Fact):
    poster: int
    free: str


class Bad(Fact):
    """One example of everything that must be found."""

    user_id: int
    inner: tuple[Inner, ...] | None = None
    anything: Any
    keyed: dict[str, int]
    take: Literal["takedown", "keep"]
    words: Words


def test_the_walk_can_fail() -> None:
    assert {place.field for place in authors("bad", Bad)} == {"user_id", "poster"}
    assert {place.field for place in declined("Bad", Bad)} == {"takedown"}
    assert len(free("bad", Bad)) == 3, "a string, the keys of an object, a value of any kind"
    assert declined("MonitorPosts", Inner) == [Place("MonitorPosts", "MonitorPosts")]
