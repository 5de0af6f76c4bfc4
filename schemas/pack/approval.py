"""Who approves what, in which order."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.pack.source import Addressee, Rule, Setting, Slug, Text, When, once
from schemas.said import Said


class ApprovalStep(Rule):
    """One step: `needs` of these posts and bodies agree, side by side.

    A body agrees by its head. With `quorum`, as many of its members must have taken part, each named.
    """

    code: Slug
    title_zh: Text
    who: tuple[Addressee, ...] = Field(min_length=1)
    needs: int = Field(1, ge=1)
    quorum: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.needs > len(self.who):
            raise ValueError(
                Said(
                    f"needs: {self.needs} of {len(self.who)} cannot agree",
                    f"needs: 只有 {len(self.who)} 个岗位，凑不齐 {self.needs} 个同意",
                )
            )
        return self


class Chain(Rule):
    """A chain of approvals for statements, notices, explanations, replies or measures.

    The first whose condition holds counts. A notice is a statement about no matter. A pack without chains for notices,
    for explanations, or for replies, lets the chains for statements approve them too.
    """

    code: Slug
    title_zh: Text
    of: Literal["statement", "notice", "explanation", "reply", "measure"] = "statement"
    when: When | None = None
    steps: tuple[ApprovalStep, ...] = Field(min_length=1)


class CannotJudge(Rule):
    """Where a text goes if an approver cannot judge it."""

    to: Addressee


class Approval(Rule):
    """The chains of approvals. With `by_person`, a drafter does not approve, and no one approves twice."""

    chains: Annotated[tuple[Chain, ...], Field(min_length=1)]
    separation: Setting[Literal["by_person", "none"]]
    cannot_judge: CannotJudge | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        once("approval.chains", [chain.code for chain in self.chains])
        for chain in self.chains:
            once(f"approval.chains.{chain.code}.steps", [step.code for step in chain.steps])
        return self
