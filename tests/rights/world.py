"""One world for the matrix of rights: a tree of units, and a matter in which they have different parts.

The world stands still once it is made: what a request changes is undone at its end, so that requests cannot disturb
each other.
"""

import asyncio
import json
import shutil
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import yaml
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant
from services.apps.embedded import Embedded, running
from services.audit import queries
from services.audit.drills.commands import EXAMPLE
from services.audit.findings.matter import placed
from services.audit.log import signing as checkpoints
from services.audit.review import loop as drafting
from services.kernel.access import signing, tokens
from services.kernel.access.signing import SigningKey
from services.kernel.core.decider import STAFF_ROLES
from services.kernel.delivery import operations
from services.kernel.delivery.log import Record
from services.kernel.serving import sign_in
from services.kernel.settings import ROOT, Settings
from services.kernel.store import sql
from services.kernel.store.database import Database
from tests.kernel.test_pictures import PNG

PICTURED = {"draft": "picture", "published": "public picture"}
"""Statement -> the name of the picture that it gets."""
UNITS = {
    "own": "town-east",
    "child": "east-clinic",
    "parent": "county",
    "root": "city",
    "sibling": "town-west",
    "foreign": "far-town",
    "assigned": "county-roads",
    "verifying": "county-water",
    "helping": "county-education",
    "former": "county-housing",
    "received": "county-environment",
}
"""Relation of a unit to the matter -> the unit. `own` answers for it; it answered for it after `former`, which did so
after `received`, where the report came in."""
OF_NO_ROLE = "clerk"
CALLERS = (*STAFF_ROLES, OF_NO_ROLE, "integration", "probe", "nobody")
"""Who asks: somebody with one role, a post without any, an integration by its key, somebody who has not signed in."""
SOURCE = {"source": {"kind": "derived", "reason": "So that every right can be asked for."}}
LIMIT = {
    "name": "on_time",
    "title_zh": "按期办结",
    "from": "assigned",
    "to": ["resolved"],
    "charged": "assigned",
    "per_case": True,
    "limit": {"mode": "elapsed", "duration": "P30D"},
    "extension": {"approved_by": "leader_in_charge", "at_most": {"mode": "elapsed", "duration": "P30D"}, **SOURCE},
    "deferral": {
        "approved_by": "leader_in_charge",
        "review": {"mode": "elapsed", "duration": "P30D", **SOURCE},
        **SOURCE,
    },
    "pause": {"reasons": [{"code": "third_party", "title_zh": "征求第三方意见"}], **SOURCE},
    **SOURCE,
}
RULES: Mapping[str, Any] = {
    "notice": {"parts": [{"code": "check", "title_zh": "自查", **SOURCE}], "to": "office", **SOURCE},
    "decisions": [{"decides": "meet", "who": ["leader_in_charge", "principal_leader"], "together": 2, **SOURCE}],
}
"""What the pack of the world has besides the county's own."""
CHAIN = {
    "code": "measure",
    "title_zh": "应急措施",
    "of": "measure",
    "steps": [{"code": "leader_in_charge", "title_zh": "分管领导审核", "who": ["leader_in_charge"], **SOURCE}],
    **SOURCE,
}


