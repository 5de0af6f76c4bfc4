"""One whole case for each pack of the folder, from the report to the archive, on both substrates.

The scenarios follow each other in time, in the order of this file. Each says in full what is owed, by whom, until when,
how it ended and who was told.
"""

import pytest

from tests.kit.stack import World
from tests.scenarios.matter import Desk, Matter

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def test_suggestions_001(desk: Desk) -> None:
    """It names whom to tell at the first moment, and no number: nothing is timed before an office sets a limit."""
    desk.at("2026-01-05 08:00")
    desk.works_by("town-west", "suggestions-001@1")
    desk.at("2026-01-05 09:00")
    matter = desk.report("town-west", "集市占道经营", "2026-01-05 09:00")
    matter.at("2026-01-05 09:10").does("duty_officer", "grade", level="severe", reason="影响扩大")
    matter.owes({})
    matter.at("2026-01-05 09:15").does("duty_officer", "report-upward", to="office@county", form="call", text="已核实")
    matter.refuses("chief@county", "receipt", "other-addressee", accepted=True)
    matter.at("2026-01-05 09:20").does("duty_officer@county", "receipt", accepted=True)
    matter.at("2026-01-05 10:00").does("duty_officer@county", "take-lead", reason="协同处置")
    matter.at("2026-01-05 11:00").does("duty_officer", "assign", unit="town-west")
    matter.at("2026-01-05 11:05").does("handler", "accept")
    said = matter.at("2026-01-05 14:00").states("status")
    said.refuses("spokesperson", "publish", "not-approved").does("approver", "approve").does("spokesperson", "publish")
    matter.at("2026-01-05 15:00").explains("handler", "approver")
    matter.does("handler", "solve", text="已规范摊位").owes({}).told().at("2026-01-05 16:00").ends()
    matter.tells("clock.reported_upward", "clock.receipt_given", "clock.lead_taken", "statement.published")


def test_rectification_002_1(desk: Desk) -> None:
    """A notice of a superior, with its own limit. The report back is refused while a part is missing."""
    desk.at("2026-01-06 08:00")
    desk.works_by("county-housing", "rectification-002-1@1")
    desk.at("2026-01-06 09:00")
    matter = desk.report("county-housing", "小区电梯停运", "2026-01-06 09:00")
    matter.does("duty_officer", "report-upward", form="call").does("chief", "receipt", accepted=True)
    matter.at("2026-01-06 10:00")
    matter.does("chief@county", "give-notice", text="请自查整改", due="2026-01-08T18:00:00+08:00")
    matter.owes({"notice": "county-housing 2026-01-08 18:00 running"})
    matter.at("2026-01-07 10:00").does("duty_officer", "write-part", part="check", text="已排查")
    matter.does("duty_officer", "write-part", part="measures", text="已更换配件")
    matter.refuses("duty_officer", "report-back", "parts-missing")
    matter.does("duty_officer", "write-part", part="next_steps", text="每月巡检").does("duty_officer", "report-back")
    matter.refuses("chief@county", "receipt", "other-addressee", accepted=True)
    matter.at("2026-01-08 18:00").does("duty_officer@county", "receipt", accepted=True)
    matter.owes({"notice": "county-housing 2026-01-08 18:00 met 2026-01-08 18:00"})
    matter.at("2026-01-08 18:30").explains("handler")
    matter.does("handler", "solve", text="电梯已恢复").told().ends()


