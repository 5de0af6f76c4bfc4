"""The answers of publish, for the API's documents."""

from typing import Any, Literal

from pydantic import Field

from schemas.fields import Code, Digest, IncidentId, Instant, MediaType, Number, Post, StatementId, UnitCode
from schemas.pack.gates import GateCode
from schemas.publish import StatementForm, StatementKind
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page
from services.kernel.serving.approvals import Gate, Step
from services.publish.attaching.answers import SHA256, AttachedFile, File
from services.publish.attaching.commands import FILE
from services.publish.writing.one_text import What

Phase = Literal["drafted", "submitted", "approved", "published", "withdrawn"]
STATEMENT = "statement-01890a5d-1829-53a4-8fb0-2b3c4d5e6f70"
INCIDENT = "incident-01890a5d-ac96-774b-bcce-b302099a8057"
TEXT = "卫生院门前12盏路灯因线路故障熄灭，今日已修复。"
_SHOWN: dict[str, Any] = {
    "number": "town-east-2026-S00007",
    "id": STATEMENT,
    "version": 4,
    "revision": 4,
    "incident_number": "town-east-2026-00042",
    "incident_id": INCIDENT,
    "unit": "town-east",
    "kind": "facts",
    "form": "reply",
    "state": "published",
    "title": "卫生院门前路灯已修复",
    "draft": "卫生院门前{{fact:lamps}}路灯因线路故障熄灭，今日已修复。",
    "resolved_title": "卫生院门前路灯已修复",
    "resolved_text": TEXT,
    "waived": [],
    "findings": [],
    "outdated": [],
    "facts": ["inspected"],
    "files": [
        {
            "file": FILE,
            "media_type": "image/jpeg",
            "size": 184_320,
            "sha256": SHA256,
            "title": "修复后的路灯",
            "persons": "none",
            "pages": None,
            "shown": True,
            "public": True,
        }
    ],
    "secret": False,
    "major_information": False,
    "level": "general",
    "chain": "usual",
    "steps": ["leader_in_charge"],
    "steps_done": 1,
    "approval": [
        {
            "step": "leader_in_charge",
            "title": "分管领导审核",
            "who": ["leader_in_charge"],
            "needs": 1,
            "quorum": None,
            "referred_to": None,
            "agreed": [
                {
                    "who": "leader_in_charge",
                    "post": "approver@town-east",
                    "acted": "approver@town-east",
                    "took_part": [],
                    "at": "2026-03-02T09:40:00.000000Z",
                }
            ],
            "done": True,
        }
    ],
    "due": [],
    "gates": [
        {"check": "verification", "state": "met"},
        {"check": "secrecy", "state": "clear"},
        {"check": "one_text", "state": "not_asked"},
    ],
    "checks": [
        {
            "gate": "secrecy_check",
            "title": "保密审查",
            "state": "passed",
            "who": ["approver@town-east"],
            "items": [],
            "post": "approver@town-east",
            "at": "2026-03-02T09:40:00.000000Z",
            "mine": False,
        }
    ],
    "rejection": None,
    "drafted_at": "2026-03-02T09:00:00.000000Z",
    "text": TEXT,
    "published_at": "2026-03-02T10:00:00.000000Z",
    "updated_at": "2026-03-02T10:00:00.000000Z",
    "corrections": 0,
    "withdrawn_at": None,
    "scheduled_at": None,
    "next_at": None,
    "held": None,
    "drill": False,
    "may": ["correct", "withdraw"],
}


class CheckItem(Answered):
    """A line of the list of a gate."""

    item: Code
    """Its code."""
    title: str
    """What must hold."""


class CheckAtGate(Answered):
    """A gate of the submission: what must be passed before the last approval."""

    gate: GateCode
    """The gate."""
    title: str | None
    """Its title in the pack; null if the pack has it no longer."""
    state: Literal["draft", "open", "passed"]
    """`draft`: the submission will have it. A text that was sent back says why in `rejection`."""
    who: tuple[Post, ...]
    """Who checks, each of the nearest unit that has it; nobody for what the record itself tells."""
    items: tuple[CheckItem, ...]
    """The lines of its list."""
    post: Post | None
    """The post that passed it."""
    at: Instant | None
    """When."""
    mine: bool
    """Whether the caller may check it."""


class FoundInText(Answered):
    """What stands against a text at a place: the submission is refused as long as it does."""

    field: Literal["title", "text"]
    """Where it stands."""
    at: int
    """Its first character in the draft, counted from 1."""
    what: What
    """The refusal: a figure that no fact and no waiver covers (`free-number`), an office that has no part in the matter
    and in no fact (`free-office`), a figure that differs from a fact or from an earlier statement, a cause that is not
    established, a marker that cannot be bound.
    """
    figure: str
    """What is written there."""
    fact: Code | None
    """The fact that differs or is missing, or that says the same and can be bound there."""
    title: str | None
    """Its title."""
    says: str | None
    """What the fact or the statement says."""
    statement: Number | None
    """The statement that differs."""


