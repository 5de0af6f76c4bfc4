"""A post that ended, or lost its role, does nothing more.

The console knows the offices of some seconds ago. The services know those of now, and judge by them.
"""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from services.apps.embedded import running
from services.kernel.serving import sign_in
from services.kernel.settings import ROOT, Settings
from tests.console.browser import HOME
from tests.console.conftest import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")
POSTS = """
  - {unit: town-east, post: relief, title: 替班员, roles: [duty_officer], until: "2035-01-01T00:00:00+08:00"}
  - {unit: town-west, post: relief, title: 替班员, roles: [duty_officer]}
  - {unit: town-west, post: relief, title: 替班员, roles: [handler], since: "2035-01-01T00:00:00+08:00"}

packs:"""
"""Two posts for a while: one ends, the other one goes on with another role."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def short(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A system that stands shortly before 2035. It asks for the owner of a token each time."""
    folder = tmp_path_factory.mktemp("ended")
    shutil.copytree(ROOT / "policies", folder / "policies")
    units = folder / "policies" / "units.yaml"
    units.write_text(units.read_text().replace("\npacks:", POSTS))
    (clock := folder / "clock").write_text("2034-12-31T12:00:00+08:00")
    settings = Settings(data=folder / "data", policies=folder / "policies", clock=clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sign_in, "FRESH", 0.0)
        async with running(settings) as system:
            town = Town(system)
            try:
                yield town
            finally:
                for browser in town.browsers:
                    await browser.client.aclose()


@pytest.mark.requirement("MUL-06")
@pytest.mark.parametrize(("unit", "status"), [("town-east", 401), ("town-west", 403)])
async def test_what_was_open_in_a_session_when_a_post_ended_is_refused(short: Town, unit: str, status: int) -> None:
    browser = await short.at(f"relief@{unit}")
    matter = await short.reported(browser, f"井盖缺失 {unit}", place="幸福里")
    await short.system.settle()
    action = matter.path.removeprefix(HOME) + "/triage/assign"
    form = await browser.open(action)
    assert form.status == 200
    short.system.time_source.move(timedelta(hours=24))
    try:
        answer = await browser.send(form, action, unit="county-roads", reason="归口交通")
        assert answer.status == status, answer.said
        assert ("井盖缺失" in (await browser.open("/board")).said) == (status == 403)
    finally:
        short.system.time_source.move(-timedelta(hours=24))
    read = await browser.open(matter.path.removeprefix(HOME))
    assert "井盖缺失" in read.said and "县交通运输局" not in read.said
