"""Files of reports: CSV in every encoding, workbooks, lines of JSON; what is refused, dropped, repeated and tried."""

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import openpyxl
import orjson
import pytest
from openpyxl.xml.constants import SHARED_STRINGS

from schemas.operation import OperationImportBegun, OperationImportEnded
from services.apps import imports
from services.ingest.commands import Report
from services.ingest.imports import codec, run
from services.ingest.imports.codec import Table
from services.ingest.imports.imports_api import _lines, read, shipped
from services.ingest.imports.mapping import Fields, is_personal
from services.ingest.imports.mapping import Mapping as Map
from services.ingest.imports.sheets import STRICT
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Problem
from services.kernel.rules.documents import DocumentError
from services.kernel.serving.refused import tables
from services.kernel.serving.validation import AUTHOR_FIELDS
from services.kernel.settings import Settings
from tests.ingest.conftest import Ingest

PATH = "/ingest/v1/imports"
TITLES = ("工单编号", "来电人", "来电号码", "诉求内容", "受理时间", "事发地址")
ROWS = [
    ("12345-1", "张三", "13800138000", "人民路路灯不亮，请联系13800138000", "2026-03-02 09:00:00", "人民路"),
    ("12345-2", "李四", "13900139000", "桥下积水，\n无法通行，他说“危险”", "2026/3/2 9:05", "桥下"),
    ("12345-3", "", "", "井盖缺失", "昨天上午", "中山路"),
]
HOTLINE = read(shipped()["hotline"], "hotline")
LIMIT = 1_000_000
SETTINGS = Settings(workbook_limit=2_500_000)
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
NAMESPACE = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def csv_of(rows: Iterable[Sequence[str]], titles: Sequence[str] = TITLES, encoding: str = "utf-8") -> bytes:
    lines = (",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in (titles, *rows))
    return "\r\n".join(lines).encode(encoding) + "\r\n".encode(encoding.removesuffix("-sig").replace("16", "16-le"))


def xlsx_of(rows: Iterable[Sequence[Any]], titles: Sequence[str] = TITLES) -> bytes:
    book = openpyxl.Workbook()
    for row in (titles, *rows):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return shared(file.getvalue())


def shared(content: bytes) -> bytes:
    """The workbook with its texts in the list of shared ones, as spreadsheet programs write it."""
    texts: list[bytes] = []

    def place(found: re.Match[bytes]) -> bytes:
        texts.append(found[1])
        return b't="s"><v>%d</v>' % (len(texts) - 1)

    with zipfile.ZipFile(io.BytesIO(content)) as old:
        files = {name: old.read(name) for name in old.namelist()}
    files[SHEET] = re.sub(rb't="inlineStr"><is>(.*?)</is>', place, files[SHEET], flags=re.DOTALL)
    files[STRINGS] = b'<sst xmlns="%s">%s</sst>' % (NAMESPACE, b"".join(b"<si>%s</si>" % text for text in texts))
    kind = b'<Override PartName="/%s" ContentType="%s"/></Types>' % (STRINGS.encode(), SHARED_STRINGS.encode())
    files["[Content_Types].xml"] = files["[Content_Types].xml"].replace(b"</Types>", kind)
    return zipped(files)


def zipped(files: Mapping[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as new:
        for name, part in files.items():
            new.writestr(name, part)
    return file.getvalue()


async def send(ingest: Ingest, content: bytes, headers: dict[str, str], **query: Any) -> list[dict[str, Any]]:
    """The lines of an answer."""
    answer = await ingest.client.post(PATH, content=content, headers=headers, params={"mapping": "hotline", **query})
    assert answer.status_code == 200, answer.text
    return [orjson.loads(line) for line in answer.content.splitlines()]


def counts(lines: list[dict[str, Any]]) -> tuple[str, int, int, int, int]:
    ended = lines[-1]["ended"]
    return ended["state"], ended["rows"], ended["received"], ended["repeated"], ended["refused"]


@pytest.mark.requirement("ING-01")
async def test_takes_a_hotline_file_in_once_without_a_trace_of_persons(ingest: Ingest) -> None:
    key = await ingest.key("town-east", "hotline")
    tried = await send(ingest, csv_of(ROWS), key, dry_run=True)
    assert counts(tried) == ("done", 3, 2, 0, 1)
    assert tried[1]["sample"]["report"]["text"] == "人民路路灯不亮，请联系[手机号]"
    assert not await ingest.events("report") and not await ingest.events("import"), "a trial keeps nothing"
    taken = await send(ingest, csv_of(ROWS), key)
    assert taken[0]["began"]["dropped"] == ["来电人", "来电号码"]
    assert counts(taken) == ("done", 3, 2, 0, 1)
    refused = taken[1]["refused"]
    assert (refused["line"], refused["problem"]["type"]) == (5, "urn:huiying:problem:time-unreadable")
    assert refused["row"] == {title: cell for title, cell in zip(TITLES, ROWS[2], strict=True) if "来电" not in title}
    mended = [*ROWS[:2], (*ROWS[2][:4], "2026年3月2日 10:00", ROWS[2][5])]
    assert counts(await send(ingest, xlsx_of(mended), key)) == ("done", 3, 1, 2, 0), "the same rows as a workbook"
    assert counts(await send(ingest, csv_of(mended), key, dry_run=True)) == ("done", 3, 0, 3, 0)
    stored = " ".join(await ingest.words())
    assert not any(one in stored for one in ("张三", "李四", "13800138000", "13900139000"))
    events = [event.data for event in await ingest.events("operation.import")]
    begun, ended = events[:2]
    assert isinstance(begun, OperationImportBegun) and isinstance(ended, OperationImportEnded)
    assert (ended.run, ended.outcome, ended.rows, ended.received, ended.refused) == (begun.run, "done", 3, 2, 1)
    listed = (await ingest.client.get(PATH, headers=ingest.staff("admin", unit="county"))).json()["items"]
    assert [(one["form"], one["state"], one["received"]) for one in listed] == [("xlsx", "done", 1), ("csv", "done", 2)]
    assert listed[0]["by"].startswith("integration-")
    assert (await ingest.client.get(PATH, headers=ingest.staff("duty_officer", unit="county"))).status_code == 403


def parts(content: bytes, size: int = 7) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def rows_of(content: bytes, mapping: Map = HOTLINE, limit: int = LIMIT, size: int = 7) -> list[codec.Row]:
    """The rows of a file that comes in small parts."""
    with ExitStack() as files:
        return list(opened(content, mapping, limit, size, files).rows)


def opened(content: bytes, mapping: Map, limit: int, size: int, files: ExitStack) -> Table:
    return run.opened(parts(content, size), mapping, SETTINGS.model_copy(update={"report_limit": limit}), files)


def code(refusal: Problem | None) -> str:
    assert refusal is not None
    return refusal.code


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_finds_the_encoding(encoding: str, size: int) -> None:
    content = csv_of(ROWS).decode().encode(encoding)
    found = [row.cells["诉求内容"] for row in rows_of(content, size=size)]
    assert found == [row[3].replace("\r\n", "\n") for row in ROWS]
    late = csv_of([("1", "", "", "a" * 70_000, "", ""), *ROWS], encoding="utf-8").decode().encode(encoding)
    assert rows_of(late, size=max(size, 7))[-1].cells["事发地址"] == "中山路"


def test_tells_the_lines_on_which_rows_begin_and_leaves_rows_above_the_titles_out() -> None:
    above = b"2026\xe5\xb9\xb4\xe5\xaf\xbc\xe5\x87\xba\r\n" + csv_of([ROWS[1], *ROWS]).replace(b",", b"\t")
    assert [row.number for row in rows_of(above, HOTLINE.model_copy(update={"header": 2}))] == [3, 5, 6, 8]


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        ("1,a,x", "row-cells"),
        ("1,a,x,y,2026-03-02 09:00,z,more", "row-cells"),
        ("1,a,x,\x00,2026-03-02 09:00,z", "characters-damaged"),
        ("1,a,x,\udcff,2026-03-02 09:00,z", "characters-damaged"),
    ],
)
def test_a_faulty_row_is_refused_alone(row: str, refused: str) -> None:
    content = ",".join(TITLES).encode() + b"\n" + row.encode(errors="surrogateescape") + b"\n7,,,ok,2026-03-02 09:00,\n"
    first, second = rows_of(content, HOTLINE.model_copy(update={"encoding": "utf-8"}))
    assert code(first.fault) == refused and second.cells["诉求内容"] == "ok"
    orjson.dumps(first.cells)


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (csv_of(ROWS) + b'9,a,b,"never closed,\n' * 5, "quote-open"),
        (csv_of([]) + b'1,"a"b,"first\n7,,,made up,2026-03-02 09:00,\nend",y,2026-03-02 09:00,z\n', "quote-open"),
        (csv_of([]) + b'1,"he said "hi\n7,,,made up,2026-03-02 09:00,\nend",y,2026-03-02 09:00,z\n', "quote-open"),
        (csv_of(ROWS) + b"," * 1_000_001, "too-large"),
        (csv_of(ROWS) + b'"a\n",' * 300_000, "too-large"),
        (b"a,b\n1,2\n", "column-missing"),
        (csv_of(ROWS, (*TITLES[:5], "受理时间")), "column-twice"),
        (b"\n\na,b", "header-missing"),
        (b"," * 2_000, "columns-too-many"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "no-table"),
        (b"<html><table>", "no-table"),
        (b'[{"subject": "a"}]', "no-table"),
        (b"\xef\xbb\xbf [\r\n   {", "no-table"),
        (b"\x89PNG\x00\x00", "no-table"),
        (b"PK\x03\x04 and no more", "workbook-damaged"),
        (xlsx_of(ROWS)[:-300], "workbook-damaged"),
    ],
)
def test_a_file_of_which_nobody_can_say_where_rows_begin_ends_there(content: bytes, refused: str) -> None:
    read = list[codec.Row]()
    with pytest.raises(Problem) as caught, ExitStack() as files:
        read.extend(opened(content, HOTLINE, LIMIT, 50_000, files).rows)
    assert caught.value.code == refused
    assert all("made up" not in row.cells["诉求内容"] for row in read), "nobody's text became a report"


