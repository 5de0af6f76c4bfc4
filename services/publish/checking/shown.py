"""The gates of a submission as answers show them, with the lists of the pack. Pure."""

from typing import Any

from services.kernel.access.approving import answering, nearest
from services.kernel.core.decider import Ctx
from services.publish.checking.checks import MATERIAL, gates_of, rules_of
from services.publish.rights import Case


def shown(case: Case, ctx: Ctx) -> list[dict[str, Any]]:
    """The gates of the submission; of a draft, those that its submission would have now."""
    said, pack = case.statement, case.pack.model
    if said.phase not in ("drafted", "submitted", "approved"):
        return []
    is_draft = said.phase == "drafted"
    asked = gates_of(pack, case.context(case.level)) if is_draft else said.checks.asked
    passed = {one.gate: one for one in said.checks.passed}
    rules = rules_of(pack, [gate.code for gate in asked])
    found = []
    for gate in asked:
        rule, done = rules.get(gate.code), passed.get(gate.code)
        is_done = not case.lacks_material if gate.code == MATERIAL else done is not None
        found.append(
            {
                "gate": gate.code,
                "title": rule.title_zh if rule else None,
                "state": "draft" if is_draft else "passed" if is_done else "open",
                "who": nearest(gate.who, said.unit, ctx.offices),
                "items": [{"item": item.code, "title": item.title_zh} for item in rule.items] if rule else [],
                "post": done.post if done else None,
                "at": done.at if done else None,
                "mine": not is_draft and not is_done and any(answering(gate.who, said.unit, ctx)),
            }
        )
    return found
