"""The live board: a stream of ids, its session, its end, and a page on which nothing moves by itself."""

import asyncio
import itertools
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from services.apps import web
from services.apps.embedded import running
from services.apps.up import served
from services.console.access import sessions
from services.console.calls import Answer, Down
from services.console.site import seconds
from services.console.worklist import following, live
from services.console.worklist.following import Followers, Listener
from services.kernel.settings import Settings
from tests.console.browser import HOME
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Record:
    """Audit, as a follower asks it."""

    def __init__(self) -> None:
        self.answers: list[Answer | None] = []
        self.asked: list[int | None] = []
        self.position = 0

    async def send(self, method: str, path: str, *, params: dict[str, int | None]) -> Answer:
        self.asked.append(params["after"])
        answer = self.answers.pop(0) if self.answers else changes(self.position)
        if answer is None:
            raise Down("audit")
        self.position = answer.body.get("position", self.position)
        return answer


def changes(position: int, *incidents: str, more: bool = False) -> Answer:
    return Answer(200, {"position": position, "more": more, "incidents": list(incidents)})


async def heard(listener: Listener) -> str:
    """What the listener is told next."""
    async with asyncio.timeout(10):
        await listener.news.wait()
    return "".join(listener.take())


@pytest_asyncio.fixture(loop_scope="module")
async def followers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Followers]:
    monkeypatch.setattr(following, "PAUSE", 0.01)
    monkeypatch.setattr(following, "LATER", 0.05)
    made = Followers()
    yield made
    made.stop()


async def test_a_listener_hears_of_each_change_once_more_later_and_of_more_without_a_pause(
    followers: Followers,
) -> None:
    record, listener = Record(), Listener(Record())  # type: ignore[arg-type]
    listener.calls = record  # type: ignore[assignment]
    record.answers = [changes(5), changes(505, "a", more=True), changes(510, "b")]
    followers.join("town", listener)
    assert await heard(listener) == "event: resync\nid: 5\ndata: all\n\n"
    said = await heard(listener)
    while "b" not in said.rpartition("data: ")[2]:
        said += await heard(listener)
    assert said.startswith("event: changed\nid: 5") and "data: a" in said
    again = await heard(listener)
    assert "id: 510" in again, "other services may have been later than audit"
    assert record.asked[:4] == [None, 5, 505, 510]


async def test_who_does_not_read_is_told_to_read_everything(followers: Followers) -> None:
    listener = Listener(Record())  # type: ignore[arg-type]
    for number in range(following.MOST + 1):
        listener.tell(number, [str(number)])
    assert listener.take() == [f"event: resync\nid: {following.MOST}\ndata: all\n\n"]
    assert not listener.waiting


async def test_who_comes_back_hears_what_was_missed_or_reads_everything(followers: Followers) -> None:
    record = Record()
    first, back, old, new = [Listener(record) for _ in range(4)]  # type: ignore[arg-type]
    record.answers = [changes(5), changes(6, "a"), changes(7, "b")]
    followers.join("town", first)
    while "b" not in await heard(first):
        continue
    followers.join("town", back, 6)
    followers.join("town", old, 4)
    followers.join("town", new)
    assert await heard(back) == "event: changed\nid: 7\ndata: b\n\n"
    assert "resync" in await heard(old) and "resync" in await heard(new)


async def test_a_record_that_does_not_answer_is_said_and_mended(followers: Followers) -> None:
    record = Record()
    listener = Listener(record)  # type: ignore[arg-type]
    record.answers = [changes(5), None, None, changes(5), Answer(422, {}), changes(3)]
    followers.join("town", listener)
    words = []
    while len(words) < 5:
        words += re.findall(r"event: (\w+)", await heard(listener))
    assert words == ["resync", "down", "resync", "down", "resync"]
    assert record.asked[:6] == [None, 5, 5, 5, 5, None], "of another record it follows the end"


async def test_nobody_asks_for_an_office_to_which_nobody_listens(followers: Followers) -> None:
    record = Record()
    listener = Listener(record)  # type: ignore[arg-type]
    followers.join("town", listener)
    await heard(listener)
    followers.leave("town", listener)
    asked = len(record.asked)
    await asyncio.sleep(0.05)
    assert len(record.asked) == asked


# over HTTP


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(town: Town) -> AsyncIterator[str]:
    with socket.socket() as on:
        on.bind(("127.0.0.1", 0))
        on.listen()
        async with served(town.system, on) as found:
            yield found


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    """Name and data of each event of a stream."""
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, line.removeprefix("data: ")


async def test_a_stream_tells_ids_to_the_offices_of_a_matter_and_to_no_other(town: Town, address: str) -> None:
    officer, stranger = await town.at("duty_officer@town-east"), await town.at("duty_officer@town-west")
    matter = (await town.reported(officer, "路灯不亮", place="卫生院")).path
    await town.system.settle()
    (incident,) = set(re.findall(r'<tr id="(incident-[0-9a-f-]+)"', (await officer.open("/board")).text))
    own = httpx.AsyncClient(base_url=address, cookies=dict(officer.client.cookies), timeout=20)
    other = httpx.AsyncClient(base_url=address, cookies=dict(stranger.client.cookies), timeout=20)
    async with (
        own,
        other,
        own.stream("GET", f"{HOME}/changes") as mine,
        other.stream("GET", f"{HOME}/changes") as foreign,
    ):
        assert mine.headers["content-type"].startswith("text/event-stream")
        assert (mine.headers["cache-control"], mine.headers["x-accel-buffering"]) == ("no-store", "no")
        here, there = events(mine), events(foreign)
        async with asyncio.timeout(20):
            assert [await anext(here) for _ in range(2)] == [("beat", "now"), ("resync", "all")]
            assert [await anext(there) for _ in range(2)] == [("beat", "now"), ("resync", "all")]
            await town.done(officer, f"{matter.removeprefix(HOME)}/triage/assign", unit="county-roads", reason="归口")
            while (told := await anext(here)) != ("changed", incident):
                assert told[0] == "beat"
            second = (await town.reported(stranger, "井盖缺失", place="北街")).path
            while (told := await anext(there))[0] != "changed":
                continue
        assert incident not in told[1], (second, "the other town hears of its own matter only")
    few = await officer.open(f"/desk/rows?list=open&ids={incident}")
    assert incident in few.text and few.text.count("<tr id=") == 1 and "<html" not in few.text