def policies(folder: Path) -> Path:
    """A folder of policies with the units of this world, and a pack that has a rule for every right."""
    shutil.copytree(ROOT / "policies", folder)
    pack = _read(folder / "county-default.yaml")
    pack |= {"id": "matrix", "version": "1", **RULES}
    pack["clocks"].append(LIMIT)
    pack["approval"]["chains"].append(CHAIN)
    (folder / "matrix.yaml").write_text(yaml.safe_dump(pack, allow_unicode=True))
    tree = _read(folder / "units.yaml")
    for unit, kind, parent in (
        ("east-clinic", "department", "town-east"),
        ("far-county", "county", "city"),
        ("far-town", "town", "far-county"),
    ):
        tree["units"].append({"unit": unit, "kind": kind, "name": unit, "parent": parent})
    # The county's leading group has heads of departments as members. They would have rights by two ways.
    tree["posts"] = [one for one in tree["posts"] if (one["post"], one.get("unit")) != ("leading_group", "county")]
    tree["posts"].append({"post": OF_NO_ROLE, "title": "文员", "roles": []})
    tree["packs"] = [{"unit": "city", "pack": "matrix"}]
    (folder / "units.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True))
    return folder


def _read(file: Path) -> Any:
    """The file with all scalars as text, as the product reads it."""
    return yaml.load(file.read_text(), yaml.BaseLoader)  # noqa: S506 It makes nothing but texts, lists and mappings.


@dataclass
class World:
    """The system, and the names of the records in it."""

    system: Embedded
    names: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """Unit -> the key of an integration of it, and `probe of` it -> that of a probe."""
    _tokens: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    _asked: int = 0

    def credential(self, unit: str, *callers: str) -> str:
        """What a caller of a unit sends, perhaps with several roles; empty for nobody. The first one is its post."""
        if callers == ("nobody",):
            return ""
        if callers == ("integration",):
            return self.keys[unit]
        if callers == ("probe",):
            return self.keys[f"probe of {unit}"]
        if (unit, callers) not in self._tokens:
            roles = [caller for caller in callers if caller != OF_NO_ROLE]
            self._tokens[unit, callers] = self.token(unit, callers[0], *roles)
        return self._tokens[unit, callers]

    def token(self, unit: str, post: str, *roles: str) -> str:
        """A token for a post with these roles."""
        settings = self.system.settings
        said = tokens.claims(settings.deployment, person=f"{post}@{unit}", unit=unit, post=post, roles=roles)
        return tokens.sign(SigningKey.read(signing.signing_key_file(settings)), said)

    async def ask(
        self, method: str, path: str, credential: str = "", body: bytes = b"", kind: str = "", seen: str = ""
    ) -> tuple[int, bytes]:
        """Status and body of the answer of the real application, without a client in between."""
        self._asked += 1
        headers = [(b"authorization", f"Bearer {credential}".encode())] if credential else []
        headers += [(b"content-type", kind.encode())] if kind else []
        headers += [(b"if-match", seen.encode())] if seen else []
        place, _, query = path.partition("?")
        # Every request is from another address: failures to sign in are counted by address.
        address = ".".join(str(self._asked >> bits & 255) for bits in (24, 16, 8, 0))
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": place, "raw_path": place.encode(), "query_string": quote(query, safe="=&").encode(),
            "root_path": "",
            "headers": [*headers, (b"content-length", str(len(body)).encode())],
            "client": (address, 1), "server": ("huiying", 80),
        }  # fmt: skip
        sent, answered = False, bytearray()
        status = 0

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await asyncio.Event().wait()  # The caller stays until the answer ends.
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                answered.extend(message.get("body", b""))

        assert self.system.app is not None
        await self.system.app(scope, receive, send)
        return status, bytes(answered)

    async def done(self, unit: str, role: str, method: str, path: str, /, **body: Any) -> Any:
        """The JSON of the answer to a request that must succeed. Staff verbs name the newest version."""
        credential, seen = self.credential(unit, role), ""
        record = path.rpartition("/")[0]
        kind = record.rpartition("/")[2].partition("-")[0]
        if method == "POST" and kind in ("incident", "statement", "review") and "escalation" not in path:
            _, found = await self.ask("GET", record, self.credential("city", "auditor"))
            seen = str(json.loads(found)["revision"])
        sent = json.dumps(body).encode() if method != "GET" else b""
        status, answer = await self.ask(method, path, credential, sent, "application/json" if sent else "", seen)
        assert status in (200, 201), (unit, role, path, status, answer.decode())
        return json.loads(answer)


