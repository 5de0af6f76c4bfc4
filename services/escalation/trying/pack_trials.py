"""A pack tried before it takes effect: its cases, one matter explained, and the matters of the record judged by it.

Nothing is recorded. What triage knows of a matter comes with the request; the clocks are escalation's own.
"""

import asyncio
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter
from sqlalchemy import select

from schemas import escalation as e
from schemas.envelope import Event
from schemas.fields import instant
from schemas.judging import GravityFact, MatterFacts
from schemas.said import said_in
from services.escalation import state, views
from services.escalation.clock.clocks import Clock
from services.escalation.rights import TRY_PACK
from services.escalation.trying import cases, facts, trial_answers
from services.escalation.trying.cases import Case
from services.escalation.trying.dry_run import Difference, differences, limits, tried
from services.escalation.trying.evaluate import Matter, answer, matter_of, sources
from services.escalation.trying.facts import Facts
from services.escalation.trying.trials import MAX_CASES, MAX_STEPS, DryRun, ExplainPack, RunCases
from services.kernel.core.decider import Actor
from services.kernel.core.ids import stream_of
from services.kernel.core.problems import Malformed, NotFound
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.rules import approval, grading
from services.kernel.rules.conditions import Context, Figures
from services.kernel.rules.documents import DocumentError
from services.kernel.rules.packs import parse_pack
from services.kernel.serving import documents, http
from services.kernel.serving.problems import language_of, spoken

T = TypeVar("T")
_DURATION = TypeAdapter(timedelta)
_TRIALS = ThreadPoolExecutor(1, "trials")
"""A trial reckons for seconds. One after the other, in a thread of their own, trials keep nobody else waiting."""


@functools.cache
def router() -> APIRouter:
    """The paths of trials."""
    api = http.router("/escalation/v1", "escalation")

    @api.post("/packs/run-cases", **documents.answers(trial_answers.RanCases))
    async def run_cases(request: Request, runtime: http.Serving, staff: http.Staff, body: RunCases) -> Response:
        """Runs the cases of a pack, for whoever may load packs. `faults` says what the rules say otherwise."""
        await _offices(runtime, staff)
        pack = await _apart(_pack, body.text)
        text = await asyncio.to_thread(_cases, runtime, pack) if body.cases is None else body.cases
        ran = await _apart(_ran, pack, text)
        language = language_of(request)
        shown = [one | {"faults": [said_in(fault, language) for fault in one["faults"]]} for one in ran]
        return http.json_response({"policy": pack.ref, "cases": shown, "text": text}, headers=spoken(language))

    @api.post("/packs/explain", **documents.answers(trial_answers.Explained))
    async def explain_pack(runtime: http.Serving, staff: http.Staff, body: ExplainPack) -> Response:
        """Says what the rules of a pack say of a matter, each rule with its source, for whoever may load packs."""
        offices = await _offices(runtime, staff)
        pack = await _apart(_pack, body.text)
        if (body.facts is None) == (body.matter is None):
            raise Malformed("write either `facts` or `matter`", code="facts-or-matter", field="facts")
        if body.matter is not None:
            if not (found := await _matters(runtime, [body.matter], offices)):
                raise NotFound(f"{body.matter.incident} has no limits yet; try again", what=body.matter.incident)
            said = await _apart(_tried, found[0].matter, pack)
        else:
            said = await _apart(_fit, "facts", lambda: _explained(matter_of(pack, _facts(body.facts or ""))))
        return http.json_response(said)

    @api.post("/packs/dry-run", **documents.answers(trial_answers.DryRan))
    async def dry_run_pack(runtime: http.Serving, staff: http.Staff, body: DryRun) -> Response:
        """Says what would have differed if these matters had been judged by a pack, for whoever may load packs.

        Both packs see the same acts. `missed` is a limit that is missed by the pack alone, `kept` one that is kept by
        it alone. A matter without a pack is left out.
        """
        offices = await _offices(runtime, staff)
        pack = await _apart(_pack, body.text)
        matters = await _matters(runtime, body.matters, offices)
        found = await _apart(_differences, pack, matters)
        counts = dict(sorted(Counter(one["kind"] for one in found).items()))
        answered = {"policy": pack.ref, "matters": len(matters), "counts": counts, "differences": found}
        return http.json_response(answered)

    return api


