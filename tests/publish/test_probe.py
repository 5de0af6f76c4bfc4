"""The probe, at a real server before a real bulletin, which fails, stalls, leads away, and alters what it serves."""

import asyncio
import gzip
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ingest.outages.commands import Tell
from services.ingest.outages.finding import SILENT
from services.kernel.core.ids import derived
from services.kernel.serving.commands import Caller
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.kernel.tlog import note, tree, witness
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.note import Signer, Verifier
from services.probe import comparing, judging, looking, loop, memory
from services.probe.comparing import Fault, checkpoint, consistent
from services.probe.judging import Bad, Run, judged
from services.publish.bulletin import pages
from services.publish.verifying import keys
from tests.ingest.conftest import Ingest, running
from tests.kit import tls
from tests.publish.conftest import PUBLIC, TEXT, Office, established, graded, opened, staffed
from tests.publish.test_files import added, attach, pdf, picture, publish

pytestmark = pytest.mark.requirement("ING-13")
START = datetime(2026, 3, 2, 1, tzinfo=UTC)
LASTED = ("2026-03-02T01:02:00.000000Z", "2026-03-02T01:05:00.000000Z")
Alter = Callable[[Response], Response]


def as_it_is(path: str, response: Response) -> Response:
    return response


class Leaves:
    """A log of any entries."""

    def __init__(self, salt: str = "") -> None:
        self.key, self.salt, self.size = Signer("office.test/log", Ed25519PrivateKey.generate()), salt, 0

    def grow(self, by: int) -> None:
        self.size += by

    def hashes(self, size: int) -> list[bytes]:
        return [tree.leaf_hash(f"{self.salt}{number}".encode()) for number in range(size)]

    def note(self, size: int | None = None) -> bytes:
        size = size or self.size
        return note.signed(
            Checkpoint(self.key.verifier.name, size, tree.root_over(self.hashes(size))).text, [self.key]
        ).written

    def consistency(self, old: int, size: int) -> bytes:
        held = self.hashes(size)
        path = tuple(tree.root_over(held[span.start : span.end]) for span in tree.consistency(old, size))
        return witness.Request(old, path, self.note(size)).written


@dataclass
class Front:
    """The public address."""

    office: Office
    log: Leaves
    alter: Callable[[str, Response], Response] = as_it_is
    stalls: set[str] = field(default_factory=set)
    told: list[dict[str, Any]] = field(default_factory=list)
    ingest: Ingest | None = None
    """The way in. Without it, every telling is answered alike."""
    address: str = ""

    async def answer(self, request: Request) -> Response:
        path = request.url.path
        if any(path.startswith(stalled) for stalled in self.stalls):
            await asyncio.sleep(5)
        return self.alter(path, await self._own(request))

    async def _own(self, request: Request) -> Response:
        path, query = request.url.path, request.query_params
        if path == "/ingest/v1/outages":
            self.told.append(await request.json())
            if self.ingest is not None:
                sent = {"Authorization": request.headers["authorization"], "Content-Type": "application/json"}
                told = await self.ingest.client.post(path, content=await request.body(), headers=sent)
                return Response(told.content, told.status_code)
            return JSONResponse({"recorded": [], "at": "2026-03-02T01:00:00.000000Z"})
        if path == "/audit/v1/log/checkpoint":
            return Response(self.log.note(), media_type="text/plain")
        if path == "/audit/v1/log/keys":
            return Response(
                json.dumps({"keys": [{"vkey": self.log.key.verifier.vkey, "use": "log", "revoked_at": None}]}),
            )
        if path == "/audit/v1/log/proof/consistency":
            return Response(self.log.consistency(int(query["old"]), int(query["size"])))
        found = await self.office.client.get(path)
        body = found.content.replace(PUBLIC.encode(), self.address.encode())
        return Response(body, found.status_code, {"content-type": found.headers["content-type"]})


