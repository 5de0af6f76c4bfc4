"""One week at the desk of a town, as its duty officer would tell it, on both substrates.

The chapters follow each other in time and have one world. Every matter is called by its number, as on the telephone.
The desk works by the county's pack, with what other packs of the folder ask for besides: an instruction and a team
before a grave matter is handled, an explanation that a leader orders, material that is signed and sealed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import yaml

from services.kernel.settings import ROOT
from tests.console.crawl import broken
from tests.kit import mailbox, webhook
from tests.kit.mailbox import Mailbox
from tests.kit.stack import World, until
from tests.kit.webhook import Hook
from tests.scenarios.matter import LIMIT, Desk, Matter, becomes, local, written
from tests.scenarios.people import served

pytestmark = pytest.mark.timeout(300)
TOWN, OFFICER, HEAD = "town-east", "duty_officer@town-east", "chief@town-east"
LAMPS = "文化广场南侧路灯三天不亮"
STAYS_INSIDE = ("路灯", "水渠", "停水", "桥", "一片漆黑")
"""Words of reports. No notice has any of them."""


@dataclass
class Office:
    """The desk, the two places at which its notices arrive, and the matters of the week by a short name."""

    desk: Desk
    box: Mailbox
    hook: Hook
    matters: dict[str, Matter] = field(default_factory=dict)

    def hears(self, name: str, subject: str, text: str, known: str, **more: Any) -> Matter:
        """A report comes to the town. Its matter is called by its number from then on."""
        told = {"channel": "hotline", "text": text, **more}
        return self._named(name, self.desk.report(TOWN, subject, known, **told))

    def registers(self, name: str, **more: Any) -> Matter:
        """The duty officer registers a matter that nobody has reported yet."""
        return self._named(name, self.desk.register(OFFICER, **more))

    def _named(self, name: str, matter: Matter) -> Matter:
        def number() -> str:
            shown = matter.now()
            # Words arrive by a way of their own.
            words = [shown["subject"], *(one["text"] for one in shown["reports"])]
            return "" if None in words else str(shown["number"])

        matter.id = until(number, f"the words of {name} have come", LIMIT)
        self.matters[name] = matter
        return matter

    def post(self, by: str, service: str, path: str, /, **body: Any) -> Any:
        """A post sends a command that concerns no single matter."""
        answer = self.desk.ask(by, service, f"/{service}/v1/{path}", body)
        assert answer.is_success, answer.text
        return answer.json()

    def reads(self, post: str, service: str, path: str) -> Any:
        """What a post reads."""
        answer = self.desk.ask(post, service, f"/{service}/v1/{path}")
        assert answer.is_success, answer.text
        return answer.json()

    def lists(self, post: str, **holds: str) -> None:
        """These lists of a post's desk hold exactly these matters, by their short names, and the counts say so."""
        wanted = {name: sorted(self.matters[one].id for one in said.split()) for name, said in holds.items()}

        def found() -> dict[str, tuple[list[str], int]]:
            counts = self.reads(post, "triage", "desk")["lists"]
            rows = {name: self.reads(post, "triage", f"desk/{name}")["items"] for name in holds}
            return {name: (sorted(row["number"] for row in of), counts[name]) for name, of in rows.items()}

        becomes(found, {name: (numbers, len(numbers)) for name, numbers in wanted.items()})

    def waits_for(self, name: str, who: str, awaited: str) -> None:
        """The ball is with this unit or post, for this."""

        def found() -> tuple[str, str] | None:
            ball = self.matters[name].now()["ball"]
            return ball and (ball["post"] or ball["unit"], ball["for"])

        becomes(found, (who, awaited))

    def is_due(self, name: str, clock: str, at: str) -> None:
        """A limit of a matter ends then."""

        def found() -> str | None:
            return next(
                (local(one["due"]) for one in self.matters[name].limits()["clocks"] if one["clock"] == clock), None
            )

        becomes(found, at)

    def is_noticed(self, post: str, *subjects: str) -> None:
        """These notices have come to a post, among others."""

        def missing() -> list[str]:
            own = [call.body["title"] for call in self.hook.calls if call.path == post]
            came = own if post in HOOKED else self.box.subjects
            return [one for one in subjects if one not in came]

        becomes(missing, [])

    def roster(self) -> Any:
        return self.reads(OFFICER, "escalation", f"roster?unit={TOWN}")

    def duty(self, by: str, verb: str, /, **body: Any) -> None:
        """Something that a post does at the desk."""
        self.post(by, "escalation", f"roster/{verb}", unit=TOWN, **body)

    def plans(self, post: str, *begins: str, **more: Any) -> None:
        """The head plans duties of twelve hours that begin at these times."""
        duties = [
            {"post": post, "since": written(one), "until": written(_later(one, hours=12)), **more} for one in begins
        ]
        with self.desk.world.client("escalation", "chief", unit=TOWN) as client:
            answer = client.put("/escalation/v1/roster", json={"unit": TOWN, "duties": duties})
        assert answer.is_success, answer.text

    def gaps(self, *wanted: str) -> None:
        """The gaps on the desk: from when until when, and why."""

        def found() -> list[str]:
            items = self.reads(OFFICER, "triage", "desk/gaps")["items"]
            return [f"{local(one['since'])} - {local(one['until'])} {one['cause']}" for one in items]

        becomes(found, list(wanted))


