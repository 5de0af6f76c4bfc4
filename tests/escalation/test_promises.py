"""What public texts owe: the next statement that was promised, and an update once a fact was revised."""

from datetime import datetime
from itertools import permutations
from typing import Any

import pytest

from schemas.escalation import ClockBreached, ClockMilestoneReached
from schemas.press import PressConferenceCalled, PressConferenceHeld
from schemas.publish import StatementCorrected, StatementPublished, StatementWithdrawn, UsedFact
from schemas.triage import IncidentFactRevised
from services.escalation.clock import promises
from services.escalation.clock.terms import USUAL
from services.escalation.reactions import milestones_of
from tests.escalation.incident import PACK, Incident, at, brings, milestone, opened, reached
from tests.kit import spec

OWN = f"incident-{spec.UUID}"
OTHER = "incident-01890a5d-0000-7000-8000-00000000000b"
ONE, TWO = (f"statement-01890a5d-0000-7000-8000-00000000000{number}" for number in (1, 2))


def fact(version: int, incident: str = OWN, key: str = "lamps") -> UsedFact:
    return UsedFact(key=key, incident=incident, version=version)


def published(
    when: datetime, statement: str = ONE, version: int | None = None, until: datetime | None = None, **more: Any
) -> ClockMilestoneReached:
    facts = () if version is None else (fact(version),)
    told: dict[str, Any] = {"statement": statement, "facts": facts, "until": until, "unit": "town-east"}
    return milestone("facts_published", when, event=None, **told | more)


def revised(when: datetime, version: int = 9, **more: Any) -> ClockMilestoneReached:
    return milestone("fact_revised", when, **{"facts": (fact(version),)} | more)


def corrected(when: datetime, version: int, statement: str = ONE) -> ClockMilestoneReached:
    return milestone("statement_corrected", when, statement=statement, facts=(fact(version),))


def withdrawn(when: datetime, statement: str = ONE) -> ClockMilestoneReached:
    return milestone("statement_withdrawn", when, statement=statement)


def owed(*past: ClockMilestoneReached) -> dict[str, tuple[datetime, datetime, datetime | None]]:
    found = promises.clocks(past, lambda _: PACK.model, USUAL)
    return {clock.name: (clock.since, clock.due, clock.met_at) for clock in found}


# what was promised


@pytest.mark.requirement("PUB-22")
def test_a_promise_runs_until_the_next_statement_of_the_matter() -> None:
    first = published(at(1), until=at(5))
    assert owed(first) == {"promised_update": (at(1), at(5), None)}
    assert owed(first, published(at(4), TWO)) == {"promised_update": (at(1), at(5), at(4))}
    again = published(at(4), TWO, until=at(9))
    assert owed(first, again)["promised_update#2"] == (at(4), at(9), None)


def test_a_correction_is_not_the_next_statement() -> None:
    assert owed(published(at(1), version=3, until=at(5)), corrected(at(2), 3)) == {
        "promised_update": (at(1), at(5), None)
    }


@pytest.mark.requirement("PUB-22")
def test_a_promise_that_is_not_kept_is_a_breach_and_the_closing_changes_nothing() -> None:
    made = Incident().hear(opened(at(0)), brings(published(at(1), until=at(5))), reached("closed", at(2)))
    made.detect(at(6))
    (breach,) = [fact for fact in made.of(ClockBreached) if fact.clock == "promised_update"]
    assert (breach.unit, breach.due) == ("town-east", at(5))
    late = brings(published(at(7), TWO))
    made.hear(late)
    assert made.state.clocks["promised_update"].met_at == at(7)


def test_every_order_of_arrival_gives_the_same() -> None:
    past = [
        published(at(1), version=3, until=at(5)), revised(at(2)), corrected(at(3), 9), published(at(4), TWO, version=9),
        withdrawn(at(6)),
    ]  # fmt: skip
    standings = set()
    for order in permutations(past):
        made = Incident().hear(opened(at(0)), *(brings(one) for one in order))
        own = {name: one for name, one in made.standing().items() if name.startswith(("promised", "statement"))}
        standings.add(str(sorted(own.items())))
    assert len(standings) == 1


# what is outdated


