"""A matter goes to another deployment and comes back: given these events, when this is asked, then that follows."""

from dataclasses import replace
from typing import Any

import pytest

from schemas import triage
from schemas.fields import Fact, Typed, WordsRef
from schemas.handing import Handed, HandedText, IncidentHandedOver, IncidentPeerHeard, IncidentPeerTold
from schemas.lists import Peer
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.triage import commands as c
from services.triage.decider import DECIDER
from tests.kit import spec
from tests.kit.spec import Given, staff
from tests.triage.test_decider import DISCOVERED, REPORTS

KEY = {"log": ("x",), "keys": ("ab" * 32,), "title": "市平台", "title_en": "City"}
PEERS = {
    "city": Peer(name="city", address="https://city.example", hands=True, **KEY),
    "other": Peer(name="other", address="https://other.example", **KEY),
}
MESSAGE = f"message-{derived('m')}"
CAME = Handed(of="county-one", sent=derived("sent"), matter=f"incident-{derived('there')}")
TEXTS = {REPORTS[0]: ("a" * 64, "b" * 64)}
SAID = WordsRef(ref=derived("words"), digest="c" * 64)


def past(*facts: Fact, role: str = "chief", unit: str = "town-east", handed: Handed | None = None) -> Given:
    opened = triage.IncidentOpened(unit="town-east", report=REPORTS[0], discovered_at=DISCOVERED, handed=handed)
    offices = spec.offices()
    offices = replace(offices, lists=replace(offices.lists, peers=PEERS))
    found = spec.given(DECIDER, opened, *facts, actor=staff(role, unit=unit))
    return replace(found, context=replace(found.context, offices=offices)).seeing(texts=TEXTS)


def over(**more: Any) -> c.HandToPeer:
    return c.HandToPeer(**{"to": "city", "subject": "河道污染", "reason": "涉及两区", "reports": REPORTS[:1], **more})


AWAY = IncidentHandedOver(to="city", subject=Typed(text="河道污染"), reason=Typed(text="涉及两区"))


def said(what: Any, given: Given, **more: Any) -> c.RecordPeerSaid:
    away = given.state.handing.away
    told = {"of": "city", "about": away.sent, "said": what, "message": MESSAGE, "text": SAID, "basis": f"{MESSAGE}@1"}
    return c.RecordPeerSaid(**{**told, **more})


def heard(what: Any, given: Given) -> IncidentPeerHeard:
    return IncidentPeerHeard(of="city", about=given.state.handing.away.sent, said=what, message=MESSAGE, text=SAID)


def after(*whats: str) -> Given:
    """The matter after the other deployment said this."""
    facts: list[Fact] = [AWAY]
    for what in whats:
        facts.append(heard(what, past(AWAY)))
        if what == "accepted":
            facts.append(triage.IncidentClosed(reason=Typed(text="涉及两区")))
    return past(*facts)


def test_the_head_of_the_accountable_unit_hands_it_over_with_the_texts_of_reports() -> None:
    texts = (HandedText(report=REPORTS[0], subject="a" * 64, text="b" * 64),)
    past().when(over()).then(AWAY.model_copy(update={"reports": texts}))
    past().when(over(reports=())).then(AWAY)
    past(role="duty_officer").when(over()).then_raises(Forbidden)
    past(unit="town-west").when(over()).then_raises(Forbidden)


def test_what_is_not_listed_not_open_or_not_its_report_is_refused() -> None:
    past().when(over(to="nowhere")).then_raises(Malformed, "no deployment has the code")
    past().when(over(to="other")).then_raises(Malformed, "does not let matters be handed over to other")
    past().when(over(reports=REPORTS[1:2])).then_raises(Malformed, "is no report of")
    past(AWAY).when(over()).then_raises(Rejected, "which has not answered yet")
    past(triage.IncidentClosed(reason=Typed(text="完"))).when(over()).then_raises(Rejected, "reopen it first")


@pytest.mark.parametrize("what", ["refused", "undelivered"])
def test_what_is_refused_stays_and_can_be_handed_over_again(what: str) -> None:
    given = past(AWAY)
    given.when(said(what, given)).then(heard(what, given))
    after(what).when(over(reports=())).then(AWAY)


def test_what_is_accepted_is_closed_here_and_a_return_opens_it_again() -> None:
    given = past(AWAY)
    accepted = given.when(said("accepted", given)).decided()
    assert accepted[0] == heard("accepted", given)
    assert isinstance(accepted[1], triage.IncidentClosed) and accepted[1].reason == given.state.handing.away.reason
    gone = after("accepted")
    gone.when(said("answered", gone)).then(heard("answered", gone))
    back = gone.when(said("returned", gone)).decided()
    assert back == [heard("returned", gone), triage.IncidentReopened(reason=SAID, round=2)]


def test_what_nobody_who_has_it_said_changes_nothing() -> None:
    given = past(AWAY)
    for lie in (
        said("accepted", given, of="other"),
        said("accepted", given, about=derived("x")),
        said("answered", given),
    ):
        given.when(lie).then_nothing()
    refused = after("refused")
    refused.when(said("accepted", refused)).then_nothing()
    nowhere = c.RecordPeerSaid(of="city", about=derived("x"), said="accepted", message=MESSAGE, basis=f"{MESSAGE}@1")
    past().when(nowhere).then_nothing()


def told(what: Any, text: str | None = "办理情况") -> IncidentPeerTold:
    return IncidentPeerTold(
        to="county-one", about=CAME.sent, matter=CAME.matter, said=what, text=Typed(text=text) if text else None
    )


def test_the_other_deployment_is_told_in_order() -> None:
    given = past(handed=CAME)
    given.when(c.TellPeer(said="accepted")).then(told("accepted", None))
    given.when(c.TellPeer(said="answered", text="x")).then_raises(Rejected, "it can be accepted or refused now")
    given.when(c.TellPeer(said="refused")).then_raises(Malformed, "why it gets the matter back")
    ended = triage.IncidentClosed(reason=Typed(text="办理情况"))
    given.when(c.TellPeer(said="refused", text="办理情况")).then(told("refused"), ended)
    had = past(told("accepted", None), handed=CAME)
    had.when(c.TellPeer(said="accepted")).then_raises(Rejected, "it can be answered or returned now")
    had.when(c.TellPeer(said="answered", text="办理情况")).then(told("answered"))
    had.when(c.TellPeer(said="returned", text="办理情况")).then(told("returned"), ended)
    gone = past(told("accepted", None), told("returned"), ended, handed=CAME)
    gone.when(c.TellPeer(said="answered", text="x")).then_raises(Rejected, "that was the last word")


def test_of_a_matter_of_its_own_nobody_is_told() -> None:
    past().when(c.TellPeer(said="accepted")).then_raises(Rejected, "no other deployment handed")
    past(handed=CAME, role="handler").when(c.TellPeer(said="accepted")).then_raises(Forbidden)