def _later(at: str, **by: int) -> str:
    return str(datetime.fromisoformat(at) + timedelta(**by))


HOOKED = (HEAD, "chief@county-roads", "duty_officer@county-roads", "chief@county")
"""Posts whose notices go to the webhook."""


def pack(version: str, **changed: Any) -> str:
    """The county's pack, with what other packs of the folder ask for besides."""

    def of(name: str) -> Any:
        return yaml.load((ROOT / "policies" / f"{name}.yaml").read_text(), yaml.BaseLoader)  # noqa: S506  texts only

    county, company, college, grave = of("county-default"), of("company-000"), of("college-002-15"), ["major"]
    ours = {"kind": "derived", "reason": "The county decided so."}
    county["assigning"]["instruction"]["levels"] = grave
    county["assigning"]["team"] = {"levels": grave, "source": ours}
    county["answering"]["explaining"] = [company["answering"]["explaining"][1] | {"source": ours}]
    county["answering"]["material"] = college["answering"]["material"] | {"source": ours}
    county["emergency_plans"] = [{"code": "water_outage", "title_zh": "停水应急预案", "source": ours}]
    limit = {"mode": "elapsed", "duration": "P1D"}
    material = {"name": "reply_material", "title_zh": "反馈材料", "from": "assigned", "to": ["material_received"]}
    county["clocks"].append({**material, "charged": "assigned", "levels": grave, "limit": limit, "source": ours})
    return yaml.safe_dump({**county, "version": version, **changed}, allow_unicode=True, sort_keys=False)


@pytest.fixture(scope="module")
def office(world: World) -> Iterator[Office]:
    """The office before the week begins. Its posts have told where notices reach them."""
    with mailbox.opened() as box, webhook.opened() as hook:
        made = Office(Desk(world), box, hook)
        made.desk.at("2026-03-02 07:00")
        made.post("chief@city", "triage", "packs", text=pack("3"))
        made.desk.works_by("county", "county-default@3")
        for post in (OFFICER, "approver@town-east", "handler@town-east"):
            made.post("admin@city", "escalation", "addresses", post=post, address=box.address)
        for post in HOOKED:
            made.post("admin@city", "escalation", "addresses", post=post, address=hook.address(post))
        yield made


def test_on_monday_the_officer_signs_on(office: Office) -> None:
    """The head plans the week and forgets Tuesday."""
    desk = office.desk
    desk.at("2026-03-02 07:30")
    office.plans(OFFICER, "2026-03-02 08:00", "2026-03-05 08:00", "2026-03-06 08:00")
    office.plans(OFFICER, "2026-03-04 08:00", substitute="handler@town-east")
    office.post(HEAD, "triage", "units/name-officer", unit=TOWN, post="handler@town-east")
    desk.at("2026-03-02 07:45")
    office.duty(OFFICER, "sign-on")
    office.duty("chief@county", "test-reachability", post=OFFICER, way="call", reached=True)
    becomes(lambda: (office.roster()["on_duty"], office.roster()["officer"]), ([OFFICER], "handler@town-east"))
    assert [one["reached"] for one in office.roster()["reachability"]] == [True]
    file = desk.ask(OFFICER, "escalation", f"/escalation/v1/roster.ics?unit={TOWN}").text
    assert file.count("BEGIN:VEVENT") == 4
    office.gaps()


def test_a_matter_has_a_number_for_the_telephone(office: Office) -> None:
    """Both numbers are taken wherever an id is."""
    office.desk.at("2026-03-02 08:10")
    known, place = "2026-03-02 08:00", {"place": "文化广场", "category": "roads.lighting"}
    text = "文化广场南侧的八盏路灯已经三天不亮，晚上散步的老人看不清台阶，请尽快派人检修。"
    lamps = office.hears("lamps", LAMPS, text, known, **place)
    assert lamps.id == "town-east-2026-00001"
    office.is_noticed(OFFICER, f"【{lamps.id}】新事项")
    said = lamps.states("status")
    shown = office.reads(OFFICER, "publish", f"statements/{said.id}")
    assert (shown["number"], shown["incident_number"]) == ("town-east-2026-S00001", lamps.id)
    said.id = shown["number"]
    office.desk.at("2026-03-02 08:15")
    said.does("approver", "approve").does("spokesperson", "publish")
    lamps.tells("incident.opened", "statement.published")
    clocks = office.reads(OFFICER, "escalation", f"clocks?incident={lamps.id}")["items"]
    assert {one["number"] for one in clocks} == {lamps.id}
    office.lists(OFFICER, open="lamps", to_verify="", to_accept="", returned="")
    office.waits_for("lamps", TOWN, "assignment")


