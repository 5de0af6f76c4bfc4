"""An event on a topic and in answers, attribute by attribute."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas import catalogue
from schemas.fields import Digest, Instant, PolicyRef, StreamId, UnitCode, Uuid

_AT_VERSION = r"[a-z]+-[0-9a-f-]{36}@[0-9]+"
_TYPE = r"[a-z]+\.[a-z_]+\.v[1-9][0-9]*"
_POST = r"[a-z][a-z0-9_]*@[a-z0-9][a-z0-9-]*"


class Envelope(BaseModel):
    """An event: a CloudEvents 1.0 object in structured mode. `data` has the schema whose `$id` is `dataschema`.

    Times are UTC with microseconds. Readers ignore unknown attributes and fields.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    specversion: Literal["1.0"]
    """The version of CloudEvents."""
    id: Uuid
    """The event's id."""
    source: Annotated[str, StringConstraints(pattern=rf"^/huiying/[^/]+/({'|'.join(catalogue.SERVICES)})$")]
    """The deployment and the service that wrote it."""
    type: Annotated[str, StringConstraints(pattern=rf"^huiying\.{_TYPE}$", max_length=100)]
    """What happened, with the version of its schema."""
    subject: StreamId
    """The stream."""
    time: Instant
    """When it happened."""
    recordedtime: Instant
    """When it was appended. It never decreases within a stream."""
    dataschema: Annotated[str, StringConstraints(pattern=rf"^urn:huiying:{_TYPE}$")]
    """The schema of `data`."""
    partitionkey: StreamId
    """The partition key; fixed for the stream's life."""
    streamversion: Annotated[int, Field(ge=1, le=2**31 - 1)]
    """Its place in the stream: from 1 on, without a gap."""
    previousdigest: Digest | None = None
    """SHA-256 of the bytes of the stream's previous event. Only version 1 has none."""
    correlationid: StreamId | None = None
    """The incident, if it is known."""
    causationid: Uuid | None = None
    """The event or request that caused it."""
    actor: Annotated[str, StringConstraints(pattern=rf"^(system|operator|integration-[0-9a-f-]{{36}}|{_POST})$")]
    """A post of a unit's directory, an integration, the command line's operator, or the system itself."""
    by: Digest | None = None
    """Where people work on a matter, a keyed digest that tells the persons at posts apart within this stream. It is
    another one in every other stream. An act that writes to several streams has it in the first one alone. So it names
    nobody, and no two streams share it. Within its stream it shows which acts are of one person, and whoever has the
    key of the service can compute it for a person.
    """
    unit: UnitCode | None = None
    """The unit that acted; for a report, the unit that received it."""
    policy: PolicyRef | None = None
    """The pack by which a rule decided."""
    basis: Annotated[str, StringConstraints(pattern=rf"^{_AT_VERSION}(,{_AT_VERSION})*$")] | None = None
    """Versions of other services' streams on which the decision rests."""
    drill: bool = False
    """Whether it belongs to an exercise."""
    data: dict[str, Any]
    """The facts of the event. Typed words stand here only by reference and digest."""