def test_company_000(desk: Desk) -> None:
    """Clocks over midnight: three hours after 21:00 are met at 00:00, but the day is over then.

    The class is chosen nine hours late, and moves nothing.
    """
    desk.at("2026-01-12 08:00")
    desk.works_by("county-roads", "company-000@1", reports__report_to_principal_leader__limit="PT30M")
    desk.at("2026-01-12 21:00")
    matter = desk.report("county-roads", "桥面塌陷", "2026-01-12 21:00")
    matter.owes({})
    matter.at("2026-01-12 21:10").does("duty_officer", "grade", level="major", reason="交通中断")
    matter.does("duty_officer", "report-upward", to="leader_in_charge", form="call").does("approver", "receipt")
    matter.at("2026-01-12 21:30").does("duty_officer", "report-upward", to="principal_leader", form="call")
    matter.refuses("approver", "receipt", "other-addressee", report=_last_report(matter))
    matter.does("chief", "receipt")
    said = matter.at("2026-01-12 23:30").states("status").refuses("chief", "approve", "no-right")
    said.does("approver", "approve")
    matter.at("2026-01-13 00:00")
    said.does("spokesperson", "publish")
    owed = {
        "public_statement": "county-roads 2026-01-13 00:00 met 2026-01-13 00:00",
        "interim_reply": "county-roads 2026-01-13 00:00 met 2026-01-13 00:00 late",
        "report_to_principal_leader": "county-roads 2026-01-12 21:30 met 2026-01-12 21:30",
    }
    matter.tells("statement.published").at("2026-01-13 00:01").missed("interim_reply").owes(owed)
    assert [one["late_by"] for one in matter.limits()["clocks"] if one["clock"] == "interim_reply"] == [0.0]
    matter.at("2026-01-13 06:00").does("duty_officer", "classify", answer_kind="answer").owes(owed)
    matter.at("2026-01-13 08:00").does("duty_officer", "assign", unit="county-roads").does("handler", "accept")
    matter.at("2026-01-13 10:00").does("handler", "solve", text="已修复")
    told = {"text": "桥面板老化断裂", "proposed_reply": "桥面塌陷系老化所致，现已修复"}
    matter.refuses("handler", "explain-to-office", "explanation-not-ordered", **told)
    matter.does("approver", "order-explanation").does("handler", "explain-to-office", **told)
    matter.does("verifier@county", "establish-fact", key="inspected", kind="yes_no", value=True, source="现场核查记录")
    owed["result_reply"] = "county-roads 2026-01-14 00:00 running"
    result = matter.owes(owed).states("facts", facts=["inspected"])
    result.refuses("approver", "approve", "no-right").does("chief", "approve")
    matter.at("2026-01-13 23:59:59")
    result.does("spokesperson", "publish")
    owed["result_reply"] = "county-roads 2026-01-14 00:00 met 2026-01-13 23:59:59"
    matter.owes(owed).told().at("2026-01-14 09:00").ends()


def test_a_text_that_waits_for_its_instant_past_its_limit_is_late(desk: Desk) -> None:
    """It was approved in time, and is to be published twenty minutes after its three hours."""
    desk.at("2026-01-14 09:01")
    matter = desk.report("county-roads", "隧道积水", "2026-01-14 06:30")
    matter.at("2026-01-14 09:05").does("duty_officer", "grade", level="major", reason="交通中断")
    said = matter.states("status").does("approver", "approve")
    said.does("spokesperson", "publish", at="2026-01-14T09:50:00+08:00")
    matter.at("2026-01-14 09:30:01").missed("public_statement", "report_to_principal_leader").at("2026-01-14 09:50")
    matter.tells("clock.breached", "statement.published")
    (late,) = (one for one in matter.limits()["clocks"] if one["clock"] == "public_statement")
    assert late["late_by"] == 1200.0


