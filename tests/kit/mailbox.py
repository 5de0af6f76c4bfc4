"""A local SMTP server, for notices."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller

from deploy.native import free_port


@dataclass
class Mailbox:
    """What came in. `refuses` makes it answer that it is busy."""

    address: str = ""
    mails: list[Message] = field(default_factory=list)
    refuses: bool = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  as aiosmtpd calls it
        if self.refuses:
            return "451 busy"
        self.mails.append(message_from_bytes(envelope.content))
        return "250 taken"

    @property
    def subjects(self) -> list[str]:
        return [str(make_header(decode_header(mail["Subject"]))) for mail in self.mails]

    @property
    def notices(self) -> list[str]:
        return [mail["X-Huiying-Notice"] for mail in self.mails]


@contextmanager
def opened() -> Iterator[Mailbox]:
    """A mailbox that takes mails on a free port."""
    port = free_port()
    box = Mailbox(f"mailto://127.0.0.1:{port}?from=huiying@example.org&to=desk@example.org&mode=insecure")
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
