"""Who fixes the speakers of a matter, calls the press, and logs what media were given."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from schemas.pack.press import Conference, Speakers
from services.kernel.access.approving import head_of, own_posts
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Forbidden, Rejected, Unavailable
from services.kernel.core.units import LoadedPack
from services.publish.press.commands import (
    CallConference,
    CancelConference,
    FixSpeakers,
    HoldConference,
    LogContact,
    PostponeConference,
)
from services.publish.press.speakers import OfSpeaker
from services.publish.rights import Incident

Refusal = Rejected | None


class Matter(NamedTuple):
    """A matter with its pack."""

    incident: Incident
    pack: LoadedPack

    @classmethod
    def of(cls, incident: Incident, ctx: Ctx) -> "Matter":
        """The matter. Raises `Unavailable` if no pack is at hand."""
        return cls(incident, ctx.offices.pack_of(incident.policy, incident.unit))

    @property
    def rule(self) -> Speakers | None:
        """What the pack says of who fixes the speakers."""
        return self.pack.model.press.speakers

    @property
    def conference(self) -> Conference | None:
        """What the pack says of press conferences."""
        return self.pack.model.press.conference

    @property
    def level(self) -> str | None:
        """The level of the matter; before its grading, the lowest one, if the pack says that its duties run then."""
        return self.incident.level or self.pack.model.lowest

    def designating(self, ctx: Ctx) -> str:
        """The unit that fixes the speakers: the accountable one, or the unit above that the pack names."""
        placed = ctx.offices.placed(self.rule.at, self.incident.unit) if self.rule else None
        return placed or self.incident.unit

    def designators(self, ctx: Ctx) -> frozenset[str]:
        """The posts that the pack names for it; empty if it names none, or if none is in the directory."""
        if self.rule is None:
            return frozenset()
        unit = self.designating(ctx)
        return frozenset(
            head_of(ctx.offices, unit, entry) if entry.members else f"{entry.code}@{unit}"
            for entry in ctx.offices.addressee(unit, self.rule.by)
        )

    def may_speak(self, post: str, ctx: Ctx) -> bool:
        """Whether the post answers for one of those that the pack lets speak."""
        code, _, unit = post.partition("@")
        wanted = self.rule.speaks if self.rule else ()
        return any(entry.code == code for who in wanted for entry in ctx.offices.answering(unit, who))


@dataclass(frozen=True, slots=True)
class OfDesignator(Right[Matter]):
    """The right of the post or body that the pack names; else of the role."""

    def holds(self, subject: Matter, ctx: Ctx) -> bool:
        """Whether the actor is that post, or the head of that body."""
        posts = subject.designators(ctx)
        return not posts.isdisjoint(own_posts(ctx)) if posts else Right.holds(self, subject, ctx)

    def require(self, subject: Matter, ctx: Ctx) -> None:
        """Raises `Forbidden`, naming the posts that have the right."""
        posts = sorted(subject.designators(ctx))
        if not posts:
            return Right.require(self, subject, ctx)
        if not self.holds(subject, ctx):
            raise Forbidden(
                f"{' or '.join(posts)} decides this, and you act as {ctx.actor.post}",
                code="other-decider",
                rule="press.speakers",
                pack=subject.pack.name,
                act=self.verb,
                posts=posts,
                post=ctx.actor.post,
            )
        return None


def _designating(matter: Matter, ctx: Ctx) -> Sequence[str]:
    return (matter.designating(ctx),)


def _working(matter: Matter, ctx: Ctx) -> Sequence[str]:
    return matter.incident.units


def _speakers(matter: Matter) -> Sequence[str]:
    return matter.incident.speaking.speaks


def _is_fixed(matter: Matter, ctx: Ctx) -> bool:
    """Whether the actor was fixed to speak or to be interviewed."""
    speaking = matter.incident.speaking
    return not {*speaking.speaks, *speaking.interviews}.isdisjoint(own_posts(ctx))


def _named(matter: Matter, ctx: Ctx) -> Sequence[str]:
    return (*matter.incident.speaking.speaks, *matter.incident.speaking.interviews)


def _goes_on(matter: Matter, ctx: Ctx, verb: str) -> Refusal:
    incident = matter.incident
    if incident.merged_into:
        return Rejected(
            f"{incident.id} goes on as {incident.merged_into}; do it there",
            code="merged",
            incident=incident.id,
            into=incident.merged_into,
            act=verb,
        )
    return None


def _is_open(matter: Matter, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _goes_on(matter, ctx, verb):
        return refusal
    if matter.incident.state in ("closed", "dismissed"):
        return Rejected(
            f"the matter is {matter.incident.state}, and so is who speaks on it; reopen it first",
            code="matter-ended",
            phase=matter.incident.state,
            act=verb,
        )
    return None


def _can_be_called(matter: Matter, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _is_open(matter, ctx, verb):
        return refusal
    rule = matter.conference
    if rule and rule.levels is not None and matter.level not in rule.levels:
        return Rejected(
            f"the matter's pack calls the press at {' or '.join(rule.levels)}; this matter is "
            f"{matter.level or 'not graded'}",
            code="no-conference-at-level",
            rule="press.conference",
            pack=matter.pack.name,
            level=matter.level,
            known=list(rule.levels),
        )
    return None


SPEAKING = ("spokesperson", "chief")
RIGHTS: Mapping[type[Command], Right[Matter]] = {
    FixSpeakers: OfDesignator("fix-speakers", ("chief",), _designating, _is_open),
    CallConference: Right("call-conference", SPEAKING, _working, _can_be_called, _is_fixed, _named),
    PostponeConference: Right("postpone-conference", SPEAKING, _working, _goes_on, _is_fixed, _named),
    CancelConference: Right("cancel-conference", SPEAKING, _working, _goes_on, _is_fixed, _named),
    HoldConference: OfSpeaker("hold-conference", SPEAKING, _working, _goes_on, posts=_speakers),
    LogContact: Right("log-contact", ("spokesperson", "handler"), _working, _goes_on, _is_fixed, _named),
}
READ_PRESS = Read("read-press")


def may(matter: Incident, ctx: Ctx) -> list[str]:
    """The verbs that the actor may ask for now; none if no pack is at hand."""
    with suppress(Unavailable):
        of = Matter.of(matter, ctx)
        return [right.verb for right in RIGHTS.values() if right.allows(of, ctx)]
    return []