def test_group_002_2(desk: Desk) -> None:
    """Within one hour to the leading group: the receipt of another one fulfils nothing."""
    desk.at("2026-01-14 10:00")
    desk.works_by("county-water", "group-002-2@1", reports__report_to_leader_in_charge__limit="PT20M")
    desk.at("2026-01-15 09:00")
    matter = desk.report("county-water", "水管爆裂", "2026-01-15 09:00")
    matter.refuses("information_officer", "report-upward", "proposal-needed", to="leader_in_charge", text="水管爆裂")
    matter.at("2026-01-15 09:10")
    matter.does("information_officer", "report-upward", to="leader_in_charge", text="水管爆裂", proposal="先关阀门")
    matter.at("2026-01-15 09:20").does("approver", "receipt")
    matter.at("2026-01-15 09:30").does("duty_officer", "report-upward", to="leading_group@county", text="水管爆裂")
    matter.at("2026-01-15 09:40").does("duty_officer@county", "receipt")
    owed = {
        "report_to_leader_in_charge": "county-water 2026-01-15 09:20 met 2026-01-15 09:20",
        "report_to_leading_group": "county-water 2026-01-15 10:00 breached",
    }
    matter.at("2026-01-15 10:01").missed("report_to_leading_group").owes(owed)
    matter.at("2026-01-15 10:30").does("duty_officer", "report-upward", to="leading_group", text="水管爆裂")
    matter.refuses("handler", "receipt", "other-addressee").does("duty_officer", "receipt")
    owed["report_to_leading_group"] = "county-water 2026-01-15 10:00 met 2026-01-15 10:30 late"
    matter.owes(owed).told()
    matter.refuses("handler", "decide", "other-decider", decides="meet", yes=True, reason="影响较大")
    matter.does("publicity", "decide", decides="meet", yes=True, reason="影响较大")
    matter.does("duty_officer", "set-flag", flag="sudden", reason="突然停水")
    matter.does("handler", "propose-measure", text="临时供水").refuses("approver", "approve", "no-right", proposal=1)
    matter.does("chief", "approve", proposal=1)
    said = matter.at("2026-01-15 11:00").states("status", secret=True)
    said.refuses("party_office", "approve", "no-right").does("chief", "approve")
    said.refuses("spokesperson", "publish", "not-approved").does("party_office", "approve")
    said.does("spokesperson", "publish")
    matter.at("2026-01-15 18:00").does("handler", "solve", text="恢复供水").explains("handler", "chief")
    matter.ends("text", lacks=("audio", "image")).tells(
        "incident.measure_approved", "statement.published", "incident.closed"
    )


def test_national_answer(desk: Desk) -> None:
    """Twenty working days over a long holiday with its two make-up Saturdays; an answer exactly on time."""
    desk.at("2026-02-06 08:00")
    desk.works_by("county-environment", "national-answer@1")
    desk.at("2026-02-06 16:00")
    asked = {"category": "government.disclosure", "channel": "letter"}
    matter = desk.report("county-environment", "申请公开环评", "2026-02-06 16:00", **asked)
    owed = {
        "answer": "county-environment 2026-02-08 16:00 running",
        "petition_told": "county-environment 2026-02-22 00:00 running",
        "disclosure": "county-environment 2026-03-13 00:00 running",
        "petition": "county-environment 2026-04-08 00:00 running",
    }
    matter.owes(owed).at("2026-02-08 16:00").explains("handler", "approver")
    owed["answer"] = "county-environment 2026-02-08 16:00 met 2026-02-08 16:00"
    owed["petition_told"] = "county-environment 2026-02-22 00:00 met 2026-02-08 16:00"
    matter.owes(owed)
    more = {"clock": "petition", "due": "2026-04-20T18:00:00+08:00"}
    matter.at("2026-03-02 09:00").does("duty_officer", "assign", unit="county-environment").does("handler", "accept")
    matter.does("handler", "request-extension", reason="等待检测", **more)
    matter.refuses("chief", "decide-extension", "not-the-approver", clock="petition", granted=False, reason="不同意")
    matter.does("approver", "decide-extension", clock="petition", granted=True, reason="同意", notice="延期办结")
    owed["petition"] = "county-environment 2026-04-20 18:00 running"
    matter.owes(owed)
    matter.does("verifier", "establish-fact", key="finding", kind="text", value="环评已批", source="批复")
    matter.does("duty_officer", "grade", level="other", reason="一般申请")
    said = matter.at("2026-03-12 15:00").states("facts", facts=["finding"]).does("approver", "approve")
    matter.at("2026-03-12 23:59:59")
    said.does("spokesperson", "publish")
    matter.does("handler", "solve", text="已公开")
    owed["disclosure"] = "county-environment 2026-03-13 00:00 met 2026-03-12 23:59:59"
    owed["petition"] = "county-environment 2026-04-20 18:00 met 2026-03-12 23:59:59"
    matter.owes(owed).told().at("2026-03-13 09:00").ends().tells("clock.extended", "incident.closed")


