"""How well triage ranks known matters for a new report, and what that and a search cost with 100,000 of them.

The ranking is measured on real messages beside the repository, of which 40 matters with 166 messages were labelled by
hand (`matters.json`: ids and labels only). `python -m benchmarks matching` measures everything, on both databases,
`python -m benchmarks.matching` one part on one of them.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, cast

from sqlalchemy import text

from benchmarks import rig
from benchmarks.measure import Figure, percentile, table
from benchmarks.reports import REAL
from schemas.fields import instant
from services.kernel.core.decider import Actor
from services.kernel.core.ids import derived
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log import EventLog
from services.kernel.delivery.runtime import Runtime
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.kernel.store.sql import insert
from services.triage.alike import search, similar
from services.triage.app import SERVICE
from services.triage.views import INCIDENTS, REPORTS
from tests.kit import substrate

LABELS = Path(__file__).parent / "matters.json"
KINDS = ("SQLite", "PostgreSQL")
MATTERS, ASKED, SEARCHED = 100_000, 1_000, 200
AMONG_FIVE, FIRST = "right matter among the first five", "right matter first"
OFFERS = "offers to an unrelated message, median"
_WORD = re.compile("[\u4e00-\u9fff]{2,4}")
OFFICER = Actor("duty_officer@county", "county", frozenset({"duty_officer"}), "p")


@dataclass(frozen=True, slots=True)
class Message:
    """A report as the index needs it, and the matter to which it belongs."""

    id: str
    matter: str
    subject: str
    text: str
    at: str
    unit: str = "county"
    assigned: str | None = None
    category: str | None = None


@dataclass(slots=True)
class Known:
    """Triage with matters that were written straight into its tables."""

    runtime: Runtime
    matters: dict[str, int] = field(default_factory=dict)

    async def add(self, messages: Iterable[Message]) -> None:
        """Writes reports, their words and their incidents."""
        rows: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("contents", "reports", "incidents", "incident_reports", "standings", "standing_units")
        }
        for one in messages:
            report, incident = f"report-{derived(one.id)}", incident_of(one)
            refs = {name: derived(one.id, name) for name in ("subject", "text")}
            rows["contents"] += [
                {"ref": refs[name], "salt": b"", "words": getattr(one, name) or " "} for name in ("subject", "text")
            ]
            rows["reports"].append(
                {
                    **dict.fromkeys(REPORTS.columns.keys()),
                    **refs,
                    "report_id": report,
                    "unit": one.unit,
                    "channel": "board",
                    "discovered_at": one.at,
                    "received_at": one.at,
                    "entered_late": False,
                }
            )
            position = self.matters[one.matter] = self.matters.get(one.matter, 0) + 1
            rows["incident_reports"].append(
                {"report_id": report, "incident_id": incident, "position": position, "active": True}
            )
            if position == 1:
                rows["incidents"].append(_incident(incident, one))
                rows["standings"].append(
                    {
                        **dict.fromkeys(column.name for column in self.runtime.tables["standings"].columns),
                        **dict.fromkeys(("verifying", "helping", "past"), ""),
                        "incident_id": incident,
                        "accountable": one.unit,
                    }
                )
                rows["standing_units"].append({"incident_id": incident, "unit": one.unit})
        async with self.runtime.database.transaction() as connection:
            for name, of_table in rows.items():
                await insert(connection, self.runtime.tables[name], of_table)

    async def settle(self) -> None:
        """What a server does by itself in the background."""
        if not self.runtime.database.is_sqlite:
            async with self.runtime.database.read() as connection:
                await connection.execute(text("vacuum analyze"))

    async def search(self, wanted: search.Wanted) -> search.Results:
        """A page of a search."""
        async with self.runtime.database.read() as connection:
            ctx = await self.runtime.context(connection, OFFICER)
            return await search.find(connection, ctx, wanted, None, 50)

    async def ask(self, one: Message, limit: int, threshold: float) -> list[similar.Near]:
        """The nearest known matters."""
        asked = similar.Asked(one.unit, one.subject, one.text, at=one.at)
        async with self.runtime.database.read() as connection:
            ctx = await self.runtime.context(connection, OFFICER)
            return (await similar.find(self.runtime, connection, ctx, asked, limit, threshold)).near


def incident_of(one: Message) -> str:
    """The incident of a message's matter."""
    return f"incident-{derived(one.matter)}"


