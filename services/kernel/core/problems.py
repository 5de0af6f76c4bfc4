"""Problems of requests. Each has a status and a stable `type` (RFC 9457 problem details).

Deciders raise `Rejected` and `Forbidden`; everything here becomes `application/problem+json` at the border.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.problems import PREFIX, chinese
from schemas.titles import Language


class Problem(Exception):
    """A refusal. Its sentence says what was wrong and what to do.

    `code` is one of `schemas.problems.TYPES`. Further members, such as `field` or `version`, stand in the problem
    details beside the standard ones. They also fill the placeholders of the Chinese sentence.
    """

    status: ClassVar[int] = 500
    usual: ClassVar[str] = "internal"
    """The code, unless the caller names another one."""

    def __init__(self, detail: str, *, code: str | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.detail, self.code = detail, code or self.usual
        self.members = {name: value for name, value in members.items() if value is not None}
        self.numbers: Mapping[str, str] = {}
        """Record -> the number by which the sentence names it."""
        self.record: str | None = None
        """The stream of the command that was refused, if there was one."""

    def body(self, language: Language = "en") -> dict[str, Any]:
        """The problem details object in one language."""
        title, detail = self.code.replace("-", " ").capitalize(), self.detail
        if language == "zh":
            title, detail = chinese(self.code, self.members)
        for record, number in self.numbers.items():
            detail = detail.replace(record, number)
        return {"type": PREFIX + self.code, "title": title, "status": self.status, "detail": detail, **self.members}


class NotJson(Problem):
    """The body is not JSON in UTF-8."""

    status, usual = 400, "not-json"


class Unauthenticated(Problem):
    """Nobody signed in, or the token or key is not valid any more."""

    status, usual = 401, "sign-in-required"


class Forbidden(Problem):
    """The actor has no right to this. Recorded as an event."""

    status, usual = 403, "no-right"


class NotFound(Problem):
    """There is no such thing, or the caller may not read it."""

    status, usual = 404, "not-found"


class NotAllowed(Problem):
    """The path exists and takes other methods."""

    status, usual = 405, "method-not-allowed"


class TooSlow(Problem):
    """The request did not arrive in time."""

    status, usual = 408, "too-slow"


class Rejected(Problem):
    """A rule of the office or of the record forbids it. Repeating the request changes nothing."""

    status, usual = 409, "rejected"


class Stale(Problem):
    """The officer's page is out of date; `version` is the newest."""

    status, usual = 412, "stale"


class TooLarge(Problem):
    """The body, a line or a picture is too large."""

    status, usual = 413, "too-large"


class UnsupportedMedia(Problem):
    """The server does not take this media type or this encoding of the body."""

    status, usual = 415, "unsupported-media-type"


class Malformed(Problem):
    """The request has the wrong shape; `field` names the place."""

    status, usual = 422, "malformed"


class VersionRequired(Problem):
    """The command needs `If-Match` with the version that the officer saw; `version` is the newest."""

    status, usual = 428, "version-required"


class TooMany(Problem):
    """Too many requests: try again after `retry_after` seconds."""

    status, usual = 429, "too-many"

    def __init__(self, detail: str, retry_after: int = 60, *, code: str | None = None, **members: Any) -> None:
        super().__init__(detail, code=code, **members)
        self.retry_after = retry_after


class Unavailable(Problem):
    """A store is gone, full or behind. Nothing of the request was kept; try again after `retry_after` seconds."""

    status, usual = 503, "unavailable"

    def __init__(self, detail: str, retry_after: int = 5, *, code: str | None = None, **members: Any) -> None:
        super().__init__(detail, code=code, **members)
        self.retry_after = retry_after


KINDS = (
    NotJson,
    Unauthenticated,
    Forbidden,
    NotFound,
    NotAllowed,
    TooSlow,
    Rejected,
    Stale,
    TooLarge,
    UnsupportedMedia,
    Malformed,
    VersionRequired,
    TooMany,
    Unavailable,
)
