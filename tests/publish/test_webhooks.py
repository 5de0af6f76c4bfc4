"""Webhooks of a unit: signed, at least once, never twice for a receiver that knows its ids, and never into a private
network.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from schemas.fields import parse_instant
from services.kernel.sending import webhook
from services.kernel.settings import ROOT, Settings
from services.kernel.store.session import OWNER
from services.publish.sending import outgoing
from services.publish.sending.messages import TYPES
from services.publish.sending.outgoing import Known
from services.publish.views import METADATA
from tests.kit import receiver as kit
from tests.kit import spec
from tests.kit.receiver import Receiver
from tests.publish.conftest import TEXT, TITLE, Office, graded, opened

CHANNELS, DELIVERIES = "/publish/v1/channels", "/publish/v1/deliveries"
WEBHOOK = {"unit": "town-east", "code": "site", "kind": "webhook", "title": "县政府网站"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with kit.listening() as one:
        yield one


@pytest.fixture(autouse=True)
def private(office: Office) -> None:
    """The receiver of these tests is on this machine."""
    office.runtime.settings = office.runtime.settings.model_copy(update={"channels_private": True})


async def placed(office: Office, address: str, **more: Any) -> dict[str, Any]:
    body = WEBHOOK | {"address": address} | more
    answer = await office.client.post(CHANNELS, json=body, headers=office.as_("admin"))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def changed(office: Office, channel: dict[str, Any], verb: str = "change-channel", **body: Any) -> Any:
    who = office.as_("admin") | {"If-Match": str(channel["version"])}
    return await office.client.post(f"{CHANNELS}/{channel['id']}/{verb}", json=body, headers=who)


async def received_by(office: Office, receiver: Receiver, **more: Any) -> dict[str, Any]:
    channel = await placed(office, receiver.address, **more)
    receiver.secrets.append(channel["secret"])
    return channel


async def deliveries(office: Office, **query: Any) -> list[dict[str, Any]]:
    answer = await office.client.get(DELIVERIES, params=query, headers=office.as_("spokesperson"))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def after(office: Office, known: Known, **time: float) -> None:
    """Sends what is due so much later."""
    office.runtime.time_source.move(timedelta(**time))
    await outgoing.settle(office.runtime, known)


@pytest.mark.requirement("PUB-10")
async def test_a_release_goes_out_once_and_signed_and_says_the_approved_text(
    office: Office, receiver: Receiver
) -> None:
    channel = await received_by(office, receiver)
    id_ = await office.published()
    await outgoing.settle(office.runtime)
    await outgoing.settle(office.runtime)
    (message,) = receiver.messages
    said = message.body["data"]
    assert (message.is_signed, message.body["type"]) == (True, "statement.published")
    assert (said["id"], said["title"], said["text"], said["unit"]) == (
        id_, TITLE, TEXT, {"code": "town-east", "name": "东镇"}
    )  # fmt: skip
    (done,) = await deliveries(office)
    assert (done["channel"], done["state"], done["tries"]) == (channel["id"], "done", 1)


async def test_corrections_and_withdrawals_go_to_the_same_channels_in_order(office: Office, receiver: Receiver) -> None:
    await received_by(office, receiver)
    id_ = await office.published()
    await outgoing.settle(office.runtime)
    await placed(office, receiver.address, code="later")
    body = {"text": "围挡已撤除。", "reason": "写错了"}
    assert (await office.act(id_, "correct", "spokesperson", body, person="qian")).status_code == 200
    await outgoing.settle(office.runtime)
    assert (await office.act(id_, "withdraw", "spokesperson", {"reason": "不属本镇"}, person="zhou")).status_code == 200
    await outgoing.settle(office.runtime)
    told = [(one.body["type"], one.body["data"]["text"], one.body["data"]["reason"]) for one in receiver.messages]
    assert told == [
        ("statement.published", TEXT, None),
        ("statement.corrected", "围挡已撤除。", "写错了"),
        ("statement.withdrawn", "围挡已撤除。", "不属本镇"),
    ]
    assert [one.body["data"]["release"] for one in receiver.messages] == [1, 2, 3], "as the manifest counts them"
    told = (ROOT / "docs" / "webhooks.md").read_text()
    last = receiver.messages[-1].body
    assert {f"`{name}`" for name in (*last, *last["data"], *TYPES.values())} <= set(re.findall(r"`[a-z_.]+`", told))
    assert len(receiver.counts) == 3


async def test_of_a_release_that_was_corrected_before_it_left_only_the_correction_goes_out(
    office: Office, receiver: Receiver
) -> None:
    await received_by(office, receiver)
    id_ = await office.published()
    body = {"text": "围挡已撤除。", "reason": "写错了"}
    assert (await office.act(id_, "correct", "spokesperson", body, person="qian")).status_code == 200
    await outgoing.settle(office.runtime)
    assert [one.body["type"] for one in receiver.messages] == ["statement.corrected"]
    assert sorted(one["state"] for one in await deliveries(office)) == ["done", "superseded"]


async def test_what_is_withdrawn_while_others_are_sent_does_not_go_out_after_that(
    office: Office, receiver: Receiver
) -> None:
    await received_by(office, receiver)
    await office.published()
    second = await office.published()
    receiver.waits.clear()
    sending = asyncio.create_task(outgoing.settle(office.runtime))
    async with asyncio.timeout(5):
        while not receiver.messages:
            await asyncio.sleep(0.01)
    answer = await office.act(second, "withdraw", "spokesperson", {"reason": "不属本镇"}, person="zhou")
    assert answer.status_code == 200
    receiver.waits.set()
    await sending
    told = [one.body["type"] for one in receiver.messages if one.body["data"]["id"] == second]
    assert told == ["statement.withdrawn"]


async def test_a_statement_that_waits_for_an_operator_keeps_no_other_back_and_is_not_sent_again_and_again(
    office: Office, receiver: Receiver
) -> None:
    await received_by(office, receiver)
    held, free = await office.published(), await office.published()
    row = {"consumer": OWNER, "stream_id": held, "version": 4, "digest": "", "blocked": "ahead"}
    async with office.runtime.database.transaction() as connection:
        await connection.execute(insert(office.runtime.tables["stream_cursor"]).values(**row))
    known = Known()
    await outgoing.settle(office.runtime, known)
    await after(office, known, minutes=10)
    assert [one.body["data"]["id"] for one in receiver.messages] == [free]


async def test_an_end_of_the_channel_stops_what_was_about_to_go_there(office: Office, receiver: Receiver) -> None:
    channel = await received_by(office, receiver)
    for _ in range(2):
        await office.published()
    receiver.waits.clear()
    sending = asyncio.create_task(outgoing.settle(office.runtime))
    async with asyncio.timeout(5):
        while not receiver.messages:
            await asyncio.sleep(0.01)
    assert (await changed(office, channel, "end-channel")).status_code == 200
    receiver.waits.set()
    await sending
    assert len(receiver.messages) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(500, "not_taken"), (404, "not_taken"), (302, "redirected"), (307, "redirected")]
)
async def test_what_was_not_taken_is_sent_again_under_the_same_id(
    office: Office, receiver: Receiver, status: int, error: str
) -> None:
    await received_by(office, receiver)
    receiver.answers, known = [status, status], Known()
    await office.published()
    await outgoing.settle(office.runtime, known)
    (failed,) = await deliveries(office, state="due")
    assert (failed["error"], failed["tries"]) == (error, 1)
    await after(office, known, seconds=5)
    assert len(receiver.messages) == 1
    await after(office, known, seconds=6)
    await after(office, known, seconds=70)
    assert list(receiver.counts.values()) == [3]
    assert len({one.raw for one in receiver.messages}) == 1
    (done,) = await deliveries(office, state="done")
    assert (done["tries"], done["error"]) == (3, None)


async def test_a_channel_that_is_gone_ends(office: Office, receiver: Receiver) -> None:
    await received_by(office, receiver)
    receiver.answers, known = [410], Known()
    await office.published()
    await outgoing.settle(office.runtime, known)
    await after(office, known, days=1)
    assert len(receiver.messages) == 1
    found = (await office.client.get(CHANNELS, params={"unit": "town-east"}, headers=office.as_("admin"))).json()
    assert found["items"][-1]["state"] == "gone"
    (failed,) = await deliveries(office, state="failed")
    assert (failed["error"], failed["may"]) == ("gone", [])


async def test_what_is_never_taken_is_given_up_and_can_be_sent_by_a_person(office: Office, receiver: Receiver) -> None:
    channel = await received_by(office, receiver)
    receiver.answers, known = [500] * 100, Known()
    id_ = await office.published()
    for _ in range(30):
        await after(office, known, hours=8)
    (failed,) = await deliveries(office, state="failed")
    assert (failed["error"], failed["next_at"], failed["may"]) == ("not_taken", None, ["retry"])
    tries = len(receiver.messages)
    await after(office, known, days=2)
    assert len(receiver.messages) == tries < 30
    receiver.answers = []
    assert (await office.act(id_, "retry", "spokesperson", {"channel": channel["id"]})).status_code == 200
    await after(office, known, minutes=30)
    (done,) = await deliveries(office)
    assert done["state"] == "done"
    again = await office.act(id_, "retry", "spokesperson", {"channel": channel["id"]})
    assert again.json()["type"].endswith("delivered-already")


async def test_a_slow_channel_delays_no_other(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "PATIENCE", 0.3)
    receiver.waits.clear()
    await received_by(office, receiver, code="slow")
    with kit.listening() as quick:
        await placed(office, quick.address, code="quick")
        await office.published()
        await outgoing.settle(office.runtime)
        assert len(quick.messages) == 1
    states = {one["channel_code"]: (one["state"], one["error"]) for one in await deliveries(office)}
    assert states == {"slow": ("due", "too_slow"), "quick": ("done", None)}


async def test_an_answer_of_any_size_is_not_read(office: Office, receiver: Receiver) -> None:
    receiver.says = b"x" * 50_000_000
    await received_by(office, receiver)
    await office.published()
    async with asyncio.timeout(5):
        await outgoing.settle(office.runtime)
    assert [one["state"] for one in await deliveries(office)] == ["done"]


async def test_a_new_secret_signs_and_the_former_one_does_not(office: Office, receiver: Receiver) -> None:
    channel = await received_by(office, receiver)
    renewed = (await changed(office, channel, renew_secret=True)).json()
    assert renewed["secret"] not in (None, channel["secret"])
    shown = await office.client.get(CHANNELS, params={"unit": "town-east"}, headers=office.as_("admin"))
    assert "whsec" not in shown.text
    await office.published()
    await outgoing.settle(office.runtime)
    receiver.secrets = [renewed["secret"]]
    await office.published()
    await outgoing.settle(office.runtime)
    assert [one.is_signed for one in receiver.messages] == [False, True]


async def test_a_secret_that_a_backup_brings_back_signs_nothing_any_more(office: Office, receiver: Receiver) -> None:
    channel = await received_by(office, receiver)
    table = METADATA.tables["channel_secrets"]
    async with office.runtime.database.transaction() as connection:
        before = (await connection.execute(table.select())).mappings().one()
    second = (await changed(office, channel, renew_secret=True)).json()
    async with office.runtime.database.transaction() as connection:
        await connection.execute(table.update().values(sealed=before["sealed"]))
    await office.published()
    await outgoing.settle(office.runtime)
    assert not receiver.messages
    assert [one["error"] for one in await deliveries(office)] == ["unreadable"]
    renewed = (await changed(office, channel | {"version": second["version"]}, renew_secret=True)).json()
    receiver.secrets = [renewed["secret"]]
    await office.published()
    await outgoing.settle(office.runtime)
    assert [one.is_signed for one in receiver.messages] == [True]


async def test_a_channel_that_ended_gets_nothing_and_may_begin_again(office: Office, receiver: Receiver) -> None:
    channel = await received_by(office, receiver)
    await office.published()
    assert (await changed(office, channel, "end-channel")).status_code == 200
    await outgoing.settle(office.runtime)
    await office.published()
    assert not receiver.messages
    again = await received_by(office, receiver)
    assert again["id"] == channel["id"]
    twice = await office.client.post(
        CHANNELS, json=WEBHOOK | {"address": receiver.address}, headers=office.as_("admin")
    )
    assert twice.json()["type"].endswith("channel-there")
    await outgoing.settle(office.runtime)
    assert not receiver.messages, "what was published before its end stays behind"
    assert {one["state"] for one in await deliveries(office)} == {"failed"}
    await office.published()
    await outgoing.settle(office.runtime)
    assert len(receiver.messages) == 1


async def test_an_exercise_goes_nowhere(office: Office, receiver: Receiver) -> None:
    await received_by(office, receiver)
    uuid = "01890a5d-0000-774b-bcce-000000000001"
    incident = await office.incident(opened(), graded(), uuid=uuid, drill=True)
    await office.published(incident_id=incident)
    await outgoing.settle(office.runtime)
    assert not receiver.messages
    assert await deliveries(office) == []


async def test_a_notice_of_an_exercise_goes_nowhere(office: Office, receiver: Receiver) -> None:
    await received_by(office, receiver, unit="county")
    units = {code: replace(unit, drill=True) for code, unit in spec.offices().units.items()}
    with pytest.MonkeyPatch.context() as patched:
        real = type(office.runtime).offices

        async def exercising(self: Any, connection: Any, *, now: bool = False) -> Any:
            return replace(await real(self, connection, now=now), units=units)

        patched.setattr(type(office.runtime), "offices", exercising)
        body = {"form": "notice", "kind": "status", "title": "演练通告", "text": "演练。"}
        begun = await office.client.post("/publish/v1/statements", json=body, headers=office.as_("handler"))
        assert begun.status_code == 201, begun.text
        id_ = begun.json()["id"]
        for verb, role in (("submit", "handler"), ("approve", "approver"), ("publish", "spokesperson")):
            answer = await office.act(id_, verb, role)
            assert answer.status_code == 200, answer.text
    await outgoing.settle(office.runtime)
    assert not receiver.messages


@pytest.mark.parametrize("role", ["handler", "spokesperson", "duty_officer"])
async def test_only_administrators_and_chiefs_of_the_unit_place_channels(office: Office, role: str) -> None:
    body = WEBHOOK | {"address": "https://example.gov.cn/in"}
    for who in (office.as_(role, "town-east"), office.as_("admin", "town-west")):
        assert (await office.client.post(CHANNELS, json=body, headers=who)).status_code == 403


PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104
    "::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::",
    "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b:1::a00:1", "fec0::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_no_address_of_a_private_network_is_public(address: str) -> None:
    assert not webhook.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_other_addresses_are(address: str) -> None:
    assert webhook.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "http://example.gov.cn/in", "https://127.0.0.1/in", "https://[::1]:8443/in", "https://10.0.0.1/", "https://",
        "ftp://example.gov.cn", "https://user:pass@example.gov.cn/", "https://exa mple.gov.cn/", "https://example.gov.cn/#x",
        "javascript:alert(1)", "https://[::ffff:127.0.0.1]/", "https://example.gov.cn:99999/", "gov.cn/in",
    ],
)  # fmt: skip
async def test_an_address_to_which_nothing_may_go_is_refused(office: Office, address: str) -> None:
    office.runtime.settings = Settings(data=office.runtime.settings.data)
    answer = await office.client.post(CHANNELS, json=WEBHOOK | {"address": address}, headers=office.as_("admin"))
    assert answer.status_code == 422
    assert answer.json()["type"].rpartition(":")[2] in ("webhook-address", "webhook-private")


@pytest.mark.parametrize("found", [["10.0.0.5"], ["8.8.8.8", "127.0.0.1"], ["::1"]])
async def test_a_name_that_leads_into_a_private_network_gets_nothing(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    asked = []

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    now = parse_instant("2026-03-02T01:00:00.000000Z")
    message = webhook.Message("msg_1", b"{}")
    assert await webhook.send("https://looks.example.gov.cn/in", b"x" * 32, message, now) == "private_address"
    assert asked == ["looks.example.gov.cn"], "a second answer of the name server is never asked for"


async def test_an_address_of_a_host_that_leads_nowhere_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolved(host: str, port: int) -> list[webhook.Address]:
        return [ipaddress.ip_address(one) for one in ("::1", "127.0.0.9", "127.0.0.1")]

    monkeypatch.setattr(webhook, "_resolved", resolved)
    now, message = parse_instant("2026-03-02T01:00:00.000000Z"), webhook.Message("msg_1", b"{}")
    with kit.listening() as receiver:
        assert await webhook.send(receiver.address, b"x" * 32, message, now, private=True) is None
        assert [one.id for one in receiver.messages] == ["msg_1"]
    assert await webhook.send(receiver.address, b"x" * 32, message, now, private=True) == "unreachable"


def test_the_signature_is_the_one_of_standard_webhooks() -> None:
    """The example of the specification's own libraries."""
    secret = webhook.base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    said = webhook.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert said == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