def test_a_cell_may_be_as_long_as_a_row() -> None:
    (row,) = rows_of(csv_of([("1", "", "", "长" * 300_000, "2026-03-02 09:00", "")]), size=50_000)
    assert row.fault is None and len(row.cells["诉求内容"]) == 300_000


def test_a_text_with_a_damaged_character_keeps_its_encoding_and_loses_one_row() -> None:
    raw = csv_of([("1", "", "", "长" * 30, "2026-03-02 09:00", ""), ("2", "", "", "井盖", "2026-03-02 09:00", "")])
    cut = raw.replace("井盖".encode(), "井盖".encode()[:-1])
    first, second = rows_of(cut)
    assert (first.fault, first.cells["诉求内容"]) == (None, "长" * 30)
    assert second.fault is not None and second.fault.code == "characters-damaged"


def test_a_cell_that_says_it_is_text_is_that_text() -> None:
    (row,) = rows_of(csv_of([('="0012"', "", "", "x", "2026-03-02 09:00", "")]))
    assert row.cells["工单编号"] == "0012"


def test_a_formula_is_its_saved_result_and_a_row_without_one_is_refused() -> None:
    def formed(xml: bytes) -> bytes:
        for number, (kind, kept) in enumerate(cells, 2):
            cell = b'<c r="A%d"%s><f>ROW()</f>%s</c>' % (number, kind, kept)
            xml = re.sub(rb'<c r="A%d".*?</c>' % number, cell, xml, count=1)
        down = b"".join(b'<row r="%d"><c r="A%d" t="str"><f/><v></v></c></row>' % (at, at) for at in range(5, 9))
        return xml.replace(b"</sheetData>", down + b"</sheetData>")

    cells = [(b"", b"<v>7</v>"), (b"", b""), (b' t="e"', b"<v>#N/A</v>")]
    assert codes(rows_of(changed(SHEET, formed))) == [("7", ""), ("", "formula-unworked"), ("", "formula-unworked")]
    cells = [(b' t="str"', b"<v></v>"), (b' t="str"', b"<v/>"), (b"", b"<v></v>")]
    assert codes(rows_of(changed(SHEET, formed))) == [("", ""), ("", ""), ("", "formula-unworked")], "an empty text"


