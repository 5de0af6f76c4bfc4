"""Clients that report and grade while something goes wrong. Afterwards each of their acts is there once.

Clients write down their answers. A request without an answer is repeated later under its key.
"""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx

from tests.kit.stack import World, until

LEVELS = ("general", "major", "extraordinary")
OFFICER = "duty_officer@county"
GRADED = ("huiying.incident.graded.v1", "huiying.incident.regraded.v1")


@dataclass
class History:
    """One client's answers: ids of answered reports, and keys without an answer."""

    answered: list[str] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Grading:
    """A request to grade a matter. With its key it can be repeated."""

    incident: str
    version: int
    level: str
    key: str


@dataclass
class Grades:
    """An officer's answers: how many gradings of each matter were taken, and those without an answer."""

    taken: Counter[str] = field(default_factory=Counter)
    unknown: list[Grading] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def post_until(world: World, history: History, done: threading.Event, pause: float) -> None:
    """Posts reports one after the other, each under its own key. Asks for the server's address each time."""
    while not done.is_set():
        key, text = uuid.uuid4().hex, f"under load {uuid.uuid4()}"
        try:
            answer = world.post(text, **{"Idempotency-Key": key})
        except httpx.ConnectError:
            history.refused["no connection"] += 1
        except httpx.TransportError:
            history.unknown.append((key, text))
        else:
            if answer.status_code == 201:
                history.answered.append(answer.json()["report_id"])
            else:
                history.refused[str(answer.status_code)] += 1
        time.sleep(pause)


def grade_until(world: World, reports: History, grades: Grades, done: threading.Event, pause: float, seed: int) -> None:
    """Grades matters of reports that were answered, chosen by chance."""
    chance = random.Random(seed)
    while not done.is_set():
        time.sleep(pause)
        if not reports.answered:
            continue
        try:
            if (asked := _next_grading(world, chance.choice(reports.answered), chance.choice(LEVELS))) is None:
                continue
        except httpx.TransportError:
            grades.refused["no connection"] += 1
            continue
        try:
            answer = _grade(world, asked)
        except httpx.ConnectError:
            grades.refused["no connection"] += 1
        except httpx.TransportError:
            grades.unknown.append(asked)
        else:
            _written(grades, asked, answer)


def _next_grading(world: World, report_id: str, level: str) -> Grading | None:
    with world.client("triage", "duty_officer") as client:
        found = client.get("/triage/v1/incidents", params={"report_id": report_id})
        if not found.is_success or not found.json()["items"]:
            return None
        incident = found.json()["items"][0]["id"]
        shown = client.get(f"/triage/v1/incidents/{incident}")
        return Grading(incident, shown.json()["version"], level, uuid.uuid4().hex) if shown.is_success else None


def _grade(world: World, asked: Grading) -> httpx.Response:
    headers = {"If-Match": str(asked.version), "Idempotency-Key": asked.key}
    with world.client("triage", "duty_officer", **headers) as client:
        body = {"level": asked.level, "reason": "as it stands"}
        return client.post(f"/triage/v1/incidents/{asked.incident}/grade", json=body)


def _written(grades: Grades, asked: Grading, answer: httpx.Response) -> bool:
    """Notes an answer. Returns False if the request is to be repeated."""
    if answer.is_success:
        grades.taken[asked.incident] += 1
    else:
        grades.refused[str(answer.status_code)] += 1
    return answer.status_code not in (429, 503)


def retried(world: World, key: str, text: str) -> str:
    """The report's id, once its request is answered 201."""
    answer = world.post(text, **{"Idempotency-Key": key})
    return str(answer.json()["report_id"]) if answer.status_code == 201 else ""


class Load:
    """Clients at work from `on` until its end; then `proven` asks for each of their acts."""

    def __init__(self, world: World, seed: int, *, clients: int = 2, officers: int = 0, pause: float = 0.05) -> None:
        self._world, self._seed, self._pause = world, seed, pause
        self._posts = [History() for _ in range(clients)]
        self._grades = [Grades() for _ in range(officers)]

    @contextmanager
    def on(self) -> Iterator[None]:
        """Meanwhile the clients work."""
        self._world.integration().close()
        done = threading.Event()
        threads = [
            threading.Thread(target=post_until, args=(self._world, one, done, self._pause)) for one in self._posts
        ] + [
            threading.Thread(
                target=grade_until, args=(self._world, self._posts[0], one, done, 4 * self._pause, self._seed + number)
            )
            for number, one in enumerate(self._grades)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join(90)

    @property
    def answered(self) -> int:
        """How many acts were taken so far."""
        return sum(len(one.answered) for one in self._posts) + sum(one.taken.total() for one in self._grades)

    def proven(self, limit: float = 120) -> str:
        """Asks that each act stands in audit once, and that the record is sound. Returns the figures as a sentence."""
        world, answered = self._world, [id_ for one in self._posts for id_ in one.answered]
        lost_answers = [asked for one in self._posts for asked in one.unknown]
        for key, text in lost_answers:
            answered.append(until(partial(retried, world, key, text), "a lost answer comes on retry"))
        graded = self._all_graded()
        wanted = set(answered)

        def all_there() -> bool:
            # Two topics: audit may have the incident of a report before the report.
            received = {event["subject"] for event in world.events(type="huiying.report.received.v1")}
            opened = {event["data"]["report"] for event in world.events(type="huiying.incident.opened.v1")}
            return wanted <= received & opened and graded <= self._graded_in_audit()

        until(all_there, lambda: f"all {len(wanted)} reports are in audit (seed {self._seed})\n{world.logs()}", limit)
        got = Counter(event["subject"] for event in world.events(type="huiying.report.received.v1"))
        opened = Counter(event["data"]["report"] for event in world.events(type="huiying.incident.opened.v1"))
        lost = [report_id for report_id in wanted if got[report_id] == 0]
        doubled = [report_id for report_id in got if got[report_id] > 1 or opened[report_id] != 1]
        refused = sum((one.refused for one in (*self._posts, *self._grades)), Counter())
        told = (
            f"seed {self._seed}: {len(answered)} reports and {graded.total()} gradings "
            f"({len(lost_answers)} and {sum(len(one.unknown) for one in self._grades)} with a lost answer, "
            f"refused {dict(refused)}), lost {len(lost)}, doubled {len(doubled)}, strangers {len(set(got) - wanted)}"
        )
        assert (lost, doubled) == ([], []), told
        assert len(answered) == len(wanted), told
        assert self._graded_in_audit() == graded, told
        world.check()
        return told

    def _all_graded(self) -> Counter[str]:
        """Matter -> how often it was graded, after each request has an answer."""
        for one in self._grades:
            for asked in one.unknown:
                until(lambda one=one, asked=asked: _written(one, asked, _grade(self._world, asked)), "an answer comes")
        return sum((one.taken for one in self._grades), Counter())

    def _graded_in_audit(self) -> Counter[str]:
        if not self._grades:
            return Counter()
        events = [event for type_ in GRADED for event in self._world.events(type=type_)]
        return Counter(event["subject"] for event in events if event["actor"] == OFFICER)
