"""How the value of a fact is written: what the form says beside the field, and what it makes of what was typed."""

import math
from collections.abc import Mapping
from typing import Any

from services.console import forms
from services.console.forms import Choices, Control
from services.console.page import Reader
from services.console.verbs import Adapt, Body
from services.console.words import N_, plain, typed_moment

Facts = Mapping[str, Mapping[str, Any]]
"""Key -> the fact as the deployment's list or the pack has it."""
KINDS: Mapping[str, str] = {
    "text": N_("文字"),
    "number": N_("数字"),
    "time": N_("时间"),
    "yes_no": N_("是或否"),
    "code": N_("从列出的选"),
}
"""Kind of a value -> its name beside the title of a fact."""
YES, NO = ("是", "有", "yes", "true", "1"), ("否", "无", "no", "false", "0")


def facts_of(lists: Mapping[str, Any], pack: Mapping[str, Any]) -> Facts:
    """The facts of the deployment's list, and those that a pack adds."""
    return {one["key"]: one for one in (*lists.get("facts", ()), *pack.get("facts", ()))}


def named(one: Mapping[str, Any], look: Reader) -> str:
    """The title of a fact or of a code."""
    return str(one["title_en"] if look.language == "en" and one.get("title_en") else one["title"])


def described(one: Mapping[str, Any], look: Reader) -> str:
    """The title of a fact with the kind and the measure of its value, as a list of facts shows it."""
    kind = look.gettext(KINDS[one["kind"]])
    told = look.gettext(N_("%(kind)s，单位%(measure)s")) if one.get("measure") else "%(kind)s"
    inner = told % {"kind": kind, "measure": one.get("measure")}
    return look.gettext(N_("%(title)s（%(inner)s）")) % {"title": named(one, look), "inner": inner}


def how(one: Mapping[str, Any], look: Reader) -> str:
    """How a value of the fact is written, with an example."""
    match one["kind"]:
        case "number":
            return look.gettext(N_("只写阿拉伯数字，如 4；单位已经写在事实项里，不用写"))
        case "yes_no":
            return look.gettext(N_("写“是”或“否”"))
        case "time":
            return look.gettext(N_("写成 11-25 21:07 或 21:07"))
        case "code":
            listed = look.gettext(N_("、")).join(named(code, look) for code in one["codes"])
            return look.gettext(N_("写其中一项：%(listed)s")) % {"listed": listed}
    return look.gettext(N_("写一句话，写清查明了什么"))


def reading(facts: Facts) -> Adapt:
    """What makes the body of a fact: its kind is that of the list, its value is of this kind."""

    def read(body: Body, made: list[Control], _: Choices, look: Reader) -> tuple[Body, list[Control]]:
        one = facts.get(body.get("key", ""))
        if one is None:
            return body, made
        value = _value(one, str(body.get("value", "")), look)
        if value is None:
            made = forms.faults_of({"field": "value", "detail": how(one, look)}, made)
        return body | {"kind": one["kind"], "value": value}, made

    return read


def _value(one: Mapping[str, Any], typed: str, look: Reader) -> Any:
    """The value of what a person typed; None if it is none of the fact's kind."""
    match one["kind"]:
        case "number":
            return _figure(plain(typed).strip().removesuffix(one["measure"]).strip())
        case "yes_no":
            said = typed.casefold()
            return True if said in YES else False if said in NO else None
        case "time":
            return typed_moment(typed, look.zone, look.now)
        case "code":
            # Who knows the codes may write them.
            named_so = {name: code["code"] for code in one["codes"] for name in code.values()}
            return named_so.get(typed)
    return typed


def _figure(typed: str) -> int | float | None:
    try:
        found = int(typed) if typed.lstrip("-").isdecimal() else float(typed)
        return found if math.isfinite(found) else None
    except (ValueError, OverflowError):
        return None
