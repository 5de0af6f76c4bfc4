"""How grave a matter is: the proposal for its figures, and since when a level could be known. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.kernel.core.units import LoadedPack
from services.kernel.rules.conditions import Figures, Proposal, propose_level


class Reach(NamedTuple):
    """How far the matter had spread at a time, and the reports with these figures, as `stream@version`."""

    at: datetime
    figures: Figures
    basis: tuple[str, ...]


class Grade(NamedTuple):
    """A level of the matter, and since when it could be known; None means from the start."""

    level: str
    known_at: datetime | None


def ranks(pack: LoadedPack) -> dict[str, int]:
    """The pack's levels with their ranks."""
    return {level.code: level.rank for level in pack.model.levels}


def proposed(pack: LoadedPack, reach: Sequence[Reach]) -> Proposal | None:
    """The pack's proposal for the newest figures; None if nothing was measured."""
    return propose_level(pack, reach[-1].figures) if reach else None


def known_at(pack: LoadedPack, reach: Sequence[Reach], rank: int) -> datetime | None:
    """When figures first proposed the level of this rank or a higher one. The lowest level needs no figures."""
    known = ranks(pack)
    if rank == min(known.values(), default=rank):
        return None
    proposals = ((one.at, propose_level(pack, one.figures)) for one in reach)
    return next((at for at, proposal in proposals if proposal and known[proposal.level] >= rank), None)


def brought(
    grades: Sequence[Grade], level: str | None, into: str | None, pack: LoadedPack, since: datetime
) -> list[Grade]:
    """The levels that a merger brings to a matter of the level `into`: from the lowest to `level`, the other's.

    Each level could be known when it, or a higher one, could be known for the other matter; `since` means from the
    start. So the duties of the other matter go on with their limits.
    """
    known = ranks(pack)
    floor, top = known.get(into or "", 0), known.get(level or "", 0)
    steps = sorted({(known[grade.level], grade.level) for grade in grades if floor < known.get(grade.level, 0) <= top})
    return [
        Grade(code, min(grade.known_at or since for grade in grades if known.get(grade.level, 0) >= rank))
        for rank, code in steps
    ]
