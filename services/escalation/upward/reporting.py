"""Where a report of a matter goes. Pure."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from schemas.escalation import ReportForm
from services.escalation.commands import ReportUpward
from services.escalation.upward.obligations import WRITTEN_REPORT, Obligation
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.units import Offices

USUAL = "office"
"""The addressee of a report that no rule asks for, in the unit above."""
AT_THE_TOP = "principal_leader"
"""The same in the unit that has none above it."""


class Target(NamedTuple):
    """The addressee of a report and its unit, with the hop for which the report is meant."""

    to: str
    unit: str
    owed: Obligation | None


def target(
    command: ReportUpward,
    unit: str,
    owed: Sequence[Obligation],
    sent: Collection[str],
    taking_part: Collection[str],
    offices: Offices,
    pack: str | None,
) -> Target:
    """Where a report of `unit` goes.

    `owed` are the hops that this unit owes, `sent` those whose report waits for its receipt, `taking_part` the units
    that take part in the matter. Without `to` the report goes to the first hop that is not sent, and if none is owed,
    to the office of the unit above. `pack` is the matter's pack, as `id@version`. Raises `Malformed` or `Rejected`.
    """
    addressee = command.to or (AT_THE_TOP if command.review and not owed else None)
    found = _named(addressee, unit, owed, offices) if addressee else _usual(unit, owed, sent, offices)
    known = (*offices.above(unit), *sorted(taking_part))
    # What a rule asks for may also go to a unit beside or below.
    if found.owed is None and found.unit not in known:
        raise Rejected(
            f"{found.unit} is not above {unit} and takes no part in the matter; report to one of {', '.join(known)}",
            code="not-above",
            to=found.unit,
            unit=unit,
            known=list(known),
        )
    must_be_received(found.to, found.unit, offices, rule=place(found.owed), pack=pack)
    return found


def may_fulfil(command: ReportUpward, owed: Obligation) -> bool:
    """Whether a report may be meant for a hop: one with a review is the written report, and nothing else."""
    return command.review is None or owed.rule.code == WRITTEN_REPORT


def place(owed: Obligation | None) -> str | None:
    """Where the pack has the rule of a hop; None for a report that no rule asks for."""
    return f"reports.{owed.rule.code}.hops.{owed.hop.code}" if owed else None


def must_be_received(to: str, unit: str, offices: Offices, *, rule: str | None = None, pack: str | None = None) -> None:
    """Raises `Rejected` if nobody could confirm a report to this addressee.

    `rule` is the place in the pack, which is `id@version`, that asks for the report, if one does.
    """
    if not offices.receivers(unit, to):
        raise Rejected(
            f"the directory of {unit} has no {to}, so nobody could confirm the report; add the post or "
            "body to units.yaml",
            code="addressee-missing",
            rule=rule,
            pack=pack,
            to=to,
            unit=unit,
        )


def _usual(unit: str, owed: Sequence[Obligation], sent: Collection[str], offices: Offices) -> Target:
    if owed:
        first = next((one for one in owed if one.hop.code not in sent), owed[0])
        return Target(first.hop.to, first.unit, first)
    parent = offices.parent(unit)
    return Target(USUAL, parent, None) if parent else Target(AT_THE_TOP, unit, None)


def _named(to: str, unit: str, owed: Sequence[Obligation], offices: Offices) -> Target:
    """The addressee that is named as `leading_group@county`, as `leading_group`, or by its unit alone."""
    code, _, at = to.partition("@")
    if at:
        offices.unit(at, "to")
        return Target(code, at, _meant(code, at, owed, offices))
    if found := next((one for one in owed if one.hop.to == code), None):
        return Target(code, found.unit, found)
    for above in offices.above(unit):
        if offices.receivers(above, code):
            return Target(code, above, _meant(code, above, owed, offices))
    if code in offices.units:
        first = next((one for one in owed if one.unit == code), None)
        return Target(first.hop.to, code, first) if first else Target(USUAL, code, None)
    known = sorted({name for above in offices.above(unit) for name in _addressees(above, offices)})
    raise Malformed(
        f"{to!r} is no addressee in {' or '.join(offices.above(unit))}; known are {', '.join(known)}",
        code="addressee-unknown",
        field="to",
        to=to,
        known=known,
    )


def _meant(code: str, at: str, owed: Sequence[Obligation], offices: Offices) -> Obligation | None:
    """The owed hop to this addressee, also if the post is named by another of its codes."""
    entries = offices.addressee(at, code)
    return next(
        (
            one
            for one in owed
            if one.unit == at and (one.hop.to == code or offices.addressee(at, one.hop.to) == entries)
        ),
        None,
    )


def _addressees(unit: str, offices: Offices) -> set[str]:
    return {code for entry in offices.posts.get(unit, {}).values() for code in (entry.code, *entry.serves)}


def form(command: ReportUpward, owed: Obligation | None, pack: str | None) -> ReportForm:
    """The form of the report. Raises `Rejected` while a part is missing that the rules ask for.

    `pack` is the matter's pack, as `id@version`.
    """
    rule = place(owed)
    wanted: ReportForm = command.form or (owed.hop.form if owed else "written")
    if owed and owed.hop.with_proposal and command.proposal is None:
        raise Rejected(
            f"the report to {owed.hop.to} of {owed.unit} carries a proposed handling; write it in `proposal`",
            code="proposal-needed",
            rule=rule,
            pack=pack,
            to=owed.hop.to,
            unit=owed.unit,
        )
    if wanted == "written_with_plan" and command.text is None:
        raise Rejected(
            "a report with a response plan holds the plan; write it in `text`",
            code="plan-needed",
            rule=rule,
            pack=pack,
            to=owed.hop.to if owed else command.to,
            unit=owed.unit if owed else None,
        )
    return wanted
