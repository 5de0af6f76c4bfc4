"""One matter in a running system, told as a story: at a time a post does something, and then this is so.

Every verb goes over HTTP. It is tried again until the services have heard of what came before. The time stands still
between two calls of `at`, so what is recorded has exactly the time that the scenario names. Times are local, without
an offset: `2026-03-02 09:00`.
"""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from pprint import pformat
from typing import Any, Self
from zoneinfo import ZoneInfo

import httpx
import orjson

from schemas.envelope import Event
from schemas.problems import PREFIX
from services.kernel.delivery.runtime import OFFICES_FRESH
from services.kernel.sealed.chains import Chains
from tests.kit import access, stack
from tests.kit.stack import World, until

ZONE = ZoneInfo("Asia/Shanghai")
LIMIT = 15.0
ROLES = {"information_officer": "duty_officer", "publicity": "spokesperson", "party_office": "duty_officer",
         "news_centre": "spokesperson"}  # fmt: skip
"""Posts of the directory whose role has another name."""
ESCALATION = frozenset(
    {"report-upward", "inform-office", "receipt", "ask-lead", "accept-lead", "take-lead", "decide", "give-notice",
     "write-part", "report-back", "set-limit", "request-extension", "decide-extension", "pause", "resume",
     "request-deferral", "decide-deferral", "tell-asker", "confirm-decision", "annul"}
)  # fmt: skip


def local(at: str | None) -> str | None:
    """An instant of an answer as a local time, as short as it can be."""
    if at is None:
        return None
    said = datetime.fromisoformat(at).astimezone(ZONE).replace(tzinfo=None)
    return said.isoformat(" ", "minutes" if said.second == said.microsecond == 0 else "auto")


def written(at: str) -> str:
    """A local time as a request writes it."""
    return datetime.fromisoformat(at).replace(tzinfo=ZONE).isoformat()


class Desk:
    """The posts of the county, acting in a world at the time at which it stands."""

    def __init__(self, world: World) -> None:
        self.world = world

    def at(self, when: str) -> None:
        """Lets it be this time. A scenario goes only forward."""
        fresh = self.world.clock.with_suffix(".new")
        fresh.write_text(written(when))
        fresh.replace(self.world.clock)

    def ask(
        self, post: str, service: str, path: str, body: dict[str, Any] | None = None, person: str = "", **headers: str
    ) -> httpx.Response:
        """One request of a post such as `duty_officer@town-east`; with a body, a command."""
        code, _, unit = post.partition("@")
        token = access.token(unit, ROLES.get(code, code), post=code, person=person or post)
        with stack.here(self.world.url(service), headers={"Authorization": f"Bearer {token}", **headers}) as client:
            return client.get(path) if body is None else client.post(path, json=body)

    def works_by(self, unit: str, pack: str, **values: Any) -> None:
        """Lets a unit work by a pack, and sets values that it leaves open: `clocks__response__limit="PT4H"`."""
        above = "admin@city"
        answer = self.ask(above, "triage", "/triage/v1/packs/assign", {"unit": unit, "pack": pack})
        assert answer.is_success, answer.text
        for place, limit in values.items():
            body = {"unit": unit, "pack": pack, "place": place.replace("__", "."), "reason": "局务会决定"}
            said = {"limit": {"mode": "elapsed", "duration": limit}} if str(limit).startswith("P") else {"value": limit}
            answer = self.ask(above, "triage", "/triage/v1/packs/set-value", {**body, **said})
            assert answer.is_success, answer.text
        if len(self.world.parts) > 1:
            # Every other process may use what it knew of the offices for so long.
            known = time.monotonic() + OFFICES_FRESH
            until(lambda: time.monotonic() > known, f"all processes know that {unit} works by {pack}")

    def delegate(self, post: str, to: str, until: str) -> None:
        """A post delegates its approvals until a time."""
        body = {"from": post, "to": to, "until": written(until), "reason": "外出开会"}
        answer = self.ask(post, "triage", "/triage/v1/delegations", body)
        assert answer.is_success, answer.text

    def report(self, unit: str, subject: str, known: str, **more: Any) -> "Matter":
        """A report that the office has known of since a time. It opens a matter."""
        body = {**stack.report(subject, unit), "subject": subject, "discovered_at": written(known), **more}
        with self.world.integration() as client:
            answer = client.post("/ingest/v1/reports", json=body)
        assert answer.is_success, answer.text
        taken = answer.json()
        return Matter(self, unit, taken["report_id"], receipt=taken["receipt"])

    def register(self, by: str, **more: Any) -> "Matter":
        """A post registers a matter of its unit that nobody has reported yet."""
        unit = by.partition("@")[2]
        answer = self.ask(by, "triage", "/triage/v1/incidents", {"unit": unit, **more})
        assert answer.is_success, answer.text
        return Matter(self, unit, id_=answer.json()["id"])


