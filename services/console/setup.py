"""The guided set-up: site, units, posts, people, pack, and whether anything is missing. Each step is a page of its own.

Nothing is kept of how far somebody came: a step is done when nothing of it is missing, so it can be left at any time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.calls import Answer, Part, Refused, parts
from services.console.page import go, render
from services.console.site import Signed, Site
from services.console.staff import Offices
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
SAMPLE = "示例"
"""With this begin the names of the units that the project ships."""
NEEDED = (
    ("duty_officer", N_("%(unit)s没有值班员岗位，上级单位也没有")),
    ("handler", N_("%(unit)s没有经办人岗位，上级单位也没有")),
    ("approver", N_("%(unit)s没有审核岗位，上级单位也没有")),
    ("spokesperson", N_("%(unit)s没有发布岗位，上级单位也没有")),
)
"""Role -> what is missing if no post has it over a unit."""
AHEAD = timedelta(hours=24)
"""For so long the roster ought to be planned."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that is missing."""

    step: str
    told: str
    """The sentence, with the unit or post as `%(unit)s` and `%(post)s`."""
    to: str
    """The page that mends it, below `/console`."""
    unit: str = ""
    post: str = ""


def lacking(
    offices: Offices, packs: Sequence[Mapping[str, Any]], held: set[str], rosters: Mapping[str, Part], root: str
) -> list[Lack]:
    """What is missing at a unit and below it. `held` are the posts for which somebody can sign in."""
    units = [one for _, one in offices.tree() if one["unit"] in offices.below(root) and not one["drill"]]
    found: list[Lack] = []
    if root in offices.units and offices.units[root]["parent"] is None:
        found += _of_site(offices)
    for one in units:
        found += _of_unit(offices, one)
    for one in units:
        found += _of_people(offices, one, held)
    for one in units:
        found += _of_pack(offices, one, packs)
    for unit, roster in rosters.items():
        if roster.value is not None and not roster.value["duties"]:
            found.append(Lack("ready", N_("%(unit)s还没有排值班"), f"roster/plan-duties?unit={unit}", unit))
    return found


def _of_site(offices: Offices) -> Iterator[Lack]:
    if offices.site_name == Settings.model_fields["site_name"].default:
        yield Lack("site", N_("网站还没有名称"), "units/site?to=setup/site")


def _of_unit(offices: Offices, one: Mapping[str, Any]) -> Iterator[Lack]:
    code = one["unit"]
    if one["name"].startswith(SAMPLE):
        yield Lack("units", N_("%(unit)s还是示例名称"), f"units/{code}/place-unit?to=setup/units", code)
    if not any(post["head"] for post in one["posts"]):
        yield Lack("posts", N_("%(unit)s没有主要负责岗位"), f"units/{code}/place-post?to=setup/posts", code)
    for role, told in NEEDED:
        if not any(role in post["roles"] for unit in _above(offices, code) for post in offices.units[unit]["posts"]):
            yield Lack("posts", told, f"units/{code}/place-post?to=setup/posts", code)


def _of_people(offices: Offices, one: Mapping[str, Any], held: set[str]) -> Iterator[Lack]:
    code = one["unit"]
    for post in one["posts"]:
        if post["head"] and post["post"] not in held:
            yield Lack("people", N_("%(post)s还没有人"), f"accounts?post={post['post']}", code, post["post"])
    on_duty = [
        post["post"]
        for unit in _above(offices, code)
        for post in offices.units[unit]["posts"]
        if "duty_officer" in post["roles"]
    ]
    if on_duty and not held.intersection(on_duty):
        yield Lack("people", N_("%(unit)s没有人可以值班"), f"accounts?post={on_duty[0]}", code)


def _of_pack(offices: Offices, one: Mapping[str, Any], packs: Sequence[Mapping[str, Any]]) -> Iterator[Lack]:
    code = one["unit"]
    own = [offices.units[unit]["policy"] for unit in _above(offices, code)]
    if not any(own):
        yield Lack("pack", N_("%(unit)s没有适用的制度"), f"setup/pack/assign?unit={code}", code)
        return
    used = next((pack for pack in packs if pack["policy"] == next(filter(None, own))), None)
    if one["policy"] and used and used["open"]:
        to = f"packs/{used['pack']}@{used['version']}"
        yield Lack("pack", N_("%(unit)s适用的制度还有未定的数值"), to, code)


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
        missing = {one.step for one in await _missing(me)}
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

    @pages.get("/setup/{step}")
    async def step(request: Request, me: Signed, step: str, done: str = "") -> Response:
        """One step: what there is, what is missing, and what to do about it."""
        if step not in dict(STEPS):
            raise Refused(Answer(404, {}))
        missing, names = await _missing(me), [name for name, _ in STEPS]
        at = names.index(step)
        shown: dict[str, Any] = {
            "step": step,
            "steps": STEPS,
            "at": at,
            "onward": names[at + 1] if at + 1 < len(names) else None,
            "missing": missing,
            "tree": [(depth, one) for depth, one in me.offices.tree() if not one["drill"]],
            "packs": await site.packs(),
            "held": await _held(),
            "done": done,
        }
        return await render(request, "setup.html", **shown)

    async def _missing(me: Signed) -> list[Lack]:
        """What is missing. A roster that cannot be read is no lack of it."""
        if "admin" not in me.roles:
            raise Refused(Answer(403, {}))
        desks = [me.unit]
        asked = await parts(*(me.calls.get("/escalation/v1/roster", unit=unit) for unit in desks))
        rosters = dict(zip(desks, asked, strict=True))
        return lacking(me.offices, await site.packs(), await _held(), rosters, me.unit)

    async def _held() -> set[str]:
        return {post for one in await site.accounts.all() if not one.ended for post in one.posts}

    async def _assign(me: Signed) -> Asked:
        known = [(f"{one['pack']}@{one['version']}", one["title"]) for one in await site.packs()]
        return Asked(
            verbs.operation(site, "triage", "packs/assign"),
            "assign-pack",
            "setup/pack",
            choices={"units": me.offices.names(), "pack": known},
        )

    def _load(me: Signed) -> Asked:
        return Asked(verbs.operation(site, "triage", "packs"), "load-pack", "setup/pack", without=("lessons",))

    return pages
