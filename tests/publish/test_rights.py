"""Who reads a statement. What `may` offers is taken, and other commands are refused."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from schemas.envelope import Event, seal
from schemas.triage import (
    IncidentAssigned,
    IncidentHelpRequested,
    IncidentMerged,
    IncidentResolved,
    IncidentTransferred,
    IncidentVerificationRequested,
)
from services.kernel.access.rights import may
from services.kernel.core.decider import Actor, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Rejected
from services.kernel.store.views import folded
from services.publish.commands import Approve, CannotJudge, Draft, Publish, Submit, Unschedule
from services.publish.decider import DECIDER
from services.publish.rights import RIGHTS, Case, Statement
from services.publish.state import State
from services.publish.views import OF_ONE, state_of
from tests.kit import spec
from tests.publish.conftest import INCIDENT, TEXT, Office, graded, opened
from tests.publish.test_decider import CORRECT, MATTER, RAISED, REJECT, REVISE, STREAM, TITLE, WITHDRAW, draft

STATEMENTS = "/publish/v1/statements"
COMMANDS = {
    "draft": draft(),
    "revise": REVISE,
    "submit": Submit(),
    "approve": Approve(),
    "reject": REJECT,
    "cannot-judge": CannotJudge(reason="把握不准"),
    "publish": Publish(),
    "unschedule": Unschedule(),
    "correct": CORRECT,
    "withdraw": WITHDRAW,
}
ROLES = ("handler", "approver", "chief", "spokesperson", "duty_officer")
PERSONS = ("wang", "li", "zhao")
steps = st.tuples(st.sampled_from(sorted(COMMANDS)), st.sampled_from(PERSONS))
forward = st.sampled_from([["submit", "approve", "publish"], ["submit", "approve"], ["submit"], []])
actors = st.builds(
    lambda unit, role, more, person: Actor(f"{role}@{unit}", unit, frozenset({role, *more}), person),
    st.sampled_from(["city", "county", "town-east", "county-roads", "town-west"]),
    st.sampled_from(ROLES),
    st.sets(st.sampled_from(ROLES)),
    st.sampled_from(PERSONS),
)
POSTS = {"approve": "approver", "reject": "approver", "cannot-judge": "approver"}
"""Verb -> the post that asks for it in a past."""


def context(actor: Actor, incident: Any) -> Any:
    return spec.ctx(actor, seen={"stream": STREAM, "incident": incident, "title": TITLE, "text": TEXT})


def came_to(first: Draft, commands: list[tuple[str, str]]) -> tuple[State, list[Event]]:
    """The state and the events after these commands of these persons, without the refused ones."""
    state, past = DECIDER.initial_state(), list[Event]()
    asked = [("draft", first, "wang"), *((verb, COMMANDS[verb], person) for verb, person in commands)]
    for number, (verb, command, person) in enumerate(asked):
        actor = Actor(f"{POSTS.get(verb, 'chief')}@city", "city", frozenset(ROLES), person)
        try:
            (item,) = DECIDER.decide(state, command, context(actor, MATTER))
        except (Forbidden, Rejected):
            continue
        assert isinstance(item, Occurred)
        past.append(
            seal(
                spec._plain(item.data),
                id=derived(str(number)),
                source="/huiying/test/publish",
                stream=STREAM,
                version=len(past) + 1,
                previous=past[-1].digest if past else None,
                time=spec.NOW,
                recorded=spec.NOW,
                partitionkey=STREAM,
                actor=actor.post,
            )
        )
        state = DECIDER.evolve(state, past[-1])
    return state, past


@settings(max_examples=200, deadline=None)
@examples(
    st.sampled_from([None, "county-roads"]),
    forward,
    st.lists(steps, max_size=6),
    actors,
    st.sampled_from(
        [
            MATTER,
            RAISED,
            replace(MATTER, unit="town-west"),
            replace(MATTER, merged_into="incident-b"),
            replace(MATTER, helping=frozenset({"town-west"})),
        ]
    ),
)
def test_a_verb_is_shown_exactly_where_it_is_taken(
    speaks: str | None, usual: list[str], more: list[tuple[str, str]], actor: Actor, incident: Any
) -> None:
    state, past = came_to(draft(unit=speaks), [*zip(usual, ("wang", "li", "zhao"), strict=False), *more])
    (row,), *_ = (folded(view, past) for view in OF_ONE)
    asked = state_of(row)
    assert all(getattr(asked, name) == getattr(state, name) for name in Statement.__dataclass_fields__)
    ctx = context(actor, incident)
    shown = may(RIGHTS.values(), Case.of(asked, incident, STREAM, ctx), ctx)
    for verb, command in COMMANDS.items():
        try:
            DECIDER.decide(state, command, ctx)
        except (Forbidden, Rejected):
            assert verb not in shown, (verb, state)
        else:
            assert verb in shown, (verb, state)


# over HTTP


async def read(office: Office, id_: str, unit: str, role: str = "handler") -> httpx.Response:
    return await office.client.get(f"{STATEMENTS}/{id_}", headers=office.as_(role, unit))


@pytest.mark.requirement("MUL-06")
async def test_who_has_a_part_in_the_matter_reads_its_statements(office: Office) -> None:
    id_ = await office.draft()
    seen = {unit: (await read(office, id_, unit)).status_code for unit in ("city", "county", "town-east", "town-west")}
    assert seen == {"city": 200, "county": 200, "town-east": 200, "town-west": 404}
    assert (await read(office, id_, "county-roads")).status_code == 404
    await office.incident(IncidentAssigned(unit="county-roads"), IncidentVerificationRequested(unit="town-west"))
    for unit in ("county-roads", "town-west"):
        assert (await read(office, id_, unit)).status_code == 200
        listed = await office.client.get(STATEMENTS, headers=office.as_("handler", unit))
        assert [item["id"] for item in listed.json()["items"]] == [id_]


async def test_whoever_helps_drafts_and_the_unit_that_speaks_submits(office: Office) -> None:
    id_ = await office.draft()
    await office.incident(IncidentAssigned(unit="county-roads"), IncidentHelpRequested(unit="town-west"))
    assert (await read(office, id_, "town-west")).json()["may"] == ["revise", "attach-file"]
    assert (await read(office, id_, "county-roads")).json()["may"] == ["revise", "attach-file"]
    assert (await read(office, id_, "town-east")).json()["may"] == ["revise", "attach-file", "submit"]
    body = {"incident_id": INCIDENT, "kind": "status", "title": TITLE, "text": TEXT}
    made = await office.client.post(STATEMENTS, json=body, headers=office.as_("handler", "town-west"))
    assert made.status_code == 201, made.text
    drafted = (await read(office, made.json()["id"], "town-west")).json()
    assert (drafted["unit"], drafted["may"]) == ("town-east", ["revise", "attach-file"])
    for unit, status in (("town-west", 409), ("county-roads", 201)):
        named = await office.client.post(
            STATEMENTS, json={**body, "unit": unit}, headers=office.as_("handler", "town-west")
        )
        assert named.status_code == status, named.text
    await office.incident(IncidentResolved.model_validate({"reason": "r"}))
    refused = await office.client.post(STATEMENTS, json=body, headers=office.as_("handler", "town-west"))
    assert refused.status_code == 403


@pytest.mark.requirement("MUL-06")
async def test_who_had_a_part_reads_a_statement_as_it_stood_then_and_its_own_whole(office: Office) -> None:
    await office.incident(IncidentAssigned(unit="county-roads"))
    told = {"unit": "county-roads"}, {}
    roads, east = [await office.draft(**body) for body in told]
    later = IncidentTransferred.model_validate({"unit": "town-west", "previous": "town-east", "reason": "r"})
    passed = spec.events("incident", [*(event.data for event in office.heard[spec.UUID]), later])[-1:]
    at = office.runtime.time_source.now()
    passed = [recorded(passed[0], at)]
    office.heard[spec.UUID].extend(passed)
    await office.hear(passed)
    for id_ in (roads, east):
        answer = await office.act(id_, "revise", "handler", {"text": "路已修好。"})
        assert answer.status_code == 200, answer.text
    after = await office.draft(text="另一份")
    then = (await read(office, roads, "town-east")).json()
    assert (then["draft"], then["version"], then["may"]) == (TEXT, 1, [])
    assert (await read(office, east, "town-east")).json()["draft"] == "路已修好。"
    assert (await read(office, after, "town-east")).status_code == 404
    assert (await read(office, roads, "town-west")).json()["draft"] == "路已修好。"
    listed = await office.client.get(STATEMENTS, headers=office.as_("handler", "town-east"))
    assert [item["id"] for item in listed.json()["items"]] == [east]


def recorded(event: Event, at: Any) -> Event:
    """The same event, recorded now."""
    return seal(
        event.data,
        id=event.id,
        source="/huiying/test/triage",
        stream=event.stream,
        version=event.version,
        previous=event.previous,
        time=at,
        recorded=at,
        partitionkey=event.partitionkey,
        actor=event.actor,
    )


async def test_an_answer_says_what_its_reader_may_ask(office: Office) -> None:
    id_ = await office.draft()
    assert (await read(office, id_, "town-east")).json()["may"] == ["revise", "attach-file", "submit"]
    await office.act(id_, "submit", "handler")
    for role, unit, verbs in (
        ("handler", "town-east", ["revise", "attach-file"]),
        ("approver", "county", ["check", "approve", "reject", "cannot-judge"]),
        ("spokesperson", "county", []),
        ("auditor", "city", []),
    ):
        assert (await read(office, id_, unit, role)).json()["may"] == verbs, (role, unit)
        listed = await office.client.get(STATEMENTS, headers=office.as_(role, unit))
        assert [item["may"] for item in listed.json()["items"]] == [verbs]


async def test_the_list_of_a_matter_says_who_may_draft_on_it(office: Office) -> None:
    await office.incident(IncidentAssigned(unit="county-roads"), IncidentHelpRequested(unit="town-west"))

    async def offered(role: str, unit: str, incident: str | None = INCIDENT) -> Any:
        asked = {"incident": incident} if incident else {}
        return (await office.client.get(STATEMENTS, params=asked, headers=office.as_(role, unit))).json()["may"]

    for unit in ("town-east", "county", "county-roads", "town-west"):
        assert await offered("handler", unit) == ["draft"], unit
    for role, unit in (("duty_officer", "town-east"), ("approver", "county"), ("auditor", "city")):
        assert await offered(role, unit) == [], (role, unit)
    assert await offered("handler", "town-east", None) == ["draft"], "a notice is about no matter"
    assert await offered("approver", "town-east", None) == []
    assert await offered("handler", "town-east", f"incident-{derived('unheard')}") == []
    await office.incident(IncidentMerged(into=await office.incident(opened(), uuid=derived("into"))))
    assert await offered("handler", "town-east") == []


async def test_a_matter_that_was_merged_needs_the_approvals_of_the_level_at_which_it_goes_on(office: Office) -> None:
    id_ = await office.draft()
    for verb, role in (("submit", "handler"), ("approve", "approver")):
        assert (await office.act(id_, verb, role)).status_code == 200
    into = await office.incident(opened(), graded("major", 2), uuid=derived("into"))
    await office.incident(IncidentMerged(into=into))
    refused = await office.act(id_, "publish", "spokesperson")
    assert (refused.status_code, "Submit it again" in refused.text) == (409, True)
    assert (await office.act(id_, "submit", "handler")).status_code == 200
    found = (await read(office, id_, "town-east")).json()
    assert (found["level"], found["steps"]) == ("major", ["leader_in_charge", "principal_leader"])


async def test_a_list_shows_a_statement_as_far_as_its_reader_may_read_it(office: Office) -> None:
    id_ = await office.draft()
    await office.incident(IncidentAssigned(unit="county-roads"))
    into = await office.incident(opened("town-west"), uuid=derived("into"))
    past = [*(event.data for event in office.heard[spec.UUID]), IncidentMerged(into=into)]
    await office.hear([recorded(spec.events("incident", past)[-1], office.runtime.time_source.now())])
    assert (await office.act(id_, "revise", "handler", {"text": "later"})).status_code == 200
    whole = (await read(office, id_, "county-roads")).json()
    [listed] = (await office.client.get(STATEMENTS, headers=office.as_("handler", "county-roads"))).json()["items"]
    assert listed == {name: value for name, value in whole.items() if name not in ("releases", "may_not", "signatures")}
    assert (listed["draft"], listed["may"]) == (TEXT, [])
