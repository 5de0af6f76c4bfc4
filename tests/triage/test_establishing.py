"""Verification before an answer: who is asked, how it ends, what waits for it, and what it leads to."""

from datetime import timedelta
from typing import Any

import pytest

from schemas import triage
from schemas.escalation import ClockReportedUpward
from schemas.fields import Fact
from schemas.ingest import ReportEvidenceAttached
from schemas.publish import StatementPublished
from schemas.verification import Outcome
from services.kernel.core.decider import SYSTEM
from services.kernel.core.ids import derived
from services.kernel.core.problems import Forbidden, Malformed, Rejected
from services.triage import commands as c
from services.triage.facts.establishing import brought
from services.triage.handling.ball import ball
from services.triage.state import State
from tests.kit.spec import NOW, UUID, At, Given
from tests.triage.conftest import Triage
from tests.triage.test_decider import ESTABLISHED, MERGED, OPENED, OTHER, SOLVED_AND_REPLIED, past

ASKED = triage.IncidentVerificationRequested(unit="county-water")
MAJOR = triage.IncidentGraded(level="major", rank=2, reason="r")
REPLY = c.Reply(text="t")
BASIS = f"clock-{UUID}@3"


def concluded(outcome: Outcome = "confirmed", unit: str = "town-east") -> Fact:
    return triage.IncidentVerificationConcluded.model_validate({"unit": unit, "outcome": outcome, "text": "t"})


def of_town(*facts: Fact | At, role: str = "handler", unit: str = "town-east") -> Given:
    return past(OPENED, *facts, roles=(role,), unit=unit)


def goes_on(case: Given) -> bool:
    [proposal] = case.when(REPLY).decided()
    return isinstance(getattr(proposal, "data", proposal), triage.IncidentProposed)


@pytest.mark.requirement("TRI-01")
def test_a_reply_waits_until_verification_has_an_outcome() -> None:
    of_town().when(REPLY).then_raises(Rejected, "nothing is verified yet")
    of_town(ASKED).when(REPLY).then_raises(Rejected, "asked of county-water and has no outcome")
    of_town(ESTABLISHED, ASKED).when(REPLY).then_raises(Rejected, "has no outcome")
    assert goes_on(of_town(ESTABLISHED))
    assert goes_on(of_town(ASKED, concluded()))
    of_town(ASKED, concluded(), ASKED).when(REPLY).then_raises(Rejected, "has no outcome")


@pytest.mark.requirement("TRI-01")
def test_a_reply_that_waits_for_its_approval_is_not_given_while_verification_is_open() -> None:
    [proposal] = of_town(concluded()).when(REPLY).decided()
    again = of_town(concluded(), proposal.data, ASKED, role="approver")  # type: ignore[union-attr]
    again.when(c.ApproveProposal(proposal=1)).then_raises(Rejected, "has no outcome")


@pytest.mark.requirement("TRI-01")
def test_an_explanation_of_the_status_and_the_real_work_do_not_wait() -> None:
    for command in (c.Explain(text="t"), c.Solve(text="t"), c.RecordHandling(track="problem", text="t")):
        assert of_town(ASKED).when(command).decided()


@pytest.mark.requirement("TRI-01")
def test_a_unit_is_asked_until_a_time_that_lies_ahead() -> None:
    due = NOW + timedelta(hours=2)
    asks = of_town(role="duty_officer")
    asks.when(c.RequestVerification(unit="county-water", text="t", due=due)).then(
        triage.IncidentVerificationRequested(unit="county-water", text="t", due=due)  # type: ignore[arg-type]
    )
    asks.when(c.RequestVerification(unit="county-water", due=NOW)).then_raises(Malformed, "has passed")
    told = of_town(ASKED.model_copy(update={"due": due})).state.verification
    assert (told.asked, told.due) == (("county-water",), "2026-03-02T11:00:00.000000Z")


@pytest.mark.requirement("TRI-02")
@pytest.mark.parametrize("outcome", ["confirmed", "not_established"])
def test_an_outcome_is_recorded_with_who_established_it(outcome: Outcome) -> None:
    case = of_town(ASKED, role="verifier", unit="county-water")
    case.when(c.ConcludeVerification(outcome=outcome, text="t")).then(concluded(outcome, "county-water"))
    done = of_town(ASKED, concluded(outcome), role="verifier")
    done.when(c.ConcludeVerification(outcome=outcome, text="t")).then_raises(Rejected, "this outcome already")


