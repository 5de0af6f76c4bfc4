"""Refusals: each has a stable code, an English sentence where it is raised, and a Chinese one in the one table."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import Any, NamedTuple, get_args

import pytest
import yaml

from schemas.offices import Role
from schemas.problems import TYPES, chinese
from schemas.titles import titled
from services.kernel.core import problems
from services.kernel.core.problems import KINDS, Malformed, Problem

ROOT = Path(__file__).parents[1]
CLASSES = {kind.__name__: kind for kind in (*KINDS, Problem)}
SPECIFIC = {"Rejected", "Malformed", "Unavailable"}
"""Kinds whose own code is not specific enough."""


class Raised(NamedTuple):
    """A place in the code that makes a problem."""

    place: str
    kind: type[Problem]
    code: str | None
    members: frozenset[str]


def raised() -> Iterator[Raised]:
    for path in sorted((ROOT / "services").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name in CLASSES:
                    place = f"{path.relative_to(ROOT)}:{node.lineno}"
                    named = {word.arg: word.value for word in node.keywords if word.arg}
                    code = named.pop("code", None)
                    known = code.value if isinstance(code, ast.Constant) else None
                    if code is None or isinstance(code, ast.Constant):
                        yield Raised(place, CLASSES[name], known and str(known), frozenset(named))


def custom() -> Iterator[tuple[str, str]]:
    """Codes that validators of models raise."""
    for folder in ("services", "schemas"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "PydanticCustomError":
                    assert isinstance(node.args[0], ast.Constant), path
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", str(node.args[0].value)


def test_a_sentence_shows_a_flag_by_the_pack_s_code_and_a_judgement_by_its_title() -> None:
    assert "已有标识 public，" in chinese("flag-set", {"incident": "i", "flag": "public"})[1]
    assert "「相关事项」" in chinese("already-linked", {"incident": "i", "to": "j", "kind": "related"})[1]


def placeholders(code: str) -> set[str]:
    kind = TYPES[code]
    return {name for text in (kind.title_zh, kind.detail_zh) for _, name, _, _ in Formatter().parse(text) if name}


def test_every_refusal_has_a_code_of_the_table_and_brings_what_its_chinese_sentence_shows() -> None:
    found = list(raised())
    assert len(found) > 100
    for one in found:
        if one.kind.__name__ in SPECIFIC:
            assert one.code, f"{one.place}: give it a code of schemas/problems.py"
        code = one.code or one.kind.usual
        assert code in TYPES, f"{one.place}: {code} is not in schemas/problems.py"
        assert TYPES[code].status == one.kind.status, f"{one.place}: {code} is {TYPES[code].status}"
        missing = placeholders(code) - one.members
        assert not missing, f"{one.place}: {code} shows {missing} in Chinese"


def test_every_validator_of_a_model_has_a_code_of_the_table() -> None:
    for place, code in custom():
        assert code in TYPES, f"{place}: {code} is not in schemas/problems.py"
        assert TYPES[code].status == 422, place


def test_no_validator_of_a_request_answers_in_words_of_its_own() -> None:
    """A `ValueError` has no code."""
    for path in (*ROOT.glob("services/**/*commands.py"), ROOT / "schemas/fields.py"):
        assert "ValueError(" not in path.read_text(), f"{path}: raise PydanticCustomError with a code"


def test_no_code_is_left_in_the_table_that_nobody_raises() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "services").rglob("*.py"))
    sources += (ROOT / "schemas/fields.py").read_text()
    assert [code for code in TYPES if f'"{code}"' not in sources] == []


@pytest.mark.parametrize("code", TYPES)
def test_every_type_is_a_plain_code_with_two_languages(code: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)
    title, sentence = chinese(code, {})
    assert re.search("[一-鿿]", title)
    assert re.search("[一-鿿].*。|：", sentence)
    assert "{" not in title + sentence


def test_one_problem_in_two_languages() -> None:
    problem = Malformed("unit is missing", code="field-missing", field="unit", known=None)
    assert problem.body() == {
        "type": "urn:huiying:problem:field-missing",
        "title": "Field missing",
        "status": 422,
        "detail": "unit is missing",
        "field": "unit",
    }
    assert problem.body("zh") == problem.body() | {"title": "缺少字段", "detail": "缺少 unit。"}


def test_members_are_shown_by_their_titles() -> None:
    members: dict[str, Any] = {"act": "assign", "roles": ["duty_officer", "chief"], "units": ["county"], "held": []}
    _, sentence = chinese("no-right", members | {"post": "handler@county"})
    assert sentence == "「交办」需要在county担任值班员、主要负责人；您现在是 handler@county，担任（无）。"


def test_what_a_client_writes_is_shown_as_it_is_written() -> None:
    assert chinese("field-missing", {"field": "text"})[1] == "缺少 text。"
    members: dict[str, Any] = {"field": "state", "known": ["open", "closed"]}
    assert chinese("not-in-list", members)[1] == "state 应为其中之一：open、closed。"
    assert chinese("not-listed", {"field": "channel", "given": "closed", "known": ["visit"]})[1] == (
        "channel：名录中没有 closed；现有：visit。"
    )


def test_kinds_have_statuses_of_their_own() -> None:
    assert len({kind.status for kind in KINDS}) == len(KINDS)
    assert problems.Problem.status == 500


def test_chinese_sentences_show_times_of_china_and_titles_of_addressees() -> None:
    latest = datetime(2026, 12, 18, 16, tzinfo=UTC)
    told = chinese("time-too-late", {"field": "due", "pack": "x@1", "latest": latest})[1]
    assert "2026-12-19 00:00。" in told, "as people write times, without an offset"
    told = chinese("no-right", {"act": "approve", "units": ["x"], "roles": ["leader_in_charge", "leading_group"]})[1]
    assert "分管领导、领导小组" in told


def test_a_role_has_the_title_of_the_post_that_bears_its_name() -> None:
    """An officer reads both in one refusal."""
    posts = yaml.safe_load((ROOT / "policies" / "units.yaml").read_text())["posts"]
    titles = {post["post"]: post["title"] for post in posts if "unit" not in post}
    named = {role: titles[role] for role in get_args(Role) if role in titles}
    assert named and {role: titled(role, "zh") for role in named} == named
