"""The commands of `docs/integrate.md`, run as they stand."""

import asyncio
import os
import re
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/integrate.md").read_text()
COMMANDS = {
    section.partition("\n")[0]: "\n".join(blocks)
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    if (blocks := re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
}
"""Section -> its commands, one after the other."""
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


async def run(section: str, address: str, key: str, folder: Path | None = None, **more: str) -> str:
    """What the commands of a section print against a system, in a folder; `more` are further variables.

    Raises `AssertionError` if one fails.
    """
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", COMMANDS[section]),
        env={"PATH": PATH, "no_proxy": "*", "HUIYING": address, "KEY": key, **more},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    return said
