"""The findings that wait for a post: for what its unit has to say, or for its decision."""

from collections.abc import Mapping
from typing import Any

from services.console.access.staff import Staff
from services.console.calls import Part, parts

PATH = "/audit/v1/findings"
MOST = 50
HEARD_BY, DECIDED_BY = {"chief", "approver"}, {"auditor"}
"""Roles that speak for a unit, and that decide for a unit above."""


def proposes(me: Staff) -> bool:
    """Whether the post may propose a finding."""
    return not DECIDED_BY.isdisjoint(me.roles) and bool(below(me))


def decides(me: Staff, unit: str) -> bool:
    """Whether the post decides on findings against a unit, if the person had no part in the matter."""
    return not DECIDED_BY.isdisjoint(me.roles) and unit in dict(below(me))


def below(me: Staff) -> list[tuple[str, str]]:
    """The units on which an auditor of this post decides: those directly below its own; at the root also its own."""
    units = me.offices.units
    return [
        (code, me.offices.unit(code))
        for code, one in units.items()
        if one["parent"] == me.unit or (code == me.unit and one["parent"] is None)
    ]


async def waiting(me: Staff) -> Part:
    """The findings that wait for this post: for what its unit has to say, or for its decision."""
    (found,) = await parts(_waiting(me))
    return found


async def _waiting(me: Staff) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    if not HEARD_BY.isdisjoint(me.roles):
        own = await me.calls.get(PATH, state="proposed", unit=me.unit, limit=MOST, drill=me.is_drill)
        found += [one for one in own["items"] if one["unit"] == me.unit]
    if not DECIDED_BY.isdisjoint(me.roles):
        decides = dict(below(me))
        heard = await me.calls.get(PATH, state="heard", limit=MOST, drill=me.is_drill)
        found += [one for one in heard["items"] if one["unit"] in decides]
    return found
