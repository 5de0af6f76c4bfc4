"""Signed messages to a receiver, as Standard Webhooks describe them (standardwebhooks.com).

The address is somebody's text, so nothing behind it is trusted. Its name is resolved once, and every address that it
has must be public; the connection then goes to the one that was looked at. Redirects are not followed, no proxy of the
environment is asked, of an answer only the status is read, and all of it takes ten seconds at most.
"""

import asyncio
import base64
import functools
import hashlib
import hmac
import ipaddress
import secrets
import socket
import ssl
from datetime import datetime
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

import httpx

from schemas.fields import WebhookError
from services.kernel.core.problems import Malformed

PATIENCE = 10.0
"""Seconds for all of a message: name, connection, answer."""
TRIED = 4
"""So many addresses of a host are tried."""
PREFIX = "whsec_"
SECRET_BYTES = 32
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNICAST = ipaddress.ip_network("2000::/3")
"""The addresses of IPv6 that are given out for the public network."""


def new_secret() -> bytes:
    """A secret that nobody has seen."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """A secret as receivers write it."""
    return PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, delivery: str, at: int, body: bytes) -> str:
    """The value of `webhook-signature`. `at` is in seconds since 1970."""
    signed = f"{delivery}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def must_be_usable(address: str, *, private: bool) -> None:
    """Raises `Malformed` for an address to which no message can go."""
    parts = _parts(address)
    if parts is None or (parts.scheme != "https" and not private):
        raise Malformed(
            "a webhook's address is https://… with a host, and without a user, a password or a fragment",
            code="webhook-address",
            field="address",
        )
    literal = _literal(parts.hostname or "")
    if literal is not None and not private and not is_public(literal):
        raise Malformed(
            f"{parts.hostname} is an address of a private network; for a receiver there, the operator sets "
            "HUIYING_CHANNELS_PRIVATE=true and restarts",
            code="webhook-private",
            field="address",
            host=parts.hostname,
        )


def _parts(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        ok = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        plain = not parts.username and not parts.password and not parts.fragment
        is_clean = address.isascii() and not any(character.isspace() for character in address)
        httpx.URL(address)
    except (ValueError, httpx.InvalidURL):
        return None
    return parts if ok and plain and is_clean else None


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether an address is of the public network, also inside IPv6 forms that lead to an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        # All else leads nowhere, or to where a gateway of this network likes.
        if address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast


class Message(NamedTuple):
    """What is sent: its id, which is the same in each try, its bytes, and their media type."""

    id: str
    body: bytes
    kind: str = "application/json"


async def send(
    address: str, secret: bytes, message: Message, now: datetime, *, private: bool = False
) -> WebhookError | None:
    """One try. Returns why the receiver has not taken the message; None if it took it."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _send(address, secret, message, int(now.timestamp()), private)
    except (TimeoutError, httpx.TimeoutException):
        return "too_slow"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return "unreachable"


async def _send(address: str, secret: bytes, message: Message, at: int, private: bool) -> WebhookError | None:
    parts = _parts(address)
    if parts is None or (parts.scheme != "https" and not private):
        return "unreadable"
    host = parts.hostname or ""
    found = await _resolved(host, parts.port or (443 if parts.scheme == "https" else 80))
    if not private and not all(map(is_public, found)):
        return "private_address"
    headers = {
        "Host": parts.netloc,
        "Content-Type": message.kind,
        "User-Agent": "Huiying",
        "webhook-id": message.id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature(secret, message.id, at, message.body),
    }
    # A host may have an address that leads nowhere from here, as one of IPv6 often does.
    patience = httpx.Timeout(PATIENCE, connect=PATIENCE / (len(found) + 1))
    async with httpx.AsyncClient(verify=_trust(), trust_env=False, timeout=patience, follow_redirects=False) as client:
        for place in found:
            # To the address that was looked at: a name may lead elsewhere the next time that it is asked for.
            url = httpx.URL(address).copy_with(host=str(place))
            request = client.build_request(
                "POST", url, content=message.body, headers=headers, extensions={"sni_hostname": host}
            )
            try:
                answer = await client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if place == found[-1]:
                    raise
                continue
            await answer.aclose()
            break
    return _judged(answer.status_code)


@functools.cache
def _trust() -> ssl.SSLContext:
    """The authorities that the system trusts. They are read once, since that takes longer than a message."""
    return httpx.create_ssl_context(trust_env=False)


async def _resolved(host: str, port: int) -> list[Address]:
    """The addresses of a host; at least one. Raises `OSError`."""
    known = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found = [_literal(str(place[0]).partition("%")[0]) for *_, place in known]
    addresses = list(dict.fromkeys(one for one in found if one is not None))[:TRIED]
    if not addresses:
        raise OSError(f"{host} has no address")
    return addresses


def _judged(status: int) -> WebhookError | None:
    if 200 <= status < 300:
        return None
    if status == 410:
        return "gone"
    return "redirected" if 300 <= status < 400 else "not_taken"
