"""A notice is a statement about no matter: its own chain, no facts, and every reader takes it as it is."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.envelope import Event
from schemas.publish import StatementNoticeDrafted, StatementNoticePublished, StatementScheduled, StatementSubmitted
from services.escalation.reactions import Batch, react
from services.kernel.core.decider import SYSTEM
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.publish.commands import Draft, Publish, PublishDue, Revise, Submit
from services.publish.decider import DECIDER
from services.publish.rights import Incident
from tests.kit import spec
from tests.kit.spec import Given, given, staff
from tests.publish.conftest import Office
from tests.publish.test_approval import offices
from tests.publish.test_decider import HANDLER, SPOKESPERSON, STREAM, TEXT, TITLE, approved, by, submitted

DRAFTED = StatementNoticeDrafted.model_validate({"unit": "town-east", "title": TITLE, "draft": TEXT, "by": by("wang")})
PUBLISHED = StatementNoticePublished(unit="town-east", title=TITLE, text=TEXT, by=by("sun"))
PACK = """
id: notices
version: 1
title: 通告
effective_from: 2026-01-01
timezone: Asia/Shanghai
documents: {d: 文件}
approval:
  source: &s {kind: stated, document: d, clause: L1}
  chains:
    - code: statements
      title_zh: 稿件
      steps: [{code: judged, title_zh: 审定, who: [principal_leader], source: *s}]
      source: *s
    - code: secret_notice
      title_zh: 涉密通告
      of: notice
      when: secret || major_information
      steps:
        - &office {code: checked, title_zh: 文字图片审核, who: [office], source: *s}
        - &leader {code: reviewed, title_zh: 领导审核, who: [leader_in_charge], source: *s}
        - {code: party, title_zh: 党办审核, who: [party_office], source: *s}
      source: *s
    - {code: notice, title_zh: 通告, of: notice, steps: [*office, *leader], source: *s}
  separation: {value: by_person, source: *s}
publication:
  speaks_as: {value: unit, source: *s}
  single_text: {value: true, source: *s}
  status: {needs_established_facts: false, source: *s}
  facts: {needs_established_facts: true, source: *s}
  notices: {uploaded_by: [site_administrator], source: *s}
  corrections: {value: new_statement, source: *s}
