"""Which messages need a reply, and what the unit concerned explains to the office before the matter is closed."""

from typing import Annotated

from pydantic import Field, model_validator

from schemas.pack.source import Addressee, Model, Rule, Slug, Text, once


class NoReply(Rule):
    """A reason for which a message gets no reply."""

    code: Slug
    title_zh: Text


class Screening(Rule):
    """A post decides which messages need a reply. Another one reviews each decision for no reply.

    `reviewed_by` may review it, besides the principal leader. After that, the limits `ends` are owed no more; they are
    clocks of the pack.
    """

    reasons: Annotated[tuple[NoReply, ...], Field(min_length=1)]
    reviewed_by: Annotated[tuple[Addressee, ...], Field(min_length=1)]
    ends: tuple[Slug, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> "Screening":
        once("screening.reasons", [reason.code for reason in self.reasons])
        return self


class Explaining(Rule):
    """The unit concerned explains the matter to the office before it is closed, at these levels; None means at all.

    With `proposed_reply`, it also proposes what to reply. With `ordered_by`, one of these orders it first.
    """

    levels: tuple[Slug, ...] | None = None
    proposed_reply: bool = False
    ordered_by: tuple[Addressee, ...] = ()


class Material(Rule):
    """Material of the responsible department is accepted only if its head signed it, or it is sealed, or both."""

    signed_by_head: bool = True
    sealed: bool = True


class Answering(Model):
    """What comes before an answer, or in place of one."""

    screening: Screening | None = None
    explaining: tuple[Explaining, ...] = ()
    material: Material | None = None

    def explaining_at(self, level: str | None) -> Explaining | None:
        """What the unit concerned explains of a matter of this level; None if the pack asks for nothing."""
        return next((rule for rule in self.explaining if rule.levels is None or level in rule.levels), None)
