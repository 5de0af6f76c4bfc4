"""One report a request by Open311, against the same report as JSON at the same server: what the translation costs."""

from typing import Any
from urllib.parse import urlencode

from benchmarks import client, rig
from benchmarks.measure import Figure, pairs
from benchmarks.reports import reports
from benchmarks.single import PARALLEL, REQUESTS, serving
from services.ingest.app import SERVICE
from services.ingest.open311.codec import LONGEST
from services.ingest.open311.open311_api import FORM


def form(report: dict[str, Any], key: str) -> bytes:
    """The same report as a form."""
    names = ("channel", "subject", "discovered_at", "source", "external_id")
    more = {name: report[name] for name in names if name in report}
    fields = {
        "api_key": key,
        "jurisdiction_id": report["unit"],
        "service_code": report.get("category", "roads.lighting"),
        "address_string": report.get("place", "人民路"),
        "description": report["text"],
        **{f"attribute[{name}]": value for name, value in more.items()},
    }
    return urlencode(fields).encode()


async def measure(runs: int) -> list[Figure]:
    """Reports a second."""
    async with rig.runtime(SERVICE) as made:
        key = rig.integration_key(made)
        bearer = {"authorization": f"Bearer {key}"}
        sent = [{**report, "text": report["text"][:LONGEST]} for report in reports(REQUESTS)]
        plain = [client.request("/ingest/v1/reports", report, bearer) for report in sent]
        forms = [client.request("/open311/v2/requests.json", form(report, key), {}, FORM) for report in sent]
        with serving("ours", made.database.location) as port:

            async def ours() -> float:
                rig.empty(made)
                return await client.rate(port, forms, PARALLEL)

            async def floor() -> float:
                rig.empty(made)
                return await client.rate(port, plain, PARALLEL)

            what = f"the report as JSON, {PARALLEL} at once"
            return [await pairs("Open311 POST", ours, floor, goal=0.7, floor_is=what, unit="reports/s", runs=runs)]
