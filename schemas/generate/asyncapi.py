"""The topics as an AsyncAPI 3.0 document: their records, writers and readers."""

import inspect
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from schemas import catalogue
from schemas.fields import Fact, Uuid
from schemas.generate.shapes import event_types, name_of

ABOUT = (
    "The events of the five services. Every topic has the same number of partitions; a record's partition is CRC-32 of "
    "its key modulo that number. Event topics keep everything. Delivery is at least once and in order within a stream: "
    "a reader drops a version that it has, waits for a missing one, and sets unreadable records aside."
)


def document(services: Mapping[str, Any]) -> dict[str, Any]:
    """`services` are the joined `Service` objects by name. They say what each service reads."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for type_ in event_types():
        by_kind[name_of(type_).partition(".")[0]].append(name_of(type_))
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for owner in catalogue.SERVICES:
        for topic in catalogue.event_topics(owner):
            config = {"cleanup.policy": ["delete"], "retention.ms": -1, "retention.bytes": -1}
            channels[topic] = _channel(owner, topic, by_kind[topic.partition(".")[2]], config)
        content = catalogue.content_topic(owner)
        channels[content] = _channel(owner, content, ["content"], {"cleanup.policy": ["compact"]})
        for topic in (*catalogue.event_topics(owner), content):
            operations[f"{owner}.sends.{topic}"] = _operation("send", owner, topic)
            for name, service in services.items():
                if topic in (*service.topics, *service.content_topics):
                    operations[f"{name}.receives.{topic}"] = _operation("receive", name, topic)
    return {
        "asyncapi": "3.0.0",
        "id": "urn:huiying",
        "info": {"title": "Huiying", "version": "1", "description": ABOUT},
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                **{name_of(type_): _event(type_, model) for type_, model in event_types().items()},
                "content": _content(),
            },
            "parameters": {"prefix": {"description": "Prefix of the deployment's topics.", "default": "huiying"}},
        },
    }


def _channel(owner: str, topic: str, messages: list[str], config: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": f"{{prefix}}.{topic}",
        "description": f"Only {owner} writes here.",
        "parameters": {"prefix": {"$ref": "#/components/parameters/prefix"}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": {"topicConfiguration": config}},
    }


def _operation(action: str, service: str, topic: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}, "tags": [{"name": service}]}


def _event(type_: str, model: type[Fact]) -> dict[str, Any]:
    data = {"type": {"const": type_}, "data": {"$ref": f"./json/{name_of(type_)}.json"}}
    return {
        "name": type_,
        "title": model.__name__,
        "summary": " ".join(inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0].split()),
        "bindings": _keyed_by("partitionkey"),
        "payload": {"allOf": [{"$ref": "./json/envelope.json"}, {"type": "object", "properties": data}]},
    }


def _content() -> dict[str, Any]:
    return {
        "name": "content",
        "title": "Content",
        "summary": "Words, under the reference that events carry; `digest` there is SHA-256 over salt and words.",
        "description": "A record without a value says that the words are erased.",
        "contentType": "application/json",
        "bindings": _keyed_by("ref"),
        "payload": {
            "type": ["object", "null"],
            "properties": {
                "ref": TypeAdapter(Uuid).json_schema(),
                "salt": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                "words": {"type": "string"},
            },
            "required": ["ref", "salt", "words"],
        },
    }


def _keyed_by(name: str) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": name}}}
