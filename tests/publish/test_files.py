"""Files of statements: what is kept of them, who agrees to them, and what goes public."""

import hashlib
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from schemas import deeds
from schemas.envelope import Event
from schemas.releases import releases
from services.kernel.store import sql
from services.publish.attaching import files
from services.publish.views import METADATA
from tests.kernel.test_pictures import SECRET, TAKEN
from tests.kernel.test_rewritten import comment, outline, page, pdf
from tests.publish.conftest import TEXT, Office

PATH = "/publish/v1/statements"
ENDING = {"application/pdf": "pdf", "image/jpeg": "jpg"}


async def attach(
    office: Office,
    id_: str,
    content: bytes,
    media_type: str = "application/pdf",
    title: str = "路灯清单",
    person: str = "",
    **fields: str,
) -> httpx.Response:
    who = office.as_("handler", person=person)
    found = await office.client.get(f"{PATH}/{id_}", headers=who)
    answer = await office.client.post(
        f"{PATH}/{id_}/files",
        files={"file": (f"张三的文件.{ENDING[media_type]}", content, media_type)},
        data={"title": title, **fields},
        headers=who | {"If-Match": found.headers["ETag"]},
    )
    if answer.status_code == 201:
        *_, new = (await office.read(id_))["files"]
        answer.extensions["file"] = new
    return answer


def added(answer: httpx.Response) -> Any:
    """The file of an upload, as the statement lists it."""
    assert answer.status_code == 201, answer.text
    return answer.extensions["file"]


async def picture(office: Office, id_: str, persons: str = "none", title: str = "修复后的路灯") -> httpx.Response:
    return await attach(office, id_, TAKEN, "image/jpeg", title, persons=persons)


def told(answer: httpx.Response, status: int = 201) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


async def approved(office: Office, id_: str) -> None:
    for verb, role in (("submit", "handler"), ("approve", "approver")):
        assert (answer := await office.act(id_, verb, role)).status_code == 200, answer.text


async def publish(office: Office, id_: str) -> None:
    await approved(office, id_)
    assert (answer := await office.act(id_, "publish", "spokesperson")).status_code == 200, answer.text


def stored(office: Office) -> set[str]:
    return set(files.blobs_of(office.runtime).names())


async def events(office: Office, id_: str) -> list[Event]:
    table = METADATA.tables["events"]
    async with office.runtime.database.read() as connection:
        rows = await connection.execute(table.select().where(table.c.stream_id == id_).order_by(table.c.version))
        return [Event.parse(row.bytes) for row in rows]


async def recorded(office: Office, kind: str) -> list[Event]:
    """The events of a type on all streams."""
    table = METADATA.tables["events"]
    async with office.runtime.database.read() as connection:
        rows = await connection.execute(table.select().where(table.c.type == f"huiying.{kind}.v1"))
        return [Event.parse(row.bytes) for row in rows]


async def test_files_go_public_with_the_text_and_only_what_they_show(office: Office) -> None:
    await _goes_public(office)


async def test_the_same_on_postgresql(office_on_postgres: Office) -> None:
    await _goes_public(office_on_postgres)


async def _goes_public(office: Office) -> None:
    id_ = await office.draft()
    document = added(await attach(office, id_, pdf(comment)))
    shown = added(await picture(office, id_))
    listed = (await office.read(id_))["files"]
    assert [(one["file"], one["title"], one["pages"], one["persons"]) for one in listed] == [
        (document["file"], "路灯清单", 1, None),
        (shown["file"], "修复后的路灯", None, "none"),
    ]
    hidden = await office.client.get(f"/bulletin/files/{document['file']}")
    assert hidden.status_code == 404, "a draft's file is not in public"
    await publish(office, id_)

    page_ = (await office.client.get(f"/bulletin/statements/{id_}")).text
    assert f'<img src="/bulletin/files/{shown["file"]}" alt="修复后的路灯"' in page_
    assert f'<a href="/bulletin/files/{document["file"]}">路灯清单</a>' in page_
    for one, kind in ((document, "application/pdf"), (shown, "image/jpeg")):
        got = await office.client.get(f"/bulletin/files/{one['file']}")
        assert got.headers["content-type"] == kind
        assert hashlib.sha256(got.content).hexdigest() == one["sha256"]
        assert SECRET not in got.content
        assert "张三" not in got.headers["content-disposition"]
        again = {"If-None-Match": got.headers["etag"]}
        assert (await office.client.get(f"/bulletin/files/{one['file']}", headers=again)).status_code == 304

    (entry,) = (await office.client.get("/bulletin/feed.json")).json()["items"]
    assert [one["mime_type"] for one in entry["attachments"]] == ["application/pdf", "image/jpeg"]
    atom = (await office.client.get("/bulletin/feed.atom")).text
    assert atom.count('rel="enclosure"') == 2
    (release,) = releases(await events(office, id_))
    assert [(one["sha256"], one["title"]) for one in release.content["attachments"]] == [
        (document["sha256"], "路灯清单"),
        (shown["sha256"], "修复后的路灯"),
    ]


