"""Triage through HTTP, on a real SQLite file: from reports to closed incidents."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from schemas.envelope import Event
from schemas.fields import instant
from schemas.ingest import ReportErased, ReportReachMeasured
from schemas.offices import UnitPlaced
from schemas.publish import StatementPublished
from schemas.triage import IncidentLevelsKnown
from services.kernel.core.ids import derived
from services.kernel.serving.commands import Answer, Caller, transact
from services.triage.offices import setup
from services.triage.offices.office_commands import PlaceUnits
from services.triage.offices.packs import POLICIES
from services.triage.offices.units import TREE
from services.triage.rights import VERBS
from tests.triage.conftest import Triage


def problem(answer: httpx.Response, status: int, *parts: str) -> dict[str, object]:
    """Checks a problem's status and that its sentence or its members hold the parts."""
    body: dict[str, object] = answer.json()
    assert answer.status_code == status, body
    assert answer.headers["content-type"] == "application/problem+json"
    for part in parts:
        assert part in str(body["detail"]) or part in body.values()
    return body


async def done(triage: Triage, id_: str, *steps: tuple[str, str, str, object]) -> None:
    """Sends verbs in order: verb, role, unit, body. A reply gets its approvals."""
    for verb, role, unit, body in steps:
        answer = await triage.ask(id_, verb, body, role=role, unit=unit)
        assert answer.status_code == 200, (verb, answer.text)
        if verb == "reply":
            await triage.agree(id_)


ACTS = ("explain", "reply", "solve", "leave-unsolved", "explain-delay", "receive-material")
VERIFIED = ("conclude-verification", "verifier", "town-east", {"outcome": "confirmed", "text": "inspected"})
REVIEWED = ("review-screening", "chief", "town-east", {"upheld": True, "reason": "r"})
HANDLED = (
    ("assign", "duty_officer", "town-east", {"unit": "county-roads", "reason": "in charge of roads"}),
    ("accept", "handler", "county-roads", None),
    ("solve", "handler", "county-roads", {"text": "filled"}),
    ("reply", "handler", "county-roads", {"text": "answered by letter"}),
    ("resolve", "handler", "county-roads", {"reason": "both done"}),
)


async def test_a_report_opens_an_incident_and_a_further_one_joins_it(triage: Triage) -> None:
    first, second = triage.report("a", match_key="pothole"), triage.report("b", match_key="pothole")
    other, elsewhere = triage.report("c"), triage.report("d", match_key="pothole", unit="town-west")
    await triage.take(first, second, other, elsewhere)
    items = (await triage.get("incidents")).json()["items"]
    assert sorted((item["unit"], item["report_count"]) for item in items) == [
        ("town-east", 1),
        ("town-east", 2),
        ("town-west", 1),
    ]
    by_report = [(await triage.get("incidents", report_id=r.stream)).json()["items"] for r in (first, second)]
    assert by_report[0] == by_report[1]
    id_ = by_report[0][0]["id"]
    opened, attached = await triage.events(id_)
    assert opened.data.report == first.stream
    assert opened.data.discovered_at == first.data.discovered_at
    assert opened.causation == first.id
    assert attached.basis == (f"{second.stream}@1",)
    assert (opened.actor, opened.unit) == ("system", "town-east")


async def test_a_repeated_report_opens_nothing_twice(triage: Triage) -> None:
    report = triage.report("a")
    await triage.take(report)
    triage.offsets.clear()
    await triage.take(report)
    assert len((await triage.get("incidents")).json()["items"]) == 1


async def test_what_was_entered_late_is_listed_for_a_reviewer(triage: Triage) -> None:
    usual = await triage.open("a")
    late = await triage.open("b", entered_late=True)
    assert await triage.open("c", match_key="a", entered_late=True) == usual
    await triage.open("d")

    async def listed(**query: str) -> list[str]:
        return [item["id"] for item in (await triage.get("incidents", "county", "auditor", **query)).json()["items"]]

    assert sorted(await listed(entered_late="true")) == sorted([usual, late])
    assert len(await listed(entered_late="false")) == 1
    shown = (await triage.get(f"incidents/{usual}")).json()
    assert (shown["entered_late"], [one["entered_late"] for one in shown["reports"]]) == (True, [False, True])
    answer = await triage.ask(usual, "split", {"reports": [shown["reports"][1]["id"]]}, role="chief")
    [opened] = await triage.events(answer.json()["into"])
    assert opened.data.entered_late