"""


def a_notice(*past: Any, actor: Any = HANDLER, text: str = TEXT, under: str | None = None) -> Given:
    seen = {"stream": STREAM, "incident": Incident.none("town-east"), "title": TITLE, "text": text}
    made = given(DECIDER, *past, actor=actor, seen=seen)
    return replace(made, context=replace(made.context, offices=offices(under))) if under else made


def draft(**more: Any) -> Draft:
    return Draft.model_validate({"form": "notice", "kind": "status", "title": TITLE, "text": TEXT, **more})


def test_a_notice_needs_no_matter() -> None:
    a_notice().when(draft()).then(DRAFTED)
    a_notice(actor=staff("handler", unit="town-west")).when(draft()).then_raises(Forbidden)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"form": "reply"}, "name the matter"),
        ({"form": None}, "name the matter"),
        ({"kind": "facts"}, "is a status"),
        ({"facts": ["cause"]}, "has no facts"),
        ({"waive": [{"figures": ["1"], "reason": "r"}]}, "nothing to waive"),
    ],
)
def test_everything_but_a_notice_needs_its_matter(more: dict[str, Any], told: str) -> None:
    a_notice().when(draft(**more)).then_raises(Malformed, told)


def test_it_stays_a_notice() -> None:
    a_notice(DRAFTED).when(Revise(text="改", form="reply")).then_raises(Malformed, "stays one")
    a_notice(DRAFTED).when(Revise(text="改", facts=("cause",))).then_raises(Malformed, "stays one")


def test_figures_of_a_notice_need_no_fact_and_a_marker_finds_none() -> None:
    (done,) = a_notice(DRAFTED, text="由于检修，3月9日8时起停水两天。").when(Submit()).decided()
    assert isinstance(done.data, StatementSubmitted)  # type: ignore[union-attr]
    a_notice(DRAFTED, text="停水{{fact:days}}").when(Submit()).then_raises(Rejected, "not established")


@pytest.mark.requirement("PUB-08")
@pytest.mark.parametrize(
    ("mark", "steps"), [({}, ["checked", "reviewed"]), ({"secret": True}, ["checked", "reviewed", "party"])]
)
def test_it_has_its_own_chain_in_the_pack(mark: dict[str, bool], steps: list[str]) -> None:
    (done,) = a_notice(DRAFTED.model_copy(update=mark), under=PACK).when(Submit()).decided()
    assert [step.code for step in done.data.steps] == steps  # type: ignore[union-attr]


@pytest.mark.requirement("PUB-08")
def test_the_post_that_the_pack_names_uploads_it() -> None:
    course = StatementSubmitted(unit="town-east", chain=None, steps=(), by=by("wang"))
    rest = PACK[PACK.index("publication:") :].replace("*s", "{kind: derived, reason: r}")
    approved_ = a_notice(DRAFTED, course, under=PACK[: PACK.index("approval:")] + rest)
    approved_.by(SPOKESPERSON).when(Publish()).then(PUBLISHED)
    chief = staff("chief", unit="town-east", person="zhao")
    approved_.by(chief).when(Publish()).then_raises(Forbidden, "site_administrator")


def test_where_a_pack_has_no_chain_for_notices_that_of_statements_counts() -> None:
    (done,) = a_notice(DRAFTED).when(Submit()).decided()
    assert done.data.chain == "usual" and done.data.level is None  # type: ignore[union-attr]
    chain = StatementSubmitted.model_validate(done.data.model_dump())  # type: ignore[union-attr]
    a_notice(DRAFTED, chain, approved(), actor=SPOKESPERSON).when(Publish()).then(PUBLISHED)


def test_an_office_that_has_ended_says_nothing_more() -> None:
    due = StatementScheduled(at=spec.NOW, by=by("sun"))
    case = a_notice(DRAFTED, submitted(), approved(), due, actor=SYSTEM)
    assert len(case.when(PublishDue()).decided()) == 1
    known = case.context.offices
    left = {code: unit for code, unit in known.units.items() if code != "town-east"}
    known = replace(known, units=left, former={"town-east": known.units["town-east"]})
    case = replace(case, context=replace(case.context, offices=known))
    case.when(PublishDue()).then_raises(Rejected, "has ended")


def test_it_starts_no_clock() -> None:
    asked = StatementSubmitted.model_validate(
        {"unit": "town-east", "steps": [{"code": "checked", "who": ["office"]}], "by": by("wang")}
    )
    for one in spec.events("statement", [DRAFTED, asked, PUBLISHED]):
        alone = {name: value for name, value in one.attributes.items() if name != "correlationid"}
        assert list(react(Event(alone, one.bytes), Batch())) == []


async def notice(office: Office, text: str = "本周六8时至12时检修管网，全镇停水。") -> str:
    body = {"form": "notice", "kind": "status", "title": "停水通告", "text": text}
    answer = await office.client.post("/publish/v1/statements", json=body, headers=office.as_("handler"))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_from_the_draft_to_the_bulletin(office: Office) -> None:
    id_, other = await notice(office), await notice(office, "另一份通告。")
    for one in (id_, other):
        for verb, role in (("submit", "handler"), ("approve", "approver"), ("publish", "spokesperson")):
            answer = await office.act(one, verb, role)
            assert answer.status_code == 200, answer.text
    found = await office.read(id_)
    assert (found["incident_id"], found["incident_number"], found["unit"]) == (None, None, "county")
    assert (found["kind"], found["form"], found["state"]) == ("status", "notice", "published")
    page = (await office.client.get(f"/bulletin/statements/{id_}")).text
    assert "停水通告" in page and "通告" in page and "事项编号" not in page
    assert "此前的回应" not in page and "后续回应" not in page, "two notices are about no common matter"
    for path in ("", "feed.atom", "feed.json"):
        assert "停水通告" in (await office.client.get(f"/bulletin/{path}")).text
    (item, _) = (await office.client.get("/bulletin/feed.json")).json()["items"]
    assert item["_huiying"]["incident_id"] is None
    asked = await office.client.get(f"/bulletin/verify?statement={found['number']}")
    assert "停水通告" in asked.text
    change = {"text": "周日检修。", "reason": "日期写错"}
    answer = await office.act(id_, "correct", "spokesperson", change, person="qian")
    assert answer.status_code == 200, answer.text
    answer = await office.act(id_, "withdraw", "spokesperson", {"reason": "检修取消"})
    assert answer.status_code == 200, answer.text
    history = await office.client.get(f"/publish/v1/statements/{id_}/history", headers=office.as_("handler"))
    acts = [act["act"] for act in history.json()["items"]]
    assert acts == ["drafted", "submitted", "approved", "published", "corrected", "withdrawn"]


async def test_lists_and_previews_take_it(office: Office) -> None:
    id_ = await notice(office)
    listed = await office.client.get("/publish/v1/statements", headers=office.as_("handler"))
    assert [one["id"] for one in listed.json()["items"]] == [id_] and listed.json()["may"] == ["draft"]
    elsewhere = await office.client.get("/publish/v1/statements", headers=office.as_("handler", "town-west"))
    assert elsewhere.json()["items"] == []
    hidden = await office.client.get(f"/publish/v1/statements/{id_}", headers=office.as_("handler", "town-west"))
    assert hidden.status_code == 404
    typed = {"form": "notice", "kind": "status", "title": "停电通告", "text": "今晚停电。"}
    page = await office.client.post("/publish/v1/preview", json=typed, headers=office.as_("handler"))
    assert page.status_code == 200 and "停电通告" in page.text
    again = await office.client.post(f"/publish/v1/statements/{id_}/preview", json={}, headers=office.as_("handler"))
    assert again.status_code == 200
    for change, field in (({"unit": "atlantis"}, "unit"), ({"form": "reply"}, "incident_id")):
        answer = await office.client.post("/publish/v1/statements", json=typed | change, headers=office.as_("handler"))
        assert (answer.status_code, answer.json()["field"]) == (422, field)