def test_the_same_concern_comes_in_other_words(office: Office) -> None:
    """A near-copy joins by itself. Whatever is only alike is offered, and a person decides."""
    lamps, desk = office.matters["lamps"], office.desk
    desk.at("2026-03-02 08:20")
    lamps.does("duty_officer", "assign", unit="county-roads", reason="由道路主管部门办理")
    place = {"place": "文化广场", "category": "roads.lighting"}
    copy = desk.report(TOWN, LAMPS, "2026-03-02 08:15", text="路灯还是不亮，请尽快检修。", **place)
    becomes(lambda: (copy.now()["number"], lamps.now()["report_count"]), (lamps.id, 2))

    subject, text = "广场南侧晚上一片漆黑，路灯没人修", "广场南侧路灯一直没人修，晚上一片漆黑，有老人在台阶上绊倒。"
    asked = office.post(OFFICER, "triage", "similar", unit=TOWN, subject=subject, text=text)["items"]
    assert [(one["number"], one["decided"]) for one in asked] == [(lamps.id, None)]
    dark = office.hears("dark", subject, text, "2026-03-02 08:20")
    near = office.reads(OFFICER, "triage", f"incidents/{dark.id}/similar?limit=5")["items"]
    assert [one["number"] for one in near] == [lamps.id]
    assert "路灯" in "".join(near[0]["shared"])
    suggested = office.reads(OFFICER, "triage", f"incidents/{dark.id}/suggestion")
    unit, category = suggested["unit"], suggested["category"]
    assert (unit["code"], unit["having"], unit["of"]) == ("county-roads", 1, 1)
    dark.does("duty_officer", "categorize", category=category["code"])
    assert dark.now()["category"] == "roads.lighting"
    fountain = office.hears(
        "fountain", "文化广场南侧喷泉漏水", "文化广场南侧喷泉漏水，台阶上结冰。", "2026-03-02 08:20"
    )
    bins = office.hears("bins", "文化广场垃圾桶满了", "文化广场的垃圾桶没人清理。", "2026-03-02 08:20")
    steps = office.hears("steps", "文化广场南侧台阶照明不足", "台阶旁的两盏路灯不亮。", "2026-03-02 08:20")
    for one, kind in ((fountain, "related"), (bins, "other"), (steps, "part"), (dark, "same")):
        one.does("duty_officer", "link", to=lamps.id, kind=kind, reason="已核对")
    decided = {one["number"]: one["kind"] for one in lamps.now()["links"]}
    assert decided == {fountain.id: "related", bins.id: "other", steps.id: "whole", dark.id: "same"}
    dark.does("chief", "merge", into=lamps.id, reason="同一处路灯")
    becomes(lambda: lamps.now()["report_count"], 3)
    found = office.reads(OFFICER, "triage", f"search?number={dark.id}")["items"]
    assert [one["number"] for one in found] == [lamps.id]


def test_words_are_found_until_they_are_erased(office: Office) -> None:
    """A search says what it is for. Erased words are found no more."""
    fountain, search = office.matters["fountain"], "search?words=喷泉漏水"
    refused = office.desk.ask(OFFICER, "triage", f"/triage/v1/{search}")
    assert refused.json()["type"].endswith("purpose-needed")

    def found() -> list[str]:
        return [one["number"] for one in office.reads(OFFICER, "triage", f"{search}&purpose=回访")["items"]]

    assert found() == [fountain.id]
    path = f"reports/{fountain.report}/erase"
    office.post(HEAD, "ingest", path, reason="反映人要求删除")
    office.post("chief@county", "ingest", path, reason="同意")
    becomes(found, [])
    events = office.reads("auditor@city", "audit", "events?limit=500")["items"]
    types = {one["type"] for one in events}
    assert {"huiying.operation.searched.v1", "huiying.operation.similar_asked.v1"} <= types


