"""A matter that has ended is sealed. Years later the archive is proven without the system, also after an erasure."""

import hashlib
import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import bagit
import httpx
import orjson
import pytest

from schemas.envelope import Event
from schemas.fields import WordsRef
from schemas.ingest import ReportErased, ReportEvidenceAttached, ReportReceived
from schemas.triage import IncidentClosed, IncidentHandlingRecorded, IncidentInstructionGiven, IncidentOpened
from services.audit.archive import building
from services.audit.archive.index import holes
from services.audit.log import keys, signing
from services.kernel.core.ids import derived
from services.kernel.delivery.log import Partition
from services.kernel.delivery.relay import Relay
from services.kernel.sealed import archive, matter
from services.kernel.sealed.trust import Trust
from services.kernel.tlog import Refused
from tests.audit.world import START, World, id_of

SALT = bytes(16)
PICTURE, TOKEN = b"a picture", "b" * 48
TOLD, ORDER, ERASED = "卫生院门前路灯不亮", "请立即处理", "电话已隐去"
REASONS = {
    "department_reply_letters": "当面答复，没有回复函",
    "assignment_and_reply_records": "本单位自办，没有交办",
}
pytestmark = pytest.mark.requirement("AUD-02")


def words(told: str) -> WordsRef:
    return WordsRef(ref=derived("words", told), digest=hashlib.sha256(SALT + told.encode()).hexdigest())


async def say(world: World, *texts: str) -> None:
    for told in texts:
        content = orjson.dumps({"ref": words(told).ref, "salt": SALT.hex(), "words": told})
        await world.log.append({Partition("ingest.content", 0): [(words(told).ref.encode(), content)]})


async def ended(world: World, closes: bool = True) -> str:
    """A matter with a report, a picture, an instruction and a note; a matter of others beside it."""
    incident, report = id_of("incident", "lamp"), id_of("report", "lamp")
    about = {"incident": incident, "unit": "town-east"}
    received = ReportReceived(
        unit="town-east",
        channel="board",
        discovered_at=START,
        subject=words(TOLD),
        text=words(ERASED),
        receipt="1" * 64,
    )
    shown = ReportEvidenceAttached(
        file=TOKEN, media_type="image/png", size=len(PICTURE), sha256=hashlib.sha256(PICTURE).hexdigest()
    )
    opened = IncidentOpened(unit="town-east", report=report, discovered_at=START)
    await world.send(
        world.event("ingest", report, received, unit="town-east"),
        world.event("ingest", report, shown, unit="town-east"),
        world.event("triage", id_of("incident", "other"), opened.model_copy(update={"report": None}), unit="town-west"),
        world.event("triage", incident, opened, **about),
        world.event("triage", incident, IncidentInstructionGiven(text=words(ORDER)), actor="chief@county", **about),
    )
    world.now += timedelta(hours=5)
    done = [IncidentHandlingRecorded(track="problem", text=words("已更换灯泡"))]
    for fact in [*done, *([IncidentClosed(reason=words("办结"))] if closes else [])]:
        await world.send(world.event("triage", incident, fact, actor="handler@town-east", **about))
    await say(world, TOLD, ORDER, ERASED, "已更换灯泡", "办结")
    folder = world.settings.data / "evidence"
    folder.mkdir(exist_ok=True)
    (folder / TOKEN).write_bytes(PICTURE)
    await world.take()
    return incident


async def signed(world: World) -> None:
    """What audit recorded itself comes into its log, and the log is signed."""
    await world.take()
    await world.take()
    await signing.sign(world.runtime)
    await Relay(world.runtime).drain()


async def trust(world: World) -> Trust:
    async with world.runtime.database.read() as connection:
        return Trust(tuple(await keys.believed(connection)))


async def post(world: World, path: str, body: Any, unit: str = "city", role: str = "auditor") -> httpx.Response:
    async with world.client(unit, role) as client:
        return await client.post(f"/audit/v1/{path}", json=body)