async def _made(world: World) -> None:
    """The matter, its statements, limits and whatever else rights are asked over."""
    names, system = world.names, world.system
    own, now = UNITS["own"], system.time_source.now()
    for unit in UNITS.values():
        made = await world.done("city", "admin", "POST", "/ingest/v1/keys", unit=unit, name="hotline")
        world.keys[unit], names[f"key of {unit}"] = made["key"], made["id"]
        made = await world.done("city", "admin", "POST", "/ingest/v1/keys", unit=unit, scope="probe")
        world.keys[f"probe of {unit}"] = made["key"]
    report = {"unit": UNITS["received"], "channel": "hotline", "subject": "路面塌陷", "text": "人民路路面塌陷。"}
    report |= {"discovered_at": instant(now), "request": "请修复", "reply_ref": "留言板 42"}
    taken = await world.done(UNITS["received"], "integration", "POST", "/ingest/v1/reports", **report)
    names |= {"report": taken["report_id"], "receipt": taken["receipt"]}
    refused = ("POST", "/ingest/v1/imports?mapping=reports", world.keys[own], b'{"text": "no report"}', "text/csv")
    names["import"] = json.loads((await world.ask(*refused))[1].partition(b"\n")[0])["began"]["run"]
    at = f"/ingest/v1/reports/{names['report']}"
    file = ("POST", f"{at}/evidence", world.keys[UNITS["received"]], "现场情况".encode(), "text/plain")
    assert (await world.ask(*file))[0] == 201
    read = await world.done("city", "auditor", "GET", at)
    names["file"] = read["evidence"][0]["file"]
    await system.settle()
    found = await world.done("city", "auditor", "GET", f"/triage/v1/incidents?report_id={names['report']}")
    names["incident"] = incident = found["items"][0]["id"]

    async def act(unit: str, role: str, verb: str, /, **body: Any) -> Any:
        return await world.done(UNITS[unit], role, "POST", f"/triage/v1/incidents/{incident}/{verb}", **body)

    for before, after in (("received", "former"), ("former", "own")):
        await act(before, "chief", "transfer", unit=UNITS[after], reason="归口办理")
    await act("own", "duty_officer", "grade", level="major", reason="道路中断")
    await act("own", "duty_officer", "assign", unit=UNITS["assigned"])
    await act("own", "duty_officer", "request-verification", unit=UNITS["verifying"])
    await act("own", "duty_officer", "request-help", unit=UNITS["helping"])
    await act("assigned", "handler", "propose-measure", text="封闭路段")
    await act("verifying", "verifier", "establish-fact", key="inspected", kind="yes_no", value=True, source="现场")
    await act("verifying", "verifier", "establish-fact", key="danger", kind="yes_no", value=True, source="现场")
    other = {"unit": own, "subject": "停诊检修", "text": "停诊一天。", "place": "东镇卫生院"}
    names["other"] = (await world.done(own, "chief", "POST", "/triage/v1/incidents", **other))["id"]
    await system.settle()
    for name, kind, address in (
        ("channel", "webhook", "https://desk.example.gov.cn/in"),
        ("page", "by_hand", "公众号"),
    ):
        body = {"unit": own, "code": name, "kind": kind, "title": "县政府网站", "address": address}
        names[name] = (await world.done(own, "admin", "POST", "/publish/v1/channels", **body))["id"]
    for name, last in (("draft", 0), ("submitted", 1), ("approved", 3), ("published", 4)):
        draft = {
            "incident_id": incident,
            "kind": "status",
            "title": "处置情况",
            "text": f"正在抢修。{name}",
            "facts": ["danger"],
        }
        names[name] = (await world.done(own, "handler", "POST", "/publish/v1/statements", **draft))["id"]
        if name in PICTURED:
            names[PICTURED[name]] = await _pictured(world, names[name])
        steps = (("handler", "submit"), ("approver", "approve"), ("chief", "approve"), ("spokesperson", "publish"))
        for role, verb in steps[:last]:
            await world.done(own, role, "POST", f"/publish/v1/statements/{names[name]}/{verb}")
    names["scheduled"] = names["approved"]
    at = instant(now + timedelta(days=1))
    await world.done(own, "spokesperson", "POST", f"/publish/v1/statements/{names['approved']}/publish", at=at)
    limits = f"/escalation/v1/incidents/{incident}"
    told = {"to": "leader_in_charge", "form": "call", "text": "路面塌陷"}
    await world.done(own, "duty_officer", "POST", f"{limits}/report-upward", **told)
    noticed = {"text": "请自查", "due": instant(now + timedelta(days=7))}
    await world.done("county", "duty_officer", "POST", f"{limits}/give-notice", **noticed)
    decided = {"decides": "meet", "yes": True, "reason": "影响扩大", "took_part": [f"chief@{own}", f"approver@{own}"]}
    await world.done(own, "chief", "POST", f"{limits}/decide", **decided)
    soon, later = (instant(now + timedelta(days=2, hours=hours)) for hours in (0, 8))
    # It has not begun, so it gives nothing yet.
    given = {"from": f"approver@{own}", "to": f"{OF_NO_ROLE}@{own}", "since": soon, "until": later}
    await world.done(own, "chief", "POST", "/triage/v1/delegations", **given)
    (delegation,) = (await world.done(own, "chief", "GET", "/triage/v1/delegations"))["items"]
    names["delegation"] = delegation["delegation"]
    place = {"post": f"duty_officer@{own}", "address": "json://desk.example.gov.cn/notices"}
    names["place"] = (await world.done(own, "admin", "POST", "/escalation/v1/addresses", **place))["place"]
    begins, ends = (instant(now + timedelta(days=1, hours=hours)) for hours in (0, 8))
    duty = {"post": f"duty_officer@{own}", "since": begins, "until": ends}
    await world.done(own, "chief", "PUT", "/escalation/v1/roster", unit=own, duties=[duty])
    names |= {"duty": duty["since"], "now": instant(now), "soon": soon, "later": later, "list": "open", "lesson": "1"}
    names |= {"unit": own, "policy": "matrix@1"}
    names |= {"token": str(uuid.uuid4()), "pack": _next_version(system.settings.policies)}
    await world.done(own, "chief", "POST", "/triage/v1/periods/open", unit=own, period="special", reason="国庆")
    names["day"] = (now + timedelta(days=3)).date().isoformat()
    names["far"] = instant(now + timedelta(days=50))
    # A refusal is the only thing that audit itself records.
    timeline = f"/audit/v1/incidents/{incident}/timeline"
    assert (await world.ask("GET", timeline, world.credential(UNITS["sibling"], "auditor")))[0] == 403
    await _gap_told(world)
    await system.settle()
    for service, narrowed in (("ingest", "type=operation.key_made"), ("audit", f"unit={UNITS['sibling']}")):
        found = await world.done("city", "auditor", "GET", f"/audit/v1/events?{narrowed}")
        names[f"operation of {service}"] = found["items"][0]["subject"]
    found = await world.done("city", "auditor", "GET", f"/audit/v1/events?incident={incident}&limit=500")
    events = {one["type"].split(".", 1)[1].rpartition(".")[0]: one for one in found["items"]}
    names["event"] = events["incident.fact_established"]["id"]
    names["decision"] = events["clock.decision_proposed"]["data"]["decision"]
    names["clock"] = events["clock.decision_proposed"]["subject"]
    names["ref"] = events["incident.graded"]["data"]["reason"]["ref"]
    names["clock ref"] = events["clock.decision_proposed"]["data"]["reason"]["ref"]
    matters = await world.done("city", "admin", "GET", f"/triage/v1/packs/matters?incident={incident}")
    names["matter"] = matters["items"][0]
    names["letter"] = await _set_aside(system)
    drafted = await world.done("city", "auditor", "GET", f"/audit/v1/events?subject={names['draft']}")
    names["draft ref"] = drafted["items"][0]["data"]["title"]["ref"]
    found = {"incident": incident, "unit": own, "finding": "concealed_report", "events": [names["event"]]}
    made = await world.done("county", "auditor", "POST", "/audit/v1/findings", **found, reason="与记录不符")
    names["finding"] = made["id"]
    told = await world.done(own, "chief", "POST", "/audit/v1/statistics/circulations", unit=own, year=2025)
    names["circulation"] = told["event"]
    kept = await world.done(own, "chief", "POST", "/audit/v1/saved-queries", title="全部", state="open")
    names["query"] = kept["id"]
    to = {"address": "https://board.example/in", "types": ["review.adopted"]}
    subscribed = await world.done(own, "admin", "POST", "/audit/v1/subscriptions", **to)
    names["subscription"] = subscribed["id"]
    looked = {"unit": own, "since": "2026-01-01", "until": "2026-03-31", "scope": "来件答复"}
    opened = await world.done("county", "auditor", "POST", "/audit/v1/inspections", **looked)
    names["inspection"] = opened["id"]
    praised = {"unit": own, "post": "chief", "kind": "praise", "reason": "一小时回应"}
    proposed = await world.done("county", "auditor", "POST", "/audit/v1/referrals", **praised)
    names["referral"] = proposed["id"]
    names["exercises"] = "east-drill"
    placed = {"unit": "east-drill", "kind": "department", "name": "演练", "parent": own, "drill": True}
    await world.done("city", "admin", "POST", "/triage/v1/units/place-unit", **placed, reason="演练")
    await system.settle()
    rehearsed = {"unit": own, "scenario": EXAMPLE, "places": {"office": names["exercises"]}}
    begun = await world.done(own, "admin", "POST", "/audit/v1/drills", **rehearsed)
    names["drill"] = begun["id"]
    lecture: dict[str, Any] = {
        "kind": "lecture",
        "title": "讲座",
        "on": "2026-01-05",
        "minutes": 90,
        "posts": [f"chief@{own}"],
    }
    noted = await world.done(own, "chief", "POST", "/audit/v1/trainings", unit=own, **lecture)
    names["training"] = noted["id"]
    await _reviewed(world)
    await system.settle()
    await checkpoints.sign(system.runtimes["audit"])
    names |= {"level": "0", "tile": "000.p/1"}


