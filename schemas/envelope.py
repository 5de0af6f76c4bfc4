"""An event as bytes and as an object: a CloudEvents 1.0 JSON object in structured mode.

The bytes are stored, relayed, hashed and archived unchanged, and every reader reads these bytes. `Event.parse` is the
one border where foreign bytes become an event.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar, overload

import orjson
from pydantic import ValidationError

from schemas import catalogue, upcast
from schemas.fields import UUID, WIRE, Fact, instant, parse_instant

_INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_STREAM = rf"[a-z]{{1,27}}-{UUID}"
_ALWAYS = {
    "id": UUID,
    "source": r"/huiying/[^/\x00-\x20]{1,64}/[a-z]{1,16}",
    "type": r"(?=[^\n]{1,100}(?:\n|\Z))[a-z]+(?:\.[a-z_]+)+\.v[1-9]\d*",
    "subject": _STREAM,
    "time": _INSTANT,
    "recordedtime": _INSTANT,
    "partitionkey": _STREAM,
}
_SOMETIMES = {
    "previousdigest": r"[0-9a-f]{64}",
    "correlationid": _STREAM,
    "causationid": UUID,
    "actor": r"[^\x00-\x1f]{1,130}",
    "by": r"[0-9a-f]{64}",
    "unit": r"[a-z0-9][a-z0-9-]{0,63}",
    "policy": r"[^\x00-\x1f]{1,200}",
    "basis": r"[^\x00-\x1f]{1,2000}",
}
# One line for each attribute. One match is twice as fast as fourteen.
_NAMES = (*_ALWAYS, *_SOMETIMES)
_LINES = re.compile("\n".join((*_ALWAYS.values(), *(f"(?:{one})?" for one in _SOMETIMES.values()))), re.ASCII)
MAX_VERSION = 2**31 - 1
MAX_BYTES = 900_000
"""The most bytes of an event. So every record fits the brokers' default limit of one megabyte."""


class Undecodable(Exception):
    """Bytes that are no event. They are never retried, but set aside with the reason."""


class UnknownType(Exception):
    """A well-formed event of a type or major version that this version does not know. It is kept until it is known."""


Raw = bytes
"""Inside `Event`, the name `bytes` means the event's own field."""


def digest(value: bytes) -> str:
    """SHA-256 of an event's bytes, in hex. The stream's next version carries it as `previousdigest`."""
    return hashlib.sha256(value).hexdigest()


T = TypeVar("T")


class once(Generic[T]):  # noqa: N801, used like a decorator of the standard library
    """A property that is computed at the first reading.

    `functools.cached_property` takes a lock before Python 3.12. That costs more than what these properties compute.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute, self._name, self.__doc__ = compute, compute.__name__, compute.__doc__

    @overload
    def __get__(self, owner: None, of: type) -> "once[T]": ...
    @overload
    def __get__(self, owner: object, of: type) -> T: ...
    def __get__(self, owner: object | None, of: type) -> "T | once[T]":
        if owner is None:
            return self
        value = owner.__dict__[self._name] = self._compute(owner)
        return value


@dataclass(frozen=True)
class Event:
    """An event: the attributes of the envelope, and its exact bytes. Compare events by their bytes."""

    attributes: Mapping[str, Any]
    bytes: bytes

    @classmethod
    def parse(cls, value: Raw | None) -> "Event":
        """The event in `value`. This checks only the envelope; `data` is checked when it is read.

        Raises `Undecodable` with a sentence on the fault of the bytes.
        """
        if value is None:
            raise Undecodable("the record has no value; event topics hold no tombstones")
        if len(value) > MAX_BYTES:
            raise Undecodable(f"the record has {len(value)} bytes; an event has at most {MAX_BYTES}")
        try:
            attributes = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise Undecodable(f"the bytes are not JSON: {error}") from None
        if not isinstance(attributes, dict):
            raise Undecodable("the JSON is not an object")
        _check(attributes)
        return cls(attributes, value)

    @once
    def id(self) -> str:
        return str(self.attributes["id"])

    @once
    def type(self) -> str:
        return str(self.attributes["type"])

    @once
    def stream(self) -> str:
        return str(self.attributes["subject"])

    @once
    def kind(self) -> str:
        return catalogue.kind_of(self.stream)

    @once
    def version(self) -> int:
        return int(self.attributes["streamversion"])

    @once
    def service(self) -> str:
        """The service that wrote it: the last part of `source`."""
        return str(self.attributes["source"]).rpartition("/")[2]

    @once
    def topic(self) -> str:
        """Its topic, without the prefix."""
        return f"{self.service}.{self.kind}"

    @property
    def partitionkey(self) -> str:
        return str(self.attributes["partitionkey"])

    @property
    def time_text(self) -> str:
        return str(self.attributes["time"])

    @once
    def recorded_text(self) -> str:
        return str(self.attributes["recordedtime"])

    @once
    def time(self) -> datetime:
        """When it happened, UTC."""
        return parse_instant(self.time_text)

    @once
    def recorded(self) -> datetime:
        """When it was appended, UTC. It never decreases within a stream."""
        return parse_instant(self.recorded_text)

    @property
    def previous(self) -> str | None:
        return self.attributes.get("previousdigest")

    @once
    def correlation(self) -> str | None:
        """Its incident, if that is known."""
        return self.attributes.get("correlationid")

    @property
    def causation(self) -> str | None:
        return self.attributes.get("causationid")

    @property
    def actor(self) -> str:
        return str(self.attributes.get("actor", "system"))

    @property
    def by(self) -> str | None:
        """The keyed digest of the person who acted, see `wire.Envelope.by`; some data carries it itself."""
        by = self.attributes.get("by") or self.attributes["data"].get("by")
        return by if isinstance(by, str) else None

    @property
    def unit(self) -> str | None:
        return self.attributes.get("unit")

    @property
    def policy(self) -> str | None:
        return self.attributes.get("policy")

    @property
    def basis(self) -> tuple[str, ...]:
        text = self.attributes.get("basis")
        return tuple(text.split(",")) if text else ()

    @property
    def drill(self) -> bool:
        return bool(self.attributes.get("drill", False))

    @once
    def digest(self) -> str:
        return digest(self.bytes)

    @property
    def is_canonical(self) -> bool:
        """Whether the bytes are those that a service writes: no white space, each name once, one form of a number.

        The record of a matter holds events inside an object, so they must not be nested as deep as JSON may be.
        """
        try:
            return orjson.dumps([self.attributes])[1:-1] == self.bytes
        except TypeError:
            return False

    @property
    def words(self) -> dict[str, str]:
        """Field -> reference of the event's words, from the bytes as they are."""
        found = {}
        for name, value in self.attributes["data"].items():
            if isinstance(value, dict) and value.keys() == {"ref", "digest"}:
                found[name] = str(value["ref"])
        return found

    @once
    def data(self) -> Any:
        """The data as the newest model of its type. Old versions are upcast, and unknown fields are ignored.

        Raises `UnknownType` or `Undecodable`.
        """
        type_, data = upcast.newest(self.type, self.attributes["data"])
        model = catalogue.model_of(type_)
        if model is None:
            raise UnknownType(f"this version does not know {self.type}")
        try:
            return model.model_validate(data, extra="ignore", context=WIRE)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Undecodable(f"data.{place} of {self.type}: {first['msg']}") from None


