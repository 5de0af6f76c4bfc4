"""What the end of a matter says by its pack: who looks at it afterwards, what its file lacks, who evaluates it."""

from typing import Any

import pytest

from schemas import triage
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.units import Offices
from services.triage.commands import Close, Resolve
from services.triage.decider import DECIDER
from tests.kit import spec
from tests.kit.spec import given, staff

SOURCE = {"kind": "derived", "reason": "of these tests"}
OPENED = triage.IncidentOpened(unit="town-east", report=f"report-{spec.UUID}", discovered_at=spec.NOW)
HANDLED = (triage.IncidentSolved(text="t"), triage.IncidentExplained(text="t", to="asker"))  # type: ignore[arg-type]
RESOLVED = triage.IncidentResolved(reason="r")  # type: ignore[arg-type]
PARTS = [{"code": code, "title_zh": "材料", "source": SOURCE} for code in ("text", "image")]


def ends(command: Any, *past: Any, **rules: Any) -> Any:
    """The event of the command, by county-default with other rules."""
    model = spec.offices().pack("town-east").model
    whole = {**model.model_dump(by_alias=True, mode="json"), **rules}
    case = given(DECIDER, OPENED, *past, actor=staff("handler", "chief", unit="town-east"))
    object.__setattr__(case.context, "offices", spec.under(type(model).model_validate(whole)))
    (done,) = DECIDER.decide(case.state, command, case.context)
    return done.data  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("dedicated", "named", "post"),
    [(True, None, "handler@town-east"), (True, "chief@town-east", "chief@town-east"),
     (False, None, None), (False, "chief@town-east", "chief@town-east")],
)  # fmt: skip
def test_who_resolves_looks_at_the_matter_afterwards_if_the_pack_asks_for_a_post(
    dedicated: bool, named: str | None, post: str | None
) -> None:
    kept = {"ends_with": {"value": "decision", "source": SOURCE}, "recurrence": {"value": "reopen", "source": SOURCE}}
    rules = {"follow_up": {"dedicated_post": {"value": dedicated, "source": SOURCE}, **kept}}
    assert ends(Resolve(reason="r", follows_up=named), *HANDLED, **rules).follows_up == post


def test_an_unknown_post_follows_nothing_up() -> None:
    with pytest.raises(Malformed, match="clerk"):
        ends(Resolve(reason="r", follows_up="clerk@town-east"), *HANDLED)


def test_only_a_post_that_reads_the_matter_follows_it_up() -> None:
    assigned = triage.IncidentAssigned(unit="county-roads")
    for post in ("chief@county", "handler@county-roads", "chief@city"):
        assert ends(Resolve(reason="r", follows_up=post), assigned, *HANDLED).follows_up == post
    with pytest.raises(Malformed, match="town-west has no part"):
        ends(Resolve(reason="r", follows_up="verifier@town-west"), assigned, *HANDLED)


def test_the_end_says_which_parts_the_file_lacks() -> None:
    closed = ends(Close(reason="r", parts=("image",)), *HANDLED, RESOLVED, archive={"parts": PARTS})
    assert closed.missing == ("text",)
    assert ends(Close(reason="r"), *HANDLED, RESOLVED, archive=None).missing == ()
    with pytest.raises(Malformed, match="no part video; its parts are text, image"):
        ends(Close(reason="r", parts=("video",)), *HANDLED, RESOLVED, archive={"parts": PARTS})


@pytest.mark.parametrize(("level", "who"), [("major", ("leading_group@town-east",)), ("general", ())])
def test_the_end_says_who_evaluates_the_handling_at_the_level(level: str, who: tuple[str, ...]) -> None:
    rule = {"levels": ["major"], "who": ["leading_group"], "title_zh": "评估", "source": SOURCE}
    graded = triage.IncidentGraded(level=level, rank=1)
    assert ends(Close(reason="r"), graded, *HANDLED, RESOLVED, review={"evaluation": rule}).evaluated_by == who


def test_a_matter_without_a_pack_ends_all_the_same() -> None:
    case = given(DECIDER, OPENED, *HANDLED, RESOLVED, actor=staff("chief", unit="town-east"))
    usual = spec.offices()
    object.__setattr__(case.context, "offices", Offices(usual.units, {}, {}, usual.basis, usual.posts, usual.lists))
    (done,) = DECIDER.decide(case.state, Close(reason="r"), case.context)
    assert done == triage.IncidentClosed(reason="r")  # type: ignore[arg-type]


def told(
    statement: str = "statement-01890a5d-0000-7000-8000-000000000001", **more: Any
) -> triage.IncidentHandlingRecorded:
    return triage.IncidentHandlingRecorded(track="answer", statement=statement, **more)


@pytest.mark.requirement("PUB-21")
def test_a_matter_stays_open_until_its_closing_account_is_published() -> None:
    publication = spec.offices().pack("town-east").model.publication
    assert publication
    asked = publication.model_dump(by_alias=True, mode="json") | {
        "closing_account": {"levels": ["extraordinary"], "source": SOURCE}
    }
    rules = {"publication": asked}
    gravest = triage.IncidentGraded(level="extraordinary", rank=3)
    with pytest.raises(Rejected, match="asks for a closing account") as refused:
        ends(Close(reason="r"), gravest, *HANDLED, RESOLVED, **rules)
    assert refused.value.members["rule"] == "publication.closing_account"
    with pytest.raises(Rejected, match="closing account"):
        ends(Close(reason="r"), gravest, *HANDLED, told(), RESOLVED, **rules)
    account = told(closing=True)
    assert isinstance(ends(Close(reason="r"), gravest, *HANDLED, RESOLVED, account, **rules), triage.IncidentClosed)
    # It tells of one handling. After a reopening, another one is owed.
    again = triage.IncidentReopened(reason="r", discovered_at=spec.NOW)  # type: ignore[arg-type]
    with pytest.raises(Rejected, match="closing account"):
        ends(Close(reason="r"), gravest, *HANDLED, RESOLVED, account, again, *HANDLED, RESOLVED, **rules)
    assert isinstance(ends(Close(reason="r"), *HANDLED, RESOLVED, **rules), triage.IncidentClosed)