def _incident(id_: str, one: Message) -> dict[str, Any]:
    defaults: dict[type, Any] = {int: 0, str: "", bool: False}
    row = {
        column.name: None if column.nullable else defaults.get(column.type.python_type) for column in INCIDENTS.columns
    }
    return row | {
        "id": id_,
        "state": "open",
        "number": id_,
        "unit": one.unit,
        "assigned": one.assigned,
        "category": one.category,
        "discovered_at": one.at,
        "opened_at": one.at,
        "updated_at": one.at,
        "proposals": "[]",
        "reports": 1,
    }


@asynccontextmanager
async def triage(kind: str) -> AsyncIterator[Known]:
    """Triage on an empty database of a kind."""
    template = substrate.new_databases("matching", rig.postgres(), ("triage",)) if kind == "PostgreSQL" else ""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(template.format(service="triage") if template else Path(folder) / "triage.sqlite")
        settings = Settings(data=Path(folder), database=template)
        runtime = Runtime(SERVICE, settings, database, TimeSource(), cast(EventLog, None), b"only-for-measuring-" * 4)
        try:
            async with database.transaction() as connection:
                await connection.run_sync(SERVICE.metadata.create_all)
            assert SERVICE.on_start is not None
            await SERVICE.on_start(runtime)
            yield Known(runtime)
        finally:
            await database.close()
            if template:
                substrate.drop_databases(template)


def real(labels: Mapping[str, str]) -> list[Message]:
    """The real messages in order of time; one without a label is a matter of its own."""
    found = [
        Message(
            one["external_id"],
            labels.get(one["external_id"], one["external_id"]),
            one["title"],
            one["body"],
            instant(datetime.fromisoformat(one["submitted_at"])),
        )
        for one in map(json.loads, REAL.read_text("utf-8").splitlines())
    ]
    return sorted(found, key=lambda one: (one.at, one.id))


async def ranking(kind: str) -> dict[str, float]:
    """Each message is compared with those before it: how often its matter is among the first, and the offers."""
    of_matter = json.loads(LABELS.read_text())
    labels = {id_: matter for matter, ids in of_matter.items() for id_ in ids}
    places: list[int] = []
    offers: list[int] = []
    took: list[float] = []
    async with triage(kind) as known:
        for one in real(labels):
            begun = time.perf_counter()
            near = await known.ask(one, 5, similar.OFFERED_FROM)
            took.append(time.perf_counter() - begun)
            if one.matter in known.matters:
                ids = [each.row["id"] for each in near]
                places.append(ids.index(incident_of(one)) if incident_of(one) in ids else 99)
            elif one.id not in labels:
                offers.append(len(near))
            await known.add([one])
    return {
        "later messages of labelled matters": len(places),
        AMONG_FIVE: sum(place < 5 for place in places) / len(places),
        FIRST: sum(place == 0 for place in places) / len(places),
        "unrelated messages": len(offers),
        OFFERS: statistics.median(offers),
        "offers to an unrelated message, mean": statistics.fmean(offers),
        "milliseconds, median": statistics.median(took) * 1000,
    }


def many(number: int, salt: str) -> Iterator[Message]:
    """Messages of as many matters: each is made of sentences of several real or shipped ones, so no two are alike."""
    from random import Random

    from benchmarks.reports import reports

    sources = reports(2_000)
    sentences = [part for one in sources for part in one["text"].replace("？", "。").split("。") if len(part) > 5]
    random, begin = Random(salt), datetime(2026, 1, 1, tzinfo=UTC)
    for at in range(number):
        said = "。".join(random.choices(sentences, k=8))[:600]
        subject = random.choice(sources)["subject"].partition(" ")[0]
        unit = ("town-east", "town-west", "county-roads", "county-water")[at % 4]
        when, id_ = instant(begin + timedelta(seconds=at)), f"{salt}{at}"
        yield Message(id_, id_, subject, said, when, unit, category=f"category-{random.randrange(30)}")


