"""The answers on referrals, for the API's documents."""

from schemas.fields import IncidentId, Instant, Number, PostCode, StreamId, UnitCode, Uuid
from schemas.referrals import CompetentBody, ReferralKind
from services.audit.answers import STATED, Stated
from services.audit.referrals.rights import Stage
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

_SAID = {"at": "2026-04-02T01:00:00.000000Z", "by": "auditor@county", "words": None, "text": "同类事项第三次瞒报"}
_ITEM = {
    "id": "referral-01890a5d-ac96-774b-bcce-b302099a8057",
    "unit": "town-east",
    "post": "chief",
    "kind": "neglect",
    "state": "proposed",
    "incident_id": None,
    "number": None,
    "findings": ["finding-01890a5d-ac96-774b-bcce-b302099a8057"],
    "proposed": _SAID,
    "hear_by": "2026-04-07T01:00:00.000000Z",
    "heard": None,
    "decided": None,
    "body": None,
    "receipt": None,
    "drill": False,
}
_STATED = {**STATED, "log_size": 9, "complete_until": "2026-04-02T01:00:00.000000Z"}


class SaidOf(Answered):
    """What a post said."""

    at: Instant
    """When."""
    by: str
    """The post."""
    words: Uuid | None
    """The reference of the text."""
    text: str | None
    """The text."""


class ReferralItem(Answered):
    """Serious neglect that is to be passed on, or good work that is to be praised."""

    id: StreamId
    """The referral."""
    unit: UnitCode
    """The unit of the post."""
    post: PostCode
    """The post."""
    kind: ReferralKind
    """Neglect, or praise."""
    state: Stage
    """Whether it was proposed, heard, passed on, received by the body, praised, or dropped."""
    incident_id: IncidentId | None
    """The matter in which it was shown."""
    number: Number | None
    """The matter's number."""
    findings: tuple[StreamId, ...]
    """The findings on which it rests."""
    proposed: SaidOf
    """Who proposed it, and why."""
    hear_by: Instant | None
    """Until when the post is heard; null for praise."""
    heard: SaidOf | None
    """What the post, or its unit for it, said."""
    decided: SaidOf | None
    """Who decided, and why."""
    body: CompetentBody | None
    """To which body it was passed on."""
    receipt: SaidOf | None
    """The body's receipt."""
    drill: bool
    """Whether it is of an exercise."""


class Referrals(Page, Stated, json_schema_extra=example(**_STATED, items=[_ITEM], next=None)):
    """A page of referrals. Nothing is ranked or added up by post."""

    items: tuple[ReferralItem, ...]
    """In the order in which they were proposed."""


class OneReferral(
    ReferralItem, Stated, json_schema_extra=example(**_STATED, **_ITEM, version=1, revision=1, may=["state-own-view"])
):
    """A referral, and what the caller may do about it now."""

    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions of staff it has now. The next command names it in `If-Match`."""
    may: tuple[str, ...]
    """The verbs that the caller may ask for now."""
