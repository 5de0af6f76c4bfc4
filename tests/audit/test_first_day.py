"""The record of the first 24 hours of a sudden event: which matters have one, and what it shows."""

import hashlib
import io
import re
import zipfile
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from schemas import triage
from schemas.fields import Fact, instant
from schemas.ingest import ReportErased, ReportEvidenceAttached, ReportReceived
from services.audit.archive.first_day import sudden
from services.kernel.sealed import archive
from services.kernel.sealed.first_day import Told
from tests.audit.matter import PACK
from tests.audit.test_archive import consulted, post, say, signed, trust, words
from tests.audit.test_findings import with_packs
from tests.audit.world import START, World, id_of
from tests.kit import spec

pytestmark = pytest.mark.requirement("AUD-01")
PICTURE, SOUND, LOST = "c" * 48, "d" * 48, "e" * 48


def attached(token: str, kind: str) -> ReportEvidenceAttached:
    return ReportEvidenceAttached(
        file=token, media_type=kind, size=1, sha256=hashlib.sha256(token.encode()).hexdigest()
    )


async def flood(world: World, *further: Fact) -> str:
    """A matter with words, a picture, a sound that was altered, one that is away, and words that were erased."""
    incident, report = id_of("incident", "flood"), id_of("report", "flood")
    known = START - timedelta(minutes=20)
    received = ReportReceived(
        unit="town-east", channel="board", discovered_at=known, subject=words("水"), text=words("满"), receipt="1" * 64
    )
    for fact in (
        received,
        attached(PICTURE, "image/png"),
        attached(SOUND, "audio/mpeg"),
        attached(LOST, "video/mp4"),
        ReportErased(refs=(words("满").ref,), reason=words("依法"), cause="law"),
    ):
        await world.send(world.event("ingest", report, fact, unit="town-east", incident=incident))
    opened = triage.IncidentOpened(unit="town-east", report=report, discovered_at=known)
    about = {"incident": incident, "unit": "town-east", "policy": PACK}
    for fact in (opened, *further):
        await world.send(world.event("triage", incident, fact, **about))
    seen = world.now
    world.now += timedelta(hours=3)
    note = triage.IncidentHandlingRecorded(track="problem", text=words("抽水"))
    await world.send(world.event("triage", incident, note, time=seen, **about))
    closed, again = triage.IncidentClosed(reason=words("办结")), triage.IncidentReopened(reason=words("又来"))
    for fact, hours in ((closed, 2), (again, 2), (closed, 0)):
        await world.send(world.event("triage", incident, fact, **about))
        world.now += timedelta(hours=hours)
    await say(world, "水", "依法", "抽水", "办结", "又来", "升")
    folder = world.settings.data / "evidence"
    folder.mkdir(exist_ok=True)
    (folder / PICTURE).write_text(PICTURE)
    (folder / SOUND).write_text("another sound")
    await world.take()
    await signed(world)
    with_packs(world)
    lacking = (await world.get(f"incidents/{incident}/archives"))["lacking"]
    answer = await post(world, f"incidents/{incident}/archive", {"reasons": dict.fromkeys(lacking, "无")})
    assert answer.status_code == 201, answer.text
    await signed(world)
    return incident


async def test_the_first_day_of_a_sudden_event(world: World) -> None:
    incident = await flood(
        world, triage.IncidentFlagSet(flag="sudden"), triage.IncidentFlagCleared(flag="sudden", reason=words("升"))
    )
    raw = (await consulted(world, incident, 200)).content
    held = archive.verify(io.BytesIO(raw), await trust(world))
    assert held.day is not None
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        told = {name.partition("/data/")[2]: file.read(name) for name in file.namelist() if "/words/" not in name}
    rows = [orjson.loads(row) for row in told["first_day.ndjson"].splitlines()]
    assert rows[0]["since"] == instant(START - timedelta(minutes=20)), "the day begins when it was discovered"
    assert rows[0]["by"] == {"pack": "county-default@2", "flag": "sudden"}, "also if the flag was taken off again"
    lacks = {row["lacks"]: row for row in rows if "lacks" in row}
    assert [row["why"] for row in lacks.values()] == ["erased", "altered", "not_here"]
    erased = lacks[f"data/words/{words('满').ref}.txt"]
    assert (erased["cause"], erased["reason"]) == ("law", f"data/words/{words('依法').ref}.txt")
    empty = [(row["hour"], row["empty"]) for row in rows if "empty" in row]
    holes = [(hour, "nothing_recorded") for hour in (2, 3, 7)]
    assert empty == sorted([*holes, *((hour, "ended") for hour in (5, *range(9, 25)))]), "it was open in between"
    assert held.day == Told(rows[0]["since"], events=12, empty=3, lacking=3)
    page = told["first_day.html"].decode()
    assert page.count("<strong>没有记录</strong>") == 3
    assert page.count("<strong>事项当时已经办结，没有应办的</strong>") == 17
    assert "标记“突发”" in page and "<dt>声音</dt><dd>无</dd>" in page and "<dt>图像</dt><dd>1 件</dd>" in page
    for why in ("已经删除（依法）", "与记录的摘要不符", "不在督查能读的文件夹里"):
        assert len(re.findall(f"<strong>缺：[^<]*{why}", page)) == 1, why
    assert page.count("（登记于 ") == 1, "what was entered hours later says so"
    assert not any(word in page for word in ("抽水", "依法</a>")), "typed words stand in their own files alone"
    assert 'href="first_day.html"' in told["index.html"].decode() and "first_day.html" in told["index.txt"].decode()
    assert orjson.loads(told["parts.json"])["sudden"] == rows[0]["by"]


async def test_another_matter_has_no_first_day(world: World) -> None:
    raw = (await consulted(world, await flood(world), 200)).content
    assert archive.verify(io.BytesIO(raw), await trust(world)).day is None
    assert b"first_day" not in raw


def test_how_packs_say_that_a_matter_is_sudden() -> None:
    packs = spec.offices().packs

    def by(name: str, *facts: Fact) -> dict[str, str] | None:
        ref = next(ref for ref in packs if ref.startswith(f"{name}@"))
        own = spec.events("incident", [triage.IncidentOpened(unit="town-east", discovered_at=START), *facts])
        found = sudden([replace(one, attributes={**one.attributes, "policy": ref}) for one in own], packs)
        return found and {key: value for key, value in found.items() if key != "pack"}

    flagged, top = triage.IncidentFlagSet(flag="sudden"), triage.IncidentGraded(level="major", rank=2)
    assert by("county-default", flagged) == {"flag": "sudden"}
    assert by("county-default", triage.IncidentGraded(level="extraordinary", rank=3)) is None
    assert by("company-000", top) == {"level": "major"}, "a pack without the flag: its highest level"
    assert by("company-000", triage.IncidentGraded(level="general", rank=1)) is None
    assert by("power-003") == {"matters": "all"}, "a pack that tells no matters apart"
