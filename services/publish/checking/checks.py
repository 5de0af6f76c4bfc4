"""The gates of a submission, and how far they are passed. Pure.

They are fixed at the submission, as its chain is. So a text that was submitted before a pack asked for gates has none.
"""

from collections.abc import Collection, Iterable

from pydantic import BaseModel, ConfigDict

from schemas.approval import Step
from schemas.pack import PolicyPack
from schemas.pack.gates import Gate
from services.kernel.rules.approval import Course
from services.kernel.rules.conditions import Context, holds

MATERIAL = "material"
"""The gate that the record passes, and no person."""


class Passed(BaseModel):
    """A person passed a gate, for the post `post`."""

    model_config = ConfigDict(frozen=True)

    gate: str
    post: str
    at: str


class Checks(BaseModel):
    """The gates of a submission: who checks each, and which of them a person passed."""

    model_config = ConfigDict(frozen=True)

    asked: tuple[Step, ...] = ()
    passed: tuple[Passed, ...] = ()

    def agreed(self, who: str, post: str, at: str) -> "Checks":
        """The checks after an approver agreed as `who`: what this addressee checks is passed by it."""
        mine = [gate.code for gate in self.open if who in gate.who]
        return self.model_copy(
            update={"passed": (*self.passed, *(Passed(gate=gate, post=post, at=at) for gate in mine))}
        )

    def checked(self, gate: str, post: str, at: str) -> "Checks":
        """The checks after a person passed one."""
        return self.model_copy(update={"passed": (*self.passed, Passed(gate=gate, post=post, at=at))})

    @property
    def open(self) -> tuple[Step, ...]:
        """The gates that a person must still pass."""
        done = {one.gate for one in self.passed}
        return tuple(gate for gate in self.asked if gate.code not in done and gate.code != MATERIAL)

    def waits_for(self, who: str, course: Course) -> list[Step]:
        """The gates that stand against an agreement as `who`: it passes none of them, and no later approver will.

        `course` is the one after the agreement.
        """
        later = {code for step in course.steps if not course.is_done(step) for code in course.deciding(step)}
        return [gate for gate in self.open if who not in gate.who and later.isdisjoint(gate.who)]

    @property
    def needs_material(self) -> bool:
        """Whether the material of the responsible department must be in."""
        return any(gate.code == MATERIAL for gate in self.asked)


NONE = Checks()


def gates_of(pack: PolicyPack, context: Context, beside: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """The gates of a text that is submitted now, in the form of events.

    `beside` are approvers whom the pack does not name, since they were fixed for the matter. They may check, too.
    """
    return tuple(
        Step(code=one.code, who=tuple(dict.fromkeys((*one.by, *beside))) if one.by else ())
        for one in pack.gates
        if holds(one.when, context)
    )


def rules_of(pack: PolicyPack, codes: Collection[str]) -> dict[str, Gate]:
    """Code -> the pack's rule, as far as it still has the gate."""
    return {one.code: one for one in pack.gates if one.code in codes}


def codes(gates: Iterable[Step]) -> str:
    """The codes of gates, for a sentence."""
    return ", ".join(gate.code for gate in gates)
