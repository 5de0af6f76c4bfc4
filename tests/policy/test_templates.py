"""Templates put values into texts and choose by `if`; all else is refused when a pack is read."""

from pathlib import Path

import pytest

from schemas.said import chinese
from services.kernel.rules.documents import DocumentError
from services.kernel.rules.packs import load_packs, parse_pack
from services.kernel.rules.templates import fill

PACK = """
id: templates
version: 1
title: 模板
effective_from: 2026-01-01
timezone: Asia/Shanghai
documents: {{}}
templates:
  - code: reply
    title_zh: 答复
    form: reply
    kind: facts
    title: 关于反映的答复
    text: |
      您好：
      {text}
    source: {{kind: derived, reason: r}}
"""


def filled(text: str, *facts: str) -> tuple[str, tuple[str, ...]]:
    found = fill("标题", text, unit="东镇", number="town-east-2026-00042", facts=facts)
    return found.text, found.missing


def test_a_fact_becomes_its_marker_and_the_draft_stays_bound() -> None:
    assert filled("{{ unit }}修复{{ facts.lamps }}路灯（{{ number }}）。", "lamps") == (
        "东镇修复{{fact:lamps}}路灯（town-east-2026-00042）。",
        (),
    )
    assert filled("{{ facts.items }}{{ facts.keys }}", "items", "keys") == ("{{fact:items}}{{fact:keys}}", ())


def test_a_template_names_the_facts_that_it_misses() -> None:
    assert filled("{{ facts.lamps }}{{ facts.cause }}{{ facts.lamps }}") == ("", ("lamps", "cause"))
    asked = "{% if facts.cause is defined %}起因：{{ facts.cause }}{{ facts.place }}{% else %}正在调查{% endif %}"
    assert filled(asked) == ("正在调查", ())
    assert filled(asked, "cause") == ("", ("place",))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ facts.lamps", "expected 'end of print statement'"),
        ("{% for fact in facts %}x{% endfor %}", "for is no part of templates"),
        ("{{ cycler.__init__ }}", "only facts have parts"),
        ("{{ unit.__class__ }}", "only facts have parts"),
        ("{{ asker }}", "'asker' is unknown"),
        ("{{ range(9) }}", "call is no part of templates"),
        ("{{ '长' * 999999999 }}", "mul is no part of templates"),
        ("{{ unit|upper }}", "filter is no part of templates"),
        ("{% include 'x' %}", "include is no part of templates"),
        ("{% if facts.lamps is odd %}x{% endif %}", "the test 'odd' is unknown"),
        ("{{ facts['lamps'] }}", "getitem is no part of templates"),
        ("{% if facts.lamps > 3 %}x{% endif %}", "only unit, number and texts are compared"),
        ("{% if 3 in unit %}x{% endif %}", "3 is no text"),
        ("{{ facts }}", "facts are said one by one"),
        (r"{{ '\ud800' }}", "is no text"),
    ],
)
def test_a_broken_template_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(DocumentError) as raised:
        parse_pack(PACK.format(text=text))
    (fault,) = raised.value.faults
    assert fault.field == "templates.0.text" and fault.line == 14
    assert "line 2: " in fault.message and told in fault.message
    assert "第 2 行：" in chinese(fault.message)


@pytest.mark.parametrize(
    "text",
    [
        "{%if unit%}" * 110 + "x" + "{%endif%}" * 110,
        "{{ " + "(" * 4000 + "unit" + ")" * 4000 + " }}",
        "{{ " + " and ".join(["unit"] * 1000) + " }}",
        "{{ " + "9" * 9000 + " }}",
    ],
)
def test_a_template_that_no_machine_reads_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match="nested too deep"):
        parse_pack(PACK.format(text=text))


def test_the_shipped_templates_are_filled_from_nothing_and_from_everything() -> None:
    found = 0
    for pack in load_packs(Path(__file__).parents[2] / "policies").values():
        for one in pack.model.templates:
            found += 1
            for facts in ((), ("cause", "place", "measure_taken")):
                begun = fill(one.title, one.text, unit="东镇", number="n", facts=facts)
                assert begun.title and begun.text and not begun.missing, (pack.model.id, one.code)
    assert found >= 6
