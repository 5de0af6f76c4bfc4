"""A refused act says by which rule of the pack: document, clause and quotation. Without script."""

import pytest

from tests.console.browser import HOME
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(("language", "told"), [("zh-CN", "依据的规则：县级机关默认规则"), ("en", "By the rule:")])
async def test_a_refusal_shows_the_rule_with_document_clause_and_quotation(
    town: Town, language: str, told: str
) -> None:
    desk = await town.at("duty_officer@town-east", language=language)
    matter = await town.reported(desk, f"路灯不亮 {language}", place="卫生院")
    path = matter.path.removeprefix(HOME) + "/escalation/request-extension"
    answer = await desk.send(await desk.open(path), path, clock="transfer", due="2036-11-28 09:00", reason="还要化验")
    assert answer.status == 409, answer.said
    said = answer.said.replace("： ", "：")
    assert told in said, said
    assert "《篇七" in said and {"zh": "原文第159行 三(一)", "en": "line 159 of the text 三(一)"}[language[:2]] in said
    assert "<blockquote" in answer.text and "在2小時內轉達相關業務科室" in said
    assert "还要化验" in answer.text, "what was typed stays"
    assert matter.path.rpartition("/")[2] in answer.said
    blank = await desk.send(answer, path, clock="", due="")
    assert blank.status == 422 and "<blockquote" not in blank.text, "a fault of the form has no rule of a pack"
