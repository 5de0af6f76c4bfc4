"""Mailboxes on a real IMAP server: each mail is one report, whatever ends the process on the way, and nobody's name is
kept anywhere.
"""

import asyncio
import itertools
import multiprocessing
import os
import re
import signal
import ssl
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError
from PIL import Image

from deploy.native import free_port
from schemas.fields import instant
from services.ingest.mail import codec, files, loop, reading, replies, reply, threads
from services.ingest.mail.inbox import BODY, Away, Inbox
from services.ingest.mail.mailboxes import Smtp, load
from services.kernel import failpoints
from services.kernel.core.problems import Forbidden, Malformed
from services.kernel.settings import Settings
from tests.ingest.conftest import Ingest, erase, running
from tests.ingest.test_mail import LAMP, PLAIN, part, several, whole
from tests.kit.mails import UNIT, Office, office
from tests.kit.tls import certified

pytestmark = pytest.mark.timeout(120)
NUMBERS = itertools.count(1)
SENDER = ("zhangsan", "sender.example", "张三", "1cXI", "203.0.113.7", "origin.example")
"""What the headers tell of who wrote. Nothing of it may be found in any file."""
ORIGIN = {
    "Received": "from origin.example (203.0.113.7) by mx",
    "X_Originating_IP": "203.0.113.7",
    "Return_Path": "<zhangsan@sender.example>",
    "Date": "Mon, 2 Mar 2020 09:00:00 +0800",
}
POINTS = ("mail.reported", "mail.attached", "mail.sent", "mail.answered", "mail.replied", "mail.moved", "mail.told")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Office]:
    folder = tmp_path / "office"
    folder.mkdir()
    with office(folder, f"user{os.getpid()}-{next(NUMBERS)}") as opened:
        yield opened


def picture() -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    return file.getvalue()


def letter(name: str, *parts: bytes) -> bytes:
    """A usual mail of its own."""
    raw = whole(several("mixed", PLAIN, *parts) if parts else PLAIN, f"{LAMP} {name}", **ORIGIN)
    return raw.replace(b"<1@", f"<{name}@".encode())


def reader(ingest: Ingest, box: Office, **more: Any) -> loop.Reader:
    (found,) = load(Settings(mailboxes=box.settings(**more))).items()
    return loop.Reader(ingest.runtime, *found)


