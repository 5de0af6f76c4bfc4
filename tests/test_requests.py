"""Requests as clients really send them: methods, parameters, packed bodies, numbers, languages."""

import gzip
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from schemas import catalogue
from services.apps import front
from services.apps.embedded import Embedded, running
from services.kernel.access import signing
from services.kernel.core.decider import STAFF_ROLES
from services.kernel.serving import bodies, http
from services.kernel.serving.documents import DescribedRoute
from services.kernel.settings import Settings
from tests.test_bad_input import UUID, filled, operations

pytestmark = pytest.mark.asyncio(loop_scope="module")
AT = "2026-03-02T09:00:00+08:00"
REPORT = {"unit": "town-east", "channel": "hotline", "subject": "路灯不亮", "text": "已经四天。", "discovered_at": AT}
REPORTS = "/ingest/v1/reports"
OPEN311 = "/open311/"
"""Its errors have the form of the standard, see `tests/ingest/test_open311.py`."""

PAGES = ("/form/", "/receipt")
"""Pages, which say what is wrong as a page, see `tests/ingest/test_form.py`."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    async with running(Settings(data=tmp_path_factory.mktemp("requests"))) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def client(system: Embedded) -> AsyncIterator[httpx.AsyncClient]:
    async with system.client(system.token("city", *STAFF_ROLES)) as made:
        yield made


def problem(answer: httpx.Response, status: int, code: str) -> Any:
    """The answer's problem document. The answer must be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["type"] == f"urn:huiying:problem:{code}", found
    assert len(found["detail"]) > 8
    return found


# methods and paths


async def test_an_unknown_path_is_a_problem_that_leads_to_the_documents(client: httpx.AsyncClient) -> None:
    for path in ("/nowhere", "/triage/v1/incident", "/bulletin/none", "/triage/v1/incidents/"):
        for method in ("GET", "POST", "HEAD", "DELETE"):
            answer = await client.request(method, path)
            assert answer.status_code == 404, f"{method} {path}"
            assert "allow" not in answer.headers
        assert "location" not in answer.headers
        assert path in problem(await client.get(path), 404, "no-such-path")["detail"]


async def test_another_method_is_a_problem_with_all_that_are_allowed(client: httpx.AsyncClient) -> None:
    for method, path, allow in (
        ("DELETE", "/triage/v1/incidents", "GET, HEAD, POST, OPTIONS"),
        ("GET", REPORTS, "POST, OPTIONS"),
        ("POST", "/escalation/v1/roster", "GET, HEAD, PUT, OPTIONS"),
        ("TRACE", "/healthz", "GET, HEAD, OPTIONS"),
        ("BREW", "/openapi.json", "GET, HEAD, OPTIONS"),
        ("PATCH", "/bulletin/", "GET, HEAD, OPTIONS"),
    ):
        answer = await client.request(method, path)
        found = problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == allow, path
        assert path in found["detail"]
        assert found["known"] == allow.split(", ")


async def test_options_says_what_a_path_takes(client: httpx.AsyncClient) -> None:
    answer = await client.options("/escalation/v1/roster")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, PUT, OPTIONS")
    assert (await client.options("/nowhere")).status_code == 404


async def raw(app: Any, method: str, path: str, *headers: tuple[bytes, bytes]) -> tuple[int, dict[bytes, bytes]]:
    """Status and headers of a request that no client library sends."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8400),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])


async def test_requests_about_no_path_and_to_no_host_leave_no_trace(system: Embedded) -> None:
    status, headers = await raw(system.app, "OPTIONS", "*")
    assert (status, headers[b"allow"]) == (204, b"GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS")
    assert (await raw(system.app, "GET", "*"))[0] == 404
    assert (await raw(system.app, "GET", ""))[0] in (200, 404)
    for host in (b"[", b"a b", b"evil.example", b"\xff", b"x:99999"):
        for path in ("/bulletin", "/bulletin/", "/", "/nowhere", "/triage/v1/incidents/"):
            status, headers = await raw(system.app, "GET", path, (b"host", host))
            assert status in (200, 308, 404)
            assert headers.get(b"location", b"http://127.0.0.1:8400/bulletin/") == b"http://127.0.0.1:8400/bulletin/"


async def test_the_address_that_is_printed_leads_on_and_loads_nothing_from_elsewhere(system: Embedded) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(system.site), base_url="http://127.0.0.1:8400", follow_redirects=True
    ) as client:
        await _leads_on(client)


async def _leads_on(client: httpx.AsyncClient) -> None:
    for language, word in (("zh", "公告栏"), ("en", "Bulletin")):
        front = await client.get("/", headers={"Accept-Language": language})
        assert front.status_code == 200
        assert word in front.text
        links = re.findall(r'(?:href|src)="([^"]+)"', front.text)
        assert {"http://127.0.0.1:8400/bulletin/", "console/", "docs", "openapi.json", "readyz"} <= set(links)
        for link in links:
            assert (await client.get(link if "://" in link else f"/{link}")).status_code == 200, link
    documents = await client.get("/docs")
    assert documents.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    for link in re.findall(r'(?:href|src)="([^"]+)"', documents.text):
        assert "//" not in link
        assert (await client.get(f"/{link}")).status_code == 200, link
    assert (await client.get("/docs/other.js")).status_code == 404


def applications(system: Embedded) -> dict[str, FastAPI]:
    """The embedded application, and each service's application on its own port."""
    assert system.app is not None
    keys = signing.public_keys(system.settings)
    made = {name: http.application([runtime], title=name, keys=keys) for name, runtime in system.runtimes.items()}
    for app in made.values():
        app.include_router(front.router(system.settings, "Huiying"))
    return {"embedded": system.app, **made}


