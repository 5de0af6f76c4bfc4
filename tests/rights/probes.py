"""What each operation is asked: the body of its own example, changed where it must name the world's records.

A list is readable for a caller if it shows what is looked for.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.kernel.settings import ROOT
from tests.rights.world import UNITS, World, picture_form

METHODS = ("get", "put", "post", "patch", "delete")
OWN, OTHER = UNITS["own"], UNITS["assigned"]
BODIES: Mapping[str, Mapping[str, Any]] = {
    "eraseWordsOfIngest": {"stream": "{operation of ingest}"},
    "eraseWordsOfTriage": {"stream": "{incident}", "refs": ["{ref}"]},
    "eraseWordsOfEscalation": {"stream": "{clock}", "refs": ["{clock ref}"]},
    "eraseWordsOfPublish": {"stream": "{draft}", "refs": ["{draft ref}"]},
    "sendReport": {"discovered_at": "{now}"},
    "sendReports": {"discovered_at": "{now}"},
    "sendEvents": {"time": "{now}"},
    "previewReport": {"discovered_at": "{now}"},
    "measureReach": {"measured_at": "{now}"},
    "requestVerification": {"due": "{soon}"},
    "establishFact": {"key": "inspected"},
    "mergeIncident": {"into": "{other}"},
    "linkIncident": {"to": "{other}"},
    "splitIncident": {"reports": ["{report}"]},
    "declineRound": {"report": "{report}"},
    "movePolicy": {"pack": "matrix@1"},
    "nameOfficer": {"post": f"handler@{OWN}"},
    "giveDelegation": {"from": f"approver@{OWN}", "to": f"chief@{OWN}", "since": None, "until": "{soon}"},
    "askSimilar": {"unit": OWN},
    "loadPack": {"text": "{pack}", "lessons": []},
    "checkPack": {"text": "{pack}"},
    "runCases": {"text": "{pack}"},
    "explainPack": {"text": "{pack}", "matter": "{matter}"},
    "dryRunPack": {"text": "{pack}", "matters": ["{matter}"]},
    "placeUnit": {"parent": OWN, "unit": "east-school"},
    "endUnit": {"unit": UNITS["child"]},
    "placePost": {"unit": OWN},
    "endPost": {"post": f"information_officer@{OWN}"},
    "assignPack": {"pack": "county-default@2", "unit": OWN, "since": None},
    "setValue": {"pack": "county-default@2", "unit": OWN, "place": "review.written_report.limit"},
    "setDays": {"unit": OWN, "since": "{day}", "until": "{day}"},
    "openPeriod": {"unit": OWN, "since": None},
    "closePeriod": {"unit": OWN, "until": None},
    "recordLesson": {"incident": "{incident}"},
    "setAddress": {"address": "json://desk.example.gov.cn/others"},
    "confirmDecision": {"decision": "{decision}"},
    "giveNotice": {"due": "{soon}"},
    "planDuties": {"duties": [{"post": f"handler@{OWN}", "since": "{soon}", "until": "{later}"}]},
    "cancelDuty": {"since": "{duty}"},
    "nameSubstitute": {"since": "{duty}"},
    "readStatus": {"code": "{receipt}"},
    "draftStatement": {"incident_id": "{incident}", "kind": "status", "facts": []},
    "previewDraft": {"incident_id": "{incident}"},
    "callConference": {"at": "{soon}"},
    "postponeConference": {"at": "{soon}"},
    "holdConference": {"statement": "{published}"},
    "logContact": {"statement": "{published}"},
    **{
        operation: {"clock": "on_time", "due": "{far}"}
        for operation in ("setLimit", "requestExtension")
    },
    **{
        operation: {"clock": "on_time"}
        for operation in (
            "decideExtension", "pauseLimit", "resumeLimit", "tellAsker", "decideDeferral", "annulBreach",
        )
    },
    "requestDeferral": {"review": "{soon}"},
    "publishStatement": {"at": None},
    "openForm": {"unit": OWN},
    "placeChannel": {"unit": OWN, "code": "another"},
    "confirmDelivery": {"channel": "{page}"},
    "coverPersons": {"file": "{picture}"},
    "detachFile": {"file": "{picture}"},
    "correctStatement": {"attachments": None},
    "retryDelivery": {"channel": "{channel}"},
    "circulateTable": {"unit": OWN, "year": 2025},
    "beginDrill": {"unit": OWN, "places": {"office": "{exercises}"}},
    "recordTraining": {"unit": OWN, "posts": [f"chief@{OWN}"]},
    "commentAnalysis": {"unit": OWN},
    "adoptReview": {"edition": 1},
    "conveneEvaluation": {"members": [f"chief@{OWN}"], "units": [OWN]},
    "recordEvaluation": {"took_part": [f"chief@{OWN}"]},
    "assignLesson": {"unit": OWN, "post": f"handler@{OWN}", "due": "{far}"},
    "proposeFinding": {"incident": "{incident}", "unit": OWN, "events": ["{event}"]},
    "proposeReferral": {"unit": OWN, "post": "approver", "kind": "praise", "findings": []},
    "makeSubscription": {"types": ["report.received"]},
    "eraseWordsOfAudit": {"stream": "{operation of audit}"},
}  # fmt: skip
"""Operation -> what its body has instead of the example's; None leaves a field out. `{name}` is a record."""
STATEMENTS = {
    "approveStatement": "submitted",
    "rejectStatement": "submitted",
    "checkStatement": "submitted",
    "passStatementOn": "submitted",
    "publishStatement": "approved",
    "unscheduleStatement": "scheduled",
    "correctStatement": "published",
    "withdrawStatement": "published",
    "confirmDelivery": "published",
    "retryDelivery": "published",
    "showStatement": "published",
    "readManifest": "published",
    "readCode": "published",
}
"""Operation -> the statement over which it is asked; else the draft."""
PATHS = {
    "incidents": "incident",
    "reports": "report",
    "receipts": "receipt",
    "forms": "unit",
    "keys": f"key of {OWN}",
    "statements": "draft",
    "press": "incident",
    "cap": "published",
    "events": "event",
    "findings": "finding",
    "circulations": "circulation",
    "saved-queries": "query",
    "subscriptions": "subscription",
    "inspections": "inspection",
    "drills": "drill",
    "trainings": "training",
    "referrals": "referral",
    "evidence": "file",
    "files": "picture",
    "delegations": "delegation",
    "addresses": "place",
    "channels": "channel",
    "tokens": "token",
    "lessons": "lesson",
    "desk": "list",
    "units": "unit",
    "packs": "policy",
    "dead-letters": "letter",
    "entries": "tile",
    "tile": "level",
    "0": "tile",
}
"""Part of a path -> the record that stands behind it."""
QUERIES = {
    "importReports": f"mapping=reports&unit={OWN}",
    "listDays": f"unit={OWN}",
    "listAddresses": f"unit={OWN}",
    "listChannels": f"unit={OWN}",
    "listSurges": f"unit={OWN}",
    "listOutgoingNotices": f"unit={OWN}",
    "readPeriodEffect": f"unit={OWN}&period=special",
    "readRoster": f"unit={OWN}",
    "exportRoster": f"unit={OWN}",
    "listClocks": "incident={incident}",
    "listEvents": "incident={incident}",
    "listStatements": "incident={incident}",
    "listTemplates": "incident={incident}",
    "followChanges": "after=0",
    "exportMatters": "format=ndjson",
    "readStatistics": f"unit={OWN}",
    "exportStatistics": f"unit={OWN}",
    "readDutyDesk": f"unit={OWN}",
    "listTrainedPosts": f"unit={OWN}&year=2026",
    "readYear": f"unit={OWN}",
    "readAnalysis": f"unit={OWN}",
    "readEvidence": "purpose=核对",
    "proveInclusion": "event_id={event}",
    "readInclusion": "event_id={event}",
    "proveConsistency": "old=1",
    "searchMatters": "words=路面塌陷&purpose=核对",
}
SHOWS = {
    "listIncidents": "{incident}",
    "listReports": "{report}",
    "searchMatters": "{incident}",
    "followChanges": "{incident}",
    "listMatters": "{incident}",
    "exportMatters": "{incident}",
    "listFindings": "{finding}",
    "listSavedQueries": "{query}",
    "listSubscriptions": "{subscription}",
    "listInspections": "{inspection}",
    "listDrills": "{drill}",
    "listTrainings": "{training}",
    "listReferrals": "{referral}",
    "listLessonsOfReviews": "{incident}",
    "readStatistics": f'"unit":"{OWN}"',
    "listCirculations": "{circulation}",
    "listClocks": '"clock":"on_time"',
    "listReportsOwed": "{incident}",
    "listReportsToConfirm": "{incident}",
    "listStatements": "{draft}",
    "listDeliveries": "{channel}",
    "listReplies": "{report}",
    "listDesk": "{incident}",
    "listGaps": f'"unit":"{OWN}"',
    "listKeys": f"{{key of {OWN}}}",
    "listImports": "{import}",
    "listDelegations": "{delegation}",
    "countHandovers": f'"unit":"{OTHER}"',
    "countDesk": '"open":2',
}
"""Operation -> what its answer shows where the caller may read it."""


