"""What an event claims: who signed what, and which steps agreed. The kernel checks it without knowing the event.

A signature is a JSON Web Signature with detached content (RFC 7515, appendix F) whose header follows from its key.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from schemas.approval import Step
from schemas.manifest import canonical

KIND = "huiying-act+jws"
"""The `typ` of each signature of a post. No token and no manifest has it."""


class Signed(NamedTuple):
    """A signature that an event carries. `what` names it in sentences, `post` says whose key must have made it."""

    what: str
    key: str
    post: str
    at: datetime
    content: bytes
    value: str


class Answer(NamedTuple):
    """The answer of `who` at a step: agreed, or referred `to` somebody. `by` tells persons apart."""

    step: str
    who: str
    by: str
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a publication says of its approvals. With `barred`, none of these persons may agree, and nobody twice.

    `of` says which chains of a pack approve it.
    """

    steps: tuple[Step, ...]
    answers: tuple[Answer, ...]
    barred: frozenset[str] | None = None
    of: Literal["statement", "notice"] = "statement"


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of an event; without signature and fault it is unsigned. `fault` says how it contradicts itself."""

    signed: tuple[Signed, ...] = ()
    agreed: Agreed | None = None
    fault: str = ""


def to_sign(key: str, content: Mapping[str, Any]) -> bytes:
    """The bytes over which a key signs. Raises `ValueError` for content that has no single form."""
    header = canonical({"alg": "EdDSA", "kid": key, "typ": KIND})
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, canonical(content)))
