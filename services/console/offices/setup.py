"""The guided set-up: site, units, posts, people, pack, and whether anything is missing. Each step is a page of its own.

Nothing is kept of how far somebody came: a step is done when nothing of it is missing, so it can be left at any time.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Offices
from services.console.calls import Answer, Part, Refused, parts
from services.console.packs.rules import as_limit, place_title
from services.console.page import go, render
from services.console.site import Signed, Site
from services.console.verbs import Asked
from services.console.words import N_
from services.kernel.settings import Settings

STEPS = (
    ("site", N_("网站")),
    ("units", N_("单位")),
    ("posts", N_("岗位")),
    ("people", N_("人员")),
    ("pack", N_("制度")),
    ("ready", N_("检查")),
)
"""Path and title of each step, in order."""
_STEP = re.compile(r"approval\.chains\.[^.]+\.steps\.[^.]+")
Rules = Mapping[str, Mapping[str, Any]]
"""Place -> rule of a pack."""
SAMPLE = "示例"
"""With this begin the names of the units that the project ships."""
NEEDED = (
    ("duty_officer", N_("%(unit)s没有值班员岗位，上级单位也没有")),
    ("handler", N_("%(unit)s没有经办人岗位，上级单位也没有")),
    ("approver", N_("%(unit)s没有审核岗位，上级单位也没有")),
    ("spokesperson", N_("%(unit)s没有发布岗位，上级单位也没有")),
)
"""Role -> what is missing if no post has it over a unit."""
HELD = (
    ("duty_officer", N_("%(unit)s没有人可以值班：%(post)s还没有人")),
    ("verifier", N_("%(unit)s没有人可以核实：%(post)s还没有人")),
    ("handler", N_("%(unit)s没有人可以经办：%(post)s还没有人")),
    ("spokesperson", N_("%(unit)s没有人可以发布：%(post)s还没有人")),
)
"""Role -> what is missing if nobody can sign in at a post that has it over a unit."""
AGREES = N_("%(unit)s没有人可以审核：%(post)s还没有人")
NO_POST = N_("制度要有%(post)s，单位和上级单位都没有设这个岗位")


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that is missing."""

    step: str
    told: str
    """The sentence, with the unit, post or place as `%(unit)s`, `%(post)s` and `%(place)s`."""
    to: str
    """The page that mends it, below `/console`; empty if a unit above mends it."""
    unit: str = ""
    post: str = ""
    place: str = ""
    """The place in a pack, if one stays open there."""
    takes: str = ""
    """What one must be allowed to do with the unit to mend it; empty for what every administrator of it may do."""


def lacking(
    offices: Offices,
    packs: Sequence[Mapping[str, Any]],
    held: set[str],
    rosters: Mapping[str, Part],
    root: str,
    values: Sequence[Mapping[str, Any]] = (),
    may: Mapping[str, Sequence[str]] | None = None,
    rules: Mapping[str, Rules] | None = None,
) -> list[Lack]:
    """What is missing at a unit and below it.

    `held` are the posts for which somebody can sign in, `values` those that units set where a pack leaves them open.
    `may` is what the reader may do with each unit; None for everything. `rules` are those of each pack by its name in
    events, as far as they are known.
    """
    units = [one for _, one in offices.tree() if one["unit"] in offices.below(root) and not one["drill"]]
    found: list[Lack] = []
    if root in offices.units and offices.units[root]["parent"] is None:
        found += _of_site(offices)
    for one in units:
        found += _of_unit(offices, one)
    for one in units:
        found += _of_people(offices, one, held, root, rules or {})
    for one in units:
        found += _of_pack(offices, one, packs, values)
    for unit, roster in rosters.items():
        if roster.value is not None and not roster.value["duties"]:
            found.append(Lack("ready", N_("%(unit)s还没有排值班"), f"roster/plan-duties?unit={unit}", unit))
    if may is None:
        return found
    return [replace(one, to="") if one.takes and one.takes not in may.get(one.unit, ()) else one for one in found]


def _of_site(offices: Offices) -> Iterator[Lack]:
    if offices.site_name == Settings.model_fields["site_name"].default:
        yield Lack("site", N_("网站还没有名称"), "units/site?to=setup/site")


