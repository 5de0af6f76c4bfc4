"""Whatever comes as a CloudEvent in any form is a report or a refusal, and a refusal repeats no content."""

import json
import random
from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.cloudevents import codec
from services.kernel.core.problems import Problem
from tests.fuzz import INPUTS
from tests.ingest.test_cloudevents import event

fuzzed = settings(max_examples=INPUTS, deadline=None, suppress_health_check=list(HealthCheck), database=None)
BITS = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\u0000", b"\\ud800", b"\xff", b"\x00", b"\xef\xbb\xbf", b"1e999"]
BITS += [b"null", b"[" * 40, b'"data_base64":', b'"id":', b'"specversion":"0.3"', b" ", b"\n", b"%", b"%ff", b"-1"]
ONE = orjson.dumps(event())
HEADERS = [(f"ce_{name}", str(value).encode()) for name, value in event(data=None).items()]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def damaged(content: bytes, seed: int) -> bytes:
    """The content with a few bytes changed, cut, doubled or put in."""
    chance, made = random.Random(seed), bytearray(content)
    for _ in range(chance.randint(0, 5)):
        at = chance.randint(0, len(made))
        match chance.randint(0, 3):
            case 0:
                made[at : at + 1] = bytes([chance.randint(0, 255)])
            case 1:
                made[at:at] = chance.choice(BITS)
            case 2:
                del made[at : at + chance.randint(1, 40)]
            case 3:
                made[at:at] = made[at : at + chance.randint(1, 60)]
    return bytes(made)


def ends(read: Callable[..., Any], *given: Any) -> Any:
    """What a parser makes of its input; None for a refusal, which is the sender's fault."""
    try:
        return read(*given)
    except Problem as problem:
        if problem.status >= 500:
            raise
        return None


@fuzzed
@given(st.integers(), VALUES, st.sampled_from([*event(), "subject", "dataschema", "data_base64"]))
def test_a_structured_event_is_a_report_or_a_refusal(seed: int, value: Any, name: str) -> None:
    ends(codec.of_structured, damaged(ONE, seed))
    taken = ends(codec.of_structured, json.dumps({**event(), name: value}).encode())
    if taken is not None:
        assert taken.report.unit == "town-east" and "data" not in taken.dropped


@fuzzed
@given(st.integers(), st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=30)), max_size=4))
def test_headers_and_a_body_are_a_report_or_a_refusal(seed: int, more: list[tuple[str, bytes]]) -> None:
    body, chance = damaged(orjson.dumps(event()["data"]), seed), random.Random(seed)
    headers = [(name, damaged(value, seed + at)) for at, (name, value) in enumerate(HEADERS)]
    told = ("content-type", damaged(chance.choice([b"application/json", codec.STRUCTURED.encode()]), seed))
    ends(codec.of_message, [*headers, *more, told], body)
    ends(codec.of_message, [*HEADERS, told], body)
    over_http = [(name.replace("ce_", "ce-").encode(), value) for name, value in headers]
    attributes = ends(codec.attributes_of, [*over_http, *((name.encode("utf-8", "replace"), v) for name, v in more)])
    if attributes is not None:
        ends(codec.of_binary, attributes, told[1].decode("latin-1"), body)


@fuzzed
@given(st.integers(), st.integers(0, 3))
def test_a_batch_is_cut_into_events_or_refused(seed: int, count: int) -> None:
    for cut in ends(lambda text: list(codec.items(text)), damaged(b"[" + b",".join([ONE] * count) + b"]", seed)) or ():
        ends(codec.of_structured, cut)
