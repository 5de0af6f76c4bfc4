"""One try to give a message to another deployment."""

import asyncio
import functools
import re
import ssl
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson

from schemas.problems import PREFIX

_CODE = re.compile("[a-z][a-z0-9-]{0,59}")
PATIENCE = 15.0
"""Seconds for all of a try."""
MOST = 64_000
"""An answer is not read further."""


class Said(NamedTuple):
    """What the other deployment answered: the status, and its JSON if it is an object."""

    status: int
    body: dict[str, Any]

    @property
    def problem(self) -> str | None:
        """The code of the problem, if this system answered one. What a proxy says is none."""
        before, prefix, code = str(self.body.get("type", "")).partition(PREFIX)
        return code if prefix and not before and _CODE.fullmatch(code) else None

    @property
    def refuses(self) -> str | None:
        """The code of the problem, if the message is refused for good; None for anything that may pass."""
        return self.problem if self.status in (409, 413, 415, 422) else None


async def post(address: str, body: bytes, headers: dict[str, str], authority: Path | None) -> Said:
    """Sends a message. Raises `OSError`, `TimeoutError` or `httpx.HTTPError` if there is no answer.

    The address is the operator's, so it may lead into private networks. Redirects are not followed.
    """
    # A proxy there may compress, and a small answer is read as it comes.
    headers = headers | {"Accept-Encoding": "identity"}
    async with asyncio.timeout(PATIENCE):
        client = httpx.AsyncClient(verify=trust(authority), trust_env=False, timeout=PATIENCE, follow_redirects=False)
        async with client, client.stream("POST", address, content=body, headers=headers) as answer:
            read = b""
            async for part in answer.aiter_raw():
                read += part
                if len(read) > MOST:
                    break
    try:
        told = orjson.loads(read)
    except orjson.JSONDecodeError:
        told = {}
    return Said(answer.status_code, told if isinstance(told, dict) else {})


@functools.cache
def trust(authority: Path | None) -> ssl.SSLContext:
    """The authorities that are trusted. They are read once."""
    if authority is not None:
        return ssl.create_default_context(cafile=str(authority))
    return httpx.create_ssl_context(trust_env=False)
