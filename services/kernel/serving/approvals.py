"""How answers show the approvals of a text or a measure, and the checks that go with them."""

from typing import Any, Literal

from schemas.fields import Code, Instant, Post
from services.kernel.core.units import LoadedPack
from services.kernel.rules.approval import Course, Kind, chains
from services.kernel.serving.answers import Answered


class Agreed(Answered):
    """A post or body agreed at a step."""

    who: Code
    """The addressee of the pack."""
    post: Post
    """The post that decided; if somebody acted for it by a delegation, the post that delegated."""
    acted: Post
    """The post at which somebody gave it: the same, or one that acted for it by a delegation or a role."""
    took_part: tuple[Post, ...]
    """The members of a body who decided."""
    at: Instant
    """When."""


class Step(Answered):
    """A step of the approvals."""

    step: Code
    """Its code."""
    title: str | None
    """Its title; null if the matter's pack has the chain no longer."""
    who: tuple[Code, ...]
    """The posts and bodies that decide it."""
    needs: int
    """How many of them must agree."""
    quorum: int | None
    """How many members of a body must take part."""
    referred_to: Code | None
    """Who decides it because an approver could not judge."""
    agreed: tuple[Agreed, ...]
    """Who agreed."""
    done: bool
    """Whether enough of them agreed."""


GateState = Literal["met", "missing", "marked", "clear", "not_asked"]


class Gate(Answered):
    """A check that stands before an approval."""

    check: Literal[
        "facts", "verification", "material", "secrecy", "major_information", "chain", "separation", "one_text"
    ]
    """What is checked: the facts on which a text rests, the verification of the matter, the signed and sealed material
    of departments, the two declarations, whether the chain of approvals is still the right one, whether the
    caller is another person than those who wrote or approved, and whether the text says what is established and said.
    """
    state: GateState
    """`met`, or `missing` as long as something stands against it; of a declaration, `marked` or `clear`. `not_asked`
    if the rules do not ask for it here.
    """


def gate(asked: bool, stands_against: object) -> GateState:
    """The state of a check."""
    return "not_asked" if not asked else "missing" if stands_against else "met"


def gates(marks: frozenset[str], **checks: GateState) -> list[dict[str, str]]:
    """The checks as answers show them, with the two declarations. `marks` are what a text or a measure says of itself.

    The check of secrecy is the declaration of the writer and of each approver. A machine does not judge it.
    """
    declared = {"secrecy": "secret", "major_information": "major_information"}
    said = {name: "marked" if mark in marks else "clear" for name, mark in declared.items()}
    return [{"check": name, "state": state} for name, state in {**checks, **said}.items()]


def shown(course: Course, pack: LoadedPack | None = None, of: Kind = "statement") -> dict[str, Any]:
    """The chain, its steps in order, and who agreed. The pack gives the titles, as far as it still has the chain."""
    known = chains(pack, of) if pack else []
    titles = {step.code: step.title_zh for chain in known if chain.code == course.chain for step in chain.steps}
    done = [course.is_done(step) for step in course.steps]
    return {
        "chain": course.chain,
        "steps": [step.code for step in course.steps],
        "steps_done": sum(done),
        "approval": [
            {
                "step": step.code,
                "title": titles.get(step.code),
                "who": course.deciding(step),
                "needs": step.needs,
                "quorum": step.quorum,
                "referred_to": course.referred_to(step.code),
                "agreed": [
                    {
                        "who": one.who,
                        "post": one.post,
                        "acted": one.acted,
                        "took_part": one.took_part,
                        "at": one.at,
                    }
                    for one in course.agreed
                    if one.step == step.code
                ],
                "done": is_done,
            }
            for step, is_done in zip(course.steps, done, strict=True)
        ],
    }