def test_three_departments_give_a_matter_back_and_the_county_designates_one(office: Office) -> None:
    """The ball is right at each step, and the desk of each office shows it."""
    office.desk.at("2026-03-02 09:00")
    text = "村口水渠边塌了一个坑，路面跟着下沉，不知道归谁管。"
    hole = office.hears("hole", "村口水渠塌陷，路面下沉", text, "2026-03-02 08:55")
    hole.does("duty_officer", "grade", level="general", reason="一处塌陷")
    for number, unit in enumerate(("county-roads", "county-water", "county-housing"), 1):
        office.waits_for("hole", TOWN, "assignment")
        hole.at(f"2026-03-02 09:{number}0").does("duty_officer", "assign", unit=unit, reason="按职责分工")
        office.waits_for("hole", unit, "acceptance")
        waiting = "hole" if unit != "county-roads" else "hole lamps"
        office.lists(f"handler@{unit}", to_accept=waiting, inbox=waiting)
        handler = f"handler@{unit}"
        if number == 1:
            office.is_noticed("chief@county-roads", f"【{hole.id}】交办")
            hole.refuses(handler, "return", "return-ground-missing", reason="不属本单位")
            hole.refuses(handler, "return", "return-ground-unknown", ground="too_hard", reason="不属本单位")
        hole.does(handler, "return", ground="not_ours_by_duty", reason="塌陷处不属本单位管养")
        office.lists(OFFICER, returned="hole")
    shown = hole.now()
    assert (shown["dispatches"], shown["returns"], shown["designates"]) == (3, 3, "county")
    office.waits_for("hole", "county", "designation")
    office.lists("chief@county", returned="hole")
    hole.refuses("duty_officer", "assign", "to-be-designated", unit="county-roads")
    hole.at("2026-03-02 09:40").does("chief@county", "designate", unit="county-water", reason="水渠渗漏所致")
    office.waits_for("hole", "county-water", "acceptance")
    again = {"ground": "not_ours_by_duty", "reason": "不属本单位职责"}
    hole.refuses("handler@county-water", "return", "designated", **again)
    hole.does("handler@county-water", "accept")
    office.waits_for("hole", "county-water", "handling")
    due = written("2026-03-03 12:00")
    hole.does("duty_officer", "request-help", unit="county-roads", text="回填路面", due=due)
    office.lists("handler@county-roads", waiting_material="hole")
    hole.does("handler@county-roads", "accept-help").does("handler@county-roads", "complete-help", text="路面已回填")
    office.lists("handler@county-roads", waiting_material="")
    shares = [(one["part"], one["unit"], one["share"]) for one in hole.now()["shares"]]
    assert ("helper", "county-roads", "回填路面") in shares
    counted = office.reads("auditor@county", "triage", "statistics/handovers")["items"]
    back = {one["unit"]: one["number"] for one in counted if one["kind"] == "returned"}
    assert back == {"county-roads": 1, "county-water": 1, "county-housing": 1}
    # Returning stops no limit: it was to be accepted within two hours after the town knew of it.
    office.is_due("hole", "transfer", "2026-03-02 10:55")


def test_praise_needs_no_reply_and_a_second_post_says_so_too(office: Office) -> None:
    """Until then all limits go on."""
    office.desk.at("2026-03-02 10:30")
    praise = office.hears("praise", "感谢环卫工人", "街道很干净，感谢环卫工人。", "2026-03-02 10:00")
    praise.does("duty_officer", "screen", needs_reply=False, ground="no_request", reason="仅为表扬")
    office.lists(HEAD, to_review="praise")
    assert {one["clock"]: one["state"] for one in praise.limits()["clocks"]}["explanation"] == "running"
    praise.refuses("duty_officer", "review-screening", "no-right", upheld=True, reason="情况属实")
    praise.does("approver", "review-screening", upheld=True, reason="情况属实")
    becomes(lambda: {one["clock"]: one["state"] for one in praise.limits()["clocks"]}["explanation"], "cancelled")
    office.lists(HEAD, to_review="")


def test_a_gap_is_told_a_day_before_it_begins(office: Office) -> None:
    office.desk.at("2026-03-02 12:00")
    office.gaps("2026-03-03 12:00 - 2026-03-04 00:00 not_planned")
    office.is_noticed(HEAD, f"【{TOWN}】值班空缺")


def test_what_may_become_grave_is_registered_before_anybody_reports_it(office: Office) -> None:
    """The first report joins it. A leader instructs before it is assigned."""
    office.desk.at("2026-03-02 13:00")
    text = "自来水厂主管道3月2日检修，全镇停水，水厂门口设临时供水点。"
    said = {"subject": "自来水厂检修，全镇停水", "text": text, "category": "utilities.water"}
    works = office.registers("works", **said)
    assert works.limits()["clocks"] == []
    works.at("2026-03-02 13:05").does("duty_officer", "grade", level="major", reason="全镇停水")
    office.waits_for("works", "approver@town-east", "instruction")
    works.refuses("duty_officer", "assign", "instruction-needed", unit="county-housing")
    works.does("approver", "instruct", text="立即组织抢修，先公布供水点")
    office.desk.at("2026-03-02 13:10")
    told = "自来水厂检修，全镇停水，没有人通知，临时供水点在哪里？"
    dry = office.hears("dry", "全镇停水没有通知", told, "2026-03-02 13:10", category="utilities.water")
    near = office.reads(OFFICER, "triage", f"incidents/{dry.id}/similar")["items"]
    assert near[0]["number"] == works.id
    dry.does("duty_officer", "link", to=works.id, kind="same", reason="同一次停水")
    dry.does("chief", "merge", into=works.id, reason="同一次停水")
    works.receipt = dry.receipt
    becomes(lambda: (works.now()["report_count"], local(works.now()["discovered_at"])), (1, "2026-03-02 13:10"))
    office.waits_for("works", TOWN, "assignment")


