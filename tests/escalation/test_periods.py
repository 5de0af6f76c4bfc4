"""Limits and reports of a matter in a special period of its office."""

import json
from dataclasses import replace

from services.kernel.core.units import LoadedPack, SpecialPeriod
from services.kernel.rules.packs import parse_pack
from tests.escalation.incident import PACK, Incident, at, opened, reached

SOURCE = {"kind": "derived", "reason": "of these tests"}


def pack(**sections: object) -> LoadedPack:
    """The usual pack, with a limit `special` that only a special period owes."""
    content = json.loads(PACK.canonical)
    owed = {
        "name": "special",
        "title_zh": "特殊时期",
        "from": "assigned",
        "to": ["accepted"],
        "limit": {"mode": "elapsed", "duration": "PT1H"},
        "when": "'special' in periods",
        "source": SOURCE,
    }
    return parse_pack(json.dumps({**content, "clocks": [*content["clocks"], owed], **sections}, ensure_ascii=False))


def matter(*periods: SpecialPeriod, of: LoadedPack | None = None) -> Incident:
    made, of = Incident(), of or pack()
    assigned = dict.fromkeys(made.offices.assigned, of.ref)
    made.offices = replace(made.offices, assigned=assigned, packs={of.ref: of}, periods=periods)
    return made.hear(opened(at(0))).hear(reached("assigned", at(5), unit="town-east"))


def due(made: Incident, name: str = "special") -> object:
    clock = made.state.clocks.get(name)
    return None if clock is None or clock.cancelled else clock.started.due


def test_a_limit_sees_the_periods_at_its_start() -> None:
    assert due(matter()) is None
    assert due(matter(SpecialPeriod("special", at(4), None, "county"))) == at(6), "of a unit above, too"
    assert due(matter(SpecialPeriod("special", at(4), at(5), "county"))) is None, "over"
    assert due(matter(SpecialPeriod("special", at(5.5), None, "county"))) is None, "it began later"
    assert due(matter(SpecialPeriod("special", at(4), None, "town-west"))) is None, "of another unit"
    assert due(matter(SpecialPeriod("other", at(4), None, "county"))) is None


def test_a_period_that_becomes_known_late_adds_its_limit_and_its_end_takes_none_away() -> None:
    made = matter()
    made.offices = replace(made.offices, periods=(SpecialPeriod("special", at(4), None, "county"),))
    made.detect(at(5.5))
    assert due(made) == at(6)
    made.offices = replace(made.offices, periods=(SpecialPeriod("special", at(4), at(5.6), "county"),))
    made.detect(at(5.7))
    assert due(made) == at(6)


def test_a_report_is_owed_where_the_matter_began_in_a_period() -> None:
    content = json.loads(PACK.canonical)
    rules = [{**content["reports"][1], "from": "discovered", "when": "'special' in periods"}]
    del rules[0]["levels"]
    hop, of = rules[0]["hops"][0]["code"], pack(reports=rules)
    assert due(matter(of=of), hop) is None
    assert due(matter(SpecialPeriod("special", at(-1), at(3), "county"), of=of), hop) is not None
    assert due(matter(SpecialPeriod("special", at(1), None, "county"), of=of), hop) is None


def test_duty_round_the_clock_in_a_period_makes_the_office_know_at_once() -> None:
    special = [{"period": "special", "hours": "PT24H", "source": SOURCE}]
    windows = [{"from": "17:00", "to": "18:00"}]
    outside = {"value": "window_start", "source": SOURCE}
    roster = {"coverage": {"value": "PT1H", "source": SOURCE}, "windows": windows, "special": special}
    of = pack(roster={**roster, "outside_hours": outside})
    usual, always = (matter(*periods, of=of) for periods in ((), (SpecialPeriod("special", at(-1), None, "county"),)))
    assert usual.state.clocks["transfer"].started.since == at(9)
    assert always.state.clocks["transfer"].started.since == at(0)
