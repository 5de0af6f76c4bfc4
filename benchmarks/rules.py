"""The rules of packs: conditions, the level of a matter, its clocks, and the loading of packs. One core, in memory."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from benchmarks.measure import Figure, percentile
from schemas.escalation import ClockMilestoneReached
from schemas.fields import LevelKnown
from services.escalation.clock.clocks import derive
from services.kernel.core.ids import derived
from services.kernel.rules.conditions import Context, Figures, holds, propose_level
from services.kernel.rules.packs import load_pack, parse_pack
from services.kernel.settings import ROOT

START = datetime(2026, 3, 2, tzinfo=UTC)
PACK = ROOT / "policies" / "county-default.yaml"
MILESTONES = 200
PACKS = 50


async def measure(runs: int) -> list[Figure]:
    """Evaluations a second; milliseconds of a derivation and of loading."""
    pack, text = load_pack(PACK), PACK.read_text("utf-8")
    context = Context(level="major", category="roads", doubtful=True, figures=Figures(clicks=2999))
    when = "level in ['major', 'extraordinary'] && (doubtful || figures.clicks >= 3000)"
    flagged = (Figures(clicks=999, comments=99, mainstream_sites=0), ["food"], 1)
    past = _milestones()
    evaluations = [_each(lambda: holds(when, context), 20_000) for _ in range(runs)]
    proposals = [_each(lambda: propose_level(pack, *flagged), 2_000) for _ in range(runs)]
    derivations = [_each(lambda: derive(past, pack.model), 20) for _ in range(runs)]
    loads = [_load(text, run) for run in range(runs)]
    return [
        Figure("rules: conditions", "/s", 1 / percentile(evaluations, 0.5), 50_000, at_least=True, runs=runs),
        Figure("rules: proposals of a level", "/s", 1 / percentile(proposals, 0.5), 5_000, at_least=True, runs=runs),
        Figure(f"rules: clocks of {MILESTONES} milestones", "ms", percentile(derivations, 0.5) * 1e3, 50, runs=runs),
        Figure(f"rules: loading {PACKS} packs", "s", percentile(loads, 0.5), 10, runs=runs),
    ]


def _each(act: Callable[[], object], times: int) -> float:
    """Seconds of processor time for one of them."""
    begun = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - begun) / times


def _load(text: str, run: int) -> float:
    begun = time.process_time()
    for number in range(PACKS):
        parse_pack(text.replace("\nversion: 2\n", f"\nversion: {run * PACKS + number + 3}\n", 1))
    return time.process_time() - begun


def _milestones() -> list[ClockMilestoneReached]:
    """A matter that is handed over, regraded and reopened again and again."""
    names = ("levels_known", "graded", "assigned", "accepted", "fact_established", "status_published", "reopened")
    past = [_reached(0, "discovered"), _reached(0, "opened")]
    for number in range(1, MILESTONES - 1):
        name = names[number % len(names)]
        past.append(_reached(number, "regraded" if name == "graded" and number > len(names) else name))
    return past


def _reached(number: int, name: str) -> ClockMilestoneReached:
    at = START + timedelta(minutes=10 * number)
    level = ("major", "extraordinary")[number % 2] if name in ("graded", "regraded") else None
    return ClockMilestoneReached(
        milestone=name,
        happened_at=at,
        recorded_at=at,
        event=derived("rules", name, str(number)),
        unit=("town-east", "county-roads")[number % 2] if name in ("discovered", "opened", "assigned") else None,
        level=level,
        rank=level and (2 if level == "major" else 3),
        levels=(LevelKnown(level="major", known_at=at),) if name == "levels_known" else (),
    )
