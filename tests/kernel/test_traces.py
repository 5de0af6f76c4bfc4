"""The ids of traces follow from events alone; a header that is no place in a trace is none."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Event
from services.kernel.core.ids import incident_opened_by
from services.kernel.core.traces import Place, is_sampled, read, span_of, trace_of, written
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery.tracing import MOST_LINKS, TOGETHER, Asked, Span, Traces
from services.kernel.settings import Settings

UUIDS = st.uuids(allow_nil=True).map(str)


def event(kind: str = "incident", of: str = "", version: int = 1, **more: str) -> Event:
    return Event({"id": uuid7(), "subject": f"{kind}-{of or uuid7()}", "streamversion": version, **more}, b"")


@given(UUIDS, UUIDS, st.sampled_from(["incident", "report", "unit"]))
def test_ids_are_never_zero_and_always_the_same(matter: str, id_: str, kind: str) -> None:
    known = {"id": id_, "correlationid": f"incident-{matter}"}
    for more in (known, {"id": id_}, {"id": id_, "causationid": matter}):
        one, again = event(kind, version=2, **more), event(kind, version=2, **more)
        assert 0 < trace_of(one) == trace_of(again) < 2**128
    assert 0 < span_of("record", id_) == span_of("record", id_) < 2**64
    assert len({span_of(act, id_) for act in ("record", "send", "take")}) == 3


def test_a_trace_is_a_matter_also_for_the_report_that_opens_it() -> None:
    of = uuid7()
    assert trace_of(event(correlationid=f"incident-{of}")) == uuid.UUID(of).int
    report = event("report")
    assert f"incident-{uuid.UUID(int=trace_of(report))}" == incident_opened_by(report.id)
    # Streams without a matter may go on for years; each act on them is a trace.
    unit = event("unit", causationid=of)
    assert trace_of(unit) == uuid.UUID(of).int
    assert trace_of(event("unit", of=of)) != trace_of(event("unit", of=of))


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_a_header_says_what_it_was_made_of(trace: int, span: int, sampled: bool) -> None:
    place = Place(trace, span, sampled)
    assert read(written(place)) == read(written(place).encode()) == place


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00",
        f"00-{'0' * 32}-{'1' * 16}-01",
        f"00-{'1' * 32}-{'0' * 16}-01",
        f"ff-{'1' * 32}-{'1' * 16}-01",
        f"00-{'1' * 32}-{'1' * 16}-01-more",
        f"00-{'A' * 32}-{'1' * 16}-01",
        f"00-{'1' * 31}-{'1' * 16}-01",
        f"00-{'1' * 32}-{'1' * 16}-01\n",
        f" 00-{'1' * 32}-{'1' * 16}-01",
        f"01-{'1' * 32}-{'1' * 16}-01-{'x' * 500}",
        b"\xff\xfe",
        "００-" + "1" * 32 + "-" + "1" * 16 + "-01",
    ],
)
def test_a_malformed_header_is_none(header: str | bytes | None) -> None:
    assert read(header) is None


@given(st.text() | st.binary())
def test_no_header_is_an_error(header: str | bytes) -> None:
    read(header)


def test_a_later_version_of_the_header_is_read() -> None:
    assert read(f"01-{'1' * 32}-{'2' * 16}-03-more") == Place(int("1" * 32, 16), int("2" * 16, 16), True)


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("make", [uuid7, lambda: incident_opened_by(uuid7()).partition("-")[2]])
def test_the_share_is_right_for_every_version_of_ids(ratio: float, make: object) -> None:
    assert callable(make)
    share = sum(is_sampled(uuid.UUID(make()).int, ratio) for _ in range(2000)) / 2000
    assert abs(share - ratio) < 0.05
    assert ratio not in (0.0, 1.0) or share == ratio


def test_requests_that_are_stored_together_have_a_span_each(tmp_path: Path) -> None:
    told = list[Span]()
    traces = Traces("ingest", Settings(data=tmp_path), told.append)
    requests = {uuid7(): Asked(None) for _ in range(3)}
    events = [
        Event({**event("report", causationid=one).attributes, "type": "huiying.report.received.v1"}, b"")
        for one in requests
    ]
    before = TOGETHER.set(requests)
    try:
        traces.recorded(events, 1, {})
    finally:
        TOGETHER.reset(before)
    for asked in requests.values():
        asked.answered("POST", "/ingest/v1/reports", 201)
    servers = {one.place.trace: one.place for one in told if one.kind == "server"}
    records = [one for one in told if one.kind == "internal"]
    assert len(servers) == len(records) == len(requests)
    assert all(one.parent == servers[one.place.trace] for one in records)


def test_a_request_of_many_events_keeps_as_many_places_as_a_span_has_links(tmp_path: Path) -> None:
    told = list[Span]()
    traces, asked = Traces("ingest", Settings(data=tmp_path), told.append), Asked(None)
    for _ in range(3 * MOST_LINKS):
        asked.caused(traces, Place(trace_of(event("report")), 1, True))
    assert len(asked._begun) == MOST_LINKS


def test_without_a_collector_nothing_that_sends_is_imported() -> None:
    code = (
        "import sys; import services.apps.embedded, services.apps.serve, services.kernel.delivery.log.faust; "
        "from services.kernel.serving.process import tell_traces; from services.kernel.settings import Settings; "
        "tell_traces(Settings()); "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter')) "
        "or name.endswith('delivery.collector')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr[-2000:]
