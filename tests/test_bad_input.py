"""Every endpoint of the five services under bad input: a 4xx with a sentence, never a 5xx, never a silent drop."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from services.apps.embedded import Embedded, running
from services.kernel.core.decider import STAFF_ROLES
from services.kernel.delivery.operations import attention
from services.kernel.settings import Settings

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
UUID = "01890a5d-ac96-774b-bcce-b302099a8057"
KINDS = {"incidents": "incident", "statements": "statement", "reports": "report", "events": ""}
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not json": b"{",
    "bad utf-8": b'{"unit": "\xff\xfe"}',
    "a null byte": b'{"unit": "county\\u0000", "reason": "\\u0000", "text": "a\\u0000b"}',
    "a lone surrogate": b'{"text": "\\ud800", "reason": "\\udfff"}',
    "deep nesting": b'{"text": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "wrong types": orjson.dumps(
        {"unit": 7, "text": [], "reason": {}, "level": None, "value": {}, "due": 5, "facts": 1}
    ),
    "an author": orjson.dumps({"text": "t", "author": "somebody", "unit": "county"}),
    "unknown fields": orjson.dumps({"surprise": 1}),
    "an unknown unit": orjson.dumps({"unit": "atlantis", "reason": "r", "text": "t"}),
    "huge numbers": b'{"clicks": 1e400, "value": 123456789012345678901234567890, "comments": -1}',
    "ten megabytes": b'{"text": "' + b"x" * 10_000_000 + b'"}',
    "times that are none": orjson.dumps(
        {"due": "0001-01-01T00:00:00+14:00", "discovered_at": "tomorrow", "clock": "x", "reason": "r"}
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    async with running(Settings(data=tmp_path_factory.mktemp("bad"))) as made:
        yield made


def operations(system: Embedded) -> list[tuple[str, str]]:
    """Every method and path of the OpenAPI that is served."""
    assert system.app is not None
    paths = system.app.openapi()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def filled(path: str, id_: str = UUID) -> str:
    """The path with a well-formed id in it."""

    def one(match: re.Match[str]) -> str:
        if match[0] == "{format}":
            return "json"
        before = path[: match.start()].rstrip("/").rpartition("/")[2]
        kind = KINDS.get(before, "incident")
        return f"{kind}-{id_}" if kind else id_

    return re.sub(r"\{[^}]*\}", one, path)


def malformed(path: str) -> int:
    """The status of what is no text. Open311 has one status for all that is wrong in a request."""
    return 400 if "/open311/" in path else 422


def sound(answer: httpx.Response, what: str) -> None:
    """Checks that it is no 5xx, and that an error says what is wrong."""
    assert answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:500]}"
    if answer.status_code >= 400 and "/open311/" in answer.url.path:
        # The standard has a form of its own for errors.
        assert re.search(r"description\W{2,4}\w.{8}", answer.text), f"{what}: {answer.text[:300]}"
        assert "Traceback" not in answer.text
    elif answer.status_code >= 400 and not answer.headers["content-type"].startswith("text/html"):
        assert answer.headers["content-type"].startswith("application/problem+json"), f"{what}: {answer.text[:300]}"
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert len(problem["detail"]) > 10, f"{what}: {problem}"
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("body", BODIES)
async def test_no_body_breaks_an_endpoint(system: Embedded, body: str) -> None:
    async with system.client(system.token("city", *STAFF_ROLES)) as client:
        for method, path in operations(system):
            if method in ("GET", "HEAD"):
                continue
            headers = {"If-Match": "0", "Content-Type": "application/json"}
            answer = await client.request(method, filled(path), content=BODIES[body], headers=headers)
            sound(answer, f"{method} {path} with {body}")
            if body in ("not json", "bad utf-8", "deep nesting", "a lone surrogate") and "batch" not in path:
                assert answer.status_code in (400, 404, 413, 415, 422), f"{method} {path}: {answer.status_code}"


async def test_no_sign_in_is_401_everywhere_but_on_public_pages_before_a_body_is_read(system: Embedded) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"{}")
        yield b"{}"

    async with system.client() as client:
        for method, path in operations(system):
            public = (
                "/bulletin",
                "/.well-known/",
                "/ingest/v1/receipts/",
                "/audit/v1/log/",
                "/open311/",
                "/ingest/v1/messages",
            )
            if path.startswith(public) and "entries" not in path:
                continue  # for everybody, for whoever holds a receipt, with a key in the body, and with a signature
            answer = await client.request(method, filled(path, "nothing"), content=body() if method != "GET" else None)
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
            assert answer.headers["Cache-Control"] == "no-store"
            sound(answer, f"{method} {path}")
    assert read == []


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "hy_unknown", "\xff", "Bearer"])
async def test_a_token_that_is_none_is_401(system: Embedded, token: str) -> None:
    async with system.client() as client:
        headers = {"Authorization": f"Bearer {token}".encode("latin-1")}
        answer = await client.get("/triage/v1/incidents", headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 401
        sound(answer, token)


@pytest.mark.parametrize("id_", ["x", "%00", "../../etc/passwd", "incident-" + "0" * 200, "incident-%ff", UUID.upper()])
async def test_an_id_that_is_none_is_4xx(system: Embedded, id_: str) -> None:
    async with system.client(system.token("city", *STAFF_ROLES)) as client:
        for method, path in operations(system):
            if "{" in path:
                answer = await client.request(
                    method, re.sub(r"\{[^}]*\}", id_, path), json={"reason": "r"}, headers={"If-Match": "0"}
                )
                assert 400 <= answer.status_code < 500, f"{method} {path} with {id_}: {answer.status_code}"


QUERIES = [
    "limit=0",
    "limit=501",
    "limit=x",
    "cursor=x",
    "cursor=%00",
    "cursor=" + "A" * 5000,
    "from=yesterday",
    "to=2026-01-01",
    "as_of=7",
    "known_at=0001-01-01T00:00:00%2B14:00",
    "log_size=-1",
    "log_size=99999999999999999999",
    "unit=%00",
    "unit=atlantis",
    "incident=x",
    "report_id=x",
    "state=odd",
    "type=%F0%9F%92%A9",
    "due_before=1",
]


@pytest.mark.parametrize("query", QUERIES)
async def test_no_query_breaks_an_endpoint(system: Embedded, query: str) -> None:
    async with system.client(system.token("city", *STAFF_ROLES)) as client:
        for method, path in operations(system):
            if method == "GET":
                sound(await client.get(f"{filled(path)}?{query}"), f"GET {path}?{query}")


UNWRITABLE = {"a null character": "a%00b", "no UTF-8": "%FF", "half a character": "%ED%A0%80", "GBK": "%C4%E3%BA%C3"}
"""Percent-encoded bytes that are no text: no store would return what was sent."""


@pytest.mark.parametrize("what", UNWRITABLE)
async def test_what_is_no_text_is_422_in_a_query_and_404_in_a_path(system: Embedded, what: str) -> None:
    wrong = UNWRITABLE[what]
    async with system.client(system.token("city", *STAFF_ROLES)) as client:
        for method, path in operations(system):
            for query in (f"note={wrong}", f"{wrong}=1", f"limit=1&x={wrong}"):
                answer = await client.request(method, f"{filled(path)}?{query}")
                assert answer.status_code == malformed(path), f"{method} {path}?{query}: {answer.text}"
                sound(answer, path)
            answer = await client.request(method, f"{filled(path)}{wrong}")
            assert answer.status_code == 404, f"{method} {path}{wrong}: {answer.text}"
        assert (await client.get(f"/bulletin/statements/{wrong}")).status_code == 404


@pytest.mark.parametrize("header", ["Idempotency-Key", "If-Match", "Huiying-After"])
@pytest.mark.parametrize("value", [b"a\x00b", "\u4f60\u597d".encode("gbk")], ids=["null", "gbk"])
async def test_what_is_no_text_is_422_in_a_header_that_is_kept(system: Embedded, header: str, value: bytes) -> None:
    async with system.client(system.token("city", *STAFF_ROLES)) as client:
        headers = {header.encode(): value, b"Content-Type": b"application/json"}
        for method, path in operations(system):
            answer = await client.request(method, filled(path), content=b"{}", headers=headers)  # type: ignore[arg-type]
            assert answer.status_code == malformed(path), f"{method} {path}: {answer.text}"
            assert header in (answer.json()[0]["description"] if "/open311/" in path else answer.json()["field"])


HEADERS: list[dict[str, str]] = [
    {"If-Match": "*"},
    {"If-Match": "x"},
    {"If-Match": "99999999999999999999"},
    {"If-Match": '"7", "8"'},
    {"If-Match": "-1"},
    {"If-Match": '"7-zip"'},
    {"Idempotency-Key": "k" * 5000},
    {"Huiying-After": "x"},
    {"Huiying-After": f"incident-{UUID}@x"},
    {"Content-Type": "text/xml", "If-Match": "0"},
    {"Content-Type": "application/x-www-form-urlencoded", "If-Match": "0"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=str)
async def test_no_header_breaks_an_endpoint(system: Embedded, headers: dict[str, str]) -> None:
    async with system.client(system.token("city", *STAFF_ROLES)) as client:
        for method, path in operations(system):
            if method != "GET":
                answer = await client.request(method, filled(path), content=b'{"reason": "r"}', headers=headers)
                sound(answer, f"{method} {path} with {headers}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "unit",
    "reason",
    "text",
    "level",
    "key",
    "kind",
    "value",
    "source",
    "track",
    "into",
    "facts",
    "incident_id",
    "answer_kind",
    "reports",
    "channel",
    "subject",
    "discovered_at",
    "clicks",
    "measured_at",
    "scope",
    "due",
)


async def test_made_up_bodies_are_judged_and_never_break_a_service(system: Embedded) -> None:
    """Hypothesis makes bodies with the known fields and any values. Each endpoint gets each body."""
    bodies: list[Any] = []

    @settings(max_examples=40, database=None)
    @given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6))
    def collect(body: Any) -> None:
        bodies.append(body)

    collect()
    async with system.client(system.token("city", *STAFF_ROLES)) as client:
        for method, path in operations(system):
            if method == "GET":
                continue
            for body in bodies[:: max(1, len(bodies) // 25)]:
                try:
                    content = orjson.dumps(body)
                except (TypeError, ValueError):
                    continue
                headers = {"If-Match": "0", "Content-Type": "application/json"}
                sound(await client.request(method, filled(path), content=content, headers=headers), f"{path} {body}")


async def test_the_record_is_sound_after_all_this(system: Embedded, tmp_path: Path) -> None:
    await system.settle()
    for name, runtime in system.runtimes.items():
        assert await attention(runtime) == {"dead_letters": 0, "parked": 0}, name
