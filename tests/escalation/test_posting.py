"""Notices to posts: to a local mailbox and a local webhook, once, and never from a replay."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.feishu import NotifyFeishu
from apprise.plugins.wecombot import NotifyWeComBot
from sqlalchemy import insert, update
from sqlalchemy.exc import DBAPIError

from schemas import triage
from schemas.fields import instant
from services.escalation import views
from services.escalation.notify import channels, outgoing, postbox, posting, receivers
from services.kernel.core.ids import stream_of
from services.kernel.core.problems import Unavailable
from services.kernel.delivery.recovery import SENDS_FROM
from services.kernel.store.views import folded
from tests.escalation.conftest import LONG_AGO, Desk
from tests.escalation.incident import at
from tests.escalation.test_service import REPORT, grade, incident, opened
from tests.kit import spec
from tests.kit.mailbox import Mailbox
from tests.kit.mailbox import opened as opened_mailbox
from tests.kit.webhook import Hook
from tests.kit.webhook import opened as opened_hook

POST, HEAD = "duty_officer@town-east", "chief@town-east"
WORD = "黄河路停水三天没人管"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with opened_mailbox() as box:
        yield box


@pytest.fixture
def hook() -> Iterator[Hook]:
    with opened_hook() as made:
        yield made


async def place(desk: Desk, post: str, address: str, language: str = "zh") -> str:
    body = {"post": post, "address": address, "language": language}
    answer = await desk.ask("POST", "/addresses", "admin", json=body)
    assert answer.status_code == 201, answer.text
    assert address not in answer.text
    return str(answer.json()["place"])


async def send(desk: Desk, known: posting.Known | None = None) -> int:
    with ThreadPoolExecutor(4) as threads:
        return await posting.turn(desk.runtime, known or posting.Known(), threads)


async def tries(desk: Desk, id_: str) -> list[Any]:
    return [one.data for one in await desk.events(stream_of("clock", id_)) if "notice_" in one.type]


async def assigned(desk: Desk) -> str:
    id_ = opened(desk)
    desk.tell(id_, triage.IncidentAssigned(unit="town-east"), at(0.5))
    await desk.consume()
    return id_


async def test_a_notice_reaches_mailbox_and_webhook_once(desk: Desk, mailbox: Mailbox, hook: Hook) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, mailbox.address)
    await place(desk, HEAD, hook.address(), "en")
    desk.clock.at = at(0.6)
    id_ = await assigned(desk)
    assert await send(desk) == 4
    assert await send(desk) == 0
    calls = hook.calls
    assert sorted(mailbox.subjects) == [
        f"【{id_}】交办",
        f"【{id_}】新事项",
    ]
    told = {row["notice"] for row in await desk.rows("outgoing")}
    assert set(mailbox.notices) == told
    assert {call.headers["X-Huiying-Notice"] for call in calls} == told
    assert f"/triage/v1/incidents/{id_}" in calls[0].body["message"]
    found = await tries(desk, id_)
    assert [(one.post, one.attempt) for one in found] == [(HEAD, 1)] * 4
    assert {one.way for one in found} == {"mail", "webhook"}


async def test_a_place_that_refuses_is_tried_again_later_and_the_other_gets_no_second_one(
    desk: Desk, mailbox: Mailbox, hook: Hook
) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, mailbox.address)
    await place(desk, HEAD, hook.address())
    desk.clock.at, mailbox.refuses = at(1), True
    id_ = opened(desk)
    await desk.consume()
    known = posting.Known()
    assert await send(desk, known) == 2
    assert await send(desk, known) == 0
    desk.clock.at, mailbox.refuses = at(1.01), False
    assert await send(desk, known) == 1
    assert (len(mailbox.mails), len(hook.calls)) == (1, 1)
    kinds = [(type(one).__name__, one.way, one.attempt) for one in await tries(desk, id_)]
    assert sorted(kinds) == [
        ("ClockNoticeDelivered", "mail", 2),
        ("ClockNoticeDelivered", "webhook", 1),
        ("ClockNoticeFailed", "mail", 1),
    ]


async def test_a_notice_that_a_place_did_not_take_within_a_day_ends_with_an_event(
    desk: Desk, mailbox: Mailbox, hook: Hook
) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, mailbox.address)
    await place(desk, HEAD, hook.address())
    desk.clock.at, mailbox.refuses = at(1), True
    id_ = opened(desk)
    await desk.consume()
    await send(desk)
    mailbox.refuses = False
    for hours in (25.5, 26, 50):
        desk.clock.at = at(hours)
        await send(desk, posting.Known())
    assert (len(mailbox.mails), len(hook.calls)) == (0, 1)
    assert [(one.way, one.error) for one in await tries(desk, id_) if hasattr(one, "error")] == [
        ("mail", "not_taken"),
        ("mail", "expired"),
    ]


async def test_a_limit_names_what_is_due_when_and_the_post_on_duty_is_told(desk: Desk, hook: Hook) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, POST, hook.address())
    blank = dict.fromkeys(views.ROSTER.columns.keys())
    known = {"unit": "town-east", "post": POST, "since": instant(LONG_AGO), "until": instant(at(200)), "by": POST}
    more = {"signed_on": instant(LONG_AGO), "incidents": "", "ended": False, "note_missing": False}
    async with desk.runtime.database.transaction() as connection:
        await connection.execute(insert(views.ROSTER).values(**{**blank, **known, **more}))
    opened(desk)
    grade(desk)
    await desk.consume()
    await desk.turn(at(3.5))
    await send(desk)
    said = [call.body["message"] for call in hook.calls if "逾期" in call.body["title"]]
    assert any("时限：2026-03-02" in text and "等级：" in text for text in said), hook.calls
    assert WORD not in json.dumps([call.body for call in hook.calls], ensure_ascii=False)


async def test_a_replay_knows_what_was_delivered(desk: Desk, hook: Hook) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, hook.address())
    desk.clock.at = at(0.6)
    id_ = await assigned(desk)
    await send(desk)
    events = await desk.events(stream_of("clock", id_))
    for view in outgoing.views(views.METADATA):
        kept = await desk.rows(view.table.name)
        names = view.table.primary_key.columns.keys()
        assert folded(view, events) == sorted(kept, key=lambda row: [row[name] for name in names])


async def test_events_that_come_again_tell_nobody_again(desk: Desk, hook: Hook) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, hook.address())
    desk.clock.at = at(0.6)
    await assigned(desk)
    assert await send(desk) == 2
    before = await desk.rows("outgoing")
    desk.taken.clear()
    await desk.consume()
    assert await desk.rows("outgoing") == before
    assert (await send(desk), len(hook.calls)) == (0, 2)


async def test_after_a_restore_nothing_earlier_is_sent(desk: Desk, hook: Hook) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, hook.address())
    desk.clock.at = at(0.6)
    await assigned(desk)
    async with desk.runtime.database.transaction() as connection:
        table = desk.runtime.tables["deployment"]
        await connection.execute(insert(table).values(name=SENDS_FROM, value=instant(at(0.7))))
    desk.clock.at = at(0.8)
    assert await send(desk) == 0


async def test_an_exercise_goes_nowhere_and_a_later_address_gets_nothing_earlier(desk: Desk, hook: Hook) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, hook.address())
    desk.clock.at = at(0.6)
    fact = triage.IncidentOpened(unit="town-east", report=REPORT, discovered_at=at(0), number="town-east-2026-X00001")
    desk.tell(incident(), fact, at(0))
    await desk.consume()
    assert await send(desk) == 0
    opened(desk, "b")
    await desk.consume()
    desk.clock.at = at(0.7)
    await place(desk, HEAD, hook.address())
    assert await send(desk) == 1


async def test_an_address_is_sealed_and_one_that_cannot_be_read_is_said(desk: Desk, hook: Hook) -> None:
    desk.clock.at = LONG_AGO
    one = await place(desk, HEAD, hook.address())
    (row,) = await desk.rows("addresses")
    assert b"127.0.0.1" not in row["sealed"]
    table = desk.runtime.tables["addresses"]
    async with desk.runtime.database.transaction() as connection:
        await connection.execute(update(table).values(sealed=b"0" * 40))
    desk.clock.at = at(0.6)
    id_ = opened(desk)
    await desk.consume()
    await send(desk)
    assert [found.error for found in await tries(desk, id_)] == ["unreadable"]
    listed = await desk.ask("GET", "/addresses?unit=town-east", "admin")
    assert [item["place"] for item in listed.json()["items"]] == [one]
    assert (await desk.ask("POST", f"/addresses/{one}/end", "admin", json={})).status_code == 200
    assert await desk.rows("addresses") == []


async def test_who_changed_an_address_when_is_on_record_and_the_address_is_not(desk: Desk, hook: Hook) -> None:
    one = await place(desk, HEAD, hook.address(), "en")
    assert (await desk.ask("POST", f"/addresses/{one}/end", "admin", json={})).status_code == 200
    made, ended = await desk.events(postbox.stream_of_post(HEAD))
    assert (made.type, made.actor, made.unit) == ("huiying.post.address_set.v1", "admin@county", "town-east")
    assert (made.data.post, made.data.way, made.data.place, made.data.language) == (HEAD, "webhook", one, "en")
    assert (ended.type, ended.actor, ended.data.place) == ("huiying.post.address_ended.v1", "admin@county", one)
    assert b"127.0.0.1" not in made.bytes + ended.bytes
    assert (await desk.ask("POST", f"/addresses/{one}/end", "admin", json={})).status_code == 404
    assert len(await desk.events(postbox.stream_of_post(HEAD))) == 2


@pytest.mark.parametrize(
    "address", ["nonsense", "http://example.org/hook", "mailto://", "json://", "mailto://example.org?to=a@b.c,d@e.f"]
)
async def test_a_wrong_address_is_refused_and_not_repeated(desk: Desk, address: str) -> None:
    answer = await desk.ask("POST", "/addresses", "admin", json={"post": HEAD, "address": address})
    assert answer.status_code == 422
    assert await desk.rows("addresses") == []


async def test_only_an_administrator_sets_addresses(desk: Desk) -> None:
    body = {"post": HEAD, "address": "json://example.org/hook"}
    assert (await desk.ask("POST", "/addresses", "chief", json=body)).status_code == 403
    for role, unit, may in (("admin", "county", ["set-address", "end-address"]), ("handler", "town-east", [])):
        listed = await desk.ask("GET", "/addresses?unit=town-east", role, unit)
        assert (listed.status_code, listed.json()["may"]) == (200, may), "places are no secret, addresses are"
    assert (await desk.ask("GET", "/addresses?unit=town-east", "admin", "town-west")).status_code == 403


async def test_an_address_that_no_message_can_carry_stops_no_other(desk: Desk, hook: Hook) -> None:
    desk.clock.at = LONG_AGO
    bad = await place(desk, HEAD, "json://desk:密码@127.0.0.1:9/hook")
    good = await place(desk, HEAD, hook.address())
    desk.clock.at = at(1)
    id_ = opened(desk)
    await desk.consume()
    assert await send(desk) == 2
    assert len(hook.calls) == 1
    found = {one.place: getattr(one, "error", None) for one in await tries(desk, id_)}
    assert found == {bad: "not_taken", good: None}


async def test_a_notice_that_cannot_be_judged_holds_up_no_other(
    desk: Desk, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.clock.at, told = LONG_AGO, receivers.told
    await place(desk, HEAD, hook.address())
    desk.clock.at, known = at(1), posting.Known()
    broken, other = opened(desk, "a"), opened(desk, "b")
    await desk.consume()

    def fails(notice: Any, *more: Any) -> Any:
        if notice["incident_id"] == broken:
            raise KeyError("rule")
        return told(notice, *more)

    monkeypatch.setattr(receivers, "told", fails)
    assert await send(desk, known) == 1
    assert [other in call.body["message"] for call in hook.calls] == [True]
    assert len(known.waiting) == 2
    monkeypatch.setattr(receivers, "told", told)
    desk.clock.at = at(2)
    assert await send(desk, known) == 1


async def test_the_same_address_is_one_place_and_a_place_has_an_id(desk: Desk, hook: Hook) -> None:
    first = await place(desk, HEAD, hook.address())
    assert await place(desk, HEAD, hook.address()) == first
    assert await place(desk, HEAD, hook.address(), "en") != first
    assert await place(desk, POST, hook.address()) != first
    assert len(await desk.rows("addresses")) == 3
    for wrong, status in {"%00": 404, "x" * 5000: 422, spec.UUID: 404}.items():
        assert (await desk.ask("POST", f"/addresses/{wrong}/end", "admin", json={})).status_code == status, wrong


async def test_nothing_is_sent_while_nothing_can_be_recorded(
    desk: Desk, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, hook.address())
    desk.clock.at, known = at(1), posting.Known()
    opened(desk)
    await desk.consume()

    async def full() -> None:
        raise Unavailable("the outbox is full", 5, code="store-busy")

    with monkeypatch.context() as patched:
        patched.setattr(desk.runtime, "ready_to_decide", full)
        with pytest.raises(Unavailable):
            await send(desk, known)
    assert hook.calls == []
    assert await send(desk, known) == 1


async def test_what_was_taken_while_the_store_failed_is_not_sent_again(
    desk: Desk, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, hook.address())
    desk.clock.at, known = at(1), posting.Known()
    opened(desk)
    await desk.consume()

    async def fails(*_: Any) -> None:
        raise DBAPIError("commit", None, OSError("the disk is full"))

    with monkeypatch.context() as patched:
        patched.setattr(posting.commands, "transact", fails)
        with pytest.raises(DBAPIError):
            await send(desk, known)
    assert len(hook.calls) == 1
    known.waiting.clear()
    known.read.clear()
    await send(desk, known)
    assert (len(hook.calls), known.unrecorded) == (1, {})


@pytest.mark.parametrize("address", ["json://127.0.0.1/hook", "mailto://127.0.0.1?from=a@b.cn&to=c@d.cn"])
def test_no_address_makes_the_others_wait_for_hours(address: str) -> None:
    made = channels._made(f"{address}{'&' if '?' in address else '?'}cto=90000&rto=90000")
    assert made is not None
    assert (made.socket_connect_timeout, made.socket_read_timeout) == (channels.PATIENCE, channels.PATIENCE)


@pytest.mark.parametrize("more", ["", "?redirect=yes"])
def test_a_place_that_sends_elsewhere_took_nothing(hook: Hook, more: str) -> None:
    """What follows a redirect is a GET without the notice."""
    assert not channels.send(hook.address("moved") + more, spec.UUID, "subject", WORD)
    assert hook.calls == []


@pytest.mark.parametrize(
    ("plugin", "address"),
    [
        (NotifyWeComBot, f"wecombot://{spec.UUID}"),
        (NotifyDingTalk, f"dingtalk://{'a' * 64}"),
        (NotifyFeishu, f"feishu://{spec.UUID}"),
    ],
)
@pytest.mark.parametrize(
    ("says", "took"),
    [
        (b'{"errcode": 0, "errmsg": "ok", "code": 0, "msg": "success"}', True),
        (b'{"errcode": 45009, "errmsg": "api freq out of limit", "code": 9499, "msg": "Bad Request"}', False),
        (b"a page of a proxy", False),
    ],
)
def test_a_robot_that_answers_200_took_a_notice_only_if_it_says_so(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, plugin: type, address: str, says: bytes, *, took: bool
) -> None:
    monkeypatch.setattr(plugin, "notify_url", f"http://127.0.0.1:{hook.port}/robot")
    monkeypatch.setattr(plugin, "request_rate_per_sec", 0)
    hook.says = says
    assert channels.send(address, spec.UUID, "subject", WORD) is took
    assert len(hook.calls) == 1


async def test_an_address_that_several_posts_share_gets_a_notice_once(desk: Desk, hook: Hook) -> None:
    desk.clock.at = LONG_AGO
    for post in (POST, HEAD):
        await place(desk, post, hook.address())
    await place(desk, HEAD, hook.address("other"))
    duty_ = {"post": POST, "since": instant(at(0)), "until": instant(at(12))}
    planned = await desk.ask("PUT", "/roster", "chief", json={"unit": "town-east", "duties": [duty_]})
    assert planned.status_code == 200, planned.text
    desk.clock.at, known = at(1), posting.Known()
    id_ = opened(desk)
    await desk.consume()
    assert await send(desk, known)
    assert await send(desk, known) == 0
    came = [(call.headers[channels.HEADER], call.path) for call in hook.calls]
    assert len(came) == len(set(came))
    assert {path for _, path in came} == {"hook", "other"}
    assert known.waiting == {}
    assert len(await tries(desk, id_)) == len([1 for call in hook.calls if id_ in call.body["message"]])


async def test_a_place_that_is_away_delays_no_other_and_keeps_nobody_reading(
    desk: Desk, mailbox: Mailbox, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "WIDTH", 1)
    desk.clock.at, mailbox.refuses = LONG_AGO, True
    await place(desk, HEAD, mailbox.address)
    await place(desk, HEAD, hook.address())
    desk.clock.at, known = at(1), posting.Known()
    matters = [opened(desk, name) for name in "abcde"]
    await desk.consume()
    assert await send(desk, known) == 1 + len(matters)
    assert len(hook.calls) == len(matters)
    assert known.low >= instant(at(1) - posting.OVERLAP), "what waits is not read from the store again"
    assert await send(desk, known) == 0
    with monkeypatch.context() as patched:
        patched.delattr(posting, "_due")
        assert await send(desk, known) == 0, "nothing is looked at before its time"
    desk.clock.at, mailbox.refuses = at(1.01), False
    assert await send(desk, known) == len(matters)
    assert await send(desk, known) == 0
    assert (len(mailbox.mails), len(hook.calls), known.waiting) == (len(matters), len(matters), {})


async def test_a_place_that_stays_away_is_tried_seldom_however_much_waits_for_it(
    desk: Desk, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.clock.at, mailbox.refuses = LONG_AGO, True
    await place(desk, HEAD, mailbox.address)
    desk.clock.at, known = at(1), posting.Known()
    monkeypatch.setattr(posting, "WIDTH", 1)
    matters = [opened(desk, name) for name in "abcde"]
    await desk.consume()
    tried = []
    for seconds in (0, 5, 11, 30, 42, 100, 165, 700, 770):
        desk.clock.at = at(1) + timedelta(seconds=seconds)
        tried += [seconds] * (await send(desk, known) + await send(desk, known))
    assert tried == [0, 11, 42, 165, 770]
    desk.clock.at, mailbox.refuses = at(2), False
    assert (await send(desk, known), len(mailbox.mails)) == (len(matters), len(matters))


HANDLER = "handler@town-east"


def duty(since: float, until: float, **more: Any) -> dict[str, Any]:
    names = ("substitute", "by", "signed_on", "handed_over", "handed_to")
    times = {name: instant(at(value)) if isinstance(value, float) else value for name, value in more.items()}
    known = {"unit": "town-east", "post": POST, "since": instant(at(since)), "until": instant(at(until))}
    return {**known, **dict.fromkeys(names), **times}


@pytest.mark.parametrize(
    ("duties", "posts"),
    [
        ([duty(0, 12, by=POST, signed_on=0.0)], (POST,)),
        ([duty(2, 12, by=POST, signed_on=0.5)], (POST,)),
        (
            [
                duty(-12, 2, by=POST, signed_on=-12.0, handed_over=0.9),
                duty(2, 12, post=HANDLER, by=HANDLER, signed_on=0.5),
            ],
            (HANDLER,),
        ),
        ([duty(0, 12)], (POST, HEAD)),
        ([duty(0, 12, substitute=HANDLER)], (POST, HANDLER, HEAD)),
        ([duty(0, 12, by=POST, signed_on=0.0, handed_over=0.9, handed_to=HANDLER)], (HANDLER, HEAD)),
        ([duty(2, 12)], (HEAD,)),
        ([duty(-12, 0, by=POST, signed_on=-12.0)], (HEAD,)),
    ],
    ids=["on duty", "before its begin", "relieved early", "not come", "substitute", "handed over", "later", "over"],
)
def test_who_is_there_or_is_to_come_is_told(duties: list[dict[str, Any]], posts: tuple[str, ...]) -> None:
    notice = {"rule": "new", "unit": "town-east", "at": instant(at(1)), "posts": "", "who": ""}
    assert receivers.told(notice, spec.offices(), duties, None) == posts


def test_a_post_that_is_in_no_directory_any_more_is_told_nothing() -> None:
    known = spec.offices()
    here = {code: post for code, post in known.posts["town-east"].items() if code != "handler"}
    without = replace(known, posts={**known.posts, "town-east": here})
    duties = [duty(0, 12, post=HANDLER, substitute=POST), duty(0, 12, post=HANDLER, by=HANDLER, signed_on=0.0)]
    for duty_, expected in zip(duties, [(POST, HEAD), (HEAD,)], strict=True):
        notice = {"rule": "new", "unit": "town-east", "at": instant(at(1)), "posts": "", "who": ""}
        assert receivers.told(notice, without, [duty_], None) == expected
        assert receivers.told({**notice, "posts": f"{HANDLER} {POST}"}, without, [duty_], None) == (POST,)
        assert receivers.told({**notice, "posts": HANDLER}, without, [duty_], None) == expected


def test_a_unit_without_a_head_has_its_chief_told_and_one_that_has_ended_the_unit_above() -> None:
    notice = {"rule": "breach", "unit": "town-east", "at": instant(at(1)), "posts": "", "who": ""}
    known = spec.offices()
    headless = {code: replace(post, head=False) for code, post in known.posts["town-east"].items()}
    assert receivers.told(notice, replace(known, posts={**known.posts, "town-east": headless}), [], None) == (HEAD,)
    ended = replace(
        known,
        units={code: unit for code, unit in known.units.items() if code != "town-east"},
        posts={code: posts for code, posts in known.posts.items() if code != "town-east"},
        former={"town-east": known.units["town-east"]},
    )
    assert receivers.told(notice, ended, [], None) == ("chief@county",)


@pytest.mark.postgres
@pytest.mark.parametrize(
    "flow",
    [
        test_a_notice_reaches_mailbox_and_webhook_once,
        test_a_place_that_refuses_is_tried_again_later_and_the_other_gets_no_second_one,
    ],
    ids=lambda flow: flow.__name__,
)
async def test_postgresql_sends_alike(desk_on_postgres: Desk, mailbox: Mailbox, hook: Hook, flow: Any) -> None:
    await flow(desk_on_postgres, mailbox, hook)