class _Judged(NamedTuple):
    """A matter of the record, with what triage told of it."""

    told: MatterFacts
    matter: Matter


async def _offices(runtime: Runtime, staff: Actor) -> Offices:
    """The offices, for somebody who may try packs. Raises `Forbidden`."""
    async with runtime.database.read() as connection:
        ctx = await runtime.context(connection, staff)
    TRY_PACK.require(None, ctx)
    return ctx.offices


async def _apart(reckon: Callable[..., T], *given: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(_TRIALS, reckon, *given)


def _pack(text: str) -> LoadedPack:
    try:
        return parse_pack(text)
    except DocumentError as error:
        faults = [fault._asdict() for fault in error.faults]
        raise Malformed(str(error), code="pack-unusable", field="text", faults=faults) from None


def _fit(field: str, made: Callable[[], T]) -> T:
    try:
        return made()
    except facts.Unfit as error:
        raise Malformed(f"{field}: {error}", code="facts-unfit", field=field, error=str(error)) from None


def _cases(runtime: Runtime, pack: LoadedPack) -> str:
    """The cases of the policy folder; empty if it has none."""
    path = runtime.settings.policies / "cases" / f"{pack.model.id}.json"
    return path.read_text() if path.exists() else ""


def _ran(pack: LoadedPack, text: str) -> list[dict[str, Any]]:
    found: Sequence[Case] = _fit("cases", lambda: cases.parse(text.encode(), "cases")) if text.strip() else ()
    if len(found) > MAX_CASES:
        raise Malformed(
            f"cases has more than {MAX_CASES} entries", code="list-too-long", field="cases", maximum=MAX_CASES
        )
    _fit("cases", lambda: _must_be_short(case.facts for case in found))
    return [{"title": case.title, "faults": cases.faults(pack, case)} for case in found]


def _facts(text: str) -> Facts:
    found = facts.loads(text.encode(), "facts")
    _must_be_short([found])
    return found


def _must_be_short(given: Iterable[Facts]) -> None:
    """Each step is judged with all before it, so a long course would take minutes. Raises `Unfit`."""
    longest = max((one.steps for one in given), default=0)
    if longest > MAX_STEPS:
        raise facts.Unfit(
            f"a matter has {longest} counts, flags, gradings, assignments and events; "
            f"leave out what does not concern the rules, down to {MAX_STEPS}"
        )


async def _matters(runtime: Runtime, told: Sequence[MatterFacts], offices: Offices) -> list[_Judged]:
    """The matters that have clocks here and a pack."""
    streams = {stream_of("clock", one.incident): one for one in told}
    rows = views.METADATA.tables["events"].c
    chosen = select(rows.bytes).where(rows.stream_id.in_(list(streams))).order_by(rows.stream_id, rows.version)
    async with runtime.database.read() as connection:
        recorded = [bytes(bytes_) for bytes_ in await connection.scalars(chosen)]
    return await _apart(_of_record, streams, recorded, offices, runtime.time_source.now())


def _of_record(
    streams: Mapping[str, MatterFacts], recorded: Iterable[bytes], offices: Offices, now: datetime
) -> list[_Judged]:
    events = dict[str, list[Event]]()
    for bytes_ in recorded:
        event = Event.parse(bytes_)
        events.setdefault(event.stream, []).append(event)
    found = []
    for stream, one in streams.items():
        known = functools.reduce(state.evolve, events.get(stream, ()), state.initial_state())
        if known.policy is not None and known.policy in offices.packs:
            sent = tuple(
                (event.recorded, event.data) for event in events[stream] if isinstance(event.data, e.ClockReminderSent)
            )
            found.append(_Judged(one, _matter(one, known, sent, offices, now)))
    return found


def _matter(
    one: MatterFacts,
    known: state.State,
    sent: tuple[tuple[datetime, e.ClockReminderSent], ...],
    offices: Offices,
    now: datetime,
) -> Matter:
    office = offices.ever.get(one.unit)
    nature = Context(
        category=one.category,
        channel=one.channel,
        unit=office.kind if office else None,
        answer_kind=one.answer_kind,
        doubtful=one.doubtful,
    )
    pack = offices.pack_of(known.policy, one.unit)
    return Matter(pack, offices, known, tuple(map(_fact, one.gravity)), nature, now, sent, one.reports)


def _fact(one: GravityFact) -> grading.Fact:
    if one.flag is not None:
        return grading.Flagged(one.at, one.flag, one.present)
    if one.harm is not None:
        return grading.Harmed(one.at, one.harm)
    figures = Figures(
        clicks=one.clicks, comments=one.comments, shares=one.shares, mainstream_sites=one.mainstream_sites
    )
    return grading.Counted(one.at, one.report, figures)


def _explained(matter: Matter) -> dict[str, Any]:
    """What the rules say of a matter of which only facts are known."""
    said = answer(matter)
    clocks = [{name: clock["from" if name == "since" else name] for name in _CLOCK} for clock in said["clocks"]]
    return {**said, "clocks": clocks, "rules": _rules(matter), "titles": _titles(matter)}


def _tried(was: Matter, pack: LoadedPack) -> dict[str, Any]:
    """What the rules say of a matter of the record, with its limits as this pack would have them."""
    would = tried(was, pack)
    found = limits(would, pack)
    rules = [one for one in _rules(would) if not one["rule"].startswith("clocks.")]
    begun = {clock.name.partition("#")[0].removesuffix(".review") for clock in found}
    rules += [
        {"rule": f"clocks.{spec.name}", "source": spec.source.model_dump(mode="json")}
        for spec in pack.model.clocks
        if spec.name in begun
    ]
    return {
        **answer(would),
        "clocks": [_clock(one, was.until) for one in found],
        "ladder": [],
        "rules": rules,
        "titles": _titles(would),
    }


def _rules(matter: Matter) -> list[dict[str, Any]]:
    return [{"rule": name, "source": source.model_dump(mode="json")} for name, source in sources(matter)]


def _titles(matter: Matter) -> dict[str, str]:
    model = matter.pack.model
    chain = approval.chain_of(matter.pack, matter.context)
    steps = {step.code: step.title_zh for step in chain.steps} if chain else {}
    levels = {level.code: level.title_zh for level in model.levels}
    return {**steps, **levels, **{name: timed.title_zh for name, timed in model.timed.items()}}


_CLOCK = ("name", "unit", "since", "due", "provisional", "state", "met_at", "late_by")


def _clock(clock: Clock, now: datetime) -> dict[str, Any]:
    if clock.met_at is not None:
        state = "late" if clock.late else "met"
    elif clock.overdue(now):
        state = "breached"
    else:
        state = "cancelled" if clock.cancelled else "running"
    late = clock.late_by or (now - clock.due if state == "breached" else None)
    return {
        "name": clock.name,
        "unit": clock.unit,
        "since": instant(clock.since),
        "due": instant(clock.due),
        "provisional": clock.provisional,
        "state": state,
        "met_at": instant(clock.met_at) if clock.met_at else None,
        "late_by": str(_DURATION.dump_python(late, mode="json")) if late else None,
    }


def _differences(pack: LoadedPack, matters: Sequence[_Judged]) -> list[dict[str, Any]]:
    return [
        _told(one, judged, pack) for judged in matters for one in differences(judged.told.incident, judged.matter, pack)
    ]


def _told(one: Difference, judged: _Judged, pack: LoadedPack) -> dict[str, Any]:
    timed: Mapping[str, Any] = {**judged.matter.pack.model.timed, **pack.model.timed}
    title = timed.get(one.name.partition("#")[0].partition(".review")[0])
    return {**one._asdict(), "number": judged.told.number, "title": title.title_zh if title else None}
