"""`huiying addresses`: where notices for posts go."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from services.apps.terminal import Data, Json, Unit, group, listed, note, quiet, run, say, settings_of
from services.kernel.settings import Settings

PATH = "/escalation/v1/addresses"
addresses = group("Addresses of posts, to which notices go.")


async def _ask(settings: Settings, method: str, path: str = PATH, **request: Any) -> Any:
    from services.apps.access import operator
    from services.apps.client import api, ask

    async with api(settings, "escalation") as escalation:
        return await ask(escalation, method, path, operator(settings), **request)


@addresses.command("set")
def addresses_set(
    post: Annotated[str, typer.Argument(help="The post, such as duty_officer@town-east.")],
    language: Annotated[str, typer.Option(help="The language of its notices: zh or en.")] = "zh",
    data: Data = None,
) -> None:
    """Add an address of a post. It is read from standard input, so that no list of processes shows it.

    It is an address of Apprise: mailto, mailtos, json, jsons, wecombot, dingtalk or feishu.
    """
    address = typer.prompt("address", hide_input=True, err=True)
    body = {"post": post, "address": address, "language": language}
    made = run(_ask(quiet(settings_of(data)), "POST", json=body))
    say(made["place"])
    note(f"to end it: huiying addresses end {made['place']}")


@addresses.command("list")
def addresses_list(unit: Unit, as_json: Json = False, data: Data = None) -> None:
    """List the places of the posts of a unit and of those below it. It never shows an address."""
    found = run(_ask(quiet(settings_of(data)), "GET", params={"unit": unit}))["items"]
    listed(found, as_json)
    note(f"{len(found)} places")


@addresses.command("end")
def addresses_end(
    place: Annotated[str, typer.Argument(help="The id of the place, see `addresses list`.")], data: Data = None
) -> None:
    """Forget an address."""
    run(_ask(quiet(settings_of(data)), "POST", f"{PATH}/{quote(place, safe='')}/end"))
    say(f"{place} was forgotten")