async def test_a_matter_of_which_nothing_is_answered_ends_with_its_reason_and_is_listed_for_review(
    triage: Triage,
) -> None:
    first, second = triage.report("a", match_key="pothole"), triage.report("b", match_key="pothole")
    await triage.take(first, second)
    [item] = (await triage.get("incidents", report_id=first.stream)).json()["items"]
    refusals = triage.refusal(first, "an advertisement"), triage.refusal(second, "sent twice")
    await triage.take(refusals[0])
    assert (await triage.get(f"incidents/{item['id']}")).json()["state"] == "open"
    await triage.take(refusals[1])
    await triage.say("an advertisement", "sent twice")
    assert await triage.kinds(item["id"]) == ["opened", "report_attached", *["report_refused"] * 2, "screened"]
    last = (await triage.events(item["id"]))[-1]
    assert (last.basis, last.causation, last.actor) == ((f"{second.stream}@2",), refusals[1].id, "system")
    shown = (await triage.get(f"incidents/{item['id']}")).json()
    assert (shown["state"], shown["ball"]["for"]) == ("open", "review"), "limits go on until another post agrees"
    await done(triage, item["id"], REVIEWED)
    last = (await triage.events(item["id"]))[-1]
    shown = (await triage.get(f"incidents/{item['id']}")).json()
    assert [report["refused"]["reason"] for report in shown["reports"]] == ["an advertisement", "sent twice"]
    assert shown["dismissed_at"] == last.recorded_text
    # the office above reviews, and may reopen the matter
    answer = await triage.get("incidents", "county", "auditor", state="dismissed")
    [listed] = answer.json()["items"]
    assert (listed["id"], listed["refusal"]["reason"]) == (item["id"], "sent twice")
    problem(
        await triage.ask(item["id"], "grade", {"level": "major", "reason": "r"}, role="duty_officer"), 409, "reopen"
    )
    await done(triage, item["id"], ("reopen", "chief", "county", {"reason": "no advertisement"}))
    shown = (await triage.get(f"incidents/{item['id']}")).json()
    assert (shown["state"], shown["dismissed_at"]) == ("open", None)
    # a repeated event changes nothing
    await triage.lose_the_place()
    await triage.take(first, second, *refusals)
    assert (await triage.get(f"incidents/{item['id']}")).json()["state"] == "open"


async def test_a_report_that_is_refused_with_others_in_the_same_batch_ends_the_matter(triage: Triage) -> None:
    report = triage.report("a")
    await triage.take(report, triage.refusal(report))
    [item] = (await triage.get("incidents", report_id=report.stream)).json()["items"]
    await done(triage, item["id"], REVIEWED)
    [item] = (await triage.get("incidents", report_id=report.stream)).json()["items"]
    assert item["state"] == "dismissed"
    assert (await triage.events(await triage.open("b", match_key="a")))[0].data.relates_to == item["id"]


async def test_a_refusal_goes_where_its_report_is(triage: Triage) -> None:
    a, report = await triage.open("a", match_key="m"), triage.report("b", match_key="m")
    await triage.take(report)
    b = await triage.open("c")
    await done(triage, a, ("merge", "chief", "county", {"into": b}))
    new = (await triage.ask(b, "split", {"reports": [report.stream]}, role="chief")).json()["into"]
    await triage.take(triage.refusal(report))
    assert [(await triage.kinds(id_))[-1] for id_ in (new, a)] == ["screened", "merged"]


async def test_who_had_a_part_where_a_merged_matter_goes_on_reads_the_merged_one_as_it_was(triage: Triage) -> None:
    a, b = await triage.open("a"), await triage.open("b")
    await done(triage, b, *(("instruct", "chief", "town-east", {"text": "t"}) for _ in range(4)))
    await done(triage, b, ("transfer", "chief", "county", {"unit": "town-west", "reason": "r"}))
    further = await triage.open("c", unit="county-roads")
    await done(triage, a, ("merge", "chief", "county", {"into": b}))
    await done(triage, further, ("merge", "chief", "county", {"into": b}))
    assert (await triage.get(f"incidents/{further}", "town-east")).status_code == 404, "its part ended before"
    await done(triage, b, ("transfer", "chief", "county", {"unit": "county-roads", "reason": "r"}))
    for unit in ("county", "town-east", "town-west", "county-roads"):
        found = (await triage.get(f"incidents/{a}", unit)).json()
        assert (found["state"], found["report_count"], len(found["reports"])) == ("merged", 1, 1), unit


async def test_the_earliest_discovery_of_all_reports_counts_also_in_a_merger(triage: Triage) -> None:
    a, b = await triage.open("a", match_key="m"), await triage.open("b")
    early = triage.runtime.time_source.now() - timedelta(hours=2)
    report = triage.report("paper", match_key="m", discovered_at=early)
    await triage.take(report)
    for unit in ("county", "town-east"):
        assert (await triage.get(f"incidents/{a}", unit)).json()["discovered_at"] == instant(early)
    await done(triage, a, ("transfer", "chief", "county", {"unit": "town-west", "reason": "r"}))
    assert (await triage.get(f"incidents/{a}", "town-east")).json()["discovered_at"] == instant(early), "as it stood"
    await done(triage, a, ("grade", "duty_officer", "county", {"level": "major", "reason": "r"}))
    await done(triage, a, ("merge", "chief", "county", {"into": b}))
    absorbed, graded = (await triage.events(b))[1:3]
    assert (absorbed.data.discovered_at, graded.data.known_at) == (early, early)
    assert (await triage.get(f"incidents/{b}")).json()["discovered_at"] == instant(early)


async def test_where_a_matter_that_was_entered_late_goes_on_is_listed_for_a_reviewer(triage: Triage) -> None:
    a, b = await triage.open("a", match_key="m"), await triage.open("b")
    await triage.take(triage.report("paper", match_key="m", entered_late=True))
    await done(triage, a, ("merge", "chief", "county", {"into": b}))
    listed = (await triage.get("incidents", entered_late="true")).json()["items"]
    assert {item["id"] for item in listed} == {a, b}


