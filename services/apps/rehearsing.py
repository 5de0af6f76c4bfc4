"""`huiying drill`: rehearse a scenario with offices for exercises, and compare the scores."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.apps.terminal import Data, Json, group, listed, note, quiet, run, say, settings_of

if TYPE_CHECKING:
    from services.apps.drills import Lead

drill = group("Drills: a scenario is rehearsed by offices for exercises, and scored.")
Id = Annotated[str, typer.Argument(metavar="ID", help="The drill, see `drill list`.")]
Lead_ = Annotated[str, typer.Option("--unit", help="The unit that leads the drill, for example county.")]
Trained = Annotated[
    str | None,
    typer.Option("--trained", help="The unit whose staff rehearse; a training of it is recorded.", show_default="none"),
]


@drill.command("scenarios")
def drill_scenarios(as_json: Json = False, data: Data = None) -> None:
    """List the scenarios of the policy folder: id, version, type of crisis, how long it lasts, title."""
    from services.apps import drills

    found = drills.all_of(quiet(settings_of(data)))
    rows = [
        {"id": id_, "version": one.model.version, "crisis": one.model.crisis, "lasts": str(one.model.lasts),
         "title": one.model.title_en}
        for id_, one in found.items()
    ]  # fmt: skip
    listed(rows, as_json)
    note(f"{len(rows)} scenarios")


@drill.command("run")
def drill_run(
    scenario: Annotated[str, typer.Argument(help="A scenario, see `drill scenarios`, or a file.")],
    unit: Lead_,
    seed: Annotated[int, typer.Option(help="Chooses the details: the same seed, the same texts.", min=0)] = 0,
    times: Annotated[
        int, typer.Option(help="How many times faster the scenario passes. Limits of packs run as always.", min=1)
    ] = 1,
    office: Annotated[
        str | None, typer.Option(help="An office for exercises that is there.", show_default="a new one")
    ] = None,
    trained: Trained = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Rehearse a scenario on the running system, and score it.

    It places an office for exercises below the unit, sends each inject when its time has come, ends the drill and
    prints the score. Ctrl-C ends nothing: `huiying drill go-on` goes on from the next inject.
    """
    from services.apps import drills

    loaded = drills.find(quiet(settings_of(data)), scenario)

    async def lead(of: "Lead") -> Any:
        id_ = await of.begin(loaded, seed, times, office)
        note(f"{id_} began; to go on after Ctrl-C: {_again(id_, unit, trained)}")
        return await of.go_on(id_)

    _told(_led(unit, data, lead, runs=True, trained=trained), as_json)


@drill.command("go-on")
def drill_go_on(id_: Id, unit: Lead_, trained: Trained = None, as_json: Json = False, data: Data = None) -> None:
    """Go on with a drill from the next inject, or score one that has ended. Nothing is sent twice."""
    _told(_led(unit, data, lambda of: of.go_on(id_), runs=True, trained=trained), as_json)


@drill.command("end")
def drill_end(
    id_: Id,
    unit: Lead_,
    reason: Annotated[str, typer.Option(help="Why it is broken off. It becomes part of the record.")],
    trained: Trained = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Break a drill off, and score what was done."""

    async def lead(of: "Lead") -> Any:
        await of.end(id_, reason)
        return await of.score(id_)

    _told(_led(unit, data, lead, trained=trained), as_json)


@drill.command("show")
def drill_show(id_: Id, unit: Lead_, as_json: Json = False, data: Data = None) -> None:
    """Show the score of a drill."""
    _told(_led(unit, data, lambda of: of.read(id_)), as_json)


@drill.command("list")
def drill_list(
    unit: Annotated[str | None, typer.Option("--unit", help="Only led by this unit, or one below it.")] = None,
    scenario: Annotated[str | None, typer.Option(help="Only of this scenario.")] = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """List drills with their scores, oldest first, to compare the years."""
    from services.apps import drills

    found = run(drills.listed(quiet(settings_of(data)), unit, scenario))
    none = dict.fromkeys(("met", "late", "missed", "wrong"))
    rows = [
        {**{name: one[name] for name in ("id", "unit", "scenario", "edition", "seed", "state", "begun_at")},
         **(one["totals"] or none)}
        for one in found
    ]  # fmt: skip
    listed(rows, as_json)
    note(f"{len(rows)} drills; the last columns are met, late, missed, wrong")


def _again(id_: str, unit: str, trained: str | None) -> str:
    return f"huiying drill go-on {id_} --unit {unit}" + (f" --trained {trained}" if trained else "")


def _led(
    unit: str,
    data: Any,
    work: "Callable[[Lead], Awaitable[Any]]",
    *,
    runs: bool = False,
    trained: str | None = None,
) -> Any:
    from services.apps import drills

    settings = quiet(settings_of(data))

    async def lead() -> Any:
        async with drills.leading(settings, unit, note, runs=runs, trained=trained) as of:
            return await work(of)

    try:
        return run(lead())
    except (KeyboardInterrupt, asyncio.CancelledError):
        note("the drill goes on in the record; `huiying drill go-on` sends what follows")
        raise typer.Exit(130) from None


def _told(told: Any, as_json: bool) -> None:
    from services.apps import drills

    if as_json:
        say(drills.as_json(told))
        return
    say(f"{told['id']}  {told['title_en']}, {told['unit']}, seed {told['seed']}, {told['state']}")
    for line in drills.table(told):
        say(line)