class Acting(ABC):
    """Something on which posts act."""

    unit: str
    version: int | None = None
    """The version after its last act here, until somebody else has decided; None if it must be read."""
    last: str = ""
    """Its last event here, as `stream@version`, for whoever must have seen it."""

    def _answered(self, answer: httpx.Response) -> httpx.Response:
        """The answer to an act, after its version was noted."""
        if answer.is_success:
            done = answer.json()
            self.version = done["version"]
            self.last = f"{done['id']}@{done['events'][-1]['version']}" if done["events"] else self.last
        elif answer.status_code == HTTPStatus.PRECONDITION_FAILED:
            self.version = None
        return answer

    @abstractmethod
    def asked(self, post: str, verb: str, person: str, body: dict[str, Any]) -> httpx.Response:
        """One try of an act by a post with its unit."""

    def does(self, post: str, verb: str, /, person: str = "", **body: Any) -> Self:
        """A post acts. Without a unit, it is one of the accountable unit."""
        _waits(lambda: self.asked(self._at(post), verb, person, body), _succeeds, f"{post} can {verb}")
        return self

    def refuses(self, post: str, verb: str, because: str, /, person: str = "", **body: Any) -> Self:
        """A post tries to act, and is refused with this code of a problem."""

        def refused(answer: httpx.Response) -> bool:
            assert not answer.is_success, f"{post} could {verb}"
            return str(answer.json()["type"]).removeprefix(PREFIX) == because

        _waits(lambda: self.asked(self._at(post), verb, person, body), refused, f"{post} is refused to {verb}")
        return self

    def _at(self, post: str) -> str:
        return post if "@" in post else f"{post}@{self.unit}"


