"""`huiying demo`. The command line finds it through this project's metadata, so the product imports nothing of it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.apps.terminal import quiet, run, settings_of


def demo(
    once: Annotated[bool, typer.Option("--once", help="End when done; exit 0 only if the check is clean.")] = False,
    messages: Annotated[int, typer.Option(help="How many messages come in.", min=40, max=2000)] = 200,
    port: Annotated[int | None, typer.Option(help="The HTTP port.", show_default="any free one")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", envvar="HUIYING_DATA", help="An empty data folder.", show_default="a new one, deleted at the end"
        ),
    ] = None,
) -> None:
    """Show four offices at work for three days.

    Messages come in, officers decide through the HTTP APIs under a moved clock, then the record is shown and checked.
    """
    from services.demo import run as show

    settings = quiet(settings_of(data, port))
    serving = not once and sys.stdout.isatty()
    raise typer.Exit(run(show.play(settings, messages=messages, folder=data, keep_serving=serving)))