async def measure(runs: int, matters: int = MATTERS) -> list[Figure]:
    """The ranking of real messages, if they are there, and the cost of questions and searches, on both databases."""
    figures = []
    for kind in KINDS:
        if REAL.exists():
            found = await ranking(kind)
            first_five, first, offers = (found[name] for name in (AMONG_FIVE, FIRST, OFFERS))
            figures += [
                Figure(f"{kind}: {AMONG_FIVE}", "%", first_five * 100, 95, at_least=True),
                Figure(f"{kind}: {FIRST}", "%", first * 100, 90, at_least=True),
                Figure(f"{kind}: {OFFERS}", "offers", offers, 2),
            ]
        figures += await at_scale(kind, matters)
    return figures


async def at_scale(kind: str, matters: int) -> list[Figure]:
    """1,000 new reports against so many matters, and 200 searches: milliseconds, and the memory that they took."""
    async with triage(kind) as known:
        begun = time.perf_counter()
        messages = many(matters, "known")
        while part := list(islice(messages, 2_000)):
            await known.add(part)
        written = matters / (time.perf_counter() - begun)
        await known.settle()
        asked, grown = await timed(
            known.ask(Message(one.id, one.matter, one.subject, one.text, one.at), 5, similar.OFFERED_FROM)
            for one in many(ASKED, "new")
        )
        # Words of known matters, so that each search finds something.
        searched, _ = await timed(
            known.search(search.Wanted(words=" ".join(_WORD.findall(one.subject + one.text)[:2])))
            for one in many(SEARCHED, "known")
        )
        # Half of these find nothing, which reads most.
        columns, _ = await timed(
            known.search(search.Wanted(unit=one.unit, category=(one.category, "no-such")[at % 2], state="open"))
            for at, one in enumerate(many(SEARCHED, "known"))
        )
    name = f"{kind}, {matters:,} matters"
    return [
        *took(f"{name}: similar ones", asked, 100, 300),
        *took(f"{name}: a search by words", searched, 100, 300),
        *took(f"{name}: a search by unit, category and state", columns, 50, 100),
        Figure(f"{name}: memory of {ASKED:,} questions", "MB", grown, 100),
        Figure(f"{name}: written", "reports/s", written, 200, at_least=True),
    ]


async def timed(questions: Iterable[Coroutine[Any, Any, Any]]) -> tuple[list[float], float]:
    """Milliseconds of each, one after the other, and by how many MB the process grew."""
    before, most, each = _resident(), 0.0, []
    for question in questions:
        begun = time.perf_counter()
        await question
        each.append((time.perf_counter() - begun) * 1000)
        most = max(most, _resident())
    return each, max(0.0, most - before)


def took(name: str, each: Sequence[float], median: float, slowest: float) -> list[Figure]:
    """The two figures of some times, with their goals."""
    return [
        Figure(f"{name}: median", "ms", statistics.median(each), median),
        Figure(f"{name}: 99 %", "ms", percentile(each, 0.99), slowest),
    ]


def _resident() -> float:
    """MB of memory that the process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching", description=__doc__)
    parser.add_argument("--on", default="SQLite", choices=KINDS)
    parser.add_argument("--matters", type=int, default=0, help="measure the cost with so many matters instead")
    chosen = parser.parse_args()
    try:
        if chosen.matters:
            print(table(asyncio.run(at_scale(chosen.on, chosen.matters))))
            return
        for name, value in asyncio.run(ranking(chosen.on)).items():
            print(f"{name:45} {value:10.3f}")
    finally:
        rig.close()


if __name__ == "__main__":
    main()
