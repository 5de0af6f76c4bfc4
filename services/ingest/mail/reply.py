"""The one automatic reply to a mail: its receipt, what was not taken, and nothing that the sender wrote."""

import re
import smtplib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from email.headerregistry import BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, Policy
from typing import Any, ClassVar, Literal, NamedTuple

from services.ingest.mail.codec import Answerable, Missed, Told
from services.ingest.mail.inbox import context_of
from services.ingest.mail.mailboxes import Mailbox, Smtp, UnusableSecret
from services.kernel.logging import brief

SECONDS = 30.0
BREAKS = 3
"""So often a server may end the connection before the other replies wait."""
TAKEN, ENDED = 250, 421
_OWN = re.compile(r"5\.(?:1\.(?:[0-6]|10)|2\.\d+)\b")
"""Numbers of RFC 3463 that are about the addressee alone."""
KINDS: Mapping[Missed, tuple[str, str]] = {
    "archive": ("压缩包或办公软件文档", "archives or office documents"),
    "large": ("过大的文件", "files that are too large"),
    "many": ("超出数量的文件", "files beyond the most that are taken"),
    "other": ("其他类型或已损坏的文件", "files of other kinds or damaged"),
}
_TEXT = """{unit}已收到您的邮件。

收据号：{receipt}

凭收据号可以在 {link} 查询办理情况，也可以说明答复是否有帮助。{files}
请妥善保存收据号：您的姓名和邮箱地址没有保存，无法另行联系您。本邮件为自动回复，请勿直接回复。

{unit} has received your mail. Receipt: {receipt}. With it you can ask for the state at {link}?lang=en; your name and \
address were not kept.{english}
"""


class _Quoted(BaseHeader):
    """The id of a mail, neither decoded nor folded: as an encoded word, a long one would name no mail."""

    max_count: ClassVar[Literal[1] | None] = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        kwds |= {"decoded": value, "parse_tree": None}

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("in-reply-to", _Quoted)
_HEADERS.map_to_type("references", _Quoted)


class Letter(NamedTuple):
    """A reply in bytes, from whom and to whom."""

    sender: str
    to: str
    content: bytes


def letter(made: EmailMessage) -> Letter:
    """The reply as it goes out. What the library raises, it raises here, and not among others that are sent."""
    return Letter(made["From"].addresses[0].addr_spec, made["To"].addresses[0].addr_spec, made.as_bytes())


def message(to: Answerable, told: Told, box: Mailbox, unit: str, link: str, digest: str) -> EmailMessage:
    """The reply of a unit, by its name. `digest` is the same for the same mail, and so is the id of the reply."""
    made = EmailMessage(SMTP.clone(header_factory=_HEADERS))
    made["From"], made["To"] = box.address, to.address
    made["Subject"] = f"已收到您的邮件，收据号 {told.receipt}"
    made["Message-ID"] = f"<{digest}@{box.address.partition('@')[2]}>"
    if to.sent_id is not None:
        made["In-Reply-To"] = made["References"] = to.sent_id
    made["Auto-Submitted"] = "auto-replied"
    made["X-Auto-Response-Suppress"] = "All"
    files, english = _files(told)
    made.set_content(_TEXT.format(unit=unit, receipt=told.receipt, link=link, files=files, english=english))
    return made


def _files(told: Told) -> tuple[str, str]:
    """What became of the attachments, in both languages."""
    chinese, english = "", ""
    if told.taken:
        chinese = f"\n已收下附件 {told.taken} 个。"
        english = f" Attachments taken: {told.taken}."
    if told.missed:
        listed = [(*KINDS[kind], count) for kind, count in told.missed.items()]
        chinese += (
            "\n未能收下："
            + "、".join(f"{zh} {count} 个" for zh, _, count in listed)
            + "。可以把内容存为图片、PDF 或纯文本后再发一封邮件。"
        )
        english += f" Not taken: {', '.join(f'{en} ({count})' for _, en, count in listed)}."
    return chinese, english


class Round(NamedTuple):
    """What became of replies."""

    settled: list[bool | None]
    """True if a reply was sent or refused for good, False if it was tried and may be taken later, None if not tried."""
    why: str
    """Why none can be sent now, if so. It is for whoever runs the server, and names no addressee."""
    refused: Mapping[int, int]
    """How many were refused for good, by the server's number."""


def send(smtp: Smtp, replies: Sequence[Letter]) -> Round:
    """Sends replies. One that is not taken holds up no other. It blocks.

    A refusal is for good if it is about the addressee: the server says so, or it took another reply just now. A server
    that refuses all of them is set up wrongly.
    """
    at, why, breaks = f"{smtp.host}:{smtp.port}", "", 0
    codes: list[int | None] = [None] * len(replies)
    own = set[int]()
    client: smtplib.SMTP | None = None
    try:
        for place, reply in enumerate(replies):
            if client is None or client.sock is None:
                if breaks > BREAKS:
                    why = f"{at} ends every connection"
                    break
                client, breaks = _connected(smtp), breaks + 1
            codes[place], is_own = _tried(client, reply)
            own |= {place} if is_own else set()
    except UnusableSecret as error:
        why = f"{at} cannot be used: {error}"
    except smtplib.SMTPResponseException as error:
        if error.smtp_code >= 500 and isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPSenderRefused):
            why = f"{at} refuses the user, the secret or the address of the mailbox: {error.smtp_code}"
        else:
            why = f"{at} takes no mail now: {error.smtp_code}"
    except smtplib.SMTPException as error:
        why = f"{at} cannot be used: {type(error).__name__}"
    except OSError as error:
        why = f"{at} cannot be reached: {brief(error)}"
    except Exception as error:  # noqa: BLE001  a server that answers anything holds up no mail that is to be read
        why = f"{at} cannot be used: {type(error).__name__}"
    finally:
        if client is not None:
            with suppress(Exception):
                client.quit()
    passed = TAKEN in codes
    settled = [
        None if code is None else code == TAKEN or (code >= 500 and (passed or place in own))
        for place, code in enumerate(codes)
    ]
    told = [(code, is_settled) for code, is_settled in zip(codes, settled, strict=True) if code is not None]
    if not passed and (waits := sorted({code for code, is_settled in told if not is_settled})):
        why = why or f"{at} takes no mail now: {', '.join(map(str, waits))}"
    return Round(settled, why, Counter(code for code, is_settled in told if code >= 500 and is_settled))


def _tried(client: smtplib.SMTP, reply: Letter) -> tuple[int, bool]:
    """The server's number for a reply, and whether it surely is about the addressee. Raises what concerns all."""
    says: bytes | str
    try:
        client.sendmail(*reply)
    except smtplib.SMTPRecipientsRefused as error:
        ((code, says),) = error.recipients.values()
    except smtplib.SMTPDataError as error:
        code, says = error.smtp_code, error.smtp_error
    except OSError as error:  # so are the errors of smtplib
        if isinstance(error, smtplib.SMTPException) and not isinstance(error, smtplib.SMTPServerDisconnected):
            raise
        client.close()
        return ENDED, False
    else:
        return TAKEN, False
    return code, code >= 500 and bool(_OWN.match(says.decode("latin-1") if isinstance(says, bytes) else says))


def _connected(smtp: Smtp) -> smtplib.SMTP:
    context = context_of(smtp)
    if smtp.tls == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=SECONDS, context=context)
    else:
        client = smtplib.SMTP(smtp.host, smtp.port, timeout=SECONDS)
    try:
        if smtp.tls == "starttls":
            client.starttls(context=context)
        if smtp.user:
            client.login(smtp.user, smtp.secret())
    except BaseException:
        client.close()
        raise
    return client
