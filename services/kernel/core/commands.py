"""The base class of commands."""

from typing import Any

from pydantic import BaseModel, ConfigDict


def example(**fields: Any) -> dict[str, Any]:
    """The `json_schema_extra` of a body: an example for the documents of the API."""
    return {"examples": [fields]}


class Command(BaseModel):
    """A request for a decision.

    It is the body of the HTTP request where people send it. Unknown fields are refused by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
