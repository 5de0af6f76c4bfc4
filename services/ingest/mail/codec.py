"""A mail becomes a report, or says why it is none. Pure.

What strangers send is read within limits that are checked before the standard library parses it: a mail takes seconds
at the most, whatever it holds. Headers of persons are never part of the report.
"""

import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from email import policy
from email.header import decode_header
from email.headerregistry import HeaderRegistry
from email.message import Message
from email.parser import BytesParser
from typing import Any, Literal, NamedTuple, cast

from services.ingest.commands import Report
from services.ingest.mail.charsets import storable, words
from services.kernel.core.decider import Actor
from services.kernel.core.ids import derived
from services.kernel.uploads import contents

Keyed = Callable[..., str]
Cause = Literal["automatic", "bulk", "returned", "encrypted", "empty", "unreadable", "too-large", "defect"]
"""Why a mail is no report: an automatic answer, a mailing, a mail that came back, one that only its addressee can
decipher, one without words and files, a damaged one, or a defect of ours."""
Missed = Literal["archive", "large", "many", "other"]
"""Why a file was not taken: an archive or a document of an office program, too large, one too many, another kind."""

CHANNEL = "mail"
SOURCE = "mail:"
"""The sources of mailboxes begin with it. No integration may name such a source."""
LINES, DASHED, BOUNDARIES, DEPTH, LEAVES = 600_000, 5_000, 40, 20, 200
"""The most lines of a mail, of them such as begin parts, boundaries named in it, parts inside each other, and parts
that hold something. The largest mail that the settings allow has fewer lines, if they are not very short."""
FILES = 10
HEADER = 4_000
"""The most characters of a header that are looked at."""
SUBJECT, TEXT, PAGES = 500, 100_000, 400_000
"""The most characters of a report's subject and text, and of the HTML that is read for it."""
NO_SUBJECT, NO_TEXT, CUT = "……", "（邮件没有正文，见附件）", "\n（邮件过长，以下省略）"
"""A subject without a letter, so that two mails without a subject are never taken for one matter."""
FORWARDED = "（转发的邮件）"
_BOUNDARY = re.compile(rb"boundary(?:(?!boundary)[^;=]){0,4000}=", re.IGNORECASE)
"""A boundary that is named. The parser lets comments stand before the sign."""
_END = re.compile(rb"\r?\n\r?\n")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,250}")
_SENT_ID = re.compile(r"<[!-;=?-~]{1,240}>")
_TO_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
_ENCRYPTED = ("application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted")
_SIGNED = "signed-data"
"""The kind of S/MIME that holds a mail in its signature. Its subject and a file that is not taken are the report."""


class File(NamedTuple):
    """An attachment as it came, with the media type and the charset that the sender names."""

    content: bytes
    named: str
    charset: str | None


class Answerable(NamedTuple):
    """To whom the receipt goes, and the mail's own id. It stays in memory."""

    address: str
    sent_id: str | None


class Mail(NamedTuple):
    """What a mail says. `identity` is the same for the same mail from the same sender, whom only `answerable` names."""

    subject: str
    text: str
    files: tuple[File, ...]
    missed: Mapping[Missed, int]
    identity: tuple[str, ...]
    answerable: Answerable | None


class Told(NamedTuple):
    """What a reply tells: the receipt, how many files were taken, and how many of each kind were not."""

    receipt: str
    taken: int
    missed: Mapping[Missed, int]


class Aside(NamedTuple):
    """A mail that becomes no report."""

    cause: str


def sender(unit: str) -> Actor:
    """The mailbox of a unit, as the sender of what comes in there."""
    return Actor(f"integration-{derived('mail', unit)}", unit, frozenset({"integration"}))


def belongs(source: str, actor: Actor) -> bool:
    """Whether a sender may name this source, as far as mailboxes go."""
    return not source.startswith(SOURCE) or actor.post == sender(source.removeprefix(SOURCE)).post


def external_id(mail: Mail, keyed: Keyed) -> str:
    """The id of a mail's report. It has only letters: digits in a row could be masked as somebody's number.

    Who is answered is part of it, under the deployment's key: whoever sends a copy of another's mail gets a report and
    a receipt of their own.
    """
    address = mail.answerable.address.lower() if mail.answerable else ""
    return keyed("mail", *mail.identity, address).translate(_TO_LETTERS)