@asynccontextmanager
async def served(front: Front, **more: Any) -> AsyncIterator[str]:
    app = Starlette(routes=[Route("/{path:path}", front.answer, methods=["GET", "POST", "HEAD"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", **more))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"{'https' if more else 'http'}://127.0.0.1:{port}"
    finally:
        server.force_exit = server.should_exit = True
        await task


@pytest.fixture
async def front(office: Office) -> AsyncIterator[Front]:
    await keys.make_first(office.runtime)
    await office.published()
    made = Front(office, Leaves())
    made.log.grow(5)
    async with served(made) as made.address:
        yield made


class Rounds:
    """A probe whose clock moves by a minute for each round."""

    def __init__(self, front: Front, path: Path, client: httpx.AsyncClient, **more: Any) -> None:
        told = {"public_url": front.address, "probe_key": SecretStr("hy_probe"), "probe_timeout": 30.0} | more
        self.settings, self.path, self.front = Settings(**told), path, front
        self.minute = 0
        self.probe = loop.Probe(self.settings, path, client, lambda: START + timedelta(minutes=self.minute))

    async def go(self, times: int = 1) -> dict[tuple[str, str], str]:
        """(site, trouble) -> symptom of the outages after so many rounds."""
        for _ in range(times):
            kept, self.found = await self.probe.round()
            self.minute += 1
        return {(run.site, run.trouble): run.symptom for run in judging.outages(kept.runs) if run.until is None}


@pytest.fixture
async def rounds(front: Front, tmp_path: Path) -> AsyncIterator[Rounds]:
    async with looking.client(True, 30) as client:
        made = Rounds(front, tmp_path / "probe.json", client)
        assert await made.go(2) == {}, made.found.said
        assert not made.found.said, made.found.said
        yield made


def body(change: Callable[[bytes], bytes]) -> Alter:
    def alter(response: Response) -> Response:
        return Response(
            change(bytes(response.body)), response.status_code, {"content-type": response.headers["content-type"]}
        )

    return alter


def replaced(old: str, new: str) -> Alter:
    def change(raw: bytes) -> bytes:
        assert old.encode() in raw, old
        return raw.replace(old.encode(), new.encode())

    return body(change)


def status(code: int, **headers: str) -> Alter:
    return lambda _: Response(b"", code, headers)


def header(name: str, value: str) -> Alter:
    def alter(response: Response) -> Response:
        response.headers[name] = value
        return response

    return alter


CASES: dict[str, tuple[str, Alter, tuple[str, str, str]]] = {
    "a figure on the page": (
        "/bulletin/statements/{id}", replaced("今日恢复", "明日恢复"), ("statement_page", "altered", "changed")),
    "another line on the page": (
        "/bulletin/statements/{id}", replaced(f"<p>{TEXT}</p>", f"<p>{TEXT}</p><p>请扫码缴费</p>"),
        ("statement_page", "altered", "changed")),
    "another title": (
        "/bulletin/statements/{id}", replaced(">路面塌陷的处置</h1>", ">路面塌陷</h1>"),
        ("statement_page", "altered", "changed")),
    "a script": (
        "/bulletin/statements/{id}", replaced("</body>", "<script src='/x.js'></script></body>"),
        ("statement_page", "altered", "foreign")),
    "a frame on the front page": (
        "/bulletin/", replaced("</body>", "<iframe src='/x'></iframe></body>"), ("bulletin", "altered", "foreign")),
    "a link elsewhere": (
        "/bulletin/", replaced("</body>", "<a href='https://pay.example/'>x</a></body>"),
        ("bulletin", "altered", "foreign")),
    "a form that sends elsewhere": (
        "/bulletin/", replaced('action="/bulletin/"', 'action="//pay.example/"'),
        ("bulletin", "altered", "foreign")),
    "another style sheet": ("/bulletin/style.css", replaced(".skip", ".text"), ("bulletin", "altered", "changed")),
    "a header that leads away": ("/bulletin/", header("Refresh", "0; url=/x"), ("bulletin", "altered", "foreign")),
    "a header that brings a style": (
        "/bulletin/statements/{id}", header("Link", "</x>; rel=stylesheet"), ("statement_page", "altered", "foreign")),
    "another charset": (
        "/bulletin/", header("Content-Type", "text/html; charset=gbk"), ("bulletin", "altered", "changed")),
    "the page is gone": ("/bulletin/statements/{id}", status(404), ("statement_page", "altered", "missing")),
    "the bulletin refuses": ("/bulletin/", status(502), ("bulletin", "unreachable", "refusing")),
    "it leads elsewhere": (
        "/bulletin/", status(302, location="http://other.example/"), ("bulletin", "altered", "redirected")),
    "it leads to another port": (
        "/bulletin/", status(302, location="http://127.0.0.1:1/"), ("bulletin", "altered", "redirected")),
    "a circle": ("/bulletin/", status(302, location="/bulletin/"), ("bulletin", "altered", "redirected")),
    "the manifest": (
        "/bulletin/statements/{id}/manifest.json", replaced("今日恢复", "明日恢复"),
        ("manifest", "altered", "wrong_signature")),
    "an empty feed": (
        "/bulletin/feed.json", body(lambda raw: json.dumps({**json.loads(raw), "items": []}).encode()),
        ("feed", "altered", "older")),
    "a text in the feed": ("/bulletin/feed.json", replaced("今日恢复", "明日恢复"), ("feed", "altered", "changed")),
    "no feed": ("/bulletin/feed.json", body(lambda raw: b"[]"), ("feed", "altered", "changed")),
    "a note that is cut": ("/audit/v1/log/checkpoint", body(lambda raw: raw[:-9]),
        ("log", "altered", "wrong_signature")),
    "the way in refuses": ("/ingest/v1/outages", status(503), ("intake", "unreachable", "refusing")),
    "the way in is another program": ("/ingest/v1/outages", body(lambda raw: b"<html>"),
        ("intake", "altered", "changed")),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_what_is_wrong_is_found_after_three_rounds_named_and_over(case: str, rounds: Rounds) -> None:
    path, alter, (site, trouble, symptom) = CASES[case]
    front = rounds.front
    statement = next(iter(memory.read(rounds.path).statements))
    named = path.format(id=statement)
    front.alter = lambda path, response: alter(response) if path == named else response
    assert await rounds.go(2) == {}, "one bad answer is no outage"
    found = await rounds.go()
    assert found.get((site, trouble)) == symptom, rounds.found.said
    assert {at for at, _ in found} <= {site, "manifest", "statement_page"}, found
    front.alter = as_it_is
    assert await rounds.go(3) == {}
    last = [one for telling in front.told for one in telling["seen"] if one["site"] == site and one.get("until")][-1:]
    if site == "intake":  # It is told when there is a way in again.
        await rounds.go()
        last = [one for one in front.told[-1]["seen"] if one["site"] == site]
    assert [(one["since"], one["until"]) for one in last] == [
        ("2026-03-02T01:02:00.000000Z", "2026-03-02T01:05:00.000000Z")
    ]


async def test_the_probe_and_ingest_agree_on_one_begin_and_one_end(rounds: Rounds, tmp_path: Path) -> None:
    """A site that comes and goes is one outage. What ingest refuses holds up nothing else."""
    front = rounds.front
    statement = next(iter(memory.read(rounds.path).statements))
    page = f"/bulletin/statements/{statement}"
    (tmp_path / "ingest").mkdir()
    async with running(tmp_path / "ingest", tmp_path / "ingest.sqlite") as front.ingest:
        made = {"unit": "city", "scope": "probe", "name": "one"}
        admin = front.ingest.staff("admin", unit="city")
        key = (await front.ingest.client.post("/ingest/v1/keys", json=made, headers=admin)).json()["key"]
        rounds.settings = rounds.settings.model_copy(update={"probe_key": SecretStr(key)})
        rounds.probe._settings = rounds.settings
        counted = []
        # A statement that no code has, of a file of an older probe.
        kept = memory.read(rounds.path)
        bad = Run(site="manifest", trouble="altered", statement="statement-zzz", symptom="missing", since=START)
        runs = (bad.model_copy(update={"is_outage": True}),)
        memory.write(rounds.path, kept.model_copy(update={"runs": runs}))
        for letter in "bbbgbgbggg":
            front.alter = lambda path, response, is_bad=letter == "b": (  # type: ignore[misc]
                Response(b"", 502)
                if is_bad and path == "/bulletin/"
                else Response(b"<p>")
                if is_bad and path == page
                else response
            )
            await rounds.go()
            counted.append(len(await front.ingest.events("outage.")))
        assert counted == [0, 0, 2, 2, 2, 2, 2, 2, 2, 4]
        rows = {row["site"]: row for row in await front.ingest.rows("outages")}
    assert {site: (row["since"], row["until"]) for site, row in rows.items()} == {
        "bulletin": ("2026-03-02T01:02:00.000000Z", "2026-03-02T01:09:00.000000Z"),
        "statement_page": ("2026-03-02T01:02:00.000000Z", "2026-03-02T01:09:00.000000Z"),
    }


def feed(**change: Any) -> Alter:
    """A further item before the others, and what is changed in it."""

    def changed(raw: bytes) -> bytes:
        told = json.loads(raw)
        told["items"].insert(0, told["items"][0] | change)
        return json.dumps(told).encode()

    return body(changed)


def wholly(made: bytes) -> Alter:
    return body(lambda raw: made)


def packed(response: Response) -> Response:
    return Response(gzip.compress(bytes(response.body)), headers={"content-encoding": "gzip"})


NONE = "urn:uuid:00000000-0000-7000-8000-000000000000"
DEEP = b"[" * 100_000
HOSTILE: dict[str, list[tuple[str, Alter]]] = {
    "feed": [
        ("/bulletin/feed.json", alter)
        for alter in (
            wholly(DEEP), feed(id="urn:uuid:zzz"), feed(id=NONE, date_modified="2026-03-02T09:00:00"),
            feed(id=NONE, content_html="<![<!["), feed(date_modified="9999-12-31T23:59:59Z"), packed,
        )
    ],
    "public_keys": [("/.well-known/huiying.json", wholly(DEEP))],
    "log": [("/audit/v1/log/checkpoint", status(302, location="http://["))],
    "manifest": [("{at}/manifest.json", wholly(DEEP))],
    "bulletin": [
        ("/bulletin/", replaced("</body>", made + "</body>"))
        for made in ("<![<![", "<!-- <b>", "<p <p", "<p title='<'>", "<section>" * 99)
    ],
    "statement_page": [
        ("{at}", replaced("</body>", made + "</body>"))
        for made in (f'<script type="application/ld+json">{DEEP.decode()}</script>', "<?", "<section>" * 99)
    ],
    "intake": [("/ingest/v1/outages", wholly(made)) for made in (DEEP, b'{"at": "\\ud800"}', b'{"at": 1}')],
}  # fmt: skip


async def test_no_answer_stops_slows_or_silences_the_probe(rounds: Rounds) -> None:
    """Each is a fault of its own site alone, nothing of it is remembered, and after it all is well as before."""
    front = rounds.front
    before = memory.read(rounds.path).statements
    at = f"/bulletin/statements/{next(iter(before))}"
    for site, cases in HOSTILE.items():
        for number, (path, alter) in enumerate(cases):
            named = path.format(at=at)
            front.alter = lambda path, response, named=named, alter=alter: (  # type: ignore[misc]
                alter(response) if path == named else response
            )
            await rounds.go()
            found = {(*key[:2], bad.symptom) for key, bad in rounds.found.seen.items() if bad is not None}
            symptom = "wrong_signature" if site == "manifest" else "changed"
            assert found == {(site, "altered", symptom)}, (site, number, rounds.found.said)
            front.alter = as_it_is
            await rounds.go()
            assert not rounds.found.said and memory.read(rounds.path).statements == before, (site, number)


async def test_a_forged_feed_makes_one_outage_and_few_requests(rounds: Rounds) -> None:
    """However many statements it invents, and whatever the site asks the probe to keep."""
    front, asked = rounds.front, []

    def alter(path: str, response: Response) -> Response:
        asked.append(path)
        if path == "/bulletin/feed.json":
            response = feed(id=f"urn:uuid:{rounds.minute:08x}-0000-7000-8000-000000000000")(response)
        response.set_cookie("large", "x" * 4_000)
        return response

    front.alter = alter
    for _ in range(4):
        asked.clear()
        assert set(await rounds.go()) <= {("feed", "altered")}
    assert len(asked) < 12
    assert [one["site"] for one in front.told[-1]["seen"]] == ["feed"]
    assert not rounds.probe._client.cookies

    # Also one that altered many statements before makes few requests.
    kept = memory.read(rounds.path)
    doubted = [Run(site="manifest", trouble="altered", statement=NONE[9:-1] + letter, symptom="missing", since=START)
               for letter in "123456789"]  # fmt: skip
    for answered, wanted in ((404, 4), (503, 1)):
        memory.write(rounds.path, kept.model_copy(update={"runs": tuple(doubted)}))
        front.alter = lambda path, response, answered=answered: (  # type: ignore[misc]
            asked.append(path) or (Response(b"", answered) if "/statements/" in path else response)  # type: ignore[func-returns-value]
        )
        asked.clear()
        await rounds.go()
        assert len([path for path in asked if "/statements/" in path]) == wanted


class Written(HTMLParser):
    """What a page is made of: elements with those around them, with their attributes, and with their looks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parents, self.attributes = set[tuple[str, str]](), set[tuple[str, str]]()
        self.looks, self.open = set[tuple[str, str]](), list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parents |= {(tag, self.open[-1])} if self.open else set()
        self.attributes |= {(tag, name) for name, _ in attrs}
        self.looks |= {(tag, value or "") for name, value in attrs if name == "class"}
        self.open += [tag] if tag not in comparing.VOID else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@asynccontextmanager
async def full(tmp_path: Path) -> AsyncIterator[tuple[Office, list[str]]]:
    """An office with all that its pages may show: files, changes, neighbours, a logo; and its statements."""
    logo = tmp_path / "logo.png"
    Image.new("RGB", (64, 64), "red").save(logo, "PNG")
    settings = Settings(data=tmp_path, public_url=HOME, site_logo=logo, site_contact="电话 0731-5550100")
    async with staffed(Database(tmp_path / "publish.sqlite"), settings) as office:
        await keys.make_first(office.runtime)
        corrected = await office.draft(next_at="2030-01-01T00:00:00Z")
        added(await attach(office, corrected, pdf()))
        added(await picture(office, corrected))
        await publish(office, corrected)
        for change in (
            {"text": "后日恢复通行。", "reason": "写错了"},
            {"title": "路面的处置", "text": "明日恢复通行。", "reason": "时间有误"},
        ):
            answer = await office.act(corrected, "correct", "spokesperson", change, person=change["reason"])
            assert answer.is_success, answer.text
        await office.incident(established())
        withdrawn = await office.published("水管破裂。\n\n正在回填。", kind="facts", facts=["cause"])
        assert (await office.act(withdrawn, "withdraw", "spokesperson", {"reason": "不实"})).is_success
        elsewhere = await office.incident(opened(), graded(), uuid=derived("elsewhere"))
        long = await office.published("很长的一段话。" * 60, incident_id=elsewhere)
        yield office, [corrected, withdrawn, long]


HOME = "https://county.example/huiying/"


async def test_pages_are_of_what_the_bulletin_writes_and_of_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists of elements, places, attributes and looks hold all that real pages have, and no more."""
    async with full(tmp_path) as (office, statements):

        async def read(path: str) -> bytes:
            return (await office.client.get(path)).content

        known = comparing.public_keys(await read("/.well-known/huiying.json"), {})
        signed = {
            one: comparing.manifest(await read(f"/bulletin/statements/{one}/manifest.json"), one, known, ())
            for one in statements
        }
        entries = comparing.feed(await read("/bulletin/feed.json"), {}, HOME)
        for entry in entries:
            comparing.must_be_as_signed(entry, signed[entry.statement])
        drawn = [await read("/bulletin/")]
        comparing.front_page(drawn[0], entries, signed, HOME)
        for one in statements:
            drawn.append(await read(f"/bulletin/statements/{one}"))
            sheet = comparing.statement_page(drawn[-1], signed[one], HOME)
        comparing.style_sheet(await read("/bulletin/style.css"), sheet)
        with pytest.raises(Fault):
            comparing.style_sheet(b"p { display: none }", sheet)
        monkeypatch.setattr(pages, "PER_PAGE", 1)
        drawn.append(await read("/bulletin/?from=elsewhere"))
    async with staffed(Database(tmp_path / "empty.sqlite"), Settings(data=tmp_path, public_url=HOME)) as office:
        drawn.append(await read("/bulletin/"))
        comparing.front_page(drawn[-1], [], {}, HOME)

    seen = [Written(page.decode()) for page in drawn]
    parents = {tag: around for tag, (around, _) in comparing.OF_THE_FRONT.items()}
    attributes = {tag: names for tag, (_, names) in comparing.OF_THE_FRONT.items()}
    for known_of, found in (
        (parents, [one.parents for one in seen]),
        (attributes, [one.attributes for one in seen]),
        (comparing.CLASSES, [one.looks for one in seen]),
    ):
        assert {(tag, value) for tag, values in known_of.items() for value in values} == set().union(*found)

    front, page = drawn[0].decode(), drawn[1].decode()
    judged_well = []
    for old, new in FORGED:
        assert old in page + front, old
        for text, judge in (
            (page, lambda made: comparing.statement_page(made, signed[statements[0]], HOME)),
            (front, lambda made: comparing.front_page(made, entries, signed, HOME)),
        ):
            if old in text:
                with suppress(Fault):
                    judge(text.replace(old, new).encode())
                    judged_well.append(new)
    assert not judged_well


FORGED = [
    *(('<section class="text">', f'<{one}><section class="text">') for one in ("template", "noscript", "svg", "math")),
    ('<section class="text">', '<section class="text" hidden>'),
    ('<section class="text">', '<section class="text" style="display: none">'),
    ('<section class="text">', '<section class="text printed">'),
    ('<section class="text">', '<section class="text"><ul class="files"><li>请扫码缴费</li></ul>'),
    ('<section class="text">', '<section class="text"><h2>请扫码缴费</h2>'),
    ('<section class="text">', '<section class="text"><p class="why">请扫码缴费</p>'),
    ('<section class="text">', '<section class="text"><section><p>请扫码缴费</p></section>'),
    ('<section class="text">', '<section class="text"><p/>'),
    ("<p>明日恢复通行。</p>", '<p class="printed">明日恢复通行。</p>'),
    ("<p>明日恢复通行。</p>", '<p><span class="printed">明日恢复通行。</span></p>'),
    ("<p>明日恢复通行。</p>", "<p>明日恢复通行。"),
    ("<p>明日恢复通行。</p>", "<p><p>明日恢复通行。</p></p>"),
    ("<p>很", "<p>请扫码缴费。很"),
    ('<div class="text">', '<div class="text"><p class="why">请扫码缴费</p>'),
    ("<h2>现行文本</h2>", "<h2>撤回前的文本</h2>"),
    ("<h2>现行文本</h2>", ""),
    ("</time> 发布</h3>", "</time> 现行文本</h3>"),
    ("PDF 1 KB", "PDF 1 KB 请扫码"),
    ('<p class="reason">', '<p class="printed">'),
    ('<p class="reason">理由：<span>', '<p class="reason">理由：<span class="printed">'),
    ('"name":"路面的处置"', '"name":"路面"'),
    ('<script type="application/ld+json">', '<script type="application/ld+json">[{}]</script>' * 2),
    ("/bulletin/style.css?", "/bulletin/style.css?0"),
    ("/bulletin/style.css?", "/other/style.css?"),
    ('rel="canonical"', 'rel="stylesheet"'),
    ('rel="icon"', 'rel="preload"'),
    *(
        ('<a class="home" href="/huiying/bulletin/">', f'<a class="home" href="{address}">')
        for address in (
            "/\\evil.example", "\\\\evil.example", "///evil.example", "//evil.example", "/&#9;/evil.example",
            " //evil.example",
            "https:evil.example", "https://county.example.evil.example/", "http://county.example/", "http://[",
            "javascript:x", "https://county.example@evil.example/", "evil",
        )
    ),
    *(
        ("<body>", f"<body {more}>")
        for more in ('background="/x"', 'onload="x"', 'style="x"', 'xlink:href="javascript:x"', "hidden", 'class="x"')
    ),
    *(
        ('<a class="home" ', f'<a class="home" {more} ')
        for more in ('ping="/x"', 'target="x"', 'download="x"', 'href="/x" ')
    ),
    ('<img class="logo" ', '<img class="logo" srcset="/a 1x, https://evil.example/b 2x" '),
    ('<meta charset="utf-8">', '<meta http-equiv="refresh" content="0; url=/x">'),
    ('<details class="wide">', '<details class="wide" open>'),
]  # fmt: skip


async def test_the_files_of_the_feed_are_those_that_were_signed(rounds: Rounds) -> None:
    front = rounds.front
    id_ = await front.office.draft()
    for _ in range(2):
        added(await attach(front.office, id_, pdf()))
    await publish(front.office, id_)
    assert await rounds.go(2) == {} and not rounds.found.said, rounds.found.said
    assert memory.read(rounds.path).turn == id_

    def shorter(raw: bytes) -> bytes:
        told = json.loads(raw)
        told["items"][0]["attachments"].pop()
        return json.dumps(told).encode()

    for at, change in (("/bulletin/feed.json", shorter), ("/bulletin/files/", lambda raw: raw + b" ")):
        front.alter = lambda path, response, at=at, change=change: (  # type: ignore[misc]
            body(change)(response) if path.startswith(at) else response
        )
        memory.write(rounds.path, memory.read(rounds.path).model_copy(update={"turn": ""}))
        for _ in range(2):
            await rounds.go()
            if memory.read(rounds.path).turn == id_:
                break
        assert ("manifest", "altered", id_) in {key for key, bad in rounds.found.seen.items() if bad}, rounds.found.said
        front.alter = as_it_is


async def test_a_key_that_nobody_knows_and_another_log_are_not_believed(rounds: Rounds) -> None:
    front, runtime = rounds.front, rounds.front.office.runtime
    await keys.rotate(runtime, Caller())
    true, front.log = front.log, Leaves("another ")
    front.log.key = true.key
    front.log.grow(9)
    found = await rounds.go(3)
    assert found[("public_keys", "altered")] == "wrong_signature"
    assert found[("log", "altered")] == "forked"
    front.log = true
    true.grow(3)
    assert ("log", "altered") not in await rounds.go(3)
    assert f"\n{true.size}\n" in memory.read(rounds.path).checkpoint


async def test_an_old_copy_is_no_copy(rounds: Rounds) -> None:
    """A cache or a mirror that shows yesterday."""
    front = rounds.front
    statement = next(iter(memory.read(rounds.path).statements))
    at = f"/bulletin/statements/{statement}"
    paths = ("/bulletin/", "/bulletin/feed.json", at, f"{at}/manifest.json", "/audit/v1/log/checkpoint")
    async with httpx.AsyncClient(base_url=front.address) as client:
        old = {}
        for path in paths:
            got = await client.get(path)
            old[path] = Response(got.content, media_type=got.headers.get("content-type"))
    await front.office.act(statement, "correct", "spokesperson", {"text": "明日恢复通行。", "reason": "时间有误"})
    front.log.grow(4)
    assert await rounds.go(3) == {}, rounds.found.said
    front.alter = old.get
    found = await rounds.go(3)
    assert found[("feed", "altered")] == "older" and found[("manifest", "altered")] == "older"
    assert found[("log", "altered")] == "older"


async def test_a_server_that_stalls_or_is_gone_and_a_probe_without_network(rounds: Rounds) -> None:
    rounds.front.stalls = {"/bulletin/feed.json"}
    rounds.settings = rounds.settings.model_copy(update={"probe_timeout": 0.2})
    rounds.probe._looker._seconds = 0.2
    assert await rounds.go(3) == {("feed", "unreachable"): "no_answer"}
    rounds.front.stalls.clear()
    assert await rounds.go(3) == {}
    rounds.probe._looker.address = rounds.probe._looker._log_at = "http://127.0.0.1:9/"
    blind = rounds.settings.model_copy(update={"probe_beside": "http://127.0.0.1:9/"})
    rounds.probe._settings = blind
    assert await rounds.go(5) == {}, "nothing else is reached either: the probe has no network"
    rounds.probe._settings = rounds.settings.model_copy(update={"probe_beside": rounds.front.address})
    assert set((await rounds.go(3)).values()) == {"no_connection"}


async def test_a_certificate_of_another_authority_is_not_believed(front: Front, tmp_path: Path) -> None:
    authority = tls.certified(tmp_path)
    pair = tmp_path / "broker.pem"
    async with served(front, ssl_certfile=str(pair), ssl_keyfile=str(pair)) as address:
        for trusted, wanted in ((ssl.create_default_context(cafile=authority), None), (True, "bad_certificate")):
            async with httpx.AsyncClient(verify=trusted) as client:
                made = Rounds(front, tmp_path / f"{wanted}.json", client, public_url=address)
                found = await made.go(3)
                assert found.get(("bulletin", "unreachable")) == wanted, made.found.said


@pytest.mark.parametrize(
    ("cause", "symptom"),
    [
        (ssl.SSLCertVerificationError("expired"), "bad_certificate"),
        (ssl.SSLEOFError("EOF occurred"), "no_connection"),
        (ssl.SSLError("WRONG_VERSION_NUMBER"), "no_connection"),
        (socket.gaierror("again"), "no_address"),
    ],
)
def test_only_a_certificate_that_is_not_believed_is_called_a_bad_one(cause: Exception, symptom: str) -> None:
    error = httpx.ConnectError("no")
    error.__cause__ = cause
    assert looking._why(error) == symptom


async def test_a_killed_probe_loses_no_outage(rounds: Rounds) -> None:
    """What the file holds goes on in the next process, also what could not be told."""
    rounds.front.alter = lambda path, response: Response(b"", 502)
    for _ in range(3):
        await rounds.go()
        rounds.probe = loop.Probe(  # another process
            rounds.settings, rounds.path, rounds.probe._client, lambda: START + timedelta(minutes=rounds.minute)
        )
    rounds.front.alter = as_it_is
    assert len(await rounds.go()) > 1
    seen = {one["site"]: one for one in rounds.front.told[-1]["seen"]}
    assert {"bulletin", "feed", "public_keys", "log"} <= seen.keys()
    assert {one["since"] for site, one in seen.items()} == {"2026-03-02T01:02:00.000000Z"}
    rounds.path.write_text("{")
    with pytest.raises(memory.Unreadable, match="move it away"):
        await rounds.go()
    with memory.held(rounds.path), pytest.raises(memory.Unreadable, match="another probe"), memory.held(rounds.path):
        pass


def test_a_run_ends_after_as_many_good_rounds_as_made_it() -> None:
    key = ("bulletin", "unreachable", "")
    runs: list[Run] = []
    for minute, good in enumerate("110100011011110"):
        seen = {key: None if good == "1" else Bad("no_answer")}
        runs = judged(runs, seen, START + timedelta(minutes=minute), 3)  # type: ignore[arg-type]
    (over, going) = runs
    assert (over.since.minute, over.until and over.until.minute, over.is_outage) == (4, 10, True)
    assert not going.is_outage


def test_no_length_of_a_round_is_refused_and_a_slow_one_is_not_silence() -> None:
    """A round asks for some forty answers at most. While each is late, it ends before the probe counts as silent."""
    for seconds, timeout in ((1, 0.1), (60, 10), (86_400, 3_600), (3_600, 30)):
        told = loop.every(Settings(probe_seconds=seconds, probe_timeout=timeout))
        Tell(at=START, every=told)
        assert SILENT * told >= min(40 * timeout, 86_400)
        assert told >= seconds
    with pytest.raises(ValidationError):
        Settings(probe_seconds=90_000)
    with pytest.raises(ValidationError):
        Settings(probe_timeout=90_000)


def test_the_work_for_a_page_grows_with_its_size_alone() -> None:
    for hostile in ("<![", "<!--", "<a ", "</", "<p title='", "<script></", "&", '<a b="', "<?", "<section>"):
        with pytest.raises(Fault):
            comparing.page(hostile * 300_000 + "<", PUBLIC)
    for wide in ("x<p>y</p>", "<p>x<br>y</p>", "<section><h2>x</h2></section>", '<section class="text">x</section>'):
        made = "<section>" * 40 + wide * 30_000 + "</section>" * 40
        assert comparing.page(made, PUBLIC, is_part=True).everything


def test_the_log_must_go_on_from_what_was_seen() -> None:
    log = Leaves()
    log.grow(5)
    before = log.note()
    log.grow(4)
    verifiers = [Verifier.parse(log.key.verifier.vkey)]
    assert checkpoint(log.note(), verifiers, before) == (5, 9)
    consistent(log.note(), verifiers, before, log.consistency(5, 9))
