"""One suite for every kind of channel: each says the approved text, then the corrected one, then the withdrawal."""

import html
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from services.publish.delivering.answers import OWN
from services.publish.sending import outgoing
from tests.kit import receiver as kit
from tests.kit.receiver import Receiver
from tests.publish.conftest import Office, established
from tests.publish.test_by_hand import confirmed
from tests.publish.test_webhooks import CHANNELS, WEBHOOK, deliveries

TITLE, FIRST, SECOND = "路面塌陷的处置", "路面塌陷处已围挡。", "路面塌陷处已经修复。"
Reads = Callable[[Office, Receiver, str], Awaitable[str]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with kit.listening() as one:
        yield one


@pytest.fixture
async def channels(office: Office, receiver: Receiver) -> dict[str, str]:
    """Kind -> id of the further channels of the unit that speaks."""
    office.runtime.settings = office.runtime.settings.model_copy(update={"channels_private": True})
    found = {}
    for kind, address in (("webhook", receiver.address), ("by_hand", "微信公众号：东镇发布")):
        body = WEBHOOK | {"code": kind, "kind": kind, "address": address}
        answer = await office.client.post(CHANNELS, json=body, headers=office.as_("admin"))
        assert answer.status_code == 201, answer.text
        found[kind] = answer.json()["id"]
    return found


async def _page(office: Office, path: str) -> str:
    answer = await office.client.get(f"/bulletin/{path}")
    assert answer.status_code == 200, (path, answer.text[:300])
    return html.unescape(answer.text)


async def of_bulletin(office: Office, receiver: Receiver, id_: str) -> str:
    return await _page(office, f"statements/{id_}")


async def of_atom(office: Office, receiver: Receiver, id_: str) -> str:
    return html.unescape(await _page(office, "feed.atom"))


async def of_json_feed(office: Office, receiver: Receiver, id_: str) -> str:
    (one,) = (await office.client.get("/bulletin/feed.json")).json()["items"]
    return f"{one['title']}\n{one['content_html']}"


async def of_cap(office: Office, receiver: Receiver, id_: str) -> str:
    return await _page(office, f"cap/{id_}.xml")


async def of_webhook(office: Office, receiver: Receiver, id_: str) -> str:
    await outgoing.settle(office.runtime)
    return str(receiver.messages[-1].body["data"]["shown"])


async def of_by_hand(office: Office, receiver: Receiver, id_: str) -> str:
    """What is to be posted, once it was."""
    (due,) = await deliveries(office, state="due", kind="by_hand")
    answer = await confirmed(office, id_, channel=due["channel"], text=due["text"])
    assert answer.status_code == 200, answer.text
    return str(due["text"])


KINDS: dict[str, Reads] = {
    "bulletin": of_bulletin,
    "atom": of_atom,
    "json_feed": of_json_feed,
    "cap": of_cap,
    "webhook": of_webhook,
    "by_hand": of_by_hand,
}


@pytest.mark.requirement("PUB-10")
@pytest.mark.parametrize("kind", KINDS)
async def test_it_says_each_release_and_has_it_once(
    office: Office, receiver: Receiver, channels: dict[str, str], kind: str
) -> None:
    await office.incident(established("danger"))
    id_ = await office.published(FIRST, title=TITLE, facts=["danger"])
    assert FIRST in await KINDS[kind](office, receiver, id_)
    await must_have(office, id_, kind, 1)
    body = {"text": SECOND, "reason": "写错了"}
    assert (await office.act(id_, "correct", "spokesperson", body, person="qian")).status_code == 200
    said = await KINDS[kind](office, receiver, id_)
    assert SECOND in said
    if kind not in ("bulletin", "atom", "json_feed"):  # these show what was corrected, too
        assert FIRST not in said
    await must_have(office, id_, kind, 2)
    assert (await office.act(id_, "withdraw", "spokesperson", {"reason": "不属本镇"}, person="zhou")).status_code == 200
    said = await KINDS[kind](office, receiver, id_)
    assert "撤回" in said or "Cancel" in said
    await must_have(office, id_, kind, 3)


async def must_have(office: Office, id_: str, kind: str, releases: int) -> None:
    """Checks that the channel has each release so far, once."""
    rows: list[dict[str, Any]] = [row for row in await deliveries(office, statement=id_) if row["channel_kind"] == kind]
    assert [row["state"] for row in rows] == ["done"] * releases
    assert len({row["release"] for row in rows}) == releases


def test_every_kind_is_tried() -> None:
    assert set(KINDS) == {*OWN, "webhook", "by_hand"}
