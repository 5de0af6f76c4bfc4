"""The key by which a deployment signs messages and receipts for other deployments, and what such a signature holds.

The key follows from the deployment's secret and a number, so every service has it, nothing is stored, and a restore
loses nothing. It says who sends. What a message says is proven by the sender's log besides.
"""

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas.manifest import canonical
from schemas.messages import MessageReceipt
from services.kernel.access.keys import Keys

USE = "message-key"
RECEIPT = b"huiying-receipt\n"
"""Stands before a receipt when it is signed, so that no message is ever taken for one."""
SCHEME = "v1a"
"""The signatures of Standard Webhooks by Ed25519."""


class Signing:
    """The private key of a number."""

    def __init__(self, keys: Keys, number: int) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(keys.digest(USE, str(number))))
        self.public = self._private.public_key().public_bytes_raw().hex()

    def headers(self, id_: str, at: datetime, body: bytes) -> dict[str, str]:
        """The headers of a message, as Standard Webhooks name them."""
        seconds = str(int(at.timestamp()))
        value = base64.b64encode(self._private.sign(_said(id_, seconds, body))).decode()
        return {"webhook-id": id_, "webhook-timestamp": seconds, "webhook-signature": f"{SCHEME},{value}"}

    def receipt(self, receipt: MessageReceipt) -> str:
        """The signature of a receipt, hex."""
        return self._private.sign(_written(receipt)).hex()


def signer(id_: str, seconds: str, signatures: str, body: bytes, keys: Iterable[str]) -> str | None:
    """The first of these public keys that signed the message; None if none did.

    The header may hold several signatures, separated by spaces, as it does while a key changes.
    """
    found = [one.removeprefix(f"{SCHEME},") for one in signatures.split(" ")[:8] if one.startswith(f"{SCHEME},")]
    for key in keys:
        for one in found:
            try:
                raw = base64.b64decode(one, validate=True)
            except (binascii.Error, ValueError):
                continue
            if base64.b64encode(raw).decode() == one and _holds(key, raw, _said(id_, seconds, body)):
                return key
    return None


def signed_receipt(receipt: MessageReceipt, key: str, signature: str) -> bool:
    """Whether this public key signed the receipt."""
    return _holds(key, bytes.fromhex(signature), _written(receipt))


def _said(id_: str, seconds: str, body: bytes) -> bytes:
    return f"{id_}.{seconds}.".encode() + body


def _written(receipt: MessageReceipt) -> bytes:
    return RECEIPT + canonical(receipt.model_dump(mode="json"))


def _holds(key: str, signature: bytes, content: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True
