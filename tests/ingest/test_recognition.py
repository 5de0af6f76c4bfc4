"""What is recognised: a repetition by its sender's id, and a matter by its address or subject."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest

from schemas.fields import instant, parse_instant
from schemas.lists import Site
from services.ingest import recognition
from services.ingest.commands import Report
from services.kernel.core.lists import Lists
from tests.ingest.conftest import PATH, Ingest, erase, post, refused, report
from tests.ingest.test_api import rebuilt

ID = {"source": "board", "external_id": "77"}
BLANK = ["", " ", "\u3000", "\r\n", "\u200b", "\ufeff \u2060"]
WRITTEN = ["77 ", " 77", "77\r", "77\n", "７７", "\u200b77", "7\u200d7", "\u300077", "\ufeff77"]
"""The same id as ID in another spelling."""


async def kept(ingest: Ingest) -> tuple[int, list[dict[str, Any]], list[str]]:
    """All traces of a report."""
    return len(await ingest.events()), await ingest.rows("external_ids"), sorted(await ingest.words())


class TestASource:
    async def test_belongs_to_the_integration_which_first_used_it(self, ingest: Ingest) -> None:
        first, other = await ingest.key(name="hotline"), await ingest.key(name="board")
        assert (await post(ingest, first, **ID)).status_code == 201
        before = await kept(ingest)
        answer = await post(ingest, other, source="board", external_id="78")
        refused(answer, 422, "belongs to another integration", field="source")
        assert answer.json()["type"].endswith("source-taken")
        assert await kept(ingest) == before
        assert (await post(ingest, other, source="own", external_id="77")).status_code == 201

    async def test_goes_with_all_keys_of_its_integration(self, ingest: Ingest) -> None:
        first, second = await ingest.key(name="hotline"), await ingest.key(name="hotline")
        assert (await post(ingest, first, **ID)).status_code == 201
        assert (await post(ingest, second, source="board", external_id="78")).status_code == 201

    async def test_of_an_integration_is_not_for_officers_and_theirs_are_nobody_s(self, ingest: Ingest) -> None:
        officer, key = ingest.staff("duty_officer"), await ingest.key()
        assert (await post(ingest, officer, source="paper", external_id="1")).status_code == 201
        assert (await post(ingest, key, source="paper", external_id="1")).status_code == 201
        refused(
            await post(ingest, officer, source="paper", external_id="2"), 422, "another integration", field="source"
        )

    async def test_is_not_taken_by_a_report_that_is_refused(self, ingest: Ingest) -> None:
        first, other = await ingest.key(name="hotline"), await ingest.key(name="board")
        assert (await post(ingest, first, **ID, channel="moon")).status_code == 422
        assert (await post(ingest, other, **ID)).status_code == 201

    async def test_is_taken_once_when_two_come_at_once(self, ingest: Ingest) -> None:
        keys = [await ingest.key(name=f"system-{number}") for number in range(4)]
        answers = await asyncio.gather(*(post(ingest, key, **ID) for key in keys))
        assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]

    async def test_is_remembered_by_a_rebuilt_store(self, ingest: Ingest) -> None:
        await post(ingest, await ingest.key(name="hotline"), **ID)
        (row,) = await ingest.rows("sources")
        assert row["source"] == "board" and row["integration"].startswith("integration-")
        assert rebuilt("sources", await ingest.events()) == [row]


class TestARepetition:
    async def test_is_answered_with_the_first(self, ingest: Ingest) -> None:
        key = await ingest.key()
        first = await post(ingest, key, **ID)
        before = await kept(ingest)
        second = await post(ingest, key, **ID)
        assert (first.status_code, second.status_code, second.json()) == (201, 200, first.json())
        assert await kept(ingest) == before
        assert (await post(ingest, key, **{**ID, "external_id": "78"})).status_code == 201

    @pytest.mark.parametrize("written", WRITTEN, ids=ascii)
    async def test_is_known_however_its_id_is_written(self, ingest: Ingest, written: str) -> None:
        key = await ingest.key()
        first = await post(ingest, key, **ID)
        second = await post(ingest, key, source=" ｂｏａｒｄ", external_id=written)
        assert (second.status_code, second.json()) == (200, first.json())

    async def test_is_one_also_when_it_comes_at_once(self, ingest: Ingest) -> None:
        key, body = await ingest.key(), report(**ID)
        answers = await asyncio.gather(*(post(ingest, key, body) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
        assert len({answer.json()["report_id"] for answer in answers}) == 1

    async def test_is_told_by_the_raw_id_of_one_sender(self, ingest: Ingest) -> None:
        county, town = await ingest.key("county"), await ingest.key("town-east")
        first = await post(ingest, county, source="board", external_id="13812345678")
        second = await post(ingest, county, source="board", external_id="13812345679")
        other = await post(ingest, town, source="board-east", external_id="13812345678")
        again = await post(ingest, county, source="board", external_id="13812345678")
        assert [answer.status_code for answer in (first, second, other, again)] == [201, 201, 201, 200]

    async def test_may_be_stamped_later_but_no_earlier(self, ingest: Ingest) -> None:
        key, body = await ingest.key(), report(**ID)
        since = parse_instant(body["discovered_at"])
        first = await post(ingest, key, body)
        later = await post(ingest, key, {**body, "discovered_at": instant(since + timedelta(seconds=5))})
        assert (later.status_code, later.json()) == (200, first.json())
        earlier = await post(ingest, key, {**body, "discovered_at": instant(since - timedelta(seconds=5))})
        refused(earlier, 409, first.json()["report_id"])

    async def test_stays_one_after_erasure(self, ingest: Ingest) -> None:
        key = await ingest.key()
        first = await post(ingest, key, **ID)
        id_ = first.json()["report_id"]
        await erase(ingest, id_)
        again, other = await post(ingest, key, **ID), await post(ingest, key, **ID, text="另一件事")
        assert (again.status_code, again.json()) == (200, first.json())
        refused(other, 409, id_)
        assert ID["external_id"] not in await ingest.words()


class TestOtherContentUnderOneId:
    @pytest.mark.parametrize(
        "changed",
        [
            {"text": "路口的红绿灯也坏了。"},
            {"subject": "红绿灯坏了"},
            {"unit": "town-west"},
            {"channel": "hotline"},
            {"url": "https://gov.example/7"},
            {"place": "人民路"},
            {"category": "roads"},
            {"request": "尽快修好"},
            {"reply_ref": "R-1"},
        ],
        ids=lambda changed: next(iter(changed)),
    )
    async def test_is_refused_and_names_the_first(self, ingest: Ingest, changed: dict[str, str]) -> None:
        key = await ingest.key()
        id_ = (await post(ingest, key, **ID)).json()["report_id"]
        before = await kept(ingest)
        answer = await post(ingest, key, **ID, **changed)
        refused(answer, 409, id_, "Nothing of this one was kept")
        assert answer.json()["type"] == "urn:huiying:problem:id-taken"
        assert answer.json()["report_id"] == id_
        assert "receipt" not in answer.json()
        assert await kept(ingest) == before

    async def test_shows_nobody_the_number_in_an_id(self, ingest: Ingest) -> None:
        key = await ingest.key()
        await post(ingest, key, source="board", external_id="13812345678")
        answer = await post(ingest, key, source="board", external_id="13812345678", text="另一件事")
        assert (answer.status_code, "13812345678" in answer.text) == (409, False)

    async def test_is_refused_line_by_line_in_a_batch(self, ingest: Ingest) -> None:
        key = {**await ingest.key(), "Idempotency-Key": "abc"}
        other = {"text": "另一件事"}
        lines = [report(**ID), report(**ID), report(**ID, **other), report(**{**ID, "external_id": "8"}, **other)]
        body = b"\n".join(map(orjson.dumps, lines))
        for _ in range(2):
            answer = await ingest.client.post(f"{PATH}/batch", content=body, headers=key)
            found = [orjson.loads(line) for line in answer.content.splitlines()]
            assert [line["status"] for line in found] == [201, 200, 409, 201]
            assert found[0]["report_id"] == found[1]["report_id"] == found[2]["problem"]["report_id"]
        assert len(await ingest.events("report.received")) == 2

    async def test_is_not_remembered_under_an_idempotency_key(self, ingest: Ingest) -> None:
        plain = await ingest.key()
        await post(ingest, plain, **ID)
        key = {**plain, "Idempotency-Key": "abc"}
        assert (await post(ingest, key, **ID, text="另一件事")).status_code == 409
        assert (await post(ingest, key, source="board", external_id="78", text="另一件事")).status_code == 201

    @pytest.mark.postgres
    async def test_is_refused_also_when_it_comes_at_once(self, on_postgres: Ingest) -> None:
        key = await on_postgres.key()
        one, other = orjson.dumps(report(**ID)), orjson.dumps(report(**ID, text="另一件事"))
        bodies = [one, other] * 4
        answers = await asyncio.gather(
            *(on_postgres.client.post(f"{PATH}/batch", content=body, headers=key) for body in bodies)
        )
        found = [orjson.loads(answer.content) for answer in answers]
        assert sorted(line["status"] for line in found) == [200, 200, 200, 201, 409, 409, 409, 409]
        ids = {line.get("report_id") or line["problem"]["report_id"] for line in found}
        assert ids == {event.stream for event in await on_postgres.events("report.received")}


@pytest.fixture(params=["ingest", pytest.param("on_postgres", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest) -> Ingest:
    """Ingest on either database."""
    made: Ingest = request.getfixturevalue(request.param)
    return made


class TestOneUnit:
    """How two senders of one unit affect each other, on both databases."""

    async def test_has_one_integration_with_several_keys(self, either: Ingest) -> None:
        one, other = [await either.key("town-east", name="hotline") for _ in range(2)]
        first = await post(either, one, **ID)
        before = await kept(either)
        again, changed = await post(either, other, **ID), await post(either, other, **ID, text="另一件事")
        assert (again.status_code, again.json()) == (200, first.json())
        refused(changed, 409, first.json()["report_id"])
        assert await kept(either) == before

    async def test_has_several_integrations_that_are_strangers(self, either: Ingest) -> None:
        one, other = [await either.key("town-east", name=name) for name in ("hotline", "board")]
        first = await post(either, one, **ID)
        before = await kept(either)
        for more in ({}, {"text": "另一件事"}):
            taken = await post(either, other, **ID, **more)
            refused(taken, 422, "belongs to another integration", field="source")
            assert not any(told in taken.text for told in first.json().values())
        assert await kept(either) == before
        named = {**ID, "source": "board-of-its-own"}
        second, again = [await post(either, other, **named) for _ in range(2)]
        assert (second.status_code, again.status_code, again.json()) == (201, 200, second.json())
        assert set(second.json().values()).isdisjoint(first.json().values())

    async def test_has_officers_whose_reports_are_apart_from_an_integration_s(self, either: Ingest) -> None:
        officer, key = either.staff("duty_officer", unit="town-east"), await either.key("town-east")
        first, second = await post(either, officer, **ID), await post(either, key, **ID, text="另一件事")
        assert (first.status_code, second.status_code) == (201, 201)
        assert (await post(either, key, **ID, text="另一件事")).json() == second.json()

    async def test_sends_one_report_in_a_batch_however_its_id_is_written(self, either: Ingest) -> None:
        one, other = [await either.key("town-east", name="hotline") for _ in range(2)]
        first = (await post(either, one, **ID)).json()["report_id"]
        lines = [report(source=" ｂｏａｒｄ", external_id=written) for written in WRITTEN]
        lines += [report(**{**ID, field: blank}) for field in ID for blank in BLANK]
        answer = await either.client.post(f"{PATH}/batch", content=b"\n".join(map(orjson.dumps, lines)), headers=other)
        found = [orjson.loads(line) for line in answer.content.splitlines()]
        assert [line["status"] for line in found] == [200] * len(WRITTEN) + [422] * 2 * len(BLANK)
        assert {line["report_id"] for line in found[: len(WRITTEN)]} == {first}
        assert [line["problem"]["field"] for line in found[len(WRITTEN) :]] == [f for f in ID for _ in BLANK]
        assert len(await either.events("report.received")) == 1


@pytest.mark.parametrize("blank", BLANK, ids=ascii)
@pytest.mark.parametrize("field", ["source", "external_id"])
async def test_a_blank_id_is_refused(ingest: Ingest, field: str, blank: str) -> None:
    answer = await post(ingest, await ingest.key(), **{**ID, field: blank})
    refused(answer, 422, field, field=field)
    assert await ingest.events("report") == []


async def test_an_id_reserves_nothing_where_the_report_is_refused(ingest: Ingest) -> None:
    refused(await post(ingest, await ingest.key("town-west"), **ID), 403, "to report takes the role")
    assert await ingest.rows("external_ids") == []


async def test_ids_are_rebuilt_from_the_events(ingest: Ingest) -> None:
    key = await ingest.key()
    await post(ingest, key, **ID)
    await post(ingest, key)
    assert rebuilt("external_ids", await ingest.events()) == await ingest.rows("external_ids") != []


@pytest.mark.parametrize(
    "url",
    [
        "无",
        "www.example.cn",
        "http://",
        "https:///7",
        "ftp://gov.example/7",
        "javascript:alert(1)",
        "https://gov.example/7 https://gov.example/8",
        "https://[::1/7",
        "https://gov.example:99999/7",
        "网址：https://gov.example/7",
    ],
)
async def test_what_is_no_web_address_is_refused(ingest: Ingest, url: str) -> None:
    answer = await post(ingest, await ingest.key(), url=url)
    refused(answer, 422, "begins with http:// or https://", field="url")


BOARD = Lists(
    sites=(
        Site(host="bbs.example.cn", units=("town-east",), below="/thread/"),
        Site(host="gov.example", units=("town-east",)),
        Site(host="weibo.com", units=("town-east",)),
    )
)
Digest = Callable[..., str | None]


@pytest.fixture
def match_key() -> Digest:
    """The digest of a report's subject, after masking as in the service."""

    def of(lists: Lists = BOARD, **more: Any) -> str | None:
        from schemas.ingest import ReportReceived
        from services.ingest.intake import masked

        typed = Report.model_validate(report(**more))
        clean, _ = masked(typed, ReportReceived)
        return recognition.match_key(typed, clean, lists, lambda *parts: "|".join(parts))

    return of


