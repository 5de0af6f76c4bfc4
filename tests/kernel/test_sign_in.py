"""Sign-in at the border to HTTP: before the body, counted, limited, and logged without the key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from services.kernel import metrics
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Unauthenticated
from services.kernel.serving import sign_in
from tests.ingest.conftest import PATH, Ingest, post, refused, running
from tests.kit import access, spec

URL = f"{PATH}/report-{spec.UUID}"
BAD = {"Authorization": "Bearer hy_somebodys-very-secret-key"}


@pytest.fixture
async def ingest(tmp_path: Path) -> AsyncIterator[Ingest]:
    async with running(tmp_path, tmp_path / "ingest.sqlite") as service:
        yield service


@asynccontextmanager
async def from_address(ingest: Ingest, address: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = ingest.client._transport
    assert isinstance(transport, httpx.ASGITransport)
    elsewhere = httpx.ASGITransport(transport.app, client=(address, 1))
    async with httpx.AsyncClient(transport=elsewhere, base_url="http://ingest") as client:
        yield client


@pytest.mark.parametrize("path", [PATH, f"{PATH}/batch", f"{URL}/evidence", f"{URL}/refuse", "/ingest/v1/keys"])
@pytest.mark.parametrize("kind", ["application/json", "image/png", "multipart/form-data; boundary=x"])
async def test_a_body_is_not_read_before_it_is_known_who_sends_it(ingest: Ingest, path: str, kind: str) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(19):
            read += 1
            yield b"x" * 1_000_000

    answer = await ingest.client.post(path, content=body(), headers={**BAD, "Content-Type": kind})
    assert answer.status_code == 401
    assert read == 0


async def test_who_fails_too_often_waits_and_who_signs_in_rightly_does_not(ingest: Ingest) -> None:
    before = {status: metrics.SIGN_INS_FAILED.labels(status)._value.get() for status in ("401", "429")}
    with capture_logs() as logs:
        for bad in (BAD, {"Authorization": "Bearer " + access.token("county", "chief", deployment="other")}):
            for _ in range(sign_in.FAILURES // 2):
                assert (await ingest.client.get(URL, headers=bad)).status_code == 401
        for _ in range(3):
            answer = await ingest.client.get(URL, headers=BAD)
            refused(answer, 429, "too often")
            assert 1 <= int(answer.headers["Retry-After"]) <= sign_in.WINDOW + 1
    key = await ingest.key()
    assert (await post(ingest, key)).status_code == 201
    assert (await ingest.client.get(URL, headers=ingest.staff("chief"))).status_code == 404
    assert (await ingest.client.get(URL)).status_code == 401
    async with from_address(ingest, "192.0.2.1") as elsewhere:
        assert (await elsewhere.get(URL, headers=BAD)).status_code == 401
    told = [one for one in logs if one["event"].startswith("sign_in.")]
    assert [one["event"] for one in told] == ["sign_in.failed"] * sign_in.FAILURES + ["sign_in.limited"]
    assert "very-secret" not in str(told)
    assert "eyJ" not in str(told)
    after = {status: metrics.SIGN_INS_FAILED.labels(status)._value.get() for status in ("401", "429")}
    assert {status: after[status] - before[status] for status in after} == {"401": sign_in.FAILURES + 1, "429": 3}


async def test_an_address_that_waited_is_heard_again(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("services.kernel.serving.sign_in.time.monotonic", lambda: now)
    for _ in range(sign_in.FAILURES):
        await ingest.client.get(URL, headers=BAD)
    assert (await ingest.client.get(URL, headers=BAD)).status_code == 429
    now += sign_in.WINDOW
    assert (await ingest.client.get(URL, headers=BAD)).status_code == 401


async def test_one_customers_network_is_one_address(ingest: Ingest) -> None:
    """With IPv6 anybody has as many addresses as they like."""
    for number in range(sign_in.FAILURES):
        async with from_address(ingest, f"2001:db8:1:2::{number:x}") as client:
            assert (await client.get(URL, headers=BAD)).status_code == 401
    async with from_address(ingest, "2001:db8:1:2:ffff::1") as client:
        assert (await client.get(URL, headers=BAD)).status_code == 429
    async with from_address(ingest, "2001:db8:1:3::1") as client:
        assert (await client.get(URL, headers=BAD)).status_code == 401


async def test_an_address_is_limited_by_itself_however_a_proxy_writes_it(ingest: Ingest) -> None:
    for number in range(sign_in.FAILURES):
        async with from_address(ingest, f"{'::ffff:' * (number % 2)}192.0.2.1") as client:
            assert (await client.get(URL, headers=BAD)).status_code == 401
    for address, status in (("::ffff:192.0.2.1", 429), ("192.0.2.1", 429), ("::ffff:192.0.2.2", 401)):
        async with from_address(ingest, address) as client:
            assert (await client.get(URL, headers=BAD)).status_code == status


def test_the_memory_of_addresses_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "REMEMBERED", 100)
    failures = sign_in.Failures()
    for number in range(1000):
        failures.add(f"192.0.2.{number}", "x")
    assert len(failures._tries._failed) <= 100


async def test_answers_to_staff_and_integrations_are_kept_by_no_cache(ingest: Ingest) -> None:
    key = await ingest.key()
    made = await post(ingest, key)
    url = f"{PATH}/{made.json()['report_id']}"
    callers = (key, ingest.staff("chief"), {}, ingest.staff("chief", unit="town-west"))
    answers = [made, *[await ingest.client.get(url, headers=caller) for caller in callers]]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 401, 403]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


async def test_requests_at_once_share_a_look_up_until_it_is_forgotten() -> None:
    asked: list[asyncio.Future[Actor]] = []

    async def look_up(credential: str) -> Actor:
        asked.append(asyncio.get_running_loop().create_future())
        return await asked[-1]

    async def ask() -> "asyncio.Task[Actor]":
        task = asyncio.create_task(remembered.actor("hy_1"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task

    remembered, before, after = sign_in.Remembered(look_up), Actor("before"), Actor("after")
    gone, waiting = await ask(), await ask()
    assert len(asked) == 1
    gone.cancel()
    remembered.forget()
    later = await ask()
    assert len(asked) == 2, "what was asked before is not for those who come later"
    asked[1].set_result(after)
    assert await later == after
    asked[0].set_result(before)
    assert await waiting == before
    assert await remembered.actor("hy_1") == after


async def test_a_failed_look_up_is_not_kept() -> None:
    async def look_up(credential: str) -> Actor:
        raise Unauthenticated("unknown")

    remembered = sign_in.Remembered(look_up)
    found = await asyncio.gather(*(remembered.actor("hy_1") for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [Unauthenticated] * 3
    assert not remembered._asked
