"""The list of the bulletin, narrowed: by unit, kind, state, month and words, by links and a form without script."""

from datetime import timedelta

import pytest

from schemas.fields import parse_instant
from services.kernel.core.ids import derived
from services.publish.bulletin import queries
from tests.publish.conftest import Office, established, opened
from tests.publish.test_bulletin import Texts, page

WHERE = ("office", "office_on_postgres")


@pytest.fixture(params=WHERE)
def either(request: pytest.FixtureRequest) -> Office:
    """The office on each database."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


async def _four(office: Office) -> dict[str, str]:
    """Statements by name: an unchanged one, a corrected one, a withdrawn one, and one of facts a month later."""
    west = await office.incident(opened("town-west"), uuid=derived("west"))
    made = {"plain": await office.published("路灯已经修好。")}
    made["corrected"] = await office.published("水管 PIPE 已经修好。", incident_id=west)
    body = {"title": "供水恢复", "text": "供水于今晚恢复。", "reason": "时间有误"}
    await office.act(made["corrected"], "correct", "spokesperson", body)
    made["withdrawn"] = await office.published("桥梁已经封闭。")
    await office.act(made["withdrawn"], "withdraw", "spokesperson", {"reason": "发布对象有误"})
    office.runtime.time_source.move(timedelta(days=40))
    await office.incident(established())
    made["facts"] = await office.published("原因是线路老化。", kind="facts", facts=["cause"])
    return made


async def _shown(office: Office, query: str) -> set[str]:
    read = await page(office, f"?{query}")
    return {link.rpartition("/")[2] for link in read.links if "/statements/" in link}


async def test_each_condition_narrows_the_list_and_all_of_them_together(either: Office) -> None:
    office = either
    made = await _four(office)
    now = office.runtime.time_source.now() + timedelta(hours=8)
    first = now - timedelta(days=40)
    wanted = {
        "": set(made),
        "kind=facts": {"facts"},
        "kind=status": {"plain", "corrected", "withdrawn"},
        "state=current": {"plain", "facts"},
        "state=corrected": {"corrected"},
        "state=withdrawn": {"withdrawn"},
        f"month={now:%Y-%m}": {"facts"},
        f"month={first:%Y-%m}": {"plain", "corrected", "withdrawn"},
        "unit=county": set(made),
        "unit=town-west": {"corrected"},
        "words=路灯": {"plain"},
        "words=已经修好": {"plain", "corrected"},
        "words=修好+路灯": {"plain"},
        "words=pipe": {"corrected"},
        "words=供水恢复": {"corrected"},
        "words=时间有误": {"corrected"},
        "words=发布对象": {"withdrawn"},
        "words=没有的词": set(),
        "words=修好&unit=town-west&kind=status&state=corrected": {"corrected"},
        "unit=&kind=&state=&month=&words=": set(made),
    }
    for query, names in wanted.items():
        assert await _shown(office, query) == {made[name] for name in names}, query


async def test_what_is_not_public_is_not_found(either: Office) -> None:
    await either.draft("没有发布的草稿。")
    drill = await either.incident(opened(), uuid=derived("drill"), drill=True)
    await either.published("演练的文字。", incident_id=drill)
    for words in ("没有发布", "演练的文字"):
        assert await _shown(either, f"words={words}") == set()
    assert "目前没有公开发布的内容" in (await page(either)).text
    assert "month" not in (await page(either)).selects


async def test_what_was_chosen_stands_in_the_form_and_in_every_link(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.publish.bulletin.pages.PER_PAGE", 1)
    await _four(office)
    query = "unit=county&kind=status&words=%E4%BF%AE%E5%A5%BD"
    answer = await office.client.get(f"/bulletin/?{query}&lang=en")
    read = Texts(answer.text)
    assert dict(read.selects["unit"])["county"] and dict(read.selects["kind"])["status"]
    assert 'value="修好"' in answer.text and '<input type="hidden" name="lang" value="en">' in answer.text
    (further,) = (link for link in read.links if "cursor=" in link)
    assert all(part in further for part in (*query.split("&"), "lang=en"))
    shown = await office.client.get(further)
    assert "路灯已经修好" in shown.text
    assert Texts(shown.text).named[0].partition("?")[2] == f"{query}&lang=en"
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    months = [month for month, _ in read.selects["month"][1:]]
    assert months == sorted(months, reverse=True) and len(months) in (2, 3)


async def test_an_unknown_value_is_no_page_and_a_short_word_is_told(office: Office) -> None:
    await office.published()
    for query in ("kind=rumour", "state=draft", "month=2026-13", "month=1999-01", "month=x", "unit=moon"):
        assert (await office.client.get(f"/bulletin/?{query}")).status_code == 404, query
    short = await page(office, "?words=%E8%B7%AF+%E8%B7%AF%E9%9D%A2")
    assert "“路”太短" in short.text and not [link for link in short.links if "/statements/" in link]
    assert (await office.client.get(f"/bulletin/?words={'a' * 101}")).status_code == 422
    assert "没有符合条件的内容" in (await page(office, "?state=withdrawn")).text


async def test_a_word_of_many_texts_is_looked_for_in_the_newest(
    either: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST", 2)
    made = []
    for number in range(3):
        either.runtime.time_source.move(timedelta(minutes=1))
        made.append(await either.published(f"第{number}件已经修好。"))
    assert await _shown(either, "words=已经修好") == set(made[1:])
    assert "只查了最近的一部分" in (await page(either, "?words=已经修好")).text
    assert "只查了最近的一部分" not in (await page(either, "?words=第0件")).text


async def test_a_month_begins_in_the_readers_zone(office: Office) -> None:
    at = office.runtime.time_source.now()
    begins = (at.replace(day=1) + timedelta(days=40)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    office.runtime.time_source.move(begins - timedelta(hours=4) - at)
    id_ = await office.published()
    published = (await office.read(id_))["published_at"]
    assert parse_instant(published) < begins
    assert await _shown(office, f"month={begins:%Y-%m}") == {id_}
