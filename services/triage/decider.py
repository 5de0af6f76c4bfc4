"""The rules of an incident: the events of each command. `rights` says who may ask for it, and when."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from schemas import triage
from schemas.fields import Fact, Typed
from schemas.lists import FactKey
from schemas.triage import AnswerKind, FactValue
from services.kernel.core.acts import Act, entered, must_be_ahead
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Moved, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.units import LoadedPack
from services.kernel.masking import Listed, mask
from services.kernel.rules import grading
from services.triage import commands as c
from services.triage.alike import links
from services.triage.facts import establishing
from services.triage.handling import acts, approvals, assigning, handing, materials, planning, plans
from services.triage.levels import judgement, moves
from services.triage.owed import aftercare, endings, explaining, outcomes, rounds, screening
from services.triage.owed import answering_commands as a
from services.triage.rights import REGISTER, last_report, right_to
from services.triage.state import State, counted, evolve, initial_state

AT_ONCE = 2000
"""An event of a merger names at most this many reports, so that it fits on a topic."""


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command. Commands that other events cause need no right."""
    right = right_to(state, command)
    if right is None:
        return
    right.require(state, ctx)
    if isinstance(command, c.Merge) and ctx.seen["into"].phase != "new":
        right.require(ctx.seen["into"], ctx)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events that the command causes.

    `ctx.seen` holds, for EstablishFact: `absorbed` (key -> fact, of
    the incidents that were merged into this one), `words` (reference -> text of the facts' texts) and `files` (the
    named pieces of evidence that the matter's reports have). For Merge and Link: `into`
    (the other incident's `State`); for a link as a part also `wholes` (the incidents of which the other one is a part
    by way of others). For Absorb: `leaving` (the `State` of the merged incident), `reports` (all its
    reports), `late` (whether one of them was entered late) and `discovered` (when each of both was first known by any
    report). For Split: `into` (the new incident's id), `belonging` (the named reports that belong to this incident) and
    `match_keys` (their match keys). For HandToPeer: `texts` (report -> digests of its subject and text, of the named
    reports that belong to this incident).
    """
    decided = _events(state, command, ctx)
    return [*endings.withdrawn(state, decided), *decided]


def _events(state: State, command: Command, ctx: Ctx) -> Decided:
    right = right_to(state, command)
    if right is None:
        return _caused(state, command, ctx)
    authorize(state, command, ctx)
    approvals.must_be_known(state, command)
    right.refuse(state, ctx)
    decided = _decided(state, command, ctx)
    _must_stay_apart(state, decided, ctx)
    if isinstance(command, Act):
        return entered(command, acts.happened(state, command, ctx), decided)
    return decided


def _must_stay_apart(state: State, decided: Decided, ctx: Ctx) -> None:
    """Raises `Rejected` if an office for exercises got a real matter, or another office a matter of such a one."""
    for one in decided:
        fact = one.data if isinstance(one, Occurred) else one
        for unit in (getattr(fact, "unit", None), *getattr(fact, "units", ())):
            if unit is not None and ctx.offices.drills(unit) != ctx.offices.drills(state.unit):
                raise Rejected(
                    f"{unit} and {state.unit} are not both for exercises; name a unit that {state.unit} practises with",
                    code="drill-office",
                    unit=unit,
                    of=state.unit,
                )


def _caused(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events of commands that other events cause. No rule refuses them."""
    match command:
        case a.Register():
            return _register(command, ctx)
        case c.TakeReport():
            return _take(state, command, ctx)
        case c.CountReach():
            return judgement.take_count(state, command, ctx)
        case c.RecordPeerSaid():
            return handing.heard(state, command)
        case c.RecordRefusal():
            return [Occurred(fact, basis=(command.basis,)) for fact in _refuse(state, command)]
        case c.RecordJudgement():
            if moved := state.merged_into or state.left.get(command.report):
                raise Moved(moved)
            if state.phase == "new":
                return []
            judged = triage.IncidentAnswerJudged(report=command.report, answer=command.answer, helps=command.helps)
            return [Occurred(judged, basis=(command.basis,))]
        case c.RecordAnswerPublished():
            if state.merged_into:
                raise Moved(state.merged_into)
            if state.phase == "new" or command.statement in state.statements:
                return []
            answered = triage.IncidentHandlingRecorded(
                track="answer", statement=command.statement, closing=command.closing
            )
            return [Occurred(answered, basis=(command.basis,), unit=command.unit)]
        case c.PrepareClarification():
            return establishing.prepared(state, command, ctx)
        case c.RecordLink():
            return [triage.IncidentLinked(to=command.to, kind=command.kind)]
        case c.Absorb():
            return _absorb(state, ctx)
        case c.OpenSplit():
            return _open_split(command, ctx)
    raise TypeError(f"no rule for {type(command).__name__}")


def _register(command: a.Register, ctx: Ctx) -> Decided:
    """A matter that nobody has reported yet."""
    REGISTER.require(command.unit, ctx)
    if command.category is not None:
        ctx.offices.lists.category(command.category)
    known = command.discovered_at or ctx.now
    if known > ctx.now:
        raise Malformed(
            f"discovered_at lies in the future: {known.isoformat()}; leave it out if the office knows now",
            code="in-the-future",
            field="discovered_at",
            at=known,
            now=ctx.now,
        )
    opened = triage.IncidentOpened(
        unit=command.unit,
        discovered_at=known,
        category=command.category,
        policy=moves.in_force(command.unit, ctx),
        subject=Typed(text=command.subject),
        text=Typed(text=command.text),
        place=_typed(command.place),
    )
    return [Occurred(opened, unit=command.unit, basis=ctx.offices.basis)]


def _take(state: State, command: c.TakeReport, ctx: Ctx) -> Decided:
    """The report opens the incident or joins it.

    An ended incident takes no report in. A new report gets its own answer, within its own limits.
    """
    if state.merged_into:
        raise Moved(state.merged_into)
    if state.phase == "new":
        opened = triage.IncidentOpened(
            unit=command.unit,
            report=command.report,
            discovered_at=command.discovered_at,
            category=command.category,
            channel=command.channel,
            match_key=command.match_key,
            place_key=command.place_key,
            relates_to=command.relates_to,
            handed=command.handed,
            entered_late=command.entered_late,
            policy=moves.in_force(command.unit, ctx),
        )
        return [Occurred(opened, basis=(command.basis,), unit=command.unit)]
    last = state.answering.screening
    if state.phase != "open" or (last and last.ends_reply):
        # What somebody asks anew gets its own answer, also where the matter itself was screened as needing none.
        raise Moved(command.opens, command.model_copy(update={"relates_to": state.id}))
    attached = triage.IncidentReportAttached(
        report=command.report,
        unit=command.unit,
        discovered_at=command.discovered_at,
        entered_late=command.entered_late,
        category=command.category,
        place_key=command.place_key,
    )
    known = judgement.levels(state, (), ctx, reports=state.report_count + 1)
    return [Occurred(attached, basis=(command.basis,), unit=command.unit), *known]


def _refuse(state: State, command: c.RecordRefusal) -> list[Fact]:
    """The refusal. If no report of an open incident is left to be answered, this waits for a review, which ends it."""
    if state.merged_into:
        raise Moved(state.merged_into)
    if command.report in state.left:
        raise Moved(state.left[command.report])
    if state.phase == "new" or command.report in state.refused:
        return []
    refused = triage.IncidentReportRefused(report=command.report, post=command.post, by=command.by)
    if state.phase != "open":
        return [refused]
    return [refused, *screening.refused(state.report_count, [*state.refused_of(state.refused), refused])]


def _decided(state: State, command: Command, ctx: Ctx) -> Decided:
    """Commands of staff, on an incident that is not merged. If it is closed, only looking back is possible."""
    tree = ctx.offices.basis
    match command:
        case c.Instruct():
            return assigning.instructed(state, command, ctx)
        case c.RequestVerification():
            return establishing.requested(command, ctx)
        case c.ConcludeVerification():
            return establishing.concluded(state, command, ctx)
        case c.Assess():
            return establishing.assessed(command)
        case c.RequestHelp():
            ctx.offices.unit(command.unit)
            must_be_ahead(command.due, ctx.now)
            if command.unit == state.assigned:
                raise Rejected(
                    f"{command.unit} handles {state.id} itself; ask another unit for help",
                    code="handles-already",
                    incident=state.id,
                    unit=command.unit,
                )
            asks = triage.IncidentHelpRequested(unit=command.unit, text=_typed(command.text), due=command.due)
            return [Occurred(asks, basis=tree)]
        case c.AcceptHelp() | c.ReturnHelp() | c.CompleteHelp():
            return assigning.helped(state, command, ctx)
        case c.EstablishFact():
            return _establish(state, command, ctx)
        case c.Classify():
            return _classify(state, command, ctx)
        case c.Categorize():
            return _categorize(state, command, ctx)
        case c.Grade():
            return _grade(state, command, ctx)
        case c.SetFlag():
            return judgement.set_flag(state, command, ctx)
        case c.ClearFlag():
            return judgement.clear_flag(state, command, ctx)
        case c.JudgeHarm():
            return judgement.judge_harm(state, command, ctx)
        case c.JudgeDoubt():
            return judgement.judge_doubt(state, command)
        case c.Planning():
            return planning.decided(state, command, ctx)
        case c.Assign():
            return assigning.assigned(state, command, ctx)
        case c.Designate():
            return assigning.designated(state, command, ctx)
        case c.Accept():
            return [triage.IncidentAccepted(unit=_assigned(state))]
        case c.Return():
            return assigning.returned(state, command, ctx)
        case c.Transfer():
            return [*moves.transfer(state, command, ctx), *establishing.taken_over(state, command.unit)]
        case c.HandToPeer():
            return handing.handed_over(state, command, ctx)
        case c.TellPeer():
            return handing.told(state, command)
        case c.MovePolicy():
            return moves.move(state, command, ctx)
        case c.RecordHandling():
            return [triage.IncidentHandlingRecorded(track=command.track, text=Typed(text=command.text))]
        case c.ReceiveMaterial():
            return materials.received(state, command, ctx)
        case c.ProposeMeasure():
            return approvals.proposed(state, command, ctx)
        case c.ApproveProposal() | c.RejectProposal() | c.CannotJudgeProposal():
            return approvals.decided(state, command, ctx)
        case a.Screen():
            return screening.screened(state, command, ctx)
        case a.ReviewScreening():
            return screening.reviewed(state, command, ctx)
        case a.OrderExplanation():
            return explaining.ordered(state, command, ctx)
        case a.ExplainToOffice():
            return explaining.explained(state, command)
        case a.LeaveUnsolved():
            return outcomes.left_unsolved(state, command, ctx)
        case c.Resolve():
            return endings.resolved(state, command, ctx)
        case c.FollowUp():
            return [triage.IncidentFollowedUp(text=Typed(text=command.text), ends=command.ends)]
        case c.DeclineRound():
            return rounds.declined(state, command, ctx)
        case c.Reopen():
            return rounds.reopened(state, command, ctx)
        case c.Close():
            return endings.closed(state, command, ctx)
        case c.Merge():
            return _merge(state, command, ctx)
        case c.Link():
            return links.linked(state, command, ctx)
        case c.Offer():
            return links.offered(state, command, ctx)
        case c.Split():
            return _split(state, command, ctx)
        case c.Explain() | c.Reply() if approvals.asked(state, command, ctx):
            return approvals.proposed(state, command, ctx)
        case Act():
            return acts.decided(command, ctx)
    raise TypeError(f"no rule for {type(command).__name__}")


def _typed(text: str | None) -> Typed | None:
    return None if text is None else Typed(text=text)


def _assigned(state: State) -> str:
    assert state.assigned is not None, "the table of rights allows accept and return only if a unit is assigned"
    return state.assigned


def _establish(state: State, command: c.EstablishFact, ctx: Ctx) -> Decided:
    _must_be_listed(command, ctx.offices.lists.fact(command.key, moves.of_matter(state, ctx).model.facts))
    _must_be_there(command.evidence, ctx.seen.get("files", ()), state)
    model: type[triage.IncidentFactEstablished | triage.IncidentFactRevised] = triage.IncidentFactEstablished
    if known := state.facts.get(command.key) or ctx.seen.get("absorbed", {}).get(command.key):
        if _same(known, command, ctx.seen.get("words", {}), ctx.offices.lists.telephones):
            return []
        model = triage.IncidentFactRevised
    given: dict[str, Any] = {"source": Typed(text=command.source), "evidence": tuple(dict.fromkeys(command.evidence))}
    return [model(key=command.key, kind=command.kind, **given, **_value(command))]


def _must_be_there(evidence: Sequence[str], files: Collection[str], state: State) -> None:
    if missing := [file for file in evidence if file not in files]:
        raise Malformed(
            f"evidence: no report of {state.id} has the file {missing[0]}; attach it to a report first",
            code="evidence-unknown",
            field="evidence",
            incident=state.id,
            file=missing[0],
        )


def _must_be_listed(command: c.EstablishFact, listed: FactKey) -> None:
    if command.kind != listed.kind:
        raise Malformed(
            f"kind: {command.key} is a fact of the kind {listed.kind}, not {command.kind}",
            code="fact-of-another-kind",
            field="kind",
            key=command.key,
            kind=listed.kind,
            given=command.kind,
        )
    codes = [one.code for one in listed.codes]
    if command.kind == "code" and command.value not in codes:
        raise Malformed(
            f"value: {command.key} takes one of {', '.join(codes)}",
            code="fact-code-unknown",
            field="value",
            key=command.key,
            known=codes,
        )


def _value(command: c.EstablishFact) -> dict[str, Any]:
    """The one value field of the fact, for its kind."""
    value = command.value
    match command.kind:
        case "text":
            return {"words": Typed(text=str(value))}
        case "number":
            return {"number": float(value)}
        case "time":
            return {"at": command.at}
        case "code":
            return {"code": str(value)}
        case "yes_no":
            return {"yes": bool(value)}


def _same(known: FactValue, command: c.EstablishFact, words: Mapping[str, str | None], listed: Listed) -> bool:
    if known.kind != command.kind or not set(command.evidence) <= set(known.evidence):
        return False
    if command.kind == "text":
        said = mask(str(command.value), listed).text
        return known.words is not None and words.get(known.words.ref) == said
    return all(getattr(known, name) == value for name, value in _value(command).items())


def _classify(state: State, command: c.Classify, ctx: Ctx) -> Decided:
    if command.answer_kind == state.answer_kind:
        raise Rejected(
            f"{state.id} has the kind of answer {command.answer_kind} already; choose another one",
            code="already-classified",
            incident=state.id,
            answer_kind=command.answer_kind,
        )
    pack = moves.of_matter(state, ctx)
    if not pack.model.answers:
        raise Rejected(
            f"{_name(pack)} has no kinds of answer, so none is chosen by it",
            code="no-answer-kinds",
            pack=_name(pack),
        )
    rule = next((rule for rule in pack.model.answers if rule.kind == command.answer_kind), None)
    if rule is None:
        raise Rejected(
            f"{_name(pack)} has no rule for the kind of answer {command.answer_kind}; choose another one",
            code="answer-kind-unknown",
            pack=_name(pack),
            answer_kind=command.answer_kind,
        )
    if state.level is not None and rule.levels is not None and state.level not in rule.levels:
        raise Rejected(
            f"{_name(pack)} does not allow {command.answer_kind} at the level {state.level}; choose another one",
            code="answer-kind-not-allowed",
            rule=f"answers.{rule.kind}",
            pack=_name(pack),
            answer_kind=command.answer_kind,
            level=state.level,
        )
    return [_by_pack(triage.IncidentClassified(answer_kind=command.answer_kind), pack, ctx)]


def _categorize(state: State, command: c.Categorize, ctx: Ctx) -> Decided:
    ctx.offices.lists.category(command.category)
    if command.category == state.category:
        raise Rejected(
            f"{state.id} has the category {command.category} already; choose another one",
            code="already-categorized",
            incident=state.id,
            category=command.category,
        )
    return [
        triage.IncidentCategorized(category=command.category, previous=state.category, reason=_typed(command.reason))
    ]


def _grade(state: State, command: c.Grade, ctx: Ctx) -> Decided:
    pack = moves.of_matter(state, ctx)
    levels = grading.ranks(pack)
    if not levels:
        raise Rejected(f"{_name(pack)} has no levels, so nothing is graded by it", code="no-levels", pack=_name(pack))
    rank = levels.get(command.level)
    if rank is None:
        raise Malformed(
            f"level: {_name(pack)} has no level {command.level!r}; its levels are {', '.join(levels)}",
            code="level-unknown",
            field="level",
            pack=_name(pack),
            level=command.level,
            known=list(levels),
        )
    if command.level == state.level:
        raise Rejected(
            f"{state.id} is graded {command.level} already; choose another level",
            code="already-graded",
            incident=state.id,
            level=command.level,
        )
    gravity = grading.gravity(state.gravity)
    proposal = grading.proposed(pack, state.gravity, state.report_count)
    judged: dict[str, Any] = {
        "level": command.level,
        "rank": rank,
        "reason": Typed(text=command.reason),
        "proposed": proposal.level if proposal else None,
        "rule": proposal.rule if proposal else None,
        "known_at": grading.known_at(pack, state.known, state.grades, rank, state.discovered_at),
    }
    fact: Fact
    if state.level is None:
        fact = triage.IncidentGraded(**judged)
    else:
        fact = triage.IncidentRegraded(previous=state.level, previous_rank=state.rank, **judged)
    return [_by_pack(fact, pack, ctx, *(gravity.basis if gravity else ()))]


def _by_pack(fact: Fact, pack: LoadedPack, ctx: Ctx, *basis: str) -> Occurred:
    return Occurred(fact, policy=pack.ref, basis=(*ctx.offices.basis, *basis))


def _name(pack: LoadedPack) -> str:
    return pack.ref.partition("#")[0]


def _merge(state: State, command: c.Merge, ctx: Ctx) -> Decided:
    into: State = ctx.seen["into"]
    if into.phase == "new":
        raise Malformed(
            f"there is no {command.into} to merge into", code="incident-unknown", field="into", into=command.into
        )
    if command.into == state.id:
        raise Rejected(
            f"{state.id} cannot be merged into itself; name the other incident",
            code="merge-into-itself",
            incident=state.id,
        )
    if into.merged_into:
        raise Rejected(
            f"{into.id} was itself merged into {into.merged_into}; merge into that one",
            code="merged-target",
            incident=into.id,
            into=into.merged_into,
        )
    if into.phase != "open":
        raise Rejected(
            f"{into.id} is {into.phase}; reopen it first, then merge",
            code="merge-target-ended",
            incident=into.id,
            phase=into.phase,
        )
    if into.drill != state.drill:
        raise Rejected("an exercise and a real matter cannot be merged", code="drill-and-real")
    if refusal := screening.why_not_merged(into, state):
        raise refusal
    pack = moves.of_matter(into, ctx)
    if state.level is not None and into.level is None and moves.in_terms_of(pack, state, ctx).level is None:
        raise Rejected(
            f"{state.id} is graded {state.level}, which {_name(pack)} does not know; grade {into.id} first, then merge",
            code="merge-level-unknown",
            incident=into.id,
            level=state.level,
            pack=_name(pack),
        )
    return [triage.IncidentMerged(into=command.into, reason=_typed(command.reason))]


def _absorb(state: State, ctx: Ctx) -> Decided:
    """The other incident goes on here, with all that this one lacks: level, kind of answer, category, assigned unit."""
    leaving: State = ctx.seen["leaving"]
    discovered = [state.reported_at, leaving.reported_at, *ctx.seen.get("discovered", ())]
    earlier = min((at for at in discovered if at), default=None)
    since = earlier or state.discovered_at
    assert since is not None, "both were opened"
    reports: Sequence[str] = ctx.seen["reports"]
    absorbed = [
        triage.IncidentAbsorbed(
            incident=leaving.id,
            reports=part,
            discovered_at=earlier,
            entered_late=ctx.seen.get("late", False),
            refused=tuple(sorted(leaving.refused.intersection(part))),
            handled=tuple(sorted(_completed(leaving))),
            verified_by=leaving.verification.facts,
        )
        for part in (tuple(reports[at : at + AT_ONCE]) for at in range(0, len(reports) or 1, AT_ONCE))
    ]
    given = leaving.dispatch
    told: dict[str, Any] = {name: getattr(given, name) for name in ("returns", "designates", "instructed")}
    told |= {"dispatches": given.number, "round": leaving.aftercare.round}
    absorbed[0] = absorbed[0].model_copy(update=told)
    pack = moves.of_matter(state, ctx)
    known = moves.in_terms_of(pack, leaving, ctx)
    judged = _raised(state, known, pack, since)
    level = judged[-1].level if judged else state.level
    if state.answer_kind is None and leaving.answer_kind and _may_answer(leaving.answer_kind, level, pack):
        judged.append(triage.IncidentClassified(answer_kind=leaving.answer_kind, taken_from=leaving.id))
    kinds = []
    if state.category is None and leaving.category:
        kinds.append(triage.IncidentCategorized(category=leaving.category, taken_from=leaving.id))
    assigned = assigning.brought(state, leaving)
    planned = plans.brought(state.plans, leaving.plans)
    verifying = establishing.brought(state, leaving)
    helping = [_helping_as(leaving, unit) for unit in sorted(leaving.helping - state.helping)]
    grave = judgement.brought(state, known, ctx)
    after = [*aftercare.brought(leaving.aftercare), *_all_refused(state, leaving, reports)]
    ruled = [_by_pack(fact, pack, ctx) for fact in judged]
    return [*absorbed, *grave, *ruled, *kinds, *assigned, *verifying, *helping, *planned, *after]


def _all_refused(state: State, leaving: State, reports: Sequence[str]) -> Sequence[Fact]:
    """What a registered matter and one whose reports were all refused an answer make together waits for the review."""
    return () if state.report_count else screening.refused(len(reports), leaving.refused_of(reports))


def _completed(leaving: State) -> Collection[triage.Track]:
    """The tracks that need nothing more where the matter goes on. A problem that stays unsolved is decided there."""
    return leaving.handled - {"problem"} if leaving.answering.is_unsolved else leaving.handled


def _raised(state: State, leaving: State, pack: LoadedPack, since: datetime) -> list[Any]:
    ranks, level, rank = grading.ranks(pack), state.level, state.rank
    facts: list[Any] = []
    for grade in grading.brought(leaving.grades, leaving.level, state.level, pack, since):
        given: dict[str, Any] = {
            "level": grade.level,
            "rank": ranks[grade.level],
            "known_at": grade.known_at,
            "taken_from": leaving.id,
        }
        if level is None:
            facts.append(triage.IncidentGraded(**given))
        else:
            facts.append(triage.IncidentRegraded(previous=level, previous_rank=rank, **given))
        level, rank = grade.level, ranks[grade.level]
    return facts


def _may_answer(kind: AnswerKind, level: str | None, pack: LoadedPack) -> bool:
    return any(
        of.kind == kind and (level is None or of.levels is None or level in of.levels) for of in pack.model.answers
    )


def _helping_as(leaving: State, unit: str) -> Fact:
    """The share of a unit in another incident, as its share in this one."""
    if share := leaving.dispatch.helper(unit):
        return triage.IncidentHelpRequested(unit=unit, text=share.text, due=share.due)
    return triage.IncidentHelpRequested(unit=unit)


def _open_split(command: c.OpenSplit, ctx: Ctx) -> Decided:
    """The split-off matter goes on with the assigned unit.

    It has no level and no kind of answer, which were another matter's. What its reports counted goes with them.
    """
    first, *others = command.reports
    counts = [judgement.counted_by(count) for count in command.counts]
    opening = State(unit=command.unit, policy=command.policy, phase="open", report_count=len(command.reports))
    return [
        triage.IncidentOpened(
            unit=command.unit,
            report=first.report,
            discovered_at=first.discovered_at,
            entered_late=first.entered_late,
            split_from=command.split_from,
            policy=command.policy,
        ),
        *(triage.IncidentReportAttached(**other.model_dump()) for other in others),
        *(judgement.reached(counted, command.split_from) for counted in counts),
        *judgement.levels(opening, counts, ctx),
        *(
            assigning.taken_over(command.assigned, command.accepted, command.split_from, command.designated_by)
            if command.assigned
            else ()
        ),
        *command.refused,
        *screening.refused(len(command.reports), command.refused),
    ]


def _split(state: State, command: c.Split, ctx: Ctx) -> Decided:
    belonging: Collection[str] = ctx.seen["belonging"]
    strangers = [report for report in command.reports if report not in belonging]
    if strangers:
        raise Rejected(
            f"{', '.join(strangers)} does not belong to {state.id}; name reports that do",
            code="not-its-report",
            incident=state.id,
            reports=strangers,
        )
    leaving = tuple(dict.fromkeys(command.reports))
    if len(leaving) == state.report_count and not state.registered:
        raise last_report(state)
    split = triage.IncidentSplit(into=ctx.seen["into"], reports=leaving, match_keys=ctx.seen.get("match_keys", ()))
    staying = state.report_count - len(leaving)
    refused = state.refused_of(state.refused.difference(leaving)) if state.phase == "open" else ()
    return [split, *judgement.levels_without(state, leaving, ctx), *screening.refused(staying, refused)]


DECIDER = Decider(
    "incident",
    initial_state,
    evolve,
    decide,
    authorize,
    counted=(triage.IncidentReportAttached,),
    count=counted,
)