async def test_an_exercise_never_joins_a_real_matter(triage: Triage) -> None:
    real = await triage.open("a", match_key="pothole")
    assert await triage.open("b", match_key="pothole", drill=True) != real


@pytest.mark.requirement("TRI-04", "TRI-05", "TRI-10", "TRI-17")
async def test_a_matter_from_report_to_close(triage: Triage) -> None:
    id_ = await triage.open()
    await done(
        triage,
        id_,
        ("request-verification", "duty_officer", "town-east", {"unit": "county-water", "text": "is it the main?"}),
        (
            "establish-fact",
            "verifier",
            "county-water",
            {"key": "confirmed", "kind": "yes_no", "value": True, "source": "inspection"},
        ),
        ("classify", "duty_officer", "town-east", {"answer_kind": "status"}),
        ("grade", "duty_officer", "county", {"level": "major", "reason": "the street is closed"}),
        ("instruct", "chief", "town-east", {"text": "today"}),
        ("conclude-verification", "verifier", "county", {"outcome": "confirmed", "text": "inspected"}),
        *HANDLED,
        ("follow-up", "handler", "town-east", {"text": "still dry"}),
        ("close", "chief", "town-east", {"reason": "over"}),
    )
    answer = await triage.get(f"incidents/{id_}")
    found = answer.json()
    assert answer.headers["etag"] == f'"{found["version"]}"'
    assert (found["state"], found["level"], found["answer_kind"]) == ("closed", "major", "status")
    assert found["facts"] == [
        {
            "incident": id_,
            "key": "confirmed",
            "kind": "yes_no",
            "value": True,
            "source": "inspection",
            "established_at": found["facts"][0]["established_at"],
            "revised_at": None,
        }
    ]
    assert [(note["track"], note["text"], note["unit"]) for note in found["handling"]] == [
        ("problem", "filled", "county-roads"),
        ("answer", "answered by letter", "county-roads"),
    ]
    assert "today" in [note["text"] for note in found["notes"]]
    assert found["version"] == 16
    graded = next(event for event in await triage.events(id_) if event.type == "huiying.incident.graded.v1")
    assert graded.policy is not None
    assert graded.policy.startswith("county-default@2#")
    assert graded.actor == "duty_officer@county"
    assert {at.partition("@")[0] for at in graded.basis} == {TREE, POLICIES}


@pytest.mark.requirement("TRI-05")
async def test_figures_propose_and_a_person_judges(triage: Triage) -> None:
    a, b = triage.report("a", match_key="pothole"), triage.report("b", match_key="pothole")
    await triage.take(a, b)
    at = datetime(2026, 3, 2, tzinfo=UTC)
    old = ReportReachMeasured(clicks=2000, comments=7, measured_at=at - timedelta(days=1))
    await triage.take(triage.event(a.stream, ReportReachMeasured(clicks=1500, measured_at=at), service="ingest"))
    await triage.take(triage.event(a.stream, old, service="ingest"))
    await triage.take(triage.event(b.stream, ReportReachMeasured(shares=20, measured_at=at), service="ingest"))
    [item] = (await triage.get("incidents")).json()["items"]
    found = (await triage.get(f"incidents/{item['id']}")).json()
    basis = [f"{a.stream}@3", f"{b.stream}@2"]
    assert found["reach"] == {
        "clicks": 2000, "comments": 7, "mainstream_sites": None, "shares": 20, "basis": sorted(basis)
    }  # fmt: skip
    [counts] = [report["counts"] for report in found["reports"] if report["id"] == a.stream]
    assert [(one["clicks"], one["comments"], one["measured_at"]) for one in counts] == [
        (2000, 7, instant(at - timedelta(days=1))),
        (1500, None, instant(at)),
    ]
    [newest] = [report["reach"] for report in found["reports"] if report["id"] == a.stream]
    assert (newest["clicks"], newest["comments"], newest["measured_at"]) == (1500, 7, instant(at))
    assert found["proposed"] == {"level": "major", "rule": "major/clicks"}
    await done(triage, item["id"], ("grade", "duty_officer", "county", {"level": "general", "reason": "old news"}))
    graded = (await triage.events(item["id"]))[-1]
    assert (graded.data.level, graded.data.proposed, graded.data.rule) == ("general", "major", "major/clicks")
    assert set(basis) <= set(graded.basis)


async def test_flags_harm_and_doubt_are_shown_with_who_judged_and_why(triage: Triage) -> None:
    id_ = await triage.open()
    await done(
        triage,
        id_,
        ("set-flag", "duty_officer", "county", {"flag": "food", "reason": "a canteen"}),
        ("set-flag", "duty_officer", "county", {"flag": "public", "reason": "many ask"}),
        ("clear-flag", "duty_officer", "county", {"flag": "public", "reason": "few ask"}),
        ("judge-harm", "duty_officer", "county", {"harm": 1, "reason": "a queue"}),
        ("judge-harm", "duty_officer", "county", {"harm": 2, "reason": "two were hurt"}),
        ("judge-doubt", "duty_officer", "county", {"doubtful": True, "reason": "unclear"}),
        ("categorize", "duty_officer", "county", {"category": "utilities.water", "reason": "the main"}),
    )
    found = (await triage.get(f"incidents/{id_}")).json()
    [flag] = found["flags"]
    assert (flag["flag"], flag["by"], flag["reason"]) == ("food", "duty_officer@county", "a canteen")
    assert (found["harm"]["harm"], found["harm"]["reason"]) == (2, "two were hurt")
    assert (found["doubt"]["doubtful"], found["doubt"]["reason"]) == (True, "unclear")
    assert (found["category"], found["notes"][-1]["text"]) == ("utilities.water", "the main")
    assert found["proposed"] == {"level": "major", "rule": "major/subject"}
    known = [event.data for event in await triage.events(id_) if isinstance(event.data, IncidentLevelsKnown)]
    set_at = (await triage.events(id_))[1].time
    assert [[(one.level, one.known_at) for one in data.levels] for data in known] == [[("major", set_at)]]
    assert found["levels_known"] == [{"level": "major", "known_at": instant(set_at)}]
    refused = await triage.ask(id_, "judge-harm", {"harm": 7, "reason": "r"}, role="duty_officer")
    assert problem(refused, 422, "its steps are 0, 1, 2, 3")["known"] == [0, 1, 2, 3]


