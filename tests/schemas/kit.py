"""Events of every type for tests: the examples, and strategies for every value that a schema allows."""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from schemas import catalogue, fields, generate
from schemas.envelope import Event
from schemas.generate import samples, shapes

TYPES = sorted(catalogue.types())
RELEASED = sorted(shapes.event_types())
SCHEMAS = {type_: shapes.of_event(type_, model) for type_, model in catalogue.types().items()}
EXAMPLES = {
    (type_, complete): samples.event(type_, model, complete=complete)
    for type_, model in catalogue.types().items()
    for complete in (True, False)
}
HERE = generate.HERE

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def an_example(name: str = "incident.graded.v1") -> Event:
    return Event.parse(EXAMPLES[f"huiying.{name}", True])


def values(part: Mapping[str, Any], defs: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """All values that this part of a JSON Schema allows."""
    match part:
        case {"$ref": ref}:
            return values(defs[str(ref).rpartition("/")[2]], defs)
        case {"const": value}:
            return st.just(value)
        case {"enum": several}:
            return st.sampled_from(several)
        case {"format": "date-time"}:
            return INSTANTS.map(fields.instant)
        case {"pattern": pattern}:
            return matching(pattern)
        case {"type": "string"}:
            low, high = part.get("minLength", 1), min(part.get("maxLength", 200), 200)
            return st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=low, max_size=high)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer", "minimum": low, "maximum": high}:
            return st.integers(low, high)
        case {"type": "number"}:
            return st.floats(allow_nan=False, allow_infinity=False)
        case {"type": "array", "items": items}:
            return st.lists(values(items, defs), max_size=3)
        case {"patternProperties": inner}:
            ((pattern, value),) = inner.items()
            return st.dictionaries(matching(pattern), values(value, defs), max_size=2)
        case {"properties": inner}:
            required = part.get("required", ())
            return st.fixed_dictionaries(
                {name: values(inner[name], defs) for name in required},
                optional={name: values(value, defs) for name, value in inner.items() if name not in required},
            )
    raise AssertionError(f"no strategy for {part}")


@functools.cache
def matching(pattern: str) -> st.SearchStrategy[str]:
    """Texts no longer than the shortest limit of a code."""
    return st.from_regex(pattern, fullmatch=True).filter(lambda text: len(text) <= 64)


@functools.cache
def data_of(type_: str) -> st.SearchStrategy[Any]:
    """Data of any event of the type, as JSON."""
    return values(SCHEMAS[type_], SCHEMAS[type_].get("$defs", {}))
