"""A mailbox on a real IMAP server over TLS, and a server that takes the replies."""

import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from imapclient import IMAPClient

from tests.kit import mailbox, substrate
from tests.kit.mailbox import Mailbox
from tests.kit.substrate import MailServer

UNIT = "town-east"


@dataclass
class Office:
    """The mailbox of a unit: its server, a client of it, and what was sent from it."""

    server: MailServer
    user: str
    sent: Mailbox
    smtp_port: int
    folder: Path
    client: IMAPClient = None

    def login(self) -> None:
        """Connects again, after the server was away."""
        if self.client is not None:
            self.client.shutdown()
        at = self.server
        context = ssl.create_default_context(cafile=at.authority)
        self.client = IMAPClient("127.0.0.1", at.dovecot.port, ssl_context=context)
        self.client.login(self.user, at.password)
        self.client.select_folder("INBOX")

    def put(self, raw: bytes, at: datetime | None = None, folder: str = "INBOX") -> None:
        """A mail arrives."""
        self.client.append(folder, raw, msg_time=at)

    def count(self, folder: str) -> int:
        """How many mails a folder has."""
        self.client.noop()
        if not self.client.folder_exists(folder):
            return 0
        return int(self.client.folder_status(folder, ["MESSAGES"])[b"MESSAGES"])

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many mails are in the inbox, done, and set aside."""
        inbox, done, aside = (self.count(name) for name in ("INBOX", "Huiying-Done", "Huiying-Aside"))
        return inbox, done, aside

    def settings(self, **more: Any) -> Path:
        """The file of mailboxes. `more` are fields of the mailbox."""
        secret = self.folder / "secret"
        secret.write_text(f"{self.server.password}\n")
        at = {"host": "127.0.0.1", "port": self.server.dovecot.port, "ca": str(self.server.authority)}
        box = {
            "imap": at | {"user": self.user, "secret_file": str(secret)},
            "smtp": {"host": "127.0.0.1", "port": self.smtp_port, "tls": "none"},
            "address": "office@town-east.example",
            "since": "2020-01-01",
            "poll_seconds": 1,
        }
        file = self.folder / "mailboxes.yaml"
        file.write_text(yaml.safe_dump({"mailboxes": {UNIT: box | more}}))
        return file


@contextlib.contextmanager
def office(folder: Path, user: str) -> Iterator[Office]:
    """The mailbox of `user`, empty."""
    with mailbox.opened() as sent:
        port = int(sent.address.partition("127.0.0.1:")[2].partition("?")[0])
        made = Office(substrate.mail_server(), user, sent, port, folder)
        made.login()
        try:
            yield made
        finally:
            made.client.logout()