class Matter(Acting):
    """A matter and the acts on it."""

    def __init__(self, desk: Desk, unit: str, report: str = "", *, id_: str = "", receipt: str = "") -> None:
        self.desk, self.unit, self.report, self.receipt = desk, unit, report, receipt
        self.id: str = id_ or desk.world.incident(report)["id"]
        """The id, or the number by which people call it."""
        begun = {"discovered", "opened"} if report else {"opened"}
        becomes(lambda: begun <= {data.get("milestone") for _, data in self.events()}, True)

    def at(self, when: str) -> "Matter":
        """The matter, when it has become this time."""
        self.desk.at(when)
        return self

    # acts

    def asked(self, post: str, verb: str, person: str, body: dict[str, Any]) -> httpx.Response:
        """One try of an act by a post with its unit."""
        if verb in ESCALATION:
            return self.desk.ask(post, "escalation", f"/escalation/v1/incidents/{self.id}/{verb}", body, person)
        self.version = self.now()["version"] if self.version is None else self.version
        seen = {"If-Match": f'"{self.version}"'}
        return self._answered(
            self.desk.ask(post, "triage", f"/triage/v1/incidents/{self.id}/{verb}", body, person, **seen)
        )

    def confirmed(self, *posts: str) -> "Matter":
        """Each of the posts confirms the decision that waits, and so makes it one."""
        [waiting] = [one for one in self.limits()["decisions"] if one["state"] == "proposed"]
        for post in posts:
            self.does(post, "confirm-decision", decision=waiting["decision"])
        becomes(lambda: [one["state"] for one in self.limits()["decisions"]][-1], "recorded")
        return self

    def explains(self, by: str, *approvers: str) -> "Matter":
        """A post gives the asker an explanation, as soon as these posts approved it, one after the other."""
        self.does(by, "explain", text="有关情况已处理", to="asker")
        for post in approvers:
            self.does(post, "approve", proposal=self.now()["proposals"][-1]["proposal"])
        return self

    def counts(self, at: str, **figures: int) -> "Matter":
        """The reach of its report is counted. Waits until the matter knows it."""
        body = {**figures, "measured_at": written(at)}
        with self.desk.world.integration() as client:
            answer = client.post(f"/ingest/v1/reports/{self.report}/reach", json=body)
        assert answer.is_success, answer.text
        becomes(lambda: {name: (self.now()["reach"] or {}).get(name) for name in figures}, figures)
        return self

    def states(self, kind: str, by: str = "handler", **more: Any) -> "Statement":
        """A post drafts a statement and submits it."""
        return self.drafts(kind, by, **more).does(by, "submit")

    def drafts(self, kind: str, by: str = "handler", **more: Any) -> "Statement":
        """A post drafts a statement."""
        body = {"incident_id": self.id, "kind": kind, "title": "情况说明", "text": "有关情况说明如下。", **more}
        path, seen = "/publish/v1/statements", {"Huiying-After": self.last} if self.last else {}
        drafted = _waits(
            lambda: self.desk.ask(self._at(by), "publish", path, body, **seen), _succeeds, f"{by} can draft"
        )
        return Statement(self, drafted.json()["id"])

    # what is so

    def now(self) -> dict[str, Any]:
        """The matter as triage shows it."""
        answer = self.desk.ask("auditor@city", "triage", f"/triage/v1/incidents/{self.id}?purpose=check")
        assert answer.is_success, answer.text
        return dict(answer.json())

    def limits(self) -> dict[str, Any]:
        """The matter as escalation shows it."""
        answer = self.desk.ask("auditor@city", "escalation", f"/escalation/v1/incidents/{self.id}")
        return dict(answer.json()) if answer.is_success else {"clocks": [], "reports": []}

    def owes(self, clocks: dict[str, str]) -> "Matter":
        """All its limits are these: who is charged, when it is due and how it stands.

        Such as `county-roads 2026-03-02 12:00 met 2026-03-02 12:00`, with `late` in the end if it was.
        """
        becomes(lambda: {one["clock"]: _clock(one) for one in self.limits()["clocks"]}, clocks)
        return self

    def missed(self, *clocks: str) -> "Matter":
        """Waits until these limits are missed, and no other. Rungs count from then."""
        becomes(lambda: sorted(one["clock"] for one in self.limits()["clocks"] if one["breached_at"]), sorted(clocks))
        return self

    def told(self, *rungs: str) -> "Matter":
        """Who was told so far of missed limits, or spared, in order of time: `reminder of on_time: county-roads`.

        Those who were told at once stand in the order of the alphabet.
        """

        def found() -> list[str]:
            events = (item["event"] for item in self.timeline())
            said = ((one["recordedtime"], one["data"]) for one in events if ".clock.reminder_" in one["type"])
            rows = ((at, f"{data['rung']} of {data['clock']}: {data.get('told', 'spared')}") for at, data in said)
            return [row for _, row in sorted(rows)]

        becomes(found, list(rungs))
        return self

    def tells(self, *types: str) -> "Matter":
        """The record tells these events in this order, among others."""

        def in_order() -> list[str]:
            rest = iter([type_ for type_, _ in self.events()])
            return [type_ for type_ in types if type_ in rest]

        becomes(in_order, list(types))
        return self

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Types and data of its events, in the order of recording."""
        found = (item["event"] for item in self.timeline())
        return [(one["type"].removeprefix("huiying.").rpartition(".")[0], one["data"]) for one in found]

    def timeline(self) -> list[dict[str, Any]]:
        """Its record in audit."""
        path = f"/audit/v1/incidents/{self.id}/timeline?limit=500"
        answer = self.desk.ask("auditor@city", "audit", path)
        return list(answer.json()["items"]) if answer.is_success else []

    def ends(self, *parts: str, lacks: tuple[str, ...] = (), evaluated_by: tuple[str, ...] = ()) -> "Matter":
        """It is resolved, and closed with these parts in its file. The streams of its record are whole."""
        self.does(f"handler@{self.now()['assigned'] or self.unit}", "resolve", reason="已办结")
        self.does("chief", "close", reason="已办结", parts=parts)

        def said() -> list[tuple[list[str], list[str]]]:
            closed = (data for type_, data in self.events() if type_ == "incident.closed")
            return [(data.get("missing", []), data.get("evaluated_by", [])) for data in closed][-1:]

        becomes(said, [(list(lacks), list(evaluated_by))])
        self.tells("incident.opened", "incident.resolved", "incident.closed")
        chains = Chains()
        for at, event in sorted((item["position"], orjson.dumps(item["event"])) for item in self.timeline()):
            chains.add(Event.parse(event), f"position {at}")
        assert chains.streams
        return self


class Statement(Acting):
    """A statement on a matter."""

    def __init__(self, matter: Matter, id_: str) -> None:
        self.matter, self.unit, self.id = matter, matter.unit, id_

    def asked(self, post: str, verb: str, person: str, body: dict[str, Any]) -> httpx.Response:
        """One try of an act by a post with its unit."""
        path, ask = f"/publish/v1/statements/{self.id}", self.matter.desk.ask
        if self.version is None:
            self.version = ask("auditor@city", "publish", path).json()["version"]
        seen = {"If-Match": f'"{self.version}"'}
        return self._answered(ask(post, "publish", f"{path}/{verb}", body, person, **seen))


def _succeeds(answer: httpx.Response) -> bool:
    return answer.is_success


def _waits(ask: Callable[[], httpx.Response], fits: Callable[[httpx.Response], bool], what: str) -> httpx.Response:
    """Asks until the answer fits."""
    last: list[httpx.Response] = []

    def holds() -> bool:
        last[:] = [ask()]
        return fits(last[0])

    try:
        until(holds, what, LIMIT)
    except AssertionError as error:
        raise AssertionError(f"{error}: {last[0].text if last else 'no answer'}") from None
    return last[0]


def becomes(found: Callable[[], Any], wanted: Any) -> None:
    """Waits until it is so. The failure shows the difference. It may ask often, so `found` only reads."""
    last: list[Any] = []

    def holds() -> bool:
        last[:] = [found()]
        return bool(last[0] == wanted)

    with contextlib.suppress(AssertionError):
        until(holds, "as wanted", LIMIT)
    is_ = last[0] if last else found()
    assert is_ == wanted, f"it is {pformat(is_)}, and not {pformat(wanted)}"


def _clock(one: dict[str, Any]) -> str:
    state = {"running": "running", "met": f"met {local(one['met_at'])}", "cancelled": f"cancelled {one['cancelled']}"}
    said = f"{one['unit']} {local(one['due'])} {state.get(one['state'], one['state'])}"
    return said + " late" * one["late"] + " provisional" * one["provisional"]
