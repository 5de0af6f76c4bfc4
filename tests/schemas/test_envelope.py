"""An event is one byte string: `parse` reads what `seal` writes. Other bytes are judged, and none crash the process."""

import contextlib
import json
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import catalogue, envelope, upcast
from schemas.envelope import MAX_BYTES, Event, Undecodable, UnknownType
from schemas.fields import WIRE, Typed
from schemas.triage import IncidentGraded, IncidentInstructionGiven
from tests.schemas.kit import EXAMPLES, INSTANTS, JSON, TYPES, an_example, data_of

# The rules of the CloudEvents 1.0 JSON event format; extension attributes have lower-case alphanumeric names and are
# booleans, 32-bit integers or strings.
CLOUD_EVENT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "source", "specversion", "type"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1, "format": "uri-reference"},
        "specversion": {"const": "1.0"},
        "type": {"type": "string", "minLength": 1},
        "subject": {"type": "string", "minLength": 1},
        "time": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$"},
        "dataschema": {"type": "string", "minLength": 1, "pattern": "^[a-z]+:"},
        "data": {"type": "object"},
    },
    "propertyNames": {"pattern": "^[a-z0-9]{1,20}$"},
    "additionalProperties": {
        "anyOf": [
            {"type": "string"},
            {"type": "boolean"},
            {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
        ]
    },
}


def altered(event: Event, data: dict[str, Any] | None = None, **attributes: Any) -> bytes:
    """The event's bytes with other attributes, or with more in its data."""
    return orjson.dumps({**event.attributes, "data": {**event.attributes["data"], **(data or {})}, **attributes})


@st.composite
def sealed(draw: st.DrawFn) -> Event:
    type_ = draw(st.sampled_from(TYPES))
    model = catalogue.types()[type_]
    version = draw(st.integers(1, 2**31 - 1))
    template = an_example()
    optional = ("correlation", "causation", "unit", "policy")
    chosen = draw(st.sets(st.sampled_from(optional)))
    return envelope.seal(
        model.model_validate(draw(data_of(type_)), context=WIRE),
        id=template.id,
        source=template.attributes["source"],
        stream=template.stream,
        version=version,
        previous="0" * 64 if version > 1 else None,
        time=draw(INSTANTS),
        recorded=draw(INSTANTS),
        partitionkey=template.partitionkey,
        actor=draw(st.sampled_from(["system", "handler@town-east"])),
        basis=draw(st.sampled_from([None, *template.basis])),
        drill=draw(st.booleans()),
        **{name: getattr(template, name) for name in chosen},
    )


@given(sealed())
def test_what_is_sealed_can_be_parsed_and_is_the_same(event: Event) -> None:
    parsed = Event.parse(event.bytes)

    assert parsed.bytes == event.bytes
    assert parsed.is_canonical
    assert parsed.digest == event.digest
    assert parsed.attributes == event.attributes
    assert parsed.data == event.data
    assert (parsed.time, parsed.recorded) == (event.time, event.recorded)
    assert orjson.loads(event.bytes)["data"].keys() <= {name for name, value in event.data if value is not None}


@pytest.mark.parametrize("type_", TYPES)
def test_every_event_is_a_cloud_event(type_: str) -> None:
    for complete in (True, False):
        jsonschema.validate(json.loads(EXAMPLES[type_, complete]), CLOUD_EVENT)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_undecodable(value: bytes) -> None:
    with pytest.raises(Undecodable):
        Event.parse(value)


