"""A draft may begin with a template of the matter's pack, filled from its facts."""

from typing import Any

import pytest

from services.kernel.core.problems import Rejected
from services.publish.commands import Submit
from tests.publish.conftest import INCIDENT, Office, established
from tests.publish.test_decider import a_statement, drafted


async def templates(office: Office, role: str = "handler", at: str = "county", **asked: str) -> Any:
    answer = await office.client.get("/publish/v1/templates", params=asked, headers=office.as_(role, at))
    return answer.json() if answer.status_code == 200 else answer.status_code


async def test_each_template_is_filled_from_the_facts_of_the_matter(office: Office) -> None:
    before = {one["code"]: one for one in (await templates(office, incident=INCIDENT))["items"]}
    assert "{{fact:cause}}" not in before["reply"]["text"] and before["reply"]["missing"] == []
    await office.incident(established())
    after = {one["code"]: one for one in (await templates(office, incident=INCIDENT))["items"]}
    assert "{{fact:cause}}" in after["reply"]["text"]
    assert (after["reply"]["form"], after["reply"]["kind"]) == ("reply", "facts")
    assert after["reply"]["title"].startswith("东镇"), "the accountable unit speaks"
    other = (await templates(office, incident=INCIDENT, unit="county"))["items"]
    assert other[0]["title"].startswith("示例县")


async def test_a_notice_has_its_own_and_nobody_else_asks(office: Office) -> None:
    (notice,) = (await templates(office))["items"]
    assert notice["form"] == "notice" and notice["title"].startswith("示例县")
    assert await templates(office, "approver", incident=INCIDENT) == 403
    assert await templates(office, "handler", "town-west", incident=INCIDENT) == 403
    assert await templates(office, incident=INCIDENT, unit="atlantis") == 422


@pytest.mark.parametrize("text", ["已办结。（待填写：怎样处理。）", "（待填写）"])
def test_what_is_still_to_be_written_is_not_submitted(text: str) -> None:
    with pytest.raises(Rejected, match="not written") as refused:
        a_statement(drafted(), text=text).when(Submit()).decided()
    assert refused.value.code == "place-not-written", "a person wrote the rest: it does not say that nobody did"
