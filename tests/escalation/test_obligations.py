"""Reports as obligations: each hop is owed by who holds the report, and met by its very addressee alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas import escalation as e
from schemas import triage
from schemas.offices import PolicyPackAssigned, UnitPostPlaced
from schemas.pack import PolicyPack
from services.escalation.clock.clocks import Clock
from services.escalation.commands import Receipt, RecordMilestones, ReportUpward
from services.escalation.upward import obligations
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.kernel.core.units import Offices, Post
from services.kernel.rules.packs import parse_pack
from tests.escalation.conftest import Desk
from tests.escalation.incident import OFFICES, PACK, REPORTS, Incident, at, graded, opened, reached
from tests.escalation.test_service import opened as told
from tests.kit import spec
from tests.kit.spec import must_be_ruled

MAJOR = graded(at(0.5), "major")
SOURCE_ID = f"incident-{spec.UUID}"
SOURCE = {"kind": "derived", "reason": "of these tests"}
HOUR = {"mode": "elapsed", "duration": "PT1H"}
UNSET = {"source": {"kind": "unset", "document": "000", "clause": "L18"}}


def hop(code: str, to: str, place: str = "unit", form: str = "written", **more: Any) -> dict[str, Any]:
    return {"code": code, "to": to, "at": place, "form": form, "limit": HOUR, "source": SOURCE, **more}


def rule(code: str, *hops: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"code": code, "title_zh": "报告", "hops": hops, "source": SOURCE, **more}


def pack(*reports: dict[str, Any], **more: Any) -> PolicyPack:
    """county-default with these reports and nothing else to do."""
    whole = {
        **PACK.model.model_dump(by_alias=True, mode="json"),
        "clocks": [],
        "ladder": [],
        "reports": reports,
        "review": {},
        "answering": {},
    }
    return PolicyPack.model_validate({**whole, **more})


def office_with(*reports: dict[str, Any], **more: Any) -> Offices:
    return spec.under(pack(*reports, **more))


def clocks(rules: PolicyPack, *history: RecordMilestones) -> dict[str, Clock]:
    milestones = [one for command in history for one in command.milestones]
    return {clock.name: clock for clock in obligations.derive(milestones, rules, OFFICES)}


def received(hour: float, to: str, unit: str, form: str = "written") -> RecordMilestones:
    return reached("received", at(hour), to=to, unit=unit, form=form)


class TestReorganisations:
    """What was owed, and what was done for it, stays when the tree of units changes."""

    def major(self) -> Incident:
        return Incident().hear(opened(at(0)), graded(at(0.2), "major"))

    def test_a_unit_that_ended_still_owes_its_reports(self) -> None:
        made = self.major().detect(at(2))
        assert set(REPORTS) == set(made.breaches())
        units = {code: unit for code, unit in OFFICES.units.items() if code != "town-east"}
        made.offices = replace(OFFICES, units=units, former={"town-east": OFFICES.units["town-east"]})
        before = made.breaches()
        assert made.detect(at(2.5)).breaches() == before
        assert made.of(e.ClockBreachAnnulled) == []

    def test_what_was_confirmed_stays_so_when_the_unit_goes_to_another_county(self) -> None:
        made = self.major().do(ReportUpward(), at(0.3), spec.staff("duty_officer", unit="town-east"))
        assert made.state.reports[-1].hop == "report_to_county"
        made.do(Receipt(), at(0.4), spec.staff("chief", unit="county"))
        other = replace(OFFICES.units["county"], code="other")
        east = replace(OFFICES.units["town-east"], parent="other")
        made.offices = replace(OFFICES, units={**OFFICES.units, "other": other, "town-east": east})
        assert "report_to_county" not in made.detect(at(5)).breaches()
        assert made.state.clocks["report_to_county"].met_at == at(0.4)


CHAIN = rule("up", hop("to_town", "party_office", "town"), hop("to_county", "leading_group", "county"))
SCHOOL = "county-roads"


@pytest.fixture
def school() -> Offices:
    """A department below a town."""
    units = {**OFFICES.units, SCHOOL: replace(OFFICES.units[SCHOOL], parent="town-east")}
    return replace(OFFICES, units=units)


@pytest.mark.requirement("ESC-02")
def test_each_hop_is_owed_by_who_holds_the_report_from_its_receipt_on(school: Offices) -> None:
    rules = pack(CHAIN)
    owner = [(one.hop.code, one.owed_by, one.unit) for one in obligations.resolved(rules, SCHOOL, school)]
    assert owner == [("to_town", SCHOOL, "town-east"), ("to_county", "town-east", "county")]
    history = [opened(at(0), unit=SCHOOL), received(0.5, "party_office", "town-east")]
    milestones = [one for command in history for one in command.milestones]
    found = {clock.name: clock for clock in obligations.derive(milestones, rules, school)}
    assert (found["to_town"].unit, found["to_town"].met_at) == (SCHOOL, at(0.5))
    assert (found["to_county"].unit, found["to_county"].since, found["to_county"].due) == (
        "town-east",
        at(0.5),
        at(1.5),
    )


def test_a_hop_that_was_never_passed_on_is_missed_by_the_unit_that_held_it(school: Offices) -> None:
    incident = Incident(offices=spec.under(pack(CHAIN), school))
    incident.hear(opened(at(0), unit=SCHOOL), received(0.5, "party_office", "town-east")).detect(at(9))
    assert incident.breaches() == ["to_county"]
    assert incident.breach("to_county").unit == "town-east"


LADDER = [{"rung": "circular", "tells": ["unit"], "spares_explained": True, "source": SOURCE}]


@pytest.mark.parametrize(
    ("milestone", "by", "named"),
    [("status_published", SCHOOL, True), ("explained", SCHOOL, True), ("delay_explained", SCHOOL, True),
     ("delay_explained", "town-east", False)],
)  # fmt: skip
def test_an_answer_of_the_accountable_unit_does_not_excuse_the_one_that_held_the_report(
    school: Offices, milestone: str, by: str, named: bool
) -> None:
    incident = Incident(offices=spec.under(pack(CHAIN, ladder=LADDER), school))
    incident.hear(opened(at(0), unit=SCHOOL), received(0.5, "party_office", "town-east"))
    incident.do(reached(milestone, at(1), unit=by), at(1)).detect(at(9)).detect(at(9.1))
    assert [one.told for one in incident.of(e.ClockReminderSent)] == ["town-east"] * named


def test_a_hop_that_nobody_sent_starts_no_further_hop(school: Offices) -> None:
    incident = Incident(offices=spec.under(pack(CHAIN), school)).hear(opened(at(0), unit=SCHOOL)).detect(at(9))
    assert set(incident.state.clocks) == {"to_town"}


def test_a_hop_to_a_kind_of_unit_that_is_not_above_is_left_out() -> None:
    for unit in ("town-east", SCHOOL):
        found = clocks(pack(CHAIN), opened(at(0), unit=unit))
        assert {name: (clock.unit, clock.due) for name, clock in found.items()} == {"to_county": (unit, at(1))}
    assert clocks(pack(CHAIN), opened(at(0), unit="city")) == {}
    assert clocks(pack(rule("up", hop("to_parent", "office", "parent"))), opened(at(0), unit="city")) == {}


@pytest.mark.parametrize(
    ("to", "unit", "form", "met"),
    [
        ("leading_group", "county", "written", True),
        ("leading_group", "county", "written_with_plan", True),
        ("leading_group", "county", "call", False),
        ("office", "county", "written", False),
        ("leading_group", "town-east", "written", False),
    ],
)
def test_only_the_receipt_of_the_very_addressee_in_the_form_counts(to: str, unit: str, form: str, met: bool) -> None:
    found = clocks(pack(CHAIN), opened(at(0), unit="town-east"), received(0.5, to, unit, form))
    assert (found["to_county"].met_at is not None) is met


def test_a_call_is_enough_where_a_call_is_asked_for_and_a_plan_where_a_plan_is() -> None:
    rules = pack(
        rule("a", hop("call", "chief", form="call")), rule("b", hop("plan", "office", form="written_with_plan"))
    )
    history = [opened(at(0)), received(0.1, "chief", "town-east", "call"), received(0.2, "office", "town-east")]
    found = clocks(rules, *history)
    assert (found["call"].met_at, found["plan"].met_at) == (at(0.1), None)


@pytest.mark.requirement("ESC-03")
def test_two_addressees_are_two_obligations() -> None:
    found = clocks(PACK.model, opened(at(0)), MAJOR, received(0.7, "leader_in_charge", "town-east", "call"))
    assert found["report_to_leader_in_charge"].met_at == at(0.7)
    assert found["report_to_principal_leader"].met_at is None
    assert {found[name].due for name in REPORTS} == {at(1)}


@pytest.mark.requirement("ESC-01")
def test_the_leading_group_has_it_exactly_at_the_due_instant_or_late() -> None:
    for hour, late in ((1, False), (1.01, True)):
        found = clocks(PACK.model, opened(at(0)), MAJOR, received(hour, "leading_group", "county"))
        assert found["report_to_county"].late is late


def test_a_report_is_owed_by_level_and_by_condition() -> None:
    assert "report_to_county" not in clocks(PACK.model, opened(at(0)), graded(at(0.5), "general"))
    county = clocks(PACK.model, opened(at(0), unit="county"), MAJOR)
    assert {"report_to_own_leading_group", *REPORTS} - {"report_to_county"} <= set(county)
    assert "report_to_county" not in county


def test_what_was_confirmed_by_the_former_unit_stays_confirmed_after_a_hand_over() -> None:
    history = [opened(at(0)), MAJOR, received(0.7, "leader_in_charge", "town-east", "call")]
    found = clocks(PACK.model, *history, reached("transferred", at(5), unit="county-water"))
    assert found["report_to_leader_in_charge"].met_at == at(0.7)
    assert (found["report_to_principal_leader"].met_at, found["report_to_principal_leader"].unit) == (None, "town-east")


def test_a_hop_with_an_open_limit_is_owed_and_has_no_clock() -> None:
    rules = pack(rule("up", {**hop("to_county", "leading_group", "county"), "limit": UNSET}))
    history = opened(at(0)).milestones
    assert obligations.derive(history, rules, OFFICES) == ()
    [owed] = obligations.owed(history, rules, OFFICES)
    assert (owed.hop.code, owed.owed_by, owed.unit) == ("to_county", "town-east", "county")
    given = received(0.5, "leading_group", "county").milestones
    assert obligations.owed((*history, *given), rules, OFFICES) == ()
    assert [one.hop.code for one in obligations.report_to((*history, *given), rules, OFFICES)] == ["to_county"]


def test_a_reopened_matter_is_reported_anew_where_the_rule_says_so() -> None:
    history = [opened(at(0)), MAJOR, received(0.7, "leading_group", "county"), reached("closed", at(9))]
    found = clocks(PACK.model, *history, reached("reopened", at(0, day=2)))
    assert found["report_to_county"].met_at == at(0.7)
    assert found["report_to_county#2"].due == at(1, day=2)


# the commands


def officer(unit: str = "town-east", post: str = "duty_officer") -> Actor:
    return Actor(f"{post}@{unit}", unit, frozenset({"duty_officer"}), f"{post}@{unit}")


def someone(post: str, unit: str = "town-east") -> Actor:
    return Actor(f"{post}@{unit}", unit, OFFICES.posts[unit][post].roles, f"{post}@{unit}")


def sent(incident: Incident) -> list[tuple[str, str, str | None, str]]:
    return [(one.addressee, one.to, one.hop, one.form) for one in incident.of(e.ClockReportedUpward)]


def major() -> Incident:
    return Incident().hear(opened(at(0)), MAJOR)


def test_without_an_addressee_the_report_goes_where_it_is_owed_next() -> None:
    incident = major()
    for _ in range(3):
        incident.do(ReportUpward(), at(0.6), officer())
    assert sent(incident) == [
        ("leading_group", "county", "report_to_county", "written"),
        ("leader_in_charge", "town-east", "report_to_leader_in_charge", "call"),
        ("principal_leader", "town-east", "report_to_principal_leader", "call"),
    ]


def test_what_no_rule_asks_for_goes_to_the_office_above_and_at_the_top_to_the_principal_leader() -> None:
    incident = Incident().hear(opened(at(0))).do(ReportUpward(text="苗头"), at(0.6), officer())
    assert sent(incident) == [("office", "county", None, "written")]
    city = Incident().hear(opened(at(0), unit="city")).do(ReportUpward(), at(0.6), officer("city"))
    assert sent(city) == [("principal_leader", "city", None, "written")]


@pytest.mark.parametrize(
    ("to", "found"),
    [
        ("leading_group", ("leading_group", "county", "report_to_county", "written")),
        ("leading_group@town-east", ("leading_group", "town-east", None, "written")),
        ("county", ("leading_group", "county", "report_to_county", "written")),
        ("city", ("office", "city", None, "written")),
        ("chief", ("principal_leader", "town-east", "report_to_principal_leader", "call")),
        ("news_centre", ("news_centre", "county", None, "written")),
        ("section@county-roads", ("section", "county-roads", None, "written")),
    ],
)
def test_an_addressee_is_named_by_its_code_with_its_unit_or_by_the_unit_alone(to: str, found: Any) -> None:
    incident = major().hear(reached("assigned", at(0.6), unit="county-roads"))
    assert sent(incident.do(ReportUpward(to=to), at(0.7), officer())) == [found]


@pytest.mark.parametrize(
    ("to", "kind", "sentence"),
    [
        ("nobody", Malformed, "'nobody' is no addressee in town-east or county or city; known are admin, approver"),
        ("office@nowhere", Malformed, "no unit has the code 'nowhere'"),
        ("office@town-west", Rejected, "town-west is not above town-east and takes no part"),
        ("news_centre@town-east", Rejected, "the directory of town-east has no news_centre"),
    ],
)
def test_an_addressee_that_cannot_get_it(to: str, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind, match=sentence):
        major().do(ReportUpward(to=to), at(0.7), officer())


@pytest.mark.requirement("ING-08")
def test_a_report_with_a_proposed_handling_is_refused_without_one() -> None:
    rules = office_with(rule("officer", hop("to_leader", "leader_in_charge", with_proposal=True)))
    incident = Incident(offices=rules).hear(opened(at(0)))
    by = officer(post="information_officer")
    with pytest.raises(Rejected, match="carries a proposed handling; write it in `proposal`") as refused:
        incident.do(ReportUpward(text="有人反映停水"), at(0.2), by)
    must_be_ruled(refused.value, "reports.officer.hops.to_leader", rules)
    incident.do(ReportUpward(text="有人反映停水", proposal="派人到现场，先公布处置情况"), at(0.2), by)
    [report] = incident.of(e.ClockReportedUpward)
    assert report.proposal is not None
    incident.do(Receipt(), at(0.5), someone("approver"))
    assert incident.state.clocks["to_leader"].met_at == at(0.5)


@pytest.mark.requirement("ESC-16")
def test_a_report_with_a_plan_holds_the_plan() -> None:
    incident = Incident(offices=office_with(rule("p", hop("plan", "office", "parent", form="written_with_plan"))))
    incident.hear(opened(at(0)))
    with pytest.raises(Rejected, match="write it in `text`"):
        incident.do(ReportUpward(), at(0.2), officer())
    incident.do(ReportUpward(text="方案：…"), at(0.2), officer()).do(Receipt(), at(0.3), officer("county"))
    assert incident.state.clocks["plan"].met_at == at(0.3)


def test_a_call_is_a_first_contact_and_leaves_the_written_report_owed() -> None:
    incident = major().do(ReportUpward(to="leading_group", form="call"), at(0.6), officer())
    incident.do(Receipt(), at(0.7), officer("county"))
    assert incident.state.clocks["report_to_county"].met_at is None
    incident.do(ReportUpward(to="leading_group", text="书面报告"), at(0.8), officer())
    incident.do(Receipt(), at(0.9), officer("county"))
    assert incident.state.clocks["report_to_county"].met_at == at(0.9)


@pytest.mark.parametrize("post", ["duty_officer@county", "chief@county", "chief@county-roads"])
def test_for_a_body_counts_the_receipt_of_its_duty_post_or_of_any_member(post: str) -> None:
    incident = major().do(ReportUpward(to="leading_group"), at(0.6), officer())
    name, unit = post.split("@")
    incident.do(Receipt(), at(0.7), someone(name, unit))
    assert incident.state.clocks["report_to_county"].met_at == at(0.7)


@pytest.mark.parametrize("post", ["handler@county", "auditor@county", "duty_officer@city", "chief@town-east"])
def test_nobody_else_confirms_a_report(post: str) -> None:
    incident = major().do(ReportUpward(to="leading_group"), at(0.6), officer())
    name, unit = post.split("@")
    with pytest.raises(Forbidden, match=r"the report went to leading_group of county; only .*duty_officer@county"):
        incident.do(Receipt(), at(0.7), someone(name, unit))


def test_the_latest_report_to_oneself_is_confirmed_if_none_is_named() -> None:
    incident = major()
    for _ in range(3):
        incident.do(ReportUpward(), at(0.6), officer())
    incident.do(Receipt(), at(0.7), officer("county"))
    incident.do(Receipt(), at(0.8), someone("approver"))
    incident.do(Receipt(), at(0.9), someone("chief"))
    assert [incident.state.clocks[name].met_at for name in REPORTS] == [at(0.7), at(0.8), at(0.9)]
    assert not incident.detect(at(0.95) + timedelta(hours=1)).breaches()


def test_a_report_that_was_sent_back_is_owed_again() -> None:
    incident = major().do(ReportUpward(), at(0.6), officer())
    incident.do(Receipt(accepted=False, reason="缺事发时间"), at(0.7), officer("county"))
    incident.do(ReportUpward(), at(0.8), officer())
    assert [hop for _, _, hop, _ in sent(incident)] == ["report_to_county"] * 2


def test_the_unit_that_holds_the_report_reports_on(school: Offices) -> None:
    incident = Incident(offices=spec.under(pack(CHAIN), school)).hear(opened(at(0), unit=SCHOOL))
    incident.do(ReportUpward(), at(0.1), officer(SCHOOL))
    incident.do(Receipt(), at(0.2), someone("party_office"))
    incident.do(ReportUpward(), at(0.3), someone("party_office"))
    [first, further] = incident.of(e.ClockReportedUpward)
    assert (first.unit, first.to, first.addressee) == (SCHOOL, "town-east", "party_office")
    assert (further.unit, further.to, further.hop) == ("town-east", "county", "to_county")


def due_now(rules: PolicyPack, *history: RecordMilestones) -> list[str]:
    milestones = [one for command in history for one in command.milestones]
    return [one.hop.code for one in obligations.owed(milestones, rules, OFFICES)]


def test_what_another_matter_reported_before_the_split_is_still_owed_here() -> None:
    there = reached("received", at(1), to="leading_group", unit="county", form="written", incident=SOURCE_ID)
    split = reached("split_off", at(5), incident=SOURCE_ID)
    up = pack(rule("up", hop("to_county", "leading_group", "county")))
    assert due_now(up, opened(at(5)), split, there) == ["to_county"]


def test_a_report_that_starts_again_is_owed_again_after_a_reopening() -> None:
    history = [
        opened(at(0)),
        received(1, "leading_group", "county"),
        reached("closed", at(2)),
        reached("reopened", at(3)),
    ]
    once = rule("up", hop("to_county", "leading_group", "county"))
    assert due_now(pack(once), *history) == []
    assert due_now(pack({**once, "again": {"source": SOURCE}}), *history) == ["to_county"]


def test_a_unit_does_not_owe_what_only_a_former_unit_at_another_level_could_have_owed() -> None:
    own = rule("own", hop("to_own", "leading_group"), levels=["major"], when='unit.kind == "county"')
    history = [opened(at(0), unit="county"), reached("transferred", at(0.2), unit="town-east"), MAJOR]
    assert clocks(pack(own), *history) == {}


def test_conditions_of_reports_see_category_and_channel() -> None:
    by_letter = pack(rule("up", hop("to_county", "leading_group", "county"), when='channel == "letter"'))
    (discovered, begun) = opened(at(0)).milestones
    told = RecordMilestones(milestones=(discovered, begun.model_copy(update={"channel": "letter"})))
    assert set(clocks(by_letter, told)) == {"to_county"}
    assert clocks(by_letter, opened(at(0))) == {}


def test_a_category_that_is_set_later_asks_for_its_report_and_a_correction_takes_none_back() -> None:
    of_water = pack(rule("up", hop("to_county", "leading_group", "county"), when='category == "water"'))
    water, roads = (reached("categorized", at(hour), category=code) for hour, code in ((1, "water"), (2, "roads")))
    assert set(clocks(of_water, opened(at(0)), water)) == {"to_county"}
    assert set(clocks(of_water, opened(at(0)), water, roads)) == {"to_county"}
    assert clocks(of_water, opened(at(0)), roads) == {}


def test_the_next_hop_is_owed_by_who_confirmed_the_report_also_after_a_hand_over() -> None:
    chain = rule("up", hop("first", "leading_group", "parent"), hop("second", "leading_group", "parent"))
    history = [opened(at(0)), received(0.5, "leading_group", "county"), reached("transferred", at(0.6), unit="county")]
    found = clocks(pack(chain), *history)
    assert (found["first"].met_at, found["second"].unit, found["second"].since) == (at(0.5), "county", at(0.5))
    sent = [*history, received(0.7, "leading_group", "city")]
    assert clocks(pack(chain), *sent)["second"].met_at == at(0.7)


class TestAHandOverDownward:
    OWN = rule("own", hop("to_leader", "principal_leader"), hop("to_group", "leading_group"))
    GIVEN = (opened(at(0), unit="county"), reached("transferred", at(0.5), unit="town-east"))

    def test_a_report_within_the_unit_stays_with_the_unit_that_owed_it(self) -> None:
        found = clocks(pack(self.OWN), *self.GIVEN)["to_leader"]
        assert (found.unit, found.due) == ("county", at(1))
        wrong = clocks(pack(self.OWN), *self.GIVEN, received(0.7, "principal_leader", "town-east"))
        assert wrong["to_leader"].met_at is None
        right = clocks(pack(self.OWN), *self.GIVEN, received(0.7, "principal_leader", "county"))
        assert (right["to_leader"].met_at, right["to_group"].unit) == (at(0.7), "county")

    def test_a_hand_over_upward_or_sideways_takes_it_along(self) -> None:
        for unit in ("city", "county-water"):
            history = [opened(at(0), unit="county-roads"), reached("transferred", at(0.5), unit=unit)]
            [owed] = obligations.owed([m for c in history for m in c.milestones], pack(self.OWN), OFFICES)
            assert (owed.owed_by, owed.unit) == (unit, unit)

    def test_what_the_unit_did_not_owe_by_then_is_owed_by_the_next_one(self) -> None:
        grave = pack({**self.OWN, "levels": ["major"]})
        assert clocks(grave, *self.GIVEN, graded(at(0.6), "major"))["to_leader"].unit == "town-east"
        first = (self.GIVEN[0], graded(at(0.2), "major"), self.GIVEN[1])
        assert clocks(grave, *first)["to_leader"].unit == "county"

    def test_the_unit_reports_it_though_it_is_accountable_no_more(self) -> None:
        incident = Incident(offices=office_with(self.OWN)).hear(*self.GIVEN)
        incident.do(ReportUpward(), at(0.6), someone("duty_officer", "county"))
        [report] = incident.of(e.ClockReportedUpward)
        assert (report.unit, report.to, report.hop) == ("county", "county", "to_leader")


class TestSidewaysAndDownward:
    """The directory of county-roads alone has a news centre, and so has county-water where both could get it."""

    ASIDE = rule("aside", hop("to_news", "news_centre", "beside"))
    DOWN = rule("down", hop("to_news", "news_centre", "below"))

    def offices(self, *units: str) -> Offices:
        centre = Post("news", "新闻中心", frozenset({"handler"}), serves=("news_centre",))
        posts = {unit: {**OFFICES.posts[unit], "news": centre} for unit in units}
        return replace(OFFICES, posts={**OFFICES.posts, **posts})

    def owed(self, rules: PolicyPack, offices: Offices, *history: RecordMilestones) -> list[tuple[str, str]]:
        milestones = [one for command in history for one in command.milestones]
        return [(one.owed_by, one.unit) for one in obligations.owed(milestones, rules, offices)]

    def test_the_unit_beside_or_below_that_has_the_addressee_gets_it(self) -> None:
        only = self.offices("county-roads")
        assert self.owed(pack(self.ASIDE), only, opened(at(0))) == [("town-east", "county-roads")]
        assert self.owed(pack(self.DOWN), only, opened(at(0), unit="county")) == [("county", "county-roads")]
        assert self.owed(pack(self.DOWN), only, opened(at(0))) == [], "a town has no unit below"
        assert self.owed(pack(self.ASIDE), only, opened(at(0), unit="city")) == [], "nothing is beside the root"

    def test_of_several_it_is_the_one_that_handles_the_matter(self) -> None:
        both = self.offices("county-roads", "county-water")
        assert self.owed(pack(self.ASIDE), both, opened(at(0))) == []
        handed = reached("assigned", at(0.2), unit="county-water")
        assert self.owed(pack(self.ASIDE), both, opened(at(0)), handed) == [("town-east", "county-water")]

    def test_it_is_sent_and_only_its_receipt_there_counts(self) -> None:
        offices = spec.under(pack(self.ASIDE), self.offices("county-roads"))
        incident = Incident(offices=offices).hear(opened(at(0))).do(ReportUpward(), at(0.2), someone("duty_officer"))
        assert incident.of(e.ClockReportedUpward)[0].to == "county-roads"
        with pytest.raises(Forbidden, match="only news@county-roads can confirm it"):
            incident.do(Receipt(), at(0.3), someone("chief", "county-roads"))
        incident.do(Receipt(), at(0.3), Actor("news@county-roads", "county-roads", frozenset({"handler"}), "sun"))
        assert incident.state.clocks["to_news"].met_at == at(0.3)


async def test_what_is_owed_without_a_limit_is_listed_for_the_matter_and_the_unit(desk: Desk) -> None:
    rules = pack(
        rule("up", {**hop("to_county", "leading_group", "county"), "limit": UNSET}),
        rule("aside", {**hop("to_roads", "principal_leader", "beside"), "limit": UNSET}),
    )
    loaded = parse_pack(rules.model_dump_json(by_alias=True, exclude_none=True))
    desk.tell(f"policy-{spec.UUID}", spec.loaded(loaded), at(0))
    desk.tell(f"policy-{spec.UUID}", PolicyPackAssigned(unit="city", policy=loaded.ref, since=at(-1)), at(0))
    id_ = told(desk)
    desk.tell(id_, triage.IncidentAssigned(unit="county-roads"), at(0.1))
    await desk.consume()
    path = f"/incidents/{id_}"

    async def owed(unit: str) -> list[tuple[str, str, Any]]:
        read = await desk.ask("GET", "/reports-owed", "chief", unit)
        return [(one["hop"], one["unit"], one["clock"]) for item in read.json()["items"] for one in item["report_to"]]

    assert await owed("town-east") == [("to_county", "county", None), ("to_roads", "county-roads", None)]
    assert await owed("county-roads") == []
    refused = await desk.ask("GET", "/reports-owed?unit=town-east", "chief", "county-roads")
    assert refused.status_code == 403
    done = await desk.ask("POST", f"{path}/report-upward", "duty_officer", "town-east", {"to": "leading_group@county"})
    assert done.status_code == 200, done.text
    done = await desk.ask("POST", f"{path}/receipt", "chief", "county", {}, person="li")
    assert done.status_code == 200, done.text
    read = (await desk.ask("GET", path, "chief", "town-east")).json()["report_to"]
    assert [(one["hop"], one["owed"]) for one in read] == [("to_county", False), ("to_roads", True)]
    assert await owed("county") == [("to_roads", "county-roads", None)], "those below count"


async def test_a_unit_beside_reads_the_report_that_it_confirms_and_nothing_else(desk: Desk) -> None:
    loaded = parse_pack(
        pack(rule("aside", hop("to_water", "water_head", "beside"))).model_dump_json(by_alias=True, exclude_none=True)
    )
    desk.tell(f"policy-{spec.UUID}", spec.loaded(loaded), at(0))
    desk.tell(f"policy-{spec.UUID}", PolicyPackAssigned(unit="city", policy=loaded.ref, since=at(-1)), at(0))
    head = UnitPostPlaced(
        unit="county-water",
        code="verifier",
        title="供水科",
        roles=("verifier",),
        serves=("water_head",),
        since=at(-9),
    )
    desk.tell(f"unit-{spec.UUID}", head, at(0))
    id_ = told(desk)
    await desk.consume()
    path = f"/incidents/{id_}"
    assert (await desk.ask("GET", path, "handler", "county-water")).status_code == 403
    sent = await desk.ask("POST", f"{path}/report-upward", "duty_officer", "town-east", {"text": "停水三个小区"})
    assert sent.status_code == 200, sent.text
    read = (await desk.ask("GET", path, "handler", "county-water")).json()
    assert ([one["text"] for one in read["reports"]], read["clocks"], read["level"]) == (["停水三个小区"], [], None)
    assert (await desk.ask("GET", path, "handler", "county-roads")).status_code == 403
    done = await desk.ask("POST", f"{path}/receipt", "verifier", "county-water", {})
    assert done.status_code == 200, done.text
