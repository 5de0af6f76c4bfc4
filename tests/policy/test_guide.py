"""The example of docs/packs.md is a pack that can be used, and its cases hold."""

import json
import re
from pathlib import Path

import pytest

from schemas.pack.values import open_places
from services.apps import cases, policy
from services.escalation.trying import cases as trying
from services.escalation.trying.evaluate import evaluate
from services.escalation.trying.facts import Facts
from services.kernel.rules.packs import load_pack, unanswered
from services.kernel.settings import ROOT
from services.triage.offices import setup

GUIDE = (ROOT / "docs" / "packs.md").read_text("utf-8")
DIRECTORY = setup.read(ROOT / "policies" / "units.yaml").directory()


def part(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "town-office.json").write_text(part("json"), "utf-8")
    path = tmp_path / "town-office.yaml"
    path.write_text(part("yaml"), "utf-8")
    return path


def test_the_example_can_be_used_and_its_cases_hold(file: Path) -> None:
    pack = load_pack(file)
    assert list(open_places(pack.model)) == ["clocks.first_word.limit"]
    assert "clocks.first_word.limit" in GUIDE.partition("set-value town-office@1")[2]
    found = cases.read(pack, policy.beside(str(file), Path()))
    assert [fault for case in found for fault in trying.faults(pack, case)] == []
    assert len(found) == 2
    assert not list(unanswered(pack.model, DIRECTORY))


def test_a_misspelt_name_in_a_case_is_told(file: Path) -> None:
    pack = load_pack(file)
    (case, _) = cases.read(pack, file.parent)
    wrong = case.model_copy(update={"expect": {"approvall": None, "clocks": {"anwser": None, "answer.review": None}}})
    parts = "pack, proposed, level, lead, approval, report_to, clocks, ladder, rules"
    assert ", ".join(trying.PARTS) == parts == ", ".join(evaluate(pack, case.facts))
    assert trying.faults(pack, wrong) == [
        f"approvall is no part of an answer; its parts are {parts}",
        "clocks.anwser is no limit of town-office@1; its limits are answer, first_word, report_to_leader",
    ]


def test_the_guide_names_every_field_of_the_facts() -> None:
    table = GUIDE.partition("| field | content |")[2]
    for name, field in Facts.model_fields.items():
        assert f"`{field.alias or name}`" in table, name


def test_a_code_that_no_directory_has_is_told_with_its_place(file: Path) -> None:
    text = file.read_text("utf-8").replace("approved_by: leader_in_charge", "approved_by: boss")
    file.write_text(text.replace("who: [leader_in_charge, ", "who: [leader_in_chrage, "), "utf-8")
    nobody = "no post or body of the directory is {!r} or serves it, so nobody could act"
    assert list(unanswered(load_pack(file).model, DIRECTORY)) == [
        f"clocks.0.extension.approved_by: {nobody.format('boss')}",
        f"approval.chains.0.steps.0.who: {nobody.format('leader_in_chrage')}",
    ]


def test_the_shipped_packs_name_only_posts_and_bodies_of_the_directory() -> None:
    for path in sorted((ROOT / "policies" / "cases").glob("*.json")):
        pack = load_pack(ROOT / "policies" / f"{path.stem}.yaml")
        assert not list(unanswered(pack.model, DIRECTORY)), path.stem
        assert json.loads(path.read_bytes())
