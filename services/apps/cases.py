"""The cases of a pack from its file."""

from pathlib import Path

from services.escalation.trying import cases
from services.escalation.trying.cases import Case
from services.kernel.core.units import LoadedPack


def read(pack: LoadedPack, folder: Path) -> tuple[Case, ...]:
    """The pack's cases; none if it has no file. `folder` holds the pack's file. Raises `Unfit`, or `OSError`."""
    path = folder / "cases" / f"{pack.model.id}.json"
    return cases.parse(path.read_bytes(), str(path)) if path.exists() else ()
