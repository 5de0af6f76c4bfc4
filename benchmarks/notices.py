"""A thousand notices to one local SMTP server, on SQLite and on PostgreSQL: sent, and each try on record."""

import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measure import Figure
from schemas.triage import IncidentOpened
from services.escalation.notify import posting
from services.kernel.core.ids import derived
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from tests.escalation.conftest import LONG_AGO, Desk, opened
from tests.escalation.incident import at
from tests.kit import mailbox, substrate
from tests.kit.mailbox import Mailbox
from tests.kit.spec import UUID

NOTICES, PART = 1_000, 200
GOAL = 1_000.0
HEAD = "chief@town-east"


async def measure(runs: int) -> list[Figure]:
    """Notices a minute. Raises `RuntimeError` if one of them came twice or not at all."""
    figures = []
    for kind in ("sqlite", "postgres"):
        template = substrate.new_databases("notices", services=("escalation",)) if kind == "postgres" else ""
        with tempfile.TemporaryDirectory() as folder, mailbox.opened() as box:
            database = Database(template.format(service="escalation") if template else Path(folder) / "escalation.db")
            settings = Settings(data=Path(folder), **({"database": template} if template else {}))
            try:
                async with opened(database, settings) as desk:
                    await _waiting(desk, box)
                    took = await _sent(desk)
            finally:
                if template:
                    substrate.drop_databases(template)
            if len(box.notices) != NOTICES or max(Counter(box.notices).values()) > 1:
                raise RuntimeError(f"{len(box.notices)} mails came, of {len(set(box.notices))} notices")
        label = f"{kind}: notices through a local SMTP server"
        figures.append(Figure(label, "/min", NOTICES / took * 60, GOAL, at_least=True))
    return figures


async def _waiting(desk: Desk, box: Mailbox) -> None:
    """Opens a thousand matters, each of which is a notice to the head."""
    desk.clock.at = LONG_AGO
    body = {"post": HEAD, "address": box.address}
    answer = await desk.ask("POST", "/addresses", "admin", json=body)
    answer.raise_for_status()
    desk.clock.at = at(1)
    for number in range(NOTICES):
        fact = IncidentOpened(unit="town-east", report=f"report-{UUID}", discovered_at=at(0.5))
        desk.tell(f"incident-{derived('notice', str(number))}", fact, at(0.5))
        if (number + 1) % PART == 0:
            await desk.consume()


async def _sent(desk: Desk) -> float:
    """The seconds until all are sent and on record."""
    began, known = time.perf_counter(), posting.Known()
    with ThreadPoolExecutor(posting.WIDTH) as threads:
        while await posting.turn(desk.runtime, known, threads):
            pass
    return time.perf_counter() - began
