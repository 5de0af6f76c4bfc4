"""The keys of the bulletin on the command line."""

import asyncio
import json
from pathlib import Path

import pytest

from services.apps import cli, embedded
from services.kernel.settings import Settings


def typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code, and what was printed since."""
    capsys.readouterr()
    code = cli.execute(arguments)
    return code, capsys.readouterr().out


def test_keys_are_listed_rotated_and_revoked_in_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(tmp_path)]

    async def known() -> dict[str, list[str]]:
        async with embedded.running(Settings(data=tmp_path)) as system, system.client() as client:
            told = (await client.get("/.well-known/huiying.json")).json()
            return {name: [one["kid"] for one in told[name]] for name in ("keys", "revoked")}

    (first,) = asyncio.run(known())["keys"]
    second = typed(capsys, "keys", "bulletin", "rotate", *data)[1].strip()
    listed = json.loads(typed(capsys, "keys", "bulletin", "list", "--json", *data)[1])
    assert [one["kid"] for one in listed] == [first, second]
    code, said = typed(capsys, "keys", "bulletin", "revoke", first, "--reason", "lost", *data)
    assert (code, said) == (0, f"{first} was revoked\n")
    assert asyncio.run(known()) == {"keys": [second], "revoked": [first]}
    assert cli.execute(["keys", "bulletin", "revoke", "0" * 64, "--reason", "lost", *data]) == 2
    assert "there is no key" in capsys.readouterr().err
    assert cli.execute(["check", *data]) == 0
    assert cli.execute(["replay", *data]) == 0


def test_keys_of_posts_are_made_listed_rotated_and_revoked_in_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path)]

    async def begin() -> None:
        async with embedded.running(Settings(data=tmp_path)):
            pass

    asyncio.run(begin())
    keys = ("keys", "post")
    first = typed(capsys, *keys, "create", "--post", "chief@county", *data)[1].strip()
    assert typed(capsys, *keys, "create", "--post", "chief@county", *data) == (0, f"{first}\n")
    second = typed(capsys, *keys, "rotate", "--post", "chief@county", *data)[1].strip()
    of_city = typed(capsys, *keys, "create", "--post", "chief@city", *data)[1].strip()
    listed = json.loads(typed(capsys, *keys, "list", "--post", "chief@county", "--json", *data)[1])
    assert [(one["kid"], one["signs"]) for one in listed] == [(first, False), (second, True)]
    revoke = (*keys, "revoke", second, "--reason", "lost", *data)
    assert cli.execute([*revoke, "--post", "chief@city"]) == 2
    assert typed(capsys, *revoke, "--post", "chief@county") == (0, f"{second} was revoked\n")
    listed = json.loads(typed(capsys, *keys, "list", "--json", *data)[1])
    assert {one["kid"]: one["revoked_at"] is not None for one in listed} == {first: False, second: True, of_city: False}
    assert cli.execute([*keys, "create", "--post", "nobody@county", *data]) == 2
    assert cli.execute(["check", *data]) == 0
    assert cli.execute(["replay", *data]) == 0
