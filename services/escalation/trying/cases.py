"""The cases of a pack: facts of matters, and what the pack's rules must say of them.

They stand beside the pack, in `cases/<id>.json`: a list of `{"title", "facts", "expect"}`. `expect` names only what the
case is about. Its parts are those of the answer of `evaluate`, with `clocks` by name, `approval` as a list of steps,
`report_to` as a list of addressees, and `ladder` as a list of rungs.
"""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from schemas.pack.source import Text
from schemas.said import Said
from services.escalation.trying.evaluate import evaluate
from services.escalation.trying.facts import Facts, Unfit, json_of
from services.kernel.core.faults import faults_of
from services.kernel.core.units import LoadedPack

PARTS = ("pack", "proposed", "level", "lead", "approval", "report_to", "clocks", "ladder", "rules")
"""The parts of an answer."""


class Case(BaseModel):
    """One case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Text
    facts: Facts
    expect: dict[str, Any]


_CASES = TypeAdapter(tuple[Case, ...])


def parse(content: bytes, origin: str) -> tuple[Case, ...]:
    """The cases in a JSON text. Raises `Unfit` with all faults."""
    try:
        return _CASES.validate_python(json_of(content, origin))
    except ValidationError as error:
        told = (f"{origin}: {'.'.join(str(part) for part in place)}: {what}" for place, what in faults_of(error))
        raise Unfit("\n".join(told)) from None


def faults(pack: LoadedPack, case: Case) -> list[str]:
    """What the rules say otherwise than the case expects: a sentence for each difference."""
    try:
        answer = evaluate(pack, case.facts)
    except Unfit as error:
        return [str(error)]
    found, unknown = _by_name(answer), dict(_unknown(pack, case))
    return [*unknown.values(), *(told for place, told in _differences(case.expect, found, "") if place not in unknown)]


def _unknown(pack: LoadedPack, case: Case) -> Iterator[tuple[str, str]]:
    """Names in `expect` that no answer has, by their place. A misspelt one that expects null would hold for ever."""
    for name in case.expect.keys() - set(PARTS):
        en, zh = f"{name} is no part of an answer; its parts are ", f"结果里没有 {name}，可写的有 "
        yield name, Said(en + ", ".join(PARTS), zh + "、".join(PARTS))
    clocks, known = case.expect.get("clocks"), pack.model.timed
    for name in clocks if isinstance(clocks, dict) else ():
        if name.partition("#")[0].removesuffix(".review") not in known:
            place = f"clocks.{name}"
            yield (
                place,
                Said(
                    f"{place} is no limit of {pack.name}; its limits are {', '.join(known) or 'none'}",
                    f"{place}：{pack.name} 没有这个时限，它的时限有：{'、'.join(known) or '（无）'}",
                ),
            )


def _by_name(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        **answer,
        "clocks": {clock["name"]: clock for clock in answer["clocks"]},
        "approval": [step["step"] for step in answer["approval"]],
        "report_to": [owed["who"] for owed in answer["report_to"]],
        "ladder": [sent["rung"] for sent in answer["ladder"]],
    }


def _differences(expected: Any, found: Any, place: str) -> Iterator[tuple[str, str]]:
    """Each place that differs, with a sentence."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            yield from _differences(value, found.get(name), f"{place}.{name}" if place else name)
    elif expected != found:
        is_, wanted = (json.dumps(one, ensure_ascii=False) for one in (found, expected))
        yield place, Said(f"{place} is {is_}, not {wanted}", f"{place}：规则得出 {is_}，案例要求 {wanted}")
