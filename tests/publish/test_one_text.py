"""One text: figures are bound to facts or waived, contradict nothing, and a revised fact is seen where it was used."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as some
from hypothesis import strategies as st

from schemas.fields import Fact
from schemas.publish import StatementDrafted, StatementPublished, StatementSubmitted, UsedFact
from schemas.triage import IncidentFactEstablished, IncidentFactRevised
from services.kernel.core.problems import Rejected
from services.publish.commands import Correct, Draft, Publish, Submit, Waiver
from services.publish.decider import DECIDER
from services.publish.writing import binding, one_text
from services.publish.writing.binding import Established
from services.publish.writing.one_text import Said
from tests.kit import spec
from tests.kit.spec import Given, given
from tests.publish.conftest import Office
from tests.publish.test_decider import (
    HANDLER,
    INCIDENT,
    MATTER,
    SPOKESPERSON,
    STREAM,
    approved,
    drafted,
    published,
    submitted,
)

SUBMIT = Submit()
LAMPS = Established("lamps", INCIDENT, 5, "number", number=Decimal("12.0"))
RESTORED = Established("restored", INCIDENT, 5, "number", number=Decimal(95))
AT = Established("restored_at", INCIDENT, 6, "time", at="2026-03-02T10:00:00.000000Z")
PLACE = Established("place", INCIDENT, 4, "text", words="卫生院门前")
CAUSE = Established("cause_kind", INCIDENT, 4, "code", code="wear")
SAFE = Established("danger", INCIDENT, 4, "yes_no", yes=False)


def matter(*facts: Established) -> Any:
    return replace(MATTER, facts=frozenset(one.key for one in facts), established=facts)


def written(
    text: str,
    *facts: Established,
    title: str = "路灯情况",
    waived: str = "",
    earlier: tuple[Said, ...] = (),
    named: tuple[str, ...] = (),
) -> Given:
    """A draft with this text, before its submission."""
    seen = {"stream": STREAM, "incident": matter(*facts), "title": title, "text": text, "waived": waived}
    return given(DECIDER, drafted(facts=named), actor=HANDLER, seen={**seen, "earlier": earlier})


def refused(state: Given, code: str, command: Any = SUBMIT) -> dict[str, Any]:
    with pytest.raises(Rejected) as caught:
        state.when(command).decided()
    assert caught.value.code == code
    return dict(caught.value.members)


@pytest.mark.parametrize(
    ("fact", "said"),
    [(LAMPS, "12盏"), (RESTORED, "95%"), (AT, "3月2日18时"), (PLACE, "卫生院门前"), (CAUSE, "老化损坏"), (SAFE, "否")],
)
def test_a_marker_is_read_as_the_value_with_its_measure(fact: Established, said: str) -> None:
    text = f"情况：{{{{fact:{fact.key}}}}}。"
    [event] = written(text, fact).when(Submit()).decided()
    assert event.data.text.text == f"情况：{said}。"
    assert event.data.title is None, "a text without markers stays as it is"
    assert event.data.used == (UsedFact(key=fact.key, incident=INCIDENT, version=fact.version),)


def test_a_time_of_another_year_names_it() -> None:
    sheet = binding.Sheet(spec.offices().zone, spec.NOW, {}, (replace(AT, at="2025-12-31T16:30:00.000000Z"),))
    assert sheet.resolved("{{fact:restored_at}}") == "2026年1月1日0时30分".replace("2026年", "")
    assert sheet.resolved("{{ fact:place }}") == "{{ fact:place }}", "what cannot be bound stays"


@some(st.lists(st.sampled_from(["{{fact:lamps}}", "路灯", "{{", "}}", "{", "fact:lamps", "\n", "{{fact:}}", "{{x}}"])))
def test_no_brace_is_lost_or_public(parts: list[str]) -> None:
    text = "".join(parts)
    sheet = binding.Sheet(spec.offices().zone, spec.NOW, spec.offices().lists.facts, (LAMPS,))
    if not any(one.what.startswith(("marker", "fact")) for one in one_text.findings({"text": text}, sheet)):
        resolved = sheet.resolved(text)
        assert "{{" not in resolved and "}}" not in resolved
    assert len(binding.without_markers(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [("{{fact:lamps}}", "fact-not-bindable"), ("{{fact:nothing}}", "fact-not-bindable"),
     ("{{lamps}}", "marker-malformed"), ("{{fact:lamps", "marker-malformed"), ("路灯}}", "marker-malformed")],
)  # fmt: skip
def test_what_cannot_be_bound_is_refused_with_what_exists(text: str, code: str) -> None:
    said = refused(written(text, PLACE), code)
    assert (said["field"], said["at"]) == ("text", text.index("{") + 1 if "{" in text else 3)
    if code == "fact-not-bindable":
        assert said["known"] == ["place"]


def test_words_that_are_not_here_are_not_bound() -> None:
    assert refused(written("{{fact:place}}", replace(PLACE, words=None)), "fact-words-missing")["fact"] == "place"


@pytest.mark.requirement("PUB-10")
def test_a_figure_is_bound_or_waived() -> None:
    assert refused(written("出动车三台，17时到场。"), "free-number")["others"] == ["17时"]
    assert refused(written("路灯共12盏。", LAMPS), "free-number")["fact"] == "lamps", "it names the fact to bind"
    text = "路灯共十二盏，3月2日18时已亮。"
    assert written(text, LAMPS, AT, named=("lamps", "restored_at")).when(SUBMIT).decided()
    assert refused(written(text, LAMPS, AT, named=("lamps",)), "free-number")["fact"] == "restored_at"
    assert refused(written("路灯共13盏。", LAMPS, named=("lamps",)), "differs-from-fact")["says"] == "12盏"
    waived = binding.written([binding.Waived(("三台", "17时"), "办理安排")])
    written("出动车三台，17时到场。", waived=waived).when(Submit()).decided()
    assert refused(written("出动车四台。", waived=waived), "free-number")["figure"] == "四台"
    assert refused(written("已到场。", title="三栋楼停水"), "free-number")["field"] == "title"


@pytest.mark.requirement("PUB-10")
def test_an_office_without_a_part_in_the_matter_needs_a_fact_or_a_waiver() -> None:
    text = "town-west 已派人修复，town-east 和 county-roads 在场，county-water 也到场。"
    said = refused(written(text), "free-office")
    assert (said["figure"], said["at"], said["others"]) == ("town-west", 1, ["county-water"])
    written(text, replace(PLACE, words="town-west 与 county-water 交界处")).when(SUBMIT).decided()
    waived = binding.written([binding.Waived(("town-west", "county-water"), "协助单位")])
    written(text, waived=waived).when(SUBMIT).decided()
    written("county 已部署。").when(SUBMIT).decided()


def test_the_longest_name_of_an_office_counts() -> None:
    sheet = binding.Sheet(spec.offices().zone, spec.NOW, {}, ())
    offices = one_text.Offices(near=frozenset({"东镇卫生院"}), others=frozenset({"东镇"}))
    assert one_text.findings({"text": "东镇卫生院已开门。"}, sheet, offices=offices) == []
    [found] = one_text.findings({"text": "东镇卫生院和东镇已开门。"}, sheet, offices=offices)
    assert (found.what, found.figure, found.at) == ("free-office", "东镇", 7)


@pytest.mark.requirement("PUB-10")
@pytest.mark.parametrize("figure", ["11盏", "十一盏", "１１盏", "两千余盏"])
def test_what_differs_from_a_fact_is_refused_and_cannot_be_waived(figure: str) -> None:
    said = refused(written(f"路灯共{figure}。", LAMPS, waived=f"{figure}\t估计"), "differs-from-fact")
    assert (said["figure"], said["title"], said["says"]) == (figure, "路灯数量", "12盏")


def test_of_several_facts_of_a_measure_one_must_agree() -> None:
    injured, people = (
        replace(LAMPS, key=key, number=Decimal(n)) for key, n in (("injured", 2), ("people_affected", 30))
    )
    written("2人受伤，涉及30人。", injured, people, waived="2人\t30人\t见事实").when(Submit()).decided()
    refused(written("3人受伤。", injured, people), "differs-from-fact")


@pytest.mark.requirement("PUB-10")
def test_without_a_fact_an_earlier_statement_counts() -> None:
    earlier = (Said("statement-1", "S1", "涉及12户"), Said("statement-2", "S2", "停水，涉及十五户"))
    said = refused(written("涉及12户。", earlier=earlier, waived="12户\t估计"), "differs-from-statement")
    assert (said["statement"], said["says"]) == ("S2", "十五户")
    written("涉及15户。", earlier=earlier, waived="15户\t与前一稿一致").when(Submit()).decided()
    own = replace(LAMPS, key="households", number=Decimal(16))
    written("涉及{{fact:households}}。", own, earlier=earlier).when(Submit()).decided()
    mine = (Said(STREAM, "S3", "涉及12户"),)
    written("涉及15户。", earlier=mine, waived="15户\t办理中").when(Submit()).decided()


@pytest.mark.requirement("PUB-14")
@pytest.mark.parametrize(
    "text",
    ["因线路老化导致停电。", "由于施工停水。", "原因是管道破裂。", "系老化所致。", "线路故障致使停电。",
     "The outage was caused by works."],
)  # fmt: skip
def test_a_cause_is_a_fact(text: str) -> None:
    refused(written(text), "cause-not-established")
    refused(written(text, replace(CAUSE, code="unknown")), "cause-not-established")
    written(text, CAUSE).when(Submit()).decided()
    written(text, replace(PLACE, key="cause")).when(Submit()).decided()


@pytest.mark.parametrize(
    "text",
    ["停电原因正在调查。", "原因尚未查明。", "由于原因尚在调查，暂不公布。", "因此我们已派员。",
     "原因正在核查，系统已恢复。", "我单位已接到反映，正在核实处理，核实后及时公布。"],
)  # fmt: skip
@pytest.mark.requirement("PUB-14")
def test_what_says_no_cause_passes(text: str) -> None:
    written(text).when(Submit()).decided()


def test_a_draft_keeps_what_it_waives_and_what_it_binds_joins_its_facts() -> None:
    waive = (Waiver(figures=("三台", "17时"), reason="办理\n安排"),)
    seen = {"stream": STREAM, "incident": matter(LAMPS)}
    draft = Draft(
        incident_id=INCIDENT, kind="facts", title="路灯情况", text="{{fact:lamps}}，{{fact:place}}", waive=waive
    )
    [event] = given(DECIDER, actor=HANDLER, seen=seen).when(draft).decided()
    assert isinstance(event.data, StatementDrafted)
    assert event.data.facts == ("lamps",)
    assert binding.read(event.data.waived.text) == (binding.Waived(("三台", "17时"), "办理 安排"),)


def agreed(*used: UsedFact) -> tuple[Fact, ...]:
    sent = StatementSubmitted.model_validate(submitted().model_dump() | {"text": "路灯共12盏。", "used": used})
    return drafted(), sent, approved()


def test_what_was_approved_is_published_word_for_word_unless_a_fact_was_revised() -> None:
    used = UsedFact(key="lamps", incident=INCIDENT, version=5)
    seen = {
        "stream": STREAM,
        "title": "路灯情况",
        "text": "路灯共{{fact:lamps}}。",
        "agreed_text": "路灯共12盏。",
        "past": (LAMPS,),
    }
    state = given(DECIDER, *agreed(used), actor=SPOKESPERSON, seen={**seen, "incident": matter(LAMPS)})
    [event] = state.when(Publish()).decided()
    assert isinstance(event.data, StatementPublished)
    assert (event.data.text, event.data.used, event.data.facts) == ("路灯共12盏。", (used,), ("lamps",))
    now = replace(LAMPS, version=9, number=Decimal(11))
    state = given(DECIDER, *agreed(used), actor=SPOKESPERSON, seen={**seen, "incident": matter(now)})
    said = refused(state, "fact-revised", Publish())
    assert (said["before"], said["now"]) == ("12盏", "11盏")
    again = given(DECIDER, *agreed(used), actor=HANDLER, seen={**seen, "incident": matter(now)})
    [event] = again.when(Submit()).decided()
    assert event.data.text.text == "路灯共11盏。"


def test_a_correction_goes_through_the_same_rules() -> None:
    past = (drafted(), submitted(), approved(), published())
    seen = {"stream": STREAM, "incident": matter(LAMPS)}
    state = given(DECIDER, *past, actor=SPOKESPERSON, seen=seen)
    refused(state, "differs-from-fact", Correct(text="共11盏。", reason="有误"))
    [event] = state.when(Correct(text="共{{fact:lamps}}。", reason="写漏12盏")).decided()
    assert (event.data.text, [one.key for one in event.data.used]) == ("共12盏。", ["lamps"])


def number(key: str, value: float, model: type = IncidentFactEstablished) -> Fact:
    return model.model_validate({"key": key, "kind": "number", "number": value, "source": "清点"})


async def one_text_over_http(office: Office) -> None:
    await office.incident(number("lamps", 12))
    id_ = await office.draft("路灯共{{fact:lamps}}，车三台到场。", waive=[])
    shown = await office.read(id_)
    assert (shown["draft"], shown["resolved_text"]) == (
        "路灯共{{fact:lamps}}，车三台到场。",
        "路灯共12盏，车三台到场。",
    )
    assert [(one["what"], one["figure"]) for one in shown["findings"]] == [("free-number", "三台")]
    assert {"check": "one_text", "state": "missing"} in shown["gates"]
    assert shown["facts"] == ["lamps"]
    refused = await office.act(id_, "submit", "handler")
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "free-number")
    waive = [{"figures": ["三台"], "reason": "办理安排"}]
    await office.act(id_, "revise", "handler", {"text": shown["draft"], "waive": waive})
    assert (await office.read(id_))["waived"] == waive
    for verb, role in (("submit", "handler"), ("approve", "approver"), ("publish", "spokesperson")):
        answer = await office.act(id_, verb, role)
        assert answer.status_code == 200, answer.text
        assert (await office.read(id_))["resolved_text"] == "路灯共12盏，车三台到场。"
    assert (await office.read(id_))["text"] == "路灯共12盏，车三台到场。"

    async def outdated() -> list[str]:
        answer = await office.client.get("/publish/v1/statements?outdated=true", headers=office.as_("handler"))
        return [one["id"] for one in answer.json()["items"]]

    assert await outdated() == []
    await office.incident(number("lamps", 11, IncidentFactRevised))
    assert await outdated() == [id_]
    assert (await office.read(id_))["outdated"] == ["lamps"]
    later = await office.published("现查明路灯共{{fact:lamps}}。")
    assert (await outdated(), (await office.read(id_))["outdated"]) == ([], [])
    assert (await office.read(later))["text"] == "现查明路灯共11盏。"
    await office.incident(number("lamps", 10, IncidentFactRevised))
    assert set(await outdated()) == {id_, later}
    done = await office.act(
        later, "correct", "spokesperson", {"text": "路灯共{{fact:lamps}}。", "reason": "重新清点"}, "qian"
    )
    assert done.status_code == 200, done.text
    assert await outdated() == []


@pytest.mark.requirement("PUB-10")
async def test_one_text_over_http(office: Office) -> None:
    await one_text_over_http(office)


async def test_one_text_on_postgres(office_on_postgres: Office) -> None:
    await one_text_over_http(office_on_postgres)


async def test_a_preview_shows_values_in_place_of_markers(office: Office) -> None:
    await office.incident(number("lamps", 12))
    id_ = await office.draft()
    path, who = f"/publish/v1/statements/{id_}/preview", office.as_("handler")
    page = await office.client.post(path, json={"text": "路灯共{{fact:lamps}}。"}, headers=who)
    assert "路灯共12盏。" in page.text
