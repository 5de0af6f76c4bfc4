"""All event types: type and major version of each model, the owner of each stream, and its topic.

`owner("incident")` is "triage". Its events travel on the topic `<prefix>.triage.incident`, which only triage may write.
"""

from collections.abc import Callable
from typing import TypeVar

from schemas.fields import Erasure, Fact, words_fields

PREFIX = "huiying."
STREAMS = {
    "report": "ingest",
    "outage": "ingest",
    "message": "ingest",
    "incident": "triage",
    "policy": "triage",
    "unit": "triage",
    "clock": "escalation",
    "roster": "escalation",
    "surge": "escalation",
    "post": "escalation",
    "statement": "publish",
    "press": "publish",
    "channel": "publish",
    "finding": "audit",
    "review": "audit",
    "inspection": "audit",
    "referral": "audit",
    "drill": "audit",
    "training": "audit",
    "delivery": "audit",
    "log": "audit",
    "checkpoint": "audit",
}
"""Stream kind -> the service that owns it."""
OF_EACH = ("operation", "words")
"""Stream kinds of every service: acts of its operators, and deleted words."""
SERVICES = ("ingest", "triage", "escalation", "publish", "audit")
UNSEQUENCED = frozenset({"log", "checkpoint"})
"""Streams whose events have no place in audit's order: they are about this order."""
FOLLOWS_INCIDENT = frozenset({"incident", "clock", "statement", "press", "finding", "review", "message", "delivery"})
"""Streams whose partition key is their incident. Every other stream is its own key."""
NAMES_INCIDENT = frozenset(
    {
        "policy.lesson_recorded",
        "roster.report_held",
        "surge.noticed",
        "inspection.remark_made",
        "report.helpfulness_given",
    }
)
"""Types, without version, that name an `incident` on streams that do not follow it.

The one event belongs to the incident. What else stands on its stream does not.
"""

BETWEEN = frozenset({"huiying.incident.handed_over.v1", "huiying.incident.peer_told.v1"})
"""The types of events that go to another deployment. Each names it in `to`."""

WORKED_ON = frozenset({"incident", "statement", "press", "report", "clock"})
"""Kinds of streams on which people work on a matter. Their events tell the persons apart, see `wire.Envelope.by`."""

_models: dict[str, type[Fact]] = {}
_types: dict[type[Fact], str] = {}
_words: dict[type[Fact], tuple[str, ...]] = {}
_planned: set[str] = set()
F = TypeVar("F", bound=type[Fact])


def event(name: str, version: int = 1, *, planned: bool = False) -> Callable[[F], F]:
    """Registers a model as `huiying.<name>.v<version>`; `name` is the stream kind and a past participle.

    Nothing produces a `planned` type yet. It is not released, so it may still change.
    """

    def register(model: F) -> F:
        full = f"{PREFIX}{name}.v{version}"
        if full in _models:
            raise ValueError(f"two models claim the event type {full}")
        _models[full], _types[model], _words[model] = model, full, words_fields(model)
        if planned:
            _planned.add(full)
        return model

    return register


def model_of(type_: str) -> type[Fact] | None:
    """The model of an event type; None if this version does not know the type."""
    return _models.get(type_)


def type_of(model: type[Fact]) -> str:
    """`huiying.incident.graded.v1` of `IncidentGraded`."""
    return _types[model]


def is_planned(type_: str) -> bool:
    """Whether nothing produces the type yet. Then it may still change."""
    return type_ in _planned


def words_of(model: type[Fact]) -> tuple[str, ...]:
    """The fields of a registered model that hold words."""
    return _words[model]


def names_incident(type_: str) -> bool:
    """Whether events of this type belong to the incident that they name, while their stream does not."""
    return type_.removeprefix(PREFIX).rpartition(".v")[0] in NAMES_INCIDENT


def is_erasure(type_: str) -> bool:
    """Whether events of this type order that words are deleted."""
    return issubclass(_models.get(type_, Fact), Erasure)


def types() -> dict[str, type[Fact]]:
    """Every registered type and its model, by name. The order of registration depends on who imports what first."""
    return dict(sorted(_models.items()))


def kind_of(stream: str) -> str:
    """The kind of a stream id: `incident` of `incident-0192…`."""
    return stream.partition("-")[0]


def owner(kind: str, service: str = "") -> str:
    """The service that owns streams of this kind. A kind of every service belongs to the service that writes it."""
    return service if kind in OF_EACH else STREAMS[kind]


def event_topics(service: str) -> tuple[str, ...]:
    """The topics on which `service` writes events, without the prefix: `("triage.incident", …)`."""
    own = (kind for kind, by in STREAMS.items() if by == service)
    return tuple(f"{service}.{kind}" for kind in (*own, *OF_EACH))


def content_topic(service: str) -> str:
    """The compacted topic for the words of `service`, without the prefix."""
    return f"{service}.content"


def all_topics() -> tuple[str, ...]:
    """Every topic of the system, without the prefix: events first, then content."""
    return (*(t for s in SERVICES for t in event_topics(s)), *(content_topic(s) for s in SERVICES))
