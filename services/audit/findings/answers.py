"""The answers on findings, for the API's documents."""

from typing import Literal

from schemas.fields import Code, IncidentId, Instant, Number, PolicyRef, StreamId, UnitCode, Uuid
from schemas.findings import FindingKind, FindingSign, Lapse
from services.audit.answers import STATED, Stated
from services.audit.findings.rights import Stage
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

INCIDENT = "incident-01890a5d-ac96-774b-bcce-b302099a8057"
FINDING = "finding-01890a5d-ac96-774b-bcce-b302099a8057"
_BEHIND = {"event": "01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e", "position": 7}
_ITEM = {
    "id": FINDING,
    "incident_id": INCIDENT,
    "number": "town-east-2026-00042",
    "record": INCIDENT,
    "unit": "town-east",
    "finding": "late_reply",
    "sign": "limit_passed",
    "state": "stands",
    "drill": False,
    "made_at": "2026-03-02T04:31:00.000000Z",
    "explanation": "东镇未在 03-02 12:00 前完成“公开回应”",
    "clock": "public_statement",
    "since": None,
    "due": "2026-03-02T04:00:00.000000Z",
    "done_at": None,
    "count": None,
    "beyond": None,
    "incomplete": False,
    "rule": "clocks.public_statement",
    "policy": "county-default@2#" + "9f2c" * 16,
    "source": {
        "kind": "reading",
        "document": "000",
        "clause": "L18 三(三)",
        "quote": "于發現后三小時內",
        "reason": "Discovery of a major matter is the first recorded fact that makes it major.",
        "title": "公开回应",
    },
    "events": [_BEHIND],
    "hear_by": None,
    "heard": None,
    "proposed": None,
    "asked": None,
    "decided": None,
    "lapsed": None,
}
_STATED = {**STATED, "log_size": 9, "complete_until": "2026-03-02T04:32:00.000000Z"}


class RuleSource(Answered):
    """Where a rule comes from: a clause of a document, or our own reading with its reason."""

    kind: Literal["stated", "reading", "unset", "lost", "derived", "combined"]
    """How far the document supports it; `derived` is our own."""
    document: str | None
    """The code of the document in the pack."""
    clause: str | None
    """Line and section."""
    quote: str | None
    """The words of the document."""
    reason: str | None
    """Why it is read so."""
    title: str | None
    """The rule's title."""


class EventBehind(Answered):
    """An event on which a finding rests."""

    event: Uuid
    """Its id."""
    position: int
    """Its position in audit's order, from 0 on."""


class Heard(Answered):
    """The hearing of the unit."""

    at: Instant
    """When it answered, or when its limit had passed."""
    answered: bool
    """Whether it said something."""
    words: Uuid | None
    """The reference of what it said."""
    text: str | None
    """What it said."""


class Said(Answered):
    """What an auditor proposed or decided."""

    at: Instant
    """When."""
    by: str
    """The post."""
    confirms: bool | None
    """Whether the finding holds by this; null for a proposal."""
    words: Uuid | None
    """The reference of the reason."""
    text: str | None
    """The reason."""


class Ended(Answered):
    """Why a finding stands no more."""

    at: Instant
    """When."""
    cause: Lapse
    """Whether the breach was annulled, or the record shows it no more."""
    event: EventBehind | None
    """The event that says so, if it is a single one."""


class FindingItem(Answered):
    """What the record shows about an office."""

    id: StreamId
    """The finding."""
    incident_id: IncidentId | None
    """The matter; null for a desk."""
    number: Number | None
    """The matter's number."""
    record: StreamId
    """The stream whose record was read."""
    unit: UnitCode
    """The unit against which it is."""
    finding: FindingKind
    """What it is."""
    sign: FindingSign
    """By what it shows."""
    state: Stage
    """Whether it stands by its rule, was proposed, heard, upheld or rejected, or lapsed."""
    drill: bool
    """Whether it is of an exercise."""
    made_at: Instant
    """When it was computed or proposed."""
    explanation: str
    """One sentence without any typed word."""
    clock: Code | None
    """The limit."""
    since: Instant | None
    """When it began."""
    due: Instant | None
    """When the limit was due."""
    done_at: Instant | None
    """When the act was recorded."""
    count: int | None
    """How many, or how much."""
    beyond: int | None
    """From which number on it counts."""
    incomplete: bool
    """Whether events were missing when the breach behind it was decided."""
    rule: Code
    """The place in the pack, or the name of our own reading."""
    policy: PolicyRef | None
    """The pack of the rule."""
    source: RuleSource | None
    """Where the rule comes from; null if the pack is not known here."""
    events: tuple[EventBehind, ...]
    """The events behind it."""
    hear_by: Instant | None
    """Until when the unit may say what it has to say."""
    heard: Heard | None
    """The hearing."""
    proposed: Said | None
    """Who proposed it by hand; null for the rules."""
    asked: Said | None
    """The first word at the root, which waits for a second person."""
    decided: Said | None
    """The decision."""
    lapsed: Ended | None
    """Why it stands no more."""


class Findings(Stated, Page, json_schema_extra=example(**_STATED, items=[_ITEM], next=None)):
    """Findings in the order in which they were taken in."""

    items: tuple[FindingItem, ...]
    """The entries of this page."""


class OneFinding(Stated, FindingItem, json_schema_extra=example(**_STATED, **_ITEM, version=0, revision=0, may=[])):
    """A finding, and what the caller may do about it now."""

    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions of staff it has now. The next command names it in `If-Match`."""
    may: tuple[str, ...]
    """The verbs that the caller may ask for now."""