def test_school_002_7(desk: Desk) -> None:
    """Nobody took the hand-over. 2,999 clicks make it major, 3,000 extraordinary; the town passes the report on."""
    desk.at("2026-03-16 07:00")
    limits = {f"reports__report_to_{to}__limit": "PT30M" for to in ("town", "county")}
    desk.works_by("school", "school-002-7@1", **limits)
    desk.at("2026-03-16 08:00")
    matter = desk.report("school", "食堂饭菜问题", "2026-03-16 08:00")
    matter.at("2026-03-16 08:30").does("duty_officer", "assign", unit="county-education")
    owed = {
        "transfer": "school 2026-03-16 10:00 breached",
        "explanation": "school 2026-03-17 08:00 running",
        "result_to_party_branch": "school 2026-03-17 08:00 running",
    }
    matter.at("2026-03-16 10:01").missed("transfer").owes(owed)
    matter.at("2026-03-16 10:30").counts("2026-03-16 10:30", clicks=2999)
    assert matter.now()["proposed"] == {"level": "major", "rule": "major/clicks"}
    owed["result_to_party_branch"] = "school 2026-03-17 08:00 cancelled regraded"
    matter.owes({**owed, "report_to_town": "school 2026-03-16 11:00 running"})
    matter.at("2026-03-16 10:40").does("duty_officer", "report-upward")
    matter.refuses("duty_officer@town-east", "receipt", "other-addressee").does("party_office@town-east", "receipt")
    matter.at("2026-03-16 10:50").does("duty_officer@town-east", "report-upward")
    matter.at("2026-03-16 11:10").does("duty_officer@county", "receipt")
    matter.at("2026-03-16 12:00").counts("2026-03-16 12:00", clicks=3000)
    assert matter.now()["proposed"] == {"level": "extraordinary", "rule": "extraordinary/clicks"}
    matter.does("duty_officer", "grade", level="extraordinary", reason="点击达到3000次")
    matter.owes(
        {
            "transfer": "school 2026-03-16 10:00 breached",
            "explanation": "school 2026-03-17 08:00 cancelled regraded",
            "result_to_party_branch": "school 2026-03-17 08:00 cancelled regraded",
            "report_to_town": "school 2026-03-16 11:00 met 2026-03-16 10:40",
            "report_to_county": "town-east 2026-03-16 11:10 met 2026-03-16 11:10",
        }
    )
    matter.does("party_office@town-east", "take-lead", reason="组织调查")
    matter.does("chief", "decide", decides="report", yes=True, reason="情况重大", took_part=["approver@school"])
    matter.confirmed("approver")
    said = matter.at("2026-03-16 13:00").states("status").does("chief", "approve").does("spokesperson", "publish")
    said.refuses("spokesperson", "publish", "already-published")
    matter.at("2026-03-17 07:00").does("handler@county-education", "accept")
    matter.explains("handler@county-education", "chief")
    matter.does("handler@county-education", "solve", text="已更换供应商").told().ends(
        evaluated_by=("leading_group@school",)
    )


