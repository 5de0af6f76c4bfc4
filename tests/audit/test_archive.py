"""A matter that has ended is sealed. Years later the archive is proven without the system, also after an erasure."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import bagit
import httpx
import orjson
import pytest
from sqlalchemy import select, update

from schemas import catalogue
from schemas.envelope import Event
from schemas.fields import WordsRef
from schemas.ingest import ReportErased, ReportEvidenceAttached, ReportReceived
from schemas.offices import UnitPlaced
from schemas.operation import OperationArchiveSealed
from schemas.triage import (
    IncidentClosed,
    IncidentHandlingRecorded,
    IncidentInstructionGiven,
    IncidentOpened,
    IncidentReopened,
)
from services.audit.archive import archive_api, building, parts
from services.audit.archive.index import holes
from services.audit.log import growing, keys, signing
from services.audit.views import NAMED, TIMELINE
from services.kernel.core.decider import Actor
from services.kernel.core.ids import derived
from services.kernel.core.problems import Rejected
from services.kernel.delivery.log import Partition
from services.kernel.delivery.relay import Relay
from services.kernel.sealed import archive, matter, zipped
from services.kernel.sealed.trust import Trust
from services.kernel.serving.commands import Caller
from services.kernel.store.database import Database
from services.kernel.store.session import partition_of
from services.kernel.tlog import Refused
from tests.audit.world import START, World, id_of
from tests.kit.plans import asked

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
    assert "【总结报告】\n  无" in index
    assert (folder / "data" / "words" / f"{words(ORDER).ref}.txt").read_text().endswith(f"\n{ORDER}")
    assert orjson.loads((folder / "data" / "parts.json").read_bytes())["missing"] == REASONS
    with asked() as questions:
        found = await world.get(f"incidents/{incident}/archives")
    assert not any("FROM entries" in one for one in questions), "its events are not read one by one"
    assert (set(found["lacking"]), found["may"]) == (set(REASONS), ["seal-archive", "read-archive", "export-timeline"])
    everything = (*parts.TITLES, parts.TEXT, parts.SHOWN)
    async with world.runtime.database.read() as connection:
        lacks = await building.lacking(connection, incident, 10**6, everything)
    rows = await building.rows(world.runtime.database, incident, 10**6)
    assert lacks == parts.lacking([row.event for row in rows], everything)
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


async def test_a_file_that_was_altered_after_the_seal_is_not_given_out(world: World) -> None:
    incident = await ended(world)
    await sealed(world, incident)
    await signed(world)
    before = (await world.get(f"incidents/{incident}/archives"))["given"]
    (world.settings.data / "evidence" / TOKEN).write_bytes(b"another picture")
    refused = await consulted(world, incident, 409)
    assert refused.json()["type"].endswith("archive-altered") and TOKEN in refused.text
    await signed(world)
    assert (await world.get(f"incidents/{incident}/archives"))["given"] == before, "nothing was recorded"


async def test_an_archive_is_made_of_what_was_sealed_and_not_of_what_belongs_to_the_matter_now(world: World) -> None:
    incident = await ended(world)
    await sealed(world, incident)
    async with world.runtime.database.transaction() as connection:
        await connection.execute(NAMED.delete())
        foreign = select(TIMELINE.c.event_id, TIMELINE.c.position, TIMELINE.c.recordedtime).where(
            TIMELINE.c.type == "huiying.unit.placed.v1"
        )
        row = (await connection.execute(foreign.limit(1))).one()
        await connection.execute(NAMED.insert().values(incident_id=incident, **row._mapping))
    raw = (await consulted(world, incident, 200)).content
    assert archive.verify(io.BytesIO(raw), await trust(world)).events


async def test_what_is_not_sealed(world: World) -> None:
    incident = await ended(world, closes=False)
    assert (await post(world, f"incidents/{incident}/archive", {})).json()["type"].endswith("archive-not-ended")
    assert (await world.get(f"incidents/{incident}/archives"))["may"] == ["export-timeline"]
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


async def closed_by_the_county(world: World, incident: str) -> None:
    about = {"incident": incident, "unit": "county", "actor": "chief@county"}
    await world.send(world.event("triage", incident, IncidentClosed(reason=words("办结")), **about))
    await world.take()


async def reopened(world: World, incident: str) -> None:
    about = {"incident": incident, "unit": "town-east"}
    await say(world, "未修好")
    await world.send(world.event("triage", incident, IncidentReopened(reason=words("未修好")), **about))
    await world.take()


async def test_a_reopened_matter_is_sealed_when_it_has_ended_again(world: World) -> None:
    incident = await ended(world)
    await reopened(world, incident)
    await signed(world)
    answer = await post(world, f"incidents/{incident}/archive", {"reasons": REASONS})
    assert (answer.status_code, answer.json()["type"].endswith("archive-not-ended")) == (409, True)
    assert "seal-archive" not in (await world.get(f"incidents/{incident}/archives"))["may"]
    named = UnitPlaced(unit="town-east", kind="town", name="东镇", parent="county", since=START)
    await world.send(world.event("triage", id_of("unit", "tree"), named, unit="city"))
    await closed_by_the_county(world, incident)
    with zipfile.ZipFile(io.BytesIO(await sealed(world, incident))) as file:
        (index,) = [file.read(name).decode() for name in file.namelist() if name.endswith("data/index.txt")]
    assert "责任单位：东镇" in index, "the unit that is accountable, not the last one that acted"


async def test_a_matter_that_is_reopened_while_its_archive_is_built_is_not_sealed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = await ended(world)
    await signed(world)
    build = archive_api._built

    async def built(*given: Any) -> archive_api.Built:
        made = await build(*given)
        await reopened(world, incident)
        return made

    monkeypatch.setattr(archive_api, "_built", built)
    answer = await post(world, f"incidents/{incident}/archive", {"reasons": REASONS})
    assert (answer.status_code, answer.json()["type"].endswith("archive-not-ended")) == (409, True)
    assert (await world.get(f"incidents/{incident}/archives"))["items"] == []


async def test_a_reopening_that_reaches_audit_after_the_seal_is_told_with_the_archive(world: World) -> None:
    incident = await ended(world)
    about = {"incident": incident, "unit": "town-east"}
    late = world.event("triage", incident, IncidentReopened(reason=words("未修好")), **about)
    await say(world, "未修好")
    world.now += timedelta(minutes=1)
    await sealed(world, incident)
    path = f"incidents/{incident}/archives"
    assert [one["ended"] for one in (await world.get(path))["items"]] == [True]
    await world.send(late)
    await world.take()
    told = await world.get(path)
    assert [one["ended"] for one in told["items"]] == [False]
    assert "seal-archive" not in told["may"]
    await closed_by_the_county(world, incident)
    world.now += timedelta(minutes=1)
    await signed(world)
    assert (await post(world, f"incidents/{incident}/archive", {"reasons": REASONS})).status_code == 201
    assert [one["ended"] for one in (await world.get(path))["items"]] == [False, True]


async def test_an_archive_that_would_not_be_proven_is_not_sealed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    incident = await ended(world)
    about = {"incident": incident, "unit": "town-east"}
    note = world.event("triage", incident, IncidentHandlingRecorded(track="problem", text=words(TOLD)), **about)
    with monkeypatch.context() as earlier:
        earlier.setattr(Event, "is_canonical", True)
        place = Partition(note.topic, partition_of(note.partitionkey, world.settings.partitions))
        await world.log.append({place: [(note.partitionkey.encode(), note.bytes + b" ")]})
        await signed(world)
    answer = await post(world, f"incidents/{incident}/archive", {"reasons": REASONS})
    assert (answer.status_code, answer.json()["type"].endswith("archive-unproven")) == (409, True), answer.text
    assert "this is not JSON as the record writes it" in answer.json()["detail"]
    assert (await world.get(f"incidents/{incident}/archives"))["items"] == []
    assert list((world.settings.data / "archives").glob("*")) == []


async def test_what_hinders_a_seal_is_named_and_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    incident = await ended(world)
    await signed(world)
    path, body = f"incidents/{incident}/archive", {"reasons": REASONS}

    async def refused(code: str, status: int) -> None:
        answer = await post(world, path, body)
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, code), answer.text
        assert list((world.settings.data / "archives").glob("*")) == []
        assert (await world.get(f"incidents/{incident}/archives"))["items"] == []

    with monkeypatch.context() as small:
        small.setattr(zipped, "MOST_FILES", 3)
        await refused("archive-too-large", 409)

    async def reopened(*_: Any, **__: Any) -> None:
        raise Rejected("it goes on", code="archive-not-ended")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(archive_api, "_record", reopened)
        await refused("archive-not-ended", 409)
    async with world.runtime.database.read() as connection:
        (key,) = await keys.believed(connection)
    await keys.revoke(world.runtime, Caller(), key.vkey, "lost")
    await refused("not-signed-yet", 503)
    outside = {"addressee": "public", "purpose": "公开"}
    assert (await post(world, f"incidents/{incident}/timeline/export", outside)).status_code == 503
    await signed(world)
    assert (await post(world, path, body)).status_code == 201
    async with world.runtime.database.transaction() as connection:
        mine = (TIMELINE.c.stream_id == incident, TIMELINE.c.version == 1)
        bytes_ = (await connection.execute(select(TIMELINE.c.bytes).where(*mine))).scalar_one()
        changed = bytes_.replace(b"town-east", b"town-west")
        await connection.execute(update(TIMELINE).where(*mine).values(bytes=changed))
    answer = await post(world, f"incidents/{incident}/timeline/export", outside)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (409, "export-unproven"), answer.text
    assert not [one for one in (await world.get(f"incidents/{incident}/archives"))["given"] if one["addressee"]]


async def test_the_cost_of_an_archive_follows_its_matter(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries are as many as pages, not as events; seals of others are not read; no reading waits for the building."""
    incident, read, hold, paths, parse = id_of("incident", "lamp"), Database.read, building.must_hold, [], Event.parse
    open_, parsed, hashes = [0], list[Any](), growing.hashes

    @asynccontextmanager
    async def counted(database: Database) -> AsyncIterator[Any]:
        open_[0] += 1
        try:
            async with read(database) as connection:
                yield connection
        finally:
            open_[0] -= 1

    def alone(*given: Any) -> None:
        assert open_ == [0], "while the archive is made, no reading may run out of time"
        hold(*given)

    async def hashed(connection: Any, spans: Any) -> Any:
        paths.append(len(spans))
        return await hashes(connection, spans)

    await ended(world)
    await signed(world)
    monkeypatch.setattr(Database, "read", counted)
    monkeypatch.setattr(building, "must_hold", alone)
    monkeypatch.setattr(growing, "hashes", hashed)
    assert (await post(world, f"incidents/{incident}/archive", {"reasons": REASONS})).status_code == 201
    assert len(paths) == 2, "one query tells whether audit has regained all, and one brings the paths of all events"
    other = OperationArchiveSealed(record=id_of("incident", "other"), sha256="0" * 64, log_size=1)
    await archive_api._record(world.runtime, Actor("auditor", "city", frozenset({"auditor"})), other)
    monkeypatch.setattr(Event, "parse", lambda bytes_: parsed.append(bytes_) or parse(bytes_))
    async with world.runtime.database.read() as connection:
        assert len(await building.packages(connection, incident, OperationArchiveSealed)) == 1
    assert len(parsed) == 1


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
    package = await post(world, f"incidents/{incident}/timeline/export", {**asked, "package": True})
    with zipfile.ZipFile(io.BytesIO(package.content)) as file:
        inside = {name.rpartition("/")[2]: file.read(name) for name in file.namelist()}
    assert matter.verify(io.BytesIO(inside["record.ndjson"]), await trust(world)).withheld == 2
    page = inside["index.html"].decode()
    assert hashlib.sha256(inside["record.ndjson"]).hexdigest() in page
    assert page.count("有一条反映，内容不对外提供") == 2
    assert page.count("<li>") == 6
    assert not any(word in page for word in (TOLD, ORDER, ERASED, TOKEN))
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


