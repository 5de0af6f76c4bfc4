"""The project's messages for its demo and tests. All are made up; no person, place or office is real."""

import json
from importlib import resources
from typing import TypedDict


class Message(TypedDict):
    """One message as a board or hotline would send it. `submitted_at` is ISO 8601 with its offset."""

    external_id: str
    title: str
    body: str
    submitted_at: str


def messages() -> list[Message]:
    """All of them, in order of time."""
    lines = resources.files(__name__).joinpath("messages.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]