def test_zone_002_10(desk: Desk) -> None:
    """A date for this matter, three rungs for the unit that handles it. Its explained delay is in no circular."""
    desk.at("2026-03-23 08:00")
    after = {"reminder": "P1D", "supervision": "P2D", "circular": "P3D"}
    desk.works_by("county-housing", "zone-002-10@1", **{f"ladder__{rung}__after": day for rung, day in after.items()})
    desk.at("2026-03-23 09:00")
    matter = desk.report("county-housing", "小区路面积水", "2026-03-23 09:00")
    matter.does("duty_officer", "report-upward", text="小区积水").does("approver", "receipt")
    matter.does("duty_officer", "propose-measure", text="交由交通局办理").does("approver", "approve", proposal=1)
    matter.at("2026-03-23 10:00").does("chief", "instruct", text="请交通局办理")
    matter.does("duty_officer", "assign", unit="county-roads").owes({})
    matter.does("handler@county-roads", "accept")
    matter.does("chief", "set-limit", clock="on_time", due="2026-03-25T18:00:00+08:00", reason="按期办结")
    matter.owes({"on_time": "county-roads 2026-03-25 18:00 running"})
    matter.at("2026-03-25 18:00:01").missed("on_time").owes({"on_time": "county-roads 2026-03-25 18:00 breached"})
    matter.at("2026-03-26 18:01").told("reminder of on_time: county-roads")
    rungs = ["reminder of on_time: county-roads"]
    rungs += [f"supervision of on_time: {unit}" for unit in ("county", "county-roads")]
    matter.at("2026-03-27 18:02").told(*rungs)
    matter.at("2026-03-28 09:00").does("handler@county-roads", "explain-delay", text="等待设备")
    matter.at("2026-03-28 18:03").told(*rungs, "circular of on_time: spared")
    matter.owes({"on_time": "county-roads 2026-03-25 18:00 breached"})
    matter.at("2026-03-30 09:00").states("status").does("chief", "approve").does("spokesperson", "publish")
    matter.at("2026-03-30 10:00").does("handler@county-roads", "solve", text="已修排水")
    matter.explains("handler@county-roads", "chief")
    parts = ("original_material", "handling", "assignment_and_reply_records", "leader_instructions")
    matter.ends(*parts, lacks=("other",))
    matter.owes({"on_time": "county-roads 2026-03-25 18:00 met 2026-03-30 10:00 late"})


def test_duty_002_12(desk: Desk) -> None:
    """Who drafts does not approve, not even by a delegation."""
    desk.at("2026-04-07 08:00")
    limits = {"clocks__response__limit": "PT4H", "reports__report_to_leaders__limit": "PT1H"}
    desk.works_by("town-west", "duty-002-12@1", **limits)
    desk.at("2026-04-07 09:00")
    matter = desk.report("town-west", "供水浑浊", "2026-04-07 09:00")
    matter.at("2026-04-07 09:30").does("duty_officer", "report-upward", form="call").does("approver", "receipt")
    desk.delegate("approver@town-west", "handler@town-west", until="2026-04-07 18:00")
    said = matter.at("2026-04-07 10:00").states("status")
    said.refuses("handler", "approve", "drafted-by-you").does("handler", "approve", person="another handler")
    matter.at("2026-04-07 13:00")
    said.does("spokesperson", "publish")
    matter.owes(
        {
            "response": "town-west 2026-04-07 13:00 met 2026-04-07 13:00",
            "report_to_leaders": "town-west 2026-04-07 10:00 met 2026-04-07 09:30",
        }
    )
    matter.does("handler", "solve", text="已冲洗管道").explains("handler", "approver").told().ends("case_material")


def test_matters_002_13(desk: Desk) -> None:
    """It owes no clock. A delegation that ended five minutes before approves nothing."""
    desk.at("2026-04-09 08:00")
    desk.works_by("county-education", "matters-002-13@1")
    desk.at("2026-04-09 09:00")
    matter = desk.report("county-education", "校舍漏雨", "2026-04-09 09:00")
    desk.delegate("approver@county-education", "chief@county-education", until="2026-04-09 10:00")
    matter.at("2026-04-09 09:50").states("status").does("chief", "approve").does("spokesperson", "publish")
    said = matter.at("2026-04-09 10:05").states("status").refuses("chief", "approve", "no-right")
    said.does("approver", "approve").does("spokesperson", "publish")
    matter.does("duty_officer", "classify", answer_kind="adoption").does("duty_officer", "assign", unit=matter.unit)
    matter.does("handler", "accept").refuses("handler", "solve", "team-needed", text="已修缮")
    matter.does("chief", "name-team", head="approver@county-education", members=["handler@county-education"])
    matter.does("handler", "solve", text="已修缮").explains("handler", "approver")
    matter.owes({}).told().ends("request", "case_table")


