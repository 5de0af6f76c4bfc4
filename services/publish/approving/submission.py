"""Submits a text to the chain of approvals that the pack chooses for it. Pure."""

from schemas.fields import Fact, Typed
from schemas.publish import StatementSubmitted
from services.kernel.access.approving import must_be_answered
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.kernel.rules.approval import chain_of, chains, fixed, place
from services.publish.attaching import attaching
from services.publish.checking.checks import gates_of
from services.publish.rights import Case
from services.publish.state import State
from services.publish.writing import binding, closing, filled, promising
from services.publish.writing.drafting import TO_WRITE, established


def submit(state: State, case: Case, ctx: Ctx) -> Fact:
    """Holds the text against the facts, and fixes words and chain."""
    if TO_WRITE in f"{ctx.seen.get('title')}\n{ctx.seen.get('text')}":
        raise Rejected(
            f"the text still holds a place that is not written ({TO_WRITE}…); write what was found instead",
            code="place-not-written",
            place=TO_WRITE,
        )
    closing.must_be_at_the_end(state, case)
    promising.must_name(state, case)
    promising.must_lie_ahead(state, ctx)
    attaching.must_be_ready(state.files.all, ctx)
    texts = {name: ctx.seen[name] for name in ("title", "text") if ctx.seen.get(name) is not None}
    filled.check_wording(ctx, **texts)
    return _fixed(state, case, ctx, filled.fill(texts, state.facts, binding.read(ctx.seen.get("waived")), case, ctx))


def _fixed(state: State, case: Case, ctx: Ctx, resolved: dict[str, str]) -> Fact:
    """Fixes the chain of approvals. If another chain counts later, another submission is needed.

    A statement of status on a matter that is not graded takes the chain of the lowest level. If the matter is then
    graded higher, the statement needs the higher level's chain before it is published.
    """
    established(state.kind, state.facts, case)
    levels, asked = {level.code for level in case.pack.model.levels}, chains(case.pack, case.chained)
    level = case.level
    if level is not None and level not in levels:
        raise Rejected(
            f"the pack in force has no level {level}; grade the matter by it first",
            code="level-not-in-pack",
            level=level,
        )
    chain = chain_of(case.pack, case.context(level), case.chained)
    if asked and chain is None:
        raise Rejected(
            "no chain of approvals of the matter's pack holds for this text; ask for a pack that says who approves it",
            code="no-chain",
            rule=place(case.pack),
            pack=case.pack.name,
        )
    steps, chosen = case.steps_of(chain), chain.code if chain else None
    must_be_answered(steps, state.unit, ctx.offices, rule=place(case.pack, chosen), pack=case.pack.name)
    declared = {who for step in fixed(chain) for who in step.who}
    beside = tuple(who for step in steps for who in step.who if who not in declared)
    gates = gates_of(case.pack.model, case.context(level), beside)
    for gate in gates:
        if gate.who:
            must_be_answered([gate], state.unit, ctx.offices, rule=f"gates.{gate.code}", pack=case.pack.name)
    title, text = (
        Typed(text=resolved[name]) if name in resolved and resolved[name] != ctx.seen.get(name) else None
        for name in ("title", "text")
    )
    keys = (*state.facts, *binding.bound(ctx.seen.get("title"), ctx.seen.get("text")))
    return StatementSubmitted(
        unit=state.unit,
        level=level,
        chain=chosen,
        steps=steps,
        title=title,
        text=text,
        used=filled.used(keys, case, ctx),
        gates=gates,
        by=case.by,
    )
