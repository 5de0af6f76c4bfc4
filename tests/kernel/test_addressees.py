"""Who answers for an addressee of a rule: the posts and bodies of a unit's directory."""

from dataclasses import replace

import pytest

from services.kernel.core.units import Offices, Post
from tests.kit import spec

OFFICES = spec.offices()


def answering(unit: str, code: str) -> list[str]:
    return [entry.code for entry in OFFICES.addressee(unit, code)]


@pytest.mark.parametrize(
    ("code", "entry"),
    [
        ("principal_leader", "chief"),
        ("leader_in_charge", "approver"),
        ("office", "duty_officer"),
        ("section", "handler"),
        ("chief", "chief"),
        ("leading_group", "leading_group"),
        ("information_officer", "information_officer"),
    ],
)
def test_an_addressee_is_the_entry_of_its_code_or_one_that_serves_it(code: str, entry: str) -> None:
    assert answering("town-east", code) == [entry]


def test_both_answer_if_the_directory_has_the_code_and_another_entry_serves_it() -> None:
    posts = {"east": {"chief": Post("chief", "", serves=("leader",)), "leader": Post("leader", "")}}
    both = Offices(posts=posts)
    assert [entry.code for entry in both.addressee("east", "leader")] == ["chief", "leader"]
    assert both.receivers("east", "leader") == {"chief@east", "leader@east"}


def test_a_post_receives_for_itself_and_a_body_by_its_members_and_its_duty_post() -> None:
    assert OFFICES.receivers("town-east", "leader_in_charge") == {"approver@town-east"}
    assert OFFICES.receivers("town-east", "party_branch") == {
        "chief@town-east",
        "approver@town-east",
        "party_office@town-east",
    }
    group = OFFICES.receivers("county", "leading_group")
    assert {"duty_officer@county", "chief@county", "chief@county-roads"} <= group
    assert "duty_officer@county-roads" not in group


def test_a_duty_post_alone_makes_no_member() -> None:
    posts = {"east": {"group": Post("group", "", members=("chief@east",), duty_post="clerk@east")}}
    [group] = replace(OFFICES, posts=posts).addressee("east", "group")
    assert group.members == ("chief@east",)


def test_nobody_answers_for_what_the_directory_does_not_name() -> None:
    assert answering("town-east", "news_centre") == [] == answering("nowhere", "office")
    assert OFFICES.receivers("town-east", "news_centre") == frozenset()


def test_a_post_also_answers_for_its_roles_after_the_entries_that_are_named() -> None:
    posts = {"east": {"deputy": Post("deputy", "", roles=frozenset({"chief"})), "chief": Post("chief", "")}}
    found = Offices(posts=posts)
    for _ in range(2):
        assert [entry.code for entry in found.answering("east", "chief")] == ["chief", "deputy"]
        assert found.answering("east", "nobody") == () == found.answering("nowhere", "chief")


def test_what_was_found_does_not_outlast_a_change_of_the_tree() -> None:
    assert OFFICES.above("town-east") == ("town-east", "county", "city")
    assert OFFICES.answering("town-east", "chief")
    moved = {**OFFICES.units, "town-east": replace(OFFICES.units["town-east"], parent="county-roads")}
    changed = replace(OFFICES, units=moved, posts={})
    assert changed.above("town-east") == ("town-east", "county-roads", "county", "city")
    assert changed.answering("town-east", "chief") == ()
    assert replace(changed, posts=OFFICES.posts) == replace(OFFICES, units=moved)
