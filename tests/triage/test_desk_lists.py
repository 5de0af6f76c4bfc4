"""Every list of a desk: what brings a matter there and takes it away, its columns, rights and pages."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from schemas import publish
from schemas.approval import Step
from schemas.escalation import (
    ClockCancelled,
    ClockDeferred,
    RosterDutyGapClosed,
    RosterDutyGapFound,
    RosterSignedOn,
)
from schemas.fields import Fact
from schemas.ingest import ReportHelpfulnessGiven
from services.kernel.core.ids import derived
from services.triage.worklist.desk import NAMES
from tests.kit.plans import asked
from tests.triage.conftest import Triage, words
from tests.triage.test_desk import clock, counted, listed, started

Scene = Callable[[Triage, str], Awaitable[None]]
COLUMNS = {
    "number", "incident_id", "title", "unit", "assigned", "level", "drill", "ball", "proposals", "checks", "statements",
    "limits", "due", "soon", "lists",
}  # fmt: skip


async def act(
    triage: Triage, id_: str, verb: str, body: Any = None, role: str = "duty_officer", unit: str = "town-east"
) -> None:
    answer = await triage.ask(id_, verb, body, role=role, unit=unit)
    assert answer.status_code == 200, (verb, answer.text)


async def tell(triage: Triage, id_: str, fact: Fact) -> None:
    """An event of the matter's one statement."""
    stream = f"statement-{derived('statement', id_)}"
    await triage.take(triage.event(stream, fact, service="publish", correlation=id_))


async def only_opened(triage: Triage, id_: str) -> None:
    """It was opened."""


async def to_verify(triage: Triage, id_: str) -> None:
    await act(triage, id_, "request-verification", {"unit": "town-east"})


async def assigned(triage: Triage, id_: str) -> None:
    await act(triage, id_, "assign", {"unit": "town-east", "reason": "r"})


async def verified(triage: Triage, id_: str) -> None:
    await act(triage, id_, "grade", {"level": "general", "reason": "r"})
    body = {"outcome": "confirmed", "text": "t"}
    await act(triage, id_, "conclude-verification", body, "verifier")


async def handled(triage: Triage, id_: str) -> None:
    await assigned(triage, id_)
    await act(triage, id_, "accept", None, "handler")
    await verified(triage, id_)


async def proposed(triage: Triage, id_: str) -> None:
    await handled(triage, id_)
    await act(triage, id_, "reply", {"text": "t"}, "handler")


async def submitted(triage: Triage, id_: str) -> None:
    steps = (Step(code="leader", who=("leader_in_charge",)), Step(code="head", who=("principal_leader",)))
    await tell(triage, id_, publish.StatementSubmitted(unit="town-east", steps=steps, by="0" * 64))


async def helped(triage: Triage, id_: str) -> None:
    await act(triage, id_, "assign", {"unit": "county-roads", "reason": "r"})
    await act(triage, id_, "accept", None, "handler", "county-roads")
    for unit in ("town-east", "county-water"):
        await act(triage, id_, "request-help", {"unit": unit, "text": "t"})


async def given_back(triage: Triage, id_: str) -> None:
    await act(triage, id_, "assign", {"unit": "county-roads", "reason": "r"})
    await act(triage, id_, "return", {"ground": "need_more", "reason": "r"}, "handler", "county-roads")


async def deferred(triage: Triage, id_: str) -> None:
    review = triage.runtime.time_source.now() + timedelta(days=30)
    put_off = ClockDeferred(clock="accept", post="chief@county", review=review, reason=words("plan"))
    events = [started(triage), put_off, ClockCancelled(clock="accept", cause="deferred")]
    await triage.take(*(clock(triage, id_, fact) for fact in events))


async def resolved(triage: Triage, id_: str) -> None:
    await proposed(triage, id_)
    await triage.agree(id_)
    await act(triage, id_, "solve", {"text": "t"}, "handler")
    body = {"reason": "r", "follows_up": "verifier@town-east"}
    await act(triage, id_, "resolve", body, "handler")


async def screened(triage: Triage, id_: str) -> None:
    await act(triage, id_, "screen", {"needs_reply": False, "ground": "no_request"})


async def to_explain(triage: Triage, id_: str) -> None:
    await act(triage, id_, "order-explanation", {"text": "t"}, "chief")


