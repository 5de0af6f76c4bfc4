"""The folders of a mailbox, over IMAP. Everything here blocks: call it in a thread.

No sentence of an error holds anything that a server sent, since that could be part of a mail.
"""

import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from typing import Any, NamedTuple

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from services.ingest.mail.mailboxes import Mailbox, Server, UnusableSecret
from services.kernel.logging import brief

TIMEOUT = SocketTimeout(connect=15, read=60)
STALE = 60.0
"""Seconds. Servers may end a connection that rests for minutes."""
BODY = "BODY.PEEK[]"
ANSWERED, DELETED = b"\\Answered", b"\\Deleted"
READING, ALONE, DONE = "$HuiyingReading", "$HuiyingAlone", "$HuiyingDone"
"""Marks of a mail that is being read now, that is being read by itself, and that became a report."""
_NOT_NOW = re.compile(r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\b", re.IGNORECASE)
"""Codes of RFC 5530 that say that the user and the secret may be right."""
AT_ONCE = 500
"""So many mails are named in one command."""


class Away(Exception):
    """A server cannot be used now. The sentence is for whoever runs it."""


class SignInRefused(Away):
    """The server refuses who signs in. Servers lock an account that tries too often."""


class Head(NamedTuple):
    """A mail in a folder. `arrived` is when it came to the server; None if it does not say so."""

    uid: int
    arrived: datetime | None
    size: int
    answered: bool
    begun: int
    """How often the process ended while it was read: once, or twice and by itself."""


def context_of(server: Server) -> ssl.SSLContext:
    """Checks certificates against the authority of the settings, or those that the system trusts."""
    return ssl.create_default_context(cafile=server.ca)


class Inbox:
    """One connection to a mailbox."""

    def __init__(self, box: Mailbox) -> None:
        self._box, self._at = box, f"{box.imap.host}:{box.imap.port}"
        self._client: IMAPClient = None
        self._used = 0.0
        self.keeps_marks = False
        """Whether the server keeps marks of ours on mails."""

    def open(self) -> int:
        """Signs in, makes the folders that are missing, and opens the inbox. Returns the validity of its numbers."""
        box, imap = self._box, self._box.imap
        self.cut()
        with self._doing("reached"):
            context = context_of(imap) if imap.tls != "none" else None
            encrypted = imap.tls == "tls"
            self._client = IMAPClient(imap.host, imap.port, ssl=encrypted, ssl_context=context, timeout=TIMEOUT)
            self._client.normalise_times = False
            if imap.tls == "starttls":
                self._client.starttls(context)
        with self._doing("signed in to"):
            self._client.login(imap.user, imap.secret())
        with self._doing("told who asks"):
            # Without it, some large providers refuse every folder.
            if self._client.has_capability("ID"):
                self._client.id_({"name": "Huiying", "vendor": "Huiying"})
        with self._doing(f"asked for the folders {box.done} and {box.aside} (on some servers, begin them with INBOX.)"):
            for folder in (box.done, box.aside):
                if not self._client.folder_exists(folder):
                    self._client.create_folder(folder)
        with self._doing(f"asked for {box.inbox}"):
            opened = self._client.select_folder(box.inbox)
        may_write = set(opened.get(b"PERMANENTFLAGS", (ANSWERED, DELETED)))
        if not {ANSWERED, DELETED} <= may_write:
            raise Away(f"{self._at} lets the user mark and delete no mails in {box.inbox}; give it the right")
        self.keeps_marks = b"\\*" in may_write
        if not isinstance(validity := opened.get(b"UIDVALIDITY"), int):
            raise Away(f"{self._at} does not say how long the numbers of mails hold, so it cannot be used")
        return validity

    def is_stale(self) -> bool:
        """Whether the connection rests so long that a server may have ended it."""
        return time.monotonic() - self._used > STALE

    def heads(self) -> list[Head]:
        """The mails of the inbox since the day of the settings, in the order of their numbers."""
        return self._heads(["NOT", "DELETED", "SINCE", self._box.since])

    def _heads(self, which: Sequence[Any]) -> list[Head]:
        with self._doing("read"):
            numbers = sorted(self._client.search(which))
            told = self._fetched(numbers, ["INTERNALDATE", "RFC822.SIZE", "FLAGS"])
        return [self._head(uid, one) for uid, one in sorted(told.items())]

    def _head(self, uid: int, told: Mapping[bytes, Any]) -> Head:
        """A mail whose size the server does not tell weighs the most that is taken, so it is read by itself."""
        arrived, size = told.get(b"INTERNALDATE"), told.get(b"RFC822.SIZE")
        marks = {mark.lower() for mark in told.get(b"FLAGS", ()) if isinstance(mark, bytes)}
        return Head(
            uid,
            arrived if isinstance(arrived, datetime) else None,
            size if isinstance(size, int) else self._box.most_bytes,
            ANSWERED.lower() in marks,
            2 if ALONE.lower().encode() in marks else int(READING.lower().encode() in marks),
        )

    def contents(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """The whole mails of the open folder. One that has gone, or that the server cannot read, is missing."""
        with self._doing("read"):
            try:
                found = self._fetched(numbers, [BODY])
            except IMAPClientError as error:
                if isinstance(error, IMAPClientAbortError):
                    raise
                # One mail that the server cannot read holds up no other one.
                alone = map(self.contents, [[uid] for uid in numbers] if len(numbers) > 1 else [])
                return {uid: content for one in alone for uid, content in one.items()}
            return {uid: one[b"BODY[]"] for uid, one in found.items() if isinstance(one.get(b"BODY[]"), bytes)}

    def begin(self, numbers: Sequence[int], mark: str) -> None:
        """Marks mails that are to be read now, so that one that ends the process is known by it."""
        if self.keeps_marks:
            self._mark(numbers, mark)

    def end(self, numbers: Sequence[int]) -> None:
        """Takes these marks away."""
        if self.keeps_marks:
            with self._doing("written"):
                for some in _parts(numbers):
                    self._client.remove_flags(some, [READING, ALONE], silent=True)

    def answered(self, numbers: Sequence[int]) -> None:
        """Marks mails as answered."""
        self._mark(numbers, ANSWERED)

    def finish(self, numbers: Sequence[int]) -> None:
        """Moves mails that became reports to `done`, with the mark without which nothing is deleted there."""
        if self.keeps_marks:
            self._mark(numbers, DONE)
        self.move(numbers, self._box.done)

    def _mark(self, numbers: Sequence[int], mark: str | bytes) -> None:
        with self._doing("written"):
            for some in _parts(numbers):
                self._client.add_flags(some, [mark], silent=True)

    def move(self, numbers: Sequence[int], folder: str) -> None:
        """Moves mails out of the open folder."""
        with self._doing("written"):
            for some in _parts(numbers):
                if self._client.has_capability("MOVE"):
                    self._client.move(some, folder)
                else:
                    self._client.copy(some, folder)
                    self._delete(some)

    def delete(self, numbers: Sequence[int]) -> None:
        """Deletes mails of the open folder for good."""
        with self._doing("written"):
            for some in _parts(numbers):
                self._delete(some)

    def open_done(self, before: date) -> None:
        """Opens the folder `done`, and deletes the mails with our mark that arrived before a day."""
        with self._doing(f"asked for {self._box.done}"):
            self._client.select_folder(self._box.done)
            old = self._client.search(["KEYWORD", DONE, "BEFORE", before])
        self.delete(old)

    def done_on(self, day: date) -> list[Head]:
        """The mails with our mark in the open folder that arrived on a day."""
        return self._heads(["KEYWORD", DONE, "ON", day])

    def close(self) -> None:
        """Ends the connection in order."""
        with suppress(Exception):
            self._client.logout()

    def cut(self) -> None:
        """Ends the connection at once, also while another thread waits for an answer."""
        if self._client is not None:
            with suppress(Exception):
                self._client.shutdown()

    def _delete(self, numbers: Sequence[int]) -> None:
        if self._client.has_capability("UIDPLUS"):
            self._client.delete_messages(numbers, silent=True)
            self._client.uid_expunge(numbers)
            return
        # Such a server deletes all that is marked so, also what somebody else marked and may want back.
        others = self._client.search(["DELETED"])
        if others:
            self._client.remove_flags(others, [DELETED], silent=True)
        self._client.delete_messages(numbers, silent=True)
        self._client.expunge()
        if others := [uid for uid in others if uid not in set(numbers)]:
            self._client.add_flags(others, [DELETED], silent=True)

    def _fetched(self, numbers: Sequence[int], what: Iterable[str]) -> Mapping[int, Mapping[bytes, Any]]:
        found, asked = dict[int, Mapping[bytes, Any]](), set(numbers)
        for some in _parts(numbers):
            found.update(self._client.fetch(some, what))
        return {uid: one for uid, one in found.items() if uid in asked}

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        try:
            yield
            self._used = time.monotonic()
        except LoginError as error:
            if isinstance(error.__context__, IMAPClientAbortError):
                raise Away(f"{self._at} cannot be {what}: it ended the connection") from None
            if _NOT_NOW.search(str(error)):
                raise Away(f"{self._at} cannot be {what} now: it says that this is no fault of the mailbox") from None
            raise SignInRefused(f"{self._at} refuses the user or the secret of the mailbox; correct them") from None
        except IMAPClientError as error:
            raise Away(f"{self._at} cannot be {what}: {type(error).__name__}") from None
        except OSError as error:
            raise Away(f"{self._at} cannot be {what}: {brief(error)}") from None
        except UnusableSecret as error:
            raise Away(f"{self._at} cannot be {what}: {error}") from None
        except ValueError as error:
            raise Away(f"{self._at} cannot be {what}: {type(error).__name__}") from None


def _parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[at : at + AT_ONCE] for at in range(0, len(numbers), AT_ONCE))