def test_a_place_is_counted_by_a_digest_of_its_words() -> None:
    def place_key(**more: Any) -> str | None:
        return recognition.place_key(Report.model_validate(report(**more)), lambda *parts: "|".join(parts))

    assert place_key(place="人民广场 南侧") == place_key(place="人民广场南侧。")
    assert place_key(place="人民广场南侧") != place_key(place="人民广场北侧")
    assert place_key(place="人民广场南侧") != place_key(place="人民广场南侧", unit="town-west")
    assert place_key() is place_key(place="……") is None


class TestAMatter:
    def test_is_known_by_its_subject(self, match_key: Digest) -> None:
        assert match_key(subject="路灯不亮!") == match_key(subject=" 路灯 不亮") != match_key(subject="路灯亮")
        assert match_key(subject="路灯不亮", unit="town-west") != match_key(subject="路灯不亮")

    def test_is_another_one_at_another_place_and_where_only_one_names_a_place(self, match_key: Digest) -> None:
        here, there = "卫生院门前", "中心小学门前"
        for about in ({}, {"url": "https://gov.example/7"}):
            assert match_key(**about, place=here) == match_key(**about, place=" 卫生院，门前。")
            assert len({match_key(**about, place=place) for place in (here, there, None)}) == 3
            assert match_key(**about, place="……") == match_key(**about)
        # masking hides what tells the two apart
        homes = {match_key(place=f"{here}，电话1380000000{digit}") for digit in range(2)}
        assert len(homes) == 2

    @pytest.mark.parametrize(
        "subject",
        [
            "!!!",
            "。。。",
            "——",
            "\u200b\u2060",
            "\u3164\u3164",
            "\u2800",
            "★☆",
            "+~^",
            "😀",
            "13812345678",
            "\u0301",
            "？ 13812345678！",
        ],
        ids=ascii,
    )
    def test_is_nothing_where_a_subject_says_nothing(self, match_key: Digest, subject: str) -> None:
        assert match_key(subject=subject) is None

    def test_is_known_by_its_address_on_listed_sites(self, match_key: Digest) -> None:
        one = match_key(url="https://gov.example/7")
        for same in (
            "http://gov.example/7",
            "https://GOV.example/7/",
            "https://gov.example.:443/7",
        ):
            assert match_key(url=same, subject="别的") == one
        assert (
            len(
                {
                    one,
                    match_key(),
                    match_key(url="https://gov.example/8"),
                    match_key(url="https://gov.example/7?page=2"),
                }
            )
            == 4
        )
        assert match_key(url="https://bbs.example.cn/thread/7") != match_key()

    @pytest.mark.parametrize(
        "url",
        [
            "https://other.example/7",
            "https://www.gov.example/7",
            "https://gov.example.evil.cn/7",
            "https://bbs.example.cn/user/7",
            "https://bbs.example.cn/thread/",
            "https://gov.example",
            "https://gov.example/",
            "https://gov.example/?",
            "https://gov.example/#",
            "https://gov.example/index.html",
            "https://weibo.com/u/1234567890",
            "https://gov.example/home.php?mod=space&uid=77",
        ],
    )
    def test_is_its_subject_under_any_other_address(self, match_key: Digest, url: str) -> None:
        assert match_key(url=url) == match_key() != match_key(url=url, subject="别的")

    def test_is_one_post_although_it_is_not_kept_who_posted_it(self, match_key: Digest) -> None:
        one, other = (match_key(url=f"https://weibo.com/1234567890/NaBcD{n}") for n in (1234, 5678))
        assert len({one, other, match_key()}) == 3

    def test_is_no_address_for_a_unit_that_does_not_list_the_site(self, match_key: Digest) -> None:
        assert match_key(url="https://gov.example/7", unit="town-west") == match_key(unit="town-west")
        assert match_key(url="https://gov.example/7", lists=Lists()) == match_key()

    async def test_of_its_own_is_a_report_that_says_nothing(self, ingest: Ingest) -> None:
        key = await ingest.key()
        for _ in range(2):
            assert (await post(ingest, key, subject="……")).status_code == 201
        assert [event.data.match_key for event in await ingest.events("report.received")] == [None, None]
