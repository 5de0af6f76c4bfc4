"""The answers about imports, for the API's documents."""

from typing import Any, Literal

from schemas.fields import Code, Figure, Instant, StreamId, UnitCode
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

RUN = "import-01890a5d-d4e5-7f60-8b7c-8d9e0f1a2b3c"
COUNTS = {"rows": 1000, "received": 960, "repeated": 30, "refused": 10}


class ImportCounts(Answered):
    """What became of the rows so far. A trial counts as received what would be."""

    rows: Figure
    """The rows that were read."""
    received: Figure
    """Those that became reports."""
    repeated: Figure
    """Those that were taken in before."""
    refused: Figure
    """Those that were refused."""


class ImportBegan(Answered):
    """The file can be read, and its rows begin to be taken in."""

    run: StreamId
    """The id of the import."""
    mapping: Code
    """The name of the mapping."""
    form: Literal["csv", "xlsx", "ndjson"]
    """The kind of the file."""
    dry_run: bool
    """Whether the file is only tried."""
    columns: tuple[str, ...]
    """The columns that are read."""
    header: Figure
    """The row in which the mapping looks for the titles of a table."""
    delimiter: Literal[",", ";", "\t", "|"]
    """What may stand between the cells of a CSV file for this mapping."""
    dropped: tuple[str, ...]
    """The columns of the file that are not kept."""


class ImportProgress(ImportCounts):
    """How far it is."""

    line: Figure
    """The line, or the row of the sheet, that was taken in last."""
    bytes: Figure
    """The bytes of the request that came."""


class ImportSample(Answered):
    """A row of a trial as it would be stored."""

    line: Figure
    """The line on which it begins, or the row of the sheet."""
    report: dict[str, Any]
    """The report, with personal data masked."""
    masked: dict[str, int]
    """The number of masked places of each kind."""


class RefusedRow(Answered):
    """A row that was refused."""

    line: Figure
    """The line on which it begins, or the row of the sheet."""
    problem: dict[str, Any]
    """The `Problem`."""
    row: dict[str, str]
    """Its cells as they were sent, without the columns that are dropped."""


class ImportEnded(ImportCounts):
    """All rows were read, or the import broke off."""

    run: StreamId
    """The id of the import."""
    state: Literal["done", "broken_off"]
    """`broken_off` with the `problem` that ended it. Send the file again then: nothing is doubled."""
    left_off: Figure
    """The number of refused rows that are not shown."""
    dropped: tuple[str, ...]
    """The columns of the file that were not kept."""
    bytes: Figure
    """The bytes of the request that came."""
    problem: dict[str, Any] | None = None
    """The `Problem` that ended it."""


class ImportLine(
    Answered,
    json_schema_extra=example(
        began={
            "run": RUN,
            "mapping": "hotline",
            "form": "csv",
            "dry_run": False,
            "columns": ["工单编号", "诉求内容", "受理时间"],
            "header": 1,
            "delimiter": ",",
            "dropped": ["来电人", "来电号码"],
        }
    ),
):
    """A line of the answer to a file. It has one of these."""

    began: ImportBegan | None = None
    """The first line."""
    progress: ImportProgress | None = None
    """While rows are taken in."""
    sample: ImportSample | None = None
    """After all rows of a trial."""
    refused: RefusedRow | None = None
    """After all rows."""
    ended: ImportEnded | None = None
    """The last line. Without it the connection broke off: send the file again."""


class Import(ImportCounts):
    """A file of reports that was sent."""

    id: StreamId
    """The id of the import."""
    state: Literal["running", "done", "broken_off"]
    """`broken_off` also if it has not ended and nothing was heard of it for two minutes."""
    unit: UnitCode
    """The unit for which it was sent."""
    mapping: Code | None
    """The name of the mapping."""
    sha256: str | None
    """The digest of the mapping's text."""
    form: Literal["csv", "xlsx", "ndjson"] | None
    """The kind of the file."""
    by: str | None
    """The integration or the post that sent it."""
    begun_at: Instant | None
    """When it began."""
    ended_at: Instant | None
    """When its end was recorded; null if it has not ended, or broke off without a word."""


class Imports(
    Page,
    json_schema_extra=example(
        items=[
            {
                "id": RUN,
                "state": "done",
                "unit": "town-east",
                "mapping": "hotline",
                "sha256": "9f2c" * 16,
                "form": "csv",
                "by": "integration-01890a5d-e5f6-5071-8c8d-9e0f1a2b3c4d",
                "begun_at": "2026-03-02T01:00:00.000000Z",
                "ended_at": "2026-03-02T01:00:09.000000Z",
                **COUNTS,
            }
        ],
        next=None,
    ),
):
    """Imports, the newest first."""

    items: tuple[Import, ...]
    """The entries of this page."""


class MappingText(Answered):
    """A shipped mapping."""

    name: Code
    """Its name."""
    title: str
    """What it is for."""
    columns: dict[str, tuple[str, ...]]
    """The columns that it looks for, by field of the report. The first one that the file has counts."""
    text: str
    """Its YAML."""


class Mappings(
    Answered,
    json_schema_extra=example(
        items=[
            {
                "name": "hotline",
                "title": "12345 政务服务便民热线工单",
                "columns": {"text": ["诉求内容", "工单内容"]},
                "text": "mapping: hotline\n…",
            }
        ]
    ),
):
    """The shipped mappings."""

    items: tuple[MappingText, ...]
    """All of them."""
