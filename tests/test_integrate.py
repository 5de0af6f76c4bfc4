"""The commands of `docs/integrate.md` against the whole system. Those of Open311 are followed further in
`test_open311.py`.
"""

import socket
from pathlib import Path

import orjson

from services.apps import up
from services.apps.embedded import running
from services.kernel.settings import Settings
from tests.kit import integrate


async def test_each_event_of_the_page_gets_a_receipt(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path)) as system:
        async with system.client(system.token("city", "admin")) as client:
            made = await client.post("/ingest/v1/keys", json={"unit": "town-east", "name": "hotline"})
        with socket.create_server(("127.0.0.1", 0)) as on:
            async with up.served(system, on) as address:
                said = await integrate.run("CloudEvents", address, made.json()["key"])
                files = await integrate.run("Files", address, made.json()["key"], tmp_path)
    ended = [orjson.loads(line)["ended"] for line in files.splitlines() if line.startswith('{"ended"')]
    assert [(one["state"], one["received"], one["refused"]) for one in ended] == [("done", 1, 1)] * 2 + [("done", 1, 0)]
    assert "1 rows, 0 received, 1 repeated, 0 refused" in files, "the command line sent the same file again"
    answers = answers_in(said)
    assert len(answers) == integrate.COMMANDS["CloudEvents"].count("curl ") == 3
    assert all("receipt" in answer for answer in answers)


def answers_in(said: str) -> list[dict[str, object]]:
    """The answers: curl writes no end of line after one."""
    return [orjson.loads(line) for line in said.replace("}{", "}\n{").splitlines()]


def test_every_section_is_run_and_holds_no_key() -> None:
    assert set(integrate.COMMANDS) == {"CloudEvents", "Files", "Open311"}, "a section is run by a test"
    assert integrate.PAGE.count("```") == 2 * integrate.PAGE.count("```sh"), "a block of another kind is not run"
    assert not any("hy_" in commands for commands in integrate.COMMANDS.values())