UNKNOWN = ("words-unknown", "lesson-unknown", "message-unreadable")
"""What a caller with the right is told of: the world has no such words, no lesson, and no message of a deployment."""


@dataclass(frozen=True)
class Probe:
    """One operation, as it is asked in the world."""

    operation: str
    method: str
    path: str
    kind: str = ""
    body: bytes = b""
    shows: str = ""

    @property
    def verb(self) -> str:
        """The last part of the path."""
        return self.path.partition("?")[0].rpartition("/")[2]

    async def allowed(self, world: World, unit: str, *callers: str) -> bool:
        """Whether a caller with all these roles is let in: nobody says that it may not, or that there is no such thing.

        What the state or the version refuses afterwards was allowed. A body that is refused is a fault of the probe.
        """
        credential = world.credential(unit, *callers)
        status, answer = await world.ask(self.method, self.path, credential, self.body, self.kind)
        said = answer.decode(errors="replace")
        if status == 422 and json.loads(said)["type"].rpartition(":")[2] in UNKNOWN:
            return True
        if self.operation == "sendReports" and status == 200:
            status = json.loads(said)["status"]
        if status in (401, 403, 404):
            return False
        assert status in (200, 201, 409, 412, 428), (self, status, said[:500])
        return self.shows in said


def operations() -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    """Method, path and description of every operation of every document, with the document."""
    for file in sorted(Path(ROOT / "schemas/openapi").glob("*.json")):
        document = json.loads(file.read_text())
        for path, methods in document["paths"].items():
            if path.startswith("/open311/"):
                continue  # its key stands in a form or a query; `tests/ingest/test_open311.py` asks who may do what
            yield from ((method, path, methods[method], document) for method in METHODS if method in methods)


