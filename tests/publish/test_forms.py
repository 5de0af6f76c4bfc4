"""What a statement is for its readers: a reply, a clarification, a closing account and so on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from schemas.publish import StatementDrafted, StatementForm
from schemas.titles import FORMS
from schemas.triage import IncidentResolved
from services.kernel.core.decider import Occurred
from services.kernel.core.problems import Rejected
from services.kernel.rules.conditions import Context, holds
from services.publish.commands import Draft, Prepare, Publish, Revise, Submit
from services.publish.decider import DECIDER
from tests.kit import spec
from tests.kit.spec import When, given
from tests.publish.conftest import Office, established
from tests.publish.test_decider import (
    INCIDENT,
    MATTER,
    SPOKESPERSON,
    STREAM,
    TEXT,
    TITLE,
    a_statement,
    approved,
    by,
    drafted,
    submitted,
)


def form_of(done: When) -> Any:
    (found,) = done.decided()
    return (found.data if isinstance(found, Occurred) else found).form  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "form", "then"),
    [
        ("status", None, "interim_reply"),
        ("facts", None, "reply"),
        ("status", "progress", "progress"),
        ("facts", "closing_account", "closing_account"),
    ],
)
def test_a_draft_has_the_form_that_its_writer_names_or_the_usual_one(kind: Any, form: Any, then: str) -> None:
    command = Draft(incident_id=INCIDENT, kind=kind, form=form, title=TITLE, text=TEXT, facts=("cause",))
    assert form_of(a_statement().when(command)) == then


def test_what_the_rules_prepare_is_a_clarification() -> None:
    seen = {"stream": STREAM}
    prepare = Prepare(incident=INCIDENT, unit="town-east", basis=f"{INCIDENT}@3")
    assert form_of(given(DECIDER, seen=seen).when(prepare)) == "clarification"


def test_the_form_may_change_before_the_publication() -> None:
    assert form_of(a_statement(drafted()).when(Revise(text=TEXT, form="progress"))) == "progress"
    a_statement(drafted()).when(Revise(text=TEXT, form="interim_reply")).then_raises(Rejected, "nothing was changed")


def test_events_of_before_have_the_usual_form_of_their_kind() -> None:
    past = {"incident": INCIDENT, "unit": "town-east", "title": TITLE, "draft": TEXT, "by": by("wang")}
    for kind, more, form in (
        ("status", {}, "interim_reply"),
        ("facts", {}, "reply"),
        ("facts", {"prepared": True}, "clarification"),
    ):
        event = spec.events("statement", [StatementDrafted.model_validate(past | more | {"kind": kind})])[0]
        assert DECIDER.evolve(DECIDER.initial_state(), event).form == form


def test_conditions_of_chains_see_the_form() -> None:
    assert holds("statement.form == 'progress'", Context(statement_form="progress"))
    assert not holds("statement.form in ['notice', 'progress']", Context(statement_form="reply"))


def test_each_form_has_a_title() -> None:
    assert set(FORMS) == set(get_args(StatementForm))


async def test_lists_pages_and_feeds_say_the_form(office: Office) -> None:
    await office.incident(established(), IncidentResolved.model_validate({"reason": "已修复"}))
    id_ = await office.published(kind="facts", facts=["cause"], form="closing_account")
    assert (await office.read(id_))["form"] == "closing_account"
    for path, said in (("", "结案说明"), (f"statements/{id_}", "结案说明"), ("?lang=en", "closing account")):
        assert said in (await office.client.get(f"/bulletin/{path}")).text
    feed = (await office.client.get("/bulletin/feed.json")).json()
    assert feed["items"][0]["tags"] == ["facts", "closing_account"]


@pytest.mark.requirement("PUB-21")
def test_a_closing_account_tells_facts_after_the_handling() -> None:
    handled = replace(MATTER, state="resolved")
    account = drafted("facts", ("cause",)).model_copy(update={"form": "closing_account"})
    a_statement(account, incident=MATTER).when(Submit()).then_raises(Rejected, "is still being handled")
    assert a_statement(account, incident=handled).when(Submit()).decided()
    status = drafted("status").model_copy(update={"form": "closing_account"})
    a_statement(status, incident=handled).when(Submit()).then_raises(Rejected, "begin it as a statement of facts")


SOON = spec.NOW + timedelta(hours=4)


@pytest.mark.requirement("PUB-22")
def test_a_progress_statement_says_when_the_next_one_comes() -> None:
    silent = drafted().model_copy(update={"form": "progress"})
    a_statement(silent).when(Submit()).then_raises(Rejected, "when the next one comes", rule="publication.progress")
    promising = silent.model_copy(update={"next_at": SOON})
    assert a_statement(promising).when(Submit()).decided()
    reply = drafted().model_copy(update={"form": "interim_reply"})
    assert a_statement(reply).when(Submit()).decided()


@pytest.mark.requirement("PUB-22")
def test_a_promise_lies_ahead_when_it_is_given() -> None:
    promising = drafted().model_copy(update={"form": "progress", "next_at": SOON})
    past = (promising, submitted(), approved())
    (made,) = a_statement(*past, actor=SPOKESPERSON).when(Publish()).decided()
    assert made.data.next_at == SOON  # type: ignore[union-attr]
    late = a_statement(*past, actor=SPOKESPERSON).at(SOON)
    late.when(Publish()).then_raises(Rejected, "which has passed")
    again = Revise(text=TEXT, next_at=SOON + timedelta(hours=1))
    (revised,) = a_statement(promising).when(again).decided()
    assert revised.data.next_at == SOON + timedelta(hours=1)  # type: ignore[union-attr]
    same = Revise(text=TEXT, next_at=SOON)
    a_statement(promising).when(same).then_raises(Rejected, "nothing was changed")


@pytest.mark.requirement("PUB-22")
async def test_the_page_says_when_the_next_one_comes_until_it_came(office: Office) -> None:
    soon = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    id_ = await office.published(form="progress", next_at=soon.isoformat())
    page = (await office.client.get(f"/bulletin/statements/{id_}")).text
    assert "下次发布" in page
    assert soon.isoformat().replace("+00:00", "Z") in page or soon.astimezone().isoformat()[:13] in page
    feed = (await office.client.get("/bulletin/feed.json")).json()
    assert feed["items"][0]["_huiying"]["next_at"] is not None
    await office.published("已恢复通行，请放心。")
    page = (await office.client.get(f"/bulletin/statements/{id_}")).text
    assert "下次发布" not in page
