"""What a command is made of."""

from pydantic import BaseModel, ConfigDict


class Command(BaseModel):
    """Something that is asked; the body of a request where people ask it. Unknown fields are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
