"""JSON Schemas of events, and the check that a released schema loses nothing."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from schemas import catalogue
from schemas.fields import Fact

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Schema(GenerateJsonSchema):
    """Absent fields are left out, never null."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {name: value for name, value in made.items() if (name, value) != ("default", None)}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        return {**made, "additionalProperties": False} if "patternProperties" in made else made


class _ReadersSchema(_Schema):
    """Open: a later event of the same type may have more fields."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        return {name: value for name, value in made.items() if name != "additionalProperties"}


def of_bytes(model: type[BaseModel], id_: str) -> dict[str, Any]:
    """The JSON Schema of written data, for its readers."""
    made = model.model_json_schema(mode="serialization", schema_generator=_ReadersSchema)
    return {"$schema": DIALECT, "$id": id_, **made}


def of_input(model: type[BaseModel], id_: str) -> dict[str, Any]:
    """The JSON Schema of data that somebody else writes. An unknown field is a mistake."""
    return {"$schema": DIALECT, "$id": id_, **model.model_json_schema(mode="validation", schema_generator=_Schema)}


def of_event(type_: str, model: type[Fact]) -> dict[str, Any]:
    """The JSON Schema of the data of a type; `$id` is what its events have as `dataschema`."""
    return of_bytes(model, f"urn:{type_.replace('.', ':', 1)}")


def event_types() -> dict[str, type[Fact]]:
    """Every released type and its model, kind by kind. The order of imports does not matter."""
    kinds = (*catalogue.STREAMS, *catalogue.OF_EACH)
    released = {type_: model for type_, model in catalogue.types().items() if not catalogue.is_planned(type_)}
    return dict(sorted(released.items(), key=lambda item: kinds.index(name_of(item[0]).partition(".")[0])))


def name_of(type_: str) -> str:
    """The name of the type's files: `incident.graded.v1` of `huiying.incident.graded.v1`."""
    return type_.removeprefix(catalogue.PREFIX)


def breaks(released: dict[str, Any], current: dict[str, Any], place: str) -> list[str]:
    """Why `current` is not the same version as `released`. Only changed prose and added optional fields are allowed."""
    found = _changes(_without_prose(released, "properties"), _without_prose(current, "properties"), place)
    for name, defined in released.get("$defs", {}).items():
        found += breaks(defined, current.get("$defs", {}).get(name, {}), f"{place}: {name}")
    return found


def _without_prose(shape: dict[str, Any], inner: str) -> dict[str, Any]:
    kept = {name: part for name, part in shape.items() if name not in ("title", "description", "$defs", inner)}
    fields = {
        name: {key: value for key, value in part.items() if key != "description"}
        for name, part in shape.get(inner, {}).items()
    }
    return {**kept, "required": sorted(shape.get("required", ())), inner: fields}


def _changes(released: dict[str, Any], current: dict[str, Any], place: str) -> list[str]:
    before, now = released.pop("properties"), current.pop("properties")
    found = [f"{place}: {name} is gone" for name in before if name not in now]
    found += [
        f"{place}: {name} was {part}, is {now[name]}" for name, part in before.items() if now.get(name, part) != part
    ]
    found += [
        f"{place}: {name} was {released.get(name)}, is {current.get(name)}"
        for name in sorted(released.keys() | current.keys())
        if released.get(name) != current.get(name)
    ]
    return found
