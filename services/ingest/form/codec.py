"""What somebody filled in becomes a report. Pure.

A form carries a token of its own. It is the report's external id, so the same form that is sent twice is one report.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from schemas.titles import Language
from services.ingest.commands import Report
from services.kernel.core.decider import Actor
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed

Keyed = Callable[..., str]
CHANNEL = "form"
SOURCE = "form:"
"""The sources of forms begin with it. No integration may name such a source."""
LONGEST: Mapping[str, int] = {"subject": 100, "text": 5_000, "place": 200, "time": 100}
"""The fields of the form, with the most characters of each."""
NEEDED = ("subject", "text")
TOKEN = "token"  # noqa: S105  the name of a field
KEPT = timedelta(days=1)
"""For this long a form may stay open in a browser. A later one is drawn anew, with what was typed."""
_HEX, _LETTERS = "0123456789abcdef", "abcdefghijklmnop"
_TO_LETTERS, _TO_HEX = str.maketrans(_HEX, _LETTERS), str.maketrans(_LETTERS, _HEX)
"""A token has only letters: digits in a row could be masked as somebody's number."""
_SECONDS, _RANDOM, _SEAL = 10, 32, 32
_TIME: Mapping[Language, str] = {"zh": "发生时间：", "en": "When: "}

Fault = Literal["missing", "long"]


class Filled(NamedTuple):
    """What somebody filled in. The values are trimmed, and lines end with a line feed."""

    token: str
    typed: Mapping[str, str]

    def faults(self) -> dict[str, Fault]:
        """Field -> what is wrong with it."""
        found: dict[str, Fault] = {name: "missing" for name in NEEDED if not self.typed[name]}
        found.update({name: "long" for name, most in LONGEST.items() if len(self.typed[name]) > most})
        return found


def filled(fields: Iterable[tuple[str, str]]) -> Filled:
    """The form from its fields. Raises `Malformed` for a field that the page does not have, or that stands twice."""
    found: dict[str, str] = {}
    for name, value in fields:
        if name not in LONGEST and name != TOKEN:
            raise Malformed(f"{name[:60]} is not a field of this form", code="field-unknown", field=name[:60])
        if name in found:
            raise Malformed(f"{name} stands twice; send it once", code="field-twice", field=name)
        found[name] = "\n".join(value.splitlines()).strip()
    return Filled(found.get(TOKEN, ""), {name: found.get(name, "") for name in LONGEST})


def sender(unit: str) -> Actor:
    """The form of a unit, as the sender of what is filled in there."""
    return Actor(f"integration-{derived('form', unit)}", unit, frozenset({"integration"}))


def belongs(source: str, actor: Actor) -> bool:
    """Whether a sender may name this source, as far as forms go."""
    return not source.startswith(SOURCE) or actor.post == sender(source.removeprefix(SOURCE)).post


def report(form: Filled, unit: str, language: Language, now: datetime) -> Report:
    """The report of a form without faults."""
    typed = form.typed
    text = typed["text"] if not typed["time"] else f"{typed['text']}\n\n{_TIME[language]}{typed['time']}"
    return Report(
        unit=unit,
        channel=CHANNEL,
        subject=typed["subject"].replace("\n", " "),
        text=text,
        place=typed["place"].replace("\n", " ") or None,
        discovered_at=now,
        source=f"{SOURCE}{unit}",
        external_id=form.token,
    )


def token(unit: str, random: str, now: datetime, keyed: Keyed) -> str:
    """The token of a new form of a unit. `random` are 32 hexadecimal digits."""
    says = f"{int(now.timestamp()):0{_SECONDS}x}{random}"
    return (says + keyed("form", unit, says)[:_SEAL]).translate(_TO_LETTERS)


def counts(token: str, unit: str, now: datetime, keyed: Keyed) -> bool:
    """Whether a form with this token was given out for this unit, less than a day ago."""
    says = token.translate(_TO_HEX)[: _SECONDS + _RANDOM]
    if len(says) != _SECONDS + _RANDOM or set(says) - set(_HEX):
        return False
    given = (says + keyed("form", unit, says)[:_SEAL]).translate(_TO_LETTERS)
    age = now.timestamp() - int(says[:_SECONDS], 16)
    return token == given and -60 <= age <= KEPT.total_seconds()
