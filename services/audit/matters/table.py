"""A list of matters as a table for people: the words beside the codes, the time of the office beside UTC."""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any, NamedTuple

from schemas.titles import titled
from services.audit.summaries import Names
from services.kernel.serving import sheets

CODES = ("unit", "assigned", "state", "level", "category", "answer_kind", "drill")
"""The columns of codes."""
INSTANTS = ("opened_at", "recorded_at")
COLUMNS = ("number", "incident_id", *CODES, *INSTANTS, "position")
"""The columns, before the limits and the basis, which is the same in each line."""
AXES = ("as_of", "known_at", "complete_until")
"""The instants of a basis."""
STATES: Mapping[str, tuple[str, str]] = {
    "open": ("未交办", "not assigned"),
    "assigned": ("已交办", "assigned"),
    "accepted": ("办理中", "being handled"),
    "resolved": ("已办结", "resolved"),
    "closed": ("已结案", "closed"),
    "dismissed": ("不予答复", "no reply"),
    "merged": ("已合并", "merged"),
}
DRILLS = {False: ("实际事项", "real"), True: ("演练", "exercise")}
LIMITS: Mapping[tuple[str, bool], tuple[str, str]] = {
    ("running", False): ("进行中", "running"),
    ("running", True): ("已逾期", "overdue"),
    ("met", False): ("按时完成", "met"),
    ("met", True): ("逾期完成", "met late"),
    ("cancelled", False): ("不再适用", "no longer applies"),
    ("cancelled", True): ("曾逾期，不再适用", "was overdue, no longer applies"),
}
"""State of a limit, and whether it was missed -> Chinese and English."""


class Of(NamedTuple):
    """Whose codes they are, for their titles."""

    unit: str | None
    policy: str | None
    time_text: str


def named(columns: Iterable[str], codes: Iterable[str], instants: Iterable[str]) -> list[str]:
    """The names of columns, each of codes or instants with the one beside it."""
    beside = {**dict.fromkeys(codes, "title"), **dict.fromkeys(instants, "local")}
    return [one for name in columns for one in ((name, f"{name}_{beside[name]}") if name in beside else (name,))]


def basis_names(basis: Mapping[str, Any]) -> list[str]:
    """The names of the columns of a basis."""
    return named(basis, (), AXES)


def basis_cells(basis: Mapping[str, Any], zone: tzinfo) -> list[Any]:
    """The cells of a basis."""
    return [
        one for name, cell in basis.items() for one in ((cell, sheets.local(cell, zone)) if name in AXES else (cell,))
    ]


def head(basis: Mapping[str, Any]) -> bytes:
    """The names of the columns."""
    columns = [*named(COLUMNS, CODES, INSTANTS), "clocks", "clocks_title", *basis_names(basis)]
    return (sheets.BOM + sheets.line(columns)).encode()


def row(item: Mapping[str, Any], basis: Mapping[str, Any], names: Names, zone: tzinfo) -> bytes:
    """A matter."""
    of, at = Of(item["unit"], None, item["opened_at"]), 0 if names.language == "zh" else 1
    cells: list[Any] = []
    for name in COLUMNS:
        cells.append(item[name])
        if name in CODES:
            cells.append(_title(name, item[name], of, names))
        elif name in INSTANTS:
            cells.append(sheets.local(item[name], zone))
    clocks = item["clocks"].items()
    cells.append("; ".join(f"{name}: {'breached, ' if one['breached'] else ''}{one['state']}" for name, one in clocks))
    said = ((names.clock(name, of) or name, LIMITS[one["state"], one["breached"]][at]) for name, one in clocks)
    colon, between = ("：", "；") if at == 0 else (": ", "; ")
    cells.append(between.join(f"{title}{colon}{state}" for title, state in said))
    return sheets.line([*cells, *basis_cells(basis, zone)]).encode()


def _title(name: str, code: Any, of: Of, names: Names) -> str:
    if code is None:
        return ""
    at = 0 if names.language == "zh" else 1
    match name:
        case "drill":
            return DRILLS[code][at]
        case "state":
            return STATES[code][at]
        case "unit" | "assigned":
            return names.unit(code, of) or code
        case "level":
            return names.level(code, of) or code
        case "category":
            return names.listed(code, of) or code
    return titled(code, names.language)
