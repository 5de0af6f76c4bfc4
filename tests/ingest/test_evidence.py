"""Evidence over HTTP, on a real file: which files are accepted, how they are kept, and what a picture loses."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest

from services.ingest.evidence_files import blobs_of
from services.kernel import tasks
from services.kernel.uploads import taking
from tests.ingest.conftest import PATH, Ingest, erase, post, refused
from tests.kernel.test_contents import HEIC, MP4
from tests.kernel.test_pictures import JPEG, PNG, SECRET, TAKEN, anew, drawn, png, sized

BOMB = sized("image/png", 60_000, 60_000)


class TestEvidence:
    async def attach(self, ingest: Ingest, key: dict[str, str], **send: Any) -> httpx.Response:
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}/evidence"
        send["headers"] = {**key, **send.get("headers", {})}
        return await ingest.client.post(url, **send)

    def files(self, ingest: Ingest) -> list[bytes]:
        folder = ingest.runtime.settings.data / "evidence"
        return [path.read_bytes() for path in folder.iterdir()] if folder.exists() else []

    async def test_is_stored_under_a_random_reference(self, ingest: Ingest) -> None:
        key = await ingest.key()
        answer = await self.attach(ingest, key, content=PNG, headers={"Content-Type": "image/png"})
        assert answer.status_code == 201, answer.text
        (event,) = await ingest.events("evidence_attached")
        path = ingest.runtime.settings.data / "evidence" / event.data.file
        assert path.read_bytes() == PNG
        assert (event.data.size, event.data.sha256) == (len(PNG), hashlib.sha256(PNG).hexdigest())
        assert event.data.media_type == "image/png"

    async def test_comes_as_a_form_too(self, ingest: Ingest) -> None:
        key = await ingest.key()
        send = {"files": {"file": ("张三.png", PNG, "image/png")}, "data": {"note": "现场照片 13812345678"}}
        answer = await self.attach(ingest, key, **send)
        assert answer.status_code == 201, answer.text
        body = (await ingest.client.get(f"{PATH}/{answer.json()['id']}", headers=key)).json()
        assert body["evidence"][0]["note"].startswith("现场照片")
        assert "13812345678" not in orjson.dumps(body).decode()
        assert "张三" not in orjson.dumps(body).decode()
        assert self.files(ingest) == [PNG]

    @pytest.mark.parametrize("as_form", [False, True])
    async def test_as_a_picture_keeps_only_what_shows_it(self, ingest: Ingest, as_form: bool) -> None:
        body = {"content": TAKEN, "headers": {"Content-Type": "image/jpeg"}}
        form = {"files": {"file": ("a.jpg", TAKEN, "image/jpeg")}}
        answer = await self.attach(ingest, await ingest.key(), **(form if as_form else body))
        assert answer.status_code == 201, answer.text
        assert SECRET in TAKEN
        (stored,) = self.files(ingest)
        assert SECRET not in stored
        assert stored == anew(TAKEN, "image/jpeg")
        (event,) = await ingest.events("evidence_attached")
        assert (event.data.size, event.data.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())

    async def test_as_text_is_masked(self, ingest: Ingest) -> None:
        send = {"content": "电话13812345678".encode(), "headers": {"Content-Type": "text/plain; charset=utf-8"}}
        assert (await self.attach(ingest, await ingest.key(), **send)).status_code == 201
        (text,) = self.files(ingest)
        assert b"13812345678" not in text

    @pytest.mark.parametrize(
        ("content", "charset"),
        [
            ("\ufeff现场照片".encode(), ""),
            ("现场照片".encode("utf-16"), ""),
            ("\ufeff现场照片".encode("utf-16-be"), ""),
            ("现场照片".encode("utf-16-le"), "; charset=UTF-16LE"),
            ("现场照片".encode("gb18030"), "; charset=gbk"),
        ],
    )
    async def test_as_text_is_kept_in_utf_8(self, ingest: Ingest, content: bytes, charset: str) -> None:
        send = {"content": content, "headers": {"Content-Type": f"text/plain{charset}"}}
        answer = await self.attach(ingest, await ingest.key(), **send)
        assert answer.status_code == 201, answer.text
        assert self.files(ingest) == ["现场照片".encode()]

    @pytest.mark.parametrize(
        ("send", "status", "says"),
        [
            ({"content": PNG, "headers": {"Content-Type": "image/jpeg"}}, 415, "content is not image/jpeg"),
            ({"content": b"MZ", "headers": {"Content-Type": "application/x-msdownload"}}, 415, "evidence is one of"),
            ({"content": PNG}, 415, "without a Content-Type"),
            ({"content": PNG, "headers": {"Content-Type": "text/plain"}}, 415, "not a plain text"),
            ({"content": "现场".encode("gbk"), "headers": {"Content-Type": "text/plain"}}, 415, "no text in UTF-8"),
            ({"content": b"a", "headers": {"Content-Type": "text/plain; charset=zlib"}}, 415, "charset is none of"),
            ({"content": b"a", "headers": {"Content-Type": "text/plain; charset=utf-16"}}, 415, "no text in UTF-16"),
            ({"content": HEIC, "headers": {"Content-Type": "video/mp4"}}, 415, "send it as JPEG"),
            ({"content": MP4[:28], "headers": {"Content-Type": "video/mp4"}}, 415, "content is not video/mp4"),
            ({"content": b"", "headers": {"Content-Type": "text/plain"}}, 422, "the file is empty"),
            ({"files": {"file": ("a", b"", "application/pdf")}}, 422, "the file is empty"),
            ({"content": BOMB, "headers": {"Content-Type": "image/png"}}, 413, "60000 x 60000 pixels"),
            ({"content": b"a\x00b", "headers": {"Content-Type": "text/plain"}}, 415, "plain text"),
            ({"content": b"%PDF-1.7", "headers": {"Content-Type": "text/plain"}}, 415, "plain text"),
            ({"content": b"", "headers": {"Content-Type": "image/png"}}, 422, "the file is empty"),
            ({"content": PNG[:-1], "headers": {"Content-Type": "image/png"}}, 422, "breaks off or is damaged"),
            ({"files": {"file": ("a", JPEG[:-2], "image/jpeg")}}, 422, "breaks off or is damaged"),
            (
                {"content": PNG + b"x" * 200_000, "headers": {"Content-Type": "image/png"}},
                413,
                "more than 200000 bytes",
            ),
            ({"files": {"file": ("a", PNG + b"x" * 300_000, "image/png")}}, 413, "more than 200000 bytes"),
            ({"files": {"file": ("a", PNG + b"x" * 200_000, "image/png")}}, 413, "more than 200000 bytes"),
            ({"files": {"file": ("a", PNG, "image/webp")}}, 415, "content is not image/webp"),
            ({"files": {"picture": ("a", PNG, "image/png")}}, 422, "picture is not a field here"),
            ({"files": {"note": ("a", PNG, "image/png")}}, 422, "no file under the name file"),
            ({"files": {"file": ("a", PNG, "image/png")}, "data": {"note": "长" * 2001}}, 422, "2000 characters"),
            ({"files": {"file": ("a", PNG, "image/png")}, "data": {"author": "x"}}, 422, "author is not a field here"),
            ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 422, "form cannot be read"),
        ],
    )
    async def test_is_refused_and_leaves_no_file(
        self, ingest: Ingest, send: dict[str, Any], status: int, says: str
    ) -> None:
        answer = await self.attach(ingest, await ingest.key(), **send)
        assert answer.status_code == status, answer.text
        assert says in answer.json()["detail"]
        assert self.files(ingest) == []
        assert await ingest.events("evidence_attached") == []

    @pytest.mark.parametrize("as_form", [False, True])
    @pytest.mark.parametrize("note", [b"a\x00b", b"\xff", "现场".encode("gbk"), b"\xed\xa0\x80"])
    @pytest.mark.parametrize("charset", ["", "; charset=gbk", "; charset=latin-1"])
    async def test_with_a_note_that_is_no_text_is_refused(
        self, ingest: Ingest, note: bytes, as_form: bool, charset: str
    ) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}/evidence"
        if as_form:
            part = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
            content = part % (b"file", b'; filename="a"\r\nContent-Type: image/png', PNG) + part % (b"note", b"", note)
            headers = {**key, "Content-Type": f"multipart/form-data; boundary=x{charset}"}
            answer = await ingest.client.post(url, content=content + b"--x--\r\n", headers=headers)
        else:
            headers = {**key, "Content-Type": f"image/png{charset}"}
            answer = await ingest.client.post(f"{url}?note={quote(note)}", content=PNG, headers=headers)
        refused(answer, 422, "note", field="note")
        assert self.files(ingest) == []
        assert await ingest.events("evidence_attached") == []

    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_whose_request_ends_at_the_commit_is_kept_as_the_record_says(
        self, ingest: Ingest, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}/evidence"
        transaction, reached = ingest.runtime.database.transaction, asyncio.Event()

        async def here(at: str) -> None:
            if at == when:
                reached.set()
                await asyncio.sleep(0.05)

        @asynccontextmanager
        async def slow() -> AsyncIterator[Any]:
            async with transaction() as connection:
                yield connection
                await here("before")
            await here("after")

        monkeypatch.setattr(ingest.runtime.database, "transaction", slow)
        sending = asyncio.create_task(
            ingest.client.post(url, content=PNG, headers={**key, "Content-Type": "image/png"})
        )
        await reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.gather(*tasks._going_on)
        (event,) = await ingest.events("evidence_attached")
        assert blobs_of(ingest.runtime).names() == {event.data.file}

    async def test_whose_request_ends_while_it_is_stored_leaves_no_file(
        self, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}/evidence"
        began, go_on, store = threading.Event(), threading.Event(), taking._store

        def slow(*parts: Any) -> Any:
            began.set()
            assert go_on.wait(30)
            return store(*parts)

        monkeypatch.setattr(taking, "_store", slow)
        sending = asyncio.create_task(
            ingest.client.post(url, content=PNG, headers={**key, "Content-Type": "image/png"})
        )
        await asyncio.to_thread(began.wait)
        sending.cancel()
        asyncio.get_running_loop().call_soon(go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert self.files(ingest) == []

    async def test_is_for_the_owner_of_the_folder_alone(self, ingest: Ingest) -> None:
        await self.attach(ingest, await ingest.key(), content=PNG, headers={"Content-Type": "image/png"})
        folder = ingest.runtime.settings.data / "evidence"
        assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
        assert oct(folder.stat().st_mode & 0o777) == "0o700"

    async def test_without_a_right_leaves_no_file(self, ingest: Ingest) -> None:
        id_ = (await post(ingest, await ingest.key())).json()["report_id"]
        headers = {**await ingest.key("town-east"), "Content-Type": "image/png"}
        answer = await ingest.client.post(f"{PATH}/{id_}/evidence", content=PNG, headers=headers)
        assert answer.status_code == 403
        assert self.files(ingest) == []

    async def test_is_read_back_as_it_is_stored(self, ingest: Ingest) -> None:
        sent = await self.attach(ingest, await ingest.key(), content=TAKEN, headers={"Content-Type": "image/jpeg"})
        url = f"{PATH}/{sent.json()['id']}"
        (named,) = (await ingest.client.get(url, headers=ingest.staff("handler"))).json()["evidence"]
        answer = await ingest.client.get(
            f"{url}/evidence/{named['file']}?purpose=check", headers=ingest.staff("handler")
        )
        assert (answer.status_code, answer.content) == (200, self.files(ingest)[0])
        assert answer.headers["content-type"] == named["media_type"] == "image/jpeg"
        assert answer.headers["content-length"] == str(named["size"])
        assert answer.headers["content-disposition"] == "attachment"
        assert answer.headers["x-content-type-options"] == "nosniff"

    async def test_is_read_by_staff_over_the_unit_alone(self, ingest: Ingest) -> None:
        key = await ingest.key()
        sent = await self.attach(ingest, key, content=PNG, headers={"Content-Type": "image/png"})
        (event,) = await ingest.events("evidence_attached")
        url = f"{PATH}/{sent.json()['id']}/evidence/{event.data.file}"
        refused(await ingest.client.get(url, headers=key), 401, "token")
        refused(await ingest.client.get(url, headers=ingest.staff("chief", unit="town-west")), 403, "belongs to")
        (event,) = await ingest.events("access_refused")
        assert event.data.act == "read-report"
        assert (await ingest.client.get(url, headers=ingest.staff("handler", unit="town-east"))).content == PNG

    async def test_that_is_not_there_is_404(self, ingest: Ingest) -> None:
        key, chief = await ingest.key(), ingest.staff("chief")
        send = {"content": PNG, "headers": {"Content-Type": "image/png"}}
        urls = [f"{PATH}/{(await self.attach(ingest, key, **send)).json()['id']}" for _ in range(3)]
        one, other, lost = (event.data.file for event in await ingest.events("evidence_attached"))
        refused(await ingest.client.get(f"{urls[0]}/evidence/{other}", headers=chief), 404, "has no evidence")
        refused(await ingest.client.get(f"{urls[0]}/evidence/..%2Fsecret", headers=chief), 404)
        unknown = "report-00000000-0000-7000-8000-000000000000"
        refused(await ingest.client.get(f"{PATH}/{unknown}/evidence/{one}", headers=chief), 404, "there is no")
        assert (await erase(ingest, urls[0].rpartition("/")[2])).status_code == 200
        refused(await ingest.client.get(f"{urls[0]}/evidence/{one}", headers=chief), 404, "has no evidence")
        (ingest.runtime.settings.data / "evidence" / lost).unlink()
        refused(await ingest.client.get(f"{urls[2]}/evidence/{lost}", headers=chief), 404, "backup")

    async def test_is_stored_once_under_one_key(self, ingest: Ingest) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}/evidence"
        headers = {**key, "Content-Type": "image/png", "Idempotency-Key": "abc"}
        first = await ingest.client.post(url, content=PNG, headers=headers)
        second = await ingest.client.post(url, content=PNG, headers=headers)
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        assert self.files(ingest) == [PNG]
        other = await ingest.client.post(url, content=png(picture=drawn(60)), headers=headers)
        refused(other, 422, "another request", field="Idempotency-Key")
