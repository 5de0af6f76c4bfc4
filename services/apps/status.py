"""The command `huiying status`: how a deployment runs, in words, from what its services answer to anybody.

Each `/readyz` says whether the service takes commands and what alarms; each `/metrics` has the figures. What is worth a
person's time here is what `deploy/prometheus/rules.yaml` alerts on, without its patience.
"""

import asyncio
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from services.apps.client import CONSOLE, CONSOLE_PORT, PORTS
from services.apps.terminal import CannotDo, Data, Json, quiet, run, say, settings_of

if TYPE_CHECKING:
    from services.kernel.settings import Settings

PATIENCE = 15.0
"""Seconds that a service has for its answers."""
SLOW, STANDS, PARKED, SIGNED, BACKUP = 60, 120, 300, 900, 2 * 86_400
"""Seconds from which an outbox, a consumer, a parked stream, the log's signature and a backup need a person."""
SKEW = 1
Figures = Mapping[tuple[str, str], float]
"""Name of a metric, and its service with its kind, cause or state -> the value. Those of partitions are summed up."""
Asking = Callable[..., float | None]
"""Gives a service's figure by the metric and the kind; None if it is unknown."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a process answered, for one service or for all: the states of `/readyz`, and the figures."""

    address: str
    states: Mapping[str, Any] = field(default_factory=dict)
    figures: Figures = field(default_factory=dict)
    error: str = ""
    """Why there is no answer."""


@dataclass(slots=True)
class Told:
    """A service in words. `todo` is what somebody must do; `says` is how things stand."""

    service: str
    up: bool
    ready: bool
    says: list[str] = field(default_factory=list)
    todo: list[str] = field(default_factory=list)
    figures: dict[str, float | None] = field(default_factory=dict)
    """The figures behind the words; null if unknown."""


def status(as_json: Json = False, data: Data = None) -> None:
    """Say in words how each service runs, what waits and for how long, and what somebody must do.

    Exit 0 if all is well, or 1 if something needs somebody. Limits that offices missed and desks without anybody are
    told; they are no fault of the deployment and change nothing about the exit code.
    """
    settings = quiet(settings_of(data))
    told = [in_words(name, answered, datetime.now(UTC)) for name, answered in run(asked(settings)).items()]
    if as_json:
        say(json.dumps([asdict(one) for one in told], ensure_ascii=False, indent=2))
    for line in () if as_json else lines(told):
        say(line)
    raise typer.Exit(1 if any(one.todo for one in told) else 0)


def lines(told: list[Told]) -> Iterator[str]:
    """The text of the command."""
    for one in told:
        yield f"{one.service}: {'; '.join(one.says)}"
        for sentence in one.todo:
            yield f"  ! {sentence}"
    needs = sum(len(one.todo) for one in told)
    yield f"{_many(needs, 'thing')} to look into, marked with !" if needs else "All is well."


async def asked(settings: "Settings") -> dict[str, Answered]:
    """What each service answers. Raises `CannotDo` if nothing runs on an embedded system's folder."""
    from services.apps.folder import folder_owner

    if not settings.embedded:
        ports = {**PORTS, CONSOLE: CONSOLE_PORT}
        answers = (_ask(settings.services.format(service=name, port=port), name) for name, port in ports.items())
        return dict(zip(ports, await asyncio.gather(*answers), strict=True))
    owner = folder_owner(settings.data)
    if owner is None:
        raise CannotDo(f"nothing runs on {settings.data}: `huiying up` starts it; no limit is judged meanwhile")
    if not owner:
        raise CannotDo(f"another process works in {settings.data} and serves nothing; try again when it has ended")
    return dict.fromkeys(PORTS, await _ask(owner))


async def _ask(address: str, name: str = "") -> Answered:
    """The answer of a service. The console's figures are no use here, and stand at another port."""
    import httpx
    from prometheus_client.parser import text_string_to_metric_families as families

    try:
        async with httpx.AsyncClient(base_url=address, timeout=PATIENCE, trust_env=False) as client:
            if name == CONSOLE:
                return Answered(address, dict((await client.get("/readyz")).json()["services"]))
            ready, metrics = await asyncio.gather(client.get("/readyz"), client.get("/metrics"))
        figures = dict[tuple[str, str], float]()
        for sample in (sample for family in families(metrics.text) for sample in family.samples):
            of = (label for name, label in sorted(sample.labels.items()) if name in ("kind", "cause", "state"))
            key = (sample.name, " ".join((sample.labels.get("service", ""), *of)))
            figures[key] = figures.get(key, 0) + sample.value
        return Answered(address, dict(ready.json()["services"]), figures)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        return Answered(address, error=f"{type(error).__name__} {error}".strip())


