"""What conditions of chains see: publish, triage and `policy evaluate` see the same of the same matter."""

from dataclasses import replace
from typing import Any

import pytest

from schemas import triage
from schemas.fields import Fact
from services.escalation.trying.evaluate import matter_of
from services.escalation.trying.facts import parse
from services.kernel.core.units import SpecialPeriod
from services.kernel.rules.approval import chain_of
from services.kernel.rules.conditions import Context, Figures
from services.kernel.rules.documents import DocumentError
from services.kernel.rules.packs import parse_pack
from services.publish.rights import Case, Incident, Statement
from services.publish.seen import read_incident
from services.triage.decider import DECIDER
from services.triage.rights import context_of
from tests.kit import spec
from tests.publish.conftest import INCIDENT, Office, graded

PACK = spec.offices().packs[spec.offices().assigned["city"]]
REPORT, OTHER, AT = f"report-{spec.UUID}", f"report-{spec.UUID[:-1]}9", spec.NOW.isoformat()
UNIT = {"code": "town-east", "kind": "town", "above": [{"code": "county", "kind": "county"}]}
OPENED = triage.IncidentOpened(
    unit="town-east", report=REPORT, discovered_at=spec.NOW, category="water", channel="hotline"
)


def counted(report: str = REPORT, **figures: int) -> triage.IncidentReachCounted:
    return triage.IncidentReachCounted(report=report, counted_at=spec.NOW, **figures)


def in_triage(facts: tuple[Fact, ...]) -> Context:
    state = DECIDER.initial_state()
    for event in spec.events("incident", facts):
        state = DECIDER.evolve(state, event)
    return context_of(state, PACK, spec.ctx(), frozenset())


async def in_publish(office: Office) -> Context:
    async with office.runtime.database.read() as connection:
        incident = await read_incident(connection, INCIDENT)
    assert incident is not None
    case = Case.of(Statement(), incident, INCIDENT, spec.ctx())
    return case.context(case.level).model_copy(update={"statement_kind": None, "statement_form": None})


@pytest.mark.parametrize(
    ("facts", "known"),
    [
        ((), {}),
        ((graded("major", 2),), {"graded": {"level": "major", "at": AT}}),
        (
            (counted(clicks=2_000, comments=7), counted(clicks=3_000), counted(clicks=2_999, shares=4)),
            {"figures_over_time": [{"at": AT, "clicks": 3_000, "comments": 7}]},
        ),
        (
            (triage.IncidentFlagSet(flag="food", reason="r"), triage.IncidentHarmJudged(harm=2, reason="r")),
            {"flags": [{"code": "food", "at": AT}], "harm": 2},
        ),
        (
            (triage.IncidentClassified(answer_kind="status"),),
            {"answer_kind": "status", "classified_at": AT},
        ),
    ],
    ids=["nothing", "level", "figures", "gravity", "kind of answer"],
)
async def test_all_see_the_same_of_a_matter(office: Office, facts: tuple[Fact, ...], known: dict[str, Any]) -> None:
    """The facts of `evaluate` name no channel, no shares and no number of reports."""
    past = tuple(event.data for event in office.heard[spec.UUID])
    await office.incident(*facts)
    published = await in_publish(office)
    assert published == in_triage((*past, *facts))
    asked = {"discovered_at": AT, "as_of": AT, "unit": UNIT, "graded": {"level": "general", "at": AT}, **known}
    evaluated = matter_of(PACK, parse(asked, "facts.json")).context
    assert published.model_copy(
        update={"figures": published.figures.model_copy(update={"shares": None, "reports": None})}
    ) == evaluated.model_copy(update={"channel": published.channel})


async def test_publish_and_triage_know_category_channel_and_the_reports_that_stay(office: Office) -> None:
    other = spec.UUID[:-1] + "1"
    facts: list[Fact] = [
        OPENED,
        triage.IncidentReportAttached(report=OTHER, unit="town-east", discovered_at=spec.NOW),
        counted(clicks=10),
        counted(OTHER, clicks=500, shares=3),
    ]
    await office.incident(*facts, uuid=other)

    async def seen() -> Context:
        async with office.runtime.database.read() as connection:
            incident = await read_incident(connection, f"incident-{other}")
        assert incident is not None
        case = Case.of(Statement(), incident, incident.id, spec.ctx())
        return case.context(case.level).model_copy(update={"statement_kind": None, "statement_form": None})

    assert await seen() == in_triage(tuple(facts))
    assert (await seen()).figures == Figures(clicks=500, shares=3, reports=2)
    assert ((await seen()).category, (await seen()).channel, (await seen()).level) == ("water", "hotline", "general")
    by_category = parse_pack(TEXT.format(when="category == 'roads'"))
    assert chain_of(by_category, await seen()) is None
    corrected = triage.IncidentCategorized(category="roads", previous="water")
    await office.incident(corrected, uuid=other)
    facts.append(corrected)
    assert await seen() == in_triage(tuple(facts))
    chain = chain_of(by_category, await seen())
    assert chain and chain.code == "wide"
    left = triage.IncidentSplit(into=INCIDENT, reports=(OTHER,))
    await office.incident(left, uuid=other)
    assert await seen() == in_triage((*facts, left))
    assert (await seen()).figures == Figures(clicks=10, reports=1)


TEXT = """
id: trial
version: 1
title: 试用规则
effective_from: 2026-01-01
timezone: Asia/Shanghai
documents: {{d: 文件}}
approval:
  source: &s {{kind: stated, document: d, clause: L1}}
  chains:
    - code: wide
      title_zh: 传播面大
      when: {when}
      steps: [{{code: judged, title_zh: 审定, who: [principal_leader], source: *s}}]
      source: *s
  separation: {{value: by_person, source: *s}}
"""


def test_a_chain_is_chosen_by_figures() -> None:
    pack = parse_pack(TEXT.format(when="figures.clicks >= 3000 || figures.reports >= 5"))
    for figures, found in ((Figures(), False), (Figures(clicks=2_999), False), (Figures(clicks=3_000), True)):
        assert bool(chain_of(pack, Context(figures=figures))) is found
    assert chain_of(pack, Context(figures=Figures(reports=5))) is not None


def test_a_chain_is_chosen_by_a_special_period_that_the_pack_has() -> None:
    text = TEXT.format(when="\"'festival' in periods\"")
    with pytest.raises(DocumentError, match=r"<text>:13:7: .*line 1, column 1: 'festival' is no code of periods"):
        parse_pack(text)
    pack = parse_pack(text + "periods: [{code: festival, title_zh: 节日, source: *s}]")
    for periods, found in ((frozenset({"festival"}), True), (frozenset[str](), False)):
        assert bool(chain_of(pack, Context(periods=periods))) is found


async def test_all_see_the_periods_of_the_accountable_unit_now(office: Office) -> None:
    going = SpecialPeriod("special", spec.NOW, None, "county")
    over = SpecialPeriod("other", spec.NOW, spec.NOW, "county")
    ctx = spec.ctx()
    object.__setattr__(ctx, "offices", replace(ctx.offices, periods=(going, over)))
    state = DECIDER.initial_state()
    for event in spec.events("incident", [OPENED]):
        state = DECIDER.evolve(state, event)
    facts = {"discovered_at": AT, "unit": UNIT, "periods": [{"code": "special", "from": AT}]}
    case = Case.of(Statement(), Incident(id=INCIDENT, version=1, unit="town-east"), INCIDENT, ctx)
    assert context_of(state, PACK, ctx, frozenset()).periods == {"special"}
    assert case.context(None).periods == {"special"}
    assert matter_of(PACK, parse(facts, "facts")).context.periods == {"special"}
