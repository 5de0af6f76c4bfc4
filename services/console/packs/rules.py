"""The packs: what is in force where and since when, every rule beside its clause, and what differs between versions."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from schemas.titles import FORMS, TITLES, Language
from services.console import forms, verbs
from services.console.access.staff import Staff
from services.console.calls import Answer, Refused, part_of_path
from services.console.labels import MEMBERS, SECTIONS, VALUES
from services.console.packs.lines import changes
from services.console.page import Reader, reader, render
from services.console.site import Signed, Site
from services.console.verbs import Asked
from services.console.words import N_, length, translations

HIDDEN = ("code", "name", "kind", "title_zh", "period", "rung", "rank")
"""What the place and the title of a rule say already."""
LIMITS = ("limit", "after", "at_most", "review", "every", "unless_ended")
"""The last part of the places that take a limit."""
ABOUT = {"assign": "assign-pack", "set-value": "set-value"}
"""Last part of an address -> the verb."""


def router(site: Site) -> APIRouter:
    """The pages of packs."""
    pages = APIRouter()

    @pages.get("/packs")
    async def packs(request: Request, me: Signed) -> Response:
        """All packs of the record."""
        return await render(request, "packs.html", packs=await site.packs(me.language), tries=may_try(me))

    @pages.get("/packs/{name}")
    async def pack(request: Request, me: Signed, name: str, done: str = "") -> Response:
        """A pack, named `id@version`."""
        one, look = site.spoken(await _whole(me, name), me.language), await reader(request)
        versions = [other for other in await site.packs(me.language) if other["pack"] == one["pack"]]
        return await render(
            request,
            "pack.html",
            pack=one,
            sections=list(sections(one, look)),
            versions=sorted(versions, key=lambda other: other["version"], reverse=True),
            titles={document["document"]: document["title"] for document in one["documents"]},
            working=next((other["units"] for other in versions if other["policy"] == one["policy"]), []),
            open_places=next((other["open"] for other in versions if other["policy"] == one["policy"]), []),
            tries=may_try(me),
            decides=bool({"chief", "admin"} & set(me.roles)),
            done=done,
        )

    @pages.get("/packs/{name}/difference")
    async def difference(request: Request, me: Signed, name: str, to: str = "") -> Response:
        """What a version changes of another one: of the one before it, if none is named."""
        one = await _whole(me, name)
        others = [f"{other['pack']}@{other['version']}" for other in await site.packs() if other["pack"] == one["pack"]]
        rest = [other for other in others if other != name]
        to = to or next(iter(sorted(rest, key=_version, reverse=True)), "")
        before = (await _whole(me, to))["written"] or "" if to else ""
        found = await asyncio.to_thread(changes, before, one["written"] or "") if to else []
        return await render(request, "pack_difference.html", name=name, to=to, others=rest, hunks=found, draft=None)

    @pages.get("/packs/{name}/{last}")
    async def form(request: Request, me: Signed, name: str, last: str) -> Response:
        """The form with which a pack is put in force, or a value is set that it leaves open."""
        return await verbs.form(request, me, await _asked(me, name, last))

    @pages.post("/packs/{name}/{last}")
    async def act(request: Request, me: Signed, name: str, last: str) -> Response:
        """Does it."""
        answer = await verbs.act(request, me, await _asked(me, name, last))
        site.look_again()
        return answer

    async def _asked(me: Staff, name: str, last: str) -> Asked:
        if last not in ABOUT:
            raise Refused(Answer(404, {}))
        one = next((one for one in await site.packs(me.language) if f"{one['pack']}@{one['version']}" == name), None)
        if one is None:
            raise Refused(Answer(404, {}))
        units = [(code, me.offices.unit(code)) for code in me.offices.units]
        return Asked(
            verbs.operation(site, "triage", f"packs/{last}"),
            ABOUT[last],
            f"packs/{name}",
            choices={"units": units, "place": [(place, place_title(place, me.language)) for place in one["open"]]},
            without=("pack", "limit"),
            fixed={"pack": name},
            adapt=as_limit if last == "set-value" else None,
        )

    return pages


async def _whole(me: Staff, name: str) -> dict[str, Any]:
    found: dict[str, Any] = await me.calls.get(f"/triage/v1/packs/{part_of_path(name)}")
    return found


def may_try(me: Staff) -> bool:
    """Whether the person may load packs, and so try them: the root's leader or administrator."""
    unit = me.offices.units.get(me.unit, {})
    return unit.get("parent") is None and bool({"chief", "admin"} & set(me.roles))


def _version(name: str) -> int:
    return int(name.rpartition("@")[2])


_SPAN = re.compile(r"(\d{1,4})\s*(个?工作日|working days?|天|days?|小时|hours?|分钟|minutes?)")
_UNITS = {"天": "P{}D", "d": "P{}D", "小": "PT{}H", "h": "PT{}H", "分": "PT{}M", "m": "PT{}M"}