def codes(rows: Iterable[codec.Row]) -> list[tuple[str, str]]:
    """The first cell of each row, and why it is refused."""
    return [(row.cells["工单编号"], row.fault.code if row.fault else "") for row in rows]


@pytest.mark.filterwarnings("ignore:Cell A2 is marked as a date")
def test_a_number_that_is_no_day_is_the_number_whatever_the_format_of_its_cell() -> None:
    def dated(xml: bytes) -> bytes:
        return re.sub(rb'<xf numFmtId="\d+"', b'<xf numFmtId="14"', xml)

    told = changed("xl/styles.xml", dated, [(13800138000, "甲", 1, "x", 5, 5), (2026, "甲", 1, "x", 5, 5)])
    assert codes(rows_of(told)) == [("13800138000", ""), ("1905-07-18 00:00:00", "")]


def test_cells_of_a_workbook_are_their_text() -> None:
    at = datetime(2026, 3, 2, 9, 5)  # noqa: DTZ001  as a sheet has it
    told = [(20260302001, "甲", 13800138000, '路灯 "一"', at, 5.0), ("", "", "", True, None, 0.25)]
    found = [row.cells for row in rows_of(xlsx_of(told))]
    assert [row["工单编号"] for row in found] == ["20260302001", ""]
    assert found[0]["诉求内容"] == '路灯 "一"' and found[0]["受理时间"] == "2026-03-02 09:05:00"
    assert [row["事发地址"] for row in found] == ["5", "0.25"] and found[1]["诉求内容"] == "TRUE"
    assert all("来电" not in title for row in found for title in row), "no cell of a person is read"
    lost = rows_of(xlsx_of([(2026030212345678901, "甲", 1, "x", at, 5)]))
    assert code(lost[0].fault) == "digits-lost"


