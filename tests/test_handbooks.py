"""What the documents for operators name is there: log lines, commands, files, events, headings."""

import re
import shlex
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from services.apps import cli, repairs, terminal
from services.apps.backups import commands as backups
from services.apps.backups import keeping

ROOT = Path(__file__).resolve().parents[1]
OPERATE, CHINESE = ROOT / "docs/operate.md", ROOT / "docs/operate.zh.md"
PAGES = [ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINE = re.compile(
    r'(?:logger\.(?:warning|error|critical)|Lasting)\(\s*"([a-z_]+\.[a-z_]+)"|forever\(\w+, "([a-z_]+\.[a-z_]+)"'
)


def lines_of_code() -> set[str]:
    """The names of all log lines above the level of information."""
    found = (LINE.findall(path.read_text()) for path in (ROOT / "services").rglob("*.py"))
    return {name or other for names in found for name, other in names}


@pytest.mark.parametrize("page", [OPERATE, CHINESE], ids=lambda page: page.name)
def test_the_handbook_explains_every_warning_and_no_other(page: Path) -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| .+ \| .+ \|$", page.read_text(), re.MULTILINE)
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


PLACEHOLDERS = {"S": "triage", "SERVICE": "triage", "X": "triage", "<service>": "triage", "N": "7", "$PORT": "7"}
MISSING = re.compile(r"(File|Directory|Path) '.*' does not exist")
HELD = re.compile(
    r"`huiying ([^`]+)`|^(?:\$ )?huiying (.+)$|run --rm (?![^`\n]*--entrypoint)[^`\n]*?cli ([^`\n]+)", re.MULTILINE
)
REFUSES_BEFORE_IT_WORKS = {"resend", "redrive", "recover", "restore"}


def arguments(said: str) -> list[str]:
    """The arguments of a command as a shell gives them, with an example for each placeholder."""
    said = re.split(r"(?: >|\s&$|\s\|| -- )", re.sub(r"\{+[^{}]*\}+", "S", " ".join(said.split())))[0]
    return [PLACEHOLDERS.get(one, one) for one in shlex.split(said.replace("…", "..."), comments=True)]


def complete() -> list[str]:
    """Commands of pages with an option or a value. A bare name speaks of the command as such."""
    pages = [*PAGES, ROOT / "README.md", ROOT / "README.zh.md", ROOT / "deploy/prometheus/rules.yaml"]
    found = (next(filter(None, groups)) for page in pages for groups in HELD.findall(page.read_text()))
    return sorted(
        {
            one
            for one in found
            if re.search(r" (--|[A-Z<@{]|\S+[./@])", one) and not re.match("COMMAND|命令|-|restore …$", one)
        }
    )


def mentioned() -> list[str]:
    """The same of the sentences that the programs say. They may leave out what the sentence itself says."""
    texts = (path.read_text() for path in (ROOT / "services").rglob("*.py"))
    return sorted({one for text in texts for one in re.findall(r'`huiying ([a-z][^`"\n]*)`', text)} - {"demo"})


def parsed(said: str) -> tuple[str, str]:
    """The command's first name, and what its parser refuses."""
    command: Any = typer.main.get_command(cli.app)
    args = arguments(said)
    try:
        context = command.make_context("huiying", args)
        while hasattr(command, "commands") and (rest := [*context._protected_args, *context.args]):
            name, command, args = command.resolve_command(context, rest)
            context = command.make_context(name, args, parent=context)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return arguments(said)[0], str(error.format_message())
    return arguments(said)[0], ""


@pytest.mark.parametrize("said", complete())
def test_each_complete_command_of_a_page_is_accepted(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, refusal = parsed(said)
    assert not refusal or MISSING.search(refusal)
    if name not in REFUSES_BEFORE_IT_WORKS:
        return
    # These look at what was asked before they touch anything. Nothing is run.
    monkeypatch.setenv("HUIYING_DATA", str(tmp_path))
    monkeypatch.setattr(repairs, "run", lambda work: work.close())
    monkeypatch.setattr(backups, "_in_place", lambda *_: None)
    monkeypatch.setattr(keeping, "newest", _reached)
    code = cli.execute(arguments(said))
    assert code == 0 or "reached" in capsys.readouterr().err


def _reached(*_: Any) -> Any:
    raise terminal.CannotDo("reached")


@pytest.mark.parametrize("said", mentioned())
def test_each_command_that_a_program_names_exists(said: str) -> None:
    _, refusal = parsed(said)
    assert (
        not refusal or MISSING.search(refusal) or re.match("Missing |Usage: huiying |.* requires an argument", refusal)
    )


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for to in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if not to.startswith(("http:", "https:", "mailto:")):
                yield page, to


def heading(text: str) -> str:
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def alerts() -> list[dict[str, Any]]:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text())
    return [one for group in rules["groups"] for one in group["rules"] if "alert" in one]


def test_each_alert_has_its_row_in_chinese() -> None:
    rows = re.findall(r"^\| `([A-Z]\w+)`，(立即|次日) \| .+ \| .+ \|$", CHINESE.read_text(), re.MULTILINE)
    said = {"page": "立即", "ticket": "次日"}
    assert dict(rows) == {one["alert"]: said[one["labels"]["severity"]] for one in alerts()}


def test_each_alert_has_its_heading() -> None:
    urls = [one["annotations"]["runbook_url"] for one in alerts()]
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