def test_a_report_upward_does_not_wait_for_the_facts(office: Office) -> None:
    """It is marked unverified. Beside it a clarification is prepared."""
    works = office.matters["works"]
    works.at("2026-03-02 13:20").does("duty_officer", "report-upward", to="leader_in_charge", form="call")
    works.does("approver", "receipt").does("duty_officer", "report-upward", to="principal_leader", form="call")
    works.does("chief", "receipt")
    works.does("duty_officer", "report-upward", to="leading_group@county", text="全镇停水，正在抢修")
    office.is_noticed("chief@county", f"【{works.id}】收到上报，请签收")
    waits = office.reads("duty_officer@county", "escalation", "reports-to-confirm")["items"]
    assert [(one["number"], one["unverified"]) for one in waits] == [(works.id, True)]
    works.does("duty_officer@county", "receipt")
    assert office.reads("duty_officer@county", "escalation", "reports-to-confirm")["items"] == []

    def prepared() -> list[tuple[str, str]]:
        items = office.reads(OFFICER, "publish", f"statements?incident={works.id}")["items"]
        return [(one["kind"], one["state"]) for one in items]

    becomes(prepared, [("facts", "drafted")])


def test_a_unit_beside_is_informed_and_confirms_it(office: Office) -> None:
    works = office.matters["works"]
    works.at("2026-03-02 13:30").does("duty_officer", "inform-office", to="county-roads", text="停水期间请让送水车通行")
    office.is_noticed("duty_officer@county-roads", f"【{works.id}】收到通报，请签收")
    waits = office.reads("duty_officer@county-roads", "escalation", "reports-to-confirm")["items"]
    assert [(one["number"], one["informs"]) for one in waits] == [(works.id, True)]
    works.does("duty_officer@county-roads", "receipt")
    assert office.reads("duty_officer@county-roads", "escalation", "reports-to-confirm")["items"] == []


def test_an_assignment_that_nobody_takes_goes_to_the_county(office: Office) -> None:
    works = office.matters["works"]
    works.at("2026-03-02 13:40").does("duty_officer", "assign", unit="county-housing", share="抢修主管道")
    office.waits_for("works", "county-housing", "acceptance")
    water = {"unit": "county-water", "reason": "无人接办，供水由水利部门办理"}
    works.refuses("chief@county", "designate", "not-to-be-designated", **water)
    works.at("2026-03-02 15:41").does("chief@county", "designate", **water)
    works.does("handler@county-water", "accept")
    office.waits_for("works", "county-water", "handling")


def test_nothing_is_handled_before_a_team_and_a_plan(office: Office) -> None:
    works = office.matters["works"]
    handler = "handler@county-water"
    works.refuses(handler, "solve", "team-needed", text="已恢复供水")
    works.does("chief", "name-team", head=HEAD, deputy="approver@town-east", members=[handler])
    plan = {"unit": "county-water", "post": handler, "due": written("2026-03-02 20:00"), "text": "先抢修，后排查"}
    works.does(handler, "make-plan", **plan).does("chief", "start-plan", plan="water_outage")
    met = {"units": [TOWN, "county-water"], "took_part": [HEAD, "chief@county-water"], "minutes": "统一口径"}
    speaks = {"spokesperson": "spokesperson@town-east", "release_group": [HEAD, "spokesperson@town-east"]}
    works.does("chief", "hold-meeting", meeting="leading_group", **met, **speaks)
    works.does("duty_officer", "hold-meeting", meeting="joint", **met)
    shown = works.now()
    assert (shown["team"]["head"], shown["plan"]["post"], shown["emergency_plan"]["plan"]) == (
        HEAD,
        handler,
        "water_outage",
    )
    held = [(one["meeting"], one["spokesperson"]) for one in shown["meetings"]]
    assert held == [("leading_group", "spokesperson@town-east"), ("joint", None)]


def test_what_is_true_is_established_before_anybody_answers(office: Office) -> None:
    """A status does not wait. What is not in line with the facts is clarified."""
    works = office.matters["works"]
    works.at("2026-03-02 15:45").does("duty_officer", "classify", answer_kind="answer")
    question = {"unit": "county", "text": "请核实停水户数", "due": written("2026-03-02 17:00")}
    works.does("duty_officer", "request-verification", **question)
    office.waits_for("works", "county", "verification")
    office.lists("verifier@county", to_verify="works", inbox="works")
    works.refuses("handler@county-water", "reply", "verification-open", text="您反映的停水已抢修")
    status = works.states("status")
    office.lists("approver@town-east", to_approve="works")
    office.is_noticed(OFFICER, f"【{works.id}】等待审定")
    status.does("approver", "approve").does("chief", "approve").does("spokesperson", "publish")
    counted = {"key": "households", "kind": "number", "source": "抄表记录"}
    works.at("2026-03-02 16:00").does("verifier@county", "establish-fact", value=300, **counted)
    facts = works.drafts("facts", facts=["households"]).refuses("handler", "submit", "verification-open")
    found = {"outcome": "not_in_line", "text": "不是全镇停水，涉及300户"}
    works.refuses("verifier", "conclude-verification", "no-right", **found)
    works.does("verifier@county", "conclude-verification", **found)
    assert works.now()["clarifying"]
    office.lists("verifier@county", to_verify="")
    facts.does("handler", "submit").does("approver", "approve").does("chief", "approve").does("spokesperson", "publish")
    becomes(lambda: works.now()["clarifying"], False)
    works.at("2026-03-02 16:20").does("verifier@county", "establish-fact", value=320, **counted)
    [sheet] = office.reads(OFFICER, "triage", f"incidents/{works.id}/facts")["items"]
    uses = [(one["value"], [used["statement"] for used in one["used_by"]]) for one in sheet["values"]]
    assert (sheet["measure"], uses) == ("户", [(300, [facts.id]), (320, [])])
    judged = {"cause": "主管道老化", "truth": "部分属实", "trend": "趋于平稳", "impact": "320户用水"}
    works.does("duty_officer", "assess", **judged)
    assert works.now()["assessments"][0]["truth"] == "部分属实"


