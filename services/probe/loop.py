"""The program: a round, the file, the telling, and again."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin

import httpx
import structlog

from schemas.fields import instant
from services.kernel.settings import Settings
from services.probe import judging, looking, memory
from services.probe.comparing import Fault
from services.probe.looking import Looker, Round
from services.probe.memory import Memory

OUTAGES = "ingest/v1/outages"
MOST = 100
"""Outages in one telling."""
logger = structlog.get_logger()


def _now() -> datetime:
    return datetime.now(UTC)


class Probe:
    """Rounds over one deployment, with one file."""

    def __init__(
        self, settings: Settings, path: Path, client: httpx.AsyncClient, now: Callable[[], datetime] = _now
    ) -> None:
        self._settings, self._path, self._client, self._now = settings, path, client, now
        self._looker = Looker(
            client, settings.public_url, settings.probe_log or settings.public_url, settings.probe_timeout
        )
        self._tells_to = (settings.probe_ingest or settings.public_url).rstrip("/") + "/"

    async def round(self) -> tuple[Memory, Round]:
        """Looks, judges, writes the file, tells. What cannot be told now, a later round or process tells."""
        known, at = memory.read(self._path), self._now()
        found = await self._looker.look(known)
        if found.is_blind and not await self._reaches_others():
            logger.warning("probe.is_blind", beside=self._settings.probe_beside)
            return known, found
        judged = judging.judged(known.runs, found.seen, at, self._settings.probe_failures)
        kept = found.memory.model_copy(update={"runs": tuple(judged)})
        memory.write(self._path, kept)
        if self._settings.probe_key.get_secret_value():
            kept = await self._tell(kept, found, at)
            memory.write(self._path, kept)
        return kept, found

    async def _tell(self, kept: Memory, found: Round, at: datetime) -> Memory:
        """Tells, and judges the way in by the answer."""
        outages = judging.outages(kept.runs)[:MOST]
        bad = any(found.seen.values())
        told = {
            "at": instant(self._now()),
            "seen": [
                {name: value for name, value in run.model_dump(mode="json").items() if name in _TOLD and value}
                for run in outages
            ],
            "well": [*looking.well(found.seen.items())],
            "whole": found.whole[:MOST],
        }
        fault: Fault | None = None
        status, body = 0, b""
        try:
            status, _, body = await self._looker.ask(
                "POST",
                urljoin(self._tells_to, OUTAGES),
                content=json.dumps(told),
                headers={
                    "Authorization": f"Bearer {self._settings.probe_key.get_secret_value()}",
                    "Content-Type": "application/json",
                },
            )
            at_server = json.loads(body)["at"] if status == 200 else ""
            if status in (401, 403, 422):
                # The way in works, and the probe is not set up for it.
                logger.error("probe.may_not_tell", status=status, said=body[:500].decode("utf-8", "replace"))
            elif status != 200:
                fault = Fault("unreachable", "refusing", f"the way in answered {status}", status)
        except Fault as error:
            fault = error
        except (KeyError, TypeError, ValueError):
            fault = Fault("altered", "changed", "the way in answered something else")
        found.note("intake", fault)
        seen = {key: value for key, value in found.seen.items() if key[0] == "intake"}
        runs = kept.runs
        if fault is None and status == 200:
            over = {(*run.key, run.since) for run in outages if run.until is not None}
            runs = tuple(run for run in runs if (*run.key, run.since) not in over)
            logger.info("probe.told", outages=len(outages), bad=bad, server=at_server)
        runs = tuple(judging.judged(runs, seen, at, self._settings.probe_failures))
        return kept.model_copy(update={"runs": runs})

    async def _reaches_others(self) -> bool:
        """Whether an address that is not the office's answers; yes, if none is named."""
        if not self._settings.probe_beside:
            return True
        try:
            await self._looker.ask("HEAD", self._settings.probe_beside)
        except Fault as fault:
            return fault.symptom not in ("no_address", "no_connection", "no_answer")
        return True


_TOLD = ("site", "trouble", "symptom", "status", "statement", "since", "until")


async def run(settings: Settings, path: Path, *, once: bool = False, say: Callable[[str], None] = print) -> bool:
    """Rounds until the process ends, or one. Returns whether the last one found everything as it should be."""
    trusted = ssl.create_default_context(cafile=settings.probe_ca)
    async with AsyncExitStack() as stack:
        stack.enter_context(memory.held(path))
        client = await stack.enter_async_context(httpx.AsyncClient(verify=trusted, timeout=settings.probe_timeout))
        probe = Probe(settings, path, client)
        while True:
            begun = time.monotonic()
            kept, found = await probe.round()
            if once:
                for site in looking.SITES:
                    if any(key[0] == site for key in found.seen):
                        stands = judging.standing(kept.runs, site)
                        say(f"{site}\t{stands}\t{found.said.get(site, '-')}")
                return not any(found.seen.values())
            await asyncio.sleep(max(0.0, settings.probe_seconds - (time.monotonic() - begun)))