class WaivedFigures(Answered):
    """Figures that need no fact."""

    figures: tuple[str, ...]
    """The figures as they stand in the text."""
    reason: str
    """Why."""


class Statement(Answered):
    """A statement. Words that have not arrived yet are null, erased ones `[erased]`."""

    number: Number
    """The number by which people name it."""
    id: StatementId
    """The statement's id."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions staff took on it. `If-Match` names this number."""
    incident_number: Number | None
    """The number of the incident that it is about."""
    incident_id: IncidentId | None
    """The incident that it is about; null for a notice, which is about none."""
    unit: UnitCode
    """The unit that speaks."""
    kind: StatementKind
    """`status` tells how the matter is handled, `facts` what was found."""
    form: StatementForm
    """What it is for its readers."""
    state: Phase
    """How far the statement is."""
    title: str | None
    """The title, one line."""
    draft: str | None
    """The latest text, with its markers such as `{{fact:lamps}}`."""
    resolved_title: str | None
    """The title as the public reads it: facts stand for markers. After the submission these are the agreed words."""
    resolved_text: str | None
    """The latest text in the same way."""
    waived: tuple[WaivedFigures, ...]
    """Figures that need no fact, with the reasons."""
    findings: tuple[FoundInText, ...]
    """What stands against the text of a draft, in order; empty after the submission."""
    outdated: tuple[Code, ...]
    """Of a published statement: facts that were revised since. It ends when a correction, or a later statement of the
    matter that uses the new value, is published.
    """
    facts: tuple[Code, ...]
    """Keys of the facts on which it rests."""
    files: tuple[File, ...]
    """Its files. Those of a draft go public with it; later ones wait for a correction that names them."""
    secret: bool
    """Whether its drafter or an approver said that it touches a secret."""
    major_information: bool
    """Whether its drafter or an approver said that it is major information."""
    level: Code | None
    """The incident's level at the submission."""
    chain: Code | None
    """The chain of approvals that the pack chose for it at the submission."""
    steps: tuple[Code, ...]
    """The approvals that it needs, in order."""
    steps_done: int
    """How many of them it has."""
    approval: tuple[Step, ...]
    """The same steps, with who decides and who agreed."""
    due: tuple[Post, ...]
    """The posts and bodies of which one must agree next, each of the nearest unit that has it."""
    gates: tuple[Gate, ...]
    """The checks before its approval, as they stand for the caller; empty if the matter's pack is not at hand."""
    checks: tuple[CheckAtGate, ...]
    """The gates that the pack asks for this text, with who passed them."""
    rejection: str | None
    """Why it was sent back, until it is submitted again."""
    drafted_at: Instant
    """When it was begun."""
    text: str | None
    """The text in public now; null before publication."""
    published_at: Instant | None
    """When it was published."""
    updated_at: Instant | None
    """When it was last published, corrected or withdrawn."""
    corrections: int
    """How often it was corrected."""
    withdrawn_at: Instant | None
    """When it was withdrawn."""
    next_at: Instant | None
    """When the next statement on the matter comes, as this one promises."""
    scheduled_at: Instant | None
    """When the approved text is to be published by itself."""
    held: str | None
    """If it could not be published then as things stand, or was not and an hour has passed: the code of the refusal."""
    drill: bool
    """Whether it is an exercise."""
    may: tuple[
        Literal[
            "revise",
            "attach-file",
            "cover-persons",
            "detach-file",
            "submit",
            "check",
            "approve",
            "reject",
            "cannot-judge",
            "publish",
            "unschedule",
            "correct",
            "withdraw",
        ],
        ...,
    ]
    """The commands that the caller may send now."""


class Statements(Page, json_schema_extra=example(items=[_SHOWN], next=None, may=["draft"])):
    """Statements, the newest draft first."""

    items: tuple[Statement, ...]
    """The entries of this page."""
    may: tuple[Literal["draft"], ...]
    """`draft` if the caller may begin a statement on the incident that was asked for; without one, a notice."""


class Template(Answered):
    """A template of the matter's pack, filled from its facts."""

    code: Code
    """Its code in the pack."""
    name: str
    """What it is called."""
    form: StatementForm
    """What a statement of it is for its readers."""
    kind: StatementKind
    """`status` tells how the matter is handled, `facts` what was found."""
    title: str
    """The title to begin with; empty as long as facts are missing."""
    text: str
    """The text to begin with, with markers such as `{{fact:lamps}}`; empty as long as facts are missing."""
    missing: tuple[Code, ...]
    """Keys of facts that it tells and that are not established."""


