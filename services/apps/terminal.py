"""Common parts of the commands: options, output, settings."""

import json
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from services.kernel.settings import Settings

PROGRESS_SECONDS = 2.0
T = TypeVar("T")
ROLES = "duty_officer, verifier, handler, approver, chief, spokesperson, auditor, admin"
"""The text in `--help`. Importing the roles themselves would make every command slower."""
Data = Annotated[
    Path | None, typer.Option("--data", envvar="HUIYING_DATA", help="The data folder.", show_default="data")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Unit = Annotated[str, typer.Option("--unit", help="Code of the unit, for example town-east.")]


class CannotDo(Exception):
    """Ends the command with this sentence."""


def group(help_: str, **more: Any) -> typer.Typer:
    """A group of commands."""
    names = {"help_option_names": ["-h", "--help"]}
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=help_, context_settings=names, **more)


def say(text: str = "") -> None:
    """A line of the result."""
    typer.echo(text)


def listed(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Rows of a list, as JSON or with a tab between their columns."""
    if as_json:
        say(json.dumps(rows, ensure_ascii=False, indent=2, default=str))
        return
    for row in rows:
        say("\t".join("-" if value is None else str(value) for value in row.values()))


def note(text: str) -> None:
    """A line beside the result."""
    typer.echo(text, err=True)


def settings_of(data: Path | None, port: int | None = None) -> "Settings":
    """The environment's settings with the options of the command line. Logs go to standard error."""
    from pydantic import ValidationError

    from services.apps.folder import Foreign, must_be_ours
    from services.kernel.logging import configure
    from services.kernel.settings import Settings

    named: dict[str, Any] = {"data": data, "port": port}
    try:
        settings = Settings(**{name: value for name, value in named.items() if value is not None})
    except ValidationError as error:
        said = (f"HUIYING_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors())
        raise CannotDo("; ".join(said).replace("Value error, ", "")) from None
    settings = settings.model_copy(update={"data": settings.data.absolute(), "policies": settings.policies.absolute()})
    configure(settings)
    try:
        must_be_ours(settings.data)
    except (Foreign, OSError) as error:
        raise CannotDo(str(error)) from None
    return settings


def note_strays() -> None:
    """Says which variables of the environment look like settings and are none, such as a misspelt one."""
    from services.kernel.settings import Settings

    for name in sorted(os.environ):
        setting = name.removeprefix("HUIYING_").lower()
        if (
            name.startswith("HUIYING_")
            and setting not in Settings.model_fields
            and not setting.startswith(("failpoint", "test_"))
        ):
            note(f"{name} is no setting and changes nothing; docs/settings.md names them all")


def quiet(settings: "Settings") -> "Settings":
    """The same settings for a command that is no server: only warnings are logged."""
    from services.kernel.logging import configure

    if "HUIYING_LOG_LEVEL" in os.environ:
        return settings
    changed = settings.model_copy(update={"log_level": "warning"})
    configure(changed)
    return changed


def must_be_a_service(name: str | None) -> None:
    """Ends the command unless this is a service, or empty."""
    from schemas.catalogue import SERVICES

    if name is not None and name not in SERVICES:
        raise CannotDo(f"no service {name!r}; there are {', '.join(SERVICES)}")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end."""
    import uvloop

    return uvloop.run(work)


def progress(of_what: str) -> Callable[[int, int], None]:
    """Prints the progress of a long work on standard error, every other second."""
    told = time.monotonic()

    def tell(done: int, of: int) -> None:
        nonlocal told
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            note(f"{done:,} {of_what}" if done == of else f"{done:,} of {of:,} {of_what}")

    return tell
