"""What the documents for operators name is there: log lines, commands, files, events, headings."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import yaml

from services.apps import cli

ROOT = Path(__file__).resolve().parents[1]
OPERATE = ROOT / "docs/operate.md"
PAGES = [ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINE = re.compile(
    r'(?:logger\.(?:warning|error|critical)|Lasting)\(\s*"([a-z_]+\.[a-z_]+)"|forever\(\w+, "([a-z_]+\.[a-z_]+)"'
)


def lines_of_code() -> set[str]:
    """The names of all log lines above the level of information."""
    found = (LINE.findall(path.read_text()) for path in (ROOT / "services").rglob("*.py"))
    return {name or other for names in found for name, other in names}


def test_the_handbook_explains_every_warning_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| .+ \| .+ \|$", OPERATE.read_text(), re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", row)}
    assert lines_of_code() - told == set()
    assert told - lines_of_code() == {"service.prepared", "topics.made"}


def commands() -> list[str]:
    """What pages name as commands, without their options and values."""
    words = "([a-z]+(?:-[a-z]+)*(?: [a-z]+(?:-[a-z]+)*)*)"
    found = (re.findall(f"(?:`huiying|run --rm cli) {words}", page.read_text()) for page in PAGES)
    return sorted({*chain.from_iterable(found)} - {"demo"})


@pytest.mark.parametrize("command", commands())
def test_each_command_of_a_page_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute((*command.split(), "--help")) == 0
    assert f"Usage: huiying {command.split(maxsplit=1)[0]}" in capsys.readouterr().out


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for to in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if not to.startswith(("http:", "https:", "mailto:")):
                yield page, to


def heading(text: str) -> str:
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def test_each_alert_has_its_heading() -> None:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text())
    urls = [one["annotations"]["runbook_url"] for group in rules["groups"] for one in group["rules"] if "alert" in one]
    there = {heading(one) for one in re.findall(r"^#+ (.+)$", OPERATE.read_text(), re.MULTILINE)}
    assert {url.partition("#")[2] for url in urls} - there == set()


@pytest.mark.parametrize(("page", "to"), [pytest.param(*one, id=f"{one[0].name} {one[1]}") for one in links()])
def test_each_link_of_a_page_leads_somewhere(page: Path, to: str) -> None:
    path, _, part = to.partition("#")
    target = (page.parent / path).resolve() if path else page
    assert target.exists()
    if part:
        assert part in {heading(one) for one in re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)}


def test_the_threats_name_tests_and_events_that_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    for path in re.findall(r"`((?:tests|benchmarks|requirements)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path
    named = {one for one in re.findall(r"`([a-z]+\.[a-z_]+)`", text) if not one.endswith((".json", ".md", ".pem"))}
    released = {path.name.split(".v")[0] for path in (ROOT / "schemas/golden").glob("*.json")}
    assert named - released == set()
