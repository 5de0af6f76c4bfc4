"""Words that were deleted while a limit of the matter ran. What a law orders is no finding."""

from collections.abc import Iterator

from schemas import escalation as e
from schemas.ingest import ReportErased
from schemas.words import WordsErased
from services.audit.findings.matter import Found, Placed, Record, together


def erased_in_limit(record: Record) -> Iterator[Found]:
    """The deletion of words of a matter of which a limit ran, by the unit that agreed to it."""
    running = dict[str, Placed]()
    for one in record.events:
        match one.data:
            case e.ClockStarted(clock=clock):
                running[clock] = one
            case e.ClockMet(clock=clock) | e.ClockCancelled(clock=clock):
                running.pop(clock, None)
            case (WordsErased() | ReportErased()) as data if data.cause != "law":
                unit = one.event.unit or record.accountable(one.event.recorded)
                owed = sorted(running.values(), key=lambda begun: (begun.data.due, begun.order))
                if owed and unit:
                    first = owed[0]
                    yield Found(
                        "erased_in_limit",
                        "limit_passed",
                        unit,
                        one.event.id,
                        "reading.erased",
                        together((first, one)),
                        clock=first.data.clock,
                        due=first.data.due,
                        done_at=one.event.recorded,
                    )
