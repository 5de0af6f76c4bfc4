"""What the commands of the command line share: options, what they print, their settings."""

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from services.kernel.settings import Settings

T = TypeVar("T")
Data = Annotated[
    Path | None, typer.Option("--data", envvar="HUIYING_DATA", help="The data folder.", show_default="data")
]
Unit = Annotated[str, typer.Option("--unit", help="Code of the unit, for example town-east.")]


class CannotDo(Exception):
    """Ends the command with this sentence."""


def say(text: str = "") -> None:
    """A line of the result."""
    typer.echo(text)


def note(text: str) -> None:
    """A line beside the result."""
    typer.echo(text, err=True)


def settings_of(data: Path | None, port: int | None = None) -> "Settings":
    """The environment's settings with what the command line names; logs go to standard error."""
    from services.kernel.logging import configure
    from services.kernel.settings import Settings

    named: dict[str, Any] = {"data": data, "port": port}
    settings = Settings(**{name: value for name, value in named.items() if value is not None})
    configure(settings)
    return settings


def quiet(settings: "Settings") -> "Settings":
    """The same settings for a command that is no server: warnings alone are said."""
    from services.kernel.logging import configure

    if "HUIYING_LOG_LEVEL" in os.environ:
        return settings
    changed = settings.model_copy(update={"log_level": "warning"})
    configure(changed)
    return changed


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end."""
    import uvloop

    return uvloop.run(work)
