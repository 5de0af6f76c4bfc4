"""`policy explain` and `policy dry-run` on matters of the record, and `policy show`."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from schemas.fields import instant
from services.apps import dry_run, policy
from services.apps.client import Refused
from services.apps.embedded import Embedded, running
from services.apps.records import Reader
from services.apps.terminal import CannotDo
from services.escalation.trying import course, explain, pack_trials
from services.escalation.trying import dry_run as tried
from services.escalation.trying.trials import MAX_STEPS
from services.kernel.core.time_source import TimeSource
from services.kernel.core.units import SetValue
from services.kernel.rules import grading
from services.kernel.rules.conditions import Figures
from services.kernel.rules.grading import Counted, Flagged, Harmed, gravity
from services.kernel.rules.packs import load_pack, parse_pack
from services.kernel.settings import ROOT, Settings
from services.triage.offices import pack_reading, policies

pytestmark = pytest.mark.asyncio(loop_scope="module")
COUNTY = (ROOT / "policies" / "county-default.yaml").read_text("utf-8")

OPEN = '{source: {kind: unset, document: "000", clause: L18}}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    folder: Path = tmp_path_factory.mktemp("records")
    async with running(Settings(data=folder / "data", policies=ROOT / "policies"), TimeSource()) as made:
        yield made


async def ask(system: Embedded, role: str, path: str, body: Any, version: int | None = None) -> Any:
    headers = {} if version is None else {"If-Match": str(version)}
    async with system.client(system.token("town-east", role)) as client:
        answer = await client.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        await system.settle()
        return answer.json()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matter(system: Embedded) -> str:
    """A matter with 1,500 clicks that a person graded."""
    now = system.time_source.now()
    body = {
        "unit": "town-east",
        "channel": "board",
        "subject": "停水两天",
        "text": "小区停水两天了。",
        "discovered_at": now.isoformat(),
    }
    report = (await ask(system, "duty_officer", "/ingest/v1/reports", body))["report_id"]
    counted = {"clicks": 1500, "measured_at": system.time_source.now().isoformat()}
    await ask(system, "duty_officer", f"/ingest/v1/reports/{report}/reach", counted)
    async with system.client(system.token("town-east", "duty_officer")) as client:
        (found,) = (await client.get(f"/triage/v1/incidents?report_id={report}")).json()["items"]
    await ask(
        system,
        "duty_officer",
        f"/triage/v1/incidents/{found['id']}/grade",
        {"level": "major", "reason": "停水"},
        found["version"],
    )
    return str(found["id"])


async def reader(system: Embedded) -> Reader:
    runtime = system.runtimes["escalation"]
    async with runtime.database.read() as connection:
        return Reader(system.runtimes, await runtime.offices(connection))


@pytest.mark.requirement("TRI-05")
async def test_an_explanation_names_rule_inputs_clause_and_quotation(system: Embedded, matter: str) -> None:
    record = await (await reader(system)).matter(matter)
    said = "\n".join(explain.lines(record.matter, matter))
    assert f"事项 {matter}（东镇）" in said
    assert "建议级别：重大（major/clicks）" in said
    assert "  依据：点击 1500" in said
    assert "  条款：002/7 L157 三 分类 「點擊率1000-2999人次,或跟帖評論100-499篇」 ［对原文的理解］" in said
    assert "时限：公开回应 自 " in said
    assert "「于發現后三小時內」" in said
    assert "审批：" in said
    assert "上报：" in said


async def test_a_matter_that_does_not_exist_is_told(system: Embedded) -> None:
    with pytest.raises(Refused, match="no matter has the id or number 'incident-x'"):
        await (await reader(system)).matter("incident-x")


async def test_a_dry_run_counts_what_would_differ(system: Embedded, matter: str) -> None:
    pack = parse_pack(COUNTY.replace("duration: PT3H", "duration: PT2H", 1).replace("\nversion: 2\n", "\nversion: 3\n"))
    before = system.time_source.now() - timedelta(days=1)
    result = await dry_run.judge(await reader(system), pack, before)
    assert result.matters == 1
    assert [(one.kind, one.name) for one in result.differences] == [("due_earlier", "public_statement")]
    same = await dry_run.judge(await reader(system), parse_pack(COUNTY), before)
    assert (same.matters, same.differences) == (1, ())
    later = await dry_run.judge(await reader(system), pack, system.time_source.now() + timedelta(days=1))
    assert later.matters == 0


async def test_a_dry_run_is_told_by_titles_and_local_times(system: Embedded, matter: str) -> None:
    found = await reader(system)
    before = system.time_source.now() - timedelta(days=1)
    other = load_pack(ROOT / "policies" / "bureau-004.yaml")
    told = list(tried.lines(await dry_run.judge(found, other, before), other))
    assert "  level_unmapped     级别没有对应  1" in told
    assert f"{matter}\tproposal 建议级别不同\tproposal\t重大 -> -" in told
    # Other packs of the record have this code, too, with other titles.
    assert any("\treport_to_leader_in_charge 报告分管领导\t" in line for line in told)
    (gone,) = [line for line in told if "public_statement" in line]
    assert re.search(
        r"limit_dropped 不再有此时限\tpublic_statement 公开回应\t\d{4}-\d\d-\d\d \d\d:\d\d\+08:00 -> -$", gone
    )
    (approval,) = [line for line in told if line.startswith(f"{matter}\tapproval")]
    assert "分管领导" in approval and "leader" not in approval


async def test_a_dry_run_counts_the_values_that_offices_set(system: Embedded, matter: str) -> None:
    was = (await (await reader(system)).matter(matter)).matter
    own = parse_pack(COUNTY.replace("limit: {mode: elapsed, duration: PT3H}", f"limit: {OPEN}", 1))
    limit = '{"mode":"elapsed","duration":"PT3H"}'
    value = SetValue("town-east", own.model.id, "clocks.public_statement.limit", limit, was.until)
    offices = replace(was.offices, values=(value,))
    assert [one.kind for one in tried.differences(matter, was, own)] == ["limit_dropped"]
    assert not list(tried.differences(matter, was._replace(offices=offices), own))


async def test_a_value_that_an_office_set_later_counts_in_a_dry_run_from_then_on(system: Embedded, matter: str) -> None:
    was = (await (await reader(system)).matter(matter)).matter
    own = parse_pack(COUNTY.replace("limit: {mode: elapsed, duration: PT3H}", f"limit: {OPEN}", 1))
    since, limit = was.until + timedelta(days=1), '{"mode":"elapsed","duration":"PT3H"}'
    value = SetValue("town-east", own.model.id, "clocks.public_statement.limit", limit, since)
    offices = replace(was.offices, values=(value,), packs={**was.offices.packs, str(was.state.policy): own})
    set_later = was._replace(offices=offices, pack=own, until=since + timedelta(hours=1))
    assert not list(tried.differences(matter, set_later, own))
    other = parse_pack(COUNTY.replace("\nversion: 2\n", "\nversion: 3\n"))
    found = {one.kind: one for one in tried.differences(matter, set_later, other)}
    assert set(found) == {"due_earlier", "missed"}, "the office had no limit before"
    assert found["due_earlier"].was == instant(since + timedelta(hours=3))


async def test_a_dry_run_by_another_document_maps_levels(system: Embedded, matter: str) -> None:
    record = await (await reader(system)).matter(matter)
    other = load_pack(ROOT / "policies" / "bureau-004.yaml")
    kinds = {one.kind: one for one in tried.differences(matter, record.matter, other)}
    assert (kinds["proposal"].was, kinds["proposal"].would) == ("major", None)
    assert kinds["level_unmapped"].name == "major"
    assert kinds["limit_dropped"].would is None


async def test_a_time_needs_its_offset() -> None:
    with pytest.raises(Exception, match="write the time with its offset"):
        dry_run.instant_of("2026-03-02")


async def test_a_pack_is_shown_with_what_is_open() -> None:
    await asyncio.sleep(0)
    rows = policy.rows(load_pack(ROOT / "policies" / "zone-002-10.yaml").model)
    assert [(row.name, row.value, row.source.kind) for row in rows["limits"]] == [
        ("on_time", "open", "unset"),
        ("on_time.deferral", "review within open", "unset"),
        ("solve_at_once", "open", "unset"),
    ]
    assert [(row.name, row.source.kind) for row in rows["reports"]] == [("submit_to_leaders", "lost")]


async def test_a_pack_is_shown_with_conditions_and_with_what_people_decide() -> None:
    await asyncio.sleep(0)
    county = policy.rows(load_pack(ROOT / "policies" / "county-default.yaml").model)
    assert ("major/harm", "harm >= 2") in [(row.name, row.value) for row in county["levels"]]
    checks = {row.name: row.value for row in county["checks"]}
    assert checks["text_check"] == "by leader_in_charge / principal_leader" and "text_check.courteous" in checks
    assert ("status_first", "interim_reply of status") in [(row.name, row.value) for row in county["templates"]]
    assert {"progress", "update"} <= {row.name for row in county["speaking"]}
    group = policy.rows(load_pack(ROOT / "policies" / "group-002-2.yaml").model)
    assert ("speakers", "leading_group at unit fixes them") in [(row.name, row.value) for row in group["speaking"]]
    assert ("reminder", "tells unit after elapsed P1D") in [(row.name, row.value) for row in county["ladder"]]
    both = COUNTY.replace(
        "      who: [leader_in_charge, principal_leader]", "      who: [a, b]\n          needs: 2\n          quorum: 3"
    )
    assert policy.rows(parse_pack(both).model)["approval"][-1].value == "2 of a, b (quorum 3)"
    national = policy.rows(load_pack(ROOT / "policies" / "national-answer.yaml").model)
    limits = {row.name: row.value for row in national["limits"]}
    assert limits["petition.extension"] == "leader_in_charge grants at most elapsed P30D"
    assert limits["disclosure.pause"] == "stands still for 征求第三方意见"


async def test_the_first_place_that_has_a_pack_counts() -> None:
    await asyncio.sleep(0)
    older, newer = parse_pack(COUNTY), parse_pack(COUNTY.replace("\nversion: 2\n", "\nversion: 3\n"))
    assert policy.chosen("county-default", lambda: {older.ref: older}, lambda: {newer.ref: newer}) is older
    assert policy.chosen("county-default@3", lambda: {older.ref: older}, lambda: {newer.ref: newer}) is newer
    with pytest.raises(CannotDo, match="no pack 'nothing'; there are county-default@2, county-default@3"):
        policy.chosen("nothing", lambda: {older.ref: older}, lambda: {newer.ref: newer})


@pytest.mark.parametrize(
    ("written", "told"),
    [("P1DT2H3M", "1 天 2 小时"), ("PT26.246241S", "26 秒"), ("PT1H0M5S", "1 小时"), ("PT0S", "不足 1 秒")],
)
async def test_a_delay_is_told_in_words(written: str, told: str) -> None:
    await asyncio.sleep(0)
    assert explain.long(written) == told


async def test_an_explanation_keeps_what_is_owed_by_the_pack_before_a_move(system: Embedded, matter: str) -> None:
    async with system.client(system.token("town-east", "duty_officer")) as client:
        version = (await client.get(f"/triage/v1/incidents/{matter}")).json()["revision"]
    async with system.client(system.token("county", "chief")) as client:
        moved = await client.post(
            f"/triage/v1/incidents/{matter}/move-policy",
            json={"pack": "suggestions-001@1", "level": "major", "reason": "试行"},
            headers={"If-Match": str(version)},
        )
        assert moved.is_success, moved.text
        await system.settle()
    said = list(explain.lines((await (await reader(system)).matter(matter)).matter, matter))
    assert any(line.startswith("规则 suggestions-001@1") for line in said)
    (kept,) = [line for line in said if line.startswith("时限：公开回应（按 county-default@2）")]
    assert kept.endswith("，进行中")
    (gone,) = [line for line in said if line.startswith("时限：报告分管领导")]
    assert gone.endswith("，不再适用")
    record = await (await reader(system)).matter(matter)
    back = list(tried.differences(matter, record.matter, parse_pack(COUNTY)))
    assert ("limit_added", "public_statement") not in [(one.kind, one.name) for one in back], (
        "it goes on since the move"
    )


SHORTER = COUNTY.replace("duration: PT3H", "duration: PT2H", 1).replace("\nversion: 2\n", "\nversion: 3\n")


async def trial(system: Embedded, method: str, path: str, role: str = "chief", unit: str = "city", **send: Any) -> Any:
    async with system.client(system.token(unit, role)) as client:
        return await client.request(method, path, **send)


async def test_a_text_is_checked_by_line_and_column_and_nothing_is_recorded(system: Embedded) -> None:
    path = "/triage/v1/packs/check"
    wrong = SHORTER.replace("rank: 3", "rank: three")
    line = wrong[: wrong.index("rank: three")].count("\n") + 1
    (fault,) = (await trial(system, "POST", path, json={"text": wrong})).json()["faults"]
    assert (fault["line"], fault["column"]) == (line, 5) and "whole number" in fault["message"]
    good = (await trial(system, "POST", path, json={"text": SHORTER})).json()
    assert (good["faults"], good["version"], good["loaded"]) == ([], "3", False)
    known = (await trial(system, "POST", path, json={"text": COUNTY})).json()
    assert (known["faults"], known["loaded"]) == ([], True)
    changed = SHORTER.replace("\nversion: 3\n", "\nversion: 2\n")
    (clash,) = (await trial(system, "POST", path, json={"text": changed})).json()["faults"]
    assert "raise the version" in clash["message"] and changed.splitlines()[clash["line"] - 1] == "version: 2"
    for role, unit in (("chief", "county"), ("duty_officer", "city")):
        assert (await trial(system, "POST", path, role, unit, json={"text": SHORTER})).status_code == 403
    packs = (await trial(system, "GET", "/triage/v1/packs")).json()["items"]
    assert {one["version"] for one in packs if one["pack"] == "county-default"} == {2}


async def test_a_pack_is_read_rule_by_rule_with_its_text_and_its_units(system: Embedded) -> None:
    one = (await trial(system, "GET", "/triage/v1/packs/county-default@2", "duty_officer", "town-east")).json()
    assert one["written"] == COUNTY
    rules = {rule["place"]: rule for rule in one["rules"]}
    assert rules["clocks.public_statement"]["source"]["quote"]
    assert rules["review.written_report.limit"]["source"]["kind"] == "unset"
    assert rules["clocks.public_statement"]["value"]["limit"]["duration"] == "PT3H"
    assert len(rules) == len(one["rules"])
    assert one["assigned"] and all(given["since"].endswith("Z") for given in one["assigned"])
    assert (await trial(system, "GET", "/triage/v1/packs/county-default@9")).status_code == 404


async def test_cases_are_run_from_the_folder_or_as_they_are_sent(system: Embedded) -> None:
    path = "/escalation/v1/packs/run-cases"
    own = (await trial(system, "POST", path, json={"text": COUNTY})).json()
    assert own["cases"] and all(not case["faults"] for case in own["cases"])
    shorter = (await trial(system, "POST", path, json={"text": SHORTER, "cases": own["text"]})).json()
    assert any("due is" in fault for case in shorter["cases"] for fault in case["faults"])
    unfit = await trial(system, "POST", path, json={"text": SHORTER, "cases": "[{]"})
    assert unfit.status_code == 422 and unfit.json()["type"].endswith("facts-unfit")
    assert (await trial(system, "POST", path, "chief", "county", json={"text": SHORTER})).status_code == 403


async def test_a_case_and_a_matter_of_the_record_are_explained_by_a_text(system: Embedded, matter: str) -> None:
    path = "/escalation/v1/packs/explain"
    facts = '{"discovered_at": "2026-03-02T09:00:00+08:00", "harm": 2, "graded": {"level": "major", "at": "2026-03-02T09:20:00+08:00"}}'  # noqa: E501
    said = (await trial(system, "POST", path, json={"text": SHORTER, "facts": facts})).json()
    assert said["proposed"] == {"level": "major", "rule": "major/harm"} and said["approval"]
    dues = {clock["name"]: clock["due"] for clock in said["clocks"]}
    assert dues["public_statement"] == "2026-03-02T03:00:00.000000Z"
    listed = (await trial(system, "GET", f"/triage/v1/packs/matters?incident={matter}")).json()["items"]
    real = (await trial(system, "POST", path, json={"text": SHORTER, "matter": listed[0]})).json()
    (limit,) = [clock for clock in real["clocks"] if clock["name"] == "public_statement"]
    since, due = (datetime.fromisoformat(limit[name]) for name in ("since", "due"))
    assert due - since == timedelta(hours=2), "by the text, and not by the pack in force"
    assert "clocks.public_statement" in {rule["rule"] for rule in real["rules"]}
    assert (await trial(system, "POST", path, json={"text": SHORTER})).status_code == 422
    unfit = facts.replace('"major"', '"grave"')
    answer = await trial(system, "POST", path, json={"text": SHORTER, "facts": unfit})
    assert answer.status_code == 422 and "no level of county-default@3" in answer.json()["detail"]


async def test_a_dry_run_through_http_finds_what_the_command_line_finds(system: Embedded, matter: str) -> None:
    before = system.time_source.now() - timedelta(days=1)
    listed = (await trial(system, "GET", "/triage/v1/packs/matters", params={"since": instant(before)})).json()
    assert not any(word in str(listed) for word in ("停水", "小区")), "rules look at no words"
    ran = await trial(
        system, "POST", "/escalation/v1/packs/dry-run", json={"text": SHORTER, "matters": listed["items"]}
    )
    here = await dry_run.judge(await reader(system), parse_pack(SHORTER), before)
    assert ran.json()["matters"] == here.matters and ran.json()["counts"] == here.counts
    assert [
        (one["incident"], one["kind"], one["name"], one["was"], one["would"]) for one in ran.json()["differences"]
    ] == [tuple(one) for one in here.differences]
    for service, method, path in (
        ("triage", "GET", "packs/matters"),
        ("escalation", "POST", "packs/dry-run"),
    ):
        send = {"json": {"text": SHORTER, "matters": []}} if method == "POST" else {}
        answer = await trial(system, method, f"/{service}/v1/{path}", "admin", "county", **send)
        assert answer.status_code == 403


async def test_no_trial_reckons_in_the_loop_that_serves_others(
    system: Embedded, matter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[str]()

    def apart(name: str, reckon: Callable[..., Any]) -> Callable[..., Any]:
        def reckoned(*given: Any) -> Any:
            with pytest.raises(RuntimeError, match="no running event loop"):
                asyncio.get_running_loop()
            seen.append(name)
            return reckon(*given)

        return reckoned

    for module, names in (
        (pack_trials, ("parse_pack", "_ran", "_tried", "_facts", "_of_record", "_differences")),
        (pack_reading, ("parse_pack", "_matter", "_whole")),
        (policies, ("parse_pack",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, apart(name, getattr(module, name)))
    listed = (await trial(system, "GET", f"/triage/v1/packs/matters?incident={matter}")).json()["items"]
    facts = '{"discovered_at": "2026-03-02T09:00:00+08:00"}'
    asked: list[tuple[str, dict[str, Any]]] = [
        ("escalation/v1/packs/run-cases", {"cases": f'[{{"title": "a", "facts": {facts}, "expect": {{}}}}]'}),
        ("escalation/v1/packs/explain", {"facts": facts}),
        ("escalation/v1/packs/explain", {"matter": listed[0]}),
        ("escalation/v1/packs/dry-run", {"matters": listed}),
        ("triage/v1/packs/check", {}),
        ("triage/v1/packs", {}),
    ]
    for path, body in asked:
        answer = await trial(system, "POST", f"/{path}", json={"text": COUNTY, **body})
        assert answer.status_code == 200, answer.text
    assert (await trial(system, "GET", "/triage/v1/packs/county-default@2")).status_code == 200
    assert Counter(seen) == {
        "parse_pack": 6,
        "_ran": 1,
        "_tried": 1,
        "_facts": 1,
        "_of_record": 2,
        "_differences": 1,
        "_matter": 1,
        "_whole": 1,
    }


async def test_facts_of_a_course_that_takes_minutes_to_reckon_are_refused(system: Embedded) -> None:
    begun = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
    acts = [{"at": (begun + timedelta(minutes=at)).isoformat(), "act": "explained"} for at in range(MAX_STEPS + 1)]
    facts = {"discovered_at": begun.isoformat(), "events": acts}
    cases = json.dumps([{"title": "a", "facts": facts, "expect": {}}])
    for path, body in (("explain", {"facts": json.dumps(facts)}), ("run-cases", {"cases": cases})):
        answer = await trial(system, "POST", f"/escalation/v1/packs/{path}", json={"text": COUNTY, **body})
        assert answer.status_code == 422 and f"down to {MAX_STEPS}" in answer.json()["detail"]


async def test_a_dry_run_leaves_a_single_matter_without_limits_out(system: Embedded) -> None:
    """The last page of matters may have one only."""
    one = {"incident": f"incident-{uuid4()}", "number": None, "unit": "town-east", "opened_at": "2026-03-02T01:00:00Z"}
    path = "/escalation/v1/packs"
    ran = await trial(system, "POST", f"{path}/dry-run", json={"text": SHORTER, "matters": [one]})
    assert (ran.status_code, ran.json()["matters"]) == (200, 0)
    explained = await trial(system, "POST", f"{path}/explain", json={"text": SHORTER, "matter": one})
    assert explained.status_code == 404


async def test_who_may_not_try_packs_learns_of_no_matter(system: Embedded) -> None:
    for number in ("town-east-2026-00001", "town-east-2026-99999"):
        path = f"/triage/v1/packs/matters?incident={number}"
        assert (await trial(system, "GET", path, "duty_officer", "town-east")).status_code == 403


async def test_counts_that_raise_nothing_are_not_told_to_rules() -> None:
    at = datetime.fromisoformat("2026-03-02T09:00:00+08:00")
    counts = [
        Counted(at + timedelta(minutes=minute), f"report-{minute}", Figures(clicks=clicks, comments=comments))
        for minute, (clicks, comments) in enumerate([(5, None), (5, None), (4, 1), (4, 1), (6, 0)])
    ]
    facts = [*counts, Flagged(at, "rumour"), Harmed(at + timedelta(minutes=1), 2)]
    told = list(pack_reading._telling(facts))
    assert [one.report[-1] for one in told if isinstance(one, Counted)] == ["0", "2", "4"]
    assert gravity(told) == gravity(facts) and len(told) == 5


async def test_levels_known_do_not_grow_dear_with_the_counts_of_a_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    pack, at, asked = parse_pack(COUNTY), datetime.fromisoformat("2026-03-02T09:00:00+08:00"), list[int]()
    proposes = grading.propose_level
    monkeypatch.setattr(grading, "propose_level", lambda *given: (asked.append(1), proposes(*given))[1])
    counts = [Counted(at + timedelta(minutes=minute), "", Figures(clicks=400 * minute)) for minute in range(20)]
    found = list(course.levels_known(pack, counts, at))
    assert len(asked) == len(counts), "one proposal for each change"
    last = {one.level: one.known_at for one in found[-1].levels}
    assert last == grading.known(pack, counts) and len(found) > 1
