"""What can be asked of triage. Those in the table of rights are bodies of HTTP requests; the others are internal."""

import math
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from schemas.fields import UUID, Code, Digest, IncidentId, Instant, PolicyRef, ReportId, StatementId, UnitCode, Uuid
from schemas.offices import UnitPlaced, UnitPostPlaced
from schemas.triage import AnswerKind, Track
from services.kernel.core.commands import Command, example

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
Basis = Annotated[str, StringConstraints(pattern=f"^[a-z]+-{UUID}@[0-9]+$")]

MAX_NUMBER = 1e15
_CODE: TypeAdapter[str] = TypeAdapter(Code)


class Instruct(Command, json_schema_extra=example(text="请立即到现场，先公布处置情况")):
    """A leader gives a written instruction on the matter."""

    text: Text
    """What is to be done."""


class RequestVerification(Command, json_schema_extra=example(unit="town-east", text="请核实停水范围和原因")):
    """Asks a unit to establish the facts before an answer is given."""

    unit: UnitCode
    """Who is to establish the facts."""
    text: Text | None = None
    """What is to be found out."""


class RequestHelp(Command, json_schema_extra=example(unit="county-roads", text="请协助提供路灯线路资料")):
    """Asks a unit to help in the handling: it reads the matter, records its steps and drafts, until that ends."""

    unit: UnitCode
    """Who is to help."""
    text: Text | None = None
    """What with."""


class EstablishFact(
    Command, json_schema_extra=example(key="inspected", kind="yes_no", value=True, source="3月2日现场核查记录")
):
    """Establishes a fact with its source, or revises it where the value is another one.

    `value` is by `kind`: `text` and `code` a string, `number` a number, `yes_no` true or false, `time` an ISO 8601 time
    with its offset.
    """

    key: Code
    """The fact's key, one of the deployment's list or of the pack."""
    kind: Literal["text", "number", "time", "code", "yes_no"]
    """What kind of value it has."""
    value: StrictBool | StrictInt | StrictFloat | StrictStr
    """The value, of this kind."""
    source: Text
    """Where it is known from."""

    @field_validator("value", mode="before")
    @classmethod
    def _is_of_its_kind(cls, value: object, info: ValidationInfo) -> object:
        kind = info.data.get("kind", "")
        if kind and (wanted := _WRONG[kind](value)):
            known = {"kind": kind, "wanted": f"fact-{kind}", "takes": wanted}
            raise PydanticCustomError("wrong-form", "a fact of the kind {kind} takes {takes}", known)
        return value

    @property
    def at(self) -> datetime:
        """The value of a `time`, UTC."""
        return datetime.fromisoformat(str(self.value)).astimezone(UTC)


# Each says what a value of the kind is, or nothing where the value is one.


def _wrong_text(value: object) -> str:
    return "" if isinstance(value, str) and value.strip() and len(value) <= 10_000 else "1 to 10,000 characters"


