"""What a pack's author reads of its faults, in both languages."""

import ast
import re
from pathlib import Path

import pytest

import schemas.pack
from schemas.said import Said, chinese, said_in
from services.kernel.core import faults
from services.kernel.rules import conditions
from services.kernel.rules.documents import DocumentError
from services.kernel.rules.packs import parse_pack

ROOT = Path(schemas.pack.__file__).parent
HAN = re.compile(r"[一-鿿]")
COUNTY = Path("policies/county-default.yaml").read_text()
VERSION = "version: 2"


@pytest.mark.parametrize("path", [*sorted(ROOT.glob("*.py")), Path(conditions.__file__)], ids=lambda path: path.stem)
def test_every_refusal_of_a_pack_is_written_in_both_languages(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        raised = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(raised, ast.Call) and ast.unparse(raised.func) == "ValueError":
            assert isinstance(raised.args[0], ast.Call), f"{path.name}:{raised.lineno} is told in one language"


def test_every_sentence_on_a_wrong_form_is_written_in_both_languages() -> None:
    for sentence in (*faults._WHAT_TO_DO.values(), *faults._FORMS.values(), faults._NO_FORM):
        assert isinstance(sentence, Said) and HAN.search(sentence.zh), sentence


@pytest.mark.parametrize(
    ("wrong", "right", "en", "zh"),
    [
        ("\n  - [", "\nlevels:", "not readable as YAML", "不是有效的 YAML"),
        ("version: soon", VERSION, "write a whole number", "请写整数"),
        (f"surprise: 1\n{VERSION}", VERSION, "is unknown; correct its name", "没有这一项"),
        (f"{VERSION}\n{VERSION}", VERSION, "stands twice", "重复了"),
        ("timezone: Mars/Base", "timezone: Asia/Shanghai", "write a time zone by its name", "请写时区的名称"),
        ("when: figures.clicks > 'a'", "when: ", "does not take", "类型不合"),
        ("when: nothing > 1", "when: ", "is unknown", "这里没有“nothing”"),
        ("when: figures.clicks", "when: ", "a condition is true or false", "只能是真或假"),
    ],
)
def test_a_wrong_pack_is_told_of_in_both_languages(wrong: str, right: str, en: str, zh: str) -> None:
    text = re.sub(rf"{re.escape(right)}[^\n]*", lambda _: wrong, COUNTY, count=1)
    with pytest.raises(DocumentError) as refused:
        parse_pack(text)
    told = [fault.message for fault in refused.value.faults]
    assert any(en in one for one in told), told
    assert any(zh in chinese(one) for one in told), [chinese(one) for one in told]
    assert all(HAN.search(said_in(one, "zh")) and not HAN.search(said_in(one, "en")) for one in told)


@pytest.mark.parametrize(
    ("old", "new", "field", "zh"),
    [
        (r"rank: \d+", "rank: 1", "levels", "各等级请从低到高写，rank 依次增大"),
        (r"code: extraordinary\n", "code: major\n", "levels", "每个代码只能出现一次，重复的有：major"),
        (
            r"- code: (clicks|comments)\n",
            "- code: twice\n",
            "levels.1.conditions",
            "每个代码只能出现一次，重复的有：twice",
        ),
        (
            r"name: explanation\n",
            "name: transfer\n",
            "",
            "clocks 和 reports 的各段: 每个代码只能出现一次，重复的有：transfer",
        ),
    ],
)
def test_a_check_of_the_whole_pack_names_the_place_in_both_languages(old: str, new: str, field: str, zh: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse_pack(re.sub(old, new, COUNTY))
    (fault,) = refused.value.faults
    assert (fault.field, chinese(fault.message)) == (field, zh)
