"""Commands on drills."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.fields import IncidentId, ReportId, UnitCode
from schemas.pack.source import Slug
from services.kernel.core.commands import Command, example

MAX_SIZE = 262_144
"""Characters of a scenario's file."""
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
EXAMPLE = """\
id: burst-main
version: 2026-01
title: 供水主管爆裂
title_en: a water main bursts
crisis: utilities
plan: 先核实，再报告，再公布。
office: 演练镇
lasts: PT2H
criteria: [{code: verified, title: 先核实, title_en: verified first, text: 公布之前核实。}]
injects: [{code: first, at: PT0S, kind: report, channel: hotline, subject: 水管爆了, text: 路口水管爆裂。}]
expected:
  - {code: graded, criterion: verified, title: 定级, title_en: grade, act: incident.graded, after: first, within: PT30M}
"""


class BeginDrill(
    Command,
    json_schema_extra=example(unit="county", scenario=EXAMPLE, places={"office": "drill-1"}, seed=2026),
):
    """Begin to rehearse a scenario."""

    unit: UnitCode
    """The unit that leads the drill."""
    scenario: Annotated[str, StringConstraints(min_length=2, max_length=MAX_SIZE)]
    """The scenario's file, YAML."""
    places: dict[Slug, UnitCode]
    """Part of the scenario -> the office for exercises that rehearses it, of the unit or below it."""
    seed: Annotated[int, Field(ge=0, le=10**9)] = 0
    """Chooses the details of the injects: the same seed, the same texts."""
    speed: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many times faster the scenario's own times pass. The limits of packs run as always."""


class NoteInject(Command, json_schema_extra=example(inject="first")):
    """Say that an inject was sent, and what it made."""

    inject: Slug
    """Its code in the scenario."""
    report: ReportId | None = None
    """The report that it made."""
    incident: IncidentId | None = None
    """The matter that it is on."""
    delivered: bool = True
    """Whether it was sent. False if the matter had ended before, so that nothing could be sent to it."""


class EndDrill(Command, json_schema_extra=example(cause="finished")):
    """End the drill. What is done from now on does not count."""

    cause: Literal["finished", "stopped"] = "finished"
    """Whether it went to its end."""
    reason: Said | None = None
    """Why it was broken off."""


class JudgeDrill(Command, json_schema_extra=example()):
    """Judge what the record shows now. What arrives later is judged by asking again."""