def methods_of(app: FastAPI) -> dict[str, set[str]]:
    """Every path of an application, in its documents or not -> its methods."""
    found: dict[str, set[str]] = {}
    for context in iter_route_contexts(app.routes):
        assert context.path
        found.setdefault(context.path, set()).update(context.methods or ())
    return found


def matches(pattern: str, path: str) -> bool:
    """Whether a path matches this pattern."""
    return bool(re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", pattern), path))


@pytest.mark.parametrize("name", ["embedded", *catalogue.SERVICES])
async def test_every_path_answers_head_options_and_other_methods(system: Embedded, name: str) -> None:
    app = applications(system)[name]
    transport = httpx.ASGITransport(app)
    headers = {"Authorization": f"Bearer {system.token('city', *STAFF_ROLES)}"}
    paths = methods_of(app)
    assert {"/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/docs"} <= paths.keys()
    assert any(path.startswith(f"/{'ingest' if name == 'embedded' else name}/v1/") for path in paths)
    async with httpx.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:
        for pattern in paths:
            if pattern.startswith((OPEN311, *PAGES)):
                continue
            path = filled(pattern)
            # A literal path may also look like an unknown id: `reports/batch`.
            methods = set[str]().union(*(of for other, of in paths.items() if matches(other, path)))
            known = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
            asked = await client.options(path)
            assert (asked.status_code, {*asked.headers["allow"].split(", ")}) == (204, known), path
            if "GET" in methods:
                got, head = await client.get(path), await client.head(path)
                assert (head.status_code, head.content) == (got.status_code, b""), path
                for header in ("content-type", "etag", "cache-control"):
                    assert head.headers.get(header) == got.headers.get(header), path
            for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - known:
                answer = await client.request(method, path)
                assert (answer.status_code, {*answer.headers["allow"].split(", ")}) == (405, known), f"{method} {path}"
                if method != "HEAD" and OPEN311 not in path:
                    assert path in problem(answer, 405, "method-not-allowed")["detail"]
            for stray in (f"{path.rstrip('/')}/no/such/path", f"/nowhere{path}"):
                answer = await client.get(stray)
                assert "allow" not in answer.headers
                assert answer.status_code == 404
                if OPEN311 not in stray:
                    problem(answer, 404, "no-such-path")


# parameters


async def test_an_unknown_parameter_is_told_with_those_that_exist(system: Embedded, client: httpx.AsyncClient) -> None:
    for method, path in operations(system):
        if path.startswith(("/bulletin", "/.well-known/", OPEN311)):
            continue
        answer = await client.request(method, f"{filled(path)}?stat=open", content=b"{}", headers={"If-Match": "0"})
        found = problem(answer, 422, "parameter-unknown")
        assert found["field"] == "stat"
        for name in found["known"]:
            assert name in found["detail"]


async def test_a_parameter_stands_once(client: httpx.AsyncClient) -> None:
    answer = await client.get("/triage/v1/incidents?state=open&state=closed")
    assert problem(answer, 422, "parameter-twice")["field"] == "state"


@pytest.mark.parametrize(
    ("query", "code", "known"),
    [
        ("triage/v1/incidents?unit=town-esat", "not-in-list", "town-east"),
        ("triage/v1/incidents?assigned=town-esat", "not-in-list", "town-east"),
        ("triage/v1/incidents?level=majr", "not-in-list", "major"),
        ("triage/v1/incidents?state=opened", "not-in-list", "open"),
        ("triage/v1/incidents?report_id=report-1", "wrong-form", ""),
        ("escalation/v1/clocks?unit=town-esat", "not-in-list", "town-east"),
        ("escalation/v1/clocks?state=late", "not-in-list", "breached"),
        ("escalation/v1/clocks?incident=1", "wrong-form", ""),
        ("publish/v1/statements?state=new", "not-in-list", "drafted"),
        ("publish/v1/statements?incident=1", "wrong-form", ""),
        ("audit/v1/events?type=incident.upgraded", "not-in-list", "incident.graded"),
        ("audit/v1/events?type=huiying.incident.graded.v9", "not-in-list", "incident.graded"),
        ("audit/v1/events?unit=town-esat", "not-in-list", "town-east"),
        ("audit/v1/events?actor=handler@moon", "not-in-list", "chief@county"),
        ("audit/v1/events?subject=incident", "wrong-form", ""),
        ("audit/v1/events?incident=report-1", "wrong-form", ""),
        ("audit/v1/events?limit=1_0", "wrong-form", ""),
        ("audit/v1/events?log_size=%2B1", "wrong-form", ""),
        ("audit/v1/events?limit=501", "number-too-large", ""),
        ("audit/v1/events?from=2026-03-02", "wrong-form", ""),
    ],
)
async def test_an_unknown_code_is_told_with_those_that_exist(
    client: httpx.AsyncClient, query: str, code: str, known: str
) -> None:
    found = problem(await client.get(f"/{query}"), 422, code)
    assert found["field"] == re.split("[?=]", query)[1]
    if known:
        assert known in found["known"]
        assert all(one in found["detail"] for one in found["known"][:20])


async def test_an_offset_whose_plus_was_not_escaped_is_understood(client: httpx.AsyncClient) -> None:
    path = "/audit/v1/events?log_size=1&to=2026-03-02T09:00:00"
    plain, escaped = [await client.get(f"{path}{plus}08:00") for plus in ("+", "%2B")]
    assert (plain.status_code, plain.json()) == (200, escaped.json())
    answer = await client.get("/audit/v1/events?to=2026-03-02T09:00:00")
    assert "offset" in problem(answer, 422, "wrong-form")["detail"]


# bodies


async def post(client: httpx.AsyncClient, content: bytes, **headers: str) -> httpx.Response:
    return await client.post(REPORTS, content=content, headers={"Content-Type": "application/json", **headers})


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (orjson.dumps(REPORT)[:-1] + b', "unit": "town-west"}', "field-twice"),
        (orjson.dumps(REPORT)[:-1] + rb', "\u0075nit": "town-west"}', "field-twice"),
        (b'[{"a\\"": 1, "a\\"": 2}]', "field-twice"),
        (b'{"a": "\\\\", "a": ""}', "field-twice"),
        (b'{"a": 12345678901234567890123}', "digits-lost"),
        (b'{"a": 9007199254740993.0}', "digits-lost"),
        (b'{"a": 0.12345678901234567890}', "digits-lost"),
        (b'{"a": [1e400]}', "digits-lost"),
        (b'{"a": ["x\\u0000"]}', "null-character"),
        (b"[" * 40 + b"]" * 40, "nested-too-deep"),
    ],
)
async def test_what_would_be_lost_silently_is_refused(client: httpx.AsyncClient, content: bytes, code: str) -> None:
    answer = await post(client, content)
    if b"1e400" in content:  # the parser refuses it first
        assert answer.status_code == 400
        return
    problem(answer, 422, code)
    lines = await client.post(f"{REPORTS}/batch", content=orjson.dumps(REPORT) + b"\n" + content)
    first, second = map(orjson.loads, lines.content.splitlines())
    assert (first["status"], second["problem"]["type"]) == (201, f"urn:huiying:problem:{code}")


