"""The words of a timeline: one language at a time, and titles in place of codes."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.escalation import ClockReminderSent, ClockReportedUpward, ClockStarted, RosterDutyPlanned
from schemas.fields import Fact
from schemas.offices import UnitPlaced
from schemas.publish import StatementApproved
from schemas.titles import TITLES, Language
from schemas.triage import (
    IncidentCategorized,
    IncidentFactEstablished,
    IncidentFlagSet,
    IncidentGraded,
    IncidentHarmJudged,
    IncidentPolicyMoved,
    IncidentRegraded,
    IncidentReturned,
    IncidentTransferred,
)
from services.audit.summaries import Names, summary
from tests.audit.test_timeline import match_key
from tests.audit.world import START, World, id_of, received
from tests.kit import spec

SINCE = "2020-01-01T00:00:00.000000Z"
NAMED = {
    "town-east": [(SINCE, "东镇"), ("2026-03-03T00:00:00.000000Z", "东街道")],
    "county": [(SINCE, "示例县")],
    "leading_group@county": [(SINCE, "回应工作领导小组")],
    "approver@town-east": [(SINCE, "分管领导")],
    "chief@town-east": [(SINCE, "主要负责人")],
    "duty_officer@town-east": [(SINCE, "值班员"), ("2026-03-03T00:00:00.000000Z", "值守员")],
}


def said(kind: str, fact: Fact, language: Language) -> str:
    (event,) = spec.events(kind, [fact])
    return summary(event, Names(language, spec.offices(), NAMED))


@pytest.mark.parametrize(
    ("kind", "fact", "chinese", "english"),
    [
        ("report", received(), "东镇经网络留言板收到反映", "东镇 received a report through Message board"),
        (
            "incident",
            IncidentGraded.model_validate({"level": "major", "rank": 2, "reason": "r"}),
            "定级：重大",
            "graded major",
        ),
        (
            "incident",
            IncidentRegraded.model_validate(
                {"level": "extraordinary", "rank": 3, "previous": "general", "previous_rank": 1, "reason": "r"}
            ),
            "改级：一般 改为 特别重大",
            "regraded from general to extraordinary",
        ),
        (
            "incident",
            IncidentCategorized.model_validate({"category": "roads.lighting", "previous": "roads"}),
            "归类：路灯照明（原类别：道路交通）",
            "category Street lighting (before: Roads and traffic)",
        ),
        (
            "incident",
            IncidentTransferred.model_validate({"unit": "county", "previous": "town-east", "reason": "r"}),
            "由东镇移交示例县",
            "transferred from 东镇 to 示例县",
        ),
        (
            "incident",
            IncidentReturned.model_validate(
                {"unit": "town-east", "reason": "r", "ground": "not_ours_by_duty", "late": True, "returns": 2}
                | {"designates": "county"}
            ),
            "东镇第 2 次退回（逾期）（不属本单位职责），由示例县指定承办",
            "东镇 gave it back (late), return no. 2 (not ours by duty); 示例县 designates",
        ),
        (
            "incident",
            IncidentFactEstablished.model_validate({"key": "inspected", "kind": "yes_no", "yes": True, "source": "s"}),
            "查明事实 是否现场核查",
            "fact Inspected on site established",
        ),
        (
            "clock",
            ClockStarted(clock="public_statement", unit="town-east", since=START, due=START + timedelta(hours=4)),
            "东镇时限 公开回应 起算，03-02 21:00 到期",
            "clock public statement of 东镇 started, due 2 Mar 21:00",
        ),
        (
            "clock",
            ClockReminderSent(clock="public_statement#2", rung="circular", unit="town-east", told="county", due=START),
            "就时限 公开回应#2 向示例县发出通报",
            "circular about public statement#2 sent to 示例县",
        ),
        (
            "clock",
            ClockStarted(clock="explanation.review", unit="town-east", since=START, due=START + timedelta(hours=4)),
            "东镇时限 解释或解决（复查） 起算，03-02 21:00 到期",
            "clock explanation (review) of 东镇 started, due 2 Mar 21:00",
        ),
        (
            "clock",
            ClockReportedUpward.model_validate(
                {
                    "report": "00000000-0000-4000-8000-000000000001",
                    "to": "county",
                    "addressee": "leading_group",
                    "form": "call",
                    "unit": "town-east",
                }
                | {"unverified": True}
            ),
            "东镇上报示例县的 回应工作领导小组，未核实：是",
            "东镇 reported to leading group of 示例县, unverified: yes",
        ),
        (
            "clock",
            ClockReportedUpward.model_validate(
                {
                    "report": "00000000-0000-4000-8000-000000000001",
                    "to": "town-east",
                    "addressee": "leader_in_charge",
                    "form": "call",
                }
                | {"unit": "town-east", "unverified": True}
            ),
            "东镇上报东镇的 分管领导，未核实：是",
            "东镇 reported to leader in charge of 东镇, unverified: yes",
        ),
        (
            "incident",
            IncidentHarmJudged.model_validate({"harm": 2, "reason": "r"}),
            "判定危害：有人受伤、患病或财产受损",
            "harm judged: 2",
        ),
        ("incident", IncidentFlagSet.model_validate({"flag": "food", "reason": "r"}), "设置标识 食品", "flag food set"),
        (
            "roster",
            RosterDutyPlanned(
                unit="town-east", post="duty_officer@town-east", since=START, until=START + timedelta(hours=8)
            ),
            "东镇值班：东镇值班员，03-02 17:00 至 03-03 01:00",
            "东镇: duty officer of 东镇 on duty from 2 Mar 17:00 until 3 Mar 01:00",
        ),
    ],
)
def test_levels_clocks_units_channels_and_facts_have_their_titles(
    kind: str, fact: Fact, chinese: str, english: str
) -> None:
    assert said(kind, fact, "zh") == chinese
    assert said(kind, fact, "en") == english


def test_whoever_agrees_for_another_post_is_named() -> None:
    """By a delegation or a role, another post can agree for the one that the chain names."""
    fact = StatementApproved.model_validate(
        {"step": "principal_leader", "who": "principal_leader", "post": "chief@town-east", "last": True, "by": "a" * 64}
    )
    for actor, chinese, english in (
        ("chief@town-east", "东镇主要负责人", "principal leader of 东镇"),
        (
            "approver@town-east",
            "东镇主要负责人，由东镇分管领导作出",
            "principal leader of 东镇, given by leader in charge of 东镇",
        ),
    ):
        (event,) = spec.events("statement", [spec.At(fact, actor=actor)])
        zh, en = (summary(event, Names(language, spec.offices(), NAMED)) for language in ("zh", "en"))
        # Two chains give this step different titles, so that of the addressee stands here.
        assert zh == f"审批通过（主要领导，{chinese}）"
        assert en == f"approved (principal leader, {english})"


def test_a_pack_is_named_by_its_title_and_version() -> None:
    pack = next(one for one in spec.offices().packs.values() if one.model.id == "county-default")
    fact = IncidentPolicyMoved.model_validate({"policy": pack.ref, "previous": "other@1#" + "a" * 64, "reason": "r"})
    assert said("incident", fact, "zh") == f"改用制度 《{pack.model.title}》{pack.name}（原为 other@1）"
    assert said("incident", fact, "en") == f"moved to the pack {pack.name} from other@1"


def test_no_title_is_missing_for_what_events_may_hold() -> None:
    """Every code of a closed list that a summary shows has a title in both languages."""
    from schemas import catalogue
    from services.audit.summaries import SOURCES, TEMPLATES, fields

    for type_, model in catalogue.types().items():
        name = type_.removeprefix(catalogue.PREFIX).rpartition(".v")[0]
        for field in fields(TEMPLATES.get(name, "")) - SOURCES.keys():
            part = model.model_json_schema(mode="serialization")["properties"][field]
            for code in codes(part):
                assert code in TITLES, f"{name} shows {field}={code}, which has no title"


def codes(part: Any) -> list[str]:
    """The members of a closed list in a JSON Schema."""
    if "const" in part:
        return [part["const"]]
    inner = [*part.get("anyOf", ()), *([part["items"]] if "items" in part else ())]
    return [*part.get("enum", ()), *(code for one in inner for code in codes(one))]


async def test_a_timeline_speaks_the_language_that_is_asked_for(world: World) -> None:
    incident = await match_key(world)
    await world.take()
    path = f"/audit/v1/incidents/{incident}/timeline"
    async with world.client() as client:
        for query, liked, language in (
            ("", "", "en"),
            ("", "zh-CN", "zh-Hans"),
            ("?lang=zh", "en", "zh-Hans"),
            ("?lang=en", "zh", "en"),
        ):
            answer = await client.get(path + query, headers={"Accept-Language": liked})
            assert answer.headers["content-language"] == language
            first, second = (item["summary"] for item in answer.json()["items"][:2])
            if language == "en":
                assert (first, second[:10]) == ("town-east received a report through Message board", "opened for")
            else:
                assert (first, second[:11]) == ("town-east经网络留言板收到反映", "town-east立案")
            one = answer.json()["items"][0]["event"]["id"]
            event = await client.get(f"/audit/v1/events/{one}{query}", headers={"Accept-Language": liked})
            assert event.json()["summary"] == first
        refused = await client.get(path + "?lang=fr")
        assert (refused.status_code, refused.json()["known"]) == (422, ["zh", "en"])


async def test_a_unit_has_the_name_of_its_time_and_an_answer_stays_as_it_was(world: World) -> None:
    early = await match_key(world, "early")
    await world.take()
    path, size = f"incidents/{early}/timeline", (await world.get(f"incidents/{early}/timeline"))["log_size"]
    before = await world.raw(path, log_size=size)
    renamed = UnitPlaced(unit="town-east", kind="town", name="东街道", parent="county", since=world.now)
    await world.send(world.event("triage", id_of("unit", "tree"), renamed, unit="city"))
    late = await match_key(world, "late")
    await world.take()
    assert await world.raw(path, log_size=size) == before
    assert (await world.get(path))["items"][0]["summary"].startswith("town-east received")
    assert (await world.get(f"incidents/{late}/timeline"))["items"][0]["summary"].startswith("东街道 received")
