"""Who speaks on a matter, and when the press is called."""

from schemas.pack.source import Addressee, Model, Place, Rule, Slug


class Speakers(Rule):
    """Who fixes for a matter which posts speak, approve and are interviewed.

    The post or body `by` of the unit at `at` fixes it. Only posts that answer for one of `speaks` may speak; empty
    means any.
    """

    by: Addressee
    at: Place = "unit"
    speaks: tuple[Addressee, ...] = ()


class Conference(Rule):
    """At these levels a press conference is called, where somebody sees that it is necessary; None means at all."""

    levels: tuple[Slug, ...] | None = None


class Press(Model):
    speakers: Speakers | None = None
    conference: Conference | None = None
