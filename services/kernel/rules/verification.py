"""What an answer lacks of the verification that the matter's pack asks for before it. Pure."""

from schemas.pack import PolicyPack
from schemas.pack.verification import Answer
from schemas.verification import Verification
from services.kernel.core.problems import Rejected
from services.kernel.core.units import Offices


def establishing(pack: PolicyPack, level: str | None, unit: str, offices: Offices) -> str | None:
    """The unit above that establishes the facts of a matter of this level; None if the unit concerned may by itself.

    `unit` is accountable. A place that is not above it is left out.
    """
    rule = pack.verification.above if pack.verification else None
    if rule is None or level not in rule.levels:
        return None
    return offices.placed(rule.at, unit)


def missing(
    pack: PolicyPack, answer: Answer, known: Verification, level: str | None, unit: str, offices: Offices
) -> Rejected | None:
    """Why an answer must wait for verification; None if it need not.

    A request is open until its outcome. Where nobody was asked, established facts are enough. At a level at which a
    unit above establishes, only its outcome counts, or its facts. `unit` is accountable for the matter.
    """
    if pack.verification is None or answer not in pack.verification.before:
        return None
    if known.asked:
        return Rejected(
            f"verification was asked of {', '.join(known.asked)} and has no outcome yet; conclude it first, "
            "or publish a statement of status",
            code="verification-open",
            rule="verification",
            pack=f"{pack.id}@{pack.version}",
            units=list(known.asked),
        )
    above = establishing(pack, level, unit, offices)
    by = (known.by,) if known.outcome else known.facts
    if above is not None and not any(one and offices.within(above, one) for one in by):
        return Rejected(
            f"at this level {above} establishes the facts; it must conclude the verification first. "
            "A statement of status need not wait",
            code="established-above",
            rule="verification",
            pack=f"{pack.id}@{pack.version}",
            unit=above,
        )
    if not by:
        return Rejected(
            "nothing is verified yet; a verifier must establish facts or conclude the verification first. "
            "A statement of status need not wait",
            code="not-verified",
            rule="verification",
            pack=f"{pack.id}@{pack.version}",
        )
    return None
