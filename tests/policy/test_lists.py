"""The lists of a deployment: the shipped ones, and the messages to the author of a list."""

import shutil
from pathlib import Path

import pytest

from services.kernel.core.problems import Malformed
from services.kernel.rules.documents import DocumentError
from services.kernel.rules.lists import load_lists
from services.kernel.settings import ROOT

POLICIES = ROOT / "policies"
ABOUT_PERSONS = ("人员", "上访", "缠访", "闹访", "重点", "学生", "身份", "网民", "发帖", "作者", "媒体", "敏感", "舆情")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("categories.yaml", "facts.yaml", "channels.yaml", "sites.yaml", "telephones.yaml"):
        shutil.copy(POLICIES / name, tmp_path)
    return tmp_path


def changed(folder: Path, name: str, old: str, new: str) -> str:
    """The messages about a list with one change."""
    text = (folder / name).read_text("utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(DocumentError) as refused:
        load_lists(folder)
    return str(refused.value)


def test_the_shipped_lists_cover_a_county_office() -> None:
    lists = load_lists(POLICIES)
    assert 50 <= len(lists.categories) <= 90
    assert {one.parent for one in lists.categories.values() if one.parent} <= lists.categories.keys()
    assert {"hotline", "message_board", "board", "portal", "complaint", "letter", "visit", "meeting_day", "box",
            "survey", "mail", "form", "colleague", "system"} == lists.channels.keys()  # fmt: skip
    assert lists.facts["lamps"].measure == "盏"


def test_no_entry_of_a_shipped_list_is_a_label_on_somebody() -> None:
    lists = load_lists(POLICIES)
    for one in (*lists.categories.values(), *lists.facts.values(), *lists.channels.values()):
        if one.title != "工作人员反映":  # a channel: a colleague tells the office
            assert not any(word in one.title for word in ABOUT_PERSONS), one.title


def test_no_site_is_listed_as_shipped() -> None:
    assert load_lists(POLICIES).sites == ()


def test_what_is_not_listed_is_refused_and_what_is_listed_is_named() -> None:
    lists = load_lists(POLICIES)
    assert lists.category("roads.lighting").title == "路灯照明"
    with pytest.raises(Malformed, match=r"no category has the code 'roads\.ligthing'; known are roads, ") as refused:
        lists.category("roads.ligthing")
    assert refused.value.members["field"] == "category"


def test_a_listed_telephone_is_known_with_and_without_its_area_code(folder: Path) -> None:
    (folder / "telephones.yaml").write_text("telephones: [0731-88880000, 010-66668888]", "utf-8")
    assert load_lists(folder).telephones == {"073188880000", "88880000", "01066668888", "66668888"}


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("categories.yaml", "code: roads,", "code: Roads,", "code: write small Latin letters"),
        ("categories.yaml", "code: roads.damage", "code: streets.damage", "is below streets"),
        ("categories.yaml", "code: roads.damage", "code: roads.lighting", "roads.lighting stands twice"),
        ("categories.yaml", "title: 路面破损, ", "", "title: is missing; add it"),
        ("channels.yaml", "code: letter", "code: visit", "visit stands twice"),
        ("channels.yaml", "code: letter", "person: letter", "person: is unknown"),
        ("telephones.yaml", "telephones: []", "telephones: [88880000]", "write it with its area code"),
        ("facts.yaml", ", measure: 盏", "", "lamps: a number needs a measure"),
        ("facts.yaml", "kind: yes_no}", "kind: maybe}", "kind: should be"),
        ("facts.yaml", "key: confirmed", "key: inspected", "inspected stands twice"),
        (
            "sites.yaml",
            "sites: []",
            "sites: [{host: 'https://x.cn', units: [county]}]",
            "sites.0.host: has not the form",
        ),
        ("sites.yaml", "sites: []", "sites: [{host: x.cn, units: []}]", "sites.0.units: should have at least 1"),
        ("sites.yaml", "sites: []", "pages: []", "sites: is missing; add it"),
    ],
)
def test_a_faulty_list_says_what_is_wrong(folder: Path, name: str, old: str, new: str, says: str) -> None:
    told = changed(folder, name, old, new)
    assert says in told
    assert str(folder / name) in told


def test_a_missing_list_is_told(folder: Path) -> None:
    (folder / "channels.yaml").unlink()
    with pytest.raises(DocumentError, match=r"channels.yaml: is missing; the policy folder of this project has one"):
        load_lists(folder)
