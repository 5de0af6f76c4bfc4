"""The requests for subscriptions."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.fields import Code
from services.kernel.core.commands import Command, example

Address = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Position = Annotated[int, Field(strict=True, ge=0, le=10**12)]


class Subscribe(
    Command, json_schema_extra=example(address="https://board.example.gov.cn/in", types=["incident.graded"])
):
    """Get events at an address: of a unit's matters and acts, or of an integration's own reports."""

    address: Address
    """The receiver, `https://…`."""
    types: Annotated[tuple[Code, ...], Field(max_length=100)] = ()
    """Only events of these types, the full or the short ones. Without any, all that can be sent."""
    drills: bool = False
    """Also events of exercises. They look like those of real matters, but for their attribute `drill`."""
    position: Position | None = None
    """The position of the log from which on events are sent. By default from now on."""


class Replay(Command, json_schema_extra=example(position=0)):
    """Send again from a position of the log on."""

    position: Position
    """The position, as messages tell it in `logposition`."""