def changed(part: str, change: Callable[[bytes], bytes], rows: Any = ROWS) -> bytes:
    """A workbook with a part changed."""
    with zipfile.ZipFile(io.BytesIO(xlsx_of(rows))) as old:
        return zipped({name: change(old.read(name)) if name == part else old.read(name) for name in old.namelist()})


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (changed(SHEET, lambda xml: BOMB + xml), "workbook-damaged"),
        (changed(STRINGS, lambda xml: BOMB + xml), "workbook-damaged"),
        (changed(SHEET, lambda xml: xml.replace(b"<sheetData>", b"<sheetData>" + b"<!-- -->" * 600_000)), "too-large"),
        (changed(STRINGS, lambda xml: xml.replace(b"<si>", b"<si><t>" + b"x" * 5_000_000 + b"</t>", 1)), "too-large"),
        (changed("xl/styles.xml", lambda xml: xml + b" " * 5_000_000), "too-large"),
        (changed(SHEET, lambda xml: xml + b" " * 60_000_000), "too-large"),
        (changed(SHEET, lambda xml: xml.replace(b't="s"><v>0', b't="s"><v>999999')), "workbook-damaged"),
        (zipped({"[Content_Types].xml": b"<x/>"}, zipfile.ZIP_LZMA), "workbook-damaged"),
        (changed("[Content_Types].xml", lambda xml: b"<x/>"), "workbook-damaged"),
        (changed(SHEET, lambda xml: xml.replace(NAMESPACE, STRICT + b"spreadsheetml/main")), "workbook-strict"),
        (xlsx_of(ROWS).replace(b"PK\x05\x06", b"PK\x06\x07" + b"\0" * 16 + b"PK\x05\x06"), "workbook-damaged"),
        (changed(SHEET, lambda xml: xml.replace(b'r="4"', b'r="99999999999999999999"')), "workbook-damaged"),
        (changed(SHEET, lambda xml: xml.replace(b'r="4"', b'r="-4"')), "workbook-damaged"),
    ],
    ids=range(13),
)
def test_a_workbook_made_to_harm_is_refused(content: bytes, refused: str) -> None:
    with pytest.raises(Problem) as caught:
        rows_of(content)
    assert caught.value.code == refused


