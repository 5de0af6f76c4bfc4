"""When a fault is an outage. Pure: the same rounds always give the same outages.

One bad answer is no outage. What is bad for `needed` rounds in a row is one, since the first of them, and it is over
when it is good for as many rounds, since the first of these.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from schemas.fields import Instant
from schemas.outages import Site, Symptom, Trouble

Key = tuple[Site, Trouble, str]
"""What is judged by itself; the last is the statement, or empty."""


class Bad(NamedTuple):
    """How something showed that it is bad."""

    symptom: Symptom
    status: int | None = None


class Run(BaseModel):
    """Something that is bad, or was and is not yet known to be good."""

    model_config = ConfigDict(frozen=True)

    site: Site
    trouble: Trouble
    statement: str = ""
    symptom: Symptom
    status: int | None = None
    since: Instant
    bad: int = 1
    """Rounds in a row in which it was bad, while it is no outage."""
    good: int = 0
    """Rounds in a row in which it was good since."""
    good_since: Instant | None = None
    is_outage: bool = False
    until: Instant | None = None
    """Set when the outage is over. It is kept until it was told."""

    @property
    def key(self) -> Key:
        """What it is about."""
        return (self.site, self.trouble, self.statement)


def judged(runs: Iterable[Run], seen: Mapping[Key, Bad | None], at: datetime, needed: int) -> list[Run]:
    """The runs after a round. `seen` holds what was asked: None for good. What was not asked stays as it is."""
    going: dict[Key, Run] = {}
    over: list[Run] = []
    for run in runs:
        if run.until is None:
            going[run.key] = run
        else:
            over.append(run)
    for key, bad in seen.items():
        before = going.pop(key, None)
        after = _begun(key, bad, at, needed) if before is None else _gone_on(before, bad, at, needed)
        if after is not None and after.until is None:
            going[key] = after
        elif after is not None:
            over.append(after)
    return [*over, *going.values()]


def _begun(key: Key, bad: Bad | None, at: datetime, needed: int) -> Run | None:
    if bad is None:
        return None
    site, trouble, statement = key
    return Run(
        site=site,
        trouble=trouble,
        statement=statement,
        symptom=bad.symptom,
        status=bad.status,
        since=at,
        is_outage=needed <= 1,
    )


def _gone_on(run: Run, bad: Bad | None, at: datetime, needed: int) -> Run | None:
    if bad is not None:
        count = run.bad + 1
        changed = {"bad": count, "good": 0, "good_since": None, "is_outage": run.is_outage or count >= needed}
        return run.model_copy(update=changed)
    if not run.is_outage:
        return None
    since, count = run.good_since or at, run.good + 1
    return run.model_copy(
        update={"good": count, "good_since": since, "until": max(since, run.since) if count >= needed else None}
    )


def outages(runs: Iterable[Run]) -> list[Run]:
    """The runs that are outages, as they are to be told."""
    return [run for run in runs if run.is_outage]


Standing = Literal["well", "doubtful", "out"]


def standing(runs: Iterable[Run], site: Site) -> Standing:
    """How a site stands."""
    of = [run for run in runs if run.site == site and run.until is None]
    return "out" if any(run.is_outage for run in of) else "doubtful" if of else "well"
