"""What is posted by hand is compared with the approved text to the character, and only its poster confirms it."""

from typing import Any

import pytest

from services.kernel.core.ids import derived
from tests.kit import spec
from tests.publish.conftest import SINCE, TEXT, TITLE, Office
from tests.publish.test_webhooks import CHANNELS, WEBHOOK, deliveries

FIGURES = "卫生院门前停水12户，3月2日已修复。"
PAGE = "https://mp.example.cn/s/7Jm2"


async def by_hand(office: Office, text: str = FIGURES, **more: Any) -> tuple[str, str]:
    """A published statement of a unit with a channel by hand: both ids."""
    body = WEBHOOK | {"kind": "by_hand", "code": "wechat", "title": "东镇发布", "address": "微信公众号：东镇发布"}
    answer = await office.client.post(CHANNELS, json=body, headers=office.as_("admin"))
    assert (answer.status_code, answer.json()["secret"]) == (201, None), answer.text
    return await office.published(text, **more), str(answer.json()["id"])


async def confirmed(office: Office, id_: str, role: str = "spokesperson", **body: Any) -> Any:
    who = office.as_(role)
    found = await office.client.get(f"/publish/v1/statements/{id_}", headers=who)
    headers = who | {"If-Match": found.headers["ETag"]}
    body = {"address": PAGE, "text": FIGURES} | body
    return await office.client.post(f"/publish/v1/statements/{id_}/confirm", json=body, headers=headers)


@pytest.mark.requirement("PUB-10")
@pytest.mark.parametrize(
    "text",
    [
        FIGURES,
        f"{TITLE}\n{FIGURES}",
        f"  {TITLE}\r\n\r\n{FIGURES}\r\n",
        FIGURES.replace("12", "１２"),
        FIGURES.replace("，", "，\n"),
    ],
    ids=["text", "title", "line ends", "full width", "line break"],
)
async def test_the_approved_text_is_confirmed_with_the_place_where_it_stands(office: Office, text: str) -> None:
    id_, channel = await by_hand(office)
    (due,) = await deliveries(office, state="due")
    assert (due["text"], due["place"], due["may"]) == (f"{TITLE}\n{FIGURES}", "微信公众号：东镇发布", ["confirm"])
    answer = await confirmed(office, id_, channel=channel, text=text)
    assert answer.status_code == 200, answer.text
    (done,) = await deliveries(office)
    assert (done["state"], done["address"], done["may"]) == ("done", PAGE, [])
    again = await confirmed(office, id_, channel=channel)
    assert again.json()["type"].endswith("delivered-already")


@pytest.mark.requirement("PUB-10")
@pytest.mark.parametrize(
    ("text", "marked"),
    [
        (FIGURES.replace("12", "21"), "[−12][+21]"),
        (FIGURES.replace("12", "1"), "[−12][+1]"),
        (FIGURES.replace("3月2日", "3月22日"), "[−2][+22]"),
        (FIGURES.replace("已", "未"), "[−已][+未]"),
        (FIGURES + "转发有奖。", "[+转发有奖。]"),
        (FIGURES[:-3], "[−修复。]"),
        (FIGURES.replace("停水", "停\u200b水"), "[+[U+200B]]"),
        (FIGURES.replace("停水", "停\u202e水"), "[+[U+202E]]"),
        (FIGURES.replace("12", "\u2060" + "12"), "[U+2060]"),
        (FIGURES.replace("12", "1２").replace("停水", "停氺"), "[−水][+氺]"),
    ],
    ids=["swapped", "shorter", "date", "negated", "more", "less", "zero width", "direction", "joiner", "look-alike"],
)
async def test_any_other_text_is_refused_and_both_are_shown(office: Office, text: str, marked: str) -> None:
    id_, channel = await by_hand(office)
    answer = await confirmed(office, id_, channel=channel, text=text)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "posted-text-differs")
    assert marked in answer.json()["marked"], answer.json()["marked"]
    kinds = {one["kind"] for one in answer.json()["difference"]}
    assert kinds & {"insert", "delete"}
    assert [one["state"] for one in await deliveries(office)] == ["due"]