@pytest.mark.parametrize("value", [True, "1_000", "7", 7.0, 7.5, [7]])
async def test_what_is_no_number_is_no_number(client: httpx.AsyncClient, value: Any) -> None:
    path = f"{REPORTS}/{(await post(client, orjson.dumps(REPORT))).json()['report_id']}/reach"
    answer = await client.post(path, json={"clicks": value, "measured_at": AT})
    assert problem(answer, 422, "wrong-form")["field"] == "clicks"
    assert (await client.post(path, json={"clicks": 7, "measured_at": AT})).status_code == 200


async def test_a_truth_value_is_written_as_one(client: httpx.AsyncClient) -> None:
    path = f"/escalation/v1/incidents/incident-{UUID}/receipt"
    for value in ("yes", 1, "true"):
        assert problem(await client.post(path, json={"accepted": value}), 422, "wrong-form")["field"] == "accepted"


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZip"])
async def test_packed_bodies_are_unpacked(client: httpx.AsyncClient, coding: str) -> None:
    packed = gzip.compress(bodies.BOM + orjson.dumps(REPORT))
    assert (await post(client, packed, **{"Content-Encoding": coding})).status_code == 201
    half = len(packed) // 2
    two = gzip.compress(orjson.dumps(REPORT) + b"\n") + gzip.compress(orjson.dumps(REPORT))

    async def parts() -> AsyncIterator[bytes]:
        yield two[:half]
        yield two[half:]

    lines = await client.post(f"{REPORTS}/batch", content=parts(), headers={"Content-Encoding": coding})
    assert [orjson.loads(line)["status"] for line in lines.content.splitlines()] == [201, 201]