async def sealed(world: World, incident: str) -> bytes:
    await signed(world)
    answer = await post(world, f"incidents/{incident}/archive", {"reasons": REASONS})
    assert answer.status_code == 201, answer.text
    assert set(answer.json()["missing"]) == set(REASONS)
    assert b"not-signed-yet" in (await consulted(world, incident, 503)).content, "the seal has no place in the log yet"
    await signed(world)
    return (await consulted(world, incident, 200)).content


async def consulted(world: World, incident: str, status: int) -> httpx.Response:
    answer = await post(world, f"incidents/{incident}/archive/consultation", {"purpose": "复查"})
    assert answer.status_code == status, answer.text
    return answer


async def test_an_archive_is_proven_without_the_system(world: World, tmp_path: Path) -> None:
    incident = await ended(world)
    raw = await sealed(world, incident)
    held = archive.verify(io.BytesIO(raw), await trust(world))
    assert (held.incident, held.words, held.files, held.gone, held.elsewhere) == (incident, 5, 1, (), 0)
    assert held.events == 6
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        file.extractall(tmp_path / "bag")
        base = file.namelist()[0].partition("/")[0]
    folder = tmp_path / "bag" / base
    assert bagit.Bag(str(folder)).is_valid()
    index = (folder / "data" / "index.txt").read_text()
    page = (folder / "data" / "index.html").read_text()
    for told in (index, page):
        assert "【原始材料】" in told or "<h2>原始材料</h2>" in told
        assert "当面答复，没有回复函" in told and "领导批示件" in told
        assert "至" in told and "没有记录" in told, "five hours without any record are shown"
        assert not any(word in told for word in (TOLD, ORDER, ERASED)), "typed words stand in their own files alone"
    assert (folder / "data" / "words" / f"{words(ORDER).ref}.txt").read_text().endswith(f"\n{ORDER}")
    assert orjson.loads((folder / "data" / "parts.json").read_bytes())["missing"] == REASONS
    found = await world.get(f"incidents/{incident}/archives")
    assert [one["sha256"] for one in found["items"]] == [held.seal.event.attributes["data"]["sha256"]]
    types = [row[0] for row in await world.rows("timeline", "type")]
    assert types.count("huiying.operation.archive_sealed.v1") == 1
    await world.take()
    await world.take()
    assert "huiying.operation.archive_read.v1" in [row[0] for row in await world.rows("timeline", "type")]


async def test_erased_words_and_files_leave_the_archive_and_every_proof_holds(world: World) -> None:
    incident = await ended(world)
    before = await sealed(world, incident)
    erased = ReportErased(refs=(words(ERASED).ref,), files=(TOKEN,), reason=words("依法"))
    await world.send(world.event("ingest", id_of("report", "lamp"), erased))
    await world.take()
    (world.settings.data / "evidence" / TOKEN).unlink()
    assert b"not-signed-yet" in (await consulted(world, incident, 503)).content, (
        "the log has not signed the erasure yet"
    )
    await signed(world)
    raw = (await consulted(world, incident, 200)).content
    assert ERASED.encode() in before
    assert ERASED.encode() not in raw
    assert PICTURE not in raw
    held = archive.verify(io.BytesIO(raw), await trust(world))
    assert held.gone == (f"data/files/{TOKEN}", f"data/words/{words(ERASED).ref}.txt")
    assert (held.words, held.files) == (4, 0)


async def test_what_is_lost_without_an_erasure_is_told(world: World) -> None:
    incident = await ended(world)
    await sealed(world, incident)
    picture = world.settings.data / "evidence" / TOKEN
    picture.rename(picture.with_suffix(".away"))
    assert (await consulted(world, incident, 409)).json()["type"].endswith("archive-incomplete")
    picture.write_bytes(b"another picture")
    answer = await post(world, f"incidents/{incident}/archive", {"reasons": REASONS})
    await signed(world)
    assert answer.status_code == 201
    held = archive.verify(io.BytesIO((await consulted(world, incident, 200)).content), await trust(world))
    assert (held.files, held.elsewhere) == (0, 1), "a file that the record does not name so is not taken in"


