"""What a command is made of."""

from typing import Any

from pydantic import BaseModel, ConfigDict


def example(**fields: Any) -> dict[str, Any]:
    """For `json_schema_extra` of a body: what one looks like, for the documents of the API."""
    return {"examples": [fields]}


class Command(BaseModel):
    """Something that is asked; the body of a request where people ask it. Unknown fields are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