def test_a_leader_orders_the_explanation_and_only_sealed_material_counts(office: Office) -> None:
    works, handler = office.matters["works"], "handler@county-water"
    told = {"text": "主管道老化破裂", "proposed_reply": "停水系管道老化所致，现已恢复"}
    works.at("2026-03-02 16:30").refuses(handler, "explain-to-office", "explanation-not-ordered", **told)
    works.does("approver", "order-explanation", text="请说明原因并提出回复意见")
    office.lists(handler, to_explain="works")
    works.does(handler, "explain-to-office", **told)
    office.lists(handler, to_explain="")
    material = {"unit": "county-water", "signed": True, "signed_by": "chief@county-water", "sealed": True}
    by_handler = material | {"signed_by": handler}
    works.refuses("duty_officer", "receive-material", "material-unsealed", **(material | {"sealed": False}))
    works.refuses("duty_officer", "receive-material", "material-unsigned", **by_handler)
    works.does("duty_officer", "receive-material", **material)

    def owed() -> dict[str, tuple[str, str]]:
        return {one["clock"]: (one["unit"], one["state"]) for one in works.limits()["clocks"]}

    becomes(lambda: owed()["reply_material#2"], ("county-water", "met"))
    # What the first unit did not take up is not charged to the second one.
    assert owed()["reply_material"] == ("county-housing", "cancelled")


def test_both_tracks_end_before_the_matter_does(office: Office) -> None:
    works, handler = office.matters["works"], "handler@county-water"
    works.at("2026-03-02 17:00").refuses(handler, "resolve", "not-handled", reason="已办结")
    works.does(handler, "solve", text="已恢复供水").does(handler, "reply", text="您反映的停水已恢复")
    office.waits_for("works", "approver@town-east", "approval")
    works.does("approver", "approve", proposal=1)
    office.waits_for("works", HEAD, "approval")
    works.does("chief", "approve", proposal=1).does(handler, "resolve", reason="已恢复并答复", follows_up=HEAD)
    office.waits_for("works", TOWN, "closing")
    office.lists(OFFICER, to_follow_up="works", to_approve="")
    works.tells(
        "incident.instruction_given",
        "incident.absorbed",
        "clock.reported_upward",
        "clock.office_informed",
        "incident.assigned",
        "incident.team_named",
        "incident.fact_established",
        "incident.unit_explained",
        "incident.resolved",
    )


def test_lamps_are_mended_and_the_askers_are_told(office: Office) -> None:
    lamps, roads = office.matters["lamps"], "handler@county-roads"
    lamps.at("2026-03-02 17:10").does(roads, "accept").does(roads, "solve", text="已更换线路")
    lamps.explains(roads, "approver").does(roads, "resolve", reason="已修复并说明", follows_up=OFFICER)
    office.lists(OFFICER, to_follow_up="works lamps")


def test_the_officer_hands_over_and_nobody_comes_on_tuesday(office: Office) -> None:
    """What comes meanwhile is sent to the head, and held for the next post."""
    desk = office.desk
    desk.at("2026-03-02 20:05")
    office.duty(OFFICER, "hand-over", to="handler@town-east", note="水渠塌陷一事等水利局回复")
    [first, *_] = office.roster()["duties"]
    assert (first["handed_to"], first["note"]) == ("handler@town-east", "水渠塌陷一事等水利局回复")
    ids = {office.matters["hole"].now()["id"], office.matters["bins"].now()["id"]}
    assert ids <= {*first["incidents"]}
    desk.at("2026-03-03 12:00")
    becomes(lambda: [one["found"] is not None for one in office.roster()["gaps"]][:1], [True])
    # The hole was to be explained within a day.
    office.is_noticed(HEAD, f"【{TOWN}】值班空缺", f"【{office.matters['hole'].id}】逾期")
    desk.at("2026-03-03 13:00")
    night = office.hears("night", "水厂路停水", "水厂路又停水了。", "2026-03-03 12:50", category="utilities.water")
    office.is_noticed(HEAD, f"【{night.id}】无人值班，来件待处理")
    becomes(lambda: [one["incident_id"] for one in office.roster()["held"]], [night.now()["id"]])
    desk.at("2026-03-03 13:50")
    office.plans("handler@town-east", "2026-03-03 14:00")
    desk.at("2026-03-03 14:00")
    office.duty("handler@town-east", "sign-on")
    becomes(lambda: (office.roster()["on_duty"], office.roster()["held"]), (["handler@town-east"], []))
    office.gaps()


