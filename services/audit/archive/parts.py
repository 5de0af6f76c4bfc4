"""Which part of a matter's file an event belongs to, and which parts a file lacks. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from schemas import upcast
from schemas.envelope import Event
from schemas.ingest import ReportEvidenceAttached
from schemas.publish import StatementCorrected, StatementFileAttached, StatementNoticePublished, StatementPublished
from services.kernel.core.problems import Malformed
from services.kernel.sealed.first_day import evidence

OTHER = "other"
PARTS: Mapping[str, tuple[str, ...]] = {
    "original_material": ("report.received", "report.evidence_attached", "report.reach_measured"),
    "leader_instructions": ("incident.instruction_given",),
    "department_reply_letters": ("incident.unit_explained", "incident.replied", "incident.explained"),
    "assignment_and_reply_records": (
        "incident.assigned",
        "incident.accepted",
        "incident.returned",
        "incident.transferred",
        "incident.handed_over",
        "incident.peer_",
        "message.",
        "delivery.",
        "incident.passed_upward",
        "incident.help_",
        "incident.verification_",
    ),
    "handling": (
        "incident.handling_recorded",
        "incident.resolved",
        "incident.solved",
        "incident.left_unsolved",
        "incident.plan_",
        "incident.measure_",
    ),
}
"""Part -> the beginnings of the types of events that are its material. Everything else is other material."""
TITLES: Mapping[str, str] = {
    "original_material": "原始材料",
    "leader_instructions": "领导批示件",
    "department_reply_letters": "责任部门回复函",
    "assignment_and_reply_records": "交办回复记录",
    "handling": "办理情况",
    OTHER: "其他具有保存价值的材料",
}


TEXT, SHOWN = "text", "audio_and_image"
"""The parts of lists of packs that ask for records of a kind."""
_RECORDS = {"text": TEXT, **dict.fromkeys(("picture", "sound", "film"), SHOWN)}
FILED = upcast.types_of(
    ReportEvidenceAttached, StatementFileAttached, StatementPublished, StatementNoticePublished, StatementCorrected
)
"""The types of events that name files with their kinds."""


def part_of(type_: str) -> str:
    """The part to which events of a type belong."""
    name = type_.removeprefix("huiying.").rpartition(".v")[0]
    return next((part for part, beginnings in PARTS.items() if name.startswith(beginnings)), OTHER)


def records_of(event: Event) -> set[str]:
    """The parts that ask for records of a kind which the event names."""
    return {_RECORDS[one.kind] for one in evidence(event, "", "") if one.kind in _RECORDS}


def lacking(events: Iterable[Event], wanted: Sequence[str]) -> tuple[str, ...]:
    """The parts of the pack's list of which the record has nothing."""
    there = set[str]()
    for event in events:
        there |= {part_of(event.type), *records_of(event)}
    return tuple(part for part in wanted if part not in there)


def must_have_reasons(missing: Sequence[str], reasons: Mapping[str, str]) -> None:
    """Raises `Malformed` unless each missing part, and nothing else, has a reason."""
    if unknown := sorted(set(reasons) - set(missing)):
        raise Malformed(
            f"reasons: {unknown[0]} is no missing part of this file; those are {', '.join(missing) or 'none'}",
            code="archive-part-not-missing",
            field="reasons",
            given=unknown[0],
            known=list(missing),
        )
    if without := [part for part in missing if part not in reasons]:
        raise Malformed(
            f"reasons: the record has nothing of {', '.join(without)}; say for each why",
            code="archive-reason-needed",
            field="reasons",
            known=without,
        )
