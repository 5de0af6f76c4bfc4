"""One round: the probe asks each public address as a reader does, and compares what comes."""

import asyncio
import hashlib
import json
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, get_args
from urllib.parse import urljoin, urlsplit

import httpx
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.outages import Site, Symptom
from services.kernel.access import signing
from services.kernel.tlog import Refused
from services.kernel.tlog.note import Verifier
from services.probe import comparing
from services.probe.comparing import Entry, Fault, Signed, altered
from services.probe.judging import Bad, Key
from services.probe.memory import Memory, Statement

PAGE, FILE = 5_000_000, 25_000_000
"""The most bytes of an answer, and of a file of a statement."""
REDIRECTS = 3
CHECKPOINT, CONSISTENCY, LOG_KEYS = (f"audit/v1/log/{name}" for name in ("checkpoint", "proof/consistency", "keys"))
KEYS = ".well-known/huiying.json"
logger = structlog.get_logger()


@dataclass
class Round:
    """What a round saw, and what is to be remembered."""

    memory: Memory
    seen: dict[Key, Bad | None] = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)
    """Statements that are as they were signed."""
    said: dict[Site, str] = field(default_factory=dict)
    """What was wrong, in words, for the probe's own log."""

    def note(self, site: Site, fault: Fault | None, statement: str = "") -> None:
        """Takes in how a site answered. What is not reached says nothing of being altered."""
        if fault is None or fault.trouble == "altered":
            self.seen.setdefault((site, "unreachable", ""), None)
            key: Key = (site, "altered", statement)
        else:
            key = (site, "unreachable", "")
        bad = Bad(fault.symptom, fault.status) if fault else None
        if bad is not None or self.seen.get(key) is None:
            self.seen[key] = bad
        if fault is not None:
            self.said[site] = f"{statement + ': ' if statement else ''}{fault}"
            logger.warning("probe.saw", site=site, trouble=fault.trouble, symptom=fault.symptom, fault=str(fault))

    @property
    def is_blind(self) -> bool:
        """Whether nothing at all was reached."""
        unreachable = [bad is not None for (_, trouble, _), bad in self.seen.items() if trouble == "unreachable"]
        return bool(unreachable) and all(unreachable)