async def test_approvers_sign_the_files_and_a_reader_recomputes_what_they_signed(office: Office) -> None:
    id_ = await office.draft()
    told(await attach(office, id_, pdf()))
    await publish(office, id_)
    *_, last = [event for event in await events(office, id_) if event.type.endswith("statement.published.v1")]
    claims = deeds.claims(last)
    assert claims is not None
    assert claims.fault is None or claims.fault == ""
    subject = deeds.subject_at(id_, last.data)
    (agreed,) = [event for event in await events(office, id_) if "approved" in event.type]
    assert agreed.data.subject == subject
    (one,) = last.data.attachments
    for changed in ({"sha256": "0" * 64}, {"title": "另一份清单"}, {"size": 1}, {"media_type": "image/png"}):
        other = last.data.model_copy(update={"attachments": (one.model_copy(update=changed),)})
        assert deeds.subject_at(id_, other) != subject, changed
    assert deeds.subject_at(id_, last.data.model_copy(update={"attachments": ()})) != subject


async def test_a_file_that_comes_or_goes_voids_the_approvals(office: Office) -> None:
    id_ = await office.draft()
    await approved(office, id_)
    file = added(await attach(office, id_, pdf()))["file"]
    assert (await office.read(id_))["state"] == "drafted"
    await approved(office, id_)
    assert (await office.act(id_, "detach-file", "handler", {"file": file})).status_code == 200
    assert (await office.read(id_))["state"] == "drafted"
    assert (await office.read(id_))["files"] == []
    assert stored(office) == set()
    # Whoever adds a file writes on the text.
    told(await attach(office, id_, pdf(), person="fang"))
    await office.act(id_, "submit", "handler")
    answer = await office.act(id_, "approve", "approver", person="fang")
    assert answer.json()["type"].endswith("drafted-by-you"), answer.text
    (attempt,) = await recorded(office, "operation.separation_refused")
    assert (attempt.data.record, attempt.data.rule, attempt.actor) == (id_, "approval.separation", "approver@county")