def report(mail: Mail, unit: str, arrived: datetime, keyed: Keyed) -> Report:
    """The report of a mail that came to the server at `arrived`."""
    return Report(
        unit=unit,
        channel=CHANNEL,
        subject=mail.subject,
        text=mail.text,
        discovered_at=arrived,
        source=f"{SOURCE}{unit}",
        external_id=external_id(mail, keyed),
    )


def read(raw: bytes, lists: Collection[str] = ()) -> Mail | Aside:
    """What a whole mail says. A mail that came over one of `lists` is no mailing: they are the office's own groups."""
    lines, dashed = max(raw.count(b"\n"), raw.count(b"\r")), raw.count(b"\n--") + raw.count(b"\r--")
    if lines > LINES or dashed > DASHED or len(_BOUNDARY.findall(raw)) > BOUNDARIES:
        return Aside("unreadable")
    try:
        return _read(raw, lists)
    except RecursionError:
        return Aside("unreadable")


def _read(raw: bytes, lists: Collection[str]) -> Mail | Aside:
    message = _PARSER.parsebytes(raw)
    if cause := _no_report(message, lists):
        return Aside(cause)
    found = _Found()
    found.take(message)
    text = found.text()
    subject = _subject(message) or next((line.strip()[:100] for line in text.splitlines() if line.strip()), "")
    if not (subject or text or found.files or found.missed):
        return Aside("empty")
    sent_id = _first(message, "message-id").strip()
    return Mail(
        subject[:SUBJECT].strip() or NO_SUBJECT,
        text or (NO_TEXT if found.files or found.missed else subject),
        tuple(found.files),
        dict(found.missed),
        (
            sent_id or _first(message, "date"),
            _first(message, "subject"),
            _first(message, "content-type"),
            _body_digest(raw),
        ),
        _answerable(message, sent_id),
    )


def _body_digest(raw: bytes) -> str:
    """The digest of what stands below the headers, which servers on the way leave alone."""
    end = _END.search(raw)
    return hashlib.sha256(raw[end.end() :] if end else b"").hexdigest()


class _Headers:
    """Makes headers as the standard library does, of their beginning alone. What it cannot read is an empty text."""

    def __init__(self) -> None:
        self._make = HeaderRegistry()

    def __call__(self, name: str, value: str) -> Any:
        try:
            return self._make(name, value[:HEADER])
        except Exception:  # noqa: BLE001  the library raises anything at a header that is wrong enough
            return self._make("x-unreadable", "")


_PARSER = BytesParser(policy=policy.default.clone(header_factory=_Headers()))


def _all(message: Message, name: str) -> list[str]:
    """The values of a header as they came, each on one line. Bytes that are not ASCII are surrogates."""
    raw = cast("Any", message).raw_items()
    return [" ".join(str(value)[:HEADER].split()) for key, value in raw if key.lower() == name]


def _first(message: Message, name: str) -> str:
    value = next(iter(_all(message, name)), "")
    return value.encode("ascii", "surrogateescape").decode("latin-1")


def _no_report(message: Message, lists: Collection[str]) -> Cause | None:
    """Why a mail is no report by its headers."""
    kind, told = message.get_content_type(), {name.lower() for name in message.keys()}  # noqa: SIM118
    who = _address(message, "from") or ""
    if kind == "multipart/report" or any(path.strip() == "<>" for path in _all(message, "return-path")):
        return "returned"
    if who.lower().partition("@")[0] in ("mailer-daemon", "postmaster"):
        return "returned"
    if any(one.partition(";")[0].strip().lower() not in ("", "no") for one in _all(message, "auto-submitted")):
        return "automatic"
    if told & {"x-autoreply", "x-autorespond", "x-autoresponder"}:
        return "automatic"
    precedence = {one.strip().lower() for one in _all(message, "precedence")}
    if "auto_reply" in precedence:
        return "automatic"
    came_over = {one.rpartition("<")[2].partition(">")[0].strip().lower() for one in _all(message, "list-id")}
    if came_over - set(lists) or (not came_over and precedence & {"bulk", "list", "junk"}):
        return "bulk"
    return "encrypted" if kind in _ENCRYPTED and _smime(message) != _SIGNED else None


def _smime(message: Message) -> str:
    try:
        return str(message.get_param("smime-type", "")).lower()
    except Exception:  # noqa: BLE001  as above
        return ""


def _answerable(message: Message, sent_id: str) -> Answerable | None:
    """Where the receipt goes: one plain address, and no other one is tried."""
    address = _address(message, "reply-to") if _all(message, "reply-to") else _address(message, "from")
    return Answerable(address, sent_id if _SENT_ID.fullmatch(sent_id) else None) if address else None