@given(JSON)
def test_any_json_is_an_event_or_undecodable(value: Any) -> None:
    with pytest.raises(Undecodable):
        Event.parse(json.dumps(value).encode())


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_an_event_with_anything_changed_is_read_or_set_aside(which: tuple[str, bool], draw: st.DataObject) -> None:
    changed = json.loads(EXAMPLES[which])
    part = draw.draw(st.sampled_from([changed, changed["data"]]))
    assume(part)
    name = draw.draw(st.sampled_from(sorted(part)))
    part[name] = draw.draw(JSON)
    with contextlib.suppress(Undecodable):
        event = Event.parse(json.dumps(changed).encode())
        for read in ("time", "recorded", "kind", "service", "topic", "basis", "words", "digest", "drill"):
            getattr(event, read)
        hash(
            (event.id, event.stream, event.version, event.partitionkey, event.correlation, event.causation, event.unit)
        )
        with contextlib.suppress(UnknownType):
            event.data  # noqa: B018  reading judges it


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"specversion": "0.3"}, "specversion is not 1.0"),
        ({"id": "7"}, "id is missing or malformed"),
        ({"time": "2026-03-02T00:30:00Z"}, "time is missing or malformed"),
        ({"time": "2026-13-45T00:30:00.000000Z"}, "time is no time"),
        ({"streamversion": True}, "streamversion is not a number from 1 to"),
        ({"streamversion": 2**31}, "streamversion is not a number from 1 to"),
        ({"streamversion": 1}, "previousdigest is needed from version 2 on, and version 1 has none"),
        ({"previousdigest": "none"}, "previousdigest is missing or malformed"),
        ({"source": ""}, "source is missing or malformed"),
        ({"type": "huiying." + "a" * 100 + ".v1"}, "type is missing or malformed"),
        ({"partitionkey": "county"}, "partitionkey is missing or malformed"),
        ({"correlationid": ["incident"]}, "correlationid is missing or malformed"),
        ({"unit": "county\x00"}, "unit is missing or malformed"),
        ({"basis": 7}, "basis is missing or malformed"),
        ({"policy": None}, "policy is missing or malformed"),
        ({"drill": "yes"}, "drill is not true or false"),
    ],
)
def test_what_is_wrong_with_an_envelope_is_said(attributes: dict[str, Any], problem: str) -> None:
    with pytest.raises(Undecodable, match=problem):
        Event.parse(altered(an_example(), **attributes))


def test_what_is_no_record_of_an_event_topic_is_said() -> None:
    for value, problem in ((None, "no value"), (b"x" * (MAX_BYTES + 1), "at most"), (b"[]", "not an object")):
        with pytest.raises(Undecodable, match=problem):
            Event.parse(value)


def test_a_producer_refuses_an_unknown_field() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        IncidentInstructionGiven.model_validate({"text": "look at it", "author": "someone"})


def test_a_reader_ignores_what_a_later_version_adds_and_keeps_the_bytes() -> None:
    event = an_example()
    later = altered(event, data={"added": {"later": 1}}, addedlater="yes")

    read = Event.parse(later)

    assert read.data == event.data
    assert read.bytes == later


def test_a_type_or_major_version_that_is_not_known_is_well_formed_and_waits() -> None:
    for type_ in ("huiying.incident.graded.v99", "huiying.incident.sighed.v1"):
        event = Event.parse(altered(an_example(), type=type_))
        with pytest.raises(UnknownType, match=type_):
            event.data  # noqa: B018


def test_data_that_does_not_fit_its_type_names_the_place() -> None:
    event = Event.parse(altered(an_example(), data={"rank": "high"}))
    with pytest.raises(Undecodable, match=r"data\.rank of huiying\.incident\.graded\.v1"):
        event.data  # noqa: B018


def test_old_data_is_read_as_the_newest_and_its_bytes_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: dict[str, upcast.Step] = {
        "huiying.incident.weighed.v1": ("huiying.incident.weighed.v2", lambda data: {"level": data["weight"], **data}),
        "huiying.incident.weighed.v2": ("huiying.incident.graded.v1", lambda data: {**data, "rank": 3}),
    }
    for old, step in steps.items():
        monkeypatch.setitem(upcast.STEPS, old, step)
    data = {"weight": "extraordinary", "reason": an_example().attributes["data"]["reason"]}
    written = orjson.dumps({**an_example().attributes, "type": "huiying.incident.weighed.v1", "data": data})

    event = Event.parse(written)

    assert isinstance(event.data, IncidentGraded)
    assert (event.data.level, event.data.rank) == ("extraordinary", 3)
    assert event.bytes == written
    assert event.attributes["data"] == data


def test_words_on_the_wire_must_be_a_reference() -> None:
    event = Event.parse(altered(an_example(), data={"reason": "words in the open"}))
    with pytest.raises(Undecodable, match=r"data\.reason"):
        event.data  # noqa: B018


def test_words_that_were_not_sealed_never_reach_the_bytes() -> None:
    template = an_example()
    event = envelope.seal(
        IncidentInstructionGiven(text=Typed(text="the mayor's secret")),
        id=template.id,
        source=template.attributes["source"],
        stream=template.stream,
        version=1,
        previous=None,
        time=template.time,
        recorded=template.recorded,
        partitionkey=template.partitionkey,
        actor="system",
    )
    assert b"secret" not in event.bytes