@pytest.mark.parametrize(
    ("content", "coding", "status", "code"),
    [
        (gzip.compress(b" " * 50_000_000), "gzip", 413, "too-large"),
        (gzip.compress(orjson.dumps(REPORT))[:-9], "gzip", 422, "gzip-damaged"),
        (orjson.dumps(REPORT), "gzip", 422, "gzip-damaged"),
        (b"", "gzip", 422, "gzip-damaged"),
        (gzip.compress(orjson.dumps(REPORT)) + b"rest", "gzip", 422, "gzip-damaged"),
        (b"x", "br", 415, "unsupported-coding"),
        (gzip.compress(gzip.compress(b"{}")), "gzip, gzip", 415, "unsupported-coding"),
    ],
)
async def test_a_packed_body_has_the_limits_of_what_is_in_it(
    client: httpx.AsyncClient, content: bytes, coding: str, status: int, code: str
) -> None:
    problem(await post(client, content, **{"Content-Encoding": coding}), status, code)


async def test_a_packed_body_that_holds_nothing_ends_too(client: httpx.AsyncClient) -> None:
    sent = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 1
            yield gzip.compress(b"") * 2_000

    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    problem(await client.post(REPORTS, content=parts(), headers=headers), 413, "too-large")
    assert sent < 50


# languages


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("en-GB, zh", "en"),
        ("zh;q=0.1, en;q=0.2", "en"),
        ("fr, zh-Hans;q=0.3", "zh-Hans"),
        ("zh;q=x, en;q=0.1", "en"),
        ("*", "en"),
    ],
)
async def test_a_problem_speaks_the_language_that_is_asked_for(
    client: httpx.AsyncClient, asked: str, language: str
) -> None:
    answer = await client.get("/triage/v1/incidents?limit=0", headers={"Accept-Language": asked})
    found = problem(answer, 422, "number-too-small")
    assert (answer.headers["content-language"], answer.headers["vary"]) == (language, "Accept-Language")
    assert found["detail"] == ("limit 最小为 1。" if language == "zh-Hans" else "limit is at least 1")


async def test_no_bad_body_is_answered_in_words_of_a_library(system: Embedded, client: httpx.AsyncClient) -> None:
    """Each field of each request gets values of every other kind. Each answer has our own words, in both languages."""
    assert system.app is not None
    document = system.app.openapi()
    tried = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is None:
                continue
            reference = re.search(r'"\$ref": ?"#/components/schemas/(\w+)"', orjson.dumps(body).decode())
            assert reference, path
            for name in document["components"]["schemas"][reference[1]].get("properties", {}):
                for value in (None, True, 7, 7.5, "", "a b\n", "x" * 200_000, [], {}, [{}]):
                    content = orjson.dumps({name: value})
                    for language in ("en", "zh"):
                        headers = {"If-Match": "0", "Accept-Language": language}
                        answer = await client.request(method, filled(path), content=content, headers=headers)
                        if answer.status_code != 422:
                            assert answer.status_code < 500
                            continue
                        tried += 1
                        found = answer.json()
                        assert found["type"] != "urn:huiying:problem:malformed", (path, name, value, found)
                        assert not re.search(r"pattern|valid |Input|\^|\\|validator", found["detail"]), found
                        assert bool(re.search("[一-鿿]", found["detail"])) == (language == "zh"), found
    assert tried > 500


async def test_a_route_that_begins_differently_is_passed_over_and_no_other(system: Embedded) -> None:
    app = applications(system)["embedded"]
    routes = [route for route in app.router.routes if isinstance(route, DescribedRoute)]
    assert len(routes) > 100
    for pattern in (*methods_of(app), "/", "//bulletin/", "/bulletin", "/publish/v1/statements/%2F/revise"):
        scope = {"type": "http", "method": "GET", "path": filled(pattern), "root_path": "", "headers": []}
        for route in routes:
            assert route.matches(dict(scope))[0] is APIRoute.matches(route, dict(scope))[0], (pattern, route.path)