class Templates(
    Page,
    json_schema_extra=example(
        items=[
            {
                "code": "repaired",
                "name": "已修复的答复",
                "form": "reply",
                "kind": "facts",
                "title": "东镇关于路灯的答复",
                "text": "损坏的{{fact:lamps}}路灯已经修复。",
                "missing": [],
            }
        ],
        next=None,
    ),
):
    """The templates with which a draft may begin, in the order of the pack."""

    items: tuple[Template, ...]
    """The entries."""


class Release(Answered):
    """A public word on the matter, with its time."""

    kind: Literal["publication", "correction", "withdrawal"]
    """What was done."""
    at: Instant
    """When."""
    title: str | None
    """The title. A correction has one only if it changes the title."""
    text: str | None
    """The text; a withdrawal has none."""
    reason: str | None
    """Why it was corrected or withdrawn."""
    attachments: tuple[AttachedFile, ...] | None
    """The files that are in public from then on, in order; null if the earlier ones are."""


KEY = "0b7e9b3c6f1a4d5e8c2b9a7f6e5d4c3b2a1f0e9d8c7b6a5f4e3d2c1b0a9f8e7d"


class SignatureOfAct(Answered):
    """The signature of a post over what it decided."""

    key: Digest
    """The id of the key: its thumbprint."""
    post: Post
    """The post whose key it is."""
    holds: bool
    """Whether it proves the act."""
    fault: str | None
    """Why it does not."""


class SignedAct(SignatureOfAct):
    """An act that a post signed."""

    act: Literal["approved", "referred", "rejected", "published", "corrected", "withdrawn"]
    """What was done."""
    at: Instant
    """When."""
    step: Code | None
    """For an answer of an approver: the step."""


class PostKey(Answered):
    """A key with which a post signs what it decides on statements."""

    kid: Digest
    """Its id: the thumbprint (RFC 7638)."""
    post: Post
    """The post."""
    public: Digest
    """The 32 bytes of its public half (Ed25519)."""
    made_at: Instant
    """Since when it signs."""
    revoked_at: Instant | None
    """When it ended. What it signed before stays valid."""
    signs: bool
    """Whether the post signs with it now."""


class PostKeys(
    Page,
    json_schema_extra=example(
        items=[
            {
                "kid": KEY,
                "post": "approver@town-east",
                "public": KEY[::-1],
                "made_at": "2026-03-02T09:40:00.000000Z",
                "revoked_at": None,
                "signs": True,
            }
        ],
        next=None,
    ),
):
    """Keys of posts. The answer has one page."""

    items: tuple[PostKey, ...]
    """The entries."""


class NotNow(Answered):
    """Why the caller may not take a next step."""

    verb: Literal["submit", "approve", "publish", "correct", "withdraw"]
    """The step."""
    type: str
    """The refusal, as the command would give it."""
    title: str
    """Its title."""
    detail: str
    """Its sentence: what stands against it, and who may."""


class WholeStatement(
    Statement,
    json_schema_extra=example(
        **_SHOWN,
        may_not=[],
        signatures=[
            {
                "act": "approved",
                "at": "2026-03-02T09:40:00.000000Z",
                "step": "leader_in_charge",
                "key": KEY,
                "post": "approver@town-east",
                "holds": True,
                "fault": None,
            }
        ],
        releases=[
            {
                "kind": "publication",
                "at": "2026-03-02T10:00:00.000000Z",
                "title": "卫生院门前路灯已修复",
                "text": TEXT,
                "reason": None,
                "attachments": None,
            }
        ],
    ),
):
    """A statement with all that was said in public."""

    releases: tuple[Release, ...]
    """What was said, in order."""
    signatures: tuple[SignedAct, ...]
    """What posts signed, in order. What was decided before posts had keys is not among it."""
    may_not: tuple[NotNow, ...]
    """Why the caller may not take the steps that lead on now."""


_DRAFTED: dict[str, Any] = {
    "act": "drafted",
    "revision": 1,
    "at": "2026-03-02T09:00:00.000000Z",
    "by": "handler@town-east",
    "step": None,
    "post": None,
    "to": None,
    "gate": None,
    "passed": None,
    "took_part": [],
    "draft": 1,
    "title": "卫生院门前路灯已修复",
    "text": TEXT,
    "facts": ["inspected"],
    "reason": None,
    "signature": None,
}


