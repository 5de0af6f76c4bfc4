"""What can go wrong with a request, each with its status and a stable `type`: RFC 9457 problem details.

Deciders raise `Rejected` and `Forbidden`; everything here becomes `application/problem+json` at the border.
"""

from typing import Any, ClassVar


class Problem(Exception):
    """A refusal with a sentence that says what was wrong and what to do."""

    status: ClassVar[int] = 500
    name: ClassVar[str] = "internal"
    title: ClassVar[str] = "The service failed"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail, self.extra = detail, extra

    def body(self) -> dict[str, Any]:
        """The problem details object; `extra` members such as `field` or `version` stand beside the standard ones."""
        members = {name: value for name, value in self.extra.items() if value is not None}
        return {
            "type": f"urn:huiying:problem:{self.name}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **members,
        }


class NotJson(Problem):
    status, name, title = 400, "not-json", "The body cannot be read"


class Unauthenticated(Problem):
    status, name, title = 401, "unauthenticated", "Sign in"


class Forbidden(Problem):
    """The actor has no right to this. Recorded as an event."""

    status, name, title = 403, "forbidden", "No right to do this"


class NotFound(Problem):
    status, name, title = 404, "not-found", "Not found"


class Rejected(Problem):
    """A rule of the office or of the record says no. A repetition of the request changes nothing."""

    status, name, title = 409, "rejected", "A rule says no"


class Stale(Problem):
    """The page that the officer saw is no longer the newest; `version` is."""

    status, name, title = 412, "stale", "The record has changed"


class TooLarge(Problem):
    status, name, title = 413, "too-large", "Too large"


class UnsupportedMedia(Problem):
    status, name, title = 415, "unsupported-media-type", "Media type not supported"


class Malformed(Problem):
    """The request has the wrong shape; `field` names the place."""

    status, name, title = 422, "malformed", "The request is malformed"


class VersionRequired(Problem):
    status, name, title = 428, "version-required", "If-Match is required"


class TooMany(Problem):
    status, name, title = 429, "too-many", "Too many requests"


class Unavailable(Problem):
    """Not now: a store is gone, full or behind. `retry_after` seconds; nothing of the request was kept."""

    status, name, title = 503, "unavailable", "Not available now"

    def __init__(self, detail: str, retry_after: int = 5, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after = retry_after


KINDS = (
    NotJson,
    Unauthenticated,
    Forbidden,
    NotFound,
    Rejected,
    Stale,
    TooLarge,
    UnsupportedMedia,
    Malformed,
    VersionRequired,
    TooMany,
    Unavailable,
)
