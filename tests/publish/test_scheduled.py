"""Publication at an instant: once, never before the last approval, and never instead of a limit."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas.fields import instant
from schemas.publish import StatementScheduled
from services.escalation import reactions
from services.kernel.core.decider import SYSTEM
from services.kernel.core.problems import Malformed, Rejected, Unavailable
from services.publish import seen
from services.publish.commands import Publish, PublishDue
from services.publish.sending import timed
from tests.kit import spec
from tests.publish.conftest import Office, graded
from tests.publish.test_decider import (
    PHASES,
    RAISED,
    SCHEDULED,
    SPOKESPERSON,
    a_statement,
    approved,
    by,
    drafted,
    published,
    submitted,
)

LATER = spec.NOW + timedelta(hours=2)


@pytest.mark.requirement("PUB-07")
def test_an_approved_text_is_published_at_an_instant() -> None:
    a_statement(*PHASES["approved"], actor=SPOKESPERSON).when(Publish(at=LATER)).then(SCHEDULED)


@pytest.mark.parametrize("phase", ["drafted", "submitted", "rejected"])
def test_nothing_is_scheduled_before_the_last_approval(phase: str) -> None:
    case = a_statement(*PHASES[phase], actor=SPOKESPERSON)
    case.when(Publish(at=LATER)).then_raises(Rejected, "only after approval at every step")


def test_an_instant_that_has_passed_is_none() -> None:
    case = a_statement(*PHASES["approved"], actor=SPOKESPERSON)
    case.when(Publish(at=spec.NOW)).then_raises(Malformed, "has passed")


def test_another_instant_replaces_the_first_one() -> None:
    case = a_statement(*PHASES["scheduled"], actor=SPOKESPERSON)
    at = LATER + timedelta(hours=1)
    case.when(Publish(at=at)).then(StatementScheduled(at=at, by=by("sun")))


def test_at_its_instant_it_is_published_by_whoever_named_that() -> None:
    due = StatementScheduled(at=spec.NOW, by=by("zhou"))
    a_statement(*PHASES["approved"], due, actor=SYSTEM).when(PublishDue()).then(published(person="zhou"))


def test_nothing_is_published_before_its_instant_twice_or_after_it_was_taken_back() -> None:
    for past in (PHASES["scheduled"], PHASES["approved"], PHASES["published"]):
        a_statement(*past, actor=SYSTEM).when(PublishDue()).then()


def test_a_matter_that_outgrew_its_chain_keeps_its_text_back() -> None:
    due = StatementScheduled(at=spec.NOW, by=by("sun"))
    case = a_statement(*PHASES["approved"], due, actor=SYSTEM, incident=RAISED)
    case.when(PublishDue()).then_raises(Rejected, "Submit it again")


def test_words_that_change_are_published_by_nobody() -> None:
    due = StatementScheduled(at=spec.NOW, by=by("sun"))
    again = (*PHASES["approved"], due, submitted(), approved())
    a_statement(*again, actor=SYSTEM).when(PublishDue()).then()


def test_no_limit_waits_for_a_text_that_is_scheduled() -> None:
    told = spec.events("statement", [drafted(), SCHEDULED, published()])
    reached = [one.milestone for event in told for one in reactions.milestones_of(event)]
    assert reached == ["status_published"]


async def scheduled(office: Office, **ahead: int) -> tuple[str, str]:
    """A statement that is to be published so far ahead, and the instant."""
    id_ = await office.draft()
    at = instant(office.runtime.time_source.now() + timedelta(**ahead))
    for verb, role in (("submit", "handler"), ("approve", "approver"), ("publish", "spokesperson")):
        answer = await office.act(id_, verb, role, {"at": at} if verb == "publish" else None)
        assert answer.status_code == 200, answer.text
    return id_, at


async def test_the_loop_publishes_once_what_is_due(office: Office) -> None:
    id_, at = await scheduled(office, hours=2)
    assert (await office.read(id_))["scheduled_at"] == at
    await timed.turn(office.runtime, {})
    assert (await office.read(id_))["state"] == "approved"
    office.runtime.time_source.move(timedelta(hours=2))
    await asyncio.gather(*(timed.turn(office.runtime, {}) for _ in range(3)))
    said = await office.read(id_)
    assert (said["state"], said["scheduled_at"], len(said["releases"])) == ("published", None, 1)
    acts = (await office.client.get(f"/publish/v1/statements/{id_}/history", headers=office.as_("handler"))).json()
    assert [(act["act"], act["by"]) for act in acts["items"]][-2:] == [
        ("scheduled", "spokesperson@county"),
        ("published", "system"),
    ]


async def test_the_desk_sees_why_a_text_stays_and_the_loop_goes_on(office: Office) -> None:
    held, _ = await scheduled(office, hours=2)
    await office.incident(graded("major", 2))
    free, _ = await scheduled_anew(office)
    office.runtime.time_source.move(timedelta(hours=2, minutes=30))
    resting = timed.Resting()
    await timed.turn(office.runtime, resting)
    assert resting.keys() == {held}
    said = await office.read(held)
    assert (said["state"], said["held"]) == ("approved", "chain-outdated")
    assert (await office.read(free))["state"] == "published"


async def test_one_whose_pack_is_missing_keeps_no_other_back(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    held, _ = await scheduled(office, hours=2)
    free, _ = await scheduled(office, hours=2, minutes=1)
    about = seen.about

    async def elsewhere(connection: Any, stream: str, state: Any) -> Any:
        found = await about(connection, stream, state)
        return replace(found, policy="gone@1#0") if stream == held and found else found

    monkeypatch.setattr(seen, "about", elsewhere)
    office.runtime.time_source.move(timedelta(hours=2, minutes=30))
    resting = timed.Resting()
    with pytest.raises(Unavailable, match="gone@1"):
        await timed.turn(office.runtime, resting)
    assert (await office.read(free))["state"] == "published"
    assert resting.keys() == {held}


async def test_what_missed_its_instant_for_long_waits_for_a_person(office: Office) -> None:
    id_, _ = await scheduled(office, hours=1)
    office.runtime.time_source.move(timedelta(hours=3))
    await timed.turn(office.runtime, {})
    said = await office.read(id_)
    assert (said["state"], said["held"]) == ("approved", "instant-missed")
    assert (await office.act(id_, "publish", "spokesperson")).status_code == 200


async def scheduled_anew(office: Office) -> tuple[str, str]:
    """Another one, for the level that the matter has now."""
    id_ = await office.draft()
    at = instant(office.runtime.time_source.now() + timedelta(hours=2))
    steps = (("submit", "handler"), ("approve", "approver"), ("approve", "chief"))
    for verb, role in steps:
        assert (await office.act(id_, verb, role)).status_code == 200
    assert (await office.act(id_, "publish", "spokesperson", {"at": at})).status_code == 200
    return id_, at


async def test_an_instant_that_was_taken_back_publishes_nothing(office: Office) -> None:
    id_, _ = await scheduled(office, hours=1)
    assert "unschedule" in (await office.read(id_, "spokesperson"))["may"]
    assert (await office.act(id_, "unschedule", "spokesperson")).status_code == 200
    office.runtime.time_source.move(timedelta(hours=2))
    await timed.turn(office.runtime, {})
    said = await office.read(id_)
    assert (said["state"], said["scheduled_at"]) == ("approved", None)
