"""Reports over HTTP, on a real file."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from schemas.envelope import Event
from schemas.fields import instant, parse_instant
from services.ingest import blobs, evidence, views
from services.kernel.problems import Unavailable
from services.kernel.words import ERASED
from tests.ingest.conftest import Ingest, report
from tests.ingest.test_pictures import JPEG, PNG, SECRET, TAKEN, png

PATH = "/ingest/v1/reports"


async def post(ingest: Ingest, headers: dict[str, str], body: Any = None, **more: Any) -> httpx.Response:
    """Sends one report."""
    return await ingest.client.post(PATH, json=body or report(**more), headers=headers)


def refused(answer: httpx.Response, status: int, *says: str, field: str | None = None) -> None:
    """The answer is a problem of this status whose sentence says all this."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert all(part in body["detail"] for part in says), body
    assert body.get("field") == field, body


def rebuilt(table: str, events: list[Event]) -> list[Any]:
    """The rows of a view as a replay makes them."""
    (view,) = [view for view in views.VIEWS if view.table.name == table]
    rows: dict[Any, Any] = {}
    for event in events:
        for key in view.keys(event):
            rows[key] = view.apply(key, rows.get(key), event)
    return list(rows.values())


class TestOneReport:
    @pytest.mark.requirement("ING-01", "ING-03")
    async def test_is_stored_and_read_back(self, ingest: Ingest) -> None:
        key = await ingest.key()
        at = instant(datetime.now(UTC) - timedelta(hours=3))
        more = {
            "url": "https://gov.example/7",
            "category": "light",
            "request": "请尽快修好",
            "place": "人民路",
            "discovered_at": at,
        }
        answer = await post(ingest, key, **more)
        assert answer.status_code == 201
        id_ = answer.json()["report_id"]
        read = await ingest.client.get(f"{PATH}/{id_}", headers=key)
        body = read.json()
        assert {name: body[name] for name in report(**more)} == report(**more)
        assert (body["id"], body["state"], body["discovered_at"]) == (id_, "received", at)
        assert parse_instant(body["received_at"]) - parse_instant(at) >= timedelta(hours=3)
        (event,) = await ingest.events("report.received")
        assert (event.stream, event.unit, event.actor) == (id_, "town-east", "integration@county")
        assert (event.time_text, event.partitionkey) == (at, id_)
        assert event.recorded > event.time
        assert len(await ingest.rows("outbox")) == 1 + 1 + 5  # the key, the report, its words

    async def test_gives_a_receipt_that_is_stored_nowhere(self, ingest: Ingest) -> None:
        answer = await post(ingest, await ingest.key())
        receipt = answer.json()["receipt"]
        assert [len(part) for part in receipt.split("-")] == [4, 4, 4]
        (event,) = await ingest.events("report.received")
        assert event.data.receipt == ingest.runtime.keyed("receipt", receipt)
        assert receipt.encode() not in event.bytes

    async def test_has_its_numbers_masked_before_anything_is_stored(self, ingest: Ingest) -> None:
        key = await ingest.key()
        more = {
            "subject": "请回电13812345678",
            "text": "电话 13812345678 邮箱 a.b@example.com",
            "reply_ref": "13812345678",
        }
        id_ = (await post(ingest, key, **more)).json()["report_id"]
        assert not any("13812345678" in words or "a.b@example.com" in words for words in await ingest.words())
        masked = (await ingest.client.get(f"{PATH}/{id_}", headers=key)).json()["masked"]
        assert sum(masked.values()) == 4

    async def test_finds_the_same_matter_by_address_and_by_subject(self, ingest: Ingest) -> None:
        key = await ingest.key()
        for more in (
            {"url": "https://gov.example/7"},
            {"url": "https://gov.example/7", "subject": "别的"},
            {"subject": "路灯不亮!"},
            {"subject": "路灯 不亮"},
            {"unit": "town-west"},
            {"url": "https://weibo.com/u/1234567890"},
            {"url": "https://forum.example/home.php?mod=space&uid=77"},
            {"url": "https://weibo.com/1234567890/NaBcD1234"},
            {"url": "https://weibo.com/1234567890/NaBcD1234", "subject": "别的"},
            {"url": "https://weibo.com/1234567890/NaBcD5678"},
        ):
            assert (await post(ingest, key, **more)).status_code == 201
        matters = [event.data.matter for event in await ingest.events("report.received")]
        assert matters[0] == matters[1] != matters[2] == matters[3] != matters[4]
        assert matters[5] == matters[6] == matters[3], "a person's page is no matter"
        assert matters[7] == matters[8], "a post is one, although it is not kept who posted it"
        assert len({matters[3], *matters[7:]}) == 3

    @pytest.mark.parametrize(
        ("external_id", "kept"),
        [
            ("4111111111111111", True),
            ("7300000000000000007", True),
            ("13812345678", False),
            ("a.b@example.com", False),
            ("110105194912310021", False),
            ("卡号4111111111111111", False),
        ],
    )
    async def test_keeps_the_number_of_a_post_readable(self, ingest: Ingest, external_id: str, kept: bool) -> None:
        await post(ingest, await ingest.key(), source="board", external_id=external_id)
        assert (external_id in await ingest.words()) is kept

    async def test_is_taken_from_the_officer_on_duty(self, ingest: Ingest) -> None:
        assert (await post(ingest, ingest.staff("duty_officer"))).status_code == 201
        (event,) = await ingest.events("report.received")
        assert event.actor == "duty_officer@county"