def in_words(name: str, answered: Answered, now: datetime) -> Told:
    """A service in words. Pure."""
    if answered.error or name not in answered.states:
        why = answered.error or f"another service answers there: {', '.join(answered.states) or 'none'}"
        return Told(
            name, False, False, ["does not answer"], [f"nobody answers for {name} at {answered.address} ({why})"]
        )
    state = answered.states[name]
    ready = not isinstance(state, str)
    told = Told(name, True, ready, ["takes commands" if ready else "takes no commands"])
    if not ready:
        told.todo.append(str(state))
    if name == CONSOLE:
        told.says = ["people can sign in" if ready else "nobody can sign in"]
        return told
    told.todo += state.get("alarms", []) if ready else []

    def figure(metric: str, kind: str = "") -> float | None:
        value = answered.figures.get((f"huiying_{metric}", f"{name} {kind}".strip()), math.nan)
        told.figures[f"{metric} {kind}".strip()] = None if math.isnan(value) or math.isinf(value) else value
        return None if math.isnan(value) else value

    since = figure("leader_since")
    if since:
        begun = datetime.fromtimestamp(since, UTC)
        told.says.append(f"leads since {begun:%Y-%m-%d %H:%M} UTC ({lasting((now - begun).total_seconds())})")
    elif ready:
        told.todo.append("this process does not lead: either another one does, or `leader.waits` in the log says why")
    _delivery(told, figure)
    _office(told, figure)
    _record(told, figure)
    return told


def _delivery(told: Told, figure: Asking) -> None:
    """Lag, outbox, dead letters, parked streams, the clock."""
    name, waits = told.service, list[str]()
    lag, still, outbox = figure("lag_records"), figure("committed_seconds", "offsets"), figure("outbox_oldest_seconds")
    letters, streams = figure("attention", "dead_letters"), figure("attention", "parked")
    parked, skew = figure("parked_oldest_seconds"), figure("clock_skew_seconds")
    if lag is None:
        told.todo.append("the brokers or the database do not answer, or a topic was lost: nobody knows the lag")
    elif lag:
        waits.append(f"{_many(lag, 'record')} to take in")
        if still is not None and still > STANDS:
            told.todo.append(f"it has taken nothing in for {lasting(still)}: look at its consumer, and start it again")
    if outbox:
        waits.append(f"the outbox for {lasting(outbox)}")
        if outbox > SLOW:
            told.todo.append("the event log does not take its records: look at the brokers; nothing is lost")
    if letters:
        waits.append(_many(letters, "dead letter"))
        told.todo.append(f"`huiying redrive --list --service {name}` says why records were set aside")
    if streams:
        waits.append(f"{_many(streams, 'parked stream')}{f' for {lasting(parked)}' if parked else ''}")
        if parked and parked > PARKED:
            told.todo.append("a stream stands still: settle its dead letter, or `huiying resend --stream ID`")
    told.says.append(f"waiting: {', '.join(waits)}" if waits else "nothing waits")
    if skew is not None and abs(skew) > SKEW:
        told.todo.append(f"its clock is {abs(skew):.1f} s off the database's: set both right by NTP")


def _office(told: Told, figure: Asking) -> None:
    """Limits, desks, messages."""
    if told.service == "escalation":
        overdue, first = figure("limits_overdue"), figure("limits_overdue_oldest_seconds")
        gaps = sum(figure("duty_gaps", cause) or 0 for cause in ("not_planned", "not_signed_on"))
        late = figure("timers_late_seconds")
        if overdue:
            told.says.append(f"{_many(overdue, 'limit')} overdue, the first for {lasting(first or 0)}")
        if gaps:
            told.says.append(f"{_many(gaps, 'desk')} without anybody on duty")
        if late and late > SLOW:
            told.todo.append(f"its timers are {lasting(late)} late: no missed limit is seen; look for `timers.wait`")
    waiting, given_up = (figure("undelivered", state) for state in ("waiting", "given_up"))
    if waiting:
        told.says.append(f"{_many(waiting, 'message')} that a receiver does not take")
    if given_up:
        told.todo.append(f"{_many(given_up, 'message')} given up: the console says which, and what to do instead")


def _record(told: Told, figure: Asking) -> None:
    """The log's checkpoints, and the newest backup."""
    size, age = figure("checkpoint_size", "kept"), figure("checkpoint_seconds", "kept")
    if told.service != "audit":
        return
    unsigned, cosigned, backup = figure("log_unsigned"), figure("checkpoint_size", "cosigned"), figure("backup_seconds")
    if size and age is not None:
        told.says.append(f"the newest checkpoint covers {_many(size, 'event')} and is {lasting(age)} old")
    if unsigned and (age is None or age > SIGNED):
        told.todo.append(f"{_many(unsigned, 'event')} without a signed checkpoint: run `huiying check`")
    if size and cosigned is not None:
        told.says.append("witnesses cosigned it" if cosigned >= size else f"witnesses cosigned {cosigned:,.0f} events")
    if backup is None and size is not None:
        told.todo.append("nobody watches over backups: make them, and name their folder in HUIYING_BACKUPS")
    elif backup is not None and math.isinf(backup):
        told.todo.append("there is no backup of this deployment where HUIYING_BACKUPS says")
    elif backup is not None:
        told.says.append(f"the newest backup is {lasting(backup)} old")
        if backup > BACKUP:
            told.todo.append("the newest backup is old: look at what makes backups, and make one")
    if lacks := figure("backup_lacks", "parts"):
        told.todo.append(f"the newest backup lacks {_many(lacks, 'part')}: `huiying backup verify` names them")
    if figure("backup_lacks", "encryption"):
        told.todo.append("the newest backup is not encrypted: set HUIYING_BACKUP_KEYS where backups are made")


def lasting(seconds: float) -> str:
    """A span in its two largest units."""
    if math.isinf(seconds):
        return "an unknown time"
    whole, parts = round(seconds), list[str]()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, whole = divmod(whole, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _many(count: float, what: str) -> str:
    return f"{count:,.0f} {what}{'' if count == 1 else 's'}"