async def to_correct(triage: Triage, id_: str) -> None:
    await triage.take(clock(triage, id_, started(triage, "notice", 30)))


async def unhelpful(triage: Triage, id_: str) -> None:
    await resolved(triage, id_)
    [report] = (await triage.get(f"incidents/{id_}")).json()["reports"]
    said = ReportHelpfulnessGiven(incident=id_, answer=derived("answer", id_), helps=False)
    await triage.take(triage.event(report["id"], said, service="ingest"))


LISTS: dict[str, tuple[Scene, str, str]] = {
    "open": (only_opened, "assignment", "town-east"),
    "to_verify": (to_verify, "assignment", "town-east"),
    "to_accept": (assigned, "acceptance", "town-east"),
    "to_handle": (handled, "handling", "town-east"),
    "to_approve": (proposed, "approval", "town-east"),
    "to_explain": (to_explain, "assignment", "town-east"),
    "to_review": (screened, "assignment", "town-east"),
    "to_correct": (to_correct, "assignment", "town-east"),
    "waiting_material": (helped, "handling", "county-roads"),
    "returned": (given_back, "assignment", "town-east"),
    "deferred": (deferred, "assignment", "town-east"),
    "to_follow_up": (resolved, "closing", "town-east"),
    "to_assign": (only_opened, "assignment", "town-east"),
    "unhelpful": (unhelpful, "round", "town-east"),
}
"""List -> what brings a matter there, and whom it waits for then: for what, and which unit."""


def test_each_list_has_a_case() -> None:
    assert sorted(LISTS) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
async def test_a_list_has_its_columns_its_pages_and_only_the_desks_own_matters(triage: Triage, name: str) -> None:
    scene, awaited, with_unit = LISTS[name]
    ids = [await triage.open(one) for one in ("late", "soon", "none")]
    await triage.say(*(f"{one}: subject" for one in ("late", "soon", "none")))
    for id_ in ids:
        await scene(triage, id_)
    late, soon, none = ids
    await triage.take(
        *(clock(triage, one, started(triage, "reply", 9 - 3 * at)) for at, one in enumerate((late, soon)))
    )
    order = [soon, late, none]
    rows = await listed(triage, name)
    assert [row["incident_id"] for row in rows] == order
    for row in rows:
        assert set(row) == COLUMNS
        assert row["number"].startswith("town-east-20") and row["title"].endswith(": subject")
        assert (row["unit"], row["drill"]) == ("town-east", False)
        assert (row["ball"]["for"], row["ball"]["unit"]) == (awaited, with_unit)
        assert row["lists"] == [name]
        assert all({"clock", "unit", "state", "due", "seconds_left"} == set(limit) for limit in row["limits"])
    reply = next(limit for limit in rows[0]["limits"] if limit["clock"] == "reply")
    assert 21000 < reply["seconds_left"] <= 21600
    first = (await triage.get(f"desk/{name}", "town-east", limit=2)).json()
    then = (await triage.get(f"desk/{name}", "town-east", limit=2, cursor=first["next"])).json()
    assert [row["incident_id"] for row in first["items"] + then["items"]] == order
    assert then["next"] is None
    for unit, role, number in (
        ("town-east", "auditor", 3),
        ("county", "chief", 3),
        ("city", "handler", 3),
        ("town-west", "chief", 0),
    ):
        assert (await counted(triage, unit=unit, role=role)).get(name, 0) == number, unit
        assert len(await listed(triage, name, unit=unit, role=role)) == number, unit


async def test_a_statement_waits_from_its_submission_to_its_last_approval_a_rejection_or_a_revision(
    triage: Triage,
) -> None:
    one = await triage.open("one")
    agreed = {"step": "leader", "who": "leader_in_charge", "post": "approver@town-east", "by": "1" * 64}
    more = publish.StatementApproved(**agreed, last=False, next=("principal_leader",))
    last = publish.StatementApproved(**agreed, last=True)
    rejected = publish.StatementRejected(step="leader", reason=words("r"), by="1" * 64)
    revised = publish.StatementRevised(draft=words("d"), by="1" * 64)
    for ends in (last, rejected, revised):
        await submitted(triage, one)
        await tell(triage, one, more)
        [row] = await listed(triage, "to_approve")
        assert (row["statements"], row["proposals"]) == ([f"statement-{derived('statement', one)}"], [])
        assert await counted(triage, role="approver") == {"inbox": 1, "open": 1, "to_assign": 1, "to_approve": 1}
        await tell(triage, one, ends)
        assert await listed(triage, "to_approve") == [], ends


