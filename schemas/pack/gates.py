"""What a text must pass before it is approved."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.pack.source import Addressee, Model, Rule, Slug, Text, When
from schemas.said import Said

GateCode = Literal["secrecy_check", "text_check", "material"]


class GateItem(Model):
    """A line of the list that a person goes through."""

    code: Slug
    title_zh: Text


class Gate(Rule):
    """A check of a submission, where `when` holds, which sees what chains see.

    A person at one of the posts `by` passes it or sends the text back. If such a post is also an approver of the text,
    its agreement passes the gate. `material` is passed by the record: the responsible department sent its material,
    signed and sealed as the pack asks.
    """

    code: GateCode
    title_zh: Text
    by: tuple[Addressee, ...] = ()
    when: When | None = None
    items: Annotated[tuple[GateItem, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _has_who_checks(self) -> Self:
        if (self.code == "material") == bool(self.by):
            raise ValueError(
                Said(
                    "by: material is passed by the record and names nobody; every other gate names who checks",
                    "by: material 由记录判断，不写由谁检查；其他检查要写明由谁检查",
                )
            )
        return self
