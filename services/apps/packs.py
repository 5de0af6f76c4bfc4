"""How the command line brings packs into the record and puts them in force."""

from collections.abc import Sequence
from typing import Any

from services.apps.access import operator
from services.apps.client import api, ask
from services.kernel.core.units import LoadedPack
from services.kernel.settings import Settings


async def load(settings: Settings, pack: LoadedPack, lessons: Sequence[int]) -> bool:
    """Brings a pack into the record, with the lessons that it answers. Returns whether it is new there.

    Raises `Refused`.
    """
    async with api(settings, "triage") as triage:
        body = {"text": pack.text, "lessons": list(lessons)}
        done = await ask(triage, "POST", "/triage/v1/packs", operator(settings), json=body)
        return bool(done["events"])


async def set_value(settings: Settings, **command: Any) -> None:
    """Sets a value that a pack leaves open. Raises `Refused`."""
    async with api(settings, "triage") as triage:
        await ask(triage, "POST", "/triage/v1/packs/set-value", operator(settings), json=command)


async def assign(settings: Settings, **command: Any) -> None:
    """Lets a unit work by a pack: `unit`, `pack` as `id@version`, `since`. Raises `Refused`."""
    async with api(settings, "triage") as triage:
        await ask(triage, "POST", "/triage/v1/packs/assign", operator(settings), json=command)
