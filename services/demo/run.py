"""The main job on one machine: messages come in, four offices act on them for three days, and the record is shown.

The embedded system answers on a real port. Everything goes through its HTTP APIs: messages with an integration's key,
decisions with the token of one post. The demo moves the time from one appointment to the next, beginning on a Monday of
March 2026. Some limits are missed on purpose.
"""

import asyncio
import io
import json
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx

from schemas.catalogue import all_topics
from schemas.fields import parse_instant
from services.apps import embedded, operate, up, web
from services.apps.client import Refused
from services.apps.embedded import Embedded
from services.audit.findings import loop as findings
from services.audit.log import signing
from services.console.access.accounts import one_time_password
from services.demo import duty, mailbox, samples, stories
from services.demo.day import Day
from services.demo.desk import Desk, Failed, Incident, Officers, Patient, Stage
from services.demo.mailbox import Mailbox
from services.demo.samples import Message
from services.escalation.clock import timers
from services.escalation.notify import posting
from services.kernel.core.time_source import TimeSource
from services.kernel.sealed import archive
from services.kernel.sealed.trust import Trust
from services.kernel.settings import ROOT, Settings
from services.kernel.tlog.note import Verifier, encoded

SEED = 20260302
ZONE = timezone(timedelta(hours=8))
MONDAY = datetime(2026, 3, 2, tzinfo=ZONE)
UNITS = ("town-east", "town-west", "county-roads", "county")
LOGIN = "demo"
DESKS = ("duty_officer", "verifier", "handler", "approver", "chief", "spokesperson", "auditor", "admin")
"""The posts of each office that the demo's account may take."""
LAST = 12
"""How many notices are listed one by one."""
REAL_MESSAGES = ROOT.parent / "shared" / "data" / "messages.jsonl"
"""The real messages, used if they exist. Else the demo uses the project's samples."""
SOURCE = "mayors-board"
PERSONAL = ("我的电话是13800000000。", "回复请发 someone@example.com 。", "我的微信号：weixin_example_1。")
TOLD = (duty.OFFICER, duty.HANDLER, "approver@town-east", "chief@town-east", "chief@county")
"""The posts that have an address in the local mailbox."""
ROUNDS = ((1, 8, 0.45), (1, 13, 0.35), (2, 8, 0.2))
"""Day, hour, and the share of all messages that comes in then."""


async def play(
    settings: Settings, *, messages: int = 200, folder: Path | None = None, keep_serving: bool = False
) -> int:
    """Runs the demo and prints it. Returns 0 if the check at its end is clean, else 1.

    Without a `folder`, the data is deleted at the end. Raises `Failed` at an unexpected answer.
    """
    with ExitStack() as stack:
        data = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="huiying-demo-")))
        if data.exists() and any(data.iterdir()):
            raise Refused(f"{data} is not empty; the demo wants a folder of its own")
        settings = settings.model_copy(update={"data": data, "database": "", "kafka": "", "clock": None})
        clock = TimeSource()
        clock.move(_at(1, 7.5) - clock.now())
        socket = stack.enter_context(web.bound(settings.host, settings.port))
        settings = settings.reached_at(web.address_of(socket))
        async with embedded.running(settings, clock) as system, up.served(system, socket) as address:
            signing_in = await _signing_in(system, address)
            print(f"{signing_in}\n", flush=True)
            async with (
                httpx.AsyncClient(transport=Patient(), base_url=address, timeout=60) as client,
                mailbox.opened() as box,
            ):
                code = await Demo(system, client, address, box).run(messages)
            # Once more: the first one has scrolled away by now.
            print(f"\n{signing_in}", flush=True)
            if keep_serving:
                bulletin = settings.link("bulletin/")
                print(f"serving on {address}, bulletin {bulletin}, until Ctrl-C; data in {data}", flush=True)
                await up.until_ended(system)
        return code


async def _signing_in(system: Embedded, address: str) -> str:
    """Makes an account with the posts of the demo, and says how to sign in."""
    assert system.console is not None
    password = one_time_password()
    posts = [f"{post}@{unit}" for unit in UNITS for post in DESKS]
    await system.console.site.accounts.make(LOGIN, "演示人员", password, posts, must_change=False)
    return f"console: {address}/console/  login {LOGIN}, password {password}"