async def _reviewed(world: World) -> None:
    """Drafts the review of the matter as audit's loop does it, and gives it a lesson. The matter goes on here."""
    audit, event = world.system.runtimes["audit"], world.names["event"]
    async with audit.database.read() as connection:
        size, _ = await queries.head(connection)
        row = await queries.event(connection, event, size)
    await drafting.draft(audit, [placed(row.position, row.bytes)], size)
    await world.system.settle()
    lesson = {"kind": "service", "unit": UNITS["own"], "post": f"handler@{UNITS['own']}", "text": "每周巡查"}
    at = f"/audit/v1/incidents/{world.names['incident']}/review/assign-lesson"
    await world.done(UNITS["own"], "chief", "POST", at, **lesson, due=world.names["far"])


async def _gap_told(world: World) -> None:
    """Waits for the timer that tells that nobody is on duty: it fires by itself."""
    async with asyncio.timeout(30):
        while not (await world.done(UNITS["own"], "duty_officer", "GET", "/triage/v1/desk/gaps"))["items"]:
            await asyncio.sleep(0.05)


async def _pictured(world: World, statement: str) -> str:
    """The name of a picture that a statement gets."""
    at, who = f"/publish/v1/statements/{statement}", world.credential(UNITS["own"], "handler")
    kind, form = picture_form()
    status, said = await world.ask("POST", f"{at}/files", who, form, kind, '"1"')
    assert status == 201, said
    return str((await world.done(UNITS["own"], "handler", "GET", at))["files"][0]["file"])


