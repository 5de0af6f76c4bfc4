"""How long an archive is kept: by the pack, stated in the archive, its seal and the list; nothing goes by itself."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import triage
from schemas.envelope import Event
from schemas.pack.office import Archive
from services.audit.archive.retention import Kept, kept
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.sealed import archive
from tests.audit.test_archive import REASONS, consulted, ended, post, signed, trust, words
from tests.audit.world import World
from tests.kit import spec

pytestmark = pytest.mark.requirement("AUD-02")
OURS = {"kind": "derived", "reason": "r"}


def keeping(years: object) -> LoadedPack:
    """The pack of the county, with years."""
    offices = spec.offices()
    pack = offices.packs[offices.assigned["city"]]
    assert pack.model.archive is not None
    told = {**pack.model.archive.model_dump(mode="json", exclude_none=True), "kept": {"value": years, "source": OURS}}
    return replace(pack, model=pack.model.model_copy(update={"archive": Archive.model_validate(told)}))


def closed(*at: datetime) -> list[Event]:
    fact = triage.IncidentClosed(reason=words("办结"))
    return spec.events("incident", [spec.At(fact, one) for one in at])


def test_years_begin_with_the_last_end_in_the_zone_of_the_pack() -> None:
    first, last = datetime(2026, 3, 2, tzinfo=UTC), datetime(2028, 2, 28, 20, tzinfo=UTC)
    thirty, for_ever = keeping(30), keeping("permanent")
    assert kept(closed(first, last), thirty) == Kept("2058-03-01", thirty.ref), "29 February in Shanghai"
    assert kept(closed(first), thirty) == Kept("2056-03-02", thirty.ref)
    assert kept(closed(first), for_ever) == Kept(None, for_ever.ref)
    assert kept([], thirty) is None and kept(closed(first), None) is None


@pytest.mark.parametrize(
    ("years", "page", "info"),
    [
        (10, "至 2036-03-02（依据 county-default@2", "2036-03-02 (archive.kept of county-default@2)"),
        (None, "没有规定", ""),
    ],
)
async def test_an_archive_says_until_when_it_is_kept_and_by_which_rule(
    world: World, years: int | None, page: str, info: str
) -> None:
    pack, known = keeping(years) if years else None, world.runtime.offices

    async def offices(connection: AsyncConnection, **more: bool) -> Offices:
        found = await known(connection, **more)
        return replace(found, packs={pack.ref: pack}) if pack else found

    world.runtime.offices = offices  # type: ignore[method-assign]
    incident = await ended(world, closes=False)
    closing = triage.IncidentClosed(reason=words("办结"))
    about = {"incident": incident, "unit": "town-east", "policy": pack.ref if pack else None}
    await world.send(world.event("triage", incident, closing, **about))
    await world.take()
    await signed(world)
    answer = await post(world, f"incidents/{incident}/archive", {"reasons": REASONS})
    assert answer.status_code == 201, answer.text
    until = ("2036-03-02", pack.ref) if pack else (None, None)
    (listed,) = (await world.get(f"incidents/{incident}/archives"))["items"]
    assert (answer.json()["kept_until"], answer.json()["kept_by"]) == until
    assert (listed["kept_until"], listed["kept_by"]) == until
    await signed(world)
    world.now = world.now.replace(year=2040)
    raw = (await consulted(world, incident, 200)).content
    archive.verify(io.BytesIO(raw), await trust(world))
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        told = {name.partition("/")[2]: file.read(name).decode() for name in file.namelist() if ".txt" in name}
    assert f"保存期限：{page if pack else '规则包没有规定'}" in told["data/index.txt"]
    assert ("Kept-Until: " + info in told["bag-info.txt"]) if info else "Kept-Until" not in told["bag-info.txt"]
