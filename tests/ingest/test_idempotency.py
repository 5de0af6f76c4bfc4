"""Idempotency keys: their owner, their request, what is kept of them, and for how long."""

import asyncio
import hashlib
from datetime import timedelta

import httpx
import pytest

from services.kernel.serving import idempotency
from tests.ingest.conftest import PATH, Ingest, post, refused, report
from tests.kernel.test_pictures import PNG

KEY = {"Idempotency-Key": "abc"}


def reused(answer: httpx.Response) -> None:
    refused(answer, 422, "another request", field="Idempotency-Key")


async def test_the_same_request_is_answered_alike_with_its_receipt(ingest: Ingest) -> None:
    headers, body = {**await ingest.key(), **KEY}, report()
    first, second = await post(ingest, headers, body), await post(ingest, headers, body)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert first.json()["receipt"]
    assert len(await ingest.events("report.received")) == 1


async def test_the_same_key_at_once_decides_once(ingest: Ingest) -> None:
    headers, body = {**await ingest.key(), **KEY}, report()
    answers = await asyncio.gather(*(post(ingest, headers, body) for _ in range(8)))
    assert len({answer.text for answer in answers}) == 1
    assert len(await ingest.events("report.received")) == 1


async def test_a_key_belongs_to_its_body_path_query_and_version(ingest: Ingest) -> None:
    headers = {**await ingest.key(), **KEY}
    made = await post(ingest, headers)
    reused(await post(ingest, headers, subject="别的"))
    id_ = made.json()["report_id"]
    officer = {**ingest.staff("duty_officer"), **KEY}
    refuse = f"{PATH}/{id_}/refuse"
    first = await ingest.client.post(refuse, json={"reason": "x"}, headers={**officer, "If-Match": "1"})
    assert first.status_code == 200, first.text
    again = await ingest.client.post(refuse, json={"reason": "x"}, headers={**officer, "If-Match": '"1"'})
    assert again.json() == first.json()
    for version in ({}, {"If-Match": "2"}):
        reused(await ingest.client.post(refuse, json={"reason": "x"}, headers={**officer, **version}))


async def test_a_file_belongs_to_its_note(ingest: Ingest) -> None:
    key = await ingest.key()
    url = f"{PATH}/{(await post(ingest, key)).json()['report_id']}/evidence"
    headers = {**key, **KEY, "Content-Type": "image/png"}
    first = await ingest.client.post(f"{url}?note=a", content=PNG, headers=headers)
    assert first.status_code == 201
    assert (await ingest.client.post(f"{url}?note=a", content=PNG, headers=headers)).json() == first.json()
    reused(await ingest.client.post(f"{url}?note=b", content=PNG, headers=headers))
    assert len(await ingest.events("evidence_attached")) == 1


async def test_one_persons_answer_is_nobody_elses(ingest: Ingest) -> None:
    """Two officers of one post use the same key. The second request is judged, not answered from memory."""
    id_ = (await post(ingest, await ingest.key())).json()["report_id"]

    async def refuse(person: str) -> httpx.Response:
        headers = {**ingest.staff("duty_officer", person=person), **KEY}
        return await ingest.client.post(f"{PATH}/{id_}/refuse", json={"reason": "x"}, headers=headers)

    assert (await refuse("one")).status_code == 200
    assert (await refuse("one")).status_code == 200
    refused(await refuse("two"), 409, "refused an answer already")


@pytest.mark.parametrize("blank", ["", " ", "\t"])
async def test_an_empty_header_is_no_key(ingest: Ingest, blank: str) -> None:
    headers = {**await ingest.key(), "Idempotency-Key": blank}
    first, second = await post(ingest, headers), await post(ingest, headers)
    assert first.json() != second.json()
    lines = await ingest.client.post(f"{PATH}/batch", content=b"{}", headers=headers)
    assert lines.status_code == 200
    assert await ingest.rows("idempotency") == []


async def test_what_is_kept_says_nothing(ingest: Ingest) -> None:
    key = {**await ingest.key(), "Idempotency-Key": "order-of-zhang-san"}
    body = report(subject="卫生院门前路灯不亮")
    made = await post(ingest, key, body)
    batch = await ingest.client.post(f"{PATH}/batch", content=made.request.content, headers=key)
    staff = {**ingest.staff("duty_officer", person="li-si"), "Idempotency-Key": "order-of-zhang-san"}
    url = f"{PATH}/{made.json()['report_id']}/refuse"
    assert (await ingest.client.post(url, json={"reason": "x"}, headers=staff)).status_code == 200
    rows = await ingest.rows("idempotency")
    assert len(rows) == 3
    values = [value for row in rows for value in row.values()]
    kept = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in values)
    said = ["zhang-san", "li-si", "duty_officer", "receipt", *made.json().values(), batch.json()["receipt"]]
    plain = (b"POST", PATH.encode() + b"?", b"None", made.request.content)
    said.append(hashlib.sha256(b"\n".join(plain)).hexdigest())
    assert idempotency.digest_of("POST", f"{PATH}?", made.request.content) == said[-1]
    assert [one for one in said if one.encode() in kept] == []


async def test_a_key_is_forgotten_in_its_time(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    await forgotten_in_its_time(ingest, monkeypatch)


@pytest.mark.postgres
async def test_a_key_is_forgotten_in_its_time_on_postgresql(
    on_postgres: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await forgotten_in_its_time(on_postgres, monkeypatch)


async def forgotten_in_its_time(service: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    key = await service.key()
    for number in range(5):
        await post(service, {**key, "Idempotency-Key": str(number)})
    service.runtime.time_source.move(idempotency.REMEMBERED - timedelta(minutes=1))
    reused(await post(service, {**key, "Idempotency-Key": "0"}, subject="别的"))
    assert await idempotency.prune(service.runtime) == 0
    service.runtime.time_source.move(timedelta(minutes=2))
    assert (await post(service, {**key, "Idempotency-Key": "0"}, subject="别的")).status_code == 201
    monkeypatch.setattr(idempotency, "PRUNED_TOGETHER", 2)
    assert await idempotency.prune(service.runtime) == 4
    assert len(await service.rows("idempotency")) == 1
    reused(await post(service, {**key, "Idempotency-Key": "0"}))


async def test_the_leader_forgets_by_itself(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    await post(ingest, {**await ingest.key(), **KEY})
    ingest.runtime.time_source.move(idempotency.REMEMBERED + timedelta(minutes=1))
    monkeypatch.setattr(idempotency, "PRUNE_SECONDS", 0.01)
    pruning = asyncio.create_task(idempotency.keep_pruning(ingest.runtime))
    try:
        async with asyncio.timeout(10):
            while await ingest.rows("idempotency"):
                await asyncio.sleep(0.01)
    finally:
        pruning.cancel()