def test_a_special_period_asks_for_the_night_too(office: Office) -> None:
    office.post("chief@county", "triage", "periods/open", unit="county", period="special", reason="大型活动")
    office.gaps("2026-03-04 02:00 - 2026-03-04 08:00 not_planned")


def test_far_more_reports_than_usual_warn_the_leader_in_charge(office: Office) -> None:
    """The warning names a post of the office, and nobody who wrote."""
    office.desk.at("2026-03-03 15:00")
    with office.desk.world.integration() as client:
        for number in range(5):
            told = {"subject": "水厂路停水", "text": f"第{number}户停水。", "category": "utilities.water"}
            report = {"unit": TOWN, "channel": "hotline", "discovered_at": written("2026-03-03 14:55"), **told}
            assert client.post("/ingest/v1/reports", json=report).is_success
    becomes(lambda: office.matters["night"].now()["report_count"], 6)
    minutes = count(1)

    def warned() -> list[tuple[str, str]]:
        # What came in is compared each minute.
        office.desk.at(_later("2026-03-03 15:00", minutes=next(minutes)))
        items = office.reads(HEAD, "escalation", f"surges?unit={TOWN}")["items"]
        return [(one["code"], one["told"]) for one in items if one["by"] == "category"]

    becomes(warned, [("utilities.water", "approver@town-east")])
    office.is_noticed("approver@town-east", f"【{TOWN}】集中反映")


POSTS = (
    ("duty_officer@town-east", "zh-CN"),
    ("chief@county", "en-GB"),
    ("approver@town-east", "en-GB"),
    ("handler@county-water", "zh-CN"),
    ("admin@city", "zh-CN"),
)


async def test_every_page_that_the_console_offers_of_this_record_opens(office: Office) -> None:
    async with served(office.desk.world) as (address, accounts):
        # The pages are the same there, only the way to the services is another one.
        for post, language in POSTS[:2] if "HUIYING_KAFKA" in office.desk.world.environment else POSTS:
            failed, pages = await broken(address, accounts, post, language)
            assert not failed, "\n".join(failed)
            assert pages > 30, (post, pages)


def test_on_wednesday_the_substitute_comes(office: Office) -> None:
    """Who was on duty in the night left no note, and that is on record."""
    office.desk.at("2026-03-04 08:00")
    office.post("chief@county", "triage", "periods/close", unit="county", period="special", reason="活动结束")
    office.duty("handler@town-east", "sign-on")
    becomes(lambda: office.roster()["on_duty"], ["handler@town-east"])

    def unnoted() -> list[str | None]:
        return [local(one["since"]) for one in office.roster()["duties"] if one["note_missing"]]

    becomes(unnoted, ["2026-03-03 14:00"])
    office.gaps()


def test_what_cannot_be_solved_now_is_planned_and_followed(office: Office) -> None:
    """It is investigated and explained all the same. The unit passes it upward first.

    Of the county it is only said that it has something similar.
    """
    office.desk.at("2026-03-04 08:10")
    office.desk.report("county", "渡口修桥的建议", "2026-03-04 08:00", text="渡口没有桥，群众绕路，请修一座桥。")
    bridge = office.hears("bridge", "请在渡口修一座桥", "渡口没有桥，上学要绕路。", "2026-03-04 08:00")
    near = office.reads(OFFICER, "triage", f"incidents/{bridge.id}/similar")
    assert (near["items"], near["above"]) == ([], ["county"])
    bridge.does("duty_officer", "offer", to="county", reason="县里有类似事项")
    bridge.does("duty_officer", "assign", unit="county-roads").does("handler@county-roads", "accept")
    bridge.does("chief@county-roads", "pass-upward", reason="涉及多个部门")
    office.waits_for("bridge", "county", "designation")
    handler = "handler@county-housing"
    bridge.does("chief@county", "designate", unit="county-housing", reason="列入乡村建设").does(handler, "accept")
    plan = {"outcome": "planned", "text": "列入明年计划", "due": written("2026-03-09 09:00")}
    bridge.refuses(handler, "leave-unsolved", "not-investigated", **plan)
    bridge.does("verifier", "conclude-verification", outcome="confirmed", text="渡口无桥属实")
    bridge.does(handler, "leave-unsolved", **plan)
    bridge.refuses(handler, "resolve", "not-handled", reason="已说明")
    bridge.explains(handler, "approver").does(handler, "resolve", reason="已说明", follows_up=OFFICER)
    bridge.refuses("chief", "close", "plan-not-followed", reason="已说明", parts=[])
    office.waits_for("bridge", OFFICER, "follow_up")