def test_college_002_15(desk: Desk) -> None:
    """The department's material has a limit of its own, and comes late: the department is charged."""
    desk.at("2026-04-13 08:00")
    desk.works_by("county-environment", "college-002-15@1", reports__report_to_leader_in_charge__limit="PT1H")
    desk.at("2026-04-13 09:00")
    matter = desk.report("county-environment", "河道异味", "2026-04-13 09:00")
    matter.at("2026-04-13 10:00").does("duty_officer", "report-upward", form="call").does("approver", "receipt")
    matter.does("handler", "propose-measure", text="联合排查").does("publicity", "approve", proposal=1)
    matter.does("duty_officer", "assign", unit="county-water").does("handler@county-water", "accept")
    matter.does("approver", "set-limit", clock="reply_material", due="2026-04-15T18:00:00+08:00", reason="规定期限")
    unsealed = {"unit": "county-water", "signed": True, "sealed": False, "signed_by": "chief@county-water"}
    unsigned = {**unsealed, "signed_by": "handler@county-water", "sealed": True}
    matter.at("2026-04-15 17:00").refuses("duty_officer", "receive-material", "material-unsealed", **unsealed)
    matter.refuses("duty_officer", "receive-material", "material-unsigned", **unsigned)
    matter.at("2026-04-15 18:01").missed("reply_material").at("2026-04-16 10:00")
    matter.refuses("duty_officer@county-water", "receive-material", "no-right",
                   unit="county-water", signed=True, sealed=True)  # fmt: skip
    matter.does("duty_officer", "receive-material", **{**unsealed, "sealed": True})
    matter.owes(
        {
            "reply_material": "county-water 2026-04-15 18:00 met 2026-04-16 10:00 late",
            "report_to_leader_in_charge": "county-environment 2026-04-13 10:00 met 2026-04-13 10:00",
        }
    )
    matter.does("verifier", "establish-fact", key="confirmed", kind="yes_no", value=True, source="回复函")
    said = matter.states("facts", facts=["confirmed"]).refuses("chief", "approve", "no-right")
    said.does("publicity", "approve").does("spokesperson", "publish")
    matter.does("handler@county-water", "solve", text="已清淤").told()
    matter.ends("original_material", "department_reply_letters", lacks=("leader_instructions",))


def test_school_003(desk: Desk) -> None:
    """Most of the document is lost: no level, no clock. The leading group says what goes out."""
    desk.at("2026-04-20 08:00")
    desk.works_by("school", "school-003@1")
    desk.at("2026-04-20 09:00")
    matter = desk.report("school", "宿舍停电", "2026-04-20 09:00")
    matter.refuses("duty_officer", "grade", "no-levels", level="major", reason="影响较大")
    matter.does("duty_officer", "report-upward", form="call", to="section").does("handler", "receipt")
    matter.does("duty_officer", "classify", answer_kind="answer")
    said = matter.states("status").refuses("approver", "approve", "no-right").does("chief", "approve")
    said.does("spokesperson", "publish")
    matter.at("2026-04-20 12:00").does("handler", "solve", text="恢复供电").explains("handler", "chief")
    matter.owes({}).told().ends(lacks=("matter_file",))
    matter.at("2026-04-22 09:00").does("handler", "follow-up", text="未再出现类似情况")
    matter.does("chief", "reopen", reason="再次停电").does("handler", "solve", text="更换线路")
    matter.explains("handler", "chief").owes({}).ends("matter_file")


