"""Which column of a file becomes which field of a report: YAML, checked when it is read. Pure.

A mapping has the fields of a report and no other, so none for a person; a column whose title says that it holds a
person's name, number or address is refused. Columns that no field names are never kept.
"""

import re
import unicodedata
from collections.abc import Iterator
from collections.abc import Mapping as Dict
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from schemas.fields import Code
from schemas.said import Said
from services.ingest.commands import Report, Source
from services.kernel.core.problems import Malformed
from services.kernel.serving.sheets import unmarked
from services.kernel.serving.validation import AUTHOR_FIELDS

TIMES = frozenset({"discovered_at", "written_at"})
NEEDED = ("channel", "subject", "text", "discovered_at")
"""A report needs these, and a unit, which is the sender's own if no column says it."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
_PERSON = re.compile(
    r"姓名|名字|称呼|称谓|昵称|网名|网友|作者|[账帐]号|[账帐]户|用户|电话|手机|座机|号码|身份证|证件|性别|年龄|民族|籍贯|"
    r"学历|职业|住址|家庭|户籍|联系(?!统)|邮箱|邮件|微信|QQ|头像|学号|工号|坐席|[人者员]$",
    re.IGNORECASE,
)
"""Titles of columns about persons. `人数` and `人次` count them and name nobody."""
_ALONE = frozenset({"name", "profile", "identity", "device", "student", "patient", "age"})
"""English words that name a person only if they are the whole title."""
_MORE = frozenset({"caller", "telephone", "phones", "emails", "surname", "complainant", "applicant", "whatsapp"})


def plain(title: object) -> str:
    """A column's title in normal form: no wide characters, no white space around it, nothing invisible.

    The mark that keeps office programs from taking it for a formula is no part of it.
    """
    normal = unicodedata.normalize("NFKC", str(title))
    seen = "".join(char for char in normal if unicodedata.category(char) not in ("Cf", "Cs"))
    return unmarked(" ".join(seen.split()))


def is_personal(title: str) -> bool:
    """Whether a column's title says that it holds who somebody is, or how to reach them."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", title).lower())
    joined = {"_".join(words), "".join(words)}
    return bool(_PERSON.search(title) or joined & AUTHOR_FIELDS or set(words) & ((AUTHOR_FIELDS - _ALONE) | _MORE))


def _impersonal(title: str) -> str:
    if is_personal(title):
        raise ValueError(
            Said(
                "names a person or how to reach one; nothing of it is kept, so take this column out of the mapping",
                "这一列是个人信息，系统不保存，请从对照表中删去",
            )
        )
    return title


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError(
            Said("is no time zone; write for example Asia/Shanghai", "不是时区名称，请写如 Asia/Shanghai")
        ) from None
    return name


def _format(written: str) -> str:
    try:
        datetime.strptime(datetime(2026, 3, 2, 9, tzinfo=UTC).strftime(written), written)  # noqa: DTZ007  only tried
    except (ValueError, re.error):
        written = ""
    if "%Y" not in written or "%d" not in written:
        raise ValueError(
            Said("is no form of a time; write for example %Y/%m/%d %H:%M", "不是时间格式，请写如 %Y/%m/%d %H:%M")
        )
    return written


