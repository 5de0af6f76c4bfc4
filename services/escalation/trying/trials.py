"""The requests that try a pack, and the right to them. Pure."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.judging import MatterFacts
from services.kernel.core.commands import Command, example

MAX_TEXT = 262_144
"""Characters of a pack's text, and of cases."""
MAX_CASES = 300
MAX_STEPS = 200
"""Counts, flags, gradings, assignments and events of one matter that nobody recorded."""
MATTERS = 100
"""Matters of one request."""
TEXT = "id: county-default\nversion: 3\n…"
MATTER = {
    "incident": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
    "number": "town-east-2026-00042",
    "unit": "town-east",
    "opened_at": "2026-03-02T01:00:00.000000Z",
}
PackText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]


class RunCases(Command, json_schema_extra=example(text=TEXT, cases="[]")):
    """Run the cases of a pack."""

    text: PackText
    """The pack's file, YAML."""
    cases: Annotated[str, StringConstraints(max_length=MAX_TEXT)] | None = None
    """The cases, JSON as in `policies/cases`; null for those that the deployment's policy folder has for this pack."""


class ExplainPack(Command, json_schema_extra=example(text=TEXT, matter=MATTER)):
    """Say what the rules of a pack say of one matter, and why."""

    text: PackText
    """The pack's file, YAML."""
    facts: Annotated[str, StringConstraints(max_length=MAX_TEXT)] | None = None
    """The facts of a matter that nobody recorded, JSON as `docs/packs.md` shows it."""
    matter: MatterFacts | None = None
    """A matter of the record, as triage's `listMattersOfRules` tells it."""


class DryRun(Command, json_schema_extra=example(text=TEXT, matters=[MATTER])):
    """Count what would have differed if matters had been judged by a pack."""

    text: PackText
    """The pack's file, YAML."""
    matters: Annotated[tuple[MatterFacts, ...], Field(max_length=MATTERS)]
    """Matters of the record, as triage's `listMattersOfRules` tells them."""
