"""The commands of pages of `docs`, run as they stand."""

import asyncio
import os
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def commands(page: str) -> dict[str, str]:
    """Section -> its commands, one after the other."""
    return {
        section.partition("\n")[0]: "\n".join(blocks)
        for section in re.split(r"^## ", (DOCS / page).read_text(), flags=re.MULTILINE)[1:]
        if (blocks := re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
    }


COMMANDS = commands("integrate.md")


async def run(section: str, address: str, key: str, folder: Path | None = None, **more: str) -> str:
    """What the commands of a section of `docs/integrate.md` print against a system, in a folder.

    `more` are further variables. Raises `AssertionError` if one fails.
    """
    return await execute(COMMANDS[section], folder, no_proxy="*", HUIYING=address, KEY=key, **more)


async def execute(script: str, folder: Path | None = None, **environment: str) -> str:
    """What commands print in a folder. Raises `AssertionError` if one fails."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        env={"PATH": PATH, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    return said