def test_lines_of_json_are_rows() -> None:
    mapping = read(shipped()["reports"], "reports")
    content = (
        b'{"subject": "a", "text": 5, "author": {"name": "x"}}\n\n[1]\n{"text": ["a"]}\n{"text": "\xff"}\n'
        b'{"text": "a", "text": "b"}\n' + b'{"text": "' + b"x" * 900_000 + b'"}'
    )
    table = opened(content, mapping, 300_000, 100_000, ExitStack())
    first, *others = table.rows
    assert first.cells == {"subject": "a", "text": "5"} and list(table.dropped) == ["author.name"]
    assert [(row.number, code(row.fault)) for row in others] == [
        (3, "wrong-form"),
        (4, "wrong-form"),
        (5, "not-json"),
        (6, "field-twice"),
        (7, "too-large"),
    ]


@pytest.mark.requirement("ING-02")
def test_no_mapping_can_name_a_person() -> None:
    assert Fields.model_fields.keys() < Report.model_fields.keys() and not Fields.model_fields.keys() & AUTHOR_FIELDS
    personal = (
        "姓名 来电人 诉求人姓名 来电号码 联系电话 手机号 身份证号 留言用户 反映人性别 家庭住址 联系地址 坐席工号 "
    )
    personal += "受理人员 微信号 作者 name phone userName caller_phone 申请者 author contact-email"
    assert [title for title in personal.split() if not is_personal(title)] == []
    plain = "工单编号 诉求内容 反映内容 来电时间 来电内容 事发地址 涉及人数 反映人次 一级分类 service_name title area"
    assert [title for title in plain.split() if is_personal(title)] == []
    for name, text in shipped().items():
        mapping = read(text, name)
        assert mapping.mapping == name and not any(map(is_personal, mapping.columns))


