"""A person passes a gate of a submission, or sends the text back at it. Pure."""

from schemas.fields import Fact, Typed
from schemas.publish import StatementChecked
from services.kernel.access.approving import Answering, answering
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.publish.checking.checks import rules_of
from services.publish.commands import Check
from services.publish.rights import Case
from services.publish.state import State


def check(state: State, command: Check, case: Case, ctx: Ctx) -> Fact:
    """Records what the person found. A gate is passed as a whole: with each line of its list, or not at all."""
    chosen = _answering(command.gate, case, ctx)
    rule = rules_of(case.pack.model, (command.gate,)).get(command.gate)
    listed = [item.code for item in rule.items] if rule else []
    if unknown := [code for code in command.items if code not in listed]:
        raise Malformed(
            f"items: {', '.join(unknown)} stands in no list of {command.gate}; it has {', '.join(listed) or 'none'}",
            code="check-item-unknown",
            field="items",
            gate=command.gate,
            known=listed,
        )
    left = [item.title_zh for item in rule.items if item.code not in command.items] if rule else []
    if command.passed and rule and left:
        raise Rejected(
            f"{rule.title_zh} is passed when each line of its list holds; not confirmed: {', '.join(left)}. Confirm "
            "them, or send the text back",
            code="check-incomplete",
            rule=f"gates.{command.gate}",
            pack=case.pack.name,
            gate=command.gate,
            missing=left,
        )
    if not command.passed and command.reason is None:
        raise Malformed(
            "reason: say what must be changed, since the text goes back to its writer",
            code="check-reason-needed",
            field="reason",
        )
    return StatementChecked(
        gate=command.gate,
        passed=command.passed,
        items=command.items,
        submission=state.submitted,
        post=chosen.post,
        reason=None if command.reason is None else Typed(text=command.reason),
        by=case.by,
    )


def _answering(gate: str, case: Case, ctx: Ctx) -> Answering:
    asked = next((one for one in case.statement.checks.open if one.code == gate), None)
    if asked is None:
        raise Rejected(
            f"nobody has to check {gate} now: it is passed, or this text needs no such check",
            code="gate-not-open",
            gate=gate,
        )
    found = next(answering(asked.who, case.statement.unit, ctx), None)
    if found is None:
        raise Forbidden(
            f"{gate} is checked by {' or '.join(asked.who)}; you act as {ctx.actor.post}",
            code="other-checker",
            gate=gate,
            who=list(asked.who),
            post=ctx.actor.post,
        )
    return found
