"""The exact bytes of what an office published, and the manifests that name them. Pure; docs/verifying.md explains it.

A reader checks them without any service. `schemas.releases` makes the contents from events.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

RELEASE, STATE, FILE = (f"huiying-statement-{of}/1" for of in ("release", "state", "file"))
"""What a signed manifest is, what the signed state of a statement is, and the file with both."""
SAFE = 2**53
"""Whole numbers below this are the same in every reader of JSON."""
Content = dict[str, Any]
"""What one release says, as `content_of` makes it."""


class Release(NamedTuple):
    """A publication, a correction or a withdrawal."""

    content: Content
    at: str
    """When, as an instant."""
    approvals: int
    """How many posts and bodies agreed to exactly this text before it was published."""
    event: str
    """SHA-256 of the event's bytes, which its leaf in the log of all events holds."""


def canonical(value: Any) -> bytes:
    """JSON by the rules of RFC 8785: names sorted, no white space, UTF-8.

    Raises `ValueError` for numbers with a fraction or beyond 2^53, and for texts that are no UTF-8.
    """
    _must_be_plain(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _must_be_plain(value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise ValueError(f"the name {name!r} is no ASCII text")
            _must_be_plain(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _must_be_plain(inner)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) >= SAFE):
        raise ValueError(f"the number {value} has no single form")
    elif not isinstance(value, str | int | None):
        raise ValueError(f"{value!r} is no JSON")


def content_of(
    *,
    statement: str,
    number: str | None,
    unit: str,
    release: int,
    kind: str,
    title: str | None,
    text: str | None,
    reason: str | None,
    facts: Iterable[str] = (),
    attachments: Iterable[Mapping[str, Any]] = (),
) -> Content:
    """What one release says. A withdrawal has no title, no text and no files."""
    return {
        "attachments": list(attachments),
        "facts": sorted(facts),
        "kind": kind,
        "number": number,
        "reason": reason,
        "release": release,
        "statement": statement,
        "text": text,
        "title": title,
        "unit": unit,
    }


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of the exact bytes of a release, hex."""
    return hashlib.sha256(canonical(content)).hexdigest()


def state_of(contents: Sequence[Mapping[str, Any]]) -> str:
    """`published`, `corrected` or `withdrawn`, after these releases."""
    last = {"publication": "published", "correction": "corrected", "withdrawal": "withdrawn"}
    return last[contents[-1]["kind"]]


def manifest_of(release: Release, deployment: str, unit_name: str) -> dict[str, Any]:
    """The manifest of a release. `event` leads to its place in the log of all events: its leaf holds that digest."""
    content = release.content
    return {
        "approvals": release.approvals,
        "at": release.at,
        "deployment": deployment,
        "digest": digest_of(content),
        "event": release.event,
        "format": RELEASE,
        "kind": content["kind"],
        "number": content["number"],
        "release": content["release"],
        "statement": content["statement"],
        "unit": content["unit"],
        "unit_name": unit_name,
    }


def standing_of(found: Sequence[Release], deployment: str) -> dict[str, Any]:
    """What holds of a statement after its last release, so that nobody can leave out a correction or a withdrawal."""
    contents = [release.content for release in found]
    return {
        "changed_at": found[-1].at,
        "deployment": deployment,
        "digests": [digest_of(content) for content in contents],
        "format": STATE,
        "number": contents[-1]["number"],
        "state": state_of(contents),
        "statement": contents[-1]["statement"],
    }
