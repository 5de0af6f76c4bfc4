"""The log as Go's own library sees it: the note, the tree, every record, and every proof of consistency."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn

from services.audit.views import TIMELINE
from services.kernel.serving import http
from tests.audit.log.test_growing import reports
from tests.audit.log.test_log_api import keys
from tests.audit.log.test_signing import signed
from tests.audit.world import World
from tests.kit import access

pytestmark = pytest.mark.go
PROGRAM = Path(__file__).parent / "verifier"


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built outside of the checkout."""
    import subprocess

    go = shutil.which("go") or "/usr/local/go/bin/go"
    made = tmp_path_factory.mktemp("verifier") / "verifier"
    subprocess.run([go, "build", "-o", made, "."], cwd=PROGRAM, check=True)
    return made


@pytest_asyncio.fixture
async def address(world: World) -> AsyncIterator[str]:
    """Where audit serves its log."""
    app = http.application([world.runtime], title="audit", keys=access.PUBLIC)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/audit/v1/log"
    server.should_exit = True
    await serving


async def checked(verifier: Path, world: World, address: str) -> tuple[int | None, str]:
    """What the program says."""
    (key,) = await keys(world)
    token = access.bearer("city", "auditor")["Authorization"].removeprefix("Bearer ")
    run = await asyncio.create_subprocess_exec(
        verifier, address, key.vkey, token, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await run.communicate()
    return run.returncode, said.decode()


async def test_go_proves_every_record_of_the_log(verifier: Path, world: World, address: str) -> None:
    await reports(world, 700)
    await world.take()
    head = await signed(world)
    assert head is not None and head.size > 512
    code, said = await checked(verifier, world, address)
    assert (code, said.split()[0], said.split()[-2:]) == (0, "ok", [str(head.size)] * 2), said


async def test_go_finds_a_record_that_was_altered_after_it_was_signed(
    verifier: Path, world: World, address: str
) -> None:
    await reports(world, 300)
    await world.take()
    await signed(world)
    async with world.runtime.database.transaction() as connection:
        row = (await connection.execute(TIMELINE.select().where(TIMELINE.c.position == 100))).one()
        changed = TIMELINE.update().where(TIMELINE.c.position == 100)
        await connection.execute(changed.values(bytes=row.bytes.replace(b"town-east", b"town-west")))
    code, said = await checked(verifier, world, address)
    assert code != 0 and "invalid transparency proof" in said, said