def _check(attributes: dict[str, Any]) -> None:
    if attributes.get("specversion") != "1.0":
        raise Undecodable("specversion is not 1.0")
    try:
        fits = _LINES.fullmatch("\n".join([attributes.get(name, "") for name in _NAMES]))
    except TypeError:
        fits = None
    if not fits:
        raise Undecodable(f"{_misfit(attributes)} is missing or malformed")
    for name in ("time", "recordedtime"):
        try:
            parse_instant(attributes[name])
        except ValueError:
            raise Undecodable(f"{name} is no time: {attributes[name]}") from None
    version = attributes.get("streamversion")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= MAX_VERSION:
        raise Undecodable(f"streamversion is not a number from 1 to {MAX_VERSION}")
    if (version == 1) != (not attributes.get("previousdigest")):
        raise Undecodable("previousdigest is needed from version 2 on, and version 1 has none")
    if not isinstance(attributes.get("drill", False), bool):
        raise Undecodable("drill is not true or false")
    if not isinstance(attributes.get("data"), dict):
        raise Undecodable("data is not an object")


def _misfit(attributes: dict[str, Any]) -> str:
    """The first attribute that does not fit, for the message."""
    for name, pattern in (_ALWAYS | _SOMETIMES).items():
        value = attributes.get(name, "")
        if name in _SOMETIMES and value == "":
            continue
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            return name
    return "an attribute"


def seal(
    data: Fact,
    *,
    id: str,
    source: str,
    stream: str,
    version: int,
    previous: str | None,
    time: datetime,
    recorded: datetime,
    partitionkey: str,
    actor: str,
    by: str | None = None,
    correlation: str | None = None,
    causation: str | None = None,
    unit: str | None = None,
    policy: str | None = None,
    basis: str | None = None,
    drill: bool = False,
) -> Event:
    """An event from its data and attributes. Absent attributes are left out. `data` must hold no unsealed words."""
    type_ = catalogue.type_of(type(data))
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": type_,
        "subject": stream,
        "time": instant(time),
        "recordedtime": instant(recorded),
        "dataschema": f"urn:{type_.replace('.', ':', 1)}",
        "partitionkey": partitionkey,
        "streamversion": version,
    }
    optional = {
        "previousdigest": previous,
        "correlationid": correlation,
        "causationid": causation,
        "actor": actor,
        "by": by,
        "unit": unit,
        "policy": policy,
        "basis": basis,
    }
    attributes.update({name: value for name, value in optional.items() if value is not None})
    if drill:
        attributes["drill"] = True
    attributes["data"] = data.model_dump(mode="json", exclude_none=True)
    event = Event(attributes, orjson.dumps(attributes))
    event.__dict__["data"] = data
    return event