MAPPING = """
mapping: board
title: 留言板
time_zone: {zone}
dates: ["{date}"]
fields:
  channel: {{constant: message_board}}
  subject: 标题
  text: [{text}]
  discovered_at: 时间
  category:
    column: 分类
    values: {{路灯: roads.lighting}}
"""
GOOD = {"zone": "Asia/Shanghai", "date": "%Y/%m/%d", "text": "内容, 正文"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"text": "来电人"}, "mapping:9:3: fields.text.column.0: names a person"),
        ({"zone": "Asia/Nowhere"}, "mapping:4:1: time_zone: is no time zone"),
        ({"date": "%H"}, "mapping:5:9: dates.0: is no form of a time"),
        ({"text": "a]\n  author: [a"}, "fields.author: is unknown"),
    ],
)
def test_faults_of_a_mapping_are_told_by_line_and_field(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(MAPPING.format(**(GOOD | wrong)).encode(), "mapping")
    assert told in str(caught.value)


def test_values_come_by_the_mapping() -> None:
    mapping = read(MAPPING.format(**GOOD).encode(), "mapping")
    row = {"标题": " a ", "正文": "b", "时间": "2026/3/2", "分类": "路 灯".replace(" ", "")}
    assert mapping.values(row) == {
        "channel": "message_board",
        "subject": "a",
        "text": "b",
        "discovered_at": "2026-03-02T00:00:00+08:00",
        "category": "roads.lighting",
    }
    with pytest.raises(Problem) as caught:
        mapping.values(row | {"分类": "别的"})
    assert caught.value.code == "value-unlisted"


async def test_a_file_with_a_mapping_of_its_own_and_without_numbers_is_taken_once(ingest: Ingest) -> None:
    key = await ingest.key("county", "board")
    text = MAPPING.format(**GOOD) + "source: board-of-ours\n"
    content = csv_of(
        [("灯", "不亮，电话13800138000", "2026-03-02 09:00", "路灯", "王某")] * 2,
        ("标题", "内容", "时间", "分类", "留言人"),
    )

    async def ask(text: str, **query: str) -> httpx.Response:
        form = {"mapping": (None, text), "file": ("board.csv", content)}
        return await ingest.client.post(PATH, files=form, headers=key, params=query)

    lines = [orjson.loads(line) for line in (await ask(text, unit="town-east")).content.splitlines()]
    assert counts(lines) == ("done", 2, 1, 1, 0), "two rows that say the same are one report"
    other = text.replace("roads.lighting", "roads.damage")
    lines = [orjson.loads(line) for line in (await ask(other, unit="town-east")).content.splitlines()]
    # Meanwhile an import tells how far it is.
    problems = [line["refused"]["problem"]["type"] for line in lines if "refused" in line]
    assert counts(lines) == ("done", 2, 0, 0, 2) and "id-taken" in problems[0]
    (number,) = {word for word in await ingest.words() if len(word) == 32}
    assert number.isalpha(), "masking finds no number in it"
    assert (await ask("")).status_code == 422 and "the file came first" not in (await ask("")).text
    wrong = await ask(text.replace("标题", "来电人"))
    assert wrong.status_code == 422 and wrong.json()["faults"][0]["line"] == 8
    assert (await ask(text, mapping="hotline")).json()["type"].endswith("mapping-twice")
    assert (await ask(text, unit="city")).status_code == 403
    for query, status in (({}, 422), ({"mapping": "nothing"}, 404)):
        assert (await ingest.client.post(PATH, content=content, headers=key, params=query)).status_code == status
    for form in ({"file": b"x"}, {"mapping": b"x"}, {"file": b"x", "mapping": b"x"}, {"other": b"x"}):
        answer = await ingest.client.post(PATH, files=form, headers=key)
        assert answer.status_code == 422, answer.text
    empty: dict[str, Any] = {"mapping": (None, text), "file": ("board.csv", b"")}
    assert (await ingest.client.post(PATH, files=empty, headers=key)).json()["type"].endswith(":file-empty")
    for boundary in ("b" * 300, ""):
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        answer = await ingest.client.post(PATH, content=b"--b", headers=key | kind)
        assert answer.status_code == 422 and answer.json()["type"].endswith(":form-unreadable"), answer.text
    slots = ingest.runtime.part(run.Slots)
    for _ in range(ingest.runtime.settings.imports_at_once):
        slots.take()  # none is held by a file that was refused
    assert (await ask(text)).status_code == 429
    left = await ingest.client.get(f"{PATH}/mappings", headers=key)
    assert [one["name"] for one in left.json()["items"]] == ["hotline", "message-board", "reports"]


def told(table: Table, mapping: Map) -> list[dict[str, Any]]:
    """The lines of an answer that refuses every row."""
    began = {"form": table.kind, "columns": table.columns, "header": mapping.header}
    why = {"detail": "not so"}
    refused = [{"line": row.number, "problem": why, "row": dict(row.cells)} for row in table.rows]
    return [{"began": began | {"delimiter": mapping.delimiter or ","}}, *({"refused": one} for one in refused)]


@pytest.mark.parametrize("delimiter", [None, ";", "\t"])
@pytest.mark.parametrize("header", [1, 3])
def test_the_table_of_refused_rows_is_read_by_the_same_mapping(delimiter: Any, header: int, tmp_path: Path) -> None:
    titles, to = ("@id", "内容"), tmp_path / "refused.csv"
    text = MAPPING.format(**GOOD).replace("标题", '"@id"').replace("时间", "内容") + "encoding: gb18030\n"
    mapping = read(text.encode(), "m").model_copy(update={"delimiter": delimiter, "header": header})
    cells = [("-1", "=1+1"), ("'-x", "''-"), ("'quoted'", '"a", b; c\n\t\u2007＝d'), ("\n@", "'")]
    above = b"x\n" * (header - 1)
    content = (above.decode() + csv_of(cells, titles).decode().replace('","', f'"{delimiter or ","}"')).encode(
        "gb18030"
    )
    with ExitStack() as files:
        answer = told(opened(content, mapping, LIMIT, 7, files), mapping)
    assert imports.write_refused(answer, to) == 4
    for saved in (to.read_bytes(), to.read_bytes().replace(b"\r\n", b"\n")):
        again = [tuple(row.cells.values()) for row in rows_of(saved, mapping)]
        assert again == [("-1", "=1+1"), ("-x", "''-"), *cells[2:]], "only a mark before a formula is taken off"
    raw = to.read_text("utf-8-sig")
    assert "'=1+1" in raw and "'-1" in raw and "'@id" in raw, "no office program takes a cell for a formula"
    book = [("'-1", "'=1+1"), ("'@x", 5)]
    sheet = rows_of(xlsx_of(book, titles), mapping.model_copy(update={"header": 1}))
    assert [tuple(row.cells.values()) for row in sheet] == [("-1", "=1+1"), ("@x", "5")], "a table saved as a workbook"


def test_refused_rows_are_cut_into_tables_that_fit() -> None:
    began = {"form": "ndjson", "columns": ["a", "b", "c"], "header": 1, "delimiter": ","}
    rows = [({"line": at, "row": {"a": "长" * long, "b": None}}, "why") for at, long in enumerate((10, 10, 400, 10))]
    cut = list(tables(began, rows, ("line", "why"), 130))
    assert [count for count, _ in cut] == [2, 1] and all(len(text.encode()) <= 130 for _, text in cut)
    assert all(text.startswith("\ufeffa,b,line,why\r\n") for _, text in cut), "no column that no object had"
    assert list(tables(began, [], ("line", "why"))) == [(0, "\ufeffline,why\r\n")]


async def test_a_run_is_noted_while_its_sender_is_slow_and_ends_once(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "NOTED", 0.01)
    key = await ingest.key("town-east", "hotline")

    async def slow() -> AsyncIterator[bytes]:
        yield csv_of(ROWS[:1], encoding="utf-8-sig")  # so its encoding is known at once
        async with asyncio.timeout(5):
            while not await ingest.rows("import_notes"):
                await asyncio.sleep(0.01)

    answer = await ingest.client.post(PATH, content=slow(), headers=key, params={"mapping": "hotline"})
    assert counts([orjson.loads(line) for line in answer.content.splitlines()]) == ("done", 1, 1, 0, 0)
    assert await ingest.rows("import_notes") == []

    recorded, ending, goes_on = list[Any](), asyncio.Event(), asyncio.Event()

    async def record(_: run.Run, fact: OperationImportEnded) -> None:
        ending.set()
        await goes_on.wait()
        recorded.append(fact.outcome)

    async def nothing(_: run.Run) -> None:
        pass

    monkeypatch.setattr(run.Run, "_record", record)
    monkeypatch.setattr(run.Run, "_take", nothing)
    made: Any = SimpleNamespace(mapping=HOTLINE, unit="town-east", dry_run=False)
    lines = _lines(run.Run(ingest.runtime, Actor("integration-x"), made, Table("csv"), Any, "en"))  # type: ignore[arg-type]
    await anext(lines)
    await ending.wait()
    await lines.aclose()  # the client hangs up while the end is recorded
    goes_on.set()
    while not recorded:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert recorded == ["done"]


async def test_a_file_that_breaks_off_is_told_and_goes_on_when_it_is_sent_again(ingest: Ingest) -> None:
    key = await ingest.key("town-east", "hotline")
    rows = [(f"A{number}", "", "", f"第{number}盏灯不亮", "2026-03-02 09:00", "") for number in range(1200)]
    broken = csv_of(rows) + b'"open'
    lines = await send(ingest, broken, key)
    assert counts(lines)[0] == "broken_off" and lines[-1]["ended"]["problem"]["line"] == 1202
    received = len(await ingest.events("report.received"))
    assert received in (500, 1000, 1200)
    assert counts(await send(ingest, csv_of(rows), key)) == ("done", 1200, 1200 - received, received, 0)
    assert len(await ingest.events("report.received")) == 1200
    listed = (await ingest.client.get(PATH, headers=ingest.staff("admin", unit="town-east"))).json()["items"]
    assert [one["state"] for one in listed] == ["done", "broken_off"]
    assert await ingest.rows("import_notes") == []
