"""Who reads clocks. What `may` offers is taken, and other commands are refused."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import triage
from schemas.fields import instant, parse_instant
from services.escalation import queries
from services.escalation.commands import AnnulBreach, Receipt, ReportUpward, RequestExtension
from services.escalation.rights import OF_A_CLOCK, RIGHTS, Reportable
from services.escalation.views import OF_ONE
from services.kernel.access.rights import may
from services.kernel.core.decider import Actor
from services.kernel.core.problems import Problem, Rejected
from services.kernel.store.views import folded
from tests.escalation.conftest import Desk
from tests.escalation.incident import OFFICES, REPORTS, Incident, at, graded, opened, reached
from tests.escalation.test_decider import extendable
from tests.escalation.test_service import grade, incident
from tests.escalation.test_service import opened as told
from tests.kit.spec import UUID

ROLES = ("duty_officer", "chief", "approver", "auditor", "handler")
UNITS = ("city", "county", "town-east", "town-west")
PERSONS = ("wang", "li")
HOUR = timedelta(hours=1)
actors = st.builds(
    lambda post, unit, roles, person: Actor(f"{post}@{unit}", unit, frozenset(roles), person),
    st.sampled_from(("duty_officer", "chief", "handler")),
    st.sampled_from(UNITS),
    st.sets(st.sampled_from(ROLES), min_size=1),
    st.sampled_from(PERSONS),
)
steps = st.sampled_from(
    ["graded", "replied", "transferred", "merged", "closed", "detect", "report", "receipt", "annul"]
)


def receiver(incident: Incident, person: str) -> Actor:
    """A post that may confirm the latest report."""
    last = incident.state.reports[-1] if incident.state.reports else None
    posts = sorted(OFFICES.receivers(last.to, last.addressee)) if last else ["duty_officer@city"]
    post = posts[PERSONS.index(person) % len(posts)]
    return Actor(post, post.partition("@")[2], frozenset(ROLES), person)


def history(unit: str, names: list[str], persons: list[str]) -> tuple[Incident, Any]:
    """A matter after these steps, and the time then. Somebody with every right takes the steps of persons."""
    incident, now = Incident(offices=extendable()).hear(opened(at(0), unit=unit)), at(0.5)
    for name, person in zip(names, persons, strict=False):
        now += timedelta(minutes=50)
        everyone = Actor(f"{person}@city", "city", frozenset(ROLES), person)
        try:
            match name:
                case "graded":
                    incident.do(graded(now, "major"), now)
                case "detect":
                    incident.detect(now)
                case "report":
                    incident.do(ReportUpward(), now, everyone)
                case "receipt":
                    incident.do(Receipt(), now, receiver(incident, person))
                case "annul":
                    for clock in incident.breaches()[:1]:
                        incident.do(AnnulBreach(clock=clock, reason="paper"), now, everyone)
                case _:
                    incident.do(reached(name, now, unit="town-west"), now)
        except Rejected:
            continue
    return incident, now


def taken(incident: Incident, command: Any, now: Any, actor: Actor) -> bool:
    try:
        Incident(incident.uuid, incident.offices, incident.state, list(incident.events)).do(command, now, actor)
    except Problem:
        return False
    return True


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["town-east", "city"]),
    st.lists(steps, max_size=6),
    st.lists(st.sampled_from(PERSONS), min_size=6, max_size=6),
    actors,
)
def test_a_verb_is_shown_exactly_where_it_is_taken(
    unit: str, names: list[str], persons: list[str], actor: Actor
) -> None:
    incident, now = history(unit, names, persons)
    ctx, past = incident.context(now, actor), incident.state.past
    accountable = next(m.unit for m in reversed(past) if m.milestone in ("opened", "transferred"))
    merged = any(m.milestone == "merged" for m in past)
    clocks, reports, *_ = (folded(view, incident.events) for view in OF_ONE)
    of = {
        "of_unit": accountable,
        "of_merged_into": "incident-b" if merged else None,
        "of_policy": incident.state.policy,
        "of_ended": "closed" if "closed" in {m.milestone for m in past} else None,
    }
    for row in clocks:
        owed = queries._owed({**row, **of}, ctx)
        shown = may(OF_A_CLOCK, owed, ctx)
        annul = AnnulBreach(clock=row["clock"], reason="paper")
        extend = RequestExtension(clock=row["clock"], due=parse_instant(row["due"]) + HOUR, reason="storm")
        assert ("annul" in shown, "request-extension" in shown) == (
            taken(incident, annul, now, actor),
            taken(incident, extend, now, actor),
        ), row
    assert accountable is not None
    reportable = Reportable(accountable, frozenset(row["to"] for row in reports), merged)
    assert (may([RIGHTS[ReportUpward]], reportable, ctx) != []) == taken(incident, ReportUpward(), now, actor)
    for row in reports:
        reported = queries._reported(row)
        assert (may([RIGHTS[Receipt]], reported, ctx) != []) == taken(
            incident, Receipt(report=row["report"]), now, actor
        )


# over HTTP


async def read(desk: Desk, id_: str, *units: str) -> dict[str, int]:
    return {unit: (await desk.ask("GET", f"/incidents/{id_}", "handler", unit)).status_code for unit in units}


async def listed(desk: Desk, unit: str) -> set[str]:
    items = (await desk.ask("GET", "/clocks", "handler", unit)).json()["items"]
    return {item["clock"] for item in items}


@pytest.mark.requirement("MUL-06")
async def test_who_has_a_part_in_the_matter_reads_its_clocks(desk: Desk) -> None:
    id_ = told(desk)
    grade(desk)
    await desk.consume()
    assert await read(desk, id_, *UNITS, "county-roads", "county-water") == {
        **dict.fromkeys(("city", "county", "town-east"), 200),
        **dict.fromkeys(("town-west", "county-roads", "county-water"), 403),
    }
    assert await listed(desk, "county-roads") == set()
    desk.tell(id_, triage.IncidentAssigned(unit="county-roads"), at(1.1))
    desk.tell(id_, triage.IncidentVerificationRequested(unit="county-water"), at(1.2))
    await desk.consume()
    assert await read(desk, id_, "county-roads", "county-water") == {"county-roads": 200, "county-water": 200}
    assert await listed(desk, "county-roads") == await listed(desk, "county-water") == await listed(desk, "town-east")


@pytest.mark.requirement("MUL-06")
async def test_who_had_a_part_reads_what_was_recorded_until_then_and_the_own_clocks(desk: Desk) -> None:
    id_ = told(desk)
    await desk.consume()
    await desk.turn(at(2.5))  # the limit to transfer it on has passed
    said = {"unit": "town-west", "previous": "town-east", "reason": {"ref": UUID, "digest": "0" * 64}}
    desk.tell(id_, triage.IncidentTransferred.model_validate(said), at(3))
    grade(desk, hour=4)
    desk.tell(id_, triage.IncidentAssigned(unit="county-roads"), at(5))
    desk.tell(id_, triage.IncidentAccepted(unit="county-roads"), at(5))
    desk.clock.at = at(5)
    await desk.consume()
    now = (await desk.ask("GET", f"/incidents/{id_}", "handler", "town-west")).json()
    then = (await desk.ask("GET", f"/incidents/{id_}", "handler", "town-east")).json()
    assert (now["unit"], now["level"], now["assigned"]) == ("town-west", "major", "county-roads")
    assert (then["unit"], then["level"], then["assigned"], then["may"]) == ("town-east", None, None, [])
    assert {clock["clock"] for clock in now["clocks"]} - {clock["clock"] for clock in then["clocks"]} == {
        "public_statement",
        "interim_reply",
        "hand_over",
    }
    (own,) = [clock for clock in then["clocks"] if clock["clock"] == "transfer"]
    assert (own["state"], own["late"], own["unit"], own["level"]) == ("breached", False, "town-east", None)
    charged = (await desk.ask("GET", "/clocks", "handler", "town-east")).json()["items"]
    assert {clock["clock"] for clock in charged} == {"transfer", *REPORTS}
    assert {(clock["level"], clock["assigned"]) for clock in charged} == {(None, None)}
    body = {"clock": "transfer", "reason": "r"}
    for verb, role, sent in (("report-upward", "duty_officer", {}), ("annul", "auditor", body)):
        assert (await desk.ask("POST", f"/incidents/{id_}/{verb}", role, "town-east", sent)).status_code == 403


async def test_answers_say_what_their_reader_may_ask(desk: Desk) -> None:
    id_ = told(desk)
    grade(desk)
    await desk.consume()
    await desk.turn(at(4))
    one = (await desk.ask("GET", f"/incidents/{id_}", "duty_officer", "town-east")).json()
    assert (one["may"], {tuple(clock["may"]) for clock in one["clocks"]}) == (["report-upward", "inform-office"], {()})
    assert (await desk.ask("POST", f"/incidents/{id_}/report-upward", "duty_officer", "town-east", {})).is_success
    above = (await desk.ask("GET", f"/incidents/{id_}", "duty_officer", "county")).json()
    assert (above["may"], above["reports"][0]["may"]) == (["report-upward", "inform-office", "receipt"], ["receipt"])
    items = (await desk.ask("GET", "/clocks?state=breached", "auditor", "county")).json()["items"]
    assert items
    assert all(item["may"] == ["annul"] for item in items)
    assert all(item["may"] == [] for item in (await desk.ask("GET", "/clocks", "auditor", "town-east")).json()["items"])


async def test_the_root_annuls_its_own_breach_by_two_persons_over_http(desk: Desk) -> None:
    id_ = told(desk, "root", unit="city")
    await desk.consume()
    await desk.turn(at(4))
    body = {"clock": "transfer", "reason": "the paper of 9:30 was entered today"}
    path = f"/incidents/{incident('root')}/annul"
    asked = await desk.ask("POST", path, "auditor", "city", body)
    assert [event["type"] for event in asked.json()["events"]] == ["huiying.clock.annulment_asked.v1"]
    again = await desk.ask("POST", path, "auditor", "city", body)
    assert (again.status_code, again.json()["type"]) == (409, "urn:huiying:problem:asked-by-you")
    read = (await desk.ask("GET", f"/incidents/{id_}", "auditor", "city")).json()
    (mine,) = [clock for clock in read["clocks"] if clock["clock"] == "transfer"]
    assert (mine["state"], mine["may"]) == ("breached", [])
    row = (await desk.clocks(id_))["transfer"]
    assert row["asked_by"]
    assert row["breached_at"] == instant(at(2))