async def until(says: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not says():
            await asyncio.sleep(0.02)


async def received(ingest: Ingest) -> list[str]:
    """The subjects of all reports."""
    events = await ingest.events("report.received")
    words = {row["ref"]: row["words"] for row in await ingest.rows("contents")}
    return sorted(words[event.words["subject"]] for event in events)


async def aside(ingest: Ingest) -> dict[str, int]:
    return {one.data.cause: one.data.count for one in await ingest.events("mails_set_aside")}


def everything(folder: Path, without: Path) -> bytes:
    """The bytes of all files of a deployment."""
    files = (path for path in folder.rglob("*") if path.is_file() and without not in path.parents)
    return b"".join(path.read_bytes() for path in files)


@pytest.mark.requirement("ING-01")
@pytest.mark.requirement("ING-02")
@pytest.mark.requirement("ING-03")
@pytest.mark.requirement("ING-06")
async def test_a_mail_is_a_report_with_its_files_and_one_reply_and_nobody_is_known_by_it(
    ingest: Ingest,
    box: Office,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "FEW", 2)
    arrived = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    attached = [
        part("image/png", picture(), 'Content-Disposition: attachment; filename="zhangsan.png"'),
        part("application/octet-stream", b"PK\x03\x04 a workbook of zhangsan"),
        part("text/plain; charset=gbk", f"{LAMP}，请回电 13912345678".encode("gbk"), "Content-Disposition: attachment"),
        part("application/ms-tnef; name=winmail.dat", b"\x78\x9f\x3e\x22 zhangsan"),
    ]
    box.put(letter("one", *attached), arrived)
    box.put(whole(b"\r\ngone", Auto_Submitted="auto-replied", **ORIGIN))
    box.put(whole(several("report", PLAIN), **ORIGIN))
    box.put(whole(b"\r\n" + b"x" * 20_000, "large", **ORIGIN))
    reads = reader(ingest, box, most_bytes=15_000)
    assert not await reads.read()
    assert box.counts == (0, 1, 3)
    assert "most mails of today are set aside" in ingest.runtime.alarms[f"mail.{UNIT}.aside"]
    (event,) = await ingest.events("report.received")
    data = event.data
    assert (data.channel, data.source, data.unit, instant(data.discovered_at)) == (
        *("mail", f"mail:{UNIT}", UNIT),
        instant(arrived),
    )
    assert event.actor == codec.sender(UNIT).post
    added = [one.data.media_type for one in await ingest.events("evidence_attached")]
    assert added == ["image/png", "text/plain"]
    assert await aside(ingest) == {"automatic": 1, "returned": 1, "too-large": 1}
    (mail,) = box.sent.mails
    assert (mail["To"], mail["In-Reply-To"]) == ("zhangsan@sender.example", "<one@sender.example>")
    text = mail.get_payload(decode=True)
    assert isinstance(text, bytes)
    (receipt,) = set(re.findall(r"[A-Z0-9]{4}(?:-[A-Z0-9]{4}){2}", text.decode()))
    state = await ingest.client.get(f"/ingest/v1/receipts/{receipt}")
    assert state.status_code == 200 and "已收下附件 2 个" in text.decode()
    assert "压缩包或办公软件文档 1 个、其他类型或已损坏的文件 1 个" in text.decode()

    # A copy that comes back is the same report, and gets no second reply: the server knows that it was answered. Its
    # files are there already, so none is drawn.
    monkeypatch.setattr(files.evidence, "keep", None)
    box.client.select_folder("Huiying-Done")
    box.client.copy(box.client.search(), "INBOX")
    box.client.select_folder("INBOX")
    assert not await reads.read()
    assert len(await ingest.events("report.received")) == len(box.sent.mails) == 1
    assert len(await ingest.events("evidence_attached")) == 2
    assert box.counts == (0, 2, 3)

    told = capfd.readouterr()
    rows = repr([await ingest.rows(name) for name in ingest.runtime.tables])
    stored = everything(tmp_path, box.folder) + (told.out + told.err + rows).encode()
    assert LAMP.encode() in stored and not [word for word in SENDER if word.encode() in stored]
    assert b"13912345678" not in stored and b"huiying.operation.mails_set_aside" in stored

    # Where its words are erased, the mail goes, too.
    assert (await erase(ingest, event.stream)).status_code == 200
    box.put(letter("other"), datetime.now(UTC) - timedelta(days=9))
    box.put(letter("ours"), datetime.now(UTC) - timedelta(days=9), "Huiying-Done")
    box.put(letter("one", *attached))
    monkeypatch.setattr(reading, "GROUP_BYTES", 1)
    fetched, contents = list[int](), Inbox.contents
    monkeypatch.setattr(Inbox, "contents", lambda one, uids: fetched.append(len(uids)) or contents(one, uids))
    reads = reader(ingest, box)
    assert not await reads.read()
    assert max(fetched) == 1, "done mails weigh what new ones do"
    assert box.counts == (0, 1, 3), "the other one is older than its days, and what others put there stays"
    assert len(box.sent.mails) == 2 and len(await ingest.events("evidence_attached")) == 2


@pytest.mark.requirement("ING-06")
async def test_a_server_that_is_away_is_an_alarm_and_receipts_wait_for_theirs(
    ingest: Ingest, box: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REST", 0.02)
    box.sent.refuses = True
    for name in ("one", "two"):
        box.put(letter(name))
    ingest.runtime.settings = Settings(data=ingest.runtime.settings.data, mailboxes=box.settings())
    task = asyncio.create_task(loop.run(ingest.runtime))

    alarms = ingest.runtime.alarms
    try:
        await until(lambda: "takes no mail now: 451" in alarms.get(f"mail.{UNIT}", ""))
        assert await received(ingest) == [f"{LAMP} one", f"{LAMP} two"] and box.counts == (2, 0, 0)
        box.server.dovecot.stop()
        await until(lambda: "cannot be reached" in alarms.get(f"mail.{UNIT}", ""))
        box.sent.refuses = False
        box.server.dovecot.start()
        await until(lambda: not alarms)
    finally:
        box.server.dovecot.start()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    box.login()
    alarms[other := "a witness"] = "an alarm of another loop"
    assert box.counts == (0, 2, 0) and len(box.sent.mails) == len(await ingest.events("report.received")) == 2
    (box.folder / "secret").write_text("wrong")
    ingest.runtime.settings = Settings(data=ingest.runtime.settings.data, mailboxes=box.folder / "mailboxes.yaml")
    task = asyncio.create_task(loop.run(ingest.runtime))
    await until(lambda: "refuses the user or the secret" in alarms.get(f"mail.{UNIT}", ""))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert alarms.keys() == {other}, "whoever no longer leads tells nothing of mailboxes"


async def test_what_cannot_be_moved_is_counted_once_and_what_no_mail_can_become_stays(
    ingest: Ingest, box: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, move = reader(ingest, box), Inbox.move

    def full(_: Inbox, numbers: Sequence[int], folder: str) -> None:
        if numbers:
            raise Away("over quota")

    for number in (1, 2):
        box.put(whole(b"\r\nx", Auto_Submitted="auto-replied"))
        monkeypatch.setattr(Inbox, "move", full)
        for _ in range(2):
            with pytest.raises(Away, match="over quota"):
                await reads.read()
        assert [one.data.count for one in await ingest.events("mails_set_aside")] == [1] * number
        assert box.counts[0] == number
    monkeypatch.setattr(Inbox, "move", move)
    assert not await reads.read() and box.counts == (0, 0, 2)
    assert len(await ingest.events("mails_set_aside")) == 2

    def refuses(code: str, *_: Any) -> Any:
        raise Malformed("x", code=code) if code != "no-right" else Forbidden("x")

    box.put(letter("one"))
    for code in (*loop.OF_SETTINGS, "no-right"):
        with monkeypatch.context() as patch:
            patch.setattr(loop.intake, "prepare", partial(refuses, code))
            with pytest.raises(loop.NotSetUp, match=f"no mail become a report: {code}"):
                await reads.read()
    with monkeypatch.context() as patch:
        patch.setattr(codec, "CHANNEL", "pigeon")
        with pytest.raises(loop.NotSetUp, match="has no code pigeon; add it"):
            await reads.read()
    assert box.counts == (1, 0, 2) and not await reads.read() and box.counts == (0, 1, 2)
    assert not reads._told_aside, "nothing is known for ever"


async def test_a_defect_sets_one_mail_aside_and_holds_up_no_other(
    ingest: Ingest, box: Office, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    read, prepare = codec.read, loop.intake.prepare

    def breaks(raw: bytes, lists: Any) -> Any:
        if b"<parse@" in raw:
            raise ValueError(f"a defect at {raw!r}")
        return read(raw)

    def fails(report: Any, *more: Any) -> Any:
        if "store" in report.subject:
            raise KeyError(report.text)
        return prepare(report, *more)

    monkeypatch.setattr(codec, "read", breaks)
    monkeypatch.setattr(loop.intake, "prepare", fails)
    for name in ("one", "parse", "two", "store", "three"):
        box.put(letter(name))
    assert not await reader(ingest, box).read()
    assert await received(ingest) == [f"{LAMP} {name}" for name in ("one", "three", "two")]
    assert await aside(ingest) == {"defect": 2} and box.counts == (0, 3, 2)
    told = capfd.readouterr()
    assert "defect.found" in told.out + told.err and LAMP not in told.out + told.err
    assert not await reader(ingest, box).read(), "an empty inbox is no fault"


async def test_one_address_gets_only_so_many_replies_and_a_unit_must_exist(
    ingest: Ingest, box: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "EACH", 2)
    for number in range(4):
        box.put(letter(f"n{number}"))
    box.put(letter("own").replace(b"zhangsan@sender.example", b"office@town-east.example"))
    box.put(letter("old"), datetime(2019, 12, 30, tzinfo=UTC))
    nobody = loop.Reader(ingest.runtime, "no-unit", reader(ingest, box).box)
    with pytest.raises(loop.NotSetUp, match="no unit no-unit"):
        await nobody.read()
    assert box.counts[0] == 6
    assert not await reader(ingest, box).read()
    assert len(await received(ingest)) == 5 and len(box.sent.mails) == 2
    assert box.counts == (1, 5, 0), "what came before the first day stays where it is"


async def test_a_reply_goes_out_once_and_within_limits_or_not_at_all(
    ingest: Ingest, box: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, alarm = reader(ingest, box), "takes no mail now: 451"
    box.sent.refuses = True
    box.put(letter("erased"))
    box.put(letter("late"))
    assert alarm in await reads.read() and box.counts == (2, 0, 0)
    first, _ = await ingest.events("report.received")
    assert (await erase(ingest, first.stream)).status_code == 200
    assert alarm in await reads.read() and box.counts == (1, 0, 0), "an erased mail that waits is deleted"
    monkeypatch.setattr(replies, "LATE", timedelta(0))
    assert alarm in await reads.read() and box.counts == (0, 1, 0), "a server that refuses all holds nothing for ever"

    box.sent.refuses = False
    monkeypatch.undo()
    monkeypatch.setattr(replies, "ALL", 2)
    for number in range(3):
        box.put(letter(f"all{number}"))
    assert "2 replies were sent within the hour" in await reads.read()
    assert len(box.sent.mails) == 2 and box.counts == (1, 3, 0)
    monkeypatch.setattr(replies, "ALL", 3)
    assert not await reads.read() and len(box.sent.mails) == 3 and box.counts == (0, 4, 0)

    monkeypatch.setattr(replies, "ALL", 9)
    box.put(letter("unmoved"))
    with monkeypatch.context() as patch:
        patch.setattr(Inbox, "answered", lambda _, numbers: [1 / 0 for _ in numbers])
        with pytest.raises(ZeroDivisionError):
            await reads.read()
    assert not await reads.read() and len(box.sent.mails) == 4 and box.counts == (0, 5, 0)

    (told,), found = load(Settings(mailboxes=box.settings())).values(), dict[str, str]()
    for unit in ("town-east", "town-west"):
        sends = replies.Replies(ingest.runtime, unit, told, frozenset(), str)
        for at, address in enumerate(("root@localhost", *(f"a+{number}@b.example" for number in range(21)))):
            mail = codec.read(letter("x").replace(b"zhangsan@sender.example", address.encode()))
            assert isinstance(mail, codec.Mail)
            assert sends.add(at, mail, "report", reply.Told("R", 0, {}), "x") is (0 < at <= 20), address
        found[unit] = re.findall(b"Message-ID: (.*)", sends.waiting[1].letter.content)[0].decode()
    assert len(set(found.values())) == 2, "a mail to two units of one domain gets two replies"


async def test_files_come_after_all_reports_and_are_drawn_once(
    ingest: Ingest, box: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = reader(ingest, box)
    monkeypatch.setattr(reading, "GROUP", 1)
    monkeypatch.setattr("services.ingest.mail.inbox.STALE", -1)
    for name in ("one", "two"):
        box.put(letter(name, part("image/png", picture()), part("text/plain; name=a", name.encode())))
    drawn, keep, opened, opens = list[int](), files.evidence.keep, list[Inbox](), Inbox.open
    monkeypatch.setattr(Inbox, "open", lambda inbox: opened.append(inbox) or opens(inbox))

    async def counts(*given: Any, **more: Any) -> Any:
        drawn.append(len(await received(ingest)))
        if len(drawn) == 1:
            monkeypatch.setattr(files, "time", SimpleNamespace(monotonic=lambda: float("inf")))
        return await keep(*given, **more)

    monkeypatch.setattr(files.evidence, "keep", counts)
    assert not await reads.read()
    assert len(opened) == 4, "after a while the connection is a fresh one"
    assert drawn == [2] and reads.has_more and not box.sent.mails and box.counts == (2, 0, 0)
    monkeypatch.undo()
    with monkeypatch.context() as patch:
        patch.setattr(files.evidence, "keep", counts)
        assert not await reads.read()
    assert drawn == [2] * 4 and not reads.has_more and len(box.sent.mails) == 2 and box.counts == (0, 2, 0)
    assert len(await ingest.events("evidence_attached")) == 4
    kept, now = files.Files(ingest.runtime, UNIT, str), ingest.runtime.time_source.now()
    stamps = [f"{int((now - timedelta(days=days)).timestamp() * 1000):012x}" for days in (5, 7)]
    assert [kept.are_in(f"report-{stamp[:8]}-{stamp[8:]}-7abc-8abc-0123456789ab") for stamp in stamps] == [False, True]
    monkeypatch.setattr(files.Files, "are_in", lambda *_: True)
    box.client.select_folder("Huiying-Done")
    box.client.copy(box.client.search(), "INBOX")
    box.client.select_folder("INBOX")
    monkeypatch.setattr(files, "Memory", None)
    assert not await reads.read() and box.counts == (0, 4, 0), "files of old mails are in, whatever was forgotten"


async def test_a_server_that_answers_oddly_loses_nothing_and_holds_up_no_other(
    ingest: Ingest, box: Office, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reads, select, fetch = reader(ingest, box), IMAPClient.select_folder, IMAPClient.fetch
    box.put(letter("one"), datetime.now(UTC) - timedelta(days=9))
    changed = dict[bytes, Any]()
    monkeypatch.setattr(IMAPClient, "select_folder", lambda *given: select(*given) | changed)
    names, id_ = list[Any](), IMAPClient.id_
    monkeypatch.setattr(IMAPClient, "id_", lambda one, said: names.append(said["name"]) or id_(one, said))
    for name, value, says in (
        (b"PERMANENTFLAGS", (b"\\Seen", b"\\*"), "lets the user mark and delete no mails"),
        (b"UIDVALIDITY", None, "does not say how long"),
    ):
        changed[name] = value
        with pytest.raises(Away, match=says):
            await reads.read()
        del changed[name]
    odd = {b"RFC822.SIZE": b"abc", b"INTERNALDATE": b"x"}

    def sizes(one: Any, uids: Any, what: Any) -> Any:
        return {uid: told | (odd if "FLAGS" in what else {}) for uid, told in fetch(one, uids, what).items()}

    monkeypatch.setattr(IMAPClient, "fetch", sizes)
    changed[b"PERMANENTFLAGS"] = (b"\\Answered", b"\\Deleted")
    assert not await reads.read() and box.counts == (0, 1, 0)
    reads._done._cleared = None
    assert not await reads.read() and box.counts == (0, 1, 0), "without marks nothing is deleted"
    assert set(names) == {"Huiying"}, "some providers open no folder for who does not say it"
    assert "keeps no marks" in ingest.runtime.alarms[f"mail.{UNIT}.marks"]

    for number in range(3):
        box.put(letter(f"m{number}"))
    refused = min(box.client.search()) + 1

    def damaged(one: Any, uids: Any, what: Any) -> Any:
        if BODY in what and refused in uids:
            raise IMAPClientError("NO")
        return fetch(one, uids, what)

    monkeypatch.setattr(IMAPClient, "fetch", damaged)
    assert not await reads.read() and box.counts == (1, 3, 0)
    assert "cannot read 1 of the mails" in ingest.runtime.alarms[f"mail.{UNIT}.unread"]
    monkeypatch.setattr(IMAPClient, "fetch", fetch)
    assert not await reads.read() and box.counts == (0, 4, 0) and f"mail.{UNIT}.unread" not in ingest.runtime.alarms

    async def breaks() -> str:
        raise KeyError(LAMP * 2)

    monkeypatch.setattr(reads, "read", breaks)
    task = asyncio.create_task(loop.keep(reads))
    await until(lambda: f"mail.{UNIT}" in ingest.runtime.alarms)
    assert "a defect, which the log shows" in ingest.runtime.alarms[f"mail.{UNIT}"] and not task.done()
    task.cancel()
    told = capfd.readouterr()
    assert LAMP * 2 not in told.out + told.err


class Picky:
    """Takes mails of who signed in, but not for every addressee."""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address[0] in "45":
            return f"{address[:3] if address[:3].isdigit() else address[0] + '50'} not {address}"
        if address[0] == "u":
            return f"550 5.1.1 no {address}"
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if b"busy" in envelope.content:
            return "451 busy"
        return "554 spam of zhangsan" if b"spam" in envelope.content else "250 taken"


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data.password == b"right", handled=False)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd sees no TLS that is there from the first byte
@pytest.mark.parametrize("tls", ["tls", "starttls"])
def test_replies_go_over_tls_and_no_addressee_is_named_in_why_not(tmp_path: Path, tls: str) -> None:
    authority, port = certified(tmp_path), free_port()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "broker.pem")
    speaks = {"ssl_context": context} if tls == "tls" else {"tls_context": context, "require_starttls": True}
    asks = {
        "authenticator": authenticate,
        "auth_required": True,
        "auth_require_tls": False,
        "auth_exclude_mechanism": ["LOGIN"],
    }
    controller = Controller(Picky(), hostname="127.0.0.1", port=port, **speaks, **asks)
    controller.start()
    (tmp_path / "secret").write_text("right\n")
    at = {"host": "127.0.0.1", "port": port, "tls": tls, "user": "office", "secret_file": tmp_path / "secret"}
    server = Smtp.model_validate(at | {"ca": authority})

    def letters(*addresses: str) -> list[reply.Letter]:
        made = []
        for address in addresses:
            one = EmailMessage()
            one["From"], one["To"] = "office@town-east.example", address
            one.set_content(address)
            made.append(reply.letter(one))
        return made

    try:
        sent = reply.send(server, letters("a@b.example", "5gone@b.example", "4later@b.example", "spam@b.example"))
        assert sent == ([True, True, False, True], "", {550: 1, 554: 1})
        for addresses, expected in (
            (
                ("5gone@b.example", "busy@b.example"),
                ([False, False], f"127.0.0.1:{port} takes no mail now: 451, 550", {}),
            ),
            (("unknown@b.example",), ([True], "", {550: 1})),
            (("421@b.example", "busy@b.example", "a@b.example", "5gone@b.example"), ([False, False, True, True], "")),
            (("421@b.example",) * 6, ([False] * 4 + [None] * 2, f"127.0.0.1:{port} ends every connection")),
        ):
            found = reply.send(server, letters(*addresses))
            assert found[: len(expected)] == expected, addresses
        (tmp_path / "secret").write_text("wrong")
        settled, why, _ = reply.send(server, letters("a@b.example"))
        assert settled == [None] and "refuses the user, the secret or the address of the mailbox: 535" in why
        settled, why, _ = reply.send(Smtp.model_validate(at), letters("a@b.example"))
        assert settled == [None] and "certificate verify failed" in why
    finally:
        controller.stop()
    settled, why, _ = reply.send(server, letters("a@b.example", "c@d.example"))
    assert settled == [None, None] and "cannot be reached" in why and "b.example" not in why


async def _one_life(folder: Path) -> None:
    """A deployment that has begun."""
    async with running(folder, folder / "ingest.sqlite"):
        pass


def life(folder: Path, file: Path, point: str) -> int | None:
    """A process that reads the mailbox once, until its failpoint. Returns how it ended."""

    async def works() -> None:
        async with running(folder, folder / "ingest.sqlite", again=True) as ingest:
            (found,) = load(Settings(mailboxes=file)).items()
            assert not await loop.Reader(ingest.runtime, *found).read()

    def lives() -> None:
        os.environ |= {"HUIYING_FAILPOINT": point}
        failpoints._chosen.cache_clear()
        failpoints._passes = itertools.count(1)
        threads.THREADS = ThreadPoolExecutor(2)
        files.THREADS = ThreadPoolExecutor(1)
        asyncio.run(works())

    process = multiprocessing.get_context("fork").Process(target=lives)
    process.start()
    process.join(60)
    return process.exitcode


def test_kills_at_every_step_double_no_report_and_lose_nothing(tmp_path: Path, box: Office) -> None:
    asyncio.run(_one_life(tmp_path))
    file, sent = box.settings(), list[str]()
    for point in POINTS:
        name = point.removeprefix("mail.")
        box.put(letter(name, part("image/png", picture())))
        box.put(whole(b"\r\nx", Auto_Submitted="auto-replied"))
        sent.append(f"{LAMP} {name}")
        assert life(tmp_path, file, point) == -signal.SIGKILL, point
    assert life(tmp_path, file, "") == 0

    async def end() -> None:
        async with running(tmp_path, tmp_path / "ingest.sqlite", again=True) as ingest:
            assert await received(ingest) == sorted(sent)
            assert len(await ingest.events("evidence_attached")) == len(sent)
            assert sum(one.data.count for one in await ingest.events("mails_set_aside")) >= len(POINTS)

    asyncio.run(end())
    assert box.counts == (0, len(POINTS), len(POINTS))
    ids = [mail["Message-ID"] for mail in box.sent.mails]
    assert len(set(ids)) == len(sent) and 1 <= len(ids) - len(set(ids)) <= len(POINTS)


def test_a_mail_that_ends_the_process_is_read_last_and_alone_and_then_set_aside(
    tmp_path: Path, box: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(_one_life(tmp_path))
    read = codec.read

    def dies(raw: bytes, lists: Any) -> Any:
        if b"<poison@" in raw:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(raw, lists)

    monkeypatch.setattr(codec, "read", dies)
    for name in ("one", "poison", "two"):
        box.put(letter(name))
    file = box.settings()
    assert [life(tmp_path, file, "") for _ in range(3)] == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert box.counts == (0, 2, 1) and len(box.sent.mails) == 2
