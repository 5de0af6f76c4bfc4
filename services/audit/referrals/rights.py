"""The rights over referrals: auditors above propose, the post is heard, and another person, a leader above, decides.

Nobody decides about the own post, and nobody praises it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from schemas import referrals as r
from schemas.fields import Fact
from schemas.referrals import ReferralKind
from services.audit.referrals.commands import (
    DropReferral,
    NoteReceipt,
    PassOn,
    PraiseWork,
    ProposeReferral,
    StateOwnView,
)
from services.kernel.access.approving import own_posts
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected

Stage = Literal["proposed", "heard", "passed_on", "received", "praised", "dropped"]
STAGES: Mapping[type[Fact], Stage] = {
    r.ReferralProposed: "proposed",
    r.ReferralPostHeard: "heard",
    r.ReferralPassedOn: "passed_on",
    r.ReferralReceiptNoted: "received",
    r.ReferralPraised: "praised",
    r.ReferralDropped: "dropped",
}
"""Type of event -> the stage after it."""
READ_REFERRAL = Read("read-referral", ("chief", "auditor"))
"""Referrals about posts of the reader's units. A post reads those about itself."""


@dataclass(frozen=True, slots=True)
class Referred:
    """A referral on which somebody acts; without a stage, one that is to be proposed."""

    unit: str
    post: str
    kind: ReferralKind
    stage: Stage | None = None
    hear_by: datetime | None = None
    proposed_by: str | None = None
    """Digest of the person who proposed it."""
    by: str = ""
    """Digest of the person who acts."""
    heard_by: frozenset[str] = frozenset()
    """Digests of the persons who spoke for the post."""
    spoke: bool = False
    """Whether the post itself spoke."""
    rests: bool = True
    """Whether a finding behind it still stands."""


def is_own(unit: str, post: str, ctx: Ctx) -> bool:
    """Whether the actor holds the post."""
    return f"{post}@{unit}" in own_posts(ctx)


def _unit(referred: Referred, ctx: Ctx) -> tuple[str, ...]:
    return (referred.unit,)


def _above(referred: Referred, ctx: Ctx) -> tuple[str, ...]:
    return (ctx.offices.parent(referred.unit) or referred.unit,)


def _proposing(referred: Referred, ctx: Ctx) -> tuple[str, ...]:
    return _unit(referred, ctx) if referred.kind == "praise" else _above(referred, ctx)


def _proposers(referred: Referred, ctx: Ctx) -> tuple[str, ...]:
    return ("chief", "auditor") if referred.kind == "praise" else ("auditor",)


def _the_post(referred: Referred, ctx: Ctx) -> bool:
    return is_own(referred.unit, referred.post, ctx)


def _its_name(referred: Referred, ctx: Ctx) -> tuple[str, ...]:
    return (f"{referred.post}@{referred.unit}",)


def _not_own(referred: Referred, ctx: Ctx, verb: str) -> Rejected | None:
    if _the_post(referred, ctx):
        return Rejected("this is about your own post; somebody else must act", code="own-post")
    return None


def _can_be_stated(referred: Referred, ctx: Ctx, verb: str) -> Rejected | None:
    if referred.kind == "praise":
        return Rejected("nobody is heard on praise", code="praise-unheard")
    if not _the_post(referred, ctx) and ctx.actor.unit != referred.unit:
        return Rejected(
            f"{referred.unit} speaks for itself; you act for {ctx.actor.unit}",
            code="unit-speaks-itself",
            unit=referred.unit,
        )
    if referred.stage == "heard" and (referred.spoke or not _the_post(referred, ctx)):
        return Rejected("the post has said what it has to say already", code="post-heard")
    return _open(referred)


def _can_be_decided(referred: Referred, ctx: Ctx, verb: str) -> Rejected | None:
    if (refusal := _open(referred) or _not_own(referred, ctx, verb)) is not None:
        return refusal
    if referred.by == referred.proposed_by:
        return Rejected("you proposed this; another person must decide", code="referral-proposed-by-you")
    if referred.by in referred.heard_by:
        return Rejected("you spoke for the post; another person must decide", code="handled-by-you")
    wanted = {"pass-on": "neglect", "praise-work": "praise"}.get(verb)
    if wanted not in (None, referred.kind):
        return Rejected(f"this is about {referred.kind}, so it is not for {wanted}", code="other-referral")
    if referred.kind == "neglect" and referred.stage == "proposed" and ctx.now <= (referred.hear_by or ctx.now):
        return Rejected(
            f"{referred.post}@{referred.unit} was not heard yet; wait for its answer, or until {referred.hear_by}",
            code="post-not-heard",
            post=f"{referred.post}@{referred.unit}",
            until=referred.hear_by,
        )
    if verb == "pass-on" and not referred.rests:
        return Rejected("none of the findings behind it stands any more; drop it", code="no-finding-stands")
    return None


def _can_be_noted(referred: Referred, ctx: Ctx, verb: str) -> Rejected | None:
    if referred.stage == "received":
        return Rejected("the receipt was noted already", code="receipt-noted")
    if referred.stage != "passed_on":
        return Rejected("nothing was passed on yet", code="not-passed-on")
    return None


def _open(referred: Referred) -> Rejected | None:
    if referred.stage not in ("proposed", "heard"):
        return Rejected("this was decided already", code="referral-decided", state=referred.stage)
    return None


RIGHTS: Mapping[type[Command], Right[Any]] = {
    ProposeReferral: Right("propose-referral", _proposers, _proposing, _not_own),
    StateOwnView: Right("state-own-view", ("chief", "approver"), _unit, _can_be_stated, _the_post, _its_name),
    PassOn: Right("pass-on", ("chief",), _above, _can_be_decided),
    PraiseWork: Right("praise-work", ("chief",), _above, _can_be_decided),
    DropReferral: Right("drop-referral", ("chief",), _above, _can_be_decided),
    NoteReceipt: Right("note-receipt", ("chief", "auditor"), _above, _can_be_noted),
}
