"""The demonstration, as `make demo ARGS=--once` runs it, and the project's messages."""

import os
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from services.demo import run as demo
from services.demo import samples

MESSAGES = samples.messages()


def test_there_are_enough_messages_of_the_project_and_some_are_about_one_matter() -> None:
    assert len(MESSAGES) >= 40
    assert len({message["external_id"] for message in MESSAGES}) == len(MESSAGES)
    titles = Counter(message["title"] for message in MESSAGES)
    assert max(titles.values()) > 1
    assert all(datetime.fromisoformat(message["submitted_at"]).tzinfo for message in MESSAGES)
    assert all(1 <= len(message["title"]) <= 500 and message["body"] for message in MESSAGES)


def test_the_choice_of_messages_is_the_same_each_time() -> None:
    assert demo.choose(45) == demo.choose(45)
    assert len(demo.choose(45)) == 45


@pytest.mark.timeout(620)
def test_the_demo_ends_clean_and_shows_what_was_missed(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUIYING_")}
    done = subprocess.run(
        [sys.executable, "-m", "services.apps.cli", "demo", "--once", "--messages", "60"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    said = done.stdout
    for act in ("grade", "publish", "correct", "withdraw", "merge", "reopen", "annul", "return", "transfer", "erase",
                "sign-on", "hand-over", "test-reachability", "open-period", "link", "designate"):  # fmt: skip
        assert re.search(rf"^ +\d+  {act}$", said, re.MULTILINE), act
    for status in (403, 409, 412):
        assert f"(refused with {status})" in said
    assert re.search(r"repeated, known already", said)
    assert re.search(r"refused as malformed", said)
    assert re.search(r"timeline of incident-\S+: .+\n  log size \d+", said)
    assert re.search(
        r"checkpoint: \d+ events of \S+, root [A-Za-z0-9+/]{43}=\narchive of incident-\S+, \d+ bytes: sealed", said
    )
    assert re.search(r"  proven: \d+ events, \d+ texts, ", said)
    breaches = re.search(r"breaches: (\d+), of which (\d+) were answered late", said)
    assert breaches is not None
    assert 0 < int(breaches[2]) < int(breaches[1])
    assert re.search(r"gap: not_planned, found a day ahead, and when it began", said)
    assert re.search(
        r"similar matters .+\n(  town-east-2026-\d+ .+\n)+  confirmed: town-east-2026-\d+ is the same", said
    )
    mails = re.search(r"notices that arrived at the local mailbox: (\d+)\n", said)
    assert mails is not None and int(mails[1]) > 50
    for kind in ("新事项", "交办", "逾期", "催办督办", "等待审定", "值班空缺", "收到上报，请签收"):
        assert re.search(rf"^ +\d+  {kind}$", said, re.MULTILINE), kind
    assert re.search(r"^ +to \S+\.(town-east|county) +【.+】.+$", said, re.MULTILINE)
    for hop in ("report_to_county", "report_to_leader_in_charge", "report_to_principal_leader"):
        assert re.search(rf"^ +\d+  {hop}: met", said, re.MULTILINE), hop
    for rung in ("reminder", "supervision"):
        assert rung in said
    assert re.search(r"bulletin: http://\S+/bulletin/ \(\d+ entries", said)
    assert re.search(r"^verify: http://\S+/bulletin/verify\?statement=[a-z-]+-2026-S\d{5}$", said, re.MULTILINE)
    assert re.search(r"^  clean$", said, re.MULTILINE)
    first, last = re.findall(r"^console: http://\S+/console/  login demo, password \S+$", said, re.MULTILINE)
    assert first == last == said.rstrip().splitlines()[-1], "how to sign in is told once more at the end"
    assert done.stderr == ""