async def test_what_is_not_sealed(world: World) -> None:
    incident = await ended(world, closes=False)
    assert (await post(world, f"incidents/{incident}/archive", {})).json()["type"].endswith("archive-not-ended")
    assert b"archive-not-sealed" in (await consulted(world, incident, 409)).content
    assert (await post(world, f"incidents/{incident}/archive/consultation", {"purpose": " "})).status_code == 422
    about = {"incident": incident, "unit": "town-east"}
    await world.send(world.event("triage", incident, IncidentClosed(reason=words("办结")), **about))
    await world.take()
    assert b"not-signed-yet" in (await post(world, f"incidents/{incident}/archive", {})).content
    await signed(world)
    for reasons, code in (
        ({}, "archive-reason-needed"),
        ({**REASONS, "handling": "x"}, "archive-part-not-missing"),
        ({**REASONS, "list_of_persons": "x"}, "archive-part-not-missing"),
    ):
        answer = await post(world, f"incidents/{incident}/archive", {"reasons": reasons})
        assert (answer.status_code, answer.json()["type"].endswith(code)) == (422, True), answer.text
    assert (await post(world, f"incidents/{incident}/archive", {"reasons": REASONS}, "town-west")).status_code == 403
    assert (
        await post(world, f"incidents/{incident}/archive", {"reasons": REASONS}, "town-east", "handler")
    ).status_code == 403


async def test_words_that_have_not_come_are_waited_for(world: World) -> None:
    incident = await ended(world)
    late = IncidentInstructionGiven(text=words("再看一次"))
    await world.send(world.event("triage", incident, late, incident=incident, unit="town-east"))
    await signed(world)
    answer = await post(world, f"incidents/{incident}/archive", {"reasons": REASONS})
    assert (answer.status_code, answer.json()["type"].endswith("words-not-here-yet")) == (503, True)


@pytest.mark.requirement("AUD-14")
async def test_the_masked_record_for_somebody_outside(world: World) -> None:
    incident = await ended(world)
    await signed(world)
    asked = {"addressee": "peoples_congress", "purpose": "专题询问"}
    answer = await post(world, f"incidents/{incident}/timeline/export", asked)
    assert answer.status_code == 200, answer.text
    held = matter.verify(io.BytesIO(answer.content), await trust(world))
    assert (held.events, held.withheld) == (6, 2)
    assert not any(word.encode() in answer.content for word in (TOLD, ORDER, ERASED, TOKEN, "report.received"))
    with pytest.raises(Refused):
        matter.verify(io.BytesIO(answer.content.replace(b"chief@county", b"chief@city")), await trust(world))
    await world.take()
    await world.take()
    (event,) = [
        Event.parse(row[0]) for row in await world.rows("timeline", "bytes") if b"operation.timeline_exported" in row[0]
    ]
    data = event.attributes["data"]
    assert (data["record"], data["addressee"]) == (incident, "peoples_congress")
    assert data["sha256"] == hashlib.sha256(answer.content).hexdigest()
    person = await post(world, f"incidents/{incident}/timeline/export", {"addressee": "王某", "purpose": "x"})
    assert person.status_code == 422
    assert (await post(world, f"incidents/{incident}/timeline/export", asked, "town-west")).status_code == 403


def test_a_token_is_no_path(tmp_path: Path) -> None:
    secret, evidence = tmp_path / "secret", tmp_path / "evidence"
    evidence.mkdir()
    secret.write_bytes(b"secret")
    (evidence / TOKEN).write_bytes(PICTURE)
    named = archive.Named(files=dict.fromkeys(("../secret", "../../etc/hostname", str(secret), "", ".", TOKEN), ""))
    assert list(building.files_of(tmp_path, named)) == [TOKEN]


def test_holes_are_stretches_of_an_hour_or_more() -> None:
    at = [START + timedelta(minutes=minute) for minute in (0, 59, 119, 118, 300)]
    assert [(one.start, one.end) for one in holes(at)] == [(at[2], at[4])]
    assert list(holes([])) == []