@pytest.mark.requirement("TRI-02")
def test_what_is_not_in_line_with_the_facts_opens_a_clarification_that_is_owed() -> None:
    opened = triage.IncidentClarificationOpened(unit="town-east", cause="not_in_line")
    verdict = concluded("not_in_line")
    of_town(role="verifier").when(c.ConcludeVerification(outcome="not_in_line", text="t")).then(verdict, opened)
    done = (*SOLVED_AND_REPLIED, verdict, opened)
    of_town(*done).when(c.Resolve(reason="r")).then_raises(Rejected, "clarify it in an answer first")
    explained = triage.IncidentExplained(text="t", to="public")  # type: ignore[arg-type]
    assert of_town(*done, explained).when(c.Resolve(reason="r")).decided()
    again = of_town(*done, ASKED, role="verifier")
    again.when(c.ConcludeVerification(outcome="not_in_line", text="t")).then(verdict)


@pytest.mark.requirement("ESC-15")
def test_at_a_grave_level_the_unit_above_establishes() -> None:
    conclude = c.ConcludeVerification(outcome="confirmed", text="t")
    of_town(MAJOR, role="verifier").when(conclude).then_raises(Forbidden, "over county")
    of_town(MAJOR, role="verifier", unit="county").when(conclude).then(concluded(unit="county"))
    own = At(ESTABLISHED.data, unit="town-east")
    for facts in ((own,), (concluded(),)):
        of_town(MAJOR, *facts).when(REPLY).then_raises(Rejected, "county establishes the facts")
    assert goes_on(of_town(MAJOR, ESTABLISHED))
    assert goes_on(of_town(MAJOR, concluded(unit="city")))
    assert (
        of_town(MAJOR, role="verifier")
        .when(c.EstablishFact(key="confirmed", kind="yes_no", value=True, source="s"))
        .decided()
    )


@pytest.mark.requirement("ESC-15")
def test_the_unit_above_concludes_with_the_outcome_that_the_unit_concerned_had_found() -> None:
    conclude = c.ConcludeVerification(outcome="confirmed", text="t")
    case = of_town(concluded(), MAJOR, role="verifier", unit="county")
    case.when(conclude).then(concluded(unit="county"))
    assert goes_on(of_town(concluded(), MAJOR, concluded(unit="county")))
    of_town(concluded(), MAJOR, concluded(unit="county"), role="verifier", unit="county").when(conclude).then_raises(
        Rejected, "this outcome already"
    )


@pytest.mark.requirement("TRI-01")
@pytest.mark.parametrize("end", [triage.IncidentDismissed(report_count=1), triage.IncidentClosed(reason="r")])
def test_a_request_ends_with_its_round(end: Fact) -> None:
    """The unit that was asked has no part any more, so nobody may wait for it."""
    assigned = (triage.IncidentAssigned(unit="county-roads"), triage.IncidentAccepted(unit="county-roads"))
    again = triage.IncidentReopened(reason="r")
    case = of_town(ESTABLISHED, ASKED, *assigned, end, again)
    assert (case.state.verifying, case.state.verification.asked) == (frozenset(), ())
    found = ball(case.state, case.context.offices)
    assert found is not None
    assert (found.unit, found.awaited) == ("county-roads", "handling")
    assert goes_on(case)
    resolved = of_town(ESTABLISHED, ASKED, *assigned, triage.IncidentResolved(reason="r"), again)
    resolved.when(REPLY).then_raises(Rejected, "has no outcome")
    assert (resolved.state.verifying, resolved.state.verification.asked) == ({"county-water"}, ("county-water",))


def test_after_the_outcome_the_matter_waits_for_the_handler_since_then() -> None:
    assigned = (triage.IncidentAssigned(unit="county-roads"), triage.IncidentAccepted(unit="county-roads"))
    told = [At(one, NOW - timedelta(days=3)) for one in (OPENED, *assigned, ASKED)]
    then = At(concluded(), NOW - timedelta(hours=2))
    for facts, awaited, since in ((told, "verification", 3 * 24), ([*told, then], "handling", 2)):
        found = ball(past(*facts).state, past().context.offices)
        assert found is not None
        assert (found.awaited, found.since) == (awaited, NOW - timedelta(hours=since))
    unasked = ball(past(*told[:-1], then).state, past().context.offices)
    assert unasked is not None
    assert unasked.since == NOW - timedelta(days=3), "it had not waited for anybody else"