@pytest.mark.requirement("PUB-01")
async def test_a_grading_says_since_when_figures_made_the_matter_so(triage: Triage) -> None:
    report = triage.report("a")
    await triage.take(report)
    at = datetime(2026, 3, 2, tzinfo=UTC)
    for hour, clicks in ((9, 5000), (2, 1200), (1, 10)):
        measured = ReportReachMeasured(clicks=clicks, measured_at=at + timedelta(hours=hour))
        await triage.take(triage.event(report.stream, measured, service="ingest"))
    [item] = (await triage.get("incidents")).json()["items"]
    for level in ("general", "major", "extraordinary"):
        await done(triage, item["id"], ("grade", "duty_officer", "county", {"level": level, "reason": "figures"}))
    known = [event.data.known_at for event in (await triage.events(item["id"]))[-3:]]
    assert known == [None, at + timedelta(hours=2), at + timedelta(hours=9)]


@pytest.mark.requirement("TRI-17")
async def test_resolving_with_one_track_names_the_other(triage: Triage) -> None:
    id_ = await triage.open()
    await done(triage, id_, ("solve", "handler", "town-east", {"text": "filled"}))
    answer = await triage.ask(id_, "resolve", {"reason": "done"}, role="handler", unit="town-east")
    assert problem(answer, 409, "explain, reply or publish the facts")["missing"] == ["answer"]


async def test_a_published_statement_of_facts_is_the_answer_once(triage: Triage) -> None:
    id_ = await triage.open()
    by, statement = "0" * 64, f"statement-{derived('statement')}"

    def published(kind: str) -> StatementPublished:
        return StatementPublished.model_validate(
            {"incident": id_, "unit": "town-east", "kind": kind, "title": "Mended", "text": "It is mended.", "by": by}
        )

    status = triage.event(f"statement-{derived('status')}", published("status"), service="publish")
    await triage.take(status, triage.event(statement, published("facts"), service="publish"))
    await triage.take(triage.event(statement, published("facts"), service="publish"))
    found = (await triage.get(f"incidents/{id_}")).json()
    assert [(note["track"], note["statement"]) for note in found["handling"]] == [("answer", statement)]
    assert found["handled"]["answer"]
    assert found["version"] == 0


async def test_the_version_that_was_seen_is_asked_for(triage: Triage) -> None:
    id_ = await triage.open()
    body = {"level": "major", "reason": "r"}
    problem(await triage.ask(id_, "grade", body, role="duty_officer", version=None), 428, "If-Match")
    assert (await triage.ask(id_, "grade", body, role="duty_officer", version='"0"')).headers["etag"] == '"1"'
    for number, tag in enumerate(('W/"1"', '"2-gzip"', '"3-br"'), 2):
        body["level"] = ("major", "general")[number % 2 == 0]
        again = await triage.ask(id_, "grade", body, role="duty_officer", version=tag)
        assert again.headers["etag"] == f'"{number}"', "a proxy that compresses changes the tag"
    body["level"] = "major"
    assert (
        problem(await triage.ask(id_, "grade", body, role="duty_officer", version=0), 412, "is at version 4")["version"]
        == 4
    )


async def test_a_report_that_joins_makes_no_page_stale(triage: Triage) -> None:
    id_ = await triage.open("a", match_key="pothole")
    assert await triage.open("b", match_key="pothole") == id_
    answer = await triage.ask(id_, "classify", {"answer_kind": "answer"}, role="duty_officer", version=0)
    assert answer.json()["version"] == 1


