"""One world for each substrate, for all scenarios. Its time stands still until a scenario moves it."""

import shutil
from collections.abc import Iterator

import pytest

from services.kernel.settings import ROOT
from tests.kit import stack, substrate
from tests.kit.stack import World

SCHOOL = "\n  - {unit: school, kind: department, name: 东镇中学, parent: town-east}\n\n# A post without"
BEGINS = "2026-01-02T09:00:00+08:00"


@pytest.fixture(
    scope="module", params=["embedded", pytest.param("deployed", marks=[pytest.mark.kafka, pytest.mark.postgres])]
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A county with a school under a town. All packs of the folder are in its record."""
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copytree(ROOT / "policies", folder / "policies")
    units = folder / "policies" / "units.yaml"
    units.write_text(units.read_text().replace("\n\n# A post without", SCHOOL, 1))
    (folder / "clock").write_text(BEGINS)
    settings = {"HUIYING_POLICIES": str(folder / "policies")}
    if request.param == "embedded":
        with stack.embedded(folder, **settings) as made:
            yield made
        return
    database = substrate.new_databases("scenarios")
    try:
        with stack.deployed(folder, database, **settings) as deployed:
            yield deployed
    finally:
        substrate.drop_databases(database)