class TestExactDuplicates:
    async def test_are_answered_with_the_first(self, ingest: Ingest) -> None:
        key = await ingest.key()
        first = await post(ingest, key, source="board", external_id="7")
        second = await post(ingest, key, source="board", external_id="7", text="又来了")
        other = await post(ingest, key, source="board", external_id="8")
        assert [answer.status_code for answer in (first, second, other)] == [201, 200, 201]
        assert first.json() == second.json() != other.json()
        assert len(await ingest.events("report.received")) == 2

    async def test_are_one_also_when_they_come_at_once(self, ingest: Ingest) -> None:
        key = await ingest.key()
        answers = await asyncio.gather(*(post(ingest, key, source="board", external_id="7") for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert len({answer.json()["report_id"] for answer in answers}) == 1

    async def test_are_told_by_the_raw_id_of_one_sender(self, ingest: Ingest) -> None:
        first = await post(ingest, await ingest.key("county"), source="board", external_id="13812345678")
        second = await post(ingest, await ingest.key("county"), source="board", external_id="13812345679")
        other = await post(ingest, await ingest.key("town-east"), source="board", external_id="13812345678")
        again = await post(ingest, await ingest.key("county"), source="board", external_id="13812345678")
        assert [answer.status_code for answer in (first, second, other, again)] == [201, 201, 201, 200]

    async def test_stay_duplicates_after_erasure(self, ingest: Ingest) -> None:
        key = await ingest.key()
        first = await post(ingest, key, source="board", external_id="7")
        id_ = first.json()["report_id"]
        await ingest.client.post(f"{PATH}/{id_}/erase", json={}, headers=ingest.staff("chief"))
        second = await post(ingest, key, source="board", external_id="7")
        assert (second.status_code, second.json()) == (200, first.json())

    async def test_reserve_nothing_where_the_report_is_refused(self, ingest: Ingest) -> None:
        key = await ingest.key("town-west")
        refused(await post(ingest, key, source="board", external_id="7"), 403, "report to a unit")
        assert await ingest.rows("external_ids") == []

    async def test_are_rebuilt_from_the_events(self, ingest: Ingest) -> None:
        key = await ingest.key()
        await post(ingest, key, source="board", external_id="7")
        await post(ingest, key)
        assert rebuilt("external_ids", await ingest.events()) == await ingest.rows("external_ids") != []


class TestIdempotencyKeys:
    async def test_give_the_same_answer_again(self, ingest: Ingest) -> None:
        headers = {**await ingest.key(), "Idempotency-Key": "abc"}
        body = report()
        first, second = await post(ingest, headers, body), await post(ingest, headers, body)
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        assert len(await ingest.events("report.received")) == 1

    async def test_take_no_other_body(self, ingest: Ingest) -> None:
        headers = {**await ingest.key(), "Idempotency-Key": "abc"}
        await post(ingest, headers)
        refused(await post(ingest, headers, subject="别的"), 422, "another request", field="Idempotency-Key")


class TestBadInput:
    @pytest.mark.parametrize(
        ("more", "says", "field"),
        [
            ({"unit": "moon"}, "no unit has the code 'moon'", "unit"),
            ({"unit": 7}, "unit", "unit"),
            ({"subject": ""}, "at least 1 character", "subject"),
            ({"subject": "  \n"}, "at least 1 character", "subject"),
            ({"subject": "长" * 501}, "at most 500 characters", "subject"),
            ({"text": "长" * 100_001}, "at most 100000 characters", "text"),
            ({"text": None}, "Field required", "text"),
            ({"text": ["a"]}, "text", "text"),
            ({"text": "a\x00b"}, "null character", "text"),
            ({"channel": "two words"}, "channel", "channel"),
            ({"discovered_at": "2026-03-02T09:00:00"}, "offset", "discovered_at"),
            ({"discovered_at": "2026-03-02"}, "offset", "discovered_at"),
            ({"discovered_at": 1_700_000_000}, "offset", "discovered_at"),
            ({"discovered_at": "1700000000"}, "offset", "discovered_at"),
            ({"discovered_at": "0001-01-01T00:00:00+14:00"}, "year from 1970", "discovered_at"),
            ({"discovered_at": "2026-13-02T09:00:00Z"}, "discovered_at", "discovered_at"),
            ({"discovered_at": "2999-01-01T00:00:00Z"}, "lies in the future", "discovered_at"),
            ({"source": "board"}, "external_id is missing", "external_id"),
            ({"external_id": "7"}, "source is missing", "source"),
            ({"source": "13812345678", "external_id": "7"}, "somebody's number", "source"),
            ({"mood": "angry"}, "mood is not a field here", "mood"),
        ],
    )
    async def test_is_422_with_the_place(self, ingest: Ingest, more: dict[str, Any], says: str, field: str) -> None:
        refused(await post(ingest, await ingest.key(), **more), 422, says, field=field)
        assert await ingest.events("report") == []
        assert await ingest.words() == []

    @pytest.mark.requirement("ING-02")
    @pytest.mark.parametrize(
        "field",
        ["author", "user_id", "poster", "account", "ip", "phone", "id_card", "real_name", "petitioner", "contact"],
    )
    async def test_names_an_author_s_field_and_takes_nothing(self, ingest: Ingest, field: str) -> None:
        answer = await post(ingest, await ingest.key(), **{field: "x"})
        refused(answer, 422, f"{field} is not taken", "no identity of who wrote or reported is kept", field=field)
        assert await ingest.events("report") == []

    @pytest.mark.parametrize(
        ("raw", "status", "says"),
        [
            (b"{", 400, "not JSON"),
            (b"\xff\xfe{}", 400, "not JSON"),
            (b'{"subject": "\\ud800"}', 400, "not JSON"),
            (b'{"subject": "\xc3\x28"}', 400, "not JSON"),
            (b'{"subject": NaN}', 400, "not JSON"),
            (b'{"subject": ' + b"[" * 100 + b"]" * 100 + b"}", 422, "nested more than 32 deep"),
            (b'{"subject": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "not JSON"),
            (b'{"text": "' + b"a" * 10_000_000 + b'"}', 413, "at most"),
            (b"[]", 422, "the body"),
            (b"null", 422, "the body"),
        ],
    )
    async def test_is_told_what_is_wrong_with_the_body(
        self, ingest: Ingest, raw: bytes, status: int, says: str
    ) -> None:
        headers = {**await ingest.key(), "Content-Type": "application/json"}
        answer = await ingest.client.post(PATH, content=raw, headers=headers)
        assert answer.status_code == status, answer.text
        assert says in answer.json()["detail"]
        assert await ingest.words() == []

    async def test_is_asked_for_json(self, ingest: Ingest) -> None:
        headers = {**await ingest.key(), "Content-Type": "text/plain"}
        refused(await ingest.client.post(PATH, content=b"{}", headers=headers), 415, "application/json")


class TestKeys:
    async def test_are_refused_when_unknown(self, ingest: Ingest) -> None:
        refused(await post(ingest, {"Authorization": "Bearer hy_nothing"}), 401, "unknown or was withdrawn")
        refused(await post(ingest, {}), 401, "Bearer")

    async def test_reach_their_unit_and_below(self, ingest: Ingest) -> None:
        key = await ingest.key("town-east")
        assert (await post(ingest, key)).status_code == 201
        refused(await post(ingest, key, unit="county"), 403, "over county", "integration@town-east")
        (event,) = await ingest.events("access_refused")
        assert event.data.act == "report_to_a_unit"

    async def test_are_made_by_who_administers_the_unit(self, ingest: Ingest) -> None:
        for headers in (ingest.staff("chief"), ingest.staff("admin", unit="town-west")):
            answer = await ingest.client.post("/ingest/v1/keys", json={"unit": "town-east"}, headers=headers)
            refused(answer, 403, "make a key")

    async def test_are_kept_as_a_digest(self, ingest: Ingest) -> None:
        key = (await ingest.key("town-east"))["Authorization"].removeprefix("Bearer ")
        digest = hashlib.sha256(key.encode()).hexdigest()
        (event,) = await ingest.events("operation.configured")
        data = (event.data.setting, event.data.value, event.data.unit)
        assert data == ("api_key", f"ingest:{digest}", "town-east")
        (row,) = await ingest.rows("api_keys")
        assert row == {"digest": digest, "scope": "ingest", "unit": "town-east", "withdrawn": False}

    async def test_end_when_they_are_withdrawn(self, ingest: Ingest) -> None:
        key = await ingest.key("town-east")
        assert (await post(ingest, key)).status_code == 201
        body = {"key": key["Authorization"].removeprefix("Bearer ")}
        for _ in range(2):
            answer = await ingest.client.post("/ingest/v1/keys/withdraw", json=body, headers=ingest.staff("admin"))
            assert answer.status_code == 200
        refused(await post(ingest, key), 401, "withdrawn")
        assert len(await ingest.events("operation.configured")) == 2

    async def test_that_were_never_made_cannot_be_withdrawn(self, ingest: Ingest) -> None:
        answer = await ingest.client.post(
            "/ingest/v1/keys/withdraw", json={"key": "hy_nothing"}, headers=ingest.staff("admin")
        )
        refused(answer, 404, "no such key")

    async def test_are_withdrawn_whatever_order_a_replay_takes(self, ingest: Ingest) -> None:
        body = {"key": (await ingest.key())["Authorization"].removeprefix("Bearer ")}
        await ingest.client.post("/ingest/v1/keys/withdraw", json=body, headers=ingest.staff("admin"))
        events = await ingest.events("configured")
        assert rebuilt("api_keys", events) == rebuilt("api_keys", events[::-1]) == await ingest.rows("api_keys")


class TestReading:
    async def test_is_for_who_sent_it_and_staff_over_its_unit(self, ingest: Ingest) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}"
        for headers in (key, ingest.staff("handler", unit="town-east"), ingest.staff("auditor", unit="city")):
            assert (await ingest.client.get(url, headers=headers)).status_code == 200
        for headers in (await ingest.key("town-east"), ingest.staff("chief", unit="town-west")):
            refused(await ingest.client.get(url, headers=headers), 403, "belongs to town-east")

    @pytest.mark.parametrize("id_", ["report-7", "incident-01890a5d-ac96-774b-bcce-b302099a8057", "x", "report-%00"])
    async def test_of_what_is_no_report_is_404(self, ingest: Ingest, id_: str) -> None:
        refused(await ingest.client.get(f"{PATH}/{id_}", headers=await ingest.key()), 404, "there is no")

    async def test_of_an_unknown_report_is_404(self, ingest: Ingest) -> None:
        id_ = "report-01890a5d-ac96-774b-bcce-b302099a8057"
        for method, path, body in (
            ("GET", "", None),
            ("POST", "/reach", {"clicks": 1, "measured_at": instant(datetime.now(UTC))}),
        ):
            answer = await ingest.client.request(method, f"{PATH}/{id_}{path}", json=body, headers=await ingest.key())
            refused(answer, 404, "there is no")


class TestFollowingUp:
    async def test_reach_and_refusal_are_shown(self, ingest: Ingest) -> None:
        key, officer = await ingest.key(), ingest.staff("duty_officer")
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}"
        reach = {"clicks": 1000, "comments": 20, "measured_at": instant(datetime.now(UTC))}
        first = await ingest.client.post(f"{url}/reach", json=reach, headers=key)
        assert first.status_code == 200
        assert first.headers["etag"] == '"2"'
        second = await ingest.client.post(f"{url}/refuse", json={"reason": "同13812345678来电重复"}, headers=officer)
        assert second.json()["events"][0]["type"] == "huiying.report.refused.v1"
        body = (await ingest.client.get(url, headers=key)).json()
        assert (body["state"], body["reach"], body["version"]) == ("refused", [reach], 3)
        assert body["refused"].startswith("同")
        assert "13812345678" not in body["refused"]
        refused(await ingest.client.post(f"{url}/refuse", json={"reason": "x"}, headers=officer), 409, "already")

    async def test_a_stale_version_is_412(self, ingest: Ingest) -> None:
        url = f"{PATH}/{(await post(ingest, await ingest.key())).json()['report_id']}"
        headers = {**ingest.staff("duty_officer"), "If-Match": '"7"'}
        answer = await ingest.client.post(f"{url}/refuse", json={"reason": "x"}, headers=headers)
        assert answer.status_code == 412
        assert answer.json()["version"] == 1

    async def test_a_person_is_no_reach(self, ingest: Ingest) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}"
        body = {"clicks": 1, "poster": "x", "measured_at": instant(datetime.now(UTC))}
        refused(await ingest.client.post(f"{url}/reach", json=body, headers=key), 422, "not taken", field="poster")


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
        assert self.files(ingest) == [JPEG]
        (event,) = await ingest.events("evidence_attached")
        assert (event.data.size, event.data.sha256) == (len(JPEG), hashlib.sha256(JPEG).hexdigest())

    async def test_of_another_kind_stays_as_it_is(self, ingest: Ingest) -> None:
        pdf = b"%PDF-1.7 /Author (SECRET)" + b"\x00" * 100_000
        answer = await self.attach(ingest, await ingest.key(), content=pdf, headers={"Content-Type": "application/pdf"})
        assert answer.status_code == 201, answer.text
        assert self.files(ingest) == [pdf]

    async def test_as_text_is_masked(self, ingest: Ingest) -> None:
        send = {"content": "电话13812345678".encode(), "headers": {"Content-Type": "text/plain; charset=utf-8"}}
        assert (await self.attach(ingest, await ingest.key(), **send)).status_code == 201
        (text,) = self.files(ingest)
        assert b"13812345678" not in text

    @pytest.mark.parametrize(
        ("send", "status", "says"),
        [
            ({"content": PNG, "headers": {"Content-Type": "image/jpeg"}}, 415, "not those of image/jpeg"),
            ({"content": b"MZ", "headers": {"Content-Type": "application/x-msdownload"}}, 415, "evidence is one of"),
            ({"content": PNG}, 415, "without a Content-Type"),
            ({"content": PNG, "headers": {"Content-Type": "text/plain"}}, 415, "no text in UTF-8"),
            ({"content": b"a\x00b", "headers": {"Content-Type": "text/plain"}}, 415, "plain text"),
            ({"content": b"%PDF-1.7", "headers": {"Content-Type": "text/plain"}}, 415, "plain text"),
            ({"content": b"", "headers": {"Content-Type": "image/png"}}, 415, "not those of"),
            ({"content": PNG[:-1], "headers": {"Content-Type": "image/png"}}, 422, "breaks off or is damaged"),
            ({"files": {"file": ("a", JPEG[:-2], "image/jpeg")}}, 422, "breaks off or is damaged"),
            (
                {"content": PNG + b"x" * 200_000, "headers": {"Content-Type": "image/png"}},
                413,
                "more than 200000 bytes",
            ),
            ({"files": {"file": ("a", PNG + b"x" * 300_000, "image/png")}}, 413, "more than 200000 bytes"),
            ({"files": {"file": ("a", PNG + b"x" * 200_000, "image/png")}}, 413, "more than 200000 bytes"),
            ({"files": {"file": ("a", PNG, "image/webp")}}, 415, "not those of image/webp"),
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
        answer = await ingest.client.get(f"{url}/evidence/{named['file']}", headers=ingest.staff("handler"))
        assert (answer.status_code, answer.content) == (200, JPEG)
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
        assert event.data.act == "read_a_report"
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
        assert (await ingest.client.post(f"{urls[0]}/erase", json={}, headers=chief)).status_code == 200
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
        other = await ingest.client.post(url, content=png(b"others"), headers=headers)
        refused(other, 422, "another request", field="Idempotency-Key")

    @pytest.mark.parametrize(
        ("head", "kind"),
        [
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (PNG[:16], "image/png"),
            (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
            (b"%PDF-1.7", "application/pdf"),
            (b"ID3\x04", "audio/mpeg"),
            (b"\xff\xfb\x90\x00", "audio/mpeg"),
            (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
            (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
            (b"<svg", None),
            (b"", None),
        ],
    )
    def test_is_known_by_its_first_bytes(self, head: bytes, kind: str | None) -> None:
        assert evidence.recognised(head) == kind


class TestErasure:
    async def test_deletes_words_and_files_and_orders_it_everywhere(self, ingest: Ingest) -> None:
        key, chief = await ingest.key(), ingest.staff("chief")
        url = f"{PATH}/{(await post(ingest, key, source='board', external_id='7')).json()['report_id']}"
        send = {"content": PNG, "headers": {**key, "Content-Type": "image/png"}}
        assert (await ingest.client.post(f"{url}/evidence", **send)).status_code == 201
        answer = await ingest.client.post(f"{url}/erase", json={"cause": "law"}, headers=chief)
        assert answer.status_code == 200, answer.text
        (event,) = await ingest.events("report.erased")
        assert await ingest.words() == []
        assert {row["ref"] for row in await ingest.rows("erased")} == set(event.data.refs)
        assert len(event.data.refs) == 3
        assert list((ingest.runtime.settings.data / "evidence").iterdir()) == []
        tombstones = [row["ref"] for row in await ingest.rows("outbox") if row["ref"]]
        assert sorted(tombstones) == sorted([*event.data.refs] * 2)
        body = (await ingest.client.get(url, headers=key)).json()
        assert (body["state"], body["erased"]) == ("erased", "law")
        assert body["subject"] == body["text"] == body["external_id"] == ERASED
        again = await ingest.client.post(f"{url}/erase", json={}, headers=chief)
        assert (again.status_code, again.json()["events"]) == (200, [])
        refused(await ingest.client.post(f"{url}/evidence", **send), 409, "erased")

    async def test_takes_a_right(self, ingest: Ingest) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}/erase"
        refused(await ingest.client.post(url, json={}, headers=ingest.staff("duty_officer")), 403, "erase a report")
        refused(await ingest.client.post(url, json={}, headers=key), 401, "token")

    async def test_is_finished_at_the_next_start(self, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}"
        send = {"content": PNG, "headers": {**key, "Content-Type": "image/png"}}
        for _ in range(2):
            await ingest.client.post(f"{url}/evidence", **send)
        folder = ingest.runtime.settings.data / "evidence"
        (folder / "nobodys").write_bytes(b"x")
        with monkeypatch.context() as patched:
            patched.setattr("services.ingest.blobs.Blobs.delete", lambda *_: None)
            await ingest.client.post(f"{url}/erase", json={}, headers=ingest.staff("chief"))
        assert len(list(folder.iterdir())) == 3
        await blobs.sweep(ingest.runtime)
        assert [path.name for path in folder.iterdir()] == ["nobodys"]


class TestAStoreThatFails:
    async def test_is_503_and_nothing_is_kept(self, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
        key = await ingest.key()

        async def full() -> None:
            raise Unavailable("the outbox is full", 10)

        monkeypatch.setattr(ingest.runtime, "ready_to_decide", full)
        answer = await post(ingest, key)
        refused(answer, 503, "the outbox is full")
        assert answer.headers["retry-after"] == "10"
        assert await ingest.events("report") == []