def _wrong_number(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "" if number and math.isfinite(value) and abs(value) <= MAX_NUMBER else "a number up to 10^15"  # type: ignore[arg-type]


def _wrong_time(value: object) -> str:
    wanted = "an ISO 8601 time with its offset, such as 2026-03-02T09:00:00+08:00"
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return wanted
    return "" if at and at.tzinfo and 1900 <= at.year < 2200 else wanted


def _wrong_code(value: object) -> str:
    try:
        _CODE.validate_python(value, strict=True)
    except ValidationError:
        return "a code of at most 100 letters and digits without spaces"
    return ""


def _wrong_yes_no(value: object) -> str:
    return "" if isinstance(value, bool) else "true or false"


_WRONG = {
    "text": _wrong_text,
    "number": _wrong_number,
    "time": _wrong_time,
    "code": _wrong_code,
    "yes_no": _wrong_yes_no,
}


class Classify(Command, json_schema_extra=example(answer_kind="answer")):
    """Chooses what kind of answer the office will give."""

    answer_kind: AnswerKind
    """What the office will do, one of the kinds that the pack in force has."""


class Grade(Command, json_schema_extra=example(level="major", reason="现场核实，影响三个小区")):
    """Judges how grave the matter is for the public, by the pack in force; again with another level to change it."""

    level: Code
    """One of the levels of the pack in force."""
    reason: Text
    """Why it is this level."""


class Assign(Command, json_schema_extra=example(unit="county-roads", reason="由道路主管部门办理")):
    """Tells one unit to handle the matter; again with another unit to change it."""

    unit: UnitCode
    """Who is to handle the matter."""
    reason: Text | None = None
    """Why this unit."""


class Accept(Command, json_schema_extra=example()):
    """The assigned unit takes the matter on."""


class Return(Command, json_schema_extra=example(reason="该路段不属于本单位管护范围")):
    """The assigned unit gives the matter back, with its explanation."""

    reason: Text
    """Why the unit does not handle it."""


class Transfer(Command, json_schema_extra=example(unit="county", reason="涉及两个乡镇")):
    """Makes another unit accountable for the matter. Who handles it stays as assigned."""

    unit: UnitCode
    """Who is to be accountable."""
    reason: Text
    """Why this unit."""


class RecordHandling(Command, json_schema_extra=example(track="problem", text="已更换破损水管，恢复供水")):
    """Records what was done about the real problem, or for the answer."""

    track: Track
    """`problem` for the real problem, `answer` for the answer."""
    text: Text
    """What was done."""


class Resolve(Command, json_schema_extra=example(reason="已恢复供水并答复")):
    """The handling is completed on both tracks."""

    reason: Text
    """Why the matter counts as handled."""


class FollowUp(Command, json_schema_extra=example(text="回访三户，供水正常")):
    """Somebody looked again at the matter after it was handled."""

    text: Text
    """What was found."""


class Reopen(Command, json_schema_extra=example(reason="再次停水")):
    """Opens a resolved or closed matter again; both tracks are then to be recorded anew."""

    reason: Text
    """Why it is opened again."""


class Close(Command, json_schema_extra=example(reason="回访满意")):
    """Ends the office's work on a resolved matter."""

    reason: Text
    """Why nothing more is to be done."""


class Merge(
    Command, json_schema_extra=example(into="incident-01890a5d-ac96-774b-bcce-b302099a8057", reason="同一处停水")
):
    """This incident is the same matter as `into` and goes on there."""

    into: IncidentId
    """The incident in which the matter goes on."""
    reason: Text | None = None
    """Why they are one matter."""


class Split(Command, json_schema_extra=example(reports=["report-01890a5d-a1b2-7c3d-8e4f-5061728394a5"])):
    """Lets reports of another matter leave for an incident of their own."""

    reports: tuple[ReportId, ...] = Field(min_length=1, max_length=500)
    """The reports that leave; at least one stays."""


class TakeReport(Command):
    """A report came in. It joins its incident; where that is over or there is none, it opens `opens`.

    `basis` is the report as `stream@version`, `relates_to` the incident of the same matter that is over.
    """

    unit: UnitCode
    report: ReportId
    discovered_at: Instant
    entered_late: bool = False
    category: Code | None = None
    match_key: Digest | None = None
    opens: IncidentId
    relates_to: IncidentId | None = None
    basis: Basis


class RecordRefusal(Command):
    """The office refused a report an answer. `basis` is the report as `stream@version`."""

    report: ReportId
    basis: Basis


class RecordAnswerPublished(Command):
    """The office published a statement of facts on the incident; `unit` is whose statement it is."""

    statement: StatementId
    unit: UnitCode
    basis: Basis


class Absorb(Command):
    """Another incident was merged into this one."""

    incident: IncidentId


class Received(Command):
    """A report as ingest told it: which unit knew of it, and since when."""

    report: ReportId
    unit: UnitCode
    discovered_at: Instant
    entered_late: bool = False


class OpenSplit(Command):
    """An incident of its own for the reports that left another one, with the unit that was handling that."""

    split_from: IncidentId
    unit: UnitCode
    assigned: UnitCode | None = None
    accepted: bool = False
    reports: tuple[Received, ...] = Field(min_length=1)
    refused: tuple[ReportId, ...] = ()
    """Those that were refused an answer before they left."""


class PlaceUnits(Command):
    """The tree of units and their posts as they should stand; several places of one unit or post differ in `since`."""

    units: tuple[UnitPlaced, ...]
    posts: tuple[UnitPostPlaced, ...] = ()


class RevokeToken(Command):
    """A staff token is to be believed no longer."""

    token: Uuid


class PackFile(Command):
    """A pack among this service's policies."""

    pack: Code
    version: Code
    digest: Digest
    effective_from: Instant


class LoadPacks(Command):
    """The packs among this service's policies."""

    packs: tuple[PackFile, ...]


class AssignPack(Command):
    """A unit and those below it work by this pack from `since` on."""

    unit: UnitCode
    policy: PolicyRef
    since: Instant
