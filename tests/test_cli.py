"""The command line as somebody types it: exit codes, its outputs, and the README's example."""

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.envelope import Event
from schemas.pack.values import open_places
from services.apps import cli, serve, terminal, web
from services.kernel.access import tokens
from services.kernel.core.decider import STAFF_ROLES
from services.kernel.rules.packs import load_pack
from services.kernel.settings import Settings
from tests.kit import access, programs, stack, substrate
from tests.kit.logs import KEY
from tests.kit.stack import DeployedWorld, EmbeddedWorld, until

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedWorld]:
    """A running server, with a report that was taken in."""
    with stack.embedded(tmp_path_factory.mktemp("cli")) as made:
        made.incident(made.post("卫生院门前路灯不亮").json()["report_id"])
        yield made


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedWorld:
    """A folder that no process uses."""
    return EmbeddedWorld(tmp_path_factory.mktemp("idle"))


def huiying(*arguments: str, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line without the settings of the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HUIYING_")}
    env = {**clean, "HUIYING_DATA": str(data), **environment}
    return programs.run("services.apps.cli", *arguments, env=env, cwd=data, timeout=60)


def plant(world: EmbeddedWorld, *ids: str, event: Event | None = None) -> None:
    """Puts records into triage's dead letters: an event, or bytes that nobody can read."""
    reason, stream, version, bytes_ = "undecodable", None, None, b"?"
    if event is not None:
        reason, stream, version, bytes_ = "poison", event.stream, event.version, event.bytes
    since = "2026-01-01T00:00:00.000000Z"
    columns = 'id, consumer, topic, partition, "offset", reason, error, since, state, bytes, stream_id, version'
    rows = [
        (id_, "triage", "ingest.report", 0, 10**9, reason, "why", since, "open", bytes_, stream, version) for id_ in ids
    ]
    with closing(sqlite3.connect(world.folder / "data" / "triage.sqlite", timeout=30)) as database, database:
        database.executemany(f"insert into dead_letters ({columns}) values ({','.join('?' * 12)})", rows)


def test_a_sentence_and_code_2_where_something_cannot_be_done(idle: EmbeddedWorld) -> None:
    done = idle.run("status")
    assert (done.returncode, done.stdout) == (2, "") and "nothing runs on" in done.stderr
    for arguments, said in {
        ("check",): "holds no data",
        ("serve", "ingest"): "set HUIYING_DATABASE",
        ("serve", "nothing"): "no service 'nothing'",
        ("resend",): "--stream ID, --all, --rewind TOPIC",
        ("resend", "--rewind", "triage.unit"): "name the service",
        ("redrive",): "give --list, an ID, or which records",
        ("redrive", "--all"): "say why, with --reason",
        ("redrive", "--all", "--discard", "--reason", " "): "say why, with --reason",
        ("redrive", "00000000-0000-4000-8000-00000000000c", "--all", "--reason", "r"): "give --list, an ID, or which",
        ("backup", "--to", "x"): "no data of an embedded system",
        ("restore", "--from", "/nowhere"): "manifest.json cannot be read",
        ("policy", "show", "nothing"): "no pack 'nothing'",
        ("users", "token", "--unit", "county", "--role", "king", "--person", "p"): "no such role: king",
        ("users", "token", "--unit", "county", "--role", "integration", "--person", "p"): "no such role: integration",
        ("users", "token", "--unit", "county", "--role", "chief", "--person", " "): "name the person",
        ("users", "token", "--unit", "county", "--role", "chief", "--person", "p"): "holds no data",
        ("users", "revoke", "00000000-0000-4000-8000-00000000000c"): "holds no data",
        ("users", "rotate"): "holds no data",
        ("keys", "list"): "holds no data",
        ("keys", "bulletin", "rotate"): "holds no data",
        ("keys", "log", "rotate"): "holds no data",
        ("witness", "add", "town.example/log"): "this is no key of a log",
        ("verify", "statement", "/nowhere"): "/huiying.json: No such file or directory",
        ("keys", "revoke", "key-00000000-0000-4000-8000-00000000000c"): "holds no data",
        ("verify", "record", "/nowhere", "--key", "/nowhere"): "'/nowhere' is no key",
    }.items():
        done = idle.run(*arguments)
        assert done.returncode == 2, arguments
        assert said in done.stderr, arguments
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stdout == ""


def test_a_wrong_folder_gets_no_secret_and_no_key(tmp_path: Path) -> None:
    folder = tmp_path / "nothing"
    folder.mkdir()
    for arguments in (("token", "--unit", "county", "--role", "chief", "--person", "p"), ("rotate",), ("drop", "x")):
        assert huiying("users", *arguments, data=folder).returncode == 2
    assert list(folder.iterdir()) == []


def test_the_port_that_is_taken(idle: EmbeddedWorld) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = idle.run("up", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "perhaps another Huiying, or choose another port with --port" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_misspelt_setting_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUIYING_SITE_NMAE", "东镇回应")
    monkeypatch.setenv("HUIYING_SITE_NAME", "东镇回应")
    code, _, said = typed(capsys, "serve", "ingest")
    assert code == 2
    assert "HUIYING_SITE_NMAE is no setting and changes nothing" in said
    assert "HUIYING_SITE_NAME is" not in said


def test_a_folder_of_something_else_is_left_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("mine")
    foreign.chmod(0o644)
    for data, sentence in ((tmp_path, "holds files of something else, such as notes.txt"), (foreign, "is a file")):
        monkeypatch.setenv("HUIYING_DATA", str(data))
        code, _, said = typed(capsys, "up")
        assert code == 2
        assert sentence in said
        assert "--data" in said
    assert foreign.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [foreign]


def test_both_readmes_name_every_command() -> None:
    commands = [one.name or one.callback.__name__ for one in cli.app.registered_commands if one.callback]
    for name in ("README.md", "README.zh.md"):
        rows = "\n".join(re.findall(r"^\| (`.+?) \|", (ROOT / name).read_text(), re.MULTILINE))
        assert [command for command in commands if not re.search(rf"`{command}\b", rows)] == [], name


def test_both_readmes_name_the_same_files_settings_addresses_and_commands() -> None:
    fenced = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    said = (fenced.sub("", (ROOT / name).read_text()) for name in ("README.md", "README.zh.md"))
    english, chinese = (set(re.findall(r"`([^`\n]+)`", one)) for one in said)
    assert english ^ chinese == {"huiying COMMAND --help", "huiying 命令 --help"}


def test_each_file_and_folder_that_a_readme_names_is_there() -> None:
    for name in ("README.md", "README.zh.md"):
        said = (ROOT / name).read_text()
        named = set(re.findall(r"\]\(([^)#:]+)\)", said)) | set(
            re.findall(r"`((?:deploy|docs|policies|schemas|services)/[\w./-]+)`", said)
        )
        assert [one for one in sorted(named) if not (ROOT / one).exists() and one != "deploy/.env"] == [], name


def test_an_answer_does_not_wait_for_the_clients_word_on_its_head() -> None:
    """Without this option, the body of a page that follows its head in a second packet comes 40 ms later."""
    with web.bound("127.0.0.1", 0) as taken, socket.create_connection(taken.getsockname()):
        connection, _ = taken.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_number_that_is_no_port() -> None:
    with (
        pytest.raises(web.PortTaken, match="99999 is no port; name one from 1 to 65535"),
        web.bound("127.0.0.1", 99999),
    ):
        pass


async def test_a_port_is_taken_before_anything_listens_there_and_serve_says_so_too(tmp_path: Path) -> None:
    with web.bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(web.PortTaken), web.bound("127.0.0.1", port):
            pass
        settings = Settings(data=tmp_path, database="postgresql://nowhere/{service}", kafka="nowhere:1", port=port)
        with pytest.raises(web.PortTaken, match="HUIYING_PORT"):
            await serve.run_api("ingest", settings)


def typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """A command line in this process: code, output, and errors."""
    code = cli.execute(arguments)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_version_and_the_help_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(capsys, "--version") == (0, f"huiying {version('huiying')}\n", "")
    groups = {"keys": ("create", "list", "revoke"), "users": ("token", "revoke"), "policy": ("list", "show", "check")}
    commands = [
        ("up",),
        ("serve",),
        ("check",),
        ("restore",),
        *((group, one) for group in groups for one in groups[group]),
    ]
    for command in ((), *commands):
        short, long = typed(capsys, *command, "-h"), typed(capsys, *command, "--help")
        assert short == long
        assert (short[0], short[1].startswith("Usage: huiying")) == (0, True)
    said = " ".join(typed(capsys, "users", "token", "-h")[1].split())
    assert ", ".join(STAFF_ROLES) in said
    assert ", ".join(STAFF_ROLES) == terminal.ROLES


def test_a_sentence_has_the_whole_path(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record = ("verify", "record", "here", "--key", KEY.verifier.vkey)
    for arguments in (("check", "--data", "here"), record, ("policy", "check", "here")):
        code, _, said = typed(capsys, *arguments)
        assert (code, str(tmp_path / "here") in said) == (2, True), said


def test_lists_are_told_as_json_too(capsys: pytest.CaptureFixture[str], world: EmbeddedWorld) -> None:
    packs = json.loads(typed(capsys, "policy", "list", "--json")[1])
    assert "county-default@2" in {pack["policy"].partition("#")[0] for pack in packs}
    keys = json.loads(world.run("keys", "list", "--json").stdout)
    assert {"id", "unit", "name", "made_at", "revoked_at"} <= keys[0].keys()
    assert json.loads(world.run("redrive", "--list", "--json").stdout) == []
    report = json.loads(world.run("check", "--json").stdout)
    assert (report["clean"], report["faults"]) == (True, [])
    assert report["counts"]["audited"] > 0


def test_every_file_of_the_policy_folder_is_checked_as_what_it_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, what in (
        ("units.yaml", "the tree of units"),
        ("categories.yaml", "the list of categories"),
        ("facts.yaml", "the list of facts"),
        ("channels.yaml", "the list of channels"),
        ("sites.yaml", "the list of sites"),
        ("telephones.yaml", "the list of telephones"),
        ("county-default.yaml", "the policy pack county-default@2#"),
    ):
        code, said, _ = typed(capsys, "policy", "check", str(ROOT / "policies" / name))
        assert (code, what in said) == (0, True), said
        broken = tmp_path / name
        broken.write_text("nothing: here\n")
        code, _, said = typed(capsys, "policy", "check", str(broken))
        assert (code, f"{broken}:1:1: nothing: is unknown" in said) == (1, True), said


@pytest.mark.parametrize(
    ("was", "is_", "said"),
    [
        ("parent: county}", "parent: contry}", "contry, which is no unit"),
        ("{unit: county, kind", "{unit: city, kind", "city has two places"),
        ("roles: [chief], head: true", "roles: [chief]", "city has 0 heads"),
        ("- chief@county-roads", "- chief@nowhere", "chief@nowhere, which is no post"),
        ("pack: county-default", "pack: count", "has the id 'count'; there are bureau-004, "),
        ("{unit: city, pack", "{unit: town, pack", "there is no unit town"),
    ],
)
def test_a_tree_that_a_start_would_refuse_is_found_before(
    was: str, is_: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    tree = tmp_path / "policies" / "units.yaml"
    text = tree.read_text()
    assert was in text
    tree.write_text(text.replace(was, is_, 1))
    code, _, told = typed(capsys, "policy", "check", str(tree))
    assert (code, said in told) == (1, True), told


def test_a_second_server_in_one_folder_says_where_the_first_one_is(world: EmbeddedWorld) -> None:
    done = world.run("up", "--port", str(stack.free_port()))
    assert done.returncode == 2
    assert world.url("") in done.stderr


def read(token: str) -> Any:
    return tokens.read(token, access.PUBLIC, "local", datetime.now(UTC))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_stands_alone_and_is_good_until_it_is_revoked(world: EmbeddedWorld) -> None:
    roles = ("--role", "handler", "--role", "verifier")
    done = world.run("users", "token", "--unit", "town-east", *roles, "--person", "one")
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip()
    said = read(token)
    assert (said.unit, said.roles, said.post, said.sub) == ("town-east", ("handler", "verifier"), "handler", "one")
    ask = functools.partial(httpx.get, f"{world.url('')}/triage/v1/incidents", headers=bearer(token))
    assert len(ask().json()["items"]) == 1
    assert f"huiying users revoke {said.jti}" in done.stderr
    assert world.run("users", "revoke", said.jti).stdout == f"{said.jti} was revoked\n"
    until(lambda: ask().status_code == 401, "the token is believed no more", 5)
    assert "revoked" in ask().json()["detail"]
    wrong = world.run("users", "revoke", "../units")
    assert wrong.returncode == 2, wrong.stdout


def test_a_token_that_was_found_somewhere_is_revoked_by_itself(world: EmbeddedWorld) -> None:
    token = world.run("users", "token", "--unit", "town-east", "--role", "handler", "--person", "two").stdout.strip()
    assert world.run("users", "revoke", token).stdout == f"{read(token).jti} was revoked\n"
    asked = functools.partial(httpx.get, f"{world.url('')}/triage/v1/incidents", headers=bearer(token))
    until(lambda: asked().status_code == 401, "the token is believed no more", 5)
    altered = world.run("users", "revoke", token[:-4] + token[:4])
    assert (altered.returncode, altered.stdout) == (2, "")
    assert "is not valid here; there is nothing to revoke" in altered.stderr


def test_a_token_names_what_the_directory_has(world: EmbeddedWorld) -> None:
    done = world.run("users", "token", "--unit", "county", "--post", "verifier", "--person", "one")
    assert (read(done.stdout.strip()).post, read(done.stdout.strip()).roles) == ("verifier", ("verifier",))
    for arguments, said in {
        ("--unit", "nowhere", "--role", "chief"): "no unit has the code 'nowhere'",
        ("--unit", "county", "--role", "chief", "--post", "zhang_san"): "has the post 'zhang_san@county'; known in",
        ("--unit", "county", "--role", "chief", "--post", "leading_group"): "is a body; name one of its members",
        ("--unit", "county"): "name a role",
        ("--unit", "county", "--role", "chief", "--post", "张三"): "has the post '张三@county'",
    }.items():
        done = world.run("users", "token", *arguments, "--person", "one")
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert said in done.stderr
    nobody = world.run("users", "token", "--unit", "county", "--role", "chief")
    assert nobody.returncode == 2
    assert "--person" in nobody.stderr


def test_keys_are_made_listed_and_revoked_by_the_server_that_runs(world: EmbeddedWorld) -> None:
    done = world.run("keys", "create", "--unit", "town-west", "--scope", "ingest", "--name", "hotline")
    assert re.fullmatch(r"hy_\S{43}\n", done.stdout), done.stderr
    key = done.stdout.strip()
    send = functools.partial(
        httpx.post,
        f"{world.url('')}/ingest/v1/reports",
        json=stack.report("水管爆裂", "town-west"),
        headers=bearer(key),
    )
    assert send().status_code == 201
    refused = world.run("keys", "create", "--unit", "nowhere", "--scope", "ingest")
    assert refused.returncode == 2
    assert "no unit has the code 'nowhere'" in refused.stderr
    (row,) = (line.split("\t") for line in world.run("keys", "list").stdout.splitlines() if "\thotline\t" in line)
    assert (row[1], row[3], row[5]) == ("town-west", "ingest", "-")
    assert key not in "".join(row)
    assert f"huiying keys revoke {row[0]}" in done.stderr
    assert world.run("keys", "revoke", row[0]).stdout == f"{row[0]} was revoked\n"
    assert send().status_code == 401
    listed = world.run("keys", "list").stdout
    assert re.search(rf"^{row[0]}\t.*\t20\S+Z\t20\S+Z$", listed, re.MULTILINE), listed
    unknown = world.run("keys", "revoke", "key-00000000-0000-4000-8000-00000000000c")
    assert unknown.returncode == 2
    assert "huiying keys list" in unknown.stderr


def test_a_key_is_made_without_a_server(tmp_path: Path) -> None:
    done = huiying("keys", "create", "--unit", "county", "--scope", "ingest", data=tmp_path)
    assert re.fullmatch(r"hy_\S{43}\n", done.stdout), done.stderr
    for name in ("secret", "signing-key.pem"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    arguments = ("users", "token", "--unit", "county", "--role", "chief", "--person", "p")
    first, again = (huiying(*arguments, data=tmp_path).stdout.strip() for _ in range(2))
    assert re.fullmatch(r"\S+\.\S+\.\S+", first), first
    assert first != again
    before = json.loads((tmp_path / "token-keys.json").read_text())
    rotated = huiying("users", "rotate", data=tmp_path)
    former, fresh = json.loads(rotated.stdout)["keys"]
    assert before["keys"] == [former]
    assert huiying("users", "rotate", "--if-none", data=tmp_path).stdout.strip() == rotated.stdout.strip()
    assert json.loads(huiying("users", "drop", former["kid"], data=tmp_path).stdout)["keys"] == [fresh]
    assert huiying("check", data=tmp_path).returncode == 0
    assert huiying("replay", data=tmp_path).returncode == 0


def test_the_check_counts_and_finds(world: EmbeddedWorld) -> None:
    done = world.run("check")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^audited +\d", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("clean\n")
    done = world.run("status", "--json")
    told = json.loads(done.stdout)
    assert {one["ready"] for one in told} == {True} and done.returncode == 1, done.stdout
    (sentence,) = [sentence for one in told for sentence in one["todo"]]
    assert sentence.startswith("nobody watches over backups"), "all else is well"
    plant(world, "00000000-0000-4000-8000-00000000000c")
    done = world.run("check", "--wait", "2")
    assert done.returncode == 1
    assert "fault: triage: ingest.report/0@1000000000 is a dead letter" in done.stdout
    done = world.run("status")
    assert done.returncode == 1 and "\n2 things to look into" in done.stdout, done.stdout + done.stderr
    assert "  ! `huiying redrive --list --service triage` says why" in done.stdout
    assert (
        world.run(
            "redrive", "00000000-0000-4000-8000-00000000000c", "--service", "triage", "--reason", "test", "--discard"
        ).returncode
        == 0
    )


def test_what_lies_among_the_dead_letters_is_listed_tried_again_and_discarded(world: EmbeddedWorld) -> None:
    id_ = "00000000-0000-4000-8000-00000000000d"
    plant(world, id_)
    listed = world.run("redrive", "--list")
    assert listed.stdout.split("\t")[:4] == ["triage", id_, "undecodable", "ingest.report"]
    for name, wrong in (("--cause", "undecodeable"), ("--type", "report.recieved"), ("--stream", "report-1")):
        for doing in (["--list"], ["--reason", "a typing error", "--discard"]):
            done = world.run("redrive", name, wrong, *doing)
            assert (done.returncode, done.stdout) == (2, ""), done.stderr
            assert f"{wrong!r}; " in done.stderr
    assert world.run("redrive", "--list", "--cause", "fork", "--type", "report.received").stdout == ""
    again = world.run("redrive", id_, "--service", "triage", "--reason", "looked at it")
    assert again.returncode == 2
    assert "fails as before" in again.stderr
    assert world.run("redrive", id_, "--service", "triage", "--reason", "looked at it", "--discard").returncode == 0
    assert world.run("redrive", "--list").stdout == ""
    assert "was discarded already" in world.run("redrive", id_, "--service", "triage", "--reason", "again").stderr
    until(lambda: world.events(type="operation.discarded"), "audit has the operator's act")


def test_many_dead_letters_are_settled_by_one_command(world: EmbeddedWorld) -> None:
    report = world.post("井盖松动").json()["report_id"]
    world.incident(report)
    with closing(sqlite3.connect(world.folder / "data" / "ingest.sqlite", timeout=30)) as database:
        ((bytes_,),) = database.execute("select bytes from events where stream_id = ?", [report])
    whole, broken = ([str(uuid.uuid4()) for _ in range(count)] for count in (220, 3))
    plant(world, *whole, event=Event.parse(bytes_))
    plant(world, *broken)
    for filters, count in {
        (): 223,
        ("--cause", "undecodable"): 3,
        ("--stream", report): 220,
        ("--type", "report.received"): 220,
        ("--type", "huiying.report.received.v1", "--service", "triage"): 220,
        ("--type", "report.erased"): 0,
        ("--service", "publish"): 0,
    }.items():
        assert len(world.run("redrive", "--list", *filters).stdout.splitlines()) == count, filters
    began = time.monotonic()
    done = world.run("redrive", "--all", "--reason", "the defect is mended", "--json")
    assert time.monotonic() - began < 30
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    assert sorted(said["redriven"]) == sorted(whole)
    assert {row["id"] for row in said["failed"]} == set(broken)
    assert all("fails as before" in row["error"] for row in said["failed"])
    assert "220 records were redriven; 3 fail as before" in done.stderr
    done = world.run("redrive", "--cause", "undecodable", "--discard", "--reason", "a forger wrote them")
    assert (done.returncode, done.stdout) == (0, "3 records were discarded\n"), done.stderr
    assert world.run("redrive", "--list", "--json").stdout == "[]\n"
    until(lambda: len(world.events(type="operation.redriven")) >= 220, "each is an event")
    world.check()


def test_events_are_sent_again_and_change_nothing(world: EmbeddedWorld) -> None:
    world.incident(world.post("路灯不亮").json()["report_id"])
    world.check()
    (incident, *_) = world.events(type="incident.opened")
    before = {event["id"] for event in world.events()}
    done = world.run("resend", "--stream", incident["subject"])
    assert re.fullmatch(r"triage: \d+ events to be sent again\n", done.stdout), done.stderr
    assert world.run("resend", "--stream", incident["data"]["number"]).stdout == done.stdout
    assert len(world.run("resend", "--all").stdout.splitlines()) == 5
    world.check()
    after = [event["id"] for event in world.events()]
    assert len(after) == len(set(after))
    assert before <= set(after)
    unknown = world.run("resend", "--stream", "incident-00000000-0000-4000-8000-000000000000")
    assert unknown.returncode == 2
    assert "owns no stream" in unknown.stderr
    number = "town-east-2026-99999"
    for command in (["resend"], ["redrive", "--list"], ["recover", "--service", "triage", "--reason", "lost"]):
        done = world.run(*command, "--stream", number)
        assert (done.returncode, number in done.stderr) == (2, True), done.stderr
    nothing = world.run("recover", "--service", "triage", "--reason", "lost", "--stream", incident["data"]["number"])
    assert (nothing.returncode, incident["subject"] in nothing.stderr) == (2, True), nothing.stderr


def test_a_consumer_is_set_back_when_nobody_runs(tmp_path: Path) -> None:
    with stack.embedded(tmp_path) as world:
        world.incident(world.post("道路积水").json()["report_id"])
        refused = world.run("resend", "triage", "--rewind", "ingest.report")
        assert refused.returncode == 2
        assert "stop it before" in refused.stderr
        world.end("up")
        wrong = world.run("resend", "triage", "--rewind", "publish.statement.no")
        assert wrong.returncode == 2
        assert "does not read" in wrong.stderr
        done = world.run("resend", "triage", "--rewind", "huiying.ingest.report")
        assert done.stdout == "triage goes back to the beginning of huiying.ingest.report in 1 partitions\n", (
            done.stderr
        )
        world.start("up")
        world.ready("up")
        assert len(world.events(type="incident.opened")) == 1
        world.check()


def test_an_export_can_be_verified_and_shows_what_was_altered(world: EmbeddedWorld, tmp_path: Path) -> None:
    (incident, *_) = until(lambda: world.events(type="incident.opened"), "audit has the incident")
    world.verb(incident["subject"], "grade", {"level": "general", "reason": "一处"}, "duty_officer")
    until(lambda: world.events(type="incident.graded"), "audit has the grading")
    matter, record = tmp_path / "matter.ndjson", tmp_path / "record.ndjson"

    def exported() -> str:
        done = world.run("export", "--incident", incident["subject"], "--to", str(matter))
        assert done.returncode == 0, done.stderr
        return matter.read_text() if b"incident.graded" in matter.read_bytes() else ""

    lines = until(exported, "a checkpoint covers the grading").splitlines(keepends=True)
    done = world.run("export", "--to", str(record))
    assert f"SHA-256 {hashlib.sha256(record.read_bytes()).hexdigest()}" in done.stdout
    with world.client("audit") as client:
        keys = client.get("/audit/v1/log/keys").json()["keys"]
    (key,) = [one["vkey"] for one in keys if one["use"] == "log"]
    for kind, file in (("matter", matter), ("record", record)):
        good = world.run("verify", kind, str(file), "--key", key)
        assert good.returncode == 0, good.stdout
        assert good.stdout.startswith("proven: ")
    graded = next(line for line in lines if "incident.graded" in line)
    position = json.loads(graded)["index"]
    matter.write_text("".join(lines).replace(graded, graded.replace("general", "extraordinary")))
    bad = world.run("verify", "matter", str(matter), "--key", key)
    assert bad.returncode == 1
    assert bad.stdout.startswith(f"not proven: position {position}: ")
    record.write_bytes(record.read_bytes().replace(b'"level":"general"', b'"level":"extraordinary"'))
    bad = world.run("verify", "record", str(record), "--key", key)
    assert (bad.returncode, bad.stdout.startswith(f"not proven: position {position}: ")) == (1, True)


def test_a_pack_is_loaded_put_in_force_and_completed_and_the_lists_tell_of_the_record(
    world: EmbeddedWorld, tmp_path: Path
) -> None:
    text = (ROOT / "policies" / "company-000.yaml").read_text("utf-8").replace("\nversion: 1\n", "\nversion: 2\n", 1)
    file = tmp_path / "company.yaml"
    file.write_text(text, "utf-8")
    assert "company-000@2#" not in world.run("policy", "list").stdout
    loaded = world.run("policy", "load", str(file))
    assert loaded.stdout.startswith("company-000@2#")
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("id: company-000", "id: other").replace("leading_group", "boss"), "utf-8")
    remark = "no post or body of the directory is 'boss' or serves it, so nobody could act"
    assert remark in world.run("policy", "check", str(other)).stderr
    assert world.run("policy", "load", str(other)).returncode == 0
    done = world.run("policy", "assign", "other@2", "--unit", "county-education")
    assert (done.returncode, "county-education: " in done.stderr and remark in done.stderr) == (0, True), done.stderr
    file.unlink()
    assert "\ncompany-000@2#" in world.run("policy", "list").stdout
    assert world.run("policy", "show", "company-000").stdout.startswith("company-000@2#")
    assert world.run("policy", "show", "company-000@1").stdout.startswith("company-000@1#")
    later = "2035-01-01T00:00:00+08:00"
    done = world.run("policy", "assign", "company-000@2", "--unit", "county-water", "--since", later)
    assert (done.returncode, done.stdout) == (0, f"county-water works by company-000@2 from {later} on\n"), done.stderr
    (place,) = open_places(load_pack(ROOT / "policies" / "county-default.yaml").model)
    limit = json.dumps({"mode": "working_days", "days": 10})
    what = ("policy", "set-value", "county-default@2", place, limit, "--unit", "county-water", "--reason", "局务会决定")
    done = world.run(*what, "--since", later)
    assert (done.returncode, done.stdout[-30:]) == (0, f"from {later} on\n"[-30:]), done.stderr
    # No value begins before it is set.
    assert world.run(*what, "--since", "2020-01-01T00:00:00+08:00").stdout.endswith(" from now on\n")
    facts = tmp_path / "facts.json"
    facts.write_text('{"discovered_at": "2026-03-02T09:00:00+08:00", "unit": {"code": "town-east", "kind": "town"}}')
    assert '"pack": "company-000@2"' in world.run("policy", "evaluate", "company-000@2", str(facts)).stdout
    assert world.run("policy", "dry-run", "company-000@2", "--since", later).stdout.startswith("0 matters since")
    assert place in world.run("policy", "set-value", "county-default@2", "clocks.nothing", *what[4:]).stderr


def test_policies_are_listed_shown_and_checked(idle: EmbeddedWorld, tmp_path: Path) -> None:
    assert "\ncounty-default@2#" in idle.run("policy", "list").stdout
    shown = idle.run("policy", "show", "county-default").stdout
    assert re.search(r"public_statement .*\[reading\] 000 L18", shown)
    assert idle.run("policy", "check", str(ROOT / "policies" / "county-default.yaml")).returncode == 0
    broken = tmp_path / "broken.yaml"
    broken.write_text("id: x\nversion: 1\n")
    done = idle.run("policy", "check", str(broken))
    assert done.returncode == 1
    assert "title: is missing; add it" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_ends_in_order_when_it_is_asked_to(tmp_path: Path, number: signal.Signals) -> None:
    with stack.embedded(tmp_path) as world:
        assert world.kill("up", number) == 0
        assert not (tmp_path / "data" / "address").exists()
        assert "Traceback" not in world.logs()


def test_a_setting_that_is_wrong_is_told_by_its_name(tmp_path: Path) -> None:
    done = huiying("check", data=tmp_path, HUIYING_PROXIES="*", HUIYING_PUBLIC_URL="county.example")
    assert done.returncode == 2
    assert "HUIYING_PROXIES: '*' is no address and no network; write 10.0.0.2 or 10.0.0.0/24" in done.stderr
    assert "HUIYING_PUBLIC_URL: 'county.example' is no web address; write one such as https://" in done.stderr
    assert "validation error" not in done.stderr


def test_no_broker_and_no_migration_tool_is_loaded_where_none_is_needed(world: EmbeddedWorld) -> None:
    """Cold start and memory: an existing folder is served without Faust, aiokafka and Alembic."""
    code = (
        "import asyncio, sys\n"
        "from services.apps import embedded\n"
        "from services.kernel.settings import Settings\n"
        "async def main():\n"
        "    async with embedded.running(Settings()): pass\n"
        "asyncio.run(main())\n"
        "print([name for name in ('faust', 'aiokafka', 'alembic', 'services.apps.cli') if name in sys.modules])\n"
    )
    folder = world.folder / "second"
    folder.mkdir()
    for _ in range(2):
        environment = {**world.environment, "HUIYING_DATA": str(folder)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_repairs_and_proofs_over_kafka_and_postgresql(tmp_path: Path) -> None:
    database = substrate.new_databases("cli")
    try:
        with stack.deployed(tmp_path, database) as world:
            _repair_and_prove(world)
    finally:
        substrate.drop_databases(database)


def _repair_and_prove(world: DeployedWorld) -> None:
    incident = world.incident(world.post("卫生院门前路灯不亮").json()["report_id"])
    world.check()
    assert len(world.run("resend", "--all").stdout.splitlines()) == 5
    world.end("triage.consumer")
    back = world.run("resend", "triage", "--rewind", "ingest.report")
    assert back.stdout.startswith("triage goes back"), back.stderr
    world.start("triage.consumer")
    world.incident(world.post("道路积水").json()["report_id"])
    world.check()
    replayed = world.run("replay")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert world.run("redrive", "--list").returncode == 0
    copied = world.run("backup", "--to", str(world.folder / "copy"))
    assert copied.returncode == 0, copied.stderr
    refused = world.run("restore", "--from", str(world.folder / "copy"), "--service", "triage")
    assert refused.returncode == 2
    assert "triage is running" in refused.stderr
    for part in ("api", "consumer"):
        world.end(f"triage.{part}")
    done = world.run("restore", "--from", str(world.folder / "copy"), "--service", "triage")
    assert done.stdout.startswith("restored triage.dump\nthe backup was made at "), done.stderr
    for part in ("api", "consumer"):
        world.start(f"triage.{part}")
    world.ready("triage.api")
    assert (
        world.verb(incident["id"], "grade", {"level": "general", "reason": "一处"}, "duty_officer").status_code == 200
    )
    world.check()


def example() -> str:
    """The bash of the README's example."""
    (found,) = re.findall(r"^```bash\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


def pasted(tmp_path: Path, script: str) -> tuple[int, str]:
    """The output of bash for the script, with this checkout's `huiying`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "huiying").write_text(f'#!/bin/sh\nexec {sys.executable} -m services.apps.cli "$@"\n')
    (folder / "huiying").chmod(0o755)
    script = script.replace("$PWD/.venv/bin", str(folder)).replace("8400", str(stack.free_port()))
    with (tmp_path / "out").open("w+") as out:
        bash = subprocess.Popen(["bash", "-c", script], cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
        try:
            code = bash.wait(110)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(bash.pid, signal.SIGKILL)
        out.seek(0)
        return code, out.read()


def test_the_readmes_example_works_when_pasted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    code, said = pasted(tmp_path, f"{example()}\necho code=$? port=$PORT data=$HUIYING_DATA jobs=$(jobs | wc -l)")
    assert code == 0, said
    assert "\nclean\n" in said
    assert "published a statement (facts, " in said
    assert json.dumps("huiying.incident.graded.v1") in said
    assert said.rstrip().endswith("code=0 port= data= jobs=0")


def test_the_readmes_example_stops_at_a_refusal_and_shows_it(tmp_path: Path) -> None:
    code, said = pasted(tmp_path, example().replace('"level": "general"', '"level": "generally"'))
    assert code != 0
    assert "urn:huiying:problem:level-unknown" in said
    assert "huiying.incident.graded.v1" not in said


def test_both_readmes_show_the_same_example() -> None:
    chinese = (ROOT / "README.zh.md").read_text().replace("lang=zh", "lang=en")
    commands = [line for line in example().splitlines() if line and not line.startswith("#")]
    assert all(line.partition(" # ")[0] in chinese for line in commands)