Column = Annotated[
    str,
    BeforeValidator(lambda title: plain(title) if isinstance(title, str) else title),
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_impersonal),
]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Strict(BaseModel):
    """A part of a mapping."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(Strict):
    """How a field gets its value: from the first of these columns that the file has, or the same for all rows.

    A column alone may be written as its title, several as a list.
    """

    column: tuple[Column, ...] = ()
    constant: Text | None = None
    values: Dict[str, Text] | None = None
    """What the file writes -> what the report gets."""
    otherwise: Text | None = None
    """What the report gets for what `values` does not list. Without it such a row is refused."""
    first: Annotated[int, Field(ge=1, le=500)] | None = None
    """Only so many characters from the beginning."""

    @model_validator(mode="before")
    @classmethod
    def _written_short(cls, written: Any) -> Any:
        if isinstance(written, str | list | tuple):
            written = {"column": written}
        if isinstance(written, dict) and isinstance(written.get("column"), str):
            written = {**written, "column": [written["column"]]}
        return written

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if bool(self.column) == (self.constant is not None):
            raise ValueError(Said("write either a column or a constant", "请写 column 或 constant，二者选一"))
        if self.otherwise is not None and self.values is None:
            raise ValueError(
                Said("otherwise stands beside values; add values, or write a constant", "otherwise 要与 values 一起写")
            )
        return self

    @cached_property
    def table(self) -> Dict[str, str]:
        """`values` by their normal form."""
        return {plain(given): value for given, value in (self.values or {}).items()}


class Fields(Strict):
    """The fields of a report, each with its rule."""

    unit: Rule | None = None
    channel: Rule
    subject: Rule
    text: Rule
    discovered_at: Rule
    written_at: Rule | None = None
    external_id: Rule | None = None
    url: Rule | None = None
    place: Rule | None = None
    category: Rule | None = None
    request: Rule | None = None
    reply_ref: Rule | None = None


class Mapping(Strict):
    """How the files of one system become reports."""

    mapping: Code
    """Its name."""
    title: Text
    """What it is for, in the language of those who use it."""
    source: Source | None = None
    """The sending system. Without it, one of the unit and the mapping's name is made."""
    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    """Of times that are written without one."""
    dates: tuple[Annotated[Text, AfterValidator(_format)], ...] = ()
    """Further forms of a time, as `strptime` takes them. `2026-03-02 09:00`, also with seconds, needs none."""
    encoding: Literal["utf-8", "gb18030"] | None = None
    """That of a CSV file. Without it, it is found."""
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    """Between the cells of a CSV file. Without it, it is found."""
    sheet: Text | None = None
    """The sheet of a workbook. Without it, the first one that is not hidden."""
    header: Annotated[int, Field(ge=1, le=50)] = 1
    """The row that has the titles of the columns. Rows above it are left out."""
    fields: Fields

    @cached_property
    def rules(self) -> Dict[str, Rule]:
        """The rules by their fields."""
        return {name: rule for name in Fields.model_fields if (rule := getattr(self.fields, name)) is not None}

    @cached_property
    def columns(self) -> frozenset[str]:
        """Every column that may be read."""
        return frozenset(column for rule in self.rules.values() for column in rule.column)

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def check(self, titles: tuple[str, ...]) -> None:
        """Raises `Malformed` if a file with these columns lacks one that a report needs, or has it twice."""
        for field in NEEDED:
            columns = self.rules[field].column
            if columns and not set(columns) & set(titles):
                raise Malformed(
                    f"the file has no column {' or '.join(columns)}, which {field} needs; it has "
                    f"{', '.join(title[:40] for title in titles[:30]) or 'none'}",
                    code="column-missing",
                    field=field,
                    columns=list(columns),
                )
        for title in sorted(self.columns):
            if titles.count(title) > 1:
                raise Malformed(
                    f"the file has the column {title} twice; rename one",
                    code="column-twice",
                    field="file",
                    column=title,
                )

    def values(self, row: Dict[str, str]) -> dict[str, str]:
        """The fields of a row, times with their offset. Raises `Malformed`, which names field and column."""
        return dict(self._values(row))

    def _values(self, row: Dict[str, str]) -> Iterator[tuple[str, str]]:
        for field, rule in self.rules.items():
            if rule.constant is not None:
                yield field, rule.constant
                continue
            column = next((one for one in rule.column if one in row), None)
            value = row[column].strip() if column is not None else ""
            if column is None or not value:
                continue
            if rule.values is not None:
                yield field, self._listed(field, rule, column, value)
            elif field in TIMES:
                yield field, self._time(field, column, value)
            else:
                yield field, value[: rule.first] if rule.first else value

    def _listed(self, field: str, rule: Rule, column: str, value: str) -> str:
        found = rule.table.get(plain(value), rule.otherwise)
        if found is None:
            raise Malformed(
                f"{column} has {value[:60]!r}, for which the mapping has no value of {field}; add it under values, or "
                "write otherwise",
                code="value-unlisted",
                field=field,
                column=column,
                given=value[:60],
            )
        return found

    def _time(self, field: str, column: str, value: str) -> str:
        for form in (None, *self.dates):
            try:
                if form is not None:
                    read = datetime.strptime(value, form)  # noqa: DTZ007  the zone follows
                elif _ISO.fullmatch(value):
                    read = datetime.fromisoformat(value)
                else:
                    continue
            except ValueError:
                continue
            return (read if read.tzinfo else read.replace(tzinfo=self.zone)).isoformat()
        raise Malformed(
            f"{column} has {value[:40]!r}, which is no time that the mapping knows; write it as 2026-03-02 09:00, or "
            "add its form under dates",
            code="time-unreadable",
            field=field,
            column=column,
            given=value[:40],
        )


assert Fields.model_fields.keys() == Report.model_fields.keys() - {"source"}
