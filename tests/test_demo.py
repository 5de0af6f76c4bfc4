"""The demonstration, as `make demo ARGS=--once` runs it, and the project's messages."""

import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schemas import catalogue
from schemas.envelope import Event
from services.apps import embedded, operate
from services.demo import run as demo
from services.demo import samples
from services.kernel.settings import Settings
from tests.kernel.test_log import until
from tests.kit import everywhere

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


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A run of the demonstration, and the folder with its record."""
    folder = tmp_path_factory.mktemp("demo")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUIYING_")}
    done = subprocess.run(
        [sys.executable, "-m", "services.apps.cli", "demo", "--once", "--messages", "60", "--data", "record"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    return done, folder / "record"


@pytest.mark.timeout(920)
def test_the_demo_ends_clean_and_shows_what_was_missed(shown: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = shown
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
    # On a busy machine the relay may wait for the store, and says so.
    assert [line for line in done.stderr.splitlines() if " relay.waits " not in line] == []


class Written(NamedTuple):
    """Words of the record, and the place in an event that names them."""

    service: str
    stream: str
    type: str
    field: str
    ref: str
    words: str


def written(folder: Path) -> list[Written]:
    """Six streams for each type of event and field that typed words stand in, with all their words of that kind."""
    chosen: dict[tuple[str, str], set[str]] = {}
    found = []
    for service in catalogue.SERVICES:
        with closing(sqlite3.connect(folder / f"{service}.sqlite")) as store:
            held = dict(store.execute("select ref, words from contents"))
            for (bytes_,) in store.execute("select bytes from events order by recordedtime, stream_id, version"):
                event = Event.parse(bytes_)
                for field, ref in event.words.items():
                    kind = (event.type, field)
                    streams = chosen.setdefault(kind, set())
                    if ref in held and (event.stream in streams or len(streams) < 6):
                        streams.add(event.stream)
                        found.append(Written(service, event.stream, *kind, ref, held[ref]))
    return found


@pytest.mark.timeout(300)
async def test_words_of_every_kind_leave_every_file(shown: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Those apart that an office published: they stand in its statements."""
    _, folder = shown
    kinds = written(folder)
    assert len({(one.type, one.field) for one in kinds}) > 25
    streams: dict[tuple[str, str], set[str]] = {}
    for one in kinds:
        streams.setdefault((one.service, one.stream), set()).add(one.ref)
    async with embedded.running(Settings(data=folder)) as system:
        for (service, stream), refs in streams.items():
            body: dict[str, Any] = {"cause": "law", "reason": "by law"}
            path = f"/ingest/v1/reports/{stream}/erase"
            if not stream.startswith("report-"):
                path, body = f"/{service}/v1/words/erase", {**body, "stream": stream, "refs": sorted(refs)}
            # What belongs to the root takes two persons; a second call to erase what is gone is refused.
            for person in ("one", "other"):
                async with system.client(system.token("city", "admin", person=person)) as client:
                    answer = await client.post(path, json=body)
                    assert answer.status_code == 200 or person == "other", answer.text
        await system.settle()
        for name in catalogue.SERVICES:
            store = folder / f"{name}.sqlite"
            await until(partial(is_rewritten, store), f"the file of {name} is rewritten without erased words")
        found = await operate.check_stores(operate.Stores(system.runtimes, system.log, system))
        assert found.faults == []
    with closing(sqlite3.connect(folder / "log.sqlite")) as log:
        kept = b"".join(value for (value,) in log.execute("select value from records where topic not like '%content%'"))
    gone = {one.words for one in kinds if len(one.words) > 7 and one.words.encode() not in kept}
    others = {words for service in catalogue.SERVICES for words in contents(folder / f"{service}.sqlite")}
    gone = {words for words in gone if not any(words in other for other in others)}
    assert len(gone) > 15
    assert list(everywhere.in_files(folder, gone)) == []


def is_rewritten(path: Path) -> bool:
    """Whether a store's file was written anew after the last erasure."""
    with closing(sqlite3.connect(path)) as store:
        (erased,), (told,) = (
            store.execute(one).fetchone() for one in ("select count(*) from erased", "pragma user_version")
        )
        return bool(erased == told)


def contents(path: Path) -> list[str]:
    """The words that a store still holds."""
    with closing(sqlite3.connect(path)) as store:
        return [words for (words,) in store.execute("select words from contents")]