async def test_a_proposal_is_named_by_its_number_and_a_post_has_the_ball(triage: Triage) -> None:
    one = await triage.open("one")
    await proposed(triage, one)
    [row] = await listed(triage, "to_approve")
    assert (row["proposals"], row["statements"], row["ball"]["post"]) == ([1], [], "approver@town-east")
    [of_one] = row["checks"]
    assert of_one["proposal"] == 1
    assert {gate["check"]: gate["state"] for gate in of_one["gates"]} == {
        "verification": "met",
        "material": "not_asked",
        "chain": "met",
        "separation": "missing",  # here one person holds every post, and proposed it
        "secrecy": "clear",
        "major_information": "clear",
    }
    await triage.agree(one)
    assert await listed(triage, "to_approve") == []
    assert (await listed(triage, "open"))[0]["ball"]["for"] == "handling"


async def test_material_is_waited_for_until_each_unit_has_done_its_share(triage: Triage) -> None:
    one = await triage.open("one")
    await helped(triage, one)
    await act(triage, one, "accept-help", {}, "handler")
    await act(triage, one, "complete-help", {"text": "t"}, "handler")
    assert await listed(triage, "waiting_material") == []
    [row] = await listed(triage, "waiting_material", unit="county-water")
    assert row["incident_id"] == one
    assert await counted(triage, unit="county-water", role="handler") == {"inbox": 1, "waiting_material": 1}
    await act(triage, one, "receive-material", {"unit": "county-water", "signed": True, "sealed": True}, "handler")
    assert await listed(triage, "waiting_material", unit="county-water") == []


async def test_each_of_several_units_that_were_asked_has_the_matter_on_its_desk(triage: Triage) -> None:
    await _several_are_asked(triage)


@pytest.mark.postgres
async def test_so_it_has_on_postgres(triage_on_postgres: Triage) -> None:
    await _several_are_asked(triage_on_postgres)


async def _several_are_asked(triage: Triage) -> None:
    id_ = await triage.open("m")
    asked = ("county-water", "town-west", "county-roads")
    await assigned(triage, id_)
    await act(triage, id_, "accept", None, "handler")
    for unit in asked:
        await act(triage, id_, "request-verification", {"unit": unit})
        await act(triage, id_, "request-help", {"unit": unit, "text": "t"})
    for unit in asked:
        for name in ("to_verify", "waiting_material"):
            assert [row["incident_id"] for row in await listed(triage, name, unit=unit)] == [id_], (unit, name)
            assert (await counted(triage, unit=unit))[name] == 1, (unit, name)
        inbox = await listed(triage, "inbox", unit=unit, role="verifier")
        assert [row["incident_id"] for row in inbox] == [id_]
        assert inbox[0]["lists"] == ["to_verify"], "which the ball does not say before the assignment"
    assert await listed(triage, "to_verify", unit="town-east") == []
    assert (await counted(triage, unit="county"))["to_verify"] == 1, "once, though three of them are below it"
    await act(triage, id_, "complete-help", {"text": "t"}, "handler", "county-roads")
    await act(triage, id_, "conclude-verification", {"outcome": "confirmed", "text": "t"}, "verifier", "town-west")
    for unit in asked:
        left = {name: len(await listed(triage, name, unit=unit)) for name in ("to_verify", "waiting_material")}
        assert left == {"to_verify": 0, "waiting_material": unit != "county-roads"}, unit


async def test_a_matter_is_followed_after_its_closing_until_somebody_says_that_it_is_over(triage: Triage) -> None:
    one = await triage.open("one")
    await resolved(triage, one)
    await act(triage, one, "close", {"reason": "r"}, "chief")
    [row] = await listed(triage, "to_follow_up")
    assert (row["ball"]["for"], row["ball"]["post"]) == ("follow_up", "verifier@town-east")
    await act(triage, one, "follow-up", {"text": "t"}, "verifier")
    assert len(await listed(triage, "to_follow_up")) == 1
    await act(triage, one, "follow-up", {"text": "t", "ends": "over"}, "verifier")
    assert await listed(triage, "to_follow_up") == []