async def test_accepting_takes_no_body_or_an_empty_one(triage: Triage) -> None:
    for name, body in (("a", None), ("b", {})):
        id_ = await triage.open(name)
        await done(triage, id_, HANDLED[0])
        assert (await triage.ask(id_, "accept", body, role="handler", unit="county-roads")).status_code == 200


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("grade", {"level": "terrible", "reason": "r"}, "level"),
        ("grade", {"level": "major"}, "reason"),
        ("grade", {"level": "major", "reason": "   "}, "reason"),
        ("grade", {"level": "major", "reason": "r" * 10_001}, "reason"),
        ("grade", {"level": "major", "reason": "r", "author": "someone"}, "author"),
        ("classify", {"answer_kind": "hype"}, "answer_kind"),
        ("categorize", {"category": "gossip"}, "category"),
        ("assign", {"unit": "nowhere"}, "unit"),
        ("transfer", {"unit": "town-west"}, "reason"),
        ("establish-fact", {"key": "k", "kind": "number", "value": "7", "source": "s"}, "value"),
        ("record-handling", {"track": "both", "text": "t"}, "track"),
        ("merge", {"into": "report-1"}, "into"),
        ("merge", {"into": f"incident-{derived('none')}"}, "into"),
        ("split", {"reports": []}, "reports"),
        ("accept", {"unit": "county"}, "unit"),
        ("follow-up", None, "body"),
    ],
)
async def test_a_malformed_body_is_refused_by_name(triage: Triage, verb: str, body: object, field: str | None) -> None:
    id_ = await triage.open()
    role = "duty_officer" if verb in ("grade", "assign", "classify", "categorize") else "chief"
    assert problem(await triage.ask(id_, verb, body, role=role), 422).get("field") == field
    assert len(await triage.events(id_)) == 1


async def test_what_is_not_there_is_404(triage: Triage) -> None:
    for id_ in ("incident-7", TREE, POLICIES, f"incident-{derived('none')}"):
        problem(await triage.get(f"incidents/{id_}"), 404)
        problem(await triage.ask(id_, "instruct", {"text": "t"}, role="chief", version=0), 404)


async def test_a_right_that_is_missing_is_403_and_an_event(triage: Triage) -> None:
    id_ = await triage.open()
    body = {"level": "major", "reason": "r"}
    problem(await triage.ask(id_, "grade", body, role="handler"), 403, "duty_officer")
    problem(await triage.ask(id_, "grade", body, role="duty_officer", unit="town-west"), 403, "town-east")
    refused = [row async for row in _operations(triage)]
    assert refused == ["huiying.operation.access_refused.v1"] * 2


