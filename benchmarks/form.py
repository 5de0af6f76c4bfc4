"""One report a request by the public form, against the same report as JSON at the same server: what the page costs."""

from typing import Any
from urllib.parse import urlencode

from benchmarks import client, rig
from benchmarks.measure import Figure, pairs
from benchmarks.reports import reports
from benchmarks.single import PARALLEL, REQUESTS, serving
from schemas.fields import instant
from services.ingest.app import SERVICE
from services.ingest.form import codec
from services.ingest.views import FORMS
from services.kernel.core.uuid7 import uuid7

UNIT, FORM = "town-east", "application/x-www-form-urlencoded"


def filled(report: dict[str, Any], token: str) -> bytes:
    """The report as somebody fills it in."""
    fields = {
        "subject": report["subject"][:100],
        "text": report["text"][:5_000],
        "place": report.get("place", "人民路"),
    }
    return urlencode({"token": token, "time": "今天早上", **fields}).encode()


async def measure(runs: int) -> list[Figure]:
    """Reports a second."""
    async with rig.runtime(SERVICE) as made:
        bearer = {"authorization": f"Bearer {rig.integration_key(made)}"}
        now, keyed = made.time_source.now(), made.keys.digest
        sent = [report for report in reports(REQUESTS) if len(report["text"]) <= codec.LONGEST["text"]]
        plain = [client.request("/ingest/v1/reports", report, bearer) for report in sent]
        tokens = [codec.token(UNIT, uuid7().replace("-", ""), now, keyed) for _ in sent]
        forms = [
            client.request(f"/form/{UNIT}", filled(report, token), {}, FORM)
            for report, token in zip(sent, tokens, strict=True)
        ]
        with serving("ours", made.database.location) as port:

            async def ours() -> float:
                rig.empty(made)
                async with made.database.transaction() as connection:
                    await connection.execute(FORMS.insert(), [{"unit": UNIT, "open": True, "at": instant(now)}])
                return await client.rate(port, forms, PARALLEL)

            async def floor() -> float:
                rig.empty(made)
                return await client.rate(port, plain, PARALLEL)

            what = f"the report as JSON, {PARALLEL} at once"
            return [await pairs("form", ours, floor, goal=0.6, floor_is=what, unit="reports/s", runs=runs)]