def as_limit(body: dict[str, Any], made: Any, choices: Any, look: Reader) -> tuple[dict[str, Any], Any]:
    """What a person wrote of a length, as the service takes it: `12 小时` is `PT12H`."""
    is_limit = str(body.get("place", "")).rpartition(".")[2] in LIMITS
    if (found := _SPAN.fullmatch(str(body.get("value", "")).strip().lower())) is None:
        told = look.gettext(N_("时限写成 24小时、3天 或 5个工作日"))
        return body, forms.faults_of({"field": "value", "detail": told}, made) if is_limit else made
    count, unit = found.groups()
    rest = {name: one for name, one in body.items() if name != "value"}
    if "工作日" in unit or unit.startswith("working"):
        return {**rest, "limit": {"mode": "working_days", "days": int(count)}}, made
    written = _UNITS[unit[0]].format(int(count))
    if is_limit:
        return {**rest, "limit": {"mode": "elapsed", "duration": written}}, made
    return {**rest, "value": written}, made


def place_title(place: str, language: Language) -> str:
    """The title of a place in a pack, with its code: `总结评估·书面总结报告·期限（review.written_report.limit）`."""
    said = place_words(place, language)
    if not said:
        return place
    return f"{said} ({place})" if language == "en" else f"{said}（{place}）"


def place_words(place: str, language: Language) -> str:
    """The title of a place in a pack: `总结评估·书面总结报告·期限`; empty if nothing in it has one."""
    text, (section, *members) = translations(language).gettext, place.split(".")
    titled = {name: pair[language == "en"] for name, pair in TITLES.items()}
    known = [SECTIONS.get(section, ""), *(MEMBERS.get(name) or titled.get(name, "") for name in members)]
    said = [text(title) for title in known if title]
    return (", " if language == "en" else "·").join(said)


def sections(pack: Mapping[str, Any], look: Reader) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rules by section, in the order of the pack, each with what it says in words."""
    rules: list[dict[str, Any]] = pack["rules"]
    titles = titles_of(rules)
    for section in dict.fromkeys(rule["place"].partition(".")[0] for rule in rules):
        own = [rule for rule in rules if rule["place"].partition(".")[0] == section]
        yield (
            SECTIONS.get(section, section),
            [{**rule, "said": list(said(rule["value"], titles, look))} for rule in own],
        )


def titles_of(rules: list[dict[str, Any]]) -> dict[str, str]:
    """Codes that only the pack knows, such as those of levels and limits, with their titles."""
    return {
        rule["place"].rpartition(".")[2]: rule["title"]
        for rule in rules
        if rule["title"] and rule["place"].partition(".")[0] in ("flags", "periods", "levels", "answers", "clocks")
    }


Said = tuple[str, list[tuple[str, bool]]]
"""A part of a rule: its title, and its values, each with whether it is code."""


def said(value: Mapping[str, Any], titles: Mapping[str, str], look: Reader) -> Iterator[Said]:
    """What a rule says, in words as far as its codes have titles."""
    if "mode" in value or (value and set(value) <= {"until", "first_day"}):
        yield MEMBERS["limit"], [(limit_said(value, look), False)]
        return
    for name, one in value.items():
        if name in HIDDEN:
            continue
        title = MEMBERS.get(name, name)
        if name == "form" and one in FORMS:  # of a template: some of these codes have another title elsewhere
            yield MEMBERS["statement_form"], [(look.form(one), False)]
        elif isinstance(one, dict) and ("mode" in one or "until" in one):
            yield title, [(limit_said(one, look), False)]
        elif isinstance(one, dict):
            yield title, [_pair(key, inner, titles, look) for key, inner in one.items()]
        elif name == "when" or (isinstance(one, str) and ("{{" in one or "{%" in one)):
            yield title, [(str(one), True)]
        else:
            yield title, [_said(each, titles, look) for each in (one if isinstance(one, list) else [one])]


def _pair(key: Any, value: Any, titles: Mapping[str, str], look: Reader) -> tuple[str, bool]:
    (left, is_code), (right, too) = _said(key, titles, look), _said(value, titles, look)
    return f"{left} → {right}", is_code or too


def _said(one: Any, titles: Mapping[str, str], look: Reader) -> tuple[str, bool]:
    if isinstance(one, dict):
        parts = [_said(value, titles, look) for value in one.values()]
        return " ".join(text for text, _ in parts), any(is_code for _, is_code in parts)
    if isinstance(one, bool):
        return look.value(one), False
    text = str(one)
    if (seconds := length(text)) is not None:
        return look.span(seconds), False
    if text in titles:
        return titles[text], False
    if text in VALUES:
        return look.gettext(VALUES[text]), False
    return (look.title(text), False) if text in TITLES else (text, text.isascii() and not text.isdecimal())


def limit_said(limit: Mapping[str, Any], look: Reader) -> str:
    """A limit in words."""
    seconds = length(str(limit.get("duration", "")))
    span = look.span(seconds) if seconds is not None else ""
    match limit.get("mode"):
        case "elapsed":
            return span
        case "end_of_day":
            return look.gettext(N_("当日内")) + (f" + {span}" if span else "")
        case "working_time":
            return look.gettext(N_("%(span)s工作时间")) % {"span": span}
        case "working_days":
            return look.gettext(N_("%(days)d 个工作日")) % {"days": limit["days"]}
    return look.gettext(N_("由单位设定"))
