"""The headers of pages that anybody can open, as a scanner of headers judges them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import stack
from tests.kit.stack import EmbeddedWorld

ROOT = Path(__file__).parents[1]
PAGES = (
    *(
        "",
        "bulletin/",
        "bulletin/feed.json",
        "bulletin/feed.atom",
        "bulletin/status",
        "bulletin/verify",
        "bulletin/none",
    ),
    *("form/", "receipt", "console/", "console/first-run", "console/sign-in", "console/nothing"),
    *("open311/v2/services.json", "audit/v1/log/keys", ".well-known/huiying.json", "readyz", "none"),
)
"""But for `docs`: Swagger UI sets its own styles, see `services/apps/front.py`."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedWorld]:
    with stack.embedded(tmp_path_factory.mktemp("headers")) as made:
        yield made


def scanned(folder: Path, *addresses: str) -> dict[str, list[Any]]:
    """Address -> what the scanner finds there. It has an environment of its own, since it needs other packages."""
    (folder / "pages.json").write_text(json.dumps([{"url": address} for address in addresses]))
    alone = (Path(sys.executable).with_name("uv"), "run", "--quiet", "--no-project", "--isolated")
    scanner = ("--with-requirements", ROOT / "requirements/headers.txt", "drheader", "scan", "bulk", "--output", "json")
    command = [*alone, *scanner, "--rules-file", ROOT / "tests/headers.yaml", folder / "pages.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.stdout, done.stderr
    return {one["url"]: one["report"] for one in json.loads(done.stdout)}


@pytest.mark.timeout(300)
def test_a_scanner_finds_nothing_at_pages_that_anybody_can_open(world: EmbeddedWorld, tmp_path: Path) -> None:
    addresses = [f"{world.url('')}/{page}" for page in PAGES]
    assert scanned(tmp_path, *addresses) == {address: [] for address in addresses}


@pytest.mark.timeout(300)
def test_the_scanner_tells_a_page_that_may_run_anything(world: EmbeddedWorld, tmp_path: Path) -> None:
    ((found,),) = scanned(tmp_path, f"{world.url('')}/docs").values()
    assert found["anomalies"] == ["unsafe-inline"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "bulletin/status", {"Content-Encoding": "br"}, 415),
        ("POST", "ingest/v1/reports", {}, 401),
        ("DELETE", "bulletin/", {}, 405),
        ("GET", "none%ff", {}, 404),
        ("POST", "console/sign-in", {}, 403),
    ],
)
def test_refusals_of_every_layer_say_that_nothing_in_them_runs(
    world: EmbeddedWorld, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    with stack.here() as client:
        answer = client.request(method, f"{world.url('')}/{path}", headers=headers, content=b"{}")
    assert answer.status_code == status, answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