def test_an_asker_whom_the_answer_did_not_help_opens_a_round(office: Office) -> None:
    """The receipt is enough, and counts once for each answer."""
    lamps, roads = office.matters["lamps"], "handler@county-roads"
    lamps.at("2026-03-04 09:00")

    def says(**said: Any) -> tuple[bool, str]:
        with office.desk.world.client("ingest") as client:
            del client.headers["Authorization"]
            answer = client.post(f"/ingest/v1/receipts/{lamps.receipt}/helpfulness", json=said)
        return answer.is_success, answer.json().get("type", "").rpartition(":")[2]

    until(lambda: says(helps=False, reason="还有一盏不亮")[0], "the asker can say that it did not help", LIMIT)
    assert says(helps=True) == (False, "answer-judged")
    office.waits_for("lamps", TOWN, "round")
    lamps.at("2026-03-04 09:30").does("chief", "reopen", reason="还有一盏不亮", report=lamps.report)
    assert lamps.now()["round"] == 2
    office.is_due("lamps", "explanation#2", "2026-03-05 09:00")
    lamps.does(roads, "solve", text="更换最后一盏").explains(roads, "approver")
    lamps.does(roads, "resolve", reason="全部修复", follows_up=OFFICER)
    until(lambda: says(helps=True)[0], "the asker can judge the second answer", LIMIT)
    lamps.does("chief", "close", reason="回访满意", parts=["handling"])
    office.waits_for("lamps", OFFICER, "follow_up")
    office.lists(OFFICER, to_follow_up="works lamps bridge")


def test_a_recurrence_names_its_report_and_runs_from_its_discovery(office: Office) -> None:
    lamps, roads = office.matters["lamps"], "handler@county-roads"
    lamps.at("2026-03-05 10:00")
    office.is_noticed(HEAD, f"【{office.matters['hole'].id}】催办督办")
    place = {"place": "文化广场", "category": "roads.lighting"}
    dark = office.hears("again", LAMPS, "路灯又不亮了。", "2026-03-05 09:30", **place)
    assert dark.now()["relates_to"] == lamps.now()["id"]
    lamps.does("chief", "reopen", reason="路灯又不亮", report=dark.report)
    becomes(lambda: lamps.now()["round"], 3)
    office.is_due("lamps", "explanation#3", "2026-03-06 09:30")
    dark.does("chief", "merge", into=lamps.id, reason="同一处再次不亮")
    lamps.does(roads, "solve", text="更换变压器").explains(roads, "approver")
    lamps.does(roads, "resolve", reason="已修复", follows_up=OFFICER)
    lamps.does("duty_officer", "follow-up", text="回访正常", ends="risk_gone")
    lamps.does("chief", "close", reason="回访满意", parts=["handling"])
    assert lamps.now()["ball"] is None


def test_a_lesson_becomes_a_version_of_the_pack_that_the_next_case_cites(office: Office) -> None:
    works = office.matters["works"]
    works.at("2026-03-05 11:00").does("chief", "follow-up", text="供水正常", ends="over")
    works.does("chief", "close", reason="供水正常", parts=["handling"])
    said = {"text": "指定承办前空等两小时", "change": "接办时限改为一小时"}
    office.post(HEAD, "triage", "lessons", incident=works.id, **said)
    office.post("chief@city", "triage", "packs", text=pack("4"), lessons=[1])
    office.desk.works_by("county", "county-default@4")
    later = office.hears("later", "水厂水压低", "三楼没有水压。", "2026-03-05 10:50", category="utilities.water")
    assert [(one["lesson"], one["change"]) for one in later.now()["lessons"]] == [(1, "接办时限改为一小时")]
    [lesson] = office.reads(OFFICER, "triage", "lessons")["items"]
    assert (lesson["state"], lesson["answered_by"]) == ("answered", "county-default@4")


def test_a_plan_is_followed_up_at_its_date(office: Office) -> None:
    bridge = office.matters["bridge"]
    bridge.at("2026-03-09 09:00").does("duty_officer", "follow-up", text="资金已落实", ends="over")
    bridge.does("chief", "close", reason="已列入计划", parts=["handling"])
    office.lists(OFFICER, to_follow_up="")


def test_notices_say_no_word_of_a_report_and_arrive_once(office: Office) -> None:
    """Each arrival is on record, with the notice's id, and there is none besides."""

    def arrived() -> list[str]:
        return sorted([*office.box.notices, *(call.headers["X-Huiying-Notice"] for call in office.hook.calls)])

    def recorded() -> list[str]:
        types = [f"huiying.{kind}.notice_delivered.v1" for kind in ("clock", "post")]
        return sorted(one["data"]["notice"] for type_ in types for one in office.desk.world.events(type=type_))

    becomes(lambda: recorded() == arrived(), True)
    assert len({*office.box.notices}) == len(office.box.notices)
    posts = [(call.path, call.headers["X-Huiying-Notice"]) for call in office.hook.calls]
    assert len({*posts}) == len(posts)
    bodies = [str(mail.get_payload(decode=True), "utf-8") for mail in office.box.mails]
    told = "\n".join([*office.box.subjects, *bodies, *(str(call.body) for call in office.hook.calls)])
    assert not [word for word in STAYS_INSIDE if word in told]


def test_the_record_is_whole(office: Office) -> None:
    office.desk.world.check()
