"""One version after the other under load, both running beside each other: nothing is lost, doubled or out of order.

The next version is this one with a table more, and with an event that this one does not know.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.kernel.settings import ROOT
from services.kernel.store import migrations
from tests.delivery.load import History, post_until, retried
from tests.kit import stack, substrate
from tests.kit.stack import DeployedWorld, get, until

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(900)]
CONSUMERS_FIRST = ("audit", "publish", "escalation", "triage", "ingest")
WEIGHED = "huiying.report.weighed.v1"
REVISION = '''"""Add a table."""

import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{newest}"


def upgrade() -> None:
    op.create_table("weights", sa.Column("report", sa.String(64), primary_key=True))
'''
MEASURED = '@event("report.reach_measured")'
NEW_TYPE = (
    '@event("report.weighed")\nclass ReportWeighed(Fact):\n    """Somebody weighed it."""\n\n    weight: Figure\n\n\n'
)
ONE = "[_measure(state, command, ctx)]"
TWO = '[_measure(state, command, ctx), Occurred(__import__("schemas.ingest").ingest.ReportWeighed(weight=1))]'
TABLE = "EXTERNAL_IDS = Table("
CHANGES = {
    "schemas/ingest.py": (MEASURED, NEW_TYPE + MEASURED),
    "services/ingest/decider.py": (ONE, TWO),
    "services/ingest/views.py": (
        TABLE,
        f'WEIGHTS = Table("weights", METADATA, Column("report", key(64), primary_key=True))\n{TABLE}',
    ),
}


def next_version(to: Path) -> Path:
    """The sources of the version that comes after this one."""
    for folder in ("services", "schemas", "policies"):
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (was, is_) in CHANGES.items():
        text = (to / name).read_text()
        assert was in text, f"{name} changed; write the change of the next version anew"
        (to / name).write_text(text.replace(was, is_, 1))
    folder = to / "services/ingest/migrations/versions"
    newest = migrations.revisions(folder)[-1]
    number = f"{int(newest) + 1:04}"
    (folder / f"{number}_add_a_table.py").write_text(REVISION.format(next=number, newest=newest))
    return to


class Rolling(DeployedWorld):
    """A world in which parts of this version and of the next one run beside each other."""

    fresh: Path

    def upgrade(self, part: str, *, as_: str = "") -> None:
        """Starts a part of the next version, in the place of the former one or beside it."""
        if not as_:
            self.end(part)
        name = as_ or part
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(  # type: ignore[assignment]  # it has the same verbs
                [sys.executable, "-P", "-c", "from services.apps.cli import main; main()", *self.command(name)],
                cwd=self.fresh,
                env={**self.environment, **self.own(name), "PYTHONPATH": str(self.fresh), "PATH": os.environ["PATH"]},
                stdout=log,
                stderr=log,
            )
        until(lambda: self._ready(name), self.logs)

    def _ready(self, part: str) -> bool:
        assert self.processes[part].poll() is None, f"{part} ended\n{self.logs()}"
        return not part.endswith(".api") or get(f"{self.url(part.partition('.')[0])}/readyz").status_code == 200

    def roll(self, service: str) -> None:
        """Another consumer of the next version joins; then the former ones are replaced, one after the other."""
        self.upgrade(f"{service}.consumer", as_=f"{service}.consumer2")
        time.sleep(2)  # both run, and share the partitions
        self.upgrade(f"{service}.api")
        self.upgrade(f"{service}.consumer")


def measure(world: DeployedWorld, report: str) -> Any:
    body = {"clicks": 7, "measured_at": "2026-01-05T09:30:00+08:00"}
    with world.client("ingest", "duty_officer", unit="town-east") as client:
        answer = client.post(f"/ingest/v1/reports/{report}/reach", json=body)
    assert answer.is_success, answer.text
    return answer.json()


@pytest.fixture
def rolling(tmp_path: Path) -> Any:
    database = substrate.new_databases("rolling")
    world = Rolling(tmp_path, database, substrate.kafka())
    world.fresh = next_version(tmp_path / "next")
    try:
        with stack.started(world):
            yield world
    finally:
        substrate.drop_databases(database)


def test_consumers_first_under_load_loses_nothing_and_sets_nothing_aside(rolling: Rolling) -> None:
    rolling.integration().close()
    histories, done = [History() for _ in range(2)], threading.Event()
    threads = [threading.Thread(target=post_until, args=(rolling, history, done, 0.05)) for history in histories]
    for thread in threads:
        thread.start()
    try:
        for service in CONSUMERS_FIRST:
            rolling.roll(service)
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    answered = [one for history in histories for one in history.answered]
    for history in histories:
        answered += [
            until(partial(retried, rolling, *lost), "a lost answer comes on retry") for lost in history.unknown
        ]
    assert measure(rolling, answered[0])
    until(lambda: rolling.events(type=WEIGHED), f"audit has the new event\n{rolling.logs()}")

    def counted() -> Counter[str]:
        return Counter(event["subject"] for event in rolling.events(type="huiying.report.received.v1"))

    until(lambda: set(answered) <= set(counted()), f"audit has all {len(answered)} reports\n{rolling.logs()}")
    assert set(counted().values()) == {1}
    refused = sum((history.refused for history in histories), Counter[str]())
    print(f"\n{len(answered)} reports over the upgrade of five services, refused meanwhile {dict(refused)}")
    assert not refused.keys() - {"503", "no connection"}
    rolling.check()


def test_producers_first_parks_what_is_unknown_and_the_upgrade_frees_it(rolling: Rolling) -> None:
    report = rolling.post("先升级了接收服务").json()["report_id"]
    rolling.incident(report)
    rolling.upgrade("ingest.api")
    assert measure(rolling, report)

    def aside() -> list[Any]:
        with rolling.client("triage", "admin", unit="city") as client:
            return list(client.get("/triage/v1/dead-letters").json()["items"])

    letters = until(aside, f"triage sets aside what it does not know\n{rolling.logs()}")
    assert [one["cause"] for one in letters] == ["unknown_type"]
    assert rolling.run("check").returncode == 1
    for service in CONSUMERS_FIRST:
        rolling.roll(service)
    until(lambda: rolling.run("redrive", "--all", "--reason", "升级完成").returncode == 0, "the letters are taken in")
    rolling.check()
