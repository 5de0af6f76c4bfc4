"""A mail becomes a report, or says why it is none. Pure.

What strangers send is read within limits that are checked before the standard library parses it: a mail takes seconds
at the most, whatever it holds. Headers of persons are never part of the report.
"""

import base64
import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from email import policy
from email.header import decode_header
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage, Message
from email.parser import BytesParser
from html import unescape
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import unquote_to_bytes

from services.ingest.commands import Report
from services.ingest.mail import signed
from services.ingest.mail.charsets import storable, words
from services.kernel.core.decider import Actor
from services.kernel.core.ids import derived
from services.kernel.uploads import contents

Keyed = Callable[..., str]
Cause = Literal[
    "automatic", "bulk", "returned", "encrypted", "signed", "unread-form", "empty", "unreadable", "too-large", "defect"
]
"""Why a mail is no report: an automatic answer, a mailing, a mail that came back, one that only its addressee can
decipher, one signed in a way that is not read, one whose words are all in files that are not kept, one without words
and files, a damaged one, one that is too large, or a defect of ours."""
Missed = Literal["archive", "large", "many", "other"]
"""Why a file was not taken: an archive or a document of an office program, too large, one too many, another kind."""

CHANNEL = "mail"
SOURCE = "mail:"
"""The sources of mailboxes begin with it. No integration may name such a source."""
LINES, DASHED, BOUNDARIES, DEPTH, LEAVES = 600_000, 5_000, 40, 20, 200
"""The most lines of a mail, of them such as begin parts, boundaries named in it, parts inside each other, and parts
that hold something. The largest mail that the settings allow has fewer lines, if they are not very short."""
FILES, TINY = 10, 2_000
"""The most files of a mail. A picture inside its text that has fewer bytes is a decoration."""
HEADER, OF_PART, OF_PARTS = 4_000, 1_000, 150_000
"""The most characters of a header that are looked at, of one that tells what a part is, and of all different ones of
that kind together: the library takes milliseconds for a long one.
"""
SUBJECT, TEXT, PAGES = 500, 100_000, 400_000
"""The most characters of a report's subject and text, and of the HTML that is read for it."""
NO_SUBJECT, NO_TEXT, CUT = "……", "（邮件没有正文，见附件）", "\n（邮件过长，以下省略）"
"""A subject without a letter, so that two mails without a subject are never taken for one matter."""
FORWARDED = "（转发的邮件）"
_BOUNDARY = re.compile(rb"boundary(?:(?!boundary)[^;=]){0,4000}=", re.IGNORECASE)
"""A boundary that is named. The parser lets comments stand before the sign."""
_END = re.compile(rb"\r?\n\r?\n")
ADDRESS = 254
"""The most characters of an address that gets a reply."""
_ATOM, _LABEL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[A-Za-z0-9-]+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_SENT_ID = re.compile(r"<[!-;=?-~]{1,240}>")
_ALONE = re.compile(rf"(?:^|[\s<])({_ADDRESS.pattern})(?:$|[\s>])")
"""An address among words."""
_AUTOMATIC = (
    *("auto-submitted", "x-autoreply", "x-auto-reply", "x-mail-autoreply", "x-autorespond", "x-auto-respond"),
    *("x-autoresponder", "x-autoresponse"),
)
"""Headers that say that a machine wrote, unless they deny it."""
_NOT_SO = ("", "no", "false", "0")
_SAYS_AUTOMATIC = re.compile(
    r"[\[【(（]?(?:(?:自动回复|自动回覆|自動回覆|自動回復|自动答复|自动应答|外出自动回复|休假自动回复)\s*(?:[:：\]】)）]|$)"
    r"|(?:automatic reply|auto(?:matic)?[ -]?(?:reply|response)|out[ -]of[ -](?:the[ -])?office)\b)",
    re.IGNORECASE,
)
"""How subjects of automatic answers begin. One that begins so and answers nothing is somebody's own words."""
_TO_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
_SEALED = ("application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted")
_CODED = ("base64", "quoted-printable", "x-uuencode", "uuencode", "uue", "x-uue")
_NO_SEMICOLON = re.compile(r"^\s*([\w.+-]+/[\w.+-]+)[\s,]+(?=[^\s;,])")
_TOKEN = re.compile(r"[\w-]+", re.ASCII)
_NAMED_CHARSET = re.compile(r"\bcharset\s*=\s*[\"']?([\w.:+-]{1,60})", re.IGNORECASE)
_DATA = re.compile(r"([\"'])\s*data:([\w.+/-]{1,100})((?:;[\w=.+-]{0,100}){0,4}),([^\"']*)\1", re.IGNORECASE)
"""A file inside a page: its media type, parameters and content."""
_LOOSE_DATA = re.compile(r"(?ia)data:[\w.+/-]{1,100}(?:;[\w=.+-]{0,100}){0,4},(?:\s*[\w+/=%-]{60,})+")
_INSIDE = re.compile("(?<=[\udc80-\udcff])\\r?\\n[ \\t]+(?=[\udc80-\udcff])")
"""Where a header is folded between two bytes that are not ASCII: perhaps inside a character."""
_OPEN = re.compile(r"(=\?[\w.:*-]+\?[bq]\?[^?\s]*)\??$", re.IGNORECASE)
"""An encoded word that was cut."""
_BASE64 = re.compile(r"(=\?[^?\s]+\?b\?)([^?]*)\?=", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,31}\d{0,2});", re.IGNORECASE | re.ASCII)


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
    try:
        return _read(raw, lists)
    except (RecursionError, _TooLong):
        return Aside("unreadable")


