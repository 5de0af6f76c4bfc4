"""Texts with which a draft may begin."""

from typing import Annotated

from pydantic import StringConstraints

from schemas.pack.source import Rule, Slug, Text, When
from schemas.publish import StatementForm, StatementKind

Filled = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True, max_length=10_000)]
"""A text with places for values. `services.kernel.rules.templates` lists what it may use."""


class Template(Rule):
    """A beginning of a draft: title and text, in which `{{ facts.KEY }}` becomes the fact's marker.

    It is offered for its form and kind where `when` holds, which sees what chains see. A `notice` is about no matter.
    """

    code: Slug
    title_zh: Text
    """What the template is called."""
    form: StatementForm
    kind: StatementKind
    when: When | None = None
    title: Filled
    text: Filled
