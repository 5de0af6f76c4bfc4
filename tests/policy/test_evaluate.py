"""`huiying policy evaluate` and the cases that packs carry: what the rules say of a matter, from its facts alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.apps import cases
from services.apps.cli import execute
from services.escalation.trying import cases as trying
from services.escalation.trying.evaluate import evaluate
from services.escalation.trying.facts import Facts, Unfit, parse
from services.kernel.core.units import LoadedPack
from services.kernel.rules.packs import load_packs

POLICIES = Path(__file__).parents[2] / "policies"
PACKS = {pack.model.id: pack for pack in load_packs(POLICIES).values()}
DISCOVERED = "2026-03-02T09:00:00+08:00"
UNIT = {
    "code": "town-east",
    "kind": "town",
    "above": [{"code": "county", "kind": "county"}, {"code": "city", "kind": "city"}],
}


def facts(**more: Any) -> Facts:
    return parse({"discovered_at": DISCOVERED, "unit": UNIT, **more}, "facts.json")


def said(pack: str, **more: Any) -> dict[str, Any]:
    return evaluate(PACKS[pack], facts(**more))


def clocks(answer: dict[str, Any]) -> dict[str, Any]:
    return {clock["name"]: clock for clock in answer["clocks"]}


@pytest.fixture(params=sorted(PACKS))
def pack(request: pytest.FixtureRequest) -> LoadedPack:
    return PACKS[request.param]


class TestCases:
    @pytest.mark.requirement("MUL-03", "TRI-05", "TRI-06", "TRI-07", "TRI-08")
    def test_a_pack_carries_cases_and_they_hold(self, pack: LoadedPack) -> None:
        found = cases.read(pack, POLICIES)
        assert found
        assert [(case.title, fault) for case in found for fault in trying.faults(pack, case)] == []

    def test_a_case_that_does_not_hold_is_told_with_its_place(self) -> None:
        case = trying.Case(title="x", facts=facts(graded={"level": "major", "at": DISCOVERED}), expect={"level": "iv"})
        assert trying.faults(PACKS["county-default"], case) == ['level is "major", not "iv"']
        assert "no level of bureau-004@1; its levels are iv, iii, ii, i" in trying.faults(PACKS["bureau-004"], case)[0]

    def test_the_commands_answer_for_all_and_for_a_file(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert _typed(capsys, "policy", "test", "company-000")[:2] == (0, "company-000@1: 4 cases hold\n")
        file = tmp_path / "mine.yaml"
        file.write_bytes((POLICIES / "bureau-004.yaml").read_bytes())
        (tmp_path / "cases").mkdir()
        wrong = [
            {"title": "三级", "facts": {"discovered_at": DISCOVERED}, "expect": {"clocks": {"report_to_superior": {}}}}
        ]
        (tmp_path / "cases" / "bureau-004.json").write_text(json.dumps(wrong))
        code, out, _ = _typed(capsys, "policy", "test", str(file))
        assert (code, out) == (1, "bureau-004@1: 三级: clocks.report_to_superior is null, not {}\n")


class TestAnswer:
    def test_it_has_one_shape(self, pack: LoadedPack) -> None:
        answer = evaluate(pack, facts(figures={"clicks": 5000}, as_of="2026-03-20T09:00:00+08:00"))
        assert list(answer) == [
            "pack",
            "proposed",
            "level",
            "lead",
            "approval",
            "report_to",
            "clocks",
            "ladder",
            "rules",
        ]
        shapes = {
            "approval": ["step", "who", "quorum"],
            "report_to": ["who", "owed_by", "form", "clock"],
            "clocks": [
                "name",
                "unit",
                "from",
                "due",
                "provisional",
                "state",
                "met_at",
                "late_by",
                "late_by_happened",
                "clause",
            ],
            "ladder": ["rung", "at", "told", "names"],
            "rules": ["rule", "clause", "basis"],
        }
        for name, keys in shapes.items():
            assert all(list(item) == keys for item in answer[name]), name

    def test_the_same_facts_give_the_same_bytes(self, pack: LoadedPack) -> None:
        given = {"figures": {"clicks": 5000}, "events": [{"at": DISCOVERED, "act": "accepted"}]}
        later = {**given, "as_of": "2026-03-20T09:00:00+08:00"}
        assert json.dumps(evaluate(pack, facts(**later))) == json.dumps(evaluate(pack, facts(**later)))

    def test_without_a_time_the_last_one_that_the_facts_name_counts(self) -> None:
        late = {"events": [{"at": "2026-03-03T09:00:01+08:00", "act": "note_problem"}]}
        assert clocks(said("county-default"))["explanation"]["state"] == "running"
        assert clocks(said("county-default", **late))["explanation"]["state"] == "breached"

    def test_a_set_limit_names_a_time_too(self) -> None:
        due = {"clock": "disclosure", "due": "2026-03-06T09:00:00+08:00", "set_at": DISCOVERED}
        answer = said("national-answer", category="government.disclosure", limits=[due])
        assert clocks(answer)["answer"]["late_by"] == "P2D"

    def test_a_later_fact_changes_nothing_as_of_an_earlier_time(self) -> None:
        noon = {"as_of": "2026-03-02T12:00:00+08:00"}
        later = {"figures_over_time": [{"at": "2026-03-02T12:00:01+08:00", "clicks": 3000}]}
        assert said("county-default", **noon, **later) == said("county-default", **noon)

    def test_every_clock_and_report_names_its_clause(self, pack: LoadedPack) -> None:
        answer = evaluate(pack, facts(as_of="2026-03-20T09:00:00+08:00"))
        assert all(clock["clause"] for clock in answer["clocks"])
        assert all(rule["clause"] for rule in answer["rules"] if rule["basis"] != "derived")

    def test_a_note_meets_nothing(self) -> None:
        noted = {"events": [{"at": "2026-03-02T10:00:00+08:00", "act": act} for act in ("note_problem", "note_answer")]}
        end = {"as_of": "2026-03-04T09:00:00+08:00"}
        assert said("county-default", **noted, **end) == said("county-default", **end)

    def test_a_hop_waits_for_the_receipt_of_the_one_before(self) -> None:
        unit = {"code": "school", "kind": "unit", "above": [{"code": "town", "kind": "town"}, *UNIT["above"]]}  # type: ignore[misc]
        graded = {"unit": unit, "graded": {"level": "major", "at": DISCOVERED}}
        first = {"at": "2026-03-02T09:30:00+08:00", "act": "received", "to": "party_committee"}
        end = {"as_of": "2026-03-02T11:00:00+08:00"}
        never = clocks(said("county-default", **graded, **end))
        assert "report_to_county" not in never
        passed = clocks(said("county-default", **graded, **end, events=[first]))
        assert passed["report_to_town"]["state"] == "met"
        assert (passed["report_to_county"]["unit"], passed["report_to_county"]["state"]) == ("town", "breached")

    def test_a_limit_that_the_document_leaves_to_a_person_runs_once_it_is_set(self) -> None:
        assigned = {"assignments": [{"unit": "county-roads", "at": "2026-03-02T10:00:00+08:00"}]}
        due, set_at = "2026-03-05T18:00:00+08:00", "2026-03-02T11:00:00+08:00"
        limits = {"limits": [{"clock": "on_time", "due": due, "set_at": set_at}], "as_of": "2026-03-05T18:00:01+08:00"}
        (clock,) = said("zone-002-10", **assigned, **limits)["clocks"]
        assert (clock["name"], clock["unit"]) == ("on_time", "county-roads")
        assert (clock["due"], clock["state"]) == ("2026-03-05T10:00:00.000000Z", "breached")
        assert said("zone-002-10", **assigned)["clocks"] == []

    def test_a_deferral_ends_the_clock_also_where_nobody_set_the_review(self) -> None:
        assigned = {"assignments": [{"unit": "county-roads", "at": "2026-03-02T10:00:00+08:00"}]}
        limits = [{"clock": "on_time", "due": "2026-03-05T18:00:00+08:00", "set_at": "2026-03-02T11:00:00+08:00"}]
        deferred = [{"at": "2026-03-03T09:00:00+08:00", "act": "deferred"}]
        end = {"as_of": "2026-03-09T09:00:00+08:00"}
        (clock,) = said("zone-002-10", **assigned, **end, limits=limits, events=deferred)["clocks"]
        assert (clock["name"], clock["state"], clock["late_by"]) == ("on_time", "cancelled", None)

    def test_an_extension_moves_the_end_by_what_the_pack_allows(self) -> None:
        asked = {"category": "government.disclosure", "as_of": "2026-06-01T09:00:00+08:00"}
        usual = clocks(said("national-answer", **asked))["disclosure"]
        extended = {"at": "2026-03-20T09:00:00+08:00", "act": "extended"}
        longer = clocks(said("national-answer", **asked, events=[extended]))["disclosure"]
        assert usual["due"] == "2026-03-30T16:00:00.000000Z", "20 working days after 2 March"
        assert longer["due"] == "2026-04-28T16:00:00.000000Z", "20 more; 清明 on 4 to 6 April, a Monday"
        again = {"at": "2026-03-21T09:00:00+08:00", "act": "extended"}
        assert clocks(said("national-answer", **asked, events=[extended, again]))["disclosure"] == longer
        replied = {"at": "2026-04-29T00:00:00+08:00", "act": "replied"}
        last = clocks(said("national-answer", **asked, events=[extended, replied]))["disclosure"]
        assert (last["state"], last["late_by"]) == ("late", "PT0S"), "the day is over"

    def test_time_to_hear_others_is_not_counted(self) -> None:
        asked = {"category": "government.disclosure", "as_of": "2026-03-25T09:00:00+08:00"}
        events = [
            {"at": "2026-03-10T09:00:00+08:00", "act": "paused"},
            {"at": "2026-03-17T09:00:00+08:00", "act": "resumed"},
        ]
        paused = clocks(said("national-answer", **asked, events=events))["disclosure"]
        assert paused["due"] == "2026-04-07T16:00:00.000000Z", "five working days more than to 30 March; 清明 is none"

    def test_a_rung_is_reached_at_its_very_instant(self) -> None:
        def rungs(end: str) -> list[str]:
            return [sent["at"] for sent in said("county-default", as_of=end)["ladder"]]

        assert rungs("2026-03-03T10:59:59+08:00") == []
        assert rungs("2026-03-03T11:00:00+08:00") == ["2026-03-03T03:00:00.000000Z"]

    def test_only_a_unit_that_works_on_the_matter_explains_the_delay(self) -> None:
        def rungs(unit: str, *assigned: str) -> set[str]:
            explained = {"at": "2026-03-05T09:00:00+08:00", "act": "delay_explained", "unit": unit}
            known = [{"unit": one, "at": DISCOVERED} for one in assigned]
            end = "2026-03-12T09:00:00+08:00"
            answer = said("county-default", events=[explained], assignments=known, as_of=end)
            return {sent["rung"] for sent in answer["ladder"]}

        assert "circular" not in rungs("town-east")
        assert "circular" not in rungs("county-roads", "county-roads")
        assert "circular" in rungs("county-water", "county-roads")

    @pytest.mark.requirement("ESC-12")
    def test_the_town_owes_the_bulletin_of_a_school_and_a_town_its_own(self) -> None:
        school = {"code": "school", "kind": "unit", "above": [{"code": "town", "kind": "town"}, *UNIT["above"]]}  # type: ignore[misc]

        def owes(unit: dict[str, Any]) -> tuple[str, str]:
            owed = said("school-002-7", unit=unit, graded={"level": "major", "at": DISCOVERED})["report_to"][-1]
            return owed["who"], owed["owed_by"]

        assert owes(school) == ("leading_group", "town")
        assert owes(UNIT) == ("leading_group", "town-east")


class TestRefusals:
    @pytest.mark.parametrize(
        ("more", "told"),
        [
            ({"author": "x"}, "author: is unknown; correct its name or remove it"),
            ({"as_of": "2026-03-02T09:00:00"}, "as_of: write the time with its offset"),
            ({"figures": {"clicks": "many"}}, "figures.clicks: write a whole number, or null if nobody knows it"),
            ({"figures": {"likes": 3}}, "figures.likes: is unknown"),
            ({"events": [{"at": DISCOVERED, "act": "deleted"}]}, "events.0.act: should be 'assigned'"),
            ({"events": {}}, "events: write a list, such as []"),
            (
                {"figures": {}, "figures_over_time": [{"at": DISCOVERED}]},
                "write figures or figures_over_time, not both",
            ),
            ({"classified_at": DISCOVERED}, "classified_at needs answer_kind"),
            ({"recorded_at": "2026-03-01T09:00:00Z"}, "recorded_at is before discovered_at"),
            ({"unit": {**UNIT, "code": "city"}}, "each unit stands once"),
            (
                {"events": [{"at": DISCOVERED, "recorded_at": "2026-03-02T08:00:00+08:00", "act": "replied"}]},
                "events.0: recorded_at is before at",
            ),
            (
                {"periods": [{"code": "special", "from": DISCOVERED, "until": "2026-03-01T09:00:00+08:00"}]},
                "periods.0: until is before from",
            ),
        ],
    )
    def test_facts_that_cannot_be_used_are_told_by_their_place(self, more: dict[str, Any], told: str) -> None:
        with pytest.raises(Unfit, match=r"facts\.json: ") as refused:
            facts(**more)
        assert told in str(refused.value)

    def test_a_level_a_step_of_harm_and_a_clock_that_the_pack_does_not_have_are_refused(self) -> None:
        with pytest.raises(Unfit, match="it has no levels; leave `graded` out"):
            said("group-002-2", graded={"level": "major", "at": DISCOVERED})
        with pytest.raises(Unfit, match="harm: 9 is no step of county-default@2; its steps are 0, 1, 2, 3"):
            said("county-default", harm=9)
        with pytest.raises(Unfit, match="county-default@2 lets nobody set 'answer'; it has none that a person sets"):
            said("county-default", limits=[{"clock": "answer", "due": DISCOVERED, "set_at": DISCOVERED}])


class TestCommand:
    @pytest.mark.parametrize("name", ["county-default", "county-default@2", str(POLICIES / "county-default.yaml")])
    def test_a_pack_is_named_by_id_version_or_file(
        self, name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        file = tmp_path / "facts.json"
        file.write_text(json.dumps({"discovered_at": DISCOVERED, "figures": {"clicks": 3000}}))
        code, out, _ = _typed(capsys, "policy", "evaluate", name, str(file))
        assert code == 0
        assert json.loads(out)["proposed"] == {"level": "extraordinary", "rule": "extraordinary/clicks"}

    def test_facts_and_packs_that_do_not_exist_are_told(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        file = tmp_path / "facts.json"
        file.write_text("{")
        assert "is not JSON" in _typed(capsys, "policy", "evaluate", "county-default", str(file))[2]
        file.write_text('{"figures": {"clicks": 5000, "clicks": 1}}')
        told = _typed(capsys, "policy", "evaluate", "county-default", str(file))[2]
        assert told == f"{file}: clicks: stands twice in one object; keep one\n"
        file.write_text("{}")
        code, _, told = _typed(capsys, "policy", "evaluate", "county-default", str(file))
        assert (code, told) == (1, f"{file}: discovered_at: is missing; add it\n")
        assert "no pack 'nothing'" in _typed(capsys, "policy", "evaluate", "nothing", str(file))[2]


def _typed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit code and the output of a command."""
    code = execute(words)
    told = capsys.readouterr()
    return code, told.out, told.err