@pytest.mark.requirement("ESC-08")
def test_power_003(desk: Desk) -> None:
    """First the news centre above, then in writing. Heads judge together, never one alone."""
    desk.at("2026-04-23 08:00")
    desk.works_by("county-housing", "power-003@1", reports__written_report_to_news_centre__limit="PT2H")
    desk.at("2026-04-23 09:00")
    matter = desk.report("county-housing", "小区停电", "2026-04-23 09:00")
    matter.does("duty_officer", "report-upward", to="news_centre@city", form="call")
    matter.refuses("news_centre@county", "receipt", "other-addressee").does("news_centre@city", "receipt")
    matter.owes({"written_report_to_news_centre": "county-housing 2026-04-23 11:00 running"})
    matter.does("duty_officer", "report-upward", to="principal_leader", form="call").does("chief", "receipt")
    matter.does("duty_officer", "assign", unit="county-roads").does("handler@county-roads", "accept")
    judged = {"decides": "meet", "yes": True, "reason": "涉及多个部室"}
    matter.refuses("handler", "decide", "not-together", **judged)
    matter.does("handler", "decide", took_part=["handler@county-roads"], **judged)
    matter.confirmed("handler@county-roads")
    matter.at("2026-04-23 10:30").does("duty_officer", "report-upward", to="news_centre@city", text="停电情况")
    matter.at("2026-04-23 11:00").does("news_centre@city", "receipt")
    matter.owes({"written_report_to_news_centre": "county-housing 2026-04-23 11:00 met 2026-04-23 11:00"})
    matter.does("handler", "propose-measure", text="启动预案").does("chief", "approve", proposal=1)
    said = matter.states("status").refuses("approver", "approve", "no-right").does("chief", "approve")
    said.does("spokesperson", "publish")
    matter.does("handler@county-roads", "solve", text="恢复供电")
    matter.explains("handler@county-roads", "chief").told().ends("text", lacks=("audio_and_image",))


def test_bureau_004(desk: Desk) -> None:
    """Four levels without criteria. At the highest one, the principal leader of the city leads, once asked."""
    desk.at("2026-04-27 08:00")
    desk.works_by("county-water", "bureau-004@1", reports__report_to_superior__limit="PT1H")
    desk.at("2026-04-27 09:00")
    matter = desk.report("county-water", "移民安置点滑坡", "2026-04-27 09:00")
    matter.counts("2026-04-27 09:00", clicks=100000)
    assert matter.now()["proposed"] is None
    matter.does("duty_officer", "report-upward", to="office@county", form="call").does("duty_officer@county", "receipt")
    matter.owes({"report_to_superior": "county-water 2026-04-27 10:00 running"})
    matter.does("duty_officer", "grade", level="iv", reason="影响较小")
    matter.refuses("publicity@city", "take-lead", "no-right", reason="会同")
    matter.at("2026-04-27 10:00:01").missed("report_to_superior")
    matter.does("duty_officer", "report-upward", to="office@county", text="书面报告")
    matter.does("duty_officer@county", "receipt")
    matter.owes({"report_to_superior": "county-water 2026-04-27 10:00 met 2026-04-27 10:00:01 late"})
    matter.does("duty_officer", "grade", level="i", reason="特别重大").does("chief", "ask-lead", reason="请示")
    matter.refuses("publicity@city", "accept-lead", "other-decider").does("chief@city", "accept-lead")
    said = matter.states("status").refuses("approver", "approve", "no-right").does("chief", "approve")
    said.does("spokesperson", "publish")
    matter.does("handler", "solve", text="已加固").explains("handler", "chief").told()
    matter.ends(evaluated_by=("leading_group@county-water",))
    matter.tells("incident.regraded", "clock.lead_asked", "clock.lead_accepted")


