"""Every command of every API has a form in words that people know."""

from datetime import UTC, datetime
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from starlette.datastructures import FormData

from schemas.titles import TITLES
from services.console import forms
from services.console.forms import SERVICES, Choices, controls
from services.console.labels import FIELDS, LISTS, WAITS, WAITS_OF_LIST
from services.console.matters.matter import of_verb
from services.triage.handling.ball import Awaited
from services.triage.worklist.desk import INBOX, ListName

COMMANDS = sorted(
    {(service, path) for (service, _, path) in forms._operations() if "{id}/" in path and "erase" not in path}
)
NO_FORM = {"evidence", "reach"}
"""Further material of a report: a file, and figures of integrations."""


@pytest.mark.parametrize(("service", "path"), COMMANDS)
def test_every_verb_and_every_field_of_it_has_a_title(service: str, path: str) -> None:
    verb = path.rpartition("/")[2]
    if verb in NO_FORM:
        return
    operation = forms.Documents().command(service, path)
    assert operation is not None
    assert verb in TITLES or verb in ("revoke", "end"), f"schemas/titles.py has no title of {verb}"
    for name in operation.schema.get("properties", {}):
        assert name in FIELDS, f"services/console/labels.py has no title of {name}, a field of {verb}"


def test_every_kind_of_waiting_has_a_title() -> None:
    assert WAITS.keys() == set(get_args(Awaited))


def test_every_list_of_an_inbox_says_for_what_it_waits() -> None:
    assert WAITS_OF_LIST.keys() == {name for names in INBOX.values() for name in names}


def test_every_list_of_a_desk_has_a_title() -> None:
    assert LISTS.keys() == {"inbox", *get_args(ListName), "gaps"}


def test_what_is_entered_later_stands_at_the_end() -> None:
    operation = forms.Documents().command("triage", "incidents/{id}/grade")
    assert operation is not None
    names = [one.name for one in controls(operation, {}, "zh")]
    assert names[-2:] == ["happened_at", "late_reason"] and SERVICES


def test_what_most_leave_empty_stands_after_what_they_fill_in() -> None:
    operation = forms.Documents().command("triage", "incidents/{id}/assign")
    assert operation is not None
    assert [one.name for one in controls(operation, {}, "zh")][:4] == ["unit", "reason", "share", "due"]


def test_a_field_is_what_it_is_under_its_verb() -> None:
    """Under two verbs one name can mean two things: reasons of a return and of no reply, a proposal and a text."""
    known = {
        "ground": [("need_more", "材料不足")],
        "no_reply_ground": [("repeated", "重复")],
        "proposal": [("1", "围挡")],
        "above": [("office@county", "示例县 办公室")],
    }
    made = {}
    for service, verb in (("triage", "screen"), ("triage", "return"), ("escalation", "report-upward")):
        operation = forms.Documents().command(service, f"incidents/{{id}}/{verb}")
        assert operation is not None
        made[verb] = {one.name: one for one in controls(operation, of_verb(verb, dict(known)), "zh")}
    assert (made["screen"]["ground"].title, made["screen"]["ground"].choices) == (
        "不予答复的理由",
        (("repeated", "重复"),),
    )
    assert (made["return"]["ground"].title, made["return"]["ground"].choices) == (
        "退回理由",
        (("need_more", "材料不足"),),
    )
    assert (made["report-upward"]["proposal"].title, made["report-upward"]["proposal"].kind) == ("拟处理意见", "words")
    assert made["report-upward"]["to"].choices == (("office@county", "示例县 办公室"),)


def test_a_text_has_limits_of_length_and_is_judged_by_them() -> None:
    operation = forms.Documents().command("publish", "statements")
    assert operation is not None
    made = controls(operation, {}, "zh")
    (title,) = [one for one in made if one.name == "title"]
    assert (title.shortest, title.longest, title.is_text) == (3, 120, True)
    for typed, told in (("通告", "至少 3 字，现在有 2 字"), ("通" * 121, "最多 120 字，现在有 121 字"), ("通告一", "")):
        _, judged = forms.body(forms.filled(made, {"title": typed}), ZoneInfo("UTC"), datetime.now(UTC), str)
        assert [one.fault for one in judged if one.name == "title"] == ([told] if told else [""])
    into = forms.Documents().command("triage", "incidents/{id}/merge")
    assert into is not None
    assert [one.longest for one in controls(into, {}, "zh") if one.name == "into"] == [None], "a number has one form"


def test_a_field_that_may_be_empty_says_what_that_means_and_others_must_be_filled_in() -> None:
    operation = forms.Documents().command("triage", "incidents/{id}/assign")
    assert operation is not None
    means = "不选就由最先收到反映的单位承办"
    for needs, told in (((), (False, means)), (("unit",), (True, ""))):
        (unit,) = [one for one in controls(operation, {}, "zh", needs=needs) if one.name == "unit"]
        assert (unit.required, unit.hint) == told


def test_a_field_for_a_time_says_how_times_are_written() -> None:
    for operation in forms._operations().values():
        for one in controls(operation, {}, "zh"):
            for field in (one, *(field for row in one.rows for field in row)):
                assert field.kind != "time" or "21:07" in field.hint or field.name == "happened_at", field.name


def test_names_of_fields_in_a_sentence_become_titles() -> None:
    titles = {"since": "开始时间", "until": "结束时间", "evidence": "证据文件", "duties": "班次"}
    said = "evidence.0 应填写编号；请把 until 改到 since 之后；见 duties.1.until；town-until-1 不变"
    shown = "“证据文件”应填写编号；请把“结束时间”改到“开始时间”之后；见“结束时间”；town-until-1 不变"
    assert forms.named(said, titles, "zh") == shown
    assert forms.named("until must be after since", titles, "en") == "until must be after since"


@pytest.mark.parametrize("choices", [{}, {"evidence": [("file-1", "照片"), ("file-2", "录音")]}])
@pytest.mark.parametrize("sent", [["file-1", "file-2"], ["file-1\r\nfile-2"]])
def test_what_was_chosen_or_typed_stays_whole_when_the_choices_come_or_go(choices: Choices, sent: list[str]) -> None:
    operation = forms.Documents().command("triage", "incidents/{id}/establish-fact")
    assert operation is not None
    form = FormData([("evidence", one) for one in sent])
    made = forms.filled(controls(operation, choices, "zh"), form)
    body, _ = forms.body(made, ZoneInfo("Asia/Shanghai"), datetime.now(UTC), str)
    assert body["evidence"] == ["file-1", "file-2"]


def test_what_was_chosen_and_is_no_choice_any_more_still_stands_in_the_form() -> None:
    operation = forms.Documents().command("triage", "incidents/{id}/establish-fact")
    assert operation is not None
    form = FormData([("evidence", "file-1"), ("evidence", "file-9")])
    made = forms.filled(controls(operation, {"evidence": [("file-1", "照片")]}, "zh"), form)
    (evidence,) = [one for one in made if one.name == "evidence"]
    assert evidence.choices == (("file-1", "照片"), ("file-9", "file-9"))