class ActOnStatement(Answered):
    """Something that was done on a statement."""

    act: Literal[
        "drafted",
        "revised",
        "submitted",
        "checked",
        "approved",
        "referred",
        "rejected",
        "scheduled",
        "unscheduled",
        "published",
        "corrected",
        "withdrawn",
    ]
    """What was done."""
    revision: int
    """The statement's revision after it."""
    at: Instant
    """When."""
    by: Post | Literal["system"]
    """The post that did it."""
    step: Code | None
    """For an answer of an approver: the step."""
    post: Post | None
    """The post for which it was given."""
    to: Code | None
    """Who decides what the approver could not judge."""
    gate: Code | None
    """For a check: the gate."""
    passed: bool | None
    """For a check: whether the gate was passed. If not, the text went back."""
    took_part: tuple[Post, ...]
    """The members of a body who decided."""
    draft: int
    """The number of the text on which it was done: 1 for the first one, one more for each change."""
    title: str | None
    """If it wrote a text: the title then."""
    text: str | None
    """The text that it wrote."""
    facts: tuple[Code, ...] | None
    """The facts on which this text rests."""
    reason: str | None
    """What was said with it."""
    signature: SignatureOfAct | None
    """The signature of the post that decided; null for what nobody signs, or what was decided before posts had keys."""


class HistoryOfStatement(Page, json_schema_extra=example(items=[_DRAFTED], next=None)):
    """What was done on a statement, in order. The answer has one page."""

    items: tuple[ActOnStatement, ...]
    """The entries."""


class FeedAuthor(Answered):
    """The speaking unit."""

    name: str
    """The unit's name when it spoke."""


class FeedAbout(Answered):
    """Fields that JSON Feed itself does not have."""

    number: Number
    """The statement's number."""
    incident_number: Number | None
    """The number of what the statement is about."""
    incident_id: IncidentId | None
    """What the statement is about; null for a notice, which is about no matter."""
    corrections: int
    """How often it was corrected."""
    next_at: Instant | None
    """When the next statement on the matter comes, as this one promises; null once it came."""


class FeedFile(Answered):
    """A file that is in public with a statement."""

    url: str
    """Its address."""
    mime_type: MediaType
    """Its type."""
    title: str
    """What it shows."""
    size_in_bytes: int
    """Its bytes."""


class FeedEntry(Answered):
    """A statement in the feed."""

    id: str
    """The statement's UUID as a URN; it never changes."""
    url: str
    """Its page on the bulletin."""
    title: str
    """Its title, with 已撤回 or 已更正 (Withdrawn or Corrected) in front if it was withdrawn or corrected."""
    content_html: str
    """The text."""
    date_published: Instant
    """When it was published."""
    date_modified: Instant
    """When it was last published, corrected or withdrawn."""
    authors: tuple[FeedAuthor, ...]
    """The unit that speaks."""
    attachments: tuple[FeedFile, ...]
    """Its files; none after a withdrawal."""
    tags: tuple[str, ...]
    """`status` or `facts`, and `corrected` or `withdrawn` if that applies."""
    huiying: FeedAbout = Field(alias="_huiying")
    """Further fields of the office."""


class Feed(
    Answered,
    json_schema_extra=example(
        version="https://jsonfeed.org/version/1.1",
        title="政务回应公告栏",
        language="zh-Hans",
        home_page_url="https://huiying.example.gov.cn/bulletin/",
        feed_url="https://huiying.example.gov.cn/bulletin/feed.json",
        items=[
            {
                "id": "urn:uuid:01890a5d-1829-53a4-8fb0-2b3c4d5e6f70",
                "url": f"https://huiying.example.gov.cn/bulletin/statements/{STATEMENT}",
                "title": "卫生院门前路灯已修复",
                "content_html": f"<p>{TEXT}</p>",
                "date_published": "2026-03-02T10:00:00Z",
                "date_modified": "2026-03-02T10:00:00Z",
                "authors": [{"name": "东镇"}],
                "tags": ["facts"],
                "attachments": [],
                "_huiying": {
                    "number": "town-east-2026-S00007",
                    "incident_number": "town-east-2026-00042",
                    "incident_id": INCIDENT,
                    "corrections": 0,
                    "next_at": None,
                },
            }
        ],
    ),
):
    """JSON Feed 1.1 of the statements, the latest change first."""

    version: Literal["https://jsonfeed.org/version/1.1"]
    """The version of JSON Feed."""
    title: str
    """The site's name, with the name of the unit if the feed shows only one."""
    language: Literal["zh-Hans", "en"]
    """The language of the labels. Statements stay in the language in which the office spoke."""
    home_page_url: str
    """The bulletin."""
    feed_url: str
    """This page of the feed."""
    items: tuple[FeedEntry, ...]
    """The statements."""
    next_url: str | None = None
    """The next page; absent on the last one."""