def picture_form(*, said: bool = True) -> tuple[str, bytes]:
    """Type and body of a form with a picture in which nobody can be recognised; perhaps with nothing said of it."""
    words = (("title", "", b"lamp"), ("persons", "", b"none")) if said else ()
    parts = (*words, ("file", '; filename="a.png"', PNG))
    told = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n'.encode()
        + (b"Content-Type: image/png\r\n" if more else b"")
        + b"\r\n"
        + content
        + b"\r\n"
        for name, more, content in parts
    ]
    return "multipart/form-data; boundary=b", b"".join((*told, b"--b--\r\n"))


async def _set_aside(system: Embedded) -> str:
    """The id of a dead letter that every service has."""
    record = Record("triage.incident", 0, 900_000, b"k", b"{")
    row = operations.dead_letter("audit", record, None, "undecodable", "no JSON", system.time_source.now())
    for runtime in system.runtimes.values():
        async with runtime.database.transaction() as connection:
            await sql.insert(connection, runtime.tables["dead_letters"], [row])
    return str(row["id"])


def _next_version(policies: Path) -> str:
    """The text of the next version of the county's pack."""
    return (policies / "county-default.yaml").read_text().replace("version: 2", "version: 3", 1)


class _Undone(Exception):
    """Ends a transaction without a trace."""


@asynccontextmanager
async def standing_still(system: Embedded) -> AsyncIterator[None]:
    """Meanwhile, nothing is kept of what is asked."""
    transaction = Database.transaction

    @asynccontextmanager
    async def undone(database: Database, *args: Any, **more: Any) -> AsyncIterator[AsyncConnection]:
        try:
            async with transaction(database, *args, **more) as connection:
                yield connection
                raise _Undone  # noqa: TRY301 This is how a transaction is rolled back.
        except _Undone:
            pass

    for task in system._tasks:
        task.cancel()
    with mock.patch.object(Database, "transaction", undone), mock.patch.object(sign_in, "FRESH", 3600.0):
        yield


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """The world, until the end of the block."""
    settings = Settings(data=folder / "data", policies=policies(folder / "policies"))
    async with running(settings) as system:
        made = World(system)
        await _made(made)
        async with standing_still(system):
            yield made