def _address(message: Message, name: str) -> str | None:
    try:
        header = cast("Any", message.get(name))
        found = [one.addr_spec for one in getattr(header, "addresses", ())]
    except Exception:  # noqa: BLE001  as above
        return None
    return found[0] if len(found) == 1 and _ADDRESS.fullmatch(found[0]) else None


def _subject(message: Message) -> str:
    """The subject in words. Encoded words of one charset are joined first: mailers cut characters in two."""
    value = next(iter(_all(message, "subject")), "")
    try:
        parts = decode_header(value.encode("ascii", "surrogateescape").decode("latin-1"))
    except Exception:  # noqa: BLE001  as above
        parts = [(value.encode("ascii", "surrogateescape"), None)]
    said = "".join(
        words((part if isinstance(part, bytes) else part.encode("latin-1", "replace")), charset)
        for part, charset in parts
    )
    return " ".join(said.split())


def _trimmed(text: str) -> str:
    """The text with line feeds, and with one empty line where several were."""
    lines = (line.rstrip() for line in re.sub(r"\r\n?", "\n", text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Words(NamedTuple):
    """The words of a part. Pages are read last: of an alternative that is not chosen, never."""

    text: str
    is_page: bool


class _Found:
    """What the parts of a mail hold, in their order."""

    def __init__(self) -> None:
        self.words: list[_Words] = []
        self.files: list[File] = []
        self.missed = Counter[Missed]()
        self._leaves = 0

    def text(self) -> str:
        """The words of all parts, up to the most that a report takes. Of pages together no more is read than of one."""
        found, length, left = list[str](), 0, PAGES
        for text, is_page in self.words:
            if length > TEXT:
                break
            if is_page:
                said, left = _page(text, left), max(0, left - len(text))
            else:
                said = text
            if said := _trimmed(said):
                found.append(said)
                length += len(said)
        text = "\n\n".join(found)
        return text if len(text) <= TEXT else text[: TEXT - len(CUT)] + CUT

    def take(self, part: Message, depth: int = 0) -> None:
        """Takes a part with all that is in it."""
        kind = part.get_content_type()
        if part.is_multipart():
            inner = cast("list[Message]", part.get_payload())
            if depth >= DEPTH:
                self.missed["many"] += 1
            elif kind == "multipart/alternative":
                self._alternative(inner, depth)
            else:
                for one in inner:
                    if kind.startswith("message/"):
                        # Another mail's headers name persons, too; its subject is part of what is told.
                        told = "\n".join(filter(None, (FORWARDED, _subject(one))))
                        self.words.append(_Words(told, is_page=False))
                    self.take(one, depth + 1)
            return
        if kind in _SIGNATURES or kind.startswith("multipart/"):
            return
        self._leaves += 1
        if self._leaves > LEAVES:
            self.missed["many"] += 1
            return
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes) or not content.strip():
            return
        charset = _charset(part)
        if kind in ("text/plain", "text/html") and not _is_file(part):
            if (text := words(content, charset)).strip():
                self.words.append(_Words(text[: PAGES + 1], kind == "text/html"))
        elif len(self.files) >= FILES:
            self.missed["many"] += 1
        else:
            self.files.append(_file(content, kind, charset))

    def _alternative(self, parts: list[Message], depth: int) -> None:
        """Takes the plain form of a text that comes in several, or the last one. Files of all forms are taken."""
        before, chosen = len(self.words), list[_Words]()
        plain = False
        for one in parts:
            self.take(one, depth + 1)
            new = self.words[before:]
            del self.words[before:]
            if new and not plain:
                chosen, plain = new, one.get_content_type() == "text/plain"
        self.words += chosen


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except ValueError:
        return None


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or part.get_filename() is not None


def _file(content: bytes, kind: str, charset: str | None) -> File:
    """The file as it came. A text is in UTF-8, whatever its charset was called."""
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff")) or "16" in (charset or "")
    if kind == contents.TEXT and (is_wide or b"\0" not in content) and contents.recognised(io.BytesIO(content)) is None:
        return File(words(content, charset).encode(), kind, "utf-8")
    return File(content, kind, charset)


def _page(source: str, most: int) -> str:
    """The words of the first `most` characters of a page."""
    from services.ingest.mail import pages  # what reads pages is large, and few processes ever read one

    cut = CUT if len(source) > most else ""
    return storable(pages.text(source[:most])).rstrip() + cut