def _of_unit(offices: Offices, one: Mapping[str, Any]) -> Iterator[Lack]:
    code = one["unit"]
    if one["name"].startswith(SAMPLE):
        to, takes = f"units/{code}/place-unit?to=setup/units", "end-unit" if one["parent"] else "place-unit"
        yield Lack("units", N_("%(unit)s还是示例名称"), to, code, takes=takes)
    if not any(post["head"] for post in one["posts"]):
        yield Lack("posts", N_("%(unit)s没有主要负责岗位"), f"units/{code}/place-post?to=setup/posts", code)
    for role, told in NEEDED:
        if not any(role in post["roles"] for unit in _above(offices, code) for post in offices.units[unit]["posts"]):
            yield Lack("posts", told, f"units/{code}/place-post?to=setup/posts", code)


def _of_people(
    offices: Offices, one: Mapping[str, Any], held: set[str], root: str, rules: Mapping[str, Rules]
) -> Iterator[Lack]:
    code = one["unit"]
    heads = [post["post"] for post in one["posts"] if post["head"] and post["post"] not in held]
    for post in heads:
        yield Lack("people", N_("%(post)s还没有人"), f"accounts?post={post}", code, post)
    own = rules.get(next(iter(_policies(offices, code)), ""), {})
    asked = [((role,), 1, told) for role, told in HELD if role != "verifier" or "verification" in own]
    steps = (rule["value"] for place, rule in own.items() if _STEP.fullmatch(place))
    asked += [(tuple(step["who"]), step.get("needs", 1), AGREES) for step in steps]
    told_of = {(AGREES, post) for post in heads}
    for who, needs, told in dict.fromkeys(asked):
        vacant = _vacant(offices, code, who, needs, held)
        # Whoever acts above does so for the units below. So the highest unit without anybody is named alone.
        if not vacant or (code != root and _vacant(offices, one["parent"], who, needs, held)):
            continue
        if not _answering(offices, code, vacant):
            if not {vacant} & set(dict(NEEDED)):
                to = f"units/{code}/place-post?to=setup/posts"
                yield Lack("posts", NO_POST, to, code, f"{vacant}@{code}")
            continue
        post = _answering(offices, code, vacant)[0]
        if (told, post) not in told_of:
            told_of.add((told, post))
            yield Lack("people", told, f"accounts?post={post}", code, post)


def _vacant(offices: Offices, code: str | None, who: Sequence[str], needs: int, held: set[str]) -> str:
    """The first of these addressees for whom nobody can act over a unit; empty if enough of them have somebody."""
    vacant = [one for one in who if held.isdisjoint(_answering(offices, code, one))]
    return vacant[0] if len(who) - len(vacant) < needs else ""


def _answering(offices: Offices, code: str | None, who: str) -> list[str]:
    """The posts that answer for an addressee or role over a unit: its own, and those of the units above it.

    In each unit the post that bears the name comes first.
    """
    return [
        post
        for unit in _above(offices, code)
        for entry in sorted(offices.units[unit]["posts"], key=lambda one: one["post"] != f"{who}@{unit}")
        if who in (entry["post"].partition("@")[0], *entry.get("serves", ()), *entry["roles"])
        for post in entry["members"] or (entry["post"],)
    ]


def _policies(offices: Offices, code: str) -> list[str]:
    """The packs of a unit and of those above it, upward; the first is in force there."""
    return [policy for unit in _above(offices, code) if (policy := offices.units[unit]["policy"])]


def _of_pack(
    offices: Offices,
    one: Mapping[str, Any],
    packs: Sequence[Mapping[str, Any]],
    values: Sequence[Mapping[str, Any]],
) -> Iterator[Lack]:
    code = one["unit"]
    above = _above(offices, code)
    own = _policies(offices, code)
    if not own:
        yield Lack("pack", N_("%(unit)s没有适用的制度"), f"setup/pack/assign?unit={code}", code, takes="assign-pack")
        return
    used = next((pack for pack in packs if pack["policy"] == own[0]), {"open": ()})
    for place in used["open"] if one["policy"] else ():
        here = {value["place"] for value in values if value["pack"] == used["pack"] and value["unit"] in above}
        if place not in here:
            to = f"setup/pack/value?unit={code}&pack={used['pack']}@{used['version']}&place={place}"
            yield Lack("pack", N_("%(unit)s适用的制度没有写明“%(place)s”，要由单位确定"), to, code, place=place)


def _above(offices: Offices, code: str | None) -> list[str]:
    """A unit and the units above it, upward."""
    found: list[str] = []
    while code in offices.units and code not in found:
        found.append(code)
        code = offices.units[code]["parent"]
    return found