def _at(day: int, hour: float) -> datetime:
    return MONDAY + timedelta(days=day - 1, hours=hour)


def dice() -> random.Random:
    """The same random choices in every run."""
    return random.Random(SEED)  # noqa: S311 - nothing here is secret


def choose(count: int) -> list[Message]:
    """The messages of the demo, the same each time. Some of them repeat a title."""
    if not REAL_MESSAGES.exists():
        return samples.messages()[:count]
    known: list[Message] = [json.loads(line) for line in REAL_MESSAGES.read_text("utf-8").splitlines()]
    titles = Counter(message["title"] for message in known)
    several = [message for message in known if titles[message["title"]] > 1][: count // 5]
    single = [message for message in known if titles[message["title"]] == 1]
    return several + dice().sample(single, count - len(several))


class Demo:
    """One run."""

    def __init__(self, system: Embedded, client: httpx.AsyncClient, address: str, mailbox: Mailbox) -> None:
        self.system, self.client, self.address, self.mailbox = system, client, address, mailbox
        self.officers = Officers(client, self._token)
        self.stage = Stage(_at(3, 17.5))
        self.random = dice()
        self.rare = stories.RARE
        """Stories that no matter has had yet."""
        self.received: Counter[str] = Counter()
        self.reports: dict[tuple[str, str], list[str]] = defaultdict(list)
        """Unit and title -> reports."""
        self.known: set[str] = set()
        self.day = Day(self.stage, self.officers, _at, self.one, self.known)
        self.began = time.monotonic()

    async def run(self, count: int) -> int:
        """Plays the demo, prints the record, and returns the exit code."""
        messages = choose(count)
        self.random.shuffle(messages)
        kind = "real" if REAL_MESSAGES.exists() else "synthetic"
        self.say(f"{len(messages)} {kind} messages, offices {', '.join(UNITS)}, at {self.address}")
        self.key = (await self.officers.ask("county", "admin", "POST", "/ingest/v1/keys", {"unit": "county"}))["key"]
        for post in TOLD:
            body = {"post": post, "address": self.mailbox.address(post)}
            await self.officers.ask("county", "admin", "POST", "/escalation/v1/addresses", body)
        start = 0
        for day, hour, share in ROUNDS:
            end = len(messages) if (day, hour) == ROUNDS[-1][:2] else start + round(len(messages) * share)
            self.stage.begin(self.round(_at(day, hour), messages[start:end]))
            start = end
        self.stage.begin(duty.duty(self.stage, self.officers, _at))
        self.stage.begin(self.day.run())
        await self.stage.play(self.go_on)
        await self.go_on(self.stage.end)
        await posting.settle(self.system.runtimes["escalation"])
        await self.rest()
        await findings.settle(self.system.runtimes["audit"])
        await self.rest()
        return await self.show()

    def _token(self, unit: str, *roles: str) -> str:
        return self.system.token(unit, *roles, person=f"{'+'.join(roles)} of {unit}")

    def say(self, text: str) -> None:
        """A line of progress."""
        now = self.system.time_source.now().astimezone(ZONE)
        print(f"{now:%a %d %b %H:%M}  {text}", flush=True)

    async def settle(self) -> None:
        """Waits until all passed limits are judged, and all services have taken in all events."""
        await timers.settle(self.system.runtimes["escalation"])
        await self.rest()

    async def rest(self) -> None:
        """Waits until all is taken in.

        It asks the databases only after the log has stopped growing, since asking slows the work.
        """
        topics, before, still = all_topics(), -1, 0
        while still < 3:
            await asyncio.sleep(0.02)
            now = sum((await self.system.log.ends(topics)).values())
            before, still = now, still + 1 if now == before else 0
        await self.system.settle()

    async def go_on(self, when: datetime) -> None:
        """Moves the time; the limits in between pass."""
        await self.rest()
        clock = self.system.time_source
        was = clock.now().astimezone(ZONE)
        clock.move(max(when - clock.now(), timedelta()))
        if (was.day, was.hour // 2) != (when.day, when.hour // 2):
            reports, acts = sum(self.received.values()), sum(self.officers.acts.values())
            self.say(f"{reports:4} reports answered, {acts:5} acts of officers")
        await self.settle()

    # reports

    async def round(self, when: datetime, messages: Sequence[Message]) -> None:
        """Messages come in, then the offices look at the new matters."""
        await self.stage.until(when)
        cut = len(messages) * 2 // 3
        await self.many([self.report(message) for message in messages[:cut]])
        for message in messages[cut:]:
            await self.one(self.report(message))
        for message in messages[:5]:
            await self.one(self.report(message))
        await self.stage.until(when + timedelta(minutes=45))
        await self.begin_stories(when + timedelta(hours=1))

    def report(self, message: Message) -> dict[str, Any]:
        """A message as the integration sends it."""
        unit = UNITS[sum(message["title"].encode()) % len(UNITS)]
        hint = int(message["external_id"].strip("S"))
        text = message["body"] + (PERSONAL[hint % len(PERSONAL)] if hint % 9 == 0 else "")
        known_since = self.system.time_source.now() - timedelta(minutes=hint % 20)
        return {
            "unit": unit,
            "channel": ("hotline", "board", "visit")[hint % 3],
            "subject": message["title"],
            "text": text,
            "discovered_at": known_since.isoformat(),
            "source": SOURCE,
            "external_id": message["external_id"],
        }

    async def one(self, report: dict[str, Any]) -> None:
        """Sends one report alone."""
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = await self.client.post("/ingest/v1/reports", json=report, headers=headers)
        self.note(report, answer.status_code, answer.json())

    async def many(self, reports: Sequence[dict[str, Any]]) -> None:
        """Sends reports as one batch, with four lines that are wrong."""
        good = reports[0]
        wrong: list[Any] = [
            good | {"external_id": "w1", "author": "someone"},
            good | {"external_id": "w2", "unit": "nowhere"},
            good | {"external_id": "w3", "discovered_at": "2099-01-01T00:00:00+08:00"},
            ["not a report"],
        ]
        lines = [*reports, *wrong]
        body = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/x-ndjson"}
        answer = await self.client.post("/ingest/v1/reports/batch", content=body.encode(), headers=headers)
        results = [json.loads(line) for line in answer.text.splitlines()]
        if len(results) != len(lines):
            raise Failed(f"a batch of {len(lines)} lines got {len(results)} answers: {answer.text[:300]}")
        for line, result in zip(lines, results, strict=True):
            self.note(line, result["status"], result)

    def note(self, report: Any, status: int, answer: Any) -> None:
        """Counts an answer, and notes the report of a message."""
        names = {201: "accepted", 200: "repeated, known already", 422: "refused as malformed"}
        if status not in names:
            raise Failed(f"a report was answered with {status}: {answer}")
        self.received[names[status]] += 1
        if status == 201:
            self.reports[report["unit"], report["subject"]].append(answer["report_id"])

    # stories

    async def begin_stories(self, when: datetime) -> None:
        """Each new matter gets its story: first the rare ones, on matters of the towns; then the usual ones in turn."""
        items = await self.officers.pages("county", "/triage/v1/incidents")
        incidents = [
            Incident(item["id"], item["unit"], item["subject"], item["version"])
            for item in sorted(items, key=lambda item: (item["unit"], item["subject"] or ""))
            if item["id"] not in self.known
        ]
        self.known.update(incident.id for incident in incidents)
        self.random.shuffle(incidents)
        towns = [incident for incident in incidents if incident.unit.startswith("town")]
        # Two matters are left to be merged, where there are enough.
        most = len(towns) - 2 if len(towns) > 3 else len(towns)
        rare, self.rare = self.rare[:most], self.rare[most:]
        told: dict[str, stories.Story] = dict(zip((incident.id for incident in towns), rare, strict=False))
        usual = [incident for incident in incidents if incident.id not in told]
        if len(towns) > len(rare) + 1:
            one, other = [incident for incident in towns if incident.id not in told][:2]
            told[one.id], told[other.id] = stories.merged, stories.answered
            usual = [incident for incident in usual if incident not in (one, other)]
        for number, incident in enumerate(usual):
            told[incident.id] = stories.USUAL[number % len(stories.USUAL)]
        into = next((incident for incident in towns if told[incident.id] is stories.answered), None)
        for incident in incidents:
            story = told[incident.id]
            reports = self.reports.get((incident.unit, incident.subject), [])
            if story in (stories.extraordinary, stories.major, stories.major_late) and reports:
                await self.measure(reports[0], 5200 if story is stories.extraordinary else 1600)
            with_other = into if story is stories.merged else None
            self.stage.begin(story(Desk(self.stage, self.officers, incident, when, reports, with_other)))

    async def measure(self, report: str, clicks: int) -> None:
        """The integration reports how far the matter has spread: totals, never by whom."""
        body = {"clicks": clicks, "comments": clicks // 20, "measured_at": self.system.time_source.now().isoformat()}
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = await self.client.post(f"/ingest/v1/reports/{report}/reach", json=body, headers=headers)
        if not answer.is_success:
            raise Failed(f"reach: {answer.status_code} {answer.text[:300]}")

    # the output

    async def show(self) -> int:
        """Prints counts, a timeline, the breaches and the check; returns the exit code."""
        incidents = await self.officers.pages("city", "/triage/v1/incidents")
        clocks = await self.officers.pages("city", "/escalation/v1/clocks")
        statements = await self.officers.pages("city", "/publish/v1/statements")
        _table("reports", self.received)
        _table("incidents by state", Counter(item["state"] for item in incidents))
        _table("incidents by level", Counter(item["level"] or "not graded" for item in incidents))
        _table("statements by state", Counter(item["state"] for item in statements))
        _table("time limits by state", Counter(_state(item) for item in clocks))
        _table(
            "limits and hops of the pack",
            Counter(f"{item['clock'].partition('#')[0]}: {_state(item)}" for item in clocks),
        )
        _table("acts of officers", self.officers.acts)
        await self.show_timeline(incidents, statements)
        self.show_similar()
        await self.show_duty()
        self.show_mails()
        self.show_breaches(incidents, clocks)
        await self.show_findings()
        await self.show_archive(incidents)
        feed = await self.client.get("/bulletin/feed.atom")
        print(f"\nbulletin: {self.address}/bulletin/ ({feed.text.count('<entry')} entries in the feed)")
        newest = (await self.client.get("/bulletin/feed.json")).json()["items"][0]["_huiying"]["number"]
        print(f"verify: {self.address}/bulletin/verify?statement={newest}")
        report = await operate.check_stores(operate.Stores(self.system.runtimes, self.system.log, self.system))
        print("\ncheck")
        for line in operate.told(report):
            print(f"  {line}")
        print(f"\n{time.monotonic() - self.began:.1f} s")
        return 0 if report.ok else 1

    async def show_timeline(self, incidents: Sequence[Any], statements: Sequence[Any]) -> None:
        """The whole timeline of the matter with the most entries."""
        corrected = [item["incident_id"] for item in statements if item["corrections"]]
        grave = [item["id"] for item in incidents if item["level"] == "extraordinary"]
        chosen = next(iter((*reversed(grave), *reversed(corrected), incidents[0]["id"])))
        timeline = await self.officers.whole("city", f"/audit/v1/incidents/{chosen}/timeline")
        subject = next(item["subject"] for item in incidents if item["id"] == chosen)
        print(f"\ntimeline of {chosen}: {subject}")
        print(f"  log size {timeline['log_size']}, complete until {timeline['complete_until']}")
        for item in timeline["items"]:
            event = item["event"]
            recorded = parse_instant(event["recordedtime"]).astimezone(ZONE)
            print(f"  {recorded:%d %b %H:%M}  {event.get('actor', ''):<24} {item['summary']}")

    def show_similar(self) -> None:
        """What was offered for a report in other words, and what the desk made of it."""
        print(f"\nsimilar matters that were offered at {duty.UNIT}: number, score, shared words")
        for line in self.day.offered:
            print(f"  {line}")

    def show_mails(self) -> None:
        """The notices that arrived at the local mailbox: how many of which kind, and the last ones."""
        mails = self.mailbox.mails
        _table(f"notices that arrived at the local mailbox: {len(mails)}", Counter(_kind(one.subject) for one in mails))
        for one in mails[-LAST:]:
            print(f"         to {one.to:<24} {one.subject}")

    async def show_duty(self) -> None:
        """The roster of one desk: who was there, and when nobody was."""
        roster = await self.officers.ask(duty.UNIT, "chief", "GET", f"/escalation/v1/roster?unit={duty.UNIT}")
        print(f"\nduty at {duty.UNIT}, information officer {roster['officer']}")
        for one in roster["duties"]:
            handed = f", handed over with {one['open']} open matters" if one["handed_over"] else ""
            print(f"  {_span(one)}  {one['post']:<24} signed on: {one['by'] or 'nobody'}{handed}")
        for gap in roster["gaps"]:
            ahead = ", found a day ahead" if gap["found_ahead"] else ""
            print(f"  {_span(gap)}  gap: {gap['cause']}{ahead}{', and when it began' if gap['found'] else ''}")

    def show_breaches(self, incidents: Sequence[Any], clocks: Sequence[Any]) -> None:
        """Every missed limit, and its consequences."""
        subjects = {item["id"]: item["subject"] or "" for item in incidents}
        missed = [item for item in clocks if item["breached_at"]]
        print(f"\nbreaches: {len(missed)}, of which {sum(bool(item['met_at']) for item in missed)} were answered late")
        print(f"  {'due':<13} {'limit':<17} {'unit':<13} {'told by':<12} {'answered':<12} matter")
        for item in missed:
            due = parse_instant(item["due"]).astimezone(ZONE)
            met = parse_instant(item["met_at"]).astimezone(ZONE).strftime("%d %b %H:%M") if item["met_at"] else "-"
            rung = item["rung"] or "-"
            subject = subjects.get(item["incident_id"], "")[:24]
            print(f"  {due:%d %b %H:%M}  {item['clock']:<17} {item['unit']:<13} {rung:<12} {met:<12} {subject}")

    async def show_archive(self, incidents: Sequence[Any]) -> None:
        """Seals the file of a closed matter, and checks it as a stranger does: by the public key of the log alone."""
        incident = next(item["id"] for item in incidents if item["state"] == "closed")
        at = f"/audit/v1/incidents/{incident}/archive"
        refused = await self._when_signed(at, {"reasons": {}})
        missing = refused.json()["known"] if refused.status_code == 422 else []
        if missing:
            await self._when_signed(at, {"reasons": dict.fromkeys(missing, "记录里没有这类材料")})
        package = await self._when_signed(f"{at}/consultation", {"purpose": "演示"})
        told = (await self.client.get("/audit/v1/log/keys")).json()["keys"]
        keys = tuple(Verifier.parse(one["vkey"]) for one in told if one["use"] == "log")
        held = archive.verify(io.BytesIO(package.content), Trust(keys))
        checkpoint = held.seal.checkpoint
        print(f"\ncheckpoint: {checkpoint.size} events of {checkpoint.origin}, root {encoded(checkpoint.root)}")
        print(f"archive of {held.incident}, {len(package.content)} bytes: sealed at position {held.seal.position}")
        erased = f", {len(held.gone)} erased" if held.gone else ""
        print(f"  proven: {held.events} events, {held.words} texts, {held.files} files{erased}")
        print(f"  without {', '.join(missing) or 'nothing'}")

    async def _when_signed(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """The answer to an auditor, once the log has signed what it needs."""
        headers = {"Authorization": f"Bearer {self.officers.token('city', 'auditor')}"}
        async with asyncio.timeout(60):
            while (answer := await self.client.post(path, json=body, headers=headers)).status_code == 503:
                await self.system.settle()
                await signing.sign(self.system.runtimes["audit"])
        if not answer.is_success and answer.status_code != 422:
            raise Failed(f"{path}: {answer.status_code} {answer.text[:300]}")
        return answer

    async def show_findings(self) -> None:
        """What the record shows against the offices: what stands by its rule, and what is proposed and to be heard."""
        found = await self.officers.pages("city", "/audit/v1/findings", lang="en")
        _table(f"findings: {len(found)}", Counter(f"{one['finding']}: {one['state']}" for one in found))
        last = {(one["unit"], one["finding"]): one for one in found}
        for one in last.values():
            print(f"  {one['explanation']}")


def _kind(subject: str) -> str:
    """What a notice tells, without the number of its matter."""
    return subject.partition("】")[2]


def _span(one: Any) -> str:
    since, until = (parse_instant(one[name]).astimezone(ZONE) for name in ("since", "until"))
    return f"{since:%d %b %H:%M} to {until:%d %b %H:%M}"


def _state(clock: Any) -> str:
    return f"{clock['state']}, late" if clock["state"] == "met" and clock["late"] else str(clock["state"])


def _table(title: str, counts: Counter[str]) -> None:
    print(f"\n{title}")
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        print(f"  {count:5}  {name}")
