"""What a subscriber is told of an event: facts, without words and without persons. Pure.

Only what is listed is told: of a matter what the masked record shows, and of a report what is here. Posts are not told:
the receiver learns what an office did, and not by whom.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from schemas import catalogue
from schemas.envelope import Event
from schemas.fields import Addressee, Post, PostCode
from services.audit.archive.shown import SHOWN, WORDS
from services.kernel.core.ids import derived

ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time", "recordedtime", "unit", "policy", "drill")
WITHHELD = frozenset(
    {
        *("by", "actor", "who", "writers", "approvals"),
        *("secret", "signature", "match_key", "match_keys", "place_key"),
    }
)
"""Names of fields that are never told, also where the masked record shows them: digests of persons and of keys."""
POSTS = frozenset(TypeAdapter(kind).json_schema()["pattern"] for kind in (Post, PostCode, Addressee))
"""The patterns of fields that name a post, or to whom something goes. They are not told either."""
POST = re.compile(TypeAdapter(Post).json_schema()["pattern"])
_REPORTS: Mapping[str, tuple[str, ...]] = {
    "report.received.v1": ("unit", "channel", "discovered_at", "written_at", "entered_late", "source", "category"),
    "report.refused.v1": (),
    "report.erased.v1": ("cause",),
    "report.erasure_asked.v1": ("cause",),
    "report.evidence_attached.v1": ("media_type", "size"),
}
REPORTS: Mapping[str, frozenset[str]] = {
    f"{catalogue.PREFIX}{name}": frozenset(fields) for name, fields in _REPORTS.items()
}
TYPES = frozenset(SHOWN) | frozenset(REPORTS)
"""The types of events that can be sent, with their versions."""


def offered(*, to_integration: bool) -> frozenset[str]:
    """The types that a subscriber can get: an integration what becomes of its reports, an administrator all."""
    return frozenset(REPORTS) if to_integration else TYPES


def types_of(name: str) -> frozenset[str]:
    """The types that a full or a short name means; none for one that is not sent."""
    return frozenset(one for one in TYPES if name in (one, one.removeprefix(catalogue.PREFIX), short(one)))


def short(type_: str) -> str:
    """`incident.graded` for the full name of any of its versions."""
    return type_.removeprefix(catalogue.PREFIX).rpartition(".v")[0]


def delivery_id(subscription: str, event: str) -> str:
    """The id of a message. It is the same in each try, so a receiver knows what it has already."""
    return f"msg_{derived('subscription-delivery', subscription, event)}"


def body(event: Event, position: int) -> bytes:
    """The event for its subscribers, as a CloudEvent in the structured form. The same bytes in each try."""
    said = {name: event.attributes[name] for name in ATTRIBUTES if event.attributes.get(name) is not None}
    names = REPORTS.get(event.type) or _told(event.type)
    data = dict(_facts(event.attributes["data"], "", names))
    return orjson.dumps({**said, "datacontenttype": "application/json", "logposition": str(position), "data": data})


@cache
def _told(type_: str) -> frozenset[str]:
    schema = catalogue.types()[type_].model_json_schema(mode="serialization")
    withheld = frozenset(_of_posts(schema, schema.get("$defs", {}), ""))
    return frozenset(
        one
        for one in SHOWN.get(type_, ())
        if not one.endswith((WORDS, ".")) and WITHHELD.isdisjoint(one.split(".")) and one not in withheld
    )


def _of_posts(schema: Mapping[str, Any], defined: Mapping[str, Any], place: str) -> Iterator[str]:
    """The places of a model's fields that name posts."""
    if "$ref" in schema:
        schema = defined[schema["$ref"].rpartition("/")[2]]
    if schema.get("pattern") in POSTS:
        yield place
    for name, inner in schema.get("properties", {}).items():
        yield from _of_posts(inner, defined, f"{place}.{name}" if place else name)
    for keyword in ("anyOf", "allOf", "oneOf", "prefixItems"):
        for inner in schema.get(keyword, ()):
            yield from _of_posts(inner, defined, place)
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), Mapping):
            yield from _of_posts(schema[keyword], defined, place)


def _facts(data: Mapping[str, Any], path: str, names: frozenset[str]) -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        place = f"{path}{name}"
        if isinstance(value, dict):
            if inner := dict(_facts(value, f"{place}.", names)):
                yield name, inner
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            if any(listed := [dict(_facts(one, f"{place}.", names)) for one in value]):
                yield name, listed
        elif place in names and not _is_post(value):
            yield name, value


def _is_post(value: Any) -> bool:
    """Whether a code is a post. A rule's code may be one: who decides instead of another."""
    return any(isinstance(one, str) and POST.fullmatch(one) for one in (value if isinstance(value, list) else (value,)))
