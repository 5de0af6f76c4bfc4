"""The one automatic reply to a mail: its receipt, what was not taken, and nothing that the sender wrote."""

import smtplib
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import NamedTuple

from services.ingest.mail.codec import Answerable, Missed
from services.ingest.mail.inbox import context_of
from services.ingest.mail.mailboxes import Mailbox, Smtp
from services.kernel.logging import brief

SECONDS = 30.0
KINDS: Mapping[Missed, tuple[str, str]] = {
    "archive": ("压缩包或办公软件文档", "archives or office documents"),
    "large": ("过大的文件", "files that are too large"),
    "many": ("超出数量的文件", "files beyond the most that are taken"),
    "other": ("其他类型或已损坏的文件", "files of other kinds or damaged"),
}
_TEXT = """{unit}已收到您的邮件。

回执号：{receipt}

凭回执号可以在 {link} 查询办理情况，也可以说明答复是否有帮助。{files}
请妥善保存回执号：您的姓名和邮箱地址没有保存，无法另行联系您。本邮件为自动回复，请勿直接回复。

{unit} has received your mail. Receipt: {receipt}. With it you can ask for the state at {link}?lang=en; your name and \
address were not kept.{english}
"""


class Told(NamedTuple):
    """What a reply tells: the receipt, how many files were taken, and how many of each kind were not."""

    receipt: str
    taken: int
    missed: Mapping[Missed, int]


def message(to: Answerable, told: Told, box: Mailbox, unit: str, link: str, digest: str) -> EmailMessage:
    """The reply of a unit, by its name. `digest` is the same for the same mail, and so is the id of the reply."""
    made = EmailMessage()
    made["From"], made["To"] = box.address, to.address
    made["Subject"] = f"已收到您的邮件，回执号 {told.receipt}"
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


def send(smtp: Smtp, replies: Sequence[EmailMessage]) -> tuple[list[bool], str]:
    """For each reply whether it is settled: sent, or refused for good. And why no other one can be sent now, if so.

    An addressee whose server takes no mail for now holds up nobody else. It blocks. The sentence is for whoever runs
    the server, and names no addressee.
    """
    settled, why, at = list[bool](), "", f"{smtp.host}:{smtp.port}"
    try:
        with _connected(smtp) as client:
            for reply in replies:
                try:
                    client.send_message(reply)
                    settled.append(True)
                except smtplib.SMTPRecipientsRefused as error:
                    settled.append(min(code for code, _ in error.recipients.values()) >= 500)
                except smtplib.SMTPDataError as error:
                    settled.append(error.smtp_code >= 500)
                    if not settled[-1]:
                        why = f"{at} takes no mail now: {error.smtp_code}"
                        break
    except smtplib.SMTPResponseException as error:
        why = f"{at} refuses the user, the secret or the address of the mailbox: {error.smtp_code}"
    except smtplib.SMTPException as error:
        why = f"{at} cannot be used: {type(error).__name__}"
    except OSError as error:
        why = f"{at} cannot be reached: {brief(error)}"
    return settled + [False] * (len(replies) - len(settled)), why


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