def _read(raw: bytes, lists: Collection[str]) -> Mail | Aside:
    found = _Found()
    message = found.parsed(raw)
    if message is None:
        return Aside("unreadable")
    if cause := _no_report(message, lists):
        return Aside(cause)
    found.take(message)
    if found.sealed:
        return Aside(found.sealed)
    files = found.chosen()
    text = found.text()
    named = _subject(message)
    subject = named or next((line.strip()[:100] for line in text.splitlines() if line.strip()), "")
    if not (found.has_words or named) and (files or found.missed) and not any(map(_may_be_kept, files)):
        return Aside("unread-form")
    if not (subject or text or files):
        return Aside("empty")
    sent_id = _first(message, "message-id").strip()
    return Mail(
        subject[:SUBJECT].strip() or NO_SUBJECT,
        text or (NO_TEXT if files else subject),
        files,
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


class _TooLong(Exception):
    """The headers of the parts are longer than those of any mail."""


class _Headers:
    """Makes headers as the standard library does, of their beginning alone. What it cannot read is an empty text.

    It is asked a dozen times for what a part is, and makes that once. Raises `_TooLong`.
    """

    def __init__(self) -> None:
        self._make = HeaderRegistry()
        self._made = dict[tuple[str, str], Any]()
        self._length = 0

    def __call__(self, name: str, value: str) -> Any:
        kind = name.lower()
        if kind not in ("content-type", "content-transfer-encoding", "content-disposition"):
            return self._one(name, value[:HEADER])
        value = value[:OF_PART]
        if (made := self._made.get((kind, value))) is None:
            self._length += len(value)
            if self._length > OF_PARTS:
                raise _TooLong
            made = self._made[kind, value] = self._of_part(kind, value)
        return made

    def _of_part(self, kind: str, value: str) -> Any:
        if kind == "content-type":
            value = _NO_SEMICOLON.sub(r"\1; ", value)
        elif kind == "content-transfer-encoding":
            value = "".join(_TOKEN.findall(value)[:1])
        return self._one(kind, value)

    def _one(self, name: str, value: str) -> Any:
        try:
            return self._make(name, value)
        except Exception:  # noqa: BLE001  the library raises anything at a header that is wrong enough
            return self._make("x-unreadable", "")


class _Part(EmailMessage):
    """A part of a mail. A mail inside, in a transfer encoding, is a leaf: the parser would read its code as words."""

    def get_content_maintype(self) -> str:
        kind = super().get_content_maintype()
        return "application" if kind == "message" and _encoding(self) in _CODED else kind


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
    if kind == "multipart/report" or "x-failed-recipients" in told or _is_machine(who):
        return "returned"
    if any(not path.strip(" <>") or _is_machine(path.strip(" <>")) for path in _all(message, "return-path")):
        return "returned"
    for name in _AUTOMATIC:
        if any(one.partition(";")[0].strip().lower() not in _NOT_SO for one in _all(message, name)):
            return "automatic"
    precedence = {one.strip().lower() for one in _all(message, "precedence")}
    if precedence & {"auto_reply", "auto-reply"}:
        return "automatic"
    if told & {"in-reply-to", "references"} and _SAYS_AUTOMATIC.match(_subject(message)):
        return "automatic"
    came_over = {one.rpartition("<")[2].partition(">")[0].strip().lower() for one in _all(message, "list-id")}
    if came_over - set(lists) or (not came_over and precedence & {"bulk", "list", "junk"}):
        return "bulk"
    return None


def _is_machine(address: str) -> bool:
    """Whether mails that could not be delivered come from this address."""
    return address.lower().partition("@")[0] in ("mailer-daemon", "postmaster")


def _answerable(message: Message, sent_id: str) -> Answerable | None:
    """Where the receipt goes: one plain address, and no other one is tried."""
    is_elsewhere = any("@" in one for one in _all(message, "reply-to"))
    address = _address(message, "reply-to" if is_elsewhere else "from")
    # An encoded word in it would be decoded where it is quoted.
    is_plain = _SENT_ID.fullmatch(sent_id) and "=?" not in sent_id
    return Answerable(address, sent_id if is_plain else None) if address else None


def _address(message: Message, name: str) -> str | None:
    """The one plain address of a header, also among words that break its grammar. None if there are several."""
    try:
        header = cast("Any", message.get(name))
        found = [one.addr_spec for one in getattr(header, "addresses", ())]
    except Exception:  # noqa: BLE001  as above
        found = []
    if len(found) != 1 or not _ADDRESS.fullmatch(found[0]):
        written = " ".join(_all(message, name))
        alone = _ALONE.search(written) if written.count("@") == 1 else None
        found = [alone[1]] if alone else []
    # An encoded word is no address, though it looks like one.
    return str(found[0]) if found and len(found[0]) <= ADDRESS and "=?" not in found[0] else None


def _subject(message: Message) -> str:
    """The subject in words. Encoded words of one charset are joined first: mailers cut characters in two."""
    raw = cast("Any", message).raw_items()
    value = next((str(one)[:HEADER] for name, one in raw if name.lower() == "subject"), "")
    value = " ".join(_INSIDE.sub("", value).split())
    value = _BASE64.sub(_whole_base64, _OPEN.sub(r"\1?=", value))
    try:
        parts = decode_header(value.encode("ascii", "surrogateescape").decode("latin-1"))
    except Exception:  # noqa: BLE001  as above
        parts = [(value.encode("ascii", "surrogateescape"), None)]
    said = "".join(
        words((part if isinstance(part, bytes) else part.encode("latin-1", "replace")), charset)
        for part, charset in parts
    )
    return " ".join(said.split())


def _whole_base64(word: re.Match[str]) -> str:
    """The encoded word without what is no base64, and without a last letter that says nothing by itself."""
    letters = re.sub(r"[^A-Za-z0-9+/]", "", word[2])
    return f"{word[1]}{letters[: len(letters) - (len(letters) % 4 == 1)]}?="


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
        self.has_words = False
        """Whether the text has more than the subjects of mails inside. `text` says it."""
        self.files: list[File] = []
        self.shown: list[File] = []
        """Pictures that stand in the text. Logos of a long thread come last."""
        self.missed = Counter[Missed]()
        self.sealed: Cause | None = None
        """Why the words of a part cannot be read, if so."""
        self._leaves = 0
        self._counts = (0, 0, 0)
        self._parser = BytesParser(policy=policy.default.clone(header_factory=_Headers(), message_factory=_Part))

    def parsed(self, raw: bytes) -> Message | None:
        """The mail, or None if it and those that were read before have more lines and parts than the limits allow."""
        lines, dashed, boundaries = self._counts
        lines += max(raw.count(b"\n"), raw.count(b"\r"))
        dashed += raw.count(b"\n--") + raw.count(b"\r--")
        boundaries += len(_BOUNDARY.findall(raw))
        if lines > LINES or dashed > DASHED or boundaries > BOUNDARIES:
            return None
        self._counts = (lines, dashed, boundaries)
        return self._parser.parsebytes(raw)

    def chosen(self) -> tuple[File, ...]:
        """The files, each once: attachments, then pictures of the text. Counts what is beyond the limit as missed."""
        files = list(dict.fromkeys((*self.files, *self.shown)))
        if len(files) > FILES:
            self.missed["many"] += len(files) - FILES
        return tuple(files[:FILES])

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
                self.has_words = self.has_words or not said.startswith(FORWARDED)
                found.append(said)
                length += len(said)
        text = "\n\n".join(found)
        return text if len(text) <= TEXT else text[: TEXT - len(CUT)] + CUT

    def take(self, part: Message, depth: int = 0) -> None:
        """Takes a part with all that is in it."""
        kind = part.get_content_type()
        if kind in _SEALED:
            self._unseal(part, depth)
            return
        if part.is_multipart():
            inner = cast("list[Message]", part.get_payload())
            if depth >= DEPTH:
                self.missed["many"] += 1
            elif kind == "multipart/alternative":
                self._alternative(inner, depth)
            else:
                for one in inner:
                    if kind.startswith("message/"):
                        self._forwarded(one, depth)
                    else:
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
        if kind.startswith("message/"):
            inside = self.parsed(_uncoded(part, content)) if depth < DEPTH else None
            if inside is None:
                self.missed["many"] += 1
            else:
                self._forwarded(inside, depth)
        elif kind in ("text/plain", "text/html") and not _is_file(part):
            if (text := words(content, charset)).strip():
                text = self._without_data(text) if kind == "text/html" else text
                self.words.append(_Words(text[: PAGES + 1], kind == "text/html"))
        elif kind.startswith("image/") and "content-id" in part and not _is_attached(part):
            self._show(content, kind)
        else:
            is_text = kind == "application/octet-stream" and str(part.get_filename("")).lower().endswith(".txt")
            self.files.append(_file(content, contents.TEXT if is_text else kind, charset))

    def _unseal(self, part: Message, depth: int) -> None:
        """Takes the mail in a signature. Whatever else is sealed could hold all that was said."""
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        inner = signed.inside(data) if depth < DEPTH else None
        inside = self.parsed(inner) if inner is not None else None
        if inside is not None:
            self.take(inside, depth + 1)
        else:
            self.sealed = "signed" if signed.is_signed(data) else "encrypted"

    def _forwarded(self, mail: Message, depth: int) -> None:
        """Takes a mail inside. Its headers name persons, too; its subject is part of what is told."""
        told = "\n".join(filter(None, (FORWARDED, _subject(mail))))
        self.words.append(_Words(told, is_page=False))
        self.take(mail, depth + 1)

    def _show(self, content: bytes, kind: str) -> None:
        if len(content) >= TINY:
            self.shown.append(File(content, kind, None))

    def _without_data(self, page: str) -> str:
        """The page without the files that stand in it as `data:`. Its pictures are kept."""

        def taken(found: re.Match[str]) -> str:
            quote, kind, how, content = found.groups()
            raw = unquote_to_bytes(content.encode("utf-8", "replace"))
            if kind.lower().startswith("image/") and how.lower().endswith(";base64"):
                self._show(_from_base64(raw), kind.lower())
            else:
                self.missed["other"] += 1
            return quote + quote

        def dropped(_: re.Match[str]) -> str:
            self.missed["other"] += 1
            return ""

        return _LOOSE_DATA.sub(dropped, _DATA.sub(taken, page))

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
        if plain and any(one.get_content_type() == "text/html" for part in parts for one in part.walk()):
            # What made the plain form of the page left some of its marks.
            chosen = [one._replace(text=_without_entities(one.text)) for one in chosen]
        self.words += chosen


def _without_entities(text: str) -> str:
    return _ENTITY.sub(lambda mark: unescape(mark[0]).replace("\xa0", " "), text)


def _encoding(part: Message) -> str:
    return str(part.get("content-transfer-encoding", "")).strip().lower()


def _uncoded(part: Message, content: bytes) -> bytes:
    """A mail inside, without its transfer encoding. Some programs name base64 and write the mail as it is."""
    plain = part.get_payload()
    if isinstance(plain, str) and _encoding(part) == "base64" and ":" in plain.lstrip()[:HEADER].split("\n", 1)[0]:
        return plain.lstrip().encode("utf-8", "surrogateescape")
    return content


def _from_base64(content: bytes) -> bytes:
    """What the letters of base64 in it say, as far as they go."""
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", content)
    return base64.b64decode(letters[: len(letters) - (len(letters) % 4 == 1)] + b"===")


def _charset(part: Message) -> str | None:
    try:
        named = part.get_content_charset()
    except ValueError:
        named = None
    if named is None and (found := _NAMED_CHARSET.search(next(iter(_all(part, "content-type")), ""))):
        return str(found[1])
    return named


def _is_attached(part: Message) -> bool:
    return part.get_content_disposition() == "attachment"


def _is_file(part: Message) -> bool:
    return _is_attached(part) or part.get_filename() is not None


def _may_be_kept(file: File) -> bool:
    """Whether evidence takes files of this kind."""
    from services.ingest.evidence import MEDIA_TYPES  # as pages below

    return (contents.recognised(io.BytesIO(file.content)) or file.named) in MEDIA_TYPES


def _file(content: bytes, kind: str, charset: str | None) -> File:
    """The file as it came. A text is in UTF-8, whatever its charset was called."""
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff")) or "16" in (charset or "")
    if kind != contents.TEXT or contents.recognised(io.BytesIO(content)) or (b"\0" in content and not is_wide):
        return File(content, kind, charset)
    return File(words(content, charset).encode() or content, kind, "utf-8")


def _page(source: str, most: int) -> str:
    """The words of the first `most` characters of a page."""
    from services.ingest.mail import pages  # what reads pages is large, and few processes ever read one

    cut = CUT if len(source) > most else ""
    return storable(pages.text(source[:most])).rstrip() + cut
