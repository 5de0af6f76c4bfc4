"""Reports for measuring: real messages beside the project if they exist, else the project's own."""

import json
from itertools import count, islice
from pathlib import Path
from typing import Any

from services.demo import samples

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "messages.jsonl"


def reports(number: int) -> list[dict[str, Any]]:
    """This many bodies of reports. No two have the same external id or subject."""
    messages: list[Any] = list(samples.messages())
    if REAL.exists():
        messages = [json.loads(line) for line in REAL.read_text("utf-8").splitlines()]
    units = ("town-east", "town-west", "county")

    def bodies() -> Any:
        for round_ in count():
            for at, message in enumerate(messages):
                if not message["title"].strip() or not message["body"].strip():
                    continue
                yield {
                    "unit": units[at % len(units)],
                    "channel": "board",
                    "subject": f"{message['title']} {round_}-{at}",
                    "text": message["body"],
                    "discovered_at": message["submitted_at"],
                    "source": "mayor-board",
                    "external_id": f"{message['external_id']}-{round_}",
                }

    return list(islice(bodies(), number))
