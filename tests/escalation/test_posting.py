"""Notices to posts: to a local mailbox and a local webhook, once, and never from a replay."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import insert, update

from schemas import triage
from schemas.fields import instant
from services.escalation import outgoing, posting, views
from services.kernel.core.ids import stream_of
from services.kernel.delivery.recovery import SENDS_FROM
from services.kernel.store.views import folded
from tests.escalation.conftest import LONG_AGO, Desk
from tests.escalation.incident import at
from tests.escalation.test_service import REPORT, grade, incident, opened
from tests.kit.mailbox import Mailbox
from tests.kit.mailbox import opened as opened_mailbox

POST, HEAD = "duty_officer@town-east", "chief@town-east"
WORD = "黄河路停水三天没人管"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with opened_mailbox() as box:
        yield box


@dataclass
class Hook:
    """A local webhook."""

    calls: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def hook() -> Iterator[tuple[Hook, str]]:
    found = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.calls.append((dict(self.headers), json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found, f"json://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


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


async def test_a_notice_reaches_mailbox_and_webhook_once(desk: Desk, mailbox: Mailbox, hook: tuple[Hook, str]) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, mailbox.address)
    await place(desk, HEAD, hook[1], "en")
    desk.clock.at = at(0.6)
    id_ = await assigned(desk)
    assert await send(desk) == 4
    assert await send(desk) == 0
    calls = hook[0].calls
    assert sorted(mailbox.subjects) == [
        f"【{id_}】交办",
        f"【{id_}】新事项",
    ]
    told = {row["notice"] for row in await desk.rows("outgoing")}
    assert set(mailbox.notices) == told
    assert {headers["X-Huiying-Notice"] for headers, _ in calls} == told
    assert f"/triage/v1/incidents/{id_}" in calls[0][1]["message"]
    found = await tries(desk, id_)
    assert [(one.post, one.attempt) for one in found] == [(HEAD, 1)] * 4
    assert {one.way for one in found} == {"mail", "webhook"}


async def test_a_place_that_refuses_is_tried_again_later_and_the_other_gets_no_second_one(
    desk: Desk, mailbox: Mailbox, hook: tuple[Hook, str]
) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, mailbox.address)
    await place(desk, HEAD, hook[1])
    desk.clock.at, mailbox.refuses = at(1), True
    id_ = opened(desk)
    await desk.consume()
    known = posting.Known()
    assert await send(desk, known) == 2
    assert await send(desk, known) == 0
    desk.clock.at, mailbox.refuses = at(1.01), False
    assert await send(desk, known) == 1
    assert (len(mailbox.mails), len(hook[0].calls)) == (1, 1)
    kinds = [(type(one).__name__, one.way, one.attempt) for one in await tries(desk, id_)]
    assert sorted(kinds) == [
        ("ClockNoticeDelivered", "mail", 2),
        ("ClockNoticeDelivered", "webhook", 1),
        ("ClockNoticeFailed", "mail", 1),
    ]


async def test_a_limit_names_what_is_due_when_and_the_post_on_duty_is_told(desk: Desk, hook: tuple[Hook, str]) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, POST, hook[1])
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
    said = [call["message"] for _, call in hook[0].calls if "逾期" in call["title"]]
    assert any("时限：2026-03-02" in text and "等级：" in text for text in said), hook[0].calls
    assert WORD not in json.dumps([call for _, call in hook[0].calls], ensure_ascii=False)


async def test_a_replay_knows_what_was_delivered(desk: Desk, hook: tuple[Hook, str]) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, hook[1])
    desk.clock.at = at(0.6)
    id_ = await assigned(desk)
    await send(desk)
    events = await desk.events(stream_of("clock", id_))
    for view in outgoing.views(views.METADATA):
        kept = await desk.rows(view.table.name)
        names = view.table.primary_key.columns.keys()
        assert folded(view, events) == sorted(kept, key=lambda row: [row[name] for name in names])


async def test_after_a_restore_nothing_earlier_is_sent(desk: Desk, hook: tuple[Hook, str]) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, hook[1])
    desk.clock.at = at(0.6)
    await assigned(desk)
    async with desk.runtime.database.transaction() as connection:
        table = desk.runtime.tables["deployment"]
        await connection.execute(insert(table).values(name=SENDS_FROM, value=instant(at(0.7))))
    desk.clock.at = at(0.8)
    assert await send(desk) == 0


async def test_an_exercise_goes_nowhere_and_a_later_address_gets_nothing_earlier(
    desk: Desk, hook: tuple[Hook, str]
) -> None:
    desk.clock.at = LONG_AGO
    await place(desk, HEAD, hook[1])
    desk.clock.at = at(0.6)
    fact = triage.IncidentOpened(unit="town-east", report=REPORT, discovered_at=at(0), number="town-east-2026-X00001")
    desk.tell(incident(), fact, at(0))
    await desk.consume()
    assert await send(desk) == 0
    opened(desk, "b")
    await desk.consume()
    desk.clock.at = at(0.7)
    await place(desk, HEAD, hook[1])
    assert await send(desk) == 1


async def test_an_address_is_sealed_and_one_that_cannot_be_read_is_said(desk: Desk, hook: tuple[Hook, str]) -> None:
    desk.clock.at = LONG_AGO
    one = await place(desk, HEAD, hook[1])
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
    assert (await desk.ask("GET", "/addresses?unit=town-east", "chief")).status_code == 403


@pytest.mark.postgres
@pytest.mark.parametrize(
    "flow",
    [
        test_a_notice_reaches_mailbox_and_webhook_once,
        test_a_place_that_refuses_is_tried_again_later_and_the_other_gets_no_second_one,
    ],
    ids=lambda flow: flow.__name__,
)
async def test_postgresql_sends_alike(
    desk_on_postgres: Desk, mailbox: Mailbox, hook: tuple[Hook, str], flow: Any
) -> None:
    await flow(desk_on_postgres, mailbox, hook)
