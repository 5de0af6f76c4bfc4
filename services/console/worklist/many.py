"""One act on many chosen rows. Each is sent by itself and has its own result, so one that is refused stops no other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.console.access.staff import Staff
from services.console.calls import Answer, Down
from services.console.labels import PARTS
from services.console.page import Reader
from services.console.site import problem_of
from services.console.words import N_

MOST = 200
"""Rows of one bulk act. The page that asks once more says how many are left."""


@dataclass(frozen=True, slots=True)
class Act:
    """The act on a chosen row."""

    title: str
    """By which people know the row."""
    link: str
    """Its page, below `/console`."""
    service: str
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    """The revision of its record that the person saw; empty if the record has none."""
    code: str = ""
    """What stands beside the title, such as the end of an id."""
    key: str = ""
    """The idempotency key: a form that is sent twice acts once."""


async def done(me: Staff, acts: Sequence[Act], look: Reader) -> list[tuple[Act, str]]:
    """Each act, with the sentence by which it was refused; an empty one if it was done.

    Several rows can belong to one record. An act on the first raises its revision, and the next one names the revision
    that it left. A service that did not answer is not asked again. Whether it did that one act is unknown.
    """
    results, down, left = list[tuple[Act, str]](), set[str](), dict[tuple[str, str], str]()
    for act in acts:
        version = left.get((act.path, act.version), act.version)
        named = (("If-Match", version), ("Idempotency-Key", act.key))
        service = {"service": look.gettext(PARTS[act.service])}
        if act.service in down:
            results.append((act, look.gettext(N_("%(service)s暂时不能用，这一条没有办。")) % service))
            continue
        try:
            headers = {name: value for name, value in named if value}
            answer = await me.calls.send("POST", act.path, body=act.body, headers=headers)
        except Down:
            down.add(act.service)
            told = look.gettext(N_("%(service)s没有回应，不知道这一条办成没有。过一会儿回列表看，还在的再办。"))
            results.append((act, told % service))
            continue
        if answer.ok and act.version:
            left[act.path, act.version] = str(answer.body["version"])
        results.append((act, _refusal(answer, me)))
    return results


def _refusal(answer: Answer, me: Staff) -> str:
    return "" if answer.ok else problem_of(answer, me) or str(answer.status)
