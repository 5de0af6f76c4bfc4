"""An event as it stands on a topic and in answers, attribute by attribute."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas import catalogue
from schemas.fields import Digest, Instant, PolicyRef, StreamId, UnitCode, Uuid

_AT_VERSION = r"[a-z]+-[0-9a-f-]{36}@[0-9]+"
_TYPE = r"[a-z]+\.[a-z_]+\.v[1-9][0-9]*"
_POST = r"[a-z][a-z0-9_]*@[a-z0-9][a-z0-9-]*"


class Envelope(BaseModel):
    """An event: a CloudEvents 1.0 object in structured mode. `data` has the schema whose `$id` is `dataschema`.

    Times are UTC with microseconds. Readers ignore attributes and fields that they do not know.
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
    """When it was appended; never decreasing within a stream."""
    dataschema: Annotated[str, StringConstraints(pattern=rf"^urn:huiying:{_TYPE}$")]
    """The schema of `data`."""
    partitionkey: StreamId
    """Fixed for the stream's life."""
    streamversion: Annotated[int, Field(ge=1, le=2**31 - 1)]
    """From 1 on, without a gap."""
    previousdigest: Digest | None = None
    """SHA-256 of the bytes of the stream's previous event; absent at version 1 alone."""
    correlationid: StreamId | None = None
    """The incident, where it is known."""
    causationid: Uuid | None = None
    """The event or request behind it."""
    actor: Annotated[str, StringConstraints(pattern=rf"^(system|operator|integration-[0-9a-f-]{{36}}|{_POST})$")]
    """A post of a unit's directory, an integration, the command line's operator, or the system itself."""
    unit: UnitCode | None = None
    """Who acted; of a report, who received."""
    policy: PolicyRef | None = None
    """The pack by which a rule decided."""
    basis: Annotated[str, StringConstraints(pattern=rf"^{_AT_VERSION}(,{_AT_VERSION})*$")] | None = None
    """Versions of other services' streams that the decision rests on."""
    drill: bool = False
    """Whether it belongs to an exercise."""
    data: dict[str, Any]
    """What is to be known of it. Words that somebody typed stand here by reference and digest alone."""