@pytest.mark.requirement("ESC-15")
def test_the_unit_at_the_top_establishes_by_itself() -> None:
    at_top = OPENED.model_copy(update={"unit": "city"})
    conclude = c.ConcludeVerification(outcome="confirmed", text="t")
    past(at_top, MAJOR, roles=("verifier",), unit="city").when(conclude).then(concluded(unit="city"))


@pytest.mark.requirement("TRI-03")
def test_an_assessment_has_cause_truth_trend_and_impact() -> None:
    parts = {"cause": "a", "truth": "b", "trend": "c", "impact": "d"}
    of_town(role="duty_officer").when(c.Assess(**parts)).then(triage.IncidentAssessed(**parts))  # type: ignore[arg-type]
    for missing in parts:
        with pytest.raises(ValueError, match=missing):
            c.Assess(**{name: text for name, text in parts.items() if name != missing})


@pytest.mark.requirement("ESC-03")
def test_a_dual_report_opens_a_clarification_once_where_the_pack_asks() -> None:
    def case(*facts: Fact) -> Given:
        return past(OPENED, *facts).by(SYSTEM)

    told = c.PrepareClarification(addressee="leader_in_charge", basis=BASIS)
    opened = triage.IncidentClarificationOpened(unit="town-east", cause="dual_report")
    case().when(told).then(opened)
    case(opened).when(told.model_copy(update={"addressee": "principal_leader"})).then_nothing()
    case().when(c.PrepareClarification(addressee="leading_group", basis=BASIS)).then_nothing()
    case(*SOLVED_AND_REPLIED, triage.IncidentResolved(reason="r")).when(told).then_nothing()  # type: ignore[arg-type]
    owed = past(OPENED, *SOLVED_AND_REPLIED, opened, roles=("handler",), unit="town-east")
    assert owed.when(c.Resolve(reason="r")).decided(), "a draft is prepared; nothing is owed by it"


@pytest.mark.parametrize("cause", ["not_in_line", "dual_report"])
def test_an_open_clarification_is_begun_anew_by_the_unit_that_becomes_accountable(cause: triage.ClarifiedFor) -> None:
    opened = triage.IncidentClarificationOpened(unit="town-east", cause=cause)
    case = of_town(opened, role="chief")
    *_, anew = case.when(c.Transfer(unit="town-west", reason="r")).decided()
    assert anew == triage.IncidentClarificationOpened(unit="town-west", cause=cause)
    given = (opened, triage.IncidentExplained.model_validate({"text": "t", "to": "public"}))
    [only] = of_town(*given, role="chief").when(c.Transfer(unit="town-west", reason="r")).decided()
    assert isinstance(only.data, triage.IncidentTransferred)  # type: ignore[union-attr]


def test_a_merger_brings_open_requests_and_an_outcome_along() -> None:
    ours: State = past(OPENED).state
    theirs = past(OPENED, concluded("not_in_line"), triage.IncidentClarificationOpened(unit="u", cause="not_in_line"))
    kinds = [type(fact) for fact in brought(ours, theirs.state)]
    assert kinds == [triage.IncidentVerificationConcluded, triage.IncidentClarificationOpened]
    timed = ASKED.model_copy(update={"due": NOW + timedelta(hours=2)})
    assert brought(ours, past(OPENED, timed).state) == [timed]
    done: State = past(OPENED, ASKED, concluded()).state
    assert brought(done, done) == []
    [carried] = brought(past(OPENED, concluded()).state, done)
    assert isinstance(carried, triage.IncidentVerificationRequested)
    assert carried.taken_from == done.id


def test_evidence_is_a_file_of_the_matters_reports() -> None:
    fact = c.EstablishFact(key="lamps", kind="number", value=12, source="s", evidence=("f1",))
    of_town(role="verifier").when(fact).then_raises(Malformed, "no report .* has the file f1")
    found = past(OPENED, roles=("verifier",), files=frozenset({"f1"})).when(fact).decided()
    assert found[0].evidence == ("f1",)  # type: ignore[union-attr]


def test_a_merged_matter_is_verified_where_it_goes_on() -> None:
    past(OPENED, MERGED, roles=("verifier",)).when(c.ConcludeVerification(outcome="confirmed", text="t")).then_raises(
        Rejected, OTHER
    )


