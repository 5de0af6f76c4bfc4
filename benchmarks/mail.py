"""A mailbox on a real IMAP server: mails that become reports, each with its receipt by SMTP, against the same mails
that are only fetched and parsed.
"""

import logging
import tempfile
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import structlog

from benchmarks import rig
from benchmarks.measure import Figure, pairs
from benchmarks.reports import reports
from services.ingest.app import SERVICE
from services.ingest.mail import loop, replies
from services.ingest.mail.mailboxes import load
from services.kernel.settings import Settings
from tests.kit import mails
from tests.kit.mails import UNIT, Office

MAILS, STORE = 400, "Store"
PER_FETCH = 50


def letters() -> list[bytes]:
    """Mails with the words of reports, in GB18030, each with a sender of its own, and HTML beside the plain text."""
    made = []
    for number, report in enumerate(reports(MAILS)):
        one = EmailMessage()
        one["From"] = f"Sender <sender{number}@sender.example>"
        one["Subject"] = " ".join(report["subject"].split())
        one["Message-ID"] = f"<{number}@sender.example>"
        one.set_content(report["text"], charset="gb18030", cte="base64")
        one.add_alternative(f"<p>{report['text']}</p>", subtype="html")
        made.append(one.as_bytes())
    return made


def arrive(box: Office) -> None:
    """Puts the mails into the inbox, without the answers of an earlier run."""
    for folder in ("Huiying-Done", "INBOX"):
        if box.client.folder_exists(folder):
            box.client.select_folder(folder)
            box.client.delete_messages(box.client.search())
            box.client.expunge()
    box.client.select_folder(STORE)
    box.client.copy(box.client.search(), "INBOX")
    box.sent.mails.clear()


async def measure(runs: int) -> list[Figure]:
    """Mails a second."""
    replies.ALL = replies.MOST = 10**9
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder, mails.office(Path(folder), "bench") as box:
        box.client.create_folder(STORE)
        for letter in letters():
            box.put(letter, folder=STORE)
        async with rig.runtime(SERVICE) as made:
            mailbox = load(Settings(mailboxes=box.settings()))[UNIT]

            async def ours() -> float:
                rig.empty(made)
                arrive(box)
                began = time.perf_counter()
                assert not await loop.Reader(made, UNIT, mailbox).read()
                seconds = time.perf_counter() - began
                assert box.counts == (0, MAILS, 0) and len(box.sent.mails) == MAILS
                return MAILS / seconds

            async def floor() -> float:
                arrive(box)
                box.client.select_folder("INBOX")
                began = time.perf_counter()
                numbers = box.client.search()
                for at in range(0, len(numbers), PER_FETCH):
                    for found in box.client.fetch(
                        numbers[at : at + PER_FETCH], ["BODY.PEEK[]", "INTERNALDATE"]
                    ).values():
                        parsed = message_from_bytes(found[b"BODY[]"], policy=policy.default)
                        assert parsed.get_body(("plain",)).get_content() and parsed["subject"]
                return len(numbers) / (time.perf_counter() - began)

            what = "the same mails fetched and parsed alone"
            name = "mails to reports, each with a receipt sent"
            return [await pairs(name, ours, floor, goal=0.2, floor_is=what, unit="mails/s", runs=runs)]