@pytest.mark.requirement("PUB-09")
async def test_a_picture_with_persons_goes_public_only_when_they_are_covered(office: Office) -> None:
    id_ = await office.draft()
    answer = await picture(office, id_, persons="")
    assert told(answer, 422)["type"].endswith("not-in-list"), answer.text
    answer = await attach(office, id_, TAKEN, "image/jpeg")
    assert told(answer, 422)["type"].endswith("persons-unsaid")
    file = added(await picture(office, id_, persons="to_cover", title="执法现场"))["file"]
    refused = await office.act(id_, "submit", "handler")
    assert refused.json()["type"].endswith("persons-uncovered")
    assert "执法现场" in refused.json()["detail"]
    (before,) = stored(office)
    areas = [{"left": 0, "top": 0, "width": 500_000, "height": 1_000_000}]
    answer = await office.act(id_, "cover-persons", "handler", {"file": file, "areas": areas})
    told(answer, 200)
    (after,) = stored(office)
    assert after != before, "the picture before is deleted"
    read = await office.client.get(f"{PATH}/{id_}/files/{file}", headers=office.as_("handler"))
    new = Image.open(io.BytesIO(read.content)).convert("L")
    assert new.getpixel((new.width // 4, new.height // 2)) < 10
    (listed,) = (await office.read(id_))["files"]
    assert (listed["persons"], listed["sha256"]) == ("covered", hashlib.sha256(read.content).hexdigest())
    await publish(office, id_)
    assert (await office.client.get(f"/bulletin/files/{file}")).content == read.content
    refused = await office.act(id_, "cover-persons", "handler", {"file": file, "areas": areas})
    assert told(refused, 409)["type"].endswith("file-public")


async def test_a_correction_brings_another_file_and_the_earlier_one_stays_with_the_earlier_text(office: Office) -> None:
    id_ = await office.draft()
    first = added(await attach(office, id_, pdf()))["file"]
    await publish(office, id_)
    other = added(await attach(office, id_, pdf(pages=2), title="更正后的清单"))["file"]
    assert (await office.read(id_))["state"] == "published"
    assert (await office.client.get(f"/bulletin/files/{other}")).status_code == 404, "nobody corrected yet"
    body = {"text": TEXT, "reason": "清单有误", "attachments": [other]}
    told(await office.act(id_, "correct", "spokesperson", body, person="qian"), 200)
    page_ = (await office.client.get(f"/bulletin/statements/{id_}")).text
    now, earlier = page_.split("更正前的文本")
    assert other in now
    assert first not in now.split("</section>")[-2]
    assert first in earlier
    assert (await office.client.get(f"/bulletin/files/{first}")).status_code == 200
    shown = {one["file"]: (one["shown"], one["public"]) for one in (await office.read(id_))["files"]}
    assert shown == {first: (False, True), other: (True, True)}
    refused = await office.act(id_, "correct", "spokesperson", body | {"attachments": ["no-such-file"]}, person="zhou")
    assert "no-such-file" in refused.text
    same = await office.act(id_, "correct", "spokesperson", body, person="li")
    assert told(same, 409)["type"].endswith("nothing-corrected")


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("Card 430102199003077518", 422, "document-personal-number"),
        ("Call 13812345678", 422, "document-personal-number"),
        ("Lamp 12 of 36", 201, ""),
    ],
)
async def test_a_document_with_personal_numbers_is_refused_with_the_page(
    office: Office, text: str, status: int, code: str
) -> None:
    id_ = await office.draft()
    answer = await attach(office, id_, pdf(lambda writer, _: page(writer, text)))
    assert told(answer, status).get("type", "").endswith(code)
    if code:
        assert "page 2" in answer.json()["detail"]
        assert stored(office) == set()


async def test_the_outline_of_a_document_is_searched_for_personal_numbers_too(office: Office) -> None:
    id_ = await office.draft()
    sent = pdf(lambda writer, _: outline(writer, "张三 13812345678"))
    assert told(await attach(office, id_, sent), 422)["type"].endswith("document-personal-outline")
    assert stored(office) == set()


async def test_a_cache_lets_go_of_a_file_that_was_deleted(office: Office) -> None:
    id_ = await office.draft()
    at = f"/bulletin/files/{added(await picture(office, id_))['file']}"
    await publish(office, id_)
    again = {"If-None-Match": (await office.client.get(at)).headers["etag"]}
    assert (await office.client.get(at, headers=again)).status_code == 304
    files.blobs_of(office.runtime).delete(stored(office))
    assert (await office.client.get(at, headers=again)).status_code == 404


async def test_what_is_no_document_and_no_picture_is_refused_and_leaves_nothing(office: Office) -> None:
    id_ = await office.draft()
    for content, kind, status in ((b"plain", "application/pdf", 415), (b"%PDF-1.7", "image/jpeg", 415)):
        assert (await attach(office, id_, content, kind)).status_code == status
    who = office.as_("handler")
    plain = await office.client.post(
        f"{PATH}/{id_}/files", content=pdf(), headers=who | {"Content-Type": "application/pdf", "If-Match": '"1"'}
    )
    assert told(plain, 422)["type"].endswith("form-needed")
    text = await office.client.post(f"{PATH}/{id_}/files", files={"file": ("a.txt", b"a", "text/plain")}, headers=who)
    assert text.status_code == 415
    for title, code in (("", "text-too-short"), ("一\n二三", "more-than-one-line")):
        assert told(await attach(office, id_, pdf(), title=title), 422)["type"].endswith(code)
    blank = await attach(office, id_, pdf(), title="名单\u200b一")
    told(blank)
    refused = await office.act(id_, "submit", "handler")
    assert refused.json()["type"].endswith("invisible-character")
    stranger = await office.client.post(
        f"{PATH}/{id_}/files",
        files={"file": ("a.pdf", pdf(), "application/pdf")},
        data={"title": "路灯清单"},
        headers=office.as_("handler", unit="town-west") | {"If-Match": '"2"'},
    )
    assert stranger.status_code == 403
    assert len(stored(office)) == 1


