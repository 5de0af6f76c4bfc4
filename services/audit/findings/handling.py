"""Handling without effect, and units that do not take part in it. The latter is only proposed."""

from collections import defaultdict
from collections.abc import Iterator

from schemas import triage as t
from schemas.pack import PolicyPack
from services.audit.findings.limits import OF_REPORTS, PROMISED, UPDATE, answers
from services.audit.findings.matter import Breach, Found, Placed, Record, clock_of, hop_of, together

NOTICE = "notice"


def supervised(record: Record) -> Iterator[Found]:
    """A limit for handling that passed, and the unit did not act before the ladder reached supervision."""
    for breach in record.breaches:
        rungs = [one for one in breach.rungs if one.data.rung == "supervision"]
        if rungs and _of_handling(record.pack(breach.breached), breach):
            yield _on_limit(record, breach, rungs[0], "clocks." + breach.name)


def came_back(record: Record) -> Iterator[Found]:
    """A matter that was resolved and came back so often that its handling had no effect."""
    rounds, rule, policy = record.says("rounds")
    again = [one for one in record.of(t.IncidentReopened) if one.data.round >= rounds]
    if again:
        first = again[0]
        resolved = [one for one in record.of(t.IncidentResolved) if one.order < first.order]
        unit = record.assigned(first.event.recorded) or record.accountable(first.event.recorded)
        if unit and resolved:
            yield Found(
                "ineffective_handling",
                "came_back",
                unit,
                first.event.id,
                rule,
                together(resolved[-rounds:], again[:1]),
                policy=policy,
                count=first.data.round,
                beyond=rounds,
            )


def returned(record: Record) -> Iterator[Found]:
    """A matter that one unit gave back after the limit for it, or again and again."""
    most, rule, policy = record.says("returns")
    of = defaultdict[str, list[Placed]](list)
    for one in record.of(t.IncidentReturned):
        of[one.data.unit].append(one)
    for unit, given in sorted(of.items()):
        for late in (one for one in given if one.data.late):
            pack = record.pack(late)
            if pack and pack.assigning and pack.assigning.returning:
                ref = record.ref(late)
                yield Found(
                    "non_cooperation",
                    "returned_late",
                    unit,
                    late.event.id,
                    "assigning.returning",
                    (late,),
                    policy=ref,
                    done_at=late.event.recorded,
                )
        if len(given) >= most:
            yield Found(
                "non_cooperation",
                "returned_again",
                unit,
                "returns",
                rule,
                together(given),
                policy=policy,
                count=len(given),
                beyond=most,
            )


def silent(record: Record) -> Iterator[Found]:
    """A unit that neither acted nor explained itself until the last rung of the ladder, or let a notice pass."""
    for breach in record.breaches:
        rungs = [one for one in breach.rungs if one.data.rung == "circular"]
        if rungs:
            yield _silence(record, breach, "ladder.circular", rungs[:1])
        elif breach.name == NOTICE:
            yield _silence(record, breach, NOTICE, [])


def _silence(record: Record, breach: Breach, rule: str, rungs: list[Placed]) -> Found:
    return Found(
        "non_cooperation",
        "silent" if rungs else "notice_unanswered",
        breach.data.unit,
        breach.breached.event.id,
        rule,
        together(breach.events, rungs),
        policy=record.ref(breach.breached),
        clock=breach.data.clock,
        due=breach.data.due,
        done_at=breach.met.data.met_at if breach.met else None,
        incomplete=breach.data.incomplete,
    )


def _on_limit(record: Record, breach: Breach, rung: Placed, rule: str) -> Found:
    return Found(
        "ineffective_handling",
        "supervised",
        breach.data.unit,
        breach.breached.event.id,
        rule,
        together(breach.events, [rung]),
        policy=record.ref(breach.breached),
        clock=breach.data.clock,
        due=breach.data.due,
        done_at=breach.met.data.met_at if breach.met else None,
        incomplete=breach.data.incomplete,
    )


def _of_handling(pack: PolicyPack | None, breach: Breach) -> bool:
    """Whether the limit is one for handling: no report, no answer, no correction."""
    if hop_of(pack, breach.name) or breach.name in (*OF_REPORTS, PROMISED, UPDATE, NOTICE):
        return False
    clock = clock_of(pack, breach.name)
    return clock is not None and not answers(clock)
