"""Events of `press` streams: who speaks on a matter, press conferences, and what media were given.

Each incident has one press stream. Events name posts, never persons. Nothing here names a journalist, and no list is
kept of media: the name of a medium is words, which can be erased and by which nobody searches.

`by` is a keyed digest of stream and person. It shows whether one person did two acts on it.
"""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Digest, Done, Fact, Instant, Post, StreamId, UnitCode, Uuid, Words

WayToMedium = Literal["telephone", "written", "interview"]
"""How a medium was given something."""
GivenToMedium = Literal["text", "facts"]
"""The text of a statement, or the facts in it because a medium reported otherwise. Nobody is asked to remove
anything."""


@event("press.speakers_fixed")
class PressSpeakersFixed(Fact):
    """Posts were fixed for a matter, in place of those fixed before: who speaks, who also approves, who is interviewed.

    While `speaks` has a post, nobody else publishes on the matter. The posts and bodies of `approves` agree after the
    pack's chain. It ends with the matter. `unit` is the accountable one.
    """

    unit: UnitCode
    speaks: tuple[Post, ...] = ()
    approves: tuple[Post, ...] = ()
    interviews: tuple[Post, ...] = ()
    reason: Words | None = None
    by: Digest


@event("press.conference_called")
class PressConferenceCalled(Fact):
    """A press conference on the matter was called for a time and a place, with the reason."""

    conference: Uuid
    unit: UnitCode
    at: Instant
    place: Words
    reason: Words
    by: Digest


@event("press.conference_postponed")
class PressConferencePostponed(Fact):
    """A press conference was put off to another time, with the reason; to another place if `place` is there."""

    conference: Uuid
    unit: UnitCode
    at: Instant
    place: Words | None = None
    reason: Words
    by: Digest


@event("press.conference_cancelled")
class PressConferenceCancelled(Fact):
    """A press conference was called off, with the reason."""

    conference: Uuid
    unit: UnitCode
    reason: Words
    by: Digest


@event("press.conference_held")
class PressConferenceHeld(Done):
    """A press conference took place. The posts `spoke` gave the text of `statement`.

    `text` is what was read out: the text of the statement as it was approved or published.
    `record` is what was asked and answered.
    """

    conference: Uuid
    unit: UnitCode
    statement: StreamId
    spoke: tuple[Post, ...]
    text: Words
    record: Words | None = None
    by: Digest


@event("press.contact_logged")
class PressContactLogged(Done):
    """A medium was given the text of a statement, or facts in it, by the post `spoke`. `text` is what it was given."""

    statement: StreamId
    unit: UnitCode
    medium: Words
    how: WayToMedium
    what: GivenToMedium
    spoke: Post
    text: Words
    by: Digest