async def test_the_same_upload_sent_twice_is_one_file(office: Office) -> None:
    id_ = await office.draft()
    who = office.as_("handler") | {"If-Match": '"1"', "Idempotency-Key": "once"}
    sent = {"files": {"file": ("a.pdf", pdf(), "application/pdf")}, "data": {"title": "路灯清单"}, "headers": who}
    first, second = [await office.client.post(f"{PATH}/{id_}/files", **sent) for _ in range(2)]
    assert told(first)["id"] == told(second)["id"]
    assert len((await office.read(id_))["files"]) == len(stored(office)) == 1


async def test_a_statement_takes_so_many_files_and_no_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.publish.attaching.attaching.MOST", 2)
    id_ = await office.draft()
    for _ in range(2):
        told(await attach(office, id_, pdf()))
    assert told(await attach(office, id_, pdf()), 409)["type"].endswith("files-full")
    assert len(stored(office)) == 2
    await publish(office, id_)
    assert told(await attach(office, id_, pdf()), 409)["type"].endswith("files-full")
    body = {"text": TEXT, "reason": "清单有误", "attachments": []}
    told(await office.act(id_, "correct", "spokesperson", body, person="qian"), 200)
    told(await attach(office, id_, pdf()))


async def test_a_sweep_deletes_what_a_lost_answer_left_and_what_was_erased(office: Office) -> None:
    id_ = await office.draft()
    kept = added(await attach(office, id_, pdf()))["file"]
    gone = added(await attach(office, id_, pdf(pages=2)))["file"]
    content = files.blobs_of(office.runtime).path(gone).read_bytes()
    await office.act(id_, "detach-file", "handler", {"file": gone})
    files.blobs_of(office.runtime).path(gone).write_bytes(content)
    await files.sweep(office.runtime)
    assert stored(office) == {kept}
    first = next(event for event in await events(office, id_) if event.type.endswith("file_attached.v1"))
    async with office.runtime.database.transaction() as connection:
        await sql.insert(connection, METADATA.tables["erased"], [{"ref": first.data.title.ref}])
    await files.sweep(office.runtime)
    assert stored(office) == set()


async def test_an_erased_file_is_gone_for_readers_before_any_sweep(office: Office) -> None:
    id_ = await office.draft()
    file = added(await attach(office, id_, pdf()))["file"]
    await publish(office, id_)
    public, own = f"/bulletin/files/{file}", f"{PATH}/{id_}/files/{file}"
    tag = (await office.client.get(public)).headers["etag"]
    assert (await office.client.get(own, headers=office.as_("handler"))).status_code == 200
    first = next(event for event in await events(office, id_) if event.type.endswith("file_attached.v1"))
    async with office.runtime.database.transaction() as connection:
        await sql.insert(connection, METADATA.tables["erased"], [{"ref": first.data.title.ref}])
    assert stored(office) == {file}, "nothing swept yet"
    for headers in ({}, {"If-None-Match": tag}):
        assert (await office.client.get(public, headers=headers)).status_code == 404
    assert (await office.client.get(own, headers=office.as_("handler"))).status_code == 404


async def test_a_correction_without_files_shows_none_also_in_a_preview(office: Office) -> None:
    id_ = await office.draft()
    file = added(await attach(office, id_, pdf()))["file"]
    await publish(office, id_)
    body = {"text": TEXT, "reason": "清单有误", "attachments": []}
    told(await office.act(id_, "correct", "spokesperson", body, person="qian"), 200)
    public = (await office.client.get(f"/bulletin/statements/{id_}")).text
    who = office.as_("spokesperson")
    preview = (await office.client.post(f"{PATH}/{id_}/preview", json={"reason": "不属本镇"}, headers=who)).text
    for shown in (public, preview):
        now, earlier = shown.split("更正前的文本")
        assert file not in now
        assert file in earlier
    assert [one["shown"] for one in (await office.read(id_))["files"]] == [False]


def test_the_digest_of_no_files_is_that_of_before() -> None:
    said = {"used": (), "steps": (), "writers": ("a" * 64,)}
    one = deeds.subject_of("statement-1", "county", 2, "b" * 64, "c" * 64, **said)
    plain = {
        "attachments": [], "facts": [], "statement": "statement-1", "steps": [], "text": "c" * 64, "title": "b" * 64,
        "unit": "county", "version": 2, "writers": ["a" * 64],
    }  # fmt: skip
    written = json.dumps(plain, separators=(",", ":"), sort_keys=True).encode()
    assert one == hashlib.sha256(written).hexdigest()