class Looker:
    """Asks the addresses below one public address. It follows no redirect to another host."""

    def __init__(self, client: httpx.AsyncClient, address: str, log: str, seconds: float) -> None:
        self._client, self._seconds = client, seconds
        self.address, self._log_at = address.rstrip("/") + "/", log.rstrip("/") + "/"
        self.host = urlsplit(self.address).netloc

    async def look(self, memory: Memory) -> Round:
        """One round over everything but the way in."""
        found = Round(memory)
        keys = await self._asked(found, "public_keys", self._keys(found))
        entries = await self._asked(found, "feed", self._feed(found))
        signed: dict[str, Signed] = {}
        if keys is not None:
            for statement in self._chosen(found.memory, entries or []):
                one = await self._statement(found, statement, keys, entries or [])
                if one is not None:
                    signed[statement] = one
        await self._asked(found, "bulletin", self._front(entries, signed))
        await self._asked(found, "log", self._log(found))
        return found

    async def _asked(self, found: Round, site: Site, asking: Awaitable[Any]) -> Any:
        try:
            answer = await asking
        except Fault as fault:
            found.note(site, fault)
            return None
        found.note(site, None)
        return answer

    async def _keys(self, found: Round) -> dict[str, Ed25519PublicKey]:
        body = await self.get(KEYS)
        pinned = signing.believed(found.memory.keys, "the memory") if found.memory.keys else {}
        keys = comparing.public_keys(body, pinned)
        if not pinned:
            kept = json.dumps({"keys": json.loads(body)["keys"]})
            found.memory = found.memory.model_copy(update={"keys": kept})
            logger.warning("probe.believes", keys=sorted(keys))
        return keys

    async def _feed(self, found: Round) -> list[Entry]:
        known = found.memory.statements
        entries = comparing.feed(
            await self.get("bulletin/feed.json"), {id_: statement.modified for id_, statement in known.items()}
        )
        told = {
            entry.statement: known[entry.statement].model_copy(update={"modified": entry.modified})
            if entry.statement in known
            else Statement(modified=entry.modified)
            for entry in entries
        }
        found.memory = found.memory.model_copy(update={"statements": {**known, **told}})
        return entries

    def _chosen(self, memory: Memory, entries: list[Entry]) -> list[str]:
        """The newest statement, the next one in turn, and those with which something was wrong."""
        every = sorted(memory.statements)
        after = [statement for statement in every if statement > memory.turn] or every
        doubtful = [run.statement for run in memory.runs if run.statement and run.until is None]
        return list(dict.fromkeys([*(entry.statement for entry in entries[:1]), *after[:1], *doubtful]))

    async def _statement(
        self, found: Round, statement: str, keys: dict[str, Ed25519PublicKey], entries: list[Entry]
    ) -> Signed | None:
        memory = found.memory
        every = sorted(memory.statements)
        is_in_turn = statement == next((one for one in every if one > memory.turn), every[0] if every else "")
        if is_in_turn:
            found.memory = memory = memory.model_copy(update={"turn": statement})
        known = memory.statements.get(statement, Statement(modified="1970-01-01T00:00:00Z"))
        at = f"bulletin/statements/{statement}"
        try:
            body = await self.get(f"{at}/manifest.json", is_kept=True)
            signed = comparing.manifest(body, statement, keys, known.digests)
            if is_in_turn:
                await self._files(signed, next((one for one in entries if one.statement == statement), None))
        except Fault as fault:
            found.note("manifest", fault, statement)
            return None
        found.note("manifest", None, statement)
        later = known.model_copy(update={"digests": signed.digests})
        found.memory = memory.model_copy(update={"statements": {**memory.statements, statement: later}})
        try:
            comparing.statement_page(await self.get(at, is_kept=True), signed, self.host)
        except Fault as fault:
            found.note("statement_page", fault, statement)
            return signed
        found.note("statement_page", None, statement)
        found.whole.append(statement)
        for entry in entries:
            if entry.statement == statement:
                try:
                    comparing.must_show(entry.lines, signed)
                except Fault as fault:
                    found.note("feed", fault, statement)
                else:
                    found.note("feed", None, statement)
        return signed

    async def _files(self, signed: Signed, entry: Entry | None) -> None:
        """The files to which the feed leads are those that were signed."""
        if entry is None:
            return
        if any(urlsplit(url).netloc != self.host for url in entry.files):
            raise altered("foreign", "the feed leads to a file elsewhere")
        bodies = [await self.get(url, most=FILE, is_kept=True) for url in entry.files]
        if {hashlib.sha256(body).hexdigest() for body in bodies} != signed.files:
            raise altered("changed", "a file is not the one that was signed")

    async def _front(self, entries: list[Entry] | None, signed: dict[str, Signed]) -> None:
        body = await self.get("bulletin/")
        comparing.must_be_ours(comparing.page(body.decode("utf-8", "replace")), self.host, forms=True)
        if entries is not None:
            comparing.front_page(body, entries, signed, self.host)

    async def _log(self, found: Round) -> None:
        memory = found.memory
        try:
            note = await self.get(self._log_at + CHECKPOINT, is_kept=bool(memory.checkpoint))
        except Fault as fault:
            if fault.status == 404 and not memory.checkpoint:
                return  # Nothing was signed yet.
            raise
        keys = memory.log_keys or await self._log_keys()
        try:
            verifiers = [Verifier.parse(key) for key in keys]
        except Refused as refused:
            raise altered("changed", f"the page of the log's keys: {refused}") from None
        before = memory.checkpoint.encode() or None
        if (sizes := comparing.checkpoint(note, verifiers, before)) is not None:
            assert before is not None
            proof = await self.get(f"{self._log_at}{CONSISTENCY}?old={sizes[0]}&size={sizes[1]}")
            comparing.consistent(note, verifiers, before, proof)
        if not memory.log_keys:
            logger.warning("probe.believes", log=list(keys))
        found.memory = memory.model_copy(update={"checkpoint": note.decode(), "log_keys": tuple(keys)})

    async def _log_keys(self) -> tuple[str, ...]:
        try:
            told = json.loads(await self.get(self._log_at + LOG_KEYS))["keys"]
            return tuple(key["vkey"] for key in told if key["use"] == "log" and key["revoked_at"] is None)
        except (KeyError, TypeError, ValueError) as error:
            raise altered("changed", f"this is no list of the log's keys: {error}") from None

    async def get(self, path: str, *, most: int = PAGE, is_kept: bool = False) -> bytes:
        """The body at a path. Raises `Fault`. What `is_kept` was published once, so it is never gone."""
        address = urljoin(self.address, path)
        origin = urlsplit(address)[:2]
        for _ in range(REDIRECTS + 1):
            status, headers, body = await self.ask("GET", address, most=most)
            if status in (301, 302, 303, 307, 308):
                address = urljoin(address, headers.get("location", ""))
                if urlsplit(address)[:2] != origin:
                    raise Fault("altered", "redirected", f"{path} leads to {urlsplit(address).netloc[:100]}", status)
                continue
            if status == 200:
                return body
            if is_kept and status in (404, 410):
                raise Fault("altered", "missing", f"{path} is not there any more", status)
            raise Fault("unreachable", "refusing", f"{path} answered {status}", status)
        raise Fault("altered", "redirected", f"{path} leads in a circle", status)

    async def ask(
        self, method: str, address: str, *, most: int = PAGE, **more: Any
    ) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and body of an answer, whatever the status. Raises `Fault` if there is none, or no whole."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds), self._client.stream(method, address, **more) as answer:
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > most:
                        raise altered("changed", f"the answer has more than {most} bytes")
        except (TimeoutError, httpx.TimeoutException):
            raise Fault("unreachable", "no_answer", f"no answer within {self._seconds:g} s") from None
        except httpx.ConnectError as error:
            raise Fault("unreachable", _why(error), str(error) or "no connection") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Fault("unreachable", "broken_off", f"{type(error).__name__} {error}") from None
        return answer.status_code, answer.headers, bytes(body)


def _why(error: BaseException) -> Symptom:
    """Why there is no connection, from the errors behind an error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return "bad_certificate"
        if isinstance(seen, socket.gaierror):
            return "no_address"
        seen = seen.__cause__ or seen.__context__
    return "no_connection"


Reached = Callable[[], Awaitable[bool]]
SITES: tuple[Site, ...] = get_args(Site)


def well(seen: Iterable[tuple[Key, Bad | None]]) -> list[Site]:
    """The sites of which everything that was asked was good."""
    bad = {site for (site, _, _), found in seen if found is not None}
    asked = {site for (site, _, _), _ in seen}
    return [site for site in SITES if site in asked - bad]
