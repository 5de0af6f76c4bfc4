"""The one stream of a matter's review. Pure."""

from services.kernel.core.ids import derived


def review_of(incident: str) -> str:
    """The review of a matter: the same for the same matter, so that no repetition drafts it twice."""
    return f"review-{derived('review', incident)}"
