"""CloudEvents as reports: the SDK of CloudEvents sends them, and whatever bytes come get a plain answer."""

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from services.ingest.answers import BatchLine, EventTaken
from services.ingest.cloudevents import codec
from services.kernel.core.problems import Problem
from tests.ingest.conftest import Ingest, refused, report

PATH = "/ingest/v1/events"
STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
CONTENT = {"unit": "town-east", "channel": "message_board", "subject": "路灯不亮", "text": "人民路的路灯不亮。"}


def event(data: Any = CONTENT, **attributes: Any) -> dict[str, Any]:
    """An event as JSON. An attribute with None is left out."""
    said = {
        "specversion": "1.0",
        "type": codec.TYPE,
        "source": "mayor-board",
        "id": "17",
        "time": "2026-03-02T17:00:00+08:00",
        "data": data,
        **attributes,
    }
    return {name: value for name, value in said.items() if value is not None}


def of_sdk(data: Any = CONTENT, **attributes: Any) -> CloudEvent:
    """An event of the SDK."""
    said = {"specversion": "1.0", "type": codec.TYPE, "source": "mayor-board", "id": "17", "time": AT, **attributes}
    return CloudEvent({"datacontenttype": "application/json", **said}, data)


async def post(ingest: Ingest, headers: dict[str, str], content: Any, kind: str = STRUCTURED) -> httpx.Response:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    return await ingest.client.post(PATH, content=body, headers={"Content-Type": kind, **headers})


async def send(ingest: Ingest, headers: dict[str, str], message: HTTPMessage) -> httpx.Response:
    return await ingest.client.post(PATH, content=message.body, headers={**message.headers, **headers})


@pytest.mark.requirement("ING-01")
async def test_takes_what_the_sdk_sends_in_both_forms_once(ingest: Ingest) -> None:
    key = await ingest.key()
    for number, source in enumerate(("mayor-board", "https://board.example/letters", "/letters/中")):
        structured = await send(ingest, key, to_structured_event(of_sdk(source=source)))
        binary = await send(ingest, key, to_binary_event(of_sdk(source=source)))
        assert (structured.status_code, binary.status_code) == (201, 200), (structured.text, binary.text)
        assert structured.json() == binary.json()
        EventTaken.model_validate_json(structured.content)
        assert len(await ingest.events("report.received")) == number + 1
    received = (await ingest.events("report.received"))[0].data
    assert (received.source, received.discovered_at, received.channel) == ("mayor-board", AT, "message_board")
    read = await ingest.client.get(f"/ingest/v1/reports/{structured.json()['report_id']}", headers=key)
    assert (read.json()["external_id"], read.json()["text"], read.json()["source"]) == (
        "17",
        CONTENT["text"],
        "uri:/letters/中",
    )


@pytest.mark.requirement("ING-02")
async def test_keeps_no_extension_and_names_what_it_dropped(ingest: Ingest) -> None:
    more = {"subject": "person 13812345678", "username": "Wang", "traceparent": "00-1234", "dataschema": "urn:x:1"}
    key = await ingest.key()
    for number, make in enumerate((to_structured_event, to_binary_event)):
        answer = await send(ingest, key, make(of_sdk(id=str(number), **more)))
        assert answer.status_code == 201, answer.text
        assert answer.json()["dropped"] == sorted(more)
    stored = [json.dumps(str(one.data)) for one in await ingest.events()] + await ingest.words()
    assert not any(word in one for one in stored for word in ("13812345678", "Wang", "00-1234", "urn:x:1"))


async def test_answers_each_event_of_a_batch_in_order(ingest: Ingest) -> None:
    good, other = event(id="1", wechat="x"), event(id="3")
    twice = b'{"specversion": "1.0", "specversion": "1.0"}'
    body = (
        b" [" + b" , ".join([orjson.dumps(good), twice, orjson.dumps(event(type="x.y")), orjson.dumps(other)]) + b"]\n"
    )
    answer = await post(ingest, await ingest.key(), body, BATCHED + "; charset=UTF-8")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    lines = [orjson.loads(line) for line in answer.content.splitlines()]
    for line in answer.content.splitlines():
        BatchLine.model_validate_json(line)
    assert [(line["line"], line["status"]) for line in lines] == [(1, 201), (2, 422), (3, 422), (4, 201)]
    assert (lines[0]["dropped"], lines[3]["dropped"]) == (["wechat"], [])
    assert "specversion stands twice" in lines[1]["problem"]["detail"]
    assert lines[2]["problem"]["detail"] == "type is one of huiying.report.v1"
    assert len(await ingest.events("report.received")) == 2


async def test_takes_an_empty_batch(ingest: Ingest) -> None:
    for body in (b"[]", b" [ ] \n"):
        answer = await post(ingest, await ingest.key(), body, BATCHED)
        assert (answer.status_code, answer.content) == (200, b"")


async def test_takes_data_in_base64_and_a_discovery_of_its_own(ingest: Ingest) -> None:
    packed = base64.b64encode(orjson.dumps({**CONTENT, "discovered_at": "2026-03-01T08:00:00+08:00"})).decode()
    answer = await post(ingest, await ingest.key(), event(None, data_base64=packed))
    assert answer.status_code == 201, answer.text
    (received,) = await ingest.events("report.received")
    assert received.data.discovered_at == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.requirement("ING-02")
