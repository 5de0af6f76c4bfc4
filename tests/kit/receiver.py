"""A receiver of signed webhooks, which checks each message as Standard Webhooks describe and counts its ids."""

import base64
import hashlib
import hmac
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Message(NamedTuple):
    """A message that came in."""

    id: str
    body: dict[str, Any]
    raw: bytes
    is_signed: bool
    """Whether one of the secrets signed it."""
    kind: str
    """Its media type."""


@dataclass
class Receiver:
    """What came in, and how it answers."""

    port: int
    messages: list[Message] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """The statuses of the next answers; 200 after them."""
    waits: threading.Event = field(default_factory=threading.Event)
    """It answers only while this is set."""
    says: bytes = b""

    def __post_init__(self) -> None:
        self.waits.set()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/in"

    @property
    def counts(self) -> Counter[str]:
        """Id -> how often it came."""
        return Counter(one.id for one in self.messages)

    def distinct(self) -> list[Message]:
        """The messages without repetitions, as a receiver keeps them."""
        return list({one.id: one for one in reversed(self.messages)}.values())[::-1]

    def _is_signed(self, headers: Any, raw: bytes) -> bool:
        said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
        for secret in self.secrets:
            digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), said, hashlib.sha256)
            if headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}":
                return True
        return False


@contextmanager
def listening() -> Iterator[Receiver]:
    """A receiver on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            known = receiver._is_signed(self.headers, raw)
            kind = self.headers["Content-Type"]
            receiver.messages.append(Message(self.headers["webhook-id"], json.loads(raw), raw, known, kind))
            receiver.waits.wait(30)
            status = receiver.answers.pop(0) if receiver.answers else 200
            try:
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.send_header("Content-Length", str(len(receiver.says)))
                self.end_headers()
                self.wfile.write(receiver.says)
            except OSError:
                return  # the sender waited no longer, or reads no body

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.waits.set()
        server.shutdown()
        server.server_close()
