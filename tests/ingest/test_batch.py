"""Many reports in one request."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from schemas.fields import instant
from services.ingest import batch
from services.ingest.answers import BatchLine
from services.ingest.batch import read_lines
from services.kernel.store.session import Conflict, Session
from tests.ingest.conftest import Ingest, report

PATH = "/ingest/v1/reports/batch"


def ndjson(*bodies: Any) -> bytes:
    """Lines of a body. Bytes stay as they are."""
    return b"".join((body if isinstance(body, bytes) else orjson.dumps(body)) + b"\n" for body in bodies)


async def send(ingest: Ingest, headers: dict[str, str], content: Any) -> list[dict[str, Any]]:
    """Posts a batch and reads its answers."""
    answer = await raw(ingest, headers, content)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    for line in answer.content.splitlines():
        BatchLine.model_validate_json(line, strict=True)
    return [orjson.loads(line) for line in answer.content.splitlines()]


async def raw(ingest: Ingest, headers: dict[str, str], content: Any) -> httpx.Response:
    return await ingest.client.post(PATH, content=content, headers={"Content-Type": "application/x-ndjson", **headers})


async def test_answers_every_line_in_order(ingest: Ingest) -> None:
    key = await ingest.key()
    bodies = [report(source="board", external_id=str(number)) for number in range(1200)]
    answers = await send(ingest, key, ndjson(*bodies))
    assert [answer["line"] for answer in answers] == list(range(1, 1201))
    assert {answer["status"] for answer in answers} == {201}
    stored = [event.stream for event in await ingest.events("report.received")]
    assert sorted(answer["report_id"] for answer in answers) == sorted(stored)
    again = await send(ingest, key, ndjson(*bodies))
    assert [{**answer, "status": 200} for answer in answers] == again
    assert len(await ingest.rows("external_ids")) == 1200


async def test_a_bad_line_spoils_no_good_one(ingest: Ingest) -> None:
    bodies: list[Any] = [report() for _ in range(10_000)]
    bodies[4321] = b'{"subject": '
    answers = await send(ingest, await ingest.key(), ndjson(*bodies))
    assert len(answers) == 10_000
    (bad,) = [answer for answer in answers if answer["status"] != 201]
    assert (bad["line"], bad["status"]) == (4322, 400)
    assert bad["problem"]["type"] == "urn:huiying:problem:not-json"
    assert len(await ingest.events("report.received")) == 9_999


@pytest.mark.requirement("ING-02")
async def test_says_of_each_bad_line_what_and_where(ingest: Ingest) -> None:
    future = instant(datetime.now(UTC) + timedelta(hours=1))
    bad: list[tuple[Any, int, str, str | None]] = [
        (b"nonsense", 400, "not JSON", None),
        (b'{"a": "\\ud800"}', 400, "not JSON", None),
        (b'{"a": "\xff"}', 400, "not JSON", None),
        (b"[" * 50 + b"]" * 50, 422, "nested", "0." * 32 + "0"),
        (report(text="a\x00b"), 422, "null character", "text"),
        (b"[]", 422, "body takes a JSON object", "body"),
        (report(unit="moon"), 422, "no unit", "unit"),
        (report(unit="city"), 403, "over city", None),
        (report(author="x"), 422, "no identity", "author"),
        (report(discovered_at="2026-03-02T09:00:00"), 422, "offset", "discovered_at"),
        (report(discovered_at=future), 422, "future", "discovered_at"),
        (report(source="board"), 422, "external_id is missing", "external_id"),
        (report(text="a" * 400_000), 413, "300000 bytes", None),
    ]
    bodies = [part for body, *_ in bad for part in (report(), body)]
    answers = await send(ingest, await ingest.key(), ndjson(*bodies))
    assert [answer["status"] for answer in answers[::2]] == [201] * len(bad)
    for answer, (_, status, says, field) in zip(answers[1::2], bad, strict=True):
        assert answer["status"] == answer["problem"]["status"] == status, answer
        assert says in answer["problem"]["detail"], answer
        assert answer["problem"].get("field") == field, answer
        assert "report_id" not in answer
    assert len(await ingest.events("report.received")) == len(bad)
    (refusal,) = await ingest.events("access_refused")
    assert refusal.data.count == 1


async def test_counts_empty_lines_and_does_not_answer_them(ingest: Ingest) -> None:
    content = b"\n" + orjson.dumps(report()) + b"\r\n \t\n" + orjson.dumps(report())
    answers = await send(ingest, await ingest.key(), content)
    assert [(answer["line"], answer["status"]) for answer in answers] == [(2, 201), (4, 201)]
    assert await send(ingest, await ingest.key(), b"") == []


async def test_knows_duplicates_within_itself(ingest: Ingest) -> None:
    future = instant(datetime.now(UTC) + timedelta(hours=1))
    same = {"source": "board", "external_id": "7"}
    bodies = [report(discovered_at=future, **same), report(**same), report(**same)]
    bad, first, second = await send(ingest, await ingest.key(), ndjson(*bodies))
    assert (bad["status"], first["status"], second["status"]) == (422, 201, 200)
    assert (first["report_id"], first["receipt"]) == (second["report_id"], second["receipt"])
    assert len(await ingest.events("report.received")) == 1


async def test_masks_what_it_stores(ingest: Ingest) -> None:
    await send(ingest, await ingest.key(), ndjson(report(text="电话13812345678")))
    assert not any("13812345678" in words for words in await ingest.words())


async def test_a_key_holds_line_by_line(ingest: Ingest) -> None:
    headers = {**await ingest.key(), "Idempotency-Key": "abc"}
    bodies = [report(), b"bad", report(subject="水管破裂")]
    first = await send(ingest, headers, ndjson(*bodies))
    bodies[1] = report(subject="改好了")
    bodies[2] = report(subject="换了")
    second = await send(ingest, headers, ndjson(*bodies))
    assert [answer["status"] for answer in first] == [201, 400, 201]
    assert second[0] == first[0]
    assert second[1]["status"] == 201, "only what succeeded is kept for a key"
    assert second[2]["status"] == 422
    assert second[2]["problem"]["field"] == "Idempotency-Key"
    assert len(await ingest.events("report.received")) == 3
    assert len(await ingest.rows("idempotency")) == 3


async def test_retries_a_chunk_that_met_another_writer(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    flush, times = Session.flush, 0

    async def conflicting(session: Session) -> None:
        nonlocal times
        times += 1
        if times == 1:
            raise Conflict
        await flush(session)

    key = await ingest.key()
    monkeypatch.setattr(Session, "flush", conflicting)
    answers = await send(ingest, key, ndjson(report(source="board", external_id="7"), report()))
    assert [answer["status"] for answer in answers] == [201, 201]
    assert len(await ingest.events("report.received")) == 2


async def test_goes_on_after_a_chunk_whose_store_failed(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    flush, times = Session.flush, 0

    async def failing(session: Session) -> None:
        nonlocal times
        times += 1
        if times == 2:
            raise OperationalError("insert", None, Exception("database or disk is full"))
        await flush(session)

    key = await ingest.key()
    monkeypatch.setattr(Session, "flush", failing)
    monkeypatch.setattr(batch, "LINES", 10)
    answers = await send(ingest, key, ndjson(*[report() for _ in range(30)]))
    assert [answer["status"] for answer in answers] == [201] * 10 + [503] * 10 + [201] * 10
    assert "no room left" in answers[10]["problem"]["detail"]
    stored = {event.stream for event in await ingest.events("report.received")}
    assert stored == {answer["report_id"] for answer in answers if answer["status"] == 201}


async def test_is_read_as_it_comes_with_little_in_memory(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "BYTES", 100_000)
    largest = 0
    store = batch.Reader.store

    async def measured(reader: Any, lines: Any) -> None:
        nonlocal largest
        largest = max(largest, len(lines))
        await store(reader, lines)

    monkeypatch.setattr(batch.Reader, "store", measured)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield orjson.dumps(report(text="长" * 10_000))
            yield b"\n"

    answers = await send(ingest, await ingest.key(), body())
    assert [answer["status"] for answer in answers] == [201] * 40
    assert largest == 4


async def test_is_refused_before_it_is_read(ingest: Ingest) -> None:
    assert (await raw(ingest, {}, ndjson(report()))).status_code == 401
    assert (await raw(ingest, {"Authorization": "Bearer hy_x"}, ndjson(report()))).status_code == 401
    key = await ingest.key()
    answer = await raw(ingest, {**key, "Content-Type": "application/json"}, ndjson(report()))
    assert answer.status_code == 415
    assert "one report a line" in answer.json()["detail"]


@for_all(st.lists(st.binary(max_size=12)), st.integers(0, 12), st.randoms())
async def test_lines_do_not_depend_on_how_the_body_is_cut(pieces: list[bytes], limit: int, chance: Any) -> None:
    body = b"\n".join(pieces)
    cuts = sorted(chance.randint(0, len(body)) for _ in range(chance.randint(0, 6)))
    edges = [0, *cuts, len(body)]

    async def stream() -> AsyncIterator[bytes]:
        for start, end in pairwise(edges):
            yield body[start:end]

    whole = body.split(b"\n")
    if not whole[-1]:
        whole.pop()
    expected = [(number, line if len(line) <= limit else None) for number, line in enumerate(whole, 1)]
    assert [line async for line in read_lines(stream(), limit)] == expected
