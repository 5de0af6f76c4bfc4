"""Whatever a file of reports holds, its rows are cells or refusals, and the file ends in rows or in a refusal."""

import io
import random
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from services.ingest.commands import Report
from services.ingest.imports import form, run
from services.ingest.imports.imports_api import read, shipped
from services.kernel.core.problems import Problem
from services.kernel.rules.documents import DocumentError
from services.kernel.settings import Settings
from tests.fuzz import INPUTS
from tests.ingest.test_imports import HOTLINE, MAPPING, ROWS, csv_of, xlsx_of

REPORTS = read(shipped()["reports"], "reports")
SETTINGS = Settings(report_limit=5_000, workbook_limit=1_000_000)
CSV = [csv_of(ROWS).decode().encode(encoding) for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16")]
LINE = b'{"subject": "a", "text": "\xe7\x81\xaf", "discovered_at": "2026-03-02 09:00", "x": {"y": [1]}}\n'
BOOK = xlsx_of(ROWS)
BITS = [
    b'"',
    b'""',
    b",",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"{",
    b"}",
    b"[",
    b"\\u0000",
    b"1e999",
    b"\t",
]
MARKS = [
    b"<",
    b">",
    b"<row>",
    b"</row>",
    b"<c>",
    b'r="',
    b"99999999999",
    b"99999999999999999999",
    b"&#0;",
    b"<!DOCTYPE a>",
    b"&a;",
    b"_xD800_",
    b"-1",
]
fuzzed = settings(max_examples=INPUTS, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def damaged(content: bytes, seed: int, bits: list[bytes]) -> bytes:
    """The content with a few bytes changed, cut, doubled or put in."""
    chance = random.Random(seed)
    made = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(made))
        match chance.randint(0, 4):
            case 0:
                made[at : at + 1] = bytes([chance.randint(0, 255)])
            case 1:
                made[at:at] = chance.choice(bits) * chance.choice([1, 1, 1, 300])
            case 2:
                del made[at : at + chance.randint(1, 40)]
            case 3:
                made[at:at] = made[at : at + chance.randint(1, 200)]
            case _:
                del made[at + chance.randint(0, 2_000) :]
    return bytes(made)


def parts(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def taken(content: bytes, size: int) -> int:
    """The number of rows. Anything but a refusal goes up."""
    rows = 0
    for mapping in (HOTLINE, REPORTS):
        with ExitStack() as files:
            try:
                for row in run.opened(parts(content, size), mapping, SETTINGS, files).rows:
                    rows += 1
                    orjson.dumps([row.number, row.cells])
                    assert row.cells.keys() <= mapping.columns, "no other cell is kept"
                    try:
                        if row.fault is not None:
                            raise row.fault
                        values = {"unit": "town-east", "source": "x", "external_id": "1", **mapping.values(row.cells)}
                        Report.model_validate(values).model_dump_json().encode()
                    except Problem as problem:
                        orjson.dumps(problem.body("zh"))
                    except ValidationError:
                        pass
            except Problem as problem:
                orjson.dumps(problem.body("zh"))
    return rows


@fuzzed
@given(st.sampled_from(CSV), st.integers(0, 2**64), st.sampled_from([1, 7, 100_000]))
def test_damaged_csv(content: bytes, seed: int, size: int) -> None:
    taken(damaged(content, seed, BITS), size)


@fuzzed
@given(st.just(LINE * 3), st.integers(0, 2**64), st.sampled_from([1, 7, 100_000]))
def test_damaged_lines_of_json(content: bytes, seed: int, size: int) -> None:
    taken(damaged(content, seed, BITS), size)


@fuzzed
@given(st.binary(max_size=300), st.sampled_from([b"", b"{", b"a,b\n", b"PK\x03\x04"]))
def test_random_bytes(content: bytes, before: bytes) -> None:
    taken(before + content, 64)


@pytest.mark.filterwarnings("ignore::UserWarning")  # openpyxl's; they are silenced in the services
@fuzzed
@given(st.integers(0, 2**64))
def test_a_damaged_workbook(seed: int) -> None:
    chance = random.Random(seed)
    if chance.random() < 0.3:
        taken(damaged(BOOK, seed, MARKS), 100_000)
        return
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(BOOK)) as old, zipfile.ZipFile(file, "w") as new:
        names = [name for name in old.namelist() if "theme" not in name]
        chosen = chance.choice(names)
        for name in names:
            new.writestr(name, damaged(old.read(name), seed, MARKS) if name == chosen else old.read(name))
    taken(file.getvalue(), 100_000)


@fuzzed
@given(st.integers(0, 2**64), st.sampled_from([1, 7, 100_000]))
def test_a_damaged_form(seed: int, size: int) -> None:
    whole = (
        b'--b\r\nContent-Disposition: form-data; name="mapping"\r\n\r\nmapping: x\r\n--b\r\nContent-Disposition: '
        b'form-data; name="file"; filename="a"\r\nContent-Type: text/csv\r\n\r\na,b\r\n1,2\r\n--b--\r\n'
    )
    bits, boundary = [*BITS, b"\r\n--b", b"--b--"], damaged(b"b", seed, BITS) if seed % 5 == 0 else b"b"
    refused(lambda: form.taken(parts(damaged(whole, seed, bits), size), boundary))


@fuzzed
@given(st.integers(0, 2**64))
def test_a_damaged_mapping(seed: int) -> None:
    good = MAPPING.format(zone="Asia/Shanghai", date="%Y/%m/%d", text="内容, 正文").encode()
    try:
        read(damaged(good, seed, [b": ", b"\n", b"- ", b"{", b"*a", b"&a ", b"%", b"  ", b"!!python/none "]), "mapping")
    except DocumentError as error:
        orjson.dumps([fault._asdict() for fault in error.faults], default=str)


def refused(work: Callable[[], tuple[bytes, Iterable[bytes]]]) -> None:
    try:
        _, file = work()
        for part in file:
            assert part
    except Problem as problem:
        orjson.dumps(problem.body("zh"))
