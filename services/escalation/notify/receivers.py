"""Who is told of an outgoing notice, and what of the matter's limits it says. Pure."""

from collections.abc import Collection, Iterable, Iterator
from typing import Literal, cast

from schemas.pack import PolicyPack
from services.escalation.rights import deciders_of, rule_of
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.store.views import Row

HEADS = frozenset({"rung"})
"""Rules by which the unit's head is told besides the post on duty."""
REQUESTS = ("extension", "deferral")
"""What a notice asks a decision on, if it stands in `what`."""
BEGINS = frozenset({"new", "assigned"})
"""Rules that tell what the unit owes first."""


def completed(
    notice: Row, matter: Row | None, clocks: Collection[Row], pack: LoadedPack | None, offices: Offices
) -> Row:
    """The notice with what the matter's limits tell: the unit, by when, and who decides on a request.

    `clocks` are the limits of the matter.
    """
    name, rule = notice["clock"], notice["rule"]
    clock = next((one for one in clocks if one["clock"] == name), None)
    if clock is None and rule in BEGINS:
        owed = (one for one in clocks if one["state"] == "running" and one["unit"] == notice["unit"])
        clock = min(owed, key=lambda one: (one["due"], one["clock"]), default=None)
    if clock is None:
        return notice if notice["unit"] or matter is None else {**notice, "unit": matter["unit"]}
    found = {"clock": clock["clock"], "unit": notice["unit"] or clock["unit"], "due": notice["due"] or clock["due"]}
    if notice["what"] in REQUESTS and matter is not None:
        request = cast("Literal['extension', 'deferral']", notice["what"])
        spec = rule_of(pack, clock["clock"])
        found["posts"] = " ".join(sorted(deciders_of(request, spec, clock["unit"], matter["unit"], offices)))
    return {**notice, **found}


def is_moot(notice: Row, clocks: Collection[Row]) -> bool:
    """Whether what the notice announces does not come any more: its limit is over or another one, its request decided.

    It then waited too long, for example for a mail server. `clocks` are the limits of the matter.
    """
    clock = next((one for one in clocks if one["clock"] == notice["clock"]), None)
    if clock is None:
        return False
    if notice["rule"] == "warn":
        return clock["state"] != "running" or bool(clock["due"] != notice["due"])
    return notice["what"] in REQUESTS and bool(clock["requested"] != notice["what"])


def told(notice: Row, offices: Offices, duties: Iterable[Row], pack: PolicyPack | None) -> tuple[str, ...]:
    """The posts that are told. `duties` are those that the unit planned.

    The pack may choose of what posts are told, and which. Else these are the posts that have to act. While nobody has
    signed on, those are told who are to come, and the unit's head. The head also hears of each rung. For a unit that
    has nobody to tell, perhaps since it has ended, the nearest one above is told.
    """
    unit = notice["unit"]
    if pack is not None and pack.outgoing is not None:
        chosen = next((one for one in pack.outgoing if one.rule == notice["rule"]), None)
        if chosen is None:
            return ()
        if chosen.to:
            return tuple(dict.fromkeys(_answering(chosen.to, unit, offices)))
    if named := tuple(filter(offices.has_post, notice["posts"].split())):
        return named
    if found := tuple(dict.fromkeys(_answering(notice["who"].split(), unit, offices))):
        return found
    known = list(duties)
    return next(filter(None, (_of_unit(one, notice, offices, known) for one in offices.above(unit))), ())


def _of_unit(unit: str, notice: Row, offices: Offices, duties: Iterable[Row]) -> tuple[str, ...]:
    """Who is on duty in a unit, or is to come, and its head."""
    at, head = notice["at"], offices.head(unit)
    planned = [duty for duty in duties if duty["unit"] == unit and at < duty["until"]]
    there = [duty["by"] for duty in planned if _is_there(duty, at) and offices.has_post(duty["by"])]
    named = [f"{post.code}@{unit}" for post in offices.posts.get(unit, {}).values() if post.head]
    heads = named or ([head] if head else [])
    if not there:
        expected = (post for duty in planned if duty["since"] <= at for post in _expected(duty, at))
        return tuple(dict.fromkeys([*filter(offices.has_post, expected), *heads]))
    return tuple(dict.fromkeys([*there, *(heads if notice["rule"] in HEADS else ())]))


def _answering(codes: Iterable[str], unit: str, offices: Offices) -> Iterator[str]:
    """The posts that answer for these posts and bodies, each in the nearest unit upward that has any.

    For a body these are its members and its duty post. A role stands for the posts that have it.
    """
    for code in codes:
        for at in offices.above(unit):
            posts = offices.receivers(at, code) or {f"{entry.code}@{at}" for entry in offices.answering(at, code)}
            if posts:
                yield from sorted(posts)
                break


def _is_there(duty: Row, at: str) -> bool:
    """Whether the duty was taken up and not handed over yet. It can be taken up before its begin."""
    signed, over = duty["signed_on"], duty["handed_over"]
    return signed is not None and signed <= at and (over is None or at < over)


def _expected(duty: Row, at: str) -> list[str]:
    """Who is to come to a duty on which nobody is: the planned post and its substitute, or to whom it was handed."""
    over = duty["handed_over"] is not None and duty["handed_over"] <= at
    return [post for post in ([duty["handed_to"]] if over else [duty["post"], duty["substitute"]]) if post]
