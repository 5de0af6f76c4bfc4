"""Answers that say nothing, which is only proposed, and answers that began long before or after the handling."""

from collections.abc import Iterator
from functools import lru_cache

from schemas import publish as p
from schemas import triage as t
from schemas.fields import Fact
from services.audit.findings import readings
from services.audit.findings.matter import Found, Placed, Record, together

HANDLING: tuple[type[Fact], ...] = (
    t.IncidentAssigned,
    t.IncidentAccepted,
    t.IncidentPlanMade,
    t.IncidentTeamNamed,
    t.IncidentPlanStarted,
    t.IncidentHandlingRecorded,
    t.IncidentSolved,
)
"""Acts on the problem itself. A note counts on the track that it names."""
ANSWERING: tuple[type[Fact], ...] = (
    t.IncidentProposed,
    t.IncidentHandlingRecorded,
    t.IncidentExplained,
    t.IncidentReplied,
    p.StatementDrafted,
    p.StatementPublished,
)
"""Acts on the answer to it."""
SETTLING = (t.IncidentFactEstablished, t.IncidentFactRevised, t.IncidentVerificationConcluded)
WIDTH = 3
"""Texts are compared by their sequences of so many characters."""


def same_texts(record: Record) -> Iterator[Found]:
    """A published text of facts that is nearly the same as one that the unit published on another matter before.

    A status may say in the words of a template that a matter is looked into.
    """
    least = readings.OPENING.value or 0
    alike, rule, policy = record.says("alike")
    for one in record.of(p.StatementPublished):
        mine = _shingles(one.data.text)
        if one.data.kind != "facts" or len(one.data.text) < least or one.event.correlation != record.id:
            continue
        for other in record.texts:
            if (
                other.data.kind != "facts"
                or other.order >= one.order
                or other.data.unit != one.data.unit
                or other.event.correlation == record.id
            ):
                continue
            percent = _percent(mine, _shingles(other.data.text))
            if percent >= alike:
                yield Found(
                    "perfunctory_answer",
                    "same_text",
                    one.data.unit,
                    one.event.id,
                    rule,
                    together((other, one)),
                    policy=policy,
                    count=percent,
                    beyond=alike,
                )
                break


def without_fact(record: Record) -> Iterator[Found]:
    """A reply, or a statement of facts, although no fact was established by then."""
    for one in record.of(t.IncidentReplied, p.StatementPublished):
        data = one.data
        if isinstance(data, p.StatementPublished) and (data.kind != "facts" or data.used or data.facts):
            continue
        if any(known.order < one.order for known in record.of(*SETTLING)):
            continue
        unit = data.unit if isinstance(data, p.StatementPublished) else record.accountable(one.event.recorded)
        if unit:
            yield Found("perfunctory_answer", "no_fact", unit, one.event.id, "reading.no_fact", (one,), count=0)


def apart(record: Record) -> Iterator[Found]:
    """Handling and answering of which one began more than a day after the other."""
    far, rule, policy = record.says("apart")
    handled = next((one for one in record.of(*HANDLING) if _on(one, "problem")), None)
    answered = next((one for one in record.of(*ANSWERING) if _on(one, "answer")), None)
    if not handled or not answered:
        return
    first, last = sorted((handled, answered), key=lambda one: one.event.time)
    gap = last.event.time - first.event.time
    unit = record.accountable(last.event.recorded)
    if gap > far and unit:
        yield Found(
            "answer_apart",
            "limit_passed",
            unit,
            "apart",
            rule,
            together((handled, answered)),
            policy=policy,
            since=first.event.time,
            done_at=last.event.time,
            count=gap.days * 24 + gap.seconds // 3600,
            beyond=int(far.total_seconds()) // 3600,
        )


def _on(one: Placed, track: str) -> bool:
    match one.data:
        case t.IncidentHandlingRecorded(track=of):
            return bool(of == track)
        case t.IncidentProposed(of=of):
            return of != "measure"
        case p.StatementDrafted(prepared=prepared):
            return not prepared
    return True


@lru_cache(512)
def _shingles(text: str) -> frozenset[str]:
    """A text's sequences of characters, without digits, letters and blanks: names and dates tell no two apart."""
    plain = "".join(one for one in text if one.isalpha() and not one.isascii())
    plain = plain or "".join(text.split())
    return frozenset(plain[at : at + WIDTH] for at in range(max(1, len(plain) - WIDTH + 1)))


def _percent(one: frozenset[str], other: frozenset[str]) -> int:
    """How much of both is the same, in per cent."""
    return 200 * len(one & other) // max(1, len(one) + len(other))