async def test_a_third_return_lies_with_the_unit_above(triage: Triage) -> None:
    one = await triage.open("one")
    for _ in range(3):
        await given_back(triage, one)
    [row] = await listed(triage, "returned")
    assert (row["ball"]["for"], row["ball"]["unit"]) == ("designation", "county")


class TestGaps:
    """The times for which nobody is on duty."""

    def gap(self, triage: Triage, since: float, until: float, **more: Any) -> RosterDutyGapFound:
        now = triage.runtime.time_source.now()
        span = {"since": now + timedelta(hours=since), "until": now + timedelta(hours=until)}
        return RosterDutyGapFound(**{"unit": "town-east", "cause": "not_planned", "ahead": since > 0, **span, **more})

    async def tell(self, triage: Triage, *facts: Fact) -> None:
        for fact in facts:
            stream = f"roster-{derived('roster', fact.unit)}"  # type: ignore[attr-defined]
            await triage.take(triage.event(stream, fact, service="escalation"))

    async def test_they_are_listed_by_their_begin_and_counted_with_the_other_lists(self, triage: Triage) -> None:
        begun, ahead = self.gap(triage, -1, 3), self.gap(triage, 5, 8)
        west = self.gap(triage, 2, 4, unit="town-west", cause="not_signed_on", post="duty_officer@town-west")
        found_ahead = begun.model_copy(update={"ahead": True})
        await self.tell(triage, ahead, found_ahead, begun, self.gap(triage, -9, -2), west)
        rows = await listed(triage, "gaps")
        assert [(row["since"], row["cause"], row["post"]) for row in rows] == [
            (one.model_dump(mode="json")["since"], "not_planned", None) for one in (begun, ahead)
        ]
        assert -3700 < rows[0]["seconds_left"] < -3500
        assert await counted(triage) == {"gaps": 2}
        assert await counted(triage, unit="county") == {"gaps": 3}
        assert [row["unit"] for row in await listed(triage, "gaps", unit="county")] == [
            "town-east",
            "town-west",
            "town-east",
        ]
        assert await listed(triage, "gaps", unit="county-roads") == []
        first = (await triage.get("desk/gaps", "county", limit=2)).json()
        then = (await triage.get("desk/gaps", "county", limit=2, cursor=first["next"])).json()
        assert (len(first["items"]), len(then["items"]), then["next"]) == (2, 1, None)

    async def test_a_plan_before_it_begins_and_a_sign_on_during_it_take_it_away(self, triage: Triage) -> None:
        begun, ahead = self.gap(triage, -1, 3), self.gap(triage, 5, 8)
        missed = self.gap(triage, -1, 3, cause="not_signed_on", post="handler@town-east")
        await self.tell(triage, ahead, begun, missed)
        closed = RosterDutyGapClosed(unit="town-east", since=ahead.since, until=ahead.until)
        await self.tell(triage, closed)
        assert await counted(triage) == {"gaps": 2}
        signed = RosterSignedOn(unit="town-east", post="handler@town-east", since=begun.since, by="handler@town-east")
        await self.tell(triage, signed)
        assert await counted(triage) == {}

    @pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIiwiYiIsImMiXQ"])
    async def test_a_broken_cursor_is_refused(self, triage: Triage, cursor: str) -> None:
        answer = await triage.get("desk/gaps", "town-east", cursor=cursor)
        assert answer.status_code == 422
        assert answer.json()["type"].endswith("cursor-invalid")


async def test_a_desk_asks_as_much_for_many_matters_as_for_one(triage: Triage) -> None:
    counts = []
    for number in range(2):
        await triage.take(triage.report(f"r{number}"))
        told = []
        for path in ("desk", "desk/open", "desk/inbox", "incidents"):
            with asked() as questions:
                assert (await triage.get(path, "county")).status_code == 200
            # What is asked once in a second for all requests does not count.
            told.append(len([one for one in questions if "units.version" not in one and "revoked" not in one]))
        counts.append(told)
    assert counts[0] == counts[1]
    # The counts of all lists are two questions, and the gaps on duty one.
    assert counts[0][0] == 3
