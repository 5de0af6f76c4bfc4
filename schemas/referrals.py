"""Events of `referral` streams: serious neglect by an office-holder is passed on, and good work is praised.

It is about a post of an office and what the post did, never about somebody who spoke and never about a person by name.
"""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Digest, Fact, Instant, PostCode, StreamId, UnitCode, Words

ReferralKind = Literal["neglect", "praise"]
CompetentBody = Literal["discipline", "organisation", "personnel"]
"""Who may act on it by procedure: discipline and supervision, organisation, personnel. Nothing is decided here."""


@event("referral.proposed")
class ReferralProposed(Fact):
    """Somebody proposes to pass serious neglect of a post's duty on, or to praise its work.

    Neglect rests on `findings` that stood then, and the post is heard until `hear_by`. `by` is a keyed digest of
    stream and person.
    """

    unit: UnitCode
    post: PostCode
    kind: ReferralKind
    incident: StreamId | None = None
    findings: tuple[StreamId, ...] = ()
    reason: Words
    hear_by: Instant | None = None
    by: Digest


@event("referral.post_heard")
class ReferralPostHeard(Fact):
    """The post, or its unit for it, said what there is to say."""

    text: Words
    by: Digest


@event("referral.passed_on")
class ReferralPassedOn(Fact):
    """A leader of a unit above had it passed on to the competent body, with reasons."""

    body: CompetentBody
    reason: Words
    by: Digest


@event("referral.receipt_noted")
class ReferralReceiptNoted(Fact):
    """The competent body has it. `text` is its receipt, and nothing that it found about anybody."""

    text: Words


@event("referral.praised")
class ReferralPraised(Fact):
    """A leader of a unit above praised the work of the post, with reasons."""

    reason: Words
    by: Digest


@event("referral.dropped")
class ReferralDropped(Fact):
    """Nothing is passed on and nobody is praised, and why."""

    reason: Words
    by: Digest