def probes(names: Mapping[str, Any]) -> list[Probe]:
    """The question for each operation, with the names of the world's records."""
    found = []
    for method, path, described, document in operations():
        operation = described["operationId"]
        kind, body = _body(operation, described, document, names)
        query = QUERIES.get(operation, "").format_map(names)
        place = f"{_placed(operation, path, names)}{'?' if query else ''}{query}"
        shows = SHOWS.get(operation, "").format_map(names)
        found.append(Probe(operation, method.upper(), place, kind, body, shows))
    return found


def _placed(operation: str, path: str, names: Mapping[str, Any]) -> str:
    parts = path.split("/")
    for at, part in enumerate(parts):
        if part.startswith("{"):
            of = parts[at - 1]
            name = STATEMENTS.get(operation, PATHS[of]) if of == "statements" else PATHS[of]
            name = "public picture" if operation == "readPublicFile" else name
            parts[at] = names[name] + part.rpartition("}")[2]
    return "/".join(parts)


def _body(
    operation: str, described: Mapping[str, Any], document: Mapping[str, Any], names: Mapping[str, Any]
) -> tuple[str, bytes]:
    if operation == "attachEvidence":
        return "text/plain", "现场情况".encode()
    if operation == "previewEvidence":
        return picture_form(said=False)
    if operation == "attachFile":
        return picture_form()
    for kind, content in described.get("requestBody", {}).get("content", {}).items():
        schema = content["schema"]
        named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        example = content.get("example") or (named.get("examples") or [{}])[0]
        body = json.loads(example) if isinstance(example, str) else example
        body = {name: value for name, value in {**body, **BODIES.get(operation, {})}.items() if value is not None}
        return kind, json.dumps(_filled(body, names)).encode()
    return "", b""


def _filled(value: Any, names: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return names[value[1:-1]] if value.startswith("{") else value
    if isinstance(value, list):
        return [_filled(one, names) for one in value]
    if isinstance(value, dict):
        return {name: _filled(one, names) for name, one in value.items()}
    return value