JUDGING = ("set-flag", "clear-flag", "judge-harm", "judge-doubt")
BODIES: dict[str, object] = {
    "instruct": {"text": "t"},
    "request-verification": {"unit": "county-water"},
    "request-help": {"unit": "county-water", "text": "pumps"},
    "establish-fact": {"key": "burst", "kind": "yes_no", "value": True, "source": "s"},
    "conclude-verification": {"outcome": "confirmed", "text": "t"},
    "assess": {"cause": "t", "truth": "t", "trend": "t", "impact": "t"},
    "classify": {"answer_kind": "status"},
    "categorize": {"category": "utilities.water"},
    "set-flag": {"flag": "food", "reason": "r"},
    "clear-flag": {"flag": "food", "reason": "r"},
    "judge-harm": {"harm": 1, "reason": "r"},
    "judge-doubt": {"doubtful": True, "reason": "r"},
    "grade": {"level": "major", "reason": "r"},
    "assign": {"unit": "county-roads"},
    "accept": None,
    "return": {"ground": "need_more", "reason": "r"},
    "transfer": {"unit": "town-west", "reason": "r"},
    "move-policy": {"pack": "county-default@99", "reason": "r"},
    "record-handling": {"track": "problem", "text": "t"},
    "explain": {"text": "t"},
    "reply": {"text": "t"},
    "solve": {"text": "t"},
    "explain-delay": {"text": "t"},
    "receive-material": {"unit": "county-water", "signed": True, "sealed": True},
    "propose-measure": {"text": "t"},
    "approve": {"proposal": 1},
    "reject": {"proposal": 1, "reason": "r"},
    "cannot-judge": {"proposal": 1, "reason": "r"},
    "name-team": {"head": "chief@county"},
    "make-plan": {"unit": "county", "post": "chief@county", "due": "2100-01-01T00:00:00Z", "text": "t"},
    "start-plan": {"plan": "p"},
    "hold-meeting": {"meeting": "leading_group", "units": ["county"], "took_part": ["chief@county"], "minutes": "m"},
    "pass-upward": {"reason": "r"},
    "hand-to-peer": {"to": "city", "subject": "s", "reason": "r"},
    "tell-peer": {"said": "accepted"},
    "designate": {"unit": "county-water", "reason": "r"},
    "accept-help": {},
    "return-help": {"reason": "r"},
    "complete-help": {"text": "t"},
    "leave-unsolved": {"outcome": "not_allowed", "text": "t"},
    "screen": {"needs_reply": False, "ground": "no_request"},
    "review-screening": {"upheld": True, "reason": "r"},
    "order-explanation": {},
    "explain-to-office": {"text": "t"},
    "resolve": {"reason": "r"},
    "follow-up": {"text": "t"},
    "decline-round": {"report": f"report-{derived('a')}", "reason": "r"},
    "reopen": {"reason": "r"},
    "close": {"reason": "r"},
    "merge": {"into": f"incident-{derived('other')}"},
    "link": {"to": f"incident-{derived('other')}", "kind": "related", "reason": "r"},
    "offer": {"to": "city"},
    "split": {"reports": [f"report-{derived('a')}"]},
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("version", [None, 7])
async def test_who_has_no_right_learns_no_version(triage: Triage, verb: str, version: int | None) -> None:
    id_ = await triage.open()
    answer = await triage.ask(id_, verb, BODIES[verb], role="spokesperson", version=version)
    assert "version" not in problem(answer, 403, "takes the role")


async def _operations(triage: Triage):  # type: ignore[no-untyped-def]
    table = triage.runtime.tables["events"]
    async with triage.runtime.database.read() as connection:
        rows = await connection.execute(table.select().where(table.c.stream_id.like("operation-%")))
        for row in rows.mappings():
            yield row["type"]


@pytest.mark.requirement("MUL-06")
async def test_an_office_sees_what_concerns_it_or_an_office_below(triage: Triage) -> None:
    id_ = await triage.open()
    seen = {}
    for unit in ("city", "county", "town-east", "town-west", "county-roads"):
        listed = [item["id"] for item in (await triage.get("incidents", unit)).json()["items"]]
        one = (await triage.get(f"incidents/{id_}", unit)).status_code
        seen[unit] = (listed == [id_], one == 200)
    both, none = (True, True), (False, False)
    assert seen == {"city": both, "county": both, "town-east": both, "town-west": none, "county-roads": none}
    await done(triage, id_, HANDLED[0])
    assert (await triage.get(f"incidents/{id_}", "county-roads")).status_code == 200


@pytest.mark.requirement("MUL-06")
async def test_who_no_longer_has_a_part_reads_what_was_recorded_until_then_and_decides_nothing(triage: Triage) -> None:
    id_ = await triage.open("a", match_key="pothole")
    await done(
        triage,
        id_,
        ("request-verification", "duty_officer", "town-east", {"unit": "county-water"}),
        HANDLED[0],
        ("instruct", "chief", "town-east", {"text": "today"}),
        ("transfer", "chief", "town-east", {"unit": "town-west", "reason": "on their side of the river"}),
        ("grade", "duty_officer", "town-west", {"level": "major", "reason": "the street is closed"}),
    )
    report = (await triage.get(f"incidents/{id_}")).json()["reports"][0]["id"]
    at = datetime(2026, 3, 2, tzinfo=UTC)
    await triage.take(triage.event(report, ReportReachMeasured(clicks=1500, measured_at=at), service="ingest"))
    read = {
        unit: (await triage.get(f"incidents/{id_}", unit)).json()
        for unit in ("city", "county", "town-west", "county-roads", "county-water")
    }
    assert {(found["unit"], found["level"], found["version"]) for found in read.values()} == {("town-west", "major", 5)}
    then = (await triage.get(f"incidents/{id_}", "town-east")).json()
    assert (then["unit"], then["level"], then["version"], then["may"]) == ("town-west", None, 4, [])
    assert "today" in [note["text"] for note in then["notes"]]
    assert (then["reach"], then["reports"][0]["reach"]["clicks"]) == (None, None)
    assert (await triage.get("incidents", "town-east")).json()["items"] == []
    assert len((await triage.get("incidents", "county-water")).json()["items"]) == 1
    for verb, role in (("grade", "duty_officer"), ("transfer", "chief"), ("record-handling", "handler")):
        problem(await triage.ask(id_, verb, BODIES[verb], role=role, unit="town-east"), 403, "takes the role")
    await triage.take(triage.report("b", match_key="pothole"))
    assert len((await triage.get(f"incidents/{id_}", "town-east")).json()["reports"]) == 1
    assert len((await triage.get(f"incidents/{id_}", "town-west")).json()["reports"]) == 2


async def test_an_answer_says_what_its_reader_may_ask(triage: Triage) -> None:
    id_ = await triage.open()
    await done(triage, id_, VERIFIED, HANDLED[0])
    for role, unit, verbs in (
        (
            "duty_officer",
            "town-east",
            [
                "request-verification",
                "request-help",
                "assess",
                "classify",
                "categorize",
                "grade",
                *JUDGING,
                "hold-meeting",
                "assign",
                "screen",
                "receive-material",
                "link",
                "offer",
            ],
        ),
        (
            "handler",
            "county-roads",
            ["make-plan", "accept", "return", "record-handling", *ACTS[:4], "explain-to-office", "explain-delay"],
        ),
        ("handler", "town-east", ["make-plan", "record-handling", *ACTS]),
        (
            "chief",
            "county-roads",
            ["make-plan", "pass-upward", "explain", "reply", "explain-to-office", "explain-delay"],
        ),
    ):
        one = (await triage.get(f"incidents/{id_}", unit, role)).json()
        (listed,) = (await triage.get("incidents", unit, role)).json()["items"]
        assert one["may"] == listed["may"] == verbs, (role, unit)


async def test_lists_are_narrowed_and_paged(triage: Triage) -> None:
    ids = [await triage.open(f"r{number}") for number in range(5)]
    await done(triage, ids[2], HANDLED[0], ("grade", "duty_officer", "town-east", {"level": "major", "reason": "r"}))
    for query in ({"assigned": "county-roads"}, {"level": "major"}, {"state": "assigned"}):
        assert [item["id"] for item in (await triage.get("incidents", **query)).json()["items"]] == [ids[2]]
    assert (await triage.get("incidents", unit="county", level="general")).json()["items"] == []
    walked, cursor = [], None
    while True:
        page = (await triage.get("incidents", limit=2, **({"cursor": cursor} if cursor else {}))).json()
        walked += [item["id"] for item in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert walked == ids[::-1]
    for query in ({"limit": 501}, {"cursor": "none"}, {"state": "forgotten"}):
        assert problem(await triage.get("incidents", **query), 422)["field"] == next(iter(query))


async def test_words_are_null_until_they_come_and_marked_when_erased(triage: Triage) -> None:
    id_ = await triage.open()
    assert (await triage.get(f"incidents/{id_}", purpose="check")).json()["subject"] is None
    await triage.say("pothole: subject", "pothole: text")
    found = (await triage.get(f"incidents/{id_}", purpose="check")).json()
    assert (found["subject"], found["reports"][0]["text"]) == ("pothole: subject", "pothole: text")
    report = triage.streams[found["reports"][0]["id"]]
    refs = tuple(report.words.values())
    await triage.take(triage.event(report.stream, ReportErased(refs=refs), service="ingest"))
    assert (await triage.get("incidents")).json()["items"][0]["subject"] == "[erased]"


async def test_the_same_text_establishes_nothing_again(triage: Triage) -> None:
    id_ = await triage.open()
    fact = {"key": "cause", "kind": "text", "value": "a burst main", "source": "inspection"}
    for value, kinds in (
        ("a burst main", ["fact_established"]),
        ("a burst main", ["fact_established"]),
        ("frost", ["fact_established", "fact_revised"]),
    ):
        await done(triage, id_, ("establish-fact", "verifier", "town-east", {**fact, "value": value}))
        assert (await triage.kinds(id_))[1:] == kinds
    [shown] = (await triage.get(f"incidents/{id_}")).json()["facts"]
    assert (shown["value"], shown["source"]) == ("frost", "inspection")


async def test_merging(triage: Triage) -> None:
    early = triage.runtime.time_source.now() - timedelta(days=2)
    a, b = await triage.open("a", match_key="m", discovered_at=early), await triage.open("b")
    await done(triage, a, ("merge", "chief", "county", {"into": b, "reason": "the same hole"}))
    merged, absorbed = (await triage.events(a))[-1], (await triage.events(b))[-1]
    assert (merged.data.into, absorbed.data.incident, absorbed.data.discovered_at) == (b, a, early)
    assert merged.causation == absorbed.causation
    # two digests of one act would connect what this person did on both matters
    assert (merged.by is None, absorbed.by) == (False, None)
    shown = [(await triage.get(f"incidents/{id_}")).json() for id_ in (a, b)]
    assert (shown[0]["state"], shown[0]["merged_into"]) == ("merged", b)
    assert (shown[1]["absorbed"], shown[1]["report_count"], len(shown[1]["reports"])) == ([a], 2, 2)
    refused = await triage.ask(a, "grade", {"level": "major", "reason": "r"}, role="duty_officer")
    assert problem(refused, 409, b)["into"] == b
    # a further report of A's matter goes on to B, through another merger
    c = await triage.open("c")
    await done(triage, b, ("merge", "chief", "county", {"into": c}))
    assert await triage.open("d", match_key="m") == c
    assert (await triage.get(f"incidents/{c}")).json()["report_count"] == 4


async def test_a_report_on_its_way_to_a_merged_incident_goes_on(triage: Triage) -> None:
    a, b = await triage.open("a"), await triage.open("b")
    await done(triage, a, ("merge", "chief", "county", {"into": b}))
    statement = StatementPublished(
        incident=a, unit="town-east", kind="facts", title="Mended", text="Mended.", by="0" * 64
    )
    await triage.take(triage.event(f"statement-{derived('s')}", statement, service="publish"))
    assert (await triage.kinds(b))[-1] == "handling_recorded"
    assert (await triage.kinds(a))[-1] == "merged"


async def opposite_merges(triage: Triage) -> None:
    """A into B and B into A at once, by officers with the newest pages. One succeeds, the other is refused."""
    for round_ in range(5):
        a, b = await triage.open(f"a{round_}"), await triage.open(f"b{round_}")
        answers = await asyncio.gather(
            triage.ask(a, "merge", {"into": b}, role="chief", version=0),
            triage.ask(b, "merge", {"into": a}, role="chief", version=0),
        )
        done, refused = sorted(answer.status_code for answer in answers)
        assert done == 200
        assert refused in (409, 412)
        kinds = sorted([(await triage.kinds(a))[-1], (await triage.kinds(b))[-1]])
        assert kinds == ["absorbed", "merged"]


async def test_opposite_merges_end_with_one_done(triage: Triage) -> None:
    await opposite_merges(triage)


@pytest.mark.postgres
async def test_opposite_merges_end_with_one_done_on_postgres(triage_on_postgres: Triage) -> None:
    await opposite_merges(triage_on_postgres)


async def one_matter_in_many_partitions(triage: Triage) -> None:
    """Reports of one matter come at once, from several partitions. They share one incident."""
    reports = [triage.report(f"r{number}", match_key="flood") for number in range(24)]
    partitions: dict[tuple[str, int], list[Event]] = {}
    for report in reports:
        partitions.setdefault(triage.place(report), []).append(report)
    assert len(partitions) > 1
    await asyncio.gather(*(triage.take(*group) for group in partitions.values()))
    [item] = (await triage.get("incidents")).json()["items"]
    assert item["report_count"] == 24


async def test_one_matter_in_many_partitions_is_one_incident(triage: Triage) -> None:
    await one_matter_in_many_partitions(triage)


@pytest.mark.postgres
async def test_one_matter_in_many_partitions_is_one_incident_on_postgres(triage_on_postgres: Triage) -> None:
    await one_matter_in_many_partitions(triage_on_postgres)


@pytest.mark.postgres
async def test_triage_answers_alike_on_postgres(triage_on_postgres: Triage) -> None:
    await test_a_matter_from_report_to_close(triage_on_postgres)
    await test_merging(triage_on_postgres)


async def test_splitting(triage: Triage) -> None:
    a = await triage.open("a", match_key="m")
    b, c = triage.report("b", match_key="m"), triage.report("c", match_key="m")
    await triage.take(b)
    await triage.take(c)
    answer = await triage.ask(a, "split", {"reports": [c.stream, b.stream]}, role="chief")
    new = answer.json()["into"]
    opened, attached = await triage.events(new)
    assert (opened.data.report, attached.data.report) == (b.stream, c.stream)
    assert opened.data.discovered_at == b.data.discovered_at
    assert (await triage.events(a))[-1].data.into == new
    for report, at in ((b, new), (c, new)):
        [item] = (await triage.get("incidents", report_id=report.stream)).json()["items"]
        assert item["id"] == at
    counts = [(await triage.get(f"incidents/{id_}")).json()["report_count"] for id_ in (a, new)]
    assert counts == [1, 2]
    await triage.say("b: subject")
    assert (await triage.get("incidents", report_id=b.stream)).json()["items"][0]["subject"] == "b: subject"


@pytest.mark.requirement("MUL-01")
async def test_the_shipped_units_are_a_tree_of_events_and_stay_as_they_are(triage: Triage) -> None:
    items = {item["unit"]: item for item in (await triage.get("units")).json()["items"]}
    assert items["city"]["parent"] is None
    assert items["county"]["parent"] == "city"
    assert {items[unit]["parent"] for unit in ("town-east", "town-west", "county-roads")} == {"county"}
    before = len(await triage.events(TREE)), len(await triage.events(POLICIES))
    await setup.place(triage.runtime)
    packs = len((await triage.get("packs")).json()["items"])
    assert (len(await triage.events(TREE)), len(await triage.events(POLICIES))) == before == (9 + 9 * 13 + 2, packs + 1)
    county = {post["post"]: post for post in items["county"]["posts"]}
    assert [name for name, post in county.items() if post["head"]] == ["chief@county"]
    assert county["verifier@county"]["roles"] == ["verifier"]
    assert "chief@county-water" in county["leading_group@county"]["members"]
    assert county["leading_group@county"]["duty_post"] == "duty_officer@county"
    town = {post["post"]: post for post in items["town-east"]["posts"]}
    assert town["leading_group@town-east"]["members"][0] == "chief@town-east"
    assert town["approver@town-east"]["serves"] == ["leader_in_charge"]
    assert "news_centre@town-east" not in town
    [pack] = [pack for pack in (await triage.get("packs")).json()["items"] if pack["pack"] == "county-default"]
    assert [level["level"] for level in pack["levels"]] == ["general", "major", "extraordinary"]
    assert pack["units"] == ["city"]


@pytest.mark.requirement("MUL-01")
async def test_a_unit_that_moves_is_seen_by_its_new_superior(triage: Triage) -> None:
    id_ = await triage.open(unit="county-water")
    assert (await triage.get(f"incidents/{id_}", "town-west")).status_code == 404
    moved = UnitPlaced(
        unit="county-water",
        kind="department",
        name="水务站",
        parent="town-west",
        since=triage.runtime.time_source.now(),
    )

    async def act(session, ctx):  # type: ignore[no-untyped-def]
        await session.load([TREE])
        return Answer({}, events=tuple(session.decide(TREE, PlaceUnits(units=(moved,)), ctx)))

    await transact(triage.runtime, Caller(), act)
    assert (await triage.get(f"incidents/{id_}", "town-west")).status_code == 200


@pytest.mark.requirement("MUL-01")
async def test_the_matters_of_a_unit_that_ended_stay_with_the_unit_above(triage: Triage) -> None:
    id_ = await triage.open(unit="town-west")
    place = next(
        one for one in setup.read(triage.runtime.settings.policies / setup.FILE).places() if one.unit == "town-west"
    )
    ended = place.model_copy(update={"until": triage.runtime.time_source.now()})

    async def act(session, ctx):  # type: ignore[no-untyped-def]
        await session.load([TREE])
        return Answer({}, events=tuple(session.decide(TREE, PlaceUnits(units=(ended,)), ctx)))

    await transact(triage.runtime, Caller(), act)
    assert "town-west" not in {item["unit"] for item in (await triage.get("units")).json()["items"]}
    assert (await triage.get("incidents", unit="county", role="chief")).json()["items"][0]["id"] == id_
    answer = await triage.ask(id_, "transfer", {"unit": "town-east", "reason": "撤镇"}, role="chief", unit="county")
    assert answer.status_code == 200, answer.text
    assert (await triage.get(f"incidents/{id_}", "town-east")).json()["unit"] == "town-east"


async def test_every_verb_has_its_own_path_and_body(triage: Triage) -> None:
    paths = (await triage.client.get("/openapi.json")).json()["paths"]
    for verb, model in VERBS.items():
        post = paths[f"/triage/v1/incidents/{{id}}/{verb}"]["post"]
        assert model.__name__ in str(post["requestBody"])
