"""What trials of packs answer, for the API's documents."""

from typing import Literal

from schemas.fields import Code, IncidentId, Instant, Number, PolicyRef, UnitCode
from services.escalation.trying.dry_run import Kind
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered

POLICY = "county-default@3#" + "9f2c" * 16
INCIDENT = "incident-01890a5d-ac96-774b-bcce-b302099a8057"


class RanCase(Answered):
    """A case, and how it went."""

    title: str
    """Its title."""
    faults: tuple[str, ...]
    """What the rules say otherwise than it expects; none if it holds."""


class RanCases(
    Answered, json_schema_extra=example(policy=POLICY, cases=[{"title": "三小时内公开回应", "faults": []}], text="[]")
):
    """How the cases of a pack went."""

    policy: PolicyRef
    """The pack."""
    cases: tuple[RanCase, ...]
    """The cases, in order."""
    text: str
    """The cases as they were read; empty if there are none."""


class LevelProposed(Answered):
    """The level that the facts propose."""

    level: Code
    """The level."""
    rule: str
    """The condition."""


class Led(Answered):
    """Who leads."""

    who: Code
    """The addressee."""
    how: str
    """How it comes to lead: `own`, `taken` or `asked`."""


class StepOf(Answered):
    """A step of the approval."""

    step: Code
    """Its code."""
    who: tuple[Code, ...]
    """The posts and bodies that decide it."""
    quorum: int | None
    """How many members of a body must take part."""


class ReportOwed(Answered):
    """A report upward."""

    who: Code
    """Its addressee."""
    owed_by: UnitCode
    """The unit that owes it."""
    form: str
    """Its form."""
    clock: Code | None
    """Its limit; null if that is open."""


class ClockSaid(Answered):
    """A limit of the matter."""

    name: str
    """Its name."""
    unit: UnitCode
    """The unit that is charged with it."""
    since: Instant
    """When it began."""
    due: Instant
    """When it ends."""
    provisional: bool
    """Whether days to come may still change it."""
    state: Literal["running", "met", "late", "breached", "cancelled"]
    """How it stands."""
    met_at: Instant | None
    """When it was met."""
    late_by: str | None
    """How late that was recorded, or is by now, as a duration."""


class RungSent(Answered):
    """What the ladder sent."""

    rung: str
    """The rung."""
    at: Instant
    """When."""
    told: UnitCode
    """The unit that was told."""
    names: UnitCode | None
    """The unit that a circular names."""


class SourceSaid(Answered):
    """The source of a rule."""

    kind: Literal["stated", "reading", "unset", "lost", "derived", "combined"]
    """How far the document supports it."""
    document: str | None
    """Codes of documents."""
    clause: str | None
    """The clause."""
    quote: str | None
    """The quotation."""
    reason: str | None
    """Why the rule is so, where no clause says it."""


class RuleSaid(Answered):
    """A rule that applies."""

    rule: str
    """Its place in the pack."""
    source: SourceSaid
    """Its source."""


class Explained(
    Answered,
    json_schema_extra=example(
        pack="county-default@3",
        proposed={"level": "major", "rule": "major/harm"},
        level="major",
        lead={"who": "leading_group", "how": "taken"},
        approval=[{"step": "leader_in_charge", "who": ["leader_in_charge"], "quorum": None}],
        report_to=[{"who": "party_committee", "owed_by": "town-east", "form": "written", "clock": "report_to_town"}],
        clocks=[
            {
                "name": "public_statement",
                "unit": "town-east",
                "since": "2026-03-02T01:00:00.000000Z",
                "due": "2026-03-02T04:00:00.000000Z",
                "provisional": False,
                "state": "running",
                "met_at": None,
                "late_by": None,
            }
        ],
        ladder=[],
        rules=[
            {
                "rule": "clocks.public_statement",
                "source": {"kind": "stated", "document": "000", "clause": "三", "quote": "三小时内", "reason": None},
            }
        ],
        titles={"public_statement": "公开回应", "major": "重大"},
    ),
):
    """What the rules say of a matter."""

    pack: str
    """The pack as `id@version`."""
    proposed: LevelProposed | None
    """The proposal; null if the facts propose nothing."""
    level: Code | None
    """The level in force; before a grading the one whose limits run."""
    lead: Led | None
    """Who leads at this level."""
    approval: tuple[StepOf, ...]
    """The chain of approvals of a statement."""
    report_to: tuple[ReportOwed, ...]
    """The reports upward."""
    clocks: tuple[ClockSaid, ...]
    """The limits."""
    ladder: tuple[RungSent, ...]
    """Reminders, supervision and circulars."""
    rules: tuple[RuleSaid, ...]
    """The rules that applied, with their sources."""
    titles: dict[str, str]
    """The titles of the codes of the pack."""


class Differs(Answered):
    """A difference of a matter."""

    incident: IncidentId
    """The matter."""
    number: Number | None
    """Its number."""
    kind: Kind
    """What differs; `missed` and `kept` are limits that are missed by one pack only."""
    name: str
    """The limit, or what else differs."""
    title: str | None
    """The limit's title."""
    was: str | None
    """By its own pack."""
    would: str | None
    """By the pack that is tried."""


class DryRan(
    Answered,
    json_schema_extra=example(
        policy=POLICY,
        matters=1,
        counts={"missed": 1},
        differences=[
            {
                "incident": INCIDENT,
                "number": "town-east-2026-00042",
                "kind": "missed",
                "name": "public_statement",
                "title": "公开回应",
                "was": "2026-03-02T05:00:00.000000Z",
                "would": "2026-03-02T04:00:00.000000Z",
            }
        ],
    ),
):
    """What would have differed."""

    policy: PolicyRef
    """The pack."""
    matters: int
    """How many matters were judged."""
    counts: dict[Kind, int]
    """How many differences of each kind there are."""
    differences: tuple[Differs, ...]
    """The differences."""
