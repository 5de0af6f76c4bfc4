"""The chain of approvals that a pack chooses, and how far a text or a measure has come on it. Pure."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.approval import Step
from schemas.pack.approval import Chain
from services.kernel.core.units import LoadedPack
from services.kernel.rules.conditions import Context, holds

Kind = Literal["statement", "notice", "explanation", "reply", "measure"]


def chain_of(pack: LoadedPack, context: Context, of: Kind = "statement") -> Chain | None:
    """The first chain of this kind whose condition holds; None if there is none."""
    return next((chain for chain in chains(pack, of) if holds(chain.when, context)), None)


def chains(pack: LoadedPack, of: Kind) -> list[Chain]:
    """All chains of this kind. A pack without any asks for no approval.

    Statements, notices, explanations and replies are what the office says. So the chains of statements count for the
    others where the pack has none for them.
    """
    every = pack.model.approval.chains if pack.model.approval else ()
    own = [chain for chain in every if chain.of == of]
    return own if own or of == "measure" else [chain for chain in every if chain.of == "statement"]


def place(pack: LoadedPack, chain: str | None = None, step: str | None = None) -> str | None:
    """Where the pack has its rule on approvals, one of its chains, or a step of it; None if it has none.

    A chain or step of a former pack stands nowhere in this one. Then it is the rule around it.
    """
    approval = pack.model.approval
    if approval is None:
        return None
    found = next((one for one in approval.chains if one.code == chain), None)
    if found is None:
        return "approval"
    has_step = any(one.code == step for one in found.steps)
    return f"approval.chains.{found.code}.steps.{step}" if has_step else f"approval.chains.{found.code}"


def fixed(chain: Chain | None) -> tuple[Step, ...]:
    """The steps of a chain in the form of events."""
    steps = chain.steps if chain else ()
    return tuple(Step(code=step.code, who=step.who, needs=step.needs, quorum=step.quorum) for step in steps)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Agreement(_Model):
    """One post or body agreed at a step. `post` decided for it, and the posts of `took_part` decided with it.

    `acted` is the post at which somebody did that, by itself or for the other post.
    """

    step: str
    who: str
    by: str
    post: str = ""
    acted: str = ""
    took_part: tuple[str, ...] = ()
    at: str = ""
    key: str = ""
    """The key that signed it; empty if nobody did."""


class Referral(_Model):
    """The post or body `who` could not judge at a step, so that `to` decides in its place."""

    step: str
    who: str
    to: str
    by: str
    at: str = ""
    key: str = ""
    """As in `Agreement`."""


class Due(_Model):
    """The step that must be agreed next, and who has not agreed at it yet."""

    step: str
    who: tuple[str, ...]
    quorum: int | None = None


class Course(_Model):
    """The chain of a submission, with all that was decided on it since."""

    chain: str | None = None
    steps: tuple[Step, ...] = ()
    agreed: tuple[Agreement, ...] = ()
    referred: tuple[Referral, ...] = ()

    def with_agreement(self, agreement: Agreement) -> "Course":
        """The course after a further agreement."""
        return self.model_copy(update={"agreed": (*self.agreed, agreement)})

    def with_referral(self, referral: Referral) -> "Course":
        """The course after a referral."""
        return self.model_copy(update={"referred": (*self.referred, referral)})

    def referred_to(self, step: str) -> str | None:
        """The post or body that decides a step which somebody could not judge."""
        return next((one.to for one in reversed(self.referred) if one.step == step), None)

    def deciding(self, step: Step) -> tuple[str, ...]:
        """The posts and bodies that decide a step."""
        to = self.referred_to(step.code)
        if to is None:
            return step.who
        unsure = {one.who for one in self.referred if one.step == step.code}
        return (*(who for who in step.who if who not in unsure and who != to), to)

    def agreed_at(self, step: Step) -> set[str]:
        """Those of them that agreed. Whoever decided an earlier step by a referral need not decide a second time."""
        referred = {(one.step, one.to) for one in self.referred}
        counting = {one.who for one in self.agreed if one.step == step.code or (one.step, one.who) in referred}
        return counting.intersection(self.deciding(step))

    def is_done(self, step: Step) -> bool:
        """Whether enough of them agreed, and whoever the step was referred to."""
        agreed, to = self.agreed_at(step), self.referred_to(step.code)
        return len(agreed) >= min(step.needs, len(self.deciding(step))) and (to is None or to in agreed)

    @property
    def due(self) -> Due | None:
        """The first step that is not done; None if the whole chain agreed."""
        for step in self.steps:
            if not self.is_done(step):
                agreed = self.agreed_at(step)
                who = tuple(code for code in self.deciding(step) if code not in agreed)
                return Due(step=step.code, who=who, quorum=step.quorum)
        return None

    @property
    def unsigned(self) -> bool:
        """Whether somebody answered before posts signed."""
        return not all([one.key for one in self.agreed] + [one.key for one in self.referred])

    @property
    def persons(self) -> set[str]:
        """The digests of all who agreed or could not judge."""
        return {one.by for one in self.agreed} | {one.by for one in self.referred}

    @property
    def posts(self) -> set[str]:
        """The posts that agreed or took part."""
        return {post for one in self.agreed for post in (one.post, *one.took_part)}

    @property
    def everybody(self) -> tuple[str, ...]:
        """The posts and bodies of all its steps."""
        return tuple(dict.fromkeys(who for step in self.steps for who in (*step.who, *self.deciding(step))))


def asked_anew(before: Due, now: Due | None) -> tuple[str, ...]:
    """Who is asked when a step was answered: those of another step. Of the same step, all were asked at its begin."""
    return now.who if now and now.step != before.step else ()


def everybody(of: Iterable[Chain]) -> tuple[str, ...]:
    """The posts and bodies of chains."""
    return tuple(dict.fromkeys(who for chain in of for step in chain.steps for who in step.who))
