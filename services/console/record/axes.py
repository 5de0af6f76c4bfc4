"""The two axes of a page: up to when it happened, up to when it was recorded."""

from collections.abc import Mapping
from typing import NamedTuple

from fastapi import Request

from services.console.matters.timeline import asked_instant
from services.console.page import Reader
from services.console.words import N_

NAMES = ("as_of", "known_at")


class Axes(NamedTuple):
    """What an address says of both axes."""

    typed: Mapping[str, str]
    """As people type it; empty for now."""
    asked: Mapping[str, str | None]
    """The parameters of a service."""
    faults: list[str]

    @property
    def kept(self) -> dict[str, str]:
        """What further addresses of the page keep."""
        return {name: typed for name, typed in self.typed.items() if typed}


def axes(request: Request, look: Reader) -> Axes:
    """The axes of the page that is asked for."""
    typed = {name: request.query_params.get(name, "") for name in NAMES}
    asked = {name: asked_instant(text, look) if text else None for name, text in typed.items()}
    told = look.gettext(N_("“%(typed)s”不是时间，写成 11-25 21:07 或 21:07"))
    return Axes(typed, asked, [told % {"typed": typed[name][:30]} for name in NAMES if typed[name] and not asked[name]])
