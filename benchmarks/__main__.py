"""See the package."""

import argparse
import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import uvloop

from benchmarks import rig
from benchmarks.measure import Figure, table
from services.kernel.serving import process

NAMES = (
    "intake",
    "single",
    "open311",
    "form",
    "receipts",
    "webhooks",
    "imports",
    "mail",
    "relay",
    "projection",
    "record",
    "rebuild",
    "peers",
    "streams",
    "latency",
    "attach",
    "timers",
    "burst",
    "traces",
    "matter",
    "matching",
    "suggestion",
    "verifying",
    "bulletin",
    "embedded",
    "restart",
    "rules",
    "desk",
    "console",
    "listeners",
    "notices",
    "redaction",
    "limits",
)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all without")
    parser.add_argument("--runs", type=int, default=5, help="pairs a figure")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.names) - set(NAMES)):
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(NAMES)}")
    process.collect_less()
    figures: list[Figure] = []
    try:
        for name in chosen.names or NAMES:
            figures += uvloop.run(importlib.import_module(f"benchmarks.{name}").measure(chosen.runs))
            print(f"{name} done", file=sys.stderr)
    finally:
        rig.close()
    print(table(figures))
    if chosen.json:
        lines = [{**asdict(figure), "met": figure.is_met} for figure in figures]
        chosen.json.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
