"""Files of reports: CSV through a mapping against the same rows as a batch of JSON, and memory for many rows.

`HUIYING_BENCH_ROWS` says how many; a million take minutes and some gigabytes of disk.
"""

import csv
import io
import os
import time
from collections.abc import AsyncIterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import httpx
import orjson

from benchmarks import rig
from benchmarks.measure import Figure, pairs
from benchmarks.reports import reports
from benchmarks.single import started
from services.ingest.app import SERVICE

REPORTS = 5_000
FEW, MANY = 20_000, int(os.environ.get("HUIYING_BENCH_ROWS", "100000"))
TITLES = ("unit", "channel", "subject", "text", "discovered_at", "external_id", "来电人", "来电号码")


def table(rows: Sequence[dict[str, Any]], *, titles: bool = True) -> bytes:
    """The reports as CSV in GB18030, with columns that are dropped."""
    file = io.StringIO()
    writer = csv.writer(file)
    if titles:
        writer.writerow(TITLES)
    writer.writerows([*(row.get(title, "某人 13800138000") for title in TITLES)] for row in rows)
    return file.getvalue().encode("gb18030")


async def parts(content: bytes) -> AsyncIterator[bytes]:
    """The content as a client sends a file."""
    for at in range(0, len(content), 65_536):
        yield content[at : at + 65_536]


async def endless(number: int) -> AsyncIterator[bytes]:
    """This many rows, of which no two have the same number."""
    some = reports(1_000)
    for turn in islice(count(), number // len(some)):
        rows = [{**row, "external_id": f"{turn}-{at}", "subject": f"{turn}-{at}"} for at, row in enumerate(some)]
        yield table(rows, titles=not turn)


def peak(process: int) -> float:
    """The most memory that a process ever held, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


async def measure(runs: int) -> list[Figure]:
    """Rows a second, and megabytes."""
    rows = reports(REPORTS)
    lines, content = b"\n".join(map(orjson.dumps, rows)), table(rows)
    async with rig.runtime(SERVICE) as made:
        headers = {"Authorization": f"Bearer {rig.integration_key(made)}"}
        with started("ours", made.database.location) as (port, process):
            address = f"http://127.0.0.1:{port}/ingest/v1"
            async with httpx.AsyncClient(base_url=address, headers=headers, timeout=None) as client:  # noqa: S113

                async def imported(body: AsyncIterator[bytes], number: int) -> float:
                    rig.empty(made)
                    began = time.perf_counter()
                    answer = await client.post("/imports?mapping=reports", content=body)
                    seconds = time.perf_counter() - began
                    ended = orjson.loads(answer.content.splitlines()[-1])["ended"]
                    assert (ended["state"], ended["received"]) == ("done", number), ended
                    return number / seconds

                async def ours() -> float:
                    return await imported(parts(content), REPORTS)

                async def floor() -> float:
                    rig.empty(made)
                    began = time.perf_counter()
                    answer = await client.post("/reports/batch", content=parts(lines))
                    assert answer.content.count(b'"status":201') == REPORTS, answer.text[:500]
                    return REPORTS / (time.perf_counter() - began)

                what = "the same rows as a batch of JSON"
                rate = await pairs("import of CSV", ours, floor, goal=0.8, floor_is=what, unit="rows/s", runs=runs)
                await imported(endless(FEW), FEW)
                before = peak(process)
                speed = await imported(endless(MANY), MANY)
                after = peak(process)
    name = f"memory of {MANY:,} rows, {speed:,.0f} rows/s"
    return [
        rate,
        Figure(name, "MB", after, 0.8, before, before / after, floor_is=f"of {FEW:,} rows"),
    ]