@pytest.mark.requirement("TRI-01", "TRI-02", "TRI-03")
async def test_a_matter_is_verified_over_http(triage: Triage) -> None:
    report = triage.report("lamps")
    file = ReportEvidenceAttached(file="f1", media_type="image/png", size=3, sha256="0" * 64)
    await triage.take(report, triage.event(report.stream, file, service="ingest"))
    id_ = (await triage.get("incidents", "city", report_id=report.stream)).json()["items"][0]["id"]

    async def does(verb: str, role: str, status: int = 200, **body: Any) -> Any:
        answer = await triage.ask(id_, verb, body, role=role, unit="town-east")
        assert answer.status_code == status, answer.text
        return answer.json()

    due = (triage.runtime.time_source.now() + timedelta(hours=2)).isoformat()
    await does("request-verification", "duty_officer", unit="town-east", text="几盏", due=due)
    assert (await does("reply", "handler", 409, text="t"))["type"].endswith("verification-open")
    lamps: dict[str, Any] = {"key": "lamps", "kind": "number", "source": "现场"}
    await does("establish-fact", "verifier", value=12, evidence=["f1"], **lamps)
    await does("establish-fact", "verifier", 422, value=12, evidence=["f2"], **lamps)
    first = len(await triage.events(id_))
    said = StatementPublished(
        incident=id_, unit="town-east", kind="facts", title="路灯情况", text="共12盏。", facts=("lamps",), by="0" * 64
    )
    published = triage.event(f"statement-{derived('s')}", said, service="publish", basis=f"{id_}@{first}")
    await does("establish-fact", "verifier", value=11, **lamps)
    await triage.take(published)
    await does("assess", "duty_officer", cause="a", truth="b", trend="c", impact="d")
    await does("conclude-verification", "verifier", outcome="not_in_line", text="只有11盏")
    shown = (await triage.get(f"incidents/{id_}")).json()
    assert shown["verification"] == {"asked": [], "due": None, "outcome": "not_in_line", "by": "town-east"}
    assert shown["clarifying"] is True
    [assessed] = shown["assessments"]
    assert [assessed[name] for name in ("cause", "truth", "trend", "impact")] == ["a", "b", "c", "d"]
    [sheet] = (await triage.get(f"incidents/{id_}/facts")).json()["items"]
    assert (sheet["key"], sheet["measure"]) == ("lamps", "盏")
    assert [(one["value"], one["evidence"], one["by"]) for one in sheet["values"]] == [
        (12, ["f1"], "verifier@town-east"),
        (11, [], "verifier@town-east"),
    ]
    used = [[use["statement"] for use in one["used_by"]] for one in sheet["values"]]
    assert used == [[published.stream], []], "the statement was decided on the old value, though it came later"


@pytest.mark.postgres
async def test_a_matter_is_verified_on_postgres(triage_on_postgres: Triage) -> None:
    await test_a_matter_is_verified_over_http(triage_on_postgres)


@pytest.mark.requirement("ESC-03")
async def test_a_dual_report_is_heard_from_escalation(triage: Triage) -> None:
    id_ = await triage.open()
    told = ClockReportedUpward(
        report=UUID, unit="town-east", to="town-east", addressee="leader_in_charge", form="call", unverified=True
    )
    clock = id_.replace("incident", "clock")
    for _ in range(2):
        await triage.take(triage.event(clock, told, service="escalation", correlation=id_))
    assert (await triage.kinds(id_)).count("clarification_opened") == 1


async def test_a_former_unit_reads_no_facts_of_a_matter_that_was_merged_in_later(triage: Triage) -> None:
    here, there = await triage.open("here"), await triage.open("there")
    fact = {"key": "confirmed", "kind": "yes_no", "value": True, "source": "s"}
    for id_, verb, body, role, unit in (
        (here, "assign", {"unit": "county-roads"}, "duty_officer", "town-east"),
        (there, "establish-fact", fact, "verifier", "town-east"),
        (here, "return", {"ground": "need_more", "reason": "r"}, "handler", "county-roads"),
        (there, "merge", {"into": here}, "chief", "town-east"),
    ):
        done = await triage.ask(id_, verb, body, role=role, unit=unit)
        assert done.status_code == 200, done.text
    assert (await triage.get(f"incidents/{there}", "county-roads")).status_code == 404
    assert (await triage.get(f"incidents/{here}/facts", "county-roads")).json()["items"] == []
    [shown] = (await triage.get(f"incidents/{here}/facts", "town-east")).json()["items"]
    assert shown["key"] == "confirmed"
