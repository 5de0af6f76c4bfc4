"""Triage's answers on single packs: rules with their sources, the faults of a text, the matters to try them on."""

from datetime import date
from typing import Any, Literal

from schemas.fields import Code, Instant, PolicyRef, UnitCode
from schemas.judging import MatterFacts
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page
from services.triage.offices.office_answers import DocumentOfPack

POLICY = "county-default@3#" + "9f2c" * 16


class FaultOfPack(Answered):
    """A fault of a pack's text."""

    line: int
    """Its line, from 1; 0 if it is at no place in the text."""
    column: int
    """Its column, from 1."""
    field: str
    """The field, dotted; empty if the text is no YAML."""
    message: str
    """What is wrong and what to do."""


class CheckedPack(
    Answered,
    json_schema_extra=example(
        policy=None,
        pack=None,
        version=None,
        title=None,
        loaded=False,
        faults=[{"line": 3, "column": 1, "field": "version", "message": "write a whole number"}],
        remarks=[],
    ),
):
    """What is wrong with a pack's text. Without faults it can be loaded."""

    policy: PolicyRef | None
    """The name that events would have for it; null if it is no pack."""
    pack: Code | None
    """Its id."""
    version: str | None
    """Its version."""
    title: str | None
    """Its title."""
    loaded: bool
    """Whether it is in the record already, with this content."""
    faults: tuple[FaultOfPack, ...]
    """All faults."""
    remarks: tuple[str, ...]
    """What can be loaded and looks odd."""


class SourceOfRule(Answered):
    """The source of a rule, and how far it supports the rule."""

    kind: Literal["stated", "reading", "unset", "lost", "derived", "combined"]
    """`stated`, `reading`, `combined`, `derived`, or `unset` and `lost` for a value that an office must set."""
    document: str | None
    """Codes of documents."""
    clause: str | None
    """The clause."""
    quote: str | None
    """The quotation."""
    reason: str | None
    """Why the rule is so, where no clause says it."""


class RuleOfPack(Answered):
    """A rule."""

    place: str
    """Its place in the pack, by the codes of rules."""
    title: str | None
    """Its title, if it has one."""
    value: dict[str, Any]
    """What it says, as the pack writes it. What is left out is as `schemas/json/policy-pack.json` has it."""
    source: SourceOfRule
    """Its source."""


class Assigned(Answered):
    """Since when a unit works by a pack."""

    unit: UnitCode
    """The unit."""
    since: Instant
    """Since when, until it gets another one."""


class WholePack(
    Answered,
    json_schema_extra=example(
        policy=POLICY,
        pack="county-default",
        version="3",
        title="县级示例规则",
        effective_from="2026-01-01",
        timezone="Asia/Shanghai",
        loaded_at="2026-01-01T00:00:00.000000Z",
        written="id: county-default\nversion: 3\n…",
        documents=[{"document": "000", "title": "网络舆情应急预案"}],
        rules=[
            {
                "place": "clocks.public_statement",
                "title": "公开回应",
                "value": {"name": "public_statement", "limit": {"mode": "elapsed", "duration": "PT3H"}},
                "source": {
                    "kind": "reading",
                    "document": "000",
                    "clause": "三(三)",
                    "quote": "三小时内",
                    "reason": "从得知起算",
                },
            }
        ],
        assigned=[{"unit": "county", "since": "2026-01-01T00:00:00.000000Z"}],
    ),
):
    """A version of a pack."""

    policy: PolicyRef
    """The name of the pack in events."""
    pack: Code
    """Its id."""
    version: str
    """Its version."""
    title: str
    """Its title."""
    effective_from: date
    """The day from which it may be assigned."""
    timezone: str
    """The time zone of its days."""
    loaded_at: Instant | None
    """When it came into the record."""
    written: str | None
    """The text as a person wrote it, with comments; null if it came as its content alone."""
    documents: tuple[DocumentOfPack, ...]
    """The documents on which it rests."""
    rules: tuple[RuleOfPack, ...]
    """Its rules, in the order of the pack."""
    assigned: tuple[Assigned, ...]
    """The units that were let work by it, and since when, in the order in which that was decided."""


class MattersOfRules(
    Page,
    json_schema_extra=example(
        items=[
            {
                "incident": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
                "number": "town-east-2026-00042",
                "unit": "town-east",
                "opened_at": "2026-03-02T01:00:00.000000Z",
                "category": None,
                "channel": "hotline",
                "answer_kind": None,
                "doubtful": False,
                "reports": 1,
                "gravity": [
                    {
                        "at": "2026-03-02T01:00:00.000000Z",
                        "report": "",
                        "clicks": None,
                        "comments": None,
                        "shares": None,
                        "mainstream_sites": None,
                        "flag": "public",
                        "present": True,
                        "harm": None,
                    }
                ],
            }
        ],
        next=None,
    ),
):
    """What rules look at of matters."""

    items: tuple[MatterFacts, ...]
    """The entries of this page."""
