"""Cases that only a database with many writers can show."""

import asyncio

import orjson
import pytest

from tests.ingest.conftest import Ingest, erase, report

pytestmark = pytest.mark.postgres
PATH = "/ingest/v1/reports"


async def test_one_report_of_many_at_once(on_postgres: Ingest) -> None:
    key = await on_postgres.key()
    body = report(source="board", external_id="7")
    answers = await asyncio.gather(*(on_postgres.client.post(PATH, json=body, headers=key) for _ in range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.json()["report_id"] for answer in answers}) == 1
    assert len(await on_postgres.events("report.received")) == 1


async def test_batches_that_meet_wait_for_each_other(on_postgres: Ingest) -> None:
    key = await on_postgres.key()
    lines = [orjson.dumps(report(source="board", external_id=str(number))) for number in range(900)]
    orders = [lines, lines[::-1], lines[450:] + lines[:450]]
    answers = await asyncio.gather(
        *(on_postgres.client.post(f"{PATH}/batch", content=b"\n".join(order), headers=key) for order in orders)
    )
    statuses = [orjson.loads(line)["status"] for answer in answers for line in answer.content.splitlines()]
    assert sorted(statuses) == [200] * 1800 + [201] * 900
    assert len(await on_postgres.events("report.received")) == 900


async def test_one_file_that_is_sent_twice_at_once_is_there_once(on_postgres: Ingest) -> None:
    key = await on_postgres.key()
    lines = [orjson.dumps(report(external_id=number and str(number))) for number in range(1200)]
    orders = [lines, lines[::-1]]
    answers = await asyncio.gather(
        *(
            on_postgres.client.post(
                "/ingest/v1/imports", content=b"\n".join(order), headers=key, params={"mapping": "reports"}
            )
            for order in orders
        )
    )
    ended = [orjson.loads(answer.content.splitlines()[-1])["ended"] for answer in answers]
    assert [one["state"] for one in ended] == ["done", "done"]
    assert sum(one["received"] for one in ended) == sum(one["repeated"] for one in ended) == 1200
    assert len(await on_postgres.events("report.received")) == 1200
    assert len(await on_postgres.events("operation.import_ended")) == 2


async def test_one_integration_of_many_gets_a_source(on_postgres: Ingest) -> None:
    keys = await asyncio.gather(*(on_postgres.key() for _ in range(8)))
    lines = [orjson.dumps(report(source="board", external_id=str(number))) for number in range(10)]
    answers = await asyncio.gather(
        *(on_postgres.client.post(f"{PATH}/batch", content=b"\n".join(lines), headers=key) for key in keys)
    )
    statuses = [orjson.loads(line)["status"] for answer in answers for line in answer.content.splitlines()]
    assert sorted(statuses) == [201] * 10 + [422] * 70
    assert len(await on_postgres.rows("sources")) == 1
    assert len(await on_postgres.events("report.received")) == 10


async def test_one_batch_under_one_key_at_once(on_postgres: Ingest) -> None:
    headers = {**await on_postgres.key(), "Idempotency-Key": "abc"}
    content = b"\n".join(orjson.dumps(report(subject=f"第{number}个")) for number in range(100))
    first, second = await asyncio.gather(
        *(on_postgres.client.post(f"{PATH}/batch", content=content, headers=headers) for _ in range(2))
    )
    assert first.content == second.content
    assert len(await on_postgres.events("report.received")) == 100


async def test_erases_what_was_kept(on_postgres: Ingest) -> None:
    key = await on_postgres.key()
    id_ = (await on_postgres.client.post(PATH, json=report(), headers=key)).json()["report_id"]
    answer = await erase(on_postgres, id_)
    assert answer.status_code == 200, answer.text
    assert await on_postgres.words() == ["依法删除"], "the reason alone"