def router(site: Site) -> APIRouter:
    """The pages of the set-up."""
    pages = APIRouter()

    @pages.get("/setup")
    async def begin(request: Request, me: Signed) -> Response:
        """Leads to the first step at which something is missing, or to the end."""
        may = {one["unit"]: one["may"] for one in (await _units(me))["items"]}
        missing = {one.step for one in await _missing(me, may)}
        return go(f"setup/{next((step for step, _ in STEPS if step in missing), 'ready')}")

    @pages.get("/setup/pack/assign")
    async def form(request: Request, me: Signed) -> Response:
        """The form by which a unit gets a pack."""
        return await verbs.form(request, me, await _assign(me))

    @pages.post("/setup/pack/assign")
    async def assign(request: Request, me: Signed) -> Response:
        """Gives a unit a pack."""
        answer = await verbs.act(request, me, await _assign(me))
        site.look_again()
        return answer

    @pages.get("/setup/pack/load")
    async def load_form(request: Request, me: Signed) -> Response:
        """The form by which a pack comes into the record."""
        return await verbs.form(request, me, _load(me))

    @pages.post("/setup/pack/load")
    async def load(request: Request, me: Signed) -> Response:
        """Brings a pack into the record."""
        answer = await verbs.act(request, me, _load(me))
        site.look_again()
        return answer

    @pages.get("/setup/pack/value")
    async def value_form(request: Request, me: Signed) -> Response:
        """The form of a value that a pack leaves open."""
        return await verbs.form(request, me, await _value(request, me))

    @pages.post("/setup/pack/value")
    async def set_value(request: Request, me: Signed) -> Response:
        """Sets a value that a pack leaves open."""
        return await verbs.act(request, me, await _value(request, me))

    @pages.get("/setup/{step}")
    async def step(request: Request, me: Signed, step: str, done: str = "") -> Response:
        """One step: what there is, what is missing, and what to do about it."""
        if step not in dict(STEPS):
            raise Refused(Answer(404, {}))
        units = await _units(me)
        may = {one["unit"]: one["may"] for one in units["items"]}
        missing, names = await _missing(me, may), [name for name, _ in STEPS]
        at = names.index(step)
        shown: dict[str, Any] = {
            "step": step,
            "steps": STEPS,
            "at": at,
            "onward": names[at + 1] if at + 1 < len(names) else None,
            "missing": missing,
            "tree": [(depth, one) for depth, one in me.offices.tree() if not one["drill"]],
            "packs": await site.packs(me.language),
            "held": await _held(),
            "may": may,
            "may_here": units["may"],
            "done": done,
            "place_title": place_title,
        }
        return await render(request, "setup.html", **shown)

    async def _units(me: Signed) -> Mapping[str, Any]:
        """The tree, with what the administrator may do with it."""
        if "admin" not in me.roles:
            raise Refused(Answer(403, {}))
        found: Mapping[str, Any] = await me.calls.get("/triage/v1/units")
        return found

    async def _missing(me: Signed, may: Mapping[str, Sequence[str]]) -> list[Lack]:
        """What is missing. A roster that cannot be read is no lack of it."""
        roster, values = await parts(
            me.calls.get("/escalation/v1/roster", unit=me.unit), me.calls.get("/triage/v1/packs/values")
        )
        known, packs = values.value["items"] if values.value else (), await site.packs(me.language)
        rules = {one["policy"]: await site.rules_of(one, me.language) for one in packs if one["units"]}
        return lacking(me.offices, packs, await _held(), {me.unit: roster}, me.unit, known, may, rules)

    async def _held() -> set[str]:
        return {post for one in await site.accounts.all() if not one.ended for post in one.posts}

    async def _assign(me: Signed) -> Asked:
        known = [(f"{one['pack']}@{one['version']}", one["title"]) for one in await site.packs(me.language)]
        own = [(one["unit"], one["name"]) for one in (await _units(me))["items"] if "assign-pack" in one["may"]]
        return Asked(
            verbs.operation(site, "triage", "packs/assign"),
            "assign-pack",
            "setup/pack",
            choices={"units": own, "pack": known},
        )

    async def _value(request: Request, me: Signed) -> Asked:
        known = {f"{one['pack']}@{one['version']}": one for one in await site.packs(me.language)}
        chosen = known.get(request.query_params.get("pack", ""), {"open": ()})
        return Asked(
            verbs.operation(site, "triage", "packs/set-value"),
            "set-value",
            "setup/pack",
            choices={
                "units": me.offices.names(drill=me.is_drill),
                "pack": [(name, one["title"]) for name, one in known.items()],
                "place": [(place, place_title(place, me.language)) for place in chosen["open"]],
            },
            without=("limit", "since"),
            adapt=as_limit,
        )

    def _load(me: Signed) -> Asked:
        return Asked(verbs.operation(site, "triage", "packs"), "load-pack", "setup/pack", without=("lessons",))

    return pages
