"""What a message to a webhook says: one release of a statement, as the bulletin has it. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from services.kernel.core.ids import derived
from services.publish.delivering.public import to_post

TYPES = {
    "publication": "statement.published",
    "correction": "statement.corrected",
    "withdrawal": "statement.withdrawn",
}


def delivery_id(statement: str, release: int, channel: str) -> str:
    """The id of a delivery. It is the same in each try, so a receiver knows what it has already."""
    return f"msg_{derived('delivery', statement, str(release), channel)}"


def compose(
    statement: Mapping[str, Any],
    release: Mapping[str, Any],
    number: int,
    title: str,
    text: str,
    unit: Mapping[str, str],
    link: str,
    attachments: Iterable[Mapping[str, Any]] = (),
) -> bytes:
    """The body, the same bytes in each try. `title`, `text` and `attachments` are those that hold after the release.

    `number` counts the releases from 1 on, as the manifest does. `unit` has `code` and `name`, the
    name when the unit spoke.
    """
    reason = release["reason"]
    said: dict[str, Any] = {
        "type": TYPES[release["kind"]],
        "timestamp": release["at"],
        "data": {
            "id": statement["id"],
            "number": statement["number"],
            "url": link,
            "unit": unit,
            "kind": statement["kind"],
            "form": statement["form"],
            "release": number,
            "title": title,
            "text": text,
            "reason": reason,
            "shown": to_post(release["kind"], title, text, reason or ""),
            "published_at": statement["published_at"],
            "withdrawn": release["kind"] == "withdrawal",
            "attachments": list(attachments),
        },
    }
    return orjson.dumps(said)