async def test_an_archive_is_proven_after_the_key_of_its_record_was_revoked(world: World) -> None:
    incident = await ended(world)
    await sealed(world, incident)
    (first,) = (await trust(world)).keys
    caller = Caller()
    await keys.rotate(world.runtime, caller)
    await keys.revoke(world.runtime, caller, first.vkey, "copied")
    await signed(world)
    now = await trust(world)
    assert first not in now.keys
    raw = (await consulted(world, incident, 200)).content
    assert archive.verify(io.BytesIO(raw), now).events == 6


async def test_who_got_the_file_stands_with_it_and_among_those_who_read_letters(world: World) -> None:
    incident = await ended(world)
    await sealed(world, incident)
    asked = {"addressee": "peoples_congress", "purpose": "专题询问"}
    assert (await post(world, f"incidents/{incident}/timeline/export", asked)).status_code == 200
    await signed(world)
    given = (await world.get(f"incidents/{incident}/archives"))["given"]
    assert [(one["act"], one["by"], one["addressee"], one["purpose"]) for one in given] == [
        ("read-archive", "auditor@city", None, "复查"),
        ("export-timeline", "auditor@city", "peoples_congress", "专题询问"),
    ]
    (read,) = (await world.get("readings", record=incident))["items"]
    assert (read["post"], read["record"], read["purpose"], read["archive"]) == ("auditor@city", incident, "复查", True)
    for unit, of in (("county", ["export-timeline"]), ("city", ["read-archive", "export-timeline"])):
        shown = (await world.get(f"incidents/{incident}/archives", unit))["given"]
        assert [one["act"] for one in shown] == of, "who consults is told to units above"
    course = f"incidents/{incident}/timeline"
    done = {"huiying.operation.archive_sealed.v1", "huiying.operation.timeline_exported.v1"}
    consulted_ = "huiying.operation.archive_read.v1"
    for unit, types in (("town-east", done), ("city", done | {consulted_})):
        items = (await world.get(course, unit, limit=500))["items"]
        shown = {one["event"]["type"]: one for one in items if ".operation." in one["event"]["type"]}
        assert shown.keys() == types, "sealing and giving outside are told to all, consulting to units above"
        newest = (await world.get(course, unit, limit=1, newest=True))["items"]
        assert newest == items[-1:]
        for one in shown.values():
            assert (await world.get(f"events/{one['event']['id']}", unit))["event"] == one["event"]
    summaries = [one["summary"] for one in shown.values()]
    assert summaries == [
        "the file was sealed, without department reply letters, assignment and reply records",
        "the sealed file was consulted",
        "the record, without what citizens wrote, was exported for people's congress",
    ]
    hidden = shown[consulted_]["event"]["id"]
    await world.get(f"events/{hidden}", "county", status=403)
    events = (await world.get("events", "county", limit=500))["items"]
    assert not {f"huiying.operation.{one}.v1" for one in ("record_read", "archive_read")} & {
        one["type"] for one in events
    }


def test_every_type_that_names_a_file_and_its_kind_is_looked_at_for_pictures_and_sound() -> None:
    forms = {
        type_: str(model.model_json_schema()) for type_ in catalogue.types() if (model := catalogue.model_of(type_))
    }
    assert {type_ for type_, form in forms.items() if "'media_type'" in form} == set(parts.FILED)
