"""What a statement is for its readers: a reply, a clarification, a closing account and so on."""

from typing import Any, get_args

import pytest

from schemas.publish import StatementDrafted, StatementForm
from schemas.titles import FORMS
from services.kernel.core.decider import Occurred
from services.kernel.core.problems import Rejected
from services.kernel.rules.conditions import Context, holds
from services.publish.commands import Draft, Prepare, Revise
from services.publish.decider import DECIDER
from tests.kit import spec
from tests.kit.spec import When, given
from tests.publish.conftest import Office, established
from tests.publish.test_decider import INCIDENT, STREAM, TEXT, TITLE, a_statement, by, drafted


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
    await office.incident(established())
    id_ = await office.published(kind="facts", facts=["cause"], form="closing_account")
    assert (await office.read(id_))["form"] == "closing_account"
    for path, said in (("", "结案说明"), (f"statements/{id_}", "结案说明"), ("?lang=en", "closing account")):
        assert said in (await office.client.get(f"/bulletin/{path}")).text
    feed = (await office.client.get("/bulletin/feed.json")).json()
    assert feed["items"][0]["tags"] == ["facts", "closing_account"]
