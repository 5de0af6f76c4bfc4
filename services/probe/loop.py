"""The program: a round, the file, the telling, and again."""

import asyncio
import json
import math
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin

import httpx
import structlog

from schemas.fields import instant, parse_instant
from services.kernel.settings import Settings
from services.probe import judging, looking, memory
from services.probe.comparing import Fault, altered, printable
from services.probe.judging import Run
from services.probe.looking import Looker, Round
from services.probe.memory import Memory

ANSWERS = 15
"""The length of a round allows for so many late answers. No round waits for three times as many."""
LONGEST = 86_400
"""The most seconds that ingest takes for the length of a round."""
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
        """Tells, and judges the way in by the answers. What ingest refuses is told alone and holds up nothing else."""
        outages = judging.outages(kept.runs)
        waiting = deque(outages[place : place + MOST] for place in range(0, max(len(outages), 1), MOST))
        over: set[tuple[judging.Key, datetime]] = set()
        stop = time.monotonic() + self._settings.probe_seconds
        fault: Fault | None = None
        try:
            while waiting and time.monotonic() < stop:
                told = waiting.popleft()
                # What is well ends all that is not told, so it comes last.
                status = await self._post(told, {} if waiting else _good(kept, found))
                if status == 200:
                    over |= {(run.key, run.since) for run in told if run.until is not None}
                elif status == 422 and len(told) > 1:
                    half = len(told) // 2
                    waiting.extendleft((told[half:], told[:half]))
                elif status != 422:
                    break
        except Fault as error:
            fault = error
        found.note("intake", fault)
        seen = {key: value for key, value in found.seen.items() if key[0] == "intake"}
        runs = [run for run in kept.runs if (run.key, run.since) not in over]
        judged = judging.judged(runs, seen, at, self._settings.probe_failures)
        return kept.model_copy(update={"runs": tuple(judged)})

    async def _post(self, outages: list[Run], good: Mapping[str, list[str]]) -> int:
        """The status of an answer of ingest: 200, or one that says that the probe may not tell this.

        Raises `Fault` if the way in does not work.
        """
        told = {
            "at": instant(self._now()),
            "seen": [
                {name: value for name, value in run.model_dump(mode="json").items() if name in _TOLD and value}
                for run in outages
            ],
            **good,
            "every": every(self._settings),
        }
        key = self._settings.probe_key.get_secret_value()
        status, _, body = await self._looker.ask(
            "POST",
            urljoin(self._tells_to, OUTAGES),
            content=json.dumps(told),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        if status in (401, 403, 422):
            # The way in works, and the probe is not set up for it.
            said = printable(body[:500].decode("utf-8", "replace"))
            logger.error("probe.may_not_tell", status=status, outages=len(outages), said=said)
        elif status != 200:
            raise Fault("unreachable", "refusing", f"the way in answered {status}", status)
        else:
            try:
                server = instant(parse_instant(json.loads(body)["at"]))
            except Exception as error:  # noqa: BLE001 - whoever wrote the answer must not stop the probe with it
                raise altered("changed", f"the way in answered something else: {type(error).__name__}") from None
            logger.info("probe.told", outages=len(outages), server=server)
        return status

    async def _reaches_others(self) -> bool:
        """Whether an address that is not the office's answers; yes, if none is named."""
        if not self._settings.probe_beside:
            return True
        try:
            await self._looker.ask("HEAD", self._settings.probe_beside)
        except Fault as fault:
            return fault.symptom not in ("no_address", "no_connection", "no_answer")
        return True


def _good(kept: Memory, found: Round) -> dict[str, list[str]]:
    """What is as it should be. An outage lasts until enough rounds were good, so the site of one is left out."""
    doubted = {run.site for run in kept.runs if run.until is None}
    return {"well": [site for site in looking.well(found.seen) if site not in doubted], "whole": found.whole}


def every(settings: Settings) -> int:
    """The length of a round in seconds, as it is told: also of one in which much answers late.

    After three times as long the probe counts as silent, so it must allow for the first slow round, too.
    """
    return min(math.ceil(max(settings.probe_seconds, ANSWERS * settings.probe_timeout)), LONGEST)


_TOLD = ("site", "trouble", "symptom", "status", "statement", "since", "until")


async def run(settings: Settings, path: Path, *, once: bool = False, say: Callable[[str], None] = print) -> bool:
    """Rounds until the process ends, or one. Returns whether the last one found everything as it should be."""
    trusted = ssl.create_default_context(cafile=settings.probe_ca)
    async with AsyncExitStack() as stack:
        stack.enter_context(memory.held(path))
        client = await stack.enter_async_context(looking.client(trusted, settings.probe_timeout))
        probe = Probe(settings, path, client)
        if not settings.probe_key.get_secret_value():
            logger.warning("probe.tells_nobody", because="HUIYING_PROBE_KEY is not set")
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
