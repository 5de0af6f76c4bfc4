"""The local mailbox of the demo: an SMTP server that keeps what comes in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP


class Mail(NamedTuple):
    """A mail that arrived."""

    to: str
    subject: str


@dataclass
class Mailbox:
    """What came in, in order."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)

    def address(self, post: str) -> str:
        """The address of a post, as Apprise writes it. The mail goes to `post.unit@example.org`."""
        to = f"{post.replace('@', '.')}@example.org"
        return f"mailto://127.0.0.1:{self.port}?from=huiying@example.org&to={to}&mode=insecure"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  as aiosmtpd calls it
        subject = message_from_bytes(envelope.content)["Subject"]
        said = str(make_header(decode_header(subject)))
        self.mails += [Mail(to.partition("@")[0], said) for to in envelope.rcpt_tos]
        return "250 taken"


@asynccontextmanager
async def opened() -> AsyncIterator[Mailbox]:
    """A mailbox that takes mails on a free port of this machine."""
    mailbox, loop = Mailbox(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop), "127.0.0.1", 0)
    async with server:
        mailbox.port = server.sockets[0].getsockname()[1]
        yield mailbox
