"""The runs of a clock: when each starts, since when it counts, whether it is owed, and why it ends. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, cast

from schemas.escalation import ClockMilestoneReached
from schemas.pack import PolicyPack
from schemas.pack import clocks as packs
from schemas.triage import AnswerKind
from services.escalation.clock.milestones import GRADINGS, HANDED_OVER, HAPPENS_ONCE, began
from services.escalation.clock.stages import Past, There, level_known, meets, waits_for_level
from services.escalation.clock.terms import Nature, Terms, applies, known_from

Cause = Literal[
    "regraded",
    "classified",
    "categorized",
    "deferred",
    "merged",
    "closed",
    "dismissed",
    "reassigned",
    "policy_moved",
    "grown",
    "screened",
]
_CAUSES: Mapping[str, Cause] = {
    "classified": "classified",
    "categorized": "categorized",
    "transferred": "reassigned",
    "reply_not_needed": "screened",
}
"""Milestones after which a clock may be owed no more, besides gradings."""


class Cancelled(NamedTuple):
    """Why a clock ended without being met, and when that was recorded."""

    cause: Cause
    at: datetime


class Run(NamedTuple):
    """One run of a clock."""

    began: int
    """Index of the milestone that started it."""
    from_at: datetime
    """When that happened. Only milestones that were recorded later can meet the clock."""
    counts_from: datetime
    """From when the time counts. The office may know only when its duty window opens."""
    until: int | None
    """Index of the hand-over that ended it."""


def runs_of(spec: packs.ClockRule, past: Sequence[ClockMilestoneReached], pack: PolicyPack, terms: Terms) -> list[Run]:
    """The runs of a clock in order, from the act that starts each of them. A hand-over or a reopening starts one."""
    starts = [index for index, reached in enumerate(past) if _starts(spec, reached)]
    if not starts:
        return []
    if spec.from_ in HANDED_OVER:
        ends: list[int | None] = [*starts[1:], None]
        return [_run(past, start, end) for start, end in zip(starts, ends, strict=True)]
    first = starts[0]
    if spec.from_ == "opened":
        # A matter that was registered before anybody reported it is open to askers from its first report on.
        reported = next((index for index, one in enumerate(past) if one.milestone == "discovered"), None)
        if reported is None:
            return []
        first = max(first, reported)
    from_at = began(past[first])
    if spec.from_ == "discovered":
        from_at = min(began(past[index]) for index in starts)
    known_at = known_from(from_at, pack, terms) if spec.from_ == "discovered" else from_at
    runs = [Run(first, from_at, known_at, None)]
    reopened = [index for index, reached in enumerate(past) if reached.milestone == "reopened" and index > first]
    for at in reopened:
        if not spec.again and not _ended_unanswered(spec, past[runs[-1].began : at]):
            continue
        again = at if spec.from_ in HAPPENS_ONCE else next((index for index in starts if index > at), None)
        if again is not None and again != runs[-1].began:
            runs.append(_run(past, again))
    return runs


def _run(past: Sequence[ClockMilestoneReached], start: int, until: int | None = None) -> Run:
    at = began(past[start])
    return Run(start, at, at, until)


def _starts(spec: packs.ClockRule, reached: ClockMilestoneReached) -> bool:
    return spec.starts_at(cast("packs.Act", reached.milestone))


def _ended_unanswered(spec: packs.ClockRule, past: Sequence[ClockMilestoneReached]) -> bool:
    """Whether a dismissal or a screening ended a first answer that was owed. A reopening then owes it anew."""
    said = [one.milestone for one in past if one.milestone in ("dismissed", "reply_needed", "reply_not_needed")]
    ended = "dismissed" in said or said[-1:] == ["reply_not_needed"]
    return spec.first_answer and ended and not any(meets(spec, reached) for reached in past)


def in_force(
    spec: packs.ClockRule,
    run: Run,
    past: Sequence[ClockMilestoneReached],
    graded: Sequence[str | None],
    met_at: datetime | None,
    pack: PolicyPack,
    terms: Terms,
) -> tuple[bool, Cancelled | None]:
    """Whether the clock ever applied, and why it ended.

    Until somebody grades it, a matter owes what the lowest level owes, and until a kind of answer is chosen, the
    strictest of the level. So nobody stops a clock by not deciding. The first grading and the first choice cancel what
    they do not keep. From then on a first answer stays due after regrading, hand-over and closing, and in another
    category. A merger ends it, since it goes on elsewhere. A refusal of all reports ends it, too, and so does an upheld
    decision that the matter needs no reply, as long as that stands and the pack says so of the clock.
    """
    screening = pack.answering.screening
    screened_out, ends_by_screening = False, screening is not None and spec.name in screening.ends
    known, kinds = dict[Nature, bool](), {answer.kind for answer in pack.answers}
    before, kind, category = None, None, None
    applied, cancelled = False, None
    for index, (reached, level) in enumerate(zip(past, graded, strict=True)):
        # A matter that grew was graded by nobody.
        judged = level if reached.milestone in (*GRADINGS, "policy_moved") else before
        first_grading, before = before is None and judged is not None, judged
        # A kind that this pack does not have was chosen by another one, and chooses nothing here.
        chosen = reached.answer_kind if not kinds or reached.answer_kind in kinds else None
        first_kind, kind = kind is None and chosen is not None, chosen or kind
        category = reached.category or category
        if ends_by_screening and reached.milestone in ("reply_needed", "reply_not_needed"):
            screened_out = reached.milestone == "reply_not_needed"
        elif reached.milestone == "reopened" and index <= run.began:
            screened_out = False
        if index < run.began:
            if reached.milestone == "merged":
                return False, None
            continue
        chosen_kind, unit = cast("AnswerKind | None", kind), terms.unit_at(reached.recorded_at)
        nature = Nature(level or pack.lowest, chosen_kind, unit, category)
        if nature not in known:
            known[nature] = applies(spec, nature, run.from_at, pack, terms)
        owed = known[nature] and not screened_out
        at, unmet = reached.recorded_at, met_at is None or met_at > reached.recorded_at
        if owed:
            applied, cancelled = True, None
        elif (
            applied
            and cancelled is None
            and unmet
            and (first_grading or first_kind or screened_out or not spec.first_answer)
        ):
            cancelled = Cancelled(_CAUSES.get(reached.milestone, "regraded"), at)
        if reached.milestone == "merged":
            return applied, cancelled or (Cancelled("merged", at) if unmet else None)
        if reached.milestone == "dismissed":
            return applied, cancelled or (Cancelled("dismissed", at) if unmet else None)
        if reached.milestone == "closed" and not spec.first_answer:
            return applied, cancelled or (Cancelled("closed", at) if unmet else None)
        if index == run.until and not spec.first_answer:
            return applied, cancelled or (Cancelled("reassigned", at) if unmet else None)
    return applied, cancelled


def counts_from(spec: packs.ClockRule, run: Run, past: Past, there: There, pack: PolicyPack, terms: Terms) -> datetime:
    """The time from which a clock counts, for its level.

    The lowest level is known from the start. After a merger, the earliest knowledge of the matters counts.
    """
    if not waits_for_level(spec, pack):
        return run.counts_from
    known = [level_known(spec, past.own, past.graded, run.from_at), *there.since[:1]]
    starts = (known_from(at, pack, terms) for at in known if at)
    return max(run.counts_from, min(starts, default=run.counts_from))