async def test_a_stream_ends_with_its_session_and_does_not_prolong_it(
    town: Town, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT", 0.05)
    monkeypatch.setattr(sessions, "NOTED", -1)
    officer = await town.at("duty_officer@town-east")
    assert town.system.console is not None
    store = town.system.console.site.sessions
    cookie = officer.client.cookies["huiying"]

    async def ends() -> int:
        found = await store.find(cookie, seconds(), used=False)
        assert found is not None
        return found.ends_at

    before = await ends()
    async with httpx.AsyncClient(base_url=address, cookies=dict(officer.client.cookies), timeout=20) as client:
        async with client.stream("GET", f"{HOME}/changes") as answer:
            told = events(answer)
            async with asyncio.timeout(20):
                beats = 0
                while beats < 3:
                    beats += (await anext(told))[0] == "beat"
                assert await ends() == before, "a stream is no work"
                await officer.send(await officer.open("/inbox"), "/sign-out")
                while (await anext(told))[0] != "ended":
                    continue
                with pytest.raises(StopAsyncIteration):
                    await anext(told)
        assert (await client.get(f"{HOME}/changes")).status_code == 303


async def test_a_stream_ends_with_its_session_though_there_is_more_and_more_news(
    town: Town, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT", 0.3)
    officer = await town.at("duty_officer@town-east")
    assert town.system.console is not None
    office = town.system.console.site.followers

    async def changing() -> None:
        for position in itertools.count():
            for one in office._offices.values():
                for listener in one.listeners:
                    listener.tell(position, ["incident-x"])
            await asyncio.sleep(0.01)

    news = asyncio.create_task(changing())
    try:
        async with (
            httpx.AsyncClient(base_url=address, cookies=dict(officer.client.cookies), timeout=20) as client,
            client.stream("GET", f"{HOME}/changes") as answer,
            asyncio.timeout(10),
        ):
            told = events(answer)
            while (await anext(told))[0] != "changed":
                continue
            await officer.send(await officer.open("/inbox"), "/sign-out")
            while (await anext(told))[0] != "ended":
                continue
    finally:
        news.cancel()


async def test_the_head_of_a_stream_has_no_stream(town: Town) -> None:
    officer = await town.at("duty_officer@town-east")
    async with asyncio.timeout(10):
        answer = await officer.client.head(f"{HOME}/changes")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    assert not town.system.console.site.followers._offices, "nobody listens"  # type: ignore[union-attr]


async def test_filters_stand_in_the_address_as_chips_and_are_taken_away_by_links(town: Town) -> None:
    officer = await town.at("duty_officer@county")
    east, west = await town.at("duty_officer@town-east"), await town.at("duty_officer@town-west")
    numbers = [(await town.reported(by, "河道排污", place="南桥")).path.rpartition("/")[2] for by in (east, west)]
    await town.system.settle()
    board = await officer.open("/board")
    assert all(number in board.said for number in numbers)
    form = next(form for form in board.forms if form.method == "get")
    assert form.names == {"list", "unit", "level", "category", "soon"}
    narrow = await officer.open("/board?list=open&unit=town-west&soon=none")
    assert numbers[0] not in narrow.said
    narrow = await officer.open("/board?list=open&unit=town-west")
    assert numbers[1] in narrow.said and numbers[0] not in narrow.said and "单位：" in narrow.said
    (without,) = {link for link in narrow.links if link == f"{HOME}/board?list=open"} & set(narrow.links)
    assert numbers[0] in (await officer.open(without.removeprefix(HOME))).said


@pytest.mark.parametrize("deployed", [False, True], ids=["up", "serve-console"])
async def test_a_server_with_open_streams_ends_within_a_second(tmp_path: Path, deployed: bool) -> None:
    async with running(Settings(data=tmp_path)) as system, AsyncExitStack() as opened:
        own = Town(system)
        officer = await own.at("duty_officer@town-east")
        assert system.console is not None
        with socket.socket() as on:
            on.bind(("127.0.0.1", 0))
            on.listen()
            host, port = on.getsockname()
            server = web.Server(web.config(system.console.alone, system.settings), system.console.end_streams)
            town = AsyncExitStack()
            if deployed:
                serving = asyncio.create_task(server.serve([on]))
            else:
                await town.enter_async_context(served(system, on))
            client = await opened.enter_async_context(
                httpx.AsyncClient(base_url=f"http://{host}:{port}", cookies=dict(officer.client.cookies), timeout=20)
            )
            streams = []
            for _ in range(20):
                answer = await opened.enter_async_context(client.stream("GET", f"{HOME}/changes"))
                streams.append(events(answer))
                assert await anext(streams[-1]) == ("beat", "now")
            began = asyncio.get_running_loop().time()
            if deployed:
                server.should_exit = True
                await asyncio.wait([serving])
            else:
                await town.aclose()
            assert asyncio.get_running_loop().time() - began < 1
            for one in streams:
                assert [name async for name, _ in one if name == "ended"] == [], "the browser comes back by itself"
        await officer.client.aclose()