def test_county_default(desk: Desk) -> None:
    """Exactly five sites are extraordinary. The town got the report and passed it on to nobody: it is charged."""
    desk.at("2026-05-11 08:00")
    desk.works_by("school", "county-default@2")
    desk.at("2026-05-11 15:00")
    matter = desk.report("school", "食堂食物中毒", "2026-05-11 15:00")
    matter.at("2026-05-11 15:05").counts("2026-05-11 15:05", mainstream_sites=4)
    assert matter.now()["proposed"] == {"level": "major", "rule": "major/mainstream_sites"}
    matter.at("2026-05-11 15:10").counts("2026-05-11 15:10", mainstream_sites=5)
    assert matter.now()["proposed"] == {"level": "extraordinary", "rule": "extraordinary/mainstream_sites"}
    matter.at("2026-05-11 16:00").does("duty_officer", "grade", level="extraordinary", reason="五家网站报道")
    matter.does("duty_officer", "report-upward", to="party_committee@town-east", text="食物中毒")
    matter.does("party_office@town-east", "receipt")
    matter.does("duty_officer", "report-upward", to="leader_in_charge", form="call").does("approver", "receipt")
    matter.does("duty_officer", "report-upward", to="principal_leader", form="call").does("chief", "receipt")
    said = matter.states("status").refuses("chief", "approve", "no-right").does("approver", "approve")
    said.does("chief", "approve")
    matter.at("2026-05-11 17:30")
    said.does("spokesperson", "publish")
    owed = {
        "transfer": "school 2026-05-11 17:00 cancelled regraded",
        "explanation": "school 2026-05-12 15:00 cancelled regraded",
        "public_statement": "school 2026-05-11 18:05 met 2026-05-11 17:30",
        "interim_reply": "school 2026-05-12 00:00 met 2026-05-11 17:30",
        "report_to_town": "school 2026-05-11 16:05 met 2026-05-11 16:00",
        "report_to_county": "town-east 2026-05-11 17:00 breached",
        "report_to_leader_in_charge": "school 2026-05-11 16:05 met 2026-05-11 16:00",
        "report_to_principal_leader": "school 2026-05-11 16:05 met 2026-05-11 16:00",
    }
    matter.missed("report_to_county").owes(owed)
    matter.at("2026-05-12 17:31").told("reminder of report_to_county: town-east")
    rungs = ["reminder of report_to_county: town-east"]
    rungs += [f"supervision of report_to_county: {unit}" for unit in ("county", "town-east")]
    matter.at("2026-05-13 17:32").told(*rungs)
    rungs += [f"circular of report_to_county: {unit}" for unit in ("county", "town-east")]
    matter.at("2026-05-14 17:33").told(*rungs)
    matter.at("2026-05-15 09:00").does("handler", "solve", text="已整改").explains("handler", "approver", "chief")
    parts = ("original_material", "handling", "assignment_and_reply_records", "leader_instructions")
    matter.ends(*parts, lacks=("department_reply_letters", "other"), evaluated_by=("leading_group@school",))


def test_national_answer_at_the_end_of_the_year(desk: Desk) -> None:
    """The days of the next year are not announced: the limit is provisional, and never gone."""
    desk.at("2026-12-10 08:00")
    desk.works_by("county-environment", "national-answer@1")
    desk.at("2026-12-10 16:00")
    matter = desk.report("county-environment", "申请公开预算", "2026-12-10 16:00", category="government.disclosure")
    owed = {
        "answer": "county-environment 2026-12-12 16:00 running",
        "disclosure": "county-environment 2027-01-09 00:00 running provisional",
    }
    matter.owes(owed).at("2026-12-11 09:00").explains("handler", "approver")
    matter.does("approver", "pause", clock="disclosure", reason="third_party")
    matter.at("2026-12-14 09:00").does("approver", "resume", clock="disclosure")
    matter.does("duty_officer", "grade", level="other", reason="一般申请")
    matter.does("verifier", "establish-fact", key="finding", kind="text", value="预算已批", source="批复")
    said = matter.at("2027-01-11 10:00").states("facts", facts=["finding"]).does("approver", "approve")
    said.does("spokesperson", "publish")
    matter.does("handler", "solve", text="已公开")
    owed["answer"] = "county-environment 2026-12-12 16:00 met 2026-12-11 09:00"
    owed["disclosure"] = "county-environment 2027-01-12 00:00 met 2027-01-11 10:00 provisional"
    matter.owes(owed).told().ends()


def _last_report(matter: Matter) -> str:
    return str(matter.limits()["reports"][-1]["report"])


def test_the_record_is_whole(world: World) -> None:
    world.check()