@pytest.mark.parametrize("letters", [("Huiying", "Huіying"), ("A座", "А座"), ("No", "Nо")])
async def test_letters_that_look_alike_are_other_letters(office: Office, letters: tuple[str, str]) -> None:
    real, forged = letters
    id_, channel = await by_hand(office, f"{real}门前已修复。")
    answer = await confirmed(office, id_, channel=channel, text=f"{forged}门前已修复。")
    assert answer.json()["type"].endswith("posted-text-differs")
    assert (await confirmed(office, id_, channel=channel, text=f"{real}门前已修复。")).status_code == 200


async def test_a_huge_paste_is_refused_and_breaks_nothing(office: Office) -> None:
    id_, channel = await by_hand(office)
    for size, status in ((5_000_000, 413), (200_001, 422), (60_000, 409)):
        answer = await confirmed(office, id_, channel=channel, text="灯" * size)
        assert answer.status_code == status, size
        assert len(answer.content) < 20_000


async def test_a_correction_is_due_again_and_the_former_text_is_no_more(office: Office) -> None:
    id_, channel = await by_hand(office, TEXT)
    assert (await confirmed(office, id_, channel=channel, text=TEXT)).status_code == 200
    body = {"text": "围挡已撤除。", "reason": "写错了"}
    assert (await office.act(id_, "correct", "spokesperson", body, person="qian")).status_code == 200
    (due,) = await deliveries(office, state="due")
    assert due["text"] == f"{TITLE}\n围挡已撤除。\n（更正说明：写错了）"
    assert (await confirmed(office, id_, channel=channel, text=TEXT)).status_code == 409
    assert (await confirmed(office, id_, channel=channel, text=due["text"])).status_code == 200


async def test_a_withdrawal_is_posted_only_where_something_stands(office: Office) -> None:
    never, channel = await by_hand(office, TEXT)
    stands = await office.published(TEXT)
    assert (await confirmed(office, stands, channel=channel, text=TEXT)).status_code == 200
    for id_ in (never, stands):
        answer = await office.act(id_, "withdraw", "spokesperson", {"reason": "不属本镇"}, person="zhou")
        assert answer.status_code == 200
    (due,) = await deliveries(office, state="due")
    assert (due["statement_id"], due["text"]) == (stands, f"【已撤回】{TITLE}\n（撤回原因：不属本镇）")
    assert (await confirmed(office, stands, channel=channel, text=due["text"])).status_code == 200


async def test_nothing_is_confirmed_of_what_is_not_published_or_at_another_channel(office: Office) -> None:
    _, channel = await by_hand(office)
    draft = await office.draft()
    assert (await confirmed(office, draft, channel=channel)).json()["type"].endswith("nothing-to-deliver")
    id_ = await office.published()
    other = f"channel-{spec.UUID}"
    assert (await confirmed(office, id_, channel=other)).json()["type"].endswith("channel-not-of-it")
    assert (await confirmed(office, id_)).status_code == 422
    retried = await office.act(id_, "retry", "spokesperson", {"channel": channel})
    assert retried.json()["type"].endswith("channel-of-other-kind")


@pytest.mark.requirement("PUB-12")
async def test_where_there_is_a_site_administrator_nobody_else_confirms(office: Office) -> None:
    id_, channel = await by_hand(office)
    (before,) = (post for post in spec.posts_of("county", SINCE) if post.code == "handler")
    since = office.runtime.time_source.now()
    placed = before.model_copy(update={"serves": ("site_administrator",), "since": since})
    await office.hear(spec.events("unit", [placed], uuid=derived("more of county")))
    refused = await confirmed(office, id_, "duty_officer", channel=channel)
    assert refused.status_code == 403
    assert refused.json()["roles"] == ["site_administrator"]
    assert (await confirmed(office, id_, "handler", channel=channel)).status_code == 200