@pytest.mark.requirement("PUB-16")
@pytest.mark.parametrize(
    "by",
    [corrected(at(5), 9), published(at(5), TWO, version=9), withdrawn(at(5))],
    ids=["correction", "statement", "withdrawal"],
)
def test_a_revised_fact_makes_an_update_due(by: ClockMilestoneReached) -> None:
    past = (published(at(1), version=3), revised(at(2)))
    assert owed(*past) == {"statement_update": (at(2), at(2, 1), None)}
    assert owed(*past, by)["statement_update"][2] == at(5)


def test_nothing_is_due_where_no_public_text_is_outdated() -> None:
    assert owed(published(at(1)), revised(at(2))) == {}
    assert owed(published(at(1), version=3), revised(at(2), facts=(fact(9, key="pumps"),))) == {}
    told = published(at(1), TWO, version=9)
    assert owed(published(at(0.5), version=3), told, revised(at(2))) == {}
    assert owed(published(at(1), version=3), withdrawn(at(1.5)), revised(at(2))) == {}


def test_a_second_revision_meanwhile_moves_no_limit_and_another_one_later_runs_anew() -> None:
    past = (published(at(1), version=3), revised(at(2)), revised(at(3), 12))
    assert owed(*past) == {"statement_update": (at(2), at(2, 1), None)}
    assert owed(*past, corrected(at(4), 9))["statement_update"][2] is None
    assert owed(*past, corrected(at(4), 12))["statement_update"][2] == at(4)
    assert owed(*past, corrected(at(4), 12), revised(at(6), 15))["statement_update#2"] == (at(6), at(6, 1), None)


def test_without_a_limit_in_the_pack_no_update_is_timed() -> None:
    assert PACK.model.publication is not None
    silent = PACK.model.model_copy(update={"publication": PACK.model.publication.model_copy(update={"update": None})})
    past = (published(at(1), version=3), revised(at(2)))
    assert list(promises.clocks(past, lambda _: silent, USUAL)) == []


def test_what_a_merged_matter_owes_goes_on_where_it_goes_on() -> None:
    there = published(at(1), version=3, until=at(30), incident=OTHER)
    stale = revised(at(2), incident=OTHER)
    absorbed = milestone("absorbed", at(4), incident=OTHER)
    assert owed(there, stale, absorbed) == {
        "promised_update": (at(4), at(30), None),
        "statement_update": (at(4), at(4, 1), None),
    }
    # A promise that had passed by then was broken there.
    assert owed(replace_until(there, at(3)), absorbed) == {}
    merged = milestone("merged", at(4))
    (clock,) = promises.clocks((published(at(1), until=at(30)), merged), lambda _: PACK.model, USUAL)
    assert clock.cancelled is not None and clock.cancelled.cause == "merged"


def replace_until(one: ClockMilestoneReached, until: datetime) -> ClockMilestoneReached:
    return one.model_copy(update={"until": until})


def test_events_of_publish_and_triage_bring_these_milestones() -> None:
    by = "0" * 64
    said: dict[str, Any] = {"incident": OWN, "unit": "town-east", "kind": "facts", "title": "标题标题", "text": "文字"}
    facts = (fact(3),)
    told = [
        StatementPublished(**said, used=facts, next_at=at(5), form="closing_account", by=by),
        StatementCorrected(text="文字", reason="写错", used=facts, by=by),
        StatementWithdrawn(reason="有误", by=by),
    ]
    names = [[one.milestone for one in milestones_of(event)] for event in spec.events("statement", told)]
    assert names == [["facts_published", "account_published"], ["statement_corrected"], ["statement_withdrawn"]]
    (event, *_) = spec.events("statement", told)
    first = next(iter(milestones_of(event)))
    assert (first.statement, first.facts, first.until) == (event.stream, facts, at(5))
    value: Any = {"key": "lamps", "kind": "number", "number": 13.0, "source": "s"}
    (event,) = spec.events("incident", [IncidentFactRevised(**value)])
    (one,) = milestones_of(event)
    assert one.facts == (fact(1),)


@pytest.mark.requirement("PUB-17")
def test_a_press_conference_that_was_held_is_an_act() -> None:
    told: dict[str, Any] = {"conference": spec.UUID, "unit": "town-east", "by": "0" * 64}
    called = PressConferenceCalled(**told, at=at(5), place="发布厅", reason="群众关注")
    held = PressConferenceHeld(**told, statement=ONE, spoke=("spokesperson@town-east",), text="文字")
    names = [[one.milestone for one in milestones_of(event)] for event in spec.events("press", [called, held])]
    assert names == [[], ["conference_held"]]
