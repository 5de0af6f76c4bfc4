"""One round: the probe asks each public address as a reader does, and compares what comes."""

import asyncio
import hashlib
import json
import socket
import ssl
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
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
DOUBTFUL = 3
"""The most statements in one round that are looked at because something was wrong with them."""
CHECKPOINT, CONSISTENCY, LOG_KEYS = (f"audit/v1/log/{name}" for name in ("checkpoint", "proof/consistency", "keys"))
HTML, FEED, STYLE, JSON = (
    "text/html;charset=utf-8", "application/feed+json;charset=utf-8", "text/css;charset=utf-8", "application/json"
)  # fmt: skip
"""The types with which the bulletin answers: with another one, a reader sees something else."""
LEADING = ("refresh", "link")
"""Headers that lead readers elsewhere, or that bring other things into a page."""
KEYS = ".well-known/huiying.json"
logger = structlog.get_logger()


@dataclass
class Round:
    """What a round saw, and what is to be remembered."""

    memory: Memory
    seen: dict[Key, Bad | None] = field(default_factory=dict)
    whole: list[str] = field(default_factory=list)
    """Statements that are as they were signed."""
    sheets: set[str] = field(default_factory=set)
    """Style sheets that are as pages name them."""
    said: dict[Site, str] = field(default_factory=dict)
    """What was wrong, in words, for the probe's own log."""

    def note(self, site: Site, fault: Fault | None, statement: str = "") -> None:
        """Takes in how a site answered. What is not reached says nothing of being altered.

        A statement of which nothing signed was seen is only something that the feed says, so the fault is the feed's.
        Else whoever alters the feed could make any number of outages.
        """
        if fault is None or fault.trouble == "altered":
            self.seen.setdefault((site, "unreachable", ""), None)
            if fault is not None and statement and not self.memory.knows(statement):
                site, statement = "feed", ""
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
        pinned = signing.believed(memory.keys, "the memory") if memory.keys else {}
        keys = await self._asked(found, "public_keys", self._keys(found, pinned))
        if keys is None:
            keys = pinned  # So nobody hides other alterations behind one of the page of keys.
        entries = await self._asked(found, "feed", self._feed(memory))
        signed: dict[str, Signed] = {}
        in_turn = memory.after(memory.statements)[:1]
        for statement in self._chosen(memory, entries or [], in_turn) if memory.keys or keys else ():
            one = await self._statement(found, statement, keys, entries or [], statement in in_turn)
            if one is not None:
                signed[statement] = one
            if found.seen.get(("manifest", "unreachable", "")) or found.seen.get(("statement_page", "unreachable", "")):
                break  # What does not answer is not waited for again.
        is_good = "feed" in well(found.seen)
        await self._asked(found, "bulletin", self._front(found, entries if is_good else None, signed))
        await self._asked(found, "log", self._log(found))
        return found

    async def _asked(self, found: Round, site: Site, asking: Awaitable[Any], statement: str = "") -> Any:
        """What is made of an answer; None after a fault. Whatever an answer breaks is a fault of this answer."""
        try:
            answer = await asking
        except Fault as fault:
            found.note(site, fault, statement)
            return None
        except Exception as error:  # noqa: BLE001 - whoever wrote the answer must not stop the probe with it
            found.note(site, altered("changed", f"the answer cannot be read: {type(error).__name__}"), statement)
            return None
        found.note(site, None, statement)
        return answer

    async def _keys(self, found: Round, pinned: Mapping[str, Ed25519PublicKey]) -> dict[str, Ed25519PublicKey]:
        body = await self.get(KEYS, media=JSON)
        keys = comparing.public_keys(body, pinned)
        if not pinned:
            kept = json.dumps({"keys": json.loads(body)["keys"]})
            found.memory = found.memory.model_copy(update={"keys": kept})
            logger.warning("probe.believes", keys=sorted(keys))
        return keys

    async def _feed(self, memory: Memory) -> list[Entry]:
        seen = {id_: statement.modified for id_, statement in memory.statements.items()}
        return comparing.feed(await self.get("bulletin/feed.json", media=FEED), seen, self.address)

    def _chosen(self, memory: Memory, entries: list[Entry], in_turn: list[str]) -> list[str]:
        """The newest statement, the newest that is not known, that in turn, and some with which something was wrong."""
        shown = [entry.statement for entry in entries]
        unknown = [statement for statement in shown if statement not in memory.statements]
        doubtful = memory.after({run.statement for run in memory.runs if run.statement and run.until is None})
        return list(dict.fromkeys([*shown[:1], *unknown[:1], *in_turn, *doubtful[:DOUBTFUL]]))

    async def _statement(
        self,
        found: Round,
        statement: str,
        keys: dict[str, Ed25519PublicKey],
        entries: list[Entry],
        is_in_turn: bool,
    ) -> Signed | None:
        if is_in_turn:
            found.memory = found.memory.model_copy(update={"turn": statement})
        entry = next((one for one in entries if one.statement == statement), None)
        looking = self._manifest(statement, keys, found.memory.statements.get(statement), entry if is_in_turn else None)
        signed: Signed | None = await self._asked(found, "manifest", looking, statement)
        if signed is None:
            return None
        seen = Statement(modified=signed.changed_at, digests=signed.digests)
        found.memory = found.memory.model_copy(update={"statements": {**found.memory.statements, statement: seen}})
        if await self._asked(found, "statement_page", self._page(found, statement, signed), statement) is None:
            return signed
        found.whole.append(statement)
        if entry is not None:
            await self._asked(found, "feed", self._entry(entry, signed), statement)
        return signed

    async def _manifest(
        self, statement: str, keys: dict[str, Ed25519PublicKey], known: Statement | None, entry: Entry | None
    ) -> Signed:
        """A statement as it was signed. With an entry, the files to which the feed leads are compared, too."""
        body = await self.get(f"bulletin/statements/{statement}/manifest.json", is_kept=True, media=JSON)
        signed = comparing.manifest(body, statement, keys, known.digests if known else ())
        if entry is not None:
            if any(urlsplit(url).netloc != self.host for url in entry.files):
                raise altered("foreign", "the feed leads to a file elsewhere")
            if len(entry.files) != len(signed.files):
                raise altered("changed", "the feed leads to another number of files than was signed")
            for url, digest in zip(entry.files, signed.files, strict=True):
                if hashlib.sha256(await self.get(url, most=FILE, is_kept=True)).hexdigest() != digest:
                    raise altered("changed", "a file is not the one that was signed")
        return signed

    async def _page(self, found: Round, statement: str, signed: Signed) -> bool:
        body = await self.get(f"bulletin/statements/{statement}", is_kept=True, media=HTML)
        await self._sheet(found, comparing.statement_page(body, signed, self.address))
        return True

    async def _sheet(self, found: Round, address: str) -> None:
        if address not in found.sheets:
            comparing.style_sheet(await self.get(address, media=STYLE), address)
            found.sheets.add(address)

    async def _entry(self, entry: Entry, signed: Signed) -> None:
        comparing.must_be_as_signed(entry, signed)

    async def _front(self, found: Round, entries: list[Entry] | None, signed: dict[str, Signed]) -> None:
        body = await self.get("bulletin/", media=HTML)
        await self._sheet(found, comparing.front_page(body, entries, signed, self.address))

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

    async def get(self, path: str, *, most: int = PAGE, is_kept: bool = False, media: str = "") -> bytes:
        """The body at a path, of a media type if one is given. Raises `Fault`.

        What `is_kept` was published once, so it is never gone.
        """
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
                if leading := next((name for name in LEADING if name in headers), ""):
                    raise altered("foreign", f"{path} has the header {leading}")
                if media and "".join(headers.get("content-type", "").lower().split()) != media:
                    raise altered("changed", f"{path} is of the type {headers.get('content-type')}")
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
                if answer.headers.get("content-encoding", "identity") != "identity":
                    # Unpacked, a few bytes may be more than the memory holds.
                    raise altered("changed", "the answer is packed, though it was asked for as it is")
                async for part in answer.aiter_raw():
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
        if isinstance(seen, ssl.SSLCertVerificationError):
            return "bad_certificate"
        if isinstance(seen, socket.gaierror):
            return "no_address"
        seen = seen.__cause__ or seen.__context__
    return "no_connection"


def client(trusted: ssl.SSLContext | bool, seconds: float) -> httpx.AsyncClient:
    """What asks. It keeps no cookies: with large ones, a site could make it unwelcome elsewhere, and for good."""
    kept = CookieJar(DefaultCookiePolicy(netscape=False))
    return httpx.AsyncClient(verify=trusted, timeout=seconds, cookies=kept, headers={"Accept-Encoding": "identity"})


SITES: tuple[Site, ...] = get_args(Site)


def well(seen: Mapping[Key, Bad | None]) -> list[Site]:
    """The sites of which everything that was asked was good. A telling that arrives shows that of the way in."""
    bad = {site for (site, _, _), found in seen.items() if found is not None}
    asked = {site for site, _, _ in seen} | {"intake"}
    return [site for site in SITES if site in asked - bad]
