"""Reports over HTTP, on a real file."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.envelope import Event
from schemas.fields import instant, parse_instant
from services.ingest import evidence_files, views
from services.ingest.keys import integration_id
from services.kernel import tasks
from services.kernel.core.problems import Unavailable
from services.kernel.serving import commands
from services.kernel.store.words import ERASED
from tests.ingest.conftest import PATH, Ingest, erase, post, refused, report, running
from tests.kernel.test_pictures import PNG
from tests.kit import answers


def rebuilt(table: str, events: list[Event]) -> list[Any]:
    """The rows of a view, as a replay makes them."""
    (view,) = [view for view in views.VIEWS if view.table.name == table]
    rows: dict[Any, Any] = {}
    for event in events:
        for key in view.touched(event):
            rows[key] = view.apply(key, rows.get(key), event)
    return list(rows.values())


async def test_services_of_one_process_share_their_routes_and_nothing_else(
    ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[Any] = []
    monkeypatch.setattr(answers, "check", lambda *answer: compared.append(answer))
    other = tmp_path / "other"
    other.mkdir()
    async with running(other, other / "ingest.sqlite") as second:
        key, others = await ingest.key(), await second.key()
        id_ = (await post(ingest, key)).json()["report_id"]
        assert (await post(second, key)).status_code == 401
        assert (await post(second, others)).status_code == 201
        assert [len(await one.events("report.received")) for one in (ingest, second)] == [1, 1]
        assert (await ingest.client.get(f"{PATH}/{id_}", headers=key)).status_code == 200
        assert (await second.client.get(f"{PATH}/{id_}", headers=others)).status_code == 404
    assert {200, 201, 401, 404} <= {status for _, status, _ in compared}, "no answer escapes the comparison"


class TestOneReport:
    @pytest.mark.requirement("ING-01", "ING-03")
    async def test_is_stored_and_read_back(self, ingest: Ingest) -> None:
        key = await ingest.key(name="hotline")
        at = instant(datetime.now(UTC) - timedelta(hours=3))
        more = {
            "url": "https://gov.example/7",
            "category": "roads.lighting",
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
        assert (event.stream, event.unit, event.actor) == (id_, "town-east", integration_id("county", "hotline"))
        assert (event.time_text, event.partitionkey) == (at, id_)
        assert event.recorded > event.time
        assert len(await ingest.rows("outbox")) == 1 + 1 + 5  # the key, the report, its words

    @pytest.mark.requirement("ING-06")
    async def test_of_every_official_channel_comes_by_one_intake_and_keeps_its_channel(self, ingest: Ingest) -> None:
        """So does the place of the question, to which publish brings the answer back."""
        key, kept = await ingest.key(), []
        channels = ("message_board", "portal", "complaint", "hotline", "letter", "meeting_day", "box", "survey")
        for at, channel in enumerate(channels):
            answer = await post(ingest, key, channel=channel, subject=f"反映 {at}", reply_ref=f"{channel} 42")
            assert answer.status_code == 201, answer.text
            read = (await ingest.client.get(f"{PATH}/{answer.json()['report_id']}", headers=key)).json()
            kept.append((read["channel"], read["reply_ref"]))
        assert kept == [(channel, f"{channel} 42") for channel in channels]
        assert [event.data.channel for event in await ingest.events("report.received")] == list(channels)

    async def test_gives_a_receipt_that_is_stored_nowhere(self, ingest: Ingest) -> None:
        answer = await post(ingest, await ingest.key())
        receipt = answer.json()["receipt"]
        assert [len(part) for part in receipt.split("-")] == [4, 4, 4]
        (event,) = await ingest.events("report.received")
        assert event.data.receipt == ingest.runtime.keys.digest("receipt", receipt)
        assert receipt.encode() not in event.bytes

    async def test_is_found_by_its_receipt_however_somebody_types_it(self, ingest: Ingest) -> None:
        receipt = (await post(ingest, await ingest.key())).json()["receipt"]
        plain = receipt.replace("-", "")
        mistaken = plain.replace("O", "0").replace("I", "1")
        wide = "".join(chr(ord(one) + 0xFEE0) for one in plain)
        for typed in (receipt, plain.lower(), f"{plain[:4]} {plain[4:8]} {plain[8:]} ", mistaken, wide):
            assert (await ingest.client.get(f"/ingest/v1/receipts/{typed}")).status_code == 200, typed
        for typed in ("AAAA-BBBB-CCCC", "x"):
            answer = await ingest.client.get(f"/ingest/v1/receipts/{typed}")
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:huiying:problem:receipt-unknown")

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

    @pytest.mark.parametrize(
        ("external_id", "kept"),
        [
            ("4111111111111112", True),
            ("4111111111111111", False),  # begins and checks as the number of a bank card
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


class TestBadInput:
    @pytest.mark.parametrize(
        ("more", "says", "field"),
        [
            ({"unit": "moon"}, "no unit has the code 'moon'", "unit"),
            ({"unit": 7}, "unit", "unit"),
            ({"subject": ""}, "subject is empty", "subject"),
            ({"subject": "  \n"}, "subject is empty", "subject"),
            ({"subject": "长" * 501}, "more than 500 characters", "subject"),
            ({"text": "长" * 100_001}, "more than 100000 characters", "text"),
            ({"text": None}, "text is missing", "text"),
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
            ({"channel": "张三"}, "no channel has the code '张三'; known are hotline, ", "channel"),
            (
                {"category": "缠访户-重点人员"},
                "no category has the code '缠访户-重点人员'; known",
                "category",
            ),
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
        refused(answer, 422, f"{field} is refused", "no identity of a writer or reporter is kept", field=field)
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
            (b"[]", 422, "body"),
            (b"null", 422, "body"),
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


class TestReading:
    async def test_is_for_who_sent_it_and_staff_over_its_unit(self, ingest: Ingest) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}"
        for headers in (key, ingest.staff("handler", unit="town-east"), ingest.staff("auditor", unit="city")):
            assert (await ingest.client.get(url, headers=headers)).status_code == 200
        for headers in (await ingest.key(), await ingest.key("town-east"), ingest.staff("chief", unit="town-west")):
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

    @pytest.mark.requirement("ING-09")
    async def test_a_person_is_no_reach(self, ingest: Ingest) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}"
        body = {"clicks": 1, "poster": "x", "measured_at": instant(datetime.now(UTC))}
        refused(await ingest.client.post(f"{url}/reach", json=body, headers=key), 422, "refused", field="poster")


class TestErasure:
    async def test_deletes_words_and_files_and_orders_it_everywhere(self, ingest: Ingest) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key, source='board', external_id='7')).json()['report_id']}"
        send = {"content": PNG, "headers": {**key, "Content-Type": "image/png"}}
        assert (await ingest.client.post(f"{url}/evidence", **send)).status_code == 201
        answer = await erase(ingest, url.rpartition("/")[2])
        assert answer.status_code == 200, answer.text
        (event,) = await ingest.events("report.erased")
        assert await ingest.words() == ["依法删除"]
        assert {row["ref"] for row in await ingest.rows("erased")} == set(event.data.refs)
        assert len(event.data.refs) == 3
        assert list((ingest.runtime.settings.data / "evidence").iterdir()) == []
        tombstones = [row["ref"] for row in await ingest.rows("outbox") if row["ref"]]
        assert sorted(tombstones) == sorted([*event.data.refs, *event.data.refs, event.data.reason.ref])
        body = (await ingest.client.get(url, headers=key)).json()
        assert (body["state"], body["erased"]) == ("erased", "law")
        assert body["subject"] == body["text"] == body["external_id"] == ERASED
        again = await erase(ingest, url.rpartition("/")[2])
        assert (again.status_code, again.json()["events"]) == (200, [])
        refused(await ingest.client.post(f"{url}/evidence", **send), 409, "erased")

    async def test_takes_a_right(self, ingest: Ingest) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}/erase"
        refused(
            await ingest.client.post(url, json={"reason": "本人要求"}, headers=ingest.staff("duty_officer")),
            403,
            "to erase takes the role",
        )
        refused(await ingest.client.post(url, json={"reason": "本人要求"}, headers=key), 401, "token")

    async def test_is_finished_at_the_next_start(self, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}"
        send = {"content": PNG, "headers": {**key, "Content-Type": "image/png"}}
        for _ in range(2):
            await ingest.client.post(f"{url}/evidence", **send)
        folder = ingest.runtime.settings.data / "evidence"
        (folder / "nobodys").write_bytes(b"x")
        (folder / "begun.part").write_bytes(b"x")
        (folder / "forgotten.part").write_bytes(b"x")
        os.utime(folder / "forgotten.part", (0, 0))
        with monkeypatch.context() as patched:
            patched.setattr("services.kernel.uploads.blobs.Blobs.delete", lambda *_: None)
            await erase(ingest, url.rpartition("/")[2])
        assert len(list(folder.iterdir())) == 5
        await evidence_files.sweep(ingest.runtime)
        assert {path.name for path in folder.iterdir()} == {"nobodys", "begun.part"}

    async def test_is_finished_where_its_request_ends_at_the_commit(
        self, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = await ingest.key()
        url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}"
        await ingest.client.post(f"{url}/evidence", content=PNG, headers={**key, "Content-Type": "image/png"})
        committed, transact = asyncio.Event(), commands.transact

        async def slow(*parts: Any) -> Any:
            answer = await transact(*parts)
            committed.set()
            await asyncio.sleep(0.05)
            return answer

        monkeypatch.setattr(commands, "transact", slow)
        sending = asyncio.create_task(erase(ingest, url.rpartition("/")[2]))
        await committed.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.gather(*tasks._going_on)
        assert evidence_files.blobs_of(ingest.runtime).names() == set()


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


async def test_only_the_person_who_entered_a_report_takes_it_back(ingest: Ingest) -> None:
    sender, colleague = (ingest.staff("duty_officer", unit="town-east", person=person) for person in ("one", "two"))
    url = f"{PATH}/{(await post(ingest, sender)).json()['report_id']}"
    body = {"cause": "mistake", "reason": "重复录入"}
    refused(await ingest.client.post(f"{url}/erase", json=body, headers=colleague), 403, "to erase takes the role")
    assert "by" not in (await ingest.client.get(url, headers=sender)).json()
    answer = await ingest.client.post(f"{url}/erase", json=body, headers=sender)
    assert [event["type"] for event in answer.json()["events"]] == ["huiying.report.erased.v1"]