async def test_says_of_each_bad_event_what_and_where(ingest: Ingest) -> None:
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    bad: list[tuple[Any, int, str, str | None]] = [
        (b"nonsense", 400, "not JSON", None),
        (b"[]", 422, "body takes a JSON object", "body"),
        (event(specversion="0.3"), 422, "specversion is one of 1.0", "specversion"),
        (event(type="com.example.created"), 422, "type is one of huiying.report.v1", "type"),
        (event(type=None), 422, "type is missing", "type"),
        (event(id=None), 422, "id is missing", "id"),
        (event(id=""), 422, "id is empty", "id"),
        (event(source="a?b=c"), 422, "source takes a code", "source"),
        (event(time=None), 422, "time is missing", "time"),
        (event(time="2026-03-02T09:00:00"), 422, "offset", "time"),
        (event(time=future), 422, "future", "discovered_at"),
        (event(None), 422, "data is missing", "data"),
        (event("words"), 422, "data takes a JSON object", "data"),
        (event({**CONTENT, "author": "x"}), 422, "no identity", "data.author"),
        (event({**CONTENT, "text": None}), 422, "data.text takes a text", "data.text"),
        (event({**CONTENT, "source": "x"}), 422, "data.source is not a field here", "data.source"),
        (event({**CONTENT, "external_id": "x"}), 422, "says it as its id", "data.external_id"),
        (event({**CONTENT, "text": "a\x00b"}), 422, "null character", "data.text"),
        (event(data_base64="AA=="), 422, "send one of them", "data"),
        (event(None, data_base64="%%"), 422, "no base64", "data_base64"),
        (event(None, data_base64=7), 422, "no base64", "data_base64"),
        (event(datacontenttype="text/xml"), 415, "are JSON, not text/xml", None),
        (event(datacontenttype="application/json; charset=gbk"), 415, "not gbk", None),
        (event({**CONTENT, "unit": "moon"}), 422, "no unit", "unit"),
        (event({**CONTENT, "unit": "city"}), 403, "over city", None),
        (event({**CONTENT, "text": "a" * 400_000}), 413, "300000", None),
    ]
    key = await ingest.key()
    for body, status, says, field in bad:
        refused(await post(ingest, key, body), status, says, field=field)
    assert not await ingest.events("report.received")
    batch = b"[" + b",".join(orjson.dumps(one) for one, *_ in bad[2:]) + b"]"
    lines = [orjson.loads(line) for line in (await post(ingest, key, batch, BATCHED)).content.splitlines()]
    assert [line["status"] for line in lines] == [status for _, status, *_ in bad[2:]]
    assert not await ingest.events("report.received")


async def test_refuses_other_content(ingest: Ingest) -> None:
    key = await ingest.key()
    for kind in ("application/json", "application/cloudevents+avro", "text/plain"):
        refused(await post(ingest, key, event(), kind), 415, STRUCTURED)
    refused(await post(ingest, key, event(), STRUCTURED + "; charset=gbk"), 415, "UTF-8")
    for body in (b"", b"{}", b"[", b"[1,]", b"[,]", b"[] x", b'["\xff"]', b"[" * 100_000, b"[" + b'{"a":' * 50_000):
        answer = await post(ingest, key, body, BATCHED)
        assert answer.status_code in (400, 422), (body[:20], answer.text)
    refused(await post(ingest, key, b"[" + b" " * 4_000_000 + b"]", BATCHED), 413, "4000000")
    assert (await post(ingest, {}, event())).status_code == 401
    assert not await ingest.events("report.received")


async def test_reads_headers_strictly(ingest: Ingest) -> None:
    key = await ingest.key()
    said = [(f"ce-{name}", str(value)) for name, value in event(None).items() if name != "data"]

    async def with_headers(*more: tuple[str, str | bytes]) -> httpx.Response:
        headers = [*said, *more, *key.items(), ("Content-Type", "application/json")]
        return await ingest.client.post(PATH, content=orjson.dumps(CONTENT), headers=httpx.Headers(headers))

    refused(await with_headers(("CE-ID", "18")), 422, "id stands twice", field="id")
    refused(await with_headers(("ce-note", b"\xff")), 422, "not written in UTF-8", field="note")
    refused(await with_headers(("ce-note", "%00")), 422, "null character", field="note")
    assert (await with_headers(("ce-note", '"a \\"b\\" %E4%B8%AD"'))).json()["dropped"] == ["note"]
    assert codec.attributes_of([(b"CE-Note", b'"a \\"b\\" %E4%B8%AD"')]) == {"note": 'a "b" 中'}


async def test_a_report_and_an_event_are_the_same_repetition(ingest: Ingest) -> None:
    key = await ingest.key()
    first = await post(ingest, key, event())
    body = report(**CONTENT, discovered_at="2026-03-02T09:00:00Z", source="mayor-board", external_id="17")
    again = await ingest.client.post("/ingest/v1/reports", json=body, headers=key)
    assert (again.status_code, again.json()["report_id"]) == (200, first.json()["report_id"])
    other = await post(ingest, key, event({**CONTENT, "text": "另一件事。"}))
    refused(other, 409, "other content under the external_id 17")


@settings(max_examples=300, deadline=None)
@for_all(
    st.one_of(st.binary(max_size=200), st.recursive(st.none() | st.text() | st.integers() | st.floats(), st.lists))
)
def test_any_bytes_give_a_report_or_a_refusal(value: Any) -> None:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    for read in (codec.of_structured, lambda text: list(codec.items(text)), lambda text: codec.of_binary({}, "", text)):
        with suppress(Problem):
            read(body)


@settings(max_examples=200, deadline=None)
@for_all(
    st.lists(
        st.recursive(
            st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
        ),
        max_size=6,
    ),
    st.sampled_from([None, 1]),
)
def test_cuts_a_batch_into_what_was_written(values: list[Any], indent: int | None) -> None:
    body = json.dumps(values, indent=indent).encode()
    assert [json.loads(item) for item in codec.items(body)] == values
